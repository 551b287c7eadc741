package collect

import "encoding/xml"

func isTRX(s shape) bool { return s.root == "TestRun" }

// trxRun counts the results of one file of Visual Studio's test platform.
type trxRun struct {
	*Report
	open   []trxResult // results that are read: one for each level of inner results
	broken bool        // the run says that something failed
}

type trxResult struct {
	claim
	result testResult
	inner  bool // it holds results
}

// readTRX counts results. Of a result with inner results (data rows, ordered
// tests) these count and itself does not, unless it failed and none of them
// did. The counters of the summary count other things; but a run that says that
// it failed, was aborted or had an error, and shows no result that did, is one
// failed test.
func readTRX(f *file, into *Report) error {
	run := &trxRun{Report: into}
	if err := f.walk(walker{enter: run.enter, leave: run.leave}); err != nil {
		return err
	}
	if run.broken && into.Failed == 0 {
		into.test(failedTest)
	}
	return into.anyTests()
}

func (t *trxRun) enter(path []string, e xml.StartElement) error {
	outcome := attribute(e, "outcome")
	switch parent, name := parent(path), e.Name.Local; {
	case parent == "Results" && len(path) == 3, parent == "InnerResults" && len(t.open) > 0:
		result, err := trxOutcome(attribute(e, "testName"), outcome)
		if err != nil {
			return err
		}
		if parent == "InnerResults" {
			t.open[len(t.open)-1].inner = true
		}
		t.open = append(t.open, trxResult{claim{result == failedTest, t.Failed}, result, false})
		t.broken = t.broken || outcome == "PassedButRunAborted"
	case name == "Counters" && parent == "ResultSummary":
		t.broken = t.broken || states(e, "failed", "error", "timeout", "aborted", "disconnected", "notRunnable", "passedButRunAborted")
	case outcome != "" && (name == "ResultSummary" || name == "RunInfo" && parent == "RunInfos"):
		result, err := trxOutcome(name, outcome)
		if err != nil {
			return err
		}
		t.broken = t.broken || result == failedTest
	}
	return nil
}

func (t *trxRun) leave(path []string) error {
	if p := parent(path); (p != "Results" || len(path) != 3) && p != "InnerResults" || len(t.open) == 0 {
		return nil
	}
	last := t.open[len(t.open)-1]
	t.open = t.open[:len(t.open)-1]
	if !last.inner || last.fails && t.Failed == last.before {
		t.test(last.result)
	}
	return nil
}

// trxOutcome: what did not come to an end failed, and so did a result without
// an outcome, for the format's default is an error. Completed and Inconclusive
// say that a test ran and not how it ended: that is neither a pass nor a
// failure.
func trxOutcome(test, outcome string) (testResult, error) {
	switch outcome {
	case "Passed", "Warning", "PassedButRunAborted":
		return passedTest, nil
	case "NotExecuted", "Inconclusive", "Completed":
		return skippedTest, nil
	case "", "Failed", "Error", "Timeout", "Aborted", "NotRunnable", "Disconnected", "InProgress", "Pending":
		return failedTest, nil
	}
	return 0, unknownResult(test, outcome)
}
