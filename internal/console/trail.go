package console

import (
	"strings"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/workflow"
)

// step is an event as people read it.
type step struct {
	Seq    int64
	Time   time.Time
	Who    string
	Role   string // "" for what the product does by itself
	What   string
	Said   string // what they wrote
	Class  string
	ByRule bool
}

// told is what each type of event says, after who did it.
var told = map[cab.EventType]struct{ what, class string }{
	cab.DeploymentCreated:   {"wants to deploy", "none"},
	cab.EvidenceCreated:     {"filed evidence", "none"},
	cab.RiskAssessed:        {"scored the evidence", "none"},
	cab.CABSubmitted:        {"submitted the request", "open"},
	cab.CABReviewStarted:    {"started a review", "open"},
	cab.CABVoteCast:         {"voted", "open"},
	cab.CABApproved:         {"approved the request", "good"},
	cab.CABRejected:         {"rejected the request", "bad"},
	cab.CABWithdrawn:        {"took the request back", "none"},
	cab.ApprovalRevoked:     {"revoked the approval", "bad"},
	cab.ExceptionRequested:  {"asked for an exception", "open"},
	cab.ExceptionApproved:   {"approved the exception", "good"},
	cab.ExceptionRejected:   {"rejected the exception", "bad"},
	cab.ExceptionExpired:    {"noted that the exception expired", "none"},
	cab.ExceptionRevoked:    {"revoked the exception", "bad"},
	cab.DeploymentStarted:   {"started the deployment", "none"},
	cab.DeploymentCompleted: {"completed the deployment", "good"},
	cab.DeploymentFailed:    {"reported that the deployment failed", "bad"},
	cab.RollbackStarted:     {"started to roll back", "bad"},
	cab.RollbackCompleted:   {"rolled back", "bad"},
	cab.EvidenceTampered:    {"found the evidence altered", "bad"},
}

// stepsOf tells a trail.
func stepsOf(t workflow.Trail) []step {
	var all []step
	for _, e := range t.Events {
		says, known := told[e.Type]
		if !known {
			says.what, says.class = strings.ToLower(strings.ReplaceAll(string(e.Type), "_", " ")), "none"
		}
		s := step{
			Seq: e.Seq, Time: e.Time, Who: e.Actor.Name, Role: roleText(e.Actor.Role), What: says.what, Class: says.class,
			Said: said(e.Data), ByRule: e.Actor.Role == cab.System,
		}
		s.What += detail(e)
		all = append(all, s)
	}
	return all
}

// detail is what an event says beyond its type.
func detail(e cab.Event) string {
	d := e.Data
	switch {
	case e.Type == cab.DeploymentCreated && d.Deployment != nil:
		return " " + flat(cut(d.Deployment.AppName, 60)+" "+cut(d.Deployment.AppVersion, 40)) + " to " + string(d.Deployment.TargetRing)
	case e.Type == cab.RiskAssessed && d.Risk != nil:
		return ": " + d.Risk.Score.String() + ", by model " + d.Risk.ModelVersion
	case e.Type == cab.CABSubmitted && d.Request != nil:
		return "; the gate says: " + strings.ReplaceAll(string(d.Request.Gate.Decision), "_", " ")
	case e.Type == cab.CABVoteCast && d.Vote != nil && d.Vote.Approve:
		return " to approve"
	case e.Type == cab.CABVoteCast && d.Vote != nil:
		return " to reject"
	case e.Type == cab.CABApproved && d.Decision != nil && d.Decision.Decision == cab.ConditionallyApp:
		return ", with conditions"
	}
	return ""
}

// said is what whoever acted wrote. What somebody writes with their vote is shown
// with the vote, and not again with the decision that it made.
func said(d cab.EventData) string {
	switch {
	case d.Vote != nil:
		return d.Vote.Rationale
	case d.Decision != nil && d.Decision.Decider.Role == cab.System:
		return ""
	case d.Exception != nil && d.Reason == "" && d.Exception.Rationale != "":
		return d.Exception.Rationale
	case d.Exception != nil && d.Exception.Approver == nil:
		return d.Exception.Reason
	}
	return d.Reason
}
