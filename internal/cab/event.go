package cab

import (
	"slices"
	"time"

	"github.com/eucora/eucora/internal/evidence"
)

// EventType is the kind of an event. The set is closed: adding one is adding
// code. Specification, section 8.
type EventType string

// The event types.
const (
	DeploymentCreated   EventType = "DEPLOYMENT_CREATED"
	EvidenceCreated     EventType = "EVIDENCE_CREATED"
	RiskAssessed        EventType = "RISK_ASSESSED"
	CABSubmitted        EventType = "CAB_SUBMITTED"
	CABReviewStarted    EventType = "CAB_REVIEW_STARTED"
	CABVoteCast         EventType = "CAB_VOTE_CAST"
	CABApproved         EventType = "CAB_APPROVED"
	CABRejected         EventType = "CAB_REJECTED"
	CABWithdrawn        EventType = "CAB_WITHDRAWN"
	ApprovalRevoked     EventType = "APPROVAL_REVOKED"
	ExceptionRequested  EventType = "EXCEPTION_REQUESTED"
	ExceptionApproved   EventType = "EXCEPTION_APPROVED"
	ExceptionRejected   EventType = "EXCEPTION_REJECTED"
	ExceptionExpired    EventType = "EXCEPTION_EXPIRED"
	ExceptionRevoked    EventType = "EXCEPTION_REVOKED"
	DeploymentStarted   EventType = "DEPLOYMENT_STARTED"
	DeploymentCompleted EventType = "DEPLOYMENT_COMPLETED"
	DeploymentFailed    EventType = "DEPLOYMENT_FAILED"
	RollbackStarted     EventType = "ROLLBACK_INITIATED"
	RollbackCompleted   EventType = "ROLLBACK_COMPLETED"
	EvidenceTampered    EventType = "EVIDENCE_TAMPERED"
	UserChanged         EventType = "USER_CHANGED"
	TokenChanged        EventType = "TOKEN_CHANGED"
	ModelChanged        EventType = "MODEL_CHANGED"
	PolicyChanged       EventType = "POLICY_CHANGED"
	// AccessRefused is beyond the specification's list: wrong tokens are to be
	// audited (docs/adr/0007), and no other type says it.
	AccessRefused EventType = "ACCESS_REFUSED"
	// KeyChanged is beyond it too: a key that signs attestations is created or
	// retired.
	KeyChanged EventType = "KEY_CHANGED"
	// What the clock finds due is beyond it too; no row changes with it.
	ApprovalExpired EventType = "APPROVAL_EXPIRED"
	CABEscalated    EventType = "CAB_ESCALATED"
	ExceptionEnding EventType = "EXCEPTION_ENDING"
)

// EventTypes lists every event type.
func EventTypes() []EventType {
	return []EventType{
		DeploymentCreated, EvidenceCreated, RiskAssessed, CABSubmitted, CABReviewStarted, CABVoteCast,
		CABApproved, CABRejected, CABWithdrawn, ApprovalRevoked, ExceptionRequested, ExceptionApproved,
		ExceptionRejected, ExceptionExpired, ExceptionRevoked, DeploymentStarted, DeploymentCompleted,
		DeploymentFailed, RollbackStarted, RollbackCompleted, EvidenceTampered, UserChanged, TokenChanged,
		ModelChanged, PolicyChanged, AccessRefused, KeyChanged,
		ApprovalExpired, CABEscalated, ExceptionEnding,
	}
}

// SubjectKind is the noun that an event is about.
type SubjectKind string

// The nouns.
const (
	KindDeployment SubjectKind = "deployment"
	KindPackage    SubjectKind = "evidence"
	KindRequest    SubjectKind = "request"
	KindException  SubjectKind = "exception"
	KindPrincipal  SubjectKind = "user"
	KindToken      SubjectKind = "token"
	KindModel      SubjectKind = "risk_model"
	KindPolicy     SubjectKind = "policy"
	KindAddress    SubjectKind = "address"
	KindKey        SubjectKind = "key"
)

