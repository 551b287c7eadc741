package console

import (
	"cmp"
	"math/big"
	"slices"
	"strings"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
)

// scoreView is why a score is what it is. Widths and places are in points of the
// score, so that what is drawn sums to it as the numbers do.
type scoreView struct {
	Score         string
	Points        float64
	Band          band
	Auto, Review  int
	Parts         []part
	Formula       string
	Model         string
	ModelDigest   string
	Rationale     string
	Guards        []string
	WaitsForOther string
}

// part is one factor's part in a score.
type part struct {
	evidence.Factor
	Title    string
	Shade    int     // which of the shades of a bar it has
	From     float64 // where it begins in the bar: what the parts before it add
	Width    float64
	Known    bool
	Derived  bool
	Sources  []string // files that the value was read from
	Declared string   // what was declared instead; "" if nothing else was
	Percent  string   // share of the model's weight
}

// shades is how many different ones the style has.
const shades = 6

// scoreOf explains a package's score, the factors that add most first.
func scoreOf(r evidence.Record, gate cab.Gate) scoreView {
	a := r.Assessment
	view := scoreView{
		Score: a.Score.String(), Points: a.Score.Float(), Band: bandOf(a.Score, gate.Thresholds), Auto: gate.Thresholds.Auto, Review: gate.Thresholds.Review,
		Formula: a.Formula, Model: a.ModelVersion, ModelDigest: a.ModelDigest, Rationale: sentence(strings.ReplaceAll(gate.Rationale, "_", " ")), Guards: gate.Guards,
		WaitsForOther: gate.WaitsFor,
	}
	factors := slices.Clone(a.Factors)
	slices.SortStableFunc(factors, func(a, b evidence.Factor) int { return cmp.Compare(b.Contribution, a.Contribution) })
	names := map[string]string{}
	for _, f := range r.Attachments {
		names[f.SHA256] = cmp.Or(f.Name, short(f.SHA256))
	}
	facts := evidence.ReadFacts(r.Sections, r.Origins...)
	var sum evidence.Score
	for i, f := range factors {
		p := part{
			Factor: f, Title: capital(strings.ReplaceAll(f.Name, "_", " ")), Shade: i % shades, From: sum.Float(), Width: f.Contribution.Float(),
			Known: f.State == "known", Derived: facts.Get(evidence.FactName(f.Source)).Derived, Percent: percent(f.Share),
		}
		p.Input = words(p.Input)
		if p.Bucket = words(p.Bucket); p.Bucket == p.Input {
			p.Bucket = ""
		}
		p.readFrom(r.Origins, names)
		sum += f.Contribution
		view.Parts = append(view.Parts, p)
	}
	return view
}

// percent is a share as people read it.
func percent(share string) string {
	r, ok := new(big.Rat).SetString(share)
	if !ok {
		return share
	}
	return r.Mul(r, big.NewRat(100, 1)).FloatString(1) + " %"
}

// Points that a factor adds, with the sign that a sum has.
func (p part) Adds() string { return p.Contribution.String() }

// behind lists the values that a fact is made of, where it is not one of the
// sections' own.
var behind = map[evidence.FactName][]string{
	evidence.CriticalAndHigh:      {string(evidence.Critical), string(evidence.High), string(evidence.Unknown)},
	evidence.RatedCriticalAndHigh: {string(evidence.Critical), string(evidence.High)},
}

func (p *part) readFrom(origins []evidence.Origin, names map[string]string) {
	paths := append(behind[evidence.FactName(p.Source)], p.Source)
	for _, o := range origins {
		signature := p.Source == string(evidence.SignatureStatus) && strings.HasSuffix(o.Path, "signature.status")
		if !slices.Contains(paths, o.Path) && !signature {
			continue
		}
		for _, s := range o.Sources {
			if name := names[s.Attachment]; name != "" && !slices.Contains(p.Sources, name) {
				p.Sources = append(p.Sources, name)
			}
		}
		if o.Declared != nil {
			p.Declared = cut(string(o.Declared), 60)
		}
	}
}
