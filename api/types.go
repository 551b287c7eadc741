// Package api is the contract: the types on the wire of Eucora's HTTP API
// (/api/v1, JSON) and a client for it. It imports nothing of ours, so that
// other programs can use it. The same types make the OpenAPI document; the
// struct tags beyond json say to it what the server checks.
//
// A risk score is a number from 0 to 100 with at most two decimals. Times are
// RFC 3339 in UTC. Members that are absent in an answer do not apply.
package api

import (
	"encoding/json"
	"time"
)

// Person is somebody, by value.
type Person struct {
	ID       string `json:"id" doc:"Principal id"`
	Username string `json:"username"`
}

// Me is the caller, as the server sees it.
type Me struct {
	ID       string `json:"id"`
	Username string `json:"username"`
	Role     string `json:"role" enum:"packaging_engineer,cab_member,security_reviewer,publisher,auditor,admin"`
}

// CreateDeployment asks for a deployment intent: application, version, ring.
type CreateDeployment struct {
	AppName    string `json:"app_name" minLength:"1" maxLength:"200" example:"Notepad++"`
	Version    string `json:"version" minLength:"1" maxLength:"100" example:"8.7.1"`
	TargetRing string `json:"target_ring" enum:"LAB,CANARY,PILOT,DEPARTMENT,GLOBAL"`
}

// Deployment is a deployment intent.
type Deployment struct {
	ID            string    `json:"id" format:"uuid"`
	CorrelationID string    `json:"correlation_id"`
	AppName       string    `json:"app_name"`
	Version       string    `json:"version"`
	TargetRing    string    `json:"target_ring"`
	State         string    `json:"state" doc:"What the publisher last reported" enum:"planned,started,completed,failed,rollback_initiated,rolled_back"`
	CreatedBy     Person    `json:"created_by"`
	CreatedAt     time.Time `json:"created_at"`
}

// ApprovalStatus is whether a deployment is approved at this moment.
type ApprovalStatus struct {
	DeploymentID      string      `json:"deployment_intent_id"`
	CorrelationID     string      `json:"correlation_id"`
	LatestRequest     *Request    `json:"latest_request" doc:"Null while the newest evidence has not been submitted"`
	LatestStatus      string      `json:"latest_status"`
	IsApproved        bool        `json:"is_approved"`
	RequiresException bool        `json:"requires_exception"`
	ActiveExceptions  []Exception `json:"active_exceptions" nullable:"false"`
	Reasons           []string    `json:"reasons" nullable:"false" doc:"Why it is not approved; empty when it is"`
}

// DeploymentReport is what a publisher says has happened.
type DeploymentReport struct {
	Type   string `json:"type" enum:"DEPLOYMENT_STARTED,DEPLOYMENT_COMPLETED,DEPLOYMENT_FAILED,ROLLBACK_INITIATED,ROLLBACK_COMPLETED"`
	Detail string `json:"detail,omitzero" maxLength:"2000"`
}

// CreateEvidence files evidence for a deployment.
type CreateEvidence struct {
	DeploymentID string          `json:"deployment_intent_id" format:"uuid"`
	EvidenceData json.RawMessage `json:"evidence_data" doc:"The five sections: artifacts, test_results, scan_results, deployment_plan, rollback_plan. Members beyond those that are read are kept and hashed."`
}

// Evidence is an evidence package.
type Evidence struct {
	ID               string          `json:"id"`
	DeploymentID     string          `json:"deployment_intent_id"`
	CorrelationID    string          `json:"correlation_id"`
	EvidenceData     json.RawMessage `json:"evidence_data,omitzero" doc:"Absent in lists"`
	RiskScore        float64         `json:"risk_score" minimum:"0" maximum:"100"`
	RiskFactors      []Factor        `json:"risk_factors,omitzero" doc:"Absent in lists"`
	RiskModelVersion string          `json:"risk_model_version"`
	IsComplete       bool            `json:"is_complete"`
	Completeness     map[string]bool `json:"completeness_check,omitzero" doc:"Absent in lists"`
	Missing          []string        `json:"missing,omitzero" doc:"Paths that the sections lack"`
	ContentHash      string          `json:"content_hash" doc:"SHA-256 of the document's bytes, lower-case hex"`
	CreatedAt        time.Time       `json:"created_at"`
	CreatedBy        Person          `json:"created_by"`
	Attachments      []Attachment    `json:"attachments,omitzero" doc:"The package's files; absent in lists, and where there are none"`
	Origins          []Origin        `json:"origins,omitzero" doc:"Where values come from; without files everything is declared"`
	Notes            []string        `json:"notes,omitzero" doc:"What a reader should know of the files"`
}

