package collect

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// isCycloneDXVulnerabilities knows any CycloneDX document, for the list stands
// at its end, if there is one.
func isCycloneDXVulnerabilities(s shape) bool {
	return isCycloneDX(s) || isCycloneDXXML(s) || s.json == '{' && s.members["specVersion"] && s.members["vulnerabilities"]
}

// cycloneDXVulnerability is a vulnerability. Which components are meant is known
// at the end of the document.
type cycloneDXVulnerability struct {
	ID         string                  `json:"id"`
	References few[cycloneDXReference] `json:"references"` // the same vulnerability by its other names
	Ratings    few[cycloneDXRating]    `json:"ratings"`
	Affects    few[cycloneDXTarget]    `json:"affects"`
	Analysis   cycloneDXAnalysis       `json:"analysis"`

	within   int // the component that it stands in; -1: none
	severity Severity
}

type cycloneDXReference struct {
	ID string `json:"id"`
}

type cycloneDXRating struct {
	Severity string `json:"severity"`
	Score    loose  `json:"score"`
	Method   string `json:"method"`
}

type cycloneDXTarget struct {
	Ref      string              `json:"ref"`
	Versions few[cycloneDXRange] `json:"versions"`
}

type cycloneDXRange struct {
	Version string `json:"version"`
	Range   string `json:"range"`
}

type cycloneDXAnalysis struct {
	State         string `json:"state"`
	Justification string `json:"justification"`
	Detail        string `json:"detail"`
	First         string `json:"firstIssued"`
	Last          string `json:"lastUpdated"`
}

// cycloneDXStates are the states of an analysis, as statuses of VEX.
var cycloneDXStates = map[string]string{
	"not_affected": notAffected, "false_positive": notAffected, "exploitable": affected, "in_triage": underInvestigation,
	"resolved": fixed, "resolved_with_pedigree": fixed,
}

func (c *cycloneDX) read(f *file) error {
	c.judged = true
	if f.beginsWith('<') {
		return c.readXML(f)
	}
	return c.readJSON(f)
}

func (c *cycloneDX) vulnerabilitiesJSON(d *jsontext.Decoder) error {
	c.listed = d.PeekKind() == '['
	return each(d, func(v cycloneDXVulnerability) error {
		v.within = -1
		return c.judge(v)
	})
}

// maxWaiting is how many vulnerabilities a document may have: they wait in
// memory for its components.
const maxWaiting = 1 << 18

// judge keeps a vulnerability until the components are known.
func (c *cycloneDX) judge(v cycloneDXVulnerability) error {
	if v.ID == "" && len(v.References) > 0 {
		v.ID, v.References = v.References[0].ID, v.References[1:]
	}
	if _, known := cycloneDXStates[v.Analysis.State]; v.Analysis.State != "" && !known {
		return &ReadError{Place: clip(v.ID, 100), Reason: fmt.Sprintf("%q is no state of an analysis", clip(v.Analysis.State, 40))}
	}
	v.severity = v.rated()
	v.Ratings = nil
	v.Analysis.Detail = clip(v.Analysis.Detail, 200)
	c.things += (1 + len(v.References)) * (1 + len(v.Affects))
	c.report.names += len(v.ID) + len(v.Analysis.Justification) + len(v.Analysis.First) + len(v.Analysis.Last)
	for _, reference := range v.References {
		c.report.names += len(reference.ID)
	}
	for _, target := range v.Affects {
		c.things += len(target.Versions)
		c.report.names += len(target.Ref)
		for _, version := range target.Versions {
			c.report.names += len(version.Version) + len(version.Range)
		}
	}
	switch {
	case len(c.waiting) == maxWaiting, c.things > maxItems:
		return fmt.Errorf("lists more than %d vulnerabilities, or %d things they refer to", maxWaiting, maxItems)
	case c.report.names > maxParts:
		return fmt.Errorf("the names of its vulnerabilities have more than %d bytes", maxParts)
	}
	c.waiting = append(c.waiting, v)
	return nil
}

