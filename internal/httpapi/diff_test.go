package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/store/storetest"
)

const (
	bomBefore = `{"bomFormat":"CycloneDX","specVersion":"1.5","components":[
		{"type":"library","name":"a","version":"1.9","purl":"pkg:npm/a@1.9"},{"type":"library","name":"b","version":"2","purl":"pkg:npm/b@2"},
		{"type":"library","name":"c","version":"1","purl":"pkg:npm/c@1"},{"type":"library","name":"gone","version":"1"}]}`
	bomAfter = `{"bomFormat":"CycloneDX","specVersion":"1.6","components":[
		{"type":"library","name":"a","version":"1.10","purl":"pkg:npm/a@1.10"},{"type":"library","name":"b","version":"2-rc1","purl":"pkg:npm/b@2-rc1"},
		{"type":"library","name":"c","version":"1","purl":"pkg:npm/c@1?x=y"},{"type":"library","name":"new","version":"main"}]}`
	scanAfter = `{"SchemaVersion":2,"ArtifactName":"x","Trivy":{"Version":"0.61.0"},"Results":[{"Target":"go.mod","Vulnerabilities":[
		{"VulnerabilityID":"CVE-1","PkgName":"a","InstalledVersion":"2","Severity":"CRITICAL"},{"VulnerabilityID":"CVE-3","PkgName":"b","InstalledVersion":"1","Severity":"LOW"},
		{"VulnerabilityID":"CVE-4","PkgName":"c","InstalledVersion":"1","Severity":"HIGH"},{"VulnerabilityID":"CVE-5","PkgName":"d","InstalledVersion":"1","Severity":"HIGH"}]}]}`
	vexAfter = `{"@context":"https://openvex.dev/ns/v0.2.0","@id":"x","author":"x","timestamp":"2026-01-01T00:00:00Z","version":1,"statements":[
		{"vulnerability":{"name":"CVE-5"},"products":[{"@id":"d@1"}],"status":"not_affected","justification":"component_not_present"}]}`
	otherRun = `<testsuites><testsuite><testcase name="a"/><testcase name="b"/><testcase name="c"/></testsuite></testsuites>`
)

// of files evidence of some application and version, with files.
func (w *world) packageOf(as, app, version string, data string, files ...part) string {
	w.t.Helper()
	d := w.post(as, "/api/v1/deployments/", fmt.Sprintf(`{"app_name":%q,"version":%q,"target_ring":"LAB"}`, app, version)).member(w.t, "id")
	a := w.upload(as, recordOf(d, data), files...)
	if a.status != http.StatusCreated {
		w.t.Fatalf("%d %s", a.status, a.body)
	}
	return a.member(w.t, "id")
}

// approve submits a package of low or middling risk, and has it approved.
func (w *world) approve(as, id string) {
	w.t.Helper()
	r := w.post(as, "/api/v1/cab/submit/", `{"evidence_package_id":"`+id+`"}`)
	if r.member(w.t, "status") != "auto_approved" {
		w.post("carol", "/api/v1/cab/"+r.member(w.t, "id")+"/approve/", `{"rationale":"fine"}`)
	}
}

func (w *world) diff(as, id, query string) api.Diff {
	w.t.Helper()
	got := w.send(as, "GET", "/api/v1/evidence/"+id+"/diff/"+query, "")
	var d api.Diff
	if err := json.Unmarshal([]byte(got.body), &d); err != nil || got.status != http.StatusOK {
		w.t.Fatalf("%d %s (%v)", got.status, got.body, err)
	}
	if again := w.send(as, "GET", "/api/v1/evidence/"+id+"/diff/"+query, ""); again.body != got.body {
		w.t.Errorf("asked again, the answer differs:\n%s\n%s", got.body, again.body)
	}
	return d
}

func shownFindings(list api.Most[api.FindingChange]) string {
	text := fmt.Sprint(list.Count)
	for _, f := range list.Items {
		text += fmt.Sprintf(" %s %s %s", f.ID, f.Package, f.Severity)
		if f.SeverityBefore+f.PackageBefore+f.SetAside != "" {
			text += fmt.Sprintf(" (was %s in %s; aside %t)", f.SeverityBefore, f.PackageBefore, f.SetAside != "")
		}
	}
	return text
}

func shownComponents(list api.Most[api.ComponentChange]) string {
	text := fmt.Sprint(list.Count)
	for _, c := range list.Items {
		text += fmt.Sprintf(" %s %s>%s", c.Name, strings.Join(c.Before, ","), strings.Join(c.After, ","))
	}
	return text
}

