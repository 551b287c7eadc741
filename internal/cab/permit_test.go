package cab

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/evidence"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

// site is one deployment on its way, for drawn sequences of calls. What it has is
// read back from its events alone, as an auditor would.
type site struct {
	d       Deployment
	pack    *Package
	request *Request
	decided *Decision
	excepts []Exception
	permits []StartPermit
	facts   evidence.Facts
	rules   Policy
	version int // of the policy in force
	now     time.Time
	n       int
	events  []Event
}

func (s *site) id() string {
	s.n++
	return fmt.Sprintf("00000000-0000-7000-8000-%012x", s.n)
}

func (s *site) take(change Change, err error) bool {
	for _, e := range change.Events {
		text, failed := json.Marshal(e)
		if failed == nil {
			e = Event{}
			failed = json.Unmarshal(text, &e)
		}
		if failed != nil {
			panic(failed)
		}
		e.Seq = int64(len(s.events))
		s.events = append(s.events, e)
	}
	if change.Deployment != nil {
		s.d = *change.Deployment
	}
	if change.Package != nil {
		s.pack, s.request, s.decided, s.excepts = change.Package, nil, nil, nil
	}
	if change.Request != nil {
		s.request = change.Request
	}
	if change.Decision != nil {
		s.decided = change.Decision
	}
	for _, x := range change.Exceptions {
		s.excepts = slices.DeleteFunc(s.excepts, func(o Exception) bool { return o.ID == x.ID })
		s.excepts = append(s.excepts, *x)
	}
	if p := change.Permit; p != nil {
		s.permits = slices.DeleteFunc(s.permits, func(o StartPermit) bool { return o.ID == p.ID })
		s.permits = append(s.permits, *p)
	}
	return err == nil
}

// artifactOf is the digest of a package's artifact: each has its own.
func artifactOf(packageID string) string { return strings.Repeat("0", 52) + packageID[24:] }

func (s *site) grounds() Grounds {
	g := Grounds{
		Now: s.now, Deployment: s.d, Package: s.pack, Whole: true, Users: 50_000, Request: s.request, Decision: s.decided, Exceptions: s.excepts,
		Policy: Published{Version: fmt.Sprint(s.version), Digest: strings.Repeat("ab", 32)}, Rules: s.rules,
	}
	if s.pack != nil {
		g.Artifacts = []string{artifactOf(s.pack.ID)}
	}
	return g
}

func (s *site) file(by Call, score evidence.Score) {
	record := evidence.Record{ID: s.id(), Completeness: evidence.Completeness{Complete: true}, Assessment: evidence.Assessment{ModelVersion: "1.0", Score: score}}
	s.take(NewPackage(by, s.d, record, nil, evidence.Digest([]byte(record.ID))))
}

func (s *site) submit(by Call) {
	if s.pack == nil || s.request != nil {
		return
	}
	s.take(Submit(by, Submission{
		ID: s.id(), Deployment: s.d, Package: *s.pack, Score: s.pack.Score, Model: "1.0", Complete: evidence.Completeness{Complete: true},
		LatestID: s.pack.ID, Facts: s.facts, Policy: s.rules, Urgency: Standard,
	}))
}

