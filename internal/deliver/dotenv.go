package deliver

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// There is no one definition of dotenv files: shells source them, docker and systemd have rules of their own, and each
// library reads them a little differently. The editor writes the one line that it is asked for so that all of them read
// the same, leaves every other line as it is, and refuses, naming the line, what it cannot be sure of. Lines are never
// quoted in errors: they may hold other secrets.

const bom = "\xef\xbb\xbf"

// An edit replaces the bytes old at offset at by before, line and after.
type edit struct {
	unmark        bool // and removes the byte-order mark
	at            int
	old           string
	before, after string // line ends
	line          string // the assignment, and its comment
}

func (e edit) apply(content []byte) []byte {
	head := content[:e.at]
	if e.unmark {
		head = head[len(bom):]
	}
	return fmt.Appendf(nil, "%s%s%s%s%s", head, e.before, e.line, e.after, content[e.at+len(e.old):])
}

// undo takes the edit back in content that was edited elsewhere since; ok is false if the line is not as it was written.
func (e edit) undo(content []byte) (back []byte, ok bool) {
	start := bytes.Index(content, []byte(e.line))
	end := start + len(e.line)
	if start < 0 || start > 0 && content[start-1] != '\n' || end != lineEnd(content, end) {
		return nil, false
	}
	if e.after != "" { // the line was appended
		end = nextLine(content, end)
	}
	return fmt.Appendf(nil, "%s%s%s", content[:start], e.old, content[end:]), true
}

// setVariable finds the edit that gives the variable the value secret: its one line is rewritten, or one is appended,
// with an export if the last assignment has it, or if export is set and there is none.
func setVariable(content []byte, name, secret string, export bool) (edit, error) {
	value, err := quoteValue(secret)
	if err != nil {
		return edit{}, err
	}
	found, all, err := findVariable(content, name)
	if err != nil {
		return edit{}, err
	}
	e := edit{line: name + "=" + value, at: len(content)}
	// Behind the mark shells and systemd see no variable, and a comment is a command to them.
	other := len(all) > 0 && all[0].start == len(bom) && all[0].name != name
	e.unmark = bytes.HasPrefix(content, []byte(bom)) && !other
	eol := "\n"
	if found == nil {
		if i := bytes.LastIndexByte(content, '\n'); i > 0 && content[i-1] == '\r' {
			eol = "\r\n"
		}
		if n := len(all); n > 0 && all[n-1].exported || n == 0 && export {
			e.line = "export " + e.line
		}
		if rest := bytes.TrimPrefix(content, []byte(bom)); len(rest) > 0 && rest[len(rest)-1] != '\n' {
			e.before = eol
		}
		e.after = eol
	} else {
		if bytes.HasPrefix(content[found.end:], []byte("\r\n")) {
			eol = "\r\n"
		}
		switch { // node reads neither an export nor a comment behind blanks
		case found.exported: // docker and systemd, to which the comment is value, do not read this line
			e.line = "export " + e.line + found.gap + found.comment
		case found.comment != "":
			e.line = found.comment + eol + found.indent + e.line
		default:
			e.line = found.indent + e.line
		}
		e.at, e.old = found.start, string(content[found.start:found.end])
	}
	// A line that ends in a backslash goes on in the next one; to systemd a comment does, too.
	before := bytes.TrimSuffix(bytes.TrimSuffix(content[:e.at], []byte("\n")), []byte("\r"))
	if endsInBackslash(string(before)) {
		return e, fmt.Errorf("line %d: a backslash at its end may join it with the next", 1+bytes.Count(before, []byte("\n")))
	}
	return e, nil
}

// quoteValue writes a value so that all readers read it back: bare if it can be, else in single quotes, which all but
// docker take off. Errors do not quote it.
func quoteValue(value string) (string, error) {
	switch {
	case regexp.MustCompile(`^[\w./:@%+=,-]*$`).MatchString(value):
		return value, nil
	case regexp.MustCompile(`^[[:print:]]*$`).MatchString(value) && !strings.ContainsAny(value, `'\`):
		return "'" + value + "'", nil
	}
	return "", errors.New("the secret has a character that readers of dotenv files do not agree on")
}

// findVariable finds the one assignment of name, nil if there is none, among all. It is an error if the file is not
// text, if name is assigned more than once (readers differ in which counts), or if its line is more than that.
func findVariable(content []byte, name string) (found *assignment, all []assignment, err error) {
	switch {
	case bytes.IndexByte(content, 0) >= 0:
		return nil, nil, errors.New("it has NUL bytes and is not a dotenv file in UTF-8")
	case bytes.Count(content, []byte("\r")) != bytes.Count(content, []byte("\r\n")):
		return nil, nil, errors.New("it has carriage returns that end no line")
	}
	all, err = scanDotenv(content)
	if err != nil {
		return nil, nil, err
	}
	var lines []string
	for _, a := range all {
		if a.name == name {
			found = &a
			lines = append(lines, fmt.Sprint(a.line))
		}
	}
	if len(lines) > 1 {
		return nil, nil, fmt.Errorf("%s is set more than once, on lines %s; leave one of them", name, strings.Join(lines, ", "))
	}
	if found != nil {
		if why := found.split(); why != "" {
			return nil, nil, fmt.Errorf("line %d: %s", found.line, why)
		}
	}
	return found, all, nil
}

// An assignment is one NAME=value of a dotenv file.
type assignment struct {
	line       int // the first of its lines, from 1
	start, end int // offsets of its lines, without the last line end
	indent     string
	exported   bool // it begins with export
	name       string
	colon      bool   // a colon is in the place of the =
	text       string // what follows, without blanks around it
	quoted     int    // how much of text is in the quotes that it begins with

	value        string // set by split, without quotes
	gap, comment string // blanks and the comment behind it
}

// scanDotenv finds every assignment, and passes over all other lines and what looks like one within a quoted value.
func scanDotenv(content []byte) ([]assignment, error) {
	head := regexp.MustCompile("^([ \t]*)(export[ \t]+)?([^\\s=#'\"`]+?)[ \t]*(=|:(?:[ \t]|$))[ \t]*")
	var all []assignment
	i := 0
	if bytes.HasPrefix(content, []byte(bom)) {
		i = len(bom)
	}
	for line := 1; i < len(content); {
		end := lineEnd(content, i)
		if m := head.FindSubmatchIndex(content[i:end]); m != nil {
			at := func(group int) string { return string(content[i:][max(m[2*group], 0):max(m[2*group+1], 0)]) }
			a := assignment{line: line, start: i, indent: at(1), exported: at(2) != "", name: at(3), colon: at(4) != "="}
			v := i + m[1]
			if v < end && strings.IndexByte("'\"`", content[v]) >= 0 {
				shut := closing(content, v)
				if shut < 0 {
					return nil, fmt.Errorf("line %d opens a quote, and where it is closed is not clear", line)
				}
				a.quoted = shut - v
				end = lineEnd(content, shut)
			}
			a.end, a.text = end, strings.TrimRight(string(content[v:end]), " \t")
			all = append(all, a)
		}
		next := nextLine(content, end)
		line += bytes.Count(content[i:next], []byte("\n"))
		i = next
	}
	return all, nil
}

