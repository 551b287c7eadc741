package risk

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"

	"github.com/eucora/eucora/internal/evidence"
)

// interval is a range of numbers. A nil bound is the end of the fact's range.
type interval struct {
	low, high         *big.Rat
	lowOpen, highOpen bool // the bound itself is outside
}

func (in interval) contains(n *big.Rat) bool {
	if in.low != nil {
		if c := n.Cmp(in.low); c < 0 || (c == 0 && in.lowOpen) {
			return false
		}
	}
	if in.high != nil {
		if c := n.Cmp(in.high); c > 0 || (c == 0 && in.highOpen) {
			return false
		}
	}
	return true
}

// empty reports whether no value of a fact lies in the interval.
func (in interval) empty(kind evidence.FactKind) bool {
	if in.high != nil && in.highOpen && in.high.Sign() == 0 {
		return true // nothing is below 0
	}
	if kind != evidence.PercentFact || in.low == nil {
		return false
	}
	c := in.low.Cmp(big.NewRat(100, 1))
	return c > 0 || (c == 0 && in.lowOpen)
}

// interval reads a rubric line for a numeric fact.
func (line sourceBucket) interval(whole bool) (interval, error) {
	if line.bounds() != 1 || (line.From == "") != (line.To == "") {
		return interval{}, fmt.Errorf("want one of: is, below, above, or from and to")
	}
	read := func(text string) (*big.Rat, error) {
		n, ok := new(big.Rat).SetString(text)
		if !numberForm.MatchString(text) || !ok || (whole && !n.IsInt()) {
			return nil, fmt.Errorf("%q is not a number that this fact can have", text)
		}
		return n, nil
	}
	var in interval
	var err, err2 error
	switch {
	case line.Is != "":
		in.low, err = read(line.Is)
		in.high = in.low
	case line.Below != "":
		in.high, err = read(line.Below)
		in.highOpen = true
	case line.Above != "":
		in.low, err = read(line.Above)
		in.lowOpen = true
	default:
		in.low, err = read(line.From)
		in.high, err2 = read(line.To)
		if err == nil && err2 == nil && in.low.Cmp(in.high) > 0 {
			err = fmt.Errorf("from %s to %s holds nothing", line.From, line.To)
		}
	}
	return in, cmp.Or(err, err2)
}

// partition checks that a rubric's lines cover the fact's whole range, each
// value once, and that worse never has fewer points.
func (b *builder) partition(f factor, at []any) {
	lines := slices.Clone(f.buckets)
	if f.definition.Values != nil {
		b.partitionValues(f, lines, at)
		return
	}
	slices.SortFunc(lines, func(x, y bucket) int { return compareLow(x.interval, y.interval) })
	whole := f.definition.Kind == evidence.NumberFact
	if first := lines[0].interval; first.low != nil && (first.low.Sign() > 0 || first.lowOpen) {
		b.fail(at, "nothing is said below %s", lines[0].label)
	}
	for i := 1; i < len(lines); i++ {
		if gap := meets(lines[i-1].interval, lines[i].interval, whole); gap != "" {
			b.fail(at, "%s between %q and %q", gap, lines[i-1].label, lines[i].label)
		}
	}
	if !reachesTop(lines[len(lines)-1].interval, f.definition.Kind) {
		b.fail(at, "nothing is said beyond %s", lines[len(lines)-1].label)
	}
	b.monotone(lines, f.definition.Falling, at)
}

func (b *builder) partitionValues(f factor, lines []bucket, at []any) {
	ordered := make([]bucket, 0, len(lines))
	for _, value := range f.definition.Values {
		n := 0
		for _, line := range lines {
			if line.is == value {
				ordered = append(ordered, line)
				n++
			}
		}
		if n != 1 {
			b.fail(at, "%q stands %d times; every value must stand once", value, n)
		}
	}
	b.monotone(ordered, false, at)
}

func (b *builder) monotone(lines []bucket, falling bool, at []any) {
	for i := 1; i < len(lines); i++ {
		better, worse := lines[i-1], lines[i]
		if falling {
			better, worse = worse, better
		}
		if worse.points < better.points {
			b.fail(at, "%q is worse than %q and has fewer points; worse evidence must never lower the score", worse.label, better.label)
		}
	}
}

func compareLow(x, y interval) int {
	switch {
	case x.low == nil || y.low == nil:
		return cmp.Compare(boolInt(x.low != nil), boolInt(y.low != nil))
	case x.low.Cmp(y.low) != 0:
		return x.low.Cmp(y.low)
	}
	return cmp.Compare(boolInt(x.lowOpen), boolInt(y.lowOpen))
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// meets says what is wrong where one interval ends and the next begins; ""
// when they adjoin. Whole numbers adjoin when they follow each other.
func meets(x, y interval, whole bool) string {
	if x.high == nil || y.low == nil {
		return "overlap"
	}
	end, start := new(big.Rat).Set(x.high), new(big.Rat).Set(y.low)
	one := big.NewRat(1, 1)
	if whole { // closed at both ends, and the next begins one further
		if x.highOpen {
			end.Sub(end, one)
		}
		if !y.lowOpen {
			start.Sub(start, one)
		}
		return [...]string{"overlap", "", "gap"}[start.Cmp(end)+1]
	}
	switch c := start.Cmp(end); {
	case c > 0 || (c == 0 && x.highOpen && y.lowOpen):
		return "gap"
	case c < 0 || (!x.highOpen && !y.lowOpen):
		return "overlap"
	}
	return ""
}

func reachesTop(in interval, kind evidence.FactKind) bool {
	if in.high == nil {
		return true
	}
	return kind == evidence.PercentFact && in.high.Cmp(big.NewRat(100, 1)) >= 0 && !(in.highOpen && in.high.Cmp(big.NewRat(100, 1)) == 0)
}