// Attachment is a file of a package, and what it was read as.
type Attachment struct {
	SHA256        string `json:"sha256"`
	Size          int64  `json:"size" doc:"In bytes"`
	MediaType     string `json:"media_type"`
	Role          string `json:"role" enum:"artifact,sbom,scan,tests,coverage,complexity,vex,provenance,packaging"`
	Name          string `json:"name,omitzero" doc:"As it was sent"`
	Format        string `json:"format,omitzero" doc:"Absent for a file that is not looked into"`
	FormatVersion string `json:"format_version,omitzero"`
	Tool          string `json:"tool,omitzero" doc:"That wrote it, as it says"`
}

// Origin says where a value of the sections comes from.
type Origin struct {
	Path     string          `json:"path" example:"scan_results.critical"`
	Origin   string          `json:"origin" enum:"derived,declared"`
	Declared json.RawMessage `json:"declared,omitzero" doc:"What was declared instead; only where it differs"`
	Sources  []OriginSource  `json:"sources,omitzero"`
}

// OriginSource is a file that a value was read from, and what read it.
type OriginSource struct {
	Attachment    string `json:"attachment" doc:"SHA-256"`
	Parser        string `json:"parser" doc:"The format that it was read as"`
	FormatVersion string `json:"format_version,omitzero"`
}

// Difference is a value that was declared otherwise than the files say.
type Difference struct {
	Path     string          `json:"path"`
	Declared json.RawMessage `json:"declared"`
	Derived  json.RawMessage `json:"derived,omitzero" doc:"Absent where the files say nothing that counts"`
}

// Factor is one factor's part in a score.
type Factor struct {
	Name         string  `json:"name"`
	Input        string  `json:"input" doc:"The value as read, empty when there was none"`
	Source       string  `json:"source" doc:"Where the value was read from"`
	Origin       string  `json:"origin" enum:"derived,declared" doc:"Whether files say so, or the caller"`
	State        string  `json:"state" enum:"known,missing,invalid"`
	Bucket       string  `json:"bucket"`
	Points       int     `json:"points"`
	MaxPoints    int     `json:"max_points"`
	Weight       string  `json:"weight"`
	Share        string  `json:"share" doc:"Share of the model's total weight"`
	Value        string  `json:"value" doc:"Points as a share of the highest, 0 to 100"`
	Contribution float64 `json:"contribution" doc:"Contributions sum to the score"`
	Rationale    string  `json:"rationale"`
}

// Breakdown explains a package's score.
type Breakdown struct {
	PackageID        string   `json:"evidence_package_id"`
	RiskScore        float64  `json:"risk_score"`
	RiskModelVersion string   `json:"risk_model_version"`
	RiskModelDigest  string   `json:"risk_model_digest"`
	Formula          string   `json:"formula"`
	Factors          []Factor `json:"factors" nullable:"false"`

	Differences []Difference `json:"differences" nullable:"false" doc:"What was declared otherwise than the files say; the files count"`
}

// Verification is the result of hashing a package's bytes and files again.
type Verification struct {
	PackageID    string `json:"evidence_package_id"`
	IsValid      bool   `json:"is_valid"`
	ContentHash  string `json:"content_hash" doc:"The hash recorded at creation"`
	ComputedHash string `json:"computed_hash" doc:"The hash of the bytes as they are now"`

	Attachments []FileVerification `json:"attachments,omitzero"`
}

// FileVerification is the result of hashing a file again.
type FileVerification struct {
	SHA256  string `json:"sha256"`
	IsValid bool   `json:"is_valid"`
	Problem string `json:"problem,omitzero"`
}

// Submit submits a package for approval.
type Submit struct {
	PackageID string   `json:"evidence_package_id" format:"uuid"`
	Notes     string   `json:"notes,omitzero" maxLength:"1000"`
	RiskScore *float64 `json:"risk_score,omitzero" minimum:"0" maximum:"100" doc:"The score you expect. It is only checked: the score is read from the package."`
	Urgency   string   `json:"urgency,omitzero" enum:"standard,urgent" default:"standard"`
}

