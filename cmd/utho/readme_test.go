package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the README shows of the first command is what the command prints.
func TestReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	const command = "$ utho -p sandbox token list\n"
	_, after, found := strings.Cut(strings.ReplaceAll(string(text), "\r\n", "\n"), command)
	shown, _, closed := strings.Cut(after, "```")
	if !found || !closed {
		t.Fatalf("the README does not show %q", command)
	}
	if got := newMachine(t).utho("-p", "sandbox", "token", "list").want(t, 0).stdout; got != shown {
		t.Errorf("the README shows\n%s\nand the program prints\n%s", shown, got)
	}
}
