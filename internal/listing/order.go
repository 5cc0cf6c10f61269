package listing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/pkg/utho"
)

// SortKeys returns the words that Order knows.
func SortKeys() []string { return []string{"name", "scope", "created", "id", "age", "expires"} }

// Order is the comparison for a sort key. A minus before the key reverses it.
func Order(word string) (func(x, y utho.Token) int, error) {
	var compare func(x, y utho.Token) int
	word, reverse := strings.CutPrefix(strings.TrimSpace(word), "-")
	switch plainKey(word) {
	case "name":
		compare = func(x, y utho.Token) int { return strings.Compare(x.Name, y.Name) }
	case "scope":
		compare = func(x, y utho.Token) int { return cmp.Compare(x.Scope.String(), y.Scope.String()) }
	case "id":
		compare = func(x, y utho.Token) int { return compareIDs(x.ID, y.ID) }
	case "created":
		return byTime(created, reverse), nil
	case "age":
		return byTime(created, !reverse), nil
	case "expires":
		return byTime(ends, reverse), nil
	default:
		return nil, fmt.Errorf("there is no order by %q (there are %s; -KEY reverses)", word, strings.Join(SortKeys(), ", "))
	}
	if reverse {
		return func(x, y utho.Token) int { return compare(y, x) }, nil
	}
	return compare, nil
}

func created(t utho.Token) time.Time { return t.CreatedAt }

func ends(t utho.Token) time.Time {
	_, at, _ := expiry.Split(t.Name)
	return at
}

// byTime orders by a moment. What has none comes last either way.
func byTime(of func(utho.Token) time.Time, reverse bool) func(x, y utho.Token) int {
	return func(x, y utho.Token) int {
		a, b := of(x), of(y)
		if reverse || a.IsZero() || b.IsZero() {
			return b.Compare(a)
		}
		return a.Compare(b)
	}
}

// compareIDs orders numbers as numbers, of any length.
func compareIDs(x, y string) int {
	if lifecycle.IsID(x) && lifecycle.IsID(y) {
		x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
		return cmp.Or(len(x)-len(y), strings.Compare(x, y))
	}
	return strings.Compare(x, y)
}

// Newest is the token with the latest time stamp; of equal ones that with the highest id.
func Newest(tokens []utho.Token) utho.Token {
	return slices.MaxFunc(tokens, func(a, b utho.Token) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), compareIDs(a.ID, b.ID))
	})
}

// Offers are the tokens that complete what is typed, besides those of args, each with a description behind a tab: by
// name if that means one token and needs no quotes, else by id.
func Offers(list *utho.TokenList, args []string, typed string) (all []string) {
	count := map[string]int{}
	for _, t := range list.Tokens {
		count[t.Name]++
	}
	for _, t := range list.Tokens {
		about := ""
		if !t.CreatedAt.IsZero() {
			about = ", " + expiry.Age(lifecycle.Now(list).Sub(t.CreatedAt))
		}
		word, other := t.ID, t.Name
		if count[t.Name] == 1 {
			if slices.Contains(args, t.Name) {
				continue // it is on the line already
			}
			if plainWord(t.Name) && !lifecycle.IsID(t.Name) && strings.HasPrefix(t.Name, typed) {
				word, other = t.Name, t.ID
			}
		}
		if plainWord(word) && strings.HasPrefix(word, typed) && !slices.Contains(args, t.ID) {
			all = append(all, word+"\t"+output.Safe(other)+" ("+t.Scope.Label()+about+")")
		}
	}
	return all
}

// plainWord reports whether every shell takes s as one word without quotes, and utho not as a flag.
func plainWord(s string) bool {
	return s != "" && s[0] != '-' && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune(".-_", r) && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z')
	})
}
