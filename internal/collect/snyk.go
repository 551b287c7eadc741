package collect

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// snykSigns are members of a Snyk project that tell it from other reports.
var snykSigns = []string{"ok", "dependencyCount", "packageManager", "licensesPolicy", "uniqueCount", "projectName", "applications"}

// foreignSigns are members of other formats that have vulnerabilities too.
var foreignSigns = []string{"bomFormat", "specVersion", "document", "auditReportVersion", "advisories", "scan", "matches", "runs", "@context"}

// isSnyk knows a project, or an array of projects. A bare list of
// vulnerabilities is one too, if nothing else stands beside it.
func isSnyk(s shape) bool {
	for _, name := range foreignSigns {
		if s.members[name] {
			return false
		}
	}
	if !s.members["vulnerabilities"] {
		return s.members["ok"] && s.members["error"] // a project that could not be tested
	}
	for _, name := range snykSigns {
		if s.members[name] {
			return true
		}
	}
	return len(s.members) == 1
}

type snykFinding struct {
	ID       string `json:"id"`
	Package  string `json:"packageName"`
	Name     string `json:"name"`
	Version  string `json:"version"`
	Type     string `json:"type"`
	Severity string `json:"severity"`

	Identifiers struct {
		CVE few[string] `json:"CVE"`
	} `json:"identifiers"`
}

// readSnyk counts the findings of projects and of the applications inside a
// container, each once: it stands in the file for every path that leads to it.
// Licence issues are listed and set aside, and so is what the user's policy
// ignores.
func readSnyk(f *file, into *Report) error {
	into.Tool = "snyk"
	err := f.one(func(d *jsontext.Decoder) error {
		if d.PeekKind() == '[' {
			return elements(d, into.snykProject)
		}
		return into.snykProject(d)
	})
	if err == nil && into.Targets == 0 {
		return errNothingScanned("no project has a dependency")
	}
	return err
}

// snykProject is what a project says of itself.
type snykProject struct {
	name, path   string
	ok           *bool
	dependencies *int
	threshold    string
	failure      loose
	listed       bool // there is a list of vulnerabilities
	rows         int  // of that list, and of what was taken out of it
	applications int
}

func (r *Report) snykProject(d *jsontext.Decoder) error {
	var p snykProject
	rows := func(setAside string) func(*jsontext.Decoder) error {
		return func(d *jsontext.Decoder) error {
			return each(d, func(v snykFinding) error {
				p.rows++
				return r.snykFinding(v, setAside)
			})
		}
	}
	m := members{
		"ok": value(&p.ok), "dependencyCount": value(&p.dependencies), "severityThreshold": value(&p.threshold),
		"error": value(&p.failure), "projectName": value(&p.name), "path": value(&p.path),
		"vulnerabilities": func(d *jsontext.Decoder) error {
			p.listed = true
			return rows("")(d)
		},
		"filtered": members{"ignore": rows("ignored by the user's policy"), "patch": rows("patched")}.read,
		"applications": func(d *jsontext.Decoder) error {
			return elements(d, func(d *jsontext.Decoder) error {
				p.applications++
				return r.snykProject(d)
			})
		},
	}
	for _, name := range foreignSigns {
		m[name] = func(d *jsontext.Decoder) error {
			return &ReadError{Place: clip(string(d.StackPointer()), 100), Reason: "does not belong into a Snyk report"}
		}
	}
	if err := m.read(d); err != nil {
		return err
	}
	return r.snykLookedAt(p)
}

// snykLookedAt refuses a project that was not tested, and one whose empty list
// of findings does not mean that there are none.
func (r *Report) snykLookedAt(p snykProject) error {
	refuse := func(format string, arguments ...any) error {
		place := p.name
		if place == "" {
			place = p.path
		}
		return &ReadError{Place: clip(place, 100), Reason: fmt.Sprintf(format, arguments...)}
	}
	clean := p.rows == 0 && p.applications == 0
	switch {
	case p.failure != "":
		return refuse("could not be tested: %s", clip(string(p.failure), 200))
	case !p.listed:
		return refuse("has no list of vulnerabilities: it was not tested")
	case clean && p.ok != nil && !*p.ok:
		return refuse("is not ok, and lists no vulnerability")
	case clean && p.threshold != "" && p.threshold != "low":
		return refuse("lists findings of severity %s and above only: that there are none does not make it clean", clip(p.threshold, 20))
	}
	tested := p.rows > 0 || (p.ok != nil && *p.ok)
	if p.dependencies != nil {
		tested = p.rows > 0 || *p.dependencies > 0
	}
	if tested {
		r.Targets++
	}
	return nil
}

func (r *Report) snykFinding(v snykFinding, setAside string) error {
	name := v.Package
	if name == "" {
		name = v.Name
	}
	if v.Type == "license" && setAside == "" {
		setAside = "licence issue"
	}
	finding := Finding{Severity: severityOf(v.Severity), SetAside: setAside}
	if len(v.Identifiers.CVE) == 1 { // several are several vulnerabilities
		finding.Aliases = v.Identifiers.CVE
	}
	return r.vulnerability(v.ID, packageAt(name, v.Version), finding)
}
