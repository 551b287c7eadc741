package report

import (
	"strings"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/cab/cabtest"
)

// board is a ledger in which carol approves erin's request and sam an exception
// for it, all by the rules.
func board(t *testing.T) ([]cab.Event, cabtest.People) {
	l := cabtest.New(t)
	p := l.People()
	d, pack := l.File(p.Erin, "Disk encryption", "2", cab.Global, 9000)
	r := l.Submit(p.Erin, d, pack)
	x := l.AskException(p.Erin, d, r, 10)
	change := l.Do(x.Approve(l.Call(p.Sam), r, nil, "for ten days"))
	l.Wait(time.Hour)
	l.Vote(p.Carol, *change.Request, true, "fine", "", *change.Exceptions[0])
	d, pack = l.File(p.Erin, "7-Zip", "24.08", cab.Pilot, 1400)
	l.Submit(p.Erin, d, pack)
	d, pack = l.File(p.Erin, "VLC", "3", cab.Pilot, 6000)
	l.Vote(p.Chris, l.Submit(p.Erin, d, pack), false, "no", "")
	return l.Events, p
}

// TestViolationsAreFound: each rule, broken behind the program's back, is found
// and named, and no other rule cries.
func TestViolationsAreFound(t *testing.T) {
	// each edits a copy of the events; data behind pointers is copied first
	type edit func(e *cab.Event, p cabtest.People)
	onVote := func(change func(v *cab.Vote, e *cab.Event, p cabtest.People)) edit {
		return func(e *cab.Event, p cabtest.People) {
			if e.Data.Vote != nil && e.Data.Vote.Approve {
				v := *e.Data.Vote
				e.Data.Vote = &v
				change(&v, e, p)
			}
		}
	}
	onDecision := func(kind cab.Status, change func(d *cab.Decision, e *cab.Event, p cabtest.People)) edit {
		return func(e *cab.Event, p cabtest.People) {
			if e.Data.Decision != nil && e.Data.Decision.Decision == kind {
				d := *e.Data.Decision
				e.Data.Decision = &d
				change(&d, e, p)
			}
		}
	}
	onException := func(change func(x *cab.Exception, e *cab.Event, p cabtest.People)) edit {
		return func(e *cab.Event, p cabtest.People) {
			if e.Type == cab.ExceptionApproved {
				x := *e.Data.Exception
				e.Data.Exception = &x
				change(&x, e, p)
			}
		}
	}
	onRequests := func(change func(r *cab.Request, p cabtest.People)) edit {
		return func(e *cab.Event, p cabtest.People) {
			if e.Data.Request != nil && e.Data.Request.Gate.Decision == cab.GateException {
				r := *e.Data.Request
				e.Data.Request = &r
				change(&r, p)
			}
		}
	}
	for _, c := range []struct {
		name string
		edit edit
		want string // the rules that are violated, and how often
	}{
		{"nothing", func(*cab.Event, cabtest.People) {}, ""},
		{"the decider submitted it", onRequests(func(r *cab.Request, p cabtest.People) { r.SubmittedBy = p.Carol.Person() }), "decider-is-not-submitter voter-is-not-involved"},
		{"the decider made the evidence", onRequests(func(r *cab.Request, p cabtest.People) { r.PackageOwner = p.Carol.ID }), "decider-is-not-author voter-is-not-involved"},
		{"the decider made the intent", onRequests(func(r *cab.Request, p cabtest.People) { r.IntentOwner = p.Carol.ID }), "decider-is-not-author voter-is-not-involved"},
		{"another's vote", onVote(func(v *cab.Vote, _ *cab.Event, p cabtest.People) { v.Voter = p.Chris.Person() }), "own-name"},
		{"the vote of an engineer", onVote(func(v *cab.Vote, e *cab.Event, p cabtest.People) { v.Voter, e.Actor = p.Erin.Person(), p.Erin }), "role-held voter-is-not-involved"},
		{"a role that was not held", onVote(func(v *cab.Vote, e *cab.Event, p cabtest.People) {
			v.Voter, e.Actor = p.Ada.Person(), p.Ada
			e.Actor.Role = cab.CABMember
		}), "role-held"},
		{"no such account", onVote(func(v *cab.Vote, e *cab.Event, _ cabtest.People) {
			v.Voter.ID, e.Actor.ID = "nobody", "nobody"
		}), "role-held"},
		{"decided by an administrator", onDecision(cab.ApprovedByCAB, func(d *cab.Decision, e *cab.Event, p cabtest.People) { d.Decider, e.Actor = p.Root, p.Root }), "role-held"},
		{"decided in another's name", onDecision(cab.ApprovedByCAB, func(d *cab.Decision, _ *cab.Event, p cabtest.People) { d.Decider = p.Chris }), "own-name"},
		{"approved against a vote", onVote(func(v *cab.Vote, _ *cab.Event, _ cabtest.People) { v.Approve = false }), "quorum"},
		{"too few votes", onRequests(func(r *cab.Request, _ cabtest.People) { r.Quorum = 2 }), "quorum"},
		{"no quorum asked", onRequests(func(r *cab.Request, _ cabtest.People) { r.Quorum = 0 }), "quorum"},
		{"the exception's own asker", onException(func(x *cab.Exception, e *cab.Event, p cabtest.People) {
			x.Approver, e.Actor = ptr(p.Erin.Person()), p.Erin
		}), "exception-not-own role-held"},
		{"the exception's approver decides", onException(func(x *cab.Exception, e *cab.Event, p cabtest.People) {
			x.Approver, e.Actor = ptr(p.Carol.Person()), p.Carol
		}), "exception-apart role-held"},
		{"an exception that had run out", onException(func(x *cab.Exception, e *cab.Event, _ cabtest.People) { x.ExpiresAt = e.Time }), "exception-in-force"},
		{"another exception", onRequests(func(r *cab.Request, _ cabtest.People) { r.ExceptionID = "another" }), "exception-in-force"},
		{"by rule where the gate said no", onDecision(cab.ApprovedByCAB, func(d *cab.Decision, e *cab.Event, _ cabtest.People) {
			d.Decision, d.Decider, e.Actor = cab.AutoApproved, cab.RiskGate, cab.RiskGate
		}), "by-rule"},
		{"by rule with a person's name", onDecision(cab.AutoApproved, func(d *cab.Decision, e *cab.Event, p cabtest.People) { d.Decider, e.Actor = p.Root, p.Root }), "by-rule"},
		{"other evidence", onDecision(cab.RejectedByCAB, func(d *cab.Decision, _ *cab.Event, _ cabtest.People) { d.ContentHash = "another" }), "same-evidence"},
		{"another score", onDecision(cab.AutoApproved, func(d *cab.Decision, _ *cab.Event, _ cabtest.People) { d.Score = 0 }), "same-evidence"},
	} {
		t.Run(c.name, func(t *testing.T) {
			events, p := board(t)
			for i := range events {
				c.edit(&events[i], p)
			}
			r := fold(t, events, 1, 2)
			var got []string
			for _, check := range r.Duties {
				if len(check.Violations) > 0 {
					got = append(got, check.ID)
				}
				for _, v := range check.Violations {
					if v.Person == "" || !strings.Contains(v.Subject, "-0000") || v.Seq == 0 || v.Detail == "" {
						t.Errorf("%s does not say who and what: %+v", check.ID, v)
					}
				}
			}
			want := strings.Fields(c.want)
			if !sameWords(got, want) {
				t.Errorf("violated: %v, want %v", got, want)
			}
			if (len(r.Findings) > 0) != (len(want) > 0) {
				t.Errorf("findings %q", r.Findings)
			}
		})
	}
}

func ptr[T any](value T) *T { return &value }

func sameWords(a, b []string) bool {
	in := map[string]int{}
	for _, word := range a {
		in[word]++
	}
	for _, word := range b {
		in[word]--
	}
	for _, n := range in {
		if n != 0 {
			return false
		}
	}
	return true
}

// TestVotedTwice: two votes of one member are one.
func TestVotedTwice(t *testing.T) {
	l := cabtest.New(t)
	p := l.People()
	l.Policy.Quorum = 2
	d, pack := l.File(p.Erin, "VLC", "3", cab.Pilot, 6000)
	r := l.Submit(p.Erin, d, pack)
	first := l.Vote(p.Carol, r, true, "fine", "")
	situation := cab.Situation{LatestID: pack.ID, Votes: []cab.Vote{{Voter: p.Chris.Person(), Approve: true}}} // as if chris had voted
	l.Do(first.Request.CastVote(l.Call(p.Carol), situation, true, "fine again", nil))
	report := fold(t, l.Events, 1, 2)
	if got := report.Duties[dutyQuorum]; len(got.Violations) != 1 || got.Violations[0].Person != "carol" {
		t.Errorf("%+v", got)
	}
}
