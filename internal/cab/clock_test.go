package cab

import (
	"testing"
	"time"
)

var clockCall = Call{Actor: Actor{ID: "somebody", Role: Admin}, Now: time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)}

// TestEscalate: each request as far as it is overdue, once, and never what is
// decided.
func TestEscalate(t *testing.T) {
	const h = time.Hour
	for _, c := range []struct {
		status Status
		waited time.Duration
		done   int
		told   string
		step   int
	}{
		{Submitted, 24*h - 1, 0, "", 0},
		{Submitted, 24 * h, 0, ToSecondList, 1},
		{UnderReview, 47 * h, 0, ToSecondList, 1},
		{NeedsException, 24 * h, 1, "", 1},
		{Submitted, 48*h - 1, 1, "", 1},
		{Submitted, 48 * h, 1, ToAdmins, 2},
		{Submitted, 100 * h, 0, ToAdmins, 2},
		{Submitted, 1000 * h, 2, "", 2},
		{Submitted, -5 * h, 0, "", 0}, // by a clock that was ahead
		{Submitted, -5 * h, 2, "", 2},
		{ApprovedByCAB, 100 * h, 0, "", 2},
		{Withdrawn, 100 * h, 0, "", 2},
	} {
		change, step := Request{Status: c.status, SubmittedAt: clockCall.Now.Add(-c.waited)}.Escalate(clockCall, c.done)
		wantTold(t, change, CABEscalated, c.told)
		if step != c.step {
			t.Errorf("%s after %s, escalated %d times: step %d, want %d", c.status, c.waited, c.done, step, c.step)
		}
	}
}

// wantTold checks that a change is an event of the clock with a reason, or, where
// that is "", nothing.
func wantTold(t *testing.T, change Change, kind EventType, reason string) {
	t.Helper()
	switch {
	case reason == "" && len(change.Events) == 0:
	case reason != "" && len(change.Events) == 1 && change.Events[0].Type == kind && change.Events[0].Data.Reason == reason && change.Events[0].Actor == Clock:
	default:
		t.Errorf("got %+v, want %s %q", change.Events, kind, reason)
	}
	if change.Request != nil || change.Exceptions != nil {
		t.Errorf("a row changes: %+v", change)
	}
}

// TestWarn: in time, once for each warning, and only while there is something to be
// done about it.
func TestWarn(t *testing.T) {
	const d = 24 * time.Hour
	for _, c := range []struct {
		left    time.Duration // until the end
		granted time.Duration // before now
		status  ExceptionStatus
		request Status
		done    int
		reason  string
		step    int
	}{
		{14*d + 1, d, ExceptionGranted, ApprovedByCAB, 0, "", 0},
		{14 * d, d, ExceptionGranted, ApprovedByCAB, 0, FourteenDays, 1},
		{8 * d, 10 * d, ExceptionGranted, UnderReview, 1, "", 1},
		{7 * d, 10 * d, ExceptionGranted, UnderReview, 1, SevenDays, 2},
		{2 * d, 20 * d, ExceptionGranted, ConditionallyApp, 0, SevenDays, 2}, // nobody looked for a while
		{1, 20 * d, ExceptionGranted, ApprovedByCAB, 2, "", 2},
		{0, 20 * d, ExceptionGranted, ApprovedByCAB, 0, "", 2}, // it is over: that is told instead
		{10 * d, d, ExceptionGranted, ApprovedByCAB, 0, "", 1}, // granted for eleven days
		{6 * d, 5 * d, ExceptionGranted, ApprovedByCAB, 1, SevenDays, 2},
		{6 * d, d - 1, ExceptionGranted, ApprovedByCAB, 0, "", 2}, // granted for less than seven
		{14 * d, d, ExceptionGranted, Withdrawn, 0, "", 1},
		{14 * d, d, ExceptionGranted, RejectedByCAB, 0, "", 1},
		{14 * d, d, ExceptionGranted, Revoked, 0, "", 1},
		{14 * d, d, ExceptionPending, NeedsException, 0, "", 1},
		{14 * d, d, ExceptionWithdrawn, UnderReview, 0, "", 1},
	} {
		e := Exception{Status: c.status, DecidedAt: clockCall.Now.Add(-c.granted), ExpiresAt: clockCall.Now.Add(c.left)}
		change, step := e.Warn(clockCall, Request{Status: c.request}, c.done)
		wantTold(t, change, ExceptionEnding, c.reason)
		if step != c.step {
			t.Errorf("%s left of a request %s, warned %d times: step %d, want %d", c.left, c.request, c.done, step, c.step)
		}
	}
}

