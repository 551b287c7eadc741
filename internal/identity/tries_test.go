package identity

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store"
)

// TestTries: an account and an address wait, and nobody learns which names there
// are.
func TestTries(t *testing.T) {
	eachDoors(t, func(d *doors) {
		d.member("carol")
		said := map[string][]string{}
		for range 8 {
			for _, name := range []string{"carol", "nobody"} {
				_, err := d.signIn(name, "wrong")
				r := refused(err)
				if r == nil {
					t.Fatalf("%s: %v", name, err)
				}
				said[name] = append(said[name], r.Reason)
			}
		}
		if fmt.Sprint(said["carol"]) != fmt.Sprint(said["nobody"]) {
			t.Errorf("a name that there is, and one that there is not:\n%q\n%q", said["carol"], said["nobody"])
		}
		if last := said["carol"][7]; !strings.Contains(last, "wait") {
			t.Errorf("after eight wrong passwords: %q", last)
		}
		if _, err := d.signIn("carol", right); refused(err) == nil || refused(err).RetryAfter <= 0 {
			t.Errorf("the right password while waiting: %v", err)
		}
		d.pass(time.Hour)
		_, err := d.signIn("carol", right)
		d.must(err)
		if _, err := d.signIn("carol", "wrong"); !strings.Contains(refused(err).Reason, "not right") {
			t.Errorf("a right password forgives the wrong ones before it: %v", err)
		}
	})
}

// TestOthersKeepNobodyOut: who has no wrong password of their own gets in, whatever
// others try from the same network, or from elsewhere with the same name.
func TestOthersKeepNobodyOut(t *testing.T) {
	eachDoors(t, func(d *doors) {
		d.member("carol")
		fill := func(source func(i int) cab.Source, name func(i int) string) {
			for i := range 60 {
				try, err := d.count(d.ctx, name(i), Network(source(i).Address))
				if err != nil && refused(err) == nil {
					t.Fatal(try, err)
				}
			}
		}
		here := func(int) cab.Source { return from }
		fill(here, func(i int) string { return fmt.Sprint("name", i) })
		if _, err := d.signIn("carol", right); err != nil {
			t.Errorf("sixty names were tried from carol's network: %v", err)
		}
		fill(func(i int) cab.Source { return cab.Source{Address: fmt.Sprint("198.51.100.", i)} }, func(int) string { return "carol" })
		if _, err := d.signIn("carol", right); err != nil {
			t.Errorf("carol's password was tried from sixty networks: %v", err)
		}
		if _, err := d.signIn("carol", "wrong"); refused(err) == nil || refused(err).RetryAfter != 0 {
			t.Fatal(err)
		}
		if _, err := d.signIn("carol", right); refused(err) == nil || refused(err).RetryAfter <= 0 || refused(err).RetryAfter > time.Minute {
			t.Errorf("after one of her own she waits a minute at most: %v", err)
		}
		d.pass(time.Minute)
		_, err := d.signIn("carol", right)
		d.must(err)
	})
}

// TestRightOnesCostNothing: a wrong password now and then, each put right.
func TestRightOnesCostNothing(t *testing.T) {
	eachDoors(t, func(d *doors) {
		d.member("carol")
		for i := range 7 {
			d.pass(20 * time.Hour)
			if _, err := d.signIn("carol", "wrong"); refused(err) == nil || refused(err).RetryAfter != 0 {
				t.Fatalf("wrong one %d: %v", i, err)
			}
			_, err := d.signIn("carol", right)
			d.must(err)
		}
	})
}

// TestUnjudgedIsNotWrong: a try whose password nobody got to look at.
func TestUnjudgedIsNotWrong(t *testing.T) {
	eachDoors(t, func(d *doors) {
		d.member("carol")
		hang, hangUp := context.WithCancel(d.ctx)
		d.must(d.hash.turns.Acquire(d.ctx, hashesAtOnce)) // everybody's turn is taken
		for range 7 {
			ended := make(chan error)
			go func() {
				_, _, err := d.SignIn(hang, "carol", right, "", from)
				ended <- err
			}()
			for standing := 0; standing == 0; {
				d.hash.mu.Lock()
				standing = len(d.hash.lines)
				d.hash.mu.Unlock()
			}
			hangUp()
			if err := <-ended; cab.KindOf(err) != cab.Unavailable {
				t.Errorf("hung up: %v", err)
			}
			hang, hangUp = context.WithCancel(d.ctx)
		}
		hangUp()
		d.hash.turns.Release(hashesAtOnce)
		d.must(d.store.View(d.ctx, func(r *store.Reader) error {
			left, err := r.Try("carol", Network(from.Address))
			if left.Pair.Wrong != 0 || left.Name.Wrong != 0 || left.Network.Wrong != 0 || !left.Pair.LastAt.IsZero() {
				t.Errorf("%+v", left)
			}
			return err
		}))
		_, err := d.signIn("carol", right)
		d.must(err)
	})
}

// TestOneNetworkTakesOneTurn: who sends many passwords keeps their own network
// waiting, and no other.
func TestOneNetworkTakesOneTurn(t *testing.T) {
	h := newHasher()
	inside, done := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if err := h.turn(t.Context(), "flood", func() { inside <- struct{}{}; <-done }); err != nil {
				t.Error(err)
			}
		})
	}
	<-inside
	if err := h.turn(t.Context(), "home", func() {}); err != nil {
		t.Errorf("another network: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.turn(gone, "flood", func() {}); cab.KindOf(err) != cab.Unavailable {
		t.Errorf("a second of the same network: %v", err)
	}
	done <- struct{}{}
	for range 2 {
		<-inside
		done <- struct{}{}
	}
	all.Wait()
	if len(h.lines) != 0 {
		t.Errorf("%d networks are remembered", len(h.lines))
	}
}

// TestTriesAtTheSameTime: of many wrong passwords at once no more than the free
// ones are looked at.
func TestTriesAtTheSameTime(t *testing.T) {
	eachDoors(t, func(d *doors) {
		d.member("carol")
		var looked int
		var mu sync.Mutex
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				_, _, err := d.SignIn(d.ctx, "carol", "wrong", "", from)
				mu.Lock()
				defer mu.Unlock()
				if r := refused(err); r == nil {
					t.Errorf("%v", err)
				} else if r.RetryAfter == 0 {
					looked++
				}
			})
		}
		all.Wait()
		if looked > 5 {
			t.Errorf("%d passwords were looked at", looked)
		}
	})
}
