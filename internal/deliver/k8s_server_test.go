package deliver

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What the real server or its kubectl refuses is refused by Prepare, in words.
func TestKubernetesRefusals(t *testing.T) {
	b := serverBench(t)
	prepare := func(arg string) error {
		return open(t, Env{Environ: os.Environ()}, "k8s:"+arg).Prepare(t.Context())
	}
	for name, c := range map[string]struct{ members, key, words string }{
		"immutable": {`"immutable":true,"data":{}`, "k", "immutable"},
		"docker":    {`"type":"kubernetes.io/dockerconfigjson","data":{".dockerconfigjson":"e30="}`, ".dockerconfigjson", "invalid"},
		"password":  {`"type":"kubernetes.io/basic-auth","data":{"username":"dQ=="}`, "password", ""},
	} {
		b.put(t, c.members)
		kubeSays(t, name, prepare(b.namespace+"/api#"+c.key), c.words)
		b.kubectl(t, "", "delete", "secret", "api", "-n", b.namespace)
	}
	kubeSays(t, "namespace", prepare("no-such-namespace/api#k"), `namespaces "no-such-namespace" not found`)
	kubeSays(t, "default namespace", prepare("no-such-secret#k"), "")

	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	kubeSays(t, "no configuration", prepare("n/api#k"), "current-context must exist")
	for name, c := range map[string]struct{ old, new, words string }{
		"vanished context":   {"current-context: .*", "current-context: gone", "gone"},
		"unreachable server": {"127.0.0.1:[0-9]+", "127.0.0.1:1", "127.0.0.1:1 was refused"},
		"rejected":           {"token: .*", "token: x}}", "logged in"},
	} {
		t.Setenv("KUBECONFIG", editedConfig(t, c.old, c.new))
		kubeSays(t, name, prepare("n/api#k"), c.words)
	}
}

// editedConfig is the server's configuration with a pattern replaced.
func editedConfig(t *testing.T, old, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	write(t, path, regexp.MustCompile(old).ReplaceAllString(read(t, os.Getenv("UTHO_TEST_KUBECONFIG")), text), 0o600)
	return path
}

// The Role of the CronJob is enough for a rotation and its restarts, and for nothing else.
func TestKubernetesManifest(t *testing.T) {
	b := serverBench(t)
	manifest, _ := filepath.Abs("../../docs/kubernetes/rotate.yaml")
	b.kubectl(t, "", "create", "--dry-run=server", "-f", manifest)
	b.kubectl(t, "", "apply", "-f", manifest)
	t.Cleanup(func() { b.kubectl(t, "", "delete", "-f", manifest, "--wait=false") })
	secret := `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"utho-api-key","namespace":"kube-system"},"data":{"api-key":"b2xk"}}`
	b.kubectl(t, secret, "create", "-f", "-")
	t.Cleanup(func() { b.kubectl(t, "", "delete", "secret", "utho-api-key", "-n", "kube-system", "--wait=false") })
	var request struct{ Status struct{ Token string } }
	decode(t, b.kubectl(t, `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}`,
		"create", "--raw", "/api/v1/namespaces/kube-system/serviceaccounts/utho-rotate/token", "-f", "-"), &request)
	t.Setenv("KUBECONFIG", editedConfig(t, "token: .*", "token: "+request.Status.Token+"}}"))

	d := open(t, Env{Environ: os.Environ()}, "k8s:kube-system/utho-api-key#api-key")
	kubeSays(t, "as the account, prepare", d.Prepare(t.Context()), "")
	kubeSays(t, "as the account, deliver", d.Deliver(t.Context(), kubeToken), "")
	kubeSays(t, "as the account, undo", d.Undo(t.Context()), "")
	workloads := regexp.MustCompile(`\w+set/[-\w]+`).FindAllString(read(t, manifest), -1)
	for _, workload := range workloads { // what kubectl rollout restart and status do
		for _, verb := range []string{"get", "list", "watch", "patch"} {
			b.kubectl(t, "", "auth", "can-i", verb, workload, "-n", "kube-system")
		}
	}
	if len(workloads) != 6 {
		t.Errorf("--verify names %q", workloads)
	}

	review := `{"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectRulesReview","spec":{"namespace":"kube-system"}}`
	var rules struct {
		Status struct {
			ResourceRules []struct{ Verbs, APIGroups, Resources, ResourceNames []string }
		}
	}
	decode(t, b.kubectl(t, review, "create", "--raw", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", "-f", "-"), &rules)
	var has []string
	for _, r := range rules.Status.ResourceRules {
		if !strings.HasPrefix(r.Resources[0], "selfsubject") { // what everybody may ask about himself
			has = append(has, fmt.Sprint(r.Verbs, r.Resources, r.ResourceNames))
		}
	}
	slices.Sort(has)
	if got, want := strings.Join(has, "\n"), "[get patch list watch] [daemonsets] [utho-ccm csi-utho-node]\n"+
		"[get patch list watch] [statefulsets] [csi-utho-controller]\n[get patch] [secrets] [utho-api-key]"; got != want {
		t.Errorf("the account may\n%s\nand should\n%s", got, want)
	}
}
