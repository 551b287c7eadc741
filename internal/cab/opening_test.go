package cab

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

var (
	approvedArtifact = strings.Repeat("0a", 32)
	otherArtifact    = strings.Repeat("0b", 32)
	pat              = actor(Publisher, "pat")
)

// openGrounds is a deployment to GLOBAL whose LAB and CANARY are completed, approved
// by the board on an exception, and a rollout to PILOT that may begin.
func openGrounds() (Grounds, Rollout) {
	pack := &Package{ID: "pkg", DeploymentID: "dep", CorrelationID: "corr", ContentHash: strings.Repeat("cd", 32)}
	reviewer := sam.Person()
	exception := Exception{
		ID: "exc", Name: "EXC-1", RequestID: "req", Status: ExceptionGranted, Approver: &reviewer, ExpiresAt: noon.Add(days(10)),
	}
	r := requestIn(ConditionallyApp)
	r.ID, r.PackageID, r.ContentHash, r.ValidUntil = "req", pack.ID, pack.ContentHash, noon.Add(days(10))
	r.Gate.Decision, r.ExceptionID = GateException, exception.ID
	done := func(ring Ring, devices int) RingProgress {
		return RingProgress{
			Ring: ring, State: Completed, PackageID: pack.ID, PermitID: "p", Devices: devices, Succeeded: devices,
			StartedAt: noon.Add(-50 * time.Hour), EndedAt: noon.Add(-49 * time.Hour),
		}
	}
	g := Grounds{
		Now: noon, Package: pack, Whole: true, Artifacts: []string{approvedArtifact}, Users: 5000, Request: &r,
		Decision: &Decision{
			RequestID: r.ID, Decision: r.Status, ContentHash: r.ContentHash, ValidUntil: r.ValidUntil,
			Conditions: jsontext.Value(`{"max_ring":"PILOT"}`),
		},
		Exceptions: []Exception{exception},
		Deployment: Deployment{
			ID: "dep", CorrelationID: "corr", TargetRing: Global, State: Completed, Revision: 7,
			Rings: []RingProgress{done(Lab, 10), done(Canary, 100)},
		},
		Policy: Published{Version: "1", Digest: strings.Repeat("ef", 32)}, Rules: Policy{RequireWitnessed: true}, Witnessed: true,
	}
	return g, Rollout{Ring: Pilot, Artifact: approvedArtifact, Devices: 1000}
}

// breach is one thing wrong, and the reason that it closes the gate for.
type breach struct {
	name, code string
	with       func(*Grounds, *Rollout)
	hides      []string // codes that nobody can tell any more when this is wrong too
}

// undo are pairs of which the second takes the first back: they change one thing.
var undo = [][2]string{
	{"no artifact", "another artifact"}, {"the artifact in capitals", "another artifact"}, {"conditional without conditions", "condition not met"},
	{"conditional without conditions", "a condition of old"}, {"conditional without conditions", "conditions that are no object"},
}

func request(change func(*Request)) func(*Grounds, *Rollout) {
	return func(g *Grounds, _ *Rollout) {
		r := *g.Request
		change(&r)
		g.Request = &r
	}
}

func decision(change func(*Decision)) func(*Grounds, *Rollout) {
	return func(g *Grounds, _ *Rollout) {
		d := *g.Decision
		change(&d)
		g.Decision = &d
	}
}

func ring(i int, change func(*RingProgress)) func(*Grounds, *Rollout) {
	return func(g *Grounds, _ *Rollout) {
		g.Deployment.Rings = slices.Clone(g.Deployment.Rings)
		change(&g.Deployment.Rings[i])
	}
}

func conditions(text string) func(*Grounds, *Rollout) {
	return decision(func(d *Decision) { d.Conditions = jsontext.Value(text) })
}

// ended are the codes that rest on a decision: where there is none, they say nothing.
var ended = []string{ApprovalOver, ExceptionEnded, DecisionDiffers, ConditionNotMet, ConditionNotRead}

