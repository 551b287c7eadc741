package collect

import (
	"math/big"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// CoverageOf is what several reports cover together: a line that any of them
// ran is covered, and counts once. What a report tells by totals only is added:
// nobody can say which of its lines others ran too. The lines of the others are
// added to those of the first that has any: there may be millions.
func CoverageOf(reports ...Report) (covered, all int) {
	var merged Lines
	for _, r := range reports {
		covered, all = covered+r.Covered, all+r.Coverable
		if merged == nil {
			merged = r.Lines
			continue
		}
		for file, places := range r.Lines {
			for at, line := range places {
				merged.add(file, at, line)
			}
		}
	}
	hit, known := merged.count()
	return covered + hit, all + known
}

// Percent is covered of all in percent, with four decimals, rounded down: a
// threshold is never reached by rounding.
func Percent(covered, all int) jsontext.Value {
	if all == 0 {
		return jsontext.Value("0")
	}
	tenThousandths := new(big.Int).Mul(big.NewInt(int64(covered)), big.NewInt(1_000_000))
	tenThousandths.Quo(tenThousandths, big.NewInt(int64(all)))
	text := new(big.Rat).SetFrac(tenThousandths, big.NewInt(10_000)).FloatString(4)
	return jsontext.Value(strings.TrimRight(strings.TrimRight(text, "0"), "."))
}

// SeverityCounts are the findings of several scans together.
type SeverityCounts struct{ Critical, High, Medium, Low, Negligible, Unknown int }

// CountFindings counts the union of the findings by vulnerability and package,
// each at its highest severity. Findings that are set aside do not count.
func CountFindings(reports ...Report) SeverityCounts { return countFindings(union(reports)) }

func countFindings(findings map[FindingKey]Finding) SeverityCounts {
	var c SeverityCounts
	counters := map[Severity]*int{
		Critical: &c.Critical, High: &c.High, Medium: &c.Medium, Low: &c.Low, Negligible: &c.Negligible, Unknown: &c.Unknown,
	}
	for _, f := range findings {
		if f.SetAside == "" {
			*counters[f.Severity]++
		}
	}
	return c
}

// union is what several reports find together.
func union(reports []Report) map[FindingKey]Finding {
	all := map[FindingKey]Finding{}
	for _, r := range reports {
		for key, f := range r.Findings {
			merge(all, key, f)
		}
	}
	return all
}
