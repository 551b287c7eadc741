package risk

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"

	"github.com/eucora/eucora/internal/evidence"
)

// Assess scores the facts of a package. What is missing or unusable takes the
// rubric's worst points and says so. The result depends on nothing but the
// model and the facts.
func (m *Model) Assess(facts evidence.Facts) evidence.Assessment {
	result := evidence.Assessment{
		ModelVersion: m.source.Version, ModelDigest: m.digest, Formula: m.formula,
		Factors: make([]evidence.Factor, len(m.factors)),
	}
	parts := make([]*big.Int, len(m.factors))
	total := new(big.Int)
	for i := range m.factors {
		f := &m.factors[i]
		fact := facts.Get(f.definition.Name)
		b := f.find(fact)
		parts[i] = b.part
		total.Add(total, b.part)
		result.Factors[i] = evidence.Factor{
			Name: f.name, Input: fact.Shown, Source: string(f.definition.Name), State: fact.State.String(),
			Bucket: b.label, Points: b.points, MaxPoints: f.most, Weight: f.shown.weight, Share: f.shown.share,
			Value: b.value, Rationale: rationale(f, b, fact),
		}
	}
	result.Score = m.round(total)
	for i, contribution := range apportion(parts, total, m.denom, result.Score) {
		result.Factors[i].Contribution = contribution
	}
	return result
}

// find is the bucket that a fact falls in: the worst one for what is not known.
func (f *factor) find(fact evidence.Fact) *bucket {
	if fact.State == evidence.Known {
		for i := range f.buckets {
			b := &f.buckets[i]
			if fact.Number != nil && b.interval.contains(fact.Number) {
				return b
			}
			if fact.Number == nil && b.is == fact.Text {
				return b
			}
		}
	}
	return &f.buckets[f.worst]
}

func rationale(f *factor, b *bucket, fact evidence.Fact) string {
	switch fact.State {
	case evidence.Known:
		return fmt.Sprintf("%s is %s: %d of %d points", f.definition.Meaning, fact.Shown, b.points, f.most)
	case evidence.Invalid:
		return fmt.Sprintf("%s cannot be used (%s): counts as the worst, %d points", f.definition.Meaning, fact.Reason, b.points)
	}
	return fmt.Sprintf("%s is missing: counts as the worst, %d points", f.definition.Meaning, b.points)
}

// round turns an exact sum into a score: rounded up once, then clamped.
func (m *Model) round(total *big.Int) evidence.Score {
	score, rest := new(big.Int).QuoRem(total, m.denom, new(big.Int))
	if rest.Sign() > 0 {
		score.Add(score, big.NewInt(1))
	}
	if score.Cmp(big.NewInt(int64(evidence.MaxScore))) > 0 {
		return evidence.MaxScore
	}
	return evidence.Score(score.Int64())
}

// apportion shares the score among the factors by largest remainder, ties in
// the model's order, so that the contributions sum to it. A sum that was
// clamped is shared in proportion.
func apportion(parts []*big.Int, total, denom *big.Int, score evidence.Score) []evidence.Score {
	shares := make([]evidence.Score, len(parts))
	rests := make([]*big.Int, len(parts))
	order := make([]int, len(parts))
	scale, unit := big.NewInt(1), denom
	if clamped := new(big.Int).Mul(denom, big.NewInt(int64(score))); total.Cmp(clamped) > 0 {
		scale, unit = big.NewInt(int64(score)), total
	}
	left := score
	for i, part := range parts {
		order[i] = i
		whole, rest := new(big.Int).QuoRem(new(big.Int).Mul(part, scale), unit, new(big.Int))
		shares[i], rests[i] = evidence.Score(whole.Int64()), rest
		left -= shares[i]
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(rests[b].Cmp(rests[a]), cmp.Compare(a, b))
	})
	for _, i := range order[:left] {
		shares[i]++
	}
	return shares
}
