package collect

import (
	"fmt"
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
	PURL     string // of the package; "" where the tool does not say
	SetAside string // why it is listed and not counted; "" for one that counts
}

// add notes a finding that counts.
func (r *Report) add(id, pkg string, severity Severity) error {
	return r.find(FindingKey{id, pkg}, Finding{Severity: severity})
}

// find notes a finding.
func (r *Report) find(key FindingKey, f Finding) error {
	if r.Findings == nil {
		r.Findings = map[FindingKey]Finding{}
	}
	if merge(r.Findings, key, f); len(r.Findings) > maxItems {
		return fmt.Errorf("lists more than %d findings", maxItems)
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
	}
	all[key] = f
}
