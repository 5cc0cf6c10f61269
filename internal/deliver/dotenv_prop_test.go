package deliver

import (
	"bytes"
	"maps"
	"os/exec"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// secrets gives values such as the service makes, and such as it had better not.
func secrets() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`live_[0-9a-zA-Z]{8,40}`),
		rapid.StringMatching(`[ -~]{1,30}`),
		rapid.StringMatching(`['"\\$#=`+"`"+` a]{1,12}`),
	)
}

// dotenvs gives files in which all readers see the same: lines of other variables, comments
// and blank lines, and mostly one assignment of KEY among them.
func dotenvs() *rapid.Generator[string] {
	line := rapid.OneOf(
		rapid.StringMatching(`[A-J]=[a-z0-9/:.]{0,8}`),
		rapid.StringMatching(`export [A-J]=[a-z]{1,5}( # [a-zA-Z'" =]{0,12})?`),
		rapid.StringMatching(`[A-J]="([a-z =#']|\nKEY=[a-z]|\n#){0,8}"( #[a-z ]{0,5})?`),
		rapid.StringMatching(`[A-J]='([a-z =#"]|\nexport KEY=[a-z]|\n#){0,8}'[ \t]{0,2}`),
		rapid.StringMatching(`[ \t]{0,3}#[ !é]?(KEY=)?[a-zA-Z'"\\ =]{0,12}`),
		rapid.StringMatching(`[ \t]{0,3}`),
	)
	key := rapid.StringMatching(`[ \t]{0,2}(export )?KEY=([a-z0-9]{0,6}|"[a-z\n# =']{0,8}"|'[a-z\n# ="]{0,8}'|'a'"b c"d)([ \t]{1,2}(#[ a-z'"]{0,8})?)?`)
	return rapid.Custom(func(t *rapid.T) string {
		lines := rapid.SliceOfN(line, 0, 6).Draw(t, "before")
		if rapid.IntRange(0, 3).Draw(t, "has") > 0 {
			lines = append(lines, key.Draw(t, "key"))
		}
		lines = append(lines, rapid.SliceOfN(line, 0, 6).Draw(t, "after")...)
		s := strings.Join(lines, "\n")
		if rapid.Bool().Draw(t, "newline") {
			s += "\n"
		}
		return s
	})
}

// TestEditProperty: the value reads back, by npm's rules and by a shell's, everybody else's
// stays, and taking back gives every byte again.
func TestEditProperty(t *testing.T) {
	t.Parallel()
	sh, shErr := exec.LookPath("sh")
	rapid.Check(t, func(t *rapid.T) {
		before, secret := dotenvs().Draw(t, "file"), secrets().Draw(t, "secret")
		crlf, mark := rapid.Bool().Draw(t, "crlf"), rapid.Bool().Draw(t, "bom")
		content := before
		if crlf {
			content = strings.ReplaceAll(content, "\n", "\r\n")
		}
		if mark {
			content = bom + content
		}
		secret = strings.TrimRight(secret, `\`)
		value, err := quoteValue(secret)
		if err != nil {
			t.Fatal(err)
		}
		e, err := setVariable([]byte(content), "KEY", value)
		if err != nil {
			t.Fatal(err)
		}
		after := e.apply([]byte(content))
		u, err := unsetVariable(after, "KEY", value, e)
		if err != nil {
			t.Fatal(err)
		}
		if back := u.apply(after); string(back) != content {
			t.Fatalf("%q became %q and then %q", content, after, back)
		}

		was, is := nodeRead(content), nodeRead(string(after))
		if !strings.ContainsAny(secret, `\'"`+"`") && is["KEY"] != secret { // it has no escapes but \n
			t.Fatalf("npm's reader sees %q; want %q, in\n%s", is["KEY"], secret, after)
		}
		delete(was, "KEY")
		delete(is, "KEY")
		if !maps.Equal(was, is) {
			t.Fatalf("npm's reader saw %q and now %q, in\n%s", was, is, after)
		}

		if shErr != nil || crlf || mark {
			return
		}
		was, is = shRead(t, sh, content), shRead(t, sh, string(after))
		if is["KEY"] != secret {
			t.Fatalf("the shell sees %q; want %q, in\n%s", is["KEY"], secret, after)
		}
		delete(was, "KEY")
		delete(is, "KEY")
		if !maps.Equal(was, is) {
			t.Fatalf("the shell saw %q and now %q, in\n%s", was, is, after)
		}
	})
}

// shRead has a shell source the file.
func shRead(t *rapid.T, sh, content string) map[string]string {
	cmd := exec.Command(sh, "-c", content+"\n"+`for k in A B C D E F G H I J KEY; do eval "printf '%s=%s\0' $k \"\$$k\""; done`)
	cmd.Env = []string{}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the shell cannot read\n%s\n%v", content, err)
	}
	vars := map[string]string{}
	for _, v := range strings.Split(string(out), "\x00") {
		k, v, _ := strings.Cut(v, "=")
		vars[k] = v
	}
	return vars
}

// FuzzEdit: whatever the file, an edit touches one place only, reads back, and can be taken
// back; a second edit finds the first.
func FuzzEdit(f *testing.F) {
	for _, s := range []string{"", "KEY=old\n", "A='x\nKEY=1\n'\r\nKEY = \"a\nb\" # c", bom + "export KEY: x", "KEY= # c\\", "A=\"\\\"\nKEY=1\nB=\"",
		"KEY=`a`\n", "A=b\\\nKEY=c", "#\n\nKEY=''#x", "KEY=a'b'\tc # d\r\n", "A='\\'\nKEY=1\n'"} {
		f.Add([]byte(s), "live_test")
		f.Add([]byte(s), "it's \\ \"$x\"")
	}
	f.Fuzz(func(t *testing.T, content []byte, secret string) {
		value, err := quoteValue(secret)
		if err != nil {
			return
		}
		e, err := setVariable(content, "KEY", value)
		if err != nil {
			return
		}
		if e.at < 0 || !bytes.HasPrefix(content[e.at:], []byte(e.old)) {
			t.Fatalf("%+v is no edit of %q", e, content)
		}
		if e.old != "" && strings.HasSuffix(e.new, "\n") || !strings.Contains(e.new, value) {
			t.Fatalf("%+v writes something else than %s", e, value)
		}
		after := e.apply(content)
		found, _, err := findVariable(after, "KEY")
		if err != nil || found == nil || string(after[found.value:found.end]) != value {
			t.Fatalf("%q became %q, where KEY is %+v, %v", content, after, found, err)
		}
		u, err := unsetVariable(after, "KEY", value, e)
		if err != nil || !bytes.Equal(u.apply(after), content) {
			t.Fatalf("%q became %q; taken back %q, %v", content, after, u.apply(after), err)
		}
		again, err := setVariable(after, "KEY", value)
		if err != nil || !bytes.Equal(again.apply(after), after) {
			t.Fatalf("%q became %q the second time: %+v, %v", after, again.apply(after), again, err)
		}
		if v, ok := nodeRead(string(after))["KEY"]; plainFile(content) && (!ok || value == secret && v != secret) {
			t.Fatalf("npm's reader sees %q in %q; want %q", v, after, secret)
		}
	})
}

// plainFile tells whether readers agree about a file: without quotes and backslashes, without
// the colons that make npm's reader go on to the next line, and with blanks of the usual kind.
func plainFile(content []byte) bool {
	for _, c := range bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n")) {
		if c < ' ' && c != '\n' && c != '\t' || c >= 0x7f || bytes.IndexByte([]byte("'\"`\\:"), c) >= 0 {
			return false
		}
	}
	return true
}
