package collect

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// goEvent is one line that `go test -json` writes.
type goEvent struct {
	Action     string `json:"Action"`
	Package    string `json:"Package"`
	Test       string `json:"Test"`
	ImportPath string `json:"ImportPath"` // of a build
}

// goActions are the actions that are known, and how they end a test. Others are
// passed over: new ones come with new versions of Go.
var goActions = map[string]goState{
	"start": goOpen, "run": goOpen, "pass": goPassed, "fail": goFailed, "skip": goSkipped,
	"pause": goSays, "cont": goSays, "output": goSays, "bench": goSays, "attr": goSays, "artifacts": goSays,
	"build-output": goBuild, "build-fail": goBuild,
}

// goState is where a test, or a package, is; or what an event does to it.
type goState uint8

const (
	goOpen    goState = iota // begun, and not ended
	goPassed                 //
	goFailed                 //
	goSkipped                //
	goSays                   // changes nothing
	goBuild                  // is not about a test
)

// isGoTest looks at each of the first lines: other output may stand before.
func isGoTest(s shape) bool {
	for _, line := range s.lines {
		if !strings.HasPrefix(line, "{") {
			continue
		}
		var e goEvent
		if json.Unmarshal([]byte(line), &e) != nil {
			continue
		}
		if _, known := goActions[e.Action]; known && e.Package+e.Test+e.ImportPath != "" {
			return true
		}
	}
	return false
}

// goRun is what is kept of a run: for each test 21 bytes, however long its name
// is, and its place in a map.
type goRun struct {
	*Report
	tests    map[goKey]goTest
	numbers  map[goKey]int32 // of packages
	packages []goPackage
	last     struct { // package that was asked for
		name   string
		number int32
	}
	events      int
	others      int // JSON objects that are no events
	buildFailed bool
}

type goKey [16]byte // of a hash of the name

type goTest struct {
	pkg       int32
	state     goState
	benchmark bool
}

type goPackage struct {
	state  goState
	failed bool // one of its tests did
}

// readGoTest counts tests and subtests; a parent is a test too. Of several runs
// of one test the last counts. A test that began and did not end failed (a
// panic, a time-out, a file that was cut off), except a benchmark, of which no
// end is written: it counts only when it says that it failed or was skipped. A
// package that failed, or did not end, without a test that did, is a failure
// that no test shows, and so is a build. Lines that do not begin with { are
// other output and passed over; so are JSON objects that are no events.
func readGoTest(f *file, into *Report) error {
	into.Tool = "go"
	run := &goRun{Report: into, tests: map[goKey]goTest{}, numbers: map[goKey]int32{}}
	if err := f.lines(run.line); err != nil {
		return err
	}
	if run.events == 0 {
		return errors.New("holds no events of go test -json")
	}
	run.count()
	return into.anyTests()
}

func (r *goRun) line(n int, line string) error {
	if line = strings.TrimLeft(line, " \t"); !strings.HasPrefix(line, "{") {
		return nil
	}
	var e goEvent
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		return onLine(n, goLineReason(err))
	}
	state, known := goActions[e.Action]
	if !known || e.Package+e.Test+e.ImportPath == "" && state == goSays {
		if r.others++; r.others > maxItems {
			return onLine(n, fmt.Sprintf("holds more than %d JSON objects that are no events of go test -json", maxItems))
		}
		return nil
	}
	r.events++
	switch {
	case state == goBuild:
		r.buildFailed = r.buildFailed || e.Action == "build-fail"
		return nil
	case e.Test == "":
		pkg, err := r.pkg(e.Package)
		if err == nil && state != goSays {
			r.packages[pkg].state = state
		}
		return err
	}
	return r.note(e, state)
}

func (r *goRun) note(e goEvent, state goState) error {
	pkg, err := r.pkg(e.Package)
	if err != nil {
		return err
	}
	key := goHash(e.Package, e.Test)
	test, known := r.tests[key]
	if known && state == goSays {
		return nil
	}
	if !known && len(r.tests) == maxItems {
		return fmt.Errorf("tells of more than %d tests", maxItems)
	}
	test.pkg, test.benchmark = pkg, strings.HasPrefix(e.Test, "Benchmark")
	if test.state = state; state == goSays {
		test.state = goOpen
	}
	r.tests[key] = test
	return nil
}

// pkg is the number of a package.
func (r *goRun) pkg(name string) (int32, error) {
	if name == r.last.name && len(r.packages) > 0 {
		return r.last.number, nil
	}
	key := goHash(name, "")
	number, known := r.numbers[key]
	if !known {
		if len(r.packages) == maxItems {
			return 0, fmt.Errorf("tells of more than %d packages", maxItems)
		}
		number = int32(len(r.packages))
		r.numbers[key] = number
		r.packages = append(r.packages, goPackage{})
	}
	r.last.name, r.last.number = name, number
	return number, nil
}

func goHash(pkg, test string) goKey {
	sum := sha256.Sum256([]byte(pkg + "\x00" + test))
	return goKey(sum[:16])
}

func (r *goRun) count() {
	for _, test := range r.tests {
		switch {
		case test.state == goPassed:
			r.test(passedTest)
		case test.state == goSkipped:
			r.test(skippedTest)
		case test.state == goFailed || !test.benchmark:
			r.test(failedTest)
			r.packages[test.pkg].failed = true
		}
	}
	for _, pkg := range r.packages {
		if !pkg.failed && (pkg.state == goFailed || pkg.state == goOpen) {
			r.test(failedTest)
		}
	}
	if r.buildFailed && r.Failed == 0 {
		r.test(failedTest)
	}
}

func goLineReason(err error) string {
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return "is not a whole JSON object: " + reason(syntax.Err, err)
	}
	return "is not an event of go test -json: a member has the wrong type"
}
