package capsuletest

import (
	"strings"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/go-json-experiment/json/jsontext"
)

func byPermit(p *cab.Policy) {
	p.Version, p.RequirePermit = "9.4", true
	p.Blackouts = []cab.Blackout{{Name: "year's end", From: time.Date(2026, 12, 20, 0, 0, 0, 0, time.UTC), To: time.Date(2027, 1, 7, 5, 30, 0, 500e6, time.UTC)}}
}

// permitted is approved with conditions, and begun with a permit; another permit is
// void, for the approval is revoked.
func permitted() *World {
	w := filed("mid", byPermit)
	vote := must(w.r.CastVote(w.call(carol), w.situation(), true, "looked at it", jsontext.Value(`{"note":"mind the laptops","requires_check":["smoke_test"]}`)))
	w.save(vote, nil)
	passed, ten, none := true, 10, 0
	w.save(w.d.Report(w.call(pat), cab.Reported{Kind: cab.CheckReported, Check: "smoke_test", Passed: &passed, PackageID: w.p.ID}, cab.Standing{}))
	grounds := func() cab.Grounds {
		return cab.Grounds{
			Now: w.now, Deployment: w.d, Package: &w.p, Whole: true, Artifacts: []string{digest}, Users: 500, Request: &w.r, Decision: vote.Decision,
			Policy: cab.Published{Version: w.rules.Version, Digest: strings.Repeat("ab", 32)}, Rules: w.rules,
		}
	}
	begin := func(ring cab.Ring, devices int, before func()) (cab.Change, error) {
		rollout := cab.Rollout{Ring: ring, Artifact: digest, Devices: devices, NoteRead: true}
		given := must(grounds().IssuePermit(w.call(pat), w.id(), rollout, 0))
		w.save(given, nil)
		before()
		return given.Permit.Redeem(w.call(pat), grounds(), rollout)
	}
	w.save(begin(cab.Lab, ten, func() {}))
	w.save(w.d.Report(w.call(pat), cab.Reported{Kind: cab.DeploymentCompleted, Succeeded: &ten, Failed: &none}, cab.Standing{}))
	void, _ := begin(cab.Canary, 50, func() { w.save(w.r.Revoke(w.call(sam), "found in the wild")) })
	w.save(void, nil)
	return w
}
