package cab

import (
	"fmt"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/evidence"
)

// Submission is everything that submitting depends on.
type Submission struct {
	ID         string // of the new request
	Deployment Deployment
	Package    Package
	Score      evidence.Score // from the document, not from the row
	Model      string         // version, from the document
	Complete   evidence.Completeness
	Facts      evidence.Facts
	LatestID   string   // the newest package of the intent
	Existing   *Request // the package's request, if it has one
	Policy     Policy
	Witnessed  bool // read only if the policy wants it, see [Witnessed]
	Notes      string
	Urgency    Urgency
	Claimed    *evidence.Score // the score that the caller expects, to be checked only
}

// Submit turns a package into a request and lets the gate speak. The caller has
// verified the package's bytes against its hash.
func Submit(call Call, s Submission) (Change, error) {
	if err := s.check(call); err != nil {
		return Change{}, err
	}
	r := &Request{
		ID: s.ID, Name: RequestName(s.ID), CorrelationID: s.Deployment.CorrelationID,
		DeploymentID: s.Deployment.ID, PackageID: s.Package.ID, PackageOwner: s.Package.CreatedBy.ID,
		IntentOwner: s.Deployment.CreatedBy.ID, ContentHash: s.Package.ContentHash,
		Score: s.Score, ModelVersion: s.Model, PolicyVersion: s.Policy.Version,
		Gate: s.Policy.Evaluate(s.Score, s.Facts), Quorum: s.Policy.Quorum, ApprovalDays: s.Policy.Approval,
		Urgency: s.Urgency, Notes: s.Notes, SubmittedBy: call.Actor.Person(), SubmittedAt: call.Now,
		DueAt: call.Now.Add(s.Policy.within(s.Urgency)), Revision: 1,
	}
	switch {
	case r.Gate.Decision == GateAuto && s.Policy.RequireWitnessed && !s.Witnessed:
		r.Status, r.Gate.WaitsFor = Submitted, ForWitnesses
	case r.Gate.Decision == GateAuto:
		return r.approveByRule(call), nil
	case r.Gate.Decision == GateReview:
		r.Status = Submitted
	default:
		r.Status = NeedsException
	}
	return Change{Request: r, Events: []Event{r.event(call, CABSubmitted, EventData{Request: r})}}, nil
}

// approveByRule writes the automatic decision. The submission is the
// submitter's act; the decision is the gate's.
func (r *Request) approveByRule(call Call) Change {
	r.Status = AutoApproved
	r.ValidUntil = call.Now.Add(days(r.ApprovalDays))
	gate := call.as(RiskGate)
	decision := r.decide(gate, AutoApproved, r.Gate.Rationale, nil)
	return Change{Request: r, Decision: decision, Events: []Event{
		r.event(call, CABSubmitted, EventData{Request: r}),
		r.event(gate, CABApproved, EventData{Decision: decision}),
	}}
}

// Waiting is everything that the approval of what waited for witnesses depends on,
// besides the request: what a submission looks at, as it is now.
type Waiting struct {
	LatestID  string  // the newest package of the intent
	Policy    Policy  // in force
	Submitter *Caller // the account that submitted; nil if it is gone
	Score     evidence.Score
	Complete  evidence.Completeness
	Facts     evidence.Facts
	Witnessed bool
}

// Release approves by rule what waited for witnesses, now that they are back; what
// CAB has taken up meanwhile is CAB's, and so is what the gate would not let through
// today. The caller has verified the package's bytes and files.
func (r Request) Release(call Call, in Waiting) (Change, error) {
	switch {
	case r.Status != Submitted || r.Gate.WaitsFor != ForWitnesses:
		return Change{}, conflict("INVALID_TRANSITION", "%s is %s and waits for no witnesses", r.Name, r.Status)
	case in.LatestID != r.PackageID:
		return Change{}, conflict("EVIDENCE_SUPERSEDED", "the deployment has newer evidence (package %s)", in.LatestID)
	case in.Policy.Version != r.PolicyVersion:
		return Change{}, conflict("POLICY_SUPERSEDED", "%s was gated by policy %s, and %s is in force now; CAB decides", r.Name, r.PolicyVersion, in.Policy.Version)
	case in.Policy.RequireWitnessed && !in.Witnessed:
		return Change{}, conflict("UNWITNESSED", "the ledger is not witnessed yet; %s waits", r.Name)
	case !in.Complete.Complete || !in.Policy.SameGate(r.Gate, in.Score, in.Facts) || r.Gate.Decision != GateAuto || r.Score != in.Score:
		return Change{}, conflict("GATE_DIFFERS", "the gate says otherwise of the package than %s has it; CAB decides", r.Name)
	}
	submitter := Actor{ID: r.SubmittedBy.ID, Name: r.SubmittedBy.Username, Role: PackagingEngineer}
	if err := in.Submitter.StillIs(submitter, false, call.Now); err != nil {
		return Change{}, err
	}
	gate := call.as(RiskGate)
	r.ValidUntil = call.Now.Add(days(r.ApprovalDays))
	decision := r.decide(gate, AutoApproved, r.Gate.Rationale, nil)
	change := r.change(gate, AutoApproved, CABApproved, EventData{Decision: decision})
	change.Decision = decision
	return change, nil
}

func (s Submission) check(call Call) error {
	own := Holding{Owners: []string{s.Deployment.CreatedBy.ID, s.Package.CreatedBy.ID}}
	if err := PermitOn(call.Actor, SubmitRequest, own); err != nil {
		return err
	}
	if err := checkText("notes", s.Notes, 0, MaxNotes); err != nil {
		return err
	}
	if s.Urgency != Standard && s.Urgency != Urgent {
		return invalid("urgency", "%q: want standard or urgent", s.Urgency)
	}
	if !s.Complete.Complete {
		return &Error{
			Kind: Invalid, Code: "EVIDENCE_INCOMPLETE", Missing: s.Complete.Missing,
			Message: "the evidence is incomplete: " + some(s.Complete.Missing) + "; make a new package with all of it",
		}
	}
	if s.Model != s.Policy.RiskModel {
		return conflict("MODEL_SUPERSEDED", "this package was scored by risk model %s, and policy %s judges scores of model %s; file the evidence again", s.Model, s.Policy.Version, s.Policy.RiskModel)
	}
	if s.Claimed != nil && *s.Claimed != s.Score {
		return conflict("RISK_SCORE_MISMATCH", "the package's score is %s, not the one that was sent; the score is read from the package and risk_score is only checked", s.Score)
	}
	if s.Existing != nil {
		return conflict("ALREADY_SUBMITTED", "this package has been submitted as %s, which is %s; changed evidence is a new package", s.Existing.Name, s.Existing.Status)
	}
	if s.LatestID != s.Package.ID {
		return conflict("EVIDENCE_SUPERSEDED", "package %s is newer; the latest package of a deployment is the one that counts", s.LatestID)
	}
	return nil
}

// some names the first few.
func some(names []string) string {
	const most = 10
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

func (p Policy) within(urgency Urgency) time.Duration {
	if urgency == Urgent {
		return time.Duration(p.DecideIn.Urgent) * time.Hour
	}
	return time.Duration(p.DecideIn.Standard) * time.Hour
}
