package collect

import (
	"errors"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

func isCoveragePy(s shape) bool {
	return s.json == '{' && s.members["meta"] && s.members["files"] && (s.within["branch_coverage"] || s.members["totals"])
}

// readCoveragePy counts the statements that ran and those that did not, each
// known by its line. Excluded lines are neither. The stated percentage mixes
// branches in.
func readCoveragePy(f *file, into *Report) error {
	var meta struct {
		Version string         `json:"version"`
		Format  jsontext.Value `json:"format"`
	}
	statements := 0
	err := f.object(members{
		"meta": value(&meta),
		"files": func(d *jsontext.Decoder) error {
			return entries(d, func(name string, d *jsontext.Decoder) error {
				n, err := into.coveragePyFile(name, d)
				statements += n
				return err
			})
		},
	})
	switch {
	case err != nil:
		return err
	case statements == 0:
		return errors.New("holds no lines: nothing was measured, which is not full coverage")
	}
	if into.Tool = "coverage.py"; meta.Version != "" {
		into.Tool += " " + clip(meta.Version, 40)
	}
	into.Version = clip(string(meta.Format), 40)
	return nil
}

type coveragePySummary struct {
	Covered    *int `json:"covered_lines"`
	Statements *int `json:"num_statements"`
}

// coveragePyFile wants both lists: without that of missing lines, a file would
// look as if all of it had run.
func (r *Report) coveragePyFile(name string, d *jsontext.Decoder) (statements int, err error) {
	var ran, missed []uint32
	var summary coveragePySummary
	lines := func(to *[]uint32) func(*jsontext.Decoder) error {
		return func(d *jsontext.Decoder) error {
			if d.PeekKind() == '[' {
				*to = []uint32{}
			}
			return each(d, func(line uint32) error {
				if *to = append(*to, line); len(*to) > maxLines {
					return errors.New("a file has too many lines")
				}
				return nil
			})
		}
	}
	if err := (members{"executed_lines": lines(&ran), "missing_lines": lines(&missed), "summary": value(&summary)}).read(d); err != nil {
		return 0, err
	}
	if ran == nil || missed == nil {
		return 0, &ReadError{Place: clip(name, 200), Reason: "does not list both executed_lines and missing_lines"}
	}
	slices.Sort(ran)
	ran = slices.Compact(ran)
	others, ok := summary.others(len(ran), len(missed))
	if !ok {
		return 0, &ReadError{Place: clip(name, 200), Reason: "its summary contradicts its lists of lines"}
	}
	for i, line := range ran {
		weight := uint32(1)
		if i < others {
			weight = 0
		}
		if err := r.line(name, Place{Line: line}, weight, true); err != nil {
			return 0, err
		}
	}
	for _, line := range missed {
		if err := r.line(name, Place{Line: line}, 1, false); err != nil {
			return 0, err
		}
	}
	return len(ran) - others + len(missed), nil
}

// others is how many of the executed lines are no statements. Up to version
// 7.13 docstrings are among them (coverage.py's issue 2105) and only the
// summary tells how many: it does not tell which, so the first ones, where the
// docstring of a module is, are noted without weight.
func (s coveragePySummary) others(ran, missed int) (n int, ok bool) {
	if s.Covered == nil || s.Statements == nil {
		return 0, true
	}
	return ran - *s.Covered, *s.Covered >= 0 && *s.Covered <= ran && *s.Statements-*s.Covered == missed
}
