package collect

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/evidence"
)

// Small files of each format, written by hand after what the tools write.
const (
	cycloneDXText = `{"bomFormat":"CycloneDX","specVersion":"1.5","metadata":{"component":{"name":"app","version":"2","type":"application"}},
		"components":[{"type":"library","name":"a","components":[{"type":"library","name":"b"}]},{"type":"library","name":"c"}]}`
	trivy = `{"SchemaVersion":2,"ArtifactName":"x","Trivy":{"Version":"0.60.0"},"Results":[
		{"Target":"go.mod","Vulnerabilities":[
			{"VulnerabilityID":"CVE-1","PkgName":"a","InstalledVersion":"1","Severity":"HIGH"},
			{"VulnerabilityID":"CVE-1","PkgName":"a","InstalledVersion":"1","Severity":"CRITICAL"},
			{"VulnerabilityID":"CVE-2","PkgName":"b","InstalledVersion":"1"}],
		 "Secrets":[{"RuleID":"aws","Severity":"CRITICAL","StartLine":3}],
		 "Misconfigurations":[{"ID":"DS1","Severity":"MEDIUM","Status":"FAIL"},{"ID":"DS2","Severity":"HIGH","Status":"PASS"}]}]}`
	grype = `{"matches":[{"vulnerability":{"id":"CVE-1","severity":"High"},"artifact":{"name":"a","version":"1"}},
		{"vulnerability":{"id":"CVE-9","severity":"Negligible"},"artifact":{"name":"z","version":"1"}}],
		"ignoredMatches":[{"vulnerability":{"id":"CVE-8","severity":"Critical"},"artifact":{"name":"y","version":"1"}}],"descriptor":{"name":"grype","version":"0.90.0"}}`
	junit = `<?xml version="1.0"?><testsuites tests="99"><testsuite name="outer" tests="99">
		<testsuite name="inner"><testcase name="a"/><testcase name="b"><failure/><rerunFailure/></testcase></testsuite>
		<testcase name="c"><skipped/></testcase><testcase name="d"><flakyFailure/></testcase><testcase name="e" status="disabled"/></testsuite>
		<testsuite name="broken"><error message="did not start"/></testsuite></testsuites>`
	cobertura = `<coverage line-rate="1.0"><packages><package><classes>
		<class filename="a.c"><methods><method><lines><line number="1" hits="1"/></lines></method></methods><lines><line number="1" hits="1"/><line number="2" hits="0"/></lines></class>
		<class filename="a.c"><lines><line number="2" hits="4"/><line number="3" hits="0"/></lines></class></classes></package></packages></coverage>`
	goCover = "mode: set\na.go:1.1,2.2 3 1\na.go:1.1,2.2 3 0\na.go:4.1,5.2 1 0\n"
)

// source is a text as a file.
func source(name, text string) Source {
	return Source{Name: name, SHA256: evidence.Digest([]byte(text)), Size: int64(len(text)), ReaderAt: strings.NewReader(text)}
}

