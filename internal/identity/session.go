package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store"
)

// A session's secret in the cookie, and that of a sign-in link, is <id>_<secret>,
// as a token's is: the id finds the row, the secret is compared by its SHA-256.
var secretForm = regexp.MustCompile(`^([0-9a-f]{32})_([A-Za-z0-9_-]{43})$`)

// newSecret makes an id and a secret from the system's randomness.
func newSecret() (id, shown, secretHash string) {
	var raw [48]byte
	rand.Read(raw[:])
	id = hex.EncodeToString(raw[:16])
	secret := base64.RawURLEncoding.EncodeToString(raw[16:])
	return id, id + "_" + secret, hashOf(secret)
}

// NewLink makes the secret of a sign-in link. secret is shown once; only its hash
// is kept.
func NewLink() (id, secret, secretHash string) { return newSecret() }

// Sessions tells who is signed in to the console, and signs people in. It is safe
// for concurrent use.
type Sessions struct {
	store *store.Store
	clock func() time.Time
	hash  *hasher
}

// NewSessions makes it. clock nil means the machine's.
func NewSessions(st *store.Store, clock func() time.Time) *Sessions {
	if clock == nil {
		clock = time.Now
	}
	return &Sessions{store: st, clock: clock, hash: newHasher()}
}

// Who is somebody signed in.
type Who struct {
	Actor     cab.Actor
	SessionID string
	Expires   time.Time // if it is not used any more
}

// errSignedOut is one for all reasons: which it was is nobody's business.
func errSignedOut() error { return &Refusal{Reason: "you are not signed in, or no longer"} }

func (s *Sessions) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// Of returns who holds the secret of a cookie. Whoever has none that is good gets a
// *Refusal; other errors are the store's.
func (s *Sessions) Of(ctx context.Context, secret string) (Who, error) {
	form := secretForm.FindStringSubmatch(secret)
	if form == nil {
		return Who{}, errSignedOut()
	}
	var row store.SessionRow
	err := s.store.View(ctx, func(r *store.Reader) (err error) {
		row, err = r.Session(form[1])
		return err
	})
	if err != nil && cab.KindOf(err) != cab.NotFound {
		return Who{}, err
	}
	now := s.now()
	match := subtle.ConstantTimeCompare([]byte(hashOf(form[2])), []byte(row.SecretHash)) == 1
	if err != nil || !match || !row.Live(row.Principal, now) {
		return Who{}, errSignedOut()
	}
	if now.Sub(row.SeenAt) >= time.Minute {
		row.SeenAt = now
		if err := s.store.Update(ctx, func(tx *store.Tx) error { return tx.TouchSession(row.ID, now) }); err != nil {
			return Who{}, err
		}
	}
	return Who{row.Principal.Actor(), row.ID, row.ExpiresAt()}, nil
}

// maxName is far more than a user name can have.
const maxName = 200

// noName stands for what cannot be a user name.
const noName = "?"

// SignIn begins a session for whoever knows the password, and returns what goes
// into the cookie. old is what was in it: that session ends. The refusal is the
// same, and takes as long, whether or not there is such an account.
func (s *Sessions) SignIn(ctx context.Context, username, password, old string, source cab.Source) (secret string, who Who, err error) {
	username = strings.ToLower(strings.TrimSpace(username))
	if username == "" || len(username) > maxName || len(password) > 4*cab.MaxPassword {
		username, password = noName, ""
	}
	from := Network(source.Address)
	counted, err := s.count(ctx, username, from)
	if err != nil {
		return "", Who{}, err
	}
	secret, who, err = s.judge(ctx, username, password, old, source, counted)
	if _, wrong := errors.AsType[*Refusal](err); err != nil && !wrong {
		// Nobody got to look at it, so it was not wrong. Should this fail too, the
		// count stays: the error is the same, and there is nothing else to tell.
		kept, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		_ = s.store.Update(kept, counted.takeBack)
	}
	return secret, who, err
}

// judge looks at a password, in its turn, and begins the session.
func (s *Sessions) judge(ctx context.Context, username, password, old string, source cab.Source, counted counted) (string, Who, error) {
	var p cab.Principal
	var hash string
	err := s.store.View(ctx, func(r *store.Reader) (err error) {
		p, hash, err = r.Password(username)
		return err
	})
	if err != nil && cab.KindOf(err) != cab.NotFound {
		return "", Who{}, err
	}
	ok, err := s.hash.matches(ctx, counted.before.Network.Network, password, hash)
	if err != nil {
		return "", Who{}, err
	}
	if !ok || !p.DisabledAt.IsZero() {
		return "", Who{}, errWrong()
	}
	return s.begin(ctx, username, hash, old, source, func(tx *store.Tx) error {
		if err := counted.takeBack(tx); err != nil {
			return err
		}
		return tx.ForgetTries(username, counted.before.Network.Network)
	})
}

// errWrong is one for all reasons.
func errWrong() error { return &Refusal{Reason: "the name or the password is not right"} }

// counted is a try among the wrong ones.
type counted struct {
	at     time.Time
	before cab.Try
}

// takeBack takes it out again: it was not wrong.
func (c counted) takeBack(tx *store.Tx) error {
	now, err := tx.Try(c.before.Pair.Name, c.before.Pair.Network)
	if err != nil {
		return err
	}
	return tx.SaveTry(now.TakenBack(c.at, c.before))
}

