package capsuletest

import (
	"time"

	"github.com/eucora/eucora/internal/cab"
)

// Story is something that can become of a request.
type Story struct {
	Name   string
	Make   func() *World
	Status cab.Status // in the end
}

func two(p *cab.Policy) { p.Version, p.Quorum = "9.2", 2 }

func watched(p *cab.Policy) { p.Version, p.RequireWitnessed = "9.3", true }

// Stories are all that can become of a request.
func Stories() []Story {
	return []Story{
		{"auto-approved", autoApproved, cab.AutoApproved},
		{"conditional", func() *World { return conditional().WitnessedBy() }, cab.ConditionallyApp},
		{"rejected", func() *World {
			w := filed("mid", nil)
			w.Vote(chris, false, "")
			return w
		}, cab.RejectedByCAB},
		{"excepted", excepted, cab.ApprovedByCAB},
		{"withdrawn", func() *World {
			w := filed("mid", nil)
			w.Review(carol)
			w.save(w.r.Withdraw(w.call(erin), "not now"))
			return w
		}, cab.Withdrawn},
		{"revoked", revoked, cab.Revoked},
		{"pending", func() *World {
			w := filed("mid", two, []byte("a report"))
			w.Vote(carol, true, "")
			w.Wait(25 * time.Hour)
			escalated, _ := w.r.Escalate(w.call(cab.Clock), 0)
			w.save(escalated, nil)
			return w
		}, cab.UnderReview},
		{"waiting-for-witnesses", func() *World { return filed("low", watched) }, cab.Submitted},
		{"witnessed-again", func() *World {
			w := filed("low", watched)
			w.Release()
			return w
		}, cab.AutoApproved},
		{"waiting-for-an-exception", func() *World { return filed("high", nil) }, cab.NeedsException},
	}
}

// Name is the CAB- name of the story's request.
func (w *World) Name() string { return w.r.Name }

// filed is a site where something was submitted, and something else after it.
func filed(kind string, policy func(*cab.Policy), files ...[]byte) *World {
	w := NewWorld(policy)
	w.File(kind, files...)
	w.Submit()
	return w
}

func autoApproved() *World {
	w := filed("low", nil, []byte("MZ one file"), []byte("and another, not alike"))
	started := cab.Standing{Approved: true}
	w.save(w.d.Report(w.call(pat), cab.DeploymentStarted, started, "ring 1"))
	w.save(w.d.Report(w.call(pat), cab.DeploymentCompleted, started, ""))
	return w
}

// conditional is approved by two, each with conditions.
func conditional() *World {
	w := filed("mid", two)
	w.Review(carol)
	w.Vote(carol, true, `{"max_ring":"PILOT"}`)
	w.Vote(chris, true, `{"hours":[20,22.5],"max_ring":"PILOT"}`)
	return w
}

func approved() *World {
	w := filed("mid", nil)
	w.Review(carol)
	w.Vote(carol, true, "")
	return w
}

func excepted() *World {
	w := filed("high", nil, []byte("MZ a file"))
	w.Except(9)
	w.Vote(carol, true, "")
	w.Wait(3 * 24 * time.Hour)
	warned, _ := w.x[0].Warn(w.call(cab.Clock), w.r, 0)
	w.save(warned, nil)
	w.Wait(7 * 24 * time.Hour)
	expired, _ := w.x[0].Expire(w.call(cab.Clock))
	w.save(expired, nil)
	ended, _ := w.r.Expire(w.call(cab.Clock), w.x)
	w.save(ended, nil)
	w.Stamped = true
	return w.WitnessedBy()
}

func revoked() *World {
	w := approved()
	w.save(w.r.Revoke(w.call(sam), "found in the wild"))
	return w
}
