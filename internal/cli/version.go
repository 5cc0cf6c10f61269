package cli

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// build is what is known about this program.
type build struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

// build reads what the linker and the Go toolchain wrote into the program.
func (a *app) build() build {
	b := build{Version: a.version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if ok {
		if b.Version == "" && info.Main.Version != "(devel)" {
			b.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.Commit = s.Value
			}
		}
	}
	if b.Version == "" {
		b.Version = "devel"
	}
	return b
}

// userAgent is utho/VERSION (os/arch).
func (a *app) userAgent() string {
	version := a.version
	if version == "" {
		version = a.build().Version
	}
	return "utho/" + version + " (" + runtime.GOOS + "/" + runtime.GOARCH + ")"
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "version",
		Short:             "Print the version",
		Args:              a.none,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              a.body(func(context.Context, []string) error { return a.printVersion() }),
	}
}

// printVersion must always answer: a variable or a configuration that cannot be
// read, or names a format that this has not, is passed over.
func (a *app) printVersion() error {
	f, err := a.flagFormat(docFormats)
	if err != nil {
		return err
	}
	if f == "" {
		f = formatTable
		if st, err := a.loadSettings(); err == nil && format(st.Output.Value).isDoc() {
			f = format(st.Output.Value)
		}
	}
	b := a.build()
	if f != formatTable {
		return a.doc(f, b)
	}
	text := "utho " + b.Version
	if len(b.Commit) >= 12 {
		text += " (" + b.Commit[:12] + ")"
	}
	_, err = fmt.Fprintf(a.out, "%s %s %s/%s\n", text, b.Go, b.OS, b.Arch)
	return err
}
