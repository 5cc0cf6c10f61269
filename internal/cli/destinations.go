package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/deliver"
	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/problem"
	"github.com/utho/utho-cli/internal/session"
	"github.com/utho/utho-cli/internal/terminal"
)

// destinations is where a new secret goes: what --to names, stdout, and in a rotation of the token in use the
// profile's own secret. It implements lifecycle.Destinations.
type destinations struct {
	*deliver.Set
	p   *program
	s   *session.Session
	out *stdoutDestination
	env bool // the secret goes to a file that a log may show
}

func destinationFlag(cmd *cobra.Command, to *[]string) {
	bind(cmd, "to", listFlag(to, "DEST"), "send the secret there (repeatable); see utho help destinations",
		func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
			if strings.Contains(typed, ":") {
				return nil, cobra.ShellCompDirectiveDefault
			}
			kinds := []string{"stdout", "file:", "env:", "profile:", "k8s:", "exec:"}
			return kinds, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
		})
}

// connectFor checks --to and -o, connects, and returns where the secret goes: stdout too if nothing is named, unless
// quiet. Nothing is touched. UTHO_OUTPUT does not count: a script that captures the secret must get the secret.
func (p *program) connectFor(ctx context.Context, to []string, quiet, rotate bool) (*destinations, error) {
	var specs []deliver.Spec
	for _, text := range to {
		spec, err := deliver.ParseSpec(text)
		if err != nil {
			return nil, err
		}
		specs = append(specs, spec)
	}
	named := slices.ContainsFunc(specs, func(s deliver.Spec) bool { return s.Kind == deliver.KindStdout })
	out := &stdoutDestination{p: p, secret: named || len(to) == 0 && !quiet, format: format(p.output), limit: readWithin}
	if err := out.check(); err != nil {
		return nil, err
	}
	if !named && (out.secret || out.format != "") {
		specs = append(specs, deliver.Spec{Kind: deliver.KindStdout})
	}
	s, err := p.env.Connect(ctx)
	if err != nil {
		return nil, err
	}
	d := &destinations{p: p, s: s, out: out}
	env := deliver.Env{
		Environ: os.Environ(), Stderr: p.console.Err, Rotate: rotate, Own: p.env.OwnFiles(),
		Warn: func(text string) { p.console.Warn("%s", text) },
	}
	env.Home, _ = os.UserHomeDir() // only ~/ needs one, and says so
	var targets []deliver.Target
	for _, spec := range specs {
		var place deliver.Destination = out
		switch spec.Kind {
		case deliver.KindStdout:
		case deliver.KindProfile:
			place, err = p.newProfile(s, spec.Arg)
		default:
			d.env = d.env || spec.Kind == deliver.KindEnv
			place, err = deliver.New(spec, env)
		}
		if err != nil {
			return nil, err
		}
		targets = append(targets, deliver.Target{Spec: spec, Destination: place})
	}
	d.Set = deliver.NewSet(targets)
	return d, nil
}

func (d *destinations) Rotates(ctx context.Context, ids ...string) error {
	if id := d.s.Item.TokenID; id == "" || !slices.Contains(ids, id) {
		return nil
	}
	own, err := d.p.ownProfile(d.s)
	if err != nil {
		return err
	}
	spec := deliver.Spec{Kind: deliver.KindOwn, Arg: d.s.Profile.Name}
	return d.Add(ctx, deliver.Target{Spec: spec, Destination: own})
}

func (d *destinations) Deliver(ctx context.Context, i lifecycle.Issued) (own string, err error) {
	d.p.console.Hide(i.Secret)
	if d.env || d.out.secret {
		d.p.mask(i.Secret)
	}
	d.out.issued = i
	t := deliver.Token{ID: i.Token.ID, PreviousID: i.Deletes, Name: i.Token.Name, Secret: i.Secret}
	_, t.Expires, _ = expiry.Split(i.Token.Name)
	err = d.Set.Deliver(ctx, t)
	if failed, ok := errors.AsType[*deliver.Failure](err); ok && failed.Kind == deliver.KindOwn {
		own = failed.Destination
	}
	return own, err
}