// Tier is a score's band.
type Tier struct {
	Tier        string `json:"tier" enum:"LOW,MEDIUM,HIGH"`
	Description string `json:"description"`
}

// Thresholds are the highest scores of the automatic and the reviewed gate.
type Thresholds struct {
	Auto   int `json:"auto"`
	Review int `json:"review"`
}

// Gate is what the gate said of a package, and why.
type Gate struct {
	Decision   string     `json:"decision" enum:"auto_approved,manual_review,exception_required"`
	Thresholds Thresholds `json:"thresholds"`
	Guards     []string   `json:"guards" nullable:"false" doc:"Guards that fired"`
	Rationale  string     `json:"rationale"`
	WaitsFor   string     `json:"waits_for,omitzero" enum:"witnesses" doc:"What an automatic approval waits, or waited, for; CAB may decide meanwhile"`
}

// Request is a package submitted for approval.
type Request struct {
	ID                 string          `json:"id"`
	Name               string          `json:"name" example:"CAB-0A1B2C3D4E5F"`
	CorrelationID      string          `json:"correlation_id"`
	DeploymentID       string          `json:"deployment_intent_id"`
	PackageID          string          `json:"evidence_package_id"`
	ContentHash        string          `json:"content_hash"`
	RiskScore          float64         `json:"risk_score"`
	RiskModelVersion   string          `json:"risk_model_version"`
	PolicyVersion      string          `json:"policy_version"`
	RiskTier           Tier            `json:"risk_tier"`
	Status             string          `json:"status" enum:"auto_approved,submitted,under_review,exception_required,approved,conditional,rejected,withdrawn,revoked"`
	StatusDisplay      string          `json:"status_display"`
	Urgency            string          `json:"urgency"`
	SubmittedBy        Person          `json:"submitted_by"`
	SubmittedAt        time.Time       `json:"submitted_at"`
	DueAt              time.Time       `json:"due_at" doc:"A decision is wanted by then; silence is never consent"`
	Reviewers          []Person        `json:"reviewers,omitzero"`
	ApprovedBy         *Person         `json:"approved_by" doc:"Who decided; system:risk-gate for automatic approvals"`
	ApprovalDecision   string          `json:"approval_decision,omitzero"`
	ApprovalRationale  string          `json:"approval_rationale,omitzero"`
	ApprovalConditions json.RawMessage `json:"approval_conditions,omitzero"`
	ApprovedAt         *time.Time      `json:"approved_at"`
	ValidUntil         *time.Time      `json:"valid_until"`
	EndReason          string          `json:"end_reason,omitzero" doc:"Why it was withdrawn or revoked"`
	Gate               Gate            `json:"gate"`
	Notes              string          `json:"notes,omitzero"`
	Decision           *Decision       `json:"decision,omitzero" doc:"In the answer for one request, once there is one"`
}

// Submitted is the answer to a submission: the request and what the gate said.
type Submitted struct {
	Request
	DecisionStatus string `json:"decision_status" enum:"auto_approved,manual_review,exception_required"`
	Message        string `json:"message"`
}

// Decision is the final, immutable outcome of a request.
type Decision struct {
	Decision         string          `json:"decision" enum:"auto_approved,approved,conditional,rejected"`
	Rationale        string          `json:"rationale"`
	DecidedBy        Me              `json:"decided_by"`
	RiskScore        float64         `json:"risk_score"`
	RiskModelVersion string          `json:"risk_model_version"`
	PolicyVersion    string          `json:"policy_version"`
	ContentHash      string          `json:"content_hash"`
	Conditions       json.RawMessage `json:"conditions,omitzero"`
	DecidedAt        time.Time       `json:"decided_at"`
	ValidUntil       *time.Time      `json:"valid_until"`
}

// Approve is a CAB member's approval. Conditions make it conditional.
type Approve struct {
	Rationale  string          `json:"rationale" minLength:"1" maxLength:"2000"`
	Conditions json.RawMessage `json:"conditions,omitzero" doc:"An object"`
}

// Rationale goes with a rejection or with a decision on an exception.
type Rationale struct {
	Rationale string `json:"rationale" minLength:"1" maxLength:"2000"`
}

// Reason goes with a revocation.
type Reason struct {
	Reason string `json:"reason" minLength:"1" maxLength:"2000"`
}

