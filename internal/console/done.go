package console

import (
	"bytes"
	"slices"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/workflow"
)

// doneText is what a page says to whoever has just done something.
var doneText = map[cab.Act]string{
	cab.ActApprove: "Your approval is recorded.", cab.ActReject: "Your rejection is recorded.", cab.ActReview: "It says now that you are on it.",
	cab.ActWithdraw: "The request is taken back.", cab.ActRevoke: "The approval is revoked.",
}

// doneException is the same of an exception.
var doneException = map[cab.Act]string{
	cab.ActApprove: "You have accepted the risk. The board decides on the request now.",
	cab.ActReject:  "Your rejection is recorded. The request stays where it is.",
	cab.ActRevoke:  "The exception is revoked, and approvals that rest on it end with it.",
}

// did reports whether somebody has done something about a request: an address that
// says so is no proof.
func did(d *workflow.Dossier, actor cab.Actor, act cab.Act) bool {
	switch act {
	case cab.ActApprove, cab.ActReject:
		vote := voteOf(d, actor)
		return vote != nil && vote.Approve == (act == cab.ActApprove) && d.Status != cab.Withdrawn && d.Status != cab.Revoked
	case cab.ActReview:
		return d.Status.Open() && slices.Contains(d.Reviewers, actor.Person())
	case cab.ActWithdraw:
		return d.Status == cab.Withdrawn && hasEvent(d.Trail, actor, cab.CABWithdrawn, d.ID)
	case cab.ActRevoke:
		return d.Status == cab.Revoked && hasEvent(d.Trail, actor, cab.ApprovalRevoked, d.ID)
	}
	return false
}

func voteOf(d *workflow.Dossier, actor cab.Actor) *cab.Vote {
	i := slices.IndexFunc(d.Votes, func(v cab.Vote) bool { return v.Voter.ID == actor.ID })
	if i < 0 {
		return nil
	}
	return &d.Votes[i]
}

// hasEvent reports whether a trail has an event of somebody's about a thing.
func hasEvent(t workflow.Trail, actor cab.Actor, kind cab.EventType, id string) bool {
	return slices.ContainsFunc(t.Events, func(e cab.Event) bool {
		return e.Type == kind && e.Actor.ID == actor.ID && e.Subject.ID == id
	})
}

// sentBefore reports whether a draft, word for word, is what somebody has done
// already: they have sent it twice, and have not come second.
func sentBefore(d *workflow.Dossier, actor cab.Actor, sent draft) bool {
	if !did(d, actor, sent.Act) {
		return false
	}
	switch sent.Act {
	case cab.ActApprove, cab.ActReject:
		vote := voteOf(d, actor)
		return vote.Rationale == sent.Rationale && sameConditions(vote.Conditions, sent.Conditions)
	case cab.ActWithdraw, cab.ActRevoke:
		return d.EndReason == sent.Rationale
	}
	return true
}

// sameConditions compares those of a vote with some that were written.
func sameConditions(kept []byte, written string) bool {
	conditions, problem := parseConditions(written)
	if problem != "" {
		return false
	}
	if len(kept) == 0 || len(conditions) == 0 {
		return len(kept) == len(conditions)
	}
	canonical, err := evidence.Canonical(kept)
	return err == nil && bytes.Equal(canonical, conditions)
}

// didException is [did] of an exception.
func didException(d *workflow.ExceptionDossier, actor cab.Actor, act cab.Act) bool {
	decided := d.Approver != nil && d.Approver.ID == actor.ID && d.Status != cab.ExceptionWithdrawn
	switch act {
	case cab.ActApprove:
		return decided && d.Decision() == string(cab.ExceptionGranted)
	case cab.ActReject:
		return decided && d.Decision() == string(cab.ExceptionDenied)
	case cab.ActRevoke:
		return d.Status == cab.ExceptionWithdrawn && hasEvent(d.Trail, actor, cab.ExceptionRevoked, d.ID)
	}
	return false
}

// sentExceptionBefore is [sentBefore] of an exception.
func sentExceptionBefore(d *workflow.ExceptionDossier, actor cab.Actor, sent draft) bool {
	said := d.Rationale
	if sent.Act == cab.ActRevoke {
		said = d.EndReason
	}
	return didException(d, actor, sent.Act) && said == sent.Rationale
}