func breaches() []breach {
	noApproval := append([]string{AwaitsException, AwaitsDecision, NotApproved, ApprovalRevokedR, NotSubmitted}, ended...)
	status := func(s Status) func(*Grounds, *Rollout) { return request(func(r *Request) { r.Status = s }) }
	unread := []string{ConditionNotMet, ConditionNotRead}
	return []breach{
		{"no artifact", ArtifactUnknown, func(_ *Grounds, r *Rollout) { r.Artifact = "" }, []string{ArtifactDiffers}},
		{"the artifact in capitals", ArtifactUnknown, func(_ *Grounds, r *Rollout) { r.Artifact = strings.ToUpper(r.Artifact) }, []string{ArtifactDiffers}},
		{"another artifact", ArtifactDiffers, func(_ *Grounds, r *Rollout) { r.Artifact = otherArtifact }, nil},
		{"an artifact without a digest", ArtifactUnknown, func(g *Grounds, _ *Rollout) { g.Artifacts = nil }, []string{ArtifactDiffers}},
		{"not whole", EvidenceNotWhole, func(g *Grounds, _ *Rollout) { g.Whole = false }, nil},
		{"not submitted", NotSubmitted, func(g *Grounds, _ *Rollout) { g.Request, g.Decision = nil, nil }, noApproval},
		{"waits for an exception", AwaitsException, status(NeedsException), noApproval},
		{"under review", AwaitsDecision, status(UnderReview), noApproval},
		{"submitted", AwaitsDecision, status(Submitted), noApproval},
		{"rejected", NotApproved, status(RejectedByCAB), noApproval},
		{"withdrawn", NotApproved, status(Withdrawn), noApproval},
		{"no status", NotApproved, status(""), noApproval},
		{"revoked", ApprovalRevokedR, status(Revoked), noApproval},
		{"approval over", ApprovalOver, func(g *Grounds, r *Rollout) {
			request(func(r *Request) { r.ValidUntil = noon })(g, r)
			decision(func(d *Decision) { d.ValidUntil = noon })(g, r)
		}, nil},
		{"exception over", ExceptionEnded, func(g *Grounds, _ *Rollout) {
			x := g.Exceptions[0]
			x.ExpiresAt = noon
			g.Exceptions = []Exception{x}
		}, []string{AwaitsDecision}},
		{"exception revoked", ExceptionEnded, func(g *Grounds, _ *Rollout) {
			x := g.Exceptions[0]
			x.Status = ExceptionWithdrawn
			g.Exceptions = []Exception{x}
		}, []string{AwaitsDecision}},
		{"exception gone", ExceptionEnded, func(g *Grounds, _ *Rollout) { g.Exceptions = nil }, []string{AwaitsDecision}},
		{"no decision", DecisionDiffers, func(g *Grounds, _ *Rollout) { g.Decision = nil }, unread},
		{"a request about other evidence", DecisionDiffers, request(func(r *Request) { r.PackageID = "other" }), unread},
		{"a decision on another document", DecisionDiffers, decision(func(d *Decision) { d.ContentHash = "x" }), unread},
		{"another decision than the status", DecisionDiffers, decision(func(d *Decision) { d.Decision = RejectedByCAB }), unread},
		{"conditional without conditions", DecisionDiffers, decision(func(d *Decision) { d.Conditions = nil }), unread},
		{"condition not met", ConditionNotMet, conditions(`{"max_ring":"LAB"}`), []string{ConditionNotRead}},
		{"a condition of old", ConditionNotRead, conditions(`{"be careful":true}`), []string{ConditionNotMet}},
		{"conditions that are no object", ConditionNotRead, conditions(`[1]`), []string{ConditionNotMet}},
		{"beyond the target", ScopeChange, func(g *Grounds, _ *Rollout) { g.Deployment.TargetRing = Canary }, nil},
		{"beyond the ring", ScopeChange, func(_ *Grounds, r *Rollout) { r.Devices = 1001 }, nil},
		{"beyond what was scored", ScopeChange, func(g *Grounds, _ *Rollout) { g.Users = 999 }, nil},
		{"nobody affected", ScopeChange, func(g *Grounds, _ *Rollout) { g.Users = 0 }, nil},
		{"not known how many", ScopeChange, func(g *Grounds, _ *Rollout) { g.Users = -1 }, nil},
		{"the ring before left out", RingNotReady, func(g *Grounds, _ *Rollout) { g.Deployment.Rings = g.Deployment.Rings[:1] }, []string{RingNotPromoted, RingIncident}},
		{"the ring before failed", RingNotReady, ring(1, func(p *RingProgress) { p.State = Failed }), []string{RingNotPromoted}},
		{"the ring before with earlier evidence", RingNotReady, ring(1, func(p *RingProgress) { p.PackageID = "old" }), []string{RingNotPromoted, RingIncident}},
		{"the first ring rolled back", RingNotReady, ring(0, func(p *RingProgress) { p.State = RolledBack }), nil},
		{"too few succeeded", RingNotPromoted, ring(1, func(p *RingProgress) { p.Succeeded, p.Failed = 97, 3 }), nil},
		{"no counts", RingNotPromoted, ring(1, func(p *RingProgress) { p.Succeeded = 0 }), nil},
		{"incident", RingIncident, ring(1, func(p *RingProgress) { p.Incident = true }), nil},
		{"begun already", RingBusy, func(g *Grounds, _ *Rollout) { g.begun(Started) }, []string{RingDone}},
		{"being rolled back", RingBusy, func(g *Grounds, _ *Rollout) { g.begun(RollbackInitiated) }, []string{RingDone}},
		{"done already", RingDone, func(g *Grounds, _ *Rollout) { g.begun(Completed) }, []string{RingBusy}},
		{"blackout", InBlackout, func(g *Grounds, _ *Rollout) {
			g.Rules.Blackouts = []Blackout{{"year's end", noon.Add(-time.Hour), noon.Add(time.Second)}}
		}, nil},
		{"not witnessed", NotWitnessed, func(g *Grounds, _ *Rollout) { g.Witnessed = false }, nil},
	}
}

