package collect

import (
	"errors"
	"maps"
	"strings"
	"testing"
)

// Small files of each format, written by hand after what the tools write.
const (
	trivySetAside = `{"SchemaVersion":2,"ArtifactName":"x","Results":[
		{"Class":"lang-pkgs","Secrets":[{"RuleID":"aws","Severity":"CRITICAL","StartLine":3}],
		 "ExperimentalModifiedFindings":[
			{"Type":"vulnerability","Status":"not_affected","Statement":"not in the path","Finding":{"VulnerabilityID":"CVE-2","PkgName":"b","InstalledVersion":"1","Severity":"HIGH","PkgIdentifier":{"PURL":"pkg:npm/b@1"}}},
			{"Type":"license","Finding":{"Severity":"HIGH","Name":"GPL"}}],
		 "Target":"named last"},
		{"Target":"Dockerfile","Misconfigurations":[
			{"ID":"DS1","Severity":"LOW","Status":"FAIL","CauseMetadata":{"StartLine":1}},{"ID":"DS1","Severity":"LOW","Status":"FAIL","CauseMetadata":{"StartLine":7}}]}]}`
	trivyCluster = `{"ClusterName":"c","Resources":[{"Namespace":"n","Kind":"Pod","Name":"a","Results":[{"Target":"t","Vulnerabilities":[{"VulnerabilityID":"CVE-1","PkgName":"a","InstalledVersion":"1","Severity":"LOW"}]}]},
		{"Namespace":"n","Kind":"Pod","Name":"b","Results":[{"Target":"t","Misconfigurations":null}]}]}`
	trivyOperator = `{"apiVersion":"aquasecurity.github.io/v1alpha1","kind":"ConfigAuditReport","report":{"checks":[{"checkID":"K1","success":true,"severity":"HIGH"},{"checkID":"K2","success":false,"severity":"MEDIUM"}]}}`
	grypeSetAside = `{"matches":[],"ignoredMatches":[{"vulnerability":{"id":"GHSA-1","severity":"Critical"},"relatedVulnerabilities":[{"id":"CVE-8"}],"artifact":{"name":"y","version":"1","purl":"pkg:npm/y@1"},
		"appliedIgnoreRules":[{"reason":"not used","vex-status":"not_affected"}]}],"source":{"type":"image"}}`
	osv = `{"results":[{"source":{"path":"go.mod","type":"lockfile"},"packages":[
		{"package":{"name":"a","version":"1","ecosystem":"npm"},"vulnerabilities":[{"id":"GHSA-1"},{"id":"CVE-1"},{"id":"GHSA-9"}],
		 "groups":[{"ids":["GHSA-1","CVE-1"],"aliases":["GHSA-1","CVE-1"],"max_severity":"9.8"},{"ids":["GHSA-2"],"max_severity":""}]},
		{"package":{"commit":"abc"},"vulnerabilities":[],"groups":[{"ids":["OSV-1"],"max_severity":"3.1"}]}]}],"experimental_config":{}}`
	snyk = `[{"ok":false,"dependencyCount":3,"vulnerabilities":[
		{"id":"SNYK-1","packageName":"a","version":"1","severity":"high","cvssScore":null,"identifiers":{"CVE":["CVE-1"]}},
		{"id":"SNYK-1","packageName":"a","version":"1","severity":"high"},
		{"id":"snyk:lic:npm:a:GPL","packageName":"a","version":"1","severity":"high","type":"license"}],
		"filtered":{"ignore":[{"id":"SNYK-5","packageName":"z","version":"1","severity":"critical"}],"patch":[]},
		"applications":[{"ok":false,"dependencyCount":1,"vulnerabilities":[{"id":"SNYK-2","name":"b","version":"2","severity":"critical"}]}]},
		{"ok":true,"dependencyCount":0,"vulnerabilities":[]}]`
	sarif = `{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0","runs":[{"results":[
			{"ruleId":"R1","message":{"text":"a"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"a.c"},"region":{"startLine":3}}},{"physicalLocation":{}}]},
			{"ruleId":"R1","message":{"text":"b"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"a.c"},"region":{"startLine":3}}}]},
			{"ruleId":"R2/deep","ruleIndex":1,"message":{"text":"c"}},
			{"ruleIndex":2,"message":{"text":"d"}},
			{"ruleId":"R4","message":{"text":"e"},"level":"error","properties":{"security-severity":4.5}},
			{"ruleId":"E1","rule":{"index":0,"toolComponent":{"index":0}},"message":{"text":"f"}},
			{"ruleId":"R5","message":{"text":"g"},"kind":"open"},{"ruleId":"R5","message":{"text":"h"},"kind":"pass"},{"ruleId":"R5","message":{"text":"i"},"kind":"notApplicable"},
			{"ruleId":"R6","message":{"text":"j"},"kind":"informational"},
			{"ruleId":"R7","message":{"text":"k"},"suppressions":[{"kind":"inSource"}]},
			{"ruleId":"R8","message":{"text":"l"},"suppressions":[{"kind":"external","status":"underReview"}],"level":"none"},
			{"ruleId":"R9","message":{"text":"m"},"baselineState":"absent"},{"ruleId":"R10","message":{"text":"n"},"level":"fatal"},
			{"ruleId":"R11","message":{"text":"o"}},{"ruleId":"R12","message":{"text":"p"}}],
		"tool":{"driver":{"name":"T","semanticVersion":"1.0","rules":[{"id":"R1","defaultConfiguration":{"level":"error"}},{"id":"R2","properties":{"security-severity":"9.1"}},{"id":"R3","properties":{"security-severity":"0.0"}},{"id":"R11"}]},
			"extensions":[{"name":"E","rules":[{"id":"E1","defaultConfiguration":{"level":"note"}}]}]},
		"invocations":[{"executionSuccessful":false,"ruleConfigurationOverrides":[{"descriptor":{"id":"R11"},"configuration":{"level":"error"}}]}]}]}`
	gitLab = `{"version":"15.0.7","scan":{"type":"container_scanning","status":"success","scanner":{"id":"trivy","name":"Trivy","version":"0.60"}},"vulnerabilities":[
		{"id":"u1","severity":"High","location":{"dependency":{"package":{"name":"a"},"version":"1"},"image":"i"},"identifiers":[{"type":"gemnasium","value":"g"},{"type":"cve","value":"CVE-1"}]},
		{"id":"u2","severity":"Info","location":{"file":"a.py","start_line":4},"identifiers":[{"type":"bandit","value":"B1"}]},
		{"id":"u3","severity":"Unknown","location":{"dependency":{"package":{"name":"b"}}},"identifiers":[{"type":"cve","value":"CVE-2"},{"type":"cve","value":"CVE-3"}]}]}`
	govulncheckText = `{"config":{"protocol_version":"v1.0.0","scanner_name":"govulncheck","scanner_version":"v1.1.4"}}
		{"progress":{"message":"Fetching vulnerabilities from the database..."}}
		{"osv":{"id":"GO-1","aliases":["CVE-1","GHSA-1"]}}{"progress":{"message":"Checking the code against the vulnerabilities..."}}
		{"finding":{"osv":"GO-1","trace":[{"module":"m","version":"v1"}]}}
		{"finding":{"osv":"GO-1","trace":[{"module":"m","version":"v1","package":"m/p","function":"F"},{"module":"me"}]}}
		{"finding":{"osv":"GO-2","trace":[{"module":"stdlib","version":"v1.20"}]}}`
	npmAudit1 = `{"actions":[],"advisories":{"7":{"id":7,"module_name":"a","severity":"moderate","cves":["CVE-1"],"findings":[{"version":"1","paths":["a","b>a"]},{"version":"2"}]},
		"8":{"id":8,"module_name":"b","severity":"info","github_advisory_id":"GHSA-8"}},"muted":[],"metadata":{"vulnerabilities":{"info":1,"moderate":3},"totalDependencies":9}}`
	npmAudit2 = `{"auditReportVersion":2,"vulnerabilities":{"a":{"name":"a","severity":"critical","via":[{"source":1,"url":"https://github.com/advisories/GHSA-1","severity":"critical"},{"source":2,"url":"","severity":"low"}]},
		"b":{"name":"b","severity":"critical","via":["a"]}},"metadata":{"vulnerabilities":{"critical":2,"total":2},"dependencies":{"prod":3,"total":3}}}`
	nessus = `<?xml version="1.0"?><NessusClientData_v2><Report name="r"><ReportHost name="h"><HostProperties><tag name="HOST_START">x</tag><tag name="HOST_END">y</tag></HostProperties>
		<ReportItem port="443" protocol="tcp" severity="4" pluginID="1"><cve>CVE-1</cve></ReportItem><ReportItem port="80" protocol="tcp" severity="4" pluginID="1"/>
		<ReportItem port="0" protocol="tcp" severity="0" pluginID="2"/><ReportItem port="0" protocol="tcp" pluginID="3"/></ReportHost></Report></NessusClientData_v2>`
	openVASText4 = `<report id="1"><owner/><report id="2"><gmp><version>22</version></gmp><scan_run_status>Done</scan_run_status><hosts><count>1</count></hosts><results>
		<result id="a"><host>10.0.0.1<asset/><hostname>n</hostname></host><port>80/tcp</port><nvt oid="1.3"><severities><severity><score>1</score></severity></severities></nvt><threat>High</threat><severity>9.8</severity><detection><result id="d"><severity>1</severity></result></detection></result>
		<result id="b"><host>10.0.0.1</host><port>443/tcp</port><nvt oid="1.3"/><threat>Low</threat></result>
		<result id="c"><host>10.0.0.1</host><port>443/tcp</port><nvt oid="1.4"/><threat>Log</threat><severity>0.0</severity></result>
		<result id="e"><host>10.0.0.1</host><port>443/tcp</port><nvt oid="1.5"/><threat>False Positive</threat><severity>-1.0</severity></result>
		<result id="f"><host>10.0.0.1</host><port>443/tcp</port><nvt oid="1.6"/></result></results><result_count>5<full>9</full><filtered>5</filtered></result_count></report></report>`
	openVEX = `{"statements":[{"vulnerability":{"@id":"https://x/CVE-1","aliases":["GHSA-1"]},"products":[{"@id":"app","identifiers":{"purl":"pkg:npm/a@1"}},{"@id":"pkg:oci/i","subcomponents":[{"@id":"pkg:npm/b"}]}],"status":"not_affected","impact_statement":"no code"},
		{"vulnerability":"CVE-2","products":["a"],"status":"fixed","timestamp":"2024-02-01T00:00:00Z"}],"@context":"https://openvex.dev/ns/v0.2.0","author":"A","timestamp":"2024-01-01T00:00:00Z","version":1}`
	csafText = `{"vulnerabilities":[{"cve":"CVE-1","ids":[{"system_name":"x","text":"17"}],"product_status":{"known_affected":["P3"],"known_not_affected":["P1","P2","P4"],"under_investigation":["P9"],"recommended":["P1"]},
			"flags":[{"label":"component_not_present","product_ids":["P1"],"group_ids":["G"]}],"threats":[{"category":"impact","details":"not built in","product_ids":["P1","P4"]}]},
		{"ids":[{"system_name":"x","text":"ADV-1"},{"system_name":"y","text":"ADV-2"}],"product_status":{"fixed":["P2"]}}],
		"product_tree":{"branches":[{"category":"vendor","branches":[{"product":{"product_id":"P1","product_identification_helper":{"purl":"pkg:npm/a@1"}}}]}],"full_product_names":[{"product_id":"P2","product_identification_helper":{"purls":["pkg:npm/b@1"]}}],
			"relationships":[{"full_product_name":{"product_id":"P4"},"product_reference":"P1"}],"product_groups":[{"group_id":"G","product_ids":["P2"]}]},
		"document":{"category":"csaf_vex","csaf_version":"2.0","publisher":{"name":"V"},"tracking":{"current_release_date":"2024-01-01T00:00:00.000Z","status":"final"}}}`
)

