package sandbox

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// The service's words if they are known (unauthorized, not found, created), else the sandbox's own. All but the
// last three come with HTTP 200.
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
	msgTooLarge     = "The request body is too large."                      // 413, as a web server says it
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

type operation uint8

const (
	opUnknown operation = iota
	opList
	opCreate
	opDelete
	opAccount
	opHealth
)

// route finds what a request asks for. It takes the path as it came, so that an escaped slash stays inside its
// segment: /v2/api/..%2Fcloud/delete is the deletion of a token with the odd id "../cloud", of which there is none.
func route(method, escapedPath string) (op operation, id string) {
	switch path := strings.TrimSuffix(escapedPath, "/"); method + " " + path {
	case "GET /v2/api":
		return opList, ""
	case "POST /v2/api/generate":
		return opCreate, ""
	case "GET /v2/account/info":
		return opAccount, ""
	case "GET " + HealthPath, "HEAD " + HealthPath:
		return opHealth, ""
	default:
		rest, api := strings.CutPrefix(path, "/v2/api/")
		segment, found := strings.CutSuffix(rest, "/delete")
		id, err := url.PathUnescape(segment)
		if method != http.MethodDelete || !api || !found || id == "" || err != nil || strings.Contains(segment, "/") {
			return opUnknown, ""
		}
		return opDelete, id
	}
}

// answer does what the request asks for. Errors are *StoreError; then nothing was changed.
func (s *Sandbox) answer(r *http.Request, body []byte) (answer, error) {
	if !loopback(cmp.Or(r.Host, r.URL.Host)) {
		return message(http.StatusMisdirectedRequest, statusError, msgHost), nil
	}
	if len(body) > maxBody {
		return message(http.StatusRequestEntityTooLarge, statusError, msgTooLarge), nil
	}
	method := cmp.Or(r.Method, http.MethodGet)
	op, id := route(method, r.URL.EscapedPath())
	switch op {
	case opUnknown:
		return message(http.StatusUnauthorized, statusError, msgNotFound+method), nil
	case opHealth:
		return message(http.StatusOK, statusSuccess, msgHealthy), nil
	}
	var a answer
	err := s.update(r.Context(), func(st *state) (changed bool) {
		by, write, ok := st.authenticate(bearer(r.Header))
		switch {
		case !ok:
			a = refusal(msgUnauthorized)
		case (op == opCreate || op == opDelete) && !write:
			a = refusal(msgReadOnly)
		case op == opCreate:
			a, changed = create(st, body)
		case op == opDelete:
			if changed = st.remove(id); changed {
				a = message(http.StatusOK, statusSuccess, msgDeleted)
			} else {
				a = refusal(msgUnknownID)
			}
		case op == opList:
			a = list(st)
		default:
			a = success(json.RawMessage(accountBody))
		}
		a.by = by
		return changed
	})
	return a, err
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

func list(st *state) answer {
	body := listBody{Status: statusSuccess, API: make([]wireToken, 0, len(st.Tokens))}
	for _, t := range st.Tokens {
		w := wireToken{ID: t.id(), Name: t.Name, Write: "0", Created: t.Created}
		if t.Write {
			w.Write = "1"
		}
		body.API = append(body.API, w)
	}
	return success(body)
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
