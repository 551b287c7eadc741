package httpapi

import (
	"encoding/base64"
	"encoding/json"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/workflow"
	"github.com/go-json-experiment/json/jsontext"
)

func (s *Server) me(q *request) (any, error) {
	a := q.call.Actor
	return api.Me{ID: a.ID, Username: a.Name, Role: string(a.Role)}, nil
}

// paging reads limit and cursor.
func (q *request) paging(most int) (limit int, cursor string) {
	cursor = q.one("cursor")
	if cursor == "" && q.query.Has("cursor") {
		q.fault("cursor", "is empty; use the next of an earlier page, or leave it out")
	}
	return q.integer("limit", 1, most, 0), cursor
}

const maxPage = 200

func (s *Server) createDeployment(q *request) (any, error) {
	in, err := decode[api.CreateDeployment](q)
	if err != nil {
		return nil, err
	}
	return change(q, wireDeployment, func(call workflow.Call) (cab.Deployment, error) {
		return s.Service.CreateDeployment(q.Context(), call, in.AppName, in.Version, cab.Ring(in.TargetRing))
	})
}

func (s *Server) listDeployments(q *request) (any, error) {
	var f workflow.DeploymentFilter
	f.Limit, f.Cursor = q.paging(maxPage)
	if err := q.faulty(); err != nil {
		return nil, err
	}
	page, err := s.Service.Deployments(q.Context(), q.call, f)
	return wireList(page, wireDeployment), err
}

func (s *Server) getDeployment(q *request) (any, error) {
	id, err := q.id("")
	if err != nil {
		return nil, err
	}
	d, err := s.Service.Deployment(q.Context(), q.call, id)
	return show(wireDeployment, d, err)
}

func (s *Server) approvalStatus(q *request) (any, error) {
	id, err := q.id("")
	if err != nil {
		return nil, err
	}
	status, err := s.Service.ApprovalStatus(q.Context(), q.call, id)
	if err != nil {
		return nil, err
	}
	return s.wireStatus(status), nil
}

func (s *Server) report(q *request) (any, error) {
	id, err := q.id("")
	if err != nil {
		return nil, err
	}
	in, err := decode[api.DeploymentReport](q)
	if err != nil {
		return nil, err
	}
	return change(q, wireDeployment, func(call workflow.Call) (cab.Deployment, error) {
		return s.Service.ReportDeployment(q.Context(), call, id, cab.EventType(in.Type), in.Detail)
	})
}

func (s *Server) createEvidence(q *request) (any, error) {
	in, err := decode[api.CreateEvidence](q)
	if err != nil {
		return nil, err
	}
	if q.parts != nil { // nothing large is taken in for nothing
		if err := s.Service.MayFile(q.Context(), q.call, lower(in.DeploymentID)); err != nil {
			return nil, err
		}
	}
	uploads, err := q.receive()
	defer func() {
		for _, u := range uploads {
			u.Discard()
		}
	}()
	if err != nil {
		return nil, err
	}
	return change(q, wireEvidence, func(call workflow.Call) (workflow.Evidence, error) {
		return s.Service.CreateEvidence(q.Context(), call, lower(in.DeploymentID), in.EvidenceData, uploads...)
	})
}

func (s *Server) listEvidence(q *request) (any, error) {
	f := workflow.PackageFilter{DeploymentID: q.uuid("deployment_intent_id")}
	f.Limit, f.Cursor = q.paging(maxPage)
	if err := q.faulty(); err != nil {
		return nil, err
	}
	page, err := s.Service.EvidenceList(q.Context(), q.call, f)
	return wireList(page, wirePackage), err
}

func (s *Server) getEvidence(q *request) (any, error) {
	id, err := q.id("")
	if err != nil {
		return nil, err
	}
	e, err := s.Service.Evidence(q.Context(), q.call, id)
	return show(wireEvidence, e, err)
}

func (s *Server) verifyEvidence(q *request) (any, error) {
	id, err := q.id("")
	if err != nil {
		return nil, err
	}
	v, err := s.Service.VerifyEvidence(q.Context(), q.call, id)
	answer := api.Verification{PackageID: v.PackageID, IsValid: v.Valid, ContentHash: v.Expected, ComputedHash: v.Actual}
	for _, f := range v.Files {
		answer.Attachments = append(answer.Attachments, api.FileVerification{SHA256: f.SHA256, IsValid: f.Problem == "", Problem: f.Problem})
	}
	return answer, err
}