// scanSamples are the samples with what must be found in them: severity and
// place of what counts, and the reason of what is set aside.
var scanSamples = []struct {
	text, format, tool string
	findings           map[FindingKey]Finding
}{
	{trivySetAside, "Trivy JSON", "trivy", map[FindingKey]Finding{
		{"aws", "secret::named last:3"}: {Severity: Critical}, {"CVE-2", "b@1"}: {Severity: High, PURL: "pkg:npm/b@1", SetAside: "set aside by trivy: not_affected: not in the path"},
		{"DS1", "misconfiguration::Dockerfile:1"}: {Severity: Low}, {"DS1", "misconfiguration::Dockerfile:7"}: {Severity: Low},
	}},
	{trivyCluster, "Trivy JSON", "trivy", map[FindingKey]Finding{{"CVE-1", "a@1"}: {Severity: Low}}},
	{trivyOperator, "Trivy JSON", "trivy", map[FindingKey]Finding{{"K2", "misconfiguration:"}: {Severity: Medium}}},
	{grypeSetAside, "Grype JSON", "grype", map[FindingKey]Finding{
		{"GHSA-1", "y@1"}: {Severity: Critical, PURL: "pkg:npm/y@1", SetAside: "ignored by a rule of the scanner: not_affected: not used", Aliases: []string{"CVE-8"}},
	}},
	{osv, "OSV-Scanner JSON", "osv-scanner", map[FindingKey]Finding{
		{"GHSA-1", "a@1"}: {Severity: Critical, Aliases: []string{"CVE-1"}}, {"GHSA-2", "a@1"}: {Severity: Unknown}, {"GHSA-9", "a@1"}: {Severity: Unknown}, {"OSV-1", "go.mod@abc"}: {Severity: Low},
	}},
	{snyk, "Snyk JSON", "snyk", map[FindingKey]Finding{
		{"SNYK-1", "a@1"}: {Severity: High, Aliases: []string{"CVE-1"}}, {"SNYK-2", "b@2"}: {Severity: Critical},
		{"snyk:lic:npm:a:GPL", "a@1"}: {Severity: High, SetAside: "licence issue"}, {"SNYK-5", "z@1"}: {Severity: Critical, SetAside: "ignored by the user's policy"},
	}},
	{sarif, "SARIF", "T 1.0", map[FindingKey]Finding{
		{"R1", "a.c:3"}: {Severity: High}, {"R1", "a.c:3 #"}: {Severity: High}, {"R2/deep", "no location"}: {Severity: Critical}, {"R3", "no location"}: {Severity: Unknown},
		{"R4", "no location"}: {Severity: Medium}, {"E1", "no location"}: {Severity: Low}, {"R5", "no location"}: {Severity: Unknown},
		{"R6", "no location"}: {Severity: Medium, SetAside: "informational: not a problem"}, {"R7", "no location"}: {Severity: Medium, SetAside: "suppressed in the report"},
		{"R8", "no location"}: {Severity: Negligible}, {"R9", "no location"}: {Severity: Medium, SetAside: "absent since the baseline of the report"},
		{"R10", "no location"}: {Severity: Unknown}, {"R11", "no location"}: {Severity: High}, {"R12", "no location"}: {Severity: Medium},
	}},
	{gitLab, "GitLab security report", "Trivy 0.60", map[FindingKey]Finding{
		{"CVE-1", "a@1"}: {Severity: High}, {"B1", "a.py:4"}: {Severity: Negligible}, {"CVE-2", "b"}: {Severity: Unknown},
	}},
	{govulncheckText, "govulncheck JSON", "govulncheck v1.1.4", map[FindingKey]Finding{
		{"GO-1", "m@v1"}: {Severity: Unknown, Aliases: []string{"CVE-1", "GHSA-1"}}, {"GO-2", "stdlib@v1.20"}: {Severity: Unknown},
	}},
	{npmAudit1, "npm audit JSON", "npm audit", map[FindingKey]Finding{
		{"7", "a@1"}: {Severity: Medium, Aliases: []string{"CVE-1"}}, {"7", "a@2"}: {Severity: Medium, Aliases: []string{"CVE-1"}}, {"GHSA-8", "b"}: {Severity: Negligible},
	}},
	{npmAudit2, "npm audit JSON", "npm audit", map[FindingKey]Finding{
		{"GHSA-1", "a"}: {Severity: Critical}, {"2", "a"}: {Severity: Low}, {viaDependency, "b"}: {Severity: Critical},
	}},
	{nessus, "Nessus XML", "nessus", map[FindingKey]Finding{
		{"1", "h:443/tcp"}: {Severity: Critical}, {"1", "h:80/tcp"}: {Severity: Critical}, {"2", "h:0/tcp"}: {Severity: Negligible}, {"3", "h:0/tcp"}: {Severity: Unknown},
	}},
	{openVASText4, "OpenVAS XML", "openvas", map[FindingKey]Finding{
		{"1.3", "10.0.0.1:80/tcp"}: {Severity: Critical}, {"1.3", "10.0.0.1:443/tcp"}: {Severity: Low}, {"1.4", "10.0.0.1:443/tcp"}: {Severity: Negligible},
		{"1.5", "10.0.0.1:443/tcp"}: {Severity: Unknown, SetAside: "marked as a false positive"}, {"1.6", "10.0.0.1:443/tcp"}: {Severity: Unknown},
	}},
}