func (g *Grounds) begun(state DeploymentState) {
	g.Deployment.Rings = append(slices.Clone(g.Deployment.Rings), RingProgress{Ring: Pilot, State: state, PackageID: g.packageID(), Devices: 1})
}

func codes(o Opening) []string {
	var all []string
	for _, r := range o.Reasons {
		if !slices.Contains(all, r.Code) {
			all = append(all, r.Code)
		}
	}
	return all
}

// TestEveryReasonAlone: one thing wrong closes the gate, for that reason and no other.
func TestEveryReasonAlone(t *testing.T) {
	g, r := openGrounds()
	if open := g.Open(r); !open.Open || len(open.Reasons) > 0 || open.AheadOfCAB || len(open.Conditions) != 1 || open.Conditions[0].State != ConditionMet {
		t.Fatalf("nothing is wrong: %+v", open)
	}
	seen := map[string]bool{}
	for _, b := range breaches() {
		g, r := openGrounds()
		b.with(&g, &r)
		open := g.Open(r)
		if got := codes(open); open.Open || !slices.Equal(got, []string{b.code}) {
			t.Errorf("%s: open %t, %v, want %s", b.name, open.Open, got, b.code)
		}
		if _, err := g.IssuePermit(callBy(pat), "p", r, 0); CodeOf(err) != "GATE_CLOSED" && (b.code != ScopeChange || CodeOf(err) != ScopeChange) {
			t.Errorf("%s: a permit: %v", b.name, err)
		}
		seen[b.code] = true
	}
	g, r = openGrounds()
	g.Package, g.Request, g.Decision = nil, nil, nil
	if got := codes(g.Open(r)); !slices.Contains(got, NoEvidence) {
		t.Errorf("without evidence: %v", got)
	}
	for _, bad := range []Rollout{{Ring: "", Artifact: approvedArtifact, Devices: 1}, {Ring: "EVERYWHERE", Artifact: approvedArtifact, Devices: 1}} {
		g, _ := openGrounds()
		if got := codes(g.Open(bad)); !slices.Contains(got, RingUnknown) {
			t.Errorf("ring %q: %v", bad.Ring, got)
		}
	}
	for _, n := range []int{0, -1, MaxDevices + 1} {
		g, r := openGrounds()
		r.Devices = n
		if got := codes(g.Open(r)); !slices.Contains(got, DevicesUnknown) {
			t.Errorf("%d devices: %v", n, got)
		}
	}
	for _, code := range ReasonCodes() {
		if !seen[code] && !slices.Contains([]string{NoEvidence, RingUnknown, DevicesUnknown, PermitOutdated}, code) {
			t.Errorf("nothing here closes the gate for %s", code)
		}
	}
}