// rated is the highest of all ratings. One that only has a vector says nothing
// that is read.
func (v cycloneDXVulnerability) rated() Severity {
	if len(v.Ratings) == 0 {
		return Unknown
	}
	highest := Negligible
	for _, rating := range v.Ratings {
		highest = max(highest, rating.severity())
	}
	return highest
}

// severity is the one that is named, or else that of the score: of CVSS only,
// for others have other scales.
func (r cycloneDXRating) severity() Severity {
	severity := severityOf(r.Severity)
	if severity == Unknown && (r.Method == "" || strings.HasPrefix(r.Method, "CVSS")) {
		score := scoreOf(string(r.Score))
		if r.Severity != "" {
			score = max(score, Unknown)
		}
		return score
	}
	return severity
}

// readCycloneDXScan counts vulnerabilities by id and by what they affect. Those
// whose analysis says that they do no harm are listed.
func readCycloneDXScan(f *file, into *Report) error {
	c := cycloneDX{report: into}
	if err := c.read(f); err != nil {
		return err
	}
	components, err := c.referredTo()
	if err != nil {
		return err
	}
	counted := 0
	for _, v := range c.waiting {
		finding := Finding{Severity: v.severity, SetAside: v.Analysis.harmless()}
		for _, reference := range v.References {
			finding.Aliases = append(finding.Aliases, reference.ID)
		}
		if finding.SetAside == "" {
			counted++
		}
		for _, target := range c.targets(v, components) {
			finding.PURL = target.PURL
			if err := into.vulnerability(v.ID, packageAt(target.Name, target.Version), finding); err != nil {
				return err
			}
		}
	}
	into.Targets = max(len(into.Components), min(counted, 1))
	into.Components = nil
	if into.Tool == "" {
		into.Tool = "CycloneDX, tool not stated"
	}
	switch {
	case !c.listed:
		return errors.New("has no list of vulnerabilities: it is an SBOM and not a scan")
	case len(c.waiting) == 0:
		return errNothingScanned("its list of vulnerabilities is empty, as in an SBOM that nobody scanned")
	case into.Targets == 0:
		return errNothingScanned("no components, and no vulnerability that counts: this is a VEX document")
	}
	return nil
}

// harmless is why a vulnerability is set aside; "" if it counts.
func (a cycloneDXAnalysis) harmless() string {
	switch cycloneDXStates[a.State] {
	case notAffected, fixed:
		return because("analysis: "+a.State, a.Justification, a.Detail)
	}
	return ""
}

// targets are what a vulnerability affects; if that is not said, the one target
// without a name.
func (c *cycloneDX) targets(v cycloneDXVulnerability, components map[string]Component) []Component {
	var targets []Component
	for _, target := range v.Affects {
		component, known := components[target.Ref]
		switch {
		case !known && v.within >= 0:
			component = c.report.Components[v.within]
		case !known:
			component = cycloneDXElsewhere(target.Ref)
		}
		targets = append(targets, component)
	}
	if len(targets) > 0 {
		return targets
	}
	if v.within >= 0 {
		return []Component{c.report.Components[v.within]}
	}
	return []Component{{}}
}

// referredTo are the components, and the subject, that vulnerabilities refer to.
func (c *cycloneDX) referredTo() (map[string]Component, error) {
	wanted := map[string]bool{}
	for _, v := range c.waiting {
		for _, target := range v.Affects {
			wanted[target.Ref] = target.Ref != ""
		}
	}
	found := map[string]Component{}
	if wanted[c.subject.ref] {
		found[c.subject.ref] = c.subject.component()
	}
	for i, ref := range c.refs {
		if !wanted[ref] {
			continue
		}
		if known, twice := found[ref]; twice && known != c.report.Components[i] {
			return nil, &ReadError{Place: "bom-ref", Reason: fmt.Sprintf("%q stands there twice, for different components", clip(ref, 100))}
		}
		found[ref] = c.report.Components[i]
	}
	return found, nil
}

