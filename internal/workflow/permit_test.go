package workflow

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/attest"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store/storetest"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// newKeys are keys of which one signs, and its public half.
func newKeys(t testing.TB) (keys func() (*attest.Ring, error), public []byte) {
	t.Helper()
	key := attestationKey(t, time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC))
	return ring(key), []byte(key.PublicPEM)
}

var toLab = cab.Rollout{Ring: cab.Lab, Artifact: hash64, Devices: 10}

// conditional is a request approved with conditions.
func (w *world) conditional(conditions string) RequestRow {
	w.t.Helper()
	r := w.submitted("mid")
	return must[RequestRow](w.t)(w.Approve(w.ctx, w.carol, r.ID, "if", jsontext.Value(conditions)))
}

// TestPermits: a rollout through two rings, by permits, on both engines.
func TestPermits(t *testing.T) {
	eachWorld(t, func(w *world) {
		keys, public := newKeys(t)
		_, otherPublic := newKeys(t)
		r := w.conditional(`{"max_ring":"CANARY","monitor_hours":2}`)
		_, err := w.ReportDeployment(w.ctx, w.pat, r.DeploymentID, cab.Reported{Kind: cab.DeploymentStarted})
		w.wantCode(err, "PERMIT_REQUIRED")
		gate := must[GateAnswer](t)(w.DeploymentGate(w.ctx, w.erin, r.DeploymentID, toLab))
		if !gate.Open || len(gate.Conditions) != 2 {
			t.Errorf("%+v", gate)
		}
		_, err = w.DeploymentGate(w.ctx, w.eve, r.DeploymentID, toLab)
		w.wantCode(err, "FORBIDDEN")
		for _, call := range []Call{w.erin, w.carol, w.sam, w.ada, w.root} {
			_, err = w.IssuePermit(w.ctx, call, r.DeploymentID, toLab, 0, keys)
			w.wantCode(err, "FORBIDDEN")
		}
		p := must[Issued](t)(w.IssuePermit(w.ctx, w.pat, r.DeploymentID, toLab, 0, keys))
		signed, artifact, err := attest.OpenPermit(p.Envelope, public)
		var inside cab.StartPermit
		if err != nil || artifact != hash64 || json.Unmarshal(signed, &inside, json.RejectUnknownMembers(true)) != nil || inside != p.StartPermit {
			t.Errorf("signed: %s, %v", signed, err)
		}
		if _, _, err := attest.OpenPermit(p.Envelope, otherPublic); err == nil {
			t.Error("another key signed it")
		}
		_, err = w.StartPermit(w.ctx, w.eve, p.ID)
		w.wantCode(err, "FORBIDDEN")
		w.redeemedOnce(p.StartPermit)
		_, err = w.IssuePermit(w.ctx, w.pat, r.DeploymentID, toLab, 0, keys)
		w.wantCode(err, "GATE_CLOSED")
		ten, none := 10, 0
		must[cab.Deployment](t)(w.ReportDeployment(w.ctx, w.pat, r.DeploymentID, cab.Reported{Kind: cab.DeploymentCompleted, Succeeded: &ten, Failed: &none}))
		toCanary := cab.Rollout{Ring: cab.Canary, Artifact: hash64, Devices: 100}
		_, err = w.IssuePermit(w.ctx, w.pat, r.DeploymentID, toCanary, 0, keys)
		w.wantCode(err, "GATE_CLOSED")
		w.clock.advance(2 * time.Hour)
		canary := must[Issued](t)(w.IssuePermit(w.ctx, w.pat, r.DeploymentID, toCanary, time.Minute, keys))
		w.clock.advance(time.Minute)
		_, err = w.RedeemPermit(w.ctx, w.pat, canary.ID, toCanary)
		w.wantCode(err, "PERMIT_EXPIRED")
		canary = must[Issued](t)(w.IssuePermit(w.ctx, w.pat, r.DeploymentID, toCanary, 0, keys))
		must[RequestRow](t)(w.Revoke(w.ctx, w.sam, r.ID, "a flaw"))
		_, err = w.RedeemPermit(w.ctx, w.pat, canary.ID, toCanary)
		w.wantCode(err, "GATE_CLOSED")
		if got := must[cab.StartPermit](t)(w.StartPermit(w.ctx, w.ada, canary.ID)); got.State != cab.PermitVoid || !strings.Contains(got.EndReason, "revoked") {
			t.Errorf("%+v", got)
		}
		_, err = w.RedeemPermit(w.ctx, w.pat, canary.ID, toCanary)
		w.wantCode(err, "PERMIT_VOID")
		_, types, _ := strings.Cut(w.types(r.ID), "CAB_APPROVED ")
		if want := "PERMIT_ISSUED DEPLOYMENT_STARTED DEPLOYMENT_COMPLETED PERMIT_ISSUED PERMIT_ISSUED APPROVAL_REVOKED PERMIT_VOIDED"; types != want {
			t.Errorf("events %s", types)
		}
		w.wantSound()
	})
}

