package collect

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Severity is how bad a finding is. Their order is the order of harm.
type Severity uint8

// The severities. Unknown is what the tool could not tell: it is never taken
// for harmless.
const (
	Negligible Severity = iota
	Low
	Medium
	Unknown
	High
	Critical
)

func (s Severity) String() string {
	return [...]string{"negligible", "low", "medium", "unknown", "high", "critical"}[s]
}

// severityOf reads the names that scanners use; anything else is Unknown.
func severityOf(name string) Severity {
	switch strings.ToLower(name) {
	case "critical":
		return Critical
	case "high":
		return High
	case "medium", "moderate":
		return Medium
	case "low":
		return Low
	case "negligible", "none", "info", "informational":
		return Negligible
	}
	return Unknown
}

// severityOfScore is the severity of a CVSS base score, by the qualitative
// scale of CVSS 3.1 (section 5). A score outside 0 to 10 is Unknown, and so is
// 0 here: tools write it for "not scored".
func severityOfScore(score float64) Severity {
	switch {
	case !(score > 0 && score <= 10):
		return Unknown
	case score < 4:
		return Low
	case score < 7:
		return Medium
	case score < 9:
		return High
	}
	return Critical
}

// FindingKey is what makes two findings one.
type FindingKey struct {
	ID      string // of the vulnerability, or of the rule
	Package string // name@version, or what else the finding is in
}

// Finding is one finding at the highest severity that anybody gave it.
type Finding struct {
	Severity Severity
	PURL     string   // of the package; "" where the tool does not say
	SetAside string   // why it is listed and not counted; "" for one that counts
	Aliases  []string // other names of the same vulnerability, as far as the tool says
}

// add notes a finding that counts, of which no more is known.
func (r *Report) add(id, pkg string, severity Severity) error {
	return r.vulnerability(id, pkg, Finding{Severity: severity})
}

// vulnerability notes a finding under the id that its tool gave it. One without
// an id counts as one for its package.
func (r *Report) vulnerability(id, pkg string, f Finding) error {
	switch {
	case id == "" && pkg == "":
		return errors.New("lists a finding that says neither what it is nor where")
	case id == "":
		id = "(no id)"
	}
	return r.find(FindingKey{id, pkg}, f)
}

// packageAt is what a finding is in: name@version, or the name alone where no
// version is known.
func packageAt(name, version string) string {
	if version == "" {
		return name
	}
	return name + "@" + version
}

// because is the reason that a finding is set aside for, as the file words it.
func because(parts ...string) string {
	parts = slices.DeleteFunc(parts, func(part string) bool { return strings.TrimSpace(part) == "" })
	return clip(strings.Join(parts, ": "), 300)
}

// errNothing is what a scan that looked at nothing ends with: its file is whole,
// and is no clean scan.
var errNothing = errors.New("that is not a clean scan")

func errNothingScanned(why string) error {
	return fmt.Errorf("the scan looked at nothing (%s): %w", why, errNothing)
}

// find notes a finding.
func (r *Report) find(key FindingKey, f Finding) error {
	if r.Findings == nil {
		r.Findings = map[FindingKey]Finding{}
	}
	if _, known := r.Findings[key]; !known {
		if r.names += len(key.ID) + len(key.Package); r.names > maxNames {
			return fmt.Errorf("the names of its findings have more than %d bytes", maxNames)
		}
		if err := r.hold(heldFinding + len(key.ID) + len(key.Package)); err != nil {
			return err
		}
	}
	if merge(r.Findings, key, f); len(r.Findings) > maxFindings {
		return fmt.Errorf("lists more than %d findings", maxFindings)
	}
	return nil
}

// merge adds a finding to others. One that counts anywhere counts.
func merge(all map[FindingKey]Finding, key FindingKey, f Finding) {
	if known, ok := all[key]; ok {
		f.Severity = max(f.Severity, known.Severity)
		if known.SetAside == "" {
			f.SetAside = ""
		}
		if known.PURL != "" {
			f.PURL = known.PURL
		}
		if len(known.Aliases) > 0 {
			f.Aliases = known.Aliases
		}
	}
	all[key] = f
}
