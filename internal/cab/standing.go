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
	Reasons           []string // why it is not approved; empty when it is
}

// Stand judges the approval of a deployment. latestPackage is the intent's
// newest package ("" if none), latest the newest package's request (nil if it
// was never submitted), exceptions every exception of that request. The caller
// has verified the package's bytes; a mismatch never gets here.
func Stand(now time.Time, latestPackage string, latest *Request, exceptions []Exception) Standing {
	var s Standing
	switch {
	case latestPackage == "":
		s.Reasons = append(s.Reasons, "there is no evidence for this deployment")
	case latest == nil:
		s.Reasons = append(s.Reasons, "the latest evidence package "+latestPackage+" has not been submitted")
	default:
		s.RequiresException = latest.WantsException(exceptions, now)
		s.Reasons = latest.defects(now, exceptions)
	}
	s.Approved = len(s.Reasons) == 0
	return s
}

func (r Request) defects(now time.Time, exceptions []Exception) []string {
	if !r.Status.Approved() {
		return []string{fmt.Sprintf("%s is %s", r.Name, r.Status)}
	}
	var reasons []string
	if !now.Before(r.ValidUntil) {
		reasons = append(reasons, fmt.Sprintf("the approval of %s ended on %s", r.Name, r.ValidUntil.Format(time.RFC3339)))
	}
	if r.Gate.Decision == GateException {
		if on := r.restsOn(exceptions); on == nil {
			reasons = append(reasons, "the exception that "+r.Name+" rests on is not there")
		} else if !on.Active(now) {
			reasons = append(reasons, fmt.Sprintf("%s, on which %s rests, is %s", on.Name, r.Name, on.Effective(now)))
		}
	}
	return reasons
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
