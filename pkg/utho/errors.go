package utho

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The kinds of failure. An error of a Client method matches at most one of them with errors.Is.
var (
	// ErrUnauthorized is returned when the API rejects the token as missing, invalid or revoked.
	ErrUnauthorized = errors.New("not authorized")
	// ErrForbidden is returned when the token is good but may not do this; a read-only one cannot create or delete.
	ErrForbidden = errors.New("forbidden")
	// ErrNotFound is returned when there is no token with that id. Only DeleteToken returns it. The token may have
	// been there a moment ago: a delete whose answer was lost is sent again and then finds nothing.
	ErrNotFound = errors.New("not found")
	// ErrUnavailable is returned when the service cannot be reached, is overloaded, or the time ran out, and sending
	// again did not help or was not possible. For CreateToken: nothing was created.
	ErrUnavailable = errors.New("service unavailable")
	// ErrOutcomeUnknown is returned when CreateToken may have created a token whose secret is lost. No other method
	// returns it.
	ErrOutcomeUnknown = errors.New("outcome unknown")
	// ErrWrongAddress is returned when the service's answers are not at the base URL: the path does not exist there,
	// nothing came back, or a web page. It says nothing about the token.
	ErrWrongAddress = errors.New("wrong address")
)

// ErrInvalidSecret is returned by New for a secret that is empty or holds bytes that cannot stand in a header. The
// error never quotes the secret.
var ErrInvalidSecret = errors.New("invalid secret")

// Error is the error of every method of Client that talks to the service. errors.Is matches its Kind and its cause, a
// context's too.
type Error struct {
	Op         string        // what was being done to what: "list tokens", "delete token 10000"
	StatusCode int           // of the last answer, 0 if there was none; the service reports most failures with 200
	Code       string        // the service's own code for the failure, if it gave one: "NONODEFOUND"
	Message    string        // what the service said, if anything: its words without secrets, cut to 2 KiB
	Kind       error         // one of the kinds of failure above, nil for any other
	Attempts   int           // how often it was tried; 0 if it was refused before
	RetryAfter time.Duration // how long the service asked to wait, 0 if it did not
	Err        error         // the cause if it is not the service's word: a *ProxyError, a context's error; may be nil
}

// Error gives one line: the operation, the HTTP status if it is a failure, the service's words and code, the cause.
// The service's words are in it: make control characters harmless before showing it on a terminal.
func (e *Error) Error() string {
	parts := []string{e.Op}
	if errors.Is(e.Kind, ErrOutcomeUnknown) {
		parts = append(parts, "outcome unknown")
	}
	// The status of a wrong address is that of a rejected token, and would be taken for one.
	if e.StatusCode != 0 && e.StatusCode/100 != 2 && !errors.Is(e.Kind, ErrWrongAddress) {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("HTTP %d %s", e.StatusCode, http.StatusText(e.StatusCode))))
	}
	if words := strings.TrimSuffix(e.Message+" ("+e.Code+")", " ()"); words != "" {
		parts = append(parts, "the service says", strings.TrimPrefix(words, " "))
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	text := strings.Join(parts, ": ")
	if e.Attempts > 1 {
		text += " (attempt " + strconv.Itoa(e.Attempts) + ")"
	}
	// The service's words may hold line breaks, which would pass for words of the program.
	return strings.NewReplacer("\n", `\n`, "\r", `\r`).Replace(text)
}

// Unwrap gives the kind and the cause.
func (e *Error) Unwrap() []error {
	return slices.DeleteFunc([]error{e.Kind, e.Err}, func(err error) bool { return err == nil })
}

// maxMessage bounds what of the service's words is kept, in bytes.
const maxMessage = 2 << 10

// kindOf is the kind of a failure that came as an answer, nil if it has none: 500, for example, says that the service
// failed, and not that it will be better later.
//
// A path that does not exist is answered with 401 and "Not Found" and the method, so that the status alone would call
// a wrong address a rejected token.
func (k *call) kindOf(status int, message string) error {
	kind := kindOfMessage(message)
	noPath := strings.EqualFold(strings.TrimSpace(message), "Not Found "+k.method)
	switch {
	case retryStatus(status):
		return ErrUnavailable
	case noPath && status < 500, status == http.StatusNotFound && !k.byID:
		return ErrWrongAddress
	case status == http.StatusUnauthorized, status == http.StatusForbidden && errors.Is(kind, ErrUnauthorized):
		return ErrUnauthorized
	case status == http.StatusForbidden:
		return ErrForbidden
	case status == http.StatusNotFound:
		return ErrNotFound
	case !errors.Is(kind, ErrNotFound) || k.byID:
		return kind
	}
	return nil
}

// kindOfMessage reads the kind of failure from the service's words, nil if they say none. The service sends failures
// with HTTP 200 and no code, so this is a heuristic, and this function is the only place for it: a wording that is
// not listed is no kind at all. A refused name is not a refused key.
func kindOfMessage(message string) error {
	m := " " + strings.Join(strings.FieldsFunc(strings.ToLower(message), func(r rune) bool {
		return r < 0x80 && (r < '0' || r > '9') && (r < 'a' || r > 'z') && r != '\''
	}), " ") + " "
	for _, known := range []struct {
		kind    error
		phrases []string
	}{
		{nil, []string{"name", "names"}},
		{ErrUnauthorized, []string{"unauthorized access", "unauthorised access", "unauthenticated", "valid api key",
			"invalid api key"}},
		{ErrForbidden, []string{"forbidden", "permission denied", "not have permission", "don't have permission",
			"read only", "write access", "access denied"}},
		{ErrUnauthorized, []string{"unauthorized", "unauthorised", "invalid token"}},
		{ErrNotFound, []string{"not found", "does not exist", "doesn't exist", "no such"}},
	} {
		for _, phrase := range known.phrases {
			if strings.Contains(m, " "+phrase+" ") {
				return known.kind
			}
		}
	}
	return nil
}
