package risk

import (
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"

	"github.com/eucora/eucora/internal/evidence"
	"github.com/go-json-experiment/json"
)

// Limits of a model. They keep checking a model quick; nobody needs more.
const (
	maxFactors = 32
	maxBuckets = 32
	maxPoints  = 100
	// maxDenomBits keeps every sum of contributions (at most 32 × 10,000 × the
	// denominator) within 63 bits.
	maxDenomBits = 40
)

// problem is something wrong with a model, and where.
type problem struct {
	path   []any
	reason string
}

var (
	versionForm = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.-]{0,31}$`)
	nameForm    = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	weightForm  = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{1,4})?$`)
	numberForm  = regexp.MustCompile(`^[0-9]{1,12}(\.[0-9]{1,6})?$`)
)

// builder collects problems while a model is checked.
type builder struct{ problems []problem }

func (b *builder) fail(path []any, format string, args ...any) {
	b.problems = append(b.problems, problem{path, fmt.Sprintf(format, args...)})
}

// build checks a model and prepares it for scoring.
func build(src source) (*Model, []problem) {
	b := new(builder)
	if !versionForm.MatchString(src.Version) {
		b.fail([]any{"version"}, "version %q: want 1 to 32 letters, digits, dots and dashes", src.Version)
	}
	if src.Normalization != ByMax && src.Normalization != Raw {
		b.fail([]any{"normalization"}, "normalization %q: want max or none", src.Normalization)
	}
	if n := len(src.Factors); n < 1 || n > maxFactors {
		b.fail([]any{"factors"}, "%d factors: want 1 to %d; a model without factors would score nothing", n, maxFactors)
	}
	m := &Model{source: src}
	names := map[string]bool{}
	facts := map[evidence.FactName]bool{}
	for i, f := range src.Factors {
		at := []any{"factors", i}
		if names[f.Name] {
			b.fail(append(at, "name"), "there are two factors %q", f.Name)
		}
		names[f.Name] = true
		if facts[f.Fact] {
			b.fail(append(at, "fact"), "%q is read by another factor already; give that one the weight of both", f.Fact)
		}
		facts[f.Fact] = true
		m.factors = append(m.factors, b.factor(f, at))
	}
	if len(b.problems) > 0 {
		return nil, b.problems
	}
	m.prepare()
	if m.denom.BitLen() > maxDenomBits {
		b.fail([]any{"factors"}, "weights and points have no small common denominator; use fewer digits")
		return nil, b.problems
	}
	if err := m.seal(); err != nil {
		b.fail(nil, "%v", err)
	}
	return m, b.problems
}

func (b *builder) factor(src sourceFactor, at []any) factor {
	f := factor{name: src.Name}
	if !nameForm.MatchString(src.Name) {
		b.fail(append(at, "name"), "factor name %q: want lower-case letters, digits and _", src.Name)
	}
	weight, ok := new(big.Rat).SetString(src.Weight)
	if !weightForm.MatchString(src.Weight) || !ok || weight.Sign() <= 0 {
		b.fail(append(at, "weight"), "weight %q: want a positive decimal with at most four decimals", src.Weight)
		weight = big.NewRat(1, 1)
	}
	f.weight, f.shown.weight = weight, src.Weight
	i := slices.IndexFunc(evidence.FactDefinitions(), func(d evidence.FactDefinition) bool { return d.Name == src.Fact })
	if i < 0 {
		b.fail(append(at, "fact"), "%q is not a fact; eucora risk facts lists them", src.Fact)
		return f
	}
	f.definition = evidence.FactDefinitions()[i]
	if n := len(src.Rubric); n < 1 || n > maxBuckets {
		b.fail(append(at, "rubric"), "%d lines: want 1 to %d", n, maxBuckets)
		return f
	}
	for j, line := range src.Rubric {
		if line.Points < 0 || line.Points > maxPoints {
			b.fail(append(at, "rubric", j, "points"), "%d points: want 0 to %d", line.Points, maxPoints)
		}
		f.buckets = append(f.buckets, b.bucket(f.definition, line, append(slices.Clone(at), "rubric", j)))
		if line.Points > f.most {
			f.most, f.worst = line.Points, j
		}
	}
	if f.most == 0 {
		b.fail(append(at, "rubric"), "no line has points; the factor would never count")
	}
	if len(b.problems) == 0 {
		b.partition(f, append(at, "rubric"))
	}
	return f
}

