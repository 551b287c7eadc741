package workflow

import (
	"context"
	"errors"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
)

// Witnessing is how far the ledger's witnesses have followed it.
type Witnessing struct {
	store.WitnessState
	Required bool // somebody must witness
	Current  bool // see [cab.Witnessed]; false where nobody is asked
	By       []WitnessedBy
}

// WitnessedBy is how far one witness has followed.
type WitnessedBy struct {
	Name string
	Size int64 // of the newest checkpoint that it cosigned; 0 if there is none
}

// Witnessing reads how far the witnesses have followed. Like a checkpoint it names
// no event.
func (s *Service) Witnessing(ctx context.Context) (w Witnessing, err error) {
	err = s.store.View(ctx, func(r *store.Reader) error {
		if w, err = s.witnessing(r); err != nil || s.witnesses == nil {
			return err
		}
		w.By = nil
		for _, one := range s.witnesses.Witnesses {
			size, err := r.WitnessedUpTo(one.Key)
			if err != nil {
				return err
			}
			w.By = append(w.By, WitnessedBy{one.Name, size})
		}
		return nil
	})
	return w, err
}

// WitnessState is Witnessing without who followed how far.
func (s *Service) WitnessState(ctx context.Context) (w Witnessing, err error) {
	err = s.store.View(ctx, func(r *store.Reader) error {
		w, err = s.witnessing(r)
		return err
	})
	return w, err
}

func (s *Service) witnessing(r *store.Reader) (Witnessing, error) {
	state, err := s.witnessState(r)
	required := s.mustWitness()
	return Witnessing{WitnessState: state, Required: required, Current: required && cab.Witnessed(state.Since, s.now())}, err
}

// witnessState is how far witnesses have followed, by their signatures: that a
// checkpoint was witnessed is not believed of the row that says so, and another
// quorum may be asked for now. What does not hold is as if there were none.
func (s *Service) witnessState(r *store.Reader) (store.WitnessState, error) {
	state, err := r.WitnessState()
	if err != nil || !s.mustWitness() {
		return state, err
	}
	if holds, err := s.quorumSaw(r, state.Witnessed); err != nil || !holds {
		state.Witnessed = 0
		if state.Since, err = r.EventTime(0); err != nil {
			return state, err
		}
	}
	if state.Since.IsZero() && state.Size > state.Witnessed {
		state.Since = state.Since.Add(1) // long ago: an event that is not there is no sign that all were seen
	}
	return state, nil
}

// quorumSaw reports whether a quorum cosigned the newest checkpoint that is said to
// be witnessed, of the size that it is said to have.
func (s *Service) quorumSaw(r *store.Reader, size int64) (bool, error) {
	checkpoint, err := optional(r.WitnessedCheckpoint())
	return checkpoint != nil && checkpoint.Size == size && s.trusted(*checkpoint), err
}

// witnessed reports whether the ledger is witnessed, as far as a policy asks. Where
// the policy wants it and the site has no witnesses, it is not.
func (s *Service) witnessed(r *store.Reader, rules cab.Policy, now time.Time) (bool, error) {
	if !rules.RequireWitnessed || !s.mustWitness() {
		return false, nil
	}
	state, err := s.witnessState(r)
	return err == nil && cab.Witnessed(state.Since, now), err
}

// ReleaseWitnessed approves by rule what waited for witnesses, if they are back.
// What cannot be approved any more stays with CAB.
func (s *Service) ReleaseWitnessed(ctx context.Context) error {
	if !s.mustWitness() {
		return nil
	}
	var waiting []string
	err := s.store.View(ctx, func(r *store.Reader) (err error) {
		if waiting, err = r.WaitingForWitnesses(); err != nil || len(waiting) == 0 {
			return err
		}
		state, err := s.witnessState(r)
		if err == nil && !cab.Witnessed(state.Since, s.now()) {
			waiting = nil
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range waiting {
		if failed := s.release(ctx, id); cab.KindOf(failed) == cab.Internal || cab.KindOf(failed) == cab.Unavailable {
			err = errors.Join(err, failed)
		}
	}
	return err
}

// release approves one request by rule. Everything that a submission looks at is
// looked at again, in the transaction that approves.
func (s *Service) release(ctx context.Context, id string) error {
	call := Call{Actor: cab.RiskGate}
	_, err := withFiles(ctx, s, call, "release", func(held string) (struct{}, error) {
		var altered *cab.Package
		var actual string
		err := s.store.UpdateRequest(ctx, store.Credential{}, id, func(tx *store.Tx, in store.RequestInput) error {
			altered = nil
			var ok bool
			if actual, ok = whole(&in.Package, in.Request.ContentHash); !ok {
				altered = &in.Package
				return cab.ErrTampered(in.Package)
			}
			c := s.cabCall(call)
			waiting, err := s.waiting(tx, in, c.Now)
			if err != nil {
				return err
			}
			change, err := in.Request.Release(c, waiting)
			if err != nil {
				return err
			}
			if err := s.needFiles(in.Package, held); err != nil {
				return err
			}
			return tx.Save(change)
		})
		if altered != nil { // it is looked at every minute, and said once
			err = errors.Join(err, s.recordTampering(ctx, call, *altered, actual, "release"))
		}
		return struct{}{}, err
	})
	return err
}

// waiting reads what a release depends on. The package is whole.
func (s *Service) waiting(tx *store.Tx, in store.RequestInput, now time.Time) (cab.Waiting, error) {
	filed, err := s.reading(in.Package.ContentHash, in.Package.Document)
	if err != nil {
		return cab.Waiting{}, err
	}
	active, err := tx.ActivePolicy()
	if err != nil {
		return cab.Waiting{}, err
	}
	rules, err := s.policy(active)
	if err != nil {
		return cab.Waiting{}, err
	}
	witnessed, err := s.witnessed(&tx.Reader, rules, now)
	if err != nil {
		return cab.Waiting{}, err
	}
	submitter, err := tx.Caller(store.Credential{PrincipalID: in.Request.SubmittedBy.ID})
	return cab.Waiting{
		LatestID: in.LatestID, Policy: rules, Submitter: submitter, Score: filed.score, Complete: filed.complete,
		Facts: filed.facts, Witnessed: witnessed,
	}, err
}

// LastStamped is the newest checkpoint that an authority has stamped; of size 0 if
// there is none.
func (s *Service) LastStamped(ctx context.Context, call Call) (store.Checkpointed, error) {
	return see(ctx, s, call, cab.ReadEvents, (*store.Reader).LastStamped)
}

// Witnesses is the site's trust policy; nil if it has none.
func (s *Service) Witnesses() *ledger.Trust { return s.witnesses }
