package cab

import (
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Situation is what acting on a request depends on besides the request.
type Situation struct {
	Exceptions []Exception // every exception of the request
	LatestID   string      // the newest package of the intent
	Votes      []Vote
}

// StartReview says who is on the request.
func (r Request) StartReview(call Call, in Situation) (Change, error) {
	if err := r.mayAct(call, ReviewRequest, ActReview, in.Exceptions); err != nil {
		return Change{}, err
	}
	if slices.Contains(r.Reviewers, call.Actor.Person()) {
		return Change{}, conflict("ALREADY_REVIEWING", "you are on %s already", r.Name)
	}
	r.Reviewers = append(slices.Clone(r.Reviewers), call.Actor.Person())
	return r.change(call, UnderReview, CABReviewStarted, EventData{}), nil
}

// CastVote is a CAB member's say. One rejection rejects; the quorum's last
// approval approves, with the conditions that the votes carry.
func (r Request) CastVote(call Call, in Situation, approve bool, rationale string, conditions jsontext.Value) (Change, error) {
	act := ActReject
	if approve {
		act = ActApprove
	}
	if err := r.mayAct(call, DecideRequest, act, in.Exceptions); err != nil {
		return Change{}, err
	}
	if err := checkText("rationale", rationale, 1, MaxRationale); err != nil {
		return Change{}, err
	}
	if len(conditions) > MaxConditions {
		return Change{}, invalid("conditions", "at most %d bytes", MaxConditions)
	}
	if err := CheckConditions(conditions); err != nil {
		return Change{}, err
	}
	if slices.ContainsFunc(in.Votes, func(v Vote) bool { return v.Voter.ID == call.Actor.ID }) {
		return Change{}, conflict("ALREADY_VOTED", "you have voted on %s; a vote is final", r.Name)
	}
	vote := Vote{
		RequestID: r.ID, Voter: call.Actor.Person(), Approve: approve,
		Rationale: rationale, Conditions: conditions, At: call.Now,
	}
	if !approve {
		return r.concludeVote(call, vote, RejectedByCAB, nil), nil
	}
	return r.approve(call, in, vote)
}

func (r Request) approve(call Call, in Situation, vote Vote) (Change, error) {
	if in.LatestID != r.PackageID {
		return Change{}, conflict("EVIDENCE_SUPERSEDED", "the deployment has newer evidence (package %s); reject this request or let it be withdrawn", in.LatestID)
	}
	r.ValidUntil = call.Now.Add(days(r.ApprovalDays))
	if r.Gate.Decision == GateException {
		active := r.restsOn(in.Exceptions)
		if active == nil || !active.Active(call.Now) {
			return Change{}, conflict("EXCEPTION_REQUIRED", "%s needs an exception in force; request one and let a Security Reviewer approve it", r.Name)
		}
		if r.ValidUntil.After(active.ExpiresAt) {
			r.ValidUntil = active.ExpiresAt
		}
	}
	votes := append(slices.Clone(in.Votes), vote)
	conditions, err := mergeConditions(votes)
	if err != nil {
		return Change{}, err
	}
	if approvals(votes) < r.Quorum {
		r.ValidUntil = time.Time{}
		change := r.change(call, UnderReview, CABVoteCast, EventData{Vote: &vote})
		change.Vote = &vote
		return change, nil
	}
	if conditions != nil {
		return r.concludeVote(call, vote, ConditionallyApp, conditions), nil
	}
	return r.concludeVote(call, vote, ApprovedByCAB, nil), nil
}

// concludeVote casts the vote that decides and writes the decision.
func (r Request) concludeVote(call Call, vote Vote, outcome Status, conditions jsontext.Value) Change {
	kind := CABApproved
	if outcome == RejectedByCAB {
		kind = CABRejected
	}
	decision := r.decide(call, outcome, vote.Rationale, conditions)
	cast := r.event(call, CABVoteCast, EventData{Vote: &vote})
	change := r.change(call, outcome, kind, EventData{Decision: decision})
	change.Vote, change.Decision = &vote, decision
	change.Events = slices.Insert(change.Events, 0, cast)
	return change
}

func (r Request) decide(call Call, outcome Status, rationale string, conditions jsontext.Value) *Decision {
	return &Decision{
		RequestID: r.ID, Decision: outcome, Rationale: rationale, Decider: call.Actor,
		Score: r.Score, ModelVersion: r.ModelVersion, PolicyVersion: r.PolicyVersion,
		ContentHash: r.ContentHash, Conditions: conditions, DecidedAt: call.Now, ValidUntil: r.ValidUntil,
	}
}

func approvals(votes []Vote) int {
	n := 0
	for _, vote := range votes {
		if vote.Approve {
			n++
		}
	}
	return n
}
