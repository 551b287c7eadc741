package cab

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestNoPathWithoutTheOthers draws any sequence of acts by anybody, with roles
// changing hands, and holds: whatever reached an approval has the votes of a
// quorum of distinct CAB members who had no part in it, and where an exception
// was needed, a Security Reviewer's who is yet another person.
func TestNoPathWithoutTheOthers(t *testing.T) {
	people := []string{"erin", "carol", "chris", "sam", "sue"}
	rapid.Check(t, func(t *rapid.T) {
		r := requestIn(rapid.SampledFrom([]Status{Submitted, NeedsException}).Draw(t, "start"))
		r.Quorum = rapid.IntRange(1, 3).Draw(t, "quorum")
		needed := r.Status == NeedsException
		var votes []Vote
		var exceptions []Exception
		now := noon
		rows := map[Subject]RowState{}
		seq := int64(0)
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 40*24).Draw(t, "hours")) * time.Hour)
			name := rapid.SampledFrom(people).Draw(t, "who")
			role := rapid.SampledFrom(Roles()).Draw(t, "role")
			call := Call{Actor: actor(role, name), Now: now}
			in := Situation{Exceptions: exceptions, LatestID: "pkg", Votes: votes}
			change, err := drawnAct(t, r, call, in, exceptions)
			if err != nil {
				continue
			}
			if len(change.Events) == 0 {
				t.Fatal("a change without an event")
			}
			if change.Request != nil {
				r = *change.Request
			}
			if change.Vote != nil {
				votes = append(votes, *change.Vote)
			}
			for _, e := range change.Exceptions {
				i := slices.IndexFunc(exceptions, func(x Exception) bool { return x.ID == e.ID })
				if i < 0 {
					exceptions = append(exceptions, *e)
				} else {
					exceptions[i] = *e
				}
			}
			for _, event := range change.Events {
				event.Seq = seq
				seq++
				if err := Fold(event, func(row Subject, state RowState) { rows[row] = state }); err != nil {
					t.Fatal(err)
				}
			}
			checkFold(t, rows, r, exceptions)
			checkApproval(t, r, votes, exceptions, needed, change.Decision != nil, now)
		}
	})
}

func drawnAct(t *rapid.T, r Request, call Call, in Situation, exceptions []Exception) (Change, error) {
	switch rapid.IntRange(0, 7).Draw(t, "act") {
	case 0:
		return r.StartReview(call, in)
	case 1, 2:
		return r.CastVote(call, in, true, "yes", nil)
	case 3:
		return r.CastVote(call, in, false, "no", nil)
	case 4:
		return r.Revoke(call, "over")
	case 5:
		return RequestException(call, ExceptionAsk{
			ID: string(rune('a' + len(exceptions))), Request: &r, Intent: Deployment{ID: "dep", CorrelationID: r.CorrelationID, CreatedBy: erin.Person()}, Others: exceptions,
			Policy: Policy{Exception: ExceptionTerms{DefaultDays: 30, MaxDays: 90}}, Reason: "r", Justification: "j", Controls: []string{"c"},
		})
	}
	if len(exceptions) == 0 {
		return Change{}, conflict("NONE", "no exception")
	}
	e := exceptions[len(exceptions)-1]
	if rapid.Bool().Draw(t, "approve") {
		return e.Approve(call, r, in.Votes, "ok")
	}
	return e.Reject(call, r, in.Votes, "no")
}

func checkApproval(t *rapid.T, r Request, votes []Vote, exceptions []Exception, needed, decided bool, now time.Time) {
	if !r.Status.Approved() {
		return
	}
	voters := map[string]bool{}
	for _, v := range votes {
		if v.Approve {
			voters[v.Voter.ID] = true
		}
		if v.Voter.ID == erin.ID {
			t.Fatal("the submitter voted")
		}
	}
	if len(voters) < r.Quorum {
		t.Fatalf("approved by %d of %d", len(voters), r.Quorum)
	}
	if !needed {
		return
	}
	on := r.restsOn(exceptions)
	if on == nil || on.Approver == nil || (decided && !on.Active(now)) {
		t.Fatalf("approved without an exception in force: %+v", on)
	}
	if on.Approver.ID == erin.ID || on.Approver.ID == on.Requester.ID || r.ValidUntil.After(on.ExpiresAt) {
		t.Fatalf("approved on %+v until %s", on, r.ValidUntil)
	}
	for _, v := range votes { // nobody of the quorum had a part in the exception
		if v.Approve && v.Voter.ID == on.Approver.ID {
			t.Fatal("the same person approved exception and request")
		}
	}
}

// checkFold: the events give the rows.
func checkFold(t *rapid.T, rows map[Subject]RowState, r Request, exceptions []Exception) {
	for subject, row := range map[Subject]any{{KindRequest, r.ID}: &r} {
		if state, known := rows[subject]; known {
			if digest, err := RowDigest(row); err != nil || digest != state.Digest {
				t.Fatalf("the fold has another %s (%v)", subject.Kind, err)
			}
		}
	}
	for i := range exceptions {
		digest, err := RowDigest(&exceptions[i])
		if err != nil || digest != rows[Subject{KindException, exceptions[i].ID}].Digest {
			t.Fatalf("the fold has another exception (%v)", err)
		}
	}
}
