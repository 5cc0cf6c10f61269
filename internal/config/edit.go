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

// apply changes the tree, writes it, and checks that what came out reads back as that tree. Blank lines stay if
// that works, and go if not.
func (e *Edit) apply(what string, change func(root *yaml.Node) bool) error {
	was, err := e.tree()
	if err != nil {
		return err
	}
	doc, err := e.tree()
	if err != nil {
		return err
	}
	is, want := was.Content[0], doc.Content[0]
	indent := 2
	if first := regexp.MustCompile(`(?m)^( {2,8})\w`).FindSubmatch(e.text); first != nil {
		indent = len(first[1])
	}
	byHand := fmt.Errorf("edit %s in %s: %w", what, e.path, errByHand)
	if !change(want) {
		return byHand
	}
	if equal(is, want) {
		return nil
	}
	var buf bytes.Buffer
	enc := yaml.NewEncoder(&buf)
	enc.CompactSeqIndent()
	enc.SetIndent(indent)
	if enc.Encode(doc) != nil {
		return byHand
	}
	dumped := buf.Bytes()
	for _, out := range []string{spaced(string(e.text), string(dumped)), string(dumped)} {
		if bytes.Contains(e.text, []byte("\r\n")) {
			out = strings.ReplaceAll(out, "\n", "\r\n")
		}
		f := &File{path: e.path, text: []byte(out)}
		if got, err := f.tree(); err == nil && equal(got.Content[0], want) {
			if f, err = parse(e.path, f.text); err == nil {
				e.File = f
			}
			return err
		}
	}
	return byHand
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
		head = head[:max(0, strings.LastIndex(head+"\n", "\n\n"))]
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

func join(a, b string) string { return strings.Trim(a+"\n\n"+b, "\n") }

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

// spaced is now with the blank lines that was has: each stands above the line that it stood above. That is the
// one that says the same and follows the same line or comes before it, or that stands between the same two.
func spaced(was, now string) string {
	type row struct {
		line, says string
		gap        int // blank lines above
	}
	rows := func(s string) (rows []row) {
		gap := 0
		for line := range strings.SplitSeq(s+"end", "\n") {
			if says := strings.Join(strings.Fields(line), " "); says != "" {
				rows, gap = append(rows, row{line, says, gap}), -1
			}
			gap++
		}
		return append(rows, row{})
	}
	var b strings.Builder
	old, all, next, follows := rows(was), rows(now), 0, 0 // the indices behind the last two that are one
	for i, r := range all[:len(all)-1] {
		for j := next; j < len(old)-1; j++ {
			same, before := old[j].says == r.says, old[j+1].says == all[i+1].says
			if same && before || j == next && (same || before && i == follows) {
				r.gap, next, follows = old[j].gap, j+1, i+1
				break
			}
		}
		b.WriteString(strings.Repeat("\n", r.gap) + r.line + "\n")
	}
	return strings.TrimSuffix(b.String(), "end\n")
}
