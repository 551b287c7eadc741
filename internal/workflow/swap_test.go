package workflow

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/risk"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
)

// TestAnotherPackagesBytes: an approval is given to one package's content. Whoever
// owns the database and puts another package's bytes and their hash in its place
// gets no yes for them. Lesson 32.
func TestAnotherPackagesBytes(t *testing.T) {
	eachWorld(t, func(w *world) {
		auto, waiting := w.submitted("low"), w.submitted("mid")
		_, bad := w.deployment("high")
		_, good := w.deployment("low")
		blocked := w.submitted("high")
		x := must[cab.Exception](t)(w.RequestException(w.ctx, w.erin, ExceptionAsk{DeploymentID: blocked.DeploymentID, Reason: "r", Justification: "j", Controls: []string{"c"}}))
		db := storetest.Owner(t, w.url)
		storetest.DropTriggers(t, db, w.engine)
		swap := func(into, from string) {
			for _, column := range []string{"document", "content_hash"} {
				if _, err := db.Exec(fmt.Sprintf(`UPDATE evidence_package SET %[1]s = (SELECT s.%[1]s FROM evidence_package s WHERE s.id = $1) WHERE id = $2`, column), from, into); err != nil {
					t.Fatal(err)
				}
			}
		}
		swap(auto.PackageID, bad.ID)
		swap(waiting.PackageID, bad.ID)
		swap(blocked.PackageID, good.ID)
		_, err := w.ApprovalStatus(w.ctx, w.pat, auto.DeploymentID)
		w.wantCode(err, "EVIDENCE_TAMPERED")
		_, err = w.ReportDeployment(w.ctx, w.pat, auto.DeploymentID, cab.Reported{Kind: cab.DeploymentStarted})
		w.wantCode(err, "EVIDENCE_TAMPERED")
		_, err = w.Approve(w.ctx, w.carol, waiting.ID, "yes", nil)
		w.wantCode(err, "EVIDENCE_TAMPERED")
		_, err = w.ApproveException(w.ctx, w.sam, x.ID, "yes")
		w.wantCode(err, "EVIDENCE_TAMPERED")
		swap(bad.ID, good.ID) // the high one now looks like the low one
		_, err = w.Submit(w.ctx, w.erin, Submission{PackageID: bad.ID, Urgency: cab.Standard})
		w.wantCode(err, "EVIDENCE_TAMPERED")
		_, err = w.Evidence(w.ctx, w.ada, bad.ID)
		w.wantCode(err, "EVIDENCE_TAMPERED")
		if v := must[Verification](t)(w.VerifyEvidence(w.ctx, w.ada, bad.ID)); v.Valid {
			t.Error("another package's bytes verify")
		}
		for range 30 {
			_, err = w.ApprovalStatus(w.ctx, w.pat, auto.DeploymentID)
			w.wantCode(err, "EVIDENCE_TAMPERED")
		}
		if n := strings.Count(w.types(auto.ID), "EVIDENCE_TAMPERED"); n != 2 {
			t.Errorf("%d events of one alteration, noticed by two verbs again and again", n)
		}
	})
}

