package workflow

import (
	"context"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/store"
	"github.com/go-json-experiment/json/jsontext"
)

// The store's lists, by the names that verbs use.
type (
	Page[T any]      = store.Page[T]
	Paging           = store.Paging
	RequestRow       = store.RequestRow // a request with its decision, nil while there is none
	RequestFilter    = store.RequestFilter
	ExceptionFilter  = store.ExceptionFilter
	DeploymentFilter = store.DeploymentFilter
	PackageFilter    = store.PackageFilter
	EventFilter      = store.EventFilter
	EventRow         = store.EventRow
)

// Submission is what a caller sends to submit a package.
type Submission struct {
	PackageID string
	Notes     string
	Urgency   cab.Urgency
	Claimed   *evidence.Score // checked, never used
}

// Submit turns a package into a request and lets the gate speak.
func (s *Service) Submit(ctx context.Context, call Call, ask Submission) (RequestRow, error) {
	return withFiles(ctx, s, call, "submission", func(held string) (RequestRow, error) { return s.submit(ctx, call, ask, held) })
}

func (s *Service) submit(ctx context.Context, call Call, ask Submission, held string) (RequestRow, error) {
	run := func(update func(*store.Tx, store.SubmitInput) error) error {
		return s.store.UpdateSubmit(ctx, call.credential(), ask.PackageID, update)
	}
	return doWith(s, call, cab.SubmitRequest, run, func(tx *store.Tx, c cab.Call, in store.SubmitInput) (RequestRow, error) {
		if err := intact(c, in.Package, "", "submission"); err != nil {
			return RequestRow{}, err
		}
		filed, err := s.reading(in.Package.ContentHash, in.Package.Document)
		if err != nil {
			return RequestRow{}, err
		}
		if filed.packageID != in.Package.ID || filed.deploymentID != in.Package.DeploymentID { // another package's bytes and hash
			return RequestRow{}, &tampered{cab.TamperFound(c, in.Package, in.Package.ContentHash, "submission"), cab.ErrTampered(in.Package)}
		}
		active, err := tx.ActivePolicy()
		if err != nil {
			return RequestRow{}, err
		}
		s.inForce.Store(&inForce{active, c.Now})
		rules, err := s.policy(active)
		if err != nil {
			return RequestRow{}, err
		}
		witnessed, err := s.witnessed(&tx.Reader, rules, c.Now)
		if err != nil {
			return RequestRow{}, err
		}
		change, err := cab.Submit(c, cab.Submission{
			ID: newID(), Deployment: in.Deployment, Package: in.Package,
			Score: filed.score, Model: filed.model, Complete: filed.complete, Facts: filed.facts,
			LatestID: in.LatestID, Existing: in.Existing, Policy: rules, Witnessed: witnessed,
			Notes: ask.Notes, Urgency: ask.Urgency, Claimed: ask.Claimed,
		})
		if err != nil {
			return RequestRow{}, err
		}
		if err := s.needFiles(in.Package, held); err != nil {
			return RequestRow{}, err
		}
		return saved(tx, change, nil)
	})
}

// saved saves a change and returns its request with the decision.
func saved(tx *store.Tx, change cab.Change, before *cab.Decision) (RequestRow, error) {
	row := RequestRow{Request: *change.Request, Decision: before}
	if change.Decision != nil {
		row.Decision = change.Decision
	}
	return row, tx.Save(change)
}

// errChangedMeanwhile refuses a signature of something else than what was seen.
func errChangedMeanwhile(name string) error {
	return &cab.Error{Kind: cab.Conflict, Code: "CHANGED_MEANWHILE", Message: name + " has changed since you looked at it; look at it again before you decide"}
}

// onRequest runs an act on one request.
func (s *Service) onRequest(ctx context.Context, call Call, action cab.Action, id string, act func(c cab.Call, in store.RequestInput) (cab.Change, error)) (RequestRow, error) {
	run := func(update func(*store.Tx, store.RequestInput) error) error {
		return s.store.UpdateRequest(ctx, call.credential(), id, update)
	}
	return doWith(s, call, action, run, func(tx *store.Tx, c cab.Call, in store.RequestInput) (RequestRow, error) {
		change, err := act(c, in)
		if err == nil && call.Seen != 0 && call.Seen != in.Request.Revision {
			err = errChangedMeanwhile(in.Request.Name)
		}
		if err != nil {
			return RequestRow{}, err
		}
		return saved(tx, change, in.Decision)
	})
}

