package collect

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Small reports of each format, written by hand after what the tools write.
const (
	jacocoReport = `<?xml version="1.0"?><!DOCTYPE report PUBLIC "-//JACOCO//DTD Report 1.1//EN" "report.dtd"><report name="all"><sessioninfo id="x"/>
		<group name="core"><package name="a/b"><class name="a/b/C" sourcefilename="C.java"><method name="m"><counter type="LINE" missed="1" covered="2"/></method><counter type="LINE" missed="1" covered="2"/></class>
		<sourcefile name="C.java"><line nr="3" mi="0" ci="4"/><line nr="4" mi="2" ci="1"/><line nr="5" mi="2" ci="0"/><counter type="LINE" missed="1" covered="2"/></sourcefile><counter type="LINE" missed="1" covered="2"/></package></group>
		<group name="web"><package name="a/b"><sourcefile name="C.java"><line nr="3" mi="1" ci="0"/></sourcefile></package></group>
		<counter type="INSTRUCTION" missed="5" covered="5"/><counter type="LINE" missed="2" covered="2"/></report>`
	lcovReport = "TN:first\nSF:/src/a.c\nFN:1,f\nFNDA:1,f\nDA:1,5\nDA:2,0\nBRDA:1,0,0,-\nLF:9\nLH:9\nend_of_record\n" +
		"TN:second\nSF:/src/a.c\nDA:2,18446744073709551616,abc\nDA:3,-1\nDA:4,1.8e+19\nend_of_record\n# a comment\nSF:b.c\nLF:10\nLH:7\nend_of_record\n"
	cloverReport = `<coverage generated="1" clover="4.4.1"><project name="p"><metrics statements="90" coveredstatements="90"/>
		<package name="x"><metrics statements="9"/><file name="A.java" path="/s/A.java"><line num="1" type="method" count="1"/><line num="2" type="stmt" count="3"/><line num="4" type="cond" truecount="1" falsecount="0"/><line num="4" type="stmt" count="0"/></file></package>
		<file name="b.php"><line num="2" type="stmt" count="0"/></file></project>
		<testproject><file name="T.java"><line num="1" type="stmt" count="1"/></file></testproject></coverage>`
	cloverTotals     = `<coverage clover="4"><project><metrics statements="10" coveredstatements="4"/><package><metrics statements="10" coveredstatements="4"/></package></project><testproject><metrics statements="9" coveredstatements="9"/></testproject></coverage>`
	coveragePyReport = `{"meta":{"format":3,"version":"7.6.1","branch_coverage":true},"files":{"a.py":{"executed_lines":[1,2,3],"summary":{"covered_lines":2,"num_statements":3,"percent_covered":99.0},"missing_lines":[4],"excluded_lines":[5],
		"functions":{"f":{"executed_lines":[2],"missing_lines":[]}}},"b.py":{"executed_lines":[],"missing_lines":[]}},"totals":{"percent_covered":99.0}}`
	istanbulTotals = `{"total":{"lines":{"total":42,"covered":33,"skipped":0,"pct":100},"statements":{"total":43,"covered":33.5,"pct":"Unknown"},"functions":{},"branches":{"total":0,"covered":0,"pct":"Unknown"}},"/a.js":{"lines":{"total":1,"covered":1.15,"pct":115}}}`
	istanbulReport = `{"/a.js":{"path":"/a.js","statementMap":{"0":{"start":{"line":1,"column":0},"end":{"line":2,"column":null}},"1":{"start":{"line":1,"column":9}},"2":{"start":{"line":7}}},"fnMap":{},"s":{"2":0,"1":0,"0":817},"f":{}}}`
	openCoverXML   = `<CoverageSession Version="4.6"><Summary numSequencePoints="99" visitedSequencePoints="99"/><Modules><Module skippedDueTo="Filter"><ModulePath>x.dll</ModulePath></Module>
		<Module><ModulePath>m.dll</ModulePath><Files><File uid="1" fullPath="C:\a.cs"/></Files><Classes><Class><Methods>
		<Method><Name>void A::.ctor()</Name><FileRef uid="1"/><SequencePoints><SequencePoint vc="2" sl="8" sc="1" el="8" ec="2" fileid="1"/><SequencePoint vc="0" sl="9" sc="1" el="9" ec="2"/></SequencePoints><MethodPoint vc="2" sl="8"/></Method>
		<Method><Name>void A::.ctor(int)</Name><FileRef uid="1"/><SequencePoints><SequencePoint vc="0" sl="8" sc="1" el="8" ec="2" fileid="1"/></SequencePoints></Method>
		</Methods></Class></Classes></Module></Modules></CoverageSession>`
)

