package store

import (
	"fmt"
	"strings"

	"github.com/eucora/eucora/internal/cab"
)

var permitNames = []string{
	"id", "correlation_id", "deployment_id", "request_id", "package_id", "content_hash", "artifact_sha256", "ring", "devices",
	"note_read", "ahead_of_cab", "decision_sha256", "policy_version", "policy_sha256", "issued_to_id", "issued_to_name",
	"issued_at", "expires_at", "state", "ended_at", "end_reason", "revision",
}

var permitColumns = "m." + strings.Join(permitNames, ", m.")

func scanPermit(r row, p *cab.StartPermit) error {
	return r.Scan(&p.ID, &p.CorrelationID, &p.DeploymentID, &p.RequestID, &p.PackageID, &p.ContentHash, &p.Artifact, &p.Ring, &p.Devices,
		&p.NoteRead, &p.AheadOfCAB, &p.DecisionDigest, &p.PolicyVersion, &p.PolicyDigest, &p.IssuedTo.ID, &p.IssuedTo.Username,
		atTime{&p.IssuedAt}, atTime{&p.ExpiresAt}, &p.State, atTime{&p.EndedAt}, &p.EndReason, &p.Revision)
}

// StartPermit returns a permit.
func (r *Reader) StartPermit(id string) (cab.StartPermit, error) {
	return one(r, "permit", scanPermit, `SELECT `+permitColumns+` FROM start_permit m WHERE m.id = $1`, id)
}

var insertPermit = fmt.Sprintf(`INSERT INTO start_permit (%s) VALUES (%s)`, strings.Join(permitNames, ", "), marks(len(permitNames)))

func (tx *Tx) savePermit(change cab.Change) error {
	p := change.Permit
	switch {
	case p == nil:
	case p.Revision > 1:
		tx.c.queue(`UPDATE start_permit SET state = $2, ended_at = $3, end_reason = $4, revision = $5 WHERE id = $1 AND revision = $6`,
			1, p.ID, p.State, micros(p.EndedAt), p.EndReason, p.Revision, p.Revision-1)
	default:
		tx.c.queue(insertPermit, 1, p.ID, p.CorrelationID, p.DeploymentID, p.RequestID, p.PackageID, p.ContentHash, p.Artifact, p.Ring, p.Devices,
			p.NoteRead, p.AheadOfCAB, p.DecisionDigest, p.PolicyVersion, p.PolicyDigest, p.IssuedTo.ID, p.IssuedTo.Username,
			micros(p.IssuedAt), micros(p.ExpiresAt), p.State, micros(p.EndedAt), p.EndReason, p.Revision)
	}
	return nil
}
