package workflow

import (
	"context"
	"errors"
	"fmt"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
	"github.com/go-json-experiment/json"
)

// ProvenEvent is an event with the proof that it is in the log, and what came of
// checking that.
type ProvenEvent struct {
	cab.Event  // of nothing but its place where the leaf cannot be read
	Leaf       []byte
	Proof      ledger.Proof
	Checkpoint ledger.Checkpoint // that the proof leads to
	Witnesses  []string          // of the site's, that have cosigned it
	Failure    error             // why the proof does not hold; nil if it does
}

// ProvenEvent reads an event and its proof, and checks the one against the other: the
// bytes that are shown, and not those that the proof was made of.
func (s *Service) ProvenEvent(ctx context.Context, call Call, seq int64) (ProvenEvent, error) {
	leaf, err := s.Event(ctx, call, seq)
	if err != nil {
		return ProvenEvent{}, err
	}
	p := ProvenEvent{Leaf: leaf}
	unread := json.Unmarshal(leaf, &p.Event)
	if unread == nil && p.Seq != seq {
		unread = fmt.Errorf("it says of itself that it is event %d", p.Seq)
	}
	if unread != nil {
		p.Event = cab.Event{Seq: seq}
	}
	if p.Proof, err = s.Proof(ctx, call, seq); err == nil {
		err = s.check(&p)
	} else if !errors.Is(err, errUnproven) {
		return ProvenEvent{}, err
	}
	p.Failure = errors.Join(err, unread)
	return p, nil
}

func (s *Service) check(p *ProvenEvent) error {
	verifier, err := ledger.NewVerifier(s.store.LedgerKey())
	if err != nil {
		return err
	}
	if p.Checkpoint, err = p.Proof.Check(p.Leaf, verifier); err != nil || s.witnesses == nil {
		return err
	}
	opened, err := s.witnesses.Open(p.Proof.Checkpoint)
	for _, by := range opened.By {
		p.Witnesses = append(p.Witnesses, by.Witness)
	}
	return err
}

// LedgerState is how far the ledger is signed, witnessed and stamped.
type LedgerState struct {
	Witnessing
	Newest  ledger.Checkpoint // that counts here, and whose signature holds; of size 0 if there is none
	Note    []byte            // it, as it was signed
	Stamped store.Checkpointed
}

// LedgerState reads how far the ledger is signed, witnessed and stamped. It names no
// event, so whoever may read any may have it.
func (s *Service) LedgerState(ctx context.Context, call Call) (LedgerState, error) {
	var l LedgerState
	var err error
	if l.Note, err = s.LogCheckpoint(ctx, call); err != nil && cab.KindOf(err) != cab.NotFound {
		return l, err
	}
	if err == nil {
		verifier, err := ledger.NewVerifier(s.store.LedgerKey())
		if err != nil {
			return l, err
		}
		if l.Newest, err = verifier.Open(l.Note); err != nil {
			return l, err
		}
	}
	if l.Witnessing, err = s.Witnessing(ctx); err != nil {
		return l, err
	}
	l.Stamped, err = s.LastStamped(ctx, call)
	return l, err
}
