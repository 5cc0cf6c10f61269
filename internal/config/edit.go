package config

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ErrNoProfile is returned for a profile that the file does not have.
var ErrNoProfile = errors.New("no such profile")

var errByHand = errors.New("it is written in a way that cannot be edited here; change it by hand")

// An Edit is the configuration file while it is being changed, under its lock.
type Edit struct{ *File }

// SetProfile adds p, or changes the profile of that name, whose spelling stays. Empty fields are removed from
// the file, equal ones left alone.
func (e *Edit) SetProfile(p Profile) error {
	old, exists := e.Profile(p.Name)
	if exists {
		p.Name = old.Name
	}
	return e.apply("profile "+p.Name, func(root *yaml.Node) bool {
		ok := exists || put(root, &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}, "profiles", p.Name)
		for _, f := range []struct {
			key      string
			was, now *yaml.Node
		}{
			{"api_url", node(old.APIURL), node(p.APIURL)},
			{"store", node(old.Store), node(p.Store)},
			{"time_zone", node(old.TimeZone), node(p.TimeZone)},
			{"credential_command", node(old.CredentialCommand), node(p.CredentialCommand)},
			{"other_secrets", node(old.OtherSecrets), node(p.OtherSecrets)},
		} {
			ok = ok && (equal(f.was, f.now) || put(root, f.now, "profiles", p.Name, f.key))
		}
		return ok
	})
}

// RemoveProfile removes the profile of that name, ignoring case, and if it is the current one, that too.
// ErrNoProfile if there is none.
func (e *Edit) RemoveProfile(name string) error {
	return e.about(name, func(root *yaml.Node, name string) bool {
		return put(root, nil, "profiles", name) && (!strings.EqualFold(e.current, name) || put(root, nil, "current_profile"))
	})
}

// RenameProfile gives the profile of that name, ignoring case, another one; if it is the current profile, it
// stays so. ErrNoProfile if there is none.
func (e *Edit) RenameProfile(name, to string) error {
	return e.about(name, func(root *yaml.Node, name string) bool {
		m := root.Content[index(root, "profiles")+1]
		at := index(m, name)
		if at < len(m.Content) {
			m.Content[at].SetString(to)
		}
		return at < len(m.Content) && (!strings.EqualFold(e.current, name) || put(root, node(to), "current_profile"))
	})
}

// SetCurrent makes the profile of that name, ignoring case, the current one. ErrNoProfile if there is none.
func (e *Edit) SetCurrent(name string) error {
	return e.about(name, func(root *yaml.Node, name string) bool { return put(root, node(name), "current_profile") })
}

// about is apply for the profile of that name, as the file spells it.
func (e *Edit) about(name string, change func(root *yaml.Node, name string) bool) error {
	p, ok := e.Profile(name)
	if !ok {
		return fmt.Errorf("profile %q: %w", name, ErrNoProfile)
	}
	return e.apply("profile "+p.Name, func(root *yaml.Node) bool { return change(root, p.Name) })
}

// apply changes the tree, writes it, and checks that what came out reads back as that tree. The library loses blank
// lines, so they go through it as comments, if that works.
func (e *Edit) apply(what string, change func(root *yaml.Node) bool) error {
	want, err := e.tree()
	switch {
	case err != nil:
		return err
	case !change(want.Content[0]):
		return fmt.Errorf("edit %s in %s: %w", what, e.path, errByHand)
	case equal(e.doc, want):
		return nil
	}
	for _, text := range [][]byte{marked(e.text), e.text} {
		doc, err := (&File{path: e.path, text: text}).tree()
		if err != nil || !change(doc.Content[0]) {
			continue
		}
		f := &File{path: e.path, text: e.written(doc)}
		if f.doc, err = f.tree(); err == nil && equal(f.doc, want) {
			if err = f.check(); err == nil {
				e.File = f
			}
			return err
		}
	}
	return fmt.Errorf("edit %s in %s: %w", what, e.path, errByHand)
}

