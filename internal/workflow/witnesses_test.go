package workflow

import (
	"strings"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
	"github.com/eucora/eucora/internal/witness/witnesstest"
)

// watched gives a world one witness, and a policy that wants the ledger witnessed.
func (w *world) watched(wanted bool) *witnesstest.Witness {
	w.t.Helper()
	one := witnesstest.New(w.t, "witness.example/one", w.store.LedgerKey())
	trust, err := ledger.ParseTrust([]byte("log " + w.store.LedgerKey() + "\n" + one.Line("one") + "quorum one\n"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.witnesses = trust
	rules := must[cab.Policy](w.t)(cab.ParsePolicy(cab.DefaultPolicy()))
	rules.Version, rules.RequireWitnessed = "w", wanted
	must[cab.Published](w.t)(w.PublishPolicy(w.ctx, w.root, rules))
	return one
}

// see lets the witness see the ledger as it is now.
func (w *world) see(one *witnesstest.Witness) {
	w.t.Helper()
	signed := must[[]byte](w.t)(w.store.Checkpoint(w.ctx))
	checkpoint := must[ledger.Checkpoint](w.t)(w.witnesses.Log.Open(signed))
	line := must[string](w.t)(one.Cosign(signed))
	if err := w.store.KeepCosignatures(w.ctx, checkpoint.Size, []store.Cosignature{{Witness: one.Key, Line: line}}, func(note []byte, lines []string) bool {
		opened, err := w.witnesses.Open(ledger.WithCosignatures(note, lines))
		return err == nil && w.witnesses.Enough(opened)
	}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) sweep() {
	w.t.Helper()
	if err := w.Sweep(w.ctx); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) statusOf(id string) cab.Status {
	w.t.Helper()
	return must[RequestRow](w.t)(w.Request(w.ctx, w.ada, id)).Status
}

// TestAutomaticApprovalsWaitForWitnesses: events go on, people decide, and what the
// rule would have approved waits until the ledger is witnessed again.
func TestAutomaticApprovalsWaitForWitnesses(t *testing.T) {
	eachWorld(t, func(w *world) {
		one := w.watched(true)
		w.see(one)
		if got := w.submitted("low"); got.Status != cab.AutoApproved {
			t.Fatalf("witnessed, and %s", got.Status)
		}
		w.clock.advance(cab.WitnessGrace + time.Second) // nobody comes by
		waits, taken, mid := w.submitted("low"), w.submitted("low"), w.submitted("mid")
		for _, r := range []RequestRow{waits, taken} {
			if r.Status != cab.Submitted || r.Gate.Decision != cab.GateAuto || r.Gate.WaitsFor != cab.ForWitnesses || r.Decision != nil {
				t.Fatalf("unwitnessed: %+v", r)
			}
		}
		if mid.Gate.WaitsFor != "" {
			t.Errorf("what CAB decides waits for nobody else: %+v", mid.Gate)
		}
		state := must[Witnessing](t)(w.Witnessing(w.ctx))
		if !state.Required || state.Current || state.Witnessed >= state.Size {
			t.Errorf("%+v", state)
		}
		w.sweep()
		if got := w.statusOf(waits.ID); got != cab.Submitted {
			t.Errorf("still unwitnessed, and %s", got)
		}
		must[RequestRow](t)(w.Reject(w.ctx, w.carol, taken.ID, "CAB may decide meanwhile"))
		w.see(one)
		w.sweep()
		if got := w.statusOf(waits.ID); got != cab.AutoApproved {
			t.Errorf("witnessed again, and %s", got)
		}
		if got := w.statusOf(taken.ID); got != cab.RejectedByCAB {
			t.Errorf("what CAB rejected is %s", got)
		}
		row := must[RequestRow](t)(w.Request(w.ctx, w.ada, waits.ID))
		if row.Decision == nil || row.Decision.Decider.ID != cab.RiskGate.ID || row.ValidUntil.IsZero() {
			t.Errorf("%+v %+v", row.Request, row.Decision)
		}
		w.wantSound()
	})
}

// TestWhatIsNotReleased: newer evidence, another policy, altered evidence.
func TestWhatIsNotReleased(t *testing.T) {
	eachWorld(t, func(w *world) {
		one := w.watched(true)
		w.clock.advance(time.Hour)
		old, other := w.submitted("low"), w.submitted("low")
		must[Evidence](t)(w.CreateEvidence(w.ctx, w.erin, old.DeploymentID, evidenceOf("high")))
		w.see(one)
		w.sweep()
		if a, b := w.statusOf(old.ID), w.statusOf(other.ID); a != cab.Submitted || b != cab.AutoApproved {
			t.Errorf("with newer evidence %s, without %s", a, b)
		}
		w.clock.advance(time.Hour)
		late := w.submitted("low")
		rules := must[cab.Policy](t)(cab.ParsePolicy(cab.DefaultPolicy()))
		rules.Version, rules.Thresholds.Auto = "stricter", 20
		must[cab.Published](t)(w.PublishPolicy(w.ctx, w.root, rules))
		w.see(one)
		w.sweep()
		if got := w.statusOf(late.ID); got != cab.Submitted {
			t.Errorf("under another policy: %s", got)
		}
	})
}

// TestNobodyToAsk: a policy that wants the ledger witnessed approves nothing by rule
// on a site without witnesses; one that does not, does not ask.
func TestNobodyToAsk(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.watched(false)
		w.clock.advance(time.Hour)
		if got := w.submitted("low"); got.Status != cab.AutoApproved {
			t.Errorf("nobody wants it witnessed, and %s", got.Status)
		}
		rules := must[cab.Policy](t)(cab.ParsePolicy(cab.DefaultPolicy()))
		rules.Version, rules.RequireWitnessed = "w2", true
		must[cab.Published](t)(w.PublishPolicy(w.ctx, w.root, rules))
		w.witnesses = nil
		if got := w.submitted("low"); got.Status != cab.Submitted {
			t.Errorf("no witnesses, and %s", got.Status)
		}
	})
}

// TestWitnessedByNobody: that a quorum has witnessed the ledger is believed of
// signatures, not of the row that says so, and by the trust policy that counts now.
func TestWitnessedByNobody(t *testing.T) {
	eachWorld(t, func(w *world) {
		one := w.watched(true)
		w.see(one)
		w.submitted("mid")
		w.clock.advance(time.Hour)
		waits := w.submitted("low")
		must[[]byte](t)(w.store.Checkpoint(w.ctx))
		if _, err := storetest.Owner(t, w.url).Exec(`INSERT INTO witnessed SELECT MAX(size), 1 FROM checkpoint`); err != nil {
			t.Fatal(err)
		}
		w.sweep()
		state := must[Witnessing](t)(w.Witnessing(w.ctx))
		if got := w.statusOf(waits.ID); got != cab.Submitted || state.Current || state.Witnessed != 0 {
			t.Errorf("a row says that it is witnessed: %s, %+v", got, state)
		}
		w.see(one)
		if state = must[Witnessing](t)(w.Witnessing(w.ctx)); !state.Current {
			t.Errorf("witnessed: %+v", state)
		}
		two := witnesstest.New(t, "witness.example/two", w.store.LedgerKey())
		w.witnesses = must[*ledger.Trust](t)(ledger.ParseTrust([]byte("log " + w.store.LedgerKey() + "\n" + one.Line("one") + two.Line("two") + "group g all one two\nquorum g\n")))
		if state = must[Witnessing](t)(w.Witnessing(w.ctx)); state.Current {
			t.Errorf("two must witness it now, and one has: %+v", state)
		}
	})
}

// TestAMissingEventIsNoSign: that the first event which nobody has seen is gone does
// not mean that all were seen.
func TestAMissingEventIsNoSign(t *testing.T) {
	for name, seen := range map[string]bool{"after what was witnessed": true, "and nobody has witnessed anything": false} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(w *world) {
				one := w.watched(true)
				if seen {
					w.see(one)
				}
				w.submitted("mid")
				w.clock.advance(time.Hour)
				db := storetest.Owner(t, w.url)
				storetest.DropTriggers(t, db, w.engine)
				if _, err := db.Exec(`DELETE FROM event WHERE seq = (SELECT COALESCE(MAX(size), 0) FROM witnessed)`); err != nil {
					t.Fatal(err)
				}
				state := must[Witnessing](t)(w.Witnessing(w.ctx))
				if got := w.submitted("low"); got.Status != cab.Submitted || state.Current {
					t.Errorf("%s, %+v", got.Status, state)
				}
			})
		})
	}
}