func number(n *float64) string {
	if n == nil {
		return "none"
	}
	return fmt.Sprint(*n)
}

// TestDiff: what changed since the version that was approved, from the files.
func TestDiff(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		before := w.packageOf("erin", "App", "1", declared, part{"artifact", "setup.sh", script}, part{"sbom", "bom.json", bomBefore}, part{"scan", "t.json", twoFindings}, part{"tests", "j.xml", testRun}, part{"coverage", "c.xml", cobertura})
		w.approve("erin", before)
		after := w.packageOf("erin", "App", "2", strings.Replace(declared, `"rings":["LAB"]`, `"rings":["LAB","PILOT"]`, 1), part{"artifact", "setup.sh", script + "# 2"}, part{"sbom", "bom.json", bomAfter}, part{"scan", "t.json", scanAfter}, part{"vex", "vex.json", vexAfter}, part{"tests", "j.xml", otherRun})
		d := w.diff("carol", after, "")
		if explicit := w.diff("carol", after, "?against="+strings.ToUpper(before)); explicit.Against != d.Against || d.Against.ID != before || d.Evidence.ID != after || d.Evidence.Version != "2" || !d.SameApplication || !d.SameModel {
			t.Errorf("compared %+v with %+v, and when asked with %+v", d.Evidence, d.Against, explicit.Against)
		}
		for what, c := range map[string][2]string{
			"new":            {shownFindings(d.Findings.New), "2 CVE-4 c@1 high CVE-3 b@1 low"},
			"fixed":          {shownFindings(d.Findings.Fixed), "1 CVE-2 b@1 unknown"},
			"severity":       {shownFindings(d.Findings.Changed), "1 CVE-1 a@2 critical (was high in a@1; aside false)"},
			"set aside":      {shownFindings(d.Findings.SetAside), "1 CVE-5 d@1 high (was  in ; aside true)"},
			"added":          {shownComponents(d.Components.Added), "1 new >main"},
			"removed":        {shownComponents(d.Components.Removed), "1 gone 1>"},
			"upgraded":       {shownComponents(d.Components.Upgraded), "1 pkg:npm/a 1.9>1.10"},
			"downgraded":     {shownComponents(d.Components.Downgraded), "1 pkg:npm/b 2>2-rc1"},
			"the same":       {fmt.Sprint(d.Components.Changed.Count, d.Components.Unchanged, d.Findings.Unchanged), "0 1 0"},
			"coverage":       {number(d.Tests.Coverage.Before) + " " + number(d.Tests.Coverage.After) + " " + number(d.Tests.Coverage.Delta), "50 95 45"},
			"tests":          {number(d.Tests.Total.Delta) + " " + number(d.Tests.Failed.Delta) + " " + number(d.Tests.Skipped.Delta), "1 -1 0"},
			"the first fact": {d.Facts[0].Name + " " + d.Facts[0].Change + " " + d.Facts[0].Before.Value + " " + d.Facts[0].After.Value + " " + d.Facts[0].After.Origin, "scan_results.critical worse 0 1 derived"},
			"the artifact":   {fmt.Sprint(d.Artifacts.Count, " ", d.Artifacts.Items[0].Before.SHA256, " ", d.Artifacts.Items[0].After.SHA256), "1 " + evidence.Digest([]byte(script)) + " " + evidence.Digest([]byte(script+"# 2"))},
		} {
			if c[0] != c[1] {
				t.Errorf("%s: %s, want %s", what, c[0], c[1])
			}
		}
		sum := 0.0
		for _, f := range d.Factors {
			sum += f.After.Contribution - f.Before.Contribution
		}
		if *d.RiskScore.Delta > sum+0.001 || *d.RiskScore.Delta < sum-0.001 || len(d.Factors) != 7 || d.Factors[0].Delta < d.Factors[6].Delta {
			t.Errorf("score %v, factors %+v", *d.RiskScore.Delta, d.Factors)
		}
		rings := slices.IndexFunc(d.Values.Items, func(v api.SectionValueDiff) bool { return v.Path == "deployment_plan.rings" })
		if rings < 0 || string(d.Values.Items[rings].Before) != `["LAB"]` || string(d.Values.Items[rings].After) != `["LAB","PILOT"]` || d.Values.Count != len(d.Values.Items) {
			t.Errorf("values %+v", d.Values)
		}
		back := w.diff("carol", before, "?against="+after)
		if back.Findings.Fixed.Count != 2 || back.Components.Upgraded.Count != 1 || *back.RiskScore.Delta != -*d.RiskScore.Delta {
			t.Errorf("the other way about: %+v", back)
		}
		client := &api.Client{Server: w.server.URL, Token: w.tokens["ada"]}
		if again, err := client.Diff(t.Context(), after, api.LastApproved); err != nil || again.Findings.New.Count != 2 {
			t.Errorf("the client: %+v %v", again, err)
		}
	})
}

