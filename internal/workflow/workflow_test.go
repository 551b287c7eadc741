package workflow

import (
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
)

// TestLifeOfARequest: the three gates, and all that follows, on both engines.
func TestLifeOfARequest(t *testing.T) {
	eachWorld(t, func(w *world) {
		auto := w.submitted("low")
		if auto.Status != cab.AutoApproved || auto.Score != 1108 || auto.Decision == nil || auto.Decision.Decider != cab.RiskGate {
			w.t.Errorf("low risk: %+v", auto)
		}
		if got := w.types(auto.Name); got != "DEPLOYMENT_CREATED EVIDENCE_CREATED RISK_ASSESSED CAB_SUBMITTED CAB_APPROVED" {
			w.t.Errorf("trail: %s", got)
		}

		mid := w.submitted("mid")
		if mid.Status != cab.Submitted || mid.Decision != nil {
			w.t.Fatalf("middling risk: %+v", mid)
		}
		must[RequestRow](w.t)(w.StartReview(w.ctx, w.carol, mid.Name))
		row := must[RequestRow](w.t)(w.Approve(w.ctx, w.carol, mid.ID, "fine", []byte(`{"max_ring":"PILOT"}`)))
		if row.Status != cab.ConditionallyApp || string(row.Decision.Conditions) != `{"max_ring":"PILOT"}` {
			w.t.Errorf("conditional approval: %+v", row)
		}
		_, err := w.Reject(w.ctx, w.chris, mid.ID, "no")
		w.wantCode(err, "ALREADY_DECIDED")
		status := must[ApprovalStatus](w.t)(w.ApprovalStatus(w.ctx, w.pat, mid.DeploymentID))
		if !status.Approved || status.Latest.Name != mid.Name {
			w.t.Errorf("approval status: %+v", status)
		}
		must[RequestRow](w.t)(w.Revoke(w.ctx, w.sam, mid.ID, "found in the wild"))
		if s := must[ApprovalStatus](w.t)(w.ApprovalStatus(w.ctx, w.pat, mid.DeploymentID)); s.Approved {
			w.t.Error("a revoked approval stands")
		}

		rejected := w.submitted("mid")
		row = must[RequestRow](w.t)(w.Reject(w.ctx, w.chris, rejected.ID, "too many users"))
		if row.Status != cab.RejectedByCAB {
			w.t.Errorf("rejection: %+v", row)
		}
		withdrawn := w.submitted("mid")
		must[RequestRow](w.t)(w.Withdraw(w.ctx, w.erin, withdrawn.ID, ""))
		_, err = w.Withdraw(w.ctx, w.eve, w.submitted("mid").ID, "")
		w.wantCode(err, "FORBIDDEN")
		for _, done := range []RequestRow{auto, mid, rejected, withdrawn} { // score shopping, lesson 7
			_, err := w.Submit(w.ctx, w.erin, Submission{PackageID: done.PackageID, Urgency: cab.Standard})
			w.wantCode(err, "ALREADY_SUBMITTED")
		}
		w.wantSound()
	})
}

