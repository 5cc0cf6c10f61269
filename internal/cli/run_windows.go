package cli

import "os"

// notifyPassed has nothing to take: Windows has none of these signals.
func notifyPassed(chan<- os.Signal) {}

// reachedByTerminal is always so: a console sends Ctrl-C to every program on it.
func reachedByTerminal(os.Signal) bool { return true }

func exitStatus(p *os.ProcessState) int { return p.ExitCode() }