// TestAccessEndsAtOnce: a call that was let in and then lost its right does
// nothing: the caller is looked at again in the transaction that decides.
func TestAccessEndsAtOnce(t *testing.T) {
	eachWorld(t, func(w *world) {
		setup := Call{Actor: cab.Setup}
		r := w.submitted("mid")
		approve := func(call Call) error {
			_, err := w.Approve(w.ctx, call, r.ID, "yes", nil)
			return err
		}
		must[cab.Token](t)(w.IssueToken(w.ctx, setup, "carol", "t1", "", hash64, 1))
		must[cab.Token](t)(w.IssueToken(w.ctx, setup, "carol", "t2", "", hash64, 90))
		withToken := func(call Call, id string) Call { call.TokenID = id; return call }
		must[cab.Token](t)(w.RevokeToken(w.ctx, setup, "t2"))
		w.wantCode(approve(withToken(w.carol, "t2")), "ACCESS_ENDED")
		w.wantCode(approve(withToken(w.carol, "unknown")), "ACCESS_ENDED")
		w.wantCode(approve(withToken(w.chris, "t1")), "ACCESS_ENDED") // somebody else's
		w.clock.advance(25 * time.Hour)
		w.wantCode(approve(withToken(w.carol, "t1")), "ACCESS_ENDED")
		must[cab.Principal](t)(w.DisableUser(w.ctx, setup, "chris"))
		w.wantCode(approve(w.chris), "ACCESS_ENDED")
		must[cab.Principal](t)(w.ChangeRole(w.ctx, setup, "carol", cab.Auditor))
		w.wantCode(approve(w.carol), "ACCESS_ENDED")
		ghost := w.carol
		ghost.Actor.ID = "nobody"
		w.wantCode(approve(ghost), "ACCESS_ENDED")
		must[RequestRow](t)(w.Approve(w.ctx, w.person(t, "clara", cab.CABMember), r.ID, "yes", nil))
		w.wantSound()
	})
}

// TestAVoterDecidesNoException: the quorum and whoever accepts the risk are
// different people, whatever roles change hands in between.
func TestAVoterDecidesNoException(t *testing.T) {
	eachWorld(t, func(w *world) {
		rules, err := cab.ParsePolicy(cab.DefaultPolicy())
		if err != nil {
			t.Fatal(err)
		}
		rules.Version, rules.Quorum = "two", 2
		must[cab.Published](t)(w.PublishPolicy(w.ctx, w.root, rules))
		r := w.submitted("high")
		ask := ExceptionAsk{DeploymentID: r.DeploymentID, Reason: "r", Justification: "j", Controls: []string{"c"}, Days: 5}
		first := must[cab.Exception](t)(w.RequestException(w.ctx, w.erin, ask))
		must[cab.Exception](t)(w.ApproveException(w.ctx, w.sam, first.ID, "ok"))
		must[RequestRow](t)(w.Approve(w.ctx, w.carol, r.ID, "yes", nil))
		w.clock.advance(6 * 24 * time.Hour)
		second := must[cab.Exception](t)(w.RequestException(w.ctx, w.erin, ask))
		p := must[cab.Principal](t)(w.ChangeRole(w.ctx, w.root, "carol", cab.SecurityReviewer))
		_, err = w.ApproveException(w.ctx, Call{Actor: p.Actor()}, second.ID, "mine too")
		w.wantCode(err, "SEPARATION_OF_DUTIES")
		_, err = w.RejectException(w.ctx, Call{Actor: p.Actor()}, second.ID, "mine too")
		w.wantCode(err, "SEPARATION_OF_DUTIES")
	})
}

