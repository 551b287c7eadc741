package collect

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"
)

// The same vulnerabilities in JSON, in XML and, as far as it can, in the
// extension of 1.2.
const (
	cycloneDXVulnJSON = `{"vulnerabilities":[
		{"id":"CVE-1","references":[{"id":"GHSA-1"}],"ratings":[{"severity":"low"},{"score":9.1,"method":"CVSSv31"},{"severity":"medium","score":9.9}],"affects":[{"ref":"a"},{"ref":"b"}],"cwes":null},
		{"id":"CVE-2","ratings":[{"severity":"high"}],"affects":[{"ref":"a"}],"analysis":{"state":"not_affected","justification":"code_not_reachable","detail":"d","lastUpdated":"2024-05-01T00:00:00Z","firstIssued":"2024-04-01T00:00:00Z"}},
		{"id":"CVE-3","ratings":null,"affects":[{"ref":"app"}],"analysis":{"state":"exploitable","detail":"no fix"}},
		{"id":"CVE-4","ratings":[{"score":50,"method":"OWASP"}],"affects":[{"ref":"urn:cdx:x/1#pkg%3Anpm%2Fd%401"}],"analysis":{"state":"in_triage"}},
		{"id":"CVE-5","ratings":[{"severity":"none","score":0.0,"method":"CVSSv3"}]},
		{"id":"CVE-6","ratings":[{"severity":"critical"}],"affects":[{"ref":"urn:other"}],"analysis":{"state":"resolved"}},
		{"id":"CVE-7","ratings":[{"severity":"unknown","score":3.1}],"affects":[{"ref":"c"}],"analysis":{"state":"false_positive"}},
		{"id":"CVE-7","ratings":[{"severity":"low"}],"affects":[{"ref":"c"}]}],
		"components":[{"bom-ref":"a","name":"a","version":"1","purl":"pkg:npm/a@1","components":[{"bom-ref":"b","group":"@s","name":"b","version":"2"}]},{"bom-ref":"c","name":"c"}],
		"metadata":{"timestamp":"2024-01-01T00:00:00Z","tools":[{"name":"t","version":"1"}],"component":{"bom-ref":"app","name":"app","version":"3"}},"specVersion":"1.4","bomFormat":"CycloneDX"}`
	cycloneDXVulnXML = `<bom xmlns="http://cyclonedx.org/schema/bom/1.4"><metadata><timestamp>2024-01-01T00:00:00Z</timestamp><tools><tool><name>t</name><version>1</version></tool></tools>
		<component bom-ref="app"><name>app</name><version>3</version></component></metadata>
		<components><component bom-ref="a"><name>a</name><version>1</version><purl>pkg:npm/a@1</purl><components><component bom-ref="b"><group>@s</group><name>b</name><version>2</version></component></components></component>
		<component bom-ref="c"><name>c</name></component></components><vulnerabilities>
		<vulnerability><id>CVE-1</id><source><name>n</name></source><references><reference><id>GHSA-1</id><source><name>s</name></source></reference></references>
		<ratings><rating><severity>low</severity></rating><rating><score>9.1</score><method>CVSSv31</method></rating><rating><severity>medium</severity><score>9.9</score></rating></ratings>
		<affects><target><ref>a</ref></target><target><ref>b</ref></target></affects></vulnerability>
		<vulnerability><id>CVE-2</id><ratings><rating><severity>high</severity></rating></ratings><analysis><state>not_affected</state><justification>code_not_reachable</justification><detail>d</detail>
		<firstIssued>2024-04-01T00:00:00Z</firstIssued><lastUpdated>2024-05-01T00:00:00Z</lastUpdated></analysis><affects><target><ref>a</ref></target></affects></vulnerability>
		<vulnerability><id>CVE-3</id><analysis><state>exploitable</state><detail>no fix</detail></analysis><affects><target><ref>app</ref></target></affects></vulnerability>
		<vulnerability><id>CVE-4</id><ratings><rating><score>50</score><method>OWASP</method></rating></ratings><analysis><state>in_triage</state></analysis><affects><target><ref>urn:cdx:x/1#pkg%3Anpm%2Fd%401</ref></target></affects></vulnerability>
		<vulnerability><id>CVE-5</id><ratings><rating><severity>none</severity><score>0.0</score><method>CVSSv3</method></rating></ratings></vulnerability>
		<vulnerability><id>CVE-6</id><ratings><rating><severity>critical</severity></rating></ratings><analysis><state>resolved</state></analysis><affects><target><ref>urn:other</ref></target></affects></vulnerability>
		<vulnerability><id>CVE-7</id><ratings><rating><severity>unknown</severity><score>3.1</score></rating></ratings><analysis><state>false_positive</state></analysis><affects><target><ref>c</ref></target></affects></vulnerability>
		<vulnerability><id>CVE-7</id><ratings><rating><severity>low</severity></rating></ratings><affects><target><ref>c</ref></target></affects></vulnerability>
		</vulnerabilities></bom>`
	cycloneDXVulnOld = `<bom xmlns="http://cyclonedx.org/schema/bom/1.2" xmlns:v="http://cyclonedx.org/schema/ext/vulnerability/1.0"><components>
		<component><name>a</name><version>1</version><purl>pkg:npm/a@1</purl><v:vulnerabilities><v:vulnerability ref="urn:unknown"><v:id>CVE-1</v:id>
		<v:ratings><v:rating><v:score><v:base>2.0</v:base><v:impact>9.9</v:impact></v:score><v:severity>Low</v:severity></v:rating><v:rating><v:score><v:base>9.8</v:base></v:score><v:method>CVSSv3</v:method></v:rating></v:ratings>
		</v:vulnerability><v:vulnerability><v:id>CVE-2</v:id></v:vulnerability></v:vulnerabilities></component><component bom-ref="b"><name>b</name></component></components>
		<v:vulnerabilities><v:vulnerability ref="b"><v:id>CVE-3</v:id><v:ratings><v:rating><v:severity>Medium</v:severity></v:rating></v:ratings></v:vulnerability></v:vulnerabilities></bom>`
)

