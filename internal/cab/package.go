package cab

import (
	"slices"
	"time"

	"github.com/eucora/eucora/internal/evidence"
)

// Package is an evidence package as the store keeps it: the document's bytes
// and what is looked up about them. The document is the truth; the other
// members are copies for lists and are never scored or hashed again.
type Package struct {
	ID            string         `json:"id"`
	DeploymentID  string         `json:"deployment_intent_id"`
	CorrelationID string         `json:"correlation_id"`
	CreatedBy     Person         `json:"created_by"`
	CreatedAt     time.Time      `json:"created_at"`
	Score         evidence.Score `json:"risk_score"`
	ModelVersion  string         `json:"risk_model_version"`
	Complete      bool           `json:"is_complete"`
	ContentHash   string         `json:"content_hash"` // SHA-256 of Document, lower-case hex
	Document      []byte         `json:"-"`            // RFC 8785 form of the whole record
	Attachments   []string       `json:"-"`            // SHA-256 of each file; only of a package that is filed, for the document lists them
}

// NewPackage files a scored record as evidence for a deployment intent.
// document is record's canonical form and hash its digest; the caller computes
// both once, outside the transaction.
func NewPackage(call Call, d Deployment, record evidence.Record, document []byte, hash string) (Change, error) {
	if err := PermitOn(call.Actor, CreateEvidence, Holding{Owners: []string{d.CreatedBy.ID}}); err != nil {
		return Change{}, err
	}
	assessed := record.Assessment
	p := &Package{
		ID: record.ID, DeploymentID: d.ID, CorrelationID: d.CorrelationID,
		CreatedBy: call.Actor.Person(), CreatedAt: call.Now,
		Score: assessed.Score, ModelVersion: assessed.ModelVersion,
		Complete: record.Completeness.Complete, ContentHash: hash, Document: document,
	}
	for _, a := range record.Attachments {
		if !slices.Contains(p.Attachments, a.SHA256) {
			p.Attachments = append(p.Attachments, a.SHA256)
		}
	}
	risk := &Risk{
		PackageID: p.ID, Score: assessed.Score, ModelVersion: assessed.ModelVersion,
		ModelDigest: assessed.ModelDigest, Contributions: make(map[string]evidence.Score, len(assessed.Factors)),
	}
	for _, factor := range assessed.Factors {
		risk.Contributions[factor.Name] = factor.Contribution
	}
	subject := Subject{KindPackage, p.ID}
	return Change{Package: p, Events: []Event{
		call.event(EvidenceCreated, d.CorrelationID, d.ID, subject, EventData{Package: p}),
		call.as(RiskGate).event(RiskAssessed, d.CorrelationID, d.ID, subject, EventData{Risk: risk}),
	}}, nil
}

// TamperFound is the event that a package's stored bytes no longer have the
// hash that was recorded for them. found says during what it was noticed.
func TamperFound(call Call, p Package, actual, found string) Change {
	data := EventData{Tamper: &Tamper{PackageID: p.ID, Expected: p.ContentHash, Actual: actual, Found: found}}
	return Change{Events: []Event{
		call.as(Guard).event(EvidenceTampered, p.CorrelationID, p.DeploymentID, Subject{KindPackage, p.ID}, data),
	}}
}

// AttachmentLost is the event that a file of a package is not there any more, or
// is not what was stored. actual says what it is instead.
func AttachmentLost(call Call, p Package, digest, actual, found string) Change {
	data := EventData{Tamper: &Tamper{PackageID: p.ID, Attachment: true, Expected: digest, Actual: actual, Found: found}}
	return Change{Events: []Event{
		call.as(Guard).event(EvidenceTampered, p.CorrelationID, p.DeploymentID, Subject{KindPackage, p.ID}, data),
	}}
}

// ErrAttachmentLost is the refusal that goes with [AttachmentLost].
func ErrAttachmentLost(p Package, digest, actual string) error {
	return conflict("EVIDENCE_TAMPERED", "the file %s of evidence package %s is not what was stored (%s); nothing that rests on it holds, tell an auditor", digest, p.ID, actual)
}

// ErrTampered is the refusal that goes with [TamperFound].
func ErrTampered(p Package) error {
	return conflict("EVIDENCE_TAMPERED", "the stored evidence package %s no longer has the hash recorded for it; nothing that rests on it holds, tell an auditor", p.ID)
}
