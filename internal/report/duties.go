package report

import (
	"fmt"
	"slices"

	"github.com/eucora/eucora/internal/cab"
)

// The rules of the separation of duties, by the places in which they are listed.
const (
	dutySubmitter = iota
	dutyAuthor
	dutyVoter
	dutyExceptionOwn
	dutyExceptionApart
	dutyRole
	dutyAttributed
	dutyQuorum
	dutyByRule
	dutyExceptionHeld
	dutySameEvidence
)

// duties tries every rule on everything that it is about, while the events go
// by: what held at that moment is what counts. Nothing here asks the rules that
// let the events come about; it reads what was written. What was tried before the
// period is counted when something in the period rests on it.
type duties struct{ checks []Check }

// trial is one rule tried on one event about a request.
type trial struct {
	rule      int
	on        *exception // of the request; nil: the request itself
	violation *Violation // nil: the rule holds
}

func newDuties() duties {
	return duties{[]Check{
		dutySubmitter:      {ID: "decider-is-not-submitter", Rule: "Who decided a request did not submit it"},
		dutyAuthor:         {ID: "decider-is-not-author", Rule: "Who decided a request made neither its evidence package nor its deployment intent"},
		dutyVoter:          {ID: "voter-is-not-involved", Rule: "Who voted on a request did not submit it, make its evidence or intent, or ask for an exception for it"},
		dutyExceptionOwn:   {ID: "exception-not-own", Rule: "Who decided an exception did not ask for it, submit its request, or make its evidence or intent"},
		dutyExceptionApart: {ID: "exception-apart", Rule: "Who decided an exception did not vote on or decide its request"},
		dutyRole:           {ID: "role-held", Rule: "Votes and decisions on requests were cast by accounts that were CAB members then, and decisions on exceptions by Security Reviewers; none was disabled"},
		dutyAttributed:     {ID: "own-name", Rule: "A vote or decision bears the name of the account that cast it"},
		dutyQuorum:         {ID: "quorum", Rule: "An approval by people has the approving votes of as many different members as the policy asked for, and no vote against; a rejection has a vote against; nobody voted twice"},
		dutyByRule:         {ID: "by-rule", Rule: "An automatic approval was made by the gate, where the gate's answer was automatic, and bears no person's name"},
		dutyExceptionHeld:  {ID: "exception-in-force", Rule: "An approval that needed an exception rests on one that was in force at that moment"},
		dutySameEvidence:   {ID: "same-evidence", Rule: "A decision is on the evidence and the score that were submitted"},
	}}
}

// try keeps with the request what a rule says of an event on it or on an exception
// of it.
func (r *request) try(rule int, e cab.Event, on *exception, by Who, holds bool, detail string) {
	t := trial{rule: rule, on: on}
	if !holds {
		name := r.row.Name
		if on != nil {
			name = on.row.Name
		}
		t.violation = &Violation{Seq: e.Seq, At: e.Time, Subject: name, Person: by.Name, Detail: detail}
	}
	r.trials = append(r.trials, t)
}

// count counts what was tried on a request, once.
func (d *duties) count(r *request) {
	for _, t := range r.trials[r.counted:] {
		check := &d.checks[t.rule]
		check.Tested++
		if t.violation != nil {
			check.Violations = append(check.Violations, *t.violation)
		}
	}
	r.counted = len(r.trials)
}

// unfounded says why the approval that a request's row shows is none: because no
// decision in the ledger made it so, on the evidence with this hash, or because the
// decision, its votes or the exception that it rests on broke a rule.
func (r *request) unfounded(e cab.Event, contentHash string) []string {
	d := r.decision
	switch {
	case d == nil:
		return []string{fmt.Sprintf("no event decided %s, and its row says %s", r.row.Name, r.row.Status)}
	case d.Decision != r.row.Status || !d.ValidUntil.Equal(r.row.ValidUntil):
		return []string{fmt.Sprintf("event %d decided %s as %s until %s, and its row says %s until %s", r.seq, r.row.Name, d.Decision, stamp(d.ValidUntil), r.row.Status, stamp(r.row.ValidUntil))}
	case d.ContentHash != contentHash:
		return []string{fmt.Sprintf("event %d decided %s on other evidence than the latest package", r.seq, r.row.Name)}
	}
	if r.row.Gate.Decision == cab.GateException && !r.restsOnActive(e) {
		return []string{fmt.Sprintf("no event granted the exception that %s rests on", r.row.Name)}
	}
	return r.broken()
}

// broken says which rules of separation were broken on a request, or on the exception
// that it rests on.
func (r *request) broken() (reasons []string) {
	for _, t := range r.trials {
		if v := t.violation; v != nil && (t.on == nil || t.on.row.ID == r.row.ExceptionID) {
			reasons = append(reasons, fmt.Sprintf("event %d on %s broke a rule of separation: %s", v.Seq, v.Subject, v.Detail))
		}
	}
	return reasons
}

// precedes reports whether a permit let a start go ahead of CAB: one for the latest
// package and its request, as the rule is, with the exception granted by an event if
// it needs one.
func (r *request) precedes(e cab.Event, p cab.StartPermit, d *deployment) bool {
	switch {
	case r == nil || !p.AheadOfCAB || p.RequestID != r.row.ID || p.PackageID != d.latestPackage || p.ContentHash != d.latestHash:
		return false
	case r.row.Gate.Decision == cab.GateException && !r.restsOnActive(e):
		return false
	}
	return len(r.broken()) == 0 && r.row.MayPrecede(e.Time, p.Ring, r.exceptionRows())
}

