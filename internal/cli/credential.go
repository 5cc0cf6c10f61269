package cli

import (
	"os"
	"slices"
	"strings"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/internal/problem"
	"github.com/utho/utho-cli/pkg/utho"
)

// sandboxName is the built-in profile that needs no account.
const sandboxName = config.Sandbox

// The kinds of credential besides the stores of config.
const (
	kindEnvironment = "environment"
	kindCommand     = "command"
)

// variables can hold a credential, the strongest first; keyFileVariable names a file with one.
var variables = [...]string{"UTHO_API_KEY", "UTHO_TOKEN"}

const keyFileVariable = "UTHO_API_KEY_FILE"

// credential is which credential is used, before anything secret is read.
type credential struct {
	kind    string         // environment, keyring, file, command or sandbox; "" for one from stdin
	source  string         // the variable's name, stdin, or the kind; "" if there is none
	profile config.Profile // without a name for a credential of no profile
	exists  bool           // the configuration has the profile
	typed   string         // the profile that --profile or UTHO_PROFILE named
	shadows []string       // what would have been used otherwise
}

// fromVariable is the secret of a variable, without white space and quotes around it.
func fromVariable(name string) string {
	value := strings.TrimSpace(os.Getenv(name))
	if n := len(value); n > 1 && strings.IndexByte(`"'`, value[0]) >= 0 && value[n-1] == value[0] {
		value = strings.TrimSpace(value[1 : n-1])
	}
	return value
}

// environmentCredentials are the variables that supply different credentials, the strongest first.
func environmentCredentials() (set []string) {
	for _, name := range variables {
		if value := fromVariable(name); value != "" && (len(set) == 0 || value != fromVariable(set[0])) {
			set = append(set, name)
		}
	}
	if os.Getenv(keyFileVariable) != "" {
		set = append(set, keyFileVariable)
	}
	return set
}

// named are the profiles that --profile and UTHO_PROFILE name; "" for neither.
func (p *program) named() (flag, variable string) {
	return strings.TrimSpace(p.flags.profile), strings.TrimSpace(os.Getenv("UTHO_PROFILE"))
}

// chosenProfile is the profile that login and logout are about, whatever the environment supplies.
func (p *program) chosenProfile() (name, typed string, err error) {
	flag, variable := p.named()
	file, err := p.profiles()
	if err != nil {
		return "", "", err
	}
	typed = firstOf(flag, variable)
	return firstOf(typed, file.Current(), config.DefaultProfile), typed, nil
}

// chooseCredential finds which credential is used, and what it shadows.
func (p *program) chooseCredential() (credential, error) {
	file, err := p.config()
	if err != nil {
		return credential{}, err
	}
	flag, fromEnv := p.named()
	set := environmentCredentials()
	var order []string
	add := func(profile string) {
		if profile != "" {
			order = append(order, "profile "+profile)
		}
	}
	add(flag)
	if strings.EqualFold(fromEnv, sandboxName) {
		add(sandboxName)
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
		return p.profileCredential(name, firstOf(flag, fromEnv), shadows)
	}
	if len(set) > 1 && set[1] == "UTHO_TOKEN" {
		p.console.Warn("UTHO_API_KEY and UTHO_TOKEN hold different values; UTHO_API_KEY is used")
	}
	if fromEnv != "" {
		p.console.Warn("%s is used; UTHO_PROFILE=%s has no effect beside it", set[0], fromEnv)
	}
	return credential{kind: kindEnvironment, source: set[0], shadows: shadows}, nil
}

// profileCredential is the credential of a profile. One that was named must be there.
func (p *program) profileCredential(name, typed string, shadows []string) (credential, error) {
	if strings.EqualFold(name, sandboxName) {
		box := config.Profile{Name: sandboxName}
		return credential{kind: sandboxName, source: sandboxName, profile: box, typed: sandboxName, shadows: shadows}, nil
	}
	file, err := p.profiles()
	if err != nil {
		return credential{}, err
	}
	profile, ok := file.Profile(name)
	if err := config.ValidName(name); !ok && err != nil {
		return credential{}, problem.Of(problem.Usage, err)
	}
	profile.Name = firstOf(profile.Name, name)
	if !ok && typed != "" {
		return credential{}, problem.Hintf(missing(name), "log in to create it: %s", route{profile: name, apiURL: p.flags.apiURL}.command("login"))
	}
	kind := storeOf(profile)
	return credential{kind: kind, source: kind, profile: profile, exists: ok, typed: typed, shadows: shadows}, nil
}

func storeOf(p config.Profile) string {
	if len(p.CredentialCommand) > 0 {
		return kindCommand
	}
	return firstOf(p.Store, config.StoreKeyring)
}

func addressOf(p config.Profile) string { return firstOf(p.APIURL, utho.DefaultBaseURL) }

func originOf(base string) (string, error) {
	u, err := utho.ParseBaseURL(base)
	if err != nil {
		return "", problem.Hintf(err, "the default is %s", utho.DefaultBaseURL)
	}
	return auth.Origin(u), nil
}

// warnShadowed says what the environment has that will be used instead of a profile.
func (p *program) warnShadowed(profile string) {
	set := environmentCredentials()
	_, other := p.named()
	switch {
	case len(set) > 0 && !strings.EqualFold(other, sandboxName):
		p.console.Warn("%s is set and is used instead of this profile", set[0])
	case other != "" && !strings.EqualFold(other, profile):
		p.console.Warn("UTHO_PROFILE=%s is set and is used instead of this profile", other)
	}
}

// route is what leads a pasted command to the same place.
type route struct{ profile, apiURL string }

// command is a line of shell that people can paste: utho, the flags that lead to the same place, and the words.
func (r route) command(words ...string) string {
	line := []string{"utho"}
	if r.profile != "" {
		line = append(line, "-p", quote(r.profile))
	}
	if r.apiURL != "" {
		if _, err := utho.ParseBaseURL(r.apiURL); err == nil { // a refused one may hold a password
			line = append(line, "--api-url", quote(r.apiURL))
		}
	}
	for _, w := range words {
		line = append(line, quote(w))
	}
	return strings.Join(line, " ")
}

// about is command with ids behind the words, and -- before them if one would pass for a flag.
func (r route) about(ids []string, words ...string) string {
	if slices.ContainsFunc(ids, func(id string) bool { return strings.HasPrefix(id, "-") }) {
		words = append(words, "--")
	}
	return r.command(append(words, ids...)...)
}

func (r route) loginTo(profile string) string {
	return route{profile: profile, apiURL: r.apiURL}.command("login")
}