// count counts a try before its password is looked at, or refuses it.
func (s *Sessions) count(ctx context.Context, name, network string) (counted, error) {
	var c counted
	var wait time.Duration
	err := s.store.Update(ctx, func(tx *store.Tx) (err error) { // a refusal is no error: it would undo what others do
		if c.before, err = tx.Try(name, network); err != nil {
			return err
		}
		c.at = s.now()
		if wait = c.before.Wait(c.at); wait > 0 {
			return nil
		}
		return tx.SaveTry(c.before.Counted(c.at))
	})
	if err == nil && wait > 0 {
		err = &Refusal{Reason: "too many tries; wait " + cab.WaitText(wait) + " before the next one", RetryAfter: wait}
	}
	return c, err
}

// begin begins a session for an account whose password had a hash that matched. It
// is read again here: by now it may be another one, and that one's sessions only are
// this account's.
func (s *Sessions) begin(ctx context.Context, username, matched, old string, source cab.Source, besides func(*store.Tx) error) (secret string, who Who, err error) {
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		p, hash, err := tx.Password(username)
		if cab.KindOf(err) == cab.NotFound || err == nil && (hash != matched || !p.DisabledAt.IsZero()) {
			return errWrong()
		}
		if err != nil {
			return err
		}
		call := cab.Call{Actor: p.Actor(), Source: source, Now: s.now()}
		if err := endOld(tx, old, call); err != nil {
			return err
		}
		if err := besides(tx); err != nil {
			return err
		}
		secret, who, err = open(tx, p, call)
		return err
	})
	return secret, who, err
}

// open begins a session, with a secret of its own: whatever was in the browser before
// opens nothing of it. An account has no more than [cab.MostSessions]: the oldest end.
func open(tx *store.Tx, p cab.Principal, call cab.Call) (secret string, who Who, err error) {
	rows, _, err := tx.Sessions(p.ID, call.Now)
	if err != nil {
		return "", Who{}, err
	}
	for i := cab.MostSessions - 1; i < len(rows); i++ {
		change, err := p.End(call, rows[i].Session)
		if err != nil {
			return "", Who{}, err
		}
		if err := tx.EndSession(rows[i].ID, call.Now, change); err != nil {
			return "", Who{}, err
		}
	}
	id, secret, hash := newSecret()
	session, change := p.SignIn(call, id, hash)
	return secret, Who{p.Actor(), session.ID, session.ExpiresAt()}, tx.SaveSession(session, change)
}

// endOld ends the session that a browser had before, if it has its secret.
func endOld(tx *store.Tx, old string, call cab.Call) error {
	form := secretForm.FindStringSubmatch(old)
	if form == nil {
		return nil
	}
	row, err := tx.Session(form[1])
	if cab.KindOf(err) == cab.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(hashOf(form[2])), []byte(row.SecretHash)) != 1 || !row.EndedAt.IsZero() {
		return nil
	}
	call.Actor = row.Principal.Actor()
	change, err := row.Principal.End(call, row.Session)
	if err != nil {
		return err
	}
	return tx.EndSession(row.ID, call.Now, change)
}

// SignOut ends the session whose secret this is, if it is one.
func (s *Sessions) SignOut(ctx context.Context, secret string, source cab.Source) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		return endOld(tx, secret, cab.Call{Source: source, Now: s.now()})
	})
}

// Link returns whose password a sign-in link sets. Whoever has none that is good
// gets a *Refusal.
func (s *Sessions) Link(ctx context.Context, secret string) (cab.Principal, error) {
	var p cab.Principal
	err := s.store.View(ctx, func(r *store.Reader) (err error) {
		_, p, err = s.link(r, secret)
		return err
	})
	return p, err
}

func (s *Sessions) link(r *store.Reader, secret string) (cab.SignInLink, cab.Principal, error) {
	refused := &Refusal{Reason: "this link has been used, has expired, or never was one; ask an administrator for another"}
	form := secretForm.FindStringSubmatch(secret)
	if form == nil {
		return cab.SignInLink{}, cab.Principal{}, refused
	}
	link, p, err := r.SignInLink(form[1])
	if err != nil && cab.KindOf(err) != cab.NotFound {
		return cab.SignInLink{}, cab.Principal{}, err
	}
	match := subtle.ConstantTimeCompare([]byte(hashOf(form[2])), []byte(link.SecretHash)) == 1
	if err != nil || !match || !link.Usable(p, s.now()) {
		return cab.SignInLink{}, cab.Principal{}, refused
	}
	return link, p, nil
}

// SetPassword sets a password with a link, once, and signs its person in. Whatever
// sessions the account had end.
func (s *Sessions) SetPassword(ctx context.Context, linkSecret, password, old string, source cab.Source) (secret string, who Who, err error) {
	p, err := s.Link(ctx, linkSecret)
	if err != nil {
		return "", Who{}, err
	}
	if err := cab.CheckPassword(p.Username, password); err != nil {
		return "", Who{}, err
	}
	hash, err := s.hash.hash(ctx, Network(source.Address), password)
	if err != nil {
		return "", Who{}, err
	}
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		link, p, err := s.link(&tx.Reader, linkSecret)
		if err != nil {
			return err
		}
		call := cab.Call{Actor: p.Actor(), Source: source, Now: s.now()}
		if err := endOld(tx, old, call); err != nil {
			return err
		}
		if err := tx.SavePassword(p, link.ID, hash, call.Now, p.SetPassword(call)); err != nil {
			return err
		}
		secret, who, err = open(tx, p, call)
		return err
	})
	return secret, who, err
}
