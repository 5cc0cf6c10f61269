package deliver

import (
	"errors"
	"regexp"
	"strings"
	"testing"
)

// Byte for byte what an edit of KEY to live_new makes of a file.
func TestSetVariable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ before, after string }{
		"empty":                     {"", "KEY=live_new\n"},
		"append":                    {"A=1\n", "A=1\nKEY=live_new\n"},
		"append, no final newline":  {"A=1", "A=1\nKEY=live_new\n"},
		"append, CRLF":              {"A=1\r\nB=2\r\n", "A=1\r\nB=2\r\nKEY=live_new\r\n"},
		"append, CRLF, no newline":  {"A=1\r\nB=2", "A=1\r\nB=2\r\nKEY=live_new\r\n"},
		"append, mixed, last CRLF":  {"A=1\nB=2\r\n", "A=1\nB=2\r\nKEY=live_new\r\n"},
		"append, mixed, last LF":    {"A=1\r\nB=2\n", "A=1\r\nB=2\nKEY=live_new\n"},
		"append, blank lines":       {"\n\n", "\n\nKEY=live_new\n"},
		"append, comment at end":    {"# KEY=1", "# KEY=1\nKEY=live_new\n"},
		"append, comment backslash": {"# see C:\\", "# see C:\\\nKEY=live_new\n"},
		"append, double backslash":  {`A=a\\`, "A=a\\\\\nKEY=live_new\n"},
		"append, BOM only":          {bom, bom + "KEY=live_new\n"},
		"append, BOM":               {bom + "A=1", bom + "A=1\nKEY=live_new\n"},
		"append, Latin-1":           {"# caf\xe9\n", "# caf\xe9\nKEY=live_new\n"},
		"append, odd lines":         {"hello world\n=x\n'q'=1\nexport\nexport A\n", "hello world\n=x\n'q'=1\nexport\nexport A\nKEY=live_new\n"},
		"append, apostrophe":        {"NAME=it's\n", "NAME=it's\nKEY=live_new\n"},
		"append, shell":             {"if [ -z \"$A\" ]; then\n  A=1\nfi\n", "if [ -z \"$A\" ]; then\n  A=1\nfi\nKEY=live_new\n"},

		"replace":                  {"KEY=old\n", "KEY=live_new\n"},
		"replace, no newline":      {"KEY=old", "KEY=live_new"},
		"replace, CRLF":            {"A=1\r\nKEY=old\r\nB=2\r\n", "A=1\r\nKEY=live_new\r\nB=2\r\n"},
		"replace, BOM":             {bom + "KEY=old\nA=1\n", bom + "KEY=live_new\nA=1\n"},
		"replace, middle":          {"A=1\n\n# c\nKEY=old\nB=2", "A=1\n\n# c\nKEY=live_new\nB=2"},
		"replace, indent":          {"\t  KEY=old\n", "\t  KEY=live_new\n"},
		"replace, export":          {"export KEY=old\n", "export KEY=live_new\n"},
		"replace, export, blanks":  {"  export \t KEY=old  \n", "  export \t KEY=live_new  \n"},
		"replace, spaces":          {"KEY = old\n", "KEY = live_new\n"},
		"replace, tabs":            {"KEY\t=\told\t\r\n", "KEY\t=\tlive_new\t\r\n"},
		"replace, colon":           {"KEY: old # c\n", "KEY: live_new # c\n"},
		"replace, comment":         {"KEY=old # why\n", "KEY=live_new # why\n"},
		"replace, comment, tab":    {"KEY=old\t#why\n", "KEY=live_new\t#why\n"},
		"replace, hash in value":   {"KEY=old#1 # c\n", "KEY=live_new # c\n"},
		"replace, value is hash":   {"KEY=#old\n", "KEY=live_new\n"},
		"replace, empty":           {"KEY=\n", "KEY=live_new\n"},
		"replace, empty, end":      {"KEY=", "KEY=live_new"},
		"replace, empty, blanks":   {"KEY=  \n", "KEY=live_new  \n"},
		"replace, empty, comment":  {"KEY= # c\n", "KEY=live_new # c\n"},
		"replace, empty, spaces":   {"KEY = # c\n", "KEY =live_new # c\n"},
		"replace, empty, colon":    {"KEY: # c\n", "KEY: live_new # c\n"},
		"replace, empty, quotes":   {`KEY="" # c`, "KEY=live_new # c"},
		"replace, words":           {"KEY=two words here # c\n", "KEY=live_new # c\n"},
		"replace, double":          {`KEY="o l d" # c` + "\n", "KEY=live_new # c\n"},
		"replace, single":          {`KEY='o # d'` + "\nA=1\n", "KEY=live_new\nA=1\n"},
		"replace, backtick":        {"KEY=`o'l\"d` #c\n", "KEY=live_new #c\n"},
		"replace, escaped quote":   {`KEY="o\"l # d"` + "\n", "KEY=live_new\n"},
		"replace, single, escaped": {`KEY='it\'s' # c` + "\n", "KEY=live_new # c\n"},
		"replace, single, raw":     {`KEY='a\' # b'` + "\n", "KEY=live_new # b'\n"},
		"replace, concatenated":    {`KEY='a'"b"c # d` + "\n", "KEY=live_new # d\n"},
		"replace, balanced inside": {`KEY=a"b c"d # e` + "\n", "KEY=live_new # e\n"},
		"replace, windows path":    {`KEY="C:\dir\"` + "\nA=1\n", "KEY=live_new\nA=1\n"},
		"replace, multi-line":      {"KEY=\"a\nKEY=b\n # c\n\" # d\nA=1\n", "KEY=live_new # d\nA=1\n"},
		"replace, multi-line CRLF": {"KEY='a\r\nb'\r\nA=1\r\n", "KEY=live_new\r\nA=1\r\n"},

		"look-alikes": {"#KEY=1\n # KEY=2\nXKEY=3\nKEYX=4\nKEY.X=5\nX=KEY=6\nkey=7\nKEY\nKEY 8=\nKEY+=9\nKEY:x=10\nKEY: \n",
			"#KEY=1\n # KEY=2\nXKEY=3\nKEYX=4\nKEY.X=5\nX=KEY=6\nkey=7\nKEY\nKEY 8=\nKEY+=9\nKEY:x=10\nKEY: live_new\n"},
		"inside double": {"A=\"\nKEY=no\n\"\nKEY=old\n", "A=\"\nKEY=no\n\"\nKEY=live_new\n"},
		"inside single": {"A='\nKEY=no\n' # '\nB=1\n", "A='\nKEY=no\n' # '\nB=1\nKEY=live_new\n"},
		"after a key":   {"PEM=\"-----BEGIN\nab\\\"=\n-----END\"\nexport KEY='x'\n", "PEM=\"-----BEGIN\nab\\\"=\n-----END\"\nexport KEY=live_new\n"},
		"after JSON":    {"J='{\n \"a\": \"it\"\n}'\nKEY=\n", "J='{\n \"a\": \"it\"\n}'\nKEY=live_new\n"},
		"after path":    {"D=\"C:\\dir\\\"\nKEY=old\nE=\"x\"\n", "D=\"C:\\dir\\\"\nKEY=live_new\nE=\"x\"\n"},
		"after escapes": {`A="a\\"` + "\nKEY=old\nB=\"b\"\n", `A="a\\"` + "\nKEY=live_new\nB=\"b\"\n"},
		"after single":  {`A='a\'` + "\nKEY=old\nB='b'\n", `A='a\'` + "\nKEY=live_new\nB='b'\n"},
		"words":         {"KEY=an old one\n", "KEY=live_new\n"},
		"quoted ;&|":    {"KEY='a; b & c|d B=2'\n", "KEY=live_new\n"},
		"escaped ;":     {"KEY=a\\;b\\ c\n", "KEY=live_new\n"},
		"a command":     {"export KEY=$(pass show a; b) # x\nB=2\n", "export KEY=live_new # x\nB=2\n"},
		"a default":     {"export KEY=${OLD:-a b}\n", "export KEY=live_new\n"},
		"; in comment":  {"export KEY=old # a; B=2\n", "export KEY=live_new # a; B=2\n"},
		"; of another":  {"A=1; B=2\nKEY=old\n", "A=1; B=2\nKEY=live_new\n"},
		"quote, text":   {"A=\"x\"y \"z\"\nKEY=old\n", "A=\"x\"y \"z\"\nKEY=live_new\n"},
	} {
		e, err := setVariable([]byte(c.before), "KEY", "live_new")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		after := e.apply([]byte(c.before))
		if string(after) != c.after {
			t.Errorf("%s:\n%q became\n%q; want\n%q", name, c.before, after, c.after)
			continue
		}
		// Taken back from the file as it is, and from one that others have added to.
		for _, more := range []string{"", "Z=0\n# KEY\n"} {
			front, rest := more, c.after
			if strings.HasPrefix(rest, bom) {
				front, rest = bom+more, rest[len(bom):]
			}
			u, err := unsetVariable([]byte(front+rest), "KEY", "live_new", e)
			if err != nil {
				t.Errorf("%s: take back: %v", name, err)
				continue
			}
			want := front + strings.TrimPrefix(c.before, bom)
			if got := string(u.apply([]byte(front + rest))); got != want {
				t.Errorf("%s: taken back\n%q; want\n%q", name, got, want)
			}
		}
	}
}

func TestSetVariableRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ content, says string }{
		"twice":                 {"KEY=1\nA=2\nexport KEY = 3\n", "more than once, on lines 1, 3;"},
		"thrice":                {"KEY=1\nKEY: 2\nA='\n'\nKEY=3", "lines 1, 2, 5;"},
		"NUL":                   {"KEY=1\x00\n", "NUL"},
		"UTF-16":                {"\xff\xfeK\x00E\x00Y\x00=\x001\x00", "NUL"},
		"old Mac":               {"A=1\rKEY=2\r", "carriage returns"},
		"CR CR LF":              {"A=1\r\r\nKEY=2\r\n", "carriage returns"},
		"large":                 {strings.Repeat("# 5678901234567\n", 65536) + "A=1", "larger than 1048576 bytes"},
		"open double":           {"A=1\nB=\"x\nKEY=0ld\n", "line 2 opens a quote"},
		"open single":           {"A='tis\n", "line 1 opens a quote"},
		"open own":              {"KEY=\"0ld\n", "line 1 opens a quote"},
		"open own single":       {"A=1\n\nKEY='0ld\nB=it's\n", "line 3 opens a quote"},
		"closed by accident":    {"A=\"open\nKEY=0ld\nB=\"x\"\n", "line 1 opens a quote"},
		"two ways to close":     {"A=\"C:\\\"\nKEY=0ld\nB=\"\n", "line 1 opens a quote"},
		"text after multiline":  {"A=\"x\ny\"z\nKEY=1\n", "line 1 opens a quote"},
		"open behind a quote":   {"A='x'\"y\nKEY=1\n\"\n", "line 1 opens a quote"},
		"own quote inside":      {"KEY=it's\n", "line 1: a quote is opened"},
		"own backslash":         {"KEY=0ld\\\nmore\n", "line 1: a backslash"},
		"after backslash":       {"A=0ld\\\nKEY=1\n", "line 2: a backslash"},
		"a shell's end":         {"A=1\nKEY=0ld; B=2\n", "line 2: to a shell more stands behind the value"},
		"quoted, a shell's end": {"KEY=\"0ld\"; export B=2\n", "line 1: to a shell more"},
		"semicolon only":        {"KEY=0ld;\n", "line 1: to a shell more"},
		"and":                   {"KEY=0ld && B=2\n", "line 1: to a shell more"},
		"background":            {"KEY='0ld'& B=2\n", "line 1: to a shell more"},
		"pipe":                  {"KEY=0ld|B=2\n", "line 1: to a shell more"},
		"exports another":       {"export KEY=0ld B=2\n", "line 1: to a shell more"},
		"a command, open":       {"export KEY=0ld$(pass show a\n", "line 1: to a shell more"},
		"behind a command":      {"export KEY=0ld$(a) B=2\n", "line 1: to a shell more"},
		"exports a name":        {"export KEY=0ld B\n", "line 1: to a shell more"},
		"sets another":          {"KEY=0ld B=2\n", "line 1: to a shell more"},
		"quoted, sets another":  {"KEY=\"0ld 1\" B=2 cmd\n", "line 1: to a shell more"},
		"append to backslash":   {"A=0ld\\\n", "last line ends in a backslash"},
		"append to backslash 2": {"A=0ld\\", "last line ends in a backslash"},
	} {
		e, err := setVariable([]byte(c.content), "KEY", "live_new")
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %+v, %v; want %q", name, e, err, c.says)
		} else if strings.Contains(err.Error(), "0ld") || strings.Contains(err.Error(), "tis") {
			t.Errorf("%s: the error quotes the file: %v", name, err)
		}
	}
	if _, err := setVariable([]byte(strings.Repeat("# 567890123456\n", 65536)), "KEY", "x"); err != nil {
		t.Errorf("a file just below the limit: %v", err)
	}
}

