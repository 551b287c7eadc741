package report

import (
	"strings"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/cab/cabtest"
)

// TestWhatStartsRestOn: a start is approved by a decision that is in the ledger, on
// the evidence that is started, made by the rules; not by what a row says.
func TestWhatStartsRestOn(t *testing.T) {
	row := func(change func(r *cab.Request)) func(e *cab.Event, p cabtest.People) {
		return func(e *cab.Event, _ cabtest.People) {
			if e.Type == cab.CABApproved {
				r := *e.Data.Request
				e.Data.Request = &r
				change(&r)
			}
		}
	}
	decision := func(change func(d *cab.Decision, e *cab.Event, p cabtest.People)) func(e *cab.Event, p cabtest.People) {
		return func(e *cab.Event, p cabtest.People) {
			if e.Type == cab.CABApproved {
				d := *e.Data.Decision
				e.Data.Decision = &d
				change(&d, e, p)
			}
		}
	}
	for _, c := range []struct {
		name string
		edit func(e *cab.Event, p cabtest.People)
		says string // why the start was not approved; "" if it was
		rule string // of the separation of duties, that was violated
	}{
		{"by the rules", func(*cab.Event, cabtest.People) {}, "", ""},
		{"nobody decided", decision(func(_ *cab.Decision, e *cab.Event, _ cabtest.People) {
			e.Type, e.Data.Decision = cab.CABReviewStarted, nil
		}), "no event decided CAB-", ""},
		{"a rejection", decision(func(d *cab.Decision, e *cab.Event, _ cabtest.People) {
			e.Type, d.Decision = cab.CABRejected, cab.RejectedByCAB
		}), "as rejected", "quorum"},
		{"for longer than was decided", row(func(r *cab.Request) { r.ValidUntil = r.ValidUntil.AddDate(1, 0, 0) }), "and its row says", ""},
		{"by rule, and nobody voted", decision(func(d *cab.Decision, _ *cab.Event, _ cabtest.People) { d.Decision = cab.AutoApproved }), "as auto_approved", "by-rule"},
		{"without enough votes", row(func(r *cab.Request) { r.Quorum = 2 }), "approved with 1 approving vote of 2 needed", "quorum"},
		{"by its submitter", func(e *cab.Event, p cabtest.People) {
			if e.Type == cab.CABApproved {
				r := *e.Data.Request
				e.Data.Request = &r
				r.SubmittedBy = p.Carol.Person()
			}
		}, "submitted the request", "decider-is-not-submitter"},
		{"by an engineer", decision(func(d *cab.Decision, e *cab.Event, p cabtest.People) { d.Decider, e.Actor = p.Pat, p.Pat }), "acted as publisher", "role-held"},
		{"on other evidence, as the row says too", func(e *cab.Event, _ cabtest.People) {
			if r := e.Data.Request; r != nil {
				other := *r
				other.ContentHash = "other"
				e.Data.Request = &other
			}
			if d := e.Data.Decision; d != nil {
				other := *d
				other.ContentHash = "other"
				e.Data.Decision = &other
			}
		}, "on other evidence than", ""},
	} {
		for period, first := range map[string]int{"decided in the period": 1, "decided before it": 2} {
			t.Run(c.name+", "+period, func(t *testing.T) {
				l := cabtest.New(t)
				p := l.People()
				d, pack := l.File(p.Erin, "VLC", "3", cab.Pilot, 6000)
				l.Vote(p.Carol, l.Submit(p.Erin, d, pack), true, "fine", "")
				l.Wait(24 * time.Hour)
				d = l.Report(p.Pat, d, cab.DeploymentStarted, "")
				l.Report(p.Pat, d, cab.DeploymentFailed, "exit code 1603")
				d.Revision++
				l.Write(cab.Event{Time: l.Now, Type: cab.DeploymentStarted, DeploymentID: d.ID, Actor: p.Pat, Data: cab.EventData{Deployment: &d}})
				for i := range l.Events {
					c.edit(&l.Events[i], p)
				}
				r := fold(t, l.Events, first, 31)
				for _, s := range r.Starts {
					if says := strings.Join(s.Reasons, "; "); s.Approved != (c.says == "") || !strings.Contains(says, c.says) {
						t.Errorf("approved %t: %q, want %q", s.Approved, says, c.says)
					}
				}
				var rules []string
				for _, check := range r.Duties {
					for range check.Violations { // once, however often it was started
						rules = append(rules, check.ID)
					}
				}
				if len(r.Starts) != 2 || strings.Join(rules, " ") != c.rule {
					t.Errorf("%d starts, violated %q, want %q", len(r.Starts), rules, c.rule)
				}
				if r.Duties[dutyQuorum].Tested != 1 && c.says != "no event decided CAB-" && c.rule != "by-rule" {
					t.Errorf("the decision was tried %d times", r.Duties[dutyQuorum].Tested)
				}
			})
		}
	}
}

// TestAnExceptionThatNobodyGranted: what says in passing that it is approved is no
// exception to rest on.
func TestAnExceptionThatNobodyGranted(t *testing.T) {
	l := cabtest.New(t)
	p := l.People()
	d, pack := l.File(p.Erin, "VPN client", "9", cab.Global, 9000)
	r := l.Submit(p.Erin, d, pack)
	x := l.AskException(p.Erin, d, r, 30)
	change := l.Do(x.Approve(l.Call(p.Sam), r, nil, "for a while"))
	l.Vote(p.Carol, *change.Request, true, "fine", "", *change.Exceptions[0])
	l.Report(p.Pat, d, cab.DeploymentStarted, "")
	sound := fold(t, l.Events, 1, 2)
	if len(sound.Findings) != 0 || !sound.Starts[0].Approved {
		t.Fatalf("%q", sound.Findings)
	}
	for i := range l.Events {
		if l.Events[i].Type == cab.ExceptionApproved {
			l.Events[i].Type = cab.ExceptionRequested
		}
	}
	forged := fold(t, l.Events, 1, 2)
	if reasons := strings.Join(forged.Starts[0].Reasons, "; "); forged.Starts[0].Approved || !strings.Contains(reasons, "no event granted the exception") {
		t.Errorf("approved %t: %q", forged.Starts[0].Approved, reasons)
	}
	if held := forged.Duties[dutyExceptionHeld]; len(held.Violations) != 1 {
		t.Errorf("%+v", held)
	}
}