var coverageSamples = []struct {
	text, format, tool string
	covered, all       int
}{
	{cobertura, "Cobertura XML", "", 2, 3},
	{goCover, "Go coverprofile", "go", 3, 4},
	{jacocoReport, "JaCoCo XML", "", 2, 4},
	{strings.Replace(jacocoReport, `missed="2" covered="2"/></report>`, `missed="7" covered="3"/></report>`, 1), "JaCoCo XML", "", 3, 10},
	{`<report name="no files"><counter type="LINE" missed="1" covered="3"/></report>`, "JaCoCo XML", "", 3, 4},
	{lcovReport, "LCOV", "", 3 + 7, 4 + 10},
	{cloverReport, "Clover XML", "clover 4.4.1", 2, 4},
	{cloverTotals, "Clover XML", "clover 4", 4, 10},
	{coveragePyReport, "coverage.py JSON", "coverage.py 7.6.1", 2, 3},
	{istanbulTotals, "Istanbul JSON summary", "istanbul", 33, 42},
	{istanbulReport, "Istanbul JSON", "istanbul", 1, 2},
	{openCoverXML, "OpenCover XML", "opencover 4.6", 1, 3},
}

func utf16LE(text string) string {
	out := []byte{0xff, 0xfe}
	for _, c := range text {
		out = append(out, byte(c), byte(c>>8))
	}
	return string(out)
}

func TestCoverageFormats(t *testing.T) {
	for _, s := range coverageSamples {
		for name, text := range map[string]string{"plain": s.text, "BOM": "\xef\xbb\xbf" + s.text, "CRLF": strings.ReplaceAll(s.text, "\n", "\r\n"), "UTF-16": utf16LE(s.text)} {
			r := read(t, Coverage, text)
			if covered, all := CoverageOf(r); r.Format != s.format || r.Tool != s.tool || covered != s.covered || all != s.all {
				t.Errorf("%s, %s: read as %s by %q, %d/%d", s.format, name, r.Format, r.Tool, covered, all)
			}
			if covered, all := CoverageOf(r, r); len(r.Lines) > 0 && r.Coverable == 0 && (covered != s.covered || all != s.all) {
				t.Errorf("%s united with itself: %d/%d", s.format, covered, all)
			}
		}
	}
}

// TestCoverageDetectors: no format takes another one's file.
func TestCoverageDetectors(t *testing.T) {
	var texts []string
	for _, s := range coverageSamples {
		texts = append(texts, s.text)
	}
	for _, s := range complexitySamples {
		texts = append(texts, s.text)
	}
	for _, text := range append(texts, trivy, grype, junit) {
		f, err := open(source("f", text))
		if err != nil {
			t.Fatal(err)
		}
		outline, err := f.outline(f.size)
		var found []string
		for _, format := range formats {
			if format.is(outline) {
				found = append(found, format.name)
			}
		}
		if len(found) != 1 || err != nil {
			t.Errorf("%v %v: %.80s", found, err, text)
		}
	}
}

