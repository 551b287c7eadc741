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
func readJUnit(data []byte, into *Report) error {
	var failed, skipped bool
	err := eachElement(data, func(path []string, e xml.StartElement) {
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
			into.Total++
			into.Failed++
		}
	}, func(path []string) {
		if path[len(path)-1] != "testcase" {
			return
		}
		into.Total++
		switch {
		case failed:
			into.Failed++
		case skipped:
			into.Skipped++
		default:
			into.Passed++
		}
	})
	if err != nil {
		return err
	}
	if into.Total == 0 {
		return errors.New("holds no test cases: no tests is not a pass")
	}
	return nil
}