// TestLifeOfAnException: requested, approved by a Security Reviewer, decided by
// CAB; expiry takes effect by time, without any job having run.
func TestLifeOfAnException(t *testing.T) {
	eachWorld(t, func(w *world) {
		r := w.submitted("high")
		if r.Status != cab.NeedsException {
			w.t.Fatalf("high risk: %s", r.Status)
		}
		_, err := w.Approve(w.ctx, w.carol, r.ID, "yes", nil)
		w.wantCode(err, "INVALID_TRANSITION")
		ask := ExceptionAsk{DeploymentID: r.DeploymentID, Reason: "needed", Justification: "accepted", Controls: []string{"watch"}, Days: 7}
		e := must[cab.Exception](w.t)(w.RequestException(w.ctx, w.erin, ask))
		_, err = w.RequestException(w.ctx, w.erin, ask)
		w.wantCode(err, "EXCEPTION_PENDING")
		_, err = w.ApproveException(w.ctx, w.carol, e.ID, "yes")
		w.wantCode(err, "FORBIDDEN")
		must[cab.Exception](w.t)(w.ApproveException(w.ctx, w.sam, e.Name, "controls suffice"))
		if got := must[RequestRow](w.t)(w.Request(w.ctx, w.carol, r.Name)); got.Status != cab.UnderReview {
			w.t.Fatalf("the approved exception did not move the request on: %s", got.Status)
		}
		w.clock.advance(8 * 24 * time.Hour) // nothing has swept
		_, err = w.Approve(w.ctx, w.carol, r.ID, "yes", nil)
		w.wantCode(err, "EXCEPTION_REQUIRED")
		shown := must[cab.Exception](w.t)(w.Exception(w.ctx, w.sam, e.ID))
		if shown.Effective(w.now()) != cab.ExceptionOver {
			w.t.Error("an overdue exception shows as", shown.Effective(w.now()))
		}
		active := true
		if p := must[Page[cab.Exception]](w.t)(w.Exceptions(w.ctx, w.ada, ExceptionFilter{Active: &active})); p.Count != 0 {
			w.t.Error("an overdue exception is listed as active")
		}
		again := must[cab.Exception](w.t)(w.RequestException(w.ctx, w.erin, ask))
		must[cab.Exception](w.t)(w.ApproveException(w.ctx, w.sam, again.ID, "again"))
		row := must[RequestRow](w.t)(w.Approve(w.ctx, w.carol, r.ID, "yes", nil))
		if row.Status != cab.ApprovedByCAB || !row.ValidUntil.Equal(again.ExpiresAt) {
			w.t.Errorf("approved until %s, the exception ends %s", row.ValidUntil, again.ExpiresAt)
		}
		if s := must[ApprovalStatus](w.t)(w.ApprovalStatus(w.ctx, w.pat, r.DeploymentID)); !s.Approved {
			w.t.Errorf("not approved: %v", s.Reasons)
		}
		w.clock.advance(7 * 24 * time.Hour)
		if s := must[ApprovalStatus](w.t)(w.ApprovalStatus(w.ctx, w.pat, r.DeploymentID)); s.Approved || len(s.Exceptions) != 0 {
			w.t.Error("the approval outlived its exception")
		}
		if n := must[int](w.t)(w.ExpireExceptions(w.ctx, w.root)); n != 2 {
			w.t.Errorf("%d expiries recorded, want 2", n)
		}
		if n := must[int](w.t)(w.ExpireExceptions(w.ctx, w.root)); n != 0 {
			w.t.Errorf("%d expiries recorded twice", n)
		}
		w.wantSound()
	})
}

func TestNewerEvidenceCounts(t *testing.T) {
	eachWorld(t, func(w *world) {
		d, first := w.deployment("mid")
		r := must[RequestRow](w.t)(w.Submit(w.ctx, w.erin, Submission{PackageID: first.ID, Urgency: cab.Standard}))
		second := must[Evidence](w.t)(w.CreateEvidence(w.ctx, w.erin, d.ID, evidenceOf("low")))
		_, err := w.Approve(w.ctx, w.carol, r.ID, "yes", nil)
		w.wantCode(err, "EVIDENCE_SUPERSEDED")
		if s := must[ApprovalStatus](w.t)(w.ApprovalStatus(w.ctx, w.pat, d.ID)); s.Approved || s.Latest != nil {
			w.t.Error("evidence that was not submitted counts")
		}
		must[RequestRow](w.t)(w.Submit(w.ctx, w.erin, Submission{PackageID: second.ID, Urgency: cab.Standard}))
		if s := must[ApprovalStatus](w.t)(w.ApprovalStatus(w.ctx, w.pat, d.ID)); !s.Approved {
			w.t.Errorf("the newest package is approved: %v", s.Reasons)
		}
		_, third := w.deployment("low")
		_, err = w.Submit(w.ctx, w.eve, Submission{PackageID: third.ID, Urgency: cab.Standard})
		w.wantCode(err, "FORBIDDEN") // somebody else's
	})
}

