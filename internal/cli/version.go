package cli

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// versionDoc is what is known of this program, in JSON and YAML.
type versionDoc struct {
	Version string  `json:"version"`
	Commit  *string `json:"commit"`
	Date    *string `json:"date"` // of the commit, RFC 3339
	Go      string  `json:"go"`
	OS      string  `json:"os"`
	Arch    string  `json:"arch"`
}

// version is the release, or what the Go toolchain knows of another build.
func (p *program) version() string { return p.versionDoc().Version }

func (p *program) versionDoc() versionDoc {
	version, commit, date := p.build.Version, p.build.Commit, p.build.Date
	if info, ok := debug.ReadBuildInfo(); ok && version == "" {
		version = strings.Trim(info.Main.Version, "()")
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				commit = firstOf(commit, s.Value)
			case "vcs.time":
				date = firstOf(date, s.Value)
			}
		}
	}
	return versionDoc{firstOf(version, "devel"), orNull(commit), orNull(date), runtime.Version(), runtime.GOOS, runtime.GOARCH}
}

func newVersion(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version",
		Long:    "Print the version of utho, its commit and date, Go's version and the platform.",
		Example: "  utho version\n  utho version -o json", Args: noArgs,
		RunE: p.runE(func(context.Context, []string) error { return p.printVersion() }),
	}
}

// printVersion must always answer: settings that cannot be read are passed over.
func (p *program) printVersion() error {
	p.pipe = true
	f, err := p.format(documentFormats)
	if err != nil && p.flags.output != "" {
		return err
	}
	d := p.versionDoc()
	if f.isDocument() {
		return p.document(f, d)
	}
	about := ""
	if d.Commit != nil {
		about = " (" + (*d.Commit)[:min(12, len(*d.Commit))]
		if d.Date != nil {
			about += ", " + (*d.Date)[:min(10, len(*d.Date))]
		}
		about += ")"
	}
	_, err = fmt.Fprintf(p.out, "utho %s%s %s %s/%s\n", d.Version, about, d.Go, d.OS, d.Arch)
	return err
}
