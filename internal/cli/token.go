package cli

import "github.com/spf13/cobra"

func newToken(p *program) *cobra.Command {
	cmd := newGroup("token", "List, create, rotate and delete tokens",
		`A token is what a program logs in to Utho Cloud with. It has a name, and it may
read, or read and write. Its secret is shown once, when it is created.`,
		newTokenList(p), newTokenGet(p), newCreate(p), newRotate(p), newDelete(p), newRun(p))
	cmd.Aliases = []string{"tokens"}
	return cmd
}
