package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// afterInterrupt is how long a protocol that must not be cut short has, from
// the first signal on, to find out what happened and to deliver or undo.
const afterInterrupt = 10 * time.Second

// interrupted is the cause of a context that a signal ended.
type interrupted struct{ sig os.Signal }

func (e interrupted) Error() string {
	switch e.sig {
	case syscall.SIGTERM:
		return "ended by TERM"
	case syscall.SIGHUP:
		return "ended by HUP"
	default:
		return "interrupted"
	}
}

// exit is the status a shell gives to a command that the signal ended.
func (e interrupted) exit() int {
	if s, ok := e.sig.(syscall.Signal); ok {
		return 128 + int(s)
	}
	return 130
}

// signals turns INT, TERM and HUP into two contexts. soft ends with the first
// signal: everything that may simply stop hangs on it. hard ends with the
// second one, or afterInterrupt after the first: what must find out what
// happened hangs on that.
type signals struct {
	soft, hard context.Context
	endSoft    context.CancelCauseFunc
	endHard    context.CancelCauseFunc

	mu       sync.Mutex
	count    int
	shielded bool
	stopping func(interrupted) // told of the first signal where a protocol goes on in spite of it
	forward  func(os.Signal)   // where signals go while a command of the user runs
}

// watch starts to take signals. Those that the parent ignored stay ignored
// (nohup, background jobs). SIGPIPE is taken too, so that a write to a broken
// stdout or stderr is an error and not the end in the middle of a protocol. The
// end of the process ends it: to give the signals back first took up to 0.2 ms.
func watch() *signals {
	s := &signals{}
	s.soft, s.endSoft = context.WithCancelCause(context.Background())
	s.hard, s.endHard = context.WithCancelCause(context.Background())
	var take []os.Signal
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(sig) {
			take = append(take, sig)
		}
	}
	ch := make(chan os.Signal, 8)
	if len(take) > 0 {
		signal.Notify(ch, take...)
	}
	pipe := make(chan os.Signal, 1)
	notifyPipe(pipe)
	go func() {
		for {
			select {
			case sig := <-ch:
				s.handle(sig, take)
			case <-pipe:
			}
		}
	}()
	return s
}

func (s *signals) handle(sig os.Signal, taken []os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.forward != nil {
		s.forward(sig)
		return
	}
	s.count++
	cause := interrupted{sig}
	s.endSoft(cause)
	if s.shielded && s.count == 1 {
		if s.stopping != nil {
			go s.stopping(cause) // a stderr that blocks must not keep the second signal waiting
		}
		time.AfterFunc(afterInterrupt, func() {
			s.endHard(fmt.Errorf("%w: no end in %v", cause, afterInterrupt))
		})
		return
	}
	s.endHard(cause)
	signal.Reset(taken...) // the next one ends the process at once
}

// shield begins the part of a protocol in which the first signal only stops
// the waiting. It fails where a signal came before. The caller ends it with
// the returned function.
func (s *signals) shield() (end func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.soft.Err() != nil {
		return nil, context.Cause(s.soft)
	}
	s.shielded = true
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.shielded = false
	}, nil
}

// passTo sends every signal to f until the returned function is called.
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

// seeSignal is for a command that failed on the terminal. Ctrl-C is sent to it and
// to utho at once, and its end may be seen first: the signal gets a moment.
func (a *app) seeSignal() {
	if a.terminal() {
		pause(a.sig.soft, 200*time.Millisecond)
	}
}

// pause waits for d, or less where ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
