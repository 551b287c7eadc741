package cab

import "time"

// What happens by itself is judged as it is now, never step by step: after a day
// on which nothing ran, a request is escalated once, as far as it is overdue by
// then, and an exception is warned of once. (docs/adr/0032.)

// escalations are how long a request may wait for its decision, from its
// submission, before others are told, and who: the reason of the event.
var escalations = []struct {
	after time.Duration
	told  string
}{
	{24 * time.Hour, ToSecondList},
	{48 * time.Hour, ToAdmins},
}

// warnings are how long before its end an exception is warned of.
var warnings = []struct {
	before time.Duration
	reason string
}{
	{14 * 24 * time.Hour, FourteenDays},
	{7 * 24 * time.Hour, SevenDays},
}

// The reasons of CAB_ESCALATED (who is told) and of EXCEPTION_ENDING (how far
// the end is away at most).
const (
	ToSecondList = "second_list"
	ToAdmins     = "admins"
	FourteenDays = "14_days"
	SevenDays    = "7_days"
)

// EscalationsDue are the moments that a request must have been submitted by, or
// at, for its first, second … escalation.
func EscalationsDue(now time.Time) (by []time.Time) {
	for _, e := range escalations {
		by = append(by, now.Add(-e.after))
	}
	return by
}

// WarningsDue are the moments that an exception must end by, or at, for its
// first, second … warning.
func WarningsDue(now time.Time) (by []time.Time) {
	for _, w := range warnings {
		by = append(by, now.Add(w.before))
	}
	return by
}

// Escalate tells others that a request waits. done is how many escalations it
// has had; step is how many it has with this one, and done where none is due.
func (r Request) Escalate(call Call, done int) (change Change, step int) {
	step = done
	for i, e := range escalations {
		if i >= done && !call.Now.Before(r.SubmittedAt.Add(e.after)) {
			step = i + 1
		}
	}
	if step == done || !r.Status.Open() {
		return Change{}, step
	}
	event := r.event(call.as(Clock), CABEscalated, EventData{Request: &r, Reason: escalations[step-1].told})
	return Change{Events: []Event{event}}, step
}

// Warn tells that an exception is about to end. r is its request; done is how
// many warnings have been dealt with, step how many are now. A change without an
// event is nothing to tell: what the exception was for is over, or it was granted
// for less time than the warning is ahead.
func (e Exception) Warn(call Call, r Request, done int) (change Change, step int) {
	step = done
	for i, w := range warnings {
		if i >= done && !call.Now.Before(e.ExpiresAt.Add(-w.before)) {
			step = i + 1
		}
	}
	if step == done || !e.Active(call.Now) || !r.Status.Open() && !r.Status.Approved() {
		return Change{}, step
	}
	w := warnings[step-1]
	if e.ExpiresAt.Add(-w.before).Before(e.DecidedAt) {
		return Change{}, step
	}
	return Change{Events: []Event{e.event(call.as(Clock), ExceptionEnding, w.reason)}}, step
}

// Expire records that the time of an approval has run out. over is false while
// it has not. A change without an event is nothing to tell: the approval had ended
// before, revoked or with the exception that it rests on.
func (r Request) Expire(call Call, exceptions []Exception) (change Change, over bool) {
	if r.ValidUntil.IsZero() || call.Now.Before(r.ValidUntil) {
		return Change{}, false
	}
	if on := r.restsOn(exceptions); !r.Status.Approved() || on != nil && on.Status == ExceptionWithdrawn {
		return Change{}, true
	}
	event := r.event(call.as(Clock), ApprovalExpired, EventData{Request: &r})
	return Change{Events: []Event{event}}, true
}

// DigestHour is when, in UTC, those who decide are told what waits.
const DigestHour = 7

// NextDigest is when the digest after a moment is due. planned is when it was
// thought to be due; a plan more than two days ahead was made by a clock that has
// been set back since. (One that is set back by less than a day tells none twice.)
func NextDigest(now, planned time.Time) time.Time {
	if planned.After(now) && planned.Sub(now) <= 48*time.Hour {
		return planned
	}
	next := time.Date(now.Year(), now.Month(), now.Day(), DigestHour, 0, 0, 0, time.UTC)
	if !next.After(now) {
		next = next.AddDate(0, 0, 1)
	}
	return next
}