func (b *builder) bucket(definition evidence.FactDefinition, line sourceBucket, at []any) bucket {
	made := bucket{is: line.Is, points: line.Points}
	if definition.Values != nil {
		made.label = line.Is
		if !slices.Contains(definition.Values, line.Is) || line.bounds() != 1 {
			b.fail(at, "want is: one of %s", strings.Join(definition.Values, ", "))
		}
		return made
	}
	var err error
	if made.interval, err = line.interval(definition.Kind == evidence.NumberFact); err != nil {
		b.fail(at, "%v", err)
	}
	made.label = line.label()
	if err == nil && made.interval.empty(definition.Kind) {
		b.fail(at, "%q holds no value that this fact can have", made.label)
	}
	return made
}

func (line sourceBucket) bounds() int {
	n := 0
	for _, text := range []string{line.Is, line.Below, line.Above, line.From + line.To} {
		if text != "" {
			n++
		}
	}
	return n
}

func (line sourceBucket) label() string {
	switch {
	case line.Is != "":
		return line.Is
	case line.Below != "":
		return "< " + line.Below
	case line.Above != "":
		return "> " + line.Above
	}
	return line.From + "–" + line.To
}

// prepare works out every bucket's exact contribution. Everything is held over
// one denominator, so that scoring adds integers.
func (m *Model) prepare() {
	total := new(big.Rat)
	for _, f := range m.factors {
		total.Add(total, f.weight)
	}
	parts := make([][]*big.Rat, len(m.factors))
	m.denom = big.NewInt(1)
	for i := range m.factors {
		f := &m.factors[i]
		f.share = new(big.Rat).Quo(f.weight, total)
		f.shown.share = f.share.FloatString(4)
		for j := range f.buckets {
			part := m.part(f, &f.buckets[j])
			parts[i] = append(parts[i], part)
			m.denom = lcm(m.denom, part.Denom())
		}
	}
	for i := range m.factors {
		for j := range m.factors[i].buckets {
			scaled := new(big.Rat).Mul(parts[i][j], new(big.Rat).SetInt(m.denom))
			m.factors[i].buckets[j].part = scaled.Num()
		}
	}
	m.formula = "clamp(0..100, Σ(share_i × points_i / max_points_i × 100)), rounded up to hundredths"
	if m.source.Normalization == Raw {
		m.formula = "clamp(0..100, Σ(weight_i × points_i)), rounded up to hundredths"
	}
}

// part is a bucket's contribution in hundredths of a point.
func (m *Model) part(f *factor, b *bucket) *big.Rat {
	if m.source.Normalization == Raw {
		b.value = fmt.Sprint(b.points)
		return new(big.Rat).Mul(f.weight, big.NewRat(int64(b.points)*100, 1))
	}
	value := big.NewRat(int64(b.points)*100, int64(f.most))
	b.value = trimZeros(value.FloatString(4))
	return new(big.Rat).Mul(f.share, value.Mul(value, big.NewRat(100, 1)))
}

func trimZeros(text string) string {
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

func lcm(a, b *big.Int) *big.Int {
	gcd := new(big.Int).GCD(nil, nil, a, b)
	return new(big.Int).Mul(a, new(big.Int).Quo(b, gcd))
}

// seal makes the canonical document and its digest.
func (m *Model) seal() error {
	text, err := json.Marshal(m.source)
	if err != nil {
		return fmt.Errorf("encode risk model: %w", err)
	}
	if m.document, err = evidence.Canonical(text); err != nil {
		return fmt.Errorf("encode risk model: %w", err)
	}
	m.digest = evidence.Digest(m.document)
	return nil
}