// TestNoPermitWithoutADecision draws any sequence of calls, with clocks that jump, and
// holds what came of them against the events: no permit without a decision that was
// good at that moment (or a risk that may be tried ahead of it), and none redeemed
// that was not.
func TestNoPermitWithoutADecision(t *testing.T) {
	issued, begun, ahead, void := 0, 0, 0, 0
	good := submission(t, 0)
	rapid.Check(t, func(rt *rapid.T) {
		s := &site{now: noon, facts: good.Facts, rules: good.Policy, version: 1}
		s.take(NewDeployment(Call{Actor: erin, Now: s.now}, s.id(), s.id(), "app", "1", rapid.SampledFrom(Rings()).Draw(rt, "target")))
		for range rapid.IntRange(5, 60).Draw(rt, "steps") {
			s.step(rt)
		}
		for i, e := range s.events {
			switch p := e.Data.Permit; {
			case e.Type == PermitIssued:
				issued++
				if p.AheadOfCAB {
					ahead++
				}
				justified(rt, s.events[:i], *p, e.Time)
			case e.Type == DeploymentStarted:
				begun++
				if p == nil {
					rt.Fatal("begun without a permit")
				}
				justified(rt, s.events[:i], *p, e.Time)
				redeemable(rt, s.events[:i], *p, e.Time)
			case e.Type == PermitVoided:
				void++
			}
		}
		if _, err := trail(s.events); err != nil {
			rt.Fatalf("an auditor says: %v", err)
		}
	})
	t.Logf("%d permits, %d ahead of CAB, %d begun, %d void", issued, ahead, begun, void)
	if issued == 0 || begun == 0 || ahead == 0 || void == 0 {
		t.Error("some of it was never tried")
	}
}

// step is one call, by whoever may, most of the time.
func (s *site) step(t *rapid.T) {
	by := func(a Actor) Call { return Call{Actor: a, Now: s.now} }
	situation := Situation{Exceptions: s.excepts}
	if s.pack != nil {
		situation.LatestID = s.pack.ID
	}
	switch act := rapid.IntRange(0, 19).Draw(t, "act"); {
	case act == 0 || s.pack == nil:
		s.file(by(erin), rapid.SampledFrom([]evidence.Score{1000, 6000, 6000, 9000}).Draw(t, "score"))
		s.submit(by(erin))
	case act == 1:
		s.now = s.now.Add(time.Duration(rapid.SampledFrom([]int{-30, 1, 5, 14, 15, 16, 60, 60 * 24 * 5, 60 * 24 * 91}).Draw(t, "minutes")) * time.Minute)
	case act == 2 && s.request != nil:
		s.take(s.request.Revoke(by(sam), "over"))
	case act == 3 && s.request != nil:
		s.take(s.request.CastVote(by(carol), situation, false, "no", nil))
	case act <= 6 && s.request != nil:
		conditions := rapid.SampledFrom([]string{"", `{"max_ring":"CANARY"}`, `{"monitor_hours":1}`}).Draw(t, "conditions")
		var stated jsontext.Value
		if conditions != "" {
			stated = jsontext.Value(conditions)
		}
		s.take(s.request.CastVote(by(chris), situation, true, "yes", stated))
	case act == 7 && s.request != nil:
		s.except(t, by)
	case act == 8:
		s.version += rapid.IntRange(0, 1).Draw(t, "policy")
	case act <= 11:
		s.report(t, by(pat))
	case act <= 15:
		change, err := s.grounds().IssuePermit(by(pat), s.id(), s.draw(t), time.Duration(rapid.IntRange(0, 16).Draw(t, "life"))*time.Minute)
		s.take(change, err)
	case len(s.permits) > 0:
		p := rapid.SampledFrom(s.permits).Draw(t, "permit")
		present := p.Rollout()
		if rapid.IntRange(0, 4).Draw(t, "swap") == 0 {
			present = s.draw(t)
		}
		s.take(p.Redeem(by(pat), s.grounds(), present))
	}
}

// draw is a rollout, mostly the one that comes next.
func (s *site) draw(t *rapid.T) Rollout {
	r := Rollout{Ring: Lab, Artifact: artifactOf(s.pack.ID), Devices: 5}
	for _, p := range s.d.Rings {
		if i := slices.Index(Rings(), p.Ring); p.State == Completed && i+1 < len(Rings()) {
			r.Ring = Rings()[i+1]
		}
	}
	switch rapid.IntRange(0, 9).Draw(t, "otherwise") {
	case 0:
		r.Ring = rapid.SampledFrom(Rings()).Draw(t, "ring")
	case 1:
		r.Artifact = otherArtifact
	case 2:
		r.Devices = 11
	}
	return r
}

