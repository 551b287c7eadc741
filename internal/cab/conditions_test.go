package cab

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// TestConditions: each kind, met and not.
func TestConditions(t *testing.T) {
	saturday := time.Date(2026, 11, 28, 22, 30, 0, 0, time.UTC)
	passed := []CheckReport{{Name: "smoke", Passed: true, PackageID: "pkg"}, {Name: "old", Passed: true, PackageID: "before"}, {Name: "bad", PackageID: "pkg"}}
	for _, c := range []struct {
		text string
		with func(*Grounds, *Rollout)
		want ConditionState
	}{
		{`{"max_ring":"PILOT"}`, nil, ConditionMet},
		{`{"max_ring":"CANARY"}`, nil, ConditionUnmet},
		{`{"max_devices":1110}`, nil, ConditionMet},
		{`{"max_devices":1109}`, nil, ConditionUnmet},
		{`{"max_rollout_percent":23}`, nil, ConditionMet},
		{`{"max_rollout_percent":22}`, nil, ConditionUnmet},
		{`{"max_rollout_percent":100}`, func(g *Grounds, _ *Rollout) { g.Users = -1 }, ConditionUnknown},
		{`{"not_before":"2026-11-24T13:00:00+01:00"}`, func(g *Grounds, _ *Rollout) { g.Now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }, ConditionMet},
		{`{"not_before":"2026-11-24T13:00:00+01:00"}`, func(g *Grounds, _ *Rollout) { g.Now = time.Date(2026, 11, 24, 11, 59, 59, 0, time.UTC) }, ConditionUnmet},
		{`{"not_after":"2026-11-24T12:00:00Z"}`, func(g *Grounds, _ *Rollout) { g.Now = time.Date(2026, 11, 24, 12, 0, 0, 1000, time.UTC) }, ConditionUnmet},
		{`{"not_after":"2026-11-24T12:00:00Z"}`, func(g *Grounds, _ *Rollout) { g.Now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }, ConditionMet},
		{`{"window":{"days":["SAT"],"from":"23:00","to":"04:00","time_zone":"Europe/Berlin"}}`, func(g *Grounds, _ *Rollout) { g.Now = saturday }, ConditionMet},
		{`{"window":{"days":["SAT"],"from":"23:00","to":"04:00","time_zone":"Europe/Berlin"}}`, func(g *Grounds, _ *Rollout) { g.Now = saturday.Add(4 * time.Hour) }, ConditionMet},
		{`{"window":{"days":["SAT"],"from":"23:00","to":"04:00","time_zone":"Europe/Berlin"}}`, func(g *Grounds, _ *Rollout) { g.Now = saturday.Add(5 * time.Hour) }, ConditionUnmet},
		{`{"window":{"days":["SUN"],"from":"00:00","to":"24:00","time_zone":"Europe/Berlin"}}`, func(g *Grounds, _ *Rollout) { g.Now = saturday }, ConditionUnmet},
		{`{"window":{"days":["SUN"],"from":"00:00","to":"24:00","time_zone":"Europe/Berlin"}}`, func(g *Grounds, _ *Rollout) { g.Now = saturday.Add(time.Hour) }, ConditionMet},
		{`{"requires_check":"smoke"}`, nil, ConditionMet},
		{`{"requires_check":"old"}`, nil, ConditionUnmet},
		{`{"requires_check":"bad"}`, nil, ConditionUnmet},
		{`{"requires_check":["smoke","never"]}`, nil, ConditionUnmet},
		{`{"monitor_hours":49}`, nil, ConditionMet},
		{`{"monitor_hours":50}`, nil, ConditionUnmet},
		{`{"monitor_hours":50}`, func(_ *Grounds, r *Rollout) { r.Ring = Lab }, ConditionMet},
		{`{"monitor_hours":1}`, func(g *Grounds, r *Rollout) { g.Deployment.Rings = nil }, ConditionUnmet},
		{`{"note":"mind the laptops"}`, nil, ConditionUnmet},
		{`{"note":"mind the laptops"}`, func(_ *Grounds, r *Rollout) { r.NoteRead = true }, ConditionMet},
	} {
		if err := CheckConditions(jsontext.Value(c.text)); err != nil {
			t.Errorf("%s: %v", c.text, err)
		}
		g, r := openGrounds()
		g.Deployment.Checks = passed
		if c.with != nil {
			c.with(&g, &r)
		}
		judged, err := judgeConditions(jsontext.Value(c.text), g, r)
		if err != nil || len(judged) != 1 || judged[0].State != c.want || judged[0].Says == "" {
			t.Errorf("%s: %+v, want %s (%v)", c.text, judged, c.want, err)
		}
	}
}

