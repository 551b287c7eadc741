package console

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/workflow"
)

// versionsPage is what a package can be compared with.
type versionsPage struct {
	ID, App, Version string
	Rows             []versionRow
	Count            string
	Next             string
	Cursor           bool
}

// versionRow is a package of the same application.
type versionRow struct {
	workflow.VersionRow
	ID string
}

// diffPage is what changed from one package to another, whichever they are.
type diffPage struct {
	ID, App, With string
	Before, After evidence.Record
	OtherApp      bool
	View          *changesView
	Factors       []factorChange
	Lists         []entry
	Note          string // why there is no list; "" if there is
	List          listing
}

// factorChange is one factor's part in both scores; "—" where a model has it not.
type factorChange struct {
	Title, Before, After, Delta string
	Way                         string // worse, better; "" if it is the same
}

// diff compares a package with another one, or lists what it can be compared with.
func (v *visit) diff() error {
	id, err := v.id(v.PathValue("id"))
	if err != nil {
		return err
	}
	with := v.URL.Query().Get("with")
	if with == "" {
		return v.versions(id)
	}
	if with, err = v.id(with); err != nil {
		return err
	}
	d, err := v.server.Service.Diff(v.Context(), v.call, id, with)
	if err != nil {
		return err
	}
	page := diffPage{ID: d.After.ID, With: d.Before.ID, Before: d.Before.Record, After: d.After.Record, OtherApp: !d.SameApplication()}
	page.App = page.After.AppName
	values := d.Values
	d.Values = nil // they have a list of their own here
	page.View = changesOf(page.Before, page.After, d.Comparison)
	for _, f := range d.Factors {
		page.Factors = append(page.Factors, factorChangeOf(f))
	}
	page.lists(v, d, values)
	return v.page(http.StatusOK, "diff", "What differs in "+page.App, page)
}

// versions is the page to choose what to compare with.
func (v *visit) versions(id string) error {
	e, err := v.server.Service.Evidence(v.Context(), v.call, id)
	if err != nil {
		return err
	}
	paging := workflow.Paging{Cursor: v.URL.Query().Get("cursor")}
	all, err := v.server.Service.Versions(v.Context(), v.call, e, paging)
	if err != nil {
		return err
	}
	page := versionsPage{
		ID: e.ID, App: e.Record.AppName, Version: e.Record.Version, Count: plural(all.Count, "other package", "other packages"),
		Next: nextPage(v.URL, all.Next), Cursor: paging.Cursor != "",
	}
	if all.Capped {
		page.Count = "more than 10,000 other packages"
	}
	for _, row := range all.Rows {
		page.Rows = append(page.Rows, versionRow{row, row.Package.ID})
	}
	return v.page(http.StatusOK, "versions", "Compare "+e.Record.AppName+" "+e.Record.Version, page)
}

func factorChangeOf(f evidence.FactorChange) factorChange {
	c := factorChange{Title: capital(words(f.Name)), Before: "—", After: "—", Delta: "0"}
	if f.Before != nil {
		c.Before = f.Before.Contribution.String()
	}
	if f.After != nil {
		c.After = f.After.Contribution.String()
	}
	if delta := f.Delta(); delta != 0 {
		c.Delta, c.Way = signed(delta), "better"
		if delta > 0 {
			c.Way = "worse"
		}
	}
	return c
}

// change is one component, finding or value that differs.
type change struct{ kind, name, was, is string }

// lists draws the list that is asked for, of the three.
func (p *diffPage) lists(v *visit, d workflow.Diff, values []evidence.ValueChange) {
	components, findings := componentChanges(d.Components), findingChanges(d.Findings)
	show, _ := options(v.URL.Query().Get("show"), option{"components", "", false}, option{"findings", "", false}, option{"values", "", false})
	at := v.URL.Path + "?with=" + p.With + "&show="
	p.Lists = []entry{
		{at + "components", "Components: " + countText(len(components), d.ComponentsNote), show == "components"},
		{at + "findings", "Findings: " + countText(len(findings), d.FindingsNote), show == "findings"},
		{at + "values", "Other values: " + strconv.Itoa(len(values)), show == "values"},
	}
	list := listing{One: "change", Many: "changes", Head: []string{"Name", "Change", "Before", "Now"}, KindLabel: "Change"}
	all := components
	switch show {
	case "components":
		list.Title, list.Empty, p.Note = "Components", "No component changed.", d.ComponentsNote
		list.Kinds = kinds("added", "removed", "upgraded", "downgraded", "changed")
	case "findings":
		list.Title, list.Empty, p.Note, all = "Findings", "No finding changed.", d.FindingsNote, findings
		list.Kinds = kinds("new", "fixed", "rated otherwise", "set aside")
	case "values":
		list.Title, list.Empty, all = "Other values", "No other value changed.", valueChanges(values)
		list.Kinds = kinds("added", "removed", "changed")
	}
	p.Note = sentence(clip(p.Note, 300))
	p.List = listOf(v.URL, list, []string{"with", "show"}, all,
		func(c change, s sought) bool {
			return (s.kind == "" || s.kind == c.kind) && s.has(c.name, c.was, c.is)
		},
		func(c change) []cell {
			return []cell{{Text: c.name, Code: show == "values"}, {Text: c.kind}, {Text: c.was}, {Text: c.is}}
		})
}

// countText is how many there are; "—" where that is not known.
func countText(n int, note string) string {
	if note != "" {
		return "—"
	}
	return strconv.Itoa(n)
}

// kinds are the choices among the ways in which things differ.
func kinds(names ...string) []option {
	all := []option{{"", "All", false}}
	for _, name := range names {
		all = append(all, option{name, capital(name), false})
	}
	return all
}

func componentChanges(d workflow.ComponentDiff) []change {
	var all []change
	for _, part := range []struct {
		kind string
		of   []workflow.ComponentChange
	}{{"added", d.Added}, {"removed", d.Removed}, {"upgraded", d.Upgraded}, {"downgraded", d.Downgraded}, {"changed", d.Changed}} {
		for _, c := range part.of {
			all = append(all, change{part.kind, clip(c.Name, 300), cut(strings.Join(c.Before, ", "), mostShown), cut(strings.Join(c.After, ", "), mostShown)})
		}
	}
	return all
}

func findingChanges(d workflow.FindingDiff) []change {
	var all []change
	for _, part := range []struct {
		kind string
		of   []workflow.FindingChange
	}{{"new", d.New}, {"fixed", d.Fixed}, {"rated otherwise", d.Changed}, {"set aside", d.SetAside}} {
		for _, c := range part.of {
			all = append(all, change{part.kind, c.ID, foundText(c.Before), foundText(c.After)})
		}
	}
	return all
}

// foundText is what a finding is in one of two packages.
func foundText(f *workflow.FoundState) string {
	switch {
	case f == nil:
		return ""
	case f.SetAside != "":
		return f.Package + ", " + f.Severity.String() + ", set aside: " + f.SetAside
	}
	return f.Package + ", " + f.Severity.String()
}

func valueChanges(values []evidence.ValueChange) []change {
	var all []change
	for _, c := range values {
		kind := "changed"
		switch {
		case c.Before == nil:
			kind = "added"
		case c.After == nil:
			kind = "removed"
		}
		all = append(all, change{kind, cut(c.Path, 200), valueText(plainValue(c.Before)), valueText(plainValue(c.After))})
	}
	return all
}
