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

	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/internal/deliver"
	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/internal/problem"
	"github.com/utho/utho-cli/internal/session"
	"github.com/utho/utho-cli/internal/terminal"
)

// destinations is where a new secret goes: what --to names, stdout, and in a rotation of the token in use the
// profile's own secret. It implements lifecycle.Destinations over a deliver.Set.
type destinations struct {
	p       *program
	s       *session.Session
	out     *stdoutDestination
	targets []deliver.Target
	set     *deliver.Set
	own     *ownSecret // nil if the profile in use does not change
}

func destinationFlag(cmd *cobra.Command, to *[]string) {
	cmd.Flags().Var(listFlag(to, "DEST"), "to", "send the secret there (repeatable); see utho help destinations")
	_ = cmd.RegisterFlagCompletionFunc("to", func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		if strings.Contains(typed, ":") {
			return nil, cobra.ShellCompDirectiveDefault
		}
		kinds := []string{"stdout", "file:", "env:", "profile:", "k8s:", "exec:"}
		return kinds, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	})
}

// parseTo reads the values of --to, each checked for its form only.
func parseTo(to []string) (specs []deliver.Spec, err error) {
	for _, text := range to {
		spec, err := deliver.ParseSpec(text)
		if err != nil {
			return nil, err
		}
		if spec.Kind == deliver.KindProfile {
			if err := config.ValidName(spec.Arg); err != nil {
				return nil, problem.Usagef("--to %s: %w", output.Name(text), err)
			}
		}
		specs = append(specs, spec)
	}
	return specs, nil
}

func hasStdout(specs []deliver.Spec) bool {
	return slices.ContainsFunc(specs, func(s deliver.Spec) bool { return s.Kind == deliver.KindStdout })
}

// destinations are those of specs, and stdout if it gets anything. Nothing is touched.
func (p *program) destinations(s *session.Session, specs []deliver.Spec, out *stdoutDestination, rotate bool) (*destinations, error) {
	d := &destinations{p: p, s: s, out: out}
	env := deliver.Env{
		Environ: os.Environ(), Stderr: p.console.Err, Rotate: rotate,
		Warn: func(text string) { p.console.Warn("%s", text) },
	}
	env.Home, _ = os.UserHomeDir() // only ~/ needs one, and says so
	env.Own = p.env.OwnFiles()
	if out.wanted() && !hasStdout(specs) {
		specs = append(slices.Clone(specs), deliver.Spec{Kind: deliver.KindStdout})
	}
	for _, spec := range specs {
		var place deliver.Destination = out
		var err error
		switch spec.Kind {
		case deliver.KindStdout:
		case deliver.KindProfile:
			place, err = p.newProfileSecret(s, spec.Arg)
		default:
			place, err = deliver.New(spec, env)
		}
		if err != nil {
			return nil, err
		}
		d.targets = append(d.targets, deliver.Target{Spec: spec, Destination: place})
	}
	return d, nil
}

func (d *destinations) Prepare(ctx context.Context) error {
	d.set = deliver.NewSet(d.targets)
	return unchanged(d.set.Prepare(ctx))
}

func unchanged(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w; nothing was created", err)
}

func (d *destinations) Rotates(ctx context.Context, ids ...string) error {
	id := d.s.Item.TokenID
	if id == "" || !slices.Contains(ids, id) {
		return nil
	}
	d.own = &ownSecret{p: d.p, s: d.s}
	spec := deliver.Spec{Kind: deliver.KindOwn, Arg: d.s.Profile.Name}
	return unchanged(d.set.Add(ctx, deliver.Target{Spec: spec, Destination: d.own}))
}

func (d *destinations) Deliver(ctx context.Context, i lifecycle.Issued) error {
	d.p.console.Hide(i.Secret)
	if slices.ContainsFunc(d.targets, func(t deliver.Target) bool {
		return t.Spec.Kind == deliver.KindEnv || t.Spec.Kind == deliver.KindStdout && d.out.secret
	}) {
		d.p.mask(i.Secret)
	}
	d.out.issued = i
	t := deliver.Token{ID: i.Token.ID, PreviousID: i.Deletes, Name: i.Token.Name, Secret: i.Secret}
	_, t.Expires, _ = expiry.Split(i.Token.Name)
	err := d.set.Deliver(ctx, t)
	if failed, ok := errors.AsType[*deliver.Failure](err); ok {
		return &lifecycle.DeliveryError{Place: failed.Destination, Own: failed.Kind == deliver.KindOwn, Err: err}
	}
	return err
}

