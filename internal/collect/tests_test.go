package collect

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Small files of each format of test results, written by hand.
const (
	nunit3 = `<test-run result="Failed" total="99" passed="99" failed="2" engine-version="3.12"><filter/><test-suite type="Assembly" result="Failed" site="Child">
		<failure><message>One or more child tests had errors</message></failure>
		<test-suite result="Failed" site="Child"><test-case fullname="a" result="Passed"/><test-case fullname="b" result="Failed" label="Error"><failure/><assertions><assertion result="Failed"/></assertions></test-case>
		<test-case fullname="c" result="Skipped" label="Ignored"/><test-case fullname="d" result="Inconclusive"/><test-case fullname="e" result="Warning"/></test-suite>
		<test-suite result="Failed" site="TearDown"><test-case fullname="f" result="Passed"/></test-suite>
		<test-suite type="Assembly" runstate="NotRunnable" result="Failed" label="Invalid"/></test-suite></test-run>`
	nunit2 = `<test-results name="x.dll" total="99" failures="0"><environment nunit-version="2.6"/><test-suite success="False" executed="True" result="Failure"><results>
		<test-case name="a" executed="True" result="Success" success="True"/><test-case name="b" executed="True" result="Failure" success="False"/><test-case name="c" executed="False" result="Ignored"/>
		<test-case name="d" executed="False" result="NotRunnable" success="False"/><test-case name="e" executed="True" result="Inconclusive" success="False"/><test-case name="f" executed="True" result="Error" success="False"/>
		<test-case name="g" executed="True" success="True"/><test-case name="h" executed="True" success="False"/><test-case name="i" executed="False"/></results></test-suite>
		<test-suite executed="True" result="Error" success="False"><results><test-case name="j" executed="True" result="Success"/></results></test-suite></test-results>`
	xunit = `<assemblies><assembly name="a.dll" test-framework="xUnit.net 2.4" total="99" passed="99" failed="1" errors="1">
		<errors><error type="assembly-cleanup"><failure exception-type="X"/></error></errors>
		<collection failed="1"><test name="a" result="Pass"/><test name="b" result="Fail"><failure/></test><test name="c" result="Skip"><reason/></test><test name="d" result="NotRun"/></collection></assembly>
		<assembly name="b.dll" failed="1"><collection><test name="e" result="Pass"/></collection></assembly></assemblies>`
	xunit1 = `<assembly name="a.dll" total="3"><class><test name="a" result="Pass"/><test name="b" result="Fail"/><failure/></class></assembly>`
	trx    = `<TestRun xmlns="http://microsoft.com/schemas/VisualStudio/TeamTest/2010"><ResultSummary outcome="Error"><Counters total="99" passed="99"/><RunInfos><RunInfo outcome="Error"/></RunInfos></ResultSummary>
		<Results><UnitTestResult testName="a" outcome="Passed"/><UnitTestResult testName="b" outcome="Failed"/><UnitTestResult testName="c" outcome="NotExecuted"/><UnitTestResult testName="d" outcome="Inconclusive"/>
		<UnitTestResult testName="e" outcome="Timeout"/><UnitTestResult testName="f"/><UnitTestResult testName="g" outcome="Failed" resultType="DataDrivenTest"><InnerResults>
			<UnitTestResult testName="g1" outcome="Passed"/><UnitTestResult testName="g2" outcome="Failed"/></InnerResults></UnitTestResult>
		<TestResultAggregation testName="h" outcome="Aborted"><InnerResults><UnitTestResult testName="h1" outcome="Passed"/></InnerResults></TestResultAggregation></Results></TestRun>`
	trxCrashed = `<TestRun><Results><UnitTestResult testName="a" outcome="Passed"/></Results><ResultSummary outcome="Failed"><Counters failed="0"/><RunInfos><RunInfo outcome="Error"><Text>The host crashed</Text></RunInfo></RunInfos></ResultSummary></TestRun>`
	tap        = "TAP version 14\n1..9\nok 1 - a\nnot ok 2 - b\n  ---\n  message: |\n    not ok 3\n  ...\nok 3 - c # SKIP no network\nnot ok 4 - d # TODO later\nok 5 - e # todo done\nnot ok 6 - f # skip\n" +
		"# Subtest: g\n    not ok 1 - inner # TODO\n    1..1\nok 7 - g\nok - h \\# TODO\nnoise\nok 9 - i {\n    ok 1\n    1..1\n}\n"
	goEvents = `go: downloading something
{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"{\n"}
{"Action":"fail","Package":"p","Test":"TestA","Elapsed":0}
{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"run","Package":"p","Test":"TestC"}
{"Action":"run","Package":"p","Test":"TestC/sub"}
{"Action":"run","Package":"p","Test":"BenchmarkD"}
{"Action":"fail","Package":"p"}
{"level":"info"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0}
{"ImportPath":"q.test","Action":"build-fail"}
{"Action":"fail","Package":"q","FailedBuild":"q.test"}
{"Action":"run","Package":"r","Test":"TestR"}
{"Action":"pass","Package":"r","Test":"TestR"}
{"Action":"skip","Package":"s"}
`
	goPass = `{"Action":"run","Package":"p","Test":"TestA"}` + "\n" + `{"Action":"pass","Package":"p","Test":"TestA"}` + "\n" + `{"Action":"pass","Package":"p"}` + "\n"
)

