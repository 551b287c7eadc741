package collect

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/eucora/eucora/internal/evidence"
)

type sarifResult struct {
	RuleID    string `json:"ruleId"`
	RuleIndex *int   `json:"ruleIndex"`
	Rule      struct {
		ID        string `json:"id"`
		Index     *int   `json:"index"`
		Component struct {
			Index *int   `json:"index"`
			Name  string `json:"name"`
			GUID  string `json:"guid"`
		} `json:"toolComponent"`
	} `json:"rule"`
	Kind    string `json:"kind"`
	Level   string `json:"level"`
	Message struct {
		Text      string     `json:"text"`
		ID        string     `json:"id"`
		Arguments few[loose] `json:"arguments"`
	} `json:"message"`
	Locations    first[sarifLocation] `json:"locations"`
	Suppressions few[struct {
		Status string `json:"status"`
	}] `json:"suppressions"`
	Baseline   string          `json:"baselineState"`
	Prints     jsontext.Value  `json:"fingerprints"`
	SomePrints jsontext.Value  `json:"partialFingerprints"`
	Properties sarifProperties `json:"properties"`
}

type sarifLocation struct {
	Physical struct {
		Artifact struct {
			URI   string `json:"uri"`
			Index *int   `json:"index"`
		} `json:"artifactLocation"`
		Region sarifRegion `json:"region"`
	} `json:"physicalLocation"`
	Logical first[struct {
		Full string `json:"fullyQualifiedName"`
		Name string `json:"name"`
	}] `json:"logicalLocations"`
}

// sarifRegion is where in a file; numbers that are not there are 0.
type sarifRegion struct {
	Line   float64 `json:"startLine"`
	Column float64 `json:"startColumn"`
	Offset float64 `json:"charOffset"`
	Byte   float64 `json:"byteOffset"`
}

// sarifResults adds the results of all runs.
type sarifResults struct {
	report *Report
	seen   map[FindingKey]string // what the first result with this key says
}

// add notes a result under its rule and its file and line. Results that agree
// in these and differ in what they say, in the column or in the fingerprints
// that their tool gave them are findings of their own.
func (s sarifResults) add(run *sarifRun, result sarifResult) error {
	rule := run.rule(result)
	finding := Finding{Severity: result.severity(rule, run.overrides), SetAside: result.setAside()}
	switch strings.ToLower(result.Kind) {
	case "pass", "notapplicable":
		return nil // what was looked at and found to be right is no finding
	}
	id := result.ruleID()
	if id == "" {
		id = rule.ID
	}
	if id == "" {
		id = "(no rule)"
	}
	key := FindingKey{id, result.place()}
	says := evidence.Digest(fmt.Append(nil, result.Message, result.Locations.value.Physical.Region, result.Prints, result.SomePrints))[:16]
	if other, known := s.seen[key]; known && other != says {
		key.Package += " #" + says
	} else {
		s.seen[key] = says
	}
	return s.report.find(key, finding)
}

func (result sarifResult) ruleID() string {
	if result.RuleID != "" {
		return result.RuleID
	}
	return result.Rule.ID
}

// place is file:line, or what else the result says about where it is.
func (result sarifResult) place() string {
	at := result.Locations.value
	logical := at.Logical.value
	switch file := at.Physical.Artifact; {
	case file.URI != "" && at.Physical.Region.Line > 0:
		return fmt.Sprintf("%s:%.0f", file.URI, at.Physical.Region.Line)
	case file.URI != "":
		return file.URI
	case logical.Full != "":
		return logical.Full
	case logical.Name != "":
		return logical.Name
	case file.Index != nil && *file.Index >= 0:
		return fmt.Sprintf("artifact %d:%.0f", *file.Index, at.Physical.Region.Line)
	}
	return "no location"
}

// rule finds the rule of a result: by its index, if the rule there has the id
// that the result names, and otherwise by its id. An id may have further parts
// behind a slash.
func (run *sarifRun) rule(result sarifResult) sarifRule {
	id := result.ruleID()
	index := result.RuleIndex
	if index == nil {
		index = result.Rule.Index
	}
	components := run.components
	if c := run.componentOf(result); c != nil {
		components = []*sarifComponent{c}
	}
	if c := components[0]; index != nil && *index >= 0 && *index < len(c.rules) {
		if rule := c.rules[*index]; id == "" || rule.ID == id || strings.HasPrefix(id, rule.ID+"/") {
			return rule
		}
	}
	for id != "" {
		for _, c := range components {
			if at, ok := c.byID[id]; ok {
				return c.rules[at]
			}
		}
		id = id[:max(strings.LastIndexByte(id, '/'), 0)]
	}
	return sarifRule{}
}

// componentOf is the component that a result names for its rule, or nil.
func (run *sarifRun) componentOf(result sarifResult) *sarifComponent {
	named := result.Rule.Component
	if named.Index != nil && *named.Index >= 0 && *named.Index < len(run.components)-1 {
		return run.components[1+*named.Index]
	}
	for _, c := range run.components {
		if (named.GUID != "" && c.guid == named.GUID) || (named.GUID == "" && named.Name != "" && c.name == named.Name) {
			return c
		}
	}
	return nil
}

// severity is decided by the score (security-severity), of which the higher one
// of result and rule counts. Without a score the level decides: of the result,
// else as the tool was told, else the rule's, else warning. A result that its
// tool could not decide (open, review) has no level: it is Unknown.
func (result sarifResult) severity(rule sarifRule, overrides map[string]string) Severity {
	if result.Properties.Score != "" || rule.Properties.Score != "" {
		severity := Negligible
		for _, score := range []loose{result.Properties.Score, rule.Properties.Score} {
			if score != "" {
				severity = max(severity, scoreOf(string(score)))
			}
		}
		return severity
	}
	if kind := strings.ToLower(result.Kind); kind == "open" || kind == "review" {
		return Unknown
	}
	level := "warning"
	for _, stated := range []string{result.Level, overrides[rule.ID], rule.Configuration.Level} {
		if stated != "" {
			level = stated
			break
		}
	}
	switch strings.ToLower(level) {
	case "error":
		return High
	case "warning":
		return Medium
	case "note":
		return Low
	case "none":
		return Negligible
	}
	return Unknown
}

// setAside is why a result is listed and not counted. It is suppressed if it
// has suppressions and every one of them was accepted.
func (result sarifResult) setAside() string {
	suppressed := len(result.Suppressions) > 0
	for _, s := range result.Suppressions {
		if s.Status != "" && !strings.EqualFold(s.Status, "accepted") {
			suppressed = false
		}
	}
	switch baseline := strings.ToLower(result.Baseline); {
	case suppressed:
		return "suppressed in the report"
	case baseline == "absent": // gone; what is "unchanged" is still there
		return "absent since the baseline of the report"
	case strings.EqualFold(result.Kind, "informational"):
		return "informational: not a problem"
	}
	return ""
}
