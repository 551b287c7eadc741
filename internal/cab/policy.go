package cab

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"

	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/risk"
	"github.com/go-json-experiment/json"
	"go.yaml.in/yaml/v3"
)

// GateDecision is what the gate says of a package. Specification, section 5.
type GateDecision string

// The gate's answers, from the mildest to the strictest.
const (
	GateAuto      GateDecision = "auto_approved"
	GateReview    GateDecision = "manual_review"
	GateException GateDecision = "exception_required"
)

var gateOrder = []GateDecision{GateAuto, GateReview, GateException}

func stricter(a, b GateDecision) GateDecision {
	return gateOrder[max(slices.Index(gateOrder, a), slices.Index(gateOrder, b))]
}

// Policy is a published, versioned document that turns a score into a gate:
// thresholds, guards, quorum and time limits. Published policies never change.
type Policy struct {
	Version    string           `json:"version" yaml:"version"`
	RiskModel  string           `json:"risk_model" yaml:"risk_model"` // version of the model that scores new packages
	Thresholds PolicyThresholds `json:"thresholds" yaml:"thresholds"`
	Guards     []PolicyGuard    `json:"guards" yaml:"guards"`
	Quorum     int              `json:"quorum" yaml:"quorum"`               // distinct CAB members who must approve, 1 or more
	Approval   int              `json:"approval_days" yaml:"approval_days"` // an approval is good for this many days
	Exception  ExceptionTerms   `json:"exception" yaml:"exception"`
	DecideIn   DecideWithin     `json:"decide_within_hours" yaml:"decide_within_hours"`

	// Facts that must have been read from attachments: a package in which one
	// of them is only declared, or absent, needs an exception.
	RequireDerived []evidence.FactName `json:"require_derived,omitzero" yaml:"require_derived"`

	// While witnesses have not seen the ledger for [WitnessGrace], an automatic
	// approval waits: for them, or for CAB.
	RequireWitnessed bool `json:"require_witnessed,omitzero" yaml:"require_witnessed"`
}

// PolicyThresholds are the highest scores, in whole points, of the automatic
// and of the reviewed gate; above Review an exception is required.
type PolicyThresholds struct {
	Auto   int `json:"auto" yaml:"auto"`
	Review int `json:"review" yaml:"review"`
}

// PolicyGuard raises the gate when a fact is true, above a number, one of some
// words, or unreadable. A guard never lowers a gate.
type PolicyGuard struct {
	Name    string            `json:"name" yaml:"name"`
	Fact    evidence.FactName `json:"fact" yaml:"fact"`
	Above   *int64            `json:"above,omitzero" yaml:"above"` // for numbers: fires above this
	IsTrue  bool              `json:"is_true,omitzero" yaml:"is_true"`
	OneOf   []string          `json:"one_of,omitzero" yaml:"one_of"` // for texts: fires if it is one of these
	AtLeast GateDecision      `json:"at_least" yaml:"at_least"`
	Reason  string            `json:"reason" yaml:"reason"`
}

// ExceptionTerms bound an exception's life, in days.
type ExceptionTerms struct {
	DefaultDays int `json:"default_days" yaml:"default_days"`
	MaxDays     int `json:"max_days" yaml:"max_days"`
}

// DecideWithin is how soon a request wants a decision, in hours. Passing it
// changes nothing by itself: silence is never consent.
type DecideWithin struct {
	Standard int `json:"standard" yaml:"standard"`
	Urgent   int `json:"urgent" yaml:"urgent"`
}

//go:embed policies/*.yaml
var policyFiles embed.FS

// PolicyFile is a policy as it is written.
type PolicyFile struct {
	Name string
	Text []byte
}

// Policies are the policies that come with the program, oldest first. A new
// installation has them all, and the newest in force.
func Policies() []PolicyFile {
	var files []PolicyFile
	for _, version := range []string{"1.0", "1.1"} {
		name := "policies/" + version + ".yaml"
		text, err := policyFiles.ReadFile(name)
		if err != nil {
			panic("an embedded policy is missing: " + err.Error()) // cannot happen: embedded at build
		}
		files = append(files, PolicyFile{name, text})
	}
	return files
}

