package workflow

import (
	"context"
	"slices"

	"github.com/eucora/eucora/internal/attest"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/store"
	"github.com/go-json-experiment/json"
)

// Attestation signs a package for people outside: an in-toto statement in a
// DSSE envelope. The keys are read once everything else is settled. Nothing is
// signed that is not, byte for byte, what the ledger says was filed, and
// nothing with a key that the ledger does not know.
func (s *Service) Attestation(ctx context.Context, call Call, id string, keys func() (*attest.Ring, error)) ([]byte, error) {
	e, err := s.filedEvidence(ctx, call, id, "", "attestation")
	if err != nil {
		return nil, err
	}
	ring, err := s.signingKeys(ctx, keys)
	if err != nil {
		return nil, err
	}
	return ring.Attest(e.Document)
}

// filedEvidence is a package that is, byte for byte, what the ledger says was filed,
// and (unless submitted is "") what was submitted.
func (s *Service) filedEvidence(ctx context.Context, call Call, id, submitted, during string) (Evidence, error) {
	e, err := s.Evidence(ctx, call, id)
	if err != nil {
		return Evidence{}, err
	}
	filed, err := see(ctx, s, call, cab.ReadEvidence, func(r *store.Reader) (string, error) { return filedHash(r, e.Package) })
	if err != nil {
		return Evidence{}, err
	}
	if actual := evidence.Digest(e.Document); actual != filed || submitted != "" && actual != submitted {
		p := e.Package
		if p.ContentHash = filed; actual == filed { // then it is the request that says otherwise
			p.ContentHash = submitted
		}
		if err := s.recordTampering(ctx, call, p, actual, during); err != nil {
			return Evidence{}, err
		}
		return Evidence{}, cab.ErrTampered(p)
	}
	return e, nil
}

// filedHash is the hash that the ledger has of a package; "" if it has none.
func filedHash(r *store.Reader, p cab.Package) (string, error) {
	f := EventFilter{Trail: p.CorrelationID, Type: cab.EvidenceCreated, Paging: store.Paging{Limit: store.MaxEvents}}
	for {
		page, err := r.Events(f)
		if err != nil {
			return "", err
		}
		for _, row := range page.Rows {
			var e cab.Event
			if err := json.Unmarshal(row.Leaf, &e); err != nil {
				return "", err
			}
			if e.Data.Package != nil && e.Data.Package.ID == p.ID {
				return e.Data.Package.ContentHash, nil
			}
		}
		if page.Next == "" {
			return "", nil
		}
		f.Cursor = page.Next
	}
}

// RecordKeys brings the ledger to what the attestation keys are. It is called
// whenever keys are made, retired or met: what is known already costs nothing.
// A key that the ledger knows and that is not there is left as it was.
func (s *Service) RecordKeys(ctx context.Context, call Call, ring *attest.Ring) error {
	now := keysOf(ring)
	if before := s.keys.Load(); before != nil && slices.Equal(*before, now) {
		return nil
	}
	_, err := do(ctx, s, call, cab.Administer, func(tx *store.Tx, c cab.Call) (struct{}, error) {
		for _, key := range now {
			known, err := knownKey(tx, key.ID)
			if err != nil {
				return struct{}{}, err
			}
			change, err := cab.RecordKey(c, known, key)
			if err != nil {
				return struct{}{}, err
			}
			if len(change.Events) > 0 {
				if err := tx.Save(change); err != nil {
					return struct{}{}, err
				}
			}
		}
		return struct{}{}, nil
	})
	if err == nil {
		s.keys.Store(&now)
	}
	return err
}

func keysOf(ring *attest.Ring) []cab.Key {
	keys := []cab.Key{}
	for _, k := range ring.Keys() {
		state := cab.KeyRetired
		if k.Signs() {
			state = cab.KeyActive
		}
		keys = append(keys, cab.Key{ID: k.ID, Algorithm: string(k.Algorithm), State: state, CreatedAt: k.CreatedAt, PublicKey: k.PublicPEM})
	}
	return keys
}

// knownKey is a key as its newest event has it; nil if there is none.
func knownKey(tx *store.Tx, id string) (*cab.Key, error) {
	page, err := tx.Events(EventFilter{Trail: id, Type: cab.KeyChanged, Paging: store.Paging{Limit: 1}})
	if err != nil || len(page.Rows) == 0 {
		return nil, err
	}
	var e cab.Event
	if err := json.Unmarshal(page.Rows[0].Leaf, &e); err != nil {
		return nil, err
	}
	return e.Data.Key, nil
}
