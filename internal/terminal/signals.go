package terminal

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"
)

// GraceTime is how long a protocol has, from the first signal on, to find out what happened and to clean up.
const GraceTime = 10 * time.Second

// Interrupted is the cause of a context that a signal ended.
type Interrupted struct{ sig os.Signal }

func (e Interrupted) Error() string {
	if e.sig == os.Interrupt {
		return "interrupted"
	}
	return "ended by " + signalName(e.sig)
}

// Status is the exit status, as a shell gives it: 128+n for signal n.
func (e Interrupted) Status() int {
	if s, ok := e.sig.(syscall.Signal); ok {
		return 128 + int(s)
	}
	return 130
}

// Signals turns INT, TERM, HUP and those that would crash the program into two contexts: ctx ends with the first,
// grace with the second, or with GraceTime after the first if a protocol runs, else at once. Those that would crash
// it count as two.
type Signals struct {
	Take             func() // begins to take signals
	Ctx, Grace       context.Context
	endCtx, endGrace context.CancelCauseFunc
	cleaning         func() // called once if a protocol goes on after the first signal

	mu        sync.Mutex
	count     int
	protected bool
	command   *os.Process // of the user, which gets the signals instead
}

// NewSignals takes none yet. Cleaning is called if a protocol goes on after the first signal.
func NewSignals(cleaning func()) *Signals {
	s := &Signals{cleaning: cleaning}
	s.Take = sync.OnceFunc(s.notify)
	s.Ctx, s.endCtx = context.WithCancelCause(context.Background())
	s.Grace, s.endGrace = context.WithCancelCause(context.Background())
	return s
}

// notify takes all but those that the parent ignored (nohup, background jobs).
func (s *Signals) notify() {
	ignorePipe()
	take := slices.Concat([]os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}, fatalSignals, passedSignals)
	take = slices.DeleteFunc(take, signal.Ignored)
	if len(take) == 0 { // Notify without signals takes all of them
		return
	}
	ch := make(chan os.Signal, 16)
	signal.Notify(ch, take...)
	go func() {
		for sig := range ch {
			s.handle(sig)
		}
	}()
}

// TakeIfLong is Take for what changes nothing, if it is not done within 20 ms: it costs two threads, 0.3 ms. A pipe or
// a file may fail with a signal, so that it is not put off then.
func (s *Signals) TakeIfLong(streams ...*os.File) {
	for _, f := range streams {
		if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
			s.Take()
			return
		}
	}
	time.AfterFunc(20*time.Millisecond, s.Take)
}

func (s *Signals) handle(sig os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.command != nil && !fromTerminal(sig):
		_ = s.command.Signal(sig) // it may have ended meanwhile
		return
	case s.command != nil, slices.Contains(passedSignals, sig):
		return
	}
	s.count++
	cause := Interrupted{sig}
	s.endCtx(cause)
	switch {
	case !s.protected:
		s.endGrace(cause)
		signal.Reset(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP) // the next one ends the process at once
	case s.count > 1 || slices.Contains(fatalSignals, sig):
		s.endGrace(cause)
	default:
		time.AfterFunc(300*time.Millisecond, func() { // most protocols end sooner
			s.mu.Lock()
			say := s.protected && s.count == 1
			s.mu.Unlock()
			if say {
				s.cleaning()
			}
		})
		time.AfterFunc(GraceTime, func() { s.endGrace(cause) })
	}
}

// Protect begins the part in which the first signal only stops the waiting. It fails if one came before.
func (s *Signals) Protect() (end func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Ctx.Err() != nil {
		return nil, context.Cause(s.Ctx)
	}
	s.protected = true
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.protected = false
	}, nil
}

// Run starts a command and waits for it; signals are passed on. It fails if the command was not started.
func (s *Signals) Run(cmd *exec.Cmd) (status int, err error) {
	s.mu.Lock() // a signal that comes meanwhile waits for the command
	err = context.Cause(s.Ctx)
	if err == nil {
		err = cmd.Start()
		s.command = cmd.Process
	}
	s.mu.Unlock()
	if err != nil {
		return 0, err
	}
	_ = cmd.Wait() // its state is looked at
	s.mu.Lock()
	defer s.mu.Unlock()
	s.command = nil
	return exitStatus(cmd.ProcessState), nil
}