func (s *Server) breakdown(q *request) (any, error) {
	id, err := q.id("")
	if err != nil {
		return nil, err
	}
	e, err := s.Service.Evidence(q.Context(), q.call, id)
	a := e.Record.Assessment
	return api.Breakdown{
		PackageID: e.ID, RiskScore: a.Score.Float(), RiskModelVersion: a.ModelVersion, RiskModelDigest: a.ModelDigest,
		Formula: a.Formula, Factors: wireFactors(a.Factors, e.Record.Sections, e.Record.Origins),
		Differences: wireDifferences(e.Record.Sections, e.Record.Origins),
	}, err
}

func (s *Server) document(q *request) (any, error) {
	id, err := q.id("")
	if err != nil {
		return nil, err
	}
	p, err := s.Service.Document(q.Context(), q.call, id)
	return document{p.Document, p.ContentHash}, err
}

func (s *Server) submit(q *request) (any, error) {
	in, err := decode[api.Submit](q)
	if err != nil {
		return nil, err
	}
	if in.Urgency == "" {
		in.Urgency = string(cab.Standard)
	}
	ask := workflow.Submission{
		PackageID: lower(in.PackageID), Notes: in.Notes, Urgency: cab.Urgency(in.Urgency), Claimed: claimed(in.RiskScore),
	}
	return change(q, wireSubmitted, func(call workflow.Call) (workflow.RequestRow, error) {
		return s.Service.Submit(q.Context(), call, ask)
	})
}

// requestFilter reads what the lists of requests have in common.
func (q *request) requestFilter() workflow.RequestFilter {
	f := workflow.RequestFilter{
		Statuses: manyOf(q, "status", cab.Statuses()), RiskMin: q.score("risk_min"), RiskMax: q.score("risk_max"),
		DeploymentID: q.uuid("deployment_intent_id"),
	}
	f.Limit, f.Cursor = q.paging(maxPage)
	return f
}

func (s *Server) listRequests(q *request) (any, error) {
	f := q.requestFilter()
	if err := q.faulty(); err != nil {
		return nil, err
	}
	page, err := s.Service.Requests(q.Context(), q.call, f)
	return wireList(page, wireRequest), err
}

func (s *Server) queue(q *request) (any, error) {
	f := q.requestFilter()
	for _, status := range f.Statuses {
		if !status.Open() {
			q.fault("status", "%s does not wait for anything: want submitted, under_review or exception_required", status)
		}
	}
	if err := q.faulty(); err != nil {
		return nil, err
	}
	if f.Statuses == nil {
		f.Statuses = []cab.Status{cab.Submitted, cab.UnderReview}
	}
	page, err := s.Service.Queue(q.Context(), q.call, f)
	return wireList(page, wireRequest), err
}

func (s *Server) myRequests(q *request) (any, error) {
	f := q.requestFilter()
	if err := q.faulty(); err != nil {
		return nil, err
	}
	page, err := s.Service.MyRequests(q.Context(), q.call, f)
	return wireList(page, wireRequest), err
}

func (s *Server) getRequest(q *request) (any, error) {
	id, err := q.id("CAB-")
	if err != nil {
		return nil, err
	}
	row, err := s.Service.Request(q.Context(), q.call, id)
	return show(wireOneRequest, row, err)
}

// onRequest runs an act on the request of the path.
func (s *Server) onRequest(q *request, act func(call workflow.Call, id string) (workflow.RequestRow, error)) (any, error) {
	id, err := q.id("CAB-")
	if err != nil {
		return nil, err
	}
	return change(q, wireOneRequest, func(call workflow.Call) (workflow.RequestRow, error) { return act(call, id) })
}

func (s *Server) review(q *request) (any, error) {
	if err := q.empty(); err != nil {
		return nil, err
	}
	return s.onRequest(q, func(call workflow.Call, id string) (workflow.RequestRow, error) {
		return s.Service.StartReview(q.Context(), call, id)
	})
}

func (s *Server) approve(q *request) (any, error) {
	in, err := decode[api.Approve](q)
	if err != nil {
		return nil, err
	}
	conditions := jsontext.Value(in.Conditions)
	switch kind := conditions.Kind(); {
	case kind == 'n' || string(conditions) == "{}":
		conditions = nil
	case kind != 0 && kind != '{':
		return nil, invalidField("conditions", "must be an object")
	}
	return s.onRequest(q, func(call workflow.Call, id string) (workflow.RequestRow, error) {
		return s.Service.Approve(q.Context(), call, id, in.Rationale, conditions)
	})
}

