package cab

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/evidence"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the goldens")

// golden compares text with testdata/name.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func actor(role Role, name string) Actor { return Actor{ID: "id-" + name, Name: name, Role: role} }

func callBy(a Actor) Call {
	return Call{Actor: a, Source: Source{Address: "192.0.2.1"}, Now: noon}
}

// The people of the tests.
var (
	erin  = actor(PackagingEngineer, "erin") // the engineer of every request here
	carol = actor(CABMember, "carol")
	chris = actor(CABMember, "chris")
	sam   = actor(SecurityReviewer, "sam")
)

func requestIn(status Status) Request {
	r := Request{
		ID: "01900000-0000-7000-8000-0a1b2c3d4e5f", Name: "CAB-0A1B2C3D4E5F", CorrelationID: "corr", DeploymentID: "dep",
		PackageID: "pkg", PackageOwner: erin.ID, IntentOwner: erin.ID, ContentHash: strings.Repeat("a", 64),
		Score: 6000, ModelVersion: "1.0", PolicyVersion: "1.0", Gate: Gate{Decision: GateReview, Guards: []string{}},
		Quorum: 1, ApprovalDays: 90, Status: status, Urgency: Standard,
		SubmittedBy: erin.Person(), SubmittedAt: noon, DueAt: noon.Add(48 * time.Hour), Revision: 1,
	}
	if status == NeedsException {
		r.Gate.Decision = GateException
	}
	return r
}

// acts is every act on a request as a function, for the exhaustive tables.
var acts = map[Act]func(r Request, call Call) (Change, error){
	ActReview: func(r Request, call Call) (Change, error) { return r.StartReview(call, Situation{LatestID: "pkg"}) },
	ActApprove: func(r Request, call Call) (Change, error) {
		return r.CastVote(call, Situation{LatestID: "pkg"}, true, "looks right", nil)
	},
	ActReject: func(r Request, call Call) (Change, error) {
		return r.CastVote(call, Situation{LatestID: "pkg"}, false, "no", nil)
	},
	ActWithdraw: func(r Request, call Call) (Change, error) { return r.Withdraw(call, "changed our mind") },
	ActRevoke:   func(r Request, call Call) (Change, error) { return r.Revoke(call, "vulnerable") },
	ActExcept: func(r Request, call Call) (Change, error) {
		return pendingException().Approve(call, r, nil, "accepted")
	},
}

func pendingException() Exception {
	return Exception{
		ID: "exc", Name: "EXC-1", CorrelationID: "corr", DeploymentID: "dep", RequestID: "01900000", SubmitterID: erin.ID,
		Reason: "r", Justification: "j", Controls: []string{"c"}, Requester: erin.Person(),
		RequestedAt: noon, ExpiresAt: noon.Add(days(30)), Status: ExceptionPending, Revision: 1,
	}
}

// TestDecisionTable prints, for every status, act, role and relation to the
// request, what happens. The golden is the table to read.
func TestDecisionTable(t *testing.T) {
	var text strings.Builder
	fmt.Fprintf(&text, "%-19s %-19s %-19s %-6s outcome\n", "status", "act", "role", "whose")
	for _, status := range Statuses() {
		for _, act := range Acts() {
			for _, role := range Roles() {
				for _, whose := range []string{"own", "other"} {
					who := actor(role, "someone")
					if whose == "own" {
						who = Actor{ID: erin.ID, Name: "erin", Role: role} // erin, after a change of role
					}
					fmt.Fprintf(&text, "%-19s %-19s %-19s %-6s %s\n", status, act, role, whose, outcome(requestIn(status), act, who))
				}
			}
		}
	}
	golden(t, "decisions.golden", text.String())
}

func outcome(r Request, act Act, who Actor) string {
	change, err := acts[act](r, callBy(who))
	if err != nil {
		return CodeOf(err)
	}
	return "→ " + string(change.Request.Status)
}

