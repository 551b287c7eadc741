package report

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/cab/cabtest"
)

func day(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }

// fold makes the report of January's days from first on and before last.
func fold(t testing.TB, events []cab.Event, first, last int) *Report {
	t.Helper()
	b := New(day(first), day(last))
	for _, e := range events {
		if err := b.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	return b.Report(Made{At: day(31), Ledger: Ledger{Origin: "example.org/log", Size: int64(len(events)), Root: "root", Key: "key", Note: "note"}})
}

func text(t testing.TB, r *Report) string {
	t.Helper()
	body, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestWholeStory: everything that happened is there, once, with its end.
func TestWholeStory(t *testing.T) {
	story, _ := cabtest.Story(t)
	r := fold(t, story.Events, 1, 31)
	want := Totals{Submitted: 6, Automatic: 1, Approved: 1, Conditional: 1, Rejected: 1, Withdrawn: 1, OpenAfter: 1, Revoked: 1, AddUp: true}
	if r.Population.Totals != want {
		t.Errorf("totals %+v, want %+v", r.Population.Totals, want)
	}
	if got := []int{len(r.Population.Requests), len(r.Decisions), len(r.Automatic), len(r.Endings), len(r.Exceptions), len(r.Starts), len(r.Tamperings), len(r.Accounts), len(r.Rules)}; fmt.Sprint(got) != "[6 3 1 3 3 3 1 9 3]" {
		t.Errorf("lengths %v", got)
	}
	n := 0
	for _, c := range r.Population.Events {
		n += c.N
	}
	if n != len(story.Events) || *r.Population.First != 0 || *r.Population.Last != int64(n-1) {
		t.Errorf("%d events counted of %d", n, len(story.Events))
	}
	ends := map[string]string{}
	for _, x := range r.Exceptions {
		by := ""
		if x.EndedBy != nil {
			by = x.EndedBy.Name
		}
		ends[x.Rationale] = fmt.Sprintf("%s %s by %s %d relied=%t", x.Status, stamp(*x.EndedAt), by, x.Days, x.ReliedOn)
	}
	for rationale, want := range map[string]string{
		"no controls that hold": "rejected 2026-01-04 12:00Z by sam 10 relied=false",
		"for ten days":          "expired 2026-01-14 12:00Z by clock 10 relied=true",
		"until the fix is out":  "revoked 2026-01-04 14:00Z by sam 30 relied=false",
	} {
		if ends[rationale] != want {
			t.Errorf("%s: %s, want %s", rationale, ends[rationale], want)
		}
	}
	if len(r.Findings) != 1 || !strings.Contains(r.Findings[0], "altered or missing in 1 case") {
		t.Errorf("findings %q", r.Findings)
	}
	for _, check := range r.Duties {
		if check.Tested == 0 || len(check.Violations) > 0 {
			t.Errorf("%s: %d tested, %v", check.ID, check.Tested, check.Violations)
		}
	}
	d := r.Decisions[0]
	if d.AppName != "Firefox" || d.Decider.Name != "carol" || d.Decider.Role != "cab_member" || d.Votes[0].Voter.Name != "carol" || string(d.Conditions) != `{"max_ring":"PILOT"}` ||
		d.Decision != "conditional" || d.Status != "revoked" || d.Score != 60 || d.Late {
		t.Errorf("%+v", d)
	}
	if r.Access != (Access{Issued: 1, Revoked: 1, Refused: 12}) {
		t.Errorf("%+v", r.Access)
	}
}

// TestPeriods: whatever days are chosen, the totals add up, and the periods one
// after the other hold everything once.
func TestPeriods(t *testing.T) {
	story, _ := cabtest.Story(t)
	for first := 1; first <= 20; first++ {
		for last := first + 1; last <= 21; last++ {
			r := fold(t, story.Events, first, last)
			if !r.Population.Totals.AddUp {
				t.Errorf("%d to %d: %+v", first, last, r.Population.Totals)
			}
			sum := 0
			for _, s := range r.Population.Statuses {
				sum += s.N
			}
			if sum != len(r.Population.Requests) {
				t.Errorf("%d to %d: statuses of %d requests add up to %d", first, last, len(r.Population.Requests), sum)
			}
		}
	}
	decided, submitted := 0, 0
	for first := 1; first < 31; first++ {
		r := fold(t, story.Events, first, first+1)
		decided += len(r.Decisions) + len(r.Automatic)
		submitted += r.Population.Totals.Submitted
	}
	if decided != 4 || submitted != 6 {
		t.Errorf("day by day %d decisions and %d submissions", decided, submitted)
	}
}

// TestCarriedOver: a request from before that is decided in the period, and an
// exception from before that is still in force.
func TestCarriedOver(t *testing.T) {
	l := cabtest.New(t)
	p := l.People()
	d, pack := l.File(p.Erin, "VPN client", "9", cab.Global, 9000)
	r := l.Submit(p.Erin, d, pack)
	x := l.AskException(p.Erin, d, r, 30)
	change := l.Do(x.Approve(l.Call(p.Sam), r, nil, "secret of December"))
	l.Wait(5 * 24 * time.Hour)
	l.Vote(p.Carol, *change.Request, true, "fine", "", *change.Exceptions[0])
	report := fold(t, l.Events, 6, 7)
	if len(report.Decisions) != 1 || !report.Decisions[0].Late || report.Decisions[0].Exception != x.Name || !report.Population.Requests[0].CarriedIn {
		t.Errorf("%s", text(t, report))
	}
	if len(report.Exceptions) != 1 || report.Exceptions[0].Status != "approved" || report.Exceptions[0].EndedAt != nil {
		t.Errorf("%s", text(t, report))
	}
	if want := (Totals{OpenBefore: 1, Approved: 1, AddUp: true}); report.Population.Totals != want {
		t.Errorf("%+v", report.Population.Totals)
	}
	// Later nothing happened but that the exception ran out, by time alone.
	later := New(day(20), day(31).AddDate(0, 1, 0))
	for _, e := range l.Events {
		if err := later.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	end := later.Report(Made{At: day(31).AddDate(0, 2, 0)})
	if len(end.Exceptions) != 1 || end.Exceptions[0].Status != "expired" || end.Exceptions[0].EndedAt == nil || len(end.Population.Requests) != 0 {
		t.Errorf("%s", text(t, end))
	}
	early := later.Report(Made{At: day(25)})
	if !early.AsOf.Equal(day(25)) || early.Exceptions[0].Status != "approved" {
		t.Errorf("before the period is over: as of %s, %s", early.AsOf, early.Exceptions[0].Status)
	}
}

// TestStartsWithoutApproval: what was started past the rules is named.
func TestStartsWithoutApproval(t *testing.T) {
	l := cabtest.New(t)
	p := l.People()
	d, pack := l.File(p.Erin, "7-Zip", "1", cab.Lab, 6000)
	start := func(d cab.Deployment) {
		l.Write(cab.Event{Time: l.Now, Type: cab.DeploymentStarted, DeploymentID: d.ID, Actor: p.Pat, Data: cab.EventData{Deployment: &d}})
	}
	start(d)
	r := l.Submit(p.Erin, d, pack)
	start(d)
	l.Vote(p.Carol, r, true, "fine", "")
	start(d) // this one is good
	l.Evidence(p.Erin, d, 1000)
	start(d)
	got := fold(t, l.Events, 1, 2)
	var reasons []string
	for _, s := range got.Starts {
		reasons = append(reasons, fmt.Sprint(s.Approved, strings.Join(s.Reasons, "; ")))
	}
	for i, want := range []string{"false.*has not been submitted", "falseCAB-[0-9A-F]+ is submitted", "true$", "false.*has not been submitted"} {
		if !regexp.MustCompile(want).MatchString(reasons[i]) {
			t.Errorf("start %d: %s, want %s", i, reasons[i], want)
		}
	}
	if len(got.Findings) != 3 {
		t.Errorf("findings %q", got.Findings)
	}
}

// TestSameEventsSameBytes, and nothing hostile gets out of its place.
func TestSameEventsSameBytes(t *testing.T) {
	story, _ := cabtest.Story(t)
	first, err := fold(t, story.Events, 1, 31).HTML()
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		again, err := fold(t, story.Events, 1, 31).HTML()
		if err != nil || string(again) != string(first) {
			t.Fatal("the same events made another report")
		}
	}
}

func TestHostileTextsStayText(t *testing.T) {
	l := cabtest.New(t)
	p := l.People()
	const evil = `</style></td><script src="//evil.example/x.js">alert(1)</script><img src=x onerror=alert(1)>"'` + "`${7*7}{{.}}\n\u202e"
	d, pack := l.File(p.Erin, evil, evil[:90], cab.Lab, 6000)
	r := l.Submit(p.Erin, d, pack)
	l.Vote(p.Carol, r, true, evil, `{"</td><script>":"<b>"}`)
	page, err := fold(t, l.Events, 1, 2).HTML()
	if err != nil {
		t.Fatal(err)
	}
	html := string(page)
	for _, bad := range []string{"<script", "<img", "onerror=alert(1)>\"", "<b>"} {
		if strings.Contains(html, bad) {
			t.Errorf("%s got through", bad)
		}
	}
	if outside := regexp.MustCompile(`(?i)(src|href)\s*=\s*["']?(https?:|//)|@import|url\(`).FindString(html); outside != "" {
		t.Errorf("the page asks somebody else: %s", outside)
	}
	if !strings.Contains(html, "&lt;script src=") {
		t.Error("the text is not there")
	}
}

// TestBrokenLedgers: no report on what is no ledger.
func TestBrokenLedgers(t *testing.T) {
	story, _ := cabtest.Story(t)
	find := func(kind cab.EventType) int {
		return slices.IndexFunc(story.Events, func(e cab.Event) bool { return e.Type == kind })
	}
	for name, damage := range map[string]func([]cab.Event) []cab.Event{
		"missing":      func(e []cab.Event) []cab.Event { return slices.Delete(e, 3, 4) },
		"not first":    func(e []cab.Event) []cab.Event { return e[1:] },
		"twice":        func(e []cab.Event) []cab.Event { return append(e[:2:2], e[1:]...) },
		"unknown type": func(e []cab.Event) []cab.Event { e[5].Type = "NEW"; return e },
		"a start of nothing": func(e []cab.Event) []cab.Event {
			e[find(cab.DeploymentStarted)].DeploymentID = "none"
			return e
		},
		"a vote on nothing": func(e []cab.Event) []cab.Event {
			e[find(cab.CABVoteCast)].Subject.ID = "none"
			return e
		},
		"a decision on another": func(e []cab.Event) []cab.Event {
			i := find(cab.CABApproved)
			decision := *e[i].Data.Decision
			decision.RequestID = "another"
			e[i].Data.Decision = &decision
			return e
		},
		"a status that is none": func(e []cab.Event) []cab.Event {
			i := find(cab.CABSubmitted)
			r := *e[i].Data.Request
			r.Status = ""
			e[i].Data.Request = &r
			return e
		},
		"an exception's status that is none": func(e []cab.Event) []cab.Event {
			i := find(cab.ExceptionRequested)
			x := *e[i].Data.Exception
			x.Status = "permanent"
			e[i].Data.Exception = &x
			return e
		},
		"a decision that is none": func(e []cab.Event) []cab.Event {
			i := find(cab.CABApproved)
			d := *e[i].Data.Decision
			d.Decision = cab.Revoked
			e[i].Data.Decision = &d
			return e
		},
		"decided twice": func(e []cab.Event) []cab.Event {
			again := e[find(cab.CABApproved)]
			again.Seq = int64(len(e))
			return append(e, again)
		},
	} {
		b := New(day(1), day(31))
		var err error
		for _, e := range damage(slices.Clone(story.Events)) {
			if err = b.Add(e); err != nil {
				break
			}
		}
		if err == nil || !strings.Contains(err.Error(), "event ") {
			t.Errorf("%s: %v, want an error that names the event", name, err)
		}
	}
	if empty := fold(t, nil, 1, 2); len(empty.Findings) != 0 || empty.Population.First != nil {
		t.Errorf("of nothing: %s", text(t, empty))
	}
}