func (s *Server) reject(q *request) (any, error) {
	in, err := decode[api.Rationale](q)
	if err != nil {
		return nil, err
	}
	return s.onRequest(q, func(call workflow.Call, id string) (workflow.RequestRow, error) {
		return s.Service.Reject(q.Context(), call, id, in.Rationale)
	})
}

func (s *Server) withdraw(q *request) (any, error) {
	in, err := decode[api.Withdrawal](q)
	if err != nil {
		return nil, err
	}
	return s.onRequest(q, func(call workflow.Call, id string) (workflow.RequestRow, error) {
		return s.Service.Withdraw(q.Context(), call, id, in.Reason)
	})
}

func (s *Server) revoke(q *request) (any, error) {
	in, err := decode[api.Reason](q)
	if err != nil {
		return nil, err
	}
	return s.onRequest(q, func(call workflow.Call, id string) (workflow.RequestRow, error) {
		return s.Service.Revoke(q.Context(), call, id, in.Reason)
	})
}

// empty refuses a body with anything in it, for calls that take none.
func (q *request) empty() error {
	if string(q.body) != "{}" {
		return invalidField("body", "this call takes no body")
	}
	return nil
}

func (s *Server) events(q *request) (any, error) {
	f := q.eventFilter()
	f.OldestFirst = oneOf(q, "order", []string{"newest", "oldest"}) == "oldest"
	f.Limit, f.Cursor = q.paging(1000)
	if err := q.faulty(); err != nil {
		return nil, err
	}
	page, err := s.Service.Events(q.Context(), q.call, f)
	return wireList(page, func(e workflow.EventRow) json.RawMessage { return json.RawMessage(e.Leaf) }), err
}

func (s *Server) checkpoint(q *request) (any, error) {
	note, err := s.Service.Checkpoint(q.Context(), q.call)
	if err != nil {
		return nil, err
	}
	answer := api.Checkpoint{Note: string(note), Key: s.LedgerKey}
	if trust := s.Service.Witnesses(); trust != nil {
		w, err := s.Service.Witnessing(q.Context())
		if err != nil {
			return nil, err
		}
		answer.Witnesses = wireWitnessing(w, trust.Quorum())
	}
	stamped, err := s.Service.LastStamped(q.Context(), q.call)
	if err == nil && stamped.Size > 0 {
		answer.Timestamp = &api.Timestamp{
			Size: stamped.Size, Checkpoint: string(stamped.Note), Authority: stamped.Authority, ReceivedAt: stamped.StampedAt,
			Reply: base64.StdEncoding.EncodeToString(stamped.Timestamp),
		}
	}
	return answer, err
}

func wireWitnessing(w workflow.Witnessing, quorum string) *api.Witnessing {
	answer := &api.Witnessing{State: "unwitnessed", Quorum: quorum, Size: w.Size, Witnessed: w.Witnessed, Since: when(w.Since), By: []api.WitnessedBy{}}
	switch {
	case !w.Required:
		answer.State = "not_required"
	case w.Current:
		answer.State = "witnessed"
	}
	for _, by := range w.By {
		answer.By = append(answer.By, api.WitnessedBy(by))
	}
	return answer
}

func (s *Server) listModels(q *request) (any, error) {
	models, policies, err := s.Service.Models(q.Context(), q.call)
	return wirePublished(models, activeModel(policies)), err
}

func (s *Server) getModel(q *request) (any, error) {
	version, err := q.version()
	if err != nil {
		return nil, err
	}
	published, err := s.Service.Model(q.Context(), q.call, version)
	return wireOnePublished(published, ""), err
}

func (s *Server) listPolicies(q *request) (any, error) {
	policies, err := s.Service.Policies(q.Context(), q.call)
	active := ""
	if len(policies) > 0 {
		active = policies[0].Version
	}
	return wirePublished(policies, active), err
}

func (s *Server) score(q *request) (any, error) {
	version, err := q.version()
	if err != nil {
		return nil, err
	}
	in, err := decode[api.Score](q)
	if err != nil {
		return nil, err
	}
	trial, err := s.Service.Score(q.Context(), q.call, version, in.EvidenceData)
	a, c := trial.Assessment, trial.Completeness
	return api.Scored{
		RiskScore: a.Score.Float(), RiskModelVersion: a.ModelVersion, RiskModelDigest: a.ModelDigest, Formula: a.Formula,
		Factors: wireFactors(a.Factors, evidence.Sections{}, nil), IsComplete: c.Complete, Completeness: c.Sections, Missing: c.Missing, Gate: wireGate(trial.Gate),
	}, err
}