func (s *site) report(t *rapid.T, call Call) {
	said := Reported{Kind: rapid.SampledFrom([]EventType{DeploymentCompleted, DeploymentCompleted, DeploymentCompleted, DeploymentFailed, RollbackStarted, RollbackCompleted, DeploymentStarted}).Draw(t, "kind")}
	standing := Stand(s.now, s.pack.ID, s.request, s.excepts)
	standing.ByPermit = true // as under a policy that wants permits
	if rapid.IntRange(0, 3).Draw(t, "counts") > 0 {
		failed, succeeded := rapid.IntRange(0, 1).Draw(t, "failed"), 4
		said.Failed, said.Succeeded = &failed, &succeeded
	}
	said.Incident = rapid.IntRange(0, 15).Draw(t, "incident") == 0
	s.take(s.d.Report(call, said, standing))
}

func (s *site) except(t *rapid.T, by func(Actor) Call) {
	if len(s.excepts) > 0 && rapid.IntRange(0, 2).Draw(t, "end") == 0 {
		s.take(s.excepts[len(s.excepts)-1].Revoke(by(sam), "over"))
		return
	}
	asked, err := RequestException(by(erin), ExceptionAsk{
		ID: s.id(), Request: s.request, Intent: s.d, Others: s.excepts, Policy: s.rules, Reason: "r", Justification: "j", Controls: []string{"c"},
	})
	if s.take(asked, err) {
		s.take(asked.Exceptions[0].Approve(by(sam), *s.request, nil, "ok"))
	}
}

// justified: what the events say up to a moment lets the rollout of a permit begin.
func justified(t *rapid.T, events []Event, p StartPermit, at time.Time) {
	newest, status, rings := "", map[string]Request{}, map[Ring]RingProgress{}
	decided := map[string]Decision{}
	exceptions := map[string]Exception{}
	for _, e := range events {
		d := e.Data
		if d.Package != nil {
			newest = d.Package.ID
		}
		if d.Request != nil {
			status[d.Request.ID] = *d.Request
		}
		if d.Decision != nil {
			decided[d.Decision.RequestID] = *d.Decision
		}
		if d.Exception != nil {
			exceptions[d.Exception.ID] = *d.Exception
		}
		if d.Deployment != nil {
			for _, ring := range d.Deployment.Rings {
				rings[ring.Ring] = ring
			}
		}
	}
	require := func(ok bool, what string) {
		if !ok {
			t.Fatalf("at %s: %s: %+v", at, what, p)
		}
	}
	r := status[p.RequestID]
	require(p.PackageID == newest && r.PackageID == newest, "not the newest evidence")
	require(p.Artifact == artifactOf(newest), "not the artifact of the evidence")
	if r.Score > 7500 {
		x := exceptions[r.ExceptionID]
		require(x.Status == ExceptionGranted && at.Before(x.ExpiresAt), "no exception in force")
	}
	if p.AheadOfCAB && r.Status.Open() {
		require(p.Ring == Lab || p.Ring == Canary, "beyond CANARY before the decision")
	} else {
		require(r.Status.Approved() && decided[r.ID].Decision.Approved() && at.Before(decided[r.ID].ValidUntil), "no decision that is good")
		require(!strings.Contains(string(decided[r.ID].Conditions), `"CANARY"`) || p.Ring == Lab || p.Ring == Canary, "beyond the condition")
	}
	for _, ring := range Rings()[:slices.Index(Rings(), p.Ring)] {
		before := rings[ring]
		require(before.PackageID == newest && before.State == Completed && !before.Incident && before.Failed == 0 && before.Succeeded > 0, "the ring "+string(ring)+" was not promoted")
	}
}

