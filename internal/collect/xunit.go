package collect

import (
	"encoding/xml"
	"strings"
)

// isXUnit: manifests of assemblies have the root assembly too.
func isXUnit(s shape) bool {
	return s.root == "assemblies" || s.root == "assembly" && (s.inside["collection"] || s.inside["class"] || s.inside["errors"])
}

// readXUnit counts the tests of xUnit.net, version 2 and 3 (in collections) and
// 1 (in classes). Each error of an assembly, and a failure of a class, is a
// failure that no test shows; so is an assembly or a collection that states
// failures and holds no test that failed.
func readXUnit(f *file, into *Report) error {
	var open claims
	var result testResult // of the test that is read
	enter := func(path []string, e xml.StartElement) (err error) {
		parent := parent(path)
		switch e.Name.Local {
		case "assembly":
			into.Tool = attribute(e, "test-framework")
			open.enter(into, states(e, "failed", "errors"))
		case "collection", "class":
			open.enter(into, states(e, "failed"))
		case "test":
			result, err = xunitResult(e)
			return err
		case "error":
			if parent == "errors" {
				into.test(failedTest)
			}
		case "failure":
			switch parent {
			case "test":
				result = failedTest
			case "class", "collection", "assembly":
				into.test(failedTest)
			}
		}
		return nil
	}
	leave := func(path []string) error {
		switch path[len(path)-1] {
		case "assembly", "collection", "class":
			open.leave(into)
		case "test":
			into.test(result)
		}
		return nil
	}
	if err := f.walk(walker{enter: enter, leave: leave}); err != nil {
		return err
	}
	return into.anyTests()
}

func xunitResult(e xml.StartElement) (testResult, error) {
	switch result := attribute(e, "result"); strings.ToLower(result) {
	case "pass":
		return passedTest, nil
	case "fail":
		return failedTest, nil
	case "skip", "notrun":
		return skippedTest, nil
	default:
		return 0, unknownResult(attribute(e, "name"), result)
	}
}
