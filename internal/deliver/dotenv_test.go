package deliver

import (
	"maps"
	"regexp"
	"strings"
	"testing"
)

// Byte for byte what an edit of KEY to live_new makes of a file, and that everybody reads it.
func TestSetVariable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ before, after string }{
		"empty":                    {"", "KEY=live_new\n"},
		"append, no final newline": {"A=1", "A=1\nKEY=live_new\n"},
		"append, CRLF, no newline": {"A=1\r\nB=2", "A=1\r\nB=2\r\nKEY=live_new\r\n"},
		"append, mixed, last LF":   {"A=1\r\nB=2\n", "A=1\r\nB=2\nKEY=live_new\n"},
		"append, double backslash": {`# a\\`, "# a\\\\\nKEY=live_new\n"},
		"append, Latin-1":          {"# caf\xe9\n", "# caf\xe9\nKEY=live_new\n"},
		"append, odd lines":        {"=x\n'q'=1\nexport A\n", "=x\n'q'=1\nexport A\nKEY=live_new\n"},
		"append, apostrophe":       {"NAME=it's\n", "NAME=it's\nKEY=live_new\n"},
		// A shell runs what follows a blank.
		"replace, export, blanks": {"  export \t KEY= old  \n", "export KEY=live_new\n"},
		"replace, spaces":         {"KEY = old\n", "KEY=live_new\n"},
		// Only what is exported reaches a program behind direnv.
		"append, exports at end":   {"A=1\nexport C=3\n", "A=1\nexport C=3\nexport KEY=live_new\n"},
		"append, exports before":   {"export B=2\nA=1\n", "export B=2\nA=1\nKEY=live_new\n"},
		"replace, among exports":   {"export A=1\nKEY=old\n", "export A=1\nKEY=live_new\n"},
		"replace, export, comment": {"export KEY=old  # why\n", "export KEY=live_new  # why\n"},
		// To docker and systemd a comment on the line is value.
		"replace, comment":         {"A=1\n  KEY=old # why\nB=2\n", "A=1\n# why\nKEY=live_new\nB=2\n"},
		"replace, comment, CRLF":   {"KEY=old\t#why\r\n", "#why\r\nKEY=live_new\r\n"},
		"replace, quotes, comment": {`KEY="old" # c`, "# c\nKEY=live_new"},
		"replace, only a comment":  {"KEY=#get one\n", "#get one\nKEY=live_new\n"},
		"replace, hash in value":   {"KEY=old#1\n", "KEY=live_new\n"},

		"replace, middle, CRLF":  {"A=1\r\nKEY=old\r\nB=2", "A=1\r\nKEY=live_new\r\nB=2"},
		"replace, words":         {"KEY=your key here\n", "KEY=live_new\n"},
		"replace, URL":           {"KEY=https://h/?a=1&b=2\n", "KEY=live_new\n"},
		"replace, variable":      {"export KEY=${OLD:-a}\n", "export KEY=live_new\n"},
		"replace, double":        {`KEY="o l;d # e"` + "\n", "KEY=live_new\n"},
		"replace, single":        {`KEY='o | d'` + "\nA=1\n", "KEY=live_new\nA=1\n"},
		"replace, escaped quote": {`KEY="o\"l # d"` + "\n", "KEY=live_new\n"},
		"replace, multi-line":    {"KEY=\"a\nKEY=b\n # c\n\"\nA=1\n", "KEY=live_new\nA=1\n"},
		"look-alikes": {"#KEY=1\n # KEY=2\nXKEY=3\nKEYX=4\nX=KEY=6\nkey=7\n",
			"#KEY=1\n # KEY=2\nXKEY=3\nKEYX=4\nX=KEY=6\nkey=7\nKEY=live_new\n"},
		"inside double": {"A=\"\nKEY=no\n\"\nKEY=old\n", "A=\"\nKEY=no\n\"\nKEY=live_new\n"},
		"inside single": {"A='\nKEY=no\n' # '\nB=1\n", "A='\nKEY=no\n' # '\nB=1\nKEY=live_new\n"},
		"after JSON":    {"J='{\n \"a\": \"it\"\n}'\nKEY=\n", "J='{\n \"a\": \"it\"\n}'\nKEY=live_new\n"},
		"after path":    {"D=\"C:\\dir\\\"\nKEY=old\n", "D=\"C:\\dir\\\"\nKEY=live_new\n"},
		"after single":  {`A='a\'` + "\nKEY=old\nB='b'\n", `A='a\'` + "\nKEY=live_new\nB='b'\n"},
		"; of another":  {"A=1; B=2\nKEY=old\n", "A=1; B=2\nKEY=live_new\n"},
	} {
		if after, ok := checkEdit(t, c.before); !ok || after != c.after {
			t.Errorf("%s:\n%q became\n%q; want\n%q", name, c.before, after, c.after)
		}
		if !regexp.MustCompile("CRLF|apostrophe|after path").MatchString(name) { // no shell reads such a file
			exports := strings.Contains(c.after, "export KEY")
			sameBut(t, name+", sh", shRead(t, c.before, !exports), shRead(t, c.after, !exports))
		}
		if !regexp.MustCompile("after (path|single)|odd lines").MatchString(name) { // they do not agree on the rest
			sameBut(t, name+", gotenv", gotenvRead(c.before), gotenvRead(c.after))
			if is := dockerRead(c.after); is != nil { // it refuses a file with an export
				sameBut(t, name+", docker", dockerRead(c.before), is)
			}
		}
	}
	// A new .envrc is for direnv.
	if e, err := setVariable("", "KEY", "x", true); err != nil || e.new != "export KEY=x\n" {
		t.Errorf("%+v, %v", e, err)
	}
}

