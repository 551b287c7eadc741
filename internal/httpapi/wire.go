package httpapi

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/workflow"
)

// From the product's nouns to the contract's types. Nothing is decided here.

func lower(id string) string { return strings.ToLower(id) }

func wirePerson(p cab.Person) api.Person { return api.Person{ID: p.ID, Username: p.Username} }

// when is a time that may not have come: null.
func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func wireList[T, W any](page workflow.Page[T], wire func(T) W) api.List[W] {
	list := api.List[W]{Count: page.Count, CountCapped: page.Capped, Next: page.Next, Results: make([]W, 0, len(page.Rows))}
	for _, row := range page.Rows {
		list.Results = append(list.Results, wire(row))
	}
	return list
}

func wireDeployment(d cab.Deployment) api.Deployment {
	return api.Deployment{
		ID: d.ID, CorrelationID: d.CorrelationID, AppName: d.AppName, Version: d.AppVersion, TargetRing: string(d.TargetRing),
		State: string(d.State), CreatedBy: wirePerson(d.CreatedBy), CreatedAt: d.CreatedAt,
		Rings: wireRings(d.Rings), Checks: wireChecks(d.Checks),
	}
}

func (s *Server) wireStatus(status workflow.ApprovalStatus) api.ApprovalStatus {
	answer := api.ApprovalStatus{
		DeploymentID: status.Deployment.ID, CorrelationID: status.Deployment.CorrelationID, IsApproved: status.Approved,
		RequiresException: status.RequiresException, ActiveExceptions: []api.Exception{}, Reasons: status.Reasons,
	}
	if status.Latest != nil {
		latest := wireRequest(*status.Latest)
		answer.LatestRequest, answer.LatestStatus = &latest, latest.Status
	}
	for _, e := range status.Exceptions {
		answer.ActiveExceptions = append(answer.ActiveExceptions, s.wireException(e))
	}
	return answer
}

func wirePackage(p cab.Package) api.Evidence {
	return api.Evidence{
		ID: p.ID, DeploymentID: p.DeploymentID, CorrelationID: p.CorrelationID, RiskScore: p.Score.Float(),
		RiskModelVersion: p.ModelVersion, IsComplete: p.Complete, ContentHash: p.ContentHash,
		CreatedAt: p.CreatedAt, CreatedBy: wirePerson(p.CreatedBy),
	}
}

// wireEvidence shows what the document says, not what the columns say.
func wireEvidence(e workflow.Evidence) api.Evidence {
	answer := wirePackage(e.Package)
	r := e.Record
	data := map[string]json.RawMessage{}
	for name, section := range map[string][]byte{
		"artifacts": r.Sections.Artifacts, "test_results": r.Sections.TestResults, "scan_results": r.Sections.ScanResults,
		"deployment_plan": r.Sections.DeploymentPlan, "rollback_plan": r.Sections.RollbackPlan,
	} {
		if section != nil {
			data[name] = section
		}
	}
	if text, err := encode(data); err == nil { // canonical sections under our own names: it cannot fail
		answer.EvidenceData = text
	}
	answer.RiskScore, answer.RiskModelVersion = r.Assessment.Score.Float(), r.Assessment.ModelVersion
	answer.RiskFactors = wireFactors(r.Assessment.Factors, r.Sections, r.Origins)
	answer.Notes = r.Notes
	for _, a := range r.Attachments {
		answer.Attachments = append(answer.Attachments, api.Attachment{
			SHA256: a.SHA256, Size: a.Size, MediaType: a.MediaType, Role: string(a.Role), Name: a.Name,
			Format: a.Format, FormatVersion: a.Version, Tool: a.Tool,
		})
	}
	for _, o := range r.Origins {
		answer.Origins = append(answer.Origins, wireOrigin(o))
	}
	answer.IsComplete, answer.Completeness, answer.Missing = r.Completeness.Complete, r.Completeness.Sections, r.Completeness.Missing
	return answer
}

func wireOrigin(o evidence.Origin) api.Origin {
	answer := api.Origin{Path: o.Path, Origin: string(o.Origin), Declared: json.RawMessage(o.Declared)}
	for _, s := range o.Sources {
		answer.Sources = append(answer.Sources, api.OriginSource{Attachment: s.Attachment, Parser: s.Parser, FormatVersion: s.Version})
	}
	return answer
}

// wireDifferences lists what was declared otherwise than the files say.
func wireDifferences(sections evidence.Sections, origins []evidence.Origin) []api.Difference {
	answer := []api.Difference{}
	for _, o := range origins {
		if o.Declared != nil {
			answer = append(answer, api.Difference{Path: o.Path, Declared: json.RawMessage(o.Declared), Derived: json.RawMessage(sections.At(o.Path))})
		}
	}
	return answer
}

func wireFactors(factors []evidence.Factor, sections evidence.Sections, origins []evidence.Origin) []api.Factor {
	answer := make([]api.Factor, 0, len(factors))
	facts := evidence.ReadFacts(sections, origins...)
	for _, f := range factors {
		origin := evidence.IsDeclared
		if facts.Get(evidence.FactName(f.Source)).Derived {
			origin = evidence.IsDerived
		}
		answer = append(answer, api.Factor{
			Name: f.Name, Input: f.Input, Source: f.Source, Origin: string(origin), State: f.State, Bucket: f.Bucket, Points: f.Points, MaxPoints: f.MaxPoints,
			Weight: f.Weight, Share: f.Share, Value: f.Value, Contribution: f.Contribution.Float(), Rationale: f.Rationale,
		})
	}
	return answer
}

