package identity

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks of the reverse proxies before us that are believed. Without
// any, no header says where a call comes from.
type Proxies []netip.Prefix

// ParseProxies reads networks such as 10.0.0.0/8, or single addresses.
func ParseProxies(texts []string) (Proxies, error) {
	var all Proxies
	for _, text := range texts {
		text = strings.TrimSpace(text)
		prefix, err := netip.ParsePrefix(text)
		if ip, single := netip.ParseAddr(text); single == nil && ip.Zone() == "" {
			prefix, err = netip.PrefixFrom(ip, ip.BitLen()), nil
		}
		if err != nil || prefix.Addr().Is4In6() {
			return nil, fmt.Errorf("%q: want a network such as 10.0.0.0/8 or fd00::/8, or an address", text)
		}
		all = append(all, prefix.Masked())
	}
	return all, nil
}

func (p Proxies) holds(ip netip.Addr) bool {
	return ip.IsValid() && slices.ContainsFunc(p, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// Address is where a call comes from: the connection's other end, or, where that is a
// proxy of ours, the last address that proxies of ours say somebody else came from.
// What stands before it in X-Forwarded-For anybody may have written.
func (p Proxies) Address(r *http.Request) string {
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	at, err := netip.ParseAddr(peer)
	if at = bare(at); err != nil || !p.holds(at) {
		return peer
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		next, ok := hopAddress(hop)
		if !ok {
			break // nothing behind what cannot be read is believed
		}
		if at = next; !p.holds(at) {
			break
		}
	}
	return at.String()
}

// hopAddress reads an address of X-Forwarded-For, some of which have a port.
func hopAddress(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil {
		with, err := netip.ParseAddrPort(text)
		if err != nil {
			return netip.Addr{}, false
		}
		ip = with.Addr()
	}
	return bare(ip), true
}

// bare is an address in its one form.
func bare(ip netip.Addr) netip.Addr { return ip.Unmap().WithZone("") }

// Secure reports whether a call came over TLS: to here, or to the proxy of ours
// that it came from.
func (p Proxies) Secure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !p.holds(bare(at.Addr())) {
		return false
	}
	said := strings.Split(strings.Join(r.Header.Values("X-Forwarded-Proto"), ","), ",")
	return strings.EqualFold(strings.TrimSpace(said[len(said)-1]), "https")
}