// TestReasonsInPairs: of two things that are wrong both are said, unless the one
// leaves nobody able to tell the other.
func TestReasonsInPairs(t *testing.T) {
	all := breaches()
	for i, a := range all {
		for _, b := range all[i+1:] {
			g, r := openGrounds()
			a.with(&g, &r)
			if g.Request == nil && slices.Contains(append(ended, AwaitsException, AwaitsDecision, NotApproved, ApprovalRevokedR), b.code) ||
				g.Decision == nil && slices.Contains([]string{DecisionDiffers, ConditionNotMet, ConditionNotRead, ApprovalOver}, b.code) {
				continue // there is nothing left to be wrong
			}
			if len(g.Exceptions) == 0 && b.code == ExceptionEnded || len(g.Deployment.Rings) < 2 && slices.Contains([]string{RingNotReady, RingNotPromoted, RingIncident}, b.code) {
				continue
			}
			if slices.Contains(undo, [2]string{a.name, b.name}) {
				continue
			}
			b.with(&g, &r)
			open := g.Open(r)
			got := codes(open)
			if open.Open || len(got) == 0 {
				t.Fatalf("%s and %s: open", a.name, b.name)
			}
			for _, one := range []struct{ this, other breach }{{a, b}, {b, a}} {
				if !slices.Contains(got, one.this.code) && !slices.Contains(one.other.hides, one.this.code) {
					t.Errorf("%s and %s: %v, and not %s", a.name, b.name, got, one.this.code)
				}
			}
		}
	}
}

// TestZeroGroundsAreClosed: what nobody filled in opens nothing.
func TestZeroGroundsAreClosed(t *testing.T) {
	for _, r := range []Rollout{{}, {Ring: Lab, Artifact: approvedArtifact, Devices: 1, NoteRead: true}} {
		if (Grounds{}).Open(r).Open {
			t.Errorf("open for %+v", r)
		}
	}
}

