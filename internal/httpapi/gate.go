package httpapi

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/workflow"
)

// rolloutParams are what the gate is asked about. What is left out closes it.
var rolloutParams = []param{
	{"ring", "LAB, CANARY, PILOT, DEPARTMENT or GLOBAL", false},
	{"artifact_sha256", "of the file that would be installed", false},
	{"devices", "of this ring, 1 or more", false},
	{"note_read", "true: the note of the approval has been read", false},
}

// rollout reads what the gate is asked about.
func (q *request) rollout() cab.Rollout {
	r := cab.Rollout{
		Ring: cab.Ring(q.one("ring")), Artifact: lower(q.one("artifact_sha256")),
		Devices: q.integer("devices", 1, cab.MaxDevices, 0),
	}
	if read := q.boolean("note_read"); read != nil {
		r.NoteRead = *read
	}
	if q.query.Has("ring") && !slices.Contains(cab.Rings(), r.Ring) {
		q.fault("ring", "%q is not one of LAB, CANARY, PILOT, DEPARTMENT, GLOBAL", r.Ring)
	}
	if q.query.Has("artifact_sha256") && !digestForm.MatchString(r.Artifact) {
		q.fault("artifact_sha256", "want 64 hexadecimal digits")
	}
	return r
}

func (s *Server) deploymentGate(q *request) (any, error) {
	id, err := q.id("")
	if err != nil {
		return nil, err
	}
	rollout := q.rollout()
	if err := q.faulty(); err != nil {
		return nil, err
	}
	answer, err := s.Service.DeploymentGate(q.Context(), q.call, id, rollout)
	return show(wireDeploymentGate, answer, err)
}

func wireDeploymentGate(a workflow.GateAnswer) api.DeploymentGate {
	return api.DeploymentGate{
		DeploymentID: a.Deployment.ID, CorrelationID: a.Deployment.CorrelationID, Ring: string(a.Rollout.Ring), Artifact: a.Rollout.Artifact,
		Devices: a.Rollout.Devices, IsOpen: a.Open, AheadOfCAB: a.AheadOfCAB, EvaluatedAt: a.At,
		Reasons: wireReasons(a.Opening), Conditions: wireConditions(a.Opening),
	}
}

func wireReasons(o cab.Opening) []api.ClosedReason {
	reasons := []api.ClosedReason{}
	for _, r := range o.Reasons {
		reasons = append(reasons, api.ClosedReason{Code: r.Code, Message: r.Message, Condition: r.Condition})
	}
	return reasons
}

func wireConditions(o cab.Opening) []api.Condition {
	conditions := []api.Condition{}
	for _, c := range o.Conditions {
		conditions = append(conditions, api.Condition{Name: c.Name, Value: json.RawMessage(c.Value), State: string(c.State), Message: c.Says})
	}
	return conditions
}

func (s *Server) askPermit(q *request) (any, error) {
	id, err := q.id("")
	if err != nil {
		return nil, err
	}
	in, err := decode[api.AskPermit](q)
	if err != nil {
		return nil, err
	}
	var life time.Duration
	if in.Minutes != nil {
		life = time.Duration(*in.Minutes) * time.Minute
	}
	rollout := cab.Rollout{Ring: cab.Ring(in.Ring), Artifact: lower(in.Artifact), Devices: in.Devices, NoteRead: in.NoteRead}
	return change(q, wireIssued, func(call workflow.Call) (workflow.Issued, error) {
		return s.Service.IssuePermit(q.Context(), call, id, rollout, life, s.Keys)
	})
}

func (s *Server) getPermit(q *request) (any, error) {
	id, err := q.id("")
	if err != nil {
		return nil, err
	}
	p, err := s.Service.StartPermit(q.Context(), q.call, id)
	return show(wirePermit, p, err)
}

func (s *Server) redeemPermit(q *request) (any, error) {
	id, err := q.id("")
	if err != nil {
		return nil, err
	}
	in, err := decode[api.RedeemPermit](q)
	if err != nil {
		return nil, err
	}
	present := cab.Rollout{Ring: cab.Ring(in.Ring), Artifact: lower(in.Artifact), Devices: in.Devices}
	wire := func(r workflow.Redeemed) api.RedeemedPermit {
		return api.RedeemedPermit{Permit: wirePermit(r.Permit), Deployment: wireDeployment(r.Deployment)}
	}
	return change(q, wire, func(call workflow.Call) (workflow.Redeemed, error) {
		return s.Service.RedeemPermit(q.Context(), call, id, present)
	})
}

func wirePermit(p cab.StartPermit) api.Permit {
	return api.Permit{
		ID: p.ID, CorrelationID: p.CorrelationID, DeploymentID: p.DeploymentID, RequestID: p.RequestID, PackageID: p.PackageID,
		ContentHash: p.ContentHash, Artifact: p.Artifact, Ring: string(p.Ring), Devices: p.Devices, NoteRead: p.NoteRead, AheadOfCAB: p.AheadOfCAB,
		DecisionDigest: p.DecisionDigest, PolicyVersion: p.PolicyVersion, PolicyDigest: p.PolicyDigest, IssuedTo: wirePerson(p.IssuedTo),
		IssuedAt: p.IssuedAt, ExpiresAt: p.ExpiresAt, State: string(p.State), EndedAt: when(p.EndedAt), EndReason: p.EndReason,
	}
}

func wireIssued(i workflow.Issued) api.Permit {
	answer := wirePermit(i.StartPermit)
	answer.Envelope, answer.Summary = i.Envelope, i.Summary
	return answer
}

func wireRings(all []cab.RingProgress) []api.RingProgress {
	var rings []api.RingProgress
	for _, p := range all {
		rings = append(rings, api.RingProgress{
			Ring: string(p.Ring), State: string(p.State), PackageID: p.PackageID, PermitID: p.PermitID, Devices: p.Devices,
			Succeeded: p.Succeeded, Failed: p.Failed, Incident: p.Incident, StartedAt: p.StartedAt, EndedAt: when(p.EndedAt),
		})
	}
	return rings
}

func wireChecks(all []cab.CheckReport) []api.Check {
	var checks []api.Check
	for _, c := range all {
		checks = append(checks, api.Check{Name: c.Name, Passed: c.Passed, PackageID: c.PackageID, By: wirePerson(c.By), At: c.At})
	}
	return checks
}
