package collect

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var (
	tapVersion = regexp.MustCompile(`^(?i:TAP version) +([0-9]{1,4})\s*$`)
	tapPlan    = regexp.MustCompile(`^1\.\.([0-9]+)\s*(?:#.*)?$`)
	tapPoint   = regexp.MustCompile(`^(not )?ok\b(?:\s+([0-9]+)\b)?(.*)$`)
	tapSkip    = regexp.MustCompile(`(?i)(?:^|\s)#\s*skip`)
	tapTodo    = regexp.MustCompile(`(?i)(?:^|\s)#\s*todo\b`)
)

// isTAP wants a version, a plan or a numbered point: what `go test` prints
// begins with ok too.
func isTAP(s shape) bool {
	if s.json != 0 || s.root != "" || isGoTest(s) {
		return false
	}
	for _, line := range s.lines {
		if tapVersion.MatchString(line) || tapPlan.MatchString(line) {
			return true
		}
		if point := tapPoint.FindStringSubmatch(line); point != nil && point[2] != "" {
			return true
		}
	}
	return false
}

// tapRun is one TAP document. Its memory is eight bytes for each point.
type tapRun struct {
	points  []tapResult
	planned int // -1: no plan yet
	bailed  bool
}

type tapResult struct {
	number int32 // at most maxItems+1, which no plan holds
	result testResult
}

// readTAP counts the points that stand at the left edge: subtests, and the YAML
// that explains a point, are indented, and a subtest's own point is its sum.
// A point that failed and is marked TODO passed; one that is ok and marked SKIP
// is skipped; one that is not ok failed although it says SKIP. Numbers that the
// plan does not hold, or that stand twice, failed; so did each number of the
// plan that does not come. No plan at all is one failed test: the run did not
// come to its end; and so is a bail-out, at whatever depth.
func readTAP(f *file, into *Report) error {
	run := tapRun{planned: -1}
	err := f.lines(func(n int, line string) error {
		if into.Version == "" && n <= 100 { // it comes first, but for other output
			if version := tapVersion.FindStringSubmatch(line); version != nil {
				into.Version = version[1]
			}
		}
		return run.line(n, line)
	})
	if err != nil {
		return err
	}
	return run.count(into)
}

func (t *tapRun) line(n int, line string) error {
	if strings.HasPrefix(line, "1..") {
		if plan := tapPlan.FindStringSubmatch(line); plan != nil {
			return t.plan(n, plan[1])
		}
	}
	if trimmed := strings.TrimLeft(line, " \t"); len(trimmed) >= 9 && strings.EqualFold(trimmed[:9], "Bail out!") {
		t.bailed = true
		return nil
	}
	if !strings.HasPrefix(line, "ok") && !strings.HasPrefix(line, "not ok") {
		return nil
	}
	point := tapPoint.FindStringSubmatch(line)
	if point == nil {
		return nil
	}
	if len(t.points) == maxItems {
		return onLine(n, fmt.Sprintf("holds more than %d test points", maxItems))
	}
	t.points = append(t.points, tapResult{t.number(point[2]), tapOutcome(point[1] == "", point[3])})
	return nil
}

func (t *tapRun) plan(n int, number string) error {
	if t.planned >= 0 {
		return onLine(n, "is a second plan: several runs in one file are not read")
	}
	planned, err := strconv.Atoi(number)
	if err != nil || planned > maxItems {
		return onLine(n, fmt.Sprintf("plans more than %d tests", maxItems))
	}
	t.planned = planned
	return nil
}

// number is a point's number; one without follows the one before.
func (t *tapRun) number(text string) int32 {
	if text != "" {
		number, err := strconv.ParseInt(text, 10, 32)
		if err != nil || number > maxItems {
			return maxItems + 1
		}
		return int32(number)
	}
	if len(t.points) == 0 {
		return 1
	}
	return min(t.points[len(t.points)-1].number, maxItems) + 1
}

func tapOutcome(ok bool, description string) testResult {
	switch {
	case !strings.Contains(description, "#"):
	case tapTodo.MatchString(description):
		return passedTest
	case ok && tapSkip.MatchString(description):
		return skippedTest
	}
	if ok {
		return passedTest
	}
	return failedTest
}

func (t *tapRun) count(into *Report) error {
	if len(t.points) == 0 && !t.bailed && t.planned <= 0 {
		return errors.New("holds no test points at its left edge, or skips all of them: no tests is not a pass")
	}
	seen := make([]bool, max(t.planned, 0)+1)
	for _, point := range t.points {
		if t.planned >= 0 {
			if point.number < 1 || int(point.number) > t.planned || seen[point.number] {
				point.result = failedTest
			} else {
				seen[point.number] = true
			}
		}
		into.test(point.result)
	}
	for number := 1; number <= t.planned; number++ {
		if !seen[number] {
			into.test(failedTest)
		}
	}
	if t.bailed || t.planned < 0 {
		into.test(failedTest)
	}
	return nil
}
