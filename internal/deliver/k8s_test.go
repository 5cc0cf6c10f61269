package deliver

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/utho/utho-cli/internal/problem"
)

var kubeToken = Token{
	ID: "10001", PreviousID: "10000", Name: "ci", Secret: kubeTestSecret,
	Expires: time.Date(2026, 12, 23, 9, 30, 0, 0, time.FixedZone("IST", 19800)),
}

var kubeEncoded = base64.StdEncoding.EncodeToString([]byte(kubeTestSecret))

const (
	oldValue  = "b2xk" // old
	otherKey  = `"o":"bw=="`
	bothKeys  = `"data":{"k":"` + oldValue + `",` + otherKey + `}`
	onlyOther = `"data":{` + otherKey + `}`
)

func TestKubernetesNames(t *testing.T) {
	long := strings.Repeat("a", 64)
	for _, arg := range []string{"kube-system/utho-api-key#api-key", "s#k", "n/a.b-c.d#A_b.c-1", "s#.k", long + "#" + long} {
		open(t, Env{}, "k8s:"+arg)
	}
	for _, arg := range []string{"s", "s#", "#k", "/s#k", "n/#k", "n/m/s#k", "N/s#k", "n/S#k", "n/-s#k", "n/s-#k", "a.b-c.d/s#k", "n/a..b#k",
		"s#.", "s#..k", "s#a/b", "s#ä", "s#a#b", "s#k\n", "s #k", "--all#k", long + "/s#k", "s#" + strings.Repeat(long, 4)} {
		if _, err := ParseSpec("k8s:" + arg); !problem.Is(err, problem.Usage) {
			t.Errorf("%s: %v", arg, err)
		}
	}
}

