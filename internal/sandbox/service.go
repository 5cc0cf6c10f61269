package sandbox

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// The service's words if they are known (unauthorized, not found, created), else the sandbox's own. All but the
// last two come with HTTP 200.
const (
	msgUnauthorized = "Unauthorized access. Please provide a valid API key."
	msgReadOnly     = "Permission denied. This API key has Read-Only access."
	msgUnknownID    = "API key not found."
	msgCreated      = "New API has been created"
	msgDeleted      = "API has been deleted"
	msgHealthy      = "The sandbox is here."
	msgJSON         = "The request body is not a valid JSON object."
	msgName         = "The name field is required."
	msgWrite        = `The write field is required and must be "on" or "off".`
	msgNotFound     = "Not Found "                                          // and the method; 401, for an unknown path
	msgHost         = "The sandbox answers to the names of this host only." // 421
)

const (
	statusSuccess = "success"
	statusError   = "error"

	byOperator = "operator"
)

// What the service answers, as it is spelled on the wire.
type (
	messageBody struct {
		Status  string `json:"status"`
		Message string `json:"message"`
	}
	listBody struct {
		Status string      `json:"status"`
		API    []wireToken `json:"api"`
	}
	wireToken struct {
		ID      string `json:"id"`
		Name    string `json:"name"`
		Write   string `json:"write"` // "1" or "0"
		Created string `json:"created_at"`
	}
	createBody struct {
		Status  string `json:"status"`
		APIKey  string `json:"apikey"`
		Message string `json:"message"`
	}
)

// accountBody is the part of an account that the official SDK reads and that says something; amounts are numbers there.
const accountBody = `{"status":"success","user":{"id":"32154","type":"individual","fullname":"Asha Rao",` +
	`"company":"Example Cloud Works","email":"asha.rao@example.com","city":"Pune","country":"in","mobile":"9000000000",` +
	`"currencyprefix":"₹","currencyrate":"1.00000","currency":"INR","credit":500,"availablecredit":420.5,"freecredit":0,` +
	`"currentusages":79.5,"cloudlimit":"25"}}`

// answer is what the service says to one request.
type answer struct {
	status int
	body   any
	by     string // whose secret it was: "operator", an id, or empty
}

func message(status int, kind, text string) answer {
	return answer{status: status, body: messageBody{Status: kind, Message: text}}
}

func refusal(text string) answer { return message(http.StatusOK, statusError, text) }

func success(body any) answer { return answer{status: http.StatusOK, body: body} }

// answer does what a request asks for. The path is taken as it came, so that an escaped slash stays inside its
// segment: /v2/api/..%2Fcloud/delete is the deletion of a token with the odd id "../cloud", of which there is none.
// The error is a *StoreError, after which nothing was changed, or that of reading the body.
func (s *Sandbox) answer(r *http.Request) (a answer, err error) {
	if !loopback(cmp.Or(r.Host, r.URL.Host)) {
		return message(http.StatusMisdirectedRequest, statusError, msgHost), nil
	}
	method, path := cmp.Or(r.Method, http.MethodGet), strings.TrimSuffix(r.URL.EscapedPath(), "/")
	var body []byte
	if r.Body != nil {
		if body, err = io.ReadAll(r.Body); err != nil {
			return answer{}, fmt.Errorf("read request: %w", err)
		}
	}
	var do func(*state) (a answer, changed bool)
	switch method + " " + path {
	case "GET " + HealthPath, "HEAD " + HealthPath:
		return message(http.StatusOK, statusSuccess, msgHealthy), nil
	case "GET /v2/api":
		do = list
	case "GET /v2/account/info":
		do = func(*state) (answer, bool) { return success(json.RawMessage(accountBody)), false }
	case "POST /v2/api/generate":
		do = func(st *state) (answer, bool) { return create(st, body) }
	default:
		id, ok := deleted(method, path)
		if !ok {
			return message(http.StatusUnauthorized, statusError, msgNotFound+method), nil
		}
		do = func(st *state) (answer, bool) { return remove(st, id) }
	}
	err = s.update(r.Context(), func(st *state) (changed bool) {
		by, write, ok := st.authenticate(bearer(r.Header))
		switch {
		case !ok:
			a = refusal(msgUnauthorized)
		case method != http.MethodGet && !write:
			a = refusal(msgReadOnly)
		default:
			a, changed = do(st)
		}
		a.by = by
		return changed
	})
	return a, err
}

// deleted is the id of the token that a request wants deleted.
func deleted(method, path string) (id string, ok bool) {
	rest, api := strings.CutPrefix(path, "/v2/api/")
	segment, found := strings.CutSuffix(rest, "/delete")
	id, err := url.PathUnescape(segment)
	return id, method == http.MethodDelete && api && found && id != "" && err == nil && !strings.Contains(segment, "/")
}

// bearer returns the secret of a request; empty if there is none, or more than one header that claims to carry it.
func bearer(h http.Header) string {
	if len(h["Authorization"]) != 1 {
		return ""
	}
	scheme, secret, _ := strings.Cut(h["Authorization"][0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.Trim(secret, " ")
}

func list(st *state) (a answer, changed bool) {
	body := listBody{Status: statusSuccess, API: make([]wireToken, 0, len(st.Tokens))}
	for _, t := range st.Tokens {
		w := wireToken{ID: t.id(), Name: t.Name, Write: "0", Created: t.Created}
		if t.Write {
			w.Write = "1"
		}
		body.API = append(body.API, w)
	}
	return success(body), false
}

func remove(st *state, id string) (a answer, changed bool) {
	if !st.remove(id) {
		return refusal(msgUnknownID), false
	}
	return message(http.StatusOK, statusSuccess, msgDeleted), true
}

func create(st *state, body []byte) (a answer, changed bool) {
	name, write, wrong := parseCreate(body)
	if wrong != "" {
		return refusal(wrong), false
	}
	secret := st.add(name, write, time.Now())
	return success(createBody{Status: statusSuccess, APIKey: secret, Message: msgCreated}), true
}

// parseCreate reads {"name":…,"write":…}; wrong says what is wrong with it. Field names count letter by letter, and
// both must be there: a client that misspells one is not to pass for one that asked for a read-only token.
func parseCreate(body []byte) (name string, write bool, wrong string) {
	var fields map[string]json.RawMessage
	if !utf8.Valid(body) || json.Unmarshal(body, &fields) != nil {
		return "", false, msgJSON
	}
	if json.Unmarshal(fields["name"], &name) != nil || name == "" {
		return "", false, msgName
	}
	var scope any
	if json.Unmarshal(fields["write"], &scope) != nil {
		return "", false, msgWrite
	}
	switch scope {
	case "on", "1", "true", true, 1.0:
		return name, true, ""
	case "off", "0", "false", "", false, 0.0:
		return name, false, ""
	}
	return "", false, msgWrite
}
