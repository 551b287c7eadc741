package console

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/workflow"
)

// rulesPage is a policy and a risk model as people read them.
type rulesPage struct {
	workflow.Rules
	Active      bool // the policy is in force
	Scores      bool // its model is the one that is shown
	Guards      []guardView
	Derived     []string // what must be read from files
	Factors     []factorView
	Reach       reachView
	PolicyList  []publishedView
	ModelList   []publishedView
	More        int // of either, that are older than those shown
	ApprovalFor string
}

// guardView is a guard in words.
type guardView struct{ Name, When, Then, Reason string }

// factorView is a factor with its rubric.
type factorView struct {
	workflow.FactorDescription
	Title, Percent, Meaning string
}

// reachView is the range of a model's scores, in points, as it is drawn.
type reachView struct {
	From, To     string
	Least, Width float64
	Auto, Review int
	Gates        []gateView
	Unreachable  []string
}

// gateView is a gate, and how many combinations of rubric lines lead to it.
type gateView struct {
	Name, Scores, Then string
	Combinations       string
	Share              string
}

// publishedView is a line of a history.
type publishedView struct {
	cab.Published
	Address string
	State   string // in force, scores new evidence; "" for what is neither
	Shown   bool
}

// mostVersions bounds each history.
const mostVersions = 100

// rules is the page of a policy and a model: those in force, unless others are named.
func (v *visit) rules() error {
	query := v.URL.Query()
	rules, err := v.server.Service.Rules(v.Context(), v.call, clip(query.Get("policy"), 40), clip(query.Get("model"), 40))
	if err != nil {
		return err
	}
	page := rulesPage{Rules: rules, Active: rules.Policy.Version == rules.InForce, ApprovalFor: plural(rules.Policy.Approval, "day", "days")}
	page.Scores = rules.Model.Version == rules.Policy.RiskModel
	for _, g := range rules.Policy.Guards {
		page.Guards = append(page.Guards, guardView{words(g.Name), guardWhen(g), gateText(g.AtLeast), sentence(g.Reason)})
	}
	for _, name := range rules.Policy.RequireDerived {
		page.Derived = append(page.Derived, meaning(name))
	}
	for _, f := range rules.Model.Factors {
		page.Factors = append(page.Factors, factorView{f, capital(words(f.Name)), percent(f.Share), f.Fact.Meaning})
	}
	page.Reach = reachOf(rules)
	page.histories()
	return v.page(http.StatusOK, "rules", "Models and policies", page)
}

// histories lists what was published, newest first.
func (p *rulesPage) histories() {
	for _, published := range p.Policies[:min(len(p.Policies), mostVersions)] {
		view := publishedView{Published: published, Address: "/models?policy=" + published.Version, Shown: published.Version == p.Policy.Version}
		if published.Version == p.InForce {
			view.State = "in force"
		}
		p.PolicyList = append(p.PolicyList, view)
	}
	for _, published := range p.Models[:min(len(p.Models), mostVersions)] {
		view := publishedView{
			Published: published, Address: "/models?policy=" + p.Policy.Version + "&model=" + published.Version, Shown: published.Version == p.Model.Version,
		}
		if published.Version == p.Scoring {
			view.State = "scores new evidence"
		}
		p.ModelList = append(p.ModelList, view)
	}
	p.More = max(0, len(p.Policies)-mostVersions) + max(0, len(p.Models)-mostVersions)
}

// meaning is what a fact is, for people.
func meaning(name evidence.FactName) string {
	for _, d := range evidence.FactDefinitions() {
		if d.Name == name {
			return d.Meaning
		}
	}
	return string(name)
}

// guardWhen says when a guard fires.
func guardWhen(g cab.PolicyGuard) string {
	switch of := meaning(g.Fact); {
	case g.Above != nil:
		return fmt.Sprintf("%s: above %d, or not known", of, *g.Above)
	case g.IsTrue:
		return of + ": yes, or unreadable"
	default:
		return of + ": " + words(strings.Join(g.OneOf, ", ")) + ", or unreadable"
	}
}

// gateText is a gate for people.
func gateText(g cab.GateDecision) string {
	return map[cab.GateDecision]string{
		cab.GateAuto: "approved by rule", cab.GateReview: "decided by the board", cab.GateException: "an exception first",
	}[g]
}

// reachOf draws the range of a model.
func reachOf(rules workflow.Rules) reachView {
	r, limits := rules.Range, rules.Policy.Thresholds
	view := reachView{
		From: r.Min.String(), To: r.Max.String(), Least: r.Min.Float(), Width: (r.Max - r.Min).Float(), Auto: limits.Auto, Review: limits.Review,
	}
	for _, gate := range []struct {
		decision cab.GateDecision
		scores   string
		n        int64
	}{
		{cab.GateAuto, fmt.Sprintf("up to %d.00", limits.Auto), r.Auto},
		{cab.GateReview, fmt.Sprintf("above %d.00, up to %d.00", limits.Auto, limits.Review), r.Review},
		{cab.GateException, fmt.Sprintf("above %d.00", limits.Review), r.Excepted},
	} {
		g := gateView{Name: words(string(gate.decision)), Scores: gate.scores, Then: gateText(gate.decision), Combinations: fmt.Sprint(gate.n)}
		if r.Combinations > 0 {
			g.Share = fmt.Sprintf("%.1f %%", 100*float64(gate.n)/float64(r.Combinations))
		}
		view.Gates = append(view.Gates, g)
	}
	for _, name := range r.Unreachable() {
		view.Unreachable = append(view.Unreachable, words(name))
	}
	return view
}
