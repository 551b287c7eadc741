package cab

import (
	"strings"
	"testing"

	"github.com/eucora/eucora/internal/evidence"
	"github.com/google/go-cmp/cmp"
)

func TestPolicyRefusals(t *testing.T) {
	name, text := DefaultPolicy()
	for what, c := range map[string]struct{ old, new string }{
		"unknown member":   {"quorum: 1", "quorum: 1\nquorumm: 2"},
		"no quorum":        {"quorum: 1", "quorum: 0"},
		"thresholds":       {"auto: 50", "auto: 80"},
		"unknown fact":     {"fact: scan_results.critical", "fact: scan_results.critcal"},
		"lowering guard":   {"at_least: manual_review", "at_least: auto_approved"},
		"endless":          {"max_days: 90", "max_days: 91"},
		"second document":  {"quorum: 1", "quorum: 1\n---\nquorum: 1"},
		"bool as a number": {"is_true: true", "above: 1"},
		"word of no list":  {"one_of: [invalid]", "one_of: [broken]"},
		"no words":         {"one_of: [invalid]", "one_of: []"},
		"two conditions":   {"one_of: [invalid]", "one_of: [invalid]\n    above: 1"},
		"endless blackout": {"quorum: 1", "quorum: 1\nblackouts: [{name: x, from: 2026-12-24T00:00:00Z}]"},
		"nameless one":     {"quorum: 1", "quorum: 1\nblackouts: [{from: 2026-12-24T00:00:00Z, to: 2026-12-25T00:00:00Z}]"},
		"backward one":     {"quorum: 1", "quorum: 1\nblackouts: [{name: x, from: 2026-12-24T00:00:00Z, to: 2026-12-24T00:00:00Z}]"},
		"not from a file":  {"quorum: 1", "quorum: 1\nrequire_derived: [rollback_plan.validated]"},
	} {
		bad := strings.Replace(string(text), c.old, c.new, 1)
		if what == "second document" {
			bad = string(text) + "\n---\nversion: \"2\"\n"
		}
		if _, err := ParsePolicy(name, []byte(bad)); err == nil || !strings.HasPrefix(err.Error(), name+":") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestPoliciesAreFrozen: a published policy is never edited again.
func TestPoliciesAreFrozen(t *testing.T) {
	var digests []string
	for _, file := range Policies() {
		p, err := ParsePolicy(file.Name, file.Text)
		if err != nil {
			t.Fatal(err)
		}
		document, err := p.Document()
		if err != nil {
			t.Fatal(err)
		}
		again, err := PolicyFromDocument(document)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p, again); diff != "" {
			t.Errorf("a policy changes when stored:\n%s", diff)
		}
		digests = append(digests, p.Version+" "+evidence.Digest(document))
	}
	if diff := cmp.Diff(policyDigests, digests); diff != "" {
		t.Errorf("published policies are frozen:\n%s", diff)
	}
}

// policyDigests are the digests under which the policies were published.
var policyDigests = []string{
	"1.0 fba583c1d424edb39d99754ad31d5ff5d54979770fbef7ec0a64ffe254f1d26c",
	"1.1 a7230e5f71f05963b9a26520473a60a49e4252e1893d3f67564f6c273886a19e",
}

// filed is a package with an artifact whose signature was looked into, and
// numbers of a scan, derived or declared.
func filed(t *testing.T, status, declaredStatus string, derivedScan bool) evidence.Facts {
	t.Helper()
	quoted := func(text string) []byte { return []byte(`"` + text + `"`) }
	declared := `{"scan_results":{"critical":0,"high":0}}`
	if declaredStatus != "" {
		declared = `{"artifacts":{"signature":{"status":"` + declaredStatus + `"}},"scan_results":{"critical":0,"high":0}}`
	}
	sections, err := evidence.ParseSections([]byte(declared))
	if err != nil {
		t.Fatal(err)
	}
	var values []evidence.Derived
	if status != "" {
		values = append(values, evidence.Derived{Path: "artifacts[0].signature.status", Value: quoted(status)})
	}
	if derivedScan {
		values = append(values, evidence.Derived{Path: "scan_results.critical", Value: []byte("0")})
	}
	sections, origins, err := sections.Derive(values)
	if err != nil {
		t.Fatal(err)
	}
	return evidence.ReadFacts(sections, origins...)
}

// TestGuardsOnDerivedFacts: policy 1.1 acts on what the files say, and treats
// declarations alone as policy 1.0 does.
func TestGuardsOnDerivedFacts(t *testing.T) {
	rules, err := ParsePolicy(DefaultPolicy())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		status, declared string
		want             GateDecision
	}{
		{"", "", GateAuto},
		{"", "invalid", GateAuto}, // a declaration is not looked into
		{"valid", "", GateAuto},
		{"valid", "valid", GateAuto},
		{"unknown_format", "", GateAuto},
		{"unsigned", "", GateReview},
		{"untrusted", "", GateReview},
		{"expired", "", GateReview},
		{"invalid", "", GateException},
		{"valid", "unsigned", GateReview}, // better than declared, and still not what was said
		{"invalid", "valid", GateException},
		{"sound", "", GateException}, // a word nobody knows is the worst
	} {
		if gate := rules.Evaluate(1000, filed(t, c.status, c.declared, false)); gate.Decision != c.want {
			t.Errorf("signature %q, declared %q: %s, want %s (%s)", c.status, c.declared, gate.Decision, c.want, gate.Rationale)
		}
	}
	// One good file does not speak for an artifact that nobody has seen.
	sections, err := evidence.ParseSections([]byte(`{"artifacts":[{"name":"a"},{"name":"b","signature":{"status":"valid"}}],"scan_results":{"critical":0}}`))
	if err != nil {
		t.Fatal(err)
	}
	sections, origins, err := sections.Derive([]evidence.Derived{{Path: "artifacts[0].signature.status", Value: []byte(`"valid"`)}})
	if err != nil {
		t.Fatal(err)
	}
	if gate := rules.Evaluate(1000, evidence.ReadFacts(sections, origins...)); gate.Decision != GateReview {
		t.Errorf("an artifact that was only declared, beside one that was sent: %s (%s)", gate.Decision, gate.Rationale)
	}
	rules.RequireDerived = []evidence.FactName{evidence.Critical}
	if gate := rules.Evaluate(1000, filed(t, "valid", "", false)); gate.Decision != GateException || !strings.Contains(gate.Rationale, "scan_results.critical was not read from a file") {
		t.Errorf("declared where derived is required: %s (%s)", gate.Decision, gate.Rationale)
	}
	if gate := rules.Evaluate(1000, filed(t, "valid", "", true)); gate.Decision != GateAuto {
		t.Errorf("derived where derived is required: %s (%s)", gate.Decision, gate.Rationale)
	}
	rules.RequireDerived = []evidence.FactName{evidence.CriticalAndHigh}
	if gate := rules.Evaluate(1000, filed(t, "valid", "", true)); gate.Decision != GateException {
		t.Errorf("half of a sum is derived: %s", gate.Decision)
	}
}
