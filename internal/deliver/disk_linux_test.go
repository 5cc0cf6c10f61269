package deliver

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// A disk that is full or read-only is found out before, and if it becomes so meanwhile, what was
// there stays; an undo that cannot write says so.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k,mode=0700"); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	fill := func() {
		if err := os.WriteFile(dir+"/fill", make([]byte, 1<<20), 0o600); err == nil {
			t.Fatal("the disk is not full")
		}
	}
	write(t, dir+"/.env", "A=1\nUTHO_API_KEY="+strings.Repeat("o", 100)+"\n", 0o600)
	write(t, dir+"/old", "old\n", 0o600)
	for _, text := range []string{"file:" + dir + "/token", "env:" + dir + "/.env", "env:" + dir + "/new", "file:" + dir + "/old"} {
		env, _ := testEnv(t)
		env.Rotate = strings.HasSuffix(text, "old")
		before := tree(t, dir)
		d := open(t, env, text)
		fill()
		fails(t, d.Prepare(t.Context()), "no space left")
		_ = os.Remove(dir + "/fill")
		if err := d.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		fill()
		fails(t, d.Deliver(t.Context(), Token{Secret: testSecret}), "no space left")
		if err := d.Undo(t.Context()); err != nil {
			t.Errorf("%s: undo: %v", text, err)
		}
		_ = os.Remove(dir + "/fill")
		unchanged(t, dir, before)
		deliver(t, d)
		fill()
		if err := d.Undo(t.Context()); strings.HasSuffix(text, "token") != (err == nil) && !strings.HasSuffix(text, "new") {
			t.Errorf("%s: undo on a full disk: %v", text, err)
		}
		_ = os.Remove(dir + "/fill")
		if err := d.Undo(t.Context()); err != nil {
			t.Errorf("%s: undo with room again: %v", text, err)
		}
		unchanged(t, dir, before)
	}
}
