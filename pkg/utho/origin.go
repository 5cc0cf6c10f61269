package utho

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// DefaultBaseURL is where the service is.
const DefaultBaseURL = "https://api.utho.com/v2"

// URLError says why a base URL is refused.
type URLError struct {
	// URL is the address without query and fragment, cut where it is long. It is empty where
	// the address could hold a password or a secret.
	URL string
	// Reason is why, in plain words. It quotes nothing of the address.
	Reason string
}

// Error never quotes a user name, a password, or a query.
func (e *URLError) Error() string {
	if e.URL == "" {
		return "base URL: " + e.Reason
	}
	return "base URL " + strconv.Quote(e.URL) + ": " + e.Reason
}

// Origin gives "scheme://host", with ":port" where it is not the scheme's own, of a base URL: the
// place a secret is bound to. Two addresses with the same origin are the same place, whatever
// their letter case. The error is a *URLError: http is only for localhost, 127.0.0.0/8 and ::1;
// user names, passwords, queries and fragments are refused, and so is any other scheme.
func Origin(baseURL string) (string, error) {
	a, err := parseAddress(baseURL)
	return a.origin, err
}

// address is a base URL taken apart.
type address struct {
	origin   string // scheme://host[:port]
	path     string // escaped, without slashes at its end
	loopback bool
}

// parseAddress takes a base URL apart and holds it against the rules of Origin.
func parseAddress(raw string) (address, error) {
	refuse := func(reason string) (address, error) {
		return address{}, &URLError{URL: quotable(raw), Reason: reason}
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] <= ' ' || raw[i] > '~' || raw[i] == '\\' {
			return refuse("holds blanks, backslashes, control characters or letters outside ASCII (write xn--… for such a name)")
		}
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil: // its text can quote a password
		return refuse("cannot be read as a URL")
	case u.User != nil:
		return refuse("must not hold a user name or a password")
	case u.Scheme != "https" && u.Scheme != "http":
		return refuse("must start with https://")
	case u.Opaque != "" || u.Host == "":
		return refuse("names no host")
	case u.RawQuery != "" || u.ForceQuery:
		return refuse("must not hold a query")
	case strings.Contains(raw, "#"):
		return refuse("must not hold a fragment")
	}
	host, loopback, ok := canonicalHost(u)
	if !ok {
		return refuse("names no host that could exist")
	}
	if port := u.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return refuse("has a port outside 1 to 65535")
		}
		if !(u.Scheme == "https" && n == 443) && !(u.Scheme == "http" && n == 80) {
			host += ":" + strconv.FormatUint(n, 10)
		}
	}
	if u.Scheme == "http" && !loopback {
		return refuse("http:// would send the secret unencrypted and is only for localhost; use https://")
	}
	return address{
		origin:   u.Scheme + "://" + host,
		path:     strings.TrimRight(u.EscapedPath(), "/"),
		loopback: loopback,
	}, nil
}

// canonicalHost gives the one spelling of the URL's host, with brackets around IPv6, and whether
// it is this machine.
func canonicalHost(u *url.URL) (host string, loopback, ok bool) {
	name := strings.ToLower(u.Hostname())
	if strings.HasPrefix(u.Host, "[") {
		ip, err := netip.ParseAddr(name)
		if err != nil || ip.Zone() != "" {
			return "", false, false
		}
		return "[" + ip.String() + "]", ip == netip.IPv6Loopback(), true
	}
	if ip, err := netip.ParseAddr(name); err == nil {
		return name, ip.Is4() && ip.As4()[0] == 127, ip.Is4()
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_') {
			return "", false, false
		}
	}
	empty := name == "" || strings.HasPrefix(name, ".") || strings.Contains(name, "..")
	return name, name == "localhost", !empty
}

// quotable is what of a refused address may be repeated: nothing where an @ could mean a
// password in it, or where somebody has given the secret for the address.
func quotable(raw string) string {
	if strings.ContainsAny(raw, "@") || strings.Contains(raw, "live_") {
		return ""
	}
	if i := strings.IndexAny(raw, "?#"); i >= 0 {
		raw = raw[:i]
	}
	if !strings.Contains(raw, "/") {
		return "" // no address at all: it may be anything, a secret too
	}
	return clip(raw, 200)
}

// endpoints are the addresses of the service below a base URL.
type endpoints struct {
	tokens  string // the collection of tokens, without a slash at its end
	account string
}

// endpoints gives what is where: the tokens are at BASE/api and the account at BASE/account/info.
// A base that ends in /api is itself the tokens, and the account stands beside it.
func (a address) endpoints() endpoints {
	base := strings.TrimRight(strings.TrimSuffix(a.path+"/", "/api/"), "/")
	return endpoints{
		tokens:  a.origin + base + "/api",
		account: a.origin + base + "/account/info",
	}
}

func (e endpoints) create() string { return e.tokens + "/generate" }

// token is the address of one token's deletion. The id is escaped so that it stays one segment.
func (e endpoints) delete(id string) string { return e.tokens + "/" + url.PathEscape(id) + "/delete" }
