package collect

import (
	"crypto/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/evidence"
	"github.com/go-json-experiment/json"
)

// file is an attachment as somebody sends it.
type sent struct {
	role       evidence.Role
	name, text string
}

// derived reads attachments, and puts what they say in the place of what was
// declared.
func derived(t *testing.T, declared string, files ...sent) (evidence.Sections, []evidence.Origin, []string) {
	t.Helper()
	sections, err := evidence.ParseSections([]byte(declared))
	if err != nil {
		t.Fatal(err)
	}
	var all []Attached
	held := int64(0)
	for _, f := range files {
		a, err := Attach(f.role, source(f.name, f.text), nil, time.Unix(1_800_000_000, 0), held)
		if err != nil {
			t.Fatal(err)
		}
		held = a.Held()
		all = append(all, a)
	}
	values, notes, err := Derive(all, sections, nil)
	if err != nil {
		t.Fatal(err)
	}
	after, origins, err := sections.Derive(values)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := json.Marshal(after, json.Deterministic(true)); err != nil {
		t.Fatal(err)
	} else if canonical, err := evidence.Canonical(text); err != nil || string(canonical) != string(text) {
		t.Errorf("not canonical (%v): %s", err, text)
	}
	return after, origins, notes
}

// differences lists what was declared otherwise.
func differences(origins []evidence.Origin) []string {
	var all []string
	for _, o := range origins {
		if o.Declared != nil {
			all = append(all, o.Path+" was "+string(o.Declared))
		}
	}
	return all
}

const script = "#!/bin/sh\nexec true\n"

