package cab

import (
	"crypto/sha256"
	"fmt"

	"github.com/go-json-experiment/json"
)

// Rows is the state of the world as the events tell it: for each row, its
// digest after the last event that changed it, and which event that was. Votes
// and decisions are keyed by request (and voter).
type Rows map[Subject]RowState

// RowState is what the events say of one row.
type RowState struct {
	Digest [sha256.Size]byte // of the row, see [RowDigest]
	Seq    int64             // the event that last changed it
}

// Kinds of rows that are not subjects of their own.
const (
	KindVote     SubjectKind = "vote"
	KindDecision SubjectKind = "decision"
)

// Fold applies one event. Folding every event in order gives the rows that the
// database must hold: what package store compares when a ledger is verified.
func (rows Rows) Fold(e Event) error {
	d := e.Data
	var err error
	put := func(kind SubjectKind, id string, row any) {
		digest, failed := RowDigest(row)
		if failed != nil && err == nil {
			err = fmt.Errorf("event %d: %w", e.Seq, failed)
		}
		rows[Subject{kind, id}] = RowState{digest, e.Seq}
	}
	if d.Deployment != nil {
		put(KindDeployment, d.Deployment.ID, d.Deployment)
	}
	if d.Package != nil {
		put(KindPackage, d.Package.ID, d.Package)
	}
	if d.Request != nil {
		put(KindRequest, d.Request.ID, d.Request)
	}
	if d.Vote != nil {
		put(KindVote, d.Vote.RequestID+"/"+d.Vote.Voter.ID, d.Vote)
	}
	if d.Decision != nil {
		put(KindDecision, d.Decision.RequestID, d.Decision)
	}
	if d.Exception != nil {
		put(KindException, d.Exception.ID, d.Exception)
	}
	if d.Principal != nil {
		put(KindPrincipal, d.Principal.ID, d.Principal)
	}
	if d.Token != nil {
		put(KindToken, d.Token.ID, d.Token)
	}
	if d.Model != nil {
		put(KindModel, d.Model.Version, d.Model)
	}
	if d.Policy != nil {
		put(KindPolicy, d.Policy.Version, d.Policy)
	}
	return err
}

// RowDigest is the digest of a row in the form in which rows are compared with
// what the events say.
func RowDigest(row any) ([sha256.Size]byte, error) {
	text, err := json.Marshal(row, json.Deterministic(true))
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("encode row: %w", err)
	}
	return sha256.Sum256(text), nil
}