func TestCycloneDXVulnerabilities(t *testing.T) {
	for _, text := range []string{cycloneDXVulnJSON, cycloneDXVulnXML, utf16Of(cycloneDXVulnXML)} {
		r := read(t, Scan, text)
		want := map[FindingKey]Finding{
			{"CVE-1", "a@1"}:       {Severity: Critical, PURL: "pkg:npm/a@1", Aliases: []string{"GHSA-1"}},
			{"CVE-1", "@s/b@2"}:    {Severity: Critical, Aliases: []string{"GHSA-1"}},
			{"CVE-2", "a@1"}:       {Severity: High, PURL: "pkg:npm/a@1", SetAside: "analysis: not_affected: code_not_reachable: d"},
			{"CVE-3", "app@3"}:     {Severity: Unknown},
			{"CVE-4", "d@1"}:       {Severity: Unknown, PURL: "pkg:npm/d@1"},
			{"CVE-5", ""}:          {Severity: Negligible},
			{"CVE-6", "urn:other"}: {Severity: Critical, SetAside: "analysis: resolved"},
			{"CVE-7", "c"}:         {Severity: Unknown}, // it counts somewhere
		}
		if r.Format != "CycloneDX vulnerabilities" || r.Tool != "t 1" || r.Targets != 3 || r.Components != nil || !maps.EqualFunc(r.Findings, want, equalFindings) {
			t.Errorf("%s by %q at %d targets:\n%+v\nwant\n%+v", r.Format, r.Tool, r.Targets, r.Findings, want)
		}
		if c := read(t, SBOM, text); len(c.Components) != 3 || c.Findings != nil {
			t.Errorf("as an SBOM: %+v", c)
		}
	}
	want := map[FindingKey]Finding{
		{"CVE-1", "a@1"}: {Severity: Critical, PURL: "pkg:npm/a@1"}, {"CVE-2", "a@1"}: {Severity: Unknown, PURL: "pkg:npm/a@1"}, {"CVE-3", "b"}: {Severity: Medium},
	}
	if r := read(t, Scan, cycloneDXVulnOld); !maps.EqualFunc(r.Findings, want, equalFindings) || r.Targets != 2 || r.Tool != "CycloneDX, tool not stated" {
		t.Errorf("%+v\nwant\n%+v", r, want)
	}
}

