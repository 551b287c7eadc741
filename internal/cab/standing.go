package cab

import (
	"fmt"
	"time"

	"github.com/eucora/eucora/internal/evidence"
)

// Standing is whether a deployment is approved at a moment, and why not.
// Everything that asks (the API, the command line, a deployment report) asks
// here: one evaluator for every surface.
type Standing struct {
	Approved          bool
	RequiresException bool     // the latest request waits for an exception
	ByPermit          bool     // the approval has conditions, which only the deployment gate reads
	Reasons           []string // why it is not approved; empty when it is
}

// Stand judges the approval of a deployment. latestPackage is the intent's
// newest package ("" if none), latest the newest package's request (nil if it
// was never submitted), exceptions every exception of that request. The caller
// has verified the package's bytes; a mismatch never gets here.
func Stand(now time.Time, latestPackage string, latest *Request, exceptions []Exception) Standing {
	var s Standing
	if latest != nil {
		s.RequiresException = latest.WantsException(exceptions, now)
		s.ByPermit = latest.Status == ConditionallyApp
	}
	for _, reason := range standingReasons(now, latestPackage, latest, exceptions) {
		s.Reasons = append(s.Reasons, reason.Message)
	}
	s.Approved = len(s.Reasons) == 0
	return s
}

func standingReasons(now time.Time, latestPackage string, latest *Request, exceptions []Exception) []Reason {
	switch {
	case latestPackage == "":
		return []Reason{{Code: NoEvidence, Message: "there is no evidence for this deployment"}}
	case latest == nil:
		return []Reason{{Code: NotSubmitted, Message: "the latest evidence package " + latestPackage + " has not been submitted"}}
	}
	return latest.defects(now, exceptions)
}

func (r Request) defects(now time.Time, exceptions []Exception) []Reason {
	if !r.Status.Approved() {
		return []Reason{{Code: r.lacks(now, exceptions), Message: fmt.Sprintf("%s is %s", r.Name, r.Status)}}
	}
	var reasons []Reason
	if !now.Before(r.ValidUntil) {
		reasons = append(reasons, Reason{Code: ApprovalOver, Message: fmt.Sprintf("the approval of %s ended on %s", r.Name, r.ValidUntil.Format(time.RFC3339))})
	}
	if r.Gate.Decision == GateException {
		if on := r.restsOn(exceptions); on == nil {
			reasons = append(reasons, Reason{Code: ExceptionEnded, Message: "the exception that " + r.Name + " rests on is not there"})
		} else if !on.Active(now) {
			reasons = append(reasons, Reason{Code: ExceptionEnded, Message: fmt.Sprintf("%s, on which %s rests, is %s", on.Name, r.Name, on.Effective(now))})
		}
	}
	return reasons
}

// lacks is the code of why a request is not approved.
func (r Request) lacks(now time.Time, exceptions []Exception) string {
	switch {
	case r.Status == Revoked:
		return ApprovalRevokedR
	case r.WantsException(exceptions, now):
		return AwaitsException
	case r.Status.Open():
		return AwaitsDecision
	}
	return NotApproved
}

// Tier is a score's band under a policy's thresholds, for people to read.
func Tier(score evidence.Score, limits PolicyThresholds) (tier, description string) {
	switch {
	case score <= limits.auto():
		return "LOW", "approved by rule unless a guard objects"
	case score <= limits.review():
		return "MEDIUM", "the Change Advisory Board decides"
	default:
		return "HIGH", "a Security Reviewer's exception is needed before the Change Advisory Board decides"
	}
}
