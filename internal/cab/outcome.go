package cab

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/eucora/eucora/internal/evidence"
	"github.com/go-json-experiment/json/jsontext"
)

// Judge holds the outcome of a request against the rules, from what its trail says
// and the policy by which it was gated: that whoever decided could, and had what
// they needed. It lists what is wrong; nothing, if the outcome is justified.
func (t *Trail) Judge(r Request, rules Policy) []string {
	j := &judgement{request: r, votes: t.Votes[r.ID], owners: []string{r.SubmittedBy.ID, r.PackageOwner, r.IntentOwner}}
	if d, ok := t.Decisions[r.ID]; ok {
		j.decision = &d
	}
	j.require(r.Quorum == rules.Quorum && r.ApprovalDays == rules.Approval,
		"the request wants %d votes for %d days, and policy %s %d for %d", r.Quorum, r.ApprovalDays, rules.Version, rules.Quorum, rules.Approval)
	j.status()
	switch d := j.decision; {
	case d == nil:
		j.undecided()
	case d.Decision.Decision == AutoApproved:
		j.require(r.Gate.Decision == GateAuto, "it was approved by rule, and the gate says %s", r.Gate.Decision)
		j.require(d.Decider.ID == RiskGate.ID, "it was approved by rule, by %s", d.Decider.ID)
	case d.Decision.Decision == RejectedByCAB:
		j.voters("")
		j.require(j.count(false) >= 1, "it was rejected, and nobody voted against it")
		j.decider(false)
	default:
		j.approved()
	}
	j.validity()
	return j.defects
}

// judgement is the outcome of one request while it is looked at.
type judgement struct {
	request  Request
	decision *DecisionAt // nil if there is none
	votes    []VoteAt
	owners   []string // principal ids: submitter, and whose the package and the intent are
	defects  []string
}

func (j *judgement) require(ok bool, format string, args ...any) {
	if !ok {
		j.defects = append(j.defects, fmt.Sprintf(format, args...))
	}
}

// status: a request has a decision if its status says so, and that one.
func (j *judgement) status() {
	s, d := j.request.Status, j.decision
	if d == nil {
		j.require(s.Open() || s == Withdrawn, "it is %s, and there is no decision", s)
		return
	}
	if s == Revoked {
		j.require(d.Decision.Decision.Approved(), "it was revoked, and the decision was %s", d.Decision.Decision)
	} else {
		j.require(s == d.Decision.Decision, "it is %s, and the decision was %s", s, d.Decision.Decision)
	}
	j.require(d.Score == j.request.Score && d.ModelVersion == j.request.ModelVersion &&
		d.PolicyVersion == j.request.PolicyVersion && d.ContentHash == j.request.ContentHash,
		"the decision is about another score, model, policy or document than the request")
}

func (j *judgement) undecided() {
	j.require(j.count(false) == 0, "a vote rejects it, and it is %s", j.request.Status)
	j.require(j.count(true) < j.request.Quorum, "%d votes approve it, and it is %s", j.count(true), j.request.Status)
}

// approved: by CAB.
func (j *judgement) approved() {
	d := j.decision
	j.require(j.count(true) >= j.request.Quorum, "it was approved with %d votes, and the quorum is %d", j.count(true), j.request.Quorum)
	j.require(j.count(false) == 0, "it was approved, and a vote rejects it")
	j.decider(true)
	j.conditions()
	if j.request.Gate.Decision != GateException {
		j.voters("")
		return
	}
	x := d.RestOn
	if x == nil || x.ID != j.request.ExceptionID || x.RequestID != j.request.ID {
		j.voters("")
		j.require(false, "it needed an exception, and none had been granted when it was approved")
		return
	}
	j.voters(x.Requester.ID)
	j.require(x.Active(d.DecidedAt) && !d.DecidedAt.Before(x.DecidedAt), "it rested on %s, which was %s when it was approved", x.Name, x.Effective(d.DecidedAt))
	if x.Approver == nil {
		j.require(false, "nobody granted %s", x.Name)
		return
	}
	own := slices.Contains(append(j.owners, x.Requester.ID), x.Approver.ID)
	j.require(!own, "%s granted %s, and had submitted, made or requested what it is about", x.Approver.Username, x.Name)
	voted := slices.ContainsFunc(j.votes, func(v VoteAt) bool { return v.Voter.ID == x.Approver.ID })
	j.require(!voted, "%s granted %s and voted on the request too", x.Approver.Username, x.Name)
}

