package cli

import (
	"os"
	"os/exec"

	"golang.org/x/sys/windows"
)

func notifyPassed(chan<- os.Signal) {}

// fromTerminal is always true: a console sends Ctrl-C to every program on it.
func fromTerminal(os.Signal) bool { return true }

func exitStatus(state *os.ProcessState) int { return state.ExitCode() }

// become runs the command and waits: Windows cannot replace a program.
func become(cmd *exec.Cmd) error {
	status, failed := newRelay().run(cmd)
	if failed != nil {
		return failed
	}
	if status != 0 {
		return childStatus(status)
	}
	return nil
}

// hide has a console not show what is typed, line by line, until the returned
// function is called, which also drops what was typed and not read.
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
