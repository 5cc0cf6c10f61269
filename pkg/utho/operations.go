package utho

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"unicode/utf8"
)

// ListTokens returns all tokens of the account (GET BASE/api). A list in which any token cannot be read is an error,
// never a shorter list.
func (c *Client) ListTokens(ctx context.Context) (list *TokenList, err error) {
	err = c.do(ctx, &call{
		op: "list tokens", method: http.MethodGet, url: c.tokens, wants: "api",
		read: func(a *answer, o *object) error {
			tokens, err := o.readTokens(c.loc, c.redact)
			if err == nil {
				at, _ := http.ParseTime(a.header.Get("Date")) // the zero time if there is none
				list = &TokenList{Tokens: tokens, ServerTime: at}
			}
			return err
		},
	})
	return list, err
}

// Account returns the account that the client's secret belongs to (GET BASE/account/info).
func (c *Client) Account(ctx context.Context) (account *Account, err error) {
	err = c.do(ctx, &call{
		op: "read account", method: http.MethodGet, url: c.account, wants: "user",
		read: func(_ *answer, o *object) (err error) {
			account, err = o.readAccount()
			return err
		},
	})
	return account, err
}

// DeleteToken deletes the token with the given id for good (DELETE BASE/api/ID/delete). The error is ErrNotFound if
// there is none, and ErrForbidden if the client's own secret is read-only.
//
// Only an answer that says so is a success. After any other, list to find out whether the token is gone: the words of
// the service are not a reliable sign.
func (c *Client) DeleteToken(ctx context.Context, id string) error {
	op := "delete token " + c.redact(id)
	if id == "" || id == "." || id == ".." {
		return &Error{Op: op, Err: fmt.Errorf("%q is no id", id)}
	}
	at := c.tokens + "/" + url.PathEscape(id) + "/delete" // one segment, whatever is in the id
	return c.do(ctx, &call{op: op, method: http.MethodDelete, url: at, wants: "message", byID: true})
}

// CreateToken creates a token and returns its secret, which the service shows only once (POST BASE/api/generate).
//
// It is sent again only if the connection was never made, or the service refused it unread (429): a lost answer may
// have been a token. An error that is not ErrOutcomeUnknown says that nothing was created: the service refused, or
// the request never left. ErrOutcomeUnknown is everything else: no answer, a 5xx, a redirect, a page, an
// answer without a usable secret. Whether there is a new token can then only be found out by listing.
func (c *Client) CreateToken(ctx context.Context, r CreateTokenRequest) (*CreatedToken, error) {
	write := map[Scope]string{ScopeReadOnly: "off", ScopeWrite: "on"}[r.Scope]
	k := &call{op: "create token", method: http.MethodPost, url: c.tokens + "/generate", created: &CreatedToken{}}
	switch {
	case r.Name == "":
		return nil, &Error{Op: k.op, Err: errors.New("the name is empty")}
	case !utf8.ValidString(r.Name):
		return nil, &Error{Op: k.op, Err: errors.New("the name is not UTF-8")}
	case write == "":
		return nil, &Error{Op: k.op, Err: errors.New("the scope must be read-only or write")}
	}
	k.body, _ = json.Marshal(map[string]string{"name": r.Name, "write": write}) // strings always have a spelling
	if err := c.do(ctx, k); err != nil {
		return nil, err
	}
	return k.created, nil
}
