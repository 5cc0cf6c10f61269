// Command utho manages the API tokens of Utho Cloud.
package main

import (
	"os"

	"github.com/utho/utho-cli/internal/cli"
)

// version is set by the linker for a release; empty, the build information of
// the Go toolchain tells it.
var version string

func main() {
	os.Exit(cli.Main(version, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
