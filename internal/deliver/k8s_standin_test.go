package deliver

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

const kubeTestSecret = "live_kube_0123456789abcdefABCDEF"

// A bench is a namespace with one Secret of interest, called "api", and a kubectl first on the PATH.
type bench struct{ dir, namespace string }

// benchKubectl records what it is given, misbehaves when told, and is otherwise the real kubectl if there is a
// server, else a look-alike (of kubectl 1.33) that keeps the Secret in a file.
const benchKubectl = `#!/bin/sh
cd '%[1]s' && stdin=$(cat) || exit
fault=
case $* in *--dry-run=server*) ;; *) [ ! -e "fault-$1" ] || { fault=$(cat "fault-$1"); rm "fault-$1"; } ;; esac
die() { echo "$*" >&2; exit 1; }
hang() { : >hanging; exec sleep 600; }
conflict='Error from server (Conflict): Operation cannot be fulfilled on secrets "api"'
save() { # what jq makes of $in and the Secret
	jq -S --argjson in "$in" --arg now "$(date +%%s%%N)" "$@" >new || exit
	case $args in *--dry-run=server*) return ;; esac
	[ ! -e secret ] || ! cmp -s new secret || return # then nothing is written, and the version stays
	jq -S --arg now "$(date +%%s%%N)" '.metadata.resourceVersion = $now' new >secret
}
kubectl() { # with $in on its stdin
	[ -z '%[2]s' ] || { printf %%s "$in" | '%[2]s' "$@"; return; }
	args=$*
	case $1 in
	config) printf 'test\nhttps://192.0.2.1:6443\n' ;;
	get) cat secret 2>/dev/null || : ;;
	create)
		[ ! -e secret ] || die 'Error from server (AlreadyExists): error when creating "STDIN": secrets "api" already exists'
		save -n '$in | .metadata.uid = "uid-" + $now' && jq -j .metadata.uid new ;;
	patch)
		[ -e secret ] || die 'Error from server (NotFound): secrets "api" not found'
		jq -e --argjson in "$in" '.metadata.resourceVersion == ($in.metadata.resourceVersion // .metadata.resourceVersion)' \
			secret >/dev/null || die "$conflict"
		save 'def merge($p): reduce ($p // {} | keys[]) as $k (.; if $p[$k] == null then del(.[$k])
			elif $p[$k] | type == "object" then .[$k] = (.[$k] // {} | merge($p[$k])) else .[$k] = $p[$k] end); merge($in)' secret
		jq -j .metadata.resourceVersion secret ;;
	delete)
		jq -e --argjson in "$in" '.metadata | {uid, resourceVersion} == $in.preconditions' secret >/dev/null || die "$conflict"
		rm secret ;;
	esac
}
case $fault in
refuse) die "Error from server (Forbidden): secrets \"api\" is forbidden: User \"u\" cannot $1 resource \"secrets\"" ;;
hang) hang ;;
'{'*) in=$fault && (kubectl patch secret api "--namespace=%[3]s" --type=merge --patch-file=/dev/stdin) >/dev/null || exit ;;
esac
printf '%%s\t%%s\t%%s\036' "$*" "$stdin" "$UTHO_API_KEY" >>log
in=$stdin
[ "$fault" = drop ] || (kubectl "$@") >out || exit
case $fault in
stay) hang ;;
drop | lose) die "Unable to connect to the server: EOF while sending $stdin" ;;
esac
cat out
`

// eachBench runs a test with the look-alike, and with the server that UTHO_TEST_KUBECONFIG names.
func eachBench(t *testing.T, run func(t *testing.T, b *bench)) {
	t.Run("stand-in", func(t *testing.T) { run(t, newBench(t, "")) })
	t.Run("server", func(t *testing.T) { run(t, serverBench(t)) })
}

func serverBench(t *testing.T) *bench {
	t.Helper()
	config := os.Getenv("UTHO_TEST_KUBECONFIG")
	if config == "" {
		t.Skip("UTHO_TEST_KUBECONFIG names no server; .ci/kube/test starts one")
	}
	t.Setenv("KUBECONFIG", config)
	real, err := exec.LookPath("kubectl")
	if err != nil {
		t.Fatal(err)
	}
	return newBench(t, real)
}

// newBench takes the look-alike if real is empty.
func newBench(t *testing.T, real string) *bench {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("k8s: is refused on Windows")
	}
	if _, err := exec.LookPath("jq"); err != nil {
		missing(t, "jq")
	}
	b := &bench{t.TempDir(), "t-" + strconv.FormatInt(time.Now().UnixNano(), 36)}
	write(t, b.dir+"/kubectl", fmt.Sprintf(benchKubectl, b.dir, real, b.namespace), 0o700)
	t.Setenv("PATH", b.dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("HOME", t.TempDir()) // where kubectl keeps its cache
	t.Setenv("UTHO_API_KEY", "live_parent_0123456789")
	if real != "" {
		b.kubectl(t, "", "create", "namespace", b.namespace)
	}
	return b
}

// kubectl runs kubectl as somebody else does.
func (b *bench) kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := b.try(stdin, args...)
	if err != nil {
		t.Fatalf("kubectl %q: %v: %s", args, err, out)
	}
	return out
}

func (b *bench) try(stdin string, args ...string) (string, error) {
	cmd := exec.Command("kubectl", args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// put creates the Secret with these members beside its name.
func (b *bench) put(t *testing.T, members string) {
	t.Helper()
	b.kubectl(t, fmt.Sprintf(`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"api","namespace":%q,"annotations":{"a":"b"}},%s}`,
		b.namespace, members), "create", "-f", "-")
}

// merge merges members, if there are any, into the Secret, as somebody else.
func (b *bench) merge(members string) (string, error) {
	if members == "" {
		return "", nil
	}
	return b.try(members, "patch", "secret", "api", "-n", b.namespace, "--type=merge", "--patch-file=/dev/stdin")
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}

// state is the Secret without what every write changes; empty if there is none.
func (b *bench) state(t *testing.T) string {
	t.Helper()
	out := b.kubectl(t, "", "get", "secret", "api", "-n", b.namespace, "--ignore-not-found", "-o", "json")
	if out == "" {
		return ""
	}
	var s struct {
		Type, Data any
		Metadata   struct{ Name, Annotations any }
	}
	decode(t, out, &s)
	text, _ := json.Marshal(s)
	return string(text)
}

// open is the destination of a key of the Secret.
func (b *bench) open(t *testing.T) *kubernetes {
	t.Helper()
	return open(t, Env{Environ: os.Environ()}, "k8s:"+b.namespace+"/api#k").(*kubernetes)
}

// fault makes the next run of kubectl VERB misbehave: "refuse", "drop" (not done, no answer), "lose" (done, no
// answer), "hang" (not done, no end), "stay" (done, no end), or a patch that arrives from elsewhere just before.
func (b *bench) fault(t *testing.T, verb, what string) {
	t.Helper()
	write(t, filepath.Join(b.dir, "fault-"+verb), what, 0o600)
}

// calls are the runs of kubectl by the destination, which always names a context: arguments, stdin, UTHO_API_KEY.
func (b *bench) calls(t *testing.T) (calls [][]string) {
	t.Helper()
	for call := range strings.SplitSeq(read(t, b.dir+"/log"), "\x1e") {
		if c := strings.Split(call, "\t"); strings.Contains(c[0], "--context=") {
			calls = append(calls, c)
		}
	}
	return calls
}
