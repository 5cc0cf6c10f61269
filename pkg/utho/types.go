package utho

import "time"

// Token is one API token as the service lists it. The service never lists a secret.
type Token struct {
	// ID is the service's number, digit by digit as it came; treat it as opaque. Never empty.
	ID string `json:"id"`
	// Name is text typed by somebody. It may repeat, and hold anything, escape sequences too.
	Name string `json:"name"`
	// Scope is ScopeReadOnly or ScopeWrite.
	Scope Scope `json:"access_scope"`
	// CreatedAt is CreatedRaw in the client's location (WithLocation), to the second. It is the zero time if
	// CreatedRaw is not of the form 2006-01-02 15:04:05.
	CreatedAt time.Time `json:"created_at,omitzero"`
	// CreatedRaw is the time stamp as the service gave it, which has no zone. Empty if it gave none.
	CreatedRaw string `json:"created_at_raw"`
}

// TokenList is what ListTokens returns.
type TokenList struct {
	Tokens     []Token   // in the service's order, and all there are: the list has no pages
	ServerTime time.Time // the service's clock when it answered (the Date header, to the second); zero if it did not say
}

// Account is whose token the client uses. Fields that the service left out are empty.
type Account struct {
	ID      string `json:"id"`   // "32154"
	Name    string `json:"name"` // the service's fullname
	Email   string `json:"email"`
	Company string `json:"company"`
}

// CreateTokenRequest is what CreateToken needs. Both fields must be set.
type CreateTokenRequest struct {
	Name  string // any text in UTF-8 but the empty one; it need not be free
	Scope Scope  // what the token shall be allowed to do; that the service created it so can only be read in the list
}

// CreatedToken is a new token. The service does not give its id here: list to find it.
//
// The secret is only in the field: fmt, log/slog and encoding/json show a CreatedToken without it, so that one
// printed or logged by mistake is not a leak.
type CreatedToken struct {
	Secret  string `json:"-"`       // the token itself, shown this once; it can stand in a header as it is
	Message string `json:"message"` // what the service said with it, without the secret
}

// String shows the message only.
func (t CreatedToken) String() string { return "utho.CreatedToken(" + t.Message + ")" }

// GoString is String, for %#v.
func (t CreatedToken) GoString() string { return t.String() }