// Withdrawal takes a request back; the reason may be left out.
type Withdrawal struct {
	Reason string `json:"reason,omitzero" maxLength:"2000"`
}

// RequestException asks for a time-limited acceptance of a high risk.
type RequestException struct {
	DeploymentID  string   `json:"deployment_intent_id" format:"uuid"`
	Reason        string   `json:"reason" minLength:"1" maxLength:"2000"`
	Justification string   `json:"risk_justification" minLength:"1" maxLength:"2000"`
	Controls      []string `json:"compensating_controls" minItems:"1" maxItems:"50" nullable:"false" doc:"Each 1 to 500 characters"`
	ExpiryDays    *int     `json:"expiry_days,omitzero" minimum:"1" maximum:"90" doc:"The policy's default (30) if absent; counts from now"`
}

// Exception is a Security Reviewer's time-limited acceptance of a risk.
type Exception struct {
	ID            string     `json:"id"`
	Name          string     `json:"name" example:"EXC-0A1B2C3D4E5F"`
	CorrelationID string     `json:"correlation_id"`
	DeploymentID  string     `json:"deployment_intent_id"`
	RequestID     string     `json:"cab_request_id"`
	Reason        string     `json:"reason"`
	Justification string     `json:"risk_justification"`
	Controls      []string   `json:"compensating_controls" nullable:"false"`
	RequestedBy   Person     `json:"requested_by"`
	RequestedAt   time.Time  `json:"requested_at"`
	ApprovedBy    *Person    `json:"approved_by" doc:"Who decided"`
	Decision      string     `json:"approval_decision,omitzero" enum:"approved,rejected"`
	Rationale     string     `json:"approval_rationale,omitzero"`
	ApprovedAt    *time.Time `json:"approved_at"`
	ExpiresAt     time.Time  `json:"expires_at"`
	Status        string     `json:"status" enum:"pending,approved,rejected,expired,revoked" doc:"As of now: past expires_at it is expired"`
	StatusDisplay string     `json:"status_display"`
	EndReason     string     `json:"end_reason,omitzero"`
	IsActive      bool       `json:"is_active"`
	IsExpired     bool       `json:"is_expired"`
}

// Cleanup is how many expiries were recorded.
type Cleanup struct {
	Count   int    `json:"count"`
	Message string `json:"message"`
}

// List is one page, newest first. Count is the number of all matches: exact up
// to 10,000, and then 10,000 with CountCapped.
type List[T any] struct {
	Count       int    `json:"count"`
	CountCapped bool   `json:"count_capped,omitzero"`
	Results     []T    `json:"results" nullable:"false"`
	Next        string `json:"next,omitzero" doc:"Send it as cursor for the next page; absent on the last one"`
}

// Notice is something that people or machines are still to be told. What has
// arrived is not listed.
type Notice struct {
	ID        string     `json:"id"`
	Channel   string     `json:"channel"`
	To        string     `json:"to,omitzero" doc:"Address, if the channel has several"`
	Type      string     `json:"type" doc:"Of the event that it tells of, or DIGEST"`
	Name      string     `json:"name,omitzero" doc:"CAB-… or EXC-…"`
	CreatedAt time.Time  `json:"created_at"`
	NextAt    time.Time  `json:"next_at" doc:"When it is tried next, unless it is dead"`
	Attempts  int        `json:"attempts"`
	IsDead    bool       `json:"is_dead" doc:"It was given up, and waits to be resent"`
	DeadAt    *time.Time `json:"dead_at,omitzero"`
	Error     string     `json:"error,omitzero" doc:"Of the last attempt"`
}

// Event is one line of the ledger. Its canonical form (RFC 8785) is the leaf in
// the Merkle tree, so it is passed on as it is.
type Event struct {
	Seq           int64           `json:"seq"`
	ID            string          `json:"id"`
	Time          time.Time       `json:"time"`
	Type          string          `json:"type"`
	CorrelationID string          `json:"correlation_id"`
	DeploymentID  string          `json:"deployment_intent_id"`
	Subject       Subject         `json:"subject"`
	Actor         Actor           `json:"actor"`
	Source        Source          `json:"source"`
	Data          json.RawMessage `json:"data"`
}

// Subject is what an event is about.
type Subject struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// Actor is who did it, with the role held at that moment.
type Actor struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Role string `json:"role"`
}