// decision tries the rules on a decision that has just been folded.
func (r *request) tryDecision(e cab.Event, accounts map[string]cab.Principal) {
	decider := who(r.decision.Decider)
	try := func(rule int, holds bool, detail string) { r.try(rule, e, nil, decider, holds, detail) }
	try(dutySameEvidence, r.decision.ContentHash == r.row.ContentHash && r.decision.Score == r.row.Score && r.decision.PolicyVersion == r.row.PolicyVersion,
		"the decision names other evidence, another score or another policy than the request")
	try(dutyAttributed, r.decision.Decider == e.Actor, fmt.Sprintf("the event was written by %s (%s)", e.Actor.Name, e.Actor.Role))
	if r.row.Gate.Decision == cab.GateException && r.decision.Decision.Approved() {
		try(dutyExceptionHeld, r.restsOnActive(e), "no exception that it names had been granted and was in force")
	}
	if r.decision.Decision == cab.AutoApproved || r.decision.Decider.Role == cab.System {
		try(dutyByRule, r.decision.Decision == cab.AutoApproved && r.decision.Decider == cab.RiskGate && r.row.Gate.Decision == cab.GateAuto && len(r.votes) == 0,
			fmt.Sprintf("%s by %s, where the gate said %s", r.decision.Decision, decider.Name, r.row.Gate.Decision))
		return
	}
	try(dutySubmitter, decider.ID != r.row.SubmittedBy.ID, "submitted the request")
	try(dutyAuthor, decider.ID != r.row.PackageOwner && decider.ID != r.row.IntentOwner, "made the evidence or the intent")
	try(dutyRole, holds(accounts, r.decision.Decider, cab.CABMember), roleDetail(accounts, r.decision.Decider))
	try(dutyQuorum, r.hasQuorum(), fmt.Sprintf("%s with %s of %d needed", r.decision.Decision, plural(r.approvals(), "approving vote", "approving votes"), r.row.Quorum))
	r.tryApart(e, decider)
}

// tryApart: the people who decided exceptions of a request, and those who decided
// the request.
func (r *request) tryApart(e cab.Event, decider Who) {
	for _, x := range r.exceptions {
		if x.row.Approver == nil {
			continue
		}
		approver := *x.row.Approver
		voted := slices.ContainsFunc(r.votes, func(v cab.Vote) bool { return v.Voter.ID == approver.ID })
		r.try(dutyExceptionApart, e, x, person(approver), approver.ID != decider.ID && !voted, "also voted on or decided "+r.row.Name)
	}
}

func (r *request) tryVote(e cab.Event, accounts map[string]cab.Principal) {
	v := r.votes[len(r.votes)-1]
	voter := person(v.Voter)
	asked := slices.ContainsFunc(r.exceptions, func(x *exception) bool { return x.row.Requester.ID == voter.ID })
	involved := []string{r.row.SubmittedBy.ID, r.row.PackageOwner, r.row.IntentOwner}
	r.try(dutyVoter, e, nil, voter, !asked && !slices.Contains(involved, voter.ID), "submitted, made, or asked for an exception")
	r.try(dutyRole, e, nil, voter, holds(accounts, e.Actor, cab.CABMember), roleDetail(accounts, e.Actor))
	r.try(dutyAttributed, e, nil, voter, v.Voter == e.Actor.Person(), "the event was written by "+e.Actor.Name)
}

func (x *exception) try(e cab.Event, accounts map[string]cab.Principal) {
	approver := who(e.Actor)
	if x.row.Approver != nil {
		approver = person(*x.row.Approver)
	}
	r := x.of.row
	involved := []string{x.row.Requester.ID, x.row.SubmitterID, r.SubmittedBy.ID, r.PackageOwner, r.IntentOwner}
	x.of.try(dutyExceptionOwn, e, x, approver, !slices.Contains(involved, approver.ID), "asked for it, submitted its request, or made its evidence or intent")
	x.of.try(dutyRole, e, x, approver, holds(accounts, e.Actor, cab.SecurityReviewer), roleDetail(accounts, e.Actor))
	x.of.try(dutyAttributed, e, x, approver, approver.ID == e.Actor.ID, "the event was written by "+e.Actor.Name)
	voted := slices.ContainsFunc(x.of.votes, func(v cab.Vote) bool { return v.Voter.ID == approver.ID })
	x.of.try(dutyExceptionApart, e, x, approver, !voted, "had voted on "+r.Name)
}

// holds reports whether an account had a role when it acted: by the event, and
// by the events that gave it its role.
func holds(accounts map[string]cab.Principal, a cab.Actor, role cab.Role) bool {
	p, known := accounts[a.ID]
	return known && a.Role == role && p.Role == role && p.DisabledAt.IsZero()
}

func roleDetail(accounts map[string]cab.Principal, a cab.Actor) string {
	p, known := accounts[a.ID]
	switch {
	case !known:
		return "no event made the account " + a.ID
	case !p.DisabledAt.IsZero():
		return "the account was disabled"
	}
	return fmt.Sprintf("acted as %s, and was %s", a.Role, p.Role)
}

func (r *request) approvals() int {
	members := map[string]bool{}
	for _, v := range r.votes {
		if v.Approve {
			members[v.Voter.ID] = true
		}
	}
	return len(members)
}

func (r *request) hasQuorum() bool {
	members, against := map[string]bool{}, false
	for _, v := range r.votes {
		if members[v.Voter.ID] {
			return false
		}
		members[v.Voter.ID] = true
		against = against || !v.Approve
	}
	if r.decision.Decision.Approved() {
		return !against && r.row.Quorum >= 1 && r.approvals() >= r.row.Quorum
	}
	return against
}

func (r *request) restsOnActive(e cab.Event) bool {
	return slices.ContainsFunc(r.exceptions, func(x *exception) bool {
		return x.row.ID == r.row.ExceptionID && x.granted && x.row.Active(e.Time)
	})
}