func TestCycloneDXVEX(t *testing.T) {
	for _, text := range []string{cycloneDXVulnJSON, cycloneDXVulnXML} {
		r := read(t, VEX, text)
		var got []string
		for _, s := range r.Statements {
			got = append(got, strings.Join([]string{s.Vulnerability, strings.Join(s.Aliases, ","), s.Status, s.Justification, strings.Join(s.Products, ","), s.Time}, "|"))
		}
		want := []string{
			"CVE-2||not_affected|code_not_reachable|pkg:npm/a@1|2024-05-01T00:00:00Z",
			"CVE-3||affected|no fix|app@3|2024-01-01T00:00:00Z",
			"CVE-4||under_investigation||pkg:npm/d@1|2024-01-01T00:00:00Z",
			"CVE-6||fixed||urn:other|2024-01-01T00:00:00Z",
			"CVE-7||not_affected|||2024-01-01T00:00:00Z", // listed without an analysis, too: nothing is cleared
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") || r.Format != "CycloneDX VEX" || r.Version != "1.4" {
			t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// TestCycloneDXVEXVersions: a statement about some versions of a product clears
// no others.
func TestCycloneDXVEXVersions(t *testing.T) {
	for name, c := range map[string]struct{ component, versions, state, products string }{
		"its own version":  {`"version":"1"`, `{"version":"2"}`, "not_affected", "a@1"},
		"no versions":      {`"x":1`, ``, "not_affected", "a"},
		"one version":      {`"x":1`, `{"version":"2"},{"version":"3","status":"unaffected"}`, "not_affected", "a@2,a@3"},
		"a range":          {`"x":1`, `{"range":"vers:npm/<2"}`, "not_affected", "a vers:npm/<2"},
		"purl":             {`"purl":"pkg:npm/%40s/a"`, `{"version":"2"}`, "false_positive", "pkg:npm/@s/a@2"},
		"purl and version": {`"purl":"pkg:npm/a@1"`, `{"version":"2"}`, "not_affected", "pkg:npm/a@1"},
		"affected":         {`"x":1`, `{"version":"2"}`, "exploitable", "a"},
		"bad purl":         {`"purl":"pkg:npm/","version":"1"`, ``, "not_affected", "a@1"},
	} {
		r := read(t, VEX, `{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{"bom-ref":"r","name":"a",`+c.component+`}],
			"vulnerabilities":[{"id":"CVE-1","analysis":{"state":"`+c.state+`"},"affects":[{"ref":"r","versions":[`+c.versions+`]}]}]}`)
		if got := strings.Join(r.Statements[0].Products, ","); got != c.products {
			t.Errorf("%s: %s, want %s", name, got, c.products)
		}
	}
}

func TestCycloneDXVulnerabilitiesRefused(t *testing.T) {
	doc := func(rest string) string { return `{"bomFormat":"CycloneDX","specVersion":"1.5"` + rest + `}` }
	const component = `,"components":[{"bom-ref":"a","name":"a"}]`
	for name, c := range map[string]struct {
		kind       Kind
		text, want string
	}{
		"SBOM":             {Scan, doc(component), "has no list of vulnerabilities"},
		"null":             {Scan, doc(component + `,"vulnerabilities":null`), "has no list of vulnerabilities"},
		"nobody scanned":   {Scan, doc(component + `,"vulnerabilities":[]`), "looked at nothing"},
		"VEX":              {Scan, doc(`,"vulnerabilities":[{"id":"CVE-1","analysis":{"state":"not_affected"}}]`), "this is a VEX document"},
		"XML SBOM":         {Scan, `<bom xmlns="http://cyclonedx.org/schema/bom/1.4"><components/></bom>`, "has no list of vulnerabilities"},
		"XML, nobody":      {Scan, `<bom xmlns="http://cyclonedx.org/schema/bom/1.4"><vulnerabilities/></bom>`, "looked at nothing"},
		"nameless":         {Scan, doc(`,"vulnerabilities":[{}]`), "neither what it is nor where"},
		"other state":      {Scan, doc(`,"vulnerabilities":[{"id":"CVE-1","analysis":{"state":"harmless"}}]`), `CVE-1: "harmless" is no state`},
		"other version":    {Scan, `{"bomFormat":"CycloneDX","specVersion":"2.0","vulnerabilities":[]}`, `"2.0" is not read`},
		"ambiguous":        {Scan, doc(`,"components":[{"bom-ref":"a","name":"a"},{"bom-ref":"a","name":"b"}],"vulnerabilities":[{"id":"CVE-1","affects":[{"ref":"a"}]}]`), "stands there twice"},
		"twice":            {Scan, doc(`,"vulnerabilities":[{"id":"CVE-1"}],"vulnerabilities":[]`), "duplicate"},
		"nothing stated":   {VEX, doc(`,"vulnerabilities":[{"id":"CVE-1"}]`), "makes no statement"},
		"no list":          {VEX, doc(component), "makes no statement"},
		"no time":          {VEX, doc(`,"vulnerabilities":[{"id":"CVE-1","analysis":{"state":"resolved","lastUpdated":"today"}}]`), `CVE-1: "today" is no time`},
		"no vulnerability": {VEX, doc(`,"vulnerabilities":[{"analysis":{"state":"resolved"}}]`), "names no vulnerability"},
		"not CycloneDX":    {VEX, `{"vulnerability_id":"VCID-1","affected_packages":[]}`, "is not a VEX document"},
	} {
		_, err := Read(c.kind, source("bom", c.text))
		if failed, ok := errors.AsType[*ReadError](err); !ok || failed.File != "bom" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestCycloneDXVulnerabilitiesLimits: they wait for the components, within
// limits.
func TestCycloneDXVulnerabilitiesLimits(t *testing.T) {
	const begin = `{"bomFormat":"CycloneDX","specVersion":"1.5","vulnerabilities":[`
	long := strings.Repeat("x", 4<<20)
	for name, text := range map[string]func() string{
		"vulnerabilities": func() string { return begin + strings.Repeat(`{"id":"a"},`, 1<<20) + "{}]}" },
		"targets":         func() string { return begin + `{"affects":[` + strings.Repeat(`{},`, 1<<20) + "{}]}]}" },
		"ratings":         func() string { return begin + `{"ratings":[` + strings.Repeat(`{},`, 1<<20) + "{}]}]}" },
		"versions":        func() string { return begin + `{"affects":[{"versions":[` + strings.Repeat(`{},`, 1<<20) + "{}]}]}]}" },
		"many targets": func() string {
			return begin + strings.Repeat(`{"id":"a","affects":[`+strings.Repeat(`{"ref":"b"},`, 999)+"{}]},", 2000) + "{}]}"
		},
		"long ids": func() string { return begin + strings.Repeat(`{"id":"`+long+`"},`, 40) + "{}]}" },
		"long refs": func() string {
			return begin + `{"id":"a"}],"components":[` + strings.Repeat(`{"bom-ref":"`+long+`"},`, 40) + "{}]}"
		},
		"XML targets": func() string {
			return `<bom xmlns="http://cyclonedx.org/schema/bom/1.5"><vulnerabilities><vulnerability><affects>` + strings.Repeat("<target/>", 1<<20)
		},
		"XML vulnerabilities": func() string {
			return `<bom xmlns="http://cyclonedx.org/schema/bom/1.5"><vulnerabilities>` + strings.Repeat("<vulnerability><id>a</id></vulnerability>", 1<<19)
		},
	} {
		whole := text()
		for _, kind := range []Kind{Scan, VEX} {
			began := time.Now()
			highest := peakHeap(func() {
				if _, err := Read(kind, source("evil", whole)); err == nil || !strings.Contains(err.Error(), "more than") {
					t.Errorf("%s: %v", name, err)
				}
			})
			if took := time.Since(began); took > 10*time.Second || highest > 256<<20 {
				t.Errorf("%s: took %s and %d MiB", name, took, highest>>20)
			}
		}
	}
}

func FuzzCycloneDXScan(f *testing.F) {
	fuzzScan(f, Scan, cycloneDXVulnJSON, cycloneDXVulnXML, cycloneDXVulnOld)
}
func FuzzCycloneDXVEX(f *testing.F) { fuzzScan(f, VEX, cycloneDXVulnJSON, cycloneDXVulnXML) }
