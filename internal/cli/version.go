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
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Date    string `json:"date"` // of the commit, RFC 3339
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

// version is the release, or what the Go toolchain knows of another build.
func (p *program) version() string { return p.versionDoc().Version }

func (p *program) versionDoc() versionDoc {
	d := versionDoc{p.build.Version, p.build.Commit, p.build.Date, runtime.Version(), runtime.GOOS, runtime.GOARCH}
	info, _ := debug.ReadBuildInfo()
	if d.Version != "" || info == nil {
		d.Version = firstOf(d.Version, "devel")
		return d
	}
	d.Version = strings.Trim(firstOf(info.Main.Version, "devel"), "()")
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			d.Commit = firstOf(d.Commit, s.Value)
		case "vcs.time":
			d.Date = firstOf(d.Date, s.Value)
		}
	}
	return d
}

func newVersion(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long:  "Print the version of utho, its commit and date, Go's version and the platform.",
		Example: `  utho version
  utho version -o json`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              p.runE(func(context.Context, []string) error { return p.printVersion() }),
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
	if len(d.Commit) >= 12 {
		about = " (" + d.Commit[:12]
		if len(d.Date) >= 10 {
			about += ", " + d.Date[:10]
		}
		about += ")"
	}
	_, err = fmt.Fprintf(p.out, "utho %s%s %s %s/%s\n", d.Version, about, d.Go, d.OS, d.Arch)
	return err
}
