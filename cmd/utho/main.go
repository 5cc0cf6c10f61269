// Command utho manages the API tokens of Utho Cloud.
package main

import (
	"os"

	"github.com/utho/utho-cli/internal/cli"
)

// The linker sets these for a release; empty, the build information of the Go toolchain
// says what is known.
var version, commit, date string

func main() {
	build := cli.Build{Version: version, Commit: commit, Date: date}
	os.Exit(cli.Main(build, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