// One patch brings the key and the annotations; nothing else changes, and only the stdin of kubectl sees the secret.
// Whatever happens between Prepare, Deliver and Undo: Undo is only ever nil if the Secret is as it was.
func TestKubernetes(t *testing.T) {
	annotation, key := `{"metadata":{"annotations":{"c":"d"}}}`, `{"data":{"k":"eA=="}}`
	sum := sha256.Sum256([]byte(kubeTestSecret))
	delivered := []string{
		`"k":"` + kubeEncoded + `"`, `"utho.com/token-id":"10001"`, `"utho.com/token-name":"ci"`,
		`"utho.com/token-expires":"2026-12-23T04:00:00Z"`, `"utho.com/previous-token-id":"10000"`,
		`"utho.com/token-sha256":"` + hex.EncodeToString(sum[:]) + `"`,
	}
	for name, c := range map[string]struct {
		data          string // of the Secret; none if empty
		meanwhile     string // merged by somebody else after Prepare
		verb, fault   string // in Deliver
		deliver       string // what its error says; empty if there is none
		after         string // merged by somebody else after Deliver
		late          bool   // what got no answer arrives during Undo
		undo          string // what its error says
		keepsAddition bool   // Undo leaves what somebody else wrote
	}{
		"replaced":                        {data: bothKeys},
		"added":                           {data: onlyOther},
		"another key changed before":      {data: bothKeys, meanwhile: `{"data":{"p":"cA=="}}`, keepsAddition: true},
		"the key changed before":          {data: bothKeys, meanwhile: key, deliver: "somebody else changed the key", keepsAddition: true},
		"another write at the same time":  {data: bothKeys, verb: "patch", fault: annotation, deliver: "at the same time", keepsAddition: true},
		"refused":                         {data: bothKeys, verb: "patch", fault: "refuse", deliver: "cannot patch"},
		"answer lost":                     {data: bothKeys, verb: "patch", fault: "lose"},
		"request lost":                    {data: bothKeys, verb: "patch", fault: "drop", deliver: "EOF"},
		"request late":                    {data: onlyOther, verb: "patch", fault: "drop", deliver: "EOF", late: true},
		"another key changed after":       {data: bothKeys, after: `{"data":{"p":"cA=="}}`, keepsAddition: true},
		"the key changed after":           {data: bothKeys, after: key, undo: "changed meanwhile", keepsAddition: true},
		"creation":                        {},
		"creation refused":                {verb: "create", fault: "refuse", deliver: "cannot create"},
		"creation: answer lost":           {verb: "create", fault: "lose"},
		"creation: request lost":          {verb: "create", fault: "drop", deliver: "EOF", undo: "may still arrive"},
		"creation: a key was added after": {after: `{"data":{"p":"cA=="}}`, undo: "changed meanwhile", keepsAddition: true},
	} {
		t.Run(name, func(t *testing.T) {
			eachBench(t, func(t *testing.T, b *bench) {
				if c.data != "" {
					b.put(t, c.data)
				}
				before := b.state(t)
				d := b.open(t)
				kubeSays(t, "prepare", d.Prepare(t.Context()), "")
				if b.state(t) != before {
					t.Error("Prepare changed the Secret")
				}
				_, _ = b.merge(c.meanwhile)
				if c.verb != "" {
					b.fault(t, c.verb, c.fault)
				}
				kubeSays(t, "deliver", d.Deliver(t.Context(), kubeToken), c.deliver)
				brought, want := c.deliver == "", delivered
				if c.data != "" { // what was there before
					want = append(slices.Clone(delivered), otherKey, `"a":"b"`)
				}
				state := b.state(t)
				for _, w := range want {
					if brought && !strings.Contains(state, w) {
						t.Errorf("the Secret has no %s: %s", w, state)
					}
				}
				if held, err := d.Holds(t.Context(), sum); (held == kubeTestSecret) != brought || err != nil {
					t.Error("holds:", held, err)
				}
				_, _ = b.merge(c.after)
				r, ok, err := d.Recorded(t.Context())
				if ok != (brought && c.after != key) || ok && r != (Recorded{"10001", "10000", sum}) || err != nil {
					t.Error("recorded:", r, ok, err)
				}
				sent := b.calls(t)
				patch := sent[len(sent)-4][1] // then come the reads of Deliver, Holds and Recorded
				carried := 0
				for _, call := range sent {
					if regexp.MustCompile("apply|"+kubeTestSecret+"|"+kubeEncoded).MatchString(call[0]) || call[2] != "" ||
						!strings.HasPrefix(call[0], "config ") && !strings.Contains(call[0], "--context=test") {
						t.Errorf("kubectl %s, with UTHO_API_KEY=%s", call[0], call[2])
					}
					carried += strings.Count(call[1], kubeEncoded)
				}
				again := b.open(t)
				if err := again.Prepare(t.Context()); brought && (again.Place() != d.Place() || carried != 1 || err != nil) {
					t.Errorf("sent %d times to %s, then %s, %v", carried, d.Place(), again.Place(), err)
				}
				if strings.Contains(d.Place(), "/#") != (c.data == "" && !brought) || !strings.HasPrefix(d.Place(), "k8s:https://") {
					t.Error("place:", d.Place())
				}
				if c.late {
					b.fault(t, "patch", patch)
				}
				kubeSays(t, "undo", d.Undo(t.Context()), c.undo)
				if c.fault == "drop" && c.data != "" {
					if out, err := b.merge(patch); err == nil {
						t.Error("what got no answer could still arrive:", out)
					}
				}
				if after := b.state(t); (after == before) == c.keepsAddition {
					t.Errorf("from %s to %s", before, after)
				}
			})
		})
	}
}

func kubeSays(t *testing.T, what string, err error, words string) {
	t.Helper()
	switch {
	case err == nil && words != "":
		t.Errorf("%s: no error; want one that says %q", what, words)
	case err != nil && (words == "" || !strings.Contains(err.Error(), words)):
		t.Errorf("%s: %v; want %q", what, err, words)
	case err != nil && regexp.MustCompile(kubeTestSecret+"|"+kubeEncoded).MatchString(err.Error()):
		t.Errorf("%s: the error carries the secret: %v", what, err)
	}
}

// Time and signals end kubectl, and reading back decides.
func TestKubernetesHangs(t *testing.T) {
	b := newBench(t, "")
	b.put(t, bothKeys)
	b.fault(t, "config", "hang")
	d := b.open(t)
	d.limit = 100 * time.Millisecond
	kubeSays(t, "prepare", d.Prepare(t.Context()), "no answer from kubectl within 100ms")

	for fault, said := range map[string]string{"hang": "the signal", "stay": ""} {
		d = b.open(t)
		kubeSays(t, "prepare", d.Prepare(t.Context()), "")
		ctx, cancel := context.WithCancelCause(t.Context())
		b.fault(t, "patch", fault)
		hanging := filepath.Join(b.dir, "hanging")
		_ = os.Remove(hanging)
		go func() {
			for _, err := os.Stat(hanging); err != nil; _, err = os.Stat(hanging) {
				time.Sleep(time.Millisecond)
			}
			cancel(errors.New("the signal"))
		}()
		kubeSays(t, "deliver", d.Deliver(ctx, kubeToken), said)
		kubeSays(t, "undo", d.Undo(t.Context()), "")
	}
}
