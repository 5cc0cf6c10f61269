package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// ErrNoProfile is returned for a profile that the file does not have.
var ErrNoProfile = errors.New("no such profile")

var errByHand = errors.New("it is written in a way that cannot be edited here; change it by hand")

// An Edit is the configuration file while it is being changed, under its lock.
type Edit struct{ f *File }

// Current is the name of the current profile, or "".
func (e *Edit) Current() string { return e.f.Current() }

// Profile returns the profile of that name, ignoring case.
func (e *Edit) Profile(name string) (Profile, bool) { return e.f.Profile(name) }

// existing is Profile; ErrNoProfile if there is none.
func (e *Edit) existing(name string) (Profile, error) {
	p, ok := e.f.Profile(name)
	if !ok {
		return p, fmt.Errorf("profile %q: %w", name, ErrNoProfile)
	}
	return p, nil
}

// SetProfile adds p, or changes the profile of that name, whose spelling stays. Empty fields are removed
// from the file, equal ones left alone.
func (e *Edit) SetProfile(p Profile) error {
	if err := ValidName(p.Name); err != nil {
		return err
	}
	old, exists := e.f.Profile(p.Name)
	if exists {
		p.Name = old.Name
	}
	return e.change("profile "+p.Name, func(root *yaml.Node) {
		at := []string{"profiles", p.Name}
		if !exists {
			set(root, at, &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"})
		}
		for _, f := range []struct {
			key      string
			old, new *yaml.Node
		}{
			{"api_url", text(old.APIURL, 0), text(p.APIURL, 0)},
			{"store", text(old.Store, 0), text(p.Store, 0)},
			{"time_zone", text(old.TimeZone, 0), text(p.TimeZone, yaml.DoubleQuotedStyle)},
			{"credential_command", list(old.CredentialCommand), list(p.CredentialCommand)},
			{"other_secrets", list(old.OtherSecrets), list(p.OtherSecrets)},
		} {
			switch {
			case f.new == nil && f.old != nil:
				remove(root, append(at, f.key))
			case f.new != nil && (f.old == nil || !equal(f.old, f.new)):
				set(root, append(at, f.key), f.new)
			}
		}
	})
}

// RemoveProfile removes the profile of that name, ignoring case, and if it is the current one, that too.
// ErrNoProfile if there is none.
func (e *Edit) RemoveProfile(name string) error {
	p, err := e.existing(name)
	if err != nil {
		return err
	}
	return e.change("profile "+p.Name, func(root *yaml.Node) {
		remove(root, []string{"profiles", p.Name})
		if strings.EqualFold(e.f.current, p.Name) {
			remove(root, []string{"current_profile"})
		}
	})
}

// RenameProfile gives the profile of that name, ignoring case, another one; if it is the current profile, it
// stays so. ErrNoProfile if there is none; another profile of the new name is an error.
func (e *Edit) RenameProfile(name, to string) error {
	p, err := e.existing(name)
	if err != nil {
		return err
	}
	if err := ValidName(to); err != nil {
		return err
	}
	if other, ok := e.f.Profile(to); ok && other.Name != p.Name {
		return fmt.Errorf("there is a profile %s already", other.Name)
	}
	return e.change("profile "+p.Name, func(root *yaml.Node) {
		profiles := follow(root.Content[index(root, "profiles")+1])
		profiles.Content[index(profiles, p.Name)].SetString(to)
		if strings.EqualFold(e.f.current, p.Name) {
			set(root, []string{"current_profile"}, text(to, 0))
		}
	})
}

// SetCurrent makes the profile of that name, ignoring case, the current one. ErrNoProfile if there is none.
func (e *Edit) SetCurrent(name string) error {
	p, err := e.existing(name)
	if err != nil || e.f.current == p.Name {
		return err
	}
	return e.change("current_profile", func(root *yaml.Node) { set(root, []string{"current_profile"}, text(p.Name, 0)) })
}

// change has apply change the tree, writes it, and checks that what came out reads back as that tree. Blank
// lines stay if that works, and go if not.
func (e *Edit) change(what string, apply func(root *yaml.Node)) error {
	now, err := parseTree(e.f.path, e.f.text)
	if err != nil {
		return err
	}
	want, err := parseTree(e.f.path, e.f.text)
	if err != nil || want == nil {
		want = document()
	}
	apply(want.Content[0])
	if now != nil && equal(now, want) {
		return nil
	}
	for _, blankLines := range []bool{!strings.Contains(string(e.f.text), markPrefix), false} {
		out, err := edited(e.f.path, string(e.f.text), blankLines, apply)
		if err != nil {
			continue
		}
		got, err := parseTree(e.f.path, []byte(out))
		if err == nil && (got == nil && empty(want.Content[0]) || got != nil && equal(got, want)) {
			f, err := parse(e.f.path, []byte(out))
			if err != nil {
				return fmt.Errorf("edit %s: %w", what, err)
			}
			e.f = f
			return nil
		}
	}
	return fmt.Errorf("edit %s in %s: %w", what, e.f.path, errByHand)
}

// document is an empty one.
func document() *yaml.Node {
	return &yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode, Tag: "!!map"}}}
}

