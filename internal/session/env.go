// Package session finds which credential is used, where it may go, and the client that uses it: flag over environment
// over profile. Nothing else reads a secret that is kept.
package session

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/pflag"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/internal/profiles"
	"github.com/utho/utho-cli/internal/sandbox"
	"github.com/utho/utho-cli/internal/terminal"
	"github.com/utho/utho-cli/pkg/utho"
)

// Flags are the flags that decide about a session.
type Flags struct {
	Profile, APIURL string
	Debug           bool
	Set             *pflag.FlagSet // of the command that runs
}

// Env is what utho keeps on this machine, and who is asked and told about it. The configuration is read once, and only
// if it is needed.
type Env struct {
	Flags   Flags
	Console *terminal.Console
	Version func() string // for the user agent
	Route   Route         // what leads a pasted command to the same place
	Session *Session      // once a credential was chosen, for hints
	Output  string        // of the settings, once they were read, for errors
	Silent  bool          // completion: nothing is said, asked, unlocked, started or waited for

	file     *config.File
	settings *config.Settings
}

// Paths are the files and folders of utho. config.ErrNoHome.
func (e *Env) Paths() (config.Paths, error) { return config.Locate(os.Getenv, runtime.GOOS) }

// state is the path of what utho can do without.
func (e *Env) state(name string) (string, error) {
	paths, err := e.Paths()
	switch {
	case paths.State != "":
		return filepath.Join(paths.State, name), nil
	case errors.Is(err, config.ErrNoHome):
		return "", errors.New("no folder for the state of utho: HOME is not set; set it, or UTHO_STATE_DIR")
	}
	return "", err
}

// What is in the folder of the state.
const (
	sandboxFile = "sandbox.json"
	recordsDir  = "rotations"
)

// Records is the folder of unfinished rotations.
func (e *Env) Records() (string, error) { return e.state(recordsDir) }

// OwnFiles are the files and folders that only utho itself may write.
func (e *Env) OwnFiles() []string {
	paths, err := e.Paths()
	if err != nil {
		return nil
	}
	return []string{
		paths.File(), paths.Credentials(), filepath.Join(paths.State, recordsDir), filepath.Join(paths.State, sandboxFile),
	}
}

// Config is the configuration. A container without HOME has none; the environment can still give everything, and
// what needs the folder says so.
func (e *Env) Config() (*config.File, error) {
	if e.file != nil {
		return e.file, nil
	}
	file := &config.File{}
	paths, err := e.Paths()
	if err == nil {
		file, err = config.Load(paths.File())
	}
	if err != nil && !errors.Is(err, config.ErrNoHome) {
		return nil, err
	}
	for _, w := range file.Warnings() {
		e.Console.Warn("%s", w)
	}
	e.file = file
	return file, nil
}

// Profiles is the configuration for what needs its profiles.
func (e *Env) Profiles() (*config.File, error) {
	file, err := e.Config()
	if err == nil {
		err = file.Reachable()
	}
	return file, err
}

// Settings are what flags, environment and configuration agree on for this run.
func (e *Env) Settings() (*config.Settings, error) {
	if e.settings != nil {
		return e.settings, nil
	}
	file, err := e.Config()
	if err != nil {
		return nil, err
	}
	st, err := config.Resolve(file, e.Flags.Set)
	if err == nil {
		e.settings, e.Output, e.Console.Color = &st, st.Output, st.Color
	}
	return &st, err
}

// Store is the store of a kind, keyring or file. It is for a profile: without a folder there is none.
func (e *Env) Store(kind string) auth.Store {
	if kind != config.StoreFile {
		var waiting func(text string)
		if e.Console.CanAsk() {
			waiting = func(text string) { e.Console.Note("%s", text) }
		}
		return auth.NewKeyring(waiting)
	}
	paths, _ := e.Paths()
	return auth.NewFile(paths.Credentials())
}

// Book changes profiles together with their secrets.
func (e *Env) Book() (*profiles.Book, error) {
	paths, err := e.Paths()
	return &profiles.Book{
		Paths: paths, Store: e.Store, DefaultURL: utho.DefaultBaseURL,
		Warn: func(text string) { e.Console.Warn("%s", text) },
	}, err
}

// Peek is what a profile's store holds, if it can be known without asking anybody. auth.ErrNotFound, auth.ErrLocked.
func (e *Env) Peek(ctx context.Context, profile config.Profile) (auth.Item, error) {
	kind := StoreOf(profile)
	if kind == KindCommand {
		return auth.Item{}, auth.ErrNotFound
	}
	origin, err := OriginOf(AddressOf(profile))
	if err != nil {
		return auth.Item{}, err
	}
	return e.Store(kind).Peek(ctx, auth.Ref{Profile: profile.Name, Origin: origin})
}

// Holds returns the secret that a store holds if its SHA-256 is sum, else "".
func (e *Env) Holds(ctx context.Context, kind string, ref auth.Ref, sum [32]byte) (string, error) {
	item, err := e.Store(kind).Get(ctx, ref)
	if errors.Is(err, auth.ErrNotFound) || err == nil && sha256.Sum256([]byte(item.Secret)) != sum {
		return "", nil
	}
	return item.Secret, err
}

// Sandbox is the built-in look-alike of the service.
func (e *Env) Sandbox() (*sandbox.Sandbox, error) {
	path, err := e.state(sandboxFile)
	return sandbox.Open(path), err
}
