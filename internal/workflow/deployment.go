package workflow

import (
	"context"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/store"
)

// CreateDeployment records what somebody wants to deploy, and gives it the
// correlation id that runs through everything after.
func (s *Service) CreateDeployment(ctx context.Context, call Call, appName, version string, ring cab.Ring) (cab.Deployment, error) {
	d, err := do(ctx, s, call, cab.CreateDeployment, func(tx *store.Tx, c cab.Call) (cab.Deployment, error) {
		change, err := cab.NewDeployment(c, newID(), newID(), appName, version, ring)
		if err != nil {
			return cab.Deployment{}, err
		}
		return *change.Deployment, tx.Save(change)
	})
	if err == nil {
		s.intents.keep(d.ID, d)
	}
	return d, err
}

// Deployment returns one deployment intent.
func (s *Service) Deployment(ctx context.Context, call Call, id string) (cab.Deployment, error) {
	return see(ctx, s, call, cab.ReadDeployment, func(r *store.Reader) (cab.Deployment, error) {
		d, err := r.Deployment(id)
		if err != nil {
			return cab.Deployment{}, err
		}
		held, err := r.DeploymentHolding(id)
		if err != nil {
			return cab.Deployment{}, err
		}
		return d, cab.PermitOn(call.Actor, cab.ReadDeployment, held)
	})
}

// Deployments lists the intents that the actor may see.
func (s *Service) Deployments(ctx context.Context, call Call, filter DeploymentFilter) (Page[cab.Deployment], error) {
	return see(ctx, s, call, cab.ReadDeployment, func(r *store.Reader) (Page[cab.Deployment], error) {
		filter.Owner, filter.ApprovedOnly = reach(call.Actor, cab.ReadDeployment, filter.Owner)
		return r.Deployments(filter)
	})
}

// ApprovalStatus is a deployment's standing with what it rests on.
type ApprovalStatus struct {
	cab.Standing
	Deployment cab.Deployment
	Latest     *RequestRow     // the newest package's request, nil if never submitted
	Exceptions []cab.Exception // those in force
}

// ApprovalStatus asks whether a deployment is approved at this moment. The
// package's bytes are hashed first, and its files, unless that was done within the
// last minute and nobody has written to them since; a mismatch is a conflict, and an
// event.
func (s *Service) ApprovalStatus(ctx context.Context, call Call, id string) (ApprovalStatus, error) {
	return withFiles(ctx, s, call, "gate", func(held string) (ApprovalStatus, error) {
		return s.approvalStatus(ctx, call, id, held)
	})
}

func (s *Service) approvalStatus(ctx context.Context, call Call, id, held string) (ApprovalStatus, error) {
	return askGate(ctx, s, call, id, held, func(_ *store.Reader, in store.StandingInput) (ApprovalStatus, error) {
		return s.standing(in), nil
	})
}

// askGate reads what a deployment's standing depends on, for whoever may ask, and
// answers once the package's document and files have been held against their digests.
func askGate[T any](ctx context.Context, s *Service, call Call, id, held string, answer func(*store.Reader, store.StandingInput) (T, error)) (T, error) {
	var altered *cab.Package
	result, err := see(ctx, s, call, cab.AskGate, func(r *store.Reader) (T, error) {
		var none T
		altered = nil
		in, err := r.StandingInput(id)
		if err != nil {
			return none, err
		}
		if err := cab.PermitOn(call.Actor, cab.AskGate, cab.Holding{Owners: []string{in.Deployment.CreatedBy.ID}}); err != nil {
			return none, err
		}
		if in.Package != nil {
			if _, ok := whole(in.Package, submittedHash(in)); !ok {
				altered = in.Package
				return none, cab.ErrTampered(*in.Package)
			}
			if err := s.needFilesLately(*in.Package, held); err != nil {
				return none, err
			}
		}
		return answer(r, in)
	})
	if altered != nil {
		if err := s.recordTampering(ctx, call, *altered, evidence.Digest(altered.Document), "gate"); err != nil {
			return result, err
		}
	}
	return result, err
}

// submittedHash is the content hash that was submitted, "" if nothing was.
func submittedHash(in store.StandingInput) string {
	if in.Request == nil {
		return ""
	}
	return in.Request.ContentHash
}

func (s *Service) standing(in store.StandingInput) ApprovalStatus {
	now := s.now()
	status := ApprovalStatus{Deployment: in.Deployment}
	var latestID string
	var request *cab.Request
	if in.Package != nil {
		latestID = in.Package.ID
	}
	if in.Request != nil {
		status.Latest = &RequestRow{Request: *in.Request, Decision: in.Decision}
		request = in.Request
	}
	for _, e := range in.Exceptions {
		if e.Active(now) {
			status.Exceptions = append(status.Exceptions, e)
		}
	}
	status.Standing = cab.Stand(now, latestID, request, in.Exceptions)
	return status
}

// ReportDeployment records what a publisher says has happened. A start is
// refused unless the deployment is approved at that moment, and where only a permit
// starts it.
func (s *Service) ReportDeployment(ctx context.Context, call Call, id string, in cab.Reported) (cab.Deployment, error) {
	return withFiles(ctx, s, call, "start of deployment", func(held string) (cab.Deployment, error) {
		return s.reportDeployment(ctx, call, id, in, held)
	})
}

func (s *Service) reportDeployment(ctx context.Context, call Call, id string, said cab.Reported, held string) (cab.Deployment, error) {
	return do(ctx, s, call, cab.ReportDeployment, func(tx *store.Tx, c cab.Call) (cab.Deployment, error) {
		said := said
		in, err := tx.StandingInput(id)
		if err != nil {
			return cab.Deployment{}, err
		}
		standing := s.standing(in).Standing
		starts := said.Kind == cab.DeploymentStarted
		if starts {
			active, err := tx.ActivePolicy()
			if err != nil {
				return cab.Deployment{}, err
			}
			rules, err := s.policy(active)
			if err != nil {
				return cab.Deployment{}, err
			}
			standing.ByPermit = standing.ByPermit || rules.RequirePermit
		}
		if in.Package != nil {
			said.PackageID = in.Package.ID
			if starts {
				if err := intact(c, *in.Package, submittedHash(in), "start of deployment"); err != nil {
					return cab.Deployment{}, err
				}
			}
		}
		change, err := in.Deployment.Report(c, said, standing)
		if err != nil {
			return cab.Deployment{}, err
		}
		if starts && in.Package != nil {
			if err := s.needFiles(*in.Package, held); err != nil {
				return cab.Deployment{}, err
			}
		}
		return *change.Deployment, tx.Save(change)
	})
}