// TestFilesOfOneKindAreMerged: scans by the union of their findings, tests by
// their sum, coverage by the union of lines; unknown counts as high.
func TestFilesOfOneKindAreMerged(t *testing.T) {
	sections, origins, notes := derived(t, `{"test_results":{"manual_test_status":"completed"}}`,
		sent{evidence.ArtifactFile, "C:\\build\\setup.sh", script}, sent{evidence.SBOMFile, "bom.json", cycloneDXText},
		sent{evidence.ScanFile, "t.json", trivy}, sent{evidence.ScanFile, "g.json", grype},
		sent{evidence.TestsFile, "a.xml", junit}, sent{evidence.TestsFile, "b.xml", junit},
		sent{evidence.CoverageFile, "c.xml", cobertura}, sent{evidence.CoverageFile, "c.out", goCover},
	)
	wants := map[string]string{
		string(sections.Artifacts): `[{"name":"setup.sh","sbom":{"components":3,"format":"CycloneDX JSON","sha256":"` + evidence.Digest([]byte(cycloneDXText)) +
			`","spec_version":"1.5","subject":"app@2"},"sha256":"` + evidence.Digest([]byte(script)) +
			`","signature":{"reason":"not a format that is looked into","status":"unknown_format"},"size_bytes":20}]`,
		string(sections.ScanResults): `{"critical":2,"high":1,"low":1,"medium":1,"scanner":"trivy 0.60.0, grype 0.90.0",` +
			`"set_aside":[{"id":"CVE-8","package":"y@1","reason":"ignored by a rule of the scanner"}],"set_aside_count":1,"unknown":1}`,
		string(sections.TestResults): `{"coverage":{"covered":5,"total":7},"coverage_percent":71.4285,"failed":4,"manual_test_status":"completed","passed":4,"skipped":4,"total":12}`,
	}
	for got, want := range wants {
		if got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	if d := differences(origins); d != nil || notes != nil {
		t.Errorf("differences %q, notes %q", d, notes)
	}
	facts := evidence.ReadFacts(sections, origins...)
	for name, want := range map[evidence.FactName]bool{evidence.Coverage: true, evidence.CriticalAndHigh: true, evidence.ManualTests: false} {
		if facts.Get(name).Derived != want {
			t.Errorf("%s: derived %v, want %v", name, !want, want)
		}
	}
	for _, o := range origins {
		if o.Path == "scan_results.critical" && (len(o.Sources) != 2 || o.Sources[0].Parser != "Trivy JSON" || o.Sources[0].Attachment != evidence.Digest([]byte(trivy))) {
			t.Errorf("the sources of %s: %+v", o.Path, o.Sources)
		}
	}
}

// TestDeclaredOtherwise: the derived value counts, the declared one is kept
// beside it.
func TestDeclaredOtherwise(t *testing.T) {
	digest := evidence.Digest([]byte(script))
	for _, c := range []struct {
		name, declared string
		files          []sent
		want           []string
	}{
		{"the same but one", `{"scan_results":{"critical":2,"high":0,"scanner":"Trivy"}}`, []sent{{evidence.ScanFile, "t.json", trivy}}, []string{"scan_results.high was 0"}},
		{"better than it is", `{"scan_results":{"critical":0,"high":0,"scanner":"nessus"}}`, []sent{{evidence.ScanFile, "g.json", grype}},
			[]string{"scan_results.high was 0", "scan_results.scanner was \"nessus\""}},
		{"a list of as many", `{"scan_results":{"critical":["CVE-1","CVE-3"]}}`, []sent{{evidence.ScanFile, "t.json", trivy}}, nil},
		{"a list of fewer", `{"scan_results":{"critical":[]}}`, []sent{{evidence.ScanFile, "t.json", trivy}}, []string{"scan_results.critical was []"}},
		{"the digest in capitals", `{"artifacts":{"sha256":"` + strings.ToUpper(digest) + `"}}`, []sent{{evidence.ArtifactFile, "a", script}}, nil},
		{"the digest under its earlier name", `{"artifacts":{"hash":"` + digest + `"}}`, []sent{{evidence.ArtifactFile, "a", script}}, nil},
		{"another digest under its earlier name", `{"artifacts":{"hash":"b","sha256":"` + digest + `"}}`, []sent{{evidence.ArtifactFile, "a", script}}, []string{`artifacts[0].sha256 was "b"`}},
		{"another digest", `{"artifacts":[{"sha256":"` + strings.Repeat("0", 64) + `"}]}`, []sent{{evidence.ArtifactFile, "a", script}}, []string{"artifacts[0].sha256 was \"" + strings.Repeat("0", 64) + "\""}},
		{"a signature's status", `{"artifacts":{"signature":{"status":"valid"}}}`, []sent{{evidence.ArtifactFile, "a", script}}, []string{`artifacts[0].signature.status was "valid"`}},
		{"a signature's status as a text", `{"artifacts":{"signature":"Valid"}}`, []sent{{evidence.ArtifactFile, "a", script}}, []string{`artifacts[0].signature.status was "valid"`}},
		{"words about a signature", `{"artifacts":{"signature":"see ticket 7"}}`, []sent{{evidence.ArtifactFile, "a", script}}, nil},
		{"components", `{"artifacts":[{"sbom":{"components":400}}]}`, []sent{{evidence.SBOMFile, "b", cycloneDXText}}, []string{"artifacts[0].sbom.components was 400"}},
	} {
		_, origins, _ := derived(t, c.declared, c.files...)
		if got := differences(origins); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		facts := evidence.ReadFacts(evidence.Sections{}, origins...)
		if n := facts.Get(evidence.DeclaredMismatch); n.Number.Num().Int64() != int64(len(c.want)) {
			t.Errorf("%s: %s differences are counted", c.name, n.Shown)
		}
	}
}

// TestASignatureDeclaredAsATextDiffersEveryTime, in whatever order members of a
// map are visited.
func TestASignatureDeclaredAsATextDiffersEveryTime(t *testing.T) {
	for range 200 {
		_, origins, _ := derived(t, `{"artifacts":{"signature":"valid"}}`, sent{evidence.ArtifactFile, "setup.sh", script})
		if got := differences(origins); len(got) != 1 {
			t.Fatalf("differences: %q", got)
		}
	}
}

// TestArtifactsFindTheirPlaces: by digest, by name, by order.
func TestArtifactsFindTheirPlaces(t *testing.T) {
	one, two := "first "+rand.Text(), "second "+rand.Text()
	sections, origins, _ := derived(t, `{"artifacts":[{"note":"unnamed"},{"name":"two.bin"},{"sha256":"`+evidence.Digest([]byte(one))+`","name":"elsewhere"}]}`,
		sent{evidence.ArtifactFile, "one.bin", one}, sent{evidence.ArtifactFile, "two.bin", two}, sent{evidence.ArtifactFile, "three.bin", script}, sent{evidence.ArtifactFile, "four.bin", "x"})
	text := string(sections.Artifacts)
	at := func(part string) int { return strings.Index(text, part) }
	if !(at(`"note":"unnamed"`) < at(evidence.Digest([]byte(two))) && at(evidence.Digest([]byte(two))) < at(evidence.Digest([]byte(one))) && at(evidence.Digest([]byte(one))) < at(evidence.Digest([]byte("x")))) || at("three.bin") > at("two.bin") {
		t.Errorf("the artifacts stand in the wrong places: %s", text)
	}
	if d := differences(origins); d != nil {
		t.Errorf("differences: %q", d)
	}
}

const emptyTrivy = `{"SchemaVersion":2,"ArtifactName":"x","Trivy":{"Version":"0.60.0"},"Results":null}`

// TestAScanOfNothingIsNoCleanScan: it is reported, and completes nothing,
// whatever was declared, beside another scan too: nobody knows what it was to
// look at.
func TestAScanOfNothingIsNoCleanScan(t *testing.T) {
	sections, origins, notes := derived(t, `{"scan_results":{"critical":0,"high":0,"scanner":"trivy"}}`, sent{evidence.ScanFile, "empty.json", emptyTrivy})
	if c := sections.Completeness(); c.Sections["scan_results"] || !slices.Contains(c.Missing, "scan_results.critical") || !strings.Contains(string(sections.ScanResults), `"empty":true`) {
		t.Errorf("%s: complete %v, missing %q", sections.ScanResults, c.Sections, c.Missing)
	}
	if len(notes) != 1 || !strings.Contains(notes[0], "empty.json: the scan looked at nothing") || len(differences(origins)) != 3 {
		t.Errorf("notes %q, differences %q", notes, differences(origins))
	}
	sections, _, notes = derived(t, `{}`, sent{evidence.ScanFile, "empty.json", emptyTrivy}, sent{evidence.ScanFile, "g.json", grype})
	if c := sections.Completeness(); c.Sections["scan_results"] || !slices.Contains(c.Missing, "scan_results.scanner") ||
		len(notes) != 1 || !strings.Contains(string(sections.ScanResults), `"high":1`) {
		t.Errorf("beside another scan: %s, notes %q", sections.ScanResults, notes)
	}
}

// TestVEXSetsAside: what a vendor says does not matter here is listed, and not
// counted.
func TestVEXSetsAside(t *testing.T) {
	statement := `{"@context":"https://openvex.dev/ns/v0.2.0","@id":"x","author":"vendor","timestamp":"2026-01-01T00:00:00Z","version":1,"statements":[` +
		`{"vulnerability":{"name":"CVE-1"},"products":[{"@id":"libssl@1.1"}],"status":"not_affected","justification":"component_not_present"}]}`
	before, _, _ := derived(t, `{}`, sent{evidence.ScanFile, "s.json", oneFinding})
	after, origins, _ := derived(t, `{}`, sent{evidence.ScanFile, "s.json", oneFinding}, sent{evidence.VEXFile, "v.json", statement})
	if !strings.Contains(string(before.ScanResults), `"critical":1`) || !strings.Contains(string(after.ScanResults), `"critical":0`) ||
		!strings.Contains(string(after.ScanResults), `"set_aside":[{"id":"CVE-1","package":"libssl@1.1"`) {
		t.Errorf("before %s\nafter %s", before.ScanResults, after.ScanResults)
	}
	if i := slices.IndexFunc(origins, func(o evidence.Origin) bool { return o.Path == "scan_results.critical" }); i < 0 || len(origins[i].Sources) != 2 {
		t.Errorf("the statement is a source of the number: %+v", origins)
	}
	if _, _, notes := derived(t, `{}`, sent{evidence.VEXFile, "v.json", statement}); len(notes) != 1 {
		t.Errorf("statements about no scan: %q", notes)
	}
}

const oneFinding = `{"SchemaVersion":2,"ArtifactName":"x","Results":[{"Target":"t","Vulnerabilities":[{"VulnerabilityID":"CVE-1","PkgName":"libssl","InstalledVersion":"1.1","Severity":"CRITICAL"}]}]}`

func TestSBOMsForArtifacts(t *testing.T) {
	sections, err := evidence.ParseSections([]byte(`{"artifacts":[{"name":"a"},{"name":"b"},{"name":"c"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	bom, err := Attach(evidence.SBOMFile, source("bom.json", cycloneDXText), nil, time.Time{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Derive([]Attached{bom, bom}, sections, nil); err == nil || !strings.Contains(err.Error(), "2 SBOMs for 3 artifacts") {
		t.Errorf("two SBOMs for three artifacts: %v", err)
	}
	values, _, err := Derive([]Attached{bom}, sections, nil)
	if err != nil || !slices.ContainsFunc(values, func(v evidence.Derived) bool { return v.Path == "artifacts[2].sbom.components" }) {
		t.Errorf("one for all: %v, %v", values, err)
	}
}

// TestSBOMsFollowTheirArtifacts: each SBOM goes to the file that it was sent for,
// wherever that stands, and none is lost.
func TestSBOMsFollowTheirArtifacts(t *testing.T) {
	texts := []string{cycloneDXText, cycloneDXText + "\n", cycloneDXText + "\n\n"}
	for _, c := range []struct {
		name, declared string
		want           []string // where the file's SBOM stands, then those of what was not sent
	}{
		{"the file stands second", `{"artifacts":[{"name":"other","sbom":"by hand"},{"name":"setup.sh"}]}`, []string{"artifacts[1]", "artifacts[0]"}},
		{"the file is none of those declared", `{"artifacts":[{"name":"other"},{"name":"third"}]}`, []string{"artifacts[2]", "artifacts[0]", "artifacts[1]"}},
	} {
		files := []sent{{evidence.ArtifactFile, "setup.sh", script}}
		for i := range c.want {
			files = append(files, sent{evidence.SBOMFile, "bom.json", texts[i]})
		}
		sections, _, _ := derived(t, c.declared, files...)
		for i, path := range c.want {
			if got := string(sections.At(path + ".sbom.sha256")); got != `"`+evidence.Digest([]byte(texts[i]))+`"` {
				t.Errorf("%s: %s has the SBOM %s: %s", c.name, path, got, sections.Artifacts)
			}
		}
	}
}

// TestNothingOfAFileSpoilsTheDocument: what a file names may hold what no record
// may; it is filed all the same, and whoever checks the document can read it.
func TestNothingOfAFileSpoilsTheDocument(t *testing.T) {
	sections, _, _ := derived(t, `{}`, sent{evidence.ArtifactFile, "setup.sh", script},
		sent{evidence.SBOMFile, "b", `{"bomFormat":"CycloneDX","specVersion":"1.5","metadata":{"component":{"name":"x\u0000y","type":"application"}},"components":[{"name":"a"}]}`},
		sent{evidence.ComplexityFile, "c", "5 main f\xe9\x00 a.go:1:1\n"})
	if got := string(sections.At("artifacts[0].sbom.subject")); got != `"xy"` {
		t.Errorf("subject %s", got)
	}
	if got := string(sections.At("deployment_plan.complexity_function")); got != "\"f\ufffd a.go:1:1\"" {
		t.Errorf("function %s", got)
	}
}

// TestThePackageIsBounded: each report may be within its own limits, and together
// they are too much.
func TestThePackageIsBounded(t *testing.T) {
	for role, text := range map[evidence.Role]string{
		evidence.SBOMFile: cycloneDXText, evidence.ScanFile: trivy, evidence.CoverageFile: lcovReport,
		evidence.VEXFile:        `{"@context":"https://openvex.dev/ns/v0.2.0","author":"a","timestamp":"2026-01-01T00:00:00Z","statements":[{"vulnerability":"CVE-1","products":["p"],"status":"affected"}]}`,
		evidence.ProvenanceFile: `{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://slsa.dev/provenance/v1","subject":[{"name":"some-long-name","digest":{"sha256":"` + strings.Repeat("a", 64) + `"}}],"predicate":{}}`,
		evidence.PackagingFile:  "PackageIdentifier: A.Bcdefghijkl\nPackageVersion: 1.0\nDefaultLocale: en-US\nManifestType: version\nManifestVersion: 1.6.0\n",
	} {
		alone, err := Attach(role, source("f", text), nil, time.Time{}, 0)
		if err != nil || alone.Held() == 0 {
			t.Errorf("%s alone: %v, %d bytes", role, err, alone.Held())
		}
		if _, err := Attach(role, source("f", text), nil, time.Time{}, MaxHeld-alone.Held()); err != nil {
			t.Errorf("%s, and it just fits: %v", role, err)
		}
		if _, err := Attach(role, source("f", text), nil, time.Time{}, MaxHeld-alone.Held()+1); err == nil || !strings.Contains(err.Error(), "more than is read of one package") {
			t.Errorf("%s beside too much: %v", role, err)
		}
		if role == evidence.SBOMFile {
			if alone.Forget(); alone.Held() != 0 {
				t.Errorf("components that nobody needs hold %d bytes", alone.Held())
			}
		}
	}
}
