package workflow

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
	gocmp "github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// keep is an outbox from which nobody takes anything: each notice is one job.
func keep(n cab.Notice) ([]store.Job, error) {
	body, err := json.Marshal(n)
	return []store.Job{store.NewJob("told", n.ID, body, n.Time)}, err
}

// told is every notice, oldest first, a line each.
func (w *world) told() []string {
	w.t.Helper()
	var lines []string
	for _, n := range w.notices() {
		until := ""
		if !n.Until.IsZero() {
			until = "until " + n.Until.Format("01-02 15:04")
		}
		line := fmt.Sprintf("%s %-18s %-10s %-9s %-16s %s %s", n.Time.Format("01-02 15:04"), n.Type, w.alias(n.Name), n.Concerns.Username, n.Said, n.To, until)
		for _, waits := range n.Waiting {
			line += fmt.Sprintf(" %s(%s)", w.alias(waits.Name), waits.Status)
		}
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return lines
}

func (w *world) notices() []cab.Notice {
	w.t.Helper()
	var all []cab.Notice
	page := store.Page[store.Job]{Next: ""}
	for first := true; first || page.Next != ""; first = false {
		err := w.store.View(w.ctx, func(r *store.Reader) (err error) {
			page, err = r.Jobs(store.JobFilter{Queue: "told", Paging: store.Paging{Limit: 200, Cursor: page.Next}})
			return err
		})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, j := range page.Rows {
			var n cab.Notice
			if err := json.Unmarshal(j.Body, &n); err != nil {
				w.t.Fatal(err)
			}
			all = append(all, n)
		}
	}
	slices.SortStableFunc(all, func(a, b cab.Notice) int {
		return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.Type, b.Type), strings.Compare(w.alias(a.Name), w.alias(b.Name)))
	})
	return all
}

// alias is what a test calls a thing.
func (w *world) alias(name string) string {
	if known, ok := w.names[name]; ok {
		return known
	}
	return name
}

func (w *world) call(name, alias string) {
	if w.names == nil {
		w.names = map[string]string{}
	}
	w.names[name] = alias
}

// excepted is a request that needs an exception, and the exception, asked for.
func (w *world) excepted(alias string, days int) (RequestRow, cab.Exception) {
	w.t.Helper()
	d, e := w.deployment("high")
	r := must[RequestRow](w.t)(w.Submit(w.ctx, w.erin, Submission{PackageID: e.ID, Urgency: cab.Standard}))
	x := must[cab.Exception](w.t)(w.RequestException(w.ctx, w.erin, ExceptionAsk{
		DeploymentID: d.ID, Reason: "needed", Justification: "small", Controls: []string{"watched"}, Days: days,
	}))
	w.call(r.Request.Name, alias)
	w.call(x.Name, "x-"+alias)
	return r, x
}

// month is what is in the world when a month begins.
func (w *world) month() {
	w.t.Helper()
	approve := func(x cab.Exception, r RequestRow) {
		must[cab.Exception](w.t)(w.ApproveException(w.ctx, w.sam, x.ID, "acceptable"))
		must[RequestRow](w.t)(w.Approve(w.ctx, w.carol, r.Request.ID, "fine", nil))
	}
	w.call(w.submitted("mid").Request.Name, "forgotten")
	slow := w.submitted("mid")
	w.call(slow.Request.Name, "slow")
	w.call(w.submitted("low").Request.Name, "automatic")
	r, x := w.excepted("thirty", 30)
	approve(x, r)
	r, x = w.excepted("ten", 10)
	approve(x, r)
	r, x = w.excepted("revoked", 20)
	approve(x, r)
	must[cab.Exception](w.t)(w.RevokeException(w.ctx, w.sam, x.ID, "too risky"))
	r, x = w.excepted("withdrawn", 16)
	must[cab.Exception](w.t)(w.ApproveException(w.ctx, w.sam, x.ID, "acceptable"))
	must[RequestRow](w.t)(w.Withdraw(w.ctx, w.erin, r.Request.ID, "not needed"))
	w.excepted("undecided", 5)
	w.clock.advance(30 * time.Hour)
	must[RequestRow](w.t)(w.Approve(w.ctx, w.carol, slow.Request.ID, "fine", nil))
}

