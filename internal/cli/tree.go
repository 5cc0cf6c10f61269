package cli

import (
	"os"

	"github.com/spf13/cobra"
)

// Command returns the tree of commands for programs that document it, as the one that
// writes the man pages. It is to be read, not executed.
func Command() *cobra.Command {
	return (&app{getenv: os.Getenv}).root()
}