// TestDiffSaysWhatItCannotCompare: without files nothing is said to be as it was.
func TestDiffSaysWhatItCannotCompare(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	clean := `{"matches":[],"descriptor":{"name":"grype","version":"1"},"source":{"type":"directory"}}`
	nothing := `{"SchemaVersion":2,"ArtifactName":"x","Results":null}`
	none := w.packageOf("erin", "App", "1", evidenceData("low"))
	both := w.packageOf("erin", "App", "2", declared, part{"sbom", "b.json", bomBefore}, part{"scan", "s.json", clean})
	empty := w.packageOf("erin", "App", "3", declared, part{"sbom", "b.json", bomBefore}, part{"scan", "s.json", nothing})
	for name, c := range map[string]struct{ before, after, components, findings string }{
		"before":       {none, both, "there is no SBOM among the files of the package before", "there is no scan report among the files of the package before"},
		"after":        {both, none, "there is no SBOM among the files of this package", "there is no scan report among the files of this package"},
		"neither":      {none, none, "there is no SBOM among the files of either package", "there is no scan report among the files of either package"},
		"both":         {both, both, "", ""},
		"empty after":  {both, empty, "", "the scans of evidence " + empty + " looked at nothing"},
		"empty before": {empty, both, "", "the scans of evidence " + empty + " looked at nothing"},
	} {
		d := w.diff("ada", c.after, "?against="+c.before)
		if d.Components.Reason != c.components || d.Findings.Reason != c.findings || d.Components.Comparable != (c.components == "") || d.Findings.Comparable != (c.findings == "") {
			t.Errorf("%s: %+v %+v", name, d.Components, d.Findings)
		}
	}
}

// TestDiffOfWhom: the caller must be allowed to read both packages, and the last
// approved one is the last of those.
func TestDiffOfWhom(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		first := w.packageOf("erin", "App", "1", evidenceData("low"))
		ask := func(as, id, against string) answer {
			return w.send(as, "GET", "/api/v1/evidence/"+id+"/diff/?against="+against, "")
		}
		if got := ask("erin", first, "last-approved"); got.status != 404 || got.problem(t).Code != "NO_APPROVED_PACKAGE" {
			t.Errorf("nothing is approved: %d %s", got.status, got.body)
		}
		w.approve("erin", first)
		if got := ask("erin", first, "last-approved"); got.status != 404 || got.problem(t).Code != "NO_APPROVED_PACKAGE" {
			t.Errorf("only itself is approved: %d %s", got.status, got.body)
		}
		eves := w.packageOf("eve", "App", "1.5", evidenceData("mid"))
		w.approve("eve", eves)
		other := w.packageOf("erin", "Another", "1", evidenceData("low"))
		w.approve("erin", other)
		refused := w.packageOf("erin", "App", "1.7", evidenceData("mid"))
		w.post("carol", "/api/v1/cab/"+w.post("erin", "/api/v1/cab/submit/", `{"evidence_package_id":"`+refused+`"}`).member(t, "id")+"/reject/", `{"rationale":"no"}`)
		last := w.packageOf("erin", "App", "2", evidenceData("mid"))
		for as, want := range map[string]string{"carol": eves, "ada": eves, "erin": first} {
			if d := w.diff(as, last, ""); d.Against.ID != want || d.Evidence.ID != last {
				t.Errorf("for %s: against %+v, want %s", as, d.Against, want)
			}
		}
		for name, c := range map[string]struct {
			as, id, against string
			status          int
		}{
			"another's":                    {"erin", last, eves, 403},
			"of another's":                 {"eve", last, eves, 403},
			"what is not approved":         {"pat", eves, last, 403},
			"of what is not approved":      {"pat", last, eves, 403},
			"approved both":                {"pat", eves, first, 200},
			"nobody":                       {"", last, first, 401},
			"nothing there":                {"carol", last, "00000000-0000-7000-8000-000000000000", 404},
			"no id":                        {"carol", last, "latest", 400},
			"an empty one":                 {"carol", last, "", 400},
			"another application":          {"carol", last, other, 200},
			"something that is no package": {"carol", "nonsense", other, 400},
		} {
			if got := ask(c.as, c.id, c.against); got.status != c.status {
				t.Errorf("%s: %d %s, want %d", name, got.status, got.body, c.status)
			}
		}
		if d := w.diff("carol", last, "?against="+other); d.SameApplication || d.Against.AppName != "Another" {
			t.Errorf("another application: %+v", d.Against)
		}
	})
}

