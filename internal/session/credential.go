package session

import (
	"cmp"
	"os"
	"slices"
	"strings"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/internal/problem"
	"github.com/utho/utho-cli/internal/sandbox"
	"github.com/utho/utho-cli/pkg/utho"
)

// Missing is the error for a profile that is not there.
func Missing(profile string) *problem.Error {
	return problem.New(problem.NotFound, "there is no profile %s", output.Name(profile))
}

// SandboxName is the built-in profile that needs no account.
const SandboxName = config.Sandbox

// The kinds of credential besides the stores of config.
const (
	KindEnvironment = "environment"
	KindCommand     = "command"
)

// Variables can hold a credential, the strongest first.
var Variables = [...]string{"UTHO_API_KEY", "UTHO_TOKEN"}

// KeyFileVariable names a file that holds a credential.
const KeyFileVariable = "UTHO_API_KEY_FILE"

// Credential is which credential is used, before anything secret is read.
type Credential struct {
	Kind    string         // environment, keyring, file, command or sandbox; "" for one from stdin
	Source  string         // the variable's name, stdin, or the kind; "" if there is none
	Profile config.Profile // without a name for a credential of no profile
	Exists  bool           // the configuration has the profile
	Typed   string         // the profile that --profile or UTHO_PROFILE named
	Shadows []string       // what would have been used otherwise
}

// FromVariable is the secret of a variable, without white space and quotes around it.
func FromVariable(name string) string {
	value := strings.TrimSpace(os.Getenv(name))
	if n := len(value); n > 1 && strings.IndexByte(`"'`, value[0]) >= 0 && value[n-1] == value[0] {
		value = strings.TrimSpace(value[1 : n-1])
	}
	return value
}

// FromEnvironment are the variables that supply different credentials, the strongest first.
func FromEnvironment() (set []string) {
	for _, name := range Variables {
		if value := FromVariable(name); value != "" && (len(set) == 0 || value != FromVariable(set[0])) {
			set = append(set, name)
		}
	}
	if os.Getenv(KeyFileVariable) != "" {
		set = append(set, KeyFileVariable)
	}
	return set
}

// Named are the profiles that --profile and UTHO_PROFILE name; "" for neither.
func (e *Env) Named() (flag, variable string) {
	return strings.TrimSpace(e.Flags.Profile), strings.TrimSpace(os.Getenv("UTHO_PROFILE"))
}

// ChosenProfile is the profile that login and logout are about, whatever the environment supplies. It need not exist.
func (e *Env) ChosenProfile() (Credential, error) {
	file, err := e.Profiles()
	if err != nil {
		return Credential{}, err
	}
	typed := cmp.Or(e.Named())
	return e.profileCredential(cmp.Or(typed, file.Current(), config.DefaultProfile), typed)
}

// ChooseCredential finds which credential is used, and what it shadows.
func (e *Env) ChooseCredential() (Credential, error) {
	file, err := e.Config()
	if err != nil {
		return Credential{}, err
	}
	flag, fromEnv := e.Named()
	set := FromEnvironment()
	var order []string
	add := func(profile string) {
		if profile != "" {
			order = append(order, "profile "+profile)
		}
	}
	add(flag)
	if strings.EqualFold(fromEnv, SandboxName) {
		add(SandboxName)
	}
	order = append(order, set...)
	add(fromEnv)
	add(file.Current())
	if len(order) == 0 {
		add(config.DefaultProfile)
	}
	var shadows []string
	for _, weaker := range order[1:] {
		same := func(s string) bool { return strings.EqualFold(s, weaker) }
		if !same(order[0]) && !slices.ContainsFunc(shadows, same) {
			shadows = append(shadows, weaker)
		}
	}
	name, isProfile := strings.CutPrefix(order[0], "profile ")
	if isProfile {
		c, err := e.profileCredential(name, cmp.Or(flag, fromEnv))
		if err == nil && !c.Exists && c.Typed != "" {
			err = Missing(name).Hintf("log in to create it: %s", Route{Profile: name, APIURL: e.Flags.APIURL}.Command("login"))
		}
		c.Shadows = shadows
		return c, err
	}
	if len(set) > 1 && set[1] == "UTHO_TOKEN" {
		e.Console.Warn("UTHO_API_KEY and UTHO_TOKEN hold different values; UTHO_API_KEY is used")
	}
	if fromEnv != "" {
		e.Console.Warn("%s is used; UTHO_PROFILE=%s has no effect beside it", set[0], fromEnv)
	}
	return Credential{Kind: KindEnvironment, Source: set[0], Shadows: shadows}, nil
}

// profileCredential is the credential of a profile.
func (e *Env) profileCredential(name, typed string) (Credential, error) {
	if strings.EqualFold(name, SandboxName) {
		box := config.Profile{Name: SandboxName, APIURL: sandbox.BaseURL}
		return Credential{Kind: SandboxName, Source: SandboxName, Profile: box, Exists: true, Typed: SandboxName}, nil
	}
	file, err := e.Profiles()
	if err != nil {
		return Credential{}, err
	}
	profile, ok := file.Profile(name)
	if err := config.ValidName(name); !ok && err != nil {
		return Credential{}, problem.Of(problem.Usage, err)
	}
	profile.Name = cmp.Or(profile.Name, name)
	kind := StoreOf(profile)
	return Credential{Kind: kind, Source: kind, Profile: profile, Exists: ok, Typed: typed}, nil
}

// StoreOf is the kind of credential that a profile has.
func StoreOf(p config.Profile) string {
	if len(p.CredentialCommand) > 0 {
		return KindCommand
	}
	return cmp.Or(p.Store, config.StoreKeyring)
}

// AddressOf is the base URL of a profile.
func AddressOf(p config.Profile) string { return cmp.Or(p.APIURL, utho.DefaultBaseURL) }

// OriginOf is scheme, host and port of a base URL: the place that a secret is stored for.
func OriginOf(base string) (string, error) {
	u, err := utho.ParseBaseURL(base)
	if err != nil {
		return "", problem.Hintf(err, "the default is %s", utho.DefaultBaseURL)
	}
	return auth.Origin(u), nil
}

// WarnShadowed says what the environment has that will be used instead of a profile.
func (e *Env) WarnShadowed(profile string) {
	set := FromEnvironment()
	_, other := e.Named()
	switch {
	case len(set) > 0 && !strings.EqualFold(other, SandboxName):
		e.Console.Warn("%s is set and is used instead of this profile", set[0])
	case other != "" && !strings.EqualFold(other, profile):
		e.Console.Warn("UTHO_PROFILE=%s is set and is used instead of this profile", other)
	}
}

// Route is what leads a pasted command to the same place.
type Route struct{ Profile, APIURL string }

// Command is a line of shell that people can paste: utho, the flags that lead to the same place, and the words.
func (r Route) Command(words ...string) string {
	line := []string{"utho"}
	if r.Profile != "" {
		line = append(line, "-p", output.Quote(r.Profile))
	}
	if r.APIURL != "" {
		if _, err := utho.ParseBaseURL(r.APIURL); err == nil { // a refused one may hold a password
			line = append(line, "--api-url", output.Quote(r.APIURL))
		}
	}
	for _, w := range words {
		line = append(line, output.Quote(w))
	}
	return strings.Join(line, " ")
}

// About is Command with ids behind the words, and -- before them if one would pass for a flag.
func (r Route) About(ids []string, words ...string) string {
	if slices.ContainsFunc(ids, func(id string) bool { return strings.HasPrefix(id, "-") }) {
		words = append(words, "--")
	}
	return r.Command(append(words, ids...)...)
}