// TestConditionsThatNothingChecks are refused, by name.
func TestConditionsThatNothingChecks(t *testing.T) {
	for text, field := range map[string]string{
		`{"max_rings":"LAB"}`: "max_rings", `{"":1}`: "", `{"max_ring":"lab"}`: "max_ring", `{"max_ring":null}`: "max_ring", `{"max_ring":["LAB"]}`: "max_ring",
		`{"max_devices":0}`: "max_devices", `{"max_devices":1.5}`: "max_devices", `{"max_devices":"5"}`: "max_devices", `{"max_devices":1e3}`: "max_devices",
		`{"max_devices":100000001}`: "max_devices", `{"max_rollout_percent":101}`: "max_rollout_percent", `{"not_before":"tomorrow"}`: "not_before",
		`{"not_before":"2026-12-01T20:00:00"}`: "not_before", `{"not_after":1}`: "not_after", `{"window":{}}`: "window", `{"window":"always"}`: "window",
		`{"window":{"days":["SAT"],"from":"1:00","to":"2:00","time_zone":"UTC"}}`:                "window",
		`{"window":{"days":["SAT"],"from":"01:00","to":"01:00","time_zone":"UTC"}}`:              "window",
		`{"window":{"days":["SAT"],"from":"24:00","to":"01:00","time_zone":"UTC"}}`:              "window",
		`{"window":{"days":["SAT"],"from":"01:00","to":"02:00","time_zone":"Local"}}`:            "window",
		`{"window":{"days":["SAT"],"from":"01:00","to":"02:00","time_zone":"../../etc/passwd"}}`: "window",
		`{"window":{"days":["SAT"],"from":"01:00","to":"02:00"}}`:                                "window",
		`{"window":{"days":[],"from":"01:00","to":"02:00","time_zone":"UTC"}}`:                   "window",
		`{"window":{"days":["SAT"],"from":"01:00","to":"02:00","time_zone":"UTC","but":1}}`:      "window",
		`{"requires_check":""}`: "requires_check", `{"requires_check":[]}`: "requires_check", `{"requires_check":["a",1]}`: "requires_check", `{"requires_check":"A b"}`: "requires_check",
		`{"monitor_hours":0}`: "monitor_hours", `{"monitor_hours":721}`: "monitor_hours", `{"note":""}`: "note", `{"note":" "}`: "note", `{"note":{}}`: "note",
		`{"note":"` + strings.Repeat("x", 2001) + `"}`: "note",
	} {
		_, err := requestIn(Submitted).CastVote(callBy(carol), Situation{LatestID: "pkg"}, true, "yes", jsontext.Value(text))
		if KindOf(err) != Invalid || !strings.Contains(err.Error(), "conditions."+field) {
			t.Errorf("%s: %v", text, err)
		}
	}
	_, err := requestIn(Submitted).CastVote(callBy(carol), Situation{LatestID: "pkg"}, true, "yes", jsontext.Value(`{"zz":1}`))
	for _, name := range ConditionNames() {
		if !strings.Contains(fmt.Sprint(err), name) {
			t.Errorf("%s is not named: %v", name, err)
		}
	}
}

// TestGateInTheDocs: every reason and every condition is explained.
func TestGateInTheDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/gate.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range append(ReasonCodes(), ConditionNames()...) {
		if !strings.Contains(string(text), "`"+word+"`") {
			t.Errorf("docs/gate.md does not have %s", word)
		}
	}
}
