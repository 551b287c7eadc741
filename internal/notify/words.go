package notify

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/eucora/eucora/internal/cab"
)

// message is a notice with what else its reader wants to know.
type message struct {
	notice     cab.Notice
	deployment *cab.Deployment // nil if there is none
	now        cab.Status      // of its request, if it is another by now; ""
	link       string          // "" if there is none
	to         string          // address; "" where the channel is one place
	id         string          // of the job: one for each address
	source     string          // which site: its address, or "eucora"
	sentAt     time.Time
}

// maxWords bounds, in characters, what somebody wrote.
const maxWords = 500

// inert is a text as one line that does nothing: no line breaks, no control
// characters, nothing invisible and nothing that turns the direction of writing.
// What a channel makes of letters is the channel's to keep from happening.
func inert(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return ' '
		case unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > maxWords {
		text = string(runes[:maxWords]) + "…"
	}
	return text
}

// happened says what a type of event means for the thing that it is about.
var happened = map[string]string{
	string(cab.CABSubmitted):       "waits for a decision",
	string(cab.CABApproved):        "is approved",
	string(cab.CABRejected):        "is rejected",
	string(cab.CABWithdrawn):       "is withdrawn",
	string(cab.ApprovalRevoked):    "is revoked: the approval has ended",
	string(cab.ApprovalExpired):    "is approved no longer: its time is over",
	string(cab.CABEscalated):       "still waits for a decision",
	string(cab.ExceptionRequested): "is asked for",
	string(cab.ExceptionApproved):  "is granted; CAB decides the request",
	string(cab.ExceptionRejected):  "is refused",
	string(cab.ExceptionEnding):    "ends soon",
	string(cab.ExceptionExpired):   "has ended: its time is over",
	string(cab.ExceptionRevoked):   "is revoked",
	string(cab.DeploymentFailed):   "has failed",
	string(cab.RollbackStarted):    "is being rolled back",
	string(cab.EvidenceTampered):   "was tampered with",
}

// clockReasons says what the reasons of the clock mean.
var clockReasons = map[string]string{
	cab.ToSecondList: "it has waited for a day", cab.ToAdmins: "it has waited for two days",
	cab.FourteenDays: "14 days are left, or less", cab.SevenDays: "7 days are left, or less",
}

// headline is what the notice says in a line.
func (m message) headline() string {
	n := m.notice
	if n.Type == cab.DigestType {
		return fmt.Sprintf("What waits: %d", len(n.Waiting)+n.Others)
	}
	what := happened[n.Type]
	if what == "" {
		what = strings.ToLower(strings.ReplaceAll(n.Type, "_", " "))
	}
	switch {
	case n.Type == string(cab.CABApproved) && n.Status == string(cab.ConditionallyApp):
		what = "is approved with conditions"
	case n.Type == string(cab.CABSubmitted) && n.Status == string(cab.NeedsException):
		what = "needs an exception"
	}
	return inert(m.subject() + " " + what + m.application(": "))
}

// subject is what the notice is about.
func (m message) subject() string {
	switch {
	case m.notice.Name != "":
		return m.notice.Name
	case m.notice.Type == string(cab.EvidenceTampered):
		return "Evidence " + m.notice.Subject.ID
	}
	return "The deployment"
}

// application is what is deployed, behind a text; "" if that is not known.
func (m message) application(before string) string {
	if m.deployment == nil {
		return ""
	}
	return fmt.Sprintf("%s%s %s to %s", before, m.deployment.AppName, m.deployment.AppVersion, m.deployment.TargetRing)
}

// fact is one line of a message.
type fact struct{ name, value string }

// facts are who did what, and what is asked of the reader until when. All values
// are inert; those that are empty are left out.
func (m message) facts() []fact {
	n := m.notice
	said := n.Said
	if words, ok := clockReasons[said]; ok && n.Actor.Role == cab.System {
		said = words
	}
	facts := []fact{{"By", who(n.Actor)}, {"At", when(n.Time)}}
	if n.Concerns.Username != "" {
		facts = append(facts, fact{"Asked for by", n.Concerns.Username})
	}
	facts = append(facts, fact{"What", m.application("")})
	if n.Gate != "" {
		facts = append(facts, fact{"Risk", fmt.Sprintf("%s of 100, %s", n.Score, words(string(n.Gate)))})
	}
	facts = append(facts, fact{"Status", words(n.Status)}, fact{"Why", said}, fact{"By now", words(string(m.now))})
	for _, w := range n.Waiting {
		facts = append(facts, fact{w.Name, fmt.Sprintf("%s, of %s, until %s", words(w.Status), w.By.Username, when(w.Until))})
	}
	if n.Others > 0 {
		facts = append(facts, fact{"And", fmt.Sprintf("%d others", n.Others)})
	}
	facts = append(facts, fact{"To do", n.Ask})
	if !n.Until.IsZero() {
		facts = append(facts, fact{"Until", when(n.Until)})
	}
	kept := facts[:0]
	for _, f := range facts {
		if f.value = inert(f.value); f.value != "" {
			kept = append(kept, fact{inert(f.name), f.value})
		}
	}
	return kept
}

func who(a cab.Actor) string {
	if a.Role == cab.System {
		return "the " + a.Name + " (by itself)"
	}
	return fmt.Sprintf("%s (%s)", a.Name, words(string(a.Role)))
}

func words(text string) string { return strings.ReplaceAll(text, "_", " ") }

func when(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// nothingDecided stands under every message that people read.
const nothingDecided = "Nothing is decided by answering this message or by opening the page."
