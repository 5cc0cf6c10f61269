package config

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// check fills f from its document and refuses what does not say what it should.
func (f *File) check() error {
	return f.each("the file", f.doc.Content[0], func(key, value *yaml.Node) error {
		switch key.Value {
		case "current_profile":
			if isNull(value) {
				return nil
			}
			// The text counts, whatever YAML takes it for: 0123 names a profile.
			f.current = value.Value
			if err := ValidName(f.current); err != nil {
				return f.errorAt(value, "current_profile: %v", err)
			}
		case "defaults":
			f.defaults = make(map[string]any)
			return f.each("defaults", value, f.checkDefault)
		case "profiles":
			return f.each("profiles", value, f.checkProfile)
		default:
			f.warn(key, "")
		}
		return nil
	})
}

// each calls do for the keys and values of a mapping, and refuses what is none and a key that stands twice. An
// alias is what it stands for.
func (f *File) each(what string, m *yaml.Node, do func(key, value *yaml.Node) error) error {
	if m.Kind != yaml.MappingNode && !isNull(m) {
		return f.errorAt(m, "%s must be a mapping of keys to values", what)
	}
	seen := make(map[string]bool)
	for i := 0; i+1 < len(m.Content); i += 2 {
		key, value := m.Content[i], m.Content[i+1]
		if seen[key.Value] {
			return f.errorAt(key, "key %q stands twice", key.Value)
		}
		seen[key.Value] = true
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		if err := do(key, value); err != nil {
			return err
		}
	}
	return nil
}

// warn notes a key that means nothing.
func (f *File) warn(key *yaml.Node, in string) {
	f.warnings = append(f.warnings,
		fmt.Sprintf("%s:%d: the key %q%s means nothing to utho and is ignored", f.path, key.Line, key.Value, in))
}

func (f *File) checkDefault(key, value *yaml.Node) error {
	for _, s := range settings() {
		switch {
		case s.key != key.Value:
			continue
		case isNull(value):
		case value.Kind != yaml.ScalarNode || !s.check(value.Value):
			return f.errorAt(value, "defaults.%s must be %s", s.key, s.allowed)
		default:
			f.defaults[s.key] = value.Value
		}
		return nil
	}
	f.warn(key, " in defaults")
	return nil
}

func (f *File) checkProfile(key, value *yaml.Node) error {
	p := Profile{Name: key.Value}
	if err := ValidName(p.Name); err != nil {
		return f.errorAt(key, "%v", err)
	}
	if other, ok := f.Profile(p.Name); ok {
		return f.errorAt(key, "profile %q is the same name as %q above; case does not count", p.Name, other.Name)
	}
	err := f.each("profile "+p.Name, value, func(key, value *yaml.Node) error {
		s, text := value.Value, value.Kind == yaml.ScalarNode && value.ShortTag() == "!!str"
		must := func(what string) error {
			return f.errorAt(value, "%s of profile %s must be %s", key.Value, p.Name, what)
		}
		if isNull(value) {
			return nil
		}
		switch key.Value {
		case "api_url":
			if p.APIURL = s; !text || s == "" {
				return must("a URL such as https://api.utho.com/v2")
			}
		case "store":
			if p.Store = s; !text || s != StoreKeyring && s != StoreFile {
				return must("keyring or file")
			}
		case "time_zone":
			p.TimeZone = s
			if _, err := parseZone(s); err != nil || !text {
				return must(allowedZone)
			}
		case "credential_command":
			if p.CredentialCommand = words(value); p.CredentialCommand == nil {
				return must("a list of a program and its arguments, such as [pass, show, utho]; no shell is used")
			}
		case "other_secrets":
			p.OtherSecrets = words(value)
		default:
			f.warn(key, " in profile "+p.Name)
		}
		return nil
	})
	if err == nil && p.Store != "" && p.CredentialCommand != nil {
		err = f.errorAt(key, "profile %s has both store and credential_command; it can have one of them", p.Name)
	}
	f.profiles = append(f.profiles, p)
	return err
}

// words is a list of scalars by their text: [true] is the command of that name. Nil if it is none.
func words(n *yaml.Node) []string {
	var argv []string
	for _, c := range n.Content {
		if n.Kind != yaml.SequenceNode || c.Kind != yaml.ScalarNode || isNull(c) || strings.ContainsRune(c.Value, 0) {
			return nil
		}
		argv = append(argv, c.Value)
	}
	return argv
}

const allowedZone = `an offset such as "+05:30", or Z; this machine knows no time zone of that name`

// parseZone reads an offset from UTC (+05:30, -03:00, Z) or the name of a zone that this machine knows.
func parseZone(s string) (*time.Location, error) {
	// Parse also takes 24 hours and 60 minutes, which RFC 3339 cannot write.
	if t, err := time.Parse("Z07:00", s); err == nil && (s == "Z" || s[1:3] < "24" && s[4:] < "60") {
		_, offset := t.Zone()
		return time.FixedZone(s, offset), nil
	}
	// Local would depend on the machine, and "" would be UTC.
	if loc, err := time.LoadLocation(s); err == nil && s != "" && s != "Local" {
		return loc, nil
	}
	return nil, fmt.Errorf("time zone %q: must be %s", s, allowedZone)
}
