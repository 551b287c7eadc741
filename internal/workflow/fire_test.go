package workflow

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
)

const callers = 64

// atOnce runs n calls that start together, and returns how many succeeded. A
// failure must be a conflict.
func atOnce(t *testing.T, n int, call func(i int) error) (won int) {
	t.Helper()
	start := make(chan struct{})
	results := make(chan error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			results <- call(i)
		})
	}
	close(start)
	all.Wait()
	close(results)
	for err := range results {
		if err == nil {
			won++
		} else if cab.KindOf(err) != cab.Conflict {
			t.Errorf("a loser must get a conflict, got %v", err)
		}
	}
	return won
}

// TestDecisionsUnderFire: many approve and reject the same thing at once, over
// and over; on PostgreSQL through two stores, as two servers would. Exactly one
// wins; there is one decision and one final event. Lessons 13 and 14.
func TestDecisionsUnderFire(t *testing.T) {
	eachWorld(t, func(w *world) {
		services := []*Service{w.Service}
		if w.engine == "postgres" {
			other := storetest.Open(t, store.Options{URL: w.url, Signer: w.signer, Clock: w.clock.Now})
			services = append(services, New(other, Options{Clock: w.clock.Now}))
		}
		members, reviewers := make([]Call, callers), make([]Call, callers)
		for i := range callers {
			members[i] = w.person(t, fmt.Sprint("member-", i), cab.CABMember)
			reviewers[i] = w.person(t, fmt.Sprint("reviewer-", i), cab.SecurityReviewer)
		}
		for range 5 {
			r := w.submitted("mid")
			if won := atOnce(t, callers, func(i int) error {
				s := services[i%len(services)]
				if i%2 == 0 {
					_, err := s.Approve(w.ctx, members[i], r.ID, "yes", nil)
					return err
				}
				_, err := s.Reject(w.ctx, members[i], r.ID, "no")
				return err
			}); won != 1 {
				t.Fatalf("%d decisions won", won)
			}
			final := 0
			page := must[Page[EventRow]](t)(w.Events(w.ctx, w.ada, EventFilter{Trail: r.ID, Paging: store.Paging{Limit: 200}}))
			for _, e := range page.Rows {
				for _, kind := range []string{`"type":"CAB_APPROVED"`, `"type":"CAB_REJECTED"`} {
					if strings.Contains(string(e.Leaf), kind) {
						final++
					}
				}
			}
			var decisions int
			if err := storetest.Owner(t, w.url).QueryRow(`SELECT COUNT(*) FROM decision WHERE request_id = $1`, r.ID).Scan(&decisions); err != nil {
				t.Fatal(err)
			}
			if final != 1 || decisions != 1 {
				t.Errorf("%d final events, %d decision rows", final, decisions)
			}

			_, e := w.deployment("mid")
			if won := atOnce(t, callers, func(i int) error {
				_, err := services[i%len(services)].Submit(w.ctx, w.erin, Submission{PackageID: e.ID, Urgency: cab.Standard})
				return err
			}); won != 1 {
				t.Errorf("%d submissions of one package won", won)
			}

			blocked := w.submitted("high")
			x := must[cab.Exception](t)(w.RequestException(w.ctx, w.erin, ExceptionAsk{DeploymentID: blocked.DeploymentID, Reason: "r", Justification: "j", Controls: []string{"c"}}))
			if won := atOnce(t, callers, func(i int) error {
				s := services[i%len(services)]
				if i%2 == 0 {
					_, err := s.ApproveException(w.ctx, reviewers[i], x.ID, "yes")
					return err
				}
				_, err := s.RejectException(w.ctx, reviewers[i], x.ID, "no")
				return err
			}); won != 1 {
				t.Errorf("%d decisions on an exception won", won)
			}
		}
		w.wantSound()
	})
}

// TestOnce: a repetition under the same key gets the first answer, byte for
// byte, also when both come at once; another request under it is refused.
func TestOnce(t *testing.T) {
	eachWorld(t, func(w *world) {
		n := 0
		once := func(fingerprint string) Call {
			call := w.erin
			call.Once = &Once{Key: "k", Fingerprint: fingerprint, Render: func(result any) (int, []byte, error) {
				n++ // under the writer: no two at once
				return 201, fmt.Appendf(nil, "answer %d: %s", n, result.(cab.Deployment).ID), nil
			}}
			return call
		}
		create := func(call Call) error {
			_, err := w.CreateDeployment(w.ctx, call, "a", "1", cab.Lab)
			return err
		}
		var mu sync.Mutex
		bodies := map[string]int{}
		fresh := 0
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				err := create(once("same"))
				mu.Lock()
				defer mu.Unlock()
				if replayed, ok := errors.AsType[*Replayed](err); ok {
					bodies[string(replayed.Body)]++
				} else if err == nil {
					fresh++
				} else {
					t.Errorf("%v", err)
				}
			})
		}
		all.Wait()
		if fresh != 1 || len(bodies) != 1 {
			t.Errorf("%d ran, %d different replays", fresh, len(bodies))
		}
		w.wantCode(create(once("other")), "IDEMPOTENCY_KEY_REUSED")
		other := once("same")
		other.Actor = w.eve.Actor
		if err := create(other); err != nil {
			t.Errorf("a key belongs to its principal: %v", err)
		}
		if page := must[Page[cab.Deployment]](t)(w.Deployments(w.ctx, w.ada, DeploymentFilter{})); page.Count != 2 {
			t.Errorf("%d deployments were made, want 2", page.Count)
		}
	})
}