func read(t testing.TB, kind Kind, text string) Report {
	t.Helper()
	r, err := Read(kind, source("file", text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFormats(t *testing.T) {
	if r := read(t, SBOM, cycloneDXText); len(r.Components) != 3 || r.Subject != "app@2" || r.Version != "1.5" {
		t.Errorf("CycloneDX: %+v", r)
	}
	if r := read(t, Scan, trivy); CountFindings(r) != (SeverityCounts{Critical: 2, Medium: 1, Unknown: 1}) || r.Tool != "trivy 0.60.0" {
		t.Errorf("Trivy: %+v %s", CountFindings(r), r.Tool)
	}
	if r := read(t, Scan, grype); CountFindings(r) != (SeverityCounts{High: 1, Negligible: 1}) {
		t.Errorf("Grype: %+v", CountFindings(r))
	}
	if r := read(t, Tests, junit); r.Total != 6 || r.Passed != 2 || r.Failed != 2 || r.Skipped != 2 {
		t.Errorf("JUnit: %+v", r)
	}
	if covered, all := CoverageOf(read(t, Coverage, cobertura)); covered != 2 || all != 3 {
		t.Errorf("Cobertura: %d/%d", covered, all)
	}
	if covered, all := CoverageOf(read(t, Coverage, goCover)); covered != 3 || all != 4 {
		t.Errorf("Go: %d/%d", covered, all)
	}
	for kind, text := range map[Kind]string{SBOM: cycloneDXText, Scan: trivy, Tests: junit, Coverage: cobertura} {
		bom := "\xef\xbb\xbf" + text
		if r := read(t, kind, bom); r.Format != read(t, kind, text).Format {
			t.Errorf("%s with a byte order mark", kind)
		}
	}
}

// TestHostileFiles: each is refused with the file's name and a reason, quickly
// and without much memory.
func TestHostileFiles(t *testing.T) {
	utf16 := "\xff\xfe<\x00a\x00"
	bomb := `<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><testsuites><testcase name="&b;"/></testsuites>`
	external := `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><testsuites><testcase name="&x;"/></testsuites>`
	for name, c := range map[string]struct{ text, want string }{
		"nothing": {"", "is empty"}, "white space": {" \n ", "white space"}, "null": {"null", "is not a"}, "array": {"[]", "is not a"}, "binary": {"\x00\x01\xff\xfe", "is not text"},
		"truncated": {cycloneDXText[:len(cycloneDXText)-3], "ends too early"}, "entity bomb": {bomb, "declares an entity"}, "external entity": {external, "declares an entity"},
		"half of UTF-16": {utf16, ""}, "10 MB of [": {strings.Repeat("[", 10<<20), "depth"}, "10 MB of <a>": {strings.Repeat("<a>", 3<<20), "deep"},
		"duplicate names": {`{"matches":[{"vulnerability":{"id":"CVE-1","severity":"High"}}],"matches":[]}`, "duplicate"}, "nothing scanned": {`{"SchemaVersion":2,"ArtifactName":"x","Results":null}`, "looked at nothing"},
		"half a scan": {`{"matches":null}`, "did not finish"}, "no tests": {`<testsuites/>`, "no test cases"}, "no lines": {`<coverage><packages/></coverage>`, "no lines"}, "mode only": {"mode: set\n", "no statements"},
		"bad block": {"mode: set\nx\n", "line 2"}, "huge number": {"mode: set\na.go:1.1,2.2 99999999999999999999 1\n", "line 2"}, "other version": {`{"bomFormat":"CycloneDX","specVersion":"9.9"}`, "9.9"}, "not it": {`{"hello":1}`, "is not a"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			begin := time.Now()
			for _, kind := range []Kind{SBOM, Scan, Tests, Coverage} {
				_, err := Read(kind, source("evil.bin", c.text))
				failed, ok := errors.AsType[*ReadError](err)
				if !ok || failed.File != "evil.bin" || failed.Reason == "" {
					t.Errorf("%s: %v", kind, err)
				} else if !strings.Contains(err.Error(), c.want) && !strings.Contains(err.Error(), "not a "+string(kind)) {
					t.Errorf("%s: %v, want %q", kind, err, c.want)
				}
			}
			runtime.ReadMemStats(&after)
			if took := time.Since(begin); took > 10*time.Second || after.TotalAlloc-before.TotalAlloc > 1<<30 {
				t.Errorf("took %s and %d MiB", took, (after.TotalAlloc-before.TotalAlloc)>>20)
			}
		})
	}
	if _, err := Read(Tests, source("coverage.xml", cobertura)); err == nil || !strings.Contains(err.Error(), "is a coverage report (Cobertura XML), not a test report") {
		t.Errorf("a report of another kind: %v", err)
	}
}

func TestDocuments(t *testing.T) {
	for text, want := range map[string]string{
		"strategy: go back\nvalidated: true\nsteps: [1, two]\n": `{"steps":[1,"two"],"strategy":"go back","validated":true}`,
		`{"b":1,"a":2}`: `{"a":2,"b":1}`,
	} {
		got, err := Document(source("plan", text))
		if err != nil || string(got) != want {
			t.Errorf("%q: %s %v", text, got, err)
		}
	}
	for _, text := range []string{"", "a: 1\na: 2\n", "- 1\n", "just text", "a: 1\n---\nb: 2\n", `{"a":1,"a":2}`, "a: [1", "a: .nan\n", "&a [*a]", strings.Repeat("x", evidence.MaxBytes+1)} {
		if got, err := Document(source("plan.yaml", text)); err == nil || !strings.HasPrefix(err.Error(), "plan.yaml:") {
			t.Errorf("%.30q: %s %v", text, got, err)
		}
	}
}

func fuzzKind(f *testing.F, kind Kind, seeds ...string) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Read(kind, source("f", string(data)))
		if err != nil {
			if _, ok := errors.AsType[*ReadError](err); !ok {
				t.Fatalf("an error of type %T", err)
			}
			return
		}
		if r.Kind != kind || r.Total != r.Passed+r.Failed+r.Skipped || (kind == Tests && r.Total == 0) || (kind == Coverage && len(r.Lines)+r.Coverable == 0) {
			t.Fatalf("%+v", r)
		}
	})
}

func FuzzScan(f *testing.F)     { fuzzKind(f, Scan, trivy, grype, "["+trivy+"]") }
func FuzzTests(f *testing.F)    { fuzzKind(f, Tests, junit) }
func FuzzCoverage(f *testing.F) { fuzzKind(f, Coverage, cobertura, goCover) }

func FuzzDocument(f *testing.F) {
	f.Add([]byte("a: 1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if got, err := Document(source("f", string(data))); err == nil && evidence.CheckJSON(got) != nil {
			t.Fatalf("%q became %q", data, got)
		}
	})
}
