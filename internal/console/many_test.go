package console

import (
	"fmt"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/store"
)

// many adds requests, spread evenly over the time that ends now: of ten, one waits,
// two were approved by rule, one rejected and the others approved by the board, a few
// hours after. They have the rows that lists and counts read, and no evidence.
func (w *world) many(n int, over time.Duration) {
	w.t.Helper()
	end := w.now()
	const batch = 1000
	for first := 0; first < n; first += batch {
		w.must(w.store.Update(w.ctx, func(tx *store.Tx) error {
			for i := first; i < min(first+batch, n); i++ {
				if err := tx.Save(w.fake(i, end.Add(-over+over/time.Duration(n)*time.Duration(i)))); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

func (w *world) fake(i int, at time.Time) cab.Change {
	id := fmt.Sprintf("00000000-0000-7000-8000-%012x", i)
	q := &cab.Request{
		ID: id, Name: fmt.Sprintf("CAB-%012X", i), CorrelationID: id, DeploymentID: id, PackageID: id, Score: evidence.Score(i % 100 * 100),
		Gate: cab.Gate{Decision: cab.GateReview}, Status: cab.ApprovedByCAB, SubmittedBy: cab.Person{ID: w.ids["erin"], Username: "erin"}, SubmittedAt: at, DueAt: at.Add(48 * time.Hour), Revision: 1,
	}
	change := cab.Change{
		Deployment: &cab.Deployment{ID: id, CorrelationID: id, AppName: "App", AppVersion: fmt.Sprint(i), TargetRing: cab.Pilot, State: cab.Planned, CreatedAt: at, Revision: 1},
		Request:    q,
	}
	event := cab.Event{Time: at, Type: cab.CABSubmitted, CorrelationID: id, Actor: cab.Actor{ID: w.ids["erin"], Name: "erin", Role: cab.PackagingEngineer}}
	decider := w.call([]string{"carol", "chris"}[i%2]).Actor
	switch i % 10 {
	case 0:
		q.Status = cab.Submitted
	case 1, 2:
		q.Status, decider = cab.AutoApproved, cab.RiskGate
	case 3:
		q.Status = cab.RejectedByCAB
	}
	if q.Status != cab.Submitted {
		event.Type, event.Actor = cab.CABVoteCast, decider
		change.Decision = &cab.Decision{RequestID: id, Decision: q.Status, Decider: decider, DecidedAt: at.Add(time.Duration(i%40) * time.Hour)}
	}
	change.Events = []cab.Event{event}
	return change
}
