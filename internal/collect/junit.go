package collect

import (
	"encoding/xml"
	"strings"
)

// isJUnit: a testrun is what Eclipse writes around the suites.
func isJUnit(s shape) bool {
	return s.root == "testsuites" || s.root == "testsuite" || s.root == "testrun" && (s.inside["testsuite"] || s.inside["testcase"])
}

// junitCases counts the cases of one file.
type junitCases struct {
	*Report
	failed, skipped bool // of the case that is read
	flaky           bool // some case failed at first and passed later
	states          bool // some suite states failures or errors
}

// readJUnit counts test cases, at whatever depth: the totals that suites state
// repeat each other and differ from the cases both ways. An error of a suite
// itself is a failure that no case shows. A flaky case passed; reruns of a case
// that failed are one failure; a disabled one did not run. Where suites state
// failures, and no case failed or was flaky, one failed test counts.
func readJUnit(f *file, into *Report) error {
	cases := &junitCases{Report: into}
	if err := f.walk(walker{enter: cases.enter, leave: cases.leave}); err != nil {
		return err
	}
	if cases.states && into.Total > 0 && into.Failed == 0 && !cases.flaky {
		into.test(failedTest)
	}
	return into.anyTests()
}

func (c *junitCases) enter(path []string, e xml.StartElement) error {
	parent := parent(path)
	switch name := e.Name.Local; name {
	case "testsuites", "testsuite", "testrun":
		c.states = c.states || states(e, "failures", "errors")
	case "testcase":
		// A case is set back when it ends: one within another leaves the outer one's result alone.
		c.noteState(attribute(e, "status"))
		c.noteState(attribute(e, "result"))
		if attribute(e, "incomplete") == "true" {
			c.failed = true
		}
	case "failure", "error", "rerunFailure", "rerunError":
		switch parent {
		case "testcase":
			c.failed = true
		case "testsuite", "testsuites", "testrun":
			c.test(failedTest)
		}
	case "flakyFailure", "flakyError":
		c.flaky = true
	case "skipped":
		c.skipped = c.skipped || parent == "testcase"
	}
	return nil
}

// noteState reads what some tools write beside or instead of the elements
// (GoogleTest, CTest, Bazel, behave).
func (c *junitCases) noteState(state string) {
	switch strings.ToLower(state) {
	case "fail", "failed", "failure", "error", "errored", "timeout", "interrupted", "cancelled":
		c.failed = true
	case "disabled", "notrun", "suppressed", "skip", "skipped", "ignored", "pending", "filtered", "untested":
		c.skipped = true
	}
}

func (c *junitCases) leave(path []string) error {
	switch {
	case path[len(path)-1] != "testcase":
		return nil
	case c.failed:
		c.test(failedTest)
	case c.skipped:
		c.test(skippedTest)
	default:
		c.test(passedTest)
	}
	c.failed, c.skipped = false, false
	return nil
}
