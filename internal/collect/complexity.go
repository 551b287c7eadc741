package collect

import "errors"

// function notes a function of a complexity report.
func (r *Report) function(complexity int, where string) {
	r.Functions++
	r.highest(complexity, where)
}

// highest notes a complexity that may be the highest.
func (r *Report) highest(complexity int, where string) {
	if complexity > r.Highest || r.HighestAt == "" {
		r.Highest, r.HighestAt = complexity, clip(where, 300)
	}
}

// anyFunctions refuses a report that tells of no function.
func (r *Report) anyFunctions() error {
	if r.Functions == 0 {
		return errors.New("lists no function: nothing was measured, which is not low complexity")
	}
	return nil
}

// The levels of complexity, by the highest function.
const (
	lowComplexity    = 10 // and less
	mediumComplexity = 20 // and less, but more than low
)

// ComplexityOf is the level of several reports together, by the most complex
// function of all: "low", "medium" or "high". It is "" without reports.
func ComplexityOf(reports ...Report) string {
	highest := 0
	for _, r := range reports {
		highest = max(highest, r.Highest)
	}
	switch {
	case len(reports) == 0:
		return ""
	case highest <= lowComplexity:
		return "low"
	case highest <= mediumComplexity:
		return "medium"
	}
	return "high"
}
