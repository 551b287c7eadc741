package workflow

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/store"
	"github.com/go-json-experiment/json"
)

// Dossier is everything that somebody who decides on a request looks at.
type Dossier struct {
	RequestRow
	Now        time.Time // at which it was put together, and exceptions are judged
	Deployment cab.Deployment
	Votes      []cab.Vote
	Exceptions []cab.Exception
	LatestID   string // the deployment's newest package
	Evidence   Evidence
	Altered    error         // the stored evidence is not what was submitted, and is not shown; nil if it is
	Approved   *LastApproved // what it follows; nil if nothing of the application was approved before
	Unreadable error         // what it follows is not what was submitted, and is not compared with; nil if it is
	Trail      Trail
	Choices    []Choice // what the caller's role can do with such a request
}

// LastApproved is the package that was approved last, and what has changed since, as
// far as the documents say.
type LastApproved struct {
	Evidence
	evidence.Comparison
}

// Trail is what happened, oldest first, as far as the caller may see it.
type Trail struct {
	Events []cab.Event
	More   bool // there are more than trailEvents
}

// Choice is something that the caller could do, and what would come of it at this
// moment. The rules are asked, and nothing is done.
type Choice struct {
	Act        cab.Act
	Refusal    error // why not; nil if it can be done
	Outcome    cab.Status
	ValidUntil time.Time // of an approval, zero while votes lack
}

// trailEvents bounds the events of a trail that are shown together.
const trailEvents = 200

// Dossier puts together what there is about a request.
func (s *Service) Dossier(ctx context.Context, call Call, id string) (Dossier, error) {
	var document cab.Package
	d, err := see(ctx, s, call, cab.ReadRequest, func(r *store.Reader) (Dossier, error) {
		in, err := r.RequestInput(id)
		if err != nil {
			return Dossier{}, err
		}
		if err := cab.PermitOn(call.Actor, cab.ReadRequest, in.Request.Holding()); err != nil {
			return Dossier{}, err
		}
		document = in.Package
		now := s.now()
		d := Dossier{
			RequestRow: RequestRow{Request: in.Request, Decision: in.Decision}, Now: now, Votes: in.Votes, LatestID: in.LatestID,
			Exceptions: slices.DeleteFunc(slices.Clone(in.Exceptions), func(e cab.Exception) bool {
				return cab.PermitOn(call.Actor, cab.ReadException, e.Holding(now)) != nil
			}),
		}
		d.Choices = s.choices(call, in)
		if d.Deployment, err = r.Deployment(in.Request.DeploymentID); err != nil {
			return Dossier{}, err
		}
		d.Trail, err = trailOf(r, call, in.Request.CorrelationID)
		return d, err
	})
	if err != nil {
		return Dossier{}, err
	}
	if d.Evidence, d.Altered, err = s.readWhole(ctx, call, document, d.ContentHash); err != nil || d.Altered != nil {
		return d, err
	}
	d.Approved, err = s.approvedBefore(ctx, call, d.Evidence)
	if cab.CodeOf(err) == "EVIDENCE_TAMPERED" { // of another request: this one can be decided
		d.Unreadable, err = err, nil
	}
	return d, err
}

// readWhole reads a package's document if it is what was submitted. What is wrong
// with it otherwise is written down, and said.
func (s *Service) readWhole(ctx context.Context, call Call, p cab.Package, submitted string) (e Evidence, altered, err error) {
	if actual, ok := whole(&p, submitted); !ok || !isOf(p) {
		return Evidence{}, cab.ErrTampered(p), s.recordTampering(ctx, call, p, actual, "reading")
	}
	record, err := evidence.ParseDocument(p.Document)
	return Evidence{p, record}, nil, err
}

// approvedBefore is what was approved last before a package, with what has changed;
// nil if the caller may see none.
func (s *Service) approvedBefore(ctx context.Context, call Call, after Evidence) (*LastApproved, error) {
	id, err := s.lastApproved(ctx, call, after)
	if cab.KindOf(err) == cab.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	before, err := s.Evidence(ctx, call, id)
	if err != nil {
		return nil, err
	}
	return &LastApproved{before, evidence.Compare(before.Record, after.Record)}, nil
}

