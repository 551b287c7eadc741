package console

import (
	"errors"
	"net/http"
	"strings"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/workflow"
)

// evidencePage is a package with all that it says.
type evidencePage struct {
	*workflow.FiledEvidence
	Tampered    string    // why it is not shown; "" if it is
	Row         *queueRow // the request that it was submitted with; nil if there is none to be seen
	Parts       []sectionView
	Incomplete  []string
	Origins     []originView
	MoreOrigins int
	Notes       []string
	MoreNotes   int
	Files       []fileView
	SBOM, Scan  bool // there is one among the files
}

// sectionView is a section of a package.
type sectionView struct {
	sectionState
	ID    string // in the page
	Nodes []node
}

// originView is a value that was read from files, or declared beside them.
type originView struct {
	Path    []string // in parts, between which a line may end
	Value   string
	Derived bool
	Sources []originSource

	MoreSources int    // that are not among Sources
	Declared    string // what was declared instead; "" if nothing else was
}

// originSource is a file that a value was read from.
type originSource struct{ SHA256, Name, Parser string }

// Limits of what is shown with all the rest.
const (
	mostOrigins = 60 // all of them have a page of their own
	mostSources = 10 // of one value
	mostNotes   = 50
)

// evidence is a package's page.
func (v *visit) evidence() error {
	filed, err := v.filed()
	if err != nil {
		return err
	}
	page := &evidencePage{FiledEvidence: &filed}
	if r := filed.Request; r != nil {
		row := rowOf(workflow.BoardRow{RequestRow: *r}, v.server.Clock())
		page.Row = &row
	}
	if e, ok := errors.AsType[*cab.Error](filed.Altered); ok {
		page.Tampered = sentence(e.Message)
		return v.page(http.StatusOK, "evidence", "Evidence", page)
	}
	page.fill()
	return v.page(http.StatusOK, "evidence", "Evidence of "+filed.Record.AppName+" "+filed.Record.Version, page)
}

// filed is the package in the address.
func (v *visit) filed() (workflow.FiledEvidence, error) {
	id, err := v.id(v.PathValue("id"))
	if err != nil {
		return workflow.FiledEvidence{}, err
	}
	return v.server.Service.FiledEvidence(v.Context(), v.call, id)
}

func (p *evidencePage) fill() {
	r := p.Record
	sections := map[string][]node{
		"artifacts": nodesOf(r.Sections.Artifacts), "test_results": nodesOf(r.Sections.TestResults), "scan_results": nodesOf(r.Sections.ScanResults),
		"deployment_plan": nodesOf(r.Sections.DeploymentPlan), "rollback_plan": nodesOf(r.Sections.RollbackPlan),
	}
	for _, name := range evidence.SectionNames() {
		p.Parts = append(p.Parts, sectionView{sectionState{capital(words(name)), r.Completeness.Sections[name]}, name, sections[name]})
	}
	p.Incomplete = missingOf(r)
	for _, a := range r.Attachments {
		p.Files = append(p.Files, fileView{a, bytesText(a.Size)})
		p.SBOM, p.Scan = p.SBOM || a.Role == evidence.SBOMFile, p.Scan || a.Role == evidence.ScanFile
	}
	first := originsFirst(r.Origins)
	p.MoreOrigins = max(0, len(first)-mostOrigins)
	names := fileNames(r)
	for _, o := range first[:len(first)-p.MoreOrigins] {
		p.Origins = append(p.Origins, originOf(r, o, names))
	}
	p.Notes = r.Notes[:min(len(r.Notes), mostNotes)]
	p.MoreNotes = len(r.Notes) - len(p.Notes)
}

// originsFirst puts what is said of artifacts last: there may be many of them, and
// the facts are elsewhere.
func originsFirst(all []evidence.Origin) []evidence.Origin {
	var facts, artifacts []evidence.Origin
	for _, o := range all {
		if strings.HasPrefix(o.Path, "artifacts") {
			artifacts = append(artifacts, o)
		} else {
			facts = append(facts, o)
		}
	}
	return append(facts, artifacts...)
}

func originOf(r evidence.Record, o evidence.Origin, names map[string]string) originView {
	view := originView{Path: strings.SplitAfter(cut(o.Path, 200), "."), Value: "—", Derived: o.Origin == evidence.IsDerived}
	if value := r.Sections.At(o.Path); value != nil {
		view.Value = valueText(plainValue(value))
	}
	if o.Declared != nil {
		view.Declared = valueText(plainValue(o.Declared))
	}
	for _, s := range o.Sources[:min(len(o.Sources), mostSources)] {
		view.Sources = append(view.Sources, originSource{s.Attachment, names[s.Attachment], s.Parser})
	}
	view.MoreSources = len(o.Sources) - len(view.Sources)
	return view
}