// mask tells the runner of GitHub Actions to hide a secret in its log, before the secret can get there.
func (p *program) mask(secret string) {
	if os.Getenv("GITHUB_ACTIONS") == "true" && os.Getenv("UTHO_NO_MASK") != "1" {
		// The runner reads %25 as a percent sign.
		p.console.Write("::add-mask::" + strings.ReplaceAll(secret, "%", "%25") + "\n")
	}
}

func (d *destinations) Undo(ctx context.Context) lifecycle.Undone {
	return lifecycle.Undone(d.Set.Undo(ctx))
}

func (d *destinations) Recorded(ctx context.Context) (lifecycle.Recorded, bool, error) {
	r, ok, err := d.Set.Recorded(ctx)
	return lifecycle.Recorded(r), ok, err
}

// names are where the secret goes, as it was typed.
func (d *destinations) names() string { return strings.Join(d.Names(), ", ") }

// stdoutDestination is what create and rotate write to stdout: the bare secret, a document, or nothing.
type stdoutDestination struct {
	p       *program
	secret  bool   // the secret goes to stdout
	format  format // of -o; empty for the bare secret, or nothing
	issued  lifecycle.Issued
	written bool // something of the secret may have been read
	limit   time.Duration
}

// readWithin is how long a pipe that nobody reads may keep a secret from being written.
const readWithin = time.Minute

// check refuses a stdout that has no place for the secret.
func (o *stdoutDestination) check() error {
	if o.format != "" && !o.format.isDocument() {
		return problem.Usagef("-o %s: this command has json and yaml only; nothing was created", o.format).
			Hintf("use -o json or -o yaml, leave -o out for the bare secret, or send the secret elsewhere with --to")
	}
	if o.secret && terminal.IsNull(o.p.out.f) {
		return problem.Usagef("the secret goes to stdout, and stdout is closed or %s; nothing was created", os.DevNull).
			Hintf("send the secret elsewhere, for example with --to file:PATH")
	}
	return nil
}

func (o *stdoutDestination) Prepare(context.Context) error { return nil }

// Place is none for a document about a token whose secret goes elsewhere.
func (o *stdoutDestination) Place() string {
	if !o.secret {
		return ""
	}
	return "stdout"
}

// Deliver writes the secret, alone or in its document, or the document alone.
func (o *stdoutDestination) Deliver(ctx context.Context, t deliver.Token) error {
	n, err := o.write(ctx, t.Secret)
	o.written = o.secret && n > 0 && err == nil
	if failed, ok := errors.AsType[*stdoutError](err); ok {
		return failed.err // the destination is named already
	}
	return err
}

// show writes the document about a token whose secret is not shown, if there is one to write.
func (o *stdoutDestination) show(i lifecycle.Issued) error {
	if o.format == "" {
		return nil
	}
	o.issued = i
	_, err := o.write(context.Background(), "")
	return err
}

// write writes the bare secret, or a document of what is known of the token, with its secret if stdout gets it.
func (o *stdoutDestination) write(ctx context.Context, secret string) (n int, err error) {
	text := bytes.NewBufferString(secret + "\n")
	if o.format != "" {
		v := o.p.view(o.format, o.issued.Now, nil)
		doc := v.Doc(o.issued.Token)
		if o.secret {
			doc.Token = secret
		}
		if o.issued.Replaces != nil {
			replaced := v.Doc(*o.issued.Replaces)
			doc.Replaced = &replaced
		}
		text.Reset()
		if err := document(text, o.format, doc); err != nil {
			return 0, err
		}
	}
	limited, cancel := context.WithTimeoutCause(ctx, o.limit, fmt.Errorf("nobody has read it for %v", o.limit))
	defer cancel()
	return terminal.Await(limited, func() (int, error) { return o.p.out.Write(text.Bytes()) })
}

// Undo cannot take back what somebody may have read. A write that failed was no delivery.
func (o *stdoutDestination) Undo(context.Context) error {
	if o.written {
		return deliver.ErrKept
	}
	return nil
}

func (o *stdoutDestination) Holds(context.Context, [32]byte) (string, error) {
	return "", deliver.ErrUnreadable
}
