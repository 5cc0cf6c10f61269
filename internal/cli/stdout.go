package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/utho/utho-cli/internal/deliver"
	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/output"
)

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

// newStdout checks -o against the destinations. UTHO_OUTPUT and the configuration do not count here: a script that
// captures the secret must get the secret.
func (p *program) newStdout(secret bool) (*stdoutDestination, error) {
	o := &stdoutDestination{p: p, secret: secret, format: format(p.flags.output), limit: readWithin}
	if o.format != "" && !o.format.isDocument() {
		err := usagef("-o %s: this command has json and yaml only; nothing was created", o.format)
		return nil, hintf(err, "use -o json or -o yaml, leave -o out for the bare secret, or send the secret elsewhere with --to")
	}
	if secret && isNull(p.out.f) {
		err := usagef("the secret goes to stdout, and stdout is closed or %s; nothing was created", os.DevNull)
		return nil, hintf(err, "send the secret elsewhere, for example with --to file:PATH")
	}
	return o, nil
}

// wanted reports whether stdout gets anything: the secret, or a document about a token whose secret goes elsewhere.
func (o *stdoutDestination) wanted() bool { return o.secret || o.format != "" }

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
		v := o.p.views(o.issued.Now, nil)
		doc := v.doc(o.issued.Token)
		if o.secret {
			doc.Token = secret
		}
		if o.issued.Replaces != nil {
			replaced := v.doc(*o.issued.Replaces)
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
	return await(limited, func() (int, error) { return o.p.out.Write(text.Bytes()) })
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
