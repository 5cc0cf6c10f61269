//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The pages whose commands are run: every block that is marked sh, in order, in a
// fresh folder of each page, as somebody who follows the page does.
var pages = []string{"getting-started.md", "rotation.md", "ephemeral-tokens.md", "pipelines.md"}

func TestDocs(t *testing.T) {
	for _, page := range pages {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join(repoRoot(t), "docs", page))
			if err != nil {
				t.Fatal(err)
			}
			blocks := shellBlocks(string(text))
			if len(blocks) < 3 {
				t.Fatalf("%d blocks of shell only", len(blocks))
			}
			w := newServed(t)
			for i, b := range blocks {
				cmd := exec.Command("sh", "-e", "-u", "-c", b.text)
				cmd.Dir, cmd.Env = w.home, w.environ()
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("docs/%s:%d: block %d: %v\n%s\nit says:\n%s", page, b.line, i+1, err, b.text, out)
				}
			}
			w.noLeaks()
		})
	}
}

type block struct {
	line int
	text string
}

func shellBlocks(page string) (blocks []block) {
	var b *block
	for i, line := range strings.Split(page, "\n") {
		switch {
		case b == nil && line == "```sh":
			b = &block{line: i + 2}
		case b != nil && line == "```":
			blocks = append(blocks, *b)
			b = nil
		case b != nil:
			b.text += line + "\n"
		}
	}
	return blocks
}

// A test that runs no block would pass.
func TestShellBlocks(t *testing.T) {
	got := shellBlocks("a\n```sh\nx\ny\n```\n```text\nz\n```\n```sh\nq\n```\n")
	if fmt.Sprint(got) != "[{3 x\ny\n} {10 q\n}]" {
		t.Errorf("%v", got)
	}
}
