package workflow

import (
	"context"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store"
)

// ExceptionAsk is what a caller sends to ask for an exception.
type ExceptionAsk struct {
	DeploymentID  string
	Reason        string
	Justification string
	Controls      []string
	Days          int // 0: the policy's default
}

// RequestException asks a Security Reviewer to accept a risk for a while.
func (s *Service) RequestException(ctx context.Context, call Call, ask ExceptionAsk) (cab.Exception, error) {
	return do(ctx, s, call, cab.AskException, func(tx *store.Tx, c cab.Call) (cab.Exception, error) {
		in, err := tx.AskInput(ask.DeploymentID)
		if err != nil {
			return cab.Exception{}, err
		}
		rules, err := s.policy(in.Policy)
		if err != nil {
			return cab.Exception{}, err
		}
		change, err := cab.RequestException(c, cab.ExceptionAsk{
			ID: newID(), Request: in.Request, Intent: in.Deployment, Others: in.Exceptions, Policy: rules,
			Reason: ask.Reason, Justification: ask.Justification, Controls: ask.Controls, Days: ask.Days,
		})
		if err != nil {
			return cab.Exception{}, err
		}
		return *change.Exceptions[0], tx.Save(change)
	})
}

func (s *Service) onException(ctx context.Context, call Call, action cab.Action, id string, act func(c cab.Call, in store.ExceptionInput) (cab.Change, error)) (cab.Exception, error) {
	return do(ctx, s, call, action, func(tx *store.Tx, c cab.Call) (cab.Exception, error) {
		in, err := tx.ExceptionInput(id)
		if err != nil {
			return cab.Exception{}, err
		}
		change, err := act(c, in)
		if err == nil && call.Seen != 0 && call.Seen != in.Revision() {
			err = errChangedMeanwhile(in.Exception.Name)
		}
		if err != nil {
			return cab.Exception{}, err
		}
		return *change.Exceptions[0], tx.Save(change)
	})
}

// ApproveException accepts the risk and moves the blocked request on. The
// package's bytes are hashed first: a risk is accepted for content.
func (s *Service) ApproveException(ctx context.Context, call Call, id, rationale string) (cab.Exception, error) {
	return s.onException(ctx, call, cab.DecideException, id, func(c cab.Call, in store.ExceptionInput) (cab.Change, error) {
		change, err := in.Exception.Approve(c, in.Request, in.Votes, rationale)
		if err != nil {
			return cab.Change{}, err
		}
		return change, intact(c, in.Package, in.Request.ContentHash, "exception")
	})
}

// RejectException refuses to accept the risk.
func (s *Service) RejectException(ctx context.Context, call Call, id, rationale string) (cab.Exception, error) {
	return s.onException(ctx, call, cab.DecideException, id, func(c cab.Call, in store.ExceptionInput) (cab.Change, error) {
		return in.Exception.Reject(c, in.Request, in.Votes, rationale)
	})
}

// RevokeException ends an exception in force.
func (s *Service) RevokeException(ctx context.Context, call Call, id, reason string) (cab.Exception, error) {
	return s.onException(ctx, call, cab.RevokeException, id, func(c cab.Call, in store.ExceptionInput) (cab.Change, error) {
		return in.Exception.Revoke(c, reason)
	})
}

// Exception returns one exception.
func (s *Service) Exception(ctx context.Context, call Call, id string) (cab.Exception, error) {
	return see(ctx, s, call, cab.ReadException, func(r *store.Reader) (cab.Exception, error) {
		e, err := r.Exception(id)
		if err != nil {
			return cab.Exception{}, err
		}
		return e, cab.PermitOn(call.Actor, cab.ReadException, e.Holding(s.now()))
	})
}

// ExceptionQueue lists the exceptions that wait for a Security Reviewer; only
// for those who may read all.
func (s *Service) ExceptionQueue(ctx context.Context, call Call, filter ExceptionFilter) (Page[cab.Exception], error) {
	return see(ctx, s, call, cab.ReadExceptions, func(r *store.Reader) (Page[cab.Exception], error) {
		filter.Now, filter.Status = s.now(), cab.ExceptionPending
		return r.Exceptions(filter)
	})
}

// Exceptions lists the exceptions that the actor may see.
func (s *Service) Exceptions(ctx context.Context, call Call, filter ExceptionFilter) (Page[cab.Exception], error) {
	return see(ctx, s, call, cab.ReadException, func(r *store.Reader) (Page[cab.Exception], error) {
		var approvedOnly bool
		filter.Now = s.now()
		if filter.RequestedBy, approvedOnly = reach(call.Actor, cab.ReadException, filter.RequestedBy); approvedOnly {
			if filter.Active != nil && !*filter.Active {
				return Page[cab.Exception]{}, nil // what is not in force is not theirs to see
			}
			active := true
			filter.Active = &active
		}
		return r.Exceptions(filter)
	})
}

// MyExceptions lists what the actor asked for; everyone may ask.
func (s *Service) MyExceptions(ctx context.Context, call Call, filter ExceptionFilter) (Page[cab.Exception], error) {
	return see(ctx, s, call, cab.ReadSelf, func(r *store.Reader) (Page[cab.Exception], error) {
		filter.Now, filter.RequestedBy = s.now(), call.Actor.ID
		return r.Exceptions(filter)
	})
}

// sweepBatch bounds how many expiries one transaction records.
const sweepBatch = 200

// ExpireExceptions records the expiries that time has brought. It changes what
// is written, never what is true: an exception past its end is expired whether
// or not this has run.
//
// A long sweep is several transactions. The last of them has the key: a replay
// finds nothing left to write down, and gets the first answer.
func (s *Service) ExpireExceptions(ctx context.Context, call Call) (int, error) {
	part := call
	part.Once = nil
	total := 0
	for {
		n, err := do(ctx, s, part, cab.ExpireExceptions, expireSome)
		if total += n; err != nil {
			return total, err
		}
		if n < sweepBatch {
			break
		}
	}
	if call.Once == nil {
		return total, nil
	}
	return do(ctx, s, call, cab.ExpireExceptions, func(*store.Tx, cab.Call) (int, error) { return total, nil })
}

func expireSome(tx *store.Tx, c cab.Call) (int, error) {
	overdue, err := tx.Overdue(c.Now, sweepBatch)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, e := range overdue {
		change, ok := e.Expire(c)
		if !ok {
			continue
		}
		if err := tx.Save(change); err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}