func trailOf(r *store.Reader, call Call, correlation string) (Trail, error) {
	filter := EventFilter{Paging: store.Paging{Limit: trailEvents}, Trail: correlation, OldestFirst: true}
	if cab.AccessOf(call.Actor.Role, cab.ReadEvents) != cab.All {
		filter.VisibleTo = call.Actor.ID
	}
	page, err := r.Events(filter)
	trail := Trail{More: page.Next != ""}
	for _, row := range page.Rows {
		var e cab.Event
		if err := json.Unmarshal(row.Leaf, &e); err != nil {
			return Trail{}, fmt.Errorf("event %d: %w", row.Seq, err)
		}
		trail.Events = append(trail.Events, e)
	}
	return trail, err
}

// choices asks the rules what would come of each act that the caller's role has. The
// reason that people will write does not matter to them, only that there is one.
func (s *Service) choices(call Call, in store.RequestInput) []Choice {
	c, reason := s.cabCall(call), "…"
	acts := []struct {
		act    cab.Act
		action cab.Action
		try    func() (cab.Change, error)
	}{
		{cab.ActApprove, cab.DecideRequest, func() (cab.Change, error) { return in.Request.CastVote(c, in.Situation(), true, reason, nil) }},
		{cab.ActReject, cab.DecideRequest, func() (cab.Change, error) { return in.Request.CastVote(c, in.Situation(), false, reason, nil) }},
		{cab.ActReview, cab.ReviewRequest, func() (cab.Change, error) { return in.Request.StartReview(c, in.Situation()) }},
		{cab.ActWithdraw, cab.WithdrawRequest, func() (cab.Change, error) { return in.Request.Withdraw(c, reason) }},
		{cab.ActRevoke, cab.RevokeApproval, func() (cab.Change, error) { return in.Request.Revoke(c, reason) }},
	}
	var all []Choice
	for _, a := range acts {
		if cab.AccessOf(call.Actor.Role, a.action) == cab.None {
			continue
		}
		choice := Choice{Act: a.act}
		change, err := a.try()
		if choice.Refusal = err; err == nil {
			choice.Outcome, choice.ValidUntil = change.Request.Status, change.Request.ValidUntil
		}
		all = append(all, choice)
	}
	return all
}

// ExceptionDossier is everything that somebody who decides on an exception looks at.
type ExceptionDossier struct {
	cab.Exception
	Now        time.Time
	Deployment cab.Deployment
	Seen       int64       // for [Call.Seen]
	LatestID   string      // the deployment's newest package
	Request    cab.Request // that it would unblock
	Unseen     bool        // the caller sees the exception only: of the request there is the name, and no evidence
	Evidence   Evidence
	Altered    error          // as in [Dossier]
	Others     []ExceptionRow // of the same application, newest first; for those who may read all
	Trail      Trail
	Decide     error // why the caller cannot decide it; nil if they can
	Revoke     error // the same of revoking it
}

// otherExceptions bounds the history that is shown.
const otherExceptions = 20

// ExceptionDossier puts together what there is about an exception.
func (s *Service) ExceptionDossier(ctx context.Context, call Call, id string) (ExceptionDossier, error) {
	var document cab.Package
	d, err := see(ctx, s, call, cab.ReadException, func(r *store.Reader) (ExceptionDossier, error) {
		in, err := r.ExceptionInput(id)
		if err != nil {
			return ExceptionDossier{}, err
		}
		e, now := in.Exception, s.now()
		if err := cab.PermitOn(call.Actor, cab.ReadException, e.Holding(now)); err != nil {
			return ExceptionDossier{}, err
		}
		document = in.Package
		d := ExceptionDossier{Exception: e, Now: now, Seen: in.Revision(), LatestID: in.LatestID, Request: in.Request}
		c := s.cabCall(call)
		_, d.Decide = e.Approve(c, in.Request, in.Votes, "…")
		_, d.Revoke = e.Revoke(c, "…")
		if cab.PermitOn(call.Actor, cab.ReadEvidence, in.Request.Holding()) != nil {
			d.Unseen, d.Request = true, cab.Request{ID: in.Request.ID, Name: in.Request.Name}
		}
		if d.Deployment, err = r.Deployment(e.DeploymentID); err != nil {
			return ExceptionDossier{}, err
		}
		if cab.AccessOf(call.Actor.Role, cab.ReadException) == cab.All {
			if d.Others, err = r.ExceptionsOf(d.Deployment.AppName, otherExceptions); err != nil {
				return ExceptionDossier{}, err
			}
		}
		d.Trail, err = trailOf(r, call, e.CorrelationID)
		return d, err
	})
	if err != nil || d.Unseen {
		return d, err
	}
	d.Evidence, d.Altered, err = s.readWhole(ctx, call, document, d.Request.ContentHash)
	return d, err
}