// TestAheadOfCAB: what may be tried before the board has decided, and what not.
func TestAheadOfCAB(t *testing.T) {
	for _, c := range []struct {
		name string
		ring Ring
		with func(*Grounds)
		open bool
	}{
		{"LAB", Lab, func(*Grounds) {}, true},
		{"CANARY", Canary, func(g *Grounds) { g.lab() }, true},
		{"PILOT", Pilot, func(g *Grounds) {
			g.lab()
			canary := g.Deployment.Rings[0]
			canary.Ring = Canary
			g.Deployment.Rings = append(g.Deployment.Rings, canary)
		}, false},
		{"CANARY before LAB", Canary, func(*Grounds) {}, false},
		{"under review", Lab, func(g *Grounds) { g.Request.Status = UnderReview }, true},
		{"a vote's condition is met", Lab, func(g *Grounds) { g.Votes = []Vote{{Approve: true, Conditions: []byte(`{"max_ring":"LAB"}`)}} }, true},
		{"a vote's condition is not met", Lab, func(g *Grounds) {
			g.Votes = []Vote{{Approve: true, Conditions: []byte(`{"not_before":"2027-01-01T00:00:00Z"}`)}}
		}, false},
		{"votes that contradict", Lab, func(g *Grounds) {
			g.Votes = []Vote{{Approve: true, Conditions: []byte(`{"max_ring":"LAB"}`)}, {Approve: true, Conditions: []byte(`{"max_ring":"PILOT"}`)}}
		}, false},
		{"rejected", Lab, func(g *Grounds) { g.Request.Status = RejectedByCAB }, false},
		{"withdrawn", Lab, func(g *Grounds) { g.Request.Status = Withdrawn }, false},
		{"a guard fired", Lab, func(g *Grounds) { g.Request.Gate.Guards = []string{"privileged"} }, false},
		{"waits for witnesses", Lab, func(g *Grounds) { g.Request.Gate = Gate{Decision: GateAuto, WaitsFor: ForWitnesses} }, false},
		{"no gate", Lab, func(g *Grounds) { g.Request.Gate = Gate{} }, false},
		{"an exception is needed", Lab, func(g *Grounds) {
			g.Request.Status, g.Request.Gate.Decision, g.Request.ExceptionID = NeedsException, GateException, ""
		}, false},
		{"an exception is in force", Lab, func(g *Grounds) { g.Request.Status, g.Request.Gate.Decision = UnderReview, GateException }, true},
		{"its exception is over", Lab, func(g *Grounds) {
			g.Request.Status, g.Request.Gate.Decision = UnderReview, GateException
			g.Now = g.Exceptions[0].ExpiresAt
		}, false},
		{"not whole", Lab, func(g *Grounds) { g.Whole = false }, false},
		{"newer evidence", Lab, func(g *Grounds) { g.Request = nil }, false},
		{"about other evidence", Lab, func(g *Grounds) { g.Request.PackageID = "other" }, false},
		{"about another document", Lab, func(g *Grounds) { g.Request.ContentHash = "other" }, false},
	} {
		g, _ := openGrounds()
		r := *g.Request
		r.Status, r.ValidUntil, r.Gate = Submitted, time.Time{}, Gate{Decision: GateReview}
		g.Request, g.Decision, g.Deployment.Rings = &r, nil, nil
		c.with(&g)
		open := g.Open(Rollout{Ring: c.ring, Artifact: approvedArtifact, Devices: 10})
		if open.Open != c.open || c.open && !open.AheadOfCAB {
			t.Errorf("%s: %+v", c.name, open)
		}
	}
}

func (g *Grounds) lab() {
	g.Deployment.Rings = []RingProgress{{Ring: Lab, State: Completed, PackageID: g.packageID(), Devices: 10, Succeeded: 10, EndedAt: noon}}
}

// TestPromotion: rates are whole numbers, and nothing is rounded.
func TestPromotion(t *testing.T) {
	for _, c := range []struct {
		ring      Ring
		succeeded int
		failed    int
		want      bool
	}{
		{Lab, 19, 1, true}, {Lab, 18, 1, false}, {Lab, 0, 0, false}, {Lab, 1, 0, true}, {Canary, 98, 2, true}, {Canary, 97, 2, false},
		{Pilot, 970, 30, true}, {Pilot, 969, 31, false}, {Department, 9900, 100, true}, {Department, 9899, 101, false},
		{Global, 99_000, 1000, true}, {Global, 98_999, 1001, false}, {"NOWHERE", 0, 0, false},
	} {
		if got := (RingProgress{Ring: c.ring, Succeeded: c.succeeded, Failed: c.failed}).promoted(); got != c.want {
			t.Errorf("%s with %d and %d: %t", c.ring, c.succeeded, c.failed, got)
		}
	}
	if (RingProgress{Ring: Lab, Devices: 10, Succeeded: 9}).promoted() {
		t.Error("nobody knows of one of ten")
	}
}