// TestApprovalsEnd when their time is over, and are told of unless they had ended.
func TestApprovalsEnd(t *testing.T) {
	revoked := []Exception{{ID: "x", Status: ExceptionWithdrawn}}
	for _, c := range []struct {
		status     Status
		left       time.Duration
		on         string
		exceptions []Exception
		over, told bool
	}{
		{ApprovedByCAB, 1, "", nil, false, false},
		{ApprovedByCAB, 0, "", nil, true, true},
		{AutoApproved, -time.Hour, "", nil, true, true},
		{ConditionallyApp, -time.Hour, "x", []Exception{{ID: "x", Status: ExceptionOver}}, true, true},
		{ApprovedByCAB, -time.Hour, "x", revoked, true, false},
		{ApprovedByCAB, -time.Hour, "y", revoked, true, true},
		{Revoked, -time.Hour, "", nil, true, false},
		{Revoked, time.Hour, "", nil, false, false},
	} {
		r := Request{Status: c.status, ValidUntil: clockCall.Now.Add(c.left), ExceptionID: c.on}
		change, over := r.Expire(clockCall, c.exceptions)
		if told := len(change.Events) == 1; over != c.over || told != c.told {
			t.Errorf("%s, %s left, on %q: over %t, told %t", c.status, c.left, c.on, over, told)
		}
	}
	if _, over := (Request{Status: Submitted}).Expire(clockCall, nil); over {
		t.Error("what was never approved is over")
	}
}

// TestNextDigest: once a day, whatever clocks do.
func TestNextDigest(t *testing.T) {
	at := func(text string) time.Time {
		moment, err := time.Parse("2006-01-02 15:04", text)
		if err != nil {
			t.Fatal(err)
		}
		return moment
	}
	for _, c := range []struct{ now, planned, want string }{
		{"2026-12-01 06:59", "2026-12-01 07:00", "2026-12-01 07:00"},
		{"2026-12-01 07:00", "2026-12-01 07:00", "2026-12-02 07:00"},
		{"2026-12-04 03:00", "2026-12-01 07:00", "2026-12-04 07:00"}, // off for days
		{"2026-12-04 23:00", "2026-12-01 07:00", "2026-12-05 07:00"},
		{"2026-12-01 08:00", "2026-12-02 07:00", "2026-12-02 07:00"},
		{"2026-12-01 06:00", "2026-12-02 07:00", "2026-12-02 07:00"}, // set back by some hours: that of today is told
		{"2026-12-01 08:00", "2027-12-01 07:00", "2026-12-02 07:00"},
	} {
		if got := NextDigest(at(c.now), at(c.planned)); !got.Equal(at(c.want)) {
			t.Errorf("now %s, planned %s: got %s, want %s", c.now, c.planned, got, c.want)
		}
	}
}

// TestTheRequesterIsAlwaysTold: every notice of an event with a request, an exception
// or a deployment names whom it concerns.
func TestTheRequesterIsAlwaysTold(t *testing.T) {
	erin := Person{"e", "erin"}
	for kind := range tellings {
		e := Event{ID: "1", Time: clockCall.Now, Type: kind, Actor: Clock}
		switch kind {
		case ExceptionRequested, ExceptionApproved, ExceptionRejected, ExceptionEnding, ExceptionExpired, ExceptionRevoked:
			e.Data.Exception = &Exception{Requester: erin, ExpiresAt: clockCall.Now}
		case DeploymentFailed, RollbackStarted:
			e.Data.Deployment = &Deployment{CreatedBy: erin}
		case EvidenceTampered:
			continue // nobody asked for it
		default:
			e.Data.Request = &Request{SubmittedBy: erin, ValidUntil: clockCall.Now}
		}
		n, ok := NoticeOf(e)
		if !ok || n.Concerns != erin || n.ID != "1" {
			t.Errorf("%s: %t %+v", kind, ok, n)
		}
		e.Data = EventData{} // what lacks its rows is told all the same, and breaks nothing
		if n, ok := NoticeOf(e); ok && n.Type != string(kind) {
			t.Errorf("%s: %+v", kind, n)
		}
	}
}

// TestOldEnds: that something was over a week ago is no news.
func TestOldEnds(t *testing.T) {
	for _, since := range []time.Duration{0, news, news + 1} {
		end := clockCall.Now.Add(-since)
		for kind, data := range map[EventType]EventData{
			ApprovalExpired: {Request: &Request{ValidUntil: end}}, ExceptionExpired: {Exception: &Exception{ExpiresAt: end}},
		} {
			if _, told := NoticeOf(Event{Type: kind, Time: clockCall.Now, Data: data}); told != (since <= news) {
				t.Errorf("%s, over for %s: told %t", kind, since, told)
			}
		}
	}
}
