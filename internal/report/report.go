// Package report says of a period, from the events alone, what auditors of
// change control ask: what was in the population, who approved what, whether
// duties were separate, which exceptions there were and how they ended. It is
// pure: events are handed in one by one, oldest first and from the first one,
// and the same events give the same report.
//
// A report is as of the end of its period: what happened later is not in it.
package report

import (
	"encoding/json"
	"time"
)

// Report is the evidence for a period. Times are UTC; a period includes its
// beginning and not its end.
type Report struct {
	Since       time.Time `json:"since"`
	Until       time.Time `json:"until"`
	AsOf        time.Time `json:"as_of" doc:"Statuses are as of this moment: the end of the period, or when the report was made if that was earlier"`
	GeneratedAt time.Time `json:"generated_at"`
	Ledger      Ledger    `json:"ledger"`

	Findings []string `json:"findings" nullable:"false" doc:"What an auditor should look at: every check below that did not hold; empty if all did"`

	Population Population      `json:"population"`
	Decisions  []Decision      `json:"decisions" nullable:"false" doc:"By people, in the period"`
	Automatic  []Decision      `json:"automatic" nullable:"false" doc:"By rule, in the period"`
	Endings    []Ending        `json:"endings" nullable:"false" doc:"Rejected, withdrawn and revoked in the period"`
	Duties     []Check         `json:"duties" nullable:"false"`
	Exceptions []Exception     `json:"exceptions" nullable:"false" doc:"Requested, decided, in force or ended in the period"`
	Starts     []Start         `json:"starts" nullable:"false" doc:"Deployments started in the period"`
	Tamperings []Tampering     `json:"tamperings" nullable:"false"`
	Accounts   []AccountChange `json:"accounts" nullable:"false"`
	Access     Access          `json:"access"`
	Rules      []RuleChange    `json:"rules" nullable:"false" doc:"Policies, risk models and attestation keys"`
	Controls   []Control       `json:"controls" nullable:"false"`
	NotShown   []string        `json:"not_shown" nullable:"false" doc:"What this report does not show"`
}

// Ledger is what the report was made from: exactly the events that a signed
// checkpoint covers.
type Ledger struct {
	Origin string `json:"origin"`
	Size   int64  `json:"size" doc:"Number of events, all of which were read"`
	Root   string `json:"root" doc:"Merkle root that the signed checkpoint states and the events read make"`
	Key    string `json:"key" doc:"Verifier key"`
	Note   string `json:"checkpoint" doc:"The signed checkpoint"`
}

// Who is somebody, with the role held at that moment.
type Who struct {
	ID   string `json:"id"`
	Name string `json:"username"`
	Role string `json:"role,omitzero"`
}

// Change is what a request is about.
type Change struct {
	RequestID    string `json:"request_id"`
	Request      string `json:"request" example:"CAB-0A1B2C3D4E5F"`
	DeploymentID string `json:"deployment_intent_id"`
	AppName      string `json:"app_name"`
	Version      string `json:"version"`
	Ring         string `json:"target_ring"`
}

// Population is every request that was submitted or decided in the period, and
// how that can be tested.
type Population struct {
	Requests []Member    `json:"requests" nullable:"false"`
	Statuses []Count     `json:"statuses" nullable:"false" doc:"Of these requests, at the end; they add up to their number"`
	Totals   Totals      `json:"totals"`
	Events   []Count     `json:"events" nullable:"false" doc:"Events of the period by type, to be compared with an export"`
	First    *int64      `json:"first_event,omitzero" doc:"Places in the ledger of the period's first and last event"`
	Last     *int64      `json:"last_event,omitzero"`
	Method   string      `json:"method"`
	Applies  []AppCounts `json:"applications" nullable:"false"`
}

// Count is how many there are of something.
type Count struct {
	Of string `json:"of"`
	N  int    `json:"count"`
}

// AppCounts are one application's requests in the population.
type AppCounts struct {
	AppName  string `json:"app_name"`
	Requests int    `json:"requests"`
	Approved int    `json:"approved"`
	Rejected int    `json:"rejected"`
}

// Totals are counted twice, from the requests' rows and from the events: what
// was open and what came in is what was closed and what is open.
type Totals struct {
	OpenBefore  int  `json:"open_before"`
	Submitted   int  `json:"submitted"`
	Automatic   int  `json:"auto_approved"`
	Approved    int  `json:"approved"`
	Conditional int  `json:"conditional"`
	Rejected    int  `json:"rejected"`
	Withdrawn   int  `json:"withdrawn"`
	OpenAfter   int  `json:"open_after"`
	Revoked     int  `json:"revoked" doc:"Approvals ended; not part of the sum"`
	AddUp       bool `json:"add_up"`
}

// Member is one request of the population.
type Member struct {
	Change
	SubmittedBy Who       `json:"submitted_by"`
	SubmittedAt time.Time `json:"submitted_at"`
	Score       float64   `json:"risk_score"`
	Gate        string    `json:"gate"`
	Status      string    `json:"status"`
	CarriedIn   bool      `json:"carried_in" doc:"Submitted before the period, and decided in it"`
}

