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
func readCobertura(data []byte, into *Report) error {
	into.Lines = map[LineKey]Line{}
	file := ""
	var wrong error
	err := eachElement(data, func(path []string, e xml.StartElement) {
		n := len(path)
		switch {
		case e.Name.Local == "class":
			file = attribute(e, "filename")
		case e.Name.Local == "line" && n >= 3 && path[n-2] == "lines" && path[n-3] == "class":
			hits, err := strconv.ParseFloat(attribute(e, "hits"), 64)
			if err != nil && wrong == nil {
				wrong = &ReadError{Place: file + ", line " + attribute(e, "number"), Reason: "hits is not a number"}
			}
			into.line(file, attribute(e, "number"), 1, hits > 0)
		}
	}, nil)
	if err == nil {
		err = wrong
	}
	if err == nil && len(into.Lines) == 0 {
		err = errors.New("holds no lines: nothing was measured, which is not full coverage")
	}
	return err
}

// line notes a line; one that was hit anywhere is hit.
func (r *Report) line(file, place string, weight int, hit bool) {
	key := LineKey{file, place}
	r.Lines[key] = Line{weight, hit || r.Lines[key].Hit}
}