// What is taken back from a file that others changed since, and what is left alone.
func TestUnsetVariable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ before, now, want string }{
		"added behind":               {"A=1\n", "A=1\nKEY=live_new\nB=2\n", "A=1\nB=2\n"},
		"added behind, no newline":   {"A=1", "A=1\nKEY=live_new\nB=2\n", "A=1\nB=2\n"},
		"changed before, no newline": {"A=1", "A=2\nKEY=live_new\n", "A=2"},
		"CRLF, no newline":           {"A=1\r\nB=2", "A=3\r\nB=2\r\nKEY=live_new\r\n", "A=3\r\nB=2"},
		"new file":                   {"", "KEY=live_new\nB=2\n", "B=2\n"},
		"new file, before":           {"", "B=2\nKEY=live_new\n", "B=2\n"},
		"replaced":                   {"KEY='old' # c\n", "A=1\nKEY=live_new # c\n", "A=1\nKEY='old' # c\n"},
		"replaced, comment changed":  {"KEY='old' # c\n", "KEY=live_new # d\n", "KEY='old' # d\n"},
		"replaced, multi-line":       {"KEY=\"a\nb\"\n", "A=1\nKEY=live_new\n", "A=1\nKEY=\"a\nb\"\n"},
		"other value":                {"KEY=old\n", "KEY=else\n", "!"},
		"gone":                       {"KEY=old\n", "A=1\n", "!"},
		"commented out":              {"", "# KEY=live_new\n", "!"},
		"comment added to ours":      {"A=1\n", "A=1\nKEY=live_new # mine\n", "!"},
		"exported":                   {"A=1\n", "A=1\nexport KEY=live_new\n", "!"},
	} {
		done, err := setVariable([]byte(c.before), "KEY", "live_new")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		e, err := unsetVariable([]byte(c.now), "KEY", "live_new", done)
		switch {
		case c.want == "!":
			if !errors.Is(err, ErrChanged) {
				t.Errorf("%s: %+v, %v; want ErrChanged", name, e, err)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		default:
			if got := string(e.apply([]byte(c.now))); got != c.want {
				t.Errorf("%s: %q; want %q", name, got, c.want)
			}
		}
	}
	done, _ := setVariable(nil, "KEY", "live_new")
	if _, err := unsetVariable([]byte("KEY=live_new\nKEY=2\n"), "KEY", "live_new", done); err == nil {
		t.Error("taken back though the variable is there twice")
	}
}