// split takes the text apart, or says why the line cannot be rewritten.
func (a *assignment) split() (why string) {
	a.value = a.text[a.quoted:]
	if at := regexp.MustCompile(`(^|[ \t]+)#`).FindStringIndex(a.value); at != nil {
		a.comment = a.value[at[1]-1:]
		a.gap = a.value[at[0] : at[1]-1]
		a.value = a.value[:at[0]]
	}
	behind := a.value
	if a.quoted > 0 {
		a.value = a.text[1 : a.quoted-1]
	}
	words := strings.Fields(behind)
	switch {
	case a.colon:
		return "it sets the variable with a colon, which most readers do not know; write " + a.name + "="
	case endsInBackslash(a.text):
		return "a backslash at its end may join it with the next"
	case a.quoted > 0 && (behind != "" || a.comment != "" && a.gap == ""):
		return "more follows the quoted value; give the variable a line of its own"
	case a.quoted > 0:
		return ""
	case strings.ContainsAny(behind, "'\"`") || strings.Contains(behind, "$("):
		return "quotes or a command are within the value; quote all of it"
	case strings.ContainsAny(behind, ";|") || strings.Contains(behind, "&&") || strings.HasSuffix(behind, "&"),
		// Placeholders of several words are common.
		len(words) > 1 && (a.exported || slices.Contains(words, "&") || strings.Contains(strings.Join(words[1:], ""), "=")):
		return "to a shell more follows the value; give the variable a line of its own, or quote its value"
	}
	if a.gap == "" && a.comment != "" {
		a.gap = " "
	}
	return ""
}

// closing finds the offset behind the quote that closes the one at v, -1 if that is not clear. Readers differ in
// whether a backslash escapes: in '…' it does not for shells and does for some libraries; "C:\dir\" is meant as it
// looks. The usual reading goes first; the other is taken if only that one ends as a value should.
func closing(content []byte, v int) int {
	usual := content[v] != '\''
	a, b := closingQuote(content, v, usual), closingQuote(content, v, !usual)
	cleanA, cleanB := endsClean(content, a), endsClean(content, b)
	end := lineEnd(content, v)
	switch {
	case cleanA && cleanB && lineEnd(content, a) != lineEnd(content, b):
		return -1
	case cleanA:
		return a
	case cleanB:
		return b
	case a < 0 || a > end || bytes.ContainsAny(content[a:end], "'\"`"):
		return -1
	}
	return a // and more follows, as in 'a'b
}

func closingQuote(content []byte, v int, escapes bool) int {
	for i := v + 1; i < len(content); i++ {
		switch {
		case content[i] == content[v]:
			return i + 1
		case content[i] == '\\' && escapes:
			i++
		}
	}
	return -1
}

// endsClean reports whether nothing but blanks and a comment follow on the line.
func endsClean(content []byte, i int) bool {
	if i < 0 {
		return false
	}
	line := content[i:lineEnd(content, i)]
	rest := bytes.TrimLeft(line, " \t")
	return len(rest) == 0 || len(rest) < len(line) && rest[0] == '#'
}

// lineEnd finds the end of the line that i is on, before its CR and LF.
func lineEnd(content []byte, i int) int {
	n := bytes.IndexByte(content[i:], '\n')
	if n < 0 {
		return len(content)
	}
	if n > 0 && content[i+n-1] == '\r' {
		n--
	}
	return i + n
}

// nextLine finds the start of the line after the one that i is on.
func nextLine(content []byte, i int) int {
	if n := bytes.IndexByte(content[i:], '\n'); n >= 0 {
		return i + n + 1
	}
	return len(content)
}

func endsInBackslash(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}
