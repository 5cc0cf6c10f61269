package lifecycle

import (
	"slices"
	"strings"
	"time"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/pkg/utho"
)

// IsID reports whether an argument can only be an id: digits.
func IsID(arg string) bool { return arg != "" && strings.Trim(arg, "0123456789") == "" }

// Find returns the token that an argument means. Digits are an id and only that, so that a stale command never hits
// a name; anything else is an id, else an exact name, else a name without its expiry. *NotFoundError,
// *AmbiguousError.
func Find(tokens []utho.Token, arg string) (utho.Token, error) {
	return only(tokens, matches(tokens, arg), arg)
}

// only is the one token that was found.
func only(tokens, found []utho.Token, arg string) (utho.Token, error) {
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		same := filter(tokens, func(t utho.Token) bool { return t.Name == arg })
		return utho.Token{}, &NotFoundError{Arg: arg, Named: same, Close: closeName(tokens, arg)}
	}
	return utho.Token{}, &AmbiguousError{Arg: arg, Tokens: found}
}

func matches(tokens []utho.Token, arg string) []utho.Token {
	found := filter(tokens, func(t utho.Token) bool { return t.ID == arg })
	if len(found) == 0 && !IsID(arg) {
		found = filter(tokens, func(t utho.Token) bool { return t.Name == arg })
	}
	if len(found) == 0 && !IsID(arg) {
		found = filter(tokens, func(t utho.Token) bool { return expiry.Has(t.Name) && BaseName(t.Name) == arg })
	}
	return found
}

// closeName is the one name that begins like arg, or that arg begins like.
func closeName(tokens []utho.Token, arg string) string {
	var found []string
	for _, t := range tokens {
		base := BaseName(t.Name)
		near := strings.HasPrefix(base, arg) || base != "" && strings.HasPrefix(arg, base)
		if len(arg) >= 3 && near && !slices.Contains(found, base) {
			found = append(found, base)
		}
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

// taken are the tokens that have a name, compared without their expiry. Expired ones do not count.
func taken(tokens []utho.Token, name string, now time.Time) []utho.Token {
	return filter(tokens, func(t utho.Token) bool { return BaseName(t.Name) == name && !expiry.Expired(t.Name, now) })
}

// addedTo are the tokens of a name that were not there before.
func addedTo(before []string, tokens []utho.Token, name string) []utho.Token {
	return filter(tokens, func(t utho.Token) bool { return t.Name == name && !slices.Contains(before, t.ID) })
}
