package evidence

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// FactName names something that scoring and guards can read. Models and
// policies use these names.
type FactName string

// FactKind is what sort of value a fact has.
type FactKind uint8

// The kinds of facts.
const (
	NumberFact  FactKind = iota // a whole number, 0 or more
	PercentFact                 // 0 to 100, any fraction
	TextFact                    // one of an ordered list
	BoolFact
)

// FactDefinition describes a fact: what it is and which way is worse.
type FactDefinition struct {
	Name    FactName
	Kind    FactKind
	Falling bool     // numbers: lower is worse (otherwise higher is)
	Values  []string // text and bool: every value, best first
	Meaning string
}

var (
	manualTestStatuses = []string{"completed", "in_progress", "not_started"}
	complexities       = []string{"low", "medium", "high"}
	signatureStatuses  = []string{"valid", "unknown_format", "unsigned", "untrusted", "expired", "invalid"}
)

// The facts.
const (
	Coverage        FactName = "test_results.coverage_percent"
	ManualTests     FactName = "test_results.manual_test_status"
	TestsFailed     FactName = "test_results.failed"
	Critical        FactName = "scan_results.critical"
	High            FactName = "scan_results.high"
	Medium          FactName = "scan_results.medium"
	Low             FactName = "scan_results.low"
	Unknown         FactName = "scan_results.unknown"
	CriticalAndHigh FactName = "scan_results.critical_and_high"
	Components      FactName = "deployment_plan.affected_components"
	Users           FactName = "deployment_plan.affected_users"
	Complexity      FactName = "deployment_plan.complexity"
	Privileged      FactName = "deployment_plan.privileged"
	Rollback        FactName = "rollback_plan.validated"

	RatedCriticalAndHigh FactName = "scan_results.critical_and_high_rated"

	DeclaredMismatch FactName = "evidence.declared_mismatch"
	SignatureStatus  FactName = "artifacts.signature_status"
)

// definitions is the one list of facts; [Facts] is indexed by it.
var definitions = [...]FactDefinition{
	{Coverage, PercentFact, true, nil, "test coverage in percent"},
	{ManualTests, TextFact, false, manualTestStatuses, "state of the manual tests"},
	{TestsFailed, NumberFact, false, nil, "number of failed tests"},
	{Critical, NumberFact, false, nil, "number of critical findings"},
	{High, NumberFact, false, nil, "number of high findings"},
	{Medium, NumberFact, false, nil, "number of medium findings"},
	{Low, NumberFact, false, nil, "number of low findings"},
	{Unknown, NumberFact, false, nil, "number of findings of unknown severity"},
	{CriticalAndHigh, NumberFact, false, nil, "number of critical and high findings together"},
	{Components, NumberFact, false, nil, "number of affected components"},
	{Users, NumberFact, false, nil, "number of affected users"},
	{Complexity, TextFact, false, complexities, "complexity of the change"},
	{Privileged, BoolFact, false, []string{"false", "true"}, "whether the deployment runs with elevated privileges"},
	{Rollback, BoolFact, false, []string{"true", "false"}, "whether the rollback plan has been validated"},
	{RatedCriticalAndHigh, NumberFact, false, nil, "the same without findings of unknown severity, which count as high otherwise"},
	{DeclaredMismatch, NumberFact, false, nil, "number of values that were declared otherwise than the attachments say"},
	{SignatureStatus, TextFact, false, signatureStatuses, "the worst of the artifacts' signatures, as far as the files themselves were looked into"},
}

// FactDefinitions lists every fact.
func FactDefinitions() []FactDefinition { return definitions[:] }

// FactState says whether a fact can be used.
type FactState uint8

// The states. The zero value is Missing: what nobody set is not known.
const (
	Missing FactState = iota
	Known
	Invalid // there, but of the wrong type, out of range, or not one of the values
)

func (s FactState) String() string {
	return [...]string{"missing", "known", "invalid"}[s]
}

// Fact is one fact as read from a package.
type Fact struct {
	State   FactState
	Number  *big.Rat // of number and percent facts; never changed
	Text    string   // of text and bool facts ("true", "false")
	Shown   string   // the value as people see it
	Reason  string   // why it is invalid
	Derived bool     // it was read from attachments
}

