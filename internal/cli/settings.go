package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/pflag"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/internal/profiles"
	"github.com/utho/utho-cli/internal/sandbox"
	"github.com/utho/utho-cli/pkg/utho"
)

type globals struct {
	profile, output, apiURL string
	timeout                 time.Duration
	debug                   bool
	set                     *pflag.FlagSet // of the command that runs
}

// environment is what utho keeps on this machine, read once and only if it is needed.
type environment struct {
	file     *config.File
	settings *config.Settings
}

func (p *program) paths() (config.Paths, error) { return config.Locate(os.Getenv, runtime.GOOS) }

// state is the folder of what utho can do without: the sandbox, records of rotations.
func (p *program) state() (string, error) {
	paths, err := p.paths()
	switch {
	case paths.State != "":
		return paths.State, nil
	case errors.Is(err, config.ErrNoHome):
		return "", errors.New("no folder for the state of utho: HOME is not set; set it, or UTHO_STATE_DIR")
	}
	return "", err
}

// config is the configuration. A container without HOME has none; the environment can still give everything, and
// what needs the folder says so.
func (p *program) config() (*config.File, error) {
	if p.env.file != nil {
		return p.env.file, nil
	}
	file := &config.File{}
	paths, err := p.paths()
	if err == nil {
		file, err = config.Load(paths.File())
	}
	if err != nil && !errors.Is(err, config.ErrNoHome) {
		return nil, err
	}
	for _, w := range file.Warnings() {
		p.console.warn("%s", w)
	}
	p.env.file = file
	return file, nil
}

// profiles is the configuration for what needs its profiles.
func (p *program) profiles() (*config.File, error) {
	file, err := p.config()
	if err == nil {
		err = file.Reachable()
	}
	return file, err
}

// settings are the output format, colour and timeout that hold for this run.
func (p *program) settings() (*config.Settings, error) {
	if p.env.settings != nil {
		return p.env.settings, nil
	}
	file, err := p.config()
	if err != nil {
		return nil, err
	}
	st, err := config.Resolve(file, p.flags.set)
	if err == nil {
		p.env.settings, p.console.color = &st, st.Color
		p.console.json = p.console.json || st.Output == string(formatJSON)
	}
	return &st, err
}

// store is the store of a kind, keyring or file.
func (p *program) store(kind string) (auth.Store, error) {
	if kind != config.StoreFile {
		return auth.NewKeyring(auth.KeyringOptions{
			Terminal: p.console.canAsk(), Waiting: func(text string) { p.console.note("%s", text) },
		}), nil
	}
	paths, err := p.paths()
	return auth.NewFile(paths.Credentials()), err
}

// withBook is for what changes profiles together with their secrets.
func (p *program) withBook(f func(*profiles.Book) error) error {
	paths, err := p.paths()
	if err != nil {
		return err
	}
	return f(&profiles.Book{
		Paths: paths, DefaultURL: utho.DefaultBaseURL, Warn: func(text string) { p.console.warn("%s", text) },
		Waiting: func() { p.console.note("waiting for another login or logout of yours to end") },
		Store: func(kind string) auth.Store {
			s, _ := p.store(kind) // fails only without paths
			return s
		},
	})
}

// change changes profiles and their secrets. A signal that comes before stops it, a later one ends its waiting.
func (p *program) change(f func(*profiles.Book) error) error {
	return p.withBook(func(b *profiles.Book) error {
		end, err := p.signals.protect()
		if err != nil {
			return fmt.Errorf("%w; nothing was changed", err)
		}
		defer end()
		return f(b)
	})
}

func (p *program) sandbox() (*sandbox.Sandbox, error) {
	dir, err := p.state()
	if err != nil {
		return nil, err
	}
	return sandbox.Open(filepath.Join(dir, "sandbox.json")), nil
}