// sameBut checks that a reader sees KEY as it was written, and all others as before.
func sameBut(t *testing.T, what string, was, is vars) {
	t.Helper()
	if is["KEY"] != "live_new" {
		t.Errorf("%s reads %q", what, is["KEY"])
	}
	for _, v := range []vars{was, is} {
		maps.DeleteFunc(v, func(name, _ string) bool { return strings.Trim(name, " \t") == "KEY" })
	}
	if !strings.Contains(what, "URL") && was != nil && !maps.Equal(was, is) {
		t.Errorf("%s read %q, now %q", what, was, is)
	}
}

func TestSetVariableRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ content, says string }{
		"twice":                 {"KEY=1\nA=2\nexport KEY = 3\n", "more than once, on lines 1, 3;"},
		"NUL":                   {"\xff\xfeK\x00E\x00Y\x00=\x001\x00", "NUL"},
		"lone CR":               {"A=1\rKEY=0ld\rB=2\n", "carriage returns that end no line"},
		"BOM":                   {"\ufeffA=0ld\n", "line 1: a byte-order mark"},
		"open own single":       {"A=1\n\nKEY='0ld\nB=it's\n", "line 3: it opens a quote"},
		"closed by accident":    {"A=\"open\nKEY=0ld\nB=\"x\"\n", "line 1: it opens a quote"},
		"two ways to close":     {"A=\"C:\\\"\nKEY=0ld\nB=\"\n", "line 1: it opens a quote"},
		"text after multiline":  {"A=\"x\ny\"z\nKEY=1\n", "line 1: it opens a quote"},
		"own quote inside":      {"KEY=it's\n", "line 1: to a shell"},
		"concatenated":          {"KEY='0ld'\"b\"c\n", "line 1: it opens a quote"},
		"a command":             {"KEY=$(0ld)\n", "line 1: to a shell"},
		"own backslash":         {"KEY=0ld\\\nmore\n", "line 1: a backslash"},
		"own comment backslash": {"KEY=0ld # c\\\nA=1\n", "line 1: a backslash"},
		"after backslash":       {"A=0ld\\\nKEY=1\n", "line 1: a backslash"},
		"comment backslash":     {"A=1\r\n# see C:\\\r\n", "line 2: a backslash"}, // systemd goes on behind it
		"append to backslash":   {"B=1\nA=0ld\\", "line 2: a backslash"},
		"a shell's end":         {"A=1\nKEY=0ld; B=2\n", "line 2: to a shell more follows"},
		"quoted, a shell's end": {"KEY=\"0ld\"; export B=2\n", "line 1: more follows"},
		"quoted, hash":          {"KEY=\"0ld\"#1\n", "line 1: more follows"},
		"and":                   {"KEY=0ld && B\n", "line 1: to a shell"},
		"background":            {"KEY=0ld & B\n", "line 1: to a shell"},
		"pipe":                  {"KEY=0ld|B=2\n", "line 1: to a shell"},
		"exports another":       {"export KEY=0ld B\n", "line 1: to a shell"},
		"sets another":          {"KEY=0ld B=2\n", "line 1: to a shell"},
	} {
		_, err := setVariable(c.content, "KEY", "live_new", false)
		fails(t, err, c.says)
		if err != nil && strings.Contains(err.Error(), "0ld") {
			t.Errorf("%s: the error quotes the file: %v", name, err)
		}
	}
	for _, secret := range []string{"a\nb", "\x00", "a\tb", "\x7f", "é", "it's", `a\b`} {
		_, err := setVariable("", "KEY", secret, false)
		fails(t, err, "do not agree on")
	}
	for secret, line := range map[string]string{"a-b.c/d:e@f%+=,": "KEY=a-b.c/d:e@f%+=,", "a b#$x`\"": "KEY='a b#$x`\"'"} {
		e, err := setVariable("", "KEY", secret, false)
		if found, _, _ := findVariable(e.new, "KEY"); err != nil || strings.TrimSpace(e.new) != line || found.value != secret {
			t.Errorf("%q: %+v, %v, read back %+v", secret, e, err, found)
		}
	}
}

