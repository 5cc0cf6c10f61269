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
	URL    string // the address without its query, cut if it is long; empty if it could hold a password or a secret
	Reason string // in plain words; it quotes nothing of the address
}

// Error never quotes a user name, a password, or a query.
func (e *URLError) Error() string {
	if e.URL == "" {
		return "base URL: " + e.Reason
	}
	return "base URL " + strconv.Quote(e.URL) + ": " + e.Reason
}

// ParseBaseURL reads a base URL and gives it in one spelling: scheme and host in lower case, without the scheme's own
// port and without slashes at the end of its path. Two addresses with the same scheme and host are the same place,
// and a secret for one is good for the other.
//
// The error is a *URLError. http is only for the name localhost, 127.0.0.0/8 and ::1, literally; user names,
// passwords, queries, fragments and other schemes are refused.
func ParseBaseURL(base string) (*url.URL, error) {
	refuse := func(reason string) (*url.URL, error) {
		return nil, &URLError{URL: quotable(base), Reason: reason}
	}
	u, err := url.Parse(base)
	switch {
	case base != "" && !headerSafe(base) || strings.Contains(base, `\`):
		return refuse("holds blanks, backslashes, control characters or letters outside ASCII (write xn--… for such a name)")
	case err != nil: // its text can quote a password
		return refuse("cannot be read as a URL; it must start with https://")
	case u.User != nil:
		return refuse("must not hold a user name or a password")
	case u.Scheme != "https" && u.Scheme != "http":
		return refuse("must start with https://")
	case u.Opaque != "" || u.Host == "":
		return refuse("names no host")
	case u.RawQuery != "" || u.ForceQuery:
		return refuse("must not hold a query")
	case strings.Contains(base, "#"):
		return refuse("must not hold a fragment")
	}
	host, loopback, ok := canonicalHost(u)
	standard := map[string]uint64{"http": 80, "https": 443}[u.Scheme]
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	switch {
	case !ok:
		return refuse("names no host that could exist")
	case u.Port() == "":
		port = standard
	case err != nil || port == 0:
		return refuse("has a port outside 1 to 65535")
	}
	if u.Scheme == "http" && !loopback {
		return refuse("http:// would send the secret unencrypted and is only for localhost; use https://")
	}
	if port != standard {
		host += ":" + strconv.FormatUint(port, 10)
	}
	path, rawPath := strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	return &url.URL{Scheme: u.Scheme, Host: host, Path: path, RawPath: rawPath}, nil
}

// canonicalHost gives the one spelling of the URL's host, with brackets around IPv6, and reports whether it is this
// machine and whether it can be a host at all.
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
	strange := strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-._") != ""
	return name, name == "localhost", !strange && name != "" && name[0] != '.' && !strings.Contains(name, "..")
}

// quotable is what of a refused address may be repeated: nothing if there can be a password or a secret in it, or if
// it is no address at all.
func quotable(base string) string {
	address, _, _ := strings.Cut(base, "?")
	if strings.ContainsAny(base, "@#") || strings.Contains(base, "live_") || !strings.Contains(address, "/") {
		return ""
	}
	return clip(address, 200)
}

// endpoints gives what is where: the tokens are at BASE/api and the account at BASE/account/info. A base that ends in
// /api is itself the tokens, and the account stands beside it.
func endpoints(base *url.URL) (tokens, account string) {
	path := strings.TrimRight(strings.TrimSuffix(base.EscapedPath(), "/api"), "/")
	root := base.Scheme + "://" + base.Host + path
	return root + "/api", root + "/account/info"
}
