package cab

import (
	"time"

	"github.com/eucora/eucora/internal/evidence"
	"github.com/go-json-experiment/json"
)

// PermitState is what has become of a permit. That its time is over is a fact about
// time and no state.
type PermitState string

// The states.
const (
	PermitOpen     PermitState = "issued"
	PermitRedeemed PermitState = "redeemed"
	PermitVoid     PermitState = "void"
)

// PermitLife is how long a permit is good for, at most and unless less is asked for.
const PermitLife = 15 * time.Minute

// StartPermit lets a publisher begin one rollout, once, within minutes. It says what
// it rests on, so that whoever has its signed form sees it without the server.
type StartPermit struct {
	ID             string      `json:"id"`
	CorrelationID  string      `json:"correlation_id"`
	DeploymentID   string      `json:"deployment_intent_id"`
	RequestID      string      `json:"cab_request_id"`
	PackageID      string      `json:"evidence_package_id"`
	ContentHash    string      `json:"content_hash"` // of the evidence
	Artifact       string      `json:"artifact_sha256"`
	Ring           Ring        `json:"ring"`
	Devices        int         `json:"devices"`
	NoteRead       bool        `json:"note_read,omitzero"`
	AheadOfCAB     bool        `json:"ahead_of_cab,omitzero"`
	DecisionDigest string      `json:"decision_sha256,omitzero"` // see [Decision.Digest]; "" ahead of CAB
	PolicyVersion  string      `json:"policy_version"`           // in force
	PolicyDigest   string      `json:"policy_sha256"`
	IssuedTo       Person      `json:"issued_to"`
	IssuedAt       time.Time   `json:"issued_at"`
	ExpiresAt      time.Time   `json:"expires_at"`
	State          PermitState `json:"state"`
	EndedAt        time.Time   `json:"ended_at,omitzero"` // redeemed, or found void
	EndReason      string      `json:"end_reason,omitzero"`
	Revision       int64       `json:"revision"`
}

// Rollout is what the permit is for.
func (p StartPermit) Rollout() Rollout { return Rollout{p.Ring, p.Artifact, p.Devices, p.NoteRead} }

// Digest is the SHA-256 of a decision's RFC 8785 form, in lower-case hex: of the
// object that its event has.
func (d Decision) Digest() (string, error) {
	text, err := json.Marshal(d)
	if err == nil {
		text, err = evidence.Canonical(text)
	}
	if err != nil {
		return "", err
	}
	return evidence.Digest(text), nil
}

// ErrClosed is the refusal of a closed gate, with all its reasons.
func ErrClosed(o Opening) *Error {
	code, texts := ScopeChange, []string(nil)
	for _, reason := range o.Reasons {
		texts = append(texts, reason.Message)
		if reason.Code != ScopeChange {
			code = "GATE_CLOSED"
		}
	}
	refused := conflict(code, "the gate is closed: %s", joinReasons(texts))
	refused.Closed = &o
	return refused
}

// IssuePermit makes a permit for a rollout, if the gate is open for it. life is how
// long it is good for; 0 means [PermitLife].
func (g Grounds) IssuePermit(call Call, id string, r Rollout, life time.Duration) (Change, error) {
	if err := Permit(call.Actor, StartDeployment); err != nil {
		return Change{}, err
	}
	if life == 0 {
		life = PermitLife
	}
	if life < time.Minute || life > PermitLife {
		return Change{}, invalid("minutes", "want 1 to %d", PermitLife/time.Minute)
	}
	open := g.Open(r)
	if !open.Open {
		return Change{}, ErrClosed(open)
	}
	p := &StartPermit{
		ID: id, CorrelationID: g.Deployment.CorrelationID, DeploymentID: g.Deployment.ID, RequestID: g.Request.ID,
		PackageID: g.Package.ID, ContentHash: g.Package.ContentHash, Artifact: r.Artifact, Ring: r.Ring, Devices: r.Devices,
		NoteRead: r.NoteRead, AheadOfCAB: open.AheadOfCAB, PolicyVersion: g.Policy.Version, PolicyDigest: g.Policy.Digest,
		IssuedTo: call.Actor.Person(), IssuedAt: call.Now, ExpiresAt: call.Now.Add(life), State: PermitOpen, Revision: 1,
	}
	if until := g.openUntil(); until.Before(p.ExpiresAt) {
		p.ExpiresAt = until
	}
	if !open.AheadOfCAB {
		var err error
		if p.DecisionDigest, err = g.Decision.Digest(); err != nil {
			return Change{}, err
		}
	}
	return Change{Permit: p, Events: []Event{p.event(call, PermitIssued, EventData{})}}, nil
}

