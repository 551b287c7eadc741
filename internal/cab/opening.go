package cab

import (
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Reason is one reason why the deployment gate is closed.
type Reason struct {
	Code      string // stable, one of [ReasonCodes]
	Message   string
	Condition string // the condition that it is about; "" for other reasons
}

// The codes of reasons.
const (
	RingUnknown      = "RING_UNKNOWN"
	DevicesUnknown   = "DEVICES_UNKNOWN"
	ArtifactUnknown  = "ARTIFACT_UNKNOWN"
	ArtifactDiffers  = "ARTIFACT_DIFFERS"
	NoEvidence       = "NO_EVIDENCE"
	EvidenceNotWhole = "EVIDENCE_TAMPERED"
	NotSubmitted     = "NOT_SUBMITTED"
	AwaitsException  = "EXCEPTION_REQUIRED"
	AwaitsDecision   = "AWAITING_DECISION"
	NotApproved      = "NOT_APPROVED"
	ApprovalRevokedR = "APPROVAL_REVOKED"
	ApprovalOver     = "APPROVAL_EXPIRED"
	ExceptionEnded   = "EXCEPTION_NOT_ACTIVE"
	DecisionDiffers  = "DECISION_CONTRADICTS"
	ConditionNotMet  = "CONDITION_UNMET"
	ConditionNotRead = "CONDITION_UNKNOWN"
	ScopeChange      = "SCOPE_CHANGE_REQUIRED"
	RingNotReady     = "RING_OUT_OF_ORDER"
	RingNotPromoted  = "PROMOTION_CRITERIA"
	RingIncident     = "SECURITY_INCIDENT"
	RingBusy         = "RING_IN_PROGRESS"
	RingDone         = "RING_COMPLETED"
	InBlackout       = "BLACKOUT"
	NotWitnessed     = "LEDGER_UNWITNESSED"
	PermitOutdated   = "PERMIT_SUPERSEDED"
)

// ReasonCodes lists every reason for which the gate closes.
func ReasonCodes() []string {
	return []string{
		RingUnknown, DevicesUnknown, ArtifactUnknown, ArtifactDiffers, NoEvidence, EvidenceNotWhole, NotSubmitted,
		AwaitsException, AwaitsDecision, NotApproved, ApprovalRevokedR, ApprovalOver, ExceptionEnded, DecisionDiffers,
		ConditionNotMet, ConditionNotRead, ScopeChange, RingNotReady, RingNotPromoted, RingIncident, RingBusy, RingDone,
		InBlackout, NotWitnessed, PermitOutdated,
	}
}

// Opening is the deployment gate's answer.
type Opening struct {
	Open       bool
	Reasons    []Reason    // all of them; empty if it is open
	Conditions []Condition // of the approval, each with its state
	AheadOfCAB bool        // it is open, or would be, although CAB has not decided yet
}

// Open asks the deployment gate whether a rollout may begin now. Whatever asks (the
// API, the command line, a permit, its redemption) asks here. Unknown or
// unanswerable means closed.
func (g Grounds) Open(r Rollout) Opening {
	o := &opening{grounds: g, rollout: r}
	o.asked()
	o.evidence()
	o.approval()
	o.scope()
	o.order()
	o.calendar()
	o.Opening.Open = len(o.Reasons) == 0
	return o.Opening
}

type opening struct {
	Opening
	grounds Grounds
	rollout Rollout
}

func (o *opening) close(code, format string, args ...any) {
	o.Reasons = append(o.Reasons, Reason{Code: code, Message: fmt.Sprintf(format, args...)})
}

func (o *opening) asked() {
	if !slices.Contains(Rings(), o.rollout.Ring) {
		o.close(RingUnknown, "say for which ring: LAB, CANARY, PILOT, DEPARTMENT or GLOBAL")
	}
	if o.rollout.Devices < 1 || o.rollout.Devices > MaxDevices {
		o.close(DevicesUnknown, "say for how many devices, 1 to %d", MaxDevices)
	}
	if !digestForm.MatchString(o.rollout.Artifact) {
		o.close(ArtifactUnknown, "say which artifact, by its SHA-256 (64 digits of lower-case hex)")
	}
}

// evidence: the newest package, whole, and the artifact is one of its.
func (o *opening) evidence() {
	g := o.grounds
	if g.Package == nil {
		return // approval says so
	}
	if !g.Whole {
		o.close(EvidenceNotWhole, "evidence %s has not been found to be what was filed", g.Package.ID)
	}
	switch {
	case len(g.Artifacts) == 0:
		o.close(ArtifactUnknown, "evidence %s does not say the SHA-256 of its artifact", g.Package.ID)
	case digestForm.MatchString(o.rollout.Artifact) && !slices.Contains(g.Artifacts, o.rollout.Artifact):
		o.close(ArtifactDiffers, "the artifact %s is none of those that were approved", o.rollout.Artifact)
	}
}

// approval: the one that the ring wants, as it stands now, with its conditions.
func (o *opening) approval() {
	g := o.grounds
	about := g.Request != nil && g.Package != nil && g.Request.PackageID == g.Package.ID && g.Request.ContentHash == g.Package.ContentHash
	if about && g.Request.MayPrecede(g.Now, o.rollout.Ring, g.Exceptions) {
		o.AheadOfCAB = true
		conditions, err := mergeConditions(g.Votes)
		o.conditions(conditions, err)
		return
	}
	o.Reasons = append(o.Reasons, standingReasons(g.Now, g.packageID(), g.Request, g.Exceptions)...)
	if g.Request == nil || !g.Request.Status.Approved() {
		return
	}
	r, d := *g.Request, g.Decision
	if d == nil || !about || d.RequestID != r.ID || d.Decision != r.Status || d.ContentHash != r.ContentHash || !d.ValidUntil.Equal(r.ValidUntil) {
		o.close(DecisionDiffers, "the decision on %s is not there, or is about something else", r.Name)
		return
	}
	if (len(d.Conditions) > 0) != (d.Decision == ConditionallyApp) {
		o.close(DecisionDiffers, "the decision on %s is %s, and its conditions say otherwise", r.Name, d.Decision)
	}
	o.conditions(d.Conditions, nil)
}

// conditions: those of the decision; ahead of it, those that votes have set already.
func (o *opening) conditions(stated jsontext.Value, err error) {
	if err == nil {
		o.Conditions, err = judgeConditions(stated, o.grounds, o.rollout)
	}
	if err != nil {
		o.close(ConditionNotRead, "the conditions of %s cannot be read", o.grounds.Request.Name)
	}
	for _, c := range o.Conditions {
		code := ConditionNotMet
		switch c.State {
		case ConditionMet:
			continue
		case ConditionUnknown:
			code = ConditionNotRead
		}
		o.Reasons = append(o.Reasons, Reason{code, fmt.Sprintf("condition %s: %s", c.Name, c.Says), c.Name})
	}
}

// MayPrecede reports whether a rollout may begin before CAB has decided: a risk that is
// only too high to be approved by rule, whose exception is in force if it needs one,
// not beyond CANARY. What a guard has raised is not measured by the score, and waits.
// Specification, section 10; docs/adr/0024.
func (r Request) MayPrecede(now time.Time, ring Ring, exceptions []Exception) bool {
	switch {
	case ring != Lab && ring != Canary, r.Status != Submitted && r.Status != UnderReview:
		return false
	case r.Gate.WaitsFor != "", len(r.Gate.Guards) > 0, r.Gate.Decision == GateAuto:
		return false
	case r.Gate.Decision == GateException:
		on := r.restsOn(exceptions)
		return on != nil && on.Active(now)
	}
	return r.Gate.Decision == GateReview
}

// scope: nothing beyond what was approved.
func (o *opening) scope() {
	g, r := o.grounds, o.rollout
	asked := slices.Index(Rings(), r.Ring)
	if asked < 0 || r.Devices < 1 {
		return
	}
	if target := g.Deployment.TargetRing; asked > slices.Index(Rings(), target) {
		o.close(ScopeChange, "the ring %s was asked for, and the deployment is for %s at most", r.Ring, target)
	}
	if most := terms[r.Ring].devices; most > 0 && r.Devices > most {
		o.close(ScopeChange, "%d devices were asked for, and %s has at most %d", r.Devices, r.Ring, most)
	}
	switch reach := g.reach(r); {
	case g.Package == nil:
	case g.Users < 1:
		o.close(ScopeChange, "the evidence does not say that anybody is affected, so nothing of any size was approved")
	case reach > g.Users:
		o.close(ScopeChange, "this makes %d devices in all rings, and the evidence that was scored is about %d users", reach, g.Users)
	}
}

// order: every ring before this one is completed, by enough devices and without a
// security incident; and this one is not begun.
func (o *opening) order() {
	g, ring := o.grounds, o.rollout.Ring
	for _, before := range Rings()[:max(0, slices.Index(Rings(), ring))] {
		p, known := g.ring(before)
		switch {
		case !known:
			o.close(RingNotReady, "%s comes before %s, and has not been begun with this evidence", before, ring)
			continue
		case p.State != Completed:
			o.close(RingNotReady, "%s comes before %s, and is %s", before, ring, p.State)
		case !p.promoted():
			o.close(RingNotPromoted, "%d of %d devices succeeded in %s, and %d %% are wanted before %s",
				p.Succeeded, p.begun(), before, terms[before].success, ring)
		}
		if p.Incident {
			o.close(RingIncident, "a security incident was reported in %s", before)
		}
	}
	p, known := g.ring(ring)
	if !known {
		return
	}
	switch p.State {
	case Failed, RolledBack:
	case Completed:
		o.close(RingDone, "%s is completed", ring)
	default:
		o.close(RingBusy, "%s is %s", ring, p.State)
	}
	if p.Incident {
		o.close(RingIncident, "a security incident was reported in %s", ring)
	}
}

// calendar: what the policy in force says of this moment.
func (o *opening) calendar() {
	for _, b := range o.grounds.Rules.Blackouts {
		if !o.grounds.Now.Before(b.From) && o.grounds.Now.Before(b.To) {
			o.close(InBlackout, "%s: nothing is deployed until %s", b.Name, b.To.Format(time.RFC3339))
		}
	}
	if o.grounds.Rules.RequireWitnessed && !o.grounds.Witnessed {
		o.close(NotWitnessed, "the policy wants the ledger witnessed, and it is not just now")
	}
}
