package evidence

import (
	"cmp"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Comparison is what differs between two packages, as far as their documents
// say. Nothing in it is a judgement of the later one: that is its score.
type Comparison struct {
	Factors   []FactorChange   // every factor of either; those that add most to the score first
	Facts     []FactChange     // that differ; what got worse first
	Measures  []Measure        // coverage and test counts, all of them
	Artifacts []ArtifactChange // that differ
	Values    []ValueChange    // of the sections, beyond what the other members say; by path
}

// FactorChange is one factor's part in both scores; nil where the model of a
// package does not have it.
type FactorChange struct {
	Name          string
	Before, After *Factor
}

// Delta is how much more the factor adds to the later score, in hundredths.
func (c FactorChange) Delta() Score {
	var delta Score
	if c.After != nil {
		delta += c.After.Contribution
	}
	if c.Before != nil {
		delta -= c.Before.Contribution
	}
	return delta
}

// Direction says which way a fact went.
type Direction string

// The directions. A fact that is not known, or cannot be used, is as bad as the
// worst.
const (
	Worse   Direction = "worse"
	Better  Direction = "better"
	Neither Direction = "changed"
)

// FactChange is a fact that differs.
type FactChange struct {
	FactDefinition
	Before, After Fact
	Direction     Direction
}

// Measure is a number in both packages; nil where it is not known.
type Measure struct {
	Name          string // coverage_percent, total, passed, failed, skipped
	Before, After *big.Rat
}

// Delta is how much it grew; nil where that is not known.
func (m Measure) Delta() *big.Rat {
	if m.Before == nil || m.After == nil {
		return nil
	}
	return new(big.Rat).Sub(m.After, m.Before)
}

// ArtifactState is what a package says of one artifact.
type ArtifactState struct {
	Name, Version, SHA256, Status, Signer string
}

// ArtifactChange is an artifact that differs; nil where a package does not have
// it.
type ArtifactChange struct {
	Before, After *ArtifactState
}

// ValueChange is a value that differs; nil where it is not there.
type ValueChange struct {
	Path          string
	Before, After jsontext.Value
}

// Compare compares two packages.
func Compare(before, after Record) Comparison {
	c := Comparison{
		Factors:  compareFactors(before.Assessment.Factors, after.Assessment.Factors),
		Facts:    compareFacts(ReadFacts(before.Sections, before.Origins...), ReadFacts(after.Sections, after.Origins...)),
		Measures: compareMeasures(before.Sections, after.Sections),
	}
	pairs := pairArtifacts(before.Sections, after.Sections)
	for _, p := range pairs {
		if change := p.change(); change != nil {
			c.Artifacts = append(c.Artifacts, *change)
		}
	}
	c.Values = compareValues(before.Sections, after.Sections, pairs, c)
	return c
}

func compareFactors(before, after []Factor) []FactorChange {
	var all []FactorChange
	for i := range after {
		all = append(all, FactorChange{Name: after[i].Name, After: &after[i]})
	}
	for i := range before {
		name := before[i].Name
		at := slices.IndexFunc(all, func(c FactorChange) bool { return c.Name == name })
		if at < 0 {
			all = append(all, FactorChange{Name: name, Before: &before[i]})
			continue
		}
		all[at].Before = &before[i]
	}
	slices.SortStableFunc(all, func(a, b FactorChange) int {
		return cmp.Or(cmp.Compare(b.Delta(), a.Delta()), strings.Compare(a.Name, b.Name))
	})
	return all
}

func compareFacts(before, after Facts) []FactChange {
	var all []FactChange
	for i, d := range definitions {
		if b, a := before[i], after[i]; b.State != a.State || b.Shown != a.Shown && (b.State != Known || !d.same(b, a)) {
			all = append(all, FactChange{d, b, a, d.direction(b, a)})
		}
	}
	rank := func(c FactChange) int { return slices.Index([]Direction{Worse, Neither, Better}, c.Direction) }
	slices.SortStableFunc(all, func(a, b FactChange) int { return cmp.Compare(rank(a), rank(b)) })
	return all
}

// same reports whether two known facts are, however they are spelt: 80 and 80.0.
func (d FactDefinition) same(a, b Fact) bool {
	if a.Number != nil && b.Number != nil {
		return a.Number.Cmp(b.Number) == 0
	}
	return a.Text == b.Text
}

func (d FactDefinition) direction(before, after Fact) Direction {
	order := 0 // of harm
	switch b, a := before.State == Known, after.State == Known; {
	case b != a && b:
		return Worse
	case b != a:
		return Better
	case !b:
		return Neither // missing, and invalid: both are the worst
	case before.Number != nil && after.Number != nil:
		if order = after.Number.Cmp(before.Number); d.Falling {
			order = -order
		}
	default:
		order = cmp.Compare(slices.Index(d.Values, after.Text), slices.Index(d.Values, before.Text))
	}
	switch {
	case order > 0:
		return Worse
	case order < 0:
		return Better
	}
	return Neither
}

// counted are the members of test_results that are numbers of tests.
var counted = []string{"total", "passed", "failed", "skipped"}

func compareMeasures(before, after Sections) []Measure {
	of := func(s Sections, name string, read func(jsontext.Value) Fact) *big.Rat {
		return read(member(s.TestResults, name)).Number
	}
	const coverage = "coverage_percent"
	all := []Measure{{coverage, of(before, coverage, readPercent), of(after, coverage, readPercent)}}
	for _, name := range counted {
		all = append(all, Measure{name, of(before, name, readCount), of(after, name, readCount)})
	}
	return all
}

// artifactPair is an artifact in both packages, with its place in each; -1 where
// a package does not have it.
type artifactPair struct {
	before, after     jsontext.Value
	wasAt, isAt       int
	wasState, isState ArtifactState
}

func (p artifactPair) change() *ArtifactChange {
	switch {
	case p.wasAt < 0:
		return &ArtifactChange{After: &p.isState}
	case p.isAt < 0:
		return &ArtifactChange{Before: &p.wasState}
	case p.wasState != p.isState:
		return &ArtifactChange{&p.wasState, &p.isState}
	}
	return nil
}

// pairArtifacts finds which artifact is which: by name, and what is left over by
// its place among what is left over.
func pairArtifacts(before, after Sections) []artifactPair {
	was, is := before.artifactList(), after.artifactList()
	var pairs []artifactPair
	taken := make([]bool, len(was))
	for i, a := range is {
		p := artifactPair{after: a, isAt: i, wasAt: -1, isState: stateOf(a)}
		for j, b := range was {
			if name := textOf(b, "name"); !taken[j] && name != "" && name == p.isState.Name {
				p.before, p.wasAt, taken[j] = b, j, true
				break
			}
		}
		pairs = append(pairs, p)
	}
	left := slices.Index(taken, false)
	for i := range pairs {
		if p := &pairs[i]; p.wasAt < 0 && left >= 0 {
			p.before, p.wasAt, taken[left] = was[left], left, true
			left = slices.Index(taken, false)
		}
	}
	for j, b := range was {
		if !taken[j] {
			pairs = append(pairs, artifactPair{before: b, wasAt: j, isAt: -1})
		}
	}
	for i := range pairs {
		if pairs[i].wasAt >= 0 {
			pairs[i].wasState = stateOf(pairs[i].before)
		}
	}
	return pairs
}

func stateOf(artifact jsontext.Value) ArtifactState {
	s := ArtifactState{
		Name: textOf(artifact, "name"), Version: textOf(artifact, "version"), SHA256: strings.ToLower(declaredDigest(artifact)),
	}
	signature := member(artifact, "signature")
	if text, ok := readText(signature); ok {
		s.Signer = text // what somebody says of it
	}
	if signature.Kind() == '{' {
		s.Status, s.Signer = textOf(signature, "status"), textOf(signature, "signer")
		if s.Signer == "" {
			s.Signer = textOf(signature, "description")
		}
	}
	return s
}

func textOf(object jsontext.Value, name string) string {
	text, _ := readText(member(object, name))
	return text
}

// compareValues compares the sections value by value, leaving out what the other
// parts of the comparison say.
func compareValues(before, after Sections, pairs []artifactPair, c Comparison) []ValueChange {
	w := &valueWalk{said: map[string]bool{}}
	for _, f := range c.Facts {
		w.said[string(f.Name)] = true
	}
	for _, m := range c.Measures[1:] {
		w.said[testResults+"."+m.Name] = m.Before != nil && m.After != nil
	}
	for _, p := range pairs {
		if p.wasAt < 0 || p.isAt < 0 {
			continue // said by the artifact's change
		}
		path := artifacts + "[" + strconv.Itoa(p.isAt) + "]"
		for _, name := range []string{"name", "version", "sha256", "hash", "signature.status", "signature.signer", "signature.description"} {
			w.said[path+"."+name] = true
		}
		_, text := readText(member(p.before, "signature"))
		_, textToo := readText(member(p.after, "signature"))
		w.said[path+".signature"] = text && textToo
		w.compare(path, p.before, p.after)
	}
	for _, name := range SectionNames()[1:] {
		w.compare(name, orEmpty(*before.section(name)), orEmpty(*after.section(name)))
	}
	slices.SortStableFunc(w.found, func(a, b ValueChange) int { return strings.Compare(a.Path, b.Path) })
	return w.found
}

// orEmpty is a section, if only one without members: what it would say has been
// missing one by one.
func orEmpty(section jsontext.Value) jsontext.Value {
	if section == nil {
		return jsontext.Value("{}")
	}
	return section
}

type valueWalk struct {
	said  map[string]bool // paths of single values that need not be said again
	found []ValueChange
}

// compare goes down as long as both are objects, or lists of one length; the
// sections are no deeper than what was let in.
func (w *valueWalk) compare(path string, before, after jsontext.Value) {
	switch {
	case string(before) == string(after):
	case before.Kind() == '{' && after.Kind() == '{':
		was, is := members(before), members(after)
		for name := range was {
			w.compare(path+"."+name, was[name], is[name])
		}
		for name := range is {
			if was[name] == nil {
				w.compare(path+"."+name, nil, is[name])
			}
		}
	case before.Kind() == '[' && after.Kind() == '[' && sameLength(before, after):
		was, is := elements(before), elements(after)
		for i := range was {
			w.compare(path+"["+strconv.Itoa(i)+"]", was[i], is[i])
		}
	case w.said[path] && before.Kind() != '[' && after.Kind() != '[': // a list says more than its length
	default:
		w.found = append(w.found, ValueChange{path, before, after})
	}
}

func sameLength(a, b jsontext.Value) bool {
	n, _ := length(a)
	m, _ := length(b)
	return n == m
}

func members(object jsontext.Value) map[string]jsontext.Value {
	all := map[string]jsontext.Value{}
	_ = eachMember(object, func(name string, value jsontext.Value) error { // checked when it was parsed
		all[name] = value
		return nil
	})
	return all
}
