package monitor_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/monitor"
	"github.com/eucora/eucora/internal/store/storetest"
)

// TestNothingToFind: a log that grows as it should, with everything that the API
// shows in it; the mirror follows.
func TestNothingToFind(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		w.decided()
		w.rejected()
		first := w.fine()
		if !first.First || first.Key != w.store.LedgerKey() || first.Rows < 12 {
			t.Errorf("%+v", first)
		}
		for _, n := range []int{0, 1, 300, 1000} {
			w.grow(n)
			w.blocked()
			before := first
			first = w.fine()
			if first.First || first.Key != "" || first.Before != before.Events || first.Events < before.Events+int64(n)+5 || first.Again != before.Events {
				t.Errorf("%d more: %+v", n, first)
			}
		}
		width := first.Events % 256
		entries, err := os.ReadDir(filepath.Join(w.dir, "tile", "entries"))
		if err != nil || len(entries) != int(first.Events/256+1) {
			t.Errorf("the mirror holds %v, %v", entries, err)
		}
		partials, err := os.ReadDir(filepath.Join(w.dir, "tile", "entries", fmt.Sprintf("%03d.p", first.Events/256)))
		if err != nil || len(partials) != 1 || partials[0].Name() != fmt.Sprint(width) {
			t.Errorf("the mirror's last bundle: %v %v", partials, err)
		}
	})
}

// TestItGrowsMeanwhile: what happens while the monitor reads is no finding.
func TestItGrowsMeanwhile(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		of := w.blocked()
		w.fine()
		calls := 0
		busy := false
		w.during = func(r *http.Request) {
			if busy || r.Header.Get("Authorization") != "Bearer "+w.tokens["ada"] {
				return
			}
			busy = true
			defer func() { busy = false }()
			switch calls++; r.URL.Path {
			case "/api/v1/cab/exceptions/": // after the requests were read, before the exceptions are
				_, err := w.client("sam").ApproveException(ctx, of.exception, api.Rationale{Rationale: "for a while"})
				w.ok(err)
				_, err = w.client("carol").Approve(ctx, of.request, api.Approve{Rationale: "fine"})
				w.ok(err)
			default:
				w.filed(evidenceData(85, 2, 500))
			}
		}
		report := w.fine()
		if calls < 10 || report.Events < report.Before+40 {
			t.Errorf("%d calls, %+v", calls, report)
		}
	})
}

