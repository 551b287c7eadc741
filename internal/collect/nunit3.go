package collect

import (
	"encoding/xml"
	"strings"
)

func isNUnit3(s shape) bool { return s.root == "test-run" }

// readNUnit3 counts test cases; the counters of runs and suites count other
// things. A case with warnings passed, an inconclusive one is skipped. A tear
// down that failed is a failure that no case shows; so is any other suite, or
// the run, that says it failed and holds no case that did.
func readNUnit3(f *file, into *Report) error {
	var open claims
	enter := func(_ []string, e xml.StartElement) error {
		switch e.Name.Local {
		case "test-run":
			into.Tool = strings.TrimSpace("NUnit " + attribute(e, "engine-version"))
			open.enter(into, nunit3Failed(e) || states(e, "failed"))
		case "test-suite":
			failed := nunit3Failed(e)
			if failed && attribute(e, "site") == "TearDown" {
				into.test(failedTest)
				failed = false
			}
			open.enter(into, failed)
		case "test-case":
			result, err := nunit3Result(e)
			if err != nil {
				return err
			}
			into.test(result)
		}
		return nil
	}
	leave := func(path []string) error {
		if name := path[len(path)-1]; name == "test-run" || name == "test-suite" {
			open.leave(into)
		}
		return nil
	}
	if err := f.walk(walker{enter: enter, leave: leave}); err != nil {
		return err
	}
	return into.anyTests()
}

// nunit3Failed: early versions put more after the word, or only the label.
func nunit3Failed(e xml.StartElement) bool {
	switch attribute(e, "label") {
	case "Error", "Invalid", "Cancelled":
		return true
	}
	return strings.HasPrefix(strings.ToLower(attribute(e, "result")), "failed")
}

func nunit3Result(e xml.StartElement) (testResult, error) {
	result := attribute(e, "result")
	switch {
	case nunit3Failed(e):
		return failedTest, nil
	case strings.EqualFold(result, "passed"), strings.EqualFold(result, "warning"):
		return passedTest, nil
	case strings.EqualFold(result, "skipped"), strings.EqualFold(result, "inconclusive"):
		return skippedTest, nil
	}
	return 0, unknownResult(attribute(e, "fullname"), result)
}
