package deliver

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/utho/utho-cli/internal/child"
)

// kubeTime bounds one run of kubectl.
const kubeTime = 30 * time.Second

// kubeSecret is what matters of a Secret.
type kubeSecret struct {
	Metadata struct {
		UID             string            `json:"uid"`
		ResourceVersion string            `json:"resourceVersion"`
		Annotations     map[string]string `json:"annotations"`
	} `json:"metadata"`
	Data map[string][]byte `json:"data"`
}

// A kubeError is the last line of what kubectl said.
type kubeError struct {
	text    string
	refused bool // the server said that it did nothing
}

func (e *kubeError) Error() string { return e.text }

// locate asks kubectl for its current context. In a pod without a configuration kubectl takes the pod's service
// account, and so does this.
func (d *kubernetes) locate(ctx context.Context) error {
	if _, err := child.LookPath("kubectl"); err != nil {
		return fmt.Errorf("a k8s: destination needs kubectl on the PATH: %w", err)
	}
	const three = "jsonpath={.current-context}\n{.clusters[0].cluster.server}\n{.contexts[0].context.namespace}"
	out, err := d.kubectl(ctx, nil, "config", "view", "--minify", "-o", three)
	namespace := "default"
	if host := os.Getenv("KUBERNETES_SERVICE_HOST"); err == nil {
		parts := strings.Split(out+"\n\n", "\n")
		d.cluster, d.server = parts[0], parts[1]
		namespace = cmp.Or(parts[2], namespace)
	} else if host != "" && strings.Contains(err.Error(), "current-context must exist") {
		d.server = "https://" + net.JoinHostPort(host, os.Getenv("KUBERNETES_SERVICE_PORT"))
		own, _ := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
		namespace = cmp.Or(strings.TrimSpace(string(own)), namespace)
	} else {
		return err
	}
	d.namespace = cmp.Or(d.namespace, namespace)
	return nil
}

// read returns the Secret, the zero one if there is none.
func (d *kubernetes) read(ctx context.Context) (s kubeSecret, err error) {
	out, err := d.kubectl(ctx, nil, "get", "secret", d.name, "--ignore-not-found", "-o", "json")
	if err == nil && out != "" {
		err = json.Unmarshal([]byte(out), &s)
	}
	return s, err
}

// kubectl runs kubectl with input as JSON on its stdin, and returns its stdout. Its error is a *kubeError, without the secret.
func (d *kubernetes) kubectl(ctx context.Context, input any, args ...string) (string, error) {
	late := fmt.Errorf("no answer from %s within %s", cmp.Or(d.server, "kubectl"), d.limit)
	ctx, cancel := context.WithTimeoutCause(ctx, d.limit, late)
	defer cancel()
	argv := append([]string{"kubectl"}, append(args, "--context="+d.cluster, "--namespace="+d.namespace)...)
	stdin, err := json.Marshal(input)
	if err != nil {
		return "", err
	}
	var stdout, stderr bytes.Buffer
	err = child.Command{
		Argv: argv, Env: child.WithoutCredentials(d.env.Environ),
		Stdin: bytes.NewReader(stdin), Stdout: &stdout, Stderr: &stderr,
	}.Run(ctx)
	if err == nil {
		return strings.TrimSpace(stdout.String()), nil
	}
	lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
	said := strings.TrimSpace(lines[len(lines)-1])
	if said == "" || ctx.Err() != nil {
		said = err.Error()
	}
	if len(d.secret) > 0 {
		said = strings.NewReplacer(string(d.secret), "…", base64.StdEncoding.EncodeToString(d.secret), "…").Replace(said)
	}
	refused := regexp.MustCompile(`^(Error from server|error: You must be logged in to the server) ` +
		`\((AlreadyExists|BadRequest|Conflict|Forbidden|NotFound|Unauthorized)\)|^The Secret ".*" is invalid`).MatchString(said)
	if strings.HasPrefix(said, "Error from server (Conflict)") {
		return "", &kubeError{"somebody else changed the Secret at the same time; nothing was written", true}
	}
	return "", &kubeError{"kubectl " + args[0] + ": " + strings.Replace(said, `error when creating "STDIN": `, "", 1), refused}
}
