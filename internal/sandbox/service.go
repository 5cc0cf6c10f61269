package sandbox

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The service's words where they are known (unauthorized, created), else the
// sandbox's own. All but the last two come with HTTP 200.
const (
	msgUnauthorized = "Unauthorized access. Please provide a valid API key."
	msgReadOnly     = "Permission denied. This API key has Read-Only access."
	msgNotFound     = "API key not found."
	msgCreated      = "New API has been created"
	msgDeleted      = "API has been deleted"
	msgEndpoint     = "Invalid API endpoint."
	msgMethod       = "Invalid request method for this API endpoint."
	msgJSON         = "The request body is not a valid JSON object."
	msgName         = "The name field is required."
	msgWrite        = `The write field is required and must be "on" or "off".`
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
	accountBody struct {
		Status string      `json:"status"`
		User   wireAccount `json:"user"`
	}
	wireAccount struct {
		ID         string `json:"id"`
		FullName   string `json:"fullname"`
		Company    string `json:"company"`
		Email      string `json:"email"`
		Country    string `json:"country"`
		CloudLimit string `json:"cloudlimit"`
		Currency   string `json:"currency"`
	}
)

// answer is what the service says to one request.
type answer struct {
	status  int
	body    any
	by      string // whose secret it was: "operator", an id, or empty
	created string // id of the token that the request made
}

func message(status int, kind, text string) answer {
	return answer{status: status, body: messageBody{Status: kind, Message: text}}
}

func refusal(text string) answer { return message(http.StatusOK, statusError, text) }

// reply is what goes on the wire: sent bytes of body, after which the
// connection breaks where that is not all of it.
type reply struct {
	status int
	header http.Header
	body   []byte
	sent   int
}

func (a answer) reply(now time.Time) (reply, error) {
	// PHP leaves <, > and & alone, and writes no newline at the end.
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(a.body); err != nil {
		return reply{}, fmt.Errorf("encode answer: %w", err)
	}
	return newReply(a.status, "application/json", bytes.TrimSuffix(buf.Bytes(), []byte("\n")), now), nil
}

func newReply(status int, contentType string, body []byte, now time.Time) reply {
	p := reply{status: status, header: http.Header{}, body: body, sent: len(body)}
	p.header.Set("Date", now.UTC().Format(http.TimeFormat))
	p.header.Set("Content-Type", contentType)
	p.header.Set("Content-Length", strconv.Itoa(len(body)))
	return p
}

type operation uint8

const (
	opUnknown operation = iota
	opWrongMethod
	opList
	opCreate
	opDelete
	opAccount
)

// route finds what a request asks for. It takes the path as it came, so that
// an escaped slash stays inside its segment: /v2/api/..%2Fcloud/delete is the
// deletion of a token with the odd id "../cloud", of which there is none.
func route(method, escapedPath string) (op operation, id string) {
	parts := strings.Split(escapedPath, "/")
	for i, part := range parts {
		plain, err := url.PathUnescape(part)
		if err != nil {
			return opUnknown, ""
		}
		parts[i] = plain
	}
	if len(parts) < 3 || parts[0] != "" || parts[1] != "v2" {
		return opUnknown, ""
	}
	want := ""
	switch parts = parts[2:]; {
	case len(parts) == 1 && parts[0] == "api":
		op, want = opList, http.MethodGet
	case len(parts) == 2 && parts[0] == "api" && parts[1] == "generate":
		op, want = opCreate, http.MethodPost
	case len(parts) == 3 && parts[0] == "api" && parts[2] == "delete":
		op, want, id = opDelete, http.MethodDelete, parts[1]
	case len(parts) == 2 && parts[0] == "account" && parts[1] == "info":
		op, want = opAccount, http.MethodGet
	default:
		return opUnknown, ""
	}
	if method != want {
		return opWrongMethod, ""
	}
	return op, id
}

// answer does what the request asks for. Errors are *StoreError; then nothing
// was done.
func (s *Sandbox) answer(r *http.Request, body []byte) (answer, error) {
	if !loopback(cmp.Or(r.Host, r.URL.Host)) {
		return message(http.StatusMisdirectedRequest, statusError, msgHost), nil
	}
	if len(body) > maxBody {
		return message(http.StatusRequestEntityTooLarge, statusError, msgTooLarge), nil
	}
	op, id := route(cmp.Or(r.Method, http.MethodGet), r.URL.EscapedPath())
	switch op {
	case opUnknown:
		return refusal(msgEndpoint), nil
	case opWrongMethod:
		return refusal(msgMethod), nil
	}
	var a answer
	err := s.store.update(r.Context(), func(st *state) (changed bool) {
		by, write, ok := st.authenticate(bearer(r.Header))
		switch {
		case !ok:
			a = refusal(msgUnauthorized)
		case (op == opCreate || op == opDelete) && !write:
			a = refusal(msgReadOnly)
		case op == opCreate:
			a, changed = create(st, body, s.clock())
		case op == opDelete:
			a, changed = remove(st, id)
		case op == opList:
			a = list(st)
		default:
			a = account()
		}
		a.by = by
		return changed
	})
	return a, err
}

// bearer returns the secret of a request; empty if there is none, or more than
// one header that claims to carry it.
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
		body.API = append(body.API, t.wire())
	}
	return answer{status: http.StatusOK, body: body}
}

func (t token) id() string { return strconv.FormatInt(t.ID, 10) }

func (t token) wire() wireToken {
	w := wireToken{ID: t.id(), Name: t.Name, Write: "0", Created: t.Created}
	if t.Write {
		w.Write = "1"
	}
	return w
}

func create(st *state, body []byte, now time.Time) (a answer, changed bool) {
	name, write, wrong := parseCreate(body)
	if wrong != "" {
		return refusal(wrong), false
	}
	id, secret := st.add(name, write, now)
	return answer{
		status:  http.StatusOK,
		body:    createBody{Status: statusSuccess, APIKey: secret, Message: msgCreated},
		created: id,
	}, true
}

// parseCreate reads {"name":…,"write":…}; wrong says what is wrong with it.
// Field names count letter by letter, and both must be there: a client that
// misspells one is not to pass for one that asked for a read-only token.
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

func remove(st *state, id string) (a answer, changed bool) {
	if !st.remove(id) {
		return refusal(msgNotFound), false
	}
	return message(http.StatusOK, statusSuccess, msgDeleted), true
}

func account() answer {
	return answer{status: http.StatusOK, body: accountBody{Status: statusSuccess, User: wireAccount{
		ID: "32154", FullName: "Asha Rao", Company: "Example Cloud Works", Email: "asha.rao@example.com",
		Country: "in", CloudLimit: "25", Currency: "INR",
	}}}
}