// counts are total, passed, failed, skipped.
type counts [4]int

func testCounts(r Report) counts { return counts{r.Total, r.Passed, r.Failed, r.Skipped} }

func TestTestReports(t *testing.T) {
	for name, c := range map[string]struct {
		text, format string
		want         counts
	}{
		"NUnit 3":                       {nunit3, "NUnit 3 XML", counts{8, 3, 3, 2}},
		"NUnit 3, only the run failed":  {`<test-run result="Failed"><test-suite><test-case fullname="a" result="Passed"/></test-suite></test-run>`, "NUnit 3 XML", counts{2, 1, 1, 0}},
		"NUnit 3, only a count failed":  {`<test-run failed="2"><test-case fullname="a" result="Passed"/></test-run>`, "NUnit 3 XML", counts{2, 1, 1, 0}},
		"NUnit 3, nothing could be run": {`<test-run><test-suite result="Failed" label="Invalid"/></test-run>`, "NUnit 3 XML", counts{1, 0, 1, 0}},
		"NUnit 2":                       {nunit2, "NUnit 2 XML", counts{11, 3, 5, 3}},
		"NUnit 2, only a count failed":  {`<test-results failures="1"><test-case name="a" executed="True" success="True"/></test-results>`, "NUnit 2 XML", counts{2, 1, 1, 0}},
		"xUnit":                         {xunit, "xUnit.net XML", counts{7, 2, 3, 2}},
		"xUnit 1":                       {xunit1, "xUnit.net XML", counts{3, 1, 2, 0}},
		"xUnit, only an error":          {`<assemblies><assembly errors="1"><errors><error/></errors></assembly></assemblies>`, "xUnit.net XML", counts{1, 0, 1, 0}},
		"TRX":                           {trx, "TRX", counts{10, 3, 5, 2}},
		"TRX, crashed":                  {trxCrashed, "TRX", counts{2, 1, 1, 0}},
		"TRX, aborted before the first": {`<TestRun><ResultSummary outcome="Aborted"/></TestRun>`, "TRX", counts{1, 0, 1, 0}},
		"TRX, passed but aborted":       {`<TestRun><Results><UnitTestResult outcome="PassedButRunAborted"/></Results></TestRun>`, "TRX", counts{2, 1, 1, 0}},
		"TRX, an error beside":          {`<TestRun><Results><UnitTestResult outcome="Passed"/></Results><ResultSummary outcome="Completed"><RunInfos><RunInfo outcome="Error"/></RunInfos></ResultSummary></TestRun>`, "TRX", counts{2, 1, 1, 0}},
		"TRX, a warning beside":         {`<TestRun><Results><UnitTestResult outcome="Passed"/></Results><ResultSummary outcome="Completed"><RunInfos><RunInfo outcome="Warning"/></RunInfos></ResultSummary></TestRun>`, "TRX", counts{1, 1, 0, 0}},
		"TRX, only a count failed":      {`<TestRun><Results><UnitTestResult outcome="Passed"/></Results><ResultSummary outcome="Completed"><Counters failed="1"/></ResultSummary></TestRun>`, "TRX", counts{2, 1, 1, 0}},
		"TAP":                           {tap, "TAP", counts{9, 6, 2, 1}},
		"TAP, CRLF and plan at the end": {"ok 1\r\nok 2\r\n1..2\r\n", "TAP", counts{2, 2, 0, 0}},
		"TAP, no plan":                  {"TAP version 13\nok 1\n", "TAP", counts{2, 1, 1, 0}},
		"TAP, no numbers":               {"1..2\nok\nnot ok\n", "TAP", counts{2, 1, 1, 0}},
		"TAP, tests missing":            {"1..4\nok 1\nok 3\n", "TAP", counts{4, 2, 2, 0}},
		"TAP, more than planned":        {"ok 1\nok 2\nok 3 # SKIP\n1..2\n", "TAP", counts{3, 2, 1, 0}},
		"TAP, a number twice":           {"1..2\nok 1\nok 1\n", "TAP", counts{3, 1, 2, 0}},
		"TAP, a huge number":            {"1..1\nok 99999999999999999999\n", "TAP", counts{2, 0, 2, 0}},
		"TAP, number 0":                 {"1..1\nok 0\nok 1\n", "TAP", counts{2, 1, 1, 0}},
		"TAP, bail-out":                 {"1..1\nok 1\nBail out! no disk\n", "TAP", counts{2, 1, 1, 0}},
		"TAP, inner bail-out":           {"ok 1\n    bail out!\n1..1\n", "TAP", counts{2, 1, 1, 0}},
		"TAP, bail-out at once":         {"TAP version 13\nBail out!\n", "TAP", counts{1, 0, 1, 0}},
		"TAP, planned and nothing more": {"1..3\n", "TAP", counts{3, 0, 3, 0}},
		"Go":                            {goEvents, "go test -json", counts{7, 2, 4, 1}},
		"Go, passed":                    {goPass, "go test -json", counts{1, 1, 0, 0}},
		"Go, CRLF and spaces":           {strings.ReplaceAll(strings.ReplaceAll(goPass, "\n", "\r\n"), ":", ": "), "go test -json", counts{1, 1, 0, 0}},
		"Go, without packages":          {strings.ReplaceAll(goPass, `,"Package":"p"`, ""), "go test -json", counts{1, 1, 0, 0}},
		"Go, the package failed":        {strings.Replace(goPass, `"pass","Package":"p"}`, `"fail","Package":"p"}`, 1), "go test -json", counts{2, 1, 1, 0}},
		"Go, the package has no end":    {strings.Replace(goPass, `{"Action":"pass","Package":"p"}`, "", 1), "go test -json", counts{2, 1, 1, 0}},
		"Go, failed and passed in one":  {`{"Action":"fail","Package":"p","Test":"TestA"}` + "\n" + strings.Replace(goPass, `"pass","Package":"p"}`, `"fail","Package":"p"}`, 1), "go test -json", counts{2, 1, 1, 0}},
		"Go, begun again and no end":    {goPass + `{"Action":"run","Package":"p","Test":"TestA"}`, "go test -json", counts{1, 0, 1, 0}},
		"Go, only a build failed":       {goPass + `{"Action":"build-fail","ImportPath":"q"}`, "go test -json", counts{2, 1, 1, 0}},
		"JUnit, only a count failed":    {`<testsuite failures="1"><testcase/></testsuite>`, "JUnit XML", counts{2, 1, 1, 0}},
		"JUnit, flaky":                  {`<testsuite failures="1"><testcase><flakyFailure/></testcase></testsuite>`, "JUnit XML", counts{1, 1, 0, 0}},
		"JUnit, results as attributes":  {`<testsuite><testcase status="failed"/><testcase status="notrun" result="suppressed"/><testcase result="interrupted"/><testcase status="run" result="completed"/></testsuite>`, "JUnit XML", counts{4, 1, 2, 1}},
		"JUnit, a case in a case":       {`<testsuite><testcase><failure/><testcase/></testcase></testsuite>`, "JUnit XML", counts{2, 1, 1, 0}},
		"JUnit, an error at the root":   {`<testsuites><error/><testsuite><testcase/></testsuite></testsuites>`, "JUnit XML", counts{2, 1, 1, 0}},
		"JUnit in XML 1.1":              {`<?xml version="1.1" encoding="UTF-8"?><testsuite><testcase/></testsuite>`, "JUnit XML", counts{1, 1, 0, 0}},
		"JUnit, Eclipse":                {`<testrun><testsuite><testcase/><testcase incomplete="true"/></testsuite></testrun>`, "JUnit XML", counts{2, 1, 1, 0}},
	} {
		r := read(t, Tests, c.text)
		if got := testCounts(r); got != c.want || r.Format != c.format {
			t.Errorf("%s: %v of %s, want %v", name, got, r.Format, c.want)
		}
	}
	if r := read(t, Tests, tap); r.Version != "14" {
		t.Errorf("TAP version %q", r.Version)
	}
}

