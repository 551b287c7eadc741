package workflow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/capsule"
	"github.com/eucora/eucora/internal/capsule/capsuletest"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
)

// sealed is the capsule of a request, verified with the ledger's key.
func (w *world) sealed(call Call, id string) ([]byte, capsule.Report) {
	w.t.Helper()
	name, s, err := w.Capsule(w.ctx, call, id, true)
	if err != nil {
		w.t.Fatal(err)
	}
	var out bytes.Buffer
	if n, err := s.WriteTo(&out); err != nil || n != s.Size {
		w.t.Fatalf("%d of %d bytes, %v", n, s.Size, err)
	}
	key, err := ledger.NewVerifier(w.signer.VerifierKey())
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := capsule.Verify(bytes.NewReader(out.Bytes()), int64(out.Len()), capsule.Options{Key: key})
	if err != nil || r.Request != name {
		w.t.Fatalf("%s: %s %v", name, r.Request, err)
	}
	return out.Bytes(), r
}

// TestCapsules: whatever became of a request, its capsule holds, and says so; while
// much else is in the ledger.
func TestCapsules(t *testing.T) {
	eachWorld(t, func(w *world) {
		auto, pending, conditional, rejected, withdrawn := w.submitted("low"), w.submitted("mid"), w.submitted("mid"), w.submitted("mid"), w.submitted("mid")
		revoked, excepted, waiting := w.submitted("low"), w.submitted("high"), w.submitted("high")
		must[RequestRow](w.t)(w.StartReview(w.ctx, w.carol, conditional.ID))
		must[RequestRow](w.t)(w.Approve(w.ctx, w.carol, conditional.ID, "fine", []byte(`{"max_ring":"PILOT"}`)))
		must[RequestRow](w.t)(w.Reject(w.ctx, w.chris, rejected.ID, "too many users"))
		must[RequestRow](w.t)(w.Withdraw(w.ctx, w.erin, withdrawn.ID, "not now"))
		must[RequestRow](w.t)(w.Revoke(w.ctx, w.sam, revoked.ID, "found in the wild"))
		must[cab.Deployment](w.t)(w.ReportDeployment(w.ctx, w.pat, auto.DeploymentID, cab.DeploymentStarted, ""))
		must[cab.Deployment](w.t)(w.ReportDeployment(w.ctx, w.pat, auto.DeploymentID, cab.DeploymentFailed, "no network"))
		ask := ExceptionAsk{DeploymentID: excepted.DeploymentID, Reason: "needed", Justification: "accepted", Controls: []string{"watch"}, Days: 7}
		first := must[cab.Exception](w.t)(w.RequestException(w.ctx, w.erin, ask))
		must[cab.Exception](w.t)(w.RejectException(w.ctx, w.sam, first.ID, "not like this"))
		second := must[cab.Exception](w.t)(w.RequestException(w.ctx, w.erin, ask))
		must[cab.Exception](w.t)(w.ApproveException(w.ctx, w.sam, second.ID, "controls suffice"))
		must[RequestRow](w.t)(w.Approve(w.ctx, w.carol, excepted.ID, "for a week", nil))
		must[cab.Exception](w.t)(w.RevokeException(w.ctx, w.sam, second.ID, "they do not"))
		again := must[Evidence](w.t)(w.CreateEvidence(w.ctx, w.erin, rejected.DeploymentID, evidenceOf("low"))) // a second package and request in one trail
		secondTry := must[RequestRow](w.t)(w.Submit(w.ctx, w.erin, Submission{PackageID: again.ID, Urgency: cab.Standard}))

		for _, row := range []RequestRow{auto, pending, conditional, rejected, withdrawn, revoked, excepted, waiting, secondTry} {
			now := must[RequestRow](w.t)(w.Request(w.ctx, w.ada, row.ID))
			_, r := w.sealed(w.ada, row.Name)
			if !r.Holds() || r.Outcome.Request.Status != now.Status || r.Outcome.Request.Name != row.Name {
				w.t.Errorf("%s, %s: %+v", row.Name, now.Status, r)
			}
		}
		one, _ := w.sealed(w.ada, auto.ID)
		two, _ := w.sealed(w.erin, auto.Name)
		if !bytes.Equal(one, two) {
			w.t.Error("two capsules of the same are not the same")
		}
		_, _, err := w.Capsule(w.ctx, w.eve, auto.ID, false)
		w.wantCode(err, "FORBIDDEN")
		_, _, err = w.Capsule(w.ctx, w.pat, auto.ID, false)
		w.wantCode(err, "FORBIDDEN")
		w.wantSound()
	})
}

