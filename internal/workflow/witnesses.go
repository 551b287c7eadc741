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
func (s *Service) Witnessing(ctx context.Context) (Witnessing, error) {
	w := Witnessing{Required: s.mustWitness()}
	err := s.store.View(ctx, func(r *store.Reader) (err error) {
		if w.WitnessState, err = r.WitnessState(); err != nil || s.witnesses == nil {
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
	w.Current = w.Required && cab.Witnessed(w.Since, s.now())
	return w, err
}

// witnessed reports whether the ledger is witnessed, as far as a policy asks. Where
// the policy wants it and the site has no witnesses, it is not.
func (s *Service) witnessed(r *store.Reader, rules cab.Policy, now time.Time) (bool, error) {
	if !rules.RequireWitnessed || !s.mustWitness() {
		return false, nil
	}
	state, err := r.WitnessState()
	return err == nil && cab.Witnessed(state.Since, now), err
}

// releaseWitnessed approves by rule what waited for witnesses, if they are back.
// What cannot be approved any more stays with CAB.
func (s *Service) releaseWitnessed(ctx context.Context) error {
	if !s.mustWitness() {
		return nil
	}
	var waiting []string
	err := s.store.View(ctx, func(r *store.Reader) (err error) {
		state, err := r.WitnessState()
		if err != nil || !cab.Witnessed(state.Since, s.now()) {
			return err
		}
		waiting, err = r.WaitingForWitnesses()
		return err
	})
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
	_, err := withFiles(ctx, s, call, "decision", func(held string) (struct{}, error) {
		var refusal error
		err := s.store.UpdateRequest(ctx, store.Credential{}, id, func(tx *store.Tx, in store.RequestInput) error {
			refusal = nil
			c := s.cabCall(call)
			active, err := tx.ActivePolicy()
			if err != nil {
				return err
			}
			rules, err := s.policy(active)
			if err != nil {
				return err
			}
			if witnessed, err := s.witnessed(&tx.Reader, rules, c.Now); err != nil || (rules.RequireWitnessed && !witnessed) {
				return err
			}
			change, err := in.Request.Release(c, in.LatestID, rules)
			if err != nil {
				return err
			}
			err = intact(c, in.Package, in.Request.ContentHash, "decision")
			if found, ok := errors.AsType[*tampered](err); ok {
				refusal = found.refusal
				return tx.Save(found.change)
			}
			if err := errors.Join(err, s.needFiles(in.Package, held)); err != nil {
				return err
			}
			return tx.Save(change)
		})
		return struct{}{}, errors.Join(err, refusal)
	})
	return err
}

// Witnesses is the site's trust policy; nil if it has none.
func (s *Service) Witnesses() *ledger.Trust { return s.witnesses }
