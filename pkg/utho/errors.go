package utho

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The kinds of failure. An error of a Client method matches at most one of them with errors.Is.
var (
	// ErrUnauthorized: the service does not know the secret, or no longer.
	ErrUnauthorized = errors.New("not authorized")
	// ErrForbidden: the secret is good but may not do this; a read-only one cannot create or
	// delete.
	ErrForbidden = errors.New("forbidden")
	// ErrNotFound: there is no token with that id. Only DeleteToken gives it. It may have been
	// there a moment ago: a delete whose answer was lost is sent again and then finds nothing.
	ErrNotFound = errors.New("not found")
	// ErrUnavailable: the service cannot be reached, is overloaded, or the time ran out, and
	// sending again did not help or was not possible. For CreateToken: nothing was created.
	ErrUnavailable = errors.New("service unavailable")
	// ErrOutcomeUnknown: CreateToken may have made a token, and its secret is lost. No other
	// method gives it.
	ErrOutcomeUnknown = errors.New("outcome unknown")
)

// What New refuses. The texts never quote the secret.
var (
	// ErrBadSecret: the secret is empty or holds bytes that cannot stand in a header.
	ErrBadSecret = errors.New("bad secret")
	// ErrSandboxSecret: a secret of the sandbox is sent only to the machine itself.
	ErrSandboxSecret = errors.New("sandbox secret")
)

// Error is the error of every method of Client that talks to the service. errors.Is matches its
// Kind and its cause, a context's too.
type Error struct {
	// Op is what was being done to what: "list tokens", "delete token 10000".
	Op string
	// Status is the HTTP status of the last answer, 0 if there was none. The service reports
	// most failures with 200.
	Status int
	// Message is what the service said, if anything: its words, with secrets taken out and cut
	// to 2 KiB.
	Message string
	// Kind is one of ErrUnauthorized, ErrForbidden, ErrNotFound, ErrUnavailable and
	// ErrOutcomeUnknown, or nil for any other failure.
	Kind error
	// Sent tells whether any request may have reached the service. Where it is false, nothing
	// has happened there.
	Sent bool
	// Attempts is how often it was tried; 0 where it was refused before.
	Attempts int
	// RetryAfter is how long the service asked to wait, 0 if it did not.
	RetryAfter time.Duration
	// Err is the cause where it is not the service's word. May be nil.
	Err error
}

// Error gives one line: the operation, the HTTP status where it is a failure, the service's
// words, the cause. It is safe on a terminal only after control characters in it are made
// harmless, because the service's words are in it.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Kind == ErrOutcomeUnknown {
		b.WriteString(": outcome unknown")
	}
	if e.Status != 0 && e.Status/100 != 2 {
		b.WriteString(": HTTP " + strconv.Itoa(e.Status))
		if text := http.StatusText(e.Status); text != "" {
			b.WriteString(" " + text)
		}
	}
	if e.Message != "" {
		b.WriteString(": the service says: " + e.Message)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Attempts > 1 {
		b.WriteString(" (attempt " + strconv.Itoa(e.Attempts) + ")")
	}
	// The service's words may hold line breaks, which would pass for words of the program.
	return strings.NewReplacer("\n", `\n`, "\r", `\r`).Replace(b.String())
}

