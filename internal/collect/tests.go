package collect

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
)

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

// claims are the elements that are open, from the root on: suites, assemblies,
// whatever holds cases and says itself how they ended. One that says that it
// failed, and holds nothing that failed, is a failure that no case shows: it
// counts as one failed test, for a crash must not look like a pass.
type claims []claim

type claim struct {
	fails  bool // it says so
	before int  // tests that had failed when it began
}

func (c *claims) enter(r *Report, fails bool) { *c = append(*c, claim{fails, r.Failed}) }

func (c *claims) leave(r *Report) {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	if last.fails && r.Failed == last.before {
		r.test(failedTest)
	}
}

// states says whether one of the attributes of an element is a count above 0.
func states(e xml.StartElement, names ...string) bool {
	for _, name := range names {
		if n, err := strconv.ParseFloat(attribute(e, name), 64); err == nil && n > 0 {
			return true
		}
	}
	return false
}

// unknownResult is the error for a case whose result is not one of the
// format's: taking it for a pass or for a failure would both be guesses.
func unknownResult(test, result string) error {
	if result == "" {
		return &ReadError{Place: clip(test, 200), Reason: "has no result"}
	}
	return &ReadError{Place: clip(test, 200), Reason: fmt.Sprintf("the result %q is not known", clip(result, 40))}
}

// parent is the name of the element around the last one of the path.
func parent(path []string) string {
	if len(path) < 2 {
		return ""
	}
	return path[len(path)-2]
}
