package capsule

import (
	"fmt"
	"strings"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/ledger"
)

// Report is what verifying a capsule found.
type Report struct {
	Request string   // the CAB- name in the manifest, whether or not it holds
	Checks  []Check  // in the order in which they are made, always all of them
	Notes   []string // what nobody has checked, and what no capsule can show

	// Of whom and of what the capsule speaks; only where it holds they mean
	// anything.
	Checkpoint ledger.Cosigned
	Outcome    Outcome
}

// Outcome is what became of the request.
type Outcome struct {
	Deployment cab.Deployment
	Request    cab.Request
	Decision   *cab.Decision // nil while there is none
	Exceptions []cab.Exception
}

// Check is one thing that was checked, in words.
type Check struct {
	Name  string // one word
	Holds bool
	Text  string
}

// Holds reports whether everything holds.
func (r Report) Holds() bool {
	for _, c := range r.Checks {
		if !c.Holds {
			return false
		}
	}
	return len(r.Checks) > 0
}

// The checks, in their order.
const (
	checkEncoding    = "encoding"
	checkManifest    = "manifest"
	checkCheckpoint  = "checkpoint"
	checkWitnesses   = "witnesses"
	checkEvents      = "events"
	checkTrail       = "trail"
	checkDocument    = "document"
	checkRules       = "rules"
	checkScore       = "score"
	checkGate        = "gate"
	checkDecision    = "decision"
	checkAttachments = "attachments"
	checkTimestamp   = "time-stamp"
)

var allChecks = []string{
	checkEncoding, checkManifest, checkCheckpoint, checkWitnesses, checkEvents, checkTrail, checkDocument,
	checkRules, checkScore, checkGate, checkDecision, checkAttachments, checkTimestamp,
}

// results are the checks while they are made.
type results struct {
	wrong map[string][]string
	holds map[string]string // the words, once a check has been made to its end
	notes []string
}

func newResults() results {
	return results{wrong: map[string][]string{}, holds: map[string]string{}}
}

// mostWrong is how many faults of one check are told.
const mostWrong = 5

func (s *results) fail(check, format string, args ...any) {
	s.wrong[check] = append(s.wrong[check], fmt.Sprintf(format, args...))
}

// failed is fail for an error, if it is one; it may be several.
func (s *results) failed(check string, err error) {
	if err == nil {
		return
	}
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range several.Unwrap() {
			s.fail(check, "%v", one)
		}
		return
	}
	s.fail(check, "%v", err)
}

// pass says that a check was made to its end, and what it means if nothing failed.
func (s *results) pass(check, format string, args ...any) {
	s.holds[check] = fmt.Sprintf(format, args...)
}

func (s *results) note(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

func (s *results) checks() []Check {
	var all []Check
	for _, name := range allChecks {
		wrong, made := s.wrong[name], s.holds[name] != ""
		switch {
		case len(wrong) > mostWrong:
			all = append(all, Check{name, false, fmt.Sprintf("%s; and %d more", strings.Join(wrong[:mostWrong], "; "), len(wrong)-mostWrong)})
		case len(wrong) > 0:
			all = append(all, Check{name, false, strings.Join(wrong, "; ")})
		case !made:
			all = append(all, Check{name, false, "it could not be checked, for what it rests on does not hold"})
		default:
			all = append(all, Check{name, true, s.holds[name]})
		}
	}
	return all
}