func equalFindings(a, b Finding) bool {
	return a.Severity == b.Severity && a.PURL == b.PURL && a.SetAside == b.SetAside && strings.Join(a.Aliases, " ") == strings.Join(b.Aliases, " ")
}

func TestScanFormats(t *testing.T) {
	for _, s := range scanSamples {
		for _, text := range []string{s.text, "\xef\xbb\xbf" + strings.ReplaceAll(s.text, "\n", "\r\n"), utf16Of(s.text)} {
			r, err := Read(Scan, source("file", text))
			if err != nil {
				t.Errorf("%s: %v", s.format, err)
				continue
			}
			found := map[FindingKey]Finding{}
			for key, f := range r.Findings { // the end of what tells results at one place apart
				before, _, cut := strings.Cut(key.Package, " #")
				if cut {
					before += " #"
				}
				found[FindingKey{key.ID, before}] = f
			}
			if r.Format != s.format || r.Tool != s.tool || r.Targets == 0 || !maps.EqualFunc(found, s.findings, equalFindings) {
				t.Errorf("%s: %s by %q at %d targets:\n%+v\nwant\n%+v", s.format, r.Format, r.Tool, r.Targets, found, s.findings)
			}
		}
	}
}

func utf16Of(text string) string {
	var b strings.Builder
	b.WriteString("\xff\xfe")
	for _, c := range []byte(text) {
		b.Write([]byte{c, 0})
	}
	return b.String()
}