func wireGate(g cab.Gate) api.Gate {
	return api.Gate{
		Decision: string(g.Decision), Thresholds: api.Thresholds{Auto: g.Thresholds.Auto, Review: g.Thresholds.Review},
		Guards: g.Guards, Rationale: g.Rationale, WaitsFor: g.WaitsFor,
	}
}

func wireRequest(row workflow.RequestRow) api.Request {
	r := row.Request
	tier, description := cab.Tier(r.Score, r.Gate.Thresholds)
	answer := api.Request{
		ID: r.ID, Name: r.Name, CorrelationID: r.CorrelationID, DeploymentID: r.DeploymentID, PackageID: r.PackageID,
		ContentHash: r.ContentHash, RiskScore: r.Score.Float(), RiskModelVersion: r.ModelVersion, PolicyVersion: r.PolicyVersion,
		RiskTier: api.Tier{Tier: tier, Description: description}, Status: string(r.Status), StatusDisplay: r.Status.StatusText(),
		Urgency: string(r.Urgency), SubmittedBy: wirePerson(r.SubmittedBy), SubmittedAt: r.SubmittedAt, DueAt: r.DueAt,
		ValidUntil: when(r.ValidUntil), EndReason: r.EndReason, Gate: wireGate(r.Gate), Notes: r.Notes,
	}
	for _, person := range r.Reviewers {
		answer.Reviewers = append(answer.Reviewers, wirePerson(person))
	}
	if d := row.Decision; d != nil {
		answer.ApprovedBy = &api.Person{ID: d.Decider.ID, Username: d.Decider.Name}
		answer.ApprovalDecision, answer.ApprovalRationale = string(d.Decision), d.Rationale
		answer.ApprovalConditions, answer.ApprovedAt = json.RawMessage(d.Conditions), when(d.DecidedAt)
	}
	return answer
}

// wireOneRequest is the answer for one request: with its decision.
func wireOneRequest(row workflow.RequestRow) api.Request {
	answer := wireRequest(row)
	if d := row.Decision; d != nil {
		answer.Decision = &api.Decision{
			Decision: string(d.Decision), Rationale: d.Rationale,
			DecidedBy: api.Me{ID: d.Decider.ID, Username: d.Decider.Name, Role: string(d.Decider.Role)},
			RiskScore: d.Score.Float(), RiskModelVersion: d.ModelVersion, PolicyVersion: d.PolicyVersion, ContentHash: d.ContentHash,
			Conditions: json.RawMessage(d.Conditions), DecidedAt: d.DecidedAt, ValidUntil: when(d.ValidUntil),
		}
	}
	return answer
}

func wireSubmitted(row workflow.RequestRow) api.Submitted {
	messages := map[cab.GateDecision]string{
		cab.GateAuto:      "Approved automatically: ",
		cab.GateReview:    "The Change Advisory Board decides: ",
		cab.GateException: "A Security Reviewer's exception is needed before the Change Advisory Board decides: ",
	}
	gate := row.Gate
	if gate.WaitsFor != "" {
		return api.Submitted{
			Request: wireOneRequest(row), DecisionStatus: string(cab.GateReview),
			Message: "To be approved automatically, and waits until the ledger is witnessed again; the Change Advisory Board may decide meanwhile: " + gate.Rationale,
		}
	}
	return api.Submitted{
		Request: wireOneRequest(row), DecisionStatus: string(gate.Decision), Message: messages[gate.Decision] + gate.Rationale,
	}
}

func (s *Server) wireException(e cab.Exception) api.Exception {
	now := s.Clock()
	status := e.Effective(now)
	answer := api.Exception{
		ID: e.ID, Name: e.Name, CorrelationID: e.CorrelationID, DeploymentID: e.DeploymentID, RequestID: e.RequestID,
		Reason: e.Reason, Justification: e.Justification, Controls: e.Controls, RequestedBy: wirePerson(e.Requester),
		RequestedAt: e.RequestedAt, Rationale: e.Rationale, ApprovedAt: when(e.DecidedAt), ExpiresAt: e.ExpiresAt,
		Status: string(status), StatusDisplay: strings.ToUpper(string(status[:1])) + string(status[1:]), EndReason: e.EndReason,
		IsActive: e.Active(now), IsExpired: status == cab.ExceptionOver,
	}
	if e.Approver != nil {
		person := wirePerson(*e.Approver)
		answer.ApprovedBy, answer.Decision = &person, e.Decision()
	}
	return answer
}

func wireOnePublished(p cab.Published, active string) api.Published {
	return api.Published{
		Version: p.Version, Digest: p.Digest, Active: p.Version == active, PublishedBy: wirePerson(p.PublishedBy),
		PublishedAt: p.PublishedAt, Document: p.Document,
	}
}

func wirePublished(all []cab.Published, active string) api.List[api.Published] {
	list := api.List[api.Published]{Count: len(all), Results: []api.Published{}}
	for _, p := range all {
		list.Results = append(list.Results, wireOnePublished(p, active))
	}
	return list
}

// activeModel is the version of the model that the policy in force names.
func activeModel(policies []cab.Published) string {
	if len(policies) == 0 {
		return ""
	}
	rules, err := cab.PolicyFromDocument(policies[0].Document)
	if err != nil {
		return ""
	}
	return rules.RiskModel
}

// show makes the answer of a verb that only reads, unless it failed.
func show[T, W any](wire func(T) W, value T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return wire(value), nil
}
