package collect

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestScansThatAreNotClean: nothing was looked at, or nobody can tell; each is
// refused with the reason.
func TestScansThatAreNotClean(t *testing.T) {
	sarifRun := func(run string) string { return `{"version":"2.1.0","runs":[` + run + `]}` }
	gitLabWith := func(scan, rest string) string {
		return `{"version":"15.0.0","scan":` + scan + rest + `}`
	}
	openVASWith := func(inner string) string { return `<report><owner/><report><gmp/>` + inner + `</report></report>` }
	for name, c := range map[string]struct{ text, want string }{
		"Trivy without results":       {`{"SchemaVersion":2,"ArtifactName":"x"}`, "looked at nothing"},
		"Trivy, licences only":        {`{"SchemaVersion":2,"ArtifactName":"x","Results":[{"Target":"t","Class":"license"}]}`, "looked at nothing"},
		"Trivy, empty version 1":      {`[]`, "is not a scan report"},
		"Trivy, no resources":         {`{"ClusterName":"c","Resources":[]}`, "looked at nothing"},
		"Trivy, failed resource":      {`{"ClusterName":"c","Resources":[{"Kind":"Pod","Name":"p","Error":"no access","Results":[]}]}`, "/Pod/p: could not be scanned: no access"},
		"Trivy, empty resource":       {`{"kind":"VulnerabilityReport","report":null}`, "looked at nothing"},
		"Trivy, two lists":            {`{"Results":[{"Target":"t","Vulnerabilities":[{"VulnerabilityID":"CVE-1"}],"Vulnerabilities":[]}]}`, "duplicate"},
		"Trivy, wrong type":           {`{"Results":[{"Target":"t","Vulnerabilities":{}}]}`, "where a JSON ["},
		"Trivy, nameless finding":     {`{"Results":[{"Target":"t","Vulnerabilities":[{}]}]}`, "neither what it is nor where"},
		"Trivy, report without lists": {`{"kind":"VulnerabilityReport","report":{}}`, "looked at nothing"},
		"Trivy, no operator":          {`{"Results":[],"report":{"vulnerabilities":[]}}`, "is no report of Trivy's operator"},
		"Nessus, silent host":         {`<NessusClientData_v2><ReportHost name="h"/></NessusClientData_v2>`, "did not end"},
		"OpenVAS, no status":          {openVASWith(`<results/><hosts><count>1</count></hosts>`), "is not done"},
		"govulncheck, no check":       {`[{"config":{}},{"osv":{"id":"GO-1"}}]`, "looked at nothing"},
		"Grype, null":                 {`{"matches":null,"source":{}}`, "did not finish"},
		"Grype, of nothing":           {`{"matches":[]}`, "looked at nothing"},
		"Grype, wrong type":           {`{"matches":[{"vulnerability":"CVE-1"}]}`, "must not be a JSON string"},
		"OSV, null":                   {`{"results":null}`, "did not finish"},
		"OSV, only an array":          {`[]`, "is not a scan report"},
		"OSV, another tool's results": {`{"results":[],"errors":[],"paths":{"scanned":[]}}`, "is not a scan report"},
		"OSV, other results":          {`{"results":[{"check_id":"x"}]}`, "has no packages"},
		"OSV, group without ids":      {`{"results":[{"packages":[{"package":{"name":"a"},"groups":[{"ids":[]}]}]}]}`, "has no ids"},
		"OSV, a string of results":    {`{"results":"none"}`, "where a JSON ["},
		"Snyk, error":                 {`{"ok":false,"error":"no manifest","path":"/x"}`, "/x: could not be tested: no manifest"},
		"Snyk, one of several":        {`[{"ok":true,"vulnerabilities":[],"dependencyCount":4},{"ok":false,"error":"x","path":"/y"}]`, "/y: could not be tested"},
		"Snyk, without dependencies":  {`{"ok":true,"vulnerabilities":[],"dependencyCount":0}`, "looked at nothing"},
		"Snyk, bare list":             {`{"vulnerabilities":[]}`, "looked at nothing"},
		"Snyk, not ok":                {`{"ok":false,"vulnerabilities":[],"dependencyCount":4}`, "is not ok"},
		"Snyk, threshold":             {`{"ok":true,"vulnerabilities":[],"dependencyCount":4,"severityThreshold":"high"}`, "severity high and above only"},
		"Snyk, no list":               {`{"ok":true,"dependencyCount":4,"projectName":"p","error":""}`, "was not tested"},
		"Snyk, disguised":             {`{"vulnerabilities":[{"id":"CVE-1"}` + strings.Repeat(" ", outlineBytes) + `],"bomFormat":"CycloneDX"}`, "does not belong"},
		"SARIF without runs":          {`{"version":"2.1.0","runs":[]}`, "no runs"},
		"SARIF, runs null":            {`{"version":"2.1.0","runs":null}`, "no runs"},
		"SARIF, did not run":          {sarifRun(`{"tool":{"driver":{"name":"T"}}}`), "run 1 (T): has no list of results"},
		"SARIF, results null":         {sarifRun(`{"tool":{"driver":{"name":"T"}},"results":null}`), "has no list of results"},
		"SARIF, one of two":           {sarifRun(`{"tool":{"driver":{"name":"T"}},"results":[]},{"tool":{"driver":{"name":"U"}}}`), "run 2 (U)"},
		"SARIF, failed":               {sarifRun(`{"results":[],"invocations":[{"executionSuccessful":true},{"executionSuccessful":false}]}`), "the scan failed"},
		"SARIF, elsewhere":            {sarifRun(`{"results":[],"externalPropertyFileReferences":{"results":[{}]}}`), "other files"},
		"SARIF, older":                {`{"version":"2.0.0","runs":[{"results":[]}]}`, `"2.0.0" is not read`},
		"SARIF, level of no type":     {sarifRun(`{"results":[{"level":3}]}`), "must not be a JSON number"},
		"GitLab, failed":              {gitLabWith(`{"status":"failure"}`, `,"vulnerabilities":[]`), "did not succeed"},
		"GitLab, no status":           {gitLabWith(`{}`, `,"vulnerabilities":[]`), "did not succeed"},
		"GitLab, null":                {gitLabWith(`{"status":"success"}`, `,"vulnerabilities":null`), "is no list"},
		"GitLab, no files":            {gitLabWith(`{"status":"success","type":"dependency_scanning"}`, `,"vulnerabilities":[],"dependency_files":[]`), "no dependency files"},
		"GitLab, other version":       {`{"version":"2.0","scan":{"status":"success"},"vulnerabilities":[]}`, `"2.0" is not read`},
		"govulncheck, stopped":        {`{"config":{"scanner_name":"govulncheck"}}`, "looked at nothing"},
		"govulncheck, fetching":       {`{"config":{}}{"progress":{"message":"Fetching vulnerabilities from the database..."}}`, "looked at nothing"},
		"govulncheck, no beginning":   {`{"progress":{"message":"Checking"}}`, "no config message"},
		"govulncheck, truncated":      {`{"config":{}}{"finding":{"osv":"GO-1"`, "ends too early"},
		"govulncheck, rubbish behind": {`{"config":{}}{"progress":{"message":"Checking"}}x`, "line 1"},
		"npm, failed":                 {`{"auditReportVersion":2,"vulnerabilities":{},"error":{"code":"ENOLOCK"}}`, "the audit failed"},
		"npm, only an error":          {`{"error":{"code":"ENOLOCK"}}`, "is not a scan report"},
		"npm, null":                   {`{"auditReportVersion":2,"vulnerabilities":null,"metadata":{"dependencies":{"total":4}}}`, "did not finish"},
		"npm, no dependencies":        {`{"auditReportVersion":2,"vulnerabilities":{},"metadata":{"dependencies":{"total":0}}}`, "no dependencies"},
		"npm, no metadata":            {`{"auditReportVersion":2,"vulnerabilities":{}}`, "no dependencies"},
		"npm, counted and not listed": {`{"advisories":{},"metadata":{"vulnerabilities":{"high":2},"totalDependencies":4}}`, "not listed"},
		"npm, other version":          {`{"auditReportVersion":3,"vulnerabilities":{}}`, `"3" is not read`},
		"Nessus without hosts":        {`<NessusClientData_v2><Report/></NessusClientData_v2>`, "no host"},
		"Nessus, host not done":       {`<NessusClientData_v2><ReportHost name="h"><HostProperties><tag name="HOST_START"/></HostProperties></ReportHost></NessusClientData_v2>`, "h: the scan of this host did not end"},
		"Nessus, lost item":           {`<NessusClientData_v2><ReportItem pluginID="1"/></NessusClientData_v2>`, "outside a host"},
		"Nessus, truncated":           {`<NessusClientData_v2><ReportHost name="h">`, "EOF"},
		"Nessus CSV":                  {"Plugin ID,CVE,CVSS,Risk,Host\n", "is not a scan report"},
		"OpenVAS without hosts":       {openVASWith(`<results/><scan_run_status>Done</scan_run_status><hosts><count>0</count></hosts>`), "no host"},
		"OpenVAS, running":            {openVASWith(`<results/><scan_run_status>Running</scan_run_status><hosts><count>1</count></hosts>`), "is not done"},
		"OpenVAS, no results":         {openVASWith(`<hosts><count>1</count></hosts>`), "has no results"},
		"OpenVAS, one page":           {openVASWith(`<results><result><nvt oid="1"/><host>h</host></result></results><result_count><filtered>20</filtered></result_count>`), "holds 1 of 20 results"},
		"OpenVAS, delta":              {`<report><owner/><report type="delta"><gmp/><results/></report></report>`, "what changed"},
	} {
		_, err := Read(Scan, source("scan.out", c.text))
		if failed, ok := errors.AsType[*ReadError](err); !ok || failed.File != "scan.out" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestCleanScans: these looked at something and found nothing.
func TestCleanScans(t *testing.T) {
	for _, text := range []string{
		`{"SchemaVersion":2,"ArtifactName":"x","Results":[{"Target":"t","Class":"os-pkgs"}]}`, `[{"Target":"t","Vulnerabilities":null}]`,
		`{"matches":[],"source":{"type":"image"}}`, `{"results":[]}`, `{"results":[],"experimental_config":{"licenses":{}}}`,
		`{"ok":true,"vulnerabilities":[],"dependencyCount":4,"severityThreshold":"low"}`, `{"ok":true,"vulnerabilities":[]}`,
		`{"version":"2.1.0","runs":[{"results":[]}]}`, `{"runs":[{"results":[]}]}`, `{"version":"2.1.0","runs":[{"results":[{"kind":"pass","ruleId":"x"}]}]}`,
		`{"version":"14.1.2","scan":{"status":"success"},"vulnerabilities":[]}`,
		`{"config":{}}{"progress":{"message":"Checking the code against the vulnerabilities..."}}`, `[{"config":{}},{"progress":{"message":"Scanning your binary for known vulnerabilities..."}}]`,
		`{"kind":"VulnerabilityReport","report":{"vulnerabilities":[]}}`,
		`{"auditReportVersion":2,"vulnerabilities":{},"metadata":{"vulnerabilities":{"high":0},"dependencies":{"total":4}}}`,
		`{"advisories":{},"metadata":{"dependencies":4,"totalDependencies":4}}`, `{"advisories":{},"muted":[],"metadata":{"dependencies":4}}`,
		`<NessusClientData_v2><ReportHost name="h"><HostProperties><tag name="HOST_END">x</tag></HostProperties></ReportHost></NessusClientData_v2>`,
		`<report><scan_run_status>Done</scan_run_status><results/><hosts><count>2</count></hosts></report>`, `<get_reports_response><report><report><scan_run_status>Done</scan_run_status><results/><host><ip>1</ip></host></report></report></get_reports_response>`,
	} {
		r, err := Read(Scan, source("clean", text))
		if err != nil || r.Targets == 0 || sum(CountFindings(r)) != 0 {
			t.Errorf("%s: %v, %+v", text, err, r)
		}
	}
}

func TestVEXRefused(t *testing.T) {
	vex := func(statement string) string {
		return `{"@context":"https://openvex.dev/ns","timestamp":"2024-01-01T00:00:00Z","statements":[` + statement + `]}`
	}
	csaf := func(document, rest string) string {
		return `{"document":` + document + `,"vulnerabilities":[` + rest + `]}`
	}
	for name, c := range map[string]struct{ text, want string }{
		"no statements":        {vex(""), "makes no statement"},
		"null":                 {`{"@context":"https://openvex.dev/ns","statements":null}`, "makes no statement"},
		"other status":         {vex(`{"vulnerability":"CVE-1","products":["a"],"status":"harmless"}`), `"harmless" is no status`},
		"no status":            {vex(`{"vulnerability":"CVE-1","products":["a"]}`), "is no status"},
		"no vulnerability":     {vex(`{"products":["a"],"status":"fixed"}`), "names no vulnerability"},
		"a time that is none":  {vex(`{"vulnerability":"CVE-1","products":["a"],"status":"fixed","timestamp":"today"}`), `statement 1: "today" is no time`},
		"twice the status":     {vex(`{"vulnerability":"CVE-1","status":"affected","status":"not_affected"}`), "duplicate"},
		"products no list":     {vex(`{"vulnerability":"CVE-1","products":"a","status":"fixed"}`), "where a JSON ["},
		"an array":             {`["not","a","document"]`, "is not a VEX document"},
		"too many names":       {vex(`{"vulnerability":{"name":"CVE-1","aliases":[` + strings.Repeat(`"a",`, 5000) + `"b"]},"products":[` + strings.Repeat(`"a",`, 5000) + `"b"],"status":"fixed"}`), "more than"},
		"CSAF without version": {csaf(`{}`, ``), "csaf_version"},
		"CSAF says nothing":    {csaf(`{"csaf_version":"2.0"}`, `{"cve":"CVE-1"}`), "makes no statement"},
		"CSAF without a name":  {csaf(`{"csaf_version":"2.0"}`, `{"product_status":{"fixed":["a"]}}`), "names no vulnerability"},
		"CSAF of two minds": {`{"document":{"csaf_version":"2.0"},"vulnerabilities":[],"product_tree":{"full_product_names":[{"product_id":"P","product_identification_helper":{"purl":"pkg:npm/a"}},` +
			`{"product_id":"P","product_identification_helper":{"purl":"pkg:npm/b"}}]}}`, "stands there twice"},
		"CSAF, groups of groups": {`{"document":{"csaf_version":"2.0"},"product_tree":{"product_groups":[{"group_id":"G","product_ids":[` + strings.Repeat(`"a",`, 9999) + `"a"]}]},` +
			`"vulnerabilities":[{"cve":"CVE-1","product_status":{"known_not_affected":["a"]},"flags":[{"label":"x","group_ids":[` + strings.Repeat(`"G",`, 9999) + `"G"]}]}]}`, "more than"},
	} {
		_, err := Read(VEX, source("vex.json", c.text))
		if failed, ok := errors.AsType[*ReadError](err); !ok || failed.File != "vex.json" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestLargeHostileScans: what is small in a file must not become large in
// memory.
func TestLargeHostileScans(t *testing.T) {
	long, many := strings.Repeat("x", 1<<20), 2<<20
	for name, text := range map[string]string{
		"long target of many secrets":  `{"Results":[{"Target":"` + long + `","Secrets":[` + strings.Repeat(`{"RuleID":"a","StartLine":1},`, 10) + numbered(`{"RuleID":"%d"}`, 1000) + `]}]}`,
		"empty findings":               `{"Results":[{"Target":"t","Vulnerabilities":[` + strings.Repeat("{},", many) + `{}]}]}`,
		"locations of one result":      `{"version":"2.1.0","runs":[{"results":[{"locations":[` + strings.Repeat("{},", many) + `{}]}]}]}`,
		"suppressions of one result":   `{"version":"2.1.0","runs":[{"results":[{"suppressions":[` + strings.Repeat("{},", many) + `{}]}]}]}`,
		"runs":                         `{"version":"2.1.0","runs":[` + strings.Repeat(`{"results":[]},`, many/8) + `{"results":[]}]}`,
		"vulnerabilities of a package": `{"results":[{"packages":[{"package":{"name":"a"},"vulnerabilities":[` + strings.Repeat("{},", many) + `{}]}]}]}`,
		"aliases":                      `{"config":{}}{"osv":{"id":"a","aliases":[` + strings.Repeat(`"",`, many) + `""]}}`,
		"products":                     `{"@context":"https://openvex.dev/","statements":[{"vulnerability":"a","products":[` + strings.Repeat("{},", many) + `{}]}]}`,
		"nested parts":                 `{"@context":"https://openvex.dev/","statements":[{"products":` + strings.Repeat(`[{"subcomponents":`, 4000) + "[]" + strings.Repeat("}]", 4000) + `}]}`,
		"nested branches":              `{"document":{},"product_tree":{"branches":` + strings.Repeat(`[{"branches":`, 4000) + "[]" + strings.Repeat("}]", 4000) + `},"vulnerabilities":[]}`,
		"nested applications":          strings.Repeat(`{"ok":true,"vulnerabilities":[],"applications":[`, 3000) + strings.Repeat("]}", 3000),
		"text of a result":             `<report><report><gmp/><results><result><host>` + strings.Repeat("x", many) + `</host></result></results></report></report>`,
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		begin := time.Now()
		for _, kind := range []Kind{Scan, VEX} {
			if r, err := Read(kind, source("evil", text)); err == nil && name != "nested applications" && name != "locations of one result" {
				t.Errorf("%s: read as %s with %d findings", name, r.Format, len(r.Findings))
			}
		}
		runtime.ReadMemStats(&after)
		if took := time.Since(begin); took > 10*time.Second || after.TotalAlloc-before.TotalAlloc > 1<<30 {
			t.Errorf("%s: took %s and %d MiB", name, took, (after.TotalAlloc-before.TotalAlloc)>>20)
		}
	}
}

func numbered(format string, n int) string {
	var parts []string
	for i := range n {
		parts = append(parts, fmt.Sprintf(format, i))
	}
	return strings.Join(parts, ",")
}
