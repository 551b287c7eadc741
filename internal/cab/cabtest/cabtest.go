// Package cabtest makes ledgers for tests: by the rules of package cab, with
// fixed ids and times, so that the same test makes the same bytes.
package cabtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/risk"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Ledger is a row of events, and the time at which the next one happens.
type Ledger struct {
	t      testing.TB
	Now    time.Time
	Policy cab.Policy
	Events []cab.Event
	ids    int
}

// New begins a ledger on 1 January 2026.
func New(t testing.TB) *Ledger {
	return &Ledger{
		t: t, Now: time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC),
		Policy: cab.Policy{
			Version: "1.0", RiskModel: "1.0", Thresholds: cab.PolicyThresholds{Auto: 50, Review: 75}, Quorum: 1, Approval: 90,
			Exception: cab.ExceptionTerms{DefaultDays: 30, MaxDays: 90}, DecideIn: cab.DecideWithin{Standard: 48, Urgent: 24},
		},
	}
}

// ID is the next id.
func (l *Ledger) ID() string {
	l.ids++
	return fmt.Sprintf("01900000-0000-7000-8000-%012x", l.ids)
}

// Wait lets time go by.
func (l *Ledger) Wait(d time.Duration) { l.Now = l.Now.Add(d) }

// Call is a call by somebody now.
func (l *Ledger) Call(actor cab.Actor) cab.Call {
	return cab.Call{Actor: actor, Source: cab.Source{Address: "192.0.2.7", UserAgent: "eucora/test"}, Now: l.Now}
}

// Do writes a change's events, which must have been allowed.
func (l *Ledger) Do(change cab.Change, err error) cab.Change {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
	for _, e := range change.Events {
		l.Write(e)
	}
	return change
}

// Write writes an event whatever the rules say: what somebody might do behind
// the program's back.
func (l *Ledger) Write(e cab.Event) {
	e.Seq, e.ID = int64(len(l.Events)), l.ID()
	l.Events = append(l.Events, e)
}

// Leaf is an event as it is hashed.
func Leaf(t testing.TB, e cab.Event) []byte {
	t.Helper()
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	leaf := jsontext.Value(text)
	if err := leaf.Canonicalize(); err != nil {
		t.Fatal(err)
	}
	return leaf
}

// Person makes an account.
func (l *Ledger) Person(name string, role cab.Role) cab.Actor {
	l.t.Helper()
	return l.Do(cab.NewPrincipal(l.Call(cab.Setup), l.ID(), name, role)).Principal.Actor()
}

// File records a deployment and files evidence of a score for it.
func (l *Ledger) File(by cab.Actor, app, version string, ring cab.Ring, score evidence.Score) (cab.Deployment, cab.Package) {
	l.t.Helper()
	d := *l.Do(cab.NewDeployment(l.Call(by), l.ID(), l.ID(), app, version, ring)).Deployment
	return d, l.Evidence(by, d, score)
}

// Evidence files evidence of a score for a deployment.
func (l *Ledger) Evidence(by cab.Actor, d cab.Deployment, score evidence.Score) cab.Package {
	l.t.Helper()
	record := evidence.Record{
		ID: l.ID(), Completeness: evidence.Completeness{Complete: true},
		Assessment: evidence.Assessment{ModelVersion: "1.0", ModelDigest: strings.Repeat("ab", 32), Score: score},
	}
	return *l.Do(cab.NewPackage(l.Call(by), d, record, nil, strings.Repeat("cd", 32))).Package
}

// Submit submits a package.
func (l *Ledger) Submit(by cab.Actor, d cab.Deployment, p cab.Package) cab.Request {
	l.t.Helper()
	return *l.Do(cab.Submit(l.Call(by), cab.Submission{
		ID: l.ID(), Deployment: d, Package: p, Score: p.Score, Model: p.ModelVersion, Complete: evidence.Completeness{Complete: true},
		LatestID: p.ID, Policy: l.Policy, Urgency: cab.Standard,
	})).Request
}

// Vote casts a vote on a request that has none yet.
func (l *Ledger) Vote(by cab.Actor, r cab.Request, approve bool, rationale, conditions string, exceptions ...cab.Exception) cab.Change {
	l.t.Helper()
	situation := cab.Situation{Exceptions: exceptions, LatestID: r.PackageID}
	var value jsontext.Value // nil, not empty, where there are none
	if conditions != "" {
		value = jsontext.Value(conditions)
	}
	return l.Do(r.CastVote(l.Call(by), situation, approve, rationale, value))
}

// AskException asks for an exception for a request.
func (l *Ledger) AskException(by cab.Actor, d cab.Deployment, r cab.Request, days int) cab.Exception {
	l.t.Helper()
	change := l.Do(cab.RequestException(l.Call(by), cab.ExceptionAsk{
		ID: l.ID(), Request: &r, Intent: d, Policy: l.Policy, Reason: "the old version ends",
		Justification: "not reachable from outside", Controls: []string{"isolated", "watched"}, Days: days,
	}))
	return *change.Exceptions[0]
}

// People are one of each role, and a second CAB member.
type People struct{ Erin, Carol, Chris, Sam, Pat, Ada, Root cab.Actor }

// People makes accounts of every role.
func (l *Ledger) People() People {
	l.t.Helper()
	return People{
		Erin: l.Person("erin", cab.PackagingEngineer), Carol: l.Person("carol", cab.CABMember), Chris: l.Person("chris", cab.CABMember),
		Sam: l.Person("sam", cab.SecurityReviewer), Pat: l.Person("pat", cab.Publisher), Ada: l.Person("ada", cab.Auditor), Root: l.Person("root", cab.Admin),
	}
}