// origins lists where each value of a package comes from.
func (v *visit) origins() error {
	filed, err := v.filed()
	if err == nil {
		err = filed.Altered
	}
	if err != nil {
		return err
	}
	r, names := filed.Record, fileNames(filed.Record)
	page := contentsPage{ID: filed.ID, App: r.AppName + " " + r.Version, Title: "Where each value comes from"}
	list := listing{
		Title: "Origins", One: "value", Many: "values", Head: []string{"Value", "Is", "Read from", "Declared otherwise"}, KindLabel: "Origin",
		Kinds: []option{{"", "All", false}, {"derived", "Read from files", false}, {"declared", "Declared", false}, {"otherwise", "Declared otherwise", false}},
		Empty: "Everything in it is declared: nothing was read from files.",
	}
	page.List = listOf(v.URL, list, nil, r.Origins, func(o evidence.Origin, s sought) bool {
		texts := []string{o.Path}
		for _, source := range o.Sources {
			texts = append(texts, names[source.Attachment], source.Parser)
		}
		return (s.kind == "" || s.kind == string(o.Origin) || s.kind == "otherwise" && o.Declared != nil) && s.has(texts...)
	}, func(o evidence.Origin) []cell {
		view := originOf(r, o, names)
		return []cell{{Text: cut(o.Path, 200), Code: true}, {Text: view.Value}, {Text: view.From()}, {Text: view.Declared, Class: "bad-word"}}
	})
	return v.page(http.StatusOK, "contents", "Origins of "+page.App, page)
}

// From is where a value was read, on one line.
func (o originView) From() string {
	if !o.Derived {
		return "declared"
	}
	var all []string
	for _, s := range o.Sources {
		all = append(all, s.Name+" as "+s.Parser)
	}
	if o.MoreSources > 0 {
		all = append(all, plural(o.MoreSources, "more file", "more files"))
	}
	return strings.Join(all, ", ")
}

// missingOf lists what a package lacks, as far as a page bears it.
func missingOf(r evidence.Record) []string {
	most := r.Completeness.Missing
	if len(most) <= 20 {
		return most
	}
	return append(append([]string(nil), most[:20]...), "…")
}

// fileNames are the names of a package's files, by digest.
func fileNames(r evidence.Record) map[string]string {
	names := map[string]string{}
	for _, f := range r.Attachments {
		if names[f.SHA256] = f.Name; f.Name == "" {
			names[f.SHA256] = short(f.SHA256)
		}
	}
	return names
}

// verifyPage is what came of looking at the stored bytes again.
type verifyPage struct {
	workflow.Verification
	App       string // "" if what it is of cannot be read
	Whole     bool
	Tampered  string
	Submitted string // the hash that was submitted; "" if it was not, or cannot be seen
	Request   string
	Files     []verifiedFile
}

// verifiedFile is a file with what came of looking at it again.
type verifiedFile struct {
	fileView
	Problem string // "" if it is what was stored
}

// verify hashes a package and its files again, and says what came of it.
func (v *visit) verify() error {
	filed, err := v.filed()
	if err != nil {
		return err
	}
	result, err := v.server.Service.VerifyEvidence(v.Context(), v.call, filed.ID)
	if err != nil {
		return err
	}
	page := verifyPage{Verification: result, Whole: result.Valid && filed.Altered == nil}
	if r := filed.Request; r != nil {
		page.Submitted, page.Request = r.ContentHash, r.Name
	}
	if e, ok := errors.AsType[*cab.Error](filed.Altered); ok {
		page.Tampered = sentence(e.Message)
	} else {
		page.App = filed.Record.AppName + " " + filed.Record.Version
	}
	problems := map[string]string{}
	for _, f := range result.Files {
		problems[f.SHA256] = f.Problem
	}
	for _, a := range filed.Record.Attachments {
		problem, looked := problems[a.SHA256]
		if !looked {
			problem = "was not looked at"
		}
		page.Files = append(page.Files, verifiedFile{fileView{a, bytesText(a.Size)}, strings.TrimSuffix(problem, ".")})
	}
	return v.page(http.StatusOK, "verify", "Verification", page)
}
