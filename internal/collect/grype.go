package collect

import (
	"errors"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

func isGrype(s shape) bool { return s.json == '{' && s.members["matches"] }

type grypeMatch struct {
	Vulnerability struct {
		ID       string `json:"id"`
		Severity string `json:"severity"`
	} `json:"vulnerability"`
	Related few[struct {
		ID string `json:"id"`
	}] `json:"relatedVulnerabilities"`
	Artifact struct {
		Name    string `json:"name"`
		Version string `json:"version"`
		PURL    string `json:"purl"`
	} `json:"artifact"`
	Rules first[struct {
		Reason string `json:"reason"`
		VEX    string `json:"vex-status"`
	}] `json:"appliedIgnoreRules"`
}

// readGrype takes the matches; ignoredMatches were set aside by the user's own
// rules or VEX documents: they are listed and do not count.
func readGrype(f *file, into *Report) error {
	finished, says := false, false
	matches := func(ignored bool) func(*jsontext.Decoder) error {
		return func(d *jsontext.Decoder) error {
			if d.PeekKind() == '[' && !ignored {
				finished = true
			}
			return each(d, func(m grypeMatch) error { return into.grypeMatch(m, ignored) })
		}
	}
	something := func(d *jsontext.Decoder) error {
		says = says || d.PeekKind() == '{'
		return d.SkipValue()
	}
	var descriptor struct {
		Version string `json:"version"`
	}
	err := f.object(members{
		"matches": matches(false), "ignoredMatches": matches(true), "source": something, "distro": something,
		"descriptor": value(&descriptor),
	})
	switch {
	case err != nil:
		return err
	case !finished:
		return errors.New("matches is null: the scan did not finish")
	case len(into.Findings) == 0 && !says && descriptor.Version == "":
		return errNothingScanned("no matches, no source, no descriptor")
	}
	into.Tool, into.Targets = strings.TrimSpace("grype "+descriptor.Version), 1
	return nil
}

func (r *Report) grypeMatch(m grypeMatch, ignored bool) error {
	finding := Finding{Severity: severityOf(m.Vulnerability.Severity), PURL: m.Artifact.PURL}
	if len(m.Related) == 1 { // several are a list of what belongs together, not other names
		finding.Aliases = []string{m.Related[0].ID}
	}
	if rule := m.Rules.value; ignored {
		finding.SetAside = because("ignored by a rule of the scanner", rule.VEX, rule.Reason)
	}
	return r.vulnerability(m.Vulnerability.ID, packageAt(m.Artifact.Name, m.Artifact.Version), finding)
}
