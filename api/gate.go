package api

import (
	"context"
	"encoding/json"
	"net/url"
	"time"
)

// RingProgress is how far a deployment has come in one ring.
type RingProgress struct {
	Ring      string     `json:"ring" enum:"LAB,CANARY,PILOT,DEPARTMENT,GLOBAL"`
	State     string     `json:"state" enum:"started,completed,failed,rollback_initiated,rolled_back"`
	PackageID string     `json:"evidence_package_id"`
	PermitID  string     `json:"permit_id"`
	Devices   int        `json:"devices" doc:"That it was begun for"`
	Succeeded int        `json:"succeeded" doc:"Devices, as last reported"`
	Failed    int        `json:"failed"`
	Incident  bool       `json:"security_incident"`
	StartedAt time.Time  `json:"started_at"`
	EndedAt   *time.Time `json:"ended_at"`
}

// Check is a named fact that a publisher reported.
type Check struct {
	Name      string    `json:"check"`
	Passed    bool      `json:"passed"`
	PackageID string    `json:"evidence_package_id" doc:"The newest when it was reported; it says nothing of others"`
	By        Person    `json:"by"`
	At        time.Time `json:"at"`
}

// ClosedReason is one reason why the deployment gate is closed.
type ClosedReason struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	Condition string `json:"condition,omitzero" doc:"The condition that it is about"`
}

// Condition is a condition of an approval as it stands at a moment.
type Condition struct {
	Name    string          `json:"name"`
	Value   json.RawMessage `json:"value"`
	State   string          `json:"state" enum:"met,unmet,unknown" doc:"Only met opens"`
	Message string          `json:"message"`
}

// DeploymentGate is what the deployment gate says of a rollout at a moment. Only a
// permit lets it begin.
type DeploymentGate struct {
	DeploymentID  string         `json:"deployment_intent_id"`
	CorrelationID string         `json:"correlation_id"`
	Ring          string         `json:"ring"`
	Artifact      string         `json:"artifact_sha256"`
	Devices       int            `json:"devices"`
	IsOpen        bool           `json:"is_open"`
	AheadOfCAB    bool           `json:"ahead_of_cab" doc:"CAB has not decided yet, and need not have for this ring"`
	EvaluatedAt   time.Time      `json:"evaluated_at"`
	Reasons       []ClosedReason `json:"reasons" nullable:"false" doc:"Why it is closed: all of them; empty when it is open"`
	Conditions    []Condition    `json:"conditions" nullable:"false"`
}

// AskPermit asks for a permit to begin a rollout.
type AskPermit struct {
	Ring     string `json:"ring" enum:"LAB,CANARY,PILOT,DEPARTMENT,GLOBAL"`
	Artifact string `json:"artifact_sha256" pattern:"^[0-9a-fA-F]{64}$" doc:"Of the file that will be installed"`
	Devices  int    `json:"devices" minimum:"1" maximum:"100000000" doc:"Of this ring"`
	NoteRead bool   `json:"note_read,omitzero" doc:"The note of the approval has been read"`
	Minutes  *int   `json:"minutes,omitzero" minimum:"1" maximum:"15" doc:"How long it is good for; 15 if absent"`
}

// RedeemPermit presents what is about to be installed.
type RedeemPermit struct {
	Ring     string `json:"ring" enum:"LAB,CANARY,PILOT,DEPARTMENT,GLOBAL"`
	Artifact string `json:"artifact_sha256" pattern:"^[0-9a-fA-F]{64}$"`
	Devices  int    `json:"devices" minimum:"1" maximum:"100000000" doc:"At most those of the permit"`
}

// Permit lets a publisher begin one rollout, once, within minutes. The predicate of
// its signed form has the members from id to expires_at, with the state issued.
type Permit struct {
	ID             string          `json:"id"`
	CorrelationID  string          `json:"correlation_id"`
	DeploymentID   string          `json:"deployment_intent_id"`
	RequestID      string          `json:"cab_request_id"`
	PackageID      string          `json:"evidence_package_id"`
	ContentHash    string          `json:"content_hash" doc:"Of the evidence"`
	Artifact       string          `json:"artifact_sha256"`
	Ring           string          `json:"ring"`
	Devices        int             `json:"devices"`
	NoteRead       bool            `json:"note_read,omitzero"`
	AheadOfCAB     bool            `json:"ahead_of_cab,omitzero"`
	DecisionDigest string          `json:"decision_sha256,omitzero" doc:"SHA-256 of the decision's RFC 8785 form; absent ahead of CAB"`
	PolicyVersion  string          `json:"policy_version"`
	PolicyDigest   string          `json:"policy_sha256"`
	IssuedTo       Person          `json:"issued_to"`
	IssuedAt       time.Time       `json:"issued_at"`
	ExpiresAt      time.Time       `json:"expires_at"`
	State          string          `json:"state" enum:"issued,redeemed,void"`
	EndedAt        *time.Time      `json:"ended_at,omitzero"`
	EndReason      string          `json:"end_reason,omitzero"`
	Revision       int64           `json:"revision,omitzero"`
	Envelope       json.RawMessage `json:"envelope,omitzero" doc:"The signed form, a DSSE envelope; only in the answer that gives the permit"`
	Summary        json.RawMessage `json:"verification_summary,omitzero" doc:"SLSA Verification Summary Attestation of the artifact, a DSSE envelope; there too"`
}

// RedeemedPermit is a permit that has been redeemed, and the deployment that it began.
type RedeemedPermit struct {
	Permit     Permit     `json:"permit"`
	Deployment Deployment `json:"deployment"`
}

func (g *DeploymentGate) whole() bool {
	return g.DeploymentID != "" && g.Reasons != nil && g.IsOpen == (len(g.Reasons) == 0)
}
func (p *Permit) whole() bool         { return p.ID != "" && p.State != "" }
func (r *RedeemedPermit) whole() bool { return r.Permit.whole() && r.Deployment.whole() }

// DeploymentGate asks whether a rollout may begin. The query takes ring,
// artifact_sha256, devices and note_read.
func (c *Client) DeploymentGate(ctx context.Context, id string, query url.Values) (DeploymentGate, error) {
	return get[DeploymentGate](ctx, c, "/deployments/"+url.PathEscape(id)+"/gate/", query)
}

// AskPermit asks for a permit. A closed gate is a *Problem with the reasons.
func (c *Client) AskPermit(ctx context.Context, id string, in AskPermit) (Permit, error) {
	return post[Permit](ctx, c, "/deployments/"+url.PathEscape(id)+"/permits/", in)
}

// Permit returns a permit, without its signed form.
func (c *Client) Permit(ctx context.Context, id string) (Permit, error) {
	return get[Permit](ctx, c, "/permits/"+url.PathEscape(id)+"/", nil)
}

// RedeemPermit begins the rollout that a permit is for.
func (c *Client) RedeemPermit(ctx context.Context, id string, in RedeemPermit) (RedeemedPermit, error) {
	return post[RedeemedPermit](ctx, c, "/permits/"+url.PathEscape(id)+"/redeem/", in)
}
