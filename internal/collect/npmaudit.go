package collect

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// isNPMAudit knows both versions: advisories (npm 6, pnpm) and vulnerabilities
// (npm 7 and later).
func isNPMAudit(s shape) bool {
	return s.json == '{' && ((s.members["auditReportVersion"] && s.members["vulnerabilities"]) ||
		(s.members["advisories"] && (s.members["metadata"] || s.members["actions"] || s.members["muted"])))
}

type npmMetadata struct {
	Vulnerabilities npmCounts       `json:"vulnerabilities"`
	Dependencies    npmDependencies `json:"dependencies"`
	Total           *float64        `json:"totalDependencies"`
}

// npmCounts is the sum of numbers by severity.
type npmCounts float64

// UnmarshalJSONFrom adds the severities; a total beside them is one of them
// twice, which does no harm to the question whether there is any.
func (n *npmCounts) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	return named(d, func(d *jsontext.Decoder, _ string) error {
		var count float64
		err := json.UnmarshalDecode(d, &count)
		*n += npmCounts(max(count, -count))
		return err
	})
}

// npmDependencies is a number, or numbers by kind.
type npmDependencies struct {
	Total *float64 `json:"total"`
}

// UnmarshalJSONFrom reads either.
func (n *npmDependencies) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() == '0' {
		return value(&n.Total)(d)
	}
	return members{"total": value(&n.Total)}.read(d)
}

// readNPMAudit counts each advisory once for each version of its package that
// is installed. A package that is vulnerable only because it depends on such a
// package counts too, as in npm's own number. npm's totals count paths
// (version 1) or packages (version 2): they are only checked for not being
// zero.
func readNPMAudit(f *file, into *Report) error {
	var metadata npmMetadata
	listed := false
	list := func(read func(*jsontext.Decoder, string) error) func(*jsontext.Decoder) error {
		return func(d *jsontext.Decoder) error {
			listed = listed || d.PeekKind() == '{'
			return named(d, read)
		}
	}
	failed := func(d *jsontext.Decoder) error {
		if d.PeekKind() == 'n' {
			return d.SkipValue()
		}
		return &ReadError{Place: "error", Reason: "the audit failed: that is not a clean scan"}
	}
	err := f.object(members{
		"auditReportVersion": func(d *jsontext.Decoder) error {
			var version loose
			err := value(&version)(d)
			into.Version = string(version)
			return err
		},
		"advisories": list(into.npmAdvisory), "vulnerabilities": list(into.npmPackage), "metadata": value(&metadata), "error": failed,
	})
	switch {
	case err != nil:
		return err
	case into.Version != "" && into.Version != "2":
		return &ReadError{Place: "auditReportVersion", Reason: fmt.Sprintf("%q is not read; 1 and 2 are", clip(into.Version, 40))}
	case !listed:
		return errors.New("has no list of findings: the audit did not finish")
	}
	into.Tool, into.Targets = "npm audit", 1
	if len(into.Findings) == 0 {
		return metadata.clean()
	}
	return nil
}

// clean refuses an audit without findings that does not say that it looked at
// something.
func (m npmMetadata) clean() error {
	if m.Vulnerabilities != 0 {
		return &ReadError{Place: "metadata", Reason: "counts findings that are not listed"}
	}
	total := m.Total
	if total == nil {
		total = m.Dependencies.Total
	}
	if total == nil || *total == 0 {
		return errNothingScanned("no dependencies")
	}
	return nil
}

// named reads an object whose names are data: read reads exactly one value.
func named(d *jsontext.Decoder, read func(d *jsontext.Decoder, name string) error) error {
	if none, err := enter(d, '{'); none || err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		if err := read(d, name.String()); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

func (r *Report) npmAdvisory(d *jsontext.Decoder, id string) error {
	var advisory struct {
		GitHub   string      `json:"github_advisory_id"`
		Module   string      `json:"module_name"`
		Severity string      `json:"severity"`
		CVEs     few[string] `json:"cves"`
		Findings few[struct {
			Version string `json:"version"`
		}] `json:"findings"`
	}
	if err := json.UnmarshalDecode(d, &advisory); err != nil {
		return err
	}
	finding := Finding{Severity: severityOf(advisory.Severity)}
	if len(advisory.CVEs) == 1 { // several are several vulnerabilities
		finding.Aliases = advisory.CVEs
	}
	if advisory.GitHub != "" {
		id = advisory.GitHub
	}
	if len(advisory.Findings) == 0 {
		return r.vulnerability(id, advisory.Module, finding)
	}
	for _, found := range advisory.Findings {
		if err := r.vulnerability(id, packageAt(advisory.Module, found.Version), finding); err != nil {
			return err
		}
	}
	return nil
}

// npmVia is why a package is vulnerable: an advisory, or the name of a package
// that it depends on.
type npmVia struct {
	Source   loose
	URL      string
	Severity string
}

// UnmarshalJSONFrom reads an advisory, and passes over a name.
func (v *npmVia) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() == '"' {
		return d.SkipValue()
	}
	return members{"source": value(&v.Source), "url": value(&v.URL), "severity": value(&v.Severity)}.read(d)
}

// viaDependency is the id of a package that is vulnerable through others only.
const viaDependency = "vulnerable dependency"

func (r *Report) npmPackage(d *jsontext.Decoder, name string) error {
	severity, advisories := "", 0
	err := members{"severity": value(&severity), "via": func(d *jsontext.Decoder) error {
		return each(d, func(v npmVia) error {
			id := path.Base(v.URL)
			if !strings.HasPrefix(id, "GHSA-") {
				id = string(v.Source)
			}
			if id == "" {
				return nil
			}
			advisories++
			return r.add(id, name, severityOf(v.Severity))
		})
	}}.read(d)
	if err != nil || advisories > 0 {
		return err
	}
	return r.add(viaDependency, name, severityOf(severity))
}