// mask tells the runner of GitHub Actions to hide a secret in its log, before the secret can get there.
func (p *program) mask(secret string) {
	if os.Getenv("GITHUB_ACTIONS") == "true" && os.Getenv("UTHO_NO_MASK") != "1" {
		// The runner reads %25 as a percent sign.
		p.console.Write("::add-mask::" + strings.ReplaceAll(secret, "%", "%25") + "\n")
	}
}

func (d *destinations) Undo(ctx context.Context) lifecycle.Undone {
	return lifecycle.Undone(d.set.Undo(ctx))
}

// secrets are the targets that get the secret: all but a document about a token whose secret goes elsewhere.
func (d *destinations) secrets() []deliver.Target {
	return slices.DeleteFunc(d.set.Targets(), func(t deliver.Target) bool {
		return t.Spec.Kind == deliver.KindStdout && !d.out.secret
	})
}

func (d *destinations) Holds(ctx context.Context, sum [32]byte) (secret string, holders []string, err error) {
	targets := d.secrets()
	for _, t := range targets {
		held, readErr := t.Destination.Holds(ctx, sum)
		switch {
		case readErr != nil:
			unread := fmt.Errorf("%s: %w", t.Place(), readErr)
			if err != nil {
				unread = fmt.Errorf("%w; %w", err, unread)
			}
			err = unread
		case held != "":
			secret, holders = held, append(holders, t.Place())
		}
	}
	if len(holders) < len(targets) {
		secret = ""
	}
	return secret, holders, err
}

func (d *destinations) Places() (places []string) {
	for _, t := range d.secrets() {
		places = append(places, t.Place())
	}
	return places
}

func (d *destinations) Recorded(ctx context.Context) (lifecycle.Recorded, bool, error) {
	r, ok, err := d.set.Recorded(ctx)
	return lifecycle.Recorded(r), ok, err
}

// names are the destinations but stdout, as they were typed.
func (d *destinations) names() string {
	var names []string
	for _, t := range d.set.Targets() {
		if t.Spec.Kind != deliver.KindStdout {
			names = append(names, t.String())
		}
	}
	return strings.Join(names, ", ")
}

func (d *destinations) went() string {
	names := d.names()
	switch {
	case !d.out.secret:
		return "its secret went to " + names
	case names != "":
		return "its secret is shown this once and went to " + names
	}
	return "its secret is shown this once"
}

// profileOf is the new profile of --to profile:NAME: the active one's address and store.
func profileOf(s *session.Session, name string) (config.Profile, error) {
	p := config.Profile{Name: name, APIURL: s.BaseURL, TimeZone: s.Profile.TimeZone, Store: s.Kind}
	switch s.Kind {
	case session.SandboxName:
		err := problem.Usagef("--to profile:%s: a token of the sandbox is kept by no profile", name)
		return p, problem.Hintf(err, "send it to a file: --to file:PATH")
	case session.KindEnvironment, session.KindCommand:
		p.Store = config.StoreKeyring
	}
	return p, nil
}

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

// newStdout checks -o. UTHO_OUTPUT does not count: a script that captures the secret must get the secret.
func (p *program) newStdout(secret bool) (*stdoutDestination, error) {
	o := &stdoutDestination{p: p, secret: secret, format: format(p.output), limit: readWithin}
	if o.format != "" && !o.format.isDocument() {
		err := problem.Usagef("-o %s: this command has json and yaml only; nothing was created", o.format)
		return nil, problem.Hintf(err, "use -o json or -o yaml, leave -o out for the bare secret, or send the secret elsewhere with --to")
	}
	if secret && terminal.IsNull(p.out.f) {
		err := problem.Usagef("the secret goes to stdout, and stdout is closed or %s; nothing was created", os.DevNull)
		return nil, problem.Hintf(err, "send the secret elsewhere, for example with --to file:PATH")
	}
	return o, nil
}

// wanted reports whether stdout gets anything: the secret, or a document about a token whose secret goes elsewhere.
func (o *stdoutDestination) wanted() bool                  { return o.secret || o.format != "" }
func (o *stdoutDestination) Place() string                 { return "stdout" }
func (o *stdoutDestination) Prepare(context.Context) error { return nil }

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
		v := o.p.view(o.issued.Now, nil)
		doc := v.Doc(o.issued.Token)
		if o.secret {
			doc.Token = secret
		}
		if o.issued.Replaces != nil {
			replaced := v.Doc(*o.issued.Replaces)
			doc.Replaced = &replaced
		}
		text.Reset()
		if o.format == formatYAML {
			err = output.YAML(text, doc)
		} else {
			err = output.JSON(text, doc)
		}
		if err != nil {
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