// TestEvidenceOfAnOlderModel: what one model scored is not judged by the
// thresholds that go with another.
func TestEvidenceOfAnOlderModel(t *testing.T) {
	eachWorld(t, func(w *world) {
		d, old := w.deployment("low")
		text := strings.Replace(string(risk.Embedded()[0].Document()), `"version":"1.0"`, `"version":"2.0"`, 1)
		model, err := risk.ParseCanonical([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		must[cab.Published](t)(w.PublishModel(w.ctx, w.root, model))
		rules, err := cab.ParsePolicy(cab.DefaultPolicy())
		if err != nil {
			t.Fatal(err)
		}
		rules.Version, rules.RiskModel = "2.0", "2.0"
		must[cab.Published](t)(w.PublishPolicy(w.ctx, w.root, rules))
		_, err = w.Submit(w.ctx, w.erin, Submission{PackageID: old.ID, Urgency: cab.Standard})
		w.wantCode(err, "MODEL_SUPERSEDED")
		again := must[Evidence](t)(w.CreateEvidence(w.ctx, w.erin, d.ID, evidenceOf("low")))
		must[RequestRow](t)(w.Submit(w.ctx, w.erin, Submission{PackageID: again.ID, Urgency: cab.Standard}))
	})
}

// TestAlteredModelAndPolicy: a published document that no longer has its digest
// scores nothing and opens nothing. Lesson 5.
func TestAlteredModelAndPolicy(t *testing.T) {
	eachWorld(t, func(w *world) {
		d, filed := w.deployment("low")
		db := storetest.Owner(t, w.url)
		storetest.DropTriggers(t, db, w.engine)
		blob := map[string]string{"sqlite": "BLOB", "postgres": "BYTEA"}[w.engine]
		if _, err := db.Exec(`UPDATE policy SET document = CAST('{"quorum":0}' AS ` + blob + `)`); err != nil {
			t.Fatal(err)
		}
		fresh := New(w.store, Options{Clock: w.clock.Now})
		_, err := fresh.Submit(w.ctx, w.erin, Submission{PackageID: filed.ID, Urgency: cab.Standard})
		w.wantCode(err, "POLICY_TAMPERED")
		_, err = w.Submit(w.ctx, w.erin, Submission{PackageID: filed.ID, Urgency: cab.Standard})
		w.wantCode(err, "POLICY_TAMPERED") // nor one that has it in memory
		_, err = fresh.CreateEvidence(w.ctx, w.erin, d.ID, evidenceOf("low"))
		w.wantCode(err, "POLICY_TAMPERED")
		if _, err := db.Exec(`UPDATE risk_model SET document = CAST('{}' AS ` + blob + `)`); err != nil {
			t.Fatal(err)
		}
		_, err = New(w.store, Options{Clock: w.clock.Now}).Score(w.ctx, w.erin, "1.0", evidenceOf("low"))
		w.wantCode(err, "MODEL_TAMPERED")
	})
}

// TestSilenceIsNoConsent: a request past its due time is where it was. Lesson 31.
func TestSilenceIsNoConsent(t *testing.T) {
	eachWorld(t, func(w *world) {
		r := w.submitted("mid")
		w.clock.advance(365 * 24 * time.Hour)
		if row := must[RequestRow](t)(w.Request(w.ctx, w.ada, r.ID)); row.Status != cab.Submitted || row.Decision != nil {
			t.Errorf("a year later it is %s", row.Status)
		}
		if s := must[ApprovalStatus](t)(w.ApprovalStatus(w.ctx, w.pat, r.DeploymentID)); s.Approved {
			t.Error("silence approved it")
		}
	})
}

// TestExceptionForNothing: lesson 17.
func TestExceptionForNothing(t *testing.T) {
	eachWorld(t, func(w *world) {
		_, err := w.RequestException(w.ctx, w.erin, ExceptionAsk{DeploymentID: newID(), Reason: "r", Justification: "j", Controls: []string{"c"}})
		w.wantCode(err, "NOT_FOUND")
		blocked := w.submitted("high")
		for _, blank := range []ExceptionAsk{{Reason: " ", Justification: "j", Controls: []string{"c"}}, {Reason: "r", Justification: "\n", Controls: []string{"c"}}, {Reason: "r", Justification: "j", Controls: []string{"\t"}}} {
			blank.DeploymentID = blocked.DeploymentID
			_, err := w.RequestException(w.ctx, w.erin, blank)
			w.wantCode(err, "INVALID_INPUT")
		}
		inactive := false
		x := must[cab.Exception](t)(w.RequestException(w.ctx, w.erin, ExceptionAsk{DeploymentID: blocked.DeploymentID, Reason: "r", Justification: "j", Controls: []string{"c"}}))
		must[cab.Exception](t)(w.ApproveException(w.ctx, w.sam, x.ID, "ok"))
		if p := must[Page[cab.Exception]](t)(w.Exceptions(w.ctx, w.pat, ExceptionFilter{Active: &inactive, Paging: store.Paging{}})); p.Count != 0 {
			t.Error("a publisher who asks for exceptions that are not in force is shown one that is")
		}
	})
}
