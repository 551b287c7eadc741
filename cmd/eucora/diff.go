package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/eucora/eucora/api"
)

type evidenceDiffCmd struct {
	clientFlags
	outputFlags
	ID      string `arg:"" help:"The package."`
	Against string `help:"The package before: its id, or last-approved, the newest approved one of the same application." default:"last-approved" placeholder:"ID"`
}

// Run shows what changed.
func (c *evidenceDiffCmd) Run(a *app) error {
	return c.ask(a, func(ctx context.Context, client *api.Client) error {
		d, err := client.Diff(ctx, c.ID, c.Against)
		if err != nil {
			return err
		}
		return c.print(a, d, func() { showDiff(a, d) })
	})
}

// showDiff is a page: the score first, then what makes it, then what is in the
// files.
func showDiff(a *app, d api.Diff) {
	a.printf("%s\n", a.paint(bold, clean(d.Evidence.AppName+" "+d.Evidence.Version+" to "+d.Evidence.TargetRing)))
	before := d.Against.Version + " to " + d.Against.TargetRing
	if !d.SameApplication {
		before = d.Against.AppName + " " + before
	}
	a.fields("since", before+", filed by "+d.Against.CreatedBy.Username+" at "+shortTime(d.Against.CreatedAt), "evidence", d.Evidence.ID, "against", d.Against.ID, "score", numbers(d.RiskScore, score))
	if !d.SameApplication {
		a.printf("%s\n", a.paint(yellow, "this is another application than what it is compared with"))
	}
	if !d.SameModel {
		a.printf("%s\n", a.paint(yellow, "the scores are of different risk models: "+clean(d.Against.RiskModelVersion)+" and "+clean(d.Evidence.RiskModelVersion)))
	}
	showFactorChanges(a, d.Factors)
	showFindingChanges(a, d.Findings)
	showComponentChanges(a, d.Components)
	showTestChanges(a, d.Tests)
	showArtifactChanges(a, d.Artifacts)
	showValueChanges(a, d.Facts, d.Values)
}

// numbers is a number before and after.
func numbers(c api.NumberChange, show func(float64) string) string {
	one := func(n *float64) string {
		if n == nil {
			return "not known"
		}
		return show(*n)
	}
	switch {
	case c.Delta == nil:
		return one(c.Before) + " -> " + one(c.After)
	case *c.Delta == 0:
		return one(c.After) + ", as before"
	}
	return fmt.Sprintf("%s -> %s (%s)", one(c.Before), one(c.After), signed(*c.Delta, show))
}

func signed(n float64, show func(float64) string) string {
	if n < 0 {
		return "-" + show(-n)
	}
	return "+" + show(n)
}

func showFactorChanges(a *app, factors []api.FactorChange) {
	part := func(p *api.FactorPart) (value, adds string) {
		switch {
		case p == nil:
			return "no such factor", ""
		case p.State != "known":
			return p.State, score(p.Contribution)
		}
		return p.Input, score(p.Contribution)
	}
	var rows [][]string
	for _, f := range factors {
		was, added := part(f.Before)
		is, adds := part(f.After)
		change := ""
		if f.Delta != 0 {
			change = signed(f.Delta, score)
		}
		rows = append(rows, []string{f.Name, was, is, added, adds, change})
	}
	a.table([]string{"FACTOR", "BEFORE", "NOW", "ADDED", "ADDS", "CHANGE"}, rows)
}

// mostLines is how many lines of a list are shown: a page is read in a minute.
const mostLines = 20

// lines are the rows of a list, and one that says how many more there are.
func lines[T any](list api.Most[T], what string, row func(T) []string) (rows [][]string) {
	for _, item := range list.Items[:min(len(list.Items), mostLines)] {
		rows = append(rows, append([]string{what}, row(item)...))
	}
	if more := list.Count - len(rows); more > 0 {
		rows = append(rows, []string{what, fmt.Sprintf("and %d more", more), "", ""})
	}
	return rows
}

// heading is the line over a list: what it is about, and what of it changed.
func (a *app) heading(colour, name string, parts ...string) {
	what := clean(strings.Join(parts, ", "))
	if what != "" {
		what = "  " + a.paint(colour, what)
	}
	a.printf("\n%s%s\n", a.paint(bold, name), what)
}

// comparable says so if a list could not be compared; that is not "nothing
// changed".
func (a *app) comparable(name string, can bool, reason string) bool {
	if !can {
		a.heading(yellow, name, "cannot be compared: "+reason)
	}
	return can
}