func TestCoverageRefused(t *testing.T) {
	lcov := func(body string) string { return "SF:a.c\n" + body + "\nend_of_record\n" }
	clover := func(lines string) string {
		return `<coverage><project><file name="a">` + lines + `</file></project></coverage>`
	}
	for name, c := range map[string]struct{ text, want string }{
		"Cobertura: hits":              {strings.Replace(cobertura, `hits="4"`, `hits="NaN"`, 1), "a.c, line 2: hits is not a number"},
		"Cobertura: no hits":           {strings.Replace(cobertura, `hits="4"`, ``, 1), "hits is not a number"},
		"Cobertura: line":              {strings.Replace(cobertura, `number="3"`, `number="99999999999"`, 1), "line's number"},
		"Go: half a block":             {goCover + "a.go:4.1,5.2 1", "line 5"},
		"Go: a count below zero":       {goCover + "a.go:4.1,5.2 1 -1\n", "line 5"},
		"Go: empty blocks":             {"mode: set\na.go:1.1,2.2 0 1\n", "no statements"},
		"JaCoCo: no LINE":              {`<report><counter type="INSTRUCTION" missed="0" covered="9"/></report>`, "no LINE counter"},
		"JaCoCo: nothing":              {`<report><counter type="LINE" missed="0" covered="0"/></report>`, "no lines"},
		"JaCoCo: twice":                {`<report><counter type="LINE" missed="0" covered="1"/><counter type="LINE" missed="0" covered="1"/></report>`, "twice"},
		"JaCoCo: no number":            {`<report><counter type="LINE" missed="0" covered="x"/></report>`, "not a number"},
		"JaCoCo: hidden lines":         {strings.Replace(jacocoReport, `missed="2" covered="2"/></report>`, `missed="0" covered="4"/></report>`, 1), "0 lines were missed, its source files show 2"},
		"JaCoCo: line":                 {strings.Replace(jacocoReport, `ci="4"`, ``, 1), "core/a/b/C.java, line 3"},
		"JaCoCo: cut off":              {jacocoReport[:len(jacocoReport)-20], "unexpected EOF"},
		"JaCoCo: entity":               {`<!DOCTYPE report [<!ENTITY x SYSTEM "file:///etc/passwd">]>` + jacocoReport[strings.Index(jacocoReport, "<report"):], "entity"},
		"LCOV: cut off":                {lcovReport[:len(lcovReport)-15], "ends too early"},
		"LCOV: cut off in a line":      {"SF:a.c\nDA:1,1\nDA", "line 3"},
		"LCOV: no hits":                {lcov("DA:1"), "line 2"},
		"LCOV: hits":                   {lcov("DA:1,x"), "line 2"},
		"LCOV: line":                   {lcov("DA:x,1"), "line 2"},
		"LCOV: a huge line":            {lcov("DA:4294967296,1"), "line 2"},
		"LCOV: no file":                {"SF:\nDA:1,1\nend_of_record\n", "without a name"},
		"LCOV: outside":                {lcov("DA:1,1") + "DA:2,0\n", "outside of a record"},
		"LCOV: no end":                 {"SF:a\nDA:1,1\nSF:b\nDA:1,1\nend_of_record\n", "line 3"},
		"LCOV: prose":                  {lcov("DA:1,1\nhello"), "line 3"},
		"LCOV: half of totals":         {lcov("LF:5"), "LF and LH"},
		"LCOV: odd totals":             {lcov("LF:5\nLH:6"), "6 of 5"},
		"LCOV: nothing":                {lcov("LF:0\nLH:0"), "no lines"},
		"Clover: nothing":              {clover(`<line num="1" type="method" count="1"/>`), "no lines"},
		"Clover: type":                 {clover(`<line num="1" count="1"/>`), "a, line 1"},
		"Clover: count":                {clover(`<line num="1" type="stmt"/>`), "count is not a number"},
		"Clover: num":                  {clover(`<line num="-1" type="stmt" count="1"/>`), "num is not a number"},
		"Clover: metrics":              {`<coverage><project><metrics statements="3"/></project></coverage>`, "metrics"},
		"Clover: odd metrics":          {`<coverage><project><metrics statements="3" coveredstatements="4"/></project></coverage>`, "4 of 3"},
		"Clover: the tests only":       {`<coverage><project/><testproject><metrics statements="3" coveredstatements="3"/></testproject></coverage>`, "no lines"},
		"coverage.py: no missing":      {strings.Replace(coveragePyReport, `"missing_lines":[4]`, `"x":1`, 1), "a.py: does not list both"},
		"coverage.py: null":            {strings.Replace(coveragePyReport, `"missing_lines":[4]`, `"missing_lines":null`, 1), "a.py: does not list both"},
		"coverage.py: no line":         {strings.Replace(coveragePyReport, `[4]`, `["4"]`, 1), "missing_lines"},
		"coverage.py: fewer missing":   {strings.Replace(coveragePyReport, `"missing_lines":[4]`, `"missing_lines":[]`, 1), "a.py: its summary contradicts"},
		"coverage.py: more covered":    {strings.Replace(coveragePyReport, `"covered_lines":2`, `"covered_lines":4`, 1), "a.py: its summary contradicts"},
		"coverage.py: docstrings only": {`{"meta":{"version":"7"},"files":{"a.py":{"executed_lines":[1],"missing_lines":[],"summary":{"covered_lines":0,"num_statements":0}}},"totals":{}}`, "no lines"},
		"coverage.py: nothing":         {`{"meta":{"version":"7","branch_coverage":false},"files":{},"totals":{"percent_covered":100}}`, "no lines"},
		"coverage.py: null files":      {`{"meta":{"version":"7"},"files":null,"totals":{"percent_covered":100}}`, "no lines"},
		"coverage.py: duplicate file":  {strings.Replace(coveragePyReport, `"b.py"`, `"a.py"`, 1), "duplicate"},
		"Istanbul summary: Unknown":    {strings.Replace(istanbulTotals, `"total":42,"covered":33,"skipped":0,"pct":100`, `"total":0,"covered":0,"pct":"Unknown"`, 1), "no lines"},
		"Istanbul summary: fraction":   {strings.Replace(istanbulTotals, `"covered":33,`, `"covered":33.5,`, 1), "/total/lines"},
		"Istanbul summary: no lines":   {strings.Replace(istanbulTotals, `"covered":33,`, ``, 1), "/total/lines"},
		"Istanbul summary: more":       {strings.Replace(istanbulTotals, `"covered":33,`, `"covered":43,`, 1), "43 of 42"},
		"Istanbul summary: null":       {`{"total":null,"/a":{"lines":{},"statements":{},"branches":{}}}`, "/total/lines"},
		"Istanbul: no counts":          {strings.Replace(istanbulReport, `"s":`, `"t":`, 1), "/a.js: does not have both"},
		"Istanbul: a count missing":    {strings.Replace(istanbulReport, `"2":0,`, ``, 1), "3 statements and 2 counts"},
		"Istanbul: another count":      {strings.Replace(istanbulReport, `"2":0,`, `"9":0,`, 1), "has no count"},
		"Istanbul: null count":         {strings.Replace(istanbulReport, `817`, `null`, 1), "null"},
		"Istanbul: no line":            {strings.Replace(istanbulReport, `"line":7`, `"line":null`, 1), "on which line"},
		"Istanbul: nothing":            {`{"/a.js":{"statementMap":{},"s":{}}}`, "no lines"},
		"OpenCover: nothing":           {`<CoverageSession><Summary numSequencePoints="9" visitedSequencePoints="9"/></CoverageSession>`, "no lines"},
		"OpenCover: no visits":         {strings.Replace(openCoverXML, `vc="2"`, ``, 1), "visits (vc)"},
		"OpenCover: no line":           {strings.Replace(openCoverXML, `sl="9"`, ``, 1), "sl is not a number"},
		"OpenCover: half":              {openCoverXML[:len(openCoverXML)/2], "unexpected EOF"},
		"something else":               {`<coverage version="1"><file path="a"/></coverage>`, "is not a coverage report"},
		"a long name before others":    {`<report><package name="` + strings.Repeat("a", 5000) + `"><sourcefile name="b"/></package></report>`, "longer than"},
		"a report of complexity":       {`<cppncss/>`, "is a complexity report (Lizard XML), not a coverage report"},
		"an array":                     {`[` + istanbulReport + `]`, "is not a coverage report"},
		"statements of another member": {`{"total":1,"x":{"lines":1}}`, "is not a coverage report"},
	} {
		_, err := Read(Coverage, source("evil.bin", c.text))
		failed, ok := errors.AsType[*ReadError](err)
		if !ok || failed.File != "evil.bin" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestCoverageUnited: what one report missed another one may have run.
func TestCoverageUnited(t *testing.T) {
	other := strings.Replace(lcovReport, "DA:3,-1", "DA:3,1", 1)
	if covered, all := CoverageOf(read(t, Coverage, lcovReport), read(t, Coverage, other)); covered != 4+14 || all != 4+20 {
		t.Errorf("LCOV: %d/%d", covered, all)
	}
	other = strings.Replace(jacocoReport, `nr="5" mi="2" ci="0"`, `nr="5" mi="0" ci="2"`, 1)
	other = strings.Replace(other, `missed="2" covered="2"/></report>`, `missed="1" covered="3"/></report>`, 1)
	if covered, all := CoverageOf(read(t, Coverage, jacocoReport), read(t, Coverage, other)); covered != 3 || all != 4 {
		t.Errorf("JaCoCo: %d/%d", covered, all)
	}
}

// TestCoverageLimits: what a hostile report can make the reader keep is bounded.
func TestCoverageLimits(t *testing.T) {
	full := Report{places: maxLines}
	if err := full.line("a", Place{Line: 1}, 1, true); err == nil || !strings.Contains(err.Error(), "more than 3145728 lines") {
		t.Errorf("too many lines: %v", err)
	}
	full = Report{names: maxPlaceNames - 3*placesOfFile/2}
	for i, want := range []bool{true, true, false} {
		if err := full.line([]string{"a", "a", "b"}[i], Place{Line: 1}, 1, true); (err == nil) != want {
			t.Errorf("file %d: %v", i, err)
		}
	}
	for name, c := range map[string]struct{ text, want string }{
		"one line": {"SF:" + strings.Repeat("a", maxValue+10), "a line is longer than"},
		"groups":   {`<report>` + strings.Repeat(`<group name="aaaaaaaaaa">`, 3000), "longer than"},
		"methods":  {`<CoverageSession><Modules><Module><Files><File uid="1" fullPath="` + strings.Repeat("a", 9000) + `"/>`, "longer than"},
	} {
		if _, err := Read(Coverage, source("evil.bin", c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// coverRefused must be refused: why.
var coverRefused = map[string]string{
	"coverage-model__cobertura-cpp.xml":   "no lines",                 // only methods have lines, not the class
	"coverage-model__cobertura-empty.xml": "is not a coverage report", // no class at all
	"gen__go-version.cover.out":           "no statements",            // a mode line only: 0 of 0
	"coverage-model__clover-empty.xml":    "is not a coverage report", // neither a project nor packages
	"coverage-model__jacoco-empty.xml":    "is not a coverage report", // another root
}

// coverTrimmed are reports out of which most files were cut by hand: what they
// state is not what they hold.
var coverTrimmed = map[string]bool{"coverage-model__clover-clover.xml": true}

// corpusOf calls check for each file of some categories of the corpus.
func corpusOf(t *testing.T, atLeast int, categories []string, check func(t *testing.T, path, facts string, text []byte)) {
	dir := corpusDir(t)
	manifest, err := os.ReadFile(filepath.Join(dir, "MANIFEST.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(manifest)) {
		columns := strings.Split(line, "\t")
		if len(columns) < 9 || !slices.Contains(categories, columns[1]) {
			continue
		}
		seen++
		t.Run(columns[0], func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(dir, columns[0]))
			if err != nil {
				t.Fatal(err)
			}
			check(t, columns[0], columns[8], text)
		})
	}
	if seen < atLeast {
		t.Errorf("%d files of the corpus were tried", seen)
	}
}

func TestCorpusCoverage(t *testing.T) {
	categories := []string{"cov-clover", "cov-cobertura", "cov-coveragepy-json", "cov-gocover", "cov-istanbul-summary", "cov-jacoco", "cov-lcov", "cov-opencover"}
	corpusOf(t, 50, categories, func(t *testing.T, path, facts string, text []byte) {
		name := filepath.Base(path)
		report, err := Read(Coverage, source(name, string(text)))
		if want, refused := coverRefused[name]; refused || strings.HasPrefix(facts, "parse=") {
			if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), name) {
				t.Errorf("must be refused (%s): %v", want, err)
			}
			return
		}
		if err != nil {
			t.Fatalf("%v (facts: %s)", err, facts)
		}
		covered, all := CoverageOf(report)
		if want := wantedCoverage(t, report, path, facts, text); fmt.Sprintf("%d/%d", covered, all) != want {
			t.Errorf("%d/%d, want %s: %s", covered, all, want, facts)
		}
	})
}

// wantedCoverage reads the facts of the manifest.
func wantedCoverage(t *testing.T, r Report, path, facts string, text []byte) string {
	ratio := func(name string) string {
		ratio, _, _ := strings.Cut(fact(facts, name), "=")
		return ratio
	}
	switch r.Format {
	case "Cobertura XML":
		return ratio("recomputed_unique_file_line")
	case "Go coverprofile":
		return ratio("statements_union")
	case "JaCoCo XML":
		var missed, covered int
		fmt.Sscanf(fact(facts, "report_LINE"), "missed:%d,covered:%d", &missed, &covered)
		if got := fmt.Sprintf("%d/%d", covered, covered+missed); got != ratio("recomputed_sourcefile_lines") || r.Coverable != 0 {
			t.Errorf("told by totals: %s", facts)
		}
		return fmt.Sprintf("%d/%d", covered, covered+missed)
	case "LCOV":
		return ratio("unique_file_line")
	case "Clover XML":
		if coverTrimmed[filepath.Base(path)] {
			return cloverOfFiles(t, facts, text)
		}
		return ratio("project_statements")
	case "coverage.py JSON":
		return fact(facts, "covered_lines") + "/" + fact(facts, "num_statements")
	case "Istanbul JSON summary":
		return ratio("total_lines")
	case "Istanbul JSON":
		return istanbulWanted(t, r, path, facts)
	}
	return fact(facts, "visitedSequencePoints") + "/" + fact(facts, "numSequencePoints")
}

// cloverOfFiles: the lines of stmt are the manifest's, those of cond are in the
// file; the coverage of the latter is what its files' metrics add.
func cloverOfFiles(t *testing.T, facts string, text []byte) string {
	var covered, all int
	fmt.Sscanf(fact(facts, "stmt_lines"), "%d/%d", &covered, &all)
	for line := range bytes.Lines(text) {
		if bytes.Contains(line, []byte(`type="cond"`)) {
			all++
			if !bytes.Contains(line, []byte(`count="0" type`)) {
				covered++
			}
		}
	}
	return fmt.Sprintf("%d/%d", covered, all)
}

// istanbulWanted: the manifest only says how many files there are. A summary of
// the same run lies beside one of them.
func istanbulWanted(t *testing.T, r Report, path, facts string) string {
	covered, all := CoverageOf(r)
	if len(r.Lines) != number(facts, "files") {
		t.Errorf("lines of %d files: %s", len(r.Lines), facts)
	}
	beside := strings.Replace(path, "coverage-final", "coverage-summary", 1)
	text, err := os.ReadFile(filepath.Join(corpusDir(t), beside))
	if err == nil {
		covered, all = CoverageOf(read(t, Coverage, string(text)))
	}
	return fmt.Sprintf("%d/%d", covered, all)
}

func FuzzCoverageReports(f *testing.F) {
	for _, s := range coverageSamples {
		f.Add([]byte(s.text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Read(Coverage, source("f", string(data)))
		if err != nil {
			if _, ok := errors.AsType[*ReadError](err); !ok {
				t.Fatalf("an error of type %T", err)
			}
			return
		}
		covered, all := CoverageOf(r)
		if covered < 0 || all < 1 || covered > all || r.Coverable < r.Covered || r.Kind != Coverage {
			t.Fatalf("%d of %d: %+v", covered, all, r)
		}
		if again, same := CoverageOf(r, r); len(r.Lines) > 0 && (again != covered+r.Covered || same != all+r.Coverable) {
			t.Fatalf("united with itself: %d/%d, not %d/%d", again, same, covered, all)
		}
	})
}
