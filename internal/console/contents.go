package console

import (
	"net/http"
	"strings"

	"github.com/eucora/eucora/internal/workflow"
)

// contentsPage is a long list of what is in a package's files.
type contentsPage struct {
	ID    string // of the package
	App   string
	Title string
	Note  string // why there is no list; "" if there is
	List  listing
}

// components lists what the SBOMs of a package list.
func (v *visit) components() error {
	id, err := v.id(v.PathValue("id"))
	if err != nil {
		return err
	}
	e, all, note, err := v.server.Service.Components(v.Context(), v.call, id)
	if err != nil {
		return err
	}
	page := contentsPage{ID: e.ID, App: e.Record.AppName + " " + e.Record.Version, Title: "Components", Note: sentence(clip(note, 300))}
	list := listing{Title: "Components", One: "component", Many: "components", Head: []string{"Name", "Version", "Package URL", "Listed in"}, Empty: "The SBOM lists no component."}
	page.List = listOf(v.URL, list, nil, all,
		func(c workflow.ListedComponent, s sought) bool { return s.has(c.Name, c.Version, c.PURL) },
		func(c workflow.ListedComponent) []cell {
			return []cell{{Text: cut(c.Name, 300)}, {Text: cut(c.Version, 100)}, {Text: cut(c.PURL, 300), Code: true}, {Text: cut(c.File, 100)}}
		})
	return v.page(http.StatusOK, "contents", "Components of "+page.App, page)
}

// severities are the choices of a list of findings.
func severities() []option {
	return []option{
		{"", "All", false}, {"counts", "Those that count", false}, {"aside", "Set aside", false}, {"critical", "Critical", false}, {"high", "High", false},
		{"unknown", "Unknown severity", false}, {"medium", "Medium", false}, {"low", "Low", false}, {"negligible", "Negligible", false},
	}
}

// findings lists what the scans of a package found.
func (v *visit) findings() error {
	id, err := v.id(v.PathValue("id"))
	if err != nil {
		return err
	}
	e, all, note, err := v.server.Service.Findings(v.Context(), v.call, id)
	if err != nil {
		return err
	}
	page := contentsPage{ID: e.ID, App: e.Record.AppName + " " + e.Record.Version, Title: "Findings", Note: sentence(clip(note, 300))}
	list := listing{
		Title: "Findings", One: "finding", Many: "findings", Head: []string{"Finding", "Severity", "In", "Counts", "Also known as"}, KindLabel: "Severity", Kinds: severities(),
		Empty: "The scans found nothing.",
	}
	page.List = listOf(v.URL, list, nil, all, findingMatches, func(f workflow.ListedFinding) []cell {
		counts := cell{Text: "yes"}
		if f.SetAside != "" {
			counts.Text = "no: " + cut(f.SetAside, 300)
		}
		return []cell{
			{Text: cut(f.ID, 200)}, {Text: f.Severity.String(), Class: severityClass(f.Severity.String())}, {Text: cut(f.Package, 300)},
			counts, {Text: cut(strings.Join(f.Aliases, ", "), 200)},
		}
	})
	return v.page(http.StatusOK, "contents", "Findings of "+page.App, page)
}

func findingMatches(f workflow.ListedFinding, s sought) bool {
	switch s.kind {
	case "", f.Severity.String():
	case "counts":
		if f.SetAside != "" {
			return false
		}
	case "aside":
		if f.SetAside == "" {
			return false
		}
	default:
		return false
	}
	return s.has(append(f.Aliases[:len(f.Aliases):len(f.Aliases)], f.ID, f.Package)...)
}

func severityClass(severity string) string {
	switch severity {
	case "critical", "high", "unknown": // what is unknown counts as high
		return "bad-word"
	}
	return ""
}
