package collect

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

func isGitLab(s shape) bool {
	return s.json == '{' && s.members["vulnerabilities"] && s.members["scan"] && s.members["version"] && !s.members["bomFormat"]
}

type gitLabFinding struct {
	ID       string `json:"id"`
	Severity string `json:"severity"`
	Location struct {
		File       string `json:"file"`
		Image      string `json:"image"`
		Line       int    `json:"start_line"`
		Dependency struct {
			Package struct {
				Name string `json:"name"`
			} `json:"package"`
			Version string `json:"version"`
		} `json:"dependency"`
	} `json:"location"`
	Identifiers few[struct {
		Type  string `json:"type"`
		Value string `json:"value"`
	}] `json:"identifiers"`
}

type gitLabScan struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Scanner struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	} `json:"scanner"`
}

// readGitLab reads the reports of GitLab's analysers: of dependencies and
// containers, and with them of code and secrets, which have the same form.
func readGitLab(f *file, into *Report) error {
	var scan gitLabScan
	listed, files, anyFile := false, false, false
	err := f.object(members{
		"version": value(&into.Version), "scan": value(&scan),
		"vulnerabilities": func(d *jsontext.Decoder) error {
			listed = d.PeekKind() == '['
			return each(d, into.gitLabFinding)
		},
		"dependency_files": func(d *jsontext.Decoder) error {
			files = d.PeekKind() == '['
			return elements(d, func(d *jsontext.Decoder) error {
				anyFile = true
				return d.SkipValue()
			})
		},
	})
	switch {
	case err != nil:
		return err
	case !strings.HasPrefix(into.Version, "14.") && !strings.HasPrefix(into.Version, "15."):
		return &ReadError{Place: "version", Reason: fmt.Sprintf("%q is not read; 14 and 15 are", clip(into.Version, 40))}
	case scan.Status != "success":
		return &ReadError{Place: "scan", Reason: fmt.Sprintf("has the status %q: it did not succeed, and that is not a clean scan", clip(scan.Status, 40))}
	case !listed:
		return &ReadError{Place: "vulnerabilities", Reason: "is no list: that is not a clean scan"}
	case len(into.Findings) == 0 && files && !anyFile && scan.Type == "dependency_scanning":
		return errNothingScanned("no dependency files")
	}
	into.Tool, into.Targets = strings.TrimSpace(scan.Scanner.Name+" "+scan.Scanner.Version), 1
	if into.Tool == "" {
		into.Tool = "GitLab"
	}
	return nil
}

func (r *Report) gitLabFinding(v gitLabFinding) error {
	in := packageAt(v.Location.Dependency.Package.Name, v.Location.Dependency.Version)
	if in == "" {
		if in = v.Location.File + v.Location.Image; v.Location.Line > 0 {
			in += ":" + strconv.Itoa(v.Location.Line)
		}
	}
	return r.add(v.name(), in, severityOf(v.Severity))
}

// name is the finding's CVE if it has one, so that it meets what other scanners
// found, or else its first identifier.
func (v gitLabFinding) name() string {
	cve, n := "", 0
	for _, identifier := range v.Identifiers {
		if identifier.Type == "cve" {
			cve = identifier.Value
			n++
		}
	}
	switch {
	case n == 1 && cve != "":
		return cve
	case len(v.Identifiers) > 0 && v.Identifiers[0].Value != "":
		return v.Identifiers[0].Value
	}
	return v.ID
}
