package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
)

var jobTime = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func enqueue(t *testing.T, s *store.Store, jobs ...store.Job) {
	t.Helper()
	if err := s.Update(ctx, func(tx *store.Tx) error { tx.Enqueue(jobs...); return nil }); err != nil {
		t.Fatal(err)
	}
}

func job(name string) store.Job { return store.NewJob("q", name, []byte(name), jobTime) }

func claim(t *testing.T, s *store.Store, owner string, at time.Time, limit int) []store.Job {
	t.Helper()
	jobs, err := s.ClaimJobs(ctx, "q", owner, at, time.Minute, limit)
	if err != nil {
		t.Fatal(err)
	}
	return jobs
}

func names(jobs []store.Job) string {
	var all []string
	for _, j := range jobs {
		all = append(all, j.Name)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// TestJobs: what is asked for twice is done once; what is claimed is claimed once;
// a lease that is over goes to the next; what fails comes back when it is said, or
// stays dead until it is revived.
func TestJobs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		s := storetest.Open(t, store.Options{URL: e.URL(t), Signer: storetest.Key(t), Clock: func() time.Time { return jobTime }})
		enqueue(t, s, job("a"), job("b"))
		enqueue(t, s, job("a"), store.NewJob("other", "a", []byte("{}"), jobTime))
		want := func(what, got, want string) {
			t.Helper()
			if got != want {
				t.Errorf("%s: got %q, want %q", what, got, want)
			}
		}
		want("too early", names(claim(t, s, "one", jobTime.Add(-time.Second), 9)), "")
		first := claim(t, s, "one", jobTime, 9)
		want("first", names(first), "a b")
		want("claimed", names(claim(t, s, "two", jobTime.Add(59*time.Second), 9)), "")
		slices.SortFunc(first, func(a, b store.Job) int { return strings.Compare(a.Name, b.Name) })
		if err := s.FinishJob(ctx, first[0]); err != nil {
			t.Fatal(err)
		}
		second := claim(t, s, "two", jobTime.Add(time.Minute), 9)
		want("lease over", names(second), "b")
		if second[0].Attempts != 2 {
			t.Errorf("attempts: %d, want 2", second[0].Attempts)
		}
		if err := s.FinishJob(ctx, first[1]); err != nil { // it is no longer one's
			t.Fatal(err)
		}
		if err := s.FailJob(ctx, second[0], errors.New("no\x00\xff answer"), jobTime.Add(time.Hour), false); err != nil {
			t.Fatal(err)
		}
		want("waits", names(claim(t, s, "one", jobTime.Add(59*time.Minute), 9)), "")
		third := claim(t, s, "one", jobTime.Add(time.Hour), 9)
		want("tried again", names(third), "b")
		want("error", third[0].Error, "no? answer")
		if err := s.FailJob(ctx, third[0], errors.New("gone"), jobTime, true); err != nil {
			t.Fatal(err)
		}
		want("dead", names(claim(t, s, "one", jobTime.Add(2*time.Hour), 9)), "")
		revive := func(id string) error {
			return s.Update(ctx, func(tx *store.Tx) error { _, err := tx.ReviveJob(id, jobTime.Add(3*time.Hour)); return err })
		}
		if err := revive(third[0].ID); err != nil {
			t.Fatal(err)
		}
		want("alive again", cab.CodeOf(revive(third[0].ID)), "NOT_DEAD")
		want("nobody's", cab.CodeOf(revive("none")), "NOT_FOUND")
		fourth := claim(t, s, "one", jobTime.Add(3*time.Hour), 9)
		want("revived", names(fourth), "b")
		if fourth[0].Attempts != 1 {
			t.Errorf("attempts: %d, want 1", fourth[0].Attempts)
		}
	})
}

// TestJobsGoWithTheirTransaction: no event, no job.
func TestJobsGoWithTheirTransaction(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		fails := false
		outbox := func(n cab.Notice) ([]store.Job, error) {
			if fails {
				return nil, errors.New("no")
			}
			return []store.Job{store.NewJob("q", n.ID, []byte("{}"), jobTime)}, nil
		}
		s := storetest.Open(t, store.Options{URL: e.URL(t), Signer: storetest.Key(t), Outbox: outbox})
		save := func(end error) error {
			return s.Update(ctx, func(tx *store.Tx) error {
				change := cab.Change{Events: []cab.Event{{Type: cab.EvidenceTampered, Time: jobTime, CorrelationID: "x"}, {Type: cab.CABVoteCast, Time: jobTime, CorrelationID: "x"}}}
				if err := tx.Save(change); err != nil {
					return err
				}
				return end
			})
		}
		if err := save(errors.New("refused")); err == nil {
			t.Error("it was to fail")
		}
		if jobs := claim(t, s, "one", jobTime, 9); len(jobs) != 0 {
			t.Errorf("a job without its event: %v", jobs)
		}
		if err := save(nil); err != nil {
			t.Fatal(err)
		}
		if jobs := claim(t, s, "one", jobTime, 9); len(jobs) != 1 {
			t.Errorf("%d jobs, want one: of the tampering", len(jobs))
		}
		fails = true
		if err := save(nil); err == nil {
			t.Error("an event without its job")
		}
	})
}

// TestClocksOfWorkersGoWrong: what a clock that ran ahead has planned or leased is
// not lost once it is set back.
func TestClocksOfWorkersGoWrong(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		s := storetest.Open(t, store.Options{URL: e.URL(t), Signer: storetest.Key(t)})
		enqueue(t, s, job("leased"), job("planned"))
		ahead := jobTime.AddDate(1, 0, 0)
		jobs := claim(t, s, "one", ahead, 9)
		for _, j := range jobs {
			if j.Name == "planned" {
				if err := s.FailJob(ctx, j, errors.New("no"), ahead.Add(time.Hour), false); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got := names(claim(t, s, "two", jobTime, 9)); got != "leased planned" {
			t.Errorf("got %q", got)
		}
	})
}

// TestNoDoubleClaim: many workers, on as many stores as there can be, each job once.
func TestNoDoubleClaim(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		url, key := e.URL(t), storetest.Key(t)
		stores := []*store.Store{storetest.Open(t, store.Options{URL: url, Signer: key})}
		if e.Name == "postgres" {
			stores = append(stores, storetest.Open(t, store.Options{URL: url, Signer: key}), storetest.Open(t, store.Options{URL: url, Signer: key}))
		}
		const n = 300
		var jobs []store.Job
		for i := range n {
			jobs = append(jobs, job(fmt.Sprint(i)))
		}
		enqueue(t, stores[0], jobs...)
		var mu sync.Mutex
		done := map[string]int{}
		var all sync.WaitGroup
		for worker := range 8 {
			all.Go(func() {
				s := stores[worker%len(stores)]
				for {
					got, err := s.ClaimJobs(context.Background(), "q", fmt.Sprint(worker), jobTime, time.Minute, 7)
					if err != nil || len(got) == 0 {
						if err != nil {
							t.Error(err)
						}
						return
					}
					for _, j := range got {
						mu.Lock()
						done[j.Name]++
						mu.Unlock()
						if err := s.FinishJob(context.Background(), j); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		all.Wait()
		for name, times := range done {
			if times != 1 {
				t.Errorf("%s: claimed %d times", name, times)
			}
		}
		if len(done) != n {
			t.Errorf("%d of %d done", len(done), n)
		}
	})
}
