package collect

import "strings"

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

// add notes a finding at the highest severity that anybody gave it.
func (r *Report) add(id, pkg string, severity Severity) {
	if r.Findings == nil {
		r.Findings = map[FindingKey]Severity{}
	}
	key := FindingKey{id, pkg}
	if known, ok := r.Findings[key]; !ok || severity > known {
		r.Findings[key] = severity
	}
}
