package collect

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// refusedScans must be refused, though something can be read from them.
var refusedScans = map[string]string{
	"gen__grype-duplicate-matches-key.json":                          "duplicate",
	"gen__trivy-truncated.json":                                      "ends too early",
	"DefectDojo__govulncheck-empty.json":                             "is empty",
	"DefectDojo__no_findings.json":                                   "is empty", // OSV-Scanner
	"DefectDojo__openvex_not_a_document.json":                        "is not a VEX document",
	"DefectDojo__single_project_no_vulns.json":                       "no project has a dependency", // dependencyCount 0
	"DefectDojo__no_runs.sarif":                                      "no runs",                     // no tool ran
	"sarif-tutorials__Catastrophic_configuration_error.sarif":        "the scan failed",             // executionSuccessful false
	"sarif-sdk__AndroidStudio.sarif":                                 `"2.0.0" is not read`,         // an older draft, with other rules for levels
	"DefectDojo__no_vuln.xml":                                        "no host",                     // OpenVAS; <hosts><count>0
	"chainloop__csaf_security_incident_response_wrong_category.json": "makes no statement",          // no vulnerabilities
	// CSV exports do not say which hosts were scanned, or whether the scan ended.
	"DefectDojo__nessus_many_vuln2-default.csv": "is not a scan report",
	"DefectDojo__nessus_was_no_vuln.csv":        "is not a scan report",
	"DefectDojo__many_vuln.csv":                 "is not a scan report",
}

// scanChecks compares a report with the manifest's facts.
var scanChecks = map[string]func(t *testing.T, r Report, path, facts string){
	"scan-trivy": checkPackages, "scan-grype": checkPackages, "scan-osv": checkOSV, "scan-snyk": checkSnyk, "scan-sarif": checkSARIF,
	"scan-govulncheck": checkGovulncheck, "scan-npm-audit": checkNPM, "scan-nessus": checkNessus, "scan-openvas": checkOpenVAS,
	"vex-openvex": checkOpenVEX, "vex-csaf": checkCSAF,
}

