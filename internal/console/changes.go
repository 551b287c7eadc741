package console

import (
	"encoding/json"
	"math/big"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/workflow"
)

// changesView is what changed since another package, as far as the documents say.
type changesView struct {
	Since, Ring   string // version and ring of the one before
	PackageID     string
	Before, After string // scores
	Delta         string
	Up            bool // the risk went up
	SameModel     bool
	Same          bool // nothing changed at all
	Lines         []changeLine
	MoreValues    int
}

// changeLine is one thing that changed.
type changeLine struct {
	What          string
	Path          bool // What is a path in the document
	Before, After string
	Way           string // worse, better, changed
	Sign          string // how the way looks, for those who do not see colours
}

var signs = map[string]string{"worse": "▲", "better": "▼", "changed": "●"}

// Limits of what is shown of changes.
const (
	mostValues = 12
	mostShown  = 80 // characters of a value
)

func changesOf(before, after evidence.Record, c evidence.Comparison) *changesView {
	was, is := before.Assessment, after.Assessment
	view := &changesView{
		Since: before.Version, Ring: before.TargetRing, PackageID: before.ID, Before: was.Score.String(), After: is.Score.String(),
		Delta: signed(is.Score - was.Score), Up: is.Score > was.Score, SameModel: was.ModelDigest == is.ModelDigest,
	}
	add := func(what, before, after string, way evidence.Direction) {
		view.Lines = append(view.Lines, changeLine{What: capital(what), Before: valueText(before), After: valueText(after), Way: string(way), Sign: signs[string(way)]})
	}
	for _, f := range c.Facts {
		if _, isSum := behind[f.Name]; !isSum { // what it is the sum of is there by itself
			add(factTitle(f.Name), factText(f.Before), factText(f.After), f.Direction)
		}
	}
	for _, m := range c.Measures {
		if d := m.Delta(); m.Name != "coverage_percent" && d != nil && d.Sign() != 0 {
			add("tests "+m.Name, number(m.Before), number(m.After), evidence.Neither)
		}
	}
	for _, a := range c.Artifacts {
		for _, line := range artifactLines(a) {
			add(line[0], line[1], line[2], evidence.Neither)
		}
	}
	for _, value := range c.Values[:min(len(c.Values), mostValues)] {
		add("", plainValue(value.Before), plainValue(value.After), evidence.Neither)
		line := &view.Lines[len(view.Lines)-1]
		line.What, line.Path = cut(value.Path, 200), true
	}
	view.MoreValues = max(0, len(c.Values)-mostValues)
	view.Same = view.Lines == nil
	return view
}

// factTitle is a fact's name for people.
func factTitle(fact evidence.FactName) string {
	section, name, _ := strings.Cut(string(fact), ".")
	switch section {
	case "scan_results":
		name += " findings"
	case "rollback_plan":
		name = "rollback " + name
	case "test_results":
		if fact == evidence.TestsFailed {
			name = "failed tests"
		}
	}
	return words(name)
}

func artifactLines(c evidence.ArtifactChange) [][3]string {
	switch {
	case c.Before == nil:
		return [][3]string{{"artifact " + c.After.Name, "—", "added, " + signature(c.After)}}
	case c.After == nil:
		return [][3]string{{"artifact " + c.Before.Name, signature(c.Before), "removed"}}
	}
	var lines [][3]string
	name := "artifact " + c.After.Name
	if c.Before.SHA256 != c.After.SHA256 {
		lines = append(lines, [3]string{name, short(c.Before.SHA256), short(c.After.SHA256)})
	}
	if b, a := signature(c.Before), signature(c.After); b != a {
		lines = append(lines, [3]string{"signature of " + name, b, a})
	}
	return lines
}

func signature(a *evidence.ArtifactState) string {
	text := a.Status
	if text == "" {
		text = "signature not looked into"
	}
	if a.Signer != "" {
		text += " (" + a.Signer + ")"
	}
	return text
}

func factText(f evidence.Fact) string {
	if f.State != evidence.Known {
		return f.State.String()
	}
	switch f.Shown {
	case "true":
		return "yes"
	case "false":
		return "no"
	}
	return words(f.Shown)
}

var digestForm = regexp.MustCompile(`^[0-9a-f]{40,}$`)

// valueText is a value as a line bears it.
func valueText(v string) string {
	if digestForm.MatchString(v) {
		return short(v)
	}
	return cut(v, mostShown)
}

// plainValue is a value of the document.
func plainValue(v []byte) string {
	if v == nil {
		return "—"
	}
	var text string
	if json.Unmarshal(v, &text) == nil {
		return text
	}
	return string(v)
}

