package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
)

const right = "four words make one"

// doors is a store with accounts and a clock that the test turns.
type doors struct {
	*Sessions
	t     *testing.T
	ctx   context.Context
	store *store.Store
	mu    sync.Mutex
	at    time.Time
}

var from = cab.Source{Address: "192.0.2.7", UserAgent: "test"}

func eachDoors(t *testing.T, test func(d *doors)) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		d := &doors{t: t, ctx: context.Background(), at: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)}
		d.store = storetest.Open(t, store.Options{URL: e.URL(t)})
		d.Sessions = NewSessions(d.store, func() time.Time { d.mu.Lock(); defer d.mu.Unlock(); return d.at })
		for i, name := range []string{"carol", "root"} {
			change, err := cab.NewPrincipal(d.setup(), fmt.Sprintf("00000000-0000-0000-0000-00000000000%d", i), name, cab.CABMember)
			d.must(err)
			d.must(d.store.Update(d.ctx, func(tx *store.Tx) error { return tx.Save(change.Again()) }))
		}
		test(d)
	})
}

func (d *doors) setup() cab.Call { return cab.Call{Actor: cab.Setup, Now: d.at} }

func (d *doors) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *doors) pass(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = d.at.Add(by)
}

func (d *doors) principal(name string) (p cab.Principal) {
	d.t.Helper()
	d.must(d.store.View(d.ctx, func(r *store.Reader) (err error) { p, err = r.PrincipalByName(name); return err }))
	return p
}

// invite makes a link for an account.
func (d *doors) invite(name string) string {
	d.t.Helper()
	id, secret, hash := NewLink()
	link, change, err := d.principal(name).Invite(d.setup(), id, hash)
	d.must(err)
	d.must(d.store.Update(d.ctx, func(tx *store.Tx) error { return tx.SaveSignInLink(link, change.Again()) }))
	return secret
}

// member gives carol a password.
func (d *doors) member(name string) {
	d.t.Helper()
	_, _, err := d.SetPassword(d.ctx, d.invite(name), right, "", from)
	d.must(err)
}

func (d *doors) signIn(name, password string) (string, error) {
	secret, _, err := d.SignIn(d.ctx, name, password, "", from)
	return secret, err
}

func refused(err error) *Refusal {
	r, _ := errors.AsType[*Refusal](err)
	return r
}

func TestLinksSetPasswordsOnce(t *testing.T) {
	eachDoors(t, func(d *doors) {
		first := d.invite("carol")
		link := d.invite("carol")
		if _, err := d.Link(d.ctx, first); refused(err) == nil {
			t.Errorf("a link that another took the place of: %v", err)
		}
		p, err := d.Link(d.ctx, link)
		d.must(err)
		if p.Username != "carol" {
			t.Errorf("the link is for %q", p.Username)
		}
		if _, _, err := d.SetPassword(d.ctx, link, "short", "", from); cab.KindOf(err) != cab.Invalid {
			t.Errorf("a short password: %v", err)
		}
		secret, who, err := d.SetPassword(d.ctx, link, right, "", from)
		d.must(err)
		if who.Actor.Name != "carol" || who.Actor.Role != cab.CABMember {
			t.Errorf("signed in as %+v", who.Actor)
		}
		if _, _, err := d.SetPassword(d.ctx, link, right+"!", "", from); refused(err) == nil {
			t.Errorf("the link was taken twice: %v", err)
		}
		if again, err := d.Of(d.ctx, secret); err != nil || again.Actor != who.Actor {
			t.Errorf("%+v, %v", again, err)
		}
		reset := d.invite("carol")
		d.pass(cab.LinkLife)
		if _, err := d.Link(d.ctx, reset); refused(err) == nil {
			t.Errorf("a link after its time: %v", err)
		}
		if _, _, err := d.SetPassword(d.ctx, d.invite("carol"), "another one entirely", "", from); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Of(d.ctx, secret); refused(err) == nil {
			t.Errorf("a session outlived the reset of its password: %v", err)
		}
		if _, err := d.signIn("carol", right); refused(err) == nil {
			t.Error("the old password still opens")
		}
	})
}

func TestSessionsEnd(t *testing.T) {
	eachDoors(t, func(d *doors) {
		d.member("carol")
		begin := func() string {
			secret, err := d.signIn("Carol ", right)
			d.must(err)
			return secret
		}
		over := func(what, secret string) {
			t.Helper()
			if _, err := d.Of(d.ctx, secret); refused(err) == nil {
				t.Errorf("%s: the session still opens (%v)", what, err)
			}
		}
		idle := begin()
		d.pass(cab.SessionIdle - time.Second)
		_, err := d.Of(d.ctx, idle)
		d.must(err)
		d.pass(cab.SessionIdle - time.Second)
		_, err = d.Of(d.ctx, idle) // it was used in between
		d.must(err)
		d.pass(cab.SessionIdle)
		over("idle", idle)

		busy := begin()
		for range int(cab.SessionLife/(20*time.Minute)) - 1 {
			d.pass(20 * time.Minute)
			_, err := d.Of(d.ctx, busy)
			d.must(err)
		}
		d.pass(20 * time.Minute)
		over("after its life", busy)

		out := begin()
		d.must(d.SignOut(d.ctx, out, from))
		over("signed out", out)
		d.must(d.SignOut(d.ctx, out, from))
		d.must(d.SignOut(d.ctx, "nothing", from))

		promoted := begin()
		change, err := d.principal("carol").ChangeRole(d.setup(), cab.Auditor)
		d.must(err)
		d.must(d.store.Update(d.ctx, func(tx *store.Tx) error { return tx.Save(change.Again()) }))
		over("another role", promoted)

		disabled := begin()
		change, err = d.principal("carol").Disable(d.setup())
		d.must(err)
		d.must(d.store.Update(d.ctx, func(tx *store.Tx) error { return tx.Save(change.Again()) }))
		over("disabled", disabled)
		if _, err := d.signIn("carol", right); refused(err) == nil {
			t.Errorf("a disabled account signed in: %v", err)
		}
		for _, wrong := range []string{"", "x", strings.Repeat("0", 32) + "_" + strings.Repeat("A", 43), disabled[:33] + strings.Repeat("A", 43)} {
			over("made up", wrong)
		}
	})
}