// cycloneDXElsewhere is what a reference to another document (a BOM-Link,
// urn:cdx:serial/version#ref) says of the component: many tools use the package
// URL as reference. Others are only a name.
func cycloneDXElsewhere(ref string) Component {
	text := ref
	if link, ok := strings.CutPrefix(ref, "urn:cdx:"); ok {
		_, fragment, _ := strings.Cut(link, "#")
		if !strings.HasPrefix(fragment, "pkg:") {
			fragment, _ = url.PathUnescape(fragment)
		}
		text = fragment
	}
	p, err := parsePURL(text)
	if err != nil {
		return Component{Name: ref}
	}
	return Component{Name: strings.TrimPrefix(p.namespace+"/"+p.name, "/"), Version: p.version, PURL: text}
}

// readCycloneDXVEX takes the analysis of each vulnerability. One that nobody
// has analysed states nothing, and nothing clears it: Dependency-Track lists a
// vulnerability of a product once for each of its parts, and analyses some.
func readCycloneDXVEX(f *file, into *Report) error {
	c := cycloneDX{report: into}
	if err := c.read(f); err != nil {
		return err
	}
	components, err := c.referredTo()
	if err != nil {
		return err
	}
	unanalysed := map[[2]string]bool{}
	for _, v := range c.waiting {
		for _, target := range v.Affects {
			if v.Analysis.State == "" {
				unanalysed[[2]string{v.ID, target.Ref}] = true
			}
		}
	}
	for _, v := range c.waiting {
		if v.Analysis.harmless() != "" {
			v.Affects = slices.DeleteFunc(v.Affects, func(t cycloneDXTarget) bool { return unanalysed[[2]string{v.ID, t.Ref}] })
		}
		if v.Analysis.State == "" {
			continue
		}
		if err := c.states(v, components); err != nil {
			return err
		}
	}
	into.Components = nil
	return into.anyStatements()
}

func (c *cycloneDX) states(v cycloneDXVulnerability, components map[string]Component) error {
	s := VEXStatement{Vulnerability: v.ID, Status: cycloneDXStates[v.Analysis.State], Justification: v.Analysis.Justification}
	for _, reference := range v.References {
		s.Aliases = append(s.Aliases, reference.ID)
	}
	if s.Justification == "" {
		s.Justification = v.Analysis.Detail
	}
	for _, when := range []string{c.time, v.Analysis.First, v.Analysis.Last} {
		if when != "" {
			s.Time = when
		}
	}
	if err := isTime(clip(v.ID, 100), s.Time); err != nil {
		return err
	}
	if len(v.Affects) > 0 || v.within >= 0 {
		for i, target := range c.targets(v, components) {
			var versions []cycloneDXRange
			if i < len(v.Affects) {
				versions = v.Affects[i].Versions
			}
			s.Products = append(s.Products, target.products(s.Status, versions)...)
		}
	}
	return c.report.states(s)
}

// products are the names of a component, for a statement. One that is all
// versions of it clears only those that the target lists; a range clears none,
// for it is not compared.
func (c Component) products(status string, versions []cycloneDXRange) []string {
	p, err := parsePURL(c.PURL)
	isPURL := err == nil
	if status != notAffected || len(versions) == 0 || c.Version != "" || isPURL && p.version != "" {
		return []string{c.product(isPURL)}
	}
	var products []string
	for _, version := range versions {
		switch one := c; {
		case version.Version == "":
			products = append(products, c.product(isPURL)+" "+version.Range)
		case isPURL:
			products = append(products, p.at(version.Version))
		default:
			one.Version = version.Version
			products = append(products, one.product(false))
		}
	}
	return products
}

func (c Component) product(isPURL bool) string {
	if isPURL {
		return c.PURL
	}
	return packageAt(c.Name, c.Version)
}

// at is the package URL with a version.
func (p purl) at(version string) string {
	text := "pkg:" + p.kind + "/"
	if p.namespace != "" {
		for part := range strings.SplitSeq(p.namespace, "/") {
			text += url.PathEscape(part) + "/"
		}
	}
	return text + url.PathEscape(p.name) + "@" + url.PathEscape(version)
}