// TestTestReportsEncodings: the same numbers whatever the encoding.
func TestTestReportsEncodings(t *testing.T) {
	for _, text := range []string{junit, nunit3, nunit2, xunit, xunit1, trx, tap, goEvents} {
		want := testCounts(read(t, Tests, text))
		wide := "\xff\xfe"
		for _, b := range []byte(text) {
			wide += string([]byte{b, 0})
		}
		for _, other := range []string{"\xef\xbb\xbf" + text, strings.ReplaceAll(text, "\n", "\r\n"), wide} {
			if got := testCounts(read(t, Tests, other)); got != want {
				t.Errorf("%v, want %v: %.60q", got, want, other)
			}
		}
	}
}

// TestRefusedTestReports: what would lead to a wrong number is an error that
// names the place.
func TestRefusedTestReports(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"NUnit 3, nothing":          {`<test-run total="4" result="Passed"/>`, "no test cases"},
		"NUnit 3, other result":     {`<test-run><test-case fullname="x.y" result="Great"/></test-run>`, `x.y: the result "Great" is not known`},
		"NUnit 3, no result":        {`<test-run><test-case fullname="x.y"/></test-run>`, "x.y: has no result"},
		"NUnit 3, truncated":        {nunit3[:len(nunit3)-12], "line"},
		"NUnit 2, nothing":          {`<test-results total="4"/>`, "no test cases"},
		"NUnit 2, no result":        {`<test-results><test-case name="a" executed="True"/></test-results>`, "a: has no result"},
		"NUnit 2, other result":     {`<test-results><test-case name="a" result="Fine"/></test-results>`, "not known"},
		"xUnit, nothing":            {`<assemblies><assembly total="4"><errors/></assembly></assemblies>`, "no test cases"},
		"xUnit, no assembly":        {`<assemblies/>`, "no test cases"},
		"xUnit, no result":          {`<assemblies><assembly><collection><test name="a"/></collection></assembly></assemblies>`, "a: has no result"},
		"a manifest":                {`<assembly><dependency/></assembly>`, "is not a test report"},
		"TRX, nothing":              {`<TestRun><ResultSummary outcome="Completed"><Counters total="4" passed="4"/></ResultSummary></TestRun>`, "no test cases"},
		"TRX, other outcome":        {`<TestRun><Results><UnitTestResult testName="a" outcome="Splendid"/></Results></TestRun>`, `a: the result "Splendid"`},
		"TRX, entity":               {`<!DOCTYPE x [<!ENTITY a "b">]>` + trx, "declares an entity"},
		"JUnit, counts only":        {`<testsuite tests="4" failures="1"/>`, "no test cases"},
		"TAP, all skipped":          {"TAP version 13\n1..0 # SKIP no display\n", "no test points"},
		"TAP, version only":         {"TAP version 14\n# nothing\n", "no test points"},
		"TAP, all indented":         {"  1..1\n  ok 1\n", "no test points"},
		"TAP, two plans":            {"1..1\nok 1\n1..1\nok 1\n", "line 3: is a second plan"},
		"TAP, a huge plan":          {"1..99999999999999999999\nok 1\n", "line 1: plans more than"},
		"TAP, many points":          {"1..1\n" + strings.Repeat("ok\n", maxItems+1), "more than 1048576 test points"},
		"what go test prints":       {"ok  \texample.com/a\t0.1s\nok  \texample.com/b\t0.2s\n", "is not a test report"},
		"Go, package only":          {`{"Action":"skip","Package":"p"}`, "no test cases"},
		"Go, other JSON":            {`{"Action":"deploy","Package":"p"}`, "is not a test report"},
		"Go, truncated":             {goPass + `{"Time":"2026`, "line 4: is not a whole JSON object: the file ends too early"},
		"Go, two objects in a line": {goPass + `{"Action":"pass"}{"Action":"fail"}`, "line 4"},
		"Go, a name twice":          {goPass + `{"Action":"fail","Package":"p","Test":"TestA","Action":"pass"}`, "line 4: is not a whole JSON object: duplicate"},
		"Go, wrong type":            {goPass + `{"Action":"fail","Package":["p"],"Test":"TestA"}`, "line 4"},
		"Go, deep":                  {goPass + `{"Action":` + strings.Repeat("[", 1<<20), "line 4"},
		"Go, noise":                 {goPass + strings.Repeat("{}\n", maxItems+1), "no events"},
		"Go, a very long line":      {goPass + `{"Action":"` + strings.Repeat("x", maxValue), ""},
	} {
		_, err := Read(Tests, source("evil", c.text))
		failed, ok := errors.AsType[*ReadError](err)
		if !ok || failed.File != "evil" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// refusedTestFiles are the corpus's files that must be refused, and why.
var refusedTestFiles = map[string]string{
	"action-junit-report__TEST-test.CorruptTest.xml":           "CDATA",                // not closed
	"chainloop__junit-invalid.xml":                             "closed by",            // a wrong end tag
	"junit-plugin__testXxe-xxe.xml":                            "declares an entity",   //
	"junit-plugin__testXxe-oob.xml":                            "",                     // declarations alone, no document
	"publish-unit-test-result-action__NUnit-sec1752-file.xml":  "declares an entity",   //
	"publish-unit-test-result-action__NUnit-sec1752-https.xml": "declares an entity",   //
	"publish-unit-test-result-action__xml-empty.xml":           "is empty",             //
	"publish-unit-test-result-action__no-cases-but-tests.xml":  "no test cases",        // totals alone
	"test-reporter__jest-junit-empty-testsuite.xml":            "no test cases",        //
	"xunit-plugin__gtester-testcase2-input.xml":                "is not a test report", // GLib's own format
	"publish-unit-test-result-action__testcase4.xml":           "no test cases",        // an assembly without tests
	"test-reporter__dotnet-trx-empty-test-definitions.trx":     "no test cases",        //
	"gen__object-inspect.tape.tap":                             "is empty",             //
	"tapjs__empty.tap":                                         "is empty",             //
	"tapjs__skip-all.tap":                                      "no test points",       // 1..0
	"tapjs__skipall_v13.tap":                                   "no test points",       //
}

func TestCorpusTests(t *testing.T) {
	dir := corpusDir(t)
	file, err := os.Open(filepath.Join(dir, "MANIFEST.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	expected := map[string]func(facts string) counts{
		"test-junit": junitFacts, "test-nunit": nunitFacts, "test-xunit": xunitFacts,
		"test-trx": trxFacts, "test-tap": tapFacts, "test-gotestjson": goFacts,
	}
	refused := 0
	seen := map[string]int{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		columns := strings.Split(lines.Text(), "\t")
		if len(columns) < 9 || expected[columns[1]] == nil {
			continue
		}
		seen[columns[1]]++
		name := filepath.Base(columns[0])
		if _, ok := refusedTestFiles[name]; ok {
			refused++
		}
		t.Run(columns[0], func(t *testing.T) {
			report, err := readTestFile(t, filepath.Join(dir, columns[0]))
			if reason, ok := refusedTestFiles[name]; ok {
				if err == nil || !strings.Contains(err.Error(), reason) || !strings.HasPrefix(err.Error(), name) {
					t.Errorf("must be refused (%s): %v", reason, err)
				}
				return
			}
			if err != nil {
				t.Fatalf("%v (%s)", err, columns[8])
			}
			if want := expected[columns[1]](columns[8]); testCounts(report) != want {
				t.Errorf("%v, want %v: %s", testCounts(report), want, columns[8])
			}
		})
	}
	if lines.Err() != nil || len(seen) != len(expected) || refused != len(refusedTestFiles) {
		t.Errorf("%v were tried, %d refused", seen, refused)
	}
}

func readTestFile(t *testing.T, path string) (Report, error) {
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return Read(Tests, Source{Name: filepath.Base(path), Size: info.Size(), ReaderAt: file})
}

// of sums the counts of a fact like a:1,b:2 by what classify makes of a and b.
func of(facts, name string, classify func(string) testResult) counts {
	var r Report
	for _, part := range strings.Split(fact(facts, name), ",") {
		at := strings.LastIndex(part, ":")
		if at < 0 {
			continue
		}
		n := 0
		fmt.Sscan(part[at+1:], &n)
		for range n {
			r.test(classify(part[:at]))
		}
	}
	return testCounts(r)
}

// and adds tests that failed and that no case shows.
func (c counts) and(failed int) counts {
	return counts{c[0] + failed, c[1], c[2] + failed, c[3]}
}

// unless adds one failed test if the file states some and no case failed.
func (c counts) unless(stated int) counts {
	if c[2] == 0 && stated > 0 {
		return c.and(1)
	}
	return c
}

func junitFacts(facts string) counts {
	failed := number(facts, "failures") + number(facts, "errors")
	c := counts{number(facts, "tests"), number(facts, "passed"), failed, number(facts, "skipped")}
	return c.and(number(facts, "suite_level_errors"))
}

func nunitFacts(facts string) counts {
	return of(facts, "results", func(result string) testResult {
		switch {
		case strings.HasPrefix(result, "Passed"), result == "Success", result == "executed=True success=True":
			return passedTest
		case strings.HasPrefix(result, "Skipped"), result == "Ignored", result == "Inconclusive":
			return skippedTest
		}
		return failedTest
	}).unless(number(facts, "root_failures") + number(facts, "root_errors") + number(facts, "root_failed"))
}

func xunitFacts(facts string) counts {
	return of(facts, "results", func(result string) testResult {
		return map[string]testResult{"Pass": passedTest, "Skip": skippedTest, "Fail": failedTest}[result]
	}).unless(number(facts, "attr_failed") + number(facts, "attr_errors"))
}

func trxFacts(facts string) counts {
	c := of(facts, "outcomes", func(outcome string) testResult {
		switch outcome {
		case "Passed":
			return passedTest
		case "NotExecuted", "Inconclusive":
			return skippedTest
		}
		return failedTest
	})
	if summary := fact(facts, "summary_outcome"); summary != "Completed" {
		return c.unless(1)
	}
	return c
}

// tapFacts takes what Perl's parser says where it could read the plan. It
// passes a run that bailed out, and counts skipped tests as passed.
func tapFacts(facts string) counts {
	bailed := strings.Count(fact(facts, "bail_out"), "yes")
	ok, notOK, skipped := number(facts, "toplevel_ok"), number(facts, "toplevel_not_ok"), number(facts, "skip_directive")
	perl := strings.ReplaceAll(fact(facts, "perl_TAPParser"), ",", "; ")
	if fact(strings.ReplaceAll(perl, ":", "="), "plan") != "" {
		perl = strings.ReplaceAll(perl, ":", "=")
		ok, notOK, skipped = number(perl, "passed"), number(perl, "failed"), number(perl, "skipped")
	} else if fact(facts, "plan_lines") == "0" {
		bailed = 1
	}
	return counts{ok + notOK, ok - skipped, notOK, skipped}.and(bailed)
}

// goFacts: tests without a result failed; and so did packages in a file without
// tests.
func goFacts(facts string) counts {
	c := of(facts, "by_last_action", func(action string) testResult {
		return map[string]testResult{"pass": passedTest, "skip": skippedTest, "fail": failedTest}[action]
	}).and(number(facts, "no_result_events"))
	packages := of(facts, "packages", func(action string) testResult {
		return map[string]testResult{"pass": passedTest, "skip": skippedTest, "fail": failedTest}[action]
	})
	if number(facts, "tests_with_result") == 0 {
		return c.and(packages[2])
	}
	return c.unless(packages[2])
}

func FuzzJUnit(f *testing.F) {
	fuzzKind(f, Tests, junit, `<testrun><testcase incomplete="true"/></testrun>`)
}
func FuzzNUnit(f *testing.F)  { fuzzKind(f, Tests, nunit3, nunit2) }
func FuzzXUnit(f *testing.F)  { fuzzKind(f, Tests, xunit, xunit1) }
func FuzzTRX(f *testing.F)    { fuzzKind(f, Tests, trx, trxCrashed) }
func FuzzTAP(f *testing.F)    { fuzzKind(f, Tests, tap, "1..2\nok\nok 1\nBail out!\n") }
func FuzzGoTest(f *testing.F) { fuzzKind(f, Tests, goEvents, goPass) }
