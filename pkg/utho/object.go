package utho

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

func (o *object) value(name string) value { return valueOf(o.members[name]) }

// status reads "status": "success", "error", or "" if it is missing, empty or null. Anything else is an error, true
// and 1 too: it is not guessed what they mean.
func (o *object) status(redact func(string) string) (string, error) {
	v := o.value("status")
	text := strings.ToLower(v.text)
	switch {
	case v.kind == 0, v.kind == 'n':
		return "", nil
	case v.kind == '"' && (text == "" || text == "success" || text == "error"):
		return text, nil
	}
	return "", &fieldError{"status", "is " + v.quote(redact) + `, neither "success" nor "error"`}
}

// said gives the service's words and code for a failure, without secrets and cut. They are in "message", else
// "error", else "errors", which may be a list of objects with message and code.
func (o *object) said(redact func(string) string) *Error {
	message, code := o.value("message").words(), o.value("errorcode").words()
	if message == "" {
		message = o.value("error").words()
	}
	var list []struct{ Message, Code value }
	if json.Unmarshal(o.members["errors"], &list) != nil && message == "" {
		message = o.value("errors").words()
	}
	for i, e := range list {
		if code == "" {
			code = e.Code.words()
		}
		if i == 0 && message == "" {
			message = e.Message.words()
		}
	}
	message = clip(redact(strings.ToValidUTF8(message, "\ufffd")), maxMessage)
	return &Error{Message: message, Code: clip(redact(strings.ToValidUTF8(code, "\ufffd")), 100)}
}

// failure gives the object as an error, nil if it says success, or nothing and has what was asked for.
func (o *object) failure(k *call, redact func(string) string) *Error {
	e := o.said(redact)
	status, err := o.status(redact)
	failed := e.Code != "" || o.value("error").words() != "" || o.value("errors").words() != ""
	switch {
	case err != nil:
		e.Err = err
	case status == "error" && e.Message == "" && e.Code == "":
		e.Err = errors.New("the service refuses without saying why")
	case status == "error", status == "" && failed:
	case status == "" && !o.has(k.wants):
		e.Err = errors.New("the answer holds no " + strconv.Quote(k.wants))
	case o.twice != "":
		return &Error{Err: &fieldError{clip(redact(o.twice), 40), "is there twice, with different values"}}
	default:
		return nil
	}
	return e
}