// voters: nobody votes on what is their own. requester is who asked for the
// exception that the request rests on; "" if it rests on none.
func (j *judgement) voters(requester string) {
	for _, v := range j.votes {
		own := slices.Contains(j.owners, v.Voter.ID)
		j.require(!own, "%s voted, and had submitted the request or made what it is about", v.Voter.Username)
		j.require(own || requester == "" || v.Voter.ID != requester, "%s voted, and had requested the exception", v.Voter.Username)
	}
}

// decider: whoever cast the last vote before the decision decided.
func (j *judgement) decider(approving bool) {
	var last *VoteAt
	for i, v := range j.votes {
		if v.Seq < j.decision.Seq {
			last = &j.votes[i]
		}
	}
	d := j.decision.Decider
	j.require(last != nil && last.Voter.ID == d.ID && last.Approve == approving, "%s decided, and did not cast the vote that decides", d.Name)
}

// count counts the votes up to the decision.
func (j *judgement) count(approving bool) int {
	n := 0
	for _, v := range j.votes {
		if v.Approve == approving && (j.decision == nil || v.Seq < j.decision.Seq) {
			n++
		}
	}
	return n
}

// conditions: the decision has those of the votes, all of them and no others.
func (j *judgement) conditions() {
	d := j.decision
	var votes []Vote
	for _, v := range j.votes {
		if v.Approve && v.Seq < d.Seq {
			votes = append(votes, v.Vote)
		}
	}
	merged, err := mergeConditions(votes)
	stated := d.Conditions
	if err == nil && len(stated) > 0 {
		stated = bytes.Clone(stated)
		err = (*jsontext.Value)(&stated).Canonicalize()
	}
	j.require(err == nil && bytes.Equal(merged, stated), "its conditions are not those of the votes")
	j.require((len(stated) > 0) == (d.Decision.Decision == ConditionallyApp), "the decision is %s, and its conditions say otherwise", d.Decision.Decision)
}

// validity: an approval is good for as long as the policy says, and no longer than
// the exception that it rests on.
func (j *judgement) validity() {
	var until time.Time
	if d := j.decision; d != nil && d.Decision.Decision.Approved() {
		until = d.DecidedAt.Add(days(j.request.ApprovalDays))
		if x := d.RestOn; x != nil && j.request.Gate.Decision == GateException && x.ExpiresAt.Before(until) {
			until = x.ExpiresAt
		}
		j.require(d.ValidUntil.Equal(until), "the decision is valid until %s, and should be until %s", stamp(d.ValidUntil), stamp(until))
	} else if d != nil {
		j.require(d.ValidUntil.IsZero(), "the decision is %s, and valid until %s", d.Decision.Decision, stamp(d.ValidUntil))
	}
	j.require(j.request.ValidUntil.Equal(until), "the request is valid until %s, and should be until %s", stamp(j.request.ValidUntil), stamp(until))
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Format(time.RFC3339)
}

// SameGate reports whether a request was gated as the policy says of its evidence:
// the answer, its thresholds, guards and reasons.
func (p Policy) SameGate(given Gate, score evidence.Score, facts evidence.Facts) bool {
	g := p.Evaluate(score, facts)
	return given.Decision == g.Decision && given.Thresholds == g.Thresholds && slices.Equal(given.Guards, g.Guards) && given.Rationale == g.Rationale
}