// Report reports what happened to a deployment that is approved.
func (l *Ledger) Report(by cab.Actor, d cab.Deployment, kind cab.EventType, detail string) cab.Deployment {
	l.t.Helper()
	return *l.Do(d.Report(l.Call(by), kind, cab.Standing{Approved: true}, detail)).Deployment
}

// Story is a ledger in which every event type happens, over some months.
func Story(t testing.TB) (*Ledger, People) {
	l := New(t)
	p := l.People()
	l.Do(cab.PublishModel(l.Call(p.Root), risk.Embedded()[0], l.Policy.RiskThresholds(), nil))
	l.Do(cab.PublishPolicy(l.Call(p.Root), l.Policy, risk.Embedded()[0], nil))
	l.Do(cab.RecordKey(l.Call(cab.Setup), nil, cab.Key{ID: strings.Repeat("ef", 32), Algorithm: "ed25519", State: cab.KeyActive, CreatedAt: l.Now, PublicKey: "x"}))
	token := *l.Do(cab.NewToken(l.Call(p.Root), cab.Principal{ID: p.Pat.ID, Username: "pat"}, l.ID(), "ring 0", strings.Repeat("12", 32), 30)).Token
	l.automatic(p)
	l.board(p)
	l.excepted(p)
	l.Wait(24 * time.Hour)
	l.Do(token.Revoke(l.Call(p.Root)))
	l.Do(cab.RefuseAccess(l.Call(cab.Guard), 12), nil)
	principal := cab.Principal{ID: p.Ada.ID, Username: "ada", Role: cab.Auditor, CreatedAt: l.Now, Revision: 1}
	principal = *l.Do(principal.ChangeRole(l.Call(p.Root), cab.PackagingEngineer)).Principal
	l.Do(principal.Disable(l.Call(p.Root)))
	return l, p
}

// automatic: a low risk, deployed, failed, rolled back.
func (l *Ledger) automatic(p People) {
	l.Wait(24 * time.Hour)
	d, pack := l.File(p.Erin, "7-Zip", "24.08", cab.Pilot, 1400)
	l.Submit(p.Erin, d, pack)
	d = l.Report(p.Pat, d, cab.DeploymentStarted, "")
	d = l.Report(p.Pat, d, cab.DeploymentFailed, "exit code 1603")
	d = l.Report(p.Pat, d, cab.RollbackStarted, "")
	d = l.Report(p.Pat, d, cab.RollbackCompleted, "")
	d = l.Report(p.Pat, d, cab.DeploymentStarted, "")
	l.Report(p.Pat, d, cab.DeploymentCompleted, "")
	l.Do(cab.TamperFound(l.Call(p.Ada), pack, strings.Repeat("00", 32), "verification"), nil)
}

// board: a middling risk approved with conditions and revoked; one rejected;
// one withdrawn.
func (l *Ledger) board(p People) {
	l.Wait(24 * time.Hour)
	d, pack := l.File(p.Erin, "Firefox", "133.0", cab.Department, 6000)
	r := l.Submit(p.Erin, d, pack)
	l.Wait(3 * time.Hour)
	r = *l.Do(r.StartReview(l.Call(p.Carol), cab.Situation{LatestID: pack.ID})).Request
	r = *l.Vote(p.Carol, r, true, "in the pilot ring\nonly", `{"max_ring":"PILOT"}`).Request
	l.Wait(time.Hour)
	l.Do(r.Revoke(l.Call(p.Sam), "a flaw was published"))
	d, pack = l.File(p.Erin, "VLC", "3.0.20", cab.Canary, 7000)
	l.Vote(p.Chris, l.Submit(p.Erin, d, pack), false, "tests were not run", "")
	d, pack = l.File(p.Erin, "GIMP", "2.10", cab.Lab, 7100)
	r = l.Submit(p.Erin, d, pack)
	l.Do(r.Withdraw(l.Call(p.Erin), "wrong version"))
}

// excepted: high risks, with exceptions approved, rejected, revoked, expired.
func (l *Ledger) excepted(p People) {
	l.Wait(24 * time.Hour)
	d, pack := l.File(p.Erin, "Disk encryption", "2", cab.Global, 9000)
	r := l.Submit(p.Erin, d, pack)
	refused := l.AskException(p.Erin, d, r, 10)
	l.Do(refused.Reject(l.Call(p.Sam), r, nil, "no controls that hold"))
	granted := l.AskException(p.Erin, d, r, 10)
	change := l.Do(granted.Approve(l.Call(p.Sam), r, nil, "for ten days"))
	granted, r = *change.Exceptions[0], *change.Request
	l.Wait(2 * time.Hour)
	approved := *l.Vote(p.Carol, r, true, "as long as the exception", "", granted).Request
	l.Report(p.Pat, d, cab.DeploymentStarted, "")

	d, pack = l.File(p.Erin, "VPN client", "9", cab.Global, 9500)
	r = l.Submit(p.Erin, d, pack)
	revoked := l.AskException(p.Erin, d, r, 30)
	change = l.Do(revoked.Approve(l.Call(p.Sam), r, nil, "until the fix is out"))
	l.Do(change.Exceptions[0].Revoke(l.Call(p.Sam), "the fix is out"))
	waits := *change.Request

	l.Wait(4 * 24 * time.Hour)
	warned, _ := granted.Warn(l.Call(cab.Clock), approved, 0)
	l.Do(warned, nil)
	escalated, _ := waits.Escalate(l.Call(cab.Clock), 0)
	l.Do(escalated, nil)
	l.Wait(7 * 24 * time.Hour)
	expired, _ := granted.Expire(l.Call(cab.Clock))
	l.Do(expired, nil)
	ended, _ := approved.Expire(l.Call(cab.Clock), []cab.Exception{granted})
	l.Do(ended, nil)
}
