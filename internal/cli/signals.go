package cli

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// graceTime is how long a protocol that must not be cut short has, from the first
// signal on, to find out what happened and to deliver or clean up.
const graceTime = 10 * time.Second

// interrupted is the cause of a context that a signal ended.
type interrupted struct{ sig os.Signal }

func (e interrupted) Error() string {
	switch e.sig {
	case syscall.SIGTERM:
		return "ended by TERM"
	case syscall.SIGHUP:
		return "ended by HUP"
	case os.Interrupt:
		return "interrupted"
	}
	return "ended by signal: " + e.sig.String()
}

// status is the status a shell gives to a command that the signal ended.
func (e interrupted) status() int {
	if s, ok := e.sig.(syscall.Signal); ok {
		return 128 + int(s)
	}
	return 130
}

// signals turns INT, TERM, HUP, QUIT and ABRT into two contexts: ctx ends with the
// first, grace with the second, or with graceTime after the first if a protocol runs,
// else at once. QUIT and ABRT count as two.
type signals struct {
	ctx, grace       context.Context
	endCtx, endGrace context.CancelCauseFunc
	cleaning         func() // called once if a protocol goes on after the first signal

	mu        sync.Mutex
	count     int
	protected bool
	forward   func(os.Signal) // a command of the user runs, which gets them instead
}

// watch begins to take signals. Those that the parent ignored stay ignored (nohup,
// background jobs). SIGPIPE is taken too, so that a write to a broken stdout or stderr
// is an error and not the end in the middle of a protocol.
func watch(cleaning func()) *signals {
	s := &signals{cleaning: cleaning}
	s.ctx, s.endCtx = context.WithCancelCause(context.Background())
	s.grace, s.endGrace = context.WithCancelCause(context.Background())
	var take []os.Signal
	for _, sig := range append([]os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}, fatalSignals...) {
		if !signal.Ignored(sig) {
			take = append(take, sig)
		}
	}
	if len(take) == 0 { // Notify without signals takes all of them
		return s
	}
	ch := make(chan os.Signal, 8)
	signal.Notify(ch, take...)
	pipe := make(chan os.Signal, 1)
	notifyPipe(pipe)
	go func() {
		for {
			select {
			case sig := <-ch:
				s.handle(sig)
			case <-pipe:
			}
		}
	}()
	return s
}

func (s *signals) handle(sig os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.forward != nil {
		s.forward(sig)
		return
	}
	s.count++
	cause := interrupted{sig}
	s.endCtx(cause)
	if s.protected && s.count == 1 && !isFatal(sig) {
		time.AfterFunc(300*time.Millisecond, func() { // most protocols end sooner
			s.mu.Lock()
			say := s.protected && s.count == 1
			s.mu.Unlock()
			if say {
				s.cleaning()
			}
		})
		time.AfterFunc(graceTime, func() { s.endGrace(cause) })
		return
	}
	s.endGrace(cause)
	if !s.protected {
		signal.Reset(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP) // the next one ends the process at once
	}
}

// protect begins the part of a command in which the first signal only stops the
// waiting. It fails if a signal came before. The caller ends it with end.
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

// passTo sends every signal to f until the function that it returns is called.
func (s *signals) passTo(f func(os.Signal)) (end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forward = f
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.forward = nil
	}
}