func TestVEXFormats(t *testing.T) {
	r := read(t, VEX, openVEX)
	if len(r.Statements) != 3 || r.Format != "OpenVEX" || r.Version != "v0.2.0" || r.Tool != "A" {
		t.Fatalf("%+v", r)
	}
	parted, whole, other := r.Statements[0], r.Statements[1], r.Statements[2]
	if whole.Vulnerability != "CVE-1" || strings.Join(whole.Aliases, " ") != "GHSA-1" || strings.Join(whole.Products, " ") != "pkg:npm/a@1" ||
		whole.Status != notAffected || whole.Justification != "no code" || whole.Time != "2024-01-01T00:00:00Z" || len(whole.Parts) != 0 {
		t.Errorf("%+v", whole)
	}
	if strings.Join(parted.Products, " ") != "pkg:oci/i" || strings.Join(parted.Parts, " ") != "pkg:npm/b" {
		t.Errorf("%+v", parted)
	}
	if other.Vulnerability != "CVE-2" || strings.Join(other.Products, " ") != "a" || other.Status != fixed || other.Time != "2024-02-01T00:00:00Z" {
		t.Errorf("%+v", other)
	}
	r = read(t, VEX, csafText)
	var got []string
	for _, s := range r.Statements {
		got = append(got, strings.Join([]string{s.Vulnerability, strings.Join(s.Aliases, ","), s.Status, s.Justification, strings.Join(s.Products, ","), s.Time}, "|"))
	}
	want := []string{
		"CVE-1||not_affected|component_not_present|pkg:npm/a@1,pkg:npm/b@1|2024-01-01T00:00:00.000Z",
		"CVE-1||not_affected|not built in|P4|2024-01-01T00:00:00.000Z",
		"CVE-1||under_investigation||P9|2024-01-01T00:00:00.000Z", "CVE-1||affected||P3|2024-01-01T00:00:00.000Z",
		"ADV-1|ADV-2|fixed||pkg:npm/b@1|2024-01-01T00:00:00.000Z",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") || r.Tool != "V" || r.Version != "2.0" {
		t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestScanFormatsAreDisjoint: no sample is of two formats of one kind, or of two
// kinds, unless it is CycloneDX, which is an SBOM with what else it holds.
func TestScanFormatsAreDisjoint(t *testing.T) {
	texts := []string{trivy, grype, cycloneDXText, openVEX, csafText}
	for _, s := range scanSamples {
		texts = append(texts, s.text)
	}
	for _, text := range texts {
		f, err := open(source("f", text))
		if err != nil {
			t.Fatal(err)
		}
		outline, _ := f.outline(f.size)
		var are []string
		for _, format := range formats {
			if format.is(outline) {
				are = append(are, format.name)
			}
		}
		if len(are) != 1 && strings.Join(are, ", ") != "CycloneDX JSON, CycloneDX vulnerabilities, CycloneDX VEX" {
			t.Errorf("%.60s is %v", text, are)
		}
	}
}

func fuzzScan(f *testing.F, kind Kind, seeds ...string) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Read(kind, source("f", string(data)))
		if _, ok := errors.AsType[*ReadError](err); err != nil && !ok {
			t.Fatalf("an error of type %T: %v", err, err)
		}
		if err != nil {
			return
		}
		if kind == VEX && len(r.Statements) == 0 || kind == Scan && r.Targets == 0 {
			t.Fatalf("nothing was read, and that is no error: %+v", r)
		}
		counted := 0
		for key, finding := range r.Findings {
			if key.ID == "" || finding.Severity > Critical {
				t.Fatalf("%+v: %+v", key, finding)
			}
			if finding.SetAside == "" {
				counted++
			}
		}
		if c := CountFindings(r); sum(c) != counted {
			t.Fatalf("%d findings count, and their severities are %+v", counted, c)
		}
		for _, s := range r.Statements {
			if s.Vulnerability == "" || s.Status == "" {
				t.Fatalf("%+v", s)
			}
		}
		ApplyVEX(map[FindingKey]Finding{{"CVE-1", "a@1"}: {PURL: "pkg:npm/a@1"}}, r.Statements)
	})
}