// True reports whether a bool fact is known to be true.
func (f Fact) True() bool { return f.State == Known && f.Text == "true" }

// Above reports whether a number is above n. What is not known is.
func (f Fact) Above(n int64) bool {
	return f.State != Known || f.Number == nil || f.Number.Cmp(new(big.Rat).SetInt64(n)) > 0
}

// Facts are the facts of one package.
type Facts [len(definitions)]Fact

// Get returns a fact by name. A name that is no fact is Missing.
func (f *Facts) Get(name FactName) Fact {
	for i := range definitions {
		if definitions[i].Name == name {
			return f[i]
		}
	}
	return Fact{}
}

// ReadFacts reads every fact from sections in canonical form. It never fails:
// what cannot be used says why, and counts as the worst. Without origins all
// facts are declared.
func ReadFacts(s Sections, origins ...Origin) Facts {
	var values [len(definitions)]jsontext.Value
	for _, section := range [...]string{testResults, scanResults, deploymentPlan, rollbackPlan} {
		object := *s.section(section)
		if object == nil {
			continue
		}
		err := eachMember(object, func(name string, value jsontext.Value) error {
			for i := range definitions {
				if of, member, _ := strings.Cut(string(definitions[i].Name), "."); of == section && member == name {
					values[i] = value
				}
			}
			return nil
		})
		_ = err // the sections were checked when they were parsed
	}
	var f Facts
	for i := range definitions {
		f[i] = definitions[i].read(values[i])
	}
	for i := range definitions {
		f[i].Derived = slices.ContainsFunc(origins, func(o Origin) bool {
			return o.Path == string(definitions[i].Name) && o.Origin == IsDerived
		})
	}
	*f.at(CriticalAndHigh) = sum(f.Get(Critical), f.Get(High))
	*f.at(RatedCriticalAndHigh) = rated(f.Get(CriticalAndHigh), f.Get(Unknown))
	*f.at(DeclaredMismatch) = number(int64(Differences(origins)))
	*f.at(SignatureStatus) = worstSignature(s, origins)
	return f
}

func (f *Facts) at(name FactName) *Fact {
	return &f[slices.IndexFunc(definitions[:], func(d FactDefinition) bool { return d.Name == name })]
}

// worstSignature is missing where no artifact was looked into. Where some were,
// the others are at best untrusted, whatever is declared of them: one good file
// does not speak for what nobody has seen.
func worstSignature(s Sections, origins []Origin) Fact {
	worst, all := 0, s.artifactList()
	looked := map[string]bool{}
	for _, o := range origins {
		section, steps := splitPath(o.Path)
		if o.Origin != IsDerived || section != artifacts || len(steps) != 3 || steps[1] != "signature" || steps[2] != "status" || looked[steps[0]] {
			continue
		}
		status, _ := readText(member(member(element(all, steps[0]), steps[1]), steps[2]))
		rank := slices.Index(signatureStatuses, status)
		if rank < 0 {
			return invalidFact(quoted(status), "not one of "+strings.Join(signatureStatuses, ", "))
		}
		worst, looked[steps[0]] = max(worst, rank), true
	}
	if len(looked) == 0 {
		return Fact{}
	}
	whole := len(looked) == len(all)
	if !whole {
		worst = max(worst, slices.Index(signatureStatuses, "untrusted"))
	}
	return Fact{State: Known, Text: signatureStatuses[worst], Shown: signatureStatuses[worst], Derived: whole}
}

// elements are the elements of an array; they share its memory.
func elements(array jsontext.Value) (all []jsontext.Value) {
	_ = eachElement(array, func(_ int, value jsontext.Value) error { // checked when it was parsed
		all = append(all, value)
		return nil
	})
	return all
}

func element(all []jsontext.Value, index string) jsontext.Value {
	if i, err := strconv.Atoi(index); err == nil && 0 <= i && i < len(all) && strconv.Itoa(i) == index {
		return all[i]
	}
	return nil
}

