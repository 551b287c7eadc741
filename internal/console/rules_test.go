package console

import (
	"net/http"
	"testing"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/risk"
	"github.com/eucora/eucora/internal/workflow"
)

// TestRulesPage: the rules in force in words, those that are not, and what hostile
// names in them do.
func TestRulesPage(t *testing.T) {
	eachWorld(t, func(w *world) {
		erin := w.as("erin")
		erin.get("/models").has(t, "Policy 1.1", "in force", "number of critical findings: above 0, or not known", "an exception first",
			"1 of the board must approve", "90 days", "48 hours, 24 if it is urgent", "nothing waits for them", "Scores run from",
			"test coverage in percent", "weight 0.20", "&gt; 90", "or not known", `href="/models?policy=1.0"`, "scores new evidence")
		old := erin.get("/models?policy=1.0")
		old.has(t, "Policy 1.0 is not in force.", "Show what is in force", "scores new evidence")
		old.lacks(t, "declared mismatch")
		for _, path := range []string{"/models?policy=9", "/models?model=9", "/models?policy=%22%3E%3Cscript%3Ealert(1)"} {
			p := erin.get(path)
			if p.status != http.StatusNotFound {
				t.Errorf("%s: %d", path, p.status)
			}
			p.lacks(t, "<script>alert")
		}

		model, err := risk.Parse("m.yaml", []byte(`
version: "2"
title: '<script>alert(1)</script>'
normalization: max
allow_unreachable: true
factors:
  - name: coverage
    fact: test_results.coverage_percent
    weight: "1"
    rubric: [{above: "50", points: 1}, {from: "0", to: "50", points: 2}]
`))
		w.must(err)
		root := workflow.Call{Actor: cab.Actor{ID: w.ids["root"], Name: "root", Role: cab.Admin}}
		_, err = w.service.PublishModel(w.ctx, root, model)
		w.must(err)
		rules, err := cab.ParsePolicy("p.yaml", []byte(`
version: "2"
risk_model: "2"
thresholds: {auto: 60, review: 99}
guards:
  - {name: g, fact: deployment_plan.privileged, is_true: true, at_least: manual_review, reason: '<img src=x>'}
quorum: 2
approval_days: 1
exception: {default_days: 1, max_days: 2}
decide_within_hours: {standard: 4, urgent: 2}
require_derived: [scan_results.critical]
require_witnessed: true
`))
		w.must(err)
		_, err = w.service.PublishPolicy(w.ctx, root, rules)
		w.must(err)
		p := erin.get("/models")
		p.has(t, "Policy 2", "2 of the board must approve", "1 day<", "What is only declared needs an exception", "while no quorum of them follows the ledger",
			"Scores run from 50.00 to 100.00", "No evidence reaches manual review", "50.0 %", "&lt;script&gt;alert(1)")
		p.lacks(t, "<script>alert", "<img src=x")
		erin.get("/models?model=1.0").has(t, "Model 1.0 is not the one that policy 2 names.")
	})
}