// Subject is what an event is about.
type Subject struct {
	Kind SubjectKind `json:"kind"`
	ID   string      `json:"id"`
}

// Event is one immutable line of the ledger: who did what to what, when. The
// store assigns Seq, its place in the ledger from 0, when it is written. The
// leaf in the Merkle tree is the RFC 8785 form of exactly these members.
type Event struct {
	Seq           int64     `json:"seq"`
	ID            string    `json:"id"`
	Time          time.Time `json:"time"`
	Type          EventType `json:"type"`
	CorrelationID string    `json:"correlation_id"`
	DeploymentID  string    `json:"deployment_intent_id"`
	Subject       Subject   `json:"subject"`
	Actor         Actor     `json:"actor"`
	Source        Source    `json:"source"`
	Data          EventData `json:"data"`
}

// EventData carries every row that the event changed, as it is afterwards, so
// that folding the events in order gives the rows (see [Fold]); and, where
// there is one, the reason.
type EventData struct {
	Deployment *Deployment `json:"deployment,omitzero"`
	Package    *Package    `json:"evidence,omitzero"`
	Request    *Request    `json:"request,omitzero"`
	Vote       *Vote       `json:"vote,omitzero"`
	Decision   *Decision   `json:"decision,omitzero"`
	Exception  *Exception  `json:"exception,omitzero"`
	Principal  *Principal  `json:"user,omitzero"`
	Token      *Token      `json:"token,omitzero"`
	Model      *Published  `json:"risk_model,omitzero"`
	Policy     *Published  `json:"policy,omitzero"`
	Risk       *Risk       `json:"risk,omitzero"`
	Tamper     *Tamper     `json:"tamper,omitzero"`
	Key        *Key        `json:"key,omitzero"`
	Refusals   int         `json:"refusals,omitzero"`
	Reason     string      `json:"reason,omitzero"`
}

// Risk is what RISK_ASSESSED says: the score, by which model, and what each
// factor contributed, in hundredths of a point.
type Risk struct {
	PackageID     string                    `json:"evidence_package_id"`
	Score         evidence.Score            `json:"risk_score"`
	ModelVersion  string                    `json:"risk_model_version"`
	ModelDigest   string                    `json:"risk_model_digest"`
	Contributions map[string]evidence.Score `json:"contributions"`
}

// Tamper is what EVIDENCE_TAMPERED says: the hash that was recorded and the
// one that the stored bytes have now.
type Tamper struct {
	PackageID  string `json:"evidence_package_id"`
	Attachment bool   `json:"attachment,omitzero"` // it is a file of the package; otherwise its document
	Expected   string `json:"expected_sha256"`
	Actual     string `json:"actual_sha256"` // of a file also "missing", or what else is wrong with it
	Found      string `json:"found_during"`
}

// Change is everything that one verb does: the rows to write and the events
// that say so. The store writes all of it in one transaction, or nothing, and
// refuses a Change without an event. A row whose Revision is 1 is new; any
// other replaces the row of the revision before it, or conflicts.
type Change struct {
	Deployment *Deployment
	Package    *Package
	Request    *Request
	Vote       *Vote
	Decision   *Decision
	Exceptions []*Exception
	Principal  *Principal
	Token      *Token
	Model      *Published
	Policy     *Published
	Events     []Event
}

// Again is the change with events of its own, for a transaction that may run
// twice: saving gives each event its place.
func (c Change) Again() Change {
	c.Events = slices.Clone(c.Events)
	return c
}

// event begins an event of this call. The store gives it its id and place.
func (c Call) event(kind EventType, correlationID, deploymentID string, subject Subject, data EventData) Event {
	return Event{
		Time: c.Now, Type: kind, CorrelationID: correlationID, DeploymentID: deploymentID,
		Subject: subject, Actor: c.Actor, Source: c.Source, Data: data,
	}
}

// as is the same call, done by the product itself.
func (c Call) as(actor Actor) Call {
	c.Actor = actor
	return c
}