// written is doc as a text with the indentation and the line ends of the file; nothing if that fails.
func (e *Edit) written(doc *yaml.Node) []byte {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.CompactSeqIndent()
	enc.SetIndent(2)
	if first := regexp.MustCompile(`(?m)^( {2,8})\w`).FindSubmatch(e.text); first != nil {
		enc.SetIndent(len(first[1]))
	}
	if enc.Encode(doc) != nil {
		return nil
	}
	out := regexp.MustCompile("(?m)^ *"+blank+"$").ReplaceAll(b.Bytes(), nil)
	if bytes.Contains(e.text, []byte("\r\n")) {
		out = bytes.ReplaceAll(out, []byte("\n"), []byte("\r\n"))
	}
	return out
}

// blank is the comment in the place of a blank line.
const blank = "#~blank~"

// marked is text with a comment in the place of each blank line, with the indentation of the next one that is not.
func marked(text []byte) []byte {
	lines, indent := bytes.Split(text, []byte("\n")), []byte(nil)
	for i := len(lines) - 2; i >= 0; i-- {
		rest := bytes.TrimLeft(lines[i], " ")
		if len(bytes.TrimSpace(rest)) == 0 {
			lines[i] = append(slices.Clone(indent), blank...)
		} else {
			indent = lines[i][:len(lines[i])-len(rest)]
		}
	}
	return bytes.Join(lines, []byte("\n"))
}

// put sets the value at a path of keys in a mapping, and adds what is missing on the way; nil removes it. It
// reports whether the path led through mappings of their own, not through what others share.
func put(m, value *yaml.Node, path ...string) bool {
	var parent *yaml.Node // the key of m
	for i, name := range path {
		if isNull(m) {
			*m = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", LineComment: m.LineComment}
		}
		if m.Kind != yaml.MappingNode {
			return false
		}
		at, last := index(m, name), i == len(path)-1
		if at == len(m.Content) {
			if last && value == nil {
				return true
			}
			if at == 0 { // it grows into lines, and a comment stays on the first one
				m.Style &^= yaml.FlowStyle
				if parent != nil {
					parent.LineComment, m.LineComment = join(parent.LineComment, m.LineComment), ""
				}
			}
			m.Content = append(m.Content, node(name), &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"})
		}
		switch old := m.Content[at+1]; {
		case last && value == nil:
			remove(m, parent, at)
			return true
		case last:
			n := *value
			n.LineComment = old.LineComment
			n.Style |= old.Style & (yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle)
			m.Content[at+1] = &n
		}
		parent, m = m.Content[at], m.Content[at+1]
	}
	return true
}

// index is where the key of that text stands in a mapping; behind its end if nowhere.
func index(m *yaml.Node, name string) int {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == name {
			return i
		}
	}
	return len(m.Content)
}

// remove takes out an entry with the comment right above it. A comment that a blank line separates from it,
// that stands at the head of its mapping, or that follows it, may speak of more and stays.
func remove(m, parent *yaml.Node, at int) {
	key := m.Content[at]
	head := key.HeadComment
	if at > 0 {
		head = head[:strings.LastIndex(blank+head, blank)]
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

func join(a, b string) string { return strings.Trim(a+"\n"+b, "\n") }

// node is a value of text, or of several words on one line; nil for an empty one.
func node[T string | []string](v T) *yaml.Node {
	if len(v) == 0 {
		return nil
	}
	n := &yaml.Node{}
	_ = n.Encode(v) // every text can be
	n.Style |= yaml.FlowStyle
	return n
}

// equal reports whether two trees say the same, comments and style aside.
func equal(a, b *yaml.Node) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Kind == b.Kind && a.ShortTag() == b.ShortTag() && a.Value == b.Value && a.Anchor == b.Anchor &&
		slices.EqualFunc(a.Content, b.Content, equal)
}
