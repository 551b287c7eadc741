package identity

import (
	"crypto/tls"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestProxies(t *testing.T) {
	trusted, err := ParseProxies([]string{"10.0.0.0/8", " 192.0.2.1", "fd00::/8"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		peer, forwarded, want string
		none                  bool // no proxy is trusted
	}{
		"no proxy is trusted":           {peer: "10.0.0.1:1", forwarded: "198.51.100.7", want: "10.0.0.1", none: true},
		"not from a proxy":              {peer: "203.0.113.5:1", forwarded: "198.51.100.7", want: "203.0.113.5"},
		"from a proxy":                  {peer: "10.0.0.1:1", forwarded: "198.51.100.7", want: "198.51.100.7"},
		"made up before the proxy":      {peer: "10.0.0.1:1", forwarded: "1.1.1.1, 10.9.9.9, 198.51.100.7", want: "198.51.100.7"},
		"two proxies":                   {peer: "10.0.0.1:1", forwarded: "1.1.1.1, 198.51.100.7, 192.0.2.1", want: "198.51.100.7"},
		"in two headers":                {peer: "10.0.0.1:1", forwarded: "1.1.1.1\n198.51.100.7,10.0.0.2", want: "198.51.100.7"},
		"proxies only":                  {peer: "10.0.0.1:1", forwarded: "10.0.0.3, 10.0.0.2", want: "10.0.0.3"},
		"the proxy says nothing":        {peer: "10.0.0.1:1", want: "10.0.0.1"},
		"nonsense":                      {peer: "10.0.0.1:1", forwarded: "198.51.100.7, unknown", want: "10.0.0.1"},
		"nonsense behind a proxy":       {peer: "10.0.0.1:1", forwarded: "198.51.100.7, _hidden, 10.0.0.2", want: "10.0.0.2"},
		"empty between":                 {peer: "10.0.0.1:1", forwarded: "198.51.100.7,,10.0.0.2", want: "10.0.0.2"},
		"with a port":                   {peer: "10.0.0.1:1", forwarded: "198.51.100.7:4711", want: "198.51.100.7"},
		"IPv6":                          {peer: "[fd00::1]:1", forwarded: "2001:db8::7", want: "2001:db8::7"},
		"IPv6 with a port":              {peer: "[fd00::1]:1", forwarded: "[2001:db8::7]:80", want: "2001:db8::7"},
		"IPv6 in brackets, with a zone": {peer: "[fd00::1]:1", forwarded: "[fe80::1%eth0]", want: "fe80::1"},
		"IPv4 in IPv6":                  {peer: "[::ffff:10.0.0.1]:1", forwarded: "::ffff:198.51.100.7", want: "198.51.100.7"},
		"a peer that is none":           {peer: "pipe", forwarded: "198.51.100.7", want: "pipe"},
		"long":                          {peer: "10.0.0.1:1", forwarded: strings.Repeat("10.0.0.2,", 3000) + "198.51.100.7", want: "198.51.100.7"},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{}}
		if c.forwarded != "" {
			r.Header["X-Forwarded-For"] = strings.Split(c.forwarded, "\n")
		}
		p := trusted
		if c.none {
			p = nil
		}
		if got := p.Address(r); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	for text, good := range map[string]bool{
		"10.0.0.0/8": true, "10.1.2.3/8": true, "::1": true, "": false, "10.0.0.0/33": false, "proxy.example": false, "10.0.0.1:80": false, "fe80::1%eth0": false, "::ffff:10.0.0.0/104": false,
	} {
		if _, err := ParseProxies([]string{text}); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestSecure(t *testing.T) {
	trusted := Proxies{netip.MustParsePrefix("10.0.0.0/8")}
	for name, c := range map[string]struct {
		peer, said string
		tls, want  bool
	}{
		"plain": {peer: "203.0.113.5:1"}, "TLS here": {peer: "203.0.113.5:1", tls: true, want: true},
		"anybody says so": {peer: "203.0.113.5:1", said: "https"}, "the proxy says so": {peer: "10.0.0.1:1", said: "HTTPS", want: true},
		"the proxy says no": {peer: "10.0.0.1:1", said: "http"}, "the proxy says nothing": {peer: "10.0.0.1:1"},
		"made up before the proxy": {peer: "10.0.0.1:1", said: "https, http"}, "the last says so": {peer: "10.0.0.1:1", said: "http, https", want: true},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{}}
		if c.said != "" {
			r.Header.Set("X-Forwarded-Proto", c.said)
		}
		if c.tls {
			r.TLS = &tls.ConnectionState{}
		}
		if got := trusted.Secure(r); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// FuzzForwarded: whatever a header says, the answer is an address, and without a
// trusted proxy it is the connection's.
func FuzzForwarded(f *testing.F) {
	f.Add("198.51.100.7, 10.0.0.2", "10.0.0.1:1")
	f.Add(",,[::1]:80,unknown", "[fd00::1]:1")
	trusted := Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	f.Fuzz(func(t *testing.T, forwarded, peer string) {
		r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {forwarded}}}
		plain := Proxies(nil).Address(r)
		got := trusted.Address(r)
		if _, err := netip.ParseAddr(got); err != nil && got != plain {
			t.Errorf("%q from %q: %q is no address", forwarded, peer, got)
		}
	})
}
