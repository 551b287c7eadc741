package workflow

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
)

// The log as C2SP tlog-tiles serves it. Checkpoints and hashes say nothing of what
// happened, so whoever may read any event may have them; entries are the events
// themselves.

// LogCheckpoint is the newest checkpoint that a quorum has witnessed, where the
// site has witnesses that must, and otherwise the newest; with its cosignatures.
func (s *Service) LogCheckpoint(ctx context.Context, call Call) ([]byte, error) {
	read := func() (store.Checkpointed, error) {
		return see(ctx, s, call, cab.ReadEvents, func(r *store.Reader) (store.Checkpointed, error) {
			if s.mustWitness() {
				return r.WitnessedCheckpoint()
			}
			return r.NewestCheckpoint()
		})
	}
	found, err := read()
	switch {
	case cab.KindOf(err) == cab.NotFound && s.mustWitness():
		return nil, &cab.Error{Kind: cab.NotFound, Code: "NOT_WITNESSED", Message: "no quorum of witnesses has witnessed a checkpoint yet"}
	case cab.KindOf(err) == cab.NotFound: // a log of the last second
		if _, err := s.store.Checkpoint(ctx); err != nil {
			return nil, err
		}
		found, err = read()
	}
	return found.Cosigned(), err
}

func (s *Service) mustWitness() bool { return s.witnesses != nil && s.witnesses.Required() }

// LogTile is a tile of hashes, or a bundle of entries. A narrower one than there
// is now is what it was: neither ever changes.
func (s *Service) LogTile(ctx context.Context, call Call, path ledger.TilePath) ([]byte, error) {
	return see(ctx, s, call, cab.ReadEvents, func(r *store.Reader) ([]byte, error) {
		if path.Entries {
			if err := cab.PermitOn(call.Actor, cab.ReadEvents, cab.Holding{}); err != nil {
				return nil, err
			}
			return bundle(r, path)
		}
		tiles, err := r.Tiles([]ledger.TileID{path.ID})
		data := tiles[path.ID]
		if want := path.Width * len(ledger.Hash{}); err == nil && len(data) >= want {
			return data[:want], nil
		}
		return nil, absent(path, err)
	})
}

func bundle(r *store.Reader, path ledger.TilePath) ([]byte, error) {
	if path.ID.Index >= math.MaxInt64>>ledger.TileHeight {
		return nil, absent(path, nil)
	}
	first := path.ID.Index << ledger.TileHeight
	leaves, err := r.Leaves(first, path.Width)
	if err != nil || len(leaves) != path.Width { // also where one was taken away from the middle
		return nil, absent(path, err)
	}
	var data []byte
	for _, leaf := range leaves {
		if data, err = ledger.AppendEntry(data, leaf.Leaf); err != nil {
			return nil, err
		}
	}
	return data, nil
}

func absent(path ledger.TilePath, err error) error {
	if err != nil {
		return err
	}
	return &cab.Error{Kind: cab.NotFound, Code: "NOT_FOUND", Message: fmt.Sprintf("the log has no %s, or not so much of it", path)}
}

// Event is one event as it was hashed, for those who may read it.
func (s *Service) Event(ctx context.Context, call Call, seq int64) ([]byte, error) {
	return see(ctx, s, call, cab.ReadEvents, func(r *store.Reader) ([]byte, error) { return visible(r, call, seq) })
}

func visible(r *store.Reader, call Call, seq int64) ([]byte, error) {
	leaf, owners, err := r.Event(seq)
	if err != nil {
		return nil, err
	}
	return leaf, cab.PermitOn(call.Actor, cab.ReadEvents, cab.Holding{Owners: owners})
}

// Proof proves that one event is in the log: in the newest checkpoint that a
// quorum has witnessed, if that covers it, and otherwise in the newest. It reads
// as much in a log of any size.
func (s *Service) Proof(ctx context.Context, call Call, seq int64) (ledger.Proof, error) {
	proof, err := s.prove(ctx, call, seq)
	if err == nil && proof.Checkpoint == nil { // of the last second: not signed yet
		if _, err = s.store.Checkpoint(ctx); err == nil {
			proof, err = s.prove(ctx, call, seq)
		}
	}
	return proof, err
}

// prove makes a proof; without a checkpoint if there is none that covers the event.
func (s *Service) prove(ctx context.Context, call Call, seq int64) (ledger.Proof, error) {
	return see(ctx, s, call, cab.ReadEvents, func(r *store.Reader) (ledger.Proof, error) {
		leaf, err := visible(r, call, seq)
		if err != nil {
			return ledger.Proof{}, err
		}
		in, err := r.NewestCheckpoint()
		if s.mustWitness() {
			if witnessed, err := r.WitnessedCheckpoint(); err == nil && witnessed.Size > seq {
				in = witnessed
			} else if cab.KindOf(err) != cab.NotFound && err != nil {
				return ledger.Proof{}, err
			}
		}
		if cab.KindOf(err) == cab.NotFound || (err == nil && in.Size <= seq) {
			return ledger.Proof{}, nil
		}
		if err != nil {
			return ledger.Proof{}, err
		}
		var unread error
		path, err := ledger.Tiles(func(ids []ledger.TileID) (tiles map[ledger.TileID][]byte, err error) {
			tiles, unread = r.Tiles(ids)
			return tiles, unread
		}).Inclusion(seq, in.Size)
		if unread != nil {
			return ledger.Proof{}, unread
		}
		if err != nil {
			return ledger.Proof{}, fmt.Errorf("%w: %w", errUnproven, err)
		}
		proof := ledger.Proof{Seq: seq, Path: path, Checkpoint: in.Cosigned()}
		return proof, s.proves(proof, leaf)
	})
}

// errUnproven: what is stored does not prove what it should. That it could not be
// read is another thing.
var errUnproven = errors.New("the ledger is damaged, run eucora audit verify --whole-database")

// proves: what would prove nothing is not given away as a proof.
func (s *Service) proves(proof ledger.Proof, leaf []byte) error {
	verifier, err := ledger.NewVerifier(s.store.LedgerKey())
	if err != nil {
		return err
	}
	if _, err := proof.Check(leaf, verifier); err != nil {
		return fmt.Errorf("%w: %w", errUnproven, err)
	}
	return nil
}
