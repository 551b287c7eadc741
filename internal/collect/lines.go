package collect

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

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

// maxPlaceNames is what the names of files in one coverage report may take in
// memory, in bytes, together with the table that each of them needs.
const (
	maxPlaceNames = 96 << 20
	placesOfFile  = 320  // bytes of a table of a few lines
	maxPlaceName  = 4096 // bytes of a name that is put before many others
)

// placeName checks a name that is put before others.
func placeName(name string) (string, error) {
	if len(name) > maxPlaceName {
		return "", &ReadError{Place: clip(name, 200), Reason: fmt.Sprintf("the name is longer than %d bytes", maxPlaceName)}
	}
	return name, nil
}

// line notes a line of a report.
func (r *Report) line(file string, at Place, weight uint32, hit bool) error {
	if r.Lines == nil {
		r.Lines = Lines{}
	}
	if r.Lines[file] == nil {
		if r.names += len(file) + placesOfFile; r.names > maxPlaceNames {
			return fmt.Errorf("names more files than fit: their names take more than %d bytes", maxPlaceNames)
		}
		if err := r.hold(len(file) + placesOfFile); err != nil {
			return err
		}
	}
	if r.Lines.add(file, at, Line{weight, hit}) {
		r.places++
		if err := r.hold(heldLine); err != nil {
			return err
		}
	}
	if r.places > maxLines {
		return fmt.Errorf("tells of more than %d lines", maxLines)
	}
	return nil
}

// total notes lines that are told by totals only.
func (r *Report) total(covered, all int) error {
	if covered > all {
		return fmt.Errorf("says that %d of %d lines are covered", covered, all)
	}
	r.Covered, r.Coverable = r.Covered+covered, r.Coverable+all
	return nil
}

// anyLines refuses a report in which nothing was measured.
func (r *Report) anyLines() error {
	if len(r.Lines) == 0 && r.Coverable == 0 {
		return errors.New("holds no lines: nothing was measured, which is not full coverage")
	}
	return nil
}

// lineNumber reads the number of a line.
func lineNumber(text string) (uint32, bool) {
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err == nil
}

// amount reads how many lines, statements or functions there are.
func amount(text string) (int, bool) {
	n, err := strconv.ParseUint(text, 10, 31)
	return int(n), err == nil
}

// hits reads how often a line was run. Counters run over: they have more digits
// than any integer, a fraction, an exponent or, where they turned negative, a
// sign; a negative count is not a hit.
func hits(text string) (hit, ok bool) {
	digits, negative := strings.CutPrefix(text, "-")
	mantissa, exponent, scientific := strings.Cut(strings.ToLower(digits), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if !allDigits(whole) || (fraction != "" && !allDigits(fraction)) {
		return false, false
	}
	if scientific && !allDigits(strings.TrimLeft(exponent, "+-")) {
		return false, false
	}
	return !negative && strings.Trim(whole+fraction, "0") != "", true
}

func allDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// count adds up the weights.
func (l Lines) count() (covered, all int) {
	for _, places := range l {
		for _, line := range places {
			all += int(line.Weight)
			if line.Hit {
				covered += int(line.Weight)
			}
		}
	}
	return covered, all
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
