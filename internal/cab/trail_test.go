package cab

import (
	"slices"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/evidence"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

// course is a request with all that happened to it.
type course struct {
	request    Request
	votes      []Vote
	exceptions []Exception
	events     []Event
}

func (c *course) take(change Change) {
	if change.Request != nil {
		c.request = *change.Request
	}
	if change.Vote != nil {
		c.votes = append(c.votes, *change.Vote)
	}
	for _, e := range change.Exceptions {
		if i := slices.IndexFunc(c.exceptions, func(x Exception) bool { return x.ID == e.ID }); i >= 0 {
			c.exceptions[i] = *e
		} else {
			c.exceptions = append(c.exceptions, *e)
		}
	}
	for _, e := range change.Events {
		text, err := json.Marshal(e) // as it is written: rows are shared no more
		if err == nil {
			err = json.Unmarshal(text, &e)
		}
		if err != nil {
			panic(err)
		}
		e.Seq = int64(len(c.events))
		c.events = append(c.events, e)
	}
}

// trail folds events, and returns what was wrong with any of them.
func trail(events []Event) (*Trail, error) {
	t := new(Trail)
	var first error
	for _, e := range events {
		if err := t.Add(e); err != nil && first == nil {
			first = err
		}
	}
	return t, first
}

// TestEveryPathIsJustified: whatever the rules let happen, by anybody, with roles
// changing hands, is found justified at each step by whoever has the events alone;
// and no event is left out unnoticed whose row changed again later.
func TestEveryPathIsJustified(t *testing.T) {
	people := []string{"erin", "carol", "chris", "sam", "sue"}
	seen := map[Status]int{}
	good := submission(t, 0)
	rapid.Check(t, func(rt *rapid.T) {
		ask := good
		ask.Score = rapid.SampledFrom([]evidence.Score{1000, 6000, 9000}).Draw(rt, "score")
		ask.Policy.Quorum = rapid.IntRange(1, 3).Draw(rt, "quorum")
		c := new(course)
		created, err := NewDeployment(callBy(erin), "dep", "corr", "app", "1", Lab)
		if err != nil {
			rt.Fatal(err)
		}
		c.take(created)
		p := ask.Package
		p.DeploymentID, p.CorrelationID, p.CreatedAt, p.Score = "dep", "corr", noon, ask.Score
		subject := Subject{KindPackage, p.ID}
		c.take(Change{Events: []Event{
			callBy(erin).event(EvidenceCreated, "corr", "dep", subject, EventData{Package: &p}),
			callBy(RiskGate).event(RiskAssessed, "corr", "dep", subject, EventData{Risk: &Risk{PackageID: p.ID, Score: ask.Score}}),
		}})
		submitted, err := Submit(callBy(erin), ask)
		if err != nil {
			rt.Fatal(err)
		}
		c.take(submitted)
		now := noon
		for range rapid.IntRange(0, 25).Draw(rt, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 20*24).Draw(rt, "hours")) * time.Hour)
			call := Call{Actor: actor(rapid.SampledFrom(Roles()).Draw(rt, "role"), rapid.SampledFrom(people).Draw(rt, "who")), Now: now}
			if change, err := c.drawn(rt, call); err == nil {
				c.take(change)
				c.check(rt, ask.Policy)
			}
		}
		seen[c.request.Status]++
	})
	for _, s := range Statuses() {
		if seen[s] == 0 {
			t.Logf("no path led to %s this time", s)
		}
	}
}

func (c *course) drawn(t *rapid.T, call Call) (Change, error) {
	in := Situation{Exceptions: c.exceptions, LatestID: "pkg", Votes: c.votes}
	switch rapid.IntRange(0, 9).Draw(t, "extra") {
	case 0:
		return c.request.Withdraw(call, "")
	case 1, 2:
		conditions := rapid.SampledFrom([]string{`{"a":1}`, `{"a":2}`, `{"b":[true,null]}`}).Draw(t, "conditions")
		return c.request.CastVote(call, in, true, "if", jsontext.Value(conditions))
	case 3:
		for _, x := range c.exceptions {
			if change, ok := x.Expire(call); ok {
				return change, nil
			}
			if change, err := x.Revoke(call, "over"); err == nil {
				return change, nil
			}
		}
	}
	return drawnAct(t, c.request, call, in, c.exceptions)
}

func (c *course) check(t *rapid.T, rules Policy) {
	whole, err := trail(c.events)
	if err != nil {
		t.Fatalf("what the rules let happen: %v", err)
	}
	r, _, _, err := whole.Request(c.request.Name)
	if err != nil || r.Status != c.request.Status {
		t.Fatalf("%s, want %s: %v", r.Status, c.request.Status, err)
	}
	if wrong := whole.Judge(r, rules); len(wrong) > 0 {
		t.Fatalf("%s: %q", r.Status, wrong)
	}
	if d, ok := whole.Decisions[r.ID]; ok {
		d.Decider = Actor{ID: "somebody", Name: "somebody", Role: CABMember}
		whole.Decisions[r.ID] = d
		if len(whole.Judge(r, rules)) == 0 {
			t.Fatalf("%s: decided by somebody who did not vote", r.Status)
		}
	}
	left := rapid.IntRange(0, len(c.events)-1).Draw(t, "left out")
	if _, err := trail(slices.Delete(slices.Clone(c.events), left, left+1)); err == nil && changedAgain(c.events[left], c.events[left+1:]) {
		t.Fatalf("event %d (%s) was left out, and nobody noticed", left, c.events[left].Type)
	}
}

// changedAgain reports whether a later event has a later revision of a row of e.
func changedAgain(e Event, later []Event) bool {
	return slices.ContainsFunc(later, func(l Event) bool {
		request := e.Data.Request != nil && l.Data.Request != nil
		exception := e.Data.Exception != nil && l.Data.Exception != nil && e.Data.Exception.ID == l.Data.Exception.ID
		return request || exception
	})
}
