package terminal

import (
	"os"
	"os/exec"

	"golang.org/x/sys/windows"
)

var fatalSignals, passedSignals []os.Signal

// signalName names the only other signal there is: the console closes.
func signalName(os.Signal) string { return "TERM" }

func ignorePipe() {}

// fromTerminal is always true: a console sends Ctrl-C to every program on it.
func fromTerminal(os.Signal) bool           { return true }
func exitStatus(state *os.ProcessState) int { return state.ExitCode() }

// Become runs the command and waits: Windows cannot replace a program.
func (s *Signals) Become(cmd *exec.Cmd) (int, error) { return s.Run(cmd) }

// IsNull reports whether f cannot take anything, as a stdout that was closed.
func IsNull(f *os.File) bool {
	_, err := f.Stat()
	return err != nil
}

// hide has a console not show what is typed until restore is called, which drops what was typed and not read.
func hide(fd int) (restore func(), err error) {
	var was uint32
	if err := windows.GetConsoleMode(windows.Handle(fd), &was); err != nil {
		return nil, err
	}
	hidden := was&^windows.ENABLE_ECHO_INPUT | windows.ENABLE_LINE_INPUT | windows.ENABLE_PROCESSED_INPUT
	if err := windows.SetConsoleMode(windows.Handle(fd), hidden); err != nil {
		return nil, err
	}
	return func() {
		_ = windows.FlushConsoleInputBuffer(windows.Handle(fd))
		_ = windows.SetConsoleMode(windows.Handle(fd), was)
	}, nil
}
