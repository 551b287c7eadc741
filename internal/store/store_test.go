package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
	"github.com/google/uuid"
)

var ctx = context.Background()

func newDeployment(t testing.TB) cab.Change {
	t.Helper()
	change, err := deployment()
	if err != nil {
		t.Fatal(err)
	}
	return change
}

func deployment() (cab.Change, error) {
	call := cab.Call{Actor: cab.Actor{ID: "e", Name: "e", Role: cab.PackagingEngineer}, Now: time.Now().UTC().Truncate(time.Microsecond)}
	return cab.NewDeployment(call, uuid.NewString(), uuid.NewString(), "app", "1", cab.Lab)
}

func sound(t *testing.T, s *store.Store) store.VerifyReport {
	t.Helper()
	report := verified(t, s)
	for _, f := range report.Findings {
		t.Errorf("audit: %s", f.What)
	}
	return report
}

func verified(t *testing.T, s *store.Store) store.VerifyReport {
	t.Helper()
	verifier, err := ledger.NewVerifier(s.LedgerKey())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	report, err := s.Verify(ctx, store.VerifyOptions{Verifier: verifier})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// TestOnlyTheFailingOneFails: closures that fail, before and after writing,
// panic, or save what is there already, fail alone; those beside them in the
// batch are committed, and the ledger is whole.
func TestOnlyTheFailingOneFails(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		s := storetest.Open(t, store.Options{URL: e.URL(t)})
		mine := errors.New("mine")
		taken := newDeployment(t)
		if err := s.Update(ctx, func(tx *store.Tx) error { return tx.Save(taken.Again()) }); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for i := range 200 {
			change := newDeployment(t)
			all.Go(func() {
				err := s.Update(ctx, func(tx *store.Tx) error {
					switch i % 10 {
					case 0:
						return mine
					case 1:
						return errors.Join(tx.Save(change.Again()), mine)
					case 2:
						panic("a mistake")
					case 3:
						if err := tx.Save(change.Again()); err != nil {
							return err
						}
						panic("a mistake after writing")
					case 4:
						return tx.Save(taken.Again()) // its id is taken
					case 5:
						stale := *change.Deployment
						stale.Revision = 7 // of a row that is not there
						return tx.Save(cab.Change{Deployment: &stale, Events: change.Again().Events})
					case 6:
						return tx.Save(cab.Change{Deployment: change.Deployment}) // without an event
					}
					return tx.Save(change.Again())
				})
				switch i % 10 {
				case 0, 1:
					if !errors.Is(err, mine) {
						t.Errorf("its own error: %v", err)
					}
				case 2, 3:
					if err == nil || !strings.Contains(err.Error(), "a mistake") || cab.KindOf(err) != cab.Internal {
						t.Errorf("a panic: %v", err)
					}
				case 4, 5:
					if cab.CodeOf(err) != "STALE" {
						t.Errorf("a conflict: %v", err)
					}
				case 6:
					if cab.CodeOf(err) != "NO_EVENT" {
						t.Errorf("a change without an event: %v", err)
					}
				default:
					if err != nil {
						t.Errorf("a good one beside bad ones: %v", err)
					}
				}
			})
		}
		all.Wait()
		if report := sound(t, s); report.Events != 61 || report.Rows != 61 {
			t.Errorf("%d events, %d rows, want 61", report.Events, report.Rows)
		}
	})
}

// TestAConflictSeenLateFailsAlone: closures that only write are sent together,
// so that a conflict shows at the end of the batch; it is still its own
// closure's, and nobody else's.
func TestAConflictSeenLateFailsAlone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		s := storetest.Open(t, store.Options{URL: e.URL(t)})
		taken := newDeployment(t)
		if err := s.Update(ctx, func(tx *store.Tx) error { return tx.Save(taken.Again()) }); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for i := range 100 {
			change := newDeployment(t)
			switch {
			case i%40 == 0:
				change = taken // its key is there already
			case i%20 == 0:
				change.Deployment.Revision = 7 // of a row that is not there
			}
			all.Go(func() {
				err := s.Update(ctx, func(tx *store.Tx) error { return tx.Save(change.Again()) })
				if want := map[bool]string{true: "STALE", false: ""}[i%20 == 0]; cab.CodeOf(err) != want || (err != nil) != (want != "") {
					t.Errorf("%d: %v, want %q", i, err, want)
				}
			})
		}
		all.Wait()
		if report := sound(t, s); report.Events != 96 {
			t.Errorf("%d events, want 96", report.Events)
		}
	})
}