// TestAMonth: a month and two days pass in a moment. The golden shows everything
// that people are told, at which hour; the ledger says the same, and holds.
func TestAMonth(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newTellingWorld(t, e, keep)
		w.month()
		for range 32 * 6 {
			w.sweep()
			w.clock.advance(4 * time.Hour)
		}
		got := strings.Join(w.told(), "\n") + "\n"
		path := filepath.Join("testdata", "month.golden")
		if *update && e.Name == "sqlite" {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(string(want), got); diff != "" {
			t.Errorf("the month was not as it was (-want +got):\n%s", diff)
		}
		w.wantSound()
		w.wantNothingNew("another look", func() { w.sweep() })
	})
}

func (w *world) wantNothingNew(when string, do func()) {
	w.t.Helper()
	before := w.told()
	do()
	if after := w.told(); len(after) != len(before) {
		w.t.Errorf("%s: told %v", when, after[len(before):])
	}
}

// TestClocksGoWrong: a clock that is set back, or forward and back, tells nothing
// twice; and a machine that was off tells how it is, once.
func TestClocksGoWrong(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newTellingWorld(t, e, keep)
		w.sweep()
		w.month() // off for 30 hours meanwhile
		of := func(kind cab.EventType, alias string) (said []string) {
			for _, n := range w.notices() {
				if n.Type == string(kind) && w.alias(n.Name) == alias {
					said = append(said, n.Said)
				}
			}
			return said
		}
		want := func(kind cab.EventType, alias string, said ...string) {
			t.Helper()
			if got := of(kind, alias); !slices.Equal(got, said) {
				t.Errorf("%s of %s: told %q, want %q", kind, alias, got, said)
			}
		}
		w.clock.advance(30 * time.Hour) // 60 hours since they were submitted, and nobody looked
		w.sweep()
		want(cab.CABEscalated, "forgotten", cab.ToAdmins)
		want(cab.CABEscalated, "slow")
		w.clock.advance(14 * 24 * time.Hour) // 16½ days: "ten" is over, "thirty" has 13½ to go
		w.sweep()
		want(cab.ExceptionEnding, "x-thirty", cab.FourteenDays)
		want(cab.ExceptionEnding, "x-ten")
		want(cab.ExceptionExpired, "x-ten", "")
		want(cab.ApprovalExpired, "ten", "")
		for _, back := range []time.Duration{time.Hour, 23 * time.Hour, 10 * 24 * time.Hour, 300 * 24 * time.Hour} {
			w.clock.advance(-back)
			w.wantNothingNew(fmt.Sprintf("set back by %s", back), func() {
				w.sweep()
				if back < 24*time.Hour { // until it is where it was
					for range int(back / time.Hour) {
						w.clock.advance(time.Hour - time.Minute)
						w.sweep()
					}
					w.clock.advance(back / 60)
				}
			})
			if back >= 24*time.Hour {
				w.clock.advance(back)
			}
			w.wantNothingNew(fmt.Sprintf("right again after %s", back), w.sweep)
		}
		w.wantSound()
	})
}

// TestReplicasTellOnce: several replicas find the same things due at the same time.
func TestReplicasTellOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		if e.Name == "sqlite" {
			t.Skip("one process has the file")
		}
		w := newTellingWorld(t, e, keep)
		w.sweep()
		w.month()
		replicas := []*Service{w.Service}
		for range 2 {
			st := storetest.Open(t, store.Options{URL: w.url, Signer: w.signer, Clock: w.clock.Now, Outbox: keep})
			replicas = append(replicas, New(st, Options{Clock: w.clock.Now}))
		}
		for range 32 * 2 {
			var all sync.WaitGroup
			for _, s := range replicas {
				all.Go(func() {
					if err := s.Sweep(w.ctx); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			w.clock.advance(12 * time.Hour)
		}
		seen := map[string]bool{}
		for _, n := range w.notices() {
			key := n.Type + " " + n.Name + " " + n.Said + " " + n.Time.Format(time.DateOnly)
			if clock := n.Actor == cab.Clock; clock && seen[key] {
				t.Errorf("told twice: %s", key)
			}
			seen[key] = true
		}
		for _, what := range []string{"EXCEPTION_ENDING", "EXCEPTION_EXPIRED", "APPROVAL_EXPIRED", "CAB_ESCALATED", "DIGEST"} {
			if !slices.ContainsFunc(w.notices(), func(n cab.Notice) bool { return n.Type == what }) {
				t.Errorf("nobody was told of any %s", what)
			}
		}
		w.wantSound()
	})
}
