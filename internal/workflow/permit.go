package workflow

import (
	"context"
	"time"

	"github.com/eucora/eucora/internal/attest"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store"
	"github.com/go-json-experiment/json"
)

// GateAnswer is what the deployment gate says of a rollout at a moment.
type GateAnswer struct {
	cab.Opening
	Deployment cab.Deployment
	Rollout    cab.Rollout
	At         time.Time
}

// DeploymentGate asks whether a rollout may begin at this moment. It opens nothing:
// what is open here may be closed when a permit is asked for.
func (s *Service) DeploymentGate(ctx context.Context, call Call, id string, rollout cab.Rollout) (GateAnswer, error) {
	return withFiles(ctx, s, call, "gate", func(held string) (GateAnswer, error) {
		return askGate(ctx, s, call, id, held, func(r *store.Reader, in store.StandingInput) (GateAnswer, error) {
			policy, err := r.ActivePolicy()
			if err != nil {
				return GateAnswer{}, err
			}
			grounds, err := s.grounds(r, in, policy, s.now())
			return GateAnswer{grounds.Open(rollout), in.Deployment, rollout, grounds.Now}, err
		})
	})
}

// grounds is what the gate rests on. The caller has held the package's document, and
// holds its files, against their digests. A document that is about another package,
// or cannot be read, is not whole.
func (s *Service) grounds(r *store.Reader, in store.StandingInput, policy cab.Published, now time.Time) (cab.Grounds, error) {
	rules, err := s.policy(policy)
	if err != nil {
		return cab.Grounds{}, err
	}
	witnessed, err := s.witnessed(r, rules, now)
	if err != nil {
		return cab.Grounds{}, err
	}
	g := cab.Grounds{
		Now: now, Deployment: in.Deployment, Package: in.Package, Request: in.Request, Decision: in.Decision,
		Exceptions: in.Exceptions, Policy: policy, Rules: rules, Witnessed: witnessed,
	}
	if in.Request != nil && in.Request.Status.Open() {
		if g.Votes, err = r.Votes(in.Request.ID); err != nil {
			return cab.Grounds{}, err
		}
	}
	if p := in.Package; p != nil {
		if filed, err := s.reading(p.ContentHash, p.Document); err == nil && filed.packageID == p.ID && filed.deploymentID == in.Deployment.ID {
			g.Whole, g.Artifacts, g.Users = true, filed.artifacts, cab.Affected(filed.facts)
		}
	}
	return g, nil
}

// groundsNow is grounds in the transaction that decides.
func (s *Service) groundsNow(tx *store.Tx, c cab.Call, in store.StandingInput, during string) (cab.Grounds, error) {
	if in.Package != nil {
		if err := intact(c, *in.Package, submittedHash(in), during); err != nil {
			return cab.Grounds{}, err
		}
	}
	policy, err := tx.ActivePolicy()
	if err != nil {
		return cab.Grounds{}, err
	}
	return s.grounds(&tx.Reader, in, policy, c.Now)
}

// Issued is a permit with its signed forms, DSSE envelopes: the permit itself, and what
// readers of SLSA's summaries understand of it.
type Issued struct {
	cab.StartPermit
	Envelope []byte
	Summary  []byte
}

// IssuePermit gives a permit for a rollout, if the deployment gate is open for it. A
// server without a key that signs gives none. life 0 means [cab.PermitLife].
func (s *Service) IssuePermit(ctx context.Context, call Call, id string, rollout cab.Rollout, life time.Duration, keys func() (*attest.Ring, error)) (Issued, error) {
	if err := permit(call.Actor, cab.StartDeployment); err != nil {
		return Issued{}, err
	}
	ring, err := s.signingKeys(ctx, keys)
	if err != nil {
		return Issued{}, err
	}
	return withFiles(ctx, s, call, "permit", func(held string) (Issued, error) {
		return do(ctx, s, call, cab.StartDeployment, func(tx *store.Tx, c cab.Call) (Issued, error) {
			in, err := tx.StandingInput(id)
			if err != nil {
				return Issued{}, err
			}
			grounds, err := s.groundsNow(tx, c, in, "permit")
			if err != nil {
				return Issued{}, err
			}
			change, err := grounds.IssuePermit(c, newID(), rollout, life)
			if err != nil {
				return Issued{}, err
			}
			if err := s.needFiles(*in.Package, held); err != nil {
				return Issued{}, err
			}
			issued, err := signPermit(ring, *change.Permit)
			if err != nil {
				return Issued{}, err
			}
			return issued, tx.Save(change)
		})
	})
}

