package collect

import (
	"encoding/xml"
	"errors"
	"strconv"
)

// isCobertura: Clover's root is called coverage too, and holds a project.
func isCobertura(s shape) bool {
	return s.root == "coverage" && !s.inside["project"] && (s.inside["packages"] || s.inside["sources"])
}

// readCobertura counts each line of a file once, from the classes' own lines:
// lines repeat under methods, a file stands in several classes, and the stated
// line-rate is often another number.
func readCobertura(f *file, into *Report) error {
	source := ""
	enter := func(path []string, e xml.StartElement) error {
		n := len(path)
		switch {
		case e.Name.Local == "class":
			source = attribute(e, "filename")
		case e.Name.Local == "line" && n >= 3 && path[n-2] == "lines" && path[n-3] == "class":
			number, err := strconv.ParseUint(attribute(e, "number"), 10, 32)
			if err != nil {
				return &ReadError{Place: clip(source, 200), Reason: "a line's number is not a number"}
			}
			hits, err := strconv.ParseFloat(attribute(e, "hits"), 64)
			if err != nil {
				return &ReadError{Place: clip(source, 200) + ", line " + attribute(e, "number"), Reason: "hits is not a number"}
			}
			return into.line(source, Place{Line: uint32(number)}, 1, hits > 0)
		}
		return nil
	}
	if err := f.walk(walker{enter: enter}); err != nil {
		return err
	}
	return into.anyLines()
}

// anyLines refuses a report in which nothing was measured.
func (r *Report) anyLines() error {
	if len(r.Lines) == 0 && r.Coverable == 0 {
		return errors.New("holds no lines: nothing was measured, which is not full coverage")
	}
	return nil
}
