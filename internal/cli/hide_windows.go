package cli

import "golang.org/x/sys/windows"

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
