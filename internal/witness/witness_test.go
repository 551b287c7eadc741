package witness_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
	"github.com/eucora/eucora/internal/witness"
	"github.com/eucora/eucora/internal/witness/witnesstest"
	"github.com/google/uuid"
)

// site is a ledger and those who watch it.
type site struct {
	*testing.T
	url   string
	store *store.Store
	trust *ledger.Trust
}

func newSite(t *testing.T, e storetest.Engine, quorum string, witnesses ...string) (*site, []*witnesstest.Witness) {
	t.Helper()
	url := e.URL(t)
	s := &site{T: t, url: url, store: storetest.Open(t, store.Options{URL: url})}
	text := "log " + s.store.LedgerKey() + "\n"
	var all []*witnesstest.Witness
	for _, name := range witnesses {
		w := witnesstest.New(t, "witness.example/"+name, s.store.LedgerKey())
		all = append(all, w)
		text += w.Line(name)
	}
	var err error
	if s.trust, err = ledger.ParseTrust([]byte(text + quorum)); err != nil {
		t.Fatal(err)
	}
	return s, all
}

// grow writes n events and signs a checkpoint.
func (s *site) grow(n int) {
	s.Helper()
	for range n {
		call := cab.Call{Actor: cab.Actor{ID: "e", Name: "e", Role: cab.PackagingEngineer}, Now: time.Now().UTC().Truncate(time.Microsecond)}
		change, err := cab.NewDeployment(call, uuid.NewString(), uuid.NewString(), "app", "1", cab.Lab)
		if err != nil {
			s.Fatal(err)
		}
		if err := s.store.Update(s.Context(), func(tx *store.Tx) error { return tx.Save(change) }); err != nil {
			s.Fatal(err)
		}
	}
	if _, err := s.store.Checkpoint(s.Context()); err != nil {
		s.Fatal(err)
	}
}

func (s *site) offering(log *slog.Logger, failed func(string)) *witness.Offering {
	return &witness.Offering{Store: s.store, Trust: s.trust, Log: log, Failed: failed}
}

// run offers until stop is called.
func (s *site) run(o *witness.Offering) (stop func()) {
	ctx, cancel := context.WithCancel(s.Context())
	var running sync.WaitGroup
	running.Go(func() { o.Run(ctx) })
	return func() { cancel(); running.Wait() }
}

// until waits for something that the offering does by itself.
func (s *site) until(what string, holds func(store.WitnessState, store.Checkpointed) bool) {
	s.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	late := time.After(30 * time.Second)
	for {
		var state store.WitnessState
		var newest store.Checkpointed
		err := s.store.View(s.Context(), func(r *store.Reader) (err error) {
			if state, err = r.WitnessState(); err != nil {
				return err
			}
			newest, err = r.NewestCheckpoint()
			return err
		})
		if err != nil {
			s.Fatal(err)
		}
		if holds(state, newest) {
			return
		}
		select {
		case <-ticker.C:
		case <-late:
			s.Fatalf("%s: not within 30 seconds: %+v", what, state)
		}
	}
}

func all(state store.WitnessState, _ store.Checkpointed) bool { return state.Witnessed == state.Size }

// TestEveryCheckpointIsOffered: to every witness, with a proof from what it saw;
// what a quorum cosigned is witnessed, and stands up to a stranger's check.
func TestEveryCheckpointIsOffered(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		s, witnesses := newSite(t, e, "group g 2 a b c\nquorum g\n", "a", "b", "c")
		s.grow(3)
		witnesses[2].Misbehave(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "down", http.StatusServiceUnavailable) })
		failed := make(chan string, 100)
		stop := s.run(s.offering(slog.New(slog.DiscardHandler), func(name string) { failed <- name }))
		defer stop()
		s.until("two of three", all)
		if name := <-failed; name != "c" {
			t.Errorf("%s failed", name)
		}
		s.grow(300) // a proof over more than one tile
		s.until("two of three, later", all)
		witnesses[2].Misbehave(nil)
		s.until("the third comes back", func(_ store.WitnessState, c store.Checkpointed) bool { return len(c.Cosignatures) == 3 })
		if witnesses[2].Seen() != witnesses[0].Seen() {
			t.Errorf("the third has seen %d, the first %d", witnesses[2].Seen(), witnesses[0].Seen())
		}
		err := s.store.View(t.Context(), func(r *store.Reader) error {
			c, err := r.WitnessedCheckpoint()
			if err != nil {
				return err
			}
			opened, err := s.trust.Open(c.Cosigned())
			if err != nil || !s.trust.Enough(opened) || len(opened.By) != 3 || time.Since(opened.By[0].At) > time.Hour {
				t.Errorf("%+v %v", opened, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// TestTooFew: while fewer answer than must, events are written, and the state says
// so.
func TestTooFew(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		s, witnesses := newSite(t, e, "group g all a b\nquorum g\n", "a", "b")
		s.grow(2)
		stop := s.run(s.offering(slog.New(slog.DiscardHandler), nil))
		defer stop()
		s.until("both", all)
		witnesses[1].Misbehave(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "down", http.StatusServiceUnavailable) })
		s.grow(2)
		s.until("only one", func(state store.WitnessState, c store.Checkpointed) bool {
			return len(c.Cosignatures) == 1 && state.Signed == state.Size && state.Witnessed < state.Size && !state.Since.IsZero()
		})
	})
}