// TestReleaseLooksAgain: whoever submitted may not any more; the gate in the row is
// not the gate's; the document was altered, which is said once.
func TestReleaseLooksAgain(t *testing.T) {
	eachWorld(t, func(w *world) {
		one := w.watched(true)
		w.clock.advance(time.Hour)
		altered, flipped, late := w.submitted("low"), w.submitted("mid"), w.submitted("low")
		db := storetest.Owner(t, w.url)
		storetest.DropTriggers(t, db, w.engine)
		for _, attack := range []string{
			`UPDATE cab_request SET gate = (SELECT gate FROM cab_request WHERE id = '` + altered.ID + `') WHERE id = '` + flipped.ID + `'`,
			`UPDATE evidence_package SET document = (SELECT document FROM evidence_package WHERE id = '` + late.PackageID + `') WHERE id = '` + altered.PackageID + `'`,
		} {
			if _, err := db.Exec(attack); err != nil {
				t.Fatal(err)
			}
		}
		must[cab.Principal](t)(w.DisableUser(w.ctx, w.root, "erin"))
		w.see(one)
		for range 3 {
			w.sweep()
		}
		for name, r := range map[string]RequestRow{"altered": altered, "flipped": flipped, "of somebody who left": late} {
			if got := w.statusOf(r.ID); got != cab.Submitted {
				t.Errorf("%s: %s", name, got)
			}
		}
		if n := strings.Count(w.types(altered.CorrelationID), string(cab.EvidenceTampered)); n != 1 {
			t.Errorf("the alteration was written down %d times", n)
		}
	})
}