// set puts value at a path of keys in a mapping; what is missing on the way is added.
func set(m *yaml.Node, path []string, value *yaml.Node) {
	var parent *yaml.Node // the key of m
	for i, name := range path {
		at := index(m, name)
		if at < 0 {
			if len(m.Content) == 0 { // it grows into lines, and a comment stays on the first one
				m.Style &^= yaml.FlowStyle
				if parent != nil {
					parent.LineComment, m.LineComment = join(parent.LineComment, m.LineComment), ""
				}
			}
			at = len(m.Content)
			m.Content = append(m.Content, text(name, 0), &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"})
		}
		next := m.Content[at+1]
		if i == len(path)-1 {
			n := *value
			n.LineComment = next.LineComment
			if n.Style == 0 {
				n.Style = next.Style & (yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle)
			}
			m.Content[at+1] = &n
			return
		}
		if next.Kind == yaml.AliasNode { // what others share must not change with it
			c := *next.Alias
			c.Anchor, c.Content = "", slices.Clone(c.Content)
			next = &c
			m.Content[at+1] = next
		}
		if isNull(next) {
			*next = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", LineComment: next.LineComment}
		}
		parent, m = m.Content[at], next
	}
}

// remove takes out the entry at a path of keys, with the comment right above it. A comment that a blank line
// separates from it, that stands at the head of its mapping, or that follows it, may speak of more and stays.
func remove(m *yaml.Node, path []string) {
	var parent *yaml.Node // the key of m
	for i, name := range path {
		at := index(m, name)
		if at < 0 {
			return
		}
		if i < len(path)-1 {
			parent, m = m.Content[at], m.Content[at+1]
			if m.Kind == yaml.AliasNode {
				return // change sees that nothing went
			}
			continue
		}
		key := m.Content[at]
		head := key.HeadComment
		if at > 0 {
			head = head[:max(0, strings.LastIndex("\n"+head, "\n"+markPrefix)-1)]
		}
		m.Content = slices.Delete(m.Content, at, at+2)
		stays := join(head, key.FootComment)
		switch {
		case at < len(m.Content):
			m.Content[at].HeadComment = join(stays, m.Content[at].HeadComment)
		case at > 0:
			m.Content[at-2].FootComment = join(m.Content[at-2].FootComment, stays)
		case parent != nil:
			parent.FootComment = join(stays, parent.FootComment)
			*m = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", LineComment: m.LineComment}
		}
	}
}

func join(a, b string) string { return strings.Trim(a+"\n"+b, "\n") }

// text is a value of text, or nil for an empty one.
func text(s string, style yaml.Style) *yaml.Node {
	if s == "" {
		return nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Style: style}
}

// list is a value of several words on one line, or nil for none.
func list(words []string) *yaml.Node {
	if len(words) == 0 {
		return nil
	}
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Style: yaml.FlowStyle}
	for _, w := range words {
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: w})
	}
	return n
}