// What is undone in a file that others changed since, and what is left alone.
func TestUndoEdit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ before, now, want string }{
		"added behind, no newline": {"A=1", "A=1\nKEY=live_new\nB=2\n", "A=1\nB=2\n"},
		"CRLF":                     {"A=1\r\nB=2\r\n", "A=3\r\nB=2\r\nKEY=live_new\r\n", "A=3\r\nB=2\r\n"},
		"new file, before":         {"", "B=2\nKEY=live_new\n", "B=2\n"},
		"replaced":                 {"KEY='old' # c\n", "A=1\n# c\nKEY=live_new\n", "A=1\nKEY='old' # c\n"},
		"replaced, multi-line":     {"KEY=\"a\nb\"\n", "A=1\nKEY=live_new\n", "A=1\nKEY=\"a\nb\"\n"},
		"longer value":             {"KEY=old\n", "KEY=live_newer\n", "!"},
		"gone":                     {"KEY=old\n", "A=1\n", "!"},
		"commented out":            {"", "# KEY=live_new\n", "!"},
		"comment added to ours":    {"A=1\n", "A=1\nKEY=live_new # mine\n", "!"},
	} {
		e, err := setVariable(c.before, "KEY", "live_new", false)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, ok := e.undo(c.now)
		if ok != (c.want != "!") || ok && got != c.want {
			t.Errorf("%s: %q, %v; want %q", name, got, ok, c.want)
		}
	}
}

// checkEdit edits, if that is not refused, and holds the result against what all edits promise: it reads back, a second
// one changes nothing, and it can be undone.
func checkEdit(t *testing.T, content string) (after string, ok bool) {
	t.Helper()
	e, err := setVariable(content, "KEY", "live_new", false)
	if err != nil {
		return "", false
	}
	if !strings.HasPrefix(content[e.at:], e.old) {
		t.Fatalf("%+v is no edit of %q", e, content)
	}
	after = e.apply(content)
	found, _, err := findVariable(after, "KEY")
	if err != nil || found == nil || found.value != "live_new" {
		t.Fatalf("%q became %q, where KEY is %+v, %v", content, after, found, err)
	}
	again, err := setVariable(after, "KEY", "live_new", false)
	if err != nil || again.apply(after) != after {
		t.Fatalf("%q became %q the second time: %+v, %v", after, again.apply(after), again, err)
	}
	ended := e.old != "" || content == "" || strings.HasSuffix(content, "\n")
	if back, ok := e.undo(after); !ok || ended && back != content {
		t.Fatalf("%q became %q; undone %q, %v", content, after, back, ok)
	}
	return after, true
}

func FuzzEdit(f *testing.F) {
	for _, s := range []string{"A='x\nKEY=1\n'\r\nKEY = \"a\nb\" # c", "export KEY= x", "A=\"\\\"\nKEY=1\nB=\"", "A=b\\\nKEY=''#x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, content string) { checkEdit(t, content) })
}