// TestNoFixation: the session that a browser had before signing in is another, and
// ends.
func TestNoFixation(t *testing.T) {
	eachDoors(t, func(d *doors) {
		d.member("carol")
		before, err := d.signIn("carol", right)
		d.must(err)
		after, _, err := d.SignIn(d.ctx, "carol", right, before, from)
		d.must(err)
		if before == after {
			t.Error("the secret stayed the same")
		}
		if _, err := d.Of(d.ctx, before); refused(err) == nil {
			t.Errorf("the session of before still opens: %v", err)
		}
	})
}

// TestLedgerHasNoSecrets: the ledger says that somebody signed in, and with nothing
// of what.
func TestLedgerHasNoSecrets(t *testing.T) {
	eachDoors(t, func(d *doors) {
		link := d.invite("carol")
		secret, _, err := d.SetPassword(d.ctx, link, right, "", from)
		d.must(err)
		d.must(d.SignOut(d.ctx, secret, from))
		var leaves []string
		d.must(d.store.View(d.ctx, func(r *store.Reader) error {
			page, err := r.Events(store.EventFilter{OldestFirst: true, Paging: store.Paging{Limit: 200}})
			for _, e := range page.Rows {
				leaves = append(leaves, string(e.Leaf))
			}
			return err
		}))
		all := strings.Join(leaves, "\n")
		for _, said := range []string{"sign-in link made", "password set by sign-in link", "signed in, session", "ended"} {
			if !strings.Contains(all, said) {
				t.Errorf("the ledger does not say: %s", said)
			}
		}
		for _, hidden := range []string{right, "argon2", link[33:], secret[33:], hashOf(link[33:]), hashOf(secret[33:])} {
			if strings.Contains(all, hidden) {
				t.Errorf("the ledger has %q", hidden)
			}
		}
	})
}

// TestResetWhileSigningIn: a password that was reset while its hash was compared
// begins no session.
func TestResetWhileSigningIn(t *testing.T) {
	eachDoors(t, func(d *doors) {
		d.member("carol")
		_, old, err := d.password("carol")
		d.must(err)
		_, _, err = d.SetPassword(d.ctx, d.invite("carol"), "another one entirely", "", from)
		d.must(err)
		_, _, err = d.begin(d.ctx, "carol", old, "", from, func(*store.Tx) error { return nil })
		if refused(err) == nil {
			t.Errorf("the old password began a session after the reset: %v", err)
		}
		_, now, err := d.password("carol")
		d.must(err)
		if _, _, err = d.begin(d.ctx, "carol", now, "", from, func(*store.Tx) error { return nil }); err != nil {
			t.Errorf("the new one: %v", err)
		}
	})
}

func (d *doors) password(name string) (p cab.Principal, hash string, err error) {
	err = d.store.View(d.ctx, func(r *store.Reader) (err error) { p, hash, err = r.Password(name); return err })
	return p, hash, err
}

// TestMostSessions: one more ends the oldest, and says so in the ledger; those that
// are over do not count.
func TestMostSessions(t *testing.T) {
	eachDoors(t, func(d *doors) {
		d.member("carol")
		_, hash, err := d.password("carol")
		d.must(err)
		var secrets []string
		for range cab.MostSessions + 1 {
			d.pass(time.Second)
			secret, _, err := d.begin(d.ctx, "carol", hash, "", from, func(*store.Tx) error { return nil })
			d.must(err)
			secrets = append(secrets, secret)
		}
		if _, err := d.Of(d.ctx, secrets[0]); refused(err) == nil {
			t.Errorf("the oldest of too many still opens: %v", err)
		}
		if _, err := d.Of(d.ctx, secrets[1]); err != nil {
			t.Errorf("the oldest but one: %v", err)
		}
		d.must(d.store.View(d.ctx, func(r *store.Reader) error {
			rows, more, err := r.Sessions("", d.now())
			if len(rows) != cab.MostSessions || more {
				t.Errorf("%d sessions, more %t", len(rows), more)
			}
			return err
		}))
		d.pass(cab.SessionIdle)
		d.must(d.store.View(d.ctx, func(r *store.Reader) error {
			rows, _, err := r.Sessions("", d.now())
			if len(rows) != 0 {
				t.Errorf("%d sessions that nobody used are listed", len(rows))
			}
			return err
		}))
	})
}