// StartReview says who is on a request.
func (s *Service) StartReview(ctx context.Context, call Call, id string) (RequestRow, error) {
	return s.onRequest(ctx, call, cab.ReviewRequest, id, func(c cab.Call, in store.RequestInput) (cab.Change, error) {
		return in.Request.StartReview(c, in.Situation())
	})
}

// Approve casts an approving vote. conditions is an object in canonical form,
// or nil.
func (s *Service) Approve(ctx context.Context, call Call, id, rationale string, conditions jsontext.Value) (RequestRow, error) {
	return s.vote(ctx, call, id, true, rationale, conditions)
}

// Reject casts a rejecting vote, which decides.
func (s *Service) Reject(ctx context.Context, call Call, id, rationale string) (RequestRow, error) {
	return s.vote(ctx, call, id, false, rationale, nil)
}

// vote: the rules come first, so that whoever may not decide learns nothing of
// the evidence; then the bytes that are about to be decided on are hashed, and
// the files.
func (s *Service) vote(ctx context.Context, call Call, id string, approve bool, rationale string, conditions jsontext.Value) (RequestRow, error) {
	return withFiles(ctx, s, call, "decision", func(held string) (RequestRow, error) {
		return s.castVote(ctx, call, id, approve, rationale, conditions, held)
	})
}

func (s *Service) castVote(ctx context.Context, call Call, id string, approve bool, rationale string, conditions jsontext.Value, held string) (RequestRow, error) {
	return s.onRequest(ctx, call, cab.DecideRequest, id, func(c cab.Call, in store.RequestInput) (cab.Change, error) {
		change, err := in.Request.CastVote(c, in.Situation(), approve, rationale, conditions)
		if err != nil {
			return cab.Change{}, err
		}
		if err := intact(c, in.Package, in.Request.ContentHash, "decision"); err != nil {
			return cab.Change{}, err
		}
		return change, s.needFiles(in.Package, held)
	})
}

// Withdraw takes a request back.
func (s *Service) Withdraw(ctx context.Context, call Call, id, reason string) (RequestRow, error) {
	return s.onRequest(ctx, call, cab.WithdrawRequest, id, func(c cab.Call, in store.RequestInput) (cab.Change, error) {
		return in.Request.Withdraw(c, reason)
	})
}

// Revoke ends an approval.
func (s *Service) Revoke(ctx context.Context, call Call, id, reason string) (RequestRow, error) {
	return s.onRequest(ctx, call, cab.RevokeApproval, id, func(c cab.Call, in store.RequestInput) (cab.Change, error) {
		return in.Request.Revoke(c, reason)
	})
}

// Request returns one request with its decision.
func (s *Service) Request(ctx context.Context, call Call, id string) (RequestRow, error) {
	return see(ctx, s, call, cab.ReadRequest, func(r *store.Reader) (RequestRow, error) {
		row, err := r.Request(id)
		if err != nil {
			return RequestRow{}, err
		}
		return row, cab.PermitOn(call.Actor, cab.ReadRequest, row.Request.Holding())
	})
}

// Queue lists the requests that wait; only for those who may read all.
func (s *Service) Queue(ctx context.Context, call Call, filter RequestFilter) (Page[RequestRow], error) {
	return see(ctx, s, call, cab.ReadQueue, func(r *store.Reader) (Page[RequestRow], error) {
		return r.Requests(filter)
	})
}

// Requests lists the requests that the actor may see.
func (s *Service) Requests(ctx context.Context, call Call, filter RequestFilter) (Page[RequestRow], error) {
	return see(ctx, s, call, cab.ReadRequest, func(r *store.Reader) (Page[RequestRow], error) {
		filter.SubmittedBy, filter.ApprovedOnly = reach(call.Actor, cab.ReadRequest, filter.SubmittedBy)
		return r.Requests(filter)
	})
}

// MyRequests lists what the actor submitted; everyone may ask.
func (s *Service) MyRequests(ctx context.Context, call Call, filter RequestFilter) (Page[RequestRow], error) {
	return see(ctx, s, call, cab.ReadSelf, func(r *store.Reader) (Page[RequestRow], error) {
		filter.SubmittedBy = call.Actor.ID
		return r.Requests(filter)
	})
}
