package collect

import (
	"errors"
	"fmt"
	"math"

	"github.com/go-json-experiment/json/jsontext"
)

// isIstanbulSummary knows json-summary: a total, and the same for each file.
func isIstanbulSummary(s shape) bool {
	return s.json == '{' && s.members["total"] && s.within["lines"] && s.within["statements"] && s.within["branches"]
}

// readIstanbulSummary takes the lines of the total. The percentage is
// "Unknown", or 100, where nothing was measured.
func readIstanbulSummary(f *file, into *Report) error {
	into.Tool = "istanbul"
	var total struct {
		Lines struct {
			Total   *float64 `json:"total"`
			Covered *float64 `json:"covered"`
		} `json:"lines"`
	}
	if err := f.object(members{"total": value(&total)}); err != nil {
		return err
	}
	all, ok1 := wholeNumber(total.Lines.Total)
	covered, ok2 := wholeNumber(total.Lines.Covered)
	if !ok1 || !ok2 {
		return &ReadError{Place: "/total/lines", Reason: "total and covered must both be whole numbers"}
	}
	if err := into.total(covered, all); err != nil {
		return err
	}
	return into.anyLines()
}

func wholeNumber(n *float64) (int, bool) {
	if n == nil || *n != math.Trunc(*n) || *n < 0 || *n > math.MaxInt32 {
		return 0, false
	}
	return int(*n), true
}

// isIstanbul knows coverage-final.json, an object of files.
func isIstanbul(s shape) bool { return s.json == '{' && s.within["statementMap"] }

// readIstanbul counts lines on which statements begin; a line is covered if any
// of them ran. That is how Istanbul's own line coverage is defined.
func readIstanbul(f *file, into *Report) error {
	into.Tool = "istanbul"
	err := f.one(func(d *jsontext.Decoder) error {
		return entries(d, into.istanbulFile)
	})
	if err != nil {
		return err
	}
	return into.anyLines()
}

type istanbulStatement struct {
	Start struct {
		Line *uint32 `json:"line"`
	} `json:"start"`
}

func (r *Report) istanbulFile(name string, d *jsontext.Decoder) error {
	wrong := func(reason string) error { return &ReadError{Place: clip(name, 200), Reason: reason} }
	lines, counts := map[string]uint32{}, map[string]bool{} // by statement
	var mapped, counted bool
	statements := func(id string, d *jsontext.Decoder) error {
		var s istanbulStatement
		if err := value(&s)(d); err != nil {
			return err
		}
		if s.Start.Line == nil {
			return wrong("a statement does not say on which line it begins")
		}
		lines[id] = *s.Start.Line
		return within(len(lines))
	}
	runs := func(id string, d *jsontext.Decoder) error {
		var count *float64
		if err := value(&count)(d); err != nil {
			return err
		}
		if count == nil {
			return wrong("a statement's count is null")
		}
		counts[id] = *count > 0
		return within(len(counts))
	}
	err := members{
		"statementMap": func(d *jsontext.Decoder) error { mapped = d.PeekKind() == '{'; return entries(d, statements) },
		"s":            func(d *jsontext.Decoder) error { counted = d.PeekKind() == '{'; return entries(d, runs) },
	}.read(d)
	switch {
	case err != nil:
		return err
	case !mapped || !counted:
		return wrong("does not have both statementMap and s")
	case len(lines) != len(counts):
		return wrong(fmt.Sprintf("has %d statements and %d counts", len(lines), len(counts)))
	}
	for id, line := range lines {
		hit, ok := counts[id]
		if !ok {
			return wrong("a statement has no count")
		}
		if err := r.line(name, Place{Line: line}, 1, hit); err != nil {
			return err
		}
	}
	return nil
}

func within(statements int) error {
	if statements > maxItems {
		return errors.New("a file has too many statements")
	}
	return nil
}
