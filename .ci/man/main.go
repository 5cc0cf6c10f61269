// Command man writes a man page for every command of utho, compressed as packages want it.
//
//	go run ./.ci/man -version 0.1.0 -date 2026-01-31 DIR
//
// It is no part of the program. The pages are written here and not by cobra/doc, because the
// help of the commands is plain text and cobra/doc takes it for Markdown: it joins lists into
// one line and drops what stands in angle brackets.
package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/utho/utho-cli/internal/cli"
)

func main() {
	version := flag.String("version", "", "version of utho")
	date := flag.String("date", "", "date of the pages, YYYY-MM-DD")
	flag.Parse()
	if err := run(*version, *date, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "man:", err)
		os.Exit(1)
	}
}

func run(version, date string, args []string) error {
	if version == "" || len(args) != 1 {
		return errors.New("usage: man -version VERSION -date YYYY-MM-DD DIR")
	}
	if _, err := time.Parse(time.DateOnly, date); err != nil {
		return err
	}
	if err := os.MkdirAll(args[0], 0o755); err != nil { //nolint:gosec // pages are for everybody
		return err
	}
	return writeTree(cli.Command(cli.Build{}), version, date, args[0])
}

// writeTree writes the page of c and of every command under it that help shows.
func writeTree(c *cobra.Command, version, date, dir string) error {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return err
	}
	p := page{}
	p.write(c, version, date)
	if _, err := z.Write(p.Bytes()); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	file := filepath.Join(dir, pageName(c)+".1.gz")
	if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil { //nolint:gosec // pages are for everybody
		return err
	}
	for _, sub := range shown(c) {
		if err := writeTree(sub, version, date, dir); err != nil {
			return err
		}
	}
	return nil
}

// shown lists the commands under c that have a page: those in help, and topics.
func shown(c *cobra.Command) (list []*cobra.Command) {
	for _, sub := range c.Commands() {
		if !sub.Hidden && sub.Deprecated == "" && sub.Name() != "help" {
			list = append(list, sub)
		}
	}
	return list
}

func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// page is a man page in the making, in the man macros of roff.
type page struct{ bytes.Buffer }

func (p *page) macro(name string, args ...string) {
	p.WriteString("." + name)
	for _, arg := range args {
		p.WriteString(` "` + strings.ReplaceAll(escape(arg), `"`, `\(dq`) + `"`)
	}
	p.WriteByte('\n')
}

// line writes a line of text in roff; what comes from elsewhere went through escape.
func (p *page) line(roff string) {
	if strings.HasPrefix(roff, ".") || strings.HasPrefix(roff, "'") {
		roff = `\&` + roff
	}
	p.WriteString(roff + "\n")
}

// escape gives roff that shows text, with hyphens that can be copied.
func escape(text string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
}

func bold(text string) string   { return `\fB` + escape(text) + `\fR` }
func italic(text string) string { return `\fI` + escape(text) + `\fR` }

func (p *page) write(c *cobra.Command, version, date string) {
	p.macro("TH", strings.ToUpper(pageName(c)), "1", date, "utho "+version, "Utho Cloud")
	p.macro("nh") // no hyphenation: what is split cannot be searched for
	p.macro("SH", "NAME")
	p.line(escape(pageName(c)) + ` \- ` + escape(c.Short))
	if c.Runnable() {
		p.macro("SH", "SYNOPSIS")
		words, rest, _ := strings.Cut(c.UseLine(), c.CommandPath())
		p.line(bold(words+c.CommandPath()) + escape(rest))
	}
	p.macro("SH", "DESCRIPTION")
	if c.Long != "" {
		p.text(c.Long)
	} else {
		p.text(c.Short + ".")
	}
	if len(c.Aliases) > 0 {
		p.text("Also: " + strings.Join(c.Aliases, ", ") + ".")
	}
	if subs := shown(c); len(subs) > 0 {
		p.macro("SH", "COMMANDS")
		for _, sub := range subs {
			p.macro("TP")
			p.line(bold(sub.CommandPath()))
			p.line(escape(sub.Short))
		}
	}
	if c.Example != "" {
		p.macro("SH", "EXAMPLES")
		p.text(c.Example)
	}
	p.flags("OPTIONS", c.NonInheritedFlags())
	p.flags("OPTIONS OF ALL COMMANDS", c.InheritedFlags())
	p.macro("SH", "SEE ALSO")
	var also []string
	if c.HasParent() {
		also = append(also, bold(pageName(c.Parent()))+"(1)")
	}
	for _, sub := range shown(c) {
		also = append(also, bold(pageName(sub))+"(1)")
	}
	p.line(strings.Join(append(also, "https://github.com/utho/utho\\-cli"), ",\n"))
}

// text writes plain text as help shows it: paragraphs are filled, and lines that are
// indented stand as they are.
func (p *page) text(text string) {
	literal := false
	for line := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		indented := strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")
		if line != "" && indented != literal {
			literal = indented
			if literal {
				p.macro("nf")
			} else {
				p.macro("fi")
			}
		}
		if line == "" {
			p.macro("sp")
		} else {
			p.line(escape(line))
		}
	}
	if literal {
		p.macro("fi")
	}
}

func (p *page) flags(title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	p.macro("SH", title)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Deprecated != "" {
			return
		}
		name := bold("--" + f.Name)
		if f.Shorthand != "" {
			name = bold("-"+f.Shorthand) + ", " + name
		}
		value, usage := pflag.UnquoteUsage(f)
		if value != "" {
			name += " " + italic(value)
		}
		switch f.DefValue {
		case "", "false", "0", "0s", "[]":
		default:
			usage += " (default " + f.DefValue + ")"
		}
		p.macro("TP")
		p.line(name)
		p.line(escape(usage))
	})
}
