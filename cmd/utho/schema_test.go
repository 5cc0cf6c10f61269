package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// validate checks a document against one of docs/schema, which must name every key of it.
func validate(t *testing.T, name string, text []byte) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "docs", "schema", name+".schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	closed(schema)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(name, schema); err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err == nil {
		err = c.MustCompile(name).Validate(doc)
	}
	if err != nil {
		t.Errorf("%s: %v\n%s", name, err, text)
	}
}

// closed forbids keys that a schema does not name. Other people's validators must not: documents grow.
func closed(schema any) {
	switch s := schema.(type) {
	case map[string]any:
		for _, item := range s {
			closed(item)
		}
		if _, ok := s["properties"].(map[string]any); ok {
			s["additionalProperties"] = false
		}
	case []any:
		for _, item := range s {
			closed(item)
		}
	}
}

// Every document that utho prints, as JSON and as YAML, is as docs/schema says.
func TestSchemas(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	filed := m.with("UTHO_API_KEY", "")
	covered := "\n"
	for _, format := range []string{"json", "yaml"} {
		for _, row := range []struct {
			schema, args string
			m            *machine
			code         int
		}{
			{"token-list", "token list", m, 0},
			{"token", "token get 10002", m, 0},
			{"token", "token create ci --allow-duplicate", m, 0},
			{"token", "token create ci --allow-duplicate --scope write", m, 0},
			{"token", "token create ci --allow-duplicate --expires-in 30d --to exec:cat", m, 0},
			{"token", "token rotate 10001 --keep-old", m, 0},
			{"delete", "token delete 10003 --yes --ignore-missing", m, 0},
			{"status", "status", m, 0},
			{"status", "status", m.with("UTHO_API_KEY", "live_wrong"), 4},
			{"status", "login --store file --own-token --expires-in 30d", filed, 0},
			{"status", "status", filed, 0},
			{"profile-list", "profile list", filed, 0},
			{"status", "logout", filed, 0},
			{"status", "logout --all", filed, 0},
			{"version", "version", m, 0},
			{"error", "token get nosuch", m, 5},
			{"error", "token get ci", m, 6},
			{"error", "token list --bogus", m, 2},
			{"error", "token list", m.with("UTHO_API_URL", "http://127.0.0.1:1/v2"), 9},
			{"error", "token run -- no-such-program", m, 127},
		} {
			got := row.m.login(m.key, append([]string{"-o", format}, strings.Fields(row.args)...)...).want(t, row.code)
			text := []byte(got.stdout)
			switch {
			case row.schema == "error" && format == "yaml": // errors are JSON or words
				continue
			case row.schema == "error":
				text = []byte(got.stderr[strings.LastIndex("\n"+strings.TrimSpace(got.stderr), "\n"):])
			case format == "yaml":
				var doc any
				err := yaml.Unmarshal(text, &doc)
				if err == nil {
					text, err = json.Marshal(doc)
				}
				if err != nil {
					t.Fatalf("%s: %v\n%s", row.args, err, text)
				}
			}
			validate(t, row.schema, text)
			covered += row.args + " -\n"
		}
	}
	// And every command that has documents is among these.
	_, commands, _ := strings.Cut(m.utho("help", "formats").want(t, 0).stdout, "Commands:\n")
	commands, _, _ = strings.Cut(commands, "\n\n")
	for line := range strings.Lines(commands) {
		if command, _, _ := strings.Cut(strings.TrimSpace(line), "  "); !strings.Contains(covered, "\n"+command+" ") {
			t.Errorf("no document of utho %s is validated", command)
		}
	}
}