// TestTransitionsAreWhatHappens ties the state table to the verbs: an act that
// succeeds leads only where the table says.
func TestTransitionsAreWhatHappens(t *testing.T) {
	for _, status := range Statuses() {
		for act, do := range acts {
			for _, role := range Roles() {
				change, err := do(requestIn(status), callBy(actor(role, "someone")))
				if err != nil {
					continue
				}
				if !slices.Contains(Transitions(status, act), change.Request.Status) {
					t.Errorf("%s by %s from %s led to %s, which the table does not have", act, role, status, change.Request.Status)
				}
			}
		}
	}
}

// TestNoDeadEnds walks the state table: from every open status somebody can
// reach a decision, and the submitter can always take the request back.
func TestNoDeadEnds(t *testing.T) {
	for _, status := range Statuses() {
		seen := map[Status]bool{}
		var walk func(Status)
		walk = func(s Status) {
			if seen[s] {
				return
			}
			seen[s] = true
			for _, act := range Acts() {
				for _, next := range Transitions(s, act) {
					walk(next)
				}
			}
		}
		walk(status)
		if status.Open() && (!seen[ApprovedByCAB] || !seen[RejectedByCAB] || !seen[Withdrawn]) {
			t.Errorf("from %s one reaches only %v", status, seen)
		}
		if status.Approved() && !seen[Revoked] {
			t.Errorf("%s cannot be revoked", status)
		}
	}
}

// TestEveryStatusIsReached: lesson 15, under_review and conditional could not
// be reached.
func TestEveryStatusIsReached(t *testing.T) {
	reached := map[Status]bool{AutoApproved: true, Submitted: true, NeedsException: true} // by submission
	for _, from := range Statuses() {
		for _, act := range Acts() {
			for _, to := range Transitions(from, act) {
				reached[to] = true
			}
		}
	}
	for _, status := range Statuses() {
		if !reached[status] {
			t.Errorf("%s cannot be reached", status)
		}
	}
}

func TestSeparationOfDuties(t *testing.T) {
	r := requestIn(UnderReview)
	r.Gate.Decision, r.ExceptionID = GateException, "exc"
	approver := sam.Person()
	granted := pendingException()
	granted.Status, granted.Approver = ExceptionGranted, &approver
	granted.Requester = Person{ID: "id-other", Username: "other"}
	in := Situation{LatestID: "pkg", Exceptions: []Exception{granted}}

	for name, who := range map[string]string{
		"submitter": erin.ID, "exception requester": "id-other", "exception approver": sam.ID,
	} {
		call := callBy(Actor{ID: who, Name: name, Role: CABMember}) // after a change of role
		if _, err := r.CastVote(call, in, true, "yes", nil); CodeOf(err) != "SEPARATION_OF_DUTIES" {
			t.Errorf("%s approving the request: %v", name, err)
		}
		if _, err := r.CastVote(call, in, false, "no", nil); CodeOf(err) != "SEPARATION_OF_DUTIES" {
			t.Errorf("%s rejecting the request: %v", name, err)
		}
	}
	for name, change := range map[string]func(*Request){
		"package owner": func(r *Request) { r.PackageOwner = carol.ID },
		"intent owner":  func(r *Request) { r.IntentOwner = carol.ID },
	} {
		other := requestIn(Submitted)
		change(&other)
		if _, err := other.CastVote(callBy(carol), Situation{LatestID: "pkg"}, true, "yes", nil); CodeOf(err) != "SEPARATION_OF_DUTIES" {
			t.Errorf("%s approving: %v", name, err)
		}
	}
	self := pendingException()
	self.Requester = Person{ID: sam.ID, Username: "sam"}
	if _, err := self.Approve(callBy(sam), requestIn(NeedsException), nil, "yes"); CodeOf(err) != "SEPARATION_OF_DUTIES" {
		t.Errorf("requester approving their own exception: %v", err)
	}
	if _, err := r.CastVote(callBy(carol), in, true, "yes", nil); err != nil {
		t.Errorf("a third person must be able to decide: %v", err)
	}
}