// TestRewritten: what was in the log is changed, by whoever owns the database.
func TestRewritten(t *testing.T) {
	change := `UPDATE event SET leaf = $1 WHERE seq = $2`
	alter := func(w *world, db *sql.DB, seq int64) {
		var leaf []byte
		w.ok(db.QueryRow(`SELECT leaf FROM event WHERE seq = $1`, seq).Scan(&leaf))
		w.exec(db, change, []byte(strings.Replace(string(leaf), `"refusals":1`, `"refusals":7`, 1)), seq)
	}
	for name, c := range map[string]struct {
		after  int // events that nobody has seen yet
		attack func(w *world, db *sql.DB, size int64)
		says   []string
	}{
		"an event's text":                      {0, func(w *world, db *sql.DB, _ int64) { alter(w, db, 301) }, []string{"event 301 was changed behind the log's back: it was ACCESS_REFUSED by guard"}},
		"an event's text, and the log grows":   {5, func(w *world, db *sql.DB, _ int64) { alter(w, db, 301) }, []string{"event 301 was changed behind"}},
		"the last event's text, and it grows":  {5, func(w *world, db *sql.DB, size int64) { alter(w, db, size-1) }, []string{"was changed behind the log's back: it was ACCESS_REFUSED"}},
		"an event, consistently":               {0, func(w *world, db *sql.DB, _ int64) { alter(w, db, 301); w.consistently(db) }, []string{"history was rewritten: the kept checkpoint of", "is not the beginning", "first event that differs is 301, which was ACCESS_REFUSED by guard"}},
		"an event, consistently, and it grows": {5, func(w *world, db *sql.DB, _ int64) { alter(w, db, 301); w.consistently(db) }, []string{"history was rewritten", "first event that differs is 301"}},
		"an event is put in": {0, func(w *world, db *sql.DB, size int64) {
			w.exec(db, `UPDATE event SET seq = seq + 1000000 WHERE seq >= 301`)
			w.exec(db, `UPDATE event SET seq = seq - 999999 WHERE seq >= 1000000`)
			put(w, db, 301)
		}, []string{"event 301 was changed behind the log's back: it was ACCESS_REFUSED by guard"}},
		"an event and the tree, and nothing is signed": {0, func(w *world, db *sql.DB, _ int64) { alter(w, db, 301); w.tree(db) }, []string{"event 301"}},
		"a decision, its event and its row": {0, func(w *world, db *sql.DB, _ int64) {
			w.exec(db, `UPDATE decision SET decision = 'approved'`)
			w.exec(db, `UPDATE cab_request SET status = 'approved'`)
			var seq int64
			var leaf []byte
			w.ok(db.QueryRow(`SELECT seq, leaf FROM event WHERE type = 'CAB_REJECTED'`).Scan(&seq, &leaf))
			w.exec(db, change, []byte(strings.ReplaceAll(string(leaf), `"rejected"`, `"approved"`)), seq)
		}, []string{"was changed behind the log's back: it was CAB_REJECTED by carol"}},
		"two events change places":              {0, swap, []string{"history was rewritten", "first event that differs is 300"}},
		"an event that nobody has seen":         {5, func(w *world, db *sql.DB, size int64) { alter(w, db, size+2) }, []string{"as it is given out, is not the one in the tree", "that was signed"}},
		"an event is taken away":                {0, func(w *world, db *sql.DB, _ int64) { w.exec(db, `DELETE FROM event WHERE seq = 301`) }, []string{"the log does not give out its events 256 to"}},
		"an event nobody has seen is taken":     {5, func(w *world, db *sql.DB, size int64) { w.exec(db, `DELETE FROM event WHERE seq = $1`, size+1) }, []string{"does not give out its events"}},
		"the end":                               {0, cut, []string{"the end was cut off: the kept checkpoint covers", "the first that lacks is event", "which was ACCESS_REFUSED"}},
		"the end, and it goes on otherwise":     {0, func(w *world, db *sql.DB, size int64) { cut(w, db, size); again(w, db, size-3, 10) }, []string{"history was rewritten", "the first event that differs is"}},
		"the end, and it goes on for a little":  {0, func(w *world, db *sql.DB, size int64) { cut(w, db, size); again(w, db, size-3, 1) }, []string{"history was rewritten", "the first event that differs is"}},
		"the tree, and the events are the same": {0, func(w *world, db *sql.DB, _ int64) { flip(w, db) }, []string{"the log's hash of event 5 is not that of the event"}},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, e storetest.Engine) {
				w := newWorld(t, e)
				w.rejected()
				w.grow(400)
				size := w.fine().Events
				kept, err := os.ReadFile(filepath.Join(w.dir, "checkpoint"))
				w.ok(err)
				w.grow(c.after)
				w.owner(func(db *sql.DB) { c.attack(w, db, size) })
				w.finds(c.says...)
				if now, err := os.ReadFile(filepath.Join(w.dir, "checkpoint")); err != nil || string(now) != string(kept) {
					t.Errorf("the kept checkpoint was given up: %s %v", now, err)
				}
			})
		})
	}
}

func swap(w *world, db *sql.DB, _ int64) {
	w.exec(db, `UPDATE event SET seq = 1000000 WHERE seq = 300`)
	w.exec(db, `UPDATE event SET seq = 300 WHERE seq = 301`)
	w.exec(db, `UPDATE event SET seq = 301 WHERE seq = 1000000`)
	w.consistently(db)
}

func cut(w *world, db *sql.DB, size int64) {
	w.exec(db, `DELETE FROM event WHERE seq >= $1`, size-3)
	w.consistently(db)
}

// again writes other events at the end, as the log itself would.
func again(w *world, db *sql.DB, from int64, n int) {
	for seq := from; seq < from+int64(n); seq++ {
		put(w, db, seq)
	}
	w.consistently(db)
}

