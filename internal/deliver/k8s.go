package deliver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"runtime"
	"time"
)

// kubernetes is k8s:[NAMESPACE/]SECRET#KEY: one key of a Kubernetes Secret. It is written by one merge patch whose
// condition is the resourceVersion that was read just before, so that nothing that somebody else wrote is overwritten.
// The patch carries the annotations too: they always belong to the key's value.
type kubernetes struct {
	env                  Env
	limit                time.Duration // of one run of kubectl
	namespace, name, key string        // the namespace is empty until Prepare if none was typed
	cluster, server      string        // kubectl's context, kept by Prepare, since it may be switched meanwhile

	found  kubeSecret // by Prepare
	before kubeSecret // by Deliver, just before it wrote
	uid    string     // empty if there is no such Secret
	secret []byte     // what Deliver sent
	sent   bool       // and may have been written
	lost   bool       // no answer came and it could not be read back: it may still arrive
}

// The annotations. The last two are the record of a rotation for a machine that has none.
const (
	noteID       = "utho.com/token-id"
	noteName     = "utho.com/token-name"
	noteExpires  = "utho.com/token-expires"
	notePrevious = "utho.com/previous-token-id"
	noteSum      = "utho.com/token-sha256"
)

// kubeReadBack bounds the look at what became of a write without an answer.
const kubeReadBack = 8 * time.Second

// newKubernetes reads [NAMESPACE/]SECRET#KEY. Its errors are of the kind problem.Usage.
func newKubernetes(spec Spec, env Env) (Destination, error) {
	const label = `[a-z0-9](?:[-a-z0-9]*[a-z0-9])?`
	form := regexp.MustCompile(`^(?:(` + label + `)/)?(` + label + `(?:\.` + label + `)*)` +
		`#(\.?[-\w][-.\w]*)$`) // no key begins with two dots or is one
	p := form.FindStringSubmatch(spec.Arg)
	if len(p) == 0 || len(p[1]) > 63 || len(p[2]) > 253 || len(p[3]) > 253 {
		return nil, spec.bad("it is not [NAMESPACE/]SECRET#KEY with names that Kubernetes allows "+
			"(a-z, 0-9 and -; in SECRET also a dot; in KEY also dots, _ and A-Z)", "an example: k8s:kube-system/utho-api-key#api-key")
	}
	return &kubernetes{env: env, limit: kubeTime, namespace: p[1], name: p[2], key: p[3]}, nil
}

// Place has no UID while there is no such Secret.
func (d *kubernetes) Place() string {
	return fmt.Sprintf("k8s:%s/%s/%s/%s#%s", d.server, d.namespace, d.name, d.uid, d.key)
}

// Prepare reads the Secret and has the server try the write, which asks for the rights, the namespace, the admission of
// the cluster and the flags of kubectl all at once.
func (d *kubernetes) Prepare(ctx context.Context) error {
	if runtime.GOOS == "windows" {
		return errors.New("kubectl reads a patch from /dev/stdin, which Windows does not have; use exec: or WSL")
	}
	err := d.locate(ctx)
	if err == nil {
		d.found, err = d.read(ctx)
	}
	if err != nil {
		return err
	}
	was := d.found.Metadata
	if d.uid = was.UID; d.uid == "" {
		_, err = d.create(ctx, nil, "--dry-run=server")
	} else {
		_, err = d.patch(ctx, was.ResourceVersion, map[string]any{d.key: ""}, was.Annotations, "--dry-run=server")
	}
	return err
}

// Deliver writes the key if it still is as Prepare found it. If no clear answer comes, reading back decides.
func (d *kubernetes) Deliver(ctx context.Context, t Token) error {
	d.secret = []byte(t.Secret)
	var err error
	if d.uid != "" {
		d.before, err = d.read(ctx)
		switch {
		case err != nil:
			return err
		case d.before.Metadata.UID != d.uid:
			return errors.New("the Secret was deleted meanwhile; nothing was written")
		case !d.same(d.before, d.found):
			return errors.New("somebody else changed the key meanwhile; nothing was written")
		}
	}
	sum := sha256.Sum256(d.secret)
	notes := map[string]string{noteID: t.ID, notePrevious: t.PreviousID, noteName: t.Name, noteSum: hex.EncodeToString(sum[:])}
	if !t.Expires.IsZero() {
		notes[noteExpires] = t.Expires.UTC().Format(time.RFC3339)
	}
	d.sent = true
	if d.uid == "" {
		d.uid, err = d.create(ctx, notes)
	} else {
		_, err = d.patch(ctx, d.before.Metadata.ResourceVersion, map[string]any{d.key: d.secret}, notes)
	}
	if e := new(kubeError); err == nil || errors.As(err, &e) && e.refused {
		d.sent = err == nil
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), kubeReadBack)
	defer cancel()
	if now, e := d.read(ctx); e == nil && d.holds(now) {
		d.uid = now.Metadata.UID
		return nil
	}
	d.lost = true
	return err
}

