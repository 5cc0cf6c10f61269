package sandbox

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// around answers a request as the rules say.
func (f *Faults) around(s *Sandbox, r *http.Request, body []byte) (reply, error) {
	index, rule := f.arrive(r, body)
	p, err := f.act(s, r, body, &rule, index)
	if err == nil {
		f.note(index, func(got *Request) { got.Status = p.status })
	}
	return p, err
}

func (f *Faults) act(s *Sandbox, r *http.Request, body []byte, rule *Rule, index int) (reply, error) {
	ctx := r.Context()
	if err := pause(ctx, rule.Delay); err != nil {
		return reply{}, err
	}
	if err := hold(ctx, rule.Hold); err != nil {
		return reply{}, err
	}
	if rule.DropBefore {
		return reply{}, io.EOF
	}
	var p reply
	if !rule.replaces() || rule.Effect || rule.KeepBody || rule.DropAfter {
		a, err := f.serve(s, r, body, rule)
		if err != nil {
			return reply{}, err
		}
		f.note(index, func(got *Request) { got.By, got.Effect = a.by, true })
		if p, err = a.reply(s.clock()); err != nil {
			return reply{}, err
		}
	}
	if err := hold(ctx, rule.HoldAfter); err != nil {
		return reply{}, err
	}
	if rule.DropAfter {
		return reply{}, io.EOF
	}
	return rule.spoil(p, s.clock()), nil
}

// serve lets the request take effect.
func (f *Faults) serve(s *Sandbox, r *http.Request, body []byte, rule *Rule) (answer, error) {
	f.serving.Lock()
	defer f.serving.Unlock()
	if f.refuses(bearer(r.Header)) {
		return refusal(msgUnauthorized), nil
	}
	a, err := s.answer(r, rule.tamper(body))
	if err != nil {
		return a, err
	}
	switch b := a.body.(type) {
	case createBody:
		f.created(a.created, b.APIKey, rule, s.clock())
	case listBody:
		b.API = f.visible(b.API, s.clock())
		a.body = b
	}
	return a, nil
}

// tamper rewrites what a create asks for. A body that is not a create's is left
// for the service to refuse.
func (r *Rule) tamper(body []byte) []byte {
	var fields map[string]any
	if !r.ForceWrite && r.CutName <= 0 || json.Unmarshal(body, &fields) != nil {
		return body
	}
	if r.ForceWrite {
		fields["write"] = "on"
	}
	if name, ok := fields["name"].(string); ok && r.CutName > 0 && len(name) > r.CutName {
		cut := r.CutName
		for cut > 0 && !utf8.RuneStart(name[cut]) {
			cut--
		}
		fields["name"] = name[:cut]
	}
	changed, err := json.Marshal(fields)
	if err != nil {
		return body
	}
	return changed
}

// created remembers what the rule wants of a new token.
func (f *Faults) created(id, secret string, rule *Rule, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.creates++
	if rule.HideLists > 0 || rule.HideFor > 0 {
		f.hidden[id] = &hiddenToken{lists: rule.HideLists, until: now.Add(rule.HideFor)}
	}
	if rule.RefuseNew > 0 {
		f.refused[hash(secret)] = rule.RefuseNew
	}
}

// visible leaves out the tokens that this list does not show yet.
func (f *Faults) visible(tokens []wireToken, now time.Time) []wireToken {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(tokens, func(t wireToken) bool {
		h := f.hidden[t.ID]
		if h == nil {
			return false
		}
		h.lists--
		return h.lists >= 0 || now.Before(h.until)
	})
}

// refuses reports whether the secret belongs to a token that does not work yet.
func (f *Faults) refuses(secret string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	sum := hash(secret)
	f.refused[sum]--
	if f.refused[sum] < 0 {
		delete(f.refused, sum)
		return false
	}
	return true
}

// spoil makes of the service's answer what the rule sends.
func (r *Rule) spoil(p reply, now time.Time) reply {
	if r.replaces() {
		status := http.StatusOK
		switch {
		case r.Status != 0:
			status = r.Status
		case r.RetryAfter != "":
			status = http.StatusTooManyRequests
		case r.RedirectTo != "":
			status = http.StatusFound
		}
		body := []byte(r.Body)
		if r.KeepBody {
			body = p.body
		}
		contentType := "application/json"
		if strings.HasPrefix(r.Body, "<") {
			contentType = "text/html; charset=UTF-8"
		}
		p = newReply(status, contentType, body, now)
		if r.RedirectTo != "" {
			p.header.Set("Location", r.RedirectTo)
		}
		if r.RetryAfter != "" {
			p.header.Set("Retry-After", r.RetryAfter)
		}
	}
	if r.Prefix != "" {
		p.body = append([]byte(r.Prefix), p.body...)
		p.sent = len(p.body)
		p.header.Set("Content-Length", strconv.Itoa(len(p.body)))
	}
	maps.Copy(p.header, r.Header)
	if r.Truncate {
		p.sent = len(p.body) / 2
	}
	return p
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// hold blocks until something comes from c; a nil c holds nothing.
func hold(ctx context.Context, c <-chan struct{}) error {
	if c == nil {
		return nil
	}
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