// redeemable: the permit was issued, in its time, and not redeemed or void before.
func redeemable(t *rapid.T, events []Event, p StartPermit, at time.Time) {
	seen := 0
	for _, e := range events {
		if e.Data.Permit != nil && e.Data.Permit.ID == p.ID {
			seen++
			before := *e.Data.Permit
			if e.Type != PermitIssued || at.Before(before.IssuedAt) || !at.Before(before.ExpiresAt) || before.ExpiresAt.Sub(before.IssuedAt) > PermitLife {
				t.Fatalf("redeemed at %s after %s: %+v", at, e.Type, before)
			}
		}
	}
	if seen != 1 {
		t.Fatalf("redeemed after %d events about it: %+v", seen, p)
	}
}

// TestRedemption: what is refused, how, and what it leaves behind.
func TestRedemption(t *testing.T) {
	for _, c := range []struct {
		name string
		with func(*Call, *StartPermit, *Grounds, *Rollout)
		code string
		void bool
	}{
		{"as it should be", func(*Call, *StartPermit, *Grounds, *Rollout) {}, "", false},
		{"fewer devices", func(_ *Call, _ *StartPermit, _ *Grounds, r *Rollout) { r.Devices = 1 }, "", false},
		{"more devices", func(_ *Call, _ *StartPermit, _ *Grounds, r *Rollout) { r.Devices++ }, "PERMIT_MISMATCH", false},
		{"another artifact", func(_ *Call, _ *StartPermit, _ *Grounds, r *Rollout) { r.Artifact = otherArtifact }, "PERMIT_MISMATCH", false},
		{"another ring", func(_ *Call, _ *StartPermit, _ *Grounds, r *Rollout) { r.Ring = Lab }, "PERMIT_MISMATCH", false},
		{"at its last moment", func(c *Call, p *StartPermit, _ *Grounds, _ *Rollout) { c.Now = p.ExpiresAt.Add(-time.Microsecond) }, "", false},
		{"too late", func(c *Call, p *StartPermit, _ *Grounds, _ *Rollout) { c.Now = p.ExpiresAt }, "PERMIT_EXPIRED", false},
		{"before it was given", func(c *Call, _ *StartPermit, _ *Grounds, _ *Rollout) { c.Now = c.Now.Add(-time.Second) }, "PERMIT_NOT_YET_VALID", false},
		{"again", func(_ *Call, p *StartPermit, _ *Grounds, _ *Rollout) { p.State = PermitRedeemed }, "PERMIT_REDEEMED", false},
		{"void", func(_ *Call, p *StartPermit, _ *Grounds, _ *Rollout) { p.State = PermitVoid }, "PERMIT_VOID", false},
		{"in no state", func(_ *Call, p *StartPermit, _ *Grounds, _ *Rollout) { p.State = "" }, "PERMIT_VOID", false},
		{"by somebody else", func(c *Call, _ *StartPermit, _ *Grounds, _ *Rollout) { c.Actor = carol }, "FORBIDDEN", false},
		{"revoked", func(_ *Call, _ *StartPermit, g *Grounds, _ *Rollout) {
			request(func(r *Request) { r.Status = Revoked })(g, nil)
		}, "GATE_CLOSED", true},
		{"exception over", func(_ *Call, _ *StartPermit, g *Grounds, _ *Rollout) { g.Exceptions = nil }, "GATE_CLOSED", true},
		{"newer evidence", func(_ *Call, _ *StartPermit, g *Grounds, _ *Rollout) {
			g.Package = &Package{ID: "newer", ContentHash: g.Package.ContentHash}
		}, "GATE_CLOSED", true},
		{"another policy", func(_ *Call, _ *StartPermit, g *Grounds, _ *Rollout) { g.Policy.Digest = "x" }, "GATE_CLOSED", true},
		{"another decision", func(_ *Call, _ *StartPermit, g *Grounds, _ *Rollout) {
			decision(func(d *Decision) { d.Rationale = "x" })(g, nil)
		}, "GATE_CLOSED", true},
		{"another deployment", func(_ *Call, _ *StartPermit, g *Grounds, _ *Rollout) { g.Deployment.ID = "x" }, "GATE_CLOSED", true},
	} {
		g, r := openGrounds()
		call := callBy(pat)
		given, err := g.IssuePermit(call, "permit", r, 5*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		p := *given.Permit
		c.with(&call, &p, &g, &r)
		change, err := p.Redeem(call, g, r)
		if CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %q", c.name, err, c.code)
			continue
		}
		switch {
		case c.code == "":
			if change.Deployment.Rings[2].PermitID != "permit" || change.Deployment.State != Started || change.Permit.State != PermitRedeemed || change.Events[0].Type != DeploymentStarted {
				t.Errorf("%s: %+v", c.name, change)
			}
		case c.void != (len(change.Events) == 1 && change.Events[0].Type == PermitVoided && change.Permit.State == PermitVoid && change.Deployment == nil && change.Events[0].Actor == Guard):
			t.Errorf("%s: %+v", c.name, change)
		}
	}
	g, r := openGrounds()
	if _, err := g.IssuePermit(callBy(carol), "p", r, 0); CodeOf(err) != "FORBIDDEN" {
		t.Errorf("a permit for a CAB member: %v", err)
	}
	for _, life := range []time.Duration{time.Second, 16 * time.Minute, -time.Minute} {
		if _, err := g.IssuePermit(callBy(pat), "p", r, life); KindOf(err) != Invalid {
			t.Errorf("for %s: %v", life, err)
		}
	}
	soon := request(func(r *Request) { r.ValidUntil = noon.Add(time.Minute) })
	soon(&g, nil)
	decision(func(d *Decision) { d.ValidUntil = noon.Add(time.Minute) })(&g, nil)
	change, err := g.IssuePermit(callBy(pat), "p", r, 0)
	if err != nil || !change.Permit.ExpiresAt.Equal(noon.Add(time.Minute)) {
		t.Errorf("a permit outlives its approval: %+v, %v", change.Permit, err)
	}
	for name, with := range map[string]func(*Grounds, *Rollout){
		"not_after": conditions(`{"not_after":"2026-11-24T12:03:00Z"}`),
		"a blackout begins": func(g *Grounds, _ *Rollout) {
			g.Rules.Blackouts = []Blackout{{"x", noon.Add(3 * time.Minute), noon.Add(time.Hour)}}
		},
		"its exception is over": func(g *Grounds, _ *Rollout) {
			x := g.Exceptions[0]
			x.ExpiresAt = noon.Add(3 * time.Minute)
			g.Exceptions = []Exception{x}
		},
	} {
		g, r := openGrounds()
		with(&g, &r)
		change, err := g.IssuePermit(callBy(pat), "p", r, 0)
		if err != nil || !change.Permit.ExpiresAt.Equal(noon.Add(3*time.Minute)) {
			t.Errorf("%s: %+v, %v", name, change.Permit, err)
		}
	}
}

// FuzzConditions: whatever is stored as conditions is judged, and never met unless it
// would be taken from a board.
func FuzzConditions(f *testing.F) {
	for _, seed := range []string{`{"max_ring":"PILOT"}`, `{"window":{"days":["SAT"],"from":"23:00","to":"04:00","time_zone":"Europe/Berlin"}}`, `{"requires_check":["a"]}`, `{"note":"x","note":"y"}`, `[`, `{"max_devices":1e309}`, ``, `null`} {
		f.Add([]byte(seed))
	}
	g, r := openGrounds()
	f.Fuzz(func(t *testing.T, text []byte) {
		judged, err := judgeConditions(text, g, r)
		if err != nil || CheckConditions(text) == nil {
			return
		}
		if !slices.ContainsFunc(judged, func(c Condition) bool { return c.State != ConditionMet }) {
			t.Errorf("%q: %+v", text, judged)
		}
	})
}
