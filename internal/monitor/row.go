package monitor

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/cab"
	"github.com/go-json-experiment/json/jsontext"
)

// row is what is compared of one thing: as the events say it, and as the API shows
// it. Its members are those that the wire has, under the wire's names.
type row struct {
	cab.Subject
	title   string // for people
	members []member

	// Of an exception: expiry is a fact about time, so what is shown depends on when.
	status  string
	expires time.Time
}

type member struct{ name, value string }

// digest is of the members.
func (r row) digest() [sha256.Size]byte {
	sum := sha256.New()
	for _, m := range r.members {
		fmt.Fprintf(sum, "%s %d\n%s\n", m.name, len(m.value), m.value)
	}
	return [sha256.Size]byte(sum.Sum(nil))
}

// differences are the members in which shown is not said, in words.
func differences(shown, said row) []string {
	var found []string
	for i, m := range shown.members {
		if i < len(said.members) && said.members[i] != m {
			found = append(found, fmt.Sprintf("%s is shown as %s, and was written as %s", m.name, short(m.value), short(said.members[i].value)))
		}
	}
	return found
}

func short(value string) string {
	if text := []rune(value); len(text) > 120 {
		value = string(text[:120]) + "…"
	}
	return strconv.Quote(value)
}

// Kinds of rows beyond the ledger's subjects.
const (
	kindDecision cab.SubjectKind = "decision"
	kindInForce  cab.SubjectKind = "policy in force"
)

// The rows of an event, as the wire would show them.
func rowsOf(e cab.Event) []row {
	var rows []row
	d := e.Data
	if d.Deployment != nil {
		rows = append(rows, saidDeployment(d.Deployment))
	}
	if d.Package != nil {
		rows = append(rows, saidPackage(d.Package))
	}
	if d.Request != nil {
		rows = append(rows, saidRequest(d.Request))
	}
	if d.Decision != nil {
		rows = append(rows, saidDecision(d.Decision))
	}
	if d.Exception != nil {
		rows = append(rows, saidException(d.Exception))
	}
	if d.Model != nil {
		rows = append(rows, saidPublished(cab.KindModel, d.Model))
	}
	if d.Policy != nil {
		rows = append(rows, saidPublished(cab.KindPolicy, d.Policy), inForce(d.Policy.Version))
	}
	return rows
}

func saidDeployment(d *cab.Deployment) row {
	return shownDeployment(api.Deployment{
		ID: d.ID, CorrelationID: d.CorrelationID, AppName: d.AppName, Version: d.AppVersion, TargetRing: string(d.TargetRing),
		State: string(d.State), CreatedBy: person(d.CreatedBy), CreatedAt: d.CreatedAt,
	})
}

func shownDeployment(d api.Deployment) row {
	return row{Subject: cab.Subject{Kind: cab.KindDeployment, ID: d.ID}, title: "deployment " + d.ID, members: []member{
		{"correlation_id", d.CorrelationID}, {"app_name", d.AppName}, {"version", d.Version}, {"target_ring", d.TargetRing},
		{"state", d.State}, {"created_by", who(&d.CreatedBy)}, {"created_at", at(d.CreatedAt)},
	}}
}

func saidPackage(p *cab.Package) row {
	return shownPackage(api.Evidence{
		ID: p.ID, DeploymentID: p.DeploymentID, CorrelationID: p.CorrelationID, RiskScore: p.Score.Float(), RiskModelVersion: p.ModelVersion,
		IsComplete: p.Complete, ContentHash: p.ContentHash, CreatedAt: p.CreatedAt, CreatedBy: person(p.CreatedBy),
	})
}

func shownPackage(e api.Evidence) row {
	return row{Subject: cab.Subject{Kind: cab.KindPackage, ID: e.ID}, title: "evidence " + e.ID, members: []member{
		{"deployment_intent_id", e.DeploymentID}, {"correlation_id", e.CorrelationID}, {"risk_score", number(e.RiskScore)},
		{"risk_model_version", e.RiskModelVersion}, {"is_complete", fmt.Sprint(e.IsComplete)}, {"content_hash", e.ContentHash},
		{"created_at", at(e.CreatedAt)}, {"created_by", who(&e.CreatedBy)},
	}}
}

func saidRequest(r *cab.Request) row {
	shown := api.Request{
		ID: r.ID, Name: r.Name, CorrelationID: r.CorrelationID, DeploymentID: r.DeploymentID, PackageID: r.PackageID,
		ContentHash: r.ContentHash, RiskScore: r.Score.Float(), RiskModelVersion: r.ModelVersion, PolicyVersion: r.PolicyVersion,
		Status: string(r.Status), Urgency: string(r.Urgency), SubmittedBy: person(r.SubmittedBy), SubmittedAt: r.SubmittedAt, DueAt: r.DueAt,
		ValidUntil: &r.ValidUntil, EndReason: r.EndReason, Notes: r.Notes,
		Gate: api.Gate{
			Decision: string(r.Gate.Decision), Thresholds: api.Thresholds(r.Gate.Thresholds), Guards: r.Gate.Guards, Rationale: r.Gate.Rationale, WaitsFor: r.Gate.WaitsFor,
		},
	}
	shown.RiskTier.Tier, _ = cab.Tier(r.Score, r.Gate.Thresholds)
	for _, reviewer := range r.Reviewers {
		shown.Reviewers = append(shown.Reviewers, person(reviewer))
	}
	return shownRequest(shown)
}

