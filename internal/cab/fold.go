package cab

import (
	"crypto/sha256"
	"fmt"

	"github.com/go-json-experiment/json"
)

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

// Fold gives put every row that an event wrote, as it says it is afterwards. What
// was put last for each row, of every event in order, is what the database must
// hold: package store compares it when a ledger is verified. Votes and decisions
// are keyed by request (and voter).
func Fold(e Event, put func(Subject, RowState)) error {
	d := e.Data
	var err error
	row := func(kind SubjectKind, id string, row any) {
		digest, failed := RowDigest(row)
		if failed != nil && err == nil {
			err = fmt.Errorf("event %d: %w", e.Seq, failed)
		}
		put(Subject{kind, id}, RowState{digest, e.Seq})
	}
	if d.Deployment != nil {
		row(KindDeployment, d.Deployment.ID, d.Deployment)
	}
	if d.Package != nil {
		row(KindPackage, d.Package.ID, d.Package)
	}
	if d.Request != nil {
		row(KindRequest, d.Request.ID, d.Request)
	}
	if d.Vote != nil {
		row(KindVote, d.Vote.RequestID+"/"+d.Vote.Voter.ID, d.Vote)
	}
	if d.Decision != nil {
		row(KindDecision, d.Decision.RequestID, d.Decision)
	}
	if d.Exception != nil {
		row(KindException, d.Exception.ID, d.Exception)
	}
	if d.Permit != nil {
		row(KindPermit, d.Permit.ID, d.Permit)
	}
	if d.Principal != nil {
		row(KindPrincipal, d.Principal.ID, d.Principal)
	}
	if d.Token != nil {
		row(KindToken, d.Token.ID, d.Token)
	}
	if d.Model != nil {
		row(KindModel, d.Model.Version, d.Model)
	}
	if d.Policy != nil {
		row(KindPolicy, d.Policy.Version, d.Policy)
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