// put writes an event that never was.
func put(w *world, db *sql.DB, seq int64) {
	leaf := fmt.Sprintf(`{"actor":{"id":"x","name":"x","role":"system"},"correlation_id":"","data":{"refusals":3},"deployment_intent_id":"","id":"x-%d","seq":%d,"source":{},"subject":{"id":"","kind":""},"time":"2026-01-01T00:00:00Z","type":"ACCESS_REFUSED"}`, seq, seq)
	w.exec(db, `INSERT INTO event (seq, id, time, type, correlation_id, actor_id, leaf) VALUES ($1, $2, 1767225600000000, 'ACCESS_REFUSED', '', 'x', $3)`, seq, fmt.Sprint("x-", seq), []byte(leaf))
}

func flip(w *world, db *sql.DB) {
	var data []byte
	w.ok(db.QueryRow(`SELECT data FROM ledger_tile WHERE level = 0 AND idx = 0`).Scan(&data))
	data[5*32] ^= 1
	w.exec(db, `UPDATE ledger_tile SET data = $1 WHERE level = 0 AND idx = 0`, data)
}

// TestExpiry: an exception is shown as expired from its time on, written down or
// not; one that is shown as active after it is a finding.
func TestExpiry(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	w.blocked()
	w.fine()
	later := monitor.New(monitor.Options{Client: w.client("ada"), Dir: w.dir, Clock: func() time.Time { return time.Now().Add(31 * 24 * time.Hour) }})
	report, err := later.Round(ctx)
	if err != nil || len(report.Findings) != 1 || !strings.Contains(report.Findings[0], `status is shown as "pending", and was written as "pending" until`) {
		t.Errorf("%q %v", report.Findings, err)
	}
}

// TestCouldNotTell: whatever keeps a monitor from looking is neither a finding nor
// its absence.
func TestCouldNotTell(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	w.grow(300)
	w.fine()
	wrong := func(what string, watch *monitor.Watch, says string) {
		t.Helper()
		report, err := watch.Round(ctx)
		if err == nil || len(report.Findings) > 0 || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %q %v", what, report.Findings, err)
		}
	}
	options := monitor.Options{Client: w.client("ada"), Dir: w.dir}
	engineer := options
	engineer.Client = w.client("erin")
	wrong("an engineer, who may not read all events", monitor.New(engineer), "FORBIDDEN")
	nobody := options
	nobody.Client = &api.Client{Server: "http://127.0.0.1:1", Token: "x"}
	wrong("nobody there", monitor.New(nobody), "cannot reach")
	other := options
	var err error
	other.Trust, err = ledger.OnlyLog(storetest.Key(t).VerifierKey())
	w.ok(err)
	wrong("a mirror of another log", monitor.New(other), "not of the log whose key was given")

	w.handler = http.NotFoundHandler()
	wrong("a page", monitor.New(options), api.ErrNotEucora.Error())

	bundle := filepath.Join(w.dir, "tile", "entries", "000")
	data, err := os.ReadFile(bundle)
	w.ok(err)
	data[len(data)-2] ^= 1
	w.ok(os.WriteFile(bundle, data, 0o600))
	wrong("a mirror that was changed", monitor.New(options), "the mirror")
	w.ok(os.Remove(bundle))
	wrong("a mirror that lacks something", monitor.New(options), "the mirror")
}

// TestAnotherLog: one who serves another log under its own key finds no belief.
func TestAnotherLog(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	w.fine()
	w.close()
	w.url, w.signer = w.engine.URL(t), storetest.Key(t)
	w.open()
	other := newWorld(t, w.engine) // for its users
	w.handler, w.tokens = other.handler, other.tokens
	w.finds("is not of the log that is watched")
}

// TestInterrupted: a round that breaks off anywhere leaves a mirror that the next
// one goes on from.
func TestInterrupted(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	w.grow(300)
	w.fine()
	w.grow(600)
	w.rejected()
	broken := 0
	for n := 1; ; n++ {
		calls := 0
		cut, cancel := context.WithCancel(ctx)
		w.during = func(*http.Request) {
			if calls++; calls == n {
				cancel()
			}
		}
		report, err := w.watch(nil).Round(cut)
		cancel()
		if len(report.Findings) > 0 {
			t.Fatalf("broken off at call %d: %q", n, report.Findings)
		}
		if err == nil {
			break
		}
		broken++
	}
	if broken < 10 {
		t.Errorf("broken off %d times", broken)
	}
	w.during = nil
	w.fine()
}
