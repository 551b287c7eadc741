package collect

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// refusedSBOMs must be refused, though a tolerant parser reads something.
var refusedSBOMs = map[string]string{
	"gen__proton-bridge-duplicate-components-key.cdx.json": "duplicate",
	"specification__invalid-bomformat-1.6.json":            "not CycloneDX",
	"bom-shelter__scanoss-sbom-cdx.json":                   "is not a SBOM",
	"gen__laravel-xxe-local-file.cdx.xml":                  "declares an entity",
	"guac__invalid-cyclonedx.xml":                          "",
	"specification__invalid-namespace-1.6.xml":             `"http://cyclonedx.org/schema/bom/12"`,
	"scancode.io__django-4.0.10-vulnerability.json":        "is not a",                     // of VulnerableCode
	"guac__invalid-spdx.json":                              "must not be a JSON number",    // spdxVersion 2
	"tools-python__file_to_test_rdf_parser.rdf.xml":        "is SPDX as RDF/XML, which is", // not read
}

// otherFacts are facts that the manifest has wrong, or words otherwise.
var otherFacts = map[string]string{
	// The manifest did not parse YAML.
	"tools-python__SPDXYAMLExample-v2.3.spdx.yaml": "spdxVersion=SPDX-2.3; packages=4; package_versions=3",
	// Its lines end with CR: the manifest saw only those that begin a paragraph.
	"bom-shelter__cbor-sbom.spdx": "spdxVersion=SPDX-2.2; packages=1; package_versions=1",
}

func TestCorpusSBOM(t *testing.T) {
	dir := corpusDir(t)
	for category, check := range map[string]func(t *testing.T, r Report, facts string){
		"sbom-cyclonedx-json": checkCycloneDX, "sbom-cyclonedx-xml": checkCycloneDX, "vex-cyclonedx": checkCycloneDX,
		"sbom-spdx2-json": checkSPDX, "sbom-spdx2-tagvalue": checkSPDX, "sbom-spdx-other": checkSPDX, "sbom-spdx3-json": checkSPDX3,
	} {
		corpusFiles(t, dir, []string{category}, func(t *testing.T, path, facts string) {
			name := filepath.Base(path)
			if other := otherFacts[name]; other != "" {
				facts = other
			}
			r, err := readCorpus(t, SBOM, filepath.Join(dir, path))
			if want, refused := refusedSBOMs[name]; refused || strings.HasPrefix(facts, "parse=") {
				if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), name) {
					t.Errorf("must be refused (%s): %v", want, err)
				}
				return
			}
			if err != nil {
				t.Fatalf("%v (facts: %s)", err, facts)
			}
			check(t, r, facts)
		})
	}
}

// without counts the components that lack something.
func without(r Report, what func(Component) string) (n int) {
	for _, c := range r.Components {
		if strings.TrimSpace(what(c)) == "" {
			n++
		}
	}
	return n
}

func noVersion(r Report) int { return without(r, func(c Component) string { return c.Version }) }
func noPURL(r Report) int    { return without(r, func(c Component) string { return c.PURL }) }

func checkCycloneDX(t *testing.T, r Report, facts string) {
	if len(r.Components) != number(facts, "components_all_nested") || r.Version != fact(facts, "specVersion") || noVersion(r) != number(facts, "no_version") {
		t.Errorf("%d components of %s, %d without version: %s", len(r.Components), r.Version, noVersion(r), facts)
	}
	if missing := fact(facts, "no_purl"); missing != "" && missing != fmt.Sprint(noPURL(r)) {
		t.Errorf("%d components without package URL: %s", noPURL(r), facts)
	}
	subject := strings.TrimSuffix(fact(facts, "subject"), "@None")
	if subject == "none" || subject == "None" {
		subject = ""
	}
	var tools []string
	_, stated, _ := strings.Cut("; "+facts, "; tools=")
	stated, _, _ = strings.Cut(stated, "; ")
	for tool := range strings.SplitSeq(strings.TrimPrefix(strings.TrimPrefix(stated, "legacy:"), "object:"), ";") {
		if tool = strings.TrimSuffix(tool, " None"); !slices.Contains(tools, tool) {
			tools = append(tools, tool)
		}
	}
	if r.Subject != subject || r.Tool != strings.Join(tools, ", ") {
		t.Errorf("of %q by %q: %s", r.Subject, r.Tool, facts)
	}
}

func checkSPDX(t *testing.T, r Report, facts string) {
	if len(r.Components) != number(facts, "packages")-number(facts, "null_package_entries") || "SPDX-"+r.Version != fact(facts, "spdxVersion") {
		t.Errorf("%d packages of %s: %s", len(r.Components), r.Version, facts)
	}
	if missing := fact(facts, "no_version"); missing != "" && missing != fmt.Sprint(noVersion(r)) {
		t.Errorf("%d packages without version: %s", noVersion(r), facts)
	}
	if missing := fact(facts, "no_purl"); missing != "" && missing != fmt.Sprint(noPURL(r)) {
		t.Errorf("%d packages without package URL: %s", noPURL(r), facts)
	}
	if versions := fact(facts, "package_versions"); versions != "" && versions != fmt.Sprint(len(r.Components)-noVersion(r)) {
		t.Errorf("%d packages with version: %s", len(r.Components)-noVersion(r), facts)
	}
	_, creators, stated := strings.Cut(facts, "; creators=")
	creators, _, _ = strings.Cut(creators, "; created=")
	var tools []string
	for creator := range strings.SplitSeq(creators, ";") {
		if tool, ok := strings.CutPrefix(creator, "Tool: "); ok {
			tools = append(tools, strings.TrimSpace(tool))
		}
	}
	if stated && r.Tool != strings.Join(tools, ", ") {
		t.Errorf("by %q: %s", r.Tool, facts)
	}
}