// read reads one fact from its member.
func (d FactDefinition) read(value jsontext.Value) Fact {
	switch {
	case d.Name == Components:
		return readLength(value)
	case strings.HasPrefix(string(d.Name), scanResults):
		return readFindings(value)
	case d.Kind == PercentFact:
		return readPercent(value)
	case d.Kind == NumberFact:
		return readCount(value)
	case d.Kind == TextFact:
		return readChoice(value, d.Values)
	}
	return readBool(value)
}

func invalidFact(v jsontext.Value, reason string) Fact {
	const most = 60
	shown := string(v)
	if len(shown) > most {
		shown = strings.ToValidUTF8(shown[:most], "") + "…"
	}
	return Fact{State: Invalid, Shown: shown, Reason: reason}
}

func number(n int64) Fact {
	return Fact{State: Known, Number: new(big.Rat).SetInt64(n), Shown: fmt.Sprint(n)}
}

var (
	zero    = new(big.Rat)
	hundred = new(big.Rat).SetInt64(100)
)

func readPercent(v jsontext.Value) Fact {
	const want = "not a number from 0 to 100"
	switch v.Kind() {
	case 0:
		return Fact{}
	case '0':
		n, ok := new(big.Rat).SetString(string(v))
		if ok && n.Cmp(zero) >= 0 && n.Cmp(hundred) <= 0 {
			return Fact{State: Known, Number: n, Shown: string(v)}
		}
	}
	return invalidFact(v, want)
}

func readCount(v jsontext.Value) Fact {
	if v == nil {
		return Fact{}
	}
	var n int64
	for _, c := range v { // canonical: a whole number is digits and nothing else
		if c < '0' || c > '9' {
			return invalidFact(v, "not a whole number of 0 or more")
		}
		n = n*10 + int64(c-'0')
	}
	return number(n)
}

// readFindings takes a number of findings, or a list of them.
func readFindings(v jsontext.Value) Fact {
	if n, ok := length(v); ok {
		return number(int64(n))
	}
	f := readCount(v)
	if f.State == Invalid {
		f.Reason = "neither a whole number of 0 or more nor a list of findings"
	}
	return f
}

func readLength(v jsontext.Value) Fact {
	if v == nil {
		return Fact{}
	}
	n, ok := length(v)
	if !ok {
		return invalidFact(v, "not a list")
	}
	return number(int64(n))
}

func readChoice(v jsontext.Value, values []string) Fact {
	if v == nil {
		return Fact{}
	}
	text, ok := readText(v)
	for _, value := range values {
		if ok && text == value {
			return Fact{State: Known, Text: value, Shown: value}
		}
	}
	return invalidFact(v, "not one of "+strings.Join(values, ", "))
}

func readBool(v jsontext.Value) Fact {
	switch v.Kind() {
	case 0:
		return Fact{}
	case 't', 'f':
		return Fact{State: Known, Text: string(v), Shown: string(v)}
	}
	return invalidFact(v, "neither true nor false")
}

func sum(a, b Fact) Fact {
	switch {
	case a.State == Invalid:
		return a
	case b.State == Invalid:
		return b
	case a.State == Missing || b.State == Missing:
		return Fact{}
	}
	total := new(big.Rat).Add(a.Number, b.Number)
	return Fact{State: Known, Number: total, Shown: total.Num().String(), Derived: a.Derived && b.Derived}
}

// rated takes findings of unknown severity off the critical and high ones, among
// which they are if both were read from files. Nobody knows what a declared
// number holds.
func rated(all, unknown Fact) Fact {
	if all.State != Known || unknown.State != Known || !all.Derived || !unknown.Derived || all.Number.Cmp(unknown.Number) < 0 {
		return all
	}
	rest := new(big.Rat).Sub(all.Number, unknown.Number)
	return Fact{State: Known, Number: rest, Shown: rest.Num().String(), Derived: true}
}

func readText(v jsontext.Value) (string, bool) {
	if v.Kind() != '"' {
		return "", false
	}
	text, err := jsontext.AppendUnquote(nil, v)
	return string(text), err == nil
}

func length(v jsontext.Value) (int, bool) {
	if v.Kind() != '[' {
		return 0, false
	}
	n := 0
	err := eachElement(v, func(int, jsontext.Value) error { n++; return nil })
	return n, err == nil
}