func signed(s evidence.Score) string {
	if s < 0 {
		return "−" + (-s).String()
	}
	return "+" + s.String()
}

func number(n *big.Rat) string {
	if n == nil {
		return "—"
	}
	if n.IsInt() {
		return n.Num().String()
	}
	return n.FloatString(2)
}

// comparePage is all that changed, with what is in files only.
type comparePage struct {
	Request        string
	Package        string // the one that is asked for
	App            string
	Before, After  string // versions
	View           *changesView
	Findings       []compared
	FindingsNote   string
	Components     []compared
	ComponentsNote string
}

// compared is a list of findings or components with the same fate.
type compared struct {
	Title string
	Rows  []comparedRow
	More  int // beyond those shown
}

type comparedRow struct{ Name, Was, Is string }

// mostCompared bounds each list.
const mostCompared = 200

// changes is the page of everything that changed since the last approved version:
// reports are read again for it.
func (v *visit) changes() error {
	id, err := v.id(v.PathValue("id"))
	if err != nil {
		return err
	}
	row, err := v.server.Service.Request(v.Context(), v.call, id)
	if err != nil {
		return err
	}
	d, err := v.server.Service.Diff(v.Context(), v.call, row.PackageID, "")
	if err != nil {
		return err
	}
	before, after := d.Before.Record, d.After.Record
	page := comparePage{
		Request: row.Name, Package: row.PackageID, App: after.AppName, Before: before.Version, After: after.Version, View: changesOf(before, after, d.Comparison),
		FindingsNote: sentence(clip(d.FindingsNote, 300)), ComponentsNote: sentence(clip(d.ComponentsNote, 300)),
	}
	page.Findings = compareFindings(d)
	page.Components = compareComponents(d)
	return v.page(http.StatusOK, "changes", "What changed in "+after.AppName, page)
}

func compareFindings(d workflow.Diff) []compared {
	f := d.Findings
	row := func(c workflow.FindingChange) comparedRow {
		r := comparedRow{Name: c.ID}
		if c.Before != nil {
			r.Was = c.Before.Package + ", " + c.Before.Severity.String()
		}
		if c.After != nil {
			r.Is = c.After.Package + ", " + c.After.Severity.String()
		}
		return r
	}
	return lists(list("New findings", f.New, row), list("Fixed findings", f.Fixed, row), list("Findings rated otherwise", f.Changed, row), list("Findings set aside", f.SetAside, row))
}

func compareComponents(d workflow.Diff) []compared {
	c := d.Components
	row := func(c workflow.ComponentChange) comparedRow {
		return comparedRow{clip(c.Name, 300), cut(strings.Join(c.Before, ", "), mostShown), cut(strings.Join(c.After, ", "), mostShown)}
	}
	return lists(list("Added components", c.Added, row), list("Removed components", c.Removed, row), list("Upgraded components", c.Upgraded, row),
		list("Downgraded components", c.Downgraded, row), list("Components with other versions", c.Changed, row))
}

func list[T any](title string, all []T, row func(T) comparedRow) compared {
	l := compared{Title: title, More: max(0, len(all)-mostCompared)}
	for _, one := range all[:min(len(all), mostCompared)] {
		l.Rows = append(l.Rows, row(one))
	}
	return l
}

// lists leaves out those that are empty.
func lists(all ...compared) []compared {
	var kept []compared
	for _, l := range all {
		if l.Rows != nil {
			kept = append(kept, l)
		}
	}
	return kept
}

// document is the package as it was hashed, to be kept and hashed again.
func (v *visit) document() error {
	id, err := v.id(v.PathValue("id"))
	if err != nil {
		return err
	}
	p, err := v.server.Service.Document(v.Context(), v.call, id)
	if err != nil {
		return err
	}
	v.download("evidence-" + p.ID + ".json")
	_, _ = v.out.Write(p.Document)
	return nil
}

// file is a file of a package. It is somebody else's: the browser is told to keep it,
// and never to show it as a page of ours.
func (v *visit) file() error {
	id, err := v.id(v.PathValue("id"))
	if err != nil {
		return err
	}
	f, err := v.server.Service.Attachment(v.Context(), v.call, id, v.PathValue("sha256"))
	if err != nil {
		return err
	}
	defer f.Close()
	v.download(f.SHA256 + ".bin")
	http.ServeContent(v.out, v.Request, "", time.Time{}, f.File)
	return nil
}

func (v *visit) download(name string) {
	v.status = http.StatusOK
	h := v.out.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
}