// TestStartsAheadOfCAB: a permit lets the first rings be tried before CAB decides,
// for what it says only, and with an exception that an event granted.
func TestStartsAheadOfCAB(t *testing.T) {
	permit := func(change func(p *cab.StartPermit)) func(*cab.Event) {
		return func(e *cab.Event) {
			if e.Type == cab.DeploymentStarted {
				p := *e.Data.Permit
				e.Data.Permit = &p
				change(&p)
			}
		}
	}
	for name, c := range map[string]struct {
		edit  func(*cab.Event)
		ahead bool
	}{
		"by the rules":                  {func(*cab.Event) {}, true},
		"a permit that does not say so": {permit(func(p *cab.StartPermit) { p.AheadOfCAB = false }), false},
		"to a later ring":               {permit(func(p *cab.StartPermit) { p.Ring = cab.Pilot }), false},
		"of another request":            {permit(func(p *cab.StartPermit) { p.RequestID = "other" }), false},
		"of another package":            {permit(func(p *cab.StartPermit) { p.PackageID = "other" }), false},
		"of other contents":             {permit(func(p *cab.StartPermit) { p.ContentHash = "other" }), false},
		"without a permit":              {func(e *cab.Event) { e.Data.Permit = nil }, false},
		"an exception nobody has granted": {func(e *cab.Event) {
			if e.Type == cab.ExceptionApproved {
				e.Type = cab.ExceptionRequested
			}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := cabtest.New(t)
			p := l.People()
			d, pack := l.File(p.Erin, "VPN client", "9", cab.Global, 9000)
			r := l.Submit(p.Erin, d, pack)
			x := l.AskException(p.Erin, d, r, 30)
			granted := l.Do(x.Approve(l.Call(p.Sam), r, nil, "for a while"))
			artifact := strings.Repeat("0a", 32)
			grounds := cab.Grounds{
				Now: l.Now, Deployment: d, Package: &pack, Whole: true, Artifacts: []string{artifact}, Users: 500, Request: granted.Request,
				Exceptions: []cab.Exception{*granted.Exceptions[0]}, Policy: cab.Published{Version: "1.1", Digest: strings.Repeat("ef", 32)}, Rules: l.Policy,
			}
			rollout := cab.Rollout{Ring: cab.Lab, Artifact: artifact, Devices: 5}
			given := l.Do(grounds.IssuePermit(l.Call(p.Pat), l.ID(), rollout, 0)).Permit
			l.Do(given.Redeem(l.Call(p.Pat), grounds, rollout))
			for i := range l.Events {
				c.edit(&l.Events[i])
			}
			start := fold(t, l.Events, 1, 2).Starts[0]
			if start.AheadOfCAB != c.ahead || start.Approved != c.ahead || (len(start.Reasons) == 0) != c.ahead {
				t.Errorf("%+v", start)
			}
		})
	}
}

// TestClocksThatDisagree: of two replicas one is ahead by minutes around midnight;
// wherever the period is cut, a whole beginning of the ledger is on one side of it.
func TestClocksThatDisagree(t *testing.T) {
	l := cabtest.New(t)
	p := l.People()
	l.Wait(16*time.Hour + time.Minute) // one is past midnight
	d, pack := l.File(p.Erin, "VLC", "3", cab.Pilot, 6000)
	r := l.Submit(p.Erin, d, pack)
	l.Wait(-2 * time.Minute) // the other is not
	l.Vote(p.Carol, r, true, "fine", "")
	l.Wait(2 * time.Minute)
	l.Report(p.Pat, d, cab.DeploymentStarted, "")
	before, after := fold(t, l.Events, 1, 2), fold(t, l.Events, 2, 3)
	if n, m := len(before.Decisions)+len(before.Starts), len(after.Decisions)+len(after.Starts); n != 0 || m != 2 || !after.Starts[0].Approved {
		t.Errorf("%d before midnight, %d after", n, m)
	}
	for _, report := range []*Report{before, after} {
		if len(report.Findings) != 0 {
			t.Errorf("findings %q", report.Findings)
		}
	}
	if *before.Population.Last+1 != *after.Population.First {
		t.Errorf("events up to %d, and from %d", *before.Population.Last, *after.Population.First)
	}
}

// TestOneClockFarAhead: one event that is dated years ahead does not make the rest of
// the ledger vanish without a word.
func TestOneClockFarAhead(t *testing.T) {
	l := cabtest.New(t)
	p := l.People()
	l.Wait(365 * 24 * time.Hour)
	l.Person("future", cab.Auditor)
	l.Wait(-365 * 24 * time.Hour)
	d, pack := l.File(p.Erin, "VLC", "3", cab.Pilot, 6000)
	l.Submit(p.Erin, d, pack)
	r := fold(t, l.Events, 1, 2)
	if len(r.Findings) != 1 || !strings.Contains(r.Findings[0], "4 events dated before the end of the period, but standing in the ledger after event 7, which is dated 2027-01-01") {
		t.Errorf("findings %q", r.Findings)
	}
}