func TestQuorum(t *testing.T) {
	r := requestIn(Submitted)
	r.Quorum = 2
	first, err := r.CastVote(callBy(carol), Situation{LatestID: "pkg"}, true, "yes", []byte(`{"max_ring":"PILOT"}`))
	if err != nil || first.Request.Status != UnderReview || first.Decision != nil {
		t.Fatalf("one of two votes: %v, %+v", err, first.Request)
	}
	in := Situation{LatestID: "pkg", Votes: []Vote{*first.Vote}}
	if _, err := first.Request.CastVote(callBy(carol), in, true, "again", nil); CodeOf(err) != "ALREADY_VOTED" {
		t.Errorf("the same member twice: %v", err)
	}
	if _, err := first.Request.CastVote(callBy(chris), in, true, "yes", []byte(`{"max_ring":"LAB"}`)); CodeOf(err) != "CONDITIONS_CONFLICT" {
		t.Errorf("conditions that contradict: %v", err)
	}
	second, err := first.Request.CastVote(callBy(chris), in, true, "yes", []byte(`{"note":"watch it"}`))
	if err != nil || second.Request.Status != ConditionallyApp {
		t.Fatalf("two of two votes: %v", err)
	}
	if got := string(second.Decision.Conditions); got != `{"max_ring":"PILOT","note":"watch it"}` {
		t.Errorf("conditions of both voters: %s", got)
	}
	no, err := first.Request.CastVote(callBy(chris), in, false, "no", nil)
	if err != nil || no.Request.Status != RejectedByCAB {
		t.Errorf("one rejection rejects: %v", err)
	}
}

func TestExpiryIsAFactAboutTime(t *testing.T) {
	e := pendingException()
	person := sam.Person()
	e.Status, e.Approver = ExceptionGranted, &person
	if !e.Active(e.ExpiresAt.Add(-time.Microsecond)) || e.Active(e.ExpiresAt) {
		t.Error("an exception is active until, and not at, expires_at")
	}
	r := requestIn(UnderReview)
	r.Gate.Decision, r.ExceptionID = GateException, e.ID
	late := callBy(carol)
	late.Now = e.ExpiresAt
	if _, err := r.CastVote(late, Situation{LatestID: "pkg", Exceptions: []Exception{e}}, true, "yes", nil); CodeOf(err) != "EXCEPTION_REQUIRED" {
		t.Errorf("approving on an expired exception: %v", err)
	}
	if !r.WantsException([]Exception{e}, e.ExpiresAt) {
		t.Error("a request whose exception has ended must be able to get another")
	}
	overdue := pendingException()
	lateReview := callBy(sam)
	lateReview.Now = overdue.ExpiresAt
	if change, err := overdue.Approve(lateReview, requestIn(NeedsException), nil, "ok"); CodeOf(err) != "EXCEPTION_EXPIRED" || change.Events != nil {
		t.Errorf("approving an expired exception writes nothing: %v %v", err, change)
	}
}

