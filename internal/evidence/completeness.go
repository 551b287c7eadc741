package evidence

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

func bytesReader(value jsontext.Value) io.Reader { return bytes.NewBuffer(value) }

// Completeness says which sections have all that submission needs. It is
// computed, never sent. Missing lists what lacks, or is there and unusable, as
// paths: test_results.coverage_percent, artifacts[1].sbom.
type Completeness struct {
	Complete bool
	Sections map[string]bool
	Missing  []string
}

// Completeness checks the sections. Specification, section 3.
func (s Sections) Completeness() Completeness {
	c := Completeness{Complete: true, Sections: make(map[string]bool, 5), Missing: []string{}}
	lacks := map[string][]string{
		artifacts:      s.artifactLacks(),
		testResults:    lacking(s.TestResults, testResults, testNeeds),
		scanResults:    lacking(s.ScanResults, scanResults, scanNeeds),
		deploymentPlan: lacking(s.DeploymentPlan, deploymentPlan, planNeeds),
		rollbackPlan:   lacking(s.RollbackPlan, rollbackPlan, rollbackNeeds),
	}
	for _, name := range SectionNames() {
		c.Sections[name] = len(lacks[name]) == 0
		c.Complete = c.Complete && c.Sections[name]
		c.Missing = append(c.Missing, lacks[name]...)
	}
	return c
}

// need is a member that completes its section when usable says so.
type need struct {
	name   string
	usable func(jsontext.Value) bool
}

var (
	artifactNeeds = []need{{"sha256", isSHA256}, {"signature", isGiven}, {"sbom", isGiven}}
	testNeeds     = []need{{"coverage_percent", isKnown(readPercent)}, {"manual_test_status", isOneOf(manualTestStatuses)}}
	scanNeeds     = []need{{"scanner", isText}, {"critical", isKnown(readFindings)}, {"high", isKnown(readFindings)}}
	planNeeds     = []need{
		{"rings", isList(1)},
		{"affected_components", isList(0)},
		{"affected_users", isKnown(readCount)},
		{"complexity", isOneOf(complexities)},
	}
	rollbackNeeds = []need{{"strategy", isText}, {"validated", isBool}}
)

func lacking(section jsontext.Value, path string, needs []need) []string {
	var missing []string
	for _, n := range needs {
		if !n.usable(member(section, n.name)) {
			missing = append(missing, path+"."+n.name)
		}
	}
	return missing
}

func (s Sections) artifactLacks() []string {
	if s.Artifacts.Kind() != '[' {
		return lackingArtifact(s.Artifacts, artifacts)
	}
	var missing []string
	n := 0
	err := eachElement(s.Artifacts, func(i int, element jsontext.Value) error {
		n++
		missing = append(missing, lackingArtifact(element, fmt.Sprintf("%s[%d]", artifacts, i))...)
		return nil
	})
	if err != nil || n == 0 {
		return lackingArtifact(nil, artifacts)
	}
	return missing
}

// lackingArtifact accepts the earlier system's name for the digest. Under both
// names it must be the same: nobody knows which of two is deployed.
func lackingArtifact(artifact jsontext.Value, path string) []string {
	missing := lacking(artifact, path, artifactNeeds)
	digest, alias := member(artifact, "sha256"), member(artifact, "hash")
	lacks := len(missing) > 0 && missing[0] == path+".sha256"
	switch {
	case lacks && digest == nil && isSHA256(alias):
		return missing[1:]
	case !lacks && alias != nil && !sameValue("sha256", alias, digest):
		return append([]string{path + ".sha256"}, missing...)
	}
	return missing
}

func isSHA256(v jsontext.Value) bool {
	text, ok := readText(v)
	return ok && len(text) == 64 && strings.Trim(text, "0123456789abcdefABCDEF") == ""
}

// isGiven: a text, object or list with something in it.
func isGiven(v jsontext.Value) bool {
	switch v.Kind() {
	case '"':
		return isText(v)
	case '{', '[':
		return len(v) > 2 // canonical: {} and [] are empty
	}
	return false
}

func isText(v jsontext.Value) bool {
	text, ok := readText(v)
	return ok && strings.TrimSpace(text) != ""
}

func isBool(v jsontext.Value) bool { return v.Kind() == 't' || v.Kind() == 'f' }

func isList(least int) func(jsontext.Value) bool {
	return func(v jsontext.Value) bool {
		n, ok := length(v)
		return ok && n >= least
	}
}

func isOneOf(values []string) func(jsontext.Value) bool {
	return func(v jsontext.Value) bool {
		text, ok := readText(v)
		for _, value := range values {
			if ok && text == value {
				return true
			}
		}
		return false
	}
}

func isKnown(read func(jsontext.Value) Fact) func(jsontext.Value) bool {
	return func(v jsontext.Value) bool { return read(v).State == Known }
}
