package evidence

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// good is complete evidence.
const good = `{
 "artifacts": {"name":"app.exe","sha256":"` + hash64 + `","signature":{"status":"valid"},"sbom":{"format":"CycloneDX"}},
 "test_results": {"coverage_percent": 91.5, "manual_test_status":"completed","total":10},
 "scan_results": {"scanner":"trivy","critical":0,"high":[],"medium":4},
 "deployment_plan": {"rings":["LAB"],"affected_components":["a","b"],"affected_users":50,"complexity":"low"},
 "rollback_plan": {"strategy":"reinstall","validated":true}}`

const hash64 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func sections(t testing.TB, text string) Sections {
	t.Helper()
	canonical, err := Canonical([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	s, err := ParseSections(canonical)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCompleteness(t *testing.T) {
	if c := sections(t, good).Completeness(); !c.Complete || len(c.Missing) != 0 || len(c.Sections) != 5 {
		t.Fatalf("good evidence: %+v", c)
	}
	if c := sections(t, `{}`).Completeness(); c.Complete || len(c.Missing) != 14 {
		t.Errorf("no evidence: %+v", c)
	}
	for _, c := range []struct{ old, new, missing string }{
		{`91.5`, `1000`, "test_results.coverage_percent"}, // lesson 4
		{`91.5`, `"91.5"`, "test_results.coverage_percent"},
		{`91.5`, `-1`, "test_results.coverage_percent"},
		{`91.5`, `null`, "test_results.coverage_percent"},
		{`"completed"`, `"done"`, "test_results.manual_test_status"},
		{`"critical":0`, `"critical":-1`, "scan_results.critical"},
		{`"critical":0`, `"critical":0.5`, "scan_results.critical"},
		{`"critical":0,`, ``, "scan_results.critical"}, // an absent scan is not a clean one
		{`"high":[]`, `"high":"none"`, "scan_results.high"},
		{`"trivy"`, `" "`, "scan_results.scanner"},
		{`["LAB"]`, `[]`, "deployment_plan.rings"},
		{`["a","b"]`, `2`, "deployment_plan.affected_components"},
		{`50`, `50.5`, "deployment_plan.affected_users"},
		{`"low"`, `"LOW"`, "deployment_plan.complexity"},
		{`"validated":true`, `"validated":"a text longer than ten characters"`, "rollback_plan.validated"}, // lesson 4
		{`"reinstall"`, `""`, "rollback_plan.strategy"},
		{hash64, hash64[1:], "artifacts.sha256"},
		{hash64, strings.Repeat("z", 64), "artifacts.sha256"},
		{`{"status":"valid"}`, `{}`, "artifacts.signature"},
		{`{"format":"CycloneDX"}`, `null`, "artifacts.sbom"},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		if text == good {
			t.Fatalf("%s is not in the good evidence", c.old)
		}
		got := sections(t, text).Completeness()
		if diff := cmp.Diff([]string{c.missing}, got.Missing); diff != "" || got.Complete {
			t.Errorf("%s → %s: %s", c.old, c.new, diff)
		}
		section, _, _ := strings.Cut(c.missing, ".")
		if got.Sections[section] {
			t.Errorf("%s → %s: section %s counts as complete", c.old, c.new, section)
		}
	}
}

func TestSeveralArtifacts(t *testing.T) {
	one := `{"hash":"` + hash64 + `","signature":"unsigned","sbom":["x"]}`
	for text, missing := range map[string][]string{
		`{"artifacts":[` + one + `]}`:                {},
		`{"artifacts":[` + one + `,{"sha256":"x"}]}`: {"artifacts[1].sha256", "artifacts[1].signature", "artifacts[1].sbom"},
		`{"artifacts":[]}`:                           {"artifacts.sha256", "artifacts.signature", "artifacts.sbom"},
		`{"artifacts":{"sbom":"x","signature":"x","sha256":"` + hash64 + `","hash":"` + strings.ToUpper(hash64) + `"}}`: nil,
		`{"artifacts":{"sbom":"x","signature":"x","sha256":"` + hash64 + `","hash":"` + strings.Repeat("b", 64) + `"}}`: {"artifacts.sha256"}, // which of the two is deployed
		`{"artifacts":{"sha256":"x","hash":"` + hash64 + `"}}`:                                                          {"artifacts.sha256", "artifacts.signature", "artifacts.sbom"},
	} {
		var got []string
		for _, path := range sections(t, text).Completeness().Missing {
			if strings.HasPrefix(path, "artifacts") {
				got = append(got, path)
			}
		}
		if strings.Join(got, " ") != strings.Join(missing, " ") {
			t.Errorf("%s: %v, want %v", text, got, missing)
		}
	}
}

func TestSectionsOfTheWrongForm(t *testing.T) {
	for text, field := range map[string]string{
		`[]`: "evidence_data", `null`: "evidence_data", `"x"`: "evidence_data",
		`{"scan_result":{}}`: "evidence_data.scan_result", `{"test_results":null}`: "evidence_data.test_results",
		`{"test_results":[]}`: "evidence_data.test_results", `{"artifacts":"x"}`: "evidence_data.artifacts",
		`{"artifacts":[{},1]}`: "evidence_data.artifacts",
	} {
		_, err := ParseSections([]byte(text))
		if f, ok := err.(*FieldError); !ok || f.Field != field {
			t.Errorf("%s: %v, want an error at %s", text, err, field)
		}
	}
}

func TestFacts(t *testing.T) {
	facts := ReadFacts(sections(t, good))
	for name, want := range map[FactName]string{
		Coverage: "91.5", ManualTests: "completed", Critical: "0", High: "0", CriticalAndHigh: "0", Medium: "4",
		Components: "2", Users: "50", Complexity: "low", Rollback: "true",
	} {
		if f := facts.Get(name); f.State != Known || f.Shown != want {
			t.Errorf("%s: %v %q %s, want %s", name, f.State, f.Shown, f.Reason, want)
		}
	}
	if f := facts.Get(Privileged); f.State != Missing {
		t.Errorf("privileged: %v", f.State)
	}
	bad := ReadFacts(sections(t, `{"scan_results":{"critical":1,"high":"?"},"test_results":{"coverage_percent":"`+strings.Repeat("9", 100)+`"}}`))
	if f := bad.Get(CriticalAndHigh); f.State != Invalid {
		t.Errorf("one of two is unreadable: %v", f)
	}
	if f := bad.Get(Coverage); f.State != Invalid || len(f.Shown) > 70 {
		t.Errorf("a text is no percentage: %v", f)
	}
	if f := facts.Get("no.such"); f.State != Missing {
		t.Errorf("a fact that is none: %v", f)
	}
}

func record(t testing.TB) Record {
	s := sections(t, good)
	return Record{
		ID: "p", DeploymentIntentID: "d", CorrelationID: "c", AppName: "a\u2028pp 𝄞 \"<b>\"", Version: "1", TargetRing: "LAB",
		CreatedBy: Person{"u", "erin"}, CreatedAt: time.Date(2026, 11, 24, 1, 2, 3, 456000, time.UTC), Sections: s,
		Completeness: s.Completeness(), Assessment: Assessment{
			ModelVersion: "1.0", ModelDigest: hash64, Score: 1108, Formula: "Σ", Factors: []Factor{{Name: "x", Contribution: 1108}},
		},
	}
}

func TestDocumentIsCanonical(t *testing.T) {
	r := record(t)
	document, err := r.Document()
	if err != nil {
		t.Fatal(err)
	}
	canonical, err := Canonical(document)
	if err != nil || string(canonical) != string(document) {
		t.Fatalf("the document is not in canonical form (%v):\n%s\n%s", err, document, canonical)
	}
	back, err := ParseDocument(document)
	if err != nil {
		t.Fatal(err)
	}
	again, err := back.Document()
	if err != nil || string(again) != string(document) {
		t.Fatalf("reading and writing changes it: %v\n%s\n%s", err, document, again)
	}
	if _, err := ParseDocument([]byte(strings.Replace(string(document), `"schema"`, `"schemas"`, 1))); err == nil {
		t.Error("a document with an unknown member was read")
	}
}

func FuzzParseSections(f *testing.F) {
	f.Add(good)
	f.Add(`{"artifacts":[{}],"scan_results":{"critical":[1]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		canonical, err := Canonical([]byte(text))
		if err != nil {
			return
		}
		s, err := ParseSections(canonical)
		if err != nil {
			return
		}
		facts := ReadFacts(s)
		if s.Completeness().Complete && (facts.Get(Coverage).State != Known || facts.Get(CriticalAndHigh).State != Known) {
			t.Errorf("complete without the facts: %s", text)
		}
	})
}

func BenchmarkReadFacts(b *testing.B) {
	s := sections(b, good)
	for b.Loop() {
		ReadFacts(s)
	}
}

func BenchmarkDocument(b *testing.B) {
	r := record(b)
	for b.Loop() {
		if _, err := r.Document(); err != nil {
			b.Fatal(err)
		}
	}
}