func shownRequest(r api.Request) row {
	var reviewers []string
	for _, reviewer := range r.Reviewers {
		reviewers = append(reviewers, who(&reviewer))
	}
	return row{Subject: cab.Subject{Kind: cab.KindRequest, ID: r.ID}, title: "request " + r.Name, members: []member{
		{"status", r.Status}, {"name", r.Name}, {"correlation_id", r.CorrelationID}, {"deployment_intent_id", r.DeploymentID},
		{"evidence_package_id", r.PackageID}, {"content_hash", r.ContentHash}, {"risk_score", number(r.RiskScore)},
		{"risk_model_version", r.RiskModelVersion}, {"policy_version", r.PolicyVersion}, {"urgency", r.Urgency},
		{"submitted_by", who(&r.SubmittedBy)}, {"submitted_at", at(r.SubmittedAt)}, {"due_at", at(r.DueAt)}, {"valid_until", when(r.ValidUntil)},
		{"end_reason", r.EndReason}, {"notes", r.Notes}, {"reviewers", strings.Join(reviewers, ", ")},
		{"risk_tier", r.RiskTier.Tier}, {"gate.decision", r.Gate.Decision}, {"gate.thresholds", fmt.Sprintf("auto %d, review %d", r.Gate.Thresholds.Auto, r.Gate.Thresholds.Review)},
		{"gate.guards", strings.Join(r.Gate.Guards, "\n")}, {"gate.rationale", r.Gate.Rationale}, {"gate.waits_for", r.Gate.WaitsFor},
	}}
}

func saidDecision(d *cab.Decision) row {
	return shownDecision(api.Request{
		ID: d.RequestID, Name: cab.RequestName(d.RequestID), ApprovedBy: &api.Person{ID: d.Decider.ID, Username: d.Decider.Name},
		ApprovalDecision: string(d.Decision), ApprovalRationale: d.Rationale, ApprovalConditions: json.RawMessage(d.Conditions), ApprovedAt: &d.DecidedAt,
	})
}

// shownDecision is the decision that a request shows.
func shownDecision(r api.Request) row {
	return row{Subject: cab.Subject{Kind: kindDecision, ID: r.ID}, title: "the decision on request " + r.Name, members: []member{
		{"approval_decision", r.ApprovalDecision}, {"approved_by", who(r.ApprovedBy)}, {"approved_at", when(r.ApprovedAt)},
		{"approval_rationale", r.ApprovalRationale}, {"approval_conditions", canonical(r.ApprovalConditions)},
	}}
}

func saidException(e *cab.Exception) row {
	shown := api.Exception{
		ID: e.ID, Name: e.Name, CorrelationID: e.CorrelationID, DeploymentID: e.DeploymentID, RequestID: e.RequestID, Reason: e.Reason,
		Justification: e.Justification, Controls: e.Controls, RequestedBy: person(e.Requester), RequestedAt: e.RequestedAt,
		Rationale: e.Rationale, ApprovedAt: &e.DecidedAt, ExpiresAt: e.ExpiresAt, Status: string(e.Status), EndReason: e.EndReason,
	}
	if e.Approver != nil {
		approver := person(*e.Approver)
		shown.ApprovedBy, shown.Decision = &approver, e.Decision()
	}
	return shownException(shown)
}

func shownException(e api.Exception) row {
	return row{
		Subject: cab.Subject{Kind: cab.KindException, ID: e.ID}, title: "exception " + e.Name, status: e.Status, expires: e.ExpiresAt,
		members: []member{
			{"name", e.Name}, {"correlation_id", e.CorrelationID}, {"deployment_intent_id", e.DeploymentID}, {"cab_request_id", e.RequestID},
			{"reason", e.Reason}, {"risk_justification", e.Justification}, {"compensating_controls", strings.Join(e.Controls, "\n")},
			{"requested_by", who(&e.RequestedBy)}, {"requested_at", at(e.RequestedAt)}, {"approved_by", who(e.ApprovedBy)},
			{"approval_decision", e.Decision}, {"approval_rationale", e.Rationale}, {"approved_at", when(e.ApprovedAt)},
			{"expires_at", at(e.ExpiresAt)}, {"end_reason", e.EndReason},
		},
	}
}

func saidPublished(kind cab.SubjectKind, p *cab.Published) row {
	return shownPublished(kind, api.Published{Version: p.Version, Digest: p.Digest, PublishedBy: person(p.PublishedBy), PublishedAt: p.PublishedAt})
}

func shownPublished(kind cab.SubjectKind, p api.Published) row {
	return row{Subject: cab.Subject{Kind: kind, ID: p.Version}, title: string(kind) + " " + p.Version, members: []member{
		{"digest", p.Digest}, {"published_by", who(&p.PublishedBy)}, {"published_at", at(p.PublishedAt)},
	}}
}

func inForce(version string) row {
	return row{Subject: cab.Subject{Kind: kindInForce}, title: "the policy in force", members: []member{{"version", version}}}
}

func person(p cab.Person) api.Person { return api.Person{ID: p.ID, Username: p.Username} }

func who(p *api.Person) string {
	if p == nil {
		return ""
	}
	return p.Username + " (" + p.ID + ")"
}

func at(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func when(t *time.Time) string {
	if t == nil {
		return ""
	}
	return at(*t)
}

func number(score float64) string { return strconv.FormatFloat(score, 'f', -1, 64) }

func canonical(text []byte) string {
	value := jsontext.Value(text).Clone()
	if len(value) > 0 && value.Canonicalize() != nil {
		return string(text)
	}
	return string(value)
}
