package config

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// check fills f from its tree and refuses what does not say what it should.
func (f *File) check() error {
	for key, value := range pairs(f.root) {
		var err error
		switch key.Value {
		case "current_profile":
			err = f.checkCurrent(value)
		case "defaults":
			err = f.checkDefaults(value)
		case "profiles":
			err = f.checkProfiles(value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *File) checkCurrent(value *yaml.Node) error {
	value = follow(value)
	if isNull(value) {
		return nil
	}
	// The text counts, whatever YAML takes it for: 0123 names a profile.
	if value.Kind != yaml.ScalarNode {
		return errorAt(f.path, value, "current_profile must be the name of a profile")
	}
	if err := ValidName(value.Value); err != nil {
		return errorAt(f.path, value, "current_profile: %v", err)
	}
	f.current = value.Value
	return nil
}

func (f *File) checkDefaults(value *yaml.Node) error {
	m, err := f.mapping("defaults", value)
	if err != nil {
		return err
	}
	for key, value := range pairs(m) {
		def, known := define(key.Value)
		value = follow(value)
		if !known || isNull(value) {
			continue
		}
		if value.Kind != yaml.ScalarNode || def.check(value.Value) != nil {
			return errorAt(f.path, value, "defaults.%s must be %s", key.Value, def.allowed)
		}
		if f.defaults == nil {
			f.defaults = make(map[string]scalar)
		}
		f.defaults[key.Value] = scalar{value.Value, value.Line, value.Column}
	}
	return nil
}

func (f *File) checkProfiles(value *yaml.Node) error {
	m, err := f.mapping("profiles", value)
	if err != nil {
		return err
	}
	seen := make(map[string]string)
	for key, value := range pairs(m) {
		if err := ValidName(key.Value); err != nil {
			return errorAt(f.path, key, "%v", err)
		}
		folded := strings.ToLower(key.Value)
		if other, ok := seen[folded]; ok {
			return errorAt(f.path, key, "profile %q is the same name as %q above; case does not count", key.Value, other)
		}
		seen[folded] = key.Value
		p, err := f.checkProfile(key.Value, value)
		if err != nil {
			return err
		}
		f.profiles = append(f.profiles, p)
	}
	return nil
}

func (f *File) checkProfile(name string, value *yaml.Node) (Profile, error) {
	p := Profile{Name: name}
	m, err := f.mapping("profile "+name, value)
	if err != nil {
		return p, err
	}
	var store, command *yaml.Node
	for key, value := range pairs(m) {
		value = follow(value)
		if isNull(value) {
			continue
		}
		fail := func(must string) (Profile, error) {
			return Profile{}, errorAt(f.path, value, "%s of profile %s must be %s", key.Value, name, must)
		}
		switch key.Value {
		case "api_url":
			if !isText(value) || value.Value == "" {
				return fail("a URL such as https://api.utho.com/v2")
			}
			p.APIURL = value.Value
		case "store":
			if !isText(value) || checkStore(value.Value) != nil {
				return fail("keyring or file")
			}
			p.Store, store = value.Value, value
		case "time_zone":
			if _, err := parseZone(value.Value); err != nil || !isText(value) {
				return fail(allowedZone)
			}
			p.TimeZone = value.Value
		case "credential_command":
			argv, ok := words(value)
			if !ok {
				return fail("a list of a program and its arguments, such as [pass, show, utho]; no shell is used")
			}
			p.CredentialCommand, command = argv, value
		case "token_id":
			if value.Kind != yaml.ScalarNode || value.Value == "" {
				return fail("the id of a token")
			}
			p.TokenID = value.Value
		}
	}
	if store != nil && command != nil {
		second := store
		if command.Line > store.Line || command.Line == store.Line && command.Column > store.Column {
			second = command
		}
		return Profile{}, errorAt(f.path, second, "profile %s has both store and credential_command; it can have one of them", name)
	}
	return p, nil
}

// mapping is value as a mapping; nil where nothing was written.
func (f *File) mapping(what string, value *yaml.Node) (*yaml.Node, error) {
	value = follow(value)
	if isNull(value) {
		return nil, nil
	}
	if value.Kind != yaml.MappingNode {
		return nil, errorAt(f.path, value, "%s must be a mapping", what)
	}
	for key := range pairs(value) {
		// Not expanded here, so what it brings would be silently left out.
		if key.ShortTag() == "!!merge" {
			return nil, errorAt(f.path, key, "merge keys (<<) are not supported; write the keys out")
		}
	}
	return value, nil
}

func checkStore(store string) error {
	if store != StoreKeyring && store != StoreFile {
		return fmt.Errorf("store %q: must be keyring or file", store)
	}
	return nil
}

// words is a list of scalars by their text: [true] is the command of that name.
func words(n *yaml.Node) ([]string, bool) {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		return nil, false
	}
	argv := make([]string, 0, len(n.Content))
	for _, c := range n.Content {
		c = follow(c)
		if c.Kind != yaml.ScalarNode || c.ShortTag() == "!!null" || strings.ContainsRune(c.Value, 0) {
			return nil, false
		}
		argv = append(argv, c.Value)
	}
	return argv, argv[0] != ""
}

const allowedZone = `an offset such as "+05:30", Z, or a zone such as Asia/Kolkata`

// parseZone reads an offset from UTC (+05:30, -03:00, Z) or the name of a zone.
func parseZone(s string) (*time.Location, error) {
	if s == "Z" || s == "UTC" {
		return time.UTC, nil
	}
	// Parse also takes 24 hours and 60 minutes, which RFC 3339 cannot write.
	if t, err := time.Parse("-07:00", s); err == nil && s[1:3] < "24" && s[4:] < "60" {
		_, offset := t.Zone()
		return time.FixedZone(s, offset), nil
	}
	// Local would depend on the machine, and "" would be UTC.
	if loc, err := time.LoadLocation(s); err == nil && s != "" && s != "Local" {
		return loc, nil
	}
	return nil, fmt.Errorf("time zone %q: must be %s", s, allowedZone)
}

// pairs goes through the keys and values of a mapping; a nil one has none.
func pairs(m *yaml.Node) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		if m == nil {
			return
		}
		for i := 0; i+1 < len(m.Content); i += 2 {
			if !yield(m.Content[i], m.Content[i+1]) {
				return
			}
		}
	}
}

// follow is what an alias stands for, else the node itself.
func follow(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func isText(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" }

// duplicates refuses a key that stands twice in one mapping, anywhere. Aliases
// are not followed: what they stand for is looked at where it stands.
func duplicates(path string, n *yaml.Node) error {
	if n.Kind == yaml.MappingNode {
		seen := make(map[string]bool, len(n.Content)/2)
		for key := range pairs(n) {
			if key.Kind != yaml.ScalarNode {
				continue
			}
			id := key.ShortTag() + " " + key.Value
			if seen[id] {
				return errorAt(path, key, "key %q stands twice", key.Value)
			}
			seen[id] = true
		}
	}
	for _, c := range n.Content {
		if err := duplicates(path, c); err != nil {
			return err
		}
	}
	return nil
}