func TestQuoteValue(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"live_0aZ":     "live_0aZ",
		"a-b.c/d:e@f":  "a-b.c/d:e@f",
		"a%b+c=d,e==":  "a%b+c=d,e==",
		"":             "''",
		"a b":          "'a b'",
		"a#b":          "'a#b'",
		"a$b`c`!":      "'a$b`c`!'",
		`a"b`:          `'a"b'`,
		"~/x":          "'~/x'",
		"é":            "'é'",
		"it's":         `"it's"`,
		`a\b`:          `"a\\b"`,
		"it's \"$x\"`": `"it's \"\$x\"` + "\\`\"",
	} {
		if got, err := quoteValue(value); err != nil || got != want {
			t.Errorf("quoteValue(%q) = %s, %v; want %s", value, got, err, want)
		}
	}
	for _, value := range []string{"a\nb", "a\rb", "\x00", "a\tb", "\x7f", testSecret + "\n"} {
		_, err := quoteValue(value)
		fails(t, err, "control character")
	}
	_, err := quoteValue(testSecret + `\`)
	fails(t, err, "backslash")
}

// nodeLine is the pattern of the most used reader, npm's dotenv, word for word but for the
// syntax of Go: a second opinion on where assignments are.
var nodeLine = regexp.MustCompile("(?m)^\\s*(?:export\\s+)?([\\w.-]+)(?:\\s*=\\s*?|:\\s+?)(\\s*'(?:\\\\'|[^'])*'|\\s*\"(?:\\\\\"|[^\"])*\"|\\s*`(?:\\\\`|[^`])*`|[^#\\r\\n]+)?\\s*(?:#.*)?(?:$)")

// nodeRead reads as npm's dotenv does; the last of several assignments counts.
func nodeRead(content string) map[string]string {
	vars := map[string]string{}
	content = strings.TrimPrefix(strings.ReplaceAll(content, "\r\n", "\n"), bom)
	for _, m := range nodeLine.FindAllStringSubmatch(content, -1) {
		v := strings.TrimSpace(m[2])
		if n := len(v); n > 1 && strings.IndexByte("'\"`", v[0]) >= 0 && v[n-1] == v[0] {
			v = v[1 : n-1]
		}
		vars[m[1]] = v
	}
	return vars
}