func showFindingChanges(a *app, f api.FindingDiff) {
	if !a.comparable("findings", f.Comparable, f.Reason) {
		return
	}
	colour := green
	if f.New.Count+f.Changed.Count > 0 {
		colour = red
	}
	a.heading(colour, "findings", fmt.Sprintf("%d new", f.New.Count), fmt.Sprintf("%d of another severity", f.Changed.Count),
		fmt.Sprintf("%d set aside", f.SetAside.Count), fmt.Sprintf("%d fixed", f.Fixed.Count), fmt.Sprintf("%d as before", f.Unchanged))
	row := func(c api.FindingChange) []string {
		severity, in := c.Severity, c.Package
		if c.SeverityBefore != "" {
			severity = c.SeverityBefore + " -> " + c.Severity
		}
		if c.PackageBefore != "" {
			in = c.PackageBefore + " -> " + c.Package
		}
		switch {
		case c.SetAside != "":
			in += " (" + c.SetAside + ")"
		case c.SetAsideBefore != "":
			in += " (was set aside: " + c.SetAsideBefore + ")"
		}
		return []string{severity, c.ID, in}
	}
	rows := lines(f.New, "new", row)
	rows = append(rows, lines(f.Changed, "severity", row)...)
	rows = append(rows, lines(f.SetAside, "set aside", row)...)
	rows = append(rows, lines(f.Fixed, "fixed", row)...)
	if rows != nil {
		a.table([]string{"FINDING", "SEVERITY", "ID", "IN"}, rows)
	}
}

func showComponentChanges(a *app, c api.ComponentDiff) {
	if !a.comparable("components", c.Comparable, c.Reason) {
		return
	}
	a.heading("", "components", fmt.Sprintf("%d added", c.Added.Count), fmt.Sprintf("%d removed", c.Removed.Count), fmt.Sprintf("%d upgraded", c.Upgraded.Count),
		fmt.Sprintf("%d downgraded", c.Downgraded.Count), fmt.Sprintf("%d changed", c.Changed.Count), fmt.Sprintf("%d as before", c.Unchanged))
	row := func(c api.ComponentChange) []string {
		return []string{c.Name, strings.Join(c.Before, ", "), strings.Join(c.After, ", ")}
	}
	rows := lines(c.Added, "added", row)
	rows = append(rows, lines(c.Downgraded, "downgraded", row)...)
	rows = append(rows, lines(c.Changed, "changed", row)...)
	rows = append(rows, lines(c.Removed, "removed", row)...)
	rows = append(rows, lines(c.Upgraded, "upgraded", row)...)
	if rows != nil {
		a.table([]string{"COMPONENT", "NAME", "BEFORE", "NOW"}, rows)
	}
}

func showTestChanges(a *app, t api.TestsChange) {
	plain := func(n float64) string { return fmt.Sprint(n) }
	a.heading("", "tests")
	a.fields("coverage %", numbers(t.Coverage, plain), "tests", numbers(t.Total, plain), "passed", numbers(t.Passed, plain),
		"failed", numbers(t.Failed, plain), "skipped", numbers(t.Skipped, plain))
}

func showArtifactChanges(a *app, artifacts api.Most[api.ArtifactChange]) {
	a.heading("", "artifacts", fmt.Sprintf("%d changed", artifacts.Count))
	for _, c := range artifacts.Items[:min(len(artifacts.Items), mostLines)] {
		switch {
		case c.Before == nil:
			a.printf("  %s %s\n", a.paint(yellow, "added"), clean(c.After.Name+" "+c.After.SHA256))
			continue
		case c.After == nil:
			a.printf("  %s %s\n", a.paint(yellow, "removed"), clean(c.Before.Name+" "+c.Before.SHA256))
			continue
		}
		a.printf("  %s\n", clean(between(c.Before.Name, c.After.Name)))
		for _, m := range []struct{ name, before, after, colour string }{
			{"signer", c.Before.Signer, c.After.Signer, red}, {"signature", c.Before.Status, c.After.Status, red},
			{"version", c.Before.Version, c.After.Version, ""}, {"sha256", c.Before.SHA256, c.After.SHA256, ""},
		} {
			if m.before != m.after {
				a.printf("    %s %s\n", a.paint(m.colour, m.name), clean(between(m.before, m.after)))
			}
		}
	}
	a.more(artifacts.Count)
}

func (a *app) more(count int) {
	if count > mostLines {
		a.printf("  and %d more\n", count-mostLines)
	}
}

// between is a text before and after.
func between(before, after string) string {
	none := func(text string) string {
		if text == "" {
			return "nothing"
		}
		return text
	}
	if before == after {
		return none(after)
	}
	return none(before) + " -> " + none(after)
}

func showValueChanges(a *app, facts []api.FactChange, values api.Most[api.SectionValueDiff]) {
	a.heading("", "facts", fmt.Sprintf("%d differ", len(facts)))
	colours := map[string]string{"worse": red, "better": green}
	for _, f := range facts {
		state := func(s api.FactState) string {
			if s.State == "known" {
				return s.Value
			}
			return strings.TrimSpace(s.State + " " + s.Value)
		}
		a.printf("  %s %s: %s\n", a.paint(colours[f.Change], f.Change), clean(f.Name), clean(between(state(f.Before), state(f.After))))
	}
	a.heading("", "other values", fmt.Sprintf("%d differ", values.Count))
	for _, v := range values.Items[:min(len(values.Items), mostLines)] {
		a.printf("  %s: %s\n", clean(v.Path), short(clean(between(string(v.Before), string(v.After)))))
	}
	a.more(values.Count)
}

// short is a text that fits on a line or two.
func short(text string) string {
	const most = 160
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