// DefaultPolicy returns the name and the text of the policy that a new
// installation starts with.
func DefaultPolicy() (name string, text []byte) {
	all := Policies()
	newest := all[len(all)-1]
	return newest.Name, newest.Text
}

// ParsePolicy reads a policy from YAML, refusing unknown members and terms
// that could never be met or would open the gate to everything.
func ParsePolicy(name string, text []byte) (Policy, error) {
	var p Policy
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&p); err != nil {
		return Policy{}, fmt.Errorf("%s: %w", name, err)
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return Policy{}, fmt.Errorf("%s: more than one document", name)
	}
	if err := p.check(); err != nil {
		return Policy{}, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

// Document is the canonical (RFC 8785) form that is published, stored and
// hashed.
func (p Policy) Document() ([]byte, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode policy %s: %w", p.Version, err)
	}
	return evidence.Canonical(text)
}

// PolicyFromDocument reads what [Policy.Document] wrote.
func PolicyFromDocument(document []byte) (Policy, error) {
	var p Policy
	if err := json.Unmarshal(document, &p, json.RejectUnknownMembers(true)); err != nil {
		return Policy{}, fmt.Errorf("stored policy: %w", err)
	}
	return p, p.check()
}

var versionForm = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.-]{0,31}$`)

func (p Policy) check() error {
	var problems []error
	require := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	require(versionForm.MatchString(p.Version), "version: %q is not a version", p.Version)
	require(versionForm.MatchString(p.RiskModel), "risk_model: %q is not a version", p.RiskModel)
	require(0 <= p.Thresholds.Auto && p.Thresholds.Auto <= p.Thresholds.Review && p.Thresholds.Review <= 100,
		"thresholds: want 0 <= auto <= review <= 100")
	require(p.Quorum >= 1 && p.Quorum <= 20, "quorum: want 1 to 20 CAB members")
	require(p.Approval >= 1 && p.Approval <= 365, "approval_days: want 1 to 365")
	require(p.Exception.MaxDays >= 1 && p.Exception.MaxDays <= 90, "exception.max_days: want 1 to 90")
	require(p.Exception.DefaultDays >= 1 && p.Exception.DefaultDays <= p.Exception.MaxDays,
		"exception.default_days: want 1 to max_days")
	require(p.DecideIn.Standard >= 1 && p.DecideIn.Urgent >= 1, "decide_within_hours: want at least 1")
	for i, guard := range p.Guards {
		require(guard.Name != "", "guards[%d].name: missing", i)
		require(slices.Contains(gateOrder[1:], guard.AtLeast), "guards[%d].at_least: want manual_review or exception_required", i)
		require(guard.conditions() == 1, "guards[%d]: want one of above, is_true and one_of", i)
		require(guard.factFits(), "guards[%d].fact: %q is not a fact of that kind", i, guard.Fact)
	}
	for i, name := range p.RequireDerived {
		require(canBeDerived(name), "require_derived[%d]: %q is not a fact that is read from files", i, name)
	}
	return errors.Join(problems...)
}

// conditions counts the conditions that a guard states.
func (g PolicyGuard) conditions() int {
	n := 0
	for _, stated := range []bool{g.Above != nil, g.IsTrue, g.OneOf != nil} {
		if stated {
			n++
		}
	}
	return n
}

func (g PolicyGuard) factFits() bool {
	for _, definition := range evidence.FactDefinitions() {
		if definition.Name != g.Fact {
			continue
		}
		switch definition.Kind {
		case evidence.NumberFact:
			return g.Above != nil
		case evidence.BoolFact:
			return g.IsTrue
		case evidence.TextFact:
			return len(g.OneOf) > 0 && !slices.ContainsFunc(g.OneOf, func(word string) bool { return !slices.Contains(definition.Values, word) })
		}
	}
	return false
}

// canBeDerived: facts of the plans are nobody's file, but for the complexity.
func canBeDerived(name evidence.FactName) bool {
	switch name {
	case evidence.Coverage, evidence.TestsFailed, evidence.Critical, evidence.High, evidence.Medium, evidence.Low, evidence.Unknown,
		evidence.CriticalAndHigh, evidence.RatedCriticalAndHigh, evidence.Complexity, evidence.SignatureStatus:
		return true
	}
	return false
}

// RiskThresholds are the thresholds as package risk wants them.
func (p Policy) RiskThresholds() risk.Thresholds {
	return risk.Thresholds{Auto: p.Thresholds.auto(), Review: p.Thresholds.review()}
}

func (t PolicyThresholds) auto() evidence.Score   { return evidence.Score(t.Auto * 100) }
func (t PolicyThresholds) review() evidence.Score { return evidence.Score(t.Review * 100) }

// Gate is the gate's answer for one package, with its reasons.
type Gate struct {
	Decision   GateDecision     `json:"decision"`
	Thresholds PolicyThresholds `json:"thresholds"`
	Guards     []string         `json:"guards"` // the guards that fired
	Rationale  string           `json:"rationale"`
	WaitsFor   string           `json:"waits_for,omitzero"` // "" or [ForWitnesses]; stays when it waits no more
}

// ForWitnesses is what an automatic approval waits for under a policy that wants
// the ledger witnessed.
const ForWitnesses = "witnesses"

// WitnessGrace is how long an event may be without a quorum of witnesses before the
// ledger counts as unwitnessed: signing and asking take a few seconds.
const WitnessGrace = time.Minute

// Witnessed reports whether witnesses follow the ledger. since is the time of the
// first event that no quorum has witnessed; zero if there is none. An event from
// further ahead than that is no clock's: a date in the future would excuse for ever.
func Witnessed(since, now time.Time) bool {
	return since.IsZero() || now.Sub(since).Abs() < WitnessGrace
}

// Evaluate turns a score and the facts behind it into a gate. A score equal to
// a threshold falls on its lenient side: 50.00 is automatic, 50.01 is not.
func (p Policy) Evaluate(score evidence.Score, facts evidence.Facts) Gate {
	limits := p.RiskThresholds()
	gate := Gate{Decision: GateException, Thresholds: p.Thresholds, Guards: []string{}}
	switch {
	case score <= limits.Auto:
		gate.Decision = GateAuto
		gate.Rationale = fmt.Sprintf("score %s is at most %d", score, p.Thresholds.Auto)
	case score <= limits.Review:
		gate.Decision = GateReview
		gate.Rationale = fmt.Sprintf("score %s is above %d and at most %d", score, p.Thresholds.Auto, p.Thresholds.Review)
	default:
		gate.Rationale = fmt.Sprintf("score %s is above %d", score, p.Thresholds.Review)
	}
	raise := func(name string, least GateDecision, reason string) {
		gate.Guards = append(gate.Guards, name)
		gate.Decision = stricter(gate.Decision, least)
		gate.Rationale += fmt.Sprintf("; guard %s: %s, at least %s", name, reason, least)
	}
	for _, guard := range p.Guards {
		if guard.fires(facts) {
			reason := guard.Reason
			if facts.Get(guard.Fact).State != evidence.Known {
				reason = string(guard.Fact) + " is not known, which counts as the worst"
			}
			raise(guard.Name, guard.AtLeast, reason)
		}
	}
	for _, name := range p.RequireDerived {
		if fact := facts.Get(name); fact.State != evidence.Known || !fact.Derived {
			raise("require_derived", GateException, string(name)+" was not read from a file, which this policy wants")
			break
		}
	}
	return gate
}

// fires: what cannot be read counts as the worst it could be, and so does a
// number that is absent. A flag that is absent is not set, and a text that is
// absent is none of those asked for: nobody writes down every flag that a
// deployment does not have, and who wants a fact to be there requires it.
func (g PolicyGuard) fires(facts evidence.Facts) bool {
	fact := facts.Get(g.Fact)
	switch {
	case g.Above != nil:
		return fact.Above(*g.Above)
	case g.IsTrue:
		return fact.State == evidence.Invalid || fact.True()
	}
	return fact.State == evidence.Invalid || fact.State == evidence.Known && slices.Contains(g.OneOf, fact.Text)
}

func days(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }
