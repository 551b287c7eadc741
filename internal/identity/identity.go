// Package identity settles who is calling: bearer tokens, their lookup in
// constant time, and the brake on those who try tokens that open nothing.
package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store"
)

// A token is euc_<id>_<secret>: the id (32 hex digits) finds the row, the
// secret (32 random bytes, base64url) is compared by its SHA-256.
var tokenForm = regexp.MustCompile(`^euc_([0-9a-f]{32})_([A-Za-z0-9_-]{43})$`)

// NewSecret makes a token from the system's randomness. token is shown once;
// only secretHash is kept.
func NewSecret() (id, token, secretHash string) {
	var raw [48]byte
	rand.Read(raw[:]) // never fails: the program stops first
	id = hex.EncodeToString(raw[:16])
	secret := base64.RawURLEncoding.EncodeToString(raw[16:])
	return id, "euc_" + id + "_" + secret, hashOf(secret)
}

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// Refusal says why a caller is nobody. RetryAfter is set when the address has
// to wait.
type Refusal struct {
	Reason     string
	RetryAfter time.Duration
}

func (r *Refusal) Error() string { return r.Reason }

// Authenticator tells callers apart. It is safe for concurrent use.
type Authenticator struct {
	store *store.Store
	clock func() time.Time
	log   *slog.Logger
	brake *brake
	touch chan touch

	mu    sync.Mutex
	known map[string]seen // by token id
}

// New makes an authenticator. It notes the use of tokens in the background
// until ctx is done. clock nil means the machine's.
func New(ctx context.Context, st *store.Store, clock func() time.Time, log *slog.Logger) *Authenticator {
	if clock == nil {
		clock = time.Now
	}
	a := &Authenticator{store: st, clock: clock, log: log, brake: newBrake(), touch: make(chan touch, 64), known: map[string]seen{}}
	go a.noteUses(ctx)
	return a
}

// Authenticate returns who holds the token in an Authorization header, and the
// token's id. A caller without a valid one gets a *Refusal; other errors are the
// store's.
//
// again says that the verb will look at the token again, in the transaction or
// the snapshot that it works on: then what was read of it a moment ago will do
// here. Nobody is refused by that.
func (a *Authenticator) Authenticate(ctx context.Context, authorization string, source cab.Source, again bool) (actor cab.Actor, tokenID string, err error) {
	if authorization == "" {
		return cab.Actor{}, "", &Refusal{Reason: "send a token: Authorization: Bearer euc_…"}
	}
	scheme, credential, _ := strings.Cut(authorization, " ")
	form := tokenForm.FindStringSubmatch(credential)
	if !strings.EqualFold(scheme, "Bearer") || form == nil {
		return cab.Actor{}, "", a.refuse(ctx, source, "", "this is not a Eucora token; it looks like euc_…")
	}
	id, secret := form[1], form[2]
	now := a.clock().UTC()
	token, principal, err := a.look(ctx, id, now, again)
	if again && (err != nil || !token.Live(principal, now)) {
		token, principal, err = a.look(ctx, id, now, false)
	}
	if err != nil && cab.KindOf(err) != cab.NotFound {
		return cab.Actor{}, "", err
	}
	// An unknown token has an empty hash: the comparison is made all the same.
	match := subtle.ConstantTimeCompare([]byte(hashOf(secret)), []byte(token.SecretHash)) == 1
	if err != nil || !match || !token.Live(principal, now) {
		return cab.Actor{}, "", a.refuse(ctx, source, id, "the token is unknown, expired or revoked, or its user is disabled")
	}
	a.noteUse(token, now)
	return principal.Actor(), id, nil
}

// lately is how old what is known of a token may be where it is looked at again.
const lately = 2 * time.Second

// seen is a token as it was read.
type seen struct {
	token     cab.Token
	principal cab.Principal
	at        time.Time
}

// look reads a token and its account, or for lately takes what was read before.
func (a *Authenticator) look(ctx context.Context, id string, now time.Time, again bool) (cab.Token, cab.Principal, error) {
	if again {
		a.mu.Lock()
		known, ok := a.known[id]
		a.mu.Unlock()
		if age := now.Sub(known.at); ok && 0 <= age && age < lately {
			return known.token, known.principal, nil
		}
	}
	var s seen
	err := a.store.View(ctx, func(r *store.Reader) (err error) {
		s.token, s.principal, err = r.Token(id)
		return err
	})
	if err != nil {
		return cab.Token{}, cab.Principal{}, err
	}
	s.at = now
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.known) >= maxKnown {
		clear(a.known)
	}
	a.known[id] = s
	return s.token, s.principal, nil
}

// maxKnown bounds how many tokens are remembered for a moment.
const maxKnown = 10_000

// refuse counts a refusal against its address, writes it down, and decides
// whether the address has to wait.
func (a *Authenticator) refuse(ctx context.Context, source cab.Source, tokenID, reason string) error {
	now := a.clock()
	verdict := a.brake.refused(source.Address, now)
	a.log.Warn("token refused", "address", source.Address, "token_id", tokenID, "refusals", verdict.count, "throttled", verdict.wait > 0)
	if verdict.audit {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second) // whoever hangs up is audited all the same
		defer cancel()
		err := a.store.Update(ctx, func(tx *store.Tx) error {
			return tx.Save(cab.RefuseAccess(cab.Call{Source: source, Now: now.UTC().Truncate(time.Microsecond)}, verdict.count))
		})
		if err != nil {
			a.brake.notAudited(source.Address, verdict.count)
			a.log.Error("a refusal could not be written to the ledger", "address", source.Address, "error", err)
		}
	}
	if verdict.wait > 0 {
		return &Refusal{Reason: "too many wrong tokens from this address; wait before the next try", RetryAfter: verdict.wait}
	}
	return &Refusal{Reason: reason}
}

// touch is a token's use, to be noted.
type touch struct {
	id string
	at time.Time
}

// noteUse hands a use on to be noted, at most once a minute for each token. It
// never waits: when too many wait already, this one is not noted.
func (a *Authenticator) noteUse(t cab.Token, now time.Time) {
	if now.Sub(t.LastUsedAt) < time.Minute {
		return
	}
	select {
	case a.touch <- touch{t.ID, now}:
	default:
	}
}

func (a *Authenticator) noteUses(ctx context.Context) {
	noted := map[string]time.Time{} // what is on its way to the database
	for {
		select {
		case <-ctx.Done():
			return
		case use := <-a.touch:
			if use.at.Sub(noted[use.id]) < time.Minute {
				continue
			}
			if len(noted) > 10_000 {
				clear(noted)
			}
			noted[use.id] = use.at
			err := a.store.Update(ctx, func(tx *store.Tx) error { return tx.TouchToken(use.id, use.at) })
			if err != nil && !errors.Is(err, context.Canceled) {
				a.log.Warn("a token's last use was not noted", "error", fmt.Sprint(err))
			}
		}
	}
}
