package collect

import (
	"encoding/xml"
	"strings"
)

func isNUnit2(s shape) bool { return s.root == "test-results" }

// readNUnit2 counts test cases; the root's counters leave some of them out.
// What was not executed, and what is inconclusive, is skipped; what could not
// be run or was cancelled failed. A suite or a run that says it failed and
// holds no case that did is a failure that no case shows.
func readNUnit2(f *file, into *Report) error {
	var open claims
	enter := func(_ []string, e xml.StartElement) error {
		switch e.Name.Local {
		case "environment":
			into.Tool = strings.TrimSpace("NUnit " + attribute(e, "nunit-version"))
		case "test-results":
			open.enter(into, states(e, "failures", "errors", "invalid"))
		case "test-suite":
			result, _ := nunit2Result(e) // a suite may say nothing
			open.enter(into, result == failedTest)
		case "test-case":
			result, err := nunit2Result(e)
			if err != nil {
				return err
			}
			into.test(result)
		}
		return nil
	}
	leave := func(path []string) error {
		if name := path[len(path)-1]; name == "test-results" || name == "test-suite" {
			open.leave(into)
		}
		return nil
	}
	if err := f.walk(walker{enter: enter, leave: leave}); err != nil {
		return err
	}
	return into.anyTests()
}

// nunit2Result: versions before 2.5 say executed and success only.
func nunit2Result(e xml.StartElement) (testResult, error) {
	result := strings.ToLower(attribute(e, "result"))
	executed, success := strings.ToLower(attribute(e, "executed")), strings.ToLower(attribute(e, "success"))
	switch {
	case result == "failure", result == "error", result == "cancelled", result == "notrunnable":
		return failedTest, nil
	case result == "ignored", result == "skipped", result == "inconclusive":
		return skippedTest, nil
	case result != "success" && result != "":
		return 0, unknownResult(attribute(e, "name"), result)
	case executed == "false":
		return skippedTest, nil
	case success == "false":
		return failedTest, nil
	case success == "true", result == "success":
		return passedTest, nil
	}
	return 0, unknownResult(attribute(e, "name"), "")
}
