package deliver

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// This file edits dotenv files. There is no one definition of them: shells source them,
// and each library reads them a little differently. Where the readers agree the editor
// follows them; where they do not, and it matters for the variable in question, it
// refuses, names the line, and leaves the file to its owner. Lines are never quoted in
// errors: they may hold other secrets.

// maxDotenv is the largest dotenv file that is edited, in bytes.
const maxDotenv = 1 << 20

const bom = "\xef\xbb\xbf"

// An assignment is one NAME=value of a dotenv file, by offsets into its content.
type assignment struct {
	name     string
	line     int  // where it begins, from 1
	start    int  // of its first line
	value    int  // of the value, its quotes included
	end      int  // behind the value
	next     int  // of the line after it
	quoted   bool // the value begins with a quote
	exported bool // export stands before the name
	follows  bool // the line before ends in a backslash
	trailing bool // its own last line ends in a backslash
}

// An edit replaces the bytes old at offset at by new.
type edit struct {
	at       int
	old, new string
}

func (e edit) apply(content []byte) []byte {
	out := make([]byte, 0, len(content)+len(e.new))
	out = append(out, content[:e.at]...)
	out = append(out, e.new...)
	return append(out, content[e.at+len(e.old):]...)
}

// setVariable finds the edit that gives the variable name the value, which stands as it
// is to be written (quoteValue), in a dotenv file: the value of its one assignment is
// replaced, or an assignment is appended, in the file's own line ends.
func setVariable(content []byte, name, value string) (edit, error) {
	found, appendable, err := findVariable(content, name)
	if err != nil {
		return edit{}, err
	}
	if found != nil {
		e := edit{at: found.value, old: string(content[found.value:found.end]), new: value}
		if found.end < len(content) && content[found.end] == '#' {
			e.new += " " // the value was empty and a comment follows at once
		}
		return e, nil
	}
	if !appendable {
		return edit{}, errors.New("its last line ends in a backslash, which may join it with a line that is appended")
	}
	eol := "\n"
	if i := bytes.LastIndexByte(content, '\n'); i > 0 && content[i-1] == '\r' {
		eol = "\r\n"
	}
	e := edit{at: len(content), new: name + "=" + value + eol}
	if rest := bytes.TrimPrefix(content, []byte(bom)); len(rest) > 0 && rest[len(rest)-1] != '\n' {
		e.new = eol + e.new
	}
	return e, nil
}

// unsetVariable finds the edit that takes back done, the earlier edit of setVariable, in
// content that has been changed elsewhere since. ErrChanged where the variable does not
// have the value any more that done gave it.
func unsetVariable(content []byte, name, value string, done edit) (edit, error) {
	found, _, err := findVariable(content, name)
	if err != nil {
		return edit{}, err
	}
	if found == nil || string(content[found.value:found.end]) != value {
		return edit{}, ErrChanged
	}
	if !strings.HasSuffix(done.new, "\n") { // a value was replaced
		if bytes.HasPrefix(content[found.end:], []byte(strings.TrimPrefix(done.new, value))) {
			value = done.new // with the blank that had to be added
		}
		return edit{at: found.value, old: value, new: done.old}, nil
	}
	start := found.start
	first := done.new[:strings.IndexByte(done.new, name[0])]
	if string(content[start:found.next]) != done.new[len(first):] {
		return edit{}, ErrChanged // somebody added to the line
	}
	// The line end that had to be added before it goes too, where it is still the last.
	if found.next == len(content) && bytes.HasSuffix(content[:start], []byte(first)) {
		start -= len(first)
	}
	return edit{at: start, old: string(content[start:found.next])}, nil
}

// findVariable finds the one assignment of name, nil where there is none; appendable
// says whether a line appended to the file stands for itself. It is an error where the
// file is not text, where name is assigned more than once (readers differ in which one
// counts), and where the end of a value cannot be told.
func findVariable(content []byte, name string) (found *assignment, appendable bool, err error) {
	switch {
	case len(content) > maxDotenv:
		return nil, false, fmt.Errorf("it is larger than %d bytes, which no dotenv file is", maxDotenv)
	case bytes.IndexByte(content, 0) >= 0:
		return nil, false, errors.New("it has NUL bytes and is not a dotenv file in UTF-8")
	case bytes.Count(content, []byte("\r")) != bytes.Count(content, []byte("\r\n")):
		return nil, false, errors.New("it has carriage returns that end no line")
	}
	var lines []string
	appendable, err = scanDotenv(content, func(a assignment) {
		if a.name == name {
			found = &a
			lines = append(lines, fmt.Sprint(a.line))
		}
	})
	switch {
	case err != nil:
		return nil, false, err
	case len(lines) > 1:
		return nil, false, fmt.Errorf("%s is set more than once, on lines %s; leave one of them", name, strings.Join(lines, ", "))
	case found == nil:
		return nil, appendable, nil
	case found.follows || found.trailing:
		return nil, false, fmt.Errorf("line %d: a backslash at the end of a line may join it with the next", found.line)
	case !found.quoted && !balanced(content[found.value:found.end]):
		return nil, false, fmt.Errorf("line %d: a quote is opened within the value, and where it ends cannot be told", found.line)
	case hasMore(content[found.value:found.end], found.exported):
		return nil, false, fmt.Errorf("line %d: to a shell more stands behind the value, and to other readers it is a part of it; give the variable a line of its own, or quote its value", found.line)
	}
	return found, appendable, nil
}

