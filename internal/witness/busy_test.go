package witness_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
)

// busy lets the log grow, a checkpoint at each event, until enough has happened.
func (s *site) busy(what string, enough func() bool) {
	s.Helper()
	late := time.Now().Add(30 * time.Second)
	for !enough() {
		if time.Now().After(late) {
			s.Fatalf("%s: not within 30 seconds", what)
		}
		s.grow(1)
	}
}

// TestTheSameCheckpoints: of a log that has new checkpoints all the time, all
// witnesses cosign the same ones, however fast they are; else none has a quorum.
func TestTheSameCheckpoints(t *testing.T) {
	e := storetest.Engines(t)[0]
	url := e.URL(t)
	e.URL = func(testing.TB) string { return url }
	s, witnesses := newSite(t, e, "group g all a b c\nquorum g\n", "a", "b", "c")
	for i, w := range witnesses {
		w.Slow(time.Duration(i) * 70 * time.Millisecond)
	}
	stop := s.run(s.offering(slog.New(slog.DiscardHandler), func(name string) { t.Errorf("%s failed", name) }))
	seen := map[int64]bool{}
	s.busy("five quorums", func() bool {
		err := s.store.View(t.Context(), func(r *store.Reader) error {
			state, err := r.WitnessState()
			seen[state.Witnessed] = true
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return len(seen) > 5
	})
	stop()
	rows, err := storetest.Owner(t, url).Query(`SELECT size, COUNT(*) FROM cosignature GROUP BY size ORDER BY size DESC`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for newest := true; rows.Next(); newest = false {
		var size, n int64
		if err := rows.Scan(&size, &n); err != nil {
			t.Fatal(err)
		}
		if n != 3 && !newest { // the newest was under way
			t.Errorf("the checkpoint of %d has %d cosignatures", size, n)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// TestSlowDelaysNobody: quorums go on while one witness has not answered once.
func TestSlowDelaysNobody(t *testing.T) {
	s, witnesses := newSite(t, storetest.Engines(t)[0], "group g 1 a b\nquorum g\n", "a", "b")
	witnesses[1].Slow(time.Minute)
	defer s.run(s.offering(slog.New(slog.DiscardHandler), nil))()
	steps := 0
	s.busy("five quorums", func() bool {
		if before := witnesses[0].Seen(); before > 0 {
			s.grow(1)
			s.until("the fast one goes on", func(state store.WitnessState, _ store.Checkpointed) bool { return state.Witnessed > before })
			steps++
		}
		return steps == 5
	})
	if n := witnesses[1].Seen(); n != 0 {
		t.Errorf("the slow one has seen %d", n)
	}
}

// TestTwoReplicasOffer: a witness that another replica was quicker with has not
// failed, and has not seen another log.
func TestTwoReplicasOffer(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		s, witnesses := newSite(t, e, "group g all a b\nquorum g\n", "a", "b")
		witnesses[0].Slow(20 * time.Millisecond)
		var said safeBuffer
		for range 2 {
			defer s.run(s.offering(slog.New(slog.NewTextHandler(&said, nil)), func(name string) { t.Errorf("%s failed", name) }))()
		}
		seen := map[int64]bool{}
		s.busy("ten checkpoints seen", func() bool {
			seen[witnesses[0].Seen()] = true
			return len(seen) > 10
		})
		s.until("both", all)
		if text := said.String(); text != "" {
			t.Error(text)
		}
	})
}