func TestApprovalEndsWithItsException(t *testing.T) {
	person := sam.Person()
	e := pendingException()
	e.Status, e.Approver = ExceptionGranted, &person
	r := requestIn(UnderReview)
	r.Gate.Decision, r.ExceptionID = GateException, e.ID
	in := Situation{LatestID: "pkg", Exceptions: []Exception{e}}
	change, err := r.CastVote(callBy(carol), in, true, "yes", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := change.Request.ValidUntil; !got.Equal(e.ExpiresAt) {
		t.Errorf("valid until %s, want the exception's end %s", got, e.ExpiresAt)
	}
	if s := Stand(noon, "pkg", change.Request, in.Exceptions); !s.Approved {
		t.Errorf("standing: %v", s.Reasons)
	}
	if s := Stand(e.ExpiresAt, "pkg", change.Request, in.Exceptions); s.Approved {
		t.Error("the approval outlived its exception")
	}
	revoked, err := e.Revoke(callBy(sam), "found a way in")
	if err != nil {
		t.Fatal(err)
	}
	if s := Stand(noon, "pkg", change.Request, []Exception{*revoked.Exceptions[0]}); s.Approved {
		t.Error("the approval outlived the revocation of its exception")
	}
	if s := Stand(noon, "newer", nil, nil); s.Approved {
		t.Error("an unsubmitted newer package counts as approved")
	}
}

func TestRenewalLimit(t *testing.T) {
	person := sam.Person()
	first := pendingException()
	first.Status, first.Approver = ExceptionGranted, &person // ends 30 days after noon
	r := requestIn(UnderReview)
	r.Gate.Decision, r.ExceptionID = GateException, first.ID
	rules, err := ParsePolicy(DefaultPolicy())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(after, forDays int) error {
		call := callBy(erin)
		call.Now = noon.Add(days(after))
		_, err := RequestException(call, ExceptionAsk{
			ID: "next", Request: &r, Intent: Deployment{ID: "dep", CreatedBy: erin.Person()}, Others: []Exception{first},
			Policy: rules, Reason: "r", Justification: "j", Controls: []string{"c"}, Days: forDays,
		})
		return err
	}
	if err := ask(29, 1); CodeOf(err) != "EXCEPTION_ACTIVE" {
		t.Errorf("a second exception beside an active one: %v", err)
	}
	if err := ask(30, 90); err != nil {
		t.Errorf("90 days from the first expiry are allowed: %v", err)
	}
	if err := ask(31, 90); CodeOf(err) != "EXCEPTION_RENEWAL_LIMIT" {
		t.Errorf("a day beyond: %v", err)
	}
	if err := ask(31, 91); CodeOf(err) != "INVALID_INPUT" {
		t.Errorf("91 days: %v", err)
	}
}

func TestSubmitRefusals(t *testing.T) {
	base := func() Submission { return submission(t, 6000) }
	wrong := evidence.Score(0)
	cases := map[string]struct {
		change func(*Submission)
		code   string
	}{
		"incomplete":      {func(s *Submission) { s.Complete = evidence.Completeness{Missing: []string{"rollback_plan.strategy"}} }, "EVIDENCE_INCOMPLETE"},
		"claimed score":   {func(s *Submission) { s.Claimed = &wrong }, "RISK_SCORE_MISMATCH"},
		"submitted again": {func(s *Submission) { r := requestIn(RejectedByCAB); s.Existing = &r }, "ALREADY_SUBMITTED"},
		"superseded":      {func(s *Submission) { s.LatestID = "newer" }, "EVIDENCE_SUPERSEDED"},
		"urgency":         {func(s *Submission) { s.Urgency = "yesterday" }, "INVALID_INPUT"},
		"notes":           {func(s *Submission) { s.Notes = strings.Repeat("x", 1001) }, "INVALID_INPUT"},
		"somebody else's": {func(s *Submission) { s.Package.CreatedBy.ID, s.Deployment.CreatedBy.ID = "x", "x" }, "FORBIDDEN"},
	}
	for name, c := range cases {
		s := base()
		c.change(&s)
		if change, err := Submit(callBy(erin), s); CodeOf(err) != c.code || change.Request != nil {
			t.Errorf("%s: got %v, want %s", name, err, c.code)
		}
	}
	for _, role := range Roles() {
		_, err := Submit(callBy(Actor{ID: erin.ID, Name: "erin", Role: role}), base())
		if (err == nil) != (role == PackagingEngineer) {
			t.Errorf("submission by %s: %v", role, err)
		}
	}
}

// submission is a complete one with the given score.
func submission(t *testing.T, score evidence.Score) Submission {
	t.Helper()
	rules, err := ParsePolicy(DefaultPolicy())
	if err != nil {
		t.Fatal(err)
	}
	clean, err := evidence.ParseSections([]byte(`{"scan_results":{"critical":0}}`))
	if err != nil {
		t.Fatal(err)
	}
	return Submission{
		ID:         "01900000-0000-7000-8000-0a1b2c3d4e5f",
		Deployment: Deployment{ID: "dep", CorrelationID: "corr", CreatedBy: erin.Person()},
		Package:    Package{ID: "pkg", ContentHash: strings.Repeat("a", 64), CreatedBy: erin.Person()},
		Score:      score, Model: "1.0", Complete: evidence.Completeness{Complete: true},
		Facts: evidence.ReadFacts(clean), LatestID: "pkg", Policy: rules, Urgency: Standard,
	}
}

func TestGateBoundaries(t *testing.T) {
	for score, want := range map[evidence.Score]Status{
		0: AutoApproved, 1108: AutoApproved, 5000: AutoApproved, 5001: Submitted,
		7500: Submitted, 7501: NeedsException, 10000: NeedsException,
	} {
		change, err := Submit(callBy(erin), submission(t, score))
		if err != nil {
			t.Fatal(err)
		}
		if change.Request.Status != want {
			t.Errorf("score %s: %s, want %s", score, change.Request.Status, want)
		}
		if auto := change.Decision != nil; auto != (want == AutoApproved) {
			t.Errorf("score %s: decision %v", score, change.Decision)
		}
		if change.Decision != nil && change.Decision.Decider != RiskGate {
			t.Errorf("an automatic approval is attributed to %v", change.Decision.Decider)
		}
	}
}

func TestGuardsRaiseAndNeverLower(t *testing.T) {
	rules, err := ParsePolicy(DefaultPolicy())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		data  string
		score evidence.Score
		want  GateDecision
	}{
		{`{"scan_results":{"critical":0}}`, 1000, GateAuto},
		{`{"scan_results":{"critical":1}}`, 1000, GateException},
		{`{"scan_results":{"critical":[{"id":"CVE-1"}]}}`, 1000, GateException},
		{`{"scan_results":{"critical":"none"}}`, 1000, GateException}, // unreadable is the worst
		{`{"scan_results":{}}`, 1000, GateException},                  // and so is an absent number
		{`{"deployment_plan":{"privileged":true},"scan_results":{"critical":0}}`, 1000, GateReview},
		{`{"deployment_plan":{"privileged":false},"scan_results":{"critical":0}}`, 1000, GateAuto},
		{`{"deployment_plan":{"privileged":"no"},"scan_results":{"critical":0}}`, 1000, GateReview},
		{`{"deployment_plan":{"privileged":true},"scan_results":{"critical":0}}`, 9000, GateException},
		{`{"deployment_plan":{"privileged":true},"scan_results":{"critical":2}}`, 6000, GateException},
	} {
		sections, err := evidence.ParseSections([]byte(c.data))
		if err != nil {
			t.Fatal(err)
		}
		if gate := rules.Evaluate(c.score, evidence.ReadFacts(sections)); gate.Decision != c.want {
			t.Errorf("%s at %s: %s, want %s", c.data, c.score, gate.Decision, c.want)
		}
	}
}

func TestPermissionsGolden(t *testing.T) {
	names := []Action{
		CreateDeployment, ReadDeployment, AskGate, ReportDeployment, StartDeployment, CreateEvidence, ReadEvidence, SubmitRequest,
		ReadRequest, ReadQueue, ReviewRequest, DecideRequest, WithdrawRequest, RevokeApproval, AskException,
		ReadException, ReadExceptions, DecideException, RevokeException, ExpireExceptions, ReadEvents, ReadReports, ReadModels,
		ReadSelf, Administer,
	}
	if len(names) != len(permissions) {
		t.Fatalf("%d actions here, %d in the table", len(names), len(permissions))
	}
	words := map[Access]string{None: "–", Own: "own", Approved: "approved", All: "yes"}
	var text strings.Builder
	for _, action := range names {
		fmt.Fprintf(&text, "%-18s", action)
		for _, role := range Roles() {
			fmt.Fprintf(&text, " %s=%s", role, words[AccessOf(role, action)])
		}
		text.WriteString("\n")
	}
	golden(t, "permissions.golden", text.String())
}