// TestAPolicyThatAsksForLess: what was cosigned by those who are asked for now is
// witnessed, though nothing new happens.
func TestAPolicyThatAsksForLess(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		s, witnesses := newSite(t, e, "group g all a b c\nquorum g\n", "a", "b", "c")
		witnesses[2].Misbehave(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "down", http.StatusServiceUnavailable) })
		s.grow(2)
		stop := s.run(s.offering(slog.New(slog.DiscardHandler), nil))
		s.until("two of three", func(_ store.WitnessState, c store.Checkpointed) bool { return len(c.Cosignatures) == 2 })
		stop()
		for _, quorum := range []string{"group g 2 a b c\nquorum g\n", "group g all a b\nquorum g\n"} {
			text := "log " + s.store.LedgerKey() + "\n"
			for i, name := range []string{"a", "b", "c"} {
				text += witnesses[i].Line(name)
			}
			var err error
			if s.trust, err = ledger.ParseTrust([]byte(text + quorum)); err != nil {
				t.Fatal(err)
			}
			db := storetest.Owner(t, s.url)
			storetest.DropTriggers(t, db, e.Name)
			if _, err := db.Exec(`DELETE FROM witnessed`); err != nil {
				t.Fatal(err)
			}
			stop := s.run(s.offering(slog.New(slog.DiscardHandler), nil))
			s.until(quorum, all)
			stop()
		}
	})
}

// TestAnswersThatCountForNothing: nothing of what a hostile witness answers is
// kept, and nothing of it harms.
func TestAnswersThatCountForNothing(t *testing.T) {
	engine := storetest.Engines(t)[0]
	s, witnesses := newSite(t, engine, "quorum a\n", "a", "b")
	s.grow(2)
	signed, err := s.store.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other, err := witnesses[1].Cosign(signed)
	if err != nil {
		t.Fatal(err)
	}
	own, err := witnesses[0].Cosign(signed)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, own) }))
	defer elsewhere.Close()
	say := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); fmt.Fprint(w, body) }
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string // in the log
	}{
		"nothing":                 {say(200, ""), "no line is signed by its key"},
		"a page":                  {say(200, "<html>"), "its answer is no cosignature"},
		"another witness's":       {say(200, other), "no line is signed by its key"},
		"its own, altered":        {say(200, strings.Replace(own, own[len(own)-20:len(own)-16], "AAAA", 1)), "its answer is no cosignature"},
		"no end":                  {say(200, strings.Repeat(own, 1000)), "more than 65536 bytes"},
		"it knows no such log":    {say(404, "unknown log"), "refuses with 404"},
		"it sees another history": {say(422, "inconsistent"), "refuses with 422"},
		"a larger log":            {say(409, "1000\n"), "the database is older than what it has seen"},
		"a size that is none":     {say(409, "-1\n"), "409 without the size"},
		"round and round":         {say(409, "1\n"), "cosigned a checkpoint of 1"},
		"a redirection": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, "refuses with 307"},
		"hanging up":                  {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "cannot be reached"},
		"a cosignature, and a letter": {say(200, strings.TrimSuffix(own, "\n")+"x\n"), "its answer is no cosignature"},
	} {
		t.Run(name, func(t *testing.T) {
			witnesses[0].Misbehave(c.answer)
			failed := make(chan string, 100)
			var text safeBuffer
			stop := s.run(s.offering(slog.New(slog.NewTextHandler(&text, nil)), func(name string) { failed <- name }))
			for name := range failed {
				if name == "a" {
					break
				}
			}
			stop()
			if !strings.Contains(text.String(), c.want) {
				t.Errorf("the log does not say %q:\n%s", c.want, text.String())
			}
			s.until("nothing kept", func(state store.WitnessState, c store.Checkpointed) bool { return state.Witnessed == 0 })
		})
	}
}

// safeBuffer may be written by several at once.
type safeBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}
