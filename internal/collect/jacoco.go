package collect

import (
	"encoding/xml"
	"errors"
	"fmt"
)

func isJaCoCo(s shape) bool {
	return s.root == "report" && (s.inside["sessioninfo"] || s.inside["package"] || s.inside["group"] || s.inside["counter"])
}

// readJaCoCo takes the report's own LINE counter: the counters of groups,
// packages, classes, methods and files below repeat it. Where the lines of the
// source files add up to it they are taken one by one, so that reports can be
// united. Classes without a source file are in the counter and in no file: then
// the counter alone counts.
func readJaCoCo(f *file, into *Report) error {
	j := jacoco{into: into, missed: -1}
	if err := f.walk(walker{enter: j.enter, leave: j.leave}); err != nil {
		return err
	}
	return j.finish()
}

type jacoco struct {
	into            *Report
	groups          string // that the reader is in, each with a slash
	outer           []int  // length of groups outside of each of them
	pack, source    string // a file is known by groups, package and name
	missed, covered int    // of the report's LINE counter; -1 before it came
}

func (j *jacoco) enter(path []string, e xml.StartElement) (err error) {
	parent := ""
	if len(path) > 1 {
		parent = path[len(path)-2]
	}
	switch e.Name.Local {
	case "group":
		j.outer = append(j.outer, len(j.groups))
		j.groups, err = placeName(j.groups + attribute(e, "name") + "/")
	case "package":
		j.pack, err = placeName(j.groups + attribute(e, "name") + "/")
	case "sourcefile":
		j.source = j.pack + attribute(e, "name")
	case "line":
		if parent == "sourcefile" {
			return j.line(e)
		}
	case "counter":
		if len(path) == 2 && attribute(e, "type") == "LINE" {
			return j.counter(e)
		}
	}
	return err
}

func (j *jacoco) leave(path []string) error {
	if last := len(j.outer) - 1; path[len(path)-1] == "group" && last >= 0 {
		j.groups, j.outer = j.groups[:j.outer[last]], j.outer[:last]
	}
	return nil
}

// line: a line is covered if one of its instructions was run. One without
// instructions is not code.
func (j *jacoco) line(e xml.StartElement) error {
	number, ok := lineNumber(attribute(e, "nr"))
	missed, okMissed := hits(attribute(e, "mi"))
	covered, okCovered := hits(attribute(e, "ci"))
	if !ok || !okMissed || !okCovered {
		return &ReadError{Place: clip(j.source, 200) + ", line " + clip(attribute(e, "nr"), 20), Reason: "nr, mi or ci is not a number"}
	}
	if !missed && !covered {
		return nil
	}
	return j.into.line(j.source, Place{Line: number}, 1, covered)
}

func (j *jacoco) counter(e xml.StartElement) error {
	place := "the report's LINE counter"
	if j.missed >= 0 {
		return &ReadError{Place: place, Reason: "stands twice"}
	}
	missed, ok1 := amount(attribute(e, "missed"))
	covered, ok2 := amount(attribute(e, "covered"))
	if !ok1 || !ok2 {
		return &ReadError{Place: place, Reason: "missed or covered is not a number"}
	}
	j.missed, j.covered = missed, covered
	return nil
}

// finish compares the counter with the lines. A counter that says less was
// missed than its own lines show is refused.
func (j *jacoco) finish() error {
	if j.missed < 0 {
		if len(j.into.Lines) == 0 {
			return errors.New("has no LINE counter: the lines were not measured (classes without debug information)")
		}
		return nil
	}
	covered, all := j.into.Lines.count()
	switch missed := all - covered; {
	case j.missed < missed:
		return fmt.Errorf("its LINE counter says %d lines were missed, its source files show %d", j.missed, missed)
	case j.missed != missed || j.covered != covered:
		j.into.Lines = nil
		if err := j.into.total(j.covered, j.covered+j.missed); err != nil {
			return err
		}
	}
	return j.into.anyLines()
}