// Unwrap gives the kind and the cause.
func (e *Error) Unwrap() []error {
	errs := make([]error, 0, 2)
	for _, err := range []error{e.Kind, e.Err} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// maxMessage bounds what of the service's words is kept, in bytes.
const maxMessage = 2 << 10

// kindOfStatus is the kind of an answer outside 2xx. 500 has none: the service failed, and
// nothing says that it will be better later.
func kindOfStatus(status int, message string) error {
	switch status {
	case http.StatusUnauthorized:
		return ErrUnauthorized
	case http.StatusForbidden:
		if badKey(plainWords(message)) {
			return ErrUnauthorized
		}
		return ErrForbidden
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return ErrUnavailable
	}
	return kindOfMessage(message)
}

// kindOfMessage tells the kind of failure from the service's words, nil if they tell none. The
// service sends failures with HTTP 200 and has no field for a code, so this is a heuristic, and
// this function is the only place for it. In this order:
//
//  0. words about a bad key or none ("Please provide a valid API key", "invalid token", "token has
//     expired", "API key is required", "unauthenticated", "Unauthorized access") are ErrUnauthorized,
//  1. words about how many there may be ("limit reached", "no API key left", "not allowed to create
//     more than 5") are none of these,
//  2. words about a missing right ("permission", "write access", "read-only", "forbidden",
//     "not authorized to …") are ErrForbidden,
//  3. words about authorization ("Unauthorized access", "not authorized") are ErrUnauthorized,
//  4. "not found", "does not exist" and their like are ErrNotFound.
//
// Words about what a request holds ("invalid token name", "write permission must be on or off")
// are none of these.
func kindOfMessage(message string) error {
	m := plainWords(message)
	has := func(phrases ...string) bool {
		for _, p := range phrases {
			if strings.Contains(m, " "+p+" ") {
				return true
			}
		}
		return false
	}
	switch {
	case badKey(m) || has("unauthorized access"):
		return ErrUnauthorized
	case has("limit", "limits", "quota", "maximum", "too many", "more than", "no more", "left"):
		return nil
	case has("permission denied", "no permission", "no permissions", "without permission", "not permitted",
		"insufficient permission", "insufficient permissions", "insufficient scope", "insufficient privileges",
		"not have permission", "not have permissions", "not have the permission", "not have the required permission",
		"not have enough permission", "not have enough permissions", "not have sufficient permissions", "not have sufficient permission",
		"not have the necessary permissions", "not have the required permissions",
		"dont have permission", "doesnt have permission", "lacks permission", "lack permission", "missing permission", "lacks the permission",
		"requires write", "require write", "needs write", "need write", "write access", "write scope", "write permission required",
		"write permission is required", "no write", "not have write", "lacks write", "read only", "readonly",
		"not have access", "dont have access", "doesnt have access", "insufficient rights",
		"forbidden", "access denied", "not allowed to", "not authorized to", "unauthorized to"):
		return ErrForbidden
	case has("unauthorized", "not authorized", "authorization token", "authorization failed", "authorization required", "authorization error",
		"authorization header", "missing authorization", "invalid authorization"):
		return ErrUnauthorized
	case has("not found", "not exist", "not exists", "doesnt exist", "doesnt exists", "no such", "could not find", "cannot find", "cant find", "already deleted", "unknown id", "unknown token",
		"no token found", "no api found", "no api key found", "no record found", "no records found"):
		return ErrNotFound
	}
	return nil
}

// plainWords gives the words of a message in lower case with one blank around each, without
// punctuation and apostrophes.
func plainWords(message string) string {
	m := strings.NewReplacer("'", "", "’", "", "authoris", "authoriz").Replace(strings.ToLower(message))
	return " " + strings.Join(strings.FieldsFunc(m, func(r rune) bool {
		return r < '0' || r > '9' && r < 'a' || r > 'z' && r < 0x80
	}), " ") + " "
}

// badKey reports whether m, from plainWords, calls the credential bad or missing. "invalid token
// name" is about a name, "no token was made" about a new one.
func badKey(m string) bool {
	for _, phrase := range []string{"unauthenticated", "authentication", "not authenticated", "not logged in", "must be logged in", "login required",
		"please login", "please log in", "please sign in", "session expired", "session has expired",
		"unable to authenticate", "could not authenticate", "failed to authenticate"} {
		if strings.Contains(m, " "+phrase+" ") {
			return true
		}
	}
	for _, key := range []string{"api key", "apikey", "api token", "access token", "auth token", "authorization token", "bearer token", "token", "key", "credential", "credentials"} {
		for _, before := range []string{"valid ", "invalid ", "incorrect ", "bad ", "wrong ", "expired ", "revoked ", "disabled ", "missing ", "provide ", "provide an ", "provide your ", "no "} {
			for rest := m; ; {
				_, after, found := strings.Cut(rest, " "+before+key+" ")
				if !found {
					break
				}
				next, _, _ := strings.Cut(after, " ")
				switch next {
				case "name", "names", "id", "ids", "type", "scope", "length", "value", "limit", "quota", "found", "with", "named", "exists", "matches", "matching":
				case "", "given", "provided", "supplied", "specified", "sent", "present", "in":
					return true
				default:
					if before != "no " {
						return true
					}
				}
				rest = " " + after
			}
		}
		for _, after := range []string{
			" is invalid", " is not valid", " invalid", " not valid", " has expired", " is expired", " expired", " has been disabled", " is disabled", " disabled", " is not active", " is inactive", " has been revoked", " was revoked", " is revoked",
			" has been blacklisted", " is missing", " missing", " is required", " required", " not provided", " is not provided", " was not provided",
			" not supplied", " was not supplied", " not given", " was not given", " not sent", " was not sent", " is incorrect", " is wrong",
		} {
			if strings.Contains(m, " "+key+after+" ") {
				return true
			}
		}
	}
	return false
}