// Source is where the call came from.
type Source struct {
	Address   string `json:"address,omitzero"`
	UserAgent string `json:"user_agent,omitzero"`
}

// Published is a risk model or a policy as it was published.
type Published struct {
	Version     string          `json:"version"`
	Digest      string          `json:"digest" doc:"SHA-256 of the document's RFC 8785 form"`
	Active      bool            `json:"active,omitzero" doc:"Policies: in force. Models: scores new evidence."`
	PublishedBy Person          `json:"published_by"`
	PublishedAt time.Time       `json:"published_at"`
	Document    json.RawMessage `json:"document"`
}

// Score asks for a score without storing anything.
type Score struct {
	EvidenceData json.RawMessage `json:"evidence_data"`
}

// Scored is a score that was not stored.
type Scored struct {
	RiskScore        float64         `json:"risk_score"`
	RiskModelVersion string          `json:"risk_model_version"`
	RiskModelDigest  string          `json:"risk_model_digest"`
	Formula          string          `json:"formula"`
	Factors          []Factor        `json:"factors" nullable:"false"`
	IsComplete       bool            `json:"is_complete"`
	Completeness     map[string]bool `json:"completeness_check"`
	Missing          []string        `json:"missing,omitzero"`
	Gate             Gate            `json:"gate" doc:"What the policy in force would say"`
}

// Checkpoint is the newest signed checkpoint of the ledger.
type Checkpoint struct {
	Note      string      `json:"note" doc:"C2SP tlog-checkpoint, signed, with the cosignatures that witnesses have given"`
	Key       string      `json:"key" doc:"Verifier key; an auditor keeps their own copy"`
	Witnesses *Witnessing `json:"witnesses,omitzero" doc:"How far witnesses have followed; absent where nobody is asked"`
	Timestamp *Timestamp  `json:"timestamp,omitzero" doc:"The newest time-stamp; absent where there is none"`
}

// Timestamp is what a time-stamping authority said of a checkpoint.
type Timestamp struct {
	Size       int64     `json:"size" doc:"Events that the checkpoint covers"`
	Checkpoint string    `json:"checkpoint" doc:"What was stamped: the checkpoint as the log signed it, without cosignatures"`
	Authority  string    `json:"authority" doc:"Its address"`
	ReceivedAt time.Time `json:"received_at" doc:"By the server's clock; what the authority's says is in the reply"`
	Reply      string    `json:"reply" doc:"RFC 3161 TimeStampResp, DER in base64"`
}

// Witnessing is how far witnesses have followed the ledger.
type Witnessing struct {
	State     string        `json:"state" enum:"witnessed,unwitnessed,not_required" doc:"unwitnessed: an event has been without a quorum for more than a minute"`
	Quorum    string        `json:"quorum" doc:"Who must witness it, in words" example:"2 of a, b, c"`
	Size      int64         `json:"size" doc:"Events that there are"`
	Witnessed int64         `json:"witnessed_size" doc:"Events that a quorum has witnessed"`
	Since     *time.Time    `json:"unwitnessed_since,omitzero" doc:"Time of the first event that no quorum has witnessed"`
	By        []WitnessedBy `json:"by" nullable:"false"`
}

// WitnessedBy is how far one witness has followed.
type WitnessedBy struct {
	Name string `json:"name"`
	Size int64  `json:"size" doc:"Events that its newest cosignature covers"`
}

// Problem is an error answer (RFC 9457). Code is stable.
type Problem struct {
	Type          string         `json:"type" example:"about:blank"`
	Title         string         `json:"title"`
	Status        int            `json:"status"`
	Detail        string         `json:"detail"`
	Code          string         `json:"code"`
	CorrelationID string         `json:"correlation_id"`
	Errors        []ProblemField `json:"errors,omitzero"`
	Missing       []string       `json:"missing,omitzero"`
	Message       string         `json:"error" doc:"Equal to detail, for clients of the earlier system"`
}

// ProblemField is one member at fault.
type ProblemField struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Error makes a Problem an error.
func (p *Problem) Error() string {
	text := p.Code + ": " + p.Detail
	for _, field := range p.Errors {
		text += "\n  " + field.Field + ": " + field.Message
	}
	for _, path := range p.Missing {
		text += "\n  missing: " + path
	}
	return text
}