// TestDeploymentReports: nothing starts without a standing approval.
func TestDeploymentReports(t *testing.T) {
	eachWorld(t, func(w *world) {
		waiting := w.submitted("mid")
		_, err := w.ReportDeployment(w.ctx, w.pat, waiting.DeploymentID, cab.Reported{Kind: cab.DeploymentStarted})
		w.wantCode(err, "DEPLOYMENT_NOT_APPROVED")
		r := w.submitted("low")
		for _, step := range []cab.EventType{cab.DeploymentStarted, cab.DeploymentFailed, cab.RollbackStarted, cab.RollbackCompleted, cab.DeploymentStarted, cab.DeploymentCompleted} {
			must[cab.Deployment](w.t)(w.ReportDeployment(w.ctx, w.pat, r.DeploymentID, cab.Reported{Kind: step, Detail: "as planned"}))
		}
		_, err = w.ReportDeployment(w.ctx, w.pat, r.DeploymentID, cab.Reported{Kind: cab.DeploymentFailed})
		w.wantCode(err, "INVALID_TRANSITION")
		_, err = w.ReportDeployment(w.ctx, w.pat, r.DeploymentID, cab.Reported{Kind: cab.CABApproved})
		w.wantCode(err, "INVALID_INPUT")
		w.wantSound()
	})
}

// TestRoleChangeKeepsHands: whoever submitted cannot decide after becoming a
// CAB member.
func TestRoleChangeKeepsHands(t *testing.T) {
	eachWorld(t, func(w *world) {
		r := w.submitted("mid")
		p := must[cab.Principal](w.t)(w.ChangeRole(w.ctx, w.root, "erin", cab.CABMember))
		_, err := w.Approve(w.ctx, Call{Actor: p.Actor()}, r.ID, "mine", nil)
		w.wantCode(err, "SEPARATION_OF_DUTIES")
		_, err = w.AddUser(w.ctx, w.carol, "mallory", cab.Admin)
		w.wantCode(err, "FORBIDDEN")
		_, err = w.AddUser(w.ctx, w.root, "carol", cab.Admin)
		w.wantCode(err, "USERNAME_TAKEN")
		w.wantSound()
	})
}

// TestValuesThatStoresChange: documents verify right after creation and after a
// restart, whatever is in them.
func TestValuesThatStoresChange(t *testing.T) {
	eachWorld(t, func(w *world) {
		d := must[cab.Deployment](w.t)(w.CreateDeployment(w.ctx, w.erin, "a\u2028b 𝄞 <script>", "1'; DROP TABLE event;--", cab.Lab))
		var filed []Evidence
		for _, value := range []string{
			`0.1`, `1e15`, `1e-7`, `-0.0`, `0.1000000000000000055511151231257827`, `"\u2028 𝄞 \ud83d\ude00"`, `{"b":1,"a":{"d":[],"c":null}}`, `9007199254740992`,
		} {
			data := must[[]byte](w.t)(evidence.Canonical([]byte(`{"rollback_plan":{"x":` + value + `}}`)))
			filed = append(filed, must[Evidence](w.t)(w.CreateEvidence(w.ctx, w.erin, d.ID, data)))
		}
		check := func(s *Service, when string) {
			for _, e := range filed {
				if v := must[Verification](w.t)(s.VerifyEvidence(w.ctx, w.ada, e.ID)); !v.Valid || v.Expected != e.ContentHash {
					w.t.Errorf("%s: %s was altered by storing", when, e.Record.Sections.RollbackPlan)
				}
				shown := must[Evidence](w.t)(s.Evidence(w.ctx, w.erin, e.ID))
				if again := must[[]byte](w.t)(shown.Record.Document()); evidence.Digest(again) != e.ContentHash {
					w.t.Errorf("%s: %s makes another document when read back", when, e.Record.Sections.RollbackPlan)
				}
			}
		}
		check(w.Service, "right after creation")
		restarted := storetest.Open(w.t, store.Options{URL: w.url, Signer: w.signer})
		check(New(restarted, Options{}), "after a restart")
		w.wantSound()
	})
}
