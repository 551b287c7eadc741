package store

import (
	"fmt"
	"strings"

	"github.com/eucora/eucora/internal/cab"
)

var insertRequest = fmt.Sprintf(`INSERT INTO cab_request (%s, %s) VALUES (%s, %s)`,
	strings.Join(requestNames, ", "), insertedCopies, marks(len(requestNames)), copiedFrom)

// marks is $1, $2, … $n.
func marks(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("$%d", i+1)
	}
	return strings.Join(all, ", ")
}

func (tx *Tx) saveRequest(change cab.Change) error {
	if err := tx.saveRequestRow(change.Request); err != nil {
		return err
	}
	if v := change.Vote; v != nil {
		tx.c.queue(`INSERT INTO vote (request_id, voter_id, voter_name, approve, rationale, conditions, at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			1, v.RequestID, v.Voter.ID, v.Voter.Username, v.Approve, v.Rationale, string(v.Conditions), micros(v.At))
	}
	if d := change.Decision; d != nil {
		tx.c.queue(`INSERT INTO decision (request_id, decision, rationale, decider_id, decider_name, decider_role, risk_score,
				risk_model_version, policy_version, content_hash, conditions, decided_at, valid_until)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
			1, d.RequestID, d.Decision, d.Rationale, d.Decider.ID, d.Decider.Name, d.Decider.Role, int64(d.Score),
			d.ModelVersion, d.PolicyVersion, d.ContentHash, string(d.Conditions), micros(d.DecidedAt), micros(d.ValidUntil))
	}
	return nil
}

func (tx *Tx) saveRequestRow(q *cab.Request) error {
	if q == nil {
		return nil
	}
	reviewers, err := asJSON(q.Reviewers)
	if err != nil {
		return err
	}
	if q.Revision > 1 {
		tx.c.queue(`UPDATE cab_request SET status = $2, reviewers = $3, exception_id = $4, valid_until = $5, end_reason = $6, revision = $7
			WHERE id = $1 AND revision = $8`,
			1, q.ID, q.Status, reviewers, q.ExceptionID, micros(q.ValidUntil), q.EndReason, q.Revision, q.Revision-1)
		return nil
	}
	gate, err := asJSON(q.Gate)
	if err != nil {
		return err
	}
	tx.c.queue(insertRequest, 1, q.ID, q.Name, q.CorrelationID, q.DeploymentID, q.PackageID, q.PackageOwner, q.IntentOwner, q.ContentHash,
		int64(q.Score), q.ModelVersion, q.PolicyVersion, gate, q.Quorum, q.ApprovalDays, q.Status, q.Urgency, q.Notes,
		q.SubmittedBy.ID, q.SubmittedBy.Username, micros(q.SubmittedAt), micros(q.DueAt), reviewers, q.ExceptionID,
		micros(q.ValidUntil), q.EndReason, q.Revision)
	return nil
}