// scanDotenv hands every assignment to each, in order. Comments, blank lines and lines
// that are no assignments are passed over, and so is what looks like one within a quoted
// value of several lines. appendable is false where the last line ends in a backslash.
func scanDotenv(content []byte, each func(assignment)) (appendable bool, err error) {
	i := 0
	if bytes.HasPrefix(content, []byte(bom)) {
		i = len(bom)
	}
	appendable = true
	for line := 1; i < len(content); {
		a, ok := parseKey(content, i)
		a.line, a.start, a.follows = line, i, !appendable
		a.end = lineEnd(content, i)
		if ok {
			if a.end, err = valueEnd(content, &a); err != nil {
				return false, err
			}
		}
		a.next = nextLine(content, a.end)
		last := content[a.end:lineEnd(content, a.end)] // a comment, or nothing
		if len(bytes.TrimSpace(last)) == 0 {
			last = content[i:lineEnd(content, a.end)]
		}
		comment := bytes.HasPrefix(bytes.TrimLeft(last, " \t"), []byte("#"))
		a.trailing = !comment && endsInBackslash(last)
		appendable = !a.trailing
		if ok {
			each(a)
		}
		line += bytes.Count(content[i:a.next], []byte("\n"))
		i = a.next
	}
	return appendable, nil
}

// parseKey reads what stands before a value on the line at i: blanks, perhaps export,
// a name, and = between blanks, or a colon and a blank. value is where the value begins.
func parseKey(content []byte, i int) (a assignment, ok bool) {
	end := lineEnd(content, i)
	i = skipBlanks(content, i, end)
	if rest, ok := bytes.CutPrefix(content[i:end], []byte("export")); ok && len(rest) > 0 && isBlank(rest[0]) {
		i = skipBlanks(content, i+len("export"), end)
		a.exported = true
	}
	key := i
	for i < end && !isBlank(content[i]) && bytes.IndexByte([]byte("=#'\"`"), content[i]) < 0 {
		i++
	}
	name := content[key:i]
	if n := len(name) - 1; n > 0 && name[n] == ':' && i < end && isBlank(content[i]) {
		a.name = string(name[:n])
		a.value = skipBlanks(content, i, end)
		return a, true
	}
	i = skipBlanks(content, i, end)
	if len(name) == 0 || i == end || content[i] != '=' {
		return a, false
	}
	a.name = string(name)
	a.value = skipBlanks(content, i+1, end)
	if a.value == end || content[a.value] == '#' && a.value > i+1 {
		a.value = i + 1 // empty: what is written goes right behind the =
	}
	return a, true
}

// valueEnd finds where the value of a ends: behind the closing quote, which may stand on
// a later line, else before the blanks that end the line or lead to a comment.
func valueEnd(content []byte, a *assignment) (int, error) {
	v := a.value
	end := lineEnd(content, v)
	if v == end || bytes.IndexByte([]byte("'\"`"), content[v]) < 0 {
		return plainEnd(content, v, end), nil
	}
	a.quoted = true
	// Readers differ in whether a backslash escapes: in '…' it does not for shells and
	// does for some libraries; "C:\dir\" is meant as it looks. The usual reading goes
	// first; another is taken where only that one ends as a value should.
	usual := content[v] != '\''
	close1, close2 := closingQuote(content, v, usual), closingQuote(content, v, !usual)
	clean1, clean2 := endsClean(content, close1), endsClean(content, close2)
	unclear := fmt.Errorf("line %d opens a quote, and where it is closed cannot be told", a.line)
	switch {
	case clean1 && clean2 && lineEnd(content, close1) != lineEnd(content, close2):
		return 0, unclear
	case clean1:
		return close1, nil
	case clean2:
		return close2, nil
	}
	// Text goes on behind the quote, as shells allow: 'a'"b".
	if close1 < 0 || close1 > end {
		return 0, unclear
	}
	last := plainEnd(content, close1, end)
	if !balanced(content[close1:last]) {
		return 0, unclear
	}
	return last, nil
}

// closingQuote finds the quote that closes the one at v and gives the offset behind it,
// -1 where there is none.
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

// endsClean tells whether nothing but blanks and a comment follow on the line.
func endsClean(content []byte, i int) bool {
	if i < 0 {
		return false
	}
	end := lineEnd(content, i)
	rest := skipBlanks(content, i, end)
	return rest == end || rest > i && content[rest] == '#'
}

// plainEnd finds where an unquoted value from v on ends, on a line that ends at end.
func plainEnd(content []byte, v, end int) int {
	for i := v; i < end; i++ {
		if content[i] == '#' && isBlank(content[i-1]) {
			end = i
			break
		}
	}
	for end > v && isBlank(content[end-1]) {
		end--
	}
	return end
}

// balanced tells whether the quotes in one line's text are closed as a shell sees it.
func balanced(text []byte) bool {
	var open byte
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && open != '\'':
			i++
		case open != 0 && c == open:
			open = 0
		case open == 0 && (c == '\'' || c == '"' || c == '`'):
			open = c
		}
	}
	return open == 0
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

func skipBlanks(content []byte, i, end int) int {
	for i < end && isBlank(content[i]) {
		i++
	}
	return i
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

func endsInBackslash(line []byte) bool {
	n := len(line) - len(bytes.TrimRight(line, `\`))
	return n%2 == 1
}
