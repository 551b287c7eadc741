package collect

import (
	"encoding/xml"
	"errors"
)

func isJUnit(s shape) bool { return s.root == "testsuites" || s.root == "testsuite" }

// readJUnit counts test cases, at whatever depth: the totals that suites state
// repeat each other and differ from the cases both ways. An error of a suite
// itself is a failure that no case shows. A flaky case passed; reruns of a case
// that failed are one failure; a disabled one did not run.
func readJUnit(f *file, into *Report) error {
	var failed, skipped bool
	enter := func(path []string, e xml.StartElement) error {
		parent := ""
		if len(path) > 1 {
			parent = path[len(path)-2]
		}
		switch name := e.Name.Local; {
		case name == "testcase":
			failed = false
			status := attribute(e, "status")
			skipped = status == "disabled" || status == "notrun" || attribute(e, "result") == "suppressed"
		case parent == "testcase" && (name == "failure" || name == "error"):
			failed = true
		case parent == "testcase" && name == "skipped":
			skipped = true
		case parent == "testsuite" && (name == "failure" || name == "error"):
			into.test(failedTest)
		}
		return nil
	}
	leave := func(path []string) error {
		switch {
		case path[len(path)-1] != "testcase":
		case failed:
			into.test(failedTest)
		case skipped:
			into.test(skippedTest)
		default:
			into.test(passedTest)
		}
		return nil
	}
	if err := f.walk(walker{enter: enter, leave: leave}); err != nil {
		return err
	}
	return into.anyTests()
}

// testResult is how one test ended.
type testResult uint8

const (
	passedTest testResult = iota
	failedTest
	skippedTest
)

// test counts one test.
func (r *Report) test(result testResult) {
	r.Total++
	switch result {
	case passedTest:
		r.Passed++
	case failedTest:
		r.Failed++
	case skippedTest:
		r.Skipped++
	}
}

// anyTests refuses a report without tests.
func (r *Report) anyTests() error {
	if r.Total == 0 {
		return errors.New("holds no test cases: no tests is not a pass")
	}
	return nil
}