// TestReadingAheadIsNeverStale: closures of one batch that begin with the same
// read each see what the one before them did.
func TestReadingAheadIsNeverStale(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		s := storetest.Open(t, store.Options{URL: e.URL(t)})
		call := cab.Call{Actor: cab.Actor{ID: "e", Name: "e", Role: cab.PackagingEngineer}, Now: time.Now().UTC().Truncate(time.Microsecond)}
		d := newDeployment(t)
		filed, err := cab.NewPackage(call, *d.Deployment, evidence.Record{ID: uuid.NewString()}, []byte("{}"), evidence.Digest([]byte("{}")))
		if err != nil {
			t.Fatal(err)
		}
		rules, err := cab.ParsePolicy(cab.DefaultPolicy())
		if err != nil {
			t.Fatal(err)
		}
		policy := cab.Published{Version: "1.0", Digest: "d", Document: []byte("{}"), PublishedAt: call.Now}
		for _, change := range []cab.Change{d, filed, {Policy: &policy, Events: newDeployment(t).Events}} {
			if err := s.Update(ctx, func(tx *store.Tx) error { return tx.Save(change.Again()) }); err != nil {
				t.Fatal(err)
			}
		}
		var mu sync.Mutex
		won := 0
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() {
				err := s.UpdateSubmit(ctx, store.Credential{}, filed.Package.ID, func(tx *store.Tx, in store.SubmitInput) error {
					change, err := cab.Submit(call, cab.Submission{
						ID: uuid.NewString(), Deployment: in.Deployment, Package: in.Package, Score: 6000, Model: "1.0",
						Complete: evidence.Completeness{Complete: true}, LatestID: in.LatestID, Existing: in.Existing, Policy: rules, Urgency: cab.Standard,
					})
					if err != nil {
						return err
					}
					return tx.Save(change)
				})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won++
				} else if cab.CodeOf(err) != "ALREADY_SUBMITTED" {
					t.Errorf("a loser must have seen the winner's request: %v", err)
				}
			})
		}
		all.Wait()
		if won != 1 {
			t.Errorf("%d won", won)
		}
	})
}

// TestGivenUpBeforeItsTurn: a caller whose context is over is not carried out.
func TestGivenUpBeforeItsTurn(t *testing.T) {
	s := storetest.Open(t, store.Options{URL: storetest.Engines(t)[0].URL(t)})
	over, cancel := context.WithCancel(ctx)
	cancel()
	ran := false
	err := s.Update(over, func(*store.Tx) error { ran = true; return nil })
	if cab.KindOf(err) != cab.Unavailable || ran {
		t.Errorf("%v, ran %t", err, ran)
	}
}

// TestTwoStoresOneLedger: two servers on one database write one ledger; no two
// checkpoints disagree.
func TestTwoStoresOneLedger(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		signer, url := storetest.Key(t), e.URL(t)
		a := storetest.Open(t, store.Options{URL: url, Signer: signer})
		b := storetest.Open(t, store.Options{URL: url, Signer: signer})
		var all sync.WaitGroup
		for i := range 200 {
			change := newDeployment(t)
			all.Go(func() {
				s := []*store.Store{a, b}[i%2]
				if err := s.Update(ctx, func(tx *store.Tx) error { return tx.Save(change.Again()) }); err != nil {
					t.Error(err)
				}
				if i%20 == 0 {
					if _, err := s.Checkpoint(ctx); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if report := sound(t, a); report.Events != 200 || report.Checkpoints == 0 {
			t.Errorf("%+v", report)
		}
	})
}

func TestAnotherKeyIsRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		url := e.URL(t)
		storetest.Open(t, store.Options{URL: url})
		_, err := store.Open(ctx, store.Options{URL: url, Signer: storetest.Key(t)})
		if cab.CodeOf(err) != "LEDGER_KEY_MISMATCH" {
			t.Errorf("%v", err)
		}
	})
}

// TestCounts: exact up to 10,000, and then capped.
func TestCounts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		url := e.URL(t)
		s := storetest.Open(t, store.Options{URL: url})
		db := storetest.Owner(t, url)
		fill := func(from, to int) {
			t.Helper()
			var values []string
			for i := from; i < to; i++ {
				values = append(values, fmt.Sprintf("('%d', '%d', 'a', '1', 'LAB', 'planned', 'x', 'x', %d, 1)", i, i, i))
			}
			for len(values) > 0 {
				n := min(len(values), 500)
				if _, err := db.Exec(`INSERT INTO deployment VALUES ` + strings.Join(values[:n], ", ")); err != nil {
					t.Fatal(err)
				}
				values = values[n:]
			}
		}
		count := func() (n int, capped bool) {
			t.Helper()
			err := s.View(ctx, func(r *store.Reader) error {
				page, err := r.Deployments(store.DeploymentFilter{})
				n, capped = page.Count, page.Capped
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return n, capped
		}
		fill(0, 10_000)
		if n, capped := count(); n != 10_000 || capped {
			t.Errorf("10,000 rows: %d %t", n, capped)
		}
		fill(10_000, 10_001)
		if n, capped := count(); n != 10_000 || !capped {
			t.Errorf("10,001 rows: %d %t", n, capped)
		}
	})
}

// TestLeafIsCanonical: what is hashed is the RFC 8785 form, whatever is in it.
func TestLeafIsCanonical(t *testing.T) {
	e := newDeployment(t).Events[0]
	e.Data.Reason = "\u2028 <b> \" \\ 𝄞 \x01"
	leaf, err := store.Leaf(e)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := evidence.Canonical(leaf); err != nil || string(again) != string(leaf) {
		t.Errorf("%v\n%s\n%s", err, leaf, again)
	}
}

// TestATransactionSeesItsEvents: although the events of a batch are written at its
// end, whoever asks for them in between gets them.
func TestATransactionSeesItsEvents(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		s := storetest.Open(t, store.Options{URL: e.URL(t)})
		change := newDeployment(t)
		err := s.Update(context.Background(), func(tx *store.Tx) error {
			if err := tx.Save(change.Again()); err != nil {
				return err
			}
			page, err := tx.Events(store.EventFilter{Trail: change.Deployment.CorrelationID})
			if err == nil && page.Count != 1 {
				t.Errorf("%d events are seen, want the one that was saved", page.Count)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