// signingKeys are the attestation keys, of which one signs and the ledger knows all.
func (s *Service) signingKeys(ctx context.Context, keys func() (*attest.Ring, error)) (*attest.Ring, error) {
	ring, err := keys()
	if err != nil {
		return nil, cab.ErrKeysUnusable(err)
	}
	if _, signs := ring.Signing(); !signs {
		return nil, cab.ErrKeysUnusable(attest.ErrNoKey)
	}
	if err := s.RecordKeys(ctx, Call{Actor: cab.Setup}, ring); err != nil {
		if cab.KindOf(err) == cab.Conflict {
			err = cab.ErrKeysUnusable(err)
		}
		return nil, err
	}
	return ring, nil
}

func signPermit(ring *attest.Ring, p cab.StartPermit) (Issued, error) {
	predicate, err := json.Marshal(p)
	if err != nil {
		return Issued{}, err
	}
	envelope, err := ring.SignPermit(p.Artifact, predicate)
	if err != nil {
		return Issued{}, err
	}
	summary, err := ring.SignSummary(attest.Summary{
		Artifact: p.Artifact, Resource: "eucora:deployment/" + p.DeploymentID + "/" + string(p.Ring), At: p.IssuedAt,
		PolicyURI: "eucora:policy/" + p.PolicyVersion, PolicyDigest: p.PolicyDigest,
		EvidenceURI: "eucora:evidence/" + p.PackageID, EvidenceBytes: p.ContentHash,
	})
	return Issued{p, envelope, summary}, err
}

// Redeemed is a permit that has been redeemed, and the deployment that it began.
type Redeemed struct {
	Permit     cab.StartPermit
	Deployment cab.Deployment
}

// RedeemPermit begins the rollout that a permit is for. The gate is asked again, in
// the transaction that begins it; what it refuses makes the permit void.
func (s *Service) RedeemPermit(ctx context.Context, call Call, id string, present cab.Rollout) (Redeemed, error) {
	return withFiles(ctx, s, call, "redemption", func(held string) (Redeemed, error) {
		return do(ctx, s, call, cab.StartDeployment, func(tx *store.Tx, c cab.Call) (Redeemed, error) {
			p, err := tx.StartPermit(id)
			if err != nil {
				return Redeemed{}, err
			}
			in, err := tx.StandingInput(p.DeploymentID)
			if err != nil {
				return Redeemed{}, err
			}
			grounds, err := s.groundsNow(tx, c, in, "redemption")
			if err != nil {
				return Redeemed{}, err
			}
			change, err := p.Redeem(c, grounds, present)
			if err != nil {
				if len(change.Events) > 0 { // it is void, and the event says so
					err = &tampered{change, err}
				}
				return Redeemed{}, err
			}
			if err := s.needFiles(*in.Package, held); err != nil {
				return Redeemed{}, err
			}
			return Redeemed{*change.Permit, *change.Deployment}, tx.Save(change)
		})
	})
}

// StartPermit returns a permit to whoever may ask the gate about its deployment.
func (s *Service) StartPermit(ctx context.Context, call Call, id string) (cab.StartPermit, error) {
	return see(ctx, s, call, cab.AskGate, func(r *store.Reader) (cab.StartPermit, error) {
		p, err := r.StartPermit(id)
		if err != nil {
			return cab.StartPermit{}, err
		}
		held, err := r.DeploymentHolding(p.DeploymentID)
		if err != nil {
			return cab.StartPermit{}, err
		}
		return p, cab.PermitOn(call.Actor, cab.AskGate, held)
	})
}