func TestCorpusScan(t *testing.T) {
	dir := corpusDir(t)
	manifest, err := os.Open(filepath.Join(dir, "MANIFEST.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer manifest.Close()
	lines := bufio.NewScanner(manifest)
	lines.Buffer(nil, 1<<20)
	seen, refused := 0, 0
	for lines.Scan() {
		columns := strings.Split(lines.Text(), "\t")
		check := scanChecks[columns[1]]
		if len(columns) < 9 || check == nil {
			continue
		}
		seen++
		if _, ok := refusedScans[filepath.Base(columns[0])]; ok {
			refused++
		}
		t.Run(columns[0], func(t *testing.T) { checkScanFile(t, filepath.Join(dir, columns[0]), columns[1], columns[8]) })
	}
	if err := lines.Err(); err != nil || seen < 100 || refused != len(refusedScans) {
		t.Errorf("%d files of the corpus were tried, %d of %d refused: %v", seen, refused, len(refusedScans), err)
	}
}

func checkScanFile(t *testing.T, path, category, facts string) {
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	kind := Scan
	if strings.HasPrefix(category, "vex-") {
		kind = VEX
	}
	name := filepath.Base(path)
	report, err := Read(kind, Source{Name: name, Size: info.Size(), ReaderAt: file})
	if want, refused := refusedScans[name]; refused || strings.HasPrefix(facts, "parse=") {
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), name) {
			t.Errorf("must be refused (%s): %v", want, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("%v (facts: %s)", err, facts)
	}
	if report.Kind == Scan && (report.Targets == 0 || report.Tool == "") {
		t.Errorf("looked at %d targets with %q", report.Targets, report.Tool)
	}
	scanChecks[category](t, report, path, facts)
}

// tally counts findings: those that count by severity, and those set aside.
type tally struct {
	SeverityCounts
	aside int
	ids   map[string]bool
}

func tallyOf(r Report, which func(FindingKey) bool) tally {
	some := Report{Findings: map[FindingKey]Finding{}}
	t := tally{ids: map[string]bool{}}
	for key, f := range r.Findings {
		switch {
		case !which(key):
		case f.SetAside != "":
			t.aside++
		default:
			some.Findings[key] = f
			t.ids[key.ID] = true
		}
	}
	t.SeverityCounts = CountFindings(some)
	return t
}

func all(FindingKey) bool { return true }

func sum(c SeverityCounts) int {
	return c.Critical + c.High + c.Medium + c.Low + c.Negligible + c.Unknown
}

// severities reads a fact like high:2,low:1 with words of a scanner, or those
// that names translates.
func severities(fact string, names map[string]string) SeverityCounts {
	var c SeverityCounts
	for part := range strings.SplitSeq(fact, ",") {
		name, n, _ := strings.Cut(part, ":")
		if translated, ok := names[name]; ok {
			name = translated
		}
		count := 0
		fmt.Sscan(n, &count)
		*map[Severity]*int{
			Critical: &c.Critical, High: &c.High, Medium: &c.Medium, Low: &c.Low, Negligible: &c.Negligible, Unknown: &c.Unknown,
		}[severityOf(name)] += count
	}
	return c
}

func plus(a, b SeverityCounts) SeverityCounts {
	return SeverityCounts{a.Critical + b.Critical, a.High + b.High, a.Medium + b.Medium, a.Low + b.Low, a.Negligible + b.Negligible, a.Unknown + b.Unknown}
}

// checkPackages: every vulnerability is there once for each package, and the
// severities agree when none stands twice.
func checkPackages(t *testing.T, r Report, _, facts string) {
	of := func(prefix string) tally {
		return tallyOf(r, func(k FindingKey) bool { return strings.HasPrefix(k.Package, prefix) })
	}
	found := tallyOf(r, func(k FindingKey) bool {
		return !strings.HasPrefix(k.Package, "misconfiguration:") && !strings.HasPrefix(k.Package, "secret:")
	})
	total := number(facts, "vulns") + number(facts, "matches")
	distinct := total
	if fact(facts, "distinct_id_pkg") != "" {
		distinct = number(facts, "distinct_id_pkg")
	}
	if sum(found.SeverityCounts) != distinct || found.aside != number(facts, "ignoredMatches")+number(facts, "suppressed_modified_findings") {
		t.Errorf("%d distinct findings, %d set aside: %s", sum(found.SeverityCounts), found.aside, facts)
	}
	if ids := fact(facts, "distinct_ids"); ids != "" && ids != fmt.Sprint(len(found.ids)) {
		t.Errorf("%d ids: %s", len(found.ids), facts)
	}
	if want := severities(fact(facts, "severity"), nil); total == distinct && found.SeverityCounts != want {
		t.Errorf("%+v, want %+v: %s", found.SeverityCounts, want, facts)
	}
	if got, want := of("misconfiguration:").SeverityCounts, severities(fact(facts, "misconf_FAIL_severity"), nil); got != want {
		t.Errorf("misconfigurations %+v, want %+v: %s", got, want, facts)
	}
	if got, want := of("secret:").SeverityCounts, severities(fact(facts, "secret_severity"), nil); got != want {
		t.Errorf("secrets %+v, want %+v: %s", got, want, facts)
	}
}

// repeatedGroups are groups that stand in several sources of one file for the
// same package: remove_dir_all and time are in two lock files each.
var repeatedGroups = map[string]int{"osv-scanner__input.json": 2}

func checkOSV(t *testing.T, r Report, path, facts string) {
	found, repeated := tallyOf(r, all), repeatedGroups[filepath.Base(path)]
	want := severities(fact(facts, "groups_by_max_severity"), nil)
	want.Unknown -= repeated
	if sum(found.SeverityCounts) != number(facts, "groups")-repeated || found.SeverityCounts != want || r.Targets < number(facts, "results") {
		t.Errorf("%+v: %s", found, facts)
	}
}

func checkSnyk(t *testing.T, r Report, _, facts string) {
	found := tallyOf(r, all)
	byID := map[string]Severity{}
	for key, f := range r.Findings {
		byID[key.ID] = max(byID[key.ID], f.Severity)
	}
	var got SeverityCounts
	for id, severity := range byID {
		got = plus(got, CountFindings(Report{Findings: map[FindingKey]Finding{{ID: id}: {Severity: severity}}}))
	}
	want := plus(severities(fact(facts, "severity_distinct_ids"), nil), severities(fact(facts, "applications_severity"), nil))
	if got != want || found.aside != number(facts, "license_issues") {
		t.Errorf("%+v, want %+v; %d set aside: %s", got, want, found.aside, facts)
	}
}

// repeatedResults are results that differ in nothing but their properties: a
// secret in the same line of two commits is one finding.
var repeatedResults = map[string]int{"DefectDojo__gitleaks_7.5.0.sarif": 4}

// checkSARIF: every result is a finding of its own.
func checkSARIF(t *testing.T, r Report, path, facts string) {
	found, repeated := tallyOf(r, all), repeatedResults[filepath.Base(path)]
	found.Medium += repeated
	total := sum(found.SeverityCounts)
	aside := number(facts, "suppressed")
	for part := range strings.SplitSeq(fact(facts, "baselineState"), ",") {
		state, n, _ := strings.Cut(part, ":")
		if count := 0; fact(facts, "suppressed") == "" && state == "absent" {
			fmt.Sscan(n, &count)
			aside += count
		}
	}
	if total+found.aside != number(facts, "results") || found.aside != aside {
		t.Errorf("%d results, %d set aside: %s", total, found.aside, facts)
	}
	levels := map[string]string{"error": "high", "warning": "medium", "note": "low", "none": "negligible"}
	want := severities(fact(facts, "level_effective"), levels)
	if unsuppressed := fact(facts, "level_effective_unsuppressed"); unsuppressed != "" {
		want = severities(unsuppressed, levels)
	}
	if scores := fact(facts, "security_severity_bucket"); scores != "none present" {
		want = severities(scores, map[string]string{"none": "unknown"}) // 0.0: not scored
	}
	if found.aside == aside && aside != 0 && fact(facts, "level_effective_unsuppressed") == "" {
		return // the facts do not say which levels were set aside
	}
	if found.SeverityCounts != want {
		t.Errorf("%+v, want %+v: %s", found.SeverityCounts, want, facts)
	}
}

// checkGovulncheck counts the findings itself: the corpus holds arrays of
// messages, of which the manifest counts one document and no message.
func checkGovulncheck(t *testing.T, r Report, path, _ string) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var messages []struct {
		Finding *struct {
			OSV string `json:"osv"`
		} `json:"finding"`
	}
	if err := json.Unmarshal(data, &messages); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, m := range messages {
		if m.Finding != nil {
			want[m.Finding.OSV] = true
		}
	}
	found := tallyOf(r, all)
	if found.Unknown != len(want) || fmt.Sprint(found.ids) != fmt.Sprint(want) {
		t.Errorf("%+v, want %v", found, want)
	}
}

// checkNPM: advisories (version 1), or packages (version 2), of which none has
// two advisories here.
func checkNPM(t *testing.T, r Report, _, facts string) {
	found := tallyOf(r, all)
	if sum(found.SeverityCounts) != number(facts, "vulnerable_packages")+number(facts, "advisories") {
		t.Errorf("%+v: %s", found, facts)
	}
	if number(facts, "vulnerable_packages") > 0 {
		want := severities(strings.NewReplacer("{", "", "}", "", `"`, "", " ", "").Replace(fact(facts, "metadata_vulnerabilities")), nil)
		want.Unknown = 0 // the total
		if found.SeverityCounts != want {
			t.Errorf("%+v, want %+v", found.SeverityCounts, want)
		}
	}
}

func checkNessus(t *testing.T, r Report, _, facts string) {
	found := tallyOf(r, all)
	want := severities(fact(facts, "severity_0info_1low_2med_3high_4crit"), map[string]string{"0": "info", "1": "low", "2": "medium", "3": "high", "4": "critical"})
	if found.SeverityCounts != want || len(found.ids) != number(facts, "distinct_pluginID") || r.Targets != number(facts, "hosts") {
		t.Errorf("%+v in %d hosts, want %+v: %s", found, r.Targets, want, facts)
	}
}

func checkOpenVAS(t *testing.T, r Report, _, facts string) {
	found, want := tallyOf(r, all), severities(fact(facts, "cvss_bucket"), nil)
	if found.SeverityCounts != want || sum(want) != number(facts, "results") {
		t.Errorf("%+v, want %+v: %s", found.SeverityCounts, want, facts)
	}
}

func countsOf(fact string) map[string]int {
	counts := map[string]int{}
	for part := range strings.SplitSeq(fact, ",") {
		name, n, _ := strings.Cut(part, ":")
		count := 0
		if fmt.Sscan(n, &count); count > 0 {
			counts[name] = count
		}
	}
	return counts
}

func checkOpenVEX(t *testing.T, r Report, _, facts string) {
	statuses, names, products := map[string]int{}, map[string]bool{}, 0
	for _, s := range r.Statements {
		statuses[s.Status]++
		names[s.Vulnerability] = true
		products += len(s.Products)
		if s.Time == "" {
			t.Errorf("%s has no time", s.Vulnerability)
		}
	}
	if fmt.Sprint(statuses) != fmt.Sprint(countsOf(fact(facts, "status"))) || len(names) != number(facts, "distinct_vulns") ||
		products != number(facts, "product_refs") || len(r.Statements) != number(facts, "statements") {
		t.Errorf("%d statements %v on %d vulnerabilities in %d products: %s", len(r.Statements), statuses, len(names), products, facts)
	}
}

// checkCSAF: the facts count products by status and vulnerability.
func checkCSAF(t *testing.T, r Report, _, facts string) {
	statuses, names := map[string]int{}, map[string]bool{}
	for _, s := range r.Statements {
		statuses[map[string]string{notAffected: "known_not_affected", affected: "known_affected"}[s.Status]] += len(s.Products)
		names[s.Vulnerability] = true
		if s.Status == fixed || s.Status == underInvestigation {
			delete(statuses, "")
			statuses[s.Status] += len(s.Products)
		}
	}
	if fmt.Sprint(statuses) != fmt.Sprint(countsOf(fact(facts, "product_status"))) || len(names) != number(facts, "vulnerabilities") || r.Version != fact(facts, "csaf_version") {
		t.Errorf("%v on %d vulnerabilities: %s", statuses, len(names), facts)
	}
}