// TestDiffOfALostFile: a file that is not what was stored is not compared, and
// the ledger says so, once.
func TestDiffOfALostFile(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		before := w.packageOf("erin", "App", "1", declared, part{"sbom", "b.json", bomBefore}, part{"coverage", "c.xml", cobertura})
		after := w.packageOf("erin", "App", "2", declared, part{"sbom", "b.json", bomAfter})
		path := func(text string) string {
			digest := evidence.Digest([]byte(text))
			return filepath.Join(w.files.Dir(), digest[:2], digest[2:])
		}
		if err := os.Remove(path(cobertura)); err != nil { // is not read
			t.Fatal(err)
		}
		w.diff("ada", after, "?against="+before)
		if err := os.WriteFile(path(bomBefore), []byte(strings.Replace(bomBefore, "1.9", "1.8", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		n := w.eventCount()
		for range 2 {
			for _, pair := range [][2]string{{after, before}, {before, after}} {
				if got := w.send("ada", "GET", "/api/v1/evidence/"+pair[0]+"/diff/?against="+pair[1], ""); got.status != 409 || got.problem(t).Code != "EVIDENCE_TAMPERED" {
					t.Errorf("%d %s", got.status, got.body)
				}
			}
		}
		if n = w.eventCount() - n; n != 1 {
			t.Errorf("%d events, want one", n)
		}
	})
}

// TestDiffIsBounded: however much differs, lists are cut off and counts are not;
// long values are texts of their beginnings.
func TestDiffIsBounded(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	var components, members []string
	for i := range 1000 {
		components = append(components, fmt.Sprintf(`{"type":"library","name":"%03d%s","version":"%s"}`, i, strings.Repeat("é", 400), strings.Repeat("1", 300)))
		members = append(members, fmt.Sprintf(`"x%03d":%q`, i, strings.Repeat("y", 600)))
	}
	big := `{"bomFormat":"CycloneDX","specVersion":"1.5","components":[` + strings.Join(components, ",") + `]}`
	before := w.packageOf("erin", "App", "1", `{}`, part{"sbom", "b.json", bomBefore})
	after := w.packageOf("erin", "App", "2", `{"rollback_plan":{`+strings.Join(members, ",")+`}}`, part{"sbom", "b.json", big})
	got := w.send("ada", "GET", "/api/v1/evidence/"+after+"/diff/?against="+before, "")
	d := w.diff("ada", after, "?against="+before)
	if d.Components.Added.Count != 1000 || len(d.Components.Added.Items) != 200 || d.Values.Count < 1000 || len(d.Values.Items) != 200 || len(got.body) > 1<<20 {
		t.Errorf("%d added, %d listed; %d values, %d listed; %d bytes", d.Components.Added.Count, len(d.Components.Added.Items), d.Values.Count, len(d.Values.Items), len(got.body))
	}
	if !strings.HasPrefix(d.Components.Added.Items[0].Name, "000é") || !strings.HasPrefix(d.Components.Added.Items[199].Name, "199é") {
		t.Errorf("not in order: %s", d.Components.Added.Items[0].Name[:10])
	}
	at := slices.IndexFunc(d.Values.Items, func(v api.SectionValueDiff) bool { return v.Path == "rollback_plan.x000" })
	if at < 0 || !d.Values.Items[at].Cut || d.Values.Items[at].Before != nil || !strings.Contains(string(d.Values.Items[at].After), "yyy") {
		t.Errorf("a long value: %+v", d.Values.Items)
	}
}

// TestDiffOfVeryMany: more than can be held twice is not compared, and said so.
func TestDiffOfVeryMany(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	one := `{"type":"library","name":"a"},`
	huge := `{"bomFormat":"CycloneDX","specVersion":"1.5","components":[` + strings.TrimSuffix(strings.Repeat(one, 1<<17+1), ",") + `]}`
	before := w.packageOf("erin", "App", "1", declared, part{"sbom", "b.json", bomBefore}, part{"scan", "t.json", twoFindings})
	after := w.packageOf("erin", "App", "2", declared, part{"sbom", "b.json", huge}, part{"scan", "t.json", scanAfter})
	d := w.diff("ada", after, "?against="+before)
	if d.Components.Comparable || d.Components.Reason != "evidence "+after+" has more than 131072 of them" || !d.Findings.Comparable || d.Findings.New.Count != 3 {
		t.Errorf("%+v %+v", d.Components, d.Findings)
	}
}