func scanSeeds(format string) []string {
	var seeds []string
	for _, s := range scanSamples {
		if s.format == format {
			seeds = append(seeds, s.text)
		}
	}
	return seeds
}

func FuzzTrivyGrype(f *testing.F) {
	fuzzScan(f, Scan, append(scanSeeds("Trivy JSON"), scanSeeds("Grype JSON")...)...)
}
func FuzzOSV(f *testing.F)         { fuzzScan(f, Scan, scanSeeds("OSV-Scanner JSON")...) }
func FuzzSnyk(f *testing.F)        { fuzzScan(f, Scan, scanSeeds("Snyk JSON")...) }
func FuzzSARIF(f *testing.F)       { fuzzScan(f, Scan, scanSeeds("SARIF")...) }
func FuzzGitLab(f *testing.F)      { fuzzScan(f, Scan, scanSeeds("GitLab security report")...) }
func FuzzGovulncheck(f *testing.F) { fuzzScan(f, Scan, scanSeeds("govulncheck JSON")...) }
func FuzzNPMAudit(f *testing.F)    { fuzzScan(f, Scan, scanSeeds("npm audit JSON")...) }
func FuzzNessus(f *testing.F)      { fuzzScan(f, Scan, scanSeeds("Nessus XML")...) }
func FuzzOpenVAS(f *testing.F)     { fuzzScan(f, Scan, scanSeeds("OpenVAS XML")...) }
func FuzzVEX(f *testing.F)         { fuzzScan(f, VEX, openVEX, csafText) }

func FuzzPURL(f *testing.F) {
	f.Add("pkg:npm/%40scope/a@1.0?x=y#z")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := parsePURL(text); err == nil && (p.kind == "" || p.name == "") {
			t.Fatalf("%q became %+v", text, p)
		}
	})
}
