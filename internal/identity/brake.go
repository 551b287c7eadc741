package identity

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// The brake's numbers: an address may be wrong ten times, and then once every
// six seconds. Tokens have 256 bits; the brake is there for the log, the ledger
// and the database, not for the tokens.
const (
	wrongBurst   = 10
	wrongEvery   = 6 * time.Second
	maxAddresses = 10_000
	auditEvery   = time.Minute // for one address
)

// brake counts refusals by address, for a bounded number of addresses.
type brake struct {
	mu        sync.Mutex
	addresses map[string]*account
	audits    *rate.Limiter // how many refusals get into the ledger, all addresses together
}

type account struct {
	limiter   *rate.Limiter
	count     int // since the last event
	audited   time.Time
	throttled bool
}

// verdict is what one refusal means.
type verdict struct {
	count int
	audit bool          // write it to the ledger
	wait  time.Duration // 0: the address may try again at once
}

func newBrake() *brake {
	return &brake{addresses: map[string]*account{}, audits: rate.NewLimiter(1, 20)}
}

func (b *brake) refused(address string, now time.Time) verdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	address = Network(address)
	a := b.addresses[address]
	if a == nil {
		if len(b.addresses) >= maxAddresses {
			b.forgetSome()
		}
		a = &account{limiter: rate.NewLimiter(rate.Every(wrongEvery), wrongBurst)}
		b.addresses[address] = a
	}
	a.count++
	v := verdict{count: a.count}
	begins := false
	if a.limiter.AllowN(now, 1) {
		a.throttled = false
	} else {
		begins, a.throttled = !a.throttled, true
		v.wait = wrongEvery
	}
	if (begins || now.Sub(a.audited) >= auditEvery) && b.audits.AllowN(now, 1) {
		v.audit, a.audited, a.count = true, now, 0
	}
	return v
}

// notAudited gives back refusals that could not be written to the ledger, so that
// the next one tries again.
func (b *brake) notAudited(address string, count int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a := b.addresses[Network(address)]; a != nil {
		a.count += count
		a.audited = time.Time{}
	}
}

// Network is what an address is counted as: an IPv6 site has as many addresses
// as it likes within its /64.
func Network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil || !ip.Is6() || ip.Is4In6() {
		return address
	}
	prefix, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}

// forgetSome makes room. Whoever fills the table with addresses gains nothing:
// an address that is forgotten starts with ten tries again, out of 2^256.
func (b *brake) forgetSome() {
	n := 0
	for address := range b.addresses {
		delete(b.addresses, address)
		if n++; n >= maxAddresses/10 {
			return
		}
	}
}
