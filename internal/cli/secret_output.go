package cli

import (
	"bytes"
	"context"
	"os"

	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/internal/deliver"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/pkg/utho"
)

// secretOutput is what create and rotate put on stdout: the bare secret, a
// document, or nothing.
type secretOutput struct {
	a        *app
	specs    []deliver.Spec // --to, in its form right
	secret   bool           // the secret is to stand on stdout
	format   format         // empty: the bare secret, or nothing
	token    utho.Token
	replaced *utho.Token // by a rotation
	views    views
	left     bool // something of the secret may be on stdout
}

// secretOutput reads --to, and checks -o against it. UTHO_OUTPUT and the
// configuration do not count here: a script that captures the secret must get
// the secret.
func (a *app) secretOutput(to []string) (*secretOutput, error) {
	o := &secretOutput{a: a, secret: len(to) == 0}
	for _, text := range to {
		spec, err := deliver.ParseSpec(text)
		if err != nil {
			return nil, specError(err)
		}
		if spec.Kind == deliver.KindProfile {
			if err := config.ValidName(spec.Arg); err != nil {
				return nil, usagef("--to %s: %w", quoteText(text), err)
			}
		}
		o.specs = append(o.specs, spec)
		o.secret = o.secret || spec.Kind == deliver.KindStdout
	}
	if f := format(a.flags.output); f != "" {
		if o.secret && !f.isDoc() {
			return nil, usagef("-o %s has no place for the secret, which goes to stdout; nothing was created", f).
				with("use -o json or -o yaml, leave -o out for the bare secret, or take the secret elsewhere with --to")
		}
		o.format = f
	}
	if o.secret && isNull(a.out.f) {
		return nil, usagef("the secret goes to stdout, and stdout is closed or %s; nothing was created", os.DevNull).
			with("take the secret elsewhere with --to file:PATH")
	}
	return o, nil
}

// show gives what the document says besides the secret.
func (o *secretOutput) show(t utho.Token, v views) { o.token, o.views = t, v }

func (o *secretOutput) String() string { return "stdout" }

// Prepare has nothing to do: secretOutput checked stdout.
func (o *secretOutput) Prepare(context.Context) error { return nil }

// wanted tells whether stdout is to get anything: the secret, or a document
// about a token whose secret goes elsewhere. Both are part of the delivery.
func (o *secretOutput) wanted() bool { return o.secret || o.format != "" }

// Deliver writes the secret, alone or in its document, or the document alone.
func (o *secretOutput) Deliver(_ context.Context, secret string) error {
	if !o.secret {
		return o.a.writeToken(o.format, o.token, o.views, o.complete)
	}
	text := bytes.NewBufferString(secret + "\n")
	if o.format != "" {
		text.Reset()
		doc := o.views.doc(o.token)
		doc.Token = secret
		o.complete(&doc)
		write := output.JSON
		if o.format == formatYAML {
			write = output.YAML
		}
		if err := write(text, doc); err != nil {
			return err
		}
	}
	n, err := o.a.out.Write(text.Bytes())
	o.left = n > 0
	return err
}

func (o *secretOutput) complete(d *tokenDoc) {
	if o.replaced != nil {
		replaced := o.views.doc(*o.replaced)
		d.Replaced = &replaced
	}
}

// Undo cannot take back what was written, if only a part of it.
func (o *secretOutput) Undo(context.Context) error {
	if !o.left {
		return nil
	}
	return deliver.ErrCannotUndo
}

func (o *secretOutput) Close() error { return nil }

// dry writes the document of a --dry-run, without a secret.
func (o *secretOutput) dry(t utho.Token, v views) error {
	if o.format == "" {
		return nil
	}
	return o.a.writeToken(o.format, t, v, nil)
}

var _ deliver.Destination = (*secretOutput)(nil)
