package risk

import (
	"math/big"

	"github.com/eucora/eucora/internal/evidence"
)

// Description is a model as people read it.
type Description struct {
	Version, Title, Digest string
	Formula                string
	Factors                []FactorDescription
}

// FactorDescription is one factor of a model.
type FactorDescription struct {
	Name   string
	Fact   evidence.FactDefinition
	Weight string // as its author wrote it
	Share  string // of the model's total weight, with four decimals
	Most   int    // points of its worst line
	Lines  []LineDescription
}

// LineDescription is one line of a rubric.
type LineDescription struct {
	Label  string
	Points int
	Adds   string // to the score, with two decimals: exact contributions are rounded in their sum only
	Worst  bool   // what is not known counts as this
}

// Describe says what a model is made of.
func (m *Model) Describe() Description {
	d := Description{Version: m.Version(), Title: m.Title(), Digest: m.Digest(), Formula: m.formula}
	hundred := new(big.Int).Mul(m.denom, big.NewInt(100)) // parts are hundredths of a point
	for _, f := range m.factors {
		described := FactorDescription{Name: f.name, Fact: f.definition, Weight: f.shown.weight, Share: f.shown.share, Most: f.most}
		for i, b := range f.buckets {
			adds := new(big.Rat).SetFrac(b.part, hundred).FloatString(2)
			described.Lines = append(described.Lines, LineDescription{b.label, b.points, adds, i == f.worst})
		}
		d.Factors = append(d.Factors, described)
	}
	return d
}