// openUntil is when an open gate closes by time alone, as far as that is known: where
// a permit is checked without the server, nobody asks again.
func (g Grounds) openUntil() time.Time {
	until := g.Now.Add(PermitLife)
	sooner := func(end time.Time) {
		if end.Before(until) {
			until = end
		}
	}
	if g.Request.Status.Approved() {
		sooner(g.Request.ValidUntil)
	}
	if on := g.Request.restsOn(g.Exceptions); on != nil {
		sooner(on.ExpiresAt)
	}
	for _, b := range g.Rules.Blackouts {
		if b.From.After(g.Now) {
			sooner(b.From)
		}
	}
	if g.Decision != nil && len(g.Decision.Conditions) > 0 {
		if all, err := members(g.Decision.Conditions); err == nil {
			if end, err := readTime(all["not_after"]); err == nil {
				sooner(end)
			}
		}
	}
	return until
}

// Redeem begins the rollout that the permit is for, once. The gate is asked again. A
// permit that it does not stand behind any more is void: then the change that says so
// comes with the refusal, and both are to be had.
func (p StartPermit) Redeem(call Call, g Grounds, present Rollout) (Change, error) {
	if err := Permit(call.Actor, StartDeployment); err != nil {
		return Change{}, err
	}
	switch {
	case p.State == PermitRedeemed:
		return Change{}, conflict("PERMIT_REDEEMED", "the permit was redeemed at %s; it is good once", p.EndedAt.Format(time.RFC3339))
	case p.State != PermitOpen:
		return Change{}, conflict("PERMIT_VOID", "the permit is void: %s", p.EndReason)
	case !call.Now.Before(p.ExpiresAt):
		return Change{}, conflict("PERMIT_EXPIRED", "the permit was good until %s; ask for another", p.ExpiresAt.Format(time.RFC3339))
	case call.Now.Before(p.IssuedAt):
		return Change{}, conflict("PERMIT_NOT_YET_VALID", "the permit is from %s, which has not come: a clock has been set back", p.IssuedAt.Format(time.RFC3339))
	case present.Artifact != p.Artifact || present.Ring != p.Ring || present.Devices < 1 || present.Devices > p.Devices:
		return Change{}, conflict("PERMIT_MISMATCH", "the permit is for the artifact %s, the ring %s and at most %d devices", p.Artifact, p.Ring, p.Devices)
	}
	open := g.Open(p.Rollout())
	if why := p.outdated(g); why != "" {
		open.Open = false
		open.Reasons = append(open.Reasons, Reason{Code: PermitOutdated, Message: why})
	}
	p.Revision++
	p.EndedAt = call.Now
	if !open.Open {
		refused := ErrClosed(open)
		p.State, p.EndReason = PermitVoid, cut(refused.Message, MaxRationale)
		return Change{Permit: &p, Events: []Event{p.event(call.as(Guard), PermitVoided, EventData{})}}, refused
	}
	p.State = PermitRedeemed
	d := g.Deployment.begin(RingProgress{
		Ring: p.Ring, State: Started, PackageID: p.PackageID, PermitID: p.ID, Devices: present.Devices, StartedAt: call.Now,
	})
	event := call.event(DeploymentStarted, d.CorrelationID, d.ID, Subject{KindDeployment, d.ID}, EventData{Deployment: &d, Permit: &p})
	return Change{Deployment: &d, Permit: &p, Events: []Event{event}}, nil
}

// outdated says what the permit was about and is not so any more; "" if all is.
func (p StartPermit) outdated(g Grounds) string {
	decision := ""
	if g.Decision != nil && !p.AheadOfCAB {
		decision, _ = g.Decision.Digest() // "" is no permit's
	}
	switch {
	case p.DeploymentID != g.Deployment.ID:
		return "the permit is for another deployment"
	case g.Package == nil || p.PackageID != g.Package.ID || p.ContentHash != g.Package.ContentHash:
		return "the permit rests on evidence that is not the newest any more"
	case g.Request == nil || p.RequestID != g.Request.ID || p.DecisionDigest != decision || !p.AheadOfCAB && decision == "":
		return "the permit rests on another decision"
	case p.PolicyVersion != g.Policy.Version || p.PolicyDigest != g.Policy.Digest:
		return "another policy has come into force since"
	}
	return ""
}

func (p *StartPermit) event(call Call, kind EventType, data EventData) Event {
	data.Permit = p
	return call.event(kind, p.CorrelationID, p.DeploymentID, Subject{KindPermit, p.ID}, data)
}

// cut shortens a text to a number of characters.
func cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}
