package collect

import "fmt"

// Lines are the lines (or, for Go, the blocks) of source files that a coverage
// report tells of, by file.
type Lines map[string]map[Place]Line

// Place is a line of a source file, or a stretch of it: all but Line are 0 for
// a whole line.
type Place struct{ Line, Column, EndLine, EndColumn uint32 }

// Line is a line's weight in lines or statements, and whether it was run.
type Line struct {
	Weight uint32
	Hit    bool
}

// line notes a line of a report.
func (r *Report) line(file string, at Place, weight uint32, hit bool) error {
	if r.Lines == nil {
		r.Lines = Lines{}
	}
	if r.Lines.add(file, at, Line{weight, hit}) {
		r.places++
	}
	if r.places > maxLines {
		return fmt.Errorf("tells of more than %d lines", maxLines)
	}
	return nil
}

// add notes a line, and reports whether it is a new one. A line that was hit
// anywhere is hit.
func (l Lines) add(file string, at Place, line Line) (isNew bool) {
	places := l[file]
	if places == nil {
		places = map[Place]Line{}
		l[file] = places
	}
	known, ok := places[at]
	places[at] = Line{max(line.Weight, known.Weight), line.Hit || known.Hit}
	return !ok
}