// TestWhichCheckpoint: the one that most others speak for, if it covers the whole
// trail; the newest otherwise. A site that wants witnesses says so in its capsules.
func TestWhichCheckpoint(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		witness := capsuletest.NewWitness("witness.example")
		trust, err := ledger.ParseTrust(fmt.Appendf(nil, "log %s\nwitness w %s\nquorum w\n", w.signer.VerifierKey(), witness.Key))
		if err != nil {
			t.Fatal(err)
		}
		w.Service = New(w.store, Options{Clock: w.clock.Now, Witnesses: trust})
		grown := func() store.Checkpointed {
			w.submitted("mid")
			w.clock.advance(time.Second)
			must[[]byte](t)(w.store.Checkpoint(w.ctx))
			var c store.Checkpointed
			if err := w.store.View(w.ctx, func(r *store.Reader) (err error) { c, err = r.NewestCheckpoint(); return err }); err != nil {
				t.Fatal(err)
			}
			return c
		}
		cosigned := func(c store.Checkpointed) {
			t.Helper()
			line := store.Cosignature{Witness: witness.Key, Line: witness.Cosign(c.Note, w.signer.VerifierKey())}
			if err := w.store.KeepCosignatures(w.ctx, c.Size, []store.Cosignature{line}, func([]byte, []string) bool { return true }); err != nil {
				t.Fatal(err)
			}
		}
		row := w.submitted("low")
		want := func(size int64, holds, stamped bool) {
			t.Helper()
			_, r := w.sealed(w.ada, row.ID)
			has := !strings.Contains(r.Checks[len(r.Checks)-1].Text, "there is none")
			if r.Checkpoint.Size != size || r.Holds() != holds || has != stamped {
				t.Errorf("the checkpoint of %d events, holds %v, stamped %v; want %d, %v, %v: %+v", r.Checkpoint.Size, r.Holds(), has, size, holds, stamped, r.Checks)
			}
		}
		newest := grown()
		want(newest.Size, false, false) // nobody has witnessed it yet
		first := grown()
		cosigned(first)
		want(first.Size, true, false)
		second := grown()
		want(first.Size, true, false)
		if err := w.store.KeepTimestamp(w.ctx, second.Size, "https://tsa.example", capsuletest.Stamp(second.Note)); err != nil {
			t.Fatal(err)
		}
		want(first.Size, true, false) // stamped, and not witnessed
		cosigned(second)
		third := grown()
		cosigned(third)
		want(second.Size, true, true)

		witness = capsuletest.NewWitness("other.example") // whom the site trusts from now on
		if trust, err = ledger.ParseTrust(fmt.Appendf(nil, "log %s\nwitness o %s\nquorum o\n", w.signer.VerifierKey(), witness.Key)); err != nil {
			t.Fatal(err)
		}
		w.Service = New(w.store, Options{Clock: w.clock.Now, Witnesses: trust})
		cosigned(third)
		want(third.Size, true, false)
		must[RequestRow](t)(w.Revoke(w.ctx, w.sam, row.ID, "after all of them"))
		last := grown()
		want(last.Size, false, false)
	})
}

// TestCapsuleOfWhatWasAltered: nobody gets a capsule of it, and the ledger says why.
func TestCapsuleOfWhatWasAltered(t *testing.T) {
	for name, attack := range map[string]string{
		"document":              `UPDATE evidence_package SET document = CAST(replace(CAST(document AS TEXT), '8.7.1', '8.7.2') AS BLOB)`,
		"document and its hash": `UPDATE evidence_package SET document = (SELECT document FROM evidence_package ORDER BY position DESC LIMIT 1), content_hash = 'x'`,
		"request":               `UPDATE cab_request SET content_hash = 'x'`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, storetest.Engines(t)[0])
			row := w.submitted("low")
			db := storetest.Owner(t, w.url)
			storetest.DropTriggers(t, db, w.engine)
			if _, err := db.Exec(attack); err != nil {
				t.Fatal(err)
			}
			_, _, err := w.Capsule(context.Background(), w.ada, row.ID, false)
			w.wantCode(err, "EVIDENCE_TAMPERED")
			if got := w.types(row.Name); !strings.HasSuffix(got, "EVIDENCE_TAMPERED") {
				t.Errorf("trail: %s", got)
			}
		})
	}
}