// redeemedOnce redeems a permit many times at once: one of them begins the rollout.
func (w *world) redeemedOnce(p cab.StartPermit) {
	w.t.Helper()
	var began, refused sync.Map
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			if _, err := w.RedeemPermit(w.ctx, w.pat, p.ID, p.Rollout()); err != nil {
				refused.Store(i, cab.CodeOf(err))
			} else {
				began.Store(i, true)
			}
		})
	}
	all.Wait()
	n := 0
	began.Range(func(any, any) bool { n++; return true })
	refused.Range(func(_, code any) bool {
		if code != "PERMIT_REDEEMED" {
			w.t.Errorf("refused: %s", code)
		}
		return true
	})
	if n != 1 {
		w.t.Errorf("begun %d times", n)
	}
}

// TestPermitsAhead: a middling risk is tried in LAB before CAB has decided, and what a
// rejection leaves of that.
func TestPermitsAhead(t *testing.T) {
	eachWorld(t, func(w *world) {
		keys, _ := newKeys(t)
		r, high := w.submitted("mid"), w.submitted("high")
		_, err := w.IssuePermit(w.ctx, w.pat, high.DeploymentID, toLab, 0, keys)
		w.wantCode(err, "GATE_CLOSED")
		p := must[Issued](t)(w.IssuePermit(w.ctx, w.pat, r.DeploymentID, toLab, 0, keys))
		if !p.AheadOfCAB || p.DecisionDigest != "" {
			t.Errorf("%+v", p.StartPermit)
		}
		must[RequestRow](t)(w.Reject(w.ctx, w.carol, r.ID, "no"))
		_, err = w.RedeemPermit(w.ctx, w.pat, p.ID, toLab)
		w.wantCode(err, "GATE_CLOSED")
		w.wantSound()
	})
}

// TestNoPermit: without keys, with evidence that was altered, under a policy that has
// come since, and by a report where the policy wants a permit.
func TestNoPermit(t *testing.T) {
	eachWorld(t, func(w *world) {
		keys, _ := newKeys(t)
		r := w.submitted("low")
		for _, none := range []func() (*attest.Ring, error){
			func() (*attest.Ring, error) { return nil, errors.New("the disk is gone") },
			func() (*attest.Ring, error) { return attest.NewRing(nil), nil },
		} {
			if _, err := w.IssuePermit(w.ctx, w.pat, r.DeploymentID, toLab, 0, none); cab.KindOf(err) != cab.Unavailable {
				t.Errorf("without a key: %v", err)
			}
		}
		p := must[Issued](t)(w.IssuePermit(w.ctx, w.pat, r.DeploymentID, toLab, 0, keys))
		must[cab.Published](t)(w.PublishPolicy(w.ctx, w.root, must[cab.Policy](t)(cab.ParsePolicy("strict.yaml", []byte(strictPolicy())))))
		_, err := w.RedeemPermit(w.ctx, w.pat, p.ID, toLab)
		w.wantCode(err, "GATE_CLOSED")
		_, err = w.ReportDeployment(w.ctx, w.pat, r.DeploymentID, cab.Reported{Kind: cab.DeploymentStarted})
		w.wantCode(err, "PERMIT_REQUIRED")
		_, err = w.IssuePermit(w.ctx, w.pat, r.DeploymentID, toLab, 0, keys)
		w.wantCode(err, "GATE_CLOSED")
		if !strings.Contains(err.Error(), "year's end") {
			t.Errorf("in the blackout: %v", err)
		}
		w.clock.advance(2 * 24 * time.Hour)
		p = must[Issued](t)(w.IssuePermit(w.ctx, w.pat, r.DeploymentID, toLab, 0, keys))
		w.wantSound()
		db := storetest.Owner(t, w.url)
		storetest.DropTriggers(t, db, w.engine)
		if _, err := db.Exec(`UPDATE evidence_package SET content_hash = 'x' WHERE id = $1`, r.PackageID); err != nil {
			t.Fatal(err)
		}
		_, err = w.RedeemPermit(w.ctx, w.pat, p.ID, toLab)
		w.wantCode(err, "EVIDENCE_TAMPERED")
		_, err = w.IssuePermit(w.ctx, w.pat, r.DeploymentID, toLab, 0, keys)
		w.wantCode(err, "EVIDENCE_TAMPERED")
		_, err = w.DeploymentGate(w.ctx, w.pat, r.DeploymentID, toLab)
		w.wantCode(err, "EVIDENCE_TAMPERED")
	})
}

// strictPolicy is the newest policy that wants permits, with a blackout that has begun.
func strictPolicy() string {
	_, text := cab.DefaultPolicy()
	return strings.Replace(string(text), `version: "1.1"`, `version: "7.1"`, 1) + "\nrequire_permit: true\nblackouts:\n  - name: year's end\n    from: 2026-11-24T00:00:00+01:00\n    to: 2026-11-26T00:00:00Z\n"
}