// Decision is the outcome of a request.
type Decision struct {
	Change
	Seq         int64           `json:"seq" doc:"Place of the event in the ledger"`
	SubmittedBy Who             `json:"submitted_by"`
	SubmittedAt time.Time       `json:"submitted_at"`
	Score       float64         `json:"risk_score"`
	Model       string          `json:"risk_model_version"`
	Policy      string          `json:"policy_version"`
	ContentHash string          `json:"content_hash"`
	Gate        string          `json:"gate"`
	GateReason  string          `json:"gate_rationale"`
	Decision    string          `json:"decision"`
	Decider     Who             `json:"decider"`
	DecidedAt   time.Time       `json:"decided_at"`
	Late        bool            `json:"late" doc:"After it was due"`
	Rationale   string          `json:"rationale"`
	Conditions  json.RawMessage `json:"conditions,omitzero"`
	ValidUntil  *time.Time      `json:"valid_until,omitzero"`
	Quorum      int             `json:"quorum"`
	Votes       []Vote          `json:"votes" nullable:"false"`
	Exception   string          `json:"exception,omitzero" doc:"The one that it rests on"`
	Status      string          `json:"status" doc:"Of the request, at the end"`
}

// Vote is one member's say.
type Vote struct {
	Voter     Who       `json:"voter"`
	Approve   bool      `json:"approve"`
	Rationale string    `json:"rationale"`
	At        time.Time `json:"at"`
}

// Ending is a request that came to nothing, or an approval that ended early.
type Ending struct {
	Change
	Seq    int64     `json:"seq"`
	How    string    `json:"how" enum:"rejected,withdrawn,revoked"`
	By     Who       `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitzero"`
}

// Check is one rule of the separation of duties, tried on everything in the
// period that it is about.
type Check struct {
	ID         string      `json:"id"`
	Rule       string      `json:"rule"`
	Tested     int         `json:"tested"`
	Violations []Violation `json:"violations" nullable:"false"`
}

// Violation is one thing of which a rule does not hold.
type Violation struct {
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at"`
	Subject string    `json:"subject" example:"CAB-0A1B2C3D4E5F"`
	Person  string    `json:"person"`
	Detail  string    `json:"detail"`
}

// Exception is an exception and its end.
type Exception struct {
	Change
	ID          string     `json:"id"`
	Name        string     `json:"name"`
	RequestedBy Who        `json:"requested_by"`
	RequestedAt time.Time  `json:"requested_at"`
	Reason      string     `json:"reason"`
	Justified   string     `json:"risk_justification"`
	Controls    []string   `json:"compensating_controls" nullable:"false"`
	DecidedBy   *Who       `json:"decided_by,omitzero"`
	DecidedAt   *time.Time `json:"decided_at,omitzero"`
	Rationale   string     `json:"rationale,omitzero"`
	ExpiresAt   time.Time  `json:"expires_at"`
	Days        int        `json:"days" doc:"From request to expiry"`
	Status      string     `json:"status" doc:"As of the report"`
	EndedAt     *time.Time `json:"ended_at,omitzero" doc:"Rejected, revoked or expired"`
	EndedBy     *Who       `json:"ended_by,omitzero"`
	EndReason   string     `json:"end_reason,omitzero"`
	ReliedOn    bool       `json:"relied_on" doc:"The request was approved resting on it"`
	RequestIs   string     `json:"request_status"`
}

// Start is a deployment that was started, and how it stood at that moment.
type Start struct {
	Seq          int64     `json:"seq"`
	At           time.Time `json:"at"`
	By           Who       `json:"by"`
	DeploymentID string    `json:"deployment_intent_id"`
	AppName      string    `json:"app_name"`
	Version      string    `json:"version"`
	Ring         string    `json:"target_ring"`
	Request      string    `json:"request,omitzero"`
	Approved     bool      `json:"approved"`
	AheadOfCAB   bool      `json:"ahead_of_cab,omitzero" doc:"CAB had not decided, and need not have for this ring"`
	Reasons      []string  `json:"reasons,omitzero" doc:"Why it was not approved"`
}

// Tampering is stored evidence that was found to be not what was stored.
type Tampering struct {
	Seq      int64     `json:"seq"`
	At       time.Time `json:"at"`
	Package  string    `json:"evidence_package_id"`
	AppName  string    `json:"app_name"`
	Version  string    `json:"version"`
	Request  string    `json:"request,omitzero"`
	File     bool      `json:"file" doc:"A file of the package; otherwise its document"`
	Expected string    `json:"expected_sha256"`
	Actual   string    `json:"actual_sha256"`
	During   string    `json:"found_during"`
}

// AccountChange is an account made, given another role, or disabled.
type AccountChange struct {
	Seq  int64     `json:"seq"`
	At   time.Time `json:"at"`
	User Who       `json:"user" doc:"With the role afterwards"`
	What string    `json:"what"`
	By   Who       `json:"by"`
}

// Access counts what was done with tokens.
type Access struct {
	Issued  int `json:"tokens_issued"`
	Revoked int `json:"tokens_revoked"`
	Refused int `json:"tokens_refused" doc:"As far as they were recorded"`
}

// RuleChange is a policy, model or key that changed.
type RuleChange struct {
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at"`
	Kind    string    `json:"kind" enum:"policy,risk model,attestation key"`
	Version string    `json:"version"`
	Digest  string    `json:"digest,omitzero"`
	What    string    `json:"what"`
	By      Who       `json:"by"`
}

// Control is one control of a framework, and which parts of the report speak to
// it.
type Control struct {
	Framework string   `json:"framework"`
	ID        string   `json:"id"`
	Asks      string   `json:"asks"`
	Sections  []string `json:"sections" nullable:"false"`
	Shows     string   `json:"shows"`
}
