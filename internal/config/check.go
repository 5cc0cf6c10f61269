package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// The keys that mean something, at each of the three levels.
func topKeys() []string { return []string{"current_profile", "defaults", "profiles"} }

func profileKeys() []string {
	return []string{"api_url", "store", "time_zone", "credential_command", "other_secrets"}
}

// check fills f from the top mapping and refuses what does not say what it should.
func (f *File) check(root *yaml.Node) error {
	for key, value := range pairs(root) {
		var err error
		switch key.Value {
		case "current_profile":
			err = f.checkCurrent(follow(value))
		case "defaults":
			err = f.checkDefaults(value)
		case "profiles":
			err = f.checkProfiles(value)
		default:
			f.warn(key, "", topKeys())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// warn notes a key that means nothing, and the one it may have been meant for.
func (f *File) warn(key *yaml.Node, in string, known []string) {
	text := fmt.Sprintf("%s:%d: the key %q%s means nothing to utho and is ignored", f.path, key.Line, key.Value, in)
	for _, k := range known {
		if strings.EqualFold(k, strings.NewReplacer("-", "_", " ", "_").Replace(key.Value)) {
			text += "; write " + k
		}
	}
	f.warnings = append(f.warnings, text)
}

func (f *File) checkCurrent(value *yaml.Node) error {
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
	f.defaults = make(map[string]any)
	for key, value := range pairs(m) {
		def := define(key.Value)
		value = follow(value)
		switch {
		case def.check == nil:
			f.warn(key, " in defaults", keys())
		case isNull(value):
		case value.Kind != yaml.ScalarNode || !def.check(value.Value):
			return errorAt(f.path, value, "defaults.%s must be %s", key.Value, def.allowed)
		default:
			f.defaults[key.Value] = value.Value
		}
	}
	return nil
}

func (f *File) checkProfiles(value *yaml.Node) error {
	m, err := f.mapping("profiles", value)
	if err != nil {
		return err
	}
	for key, value := range pairs(m) {
		if err := ValidName(key.Value); err != nil {
			return errorAt(f.path, key, "%v", err)
		}
		if other, ok := f.Profile(key.Value); ok {
			return errorAt(f.path, key, "profile %q is the same name as %q above; case does not count", key.Value, other.Name)
		}
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
	for key, value := range pairs(m) {
		value = follow(value)
		if !slices.Contains(profileKeys(), key.Value) {
			f.warn(key, " in profile "+name, profileKeys())
			continue
		}
		if isNull(value) {
			continue
		}
		must := ""
		switch key.Value {
		case "api_url":
			if p.APIURL = value.Value; !isText(value) || value.Value == "" {
				must = "a URL such as https://api.utho.com/v2"
			}
		case "store":
			if p.Store = value.Value; !isText(value) || p.Store != StoreKeyring && p.Store != StoreFile {
				must = "keyring or file"
			}
		case "time_zone":
			p.TimeZone = value.Value
			if _, err := parseZone(value.Value); err != nil || !isText(value) {
				must = allowedZone
			}
		case "credential_command":
			if p.CredentialCommand = words(value); p.CredentialCommand == nil {
				must = "a list of a program and its arguments, such as [pass, show, utho]; no shell is used"
			}
		case "other_secrets":
			if p.OtherSecrets = words(value); p.OtherSecrets == nil {
				must = "a list of places, as utho writes it"
			}
		}
		if must != "" {
			return Profile{}, errorAt(f.path, value, "%s of profile %s must be %s", key.Value, name, must)
		}
	}
	if p.Store != "" && p.CredentialCommand != nil {
		return Profile{}, errorAt(f.path, m, "profile %s has both store and credential_command; it can have one of them", name)
	}
	return p, nil
}

// mapping is value as a mapping; nil if nothing was written.
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

// words is a list of scalars by their text: [true] is the command of that name. Nil if it is none.
func words(n *yaml.Node) []string {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		return nil
	}
	argv := make([]string, 0, len(n.Content))
	for _, c := range n.Content {
		c = follow(c)
		if c.Kind != yaml.ScalarNode || c.ShortTag() == "!!null" || strings.ContainsRune(c.Value, 0) {
			return nil
		}
		argv = append(argv, c.Value)
	}
	if argv[0] == "" {
		return nil
	}
	return argv
}

const allowedZone = `an offset such as "+05:30", or Z; this machine knows no time zone of that name`

// parseZone reads an offset from UTC (+05:30, -03:00, Z) or the name of a zone that this machine knows.
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
