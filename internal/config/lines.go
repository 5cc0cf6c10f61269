package config

import (
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// lines is a text as its lines, each with its line break.
type lines struct {
	lines []string
	eol   string // the line break of the first line
}

// breaks are the characters that end a line for the YAML library, which counts
// by them; CR LF is one.
const breaks = "\r\n\u0085\u2028\u2029"

func split(text []byte) *lines {
	l := &lines{eol: "\n"}
	for rest := string(text); rest != ""; {
		n := len(rest)
		if i := strings.IndexAny(rest, breaks); i >= 0 {
			_, size := utf8.DecodeRuneInString(rest[i:])
			if n = i + size; strings.HasPrefix(rest[i:], "\r\n") {
				n++
			}
		}
		l.lines = append(l.lines, rest[:n])
		rest = rest[n:]
	}
	if len(l.lines) > 0 {
		first := l.lines[0]
		if eol := first[len(strings.TrimRight(first, "\r\n")):]; eol != "" {
			l.eol = eol
		}
	}
	return l
}

// insert is the text with out after the first n lines.
func (l *lines) insert(n int, out string) string {
	before := strings.Join(l.lines[:n], "")
	if before != "" && strings.TrimRight(before, breaks) == before {
		before += l.eol
	}
	return before + out + strings.Join(l.lines[n:], "")
}

// end is the number of the last line that belongs to the entry of key in a
// block mapping: what is indented deeper, and a list at the key's own depth.
// Comments count where the entry goes on behind them or they are deeper too.
func (l *lines) end(key *yaml.Node) int {
	depth, end := key.Column-1, key.Line
	for i := key.Line; i < len(l.lines); i++ {
		line := strings.TrimRight(l.lines[i], " \t"+breaks)
		body := strings.TrimLeft(line, " ")
		in := len(line) - len(body)
		switch {
		case body == "":
		case in > depth:
			end = i + 1
		case strings.HasPrefix(body, "#"):
		case in == depth && (body == "-" || strings.HasPrefix(body, "- ")):
			end = i + 1
		default:
			return end
		}
	}
	return end
}

// remove is the text without the entry of key, the comment right above it, and
// one of the blank lines that would then follow each other. A comment below the
// parent's own line or at the top of the file may speak of more and stays.
func (l *lines) remove(key *yaml.Node) string {
	depth, from, to := key.Column-1, key.Line-1, l.end(key)
	above := from
	for above > 0 && l.commentAt(above-1, depth) {
		above--
	}
	if above > 0 && (l.blank(above-1) || l.indent(above-1) >= depth && depth > 0 || depth == 0) {
		from = above
	}
	if from > 0 && l.blank(from-1) && (to == len(l.lines) || l.blank(to)) {
		from--
	}
	return strings.Join(l.lines[:from], "") + strings.Join(l.lines[to:], "")
}

func (l *lines) blank(i int) bool { return strings.TrimSpace(l.lines[i]) == "" }

func (l *lines) indent(i int) int { return len(l.lines[i]) - len(strings.TrimLeft(l.lines[i], " ")) }

func (l *lines) commentAt(i, depth int) bool {
	return l.indent(i) == depth && strings.HasPrefix(l.lines[i][depth:], "#")
}

// replaceScalar is the text with value in place of old, both scalars and old on
// one line; what else stands on that line stays.
func (l *lines) replaceScalar(old, value *yaml.Node) (string, bool) {
	if value.Kind != yaml.ScalarNode {
		return "", false
	}
	n := *value
	if n.Style == 0 {
		n.Style = old.Style & (yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle)
	}
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	out, err := yaml.Dump(&n, yaml.WithLineWidth(-1))
	if err != nil {
		return "", false
	}
	word := strings.TrimRight(string(out), "\n")
	if strings.ContainsAny(word, breaks) || !l.overwrite(old, word) {
		return "", false
	}
	return strings.Join(l.lines, ""), true
}

// overwrite puts a word, or nothing, in place of a scalar that stands on one line.
func (l *lines) overwrite(old *yaml.Node, word string) bool {
	if old.Kind != yaml.ScalarNode || old.Line > len(l.lines) {
		return false
	}
	line := l.lines[old.Line-1]
	runes := []rune(line)
	if old.Column < 1 || old.Column > len(runes) {
		return false
	}
	start := len(string(runes[:old.Column-1]))
	length := token(line[start:])
	if length == 0 {
		return false
	}
	before := line[:start] + word
	if word == "" {
		before = strings.TrimRight(before, " \t")
	}
	l.lines[old.Line-1] = before + line[start+length:]
	return true
}

// token is the length of the scalar that s begins with, 0 where that cannot be
// told from one line.
func token(s string) int {
	s = strings.TrimRight(s, breaks)
	if s == "" {
		return 0
	}
	switch quote := s[0]; quote {
	case '|', '>', '&', '!', '*':
		return 0
	case '"', '\'':
		for i := 1; i < len(s); i++ {
			switch {
			case quote == '"' && s[i] == '\\':
				i++
			case s[i] != quote:
			case quote == '\'' && i+1 < len(s) && s[i+1] == quote:
				i++
			default:
				return i + 1
			}
		}
		return 0
	default:
		for i := 1; i < len(s); i++ {
			if s[i] == '#' && (s[i-1] == ' ' || s[i-1] == '\t') {
				s = s[:i]
			}
		}
		return len(strings.TrimRight(s, " \t"))
	}
}

// step is how many spaces the file indents by.
func (l *lines) step(root *yaml.Node) int {
	for _, value := range pairs(root) {
		if isBlock(value) {
			if n := value.Content[0].Column - root.Column; n >= 2 && n <= 8 {
				return n
			}
		}
	}
	return 2
}

// render writes a mapping with each line indented by depth.
func (l *lines) render(root, m *yaml.Node, depth int) (string, bool) {
	if m == nil || depth < 0 {
		return "", false
	}
	// A copy, since writing a tree changes the tags in it.
	out, err := yaml.Dump(clone(m), yaml.WithLineWidth(-1), yaml.WithIndent(l.step(root)))
	if err != nil {
		return "", false
	}
	var b strings.Builder
	for line := range strings.Lines(string(out)) {
		line = strings.TrimRight(line, "\n")
		if line != "" {
			b.WriteString(strings.Repeat(" ", depth))
			b.WriteString(line)
		}
		b.WriteString(l.eol)
	}
	return b.String(), true
}
