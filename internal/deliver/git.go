package deliver

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/utho/utho-cli/internal/child"
)

// warnGit warns if git tracks path or would add it. Without git, or outside of a work tree, there is nothing to say.
func warnGit(ctx context.Context, env Env, path string) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	dir, name := filepath.Split(path)
	err := child.Command{
		// The configuration of a folder that came from elsewhere must not start a program.
		Argv: []string{"git", "-c", "core.fsmonitor=false", "-C", dir, "check-ignore", "-q", "--", name},
		Env:  child.WithoutCredentials(env.Environ),
	}.Run(ctx)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 { // 0: ignored; 128: no work tree
		line := "/" + strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(name)
		env.Warn(fmt.Sprintf("%s is in a git work tree and not ignored, so that the secret may be committed: add the line %s to %s"+
			" (if git tracks the file already: git rm --cached)", path, line, filepath.Join(dir, ".gitignore")))
	}
}
