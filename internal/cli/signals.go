package cli

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

// graceTime is how long a protocol has, from the first signal on, to find out what happened and to clean up.
const graceTime = 10 * time.Second

// interrupted is the cause of a context that a signal ended.
type interrupted struct{ sig os.Signal }

func (e interrupted) Error() string {
	if e.sig == os.Interrupt {
		return "interrupted"
	}
	return "ended by " + signalName(e.sig)
}

func (e interrupted) status() int {
	if s, ok := e.sig.(syscall.Signal); ok {
		return 128 + int(s)
	}
	return 130
}

// signals turns INT, TERM, HUP and those that would crash the program into two contexts: ctx ends with the first,
// grace with the second, or with graceTime after the first if a protocol runs, else at once. Those that would crash
// it count as two.
type signals struct {
	ctx, grace       context.Context
	endCtx, endGrace context.CancelCauseFunc
	cleaning         func() // called once if a protocol goes on after the first signal

	mu        sync.Mutex
	count     int
	protected bool
	command   *os.Process // of the user, which gets the signals instead
}

// watch begins to take signals. Those that the parent ignored stay ignored (nohup, background jobs).
func watch(cleaning func()) *signals {
	s := &signals{cleaning: cleaning}
	s.ctx, s.endCtx = context.WithCancelCause(context.Background())
	s.grace, s.endGrace = context.WithCancelCause(context.Background())
	ignorePipe()
	take := slices.Concat([]os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}, fatalSignals, passedSignals)
	take = slices.DeleteFunc(take, signal.Ignored)
	if len(take) == 0 { // Notify without signals takes all of them
		return s
	}
	ch := make(chan os.Signal, 16)
	signal.Notify(ch, take...)
	go func() {
		for sig := range ch {
			s.handle(sig)
		}
	}()
	return s
}

func (s *signals) handle(sig os.Signal) {
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
	cause := interrupted{sig}
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
		time.AfterFunc(graceTime, func() { s.endGrace(cause) })
	}
}

// protect begins the part in which the first signal only stops the waiting. It fails if one came before.
func (s *signals) protect() (end func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return nil, context.Cause(s.ctx)
	}
	s.protected = true
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.protected = false
	}, nil
}

// run starts a command and waits for it; signals are passed on. It fails if the command was not started.
func (s *signals) run(cmd *exec.Cmd) (status int, err error) {
	s.mu.Lock() // a signal that comes meanwhile waits for the command
	err = context.Cause(s.ctx)
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