// TestCapsuleOfWhatContradicts: events that do not make one trail are told as that;
// whatever else fails is ours, and nothing of it is told.
func TestCapsuleOfWhatContradicts(t *testing.T) {
	edited := func(from, to string) string {
		return `UPDATE event SET leaf = CAST(replace(CAST(leaf AS TEXT), '` + from + `', '` + to + `') AS BLOB) WHERE type = 'CAB_REVIEW_STARTED'`
	}
	for name, c := range map[string]struct {
		attack, says string
		kind         cab.Kind
	}{
		"nobody submitted it":       {`DELETE FROM event WHERE type IN ('CAB_SUBMITTED', 'CAB_REVIEW_STARTED')`, "CAB-", cab.Conflict},
		"an event that is none":     {edited(`{"actor"`, `{"a":1,"actor"`), "is no event", cab.Conflict},
		"an event past reading":     {edited(`"seq":`, `"seq":"x`), "is no event", cab.Conflict},
		"a checkpoint that is none": {`UPDATE checkpoint SET note = replace(note, '— eucora', '— eucorb')`, "", cab.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, storetest.Engines(t)[0])
			row := w.submitted("mid")
			must[RequestRow](t)(w.StartReview(w.ctx, w.carol, row.ID))
			must[[]byte](t)(w.store.Checkpoint(w.ctx))
			db := storetest.Owner(t, w.url)
			storetest.DropTriggers(t, db, w.engine)
			if _, err := db.Exec(c.attack); err != nil {
				t.Fatal(err)
			}
			_, _, err := w.Capsule(w.ctx, w.ada, row.ID, false)
			refusal, ok := errors.AsType[*cab.Error](err)
			if err == nil || cab.KindOf(err) != c.kind || ok && c.kind == cab.Conflict && (refusal.Code != "LEDGER_CONTRADICTORY" || !strings.Contains(refusal.Message, c.says) || strings.Contains(refusal.Message, "json")) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestCapsuleWaitsItsTurn: one is made at a time; whoever waited too long is told to
// come again, and whatever ends one, the next can be made.
func TestCapsuleWaitsItsTurn(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	row := w.submitted("low")
	done := must[func()](t)(turn(w.ctx, w.capsules, 1))
	over, cancel := context.WithTimeout(w.ctx, 500*time.Millisecond) // as patience is
	defer cancel()
	if _, _, err := w.Capsule(over, w.erin, row.ID, false); cab.CodeOf(err) != "BUSY" && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it did not wait: %v", err)
	}
	_, err := turn(over, w.capsules, 1)
	w.wantCode(err, "BUSY")
	done()
	for _, id := range []string{row.ID, "CAB-0123456789AB", row.ID} {
		_, _, err := w.Capsule(w.ctx, w.erin, id, true)
		if (err == nil) != (id == row.ID) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if !w.capsules.TryAcquire(1) {
		t.Error("somebody's turn has no end")
	}
}

// TestCapsuleThatIsTooLarge: a trail that has more than a capsule holds is refused, and
// so are files, before any of them is read.
func TestCapsuleThatIsTooLarge(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	row := w.submitted("low")
	must[[]byte](t)(w.store.Checkpoint(w.ctx))
	db := storetest.Owner(t, w.url)
	storetest.DropTriggers(t, db, w.engine)
	if _, err := db.Exec(`UPDATE event SET leaf = zeroblob(9000000) WHERE type IN ('CAB_SUBMITTED', 'RISK_ASSESSED')`); err != nil {
		t.Fatal(err)
	}
	_, _, err := w.Capsule(w.ctx, w.erin, row.ID, false)
	w.wantCode(err, "CAPSULE_TOO_LARGE")

	file := func(digest string) evidence.Attachment { return evidence.Attachment{SHA256: digest, Size: 3 << 30} }
	if files, err := distinct([]evidence.Attachment{file("b"), file("b")}); err != nil || len(files) != 1 {
		t.Errorf("one file under two names: %v, %v", files, err)
	}
	if _, err := distinct([]evidence.Attachment{file("b"), file("a")}); !errors.Is(err, capsule.ErrTooLarge) {
		t.Errorf("6 GiB: %v", err)
	}
}

// TestCapsuleShowsNobodysAddress: beside her own trail, whoever may not read all events
// gets two more, and those say of no person from where they came. What an
// administrator published is sealed for those who may read that.
func TestCapsuleShowsNobodysAddress(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	row := w.submitted("low")
	own, _ := w.sealed(w.erin, row.ID)
	if text := string(own); !strings.Contains(text, `"source":{},"subject":{"id":"`+row.PolicyVersion+`","kind":"policy"}`) {
		t.Error("the event that published the policy is not there, or says from where")
	}
	rules := must[cab.Policy](t)(cab.ParsePolicy(cab.DefaultPolicy()))
	rules.Version = "two"
	must[cab.Published](t)(w.PublishPolicy(w.ctx, w.root, rules))
	later := w.submitted("low")
	_, _, err := w.Capsule(w.ctx, w.erin, later.ID, false)
	w.wantCode(err, "CAPSULE_NAMES_OTHERS")
	if _, r := w.sealed(w.ada, later.ID); !r.Holds() {
		t.Errorf("%+v", r.Checks)
	}
	w.sealed(w.erin, row.ID) // by the policy before
}
