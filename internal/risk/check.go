package risk

import (
	"fmt"
	"strings"

	"github.com/eucora/eucora/internal/evidence"
)

// Thresholds are the highest scores of the automatic and the reviewed gate.
type Thresholds struct{ Auto, Review evidence.Score }

// Report is what a model can do: its range, and how many combinations of its
// rubrics' lines reach each gate.
type Report struct {
	Min, Max               evidence.Score
	Combinations           int64
	Auto, Review, Excepted int64 // combinations that score within each gate
	allowUnreachable       bool
	tooMany                bool
}

// maxSums bounds the work of checking a model: distinct partial sums kept.
const maxSums = 1 << 20

// Check works out every combination of a model's rubric lines.
func (m *Model) Check(t Thresholds) Report {
	sums := map[int64]int64{0: 1} // numerator of a partial sum → combinations
	for _, f := range m.factors {
		next := make(map[int64]int64, len(sums))
		for sum, n := range sums {
			for _, b := range f.buckets {
				next[sum+b.part.Int64()] += n
			}
			if len(next) > maxSums {
				return Report{tooMany: true}
			}
		}
		sums = next
	}
	r := Report{Min: evidence.MaxScore, allowUnreachable: m.source.AllowUnreachable}
	denom := m.denom.Int64()
	for sum, n := range sums {
		score := min((evidence.Score)((sum+denom-1)/denom), evidence.MaxScore)
		r.Min, r.Max = min(r.Min, score), max(r.Max, score)
		r.Combinations += n
		switch {
		case score <= t.Auto:
			r.Auto += n
		case score <= t.Review:
			r.Review += n
		default:
			r.Excepted += n
		}
	}
	return r
}

// Unreachable lists the gates that no evidence can reach.
func (r Report) Unreachable() []string {
	var gates []string
	for _, gate := range []struct {
		name string
		n    int64
	}{{"auto_approved", r.Auto}, {"manual_review", r.Review}, {"exception_required", r.Excepted}} {
		if gate.n == 0 {
			gates = append(gates, gate.name)
		}
	}
	return gates
}

// Err refuses a model with a gate that nothing can reach, unless its author
// allows that.
func (r Report) Err() error {
	if r.tooMany {
		return fmt.Errorf("the model has too many combinations of rubric lines to check; use fewer factors or rounder weights")
	}
	if gates := r.Unreachable(); len(gates) > 0 && !r.allowUnreachable {
		return fmt.Errorf("scores run from %s to %s, so no evidence can reach %s; change weights or points, or say allow_unreachable: true",
			r.Min, r.Max, strings.Join(gates, " or "))
	}
	return nil
}
