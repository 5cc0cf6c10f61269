package deliver

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// There is no one definition of dotenv files: shells source them, docker and systemd have rules of their own, and each
// library reads them a little differently. The editor writes the one line that it is asked for so that all of them read
// the same, leaves every other line as it is, and refuses, naming the line, what it cannot be sure of. Lines are never
// quoted in errors: they may hold other secrets.

// An edit puts new in the place of old, the lines of an assignment, or appends it as a line of its own.
type edit struct {
	at       int
	old, new string
}

func (e edit) apply(content string) string {
	return content[:e.at] + e.new + content[e.at+len(e.old):]
}

// undo takes the edit back in content that was edited elsewhere since; ok is false if the line is not as it was written.
func (e edit) undo(content string) (back string, ok bool) {
	before, after, found := strings.Cut(content, strings.Trim(e.new, "\r\n"))
	next, ends := strings.CutPrefix(strings.TrimPrefix(after, "\r"), "\n")
	if !found || before != "" && !strings.HasSuffix(before, "\n") || after != "" && !ends {
		return "", false
	}
	if e.old == "" { // it was appended
		after = next
	}
	return before + e.old + after, true
}

// setVariable finds the edit that gives the variable the value secret: its one line is rewritten, or one is appended,
// with an export if the last assignment has it or export is set.
func setVariable(content, name, secret string, export bool) (edit, error) {
	value, err := quoteValue(secret)
	if err != nil {
		return edit{}, err
	}
	found, all, err := findVariable(content, name)
	if err != nil {
		return edit{}, err
	}
	eol := "\n"
	if n := strings.Count(content, "\r\n"); n > 0 && n == strings.Count(content, "\n") {
		eol = "\r\n"
	}
	e, line := edit{at: len(content)}, name+"="+value
	switch {
	case found == nil:
		if n := len(all); n > 0 && all[n-1].exported || export {
			line = "export " + line
		}
		if content != "" && !strings.HasSuffix(content, "\n") {
			e.new = eol
		}
		e.new += line + eol
	case found.exported: // docker and systemd do not read this line, and node reads none with blanks before the export
		e.new = "export " + line + found.comment
	case found.comment != "": // to docker and systemd it is value
		e.new = strings.TrimLeft(found.comment, " \t") + eol + line
	default:
		e.new = line
	}
	if found != nil {
		e.at, e.old = found.start, content[found.start:found.end]
	}
	// A line that ends in a backslash goes on in the next one; to systemd a comment does, too.
	if before := strings.TrimSuffix(strings.TrimSuffix(content[:e.at], "\n"), "\r"); endsInBackslash(before) {
		return edit{}, lineError(before, len(before), "a backslash at its end may join it with the next")
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

// An assignment is one NAME=value of a dotenv file.
type assignment struct {
	start, end int  // offsets of its lines, without the last line end
	exported   bool // it begins with export
	name       string
	quoted     string // the value, if it is quoted, with its quotes
	rest       string // what follows on the line, without blanks at its end

	value, comment string // set by split: without quotes, with the blanks before it
}

// findVariable finds the one assignment of name, nil if there is none, among all. It is an error if the file is not
// text, if name is assigned more than once (readers differ in which counts), or if its line is more than that.
func findVariable(content, name string) (found *assignment, all []assignment, err error) {
	switch {
	case strings.ContainsRune(content, 0):
		return nil, nil, errors.New("it has NUL bytes and is not a dotenv file in UTF-8")
	case strings.Count(content, "\r") != strings.Count(content, "\r\n"):
		return nil, nil, errors.New("it has carriage returns that end no line")
	case strings.HasPrefix(content, "\xef\xbb\xbf"):
		return nil, nil, errors.New("line 1: a byte-order mark hides what follows from shells; save the file without it")
	}
	all, err = scanDotenv(content)
	if err != nil {
		return nil, nil, err
	}
	for _, a := range all {
		switch {
		case a.name != name:
		case found != nil:
			return nil, nil, fmt.Errorf("%s is set more than once, on lines %d, %d; leave one of them",
				name, lineOf(content, found.start), lineOf(content, a.start))
		default:
			found = &a
		}
	}
	if found != nil {
		if why := found.split(); why != "" {
			return nil, nil, lineError(content, found.start, why)
		}
	}
	return found, all, nil
}

// scanDotenv finds every assignment, and passes over all other lines and what looks like one within a quoted value.
func scanDotenv(content string) (all []assignment, err error) {
	head := regexp.MustCompile("(?m)^[ \t]*(export[ \t]+)?([^\\s=#'\"`]+)[ \t]*=[ \t]*")
	end := 0
	for _, m := range head.FindAllStringSubmatchIndex(content, -1) {
		if m[0] < end {
			continue // within a quoted value
		}
		a := assignment{start: m[0], exported: m[2] >= 0, name: content[m[4]:m[5]]}
		text := content[m[1]:]
		if text != "" && strings.IndexByte("'\"`", text[0]) >= 0 {
			shut := closing(text)
			if shut < 0 {
				return nil, lineError(content, a.start, "it opens a quote, and where it is closed is not clear")
			}
			a.quoted = text[:shut]
		}
		a.rest, _, _ = strings.Cut(text[len(a.quoted):], "\n")
		a.rest = strings.TrimSuffix(a.rest, "\r")
		a.end = m[1] + len(a.quoted) + len(a.rest)
		a.rest = strings.TrimRight(a.rest, " \t")
		all, end = append(all, a), a.end
	}
	return all, nil
}

// split takes value and comment apart, or says why the line cannot be rewritten.
func (a *assignment) split() (why string) {
	rest := a.rest
	if a.quoted == "" {
		rest = " " + rest // a comment may follow the = at once
	}
	if i := regexp.MustCompile(`[ \t]+#`).FindStringIndex(rest); i != nil {
		rest, a.comment = rest[:i[0]], rest[i[0]:]
	}
	a.value = strings.TrimLeft(rest, " \t")
	// A background is one only with blanks: URLs have a &. Placeholders of several words are common.
	const more = "['\"`;|]|\\$\\(|&&|(^|\\s)&\\s|&$|\\s\\S*="
	switch {
	case endsInBackslash(a.rest):
		return "a backslash at its end may join it with the next"
	case a.quoted != "" && a.value != "":
		return "more follows the quoted value; give the variable a line of its own"
	case a.quoted != "":
		a.value = a.quoted[1 : len(a.quoted)-1]
	case a.exported && strings.ContainsAny(a.value, " \t"), regexp.MustCompile(more).MatchString(a.value):
		return "to a shell more follows the value; give the variable a line of its own, or quote its value"
	}
	return ""
}

// closing finds the offset behind the quote that closes the one that text begins with, -1 if that is not clear. Readers
// differ in whether a backslash escapes: in '…' it does not for shells and does for some libraries; "C:\dir\" is meant
// as it looks. The reading counts after which the line ends as it should, with nothing or a comment.
func closing(text string) int {
	match := func(pattern string) []int {
		return regexp.MustCompile("(?m)^" + strings.ReplaceAll(pattern, "Q", text[:1])).FindStringSubmatchIndex(text)
	}
	const clean = `([ \t]+#.*|[ \t\r]*)$`
	plain, escaped := match(`(Q[^Q]*Q)`+clean), match(`(Q(?:\\(?s:.)|[^Q\\])*Q)`+clean)
	switch {
	case plain != nil && escaped != nil && plain[1] != escaped[1]:
		return -1
	case plain == nil && escaped == nil:
		plain = match("(Q[^Q\n]*Q)[^'\"`\n]*$") // more follows
	case plain == nil:
		plain = escaped
	}
	if plain == nil {
		return -1
	}
	return plain[3]
}

func endsInBackslash(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

func lineOf(content string, at int) int { return 1 + strings.Count(content[:at], "\n") }

func lineError(content string, at int, why string) error {
	return fmt.Errorf("line %d: %s", lineOf(content, at), why)
}