// Undo brings back the old value, or no key, or no Secret, and the old annotations.
func (d *kubernetes) Undo(ctx context.Context) error {
	var err error
	for done, tries := !d.sent, 0; !done && tries < 3; tries++ { // a write of somebody else costs one
		done, err = d.undo(ctx)
	}
	return err
}

// undo tries once; done is false if trying again may help.
func (d *kubernetes) undo(ctx context.Context) (done bool, err error) {
	now, err := d.read(ctx)
	switch {
	case err != nil:
		return false, err
	case d.before.Metadata.UID == "":
		return d.uncreate(ctx, now)
	case now.Metadata.UID != d.uid || !d.holds(now) && !d.same(now, d.before):
		return true, ErrChanged
	case !d.holds(now) && !d.lost:
		return true, nil
	}
	version := now.Metadata.ResourceVersion
	if !d.holds(now) {
		// The patch may still arrive: one of our own takes the condition away that it depends on.
		if version, err = d.patch(ctx, version, map[string]any{}, map[string]string{noteSum: "undone"}); err != nil {
			return false, err
		}
	}
	data := map[string]any{d.key: nil}
	if old, ok := d.before.Data[d.key]; ok {
		data[d.key] = old
	}
	_, err = d.patch(ctx, version, data, d.before.Metadata.Annotations)
	return err == nil, err
}

// uncreate deletes the Secret that Deliver created, unless it is not that one any more.
func (d *kubernetes) uncreate(ctx context.Context, now kubeSecret) (done bool, err error) {
	uid := now.Metadata.UID
	switch {
	case uid == "" && d.lost:
		return true, errors.New("no answer came to the creation of the Secret, which may still arrive")
	case uid == "":
		return true, nil
	case !d.holds(now) || len(now.Data) > 1:
		return true, ErrChanged
	}
	only := map[string]any{"uid": uid, "resourceVersion": now.Metadata.ResourceVersion}
	options := map[string]any{"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": only}
	_, err = d.kubectl(ctx, options, "delete", "--raw", "/api/v1/namespaces/"+d.namespace+"/secrets/"+d.name, "-f", "-")
	return err == nil, err
}

func (d *kubernetes) Holds(ctx context.Context, sum [32]byte) (string, error) {
	s, err := d.read(ctx)
	if err != nil || sha256.Sum256(s.Data[d.key]) != sum {
		return "", err
	}
	return string(s.Data[d.key]), nil
}

// Recorded reads the annotations of the last delivery, if the key still holds what it brought.
func (d *kubernetes) Recorded(ctx context.Context) (Recorded, bool, error) {
	s, err := d.read(ctx)
	notes := s.Metadata.Annotations
	r := Recorded{TokenID: notes[noteID], PreviousID: notes[notePrevious], Sum: sha256.Sum256(s.Data[d.key])}
	return r, notes[noteSum] == hex.EncodeToString(r.Sum[:]), err
}

// holds reports whether the key holds what Deliver sent.
func (d *kubernetes) holds(s kubeSecret) bool { return string(s.Data[d.key]) == string(d.secret) }

// same reports whether the key is the same in both, or in neither.
func (d *kubernetes) same(a, b kubeSecret) bool {
	return reflect.DeepEqual(a.Data[d.key], b.Data[d.key])
}

// create creates the Secret and returns its UID.
func (d *kubernetes) create(ctx context.Context, notes map[string]string, flags ...string) (string, error) {
	maps.DeleteFunc(notes, func(_, text string) bool { return text == "" })
	return d.kubectl(ctx, map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
		"metadata": map[string]any{"name": d.name, "namespace": d.namespace, "annotations": notes},
		"data":     map[string]any{d.key: d.secret},
	}, append([]string{"create", "--validate=false", "-f", "-", "-o", "jsonpath={.metadata.uid}"}, flags...)...)
}

// patch changes the Secret if version is still its resourceVersion, and returns the new one. In data, nil removes; the
// annotations of utho become notes, the others stay.
func (d *kubernetes) patch(ctx context.Context, version string, data map[string]any, notes map[string]string,
	flags ...string) (string, error) {
	own := make(map[string]any)
	for _, name := range []string{noteID, noteName, noteExpires, notePrevious, noteSum} {
		if own[name] = nil; notes[name] != "" {
			own[name] = notes[name]
		}
	}
	p := map[string]any{"metadata": map[string]any{"resourceVersion": version, "annotations": own}, "data": data}
	return d.kubectl(ctx, p, append([]string{"patch", "secret", d.name, "--type=merge", "--patch-file=/dev/stdin",
		"-o", "jsonpath={.metadata.resourceVersion}"}, flags...)...)
}