func checkSPDX3(t *testing.T, r Report, facts string) {
	packages := number(facts, "software_Package") + number(facts, "ai_AIPackage") + number(facts, "dataset_DatasetPackage")
	version := fact(facts, "specVersion")
	if version == "" {
		version = "3.0.0" // of the context
	}
	if len(r.Components) != packages || r.Version != version {
		t.Errorf("%d packages of %s: %s", len(r.Components), r.Version, facts)
	}
}

// noScans are CycloneDX files that are no scan.
var noScans = map[string]string{
	"bom-examples__Case-1-vex.json":                     "this is a VEX document",
	"bom-examples__Case-2-vex.json":                     "this is a VEX document",
	"bom-examples__Case-4-vex.json":                     "this is a VEX document",
	"bom-examples__VEX-vex.json":                        "this is a VEX document",
	"dependency-track__vex-issue2549.json":              "this is a VEX document",
	"guac__cyclonedx-unaffected-vex.json":               "this is a VEX document",
	"guac__cyclonedx-vex-false-positive.json":           "this is a VEX document",
	"guac__cyclonedx-vex.xml":                           "this is a VEX document",
	"trivy__fluentd-multiple-lockfiles.cdx.json.golden": "list of vulnerabilities is empty",
	"scancode.io__django-4.0.10-vulnerability.json":     "is not a scan report",
}

// TestCorpusCycloneDXVulnerabilities: each CycloneDX file that lists
// vulnerabilities, as a scan and as VEX.
func TestCorpusCycloneDXVulnerabilities(t *testing.T) {
	dir := corpusDir(t)
	tried := 0
	corpusFiles(t, dir, []string{"sbom-cyclonedx-json", "sbom-cyclonedx-xml", "vex-cyclonedx"}, func(t *testing.T, path, facts string) {
		if refusedSBOMs[filepath.Base(path)] != "" || strings.HasPrefix(facts, "parse=") {
			return
		}
		tried++
		scan, err := readCorpus(t, Scan, filepath.Join(dir, path))
		listed := fact(facts, "vulnerabilities") != "" || strings.Contains(facts, "legacy_ext")
		want := noScans[filepath.Base(path)]
		if !listed || strings.HasSuffix(path, ".xml") && number(facts, "vulnerabilities") == 0 && !strings.Contains(facts, "legacy_ext") {
			want = "has no list of vulnerabilities"
		}
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %s: %s", err, want, facts)
			}
		} else if err != nil {
			t.Errorf("%v: %s", err, facts)
		} else {
			checkCycloneDXScan(t, scan, path, facts)
		}
		vex, err := readCorpus(t, VEX, filepath.Join(dir, path))
		checkCycloneDXVEX(t, vex, err, facts)
	})
	if tried < 80 {
		t.Errorf("%d files were tried", tried)
	}
}

// otherRatings are ratings that the manifest does not tell as they are meant.
var otherRatings = map[string]string{
	"DefectDojo__spec1_lowfirst.xml": "critical:1", // its words are Low and Critical
	"DefectDojo__no-severity.json":   "critical:1", // a score of 10
}

// checkCycloneDXScan: severities agree where no vulnerability stands twice, and
// ids where one does.
func checkCycloneDXScan(t *testing.T, r Report, path, facts string) {
	rated, ids, aside := Report{Findings: map[FindingKey]Finding{}}, map[string]bool{}, 0
	for key, f := range r.Findings {
		ids[key.ID] = true
		if f.SetAside != "" {
			aside++
		}
		f.SetAside = ""
		rated.Findings[key] = f
	}
	want := severities(fact(facts, "vuln_by_max_rating"), nil)
	if legacy := fact(facts, "legacy_first_severity"); legacy != "" {
		want = severities(legacy, nil)
	}
	if other := otherRatings[filepath.Base(path)]; other != "" {
		want = severities(other, nil)
	}
	distinct := number(facts, "distinct_ids")
	if twice := distinct != 0 && distinct != number(facts, "vulnerabilities"); !twice && CountFindings(rated) != want || distinct != 0 && len(ids) != distinct {
		t.Errorf("%+v, want %+v, %d ids: %s", CountFindings(rated), want, len(ids), facts)
	}
	states := countsOf(fact(facts, "analysis_state"))
	if harmless := states["not_affected"] + states["false_positive"] + states["resolved"]; aside > harmless || aside == 0 && harmless > 0 {
		t.Errorf("%d set aside: %s", aside, facts)
	}
}

func checkCycloneDXVEX(t *testing.T, r Report, err error, facts string) {
	want, total := map[string]int{}, 0
	for state, n := range countsOf(fact(facts, "analysis_state")) {
		if status := cycloneDXStates[state]; status != "" {
			want[status] += n
			total += n
		}
	}
	got, products := map[string]int{}, 0
	for _, s := range r.Statements {
		got[s.Status]++
		products += len(s.Products)
	}
	if total == 0 {
		if err == nil || !strings.Contains(err.Error(), "makes no statement") {
			t.Errorf("%v: %s", err, facts)
		}
		return
	}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v %v, want %v: %s", err, got, want, facts)
	}
	if total == number(facts, "vulnerabilities") && fact(facts, "affects_refs") != "" && products != number(facts, "affects_refs") {
		t.Errorf("%d products: %s", products, facts)
	}
}
