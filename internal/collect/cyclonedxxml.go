package collect

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
)

// The namespaces of CycloneDX: the version stands in the first. In documents of
// 1.0 to 1.3, vulnerabilities are an extension.
const (
	cycloneDXSpace     = "http://cyclonedx.org/schema/bom/"
	cycloneDXExtension = "http://cyclonedx.org/schema/ext/vulnerability/1.0"
)

func isCycloneDXXML(s shape) bool { return s.root == "bom" }

func readCycloneDXXML(f *file, into *Report) error {
	doc := cycloneDX{report: into}
	return doc.readXML(f)
}

func (c *cycloneDX) readXML(f *file) error {
	x := cycloneDXXML{doc: c}
	if err := f.walk(walker{enter: x.enter, text: x.text, leave: x.leave}); err != nil {
		return err
	}
	c.end()
	return nil
}

// cycloneDXXML is where in the document the reader is.
type cycloneDXXML struct {
	doc   *cycloneDX
	space string
	skip  int     // depth of the element that is passed over with all inside it; 0: none
	into  *string // where the text of the innermost element goes; nil: it is not wanted
	depth int     // of that element
	read  []byte  // its text so far

	open []cycloneDXOpen // components, the innermost last
	tool cycloneDXComponent

	inside        int // depth of the vulnerability that is read; 0: none
	vulnerability cycloneDXVulnerability
	other         cycloneDXReference
	rating        cycloneDXRating
	target        cycloneDXTarget
	version       cycloneDXRange
}

type cycloneDXOpen struct {
	at int // in the report's list
	cycloneDXComponent
}

func (x *cycloneDXXML) enter(path []string, e xml.StartElement) error {
	if x.skip > 0 {
		return nil
	}
	depth, extension := len(path), e.Name.Space == cycloneDXExtension
	x.into, x.depth, x.read = nil, depth, x.read[:0]
	switch {
	case depth == 1:
		return x.root(e.Name.Space)
	case extension && !x.doc.judged, e.Name.Space != x.space && !extension:
		x.skip = depth // of others
	case x.inside > 0:
		x.into = x.ofVulnerability(strings.Join(path[x.inside:], "/"))
	case path[depth-1] == "vulnerabilities" && (extension || depth == 2):
		x.doc.listed = true
	case path[depth-1] == "vulnerability" && path[depth-2] == "vulnerabilities" && (extension || depth == 3):
		x.beginVulnerability(path, e)
	case path[1] == "metadata":
		x.into = x.ofMetadata(path, e)
	case path[depth-1] == "component" && path[depth-2] == "components" && depth == x.componentDepth()+2:
		at, err := x.doc.begin()
		x.open = append(x.open, cycloneDXOpen{at, cycloneDXComponent{ref: attribute(e, "bom-ref")}})
		return err
	case depth == x.componentDepth()+1 && len(x.open) > 0:
		x.into = x.open[len(x.open)-1].field(path[depth-1])
	}
	return nil
}

// componentDepth is the depth of the innermost component, or of the root.
func (x *cycloneDXXML) componentDepth() int { return 1 + 2*len(x.open) }

func (x *cycloneDXXML) root(space string) error {
	x.space = space
	version, ok := strings.CutPrefix(space, cycloneDXSpace)
	if !ok || !slices.Contains(cycloneDXVersions, version) {
		return &ReadError{Place: "bom", Reason: fmt.Sprintf("has the namespace %q, which is not read; those of CycloneDX 1.0 to 1.7 are", clip(space, 100))}
	}
	x.doc.report.Version = version
	return nil
}

func (c *cycloneDXComponent) field(name string) *string {
	switch name {
	case "group":
		return &c.group
	case "name":
		return &c.name
	case "version":
		return &c.version
	case "purl":
		return &c.purl
	}
	return nil
}

// ofMetadata knows the subject and both shapes of tools: a list of tool, and
// since 1.5 components and services.
func (x *cycloneDXXML) ofMetadata(path []string, e xml.StartElement) *string {
	switch depth := len(path); {
	case depth == 3 && path[2] == "timestamp":
		return &x.doc.time
	case depth == 3 && path[2] == "component":
		x.doc.subject.ref = attribute(e, "bom-ref")
	case depth == 4 && path[2] == "component":
		return x.doc.subject.field(path[3])
	case depth > 4 && path[2] == "tools" && depth == cycloneDXToolDepth(path)+1:
		return x.tool.field(path[depth-1])
	}
	return nil
}

// cycloneDXToolDepth is the depth at which a path below metadata/tools has its
// tool.
func cycloneDXToolDepth(path []string) int {
	if path[3] == "tool" {
		return 4
	}
	return 5
}

// maxXMLField is the longest name, version or other single text, in bytes.
const maxXMLField = 1 << 20

func (x *cycloneDXXML) text(path []string, text string) error {
	if x.into == nil || len(path) != x.depth || x.skip > 0 {
		return nil
	}
	if x.read = append(x.read, text...); len(x.read) > maxXMLField {
		return &ReadError{Place: path[len(path)-1], Reason: fmt.Sprintf("has more than %d bytes", maxXMLField)}
	}
	return nil
}

func (x *cycloneDXXML) leave(path []string) error {
	depth := len(path)
	if x.skip > 0 {
		if depth == x.skip {
			x.skip = 0
		}
		return nil
	}
	if x.into != nil && depth == x.depth {
		*x.into = strings.TrimSpace(string(x.read))
	}
	x.into = nil
	switch {
	case x.inside > 0:
		return x.leaveVulnerability(path)
	case depth > 3 && path[1] == "metadata" && path[2] == "tools" && depth == cycloneDXToolDepth(path):
		x.doc.tool(x.tool.name, x.tool.version)
		x.tool = cycloneDXComponent{}
	case depth > 1 && depth == x.componentDepth() && path[1] == "components":
		last := x.open[len(x.open)-1]
		x.open = x.open[:len(x.open)-1]
		return x.doc.finish(last.at, last.cycloneDXComponent)
	}
	return nil
}

// beginVulnerability begins one. In the extension, it stands inside a component
// or says which one it is about.
func (x *cycloneDXXML) beginVulnerability(path []string, e xml.StartElement) {
	if !x.doc.judged {
		x.skip = len(path)
		return
	}
	x.inside, x.vulnerability = len(path), cycloneDXVulnerability{within: -1}
	if e.Name.Space != cycloneDXExtension {
		return
	}
	if ref := attribute(e, "ref"); ref != "" {
		x.vulnerability.Affects = few[cycloneDXTarget]{{Ref: ref}}
	}
	if len(x.open) > 0 {
		x.vulnerability.within = x.open[len(x.open)-1].at
	}
}

// ofVulnerability is where a text goes, by its path below the vulnerability.
func (x *cycloneDXXML) ofVulnerability(path string) *string {
	switch path {
	case "id":
		return &x.vulnerability.ID
	case "references/reference/id":
		return &x.other.ID
	case "ratings/rating/severity":
		return &x.rating.Severity
	case "ratings/rating/score", "ratings/rating/score/base":
		return (*string)(&x.rating.Score)
	case "ratings/rating/method":
		return &x.rating.Method
	case "analysis/state":
		return &x.vulnerability.Analysis.State
	case "analysis/justification":
		return &x.vulnerability.Analysis.Justification
	case "analysis/detail":
		return &x.vulnerability.Analysis.Detail
	case "analysis/firstIssued":
		return &x.vulnerability.Analysis.First
	case "analysis/lastUpdated":
		return &x.vulnerability.Analysis.Last
	case "affects/target/ref":
		return &x.target.Ref
	case "affects/target/versions/version/version":
		return &x.version.Version
	case "affects/target/versions/version/range":
		return &x.version.Range
	}
	return nil
}

func (x *cycloneDXXML) leaveVulnerability(path []string) error {
	v := &x.vulnerability
	switch strings.Join(path[x.inside:], "/") {
	case "":
		x.inside = 0
		return x.doc.judge(*v)
	case "references/reference":
		v.References = append(v.References, x.other)
		x.other = cycloneDXReference{}
	case "ratings/rating":
		v.Ratings = append(v.Ratings, x.rating)
		x.rating = cycloneDXRating{}
	case "affects/target":
		v.Affects = append(v.Affects, x.target)
		x.target = cycloneDXTarget{}
	case "affects/target/versions/version":
		x.target.Versions = append(x.target.Versions, x.version)
		x.version = cycloneDXRange{}
	}
	if len(v.References) > maxFew || len(v.Ratings) > maxFew || len(v.Affects) > maxFew || len(x.target.Versions) > maxFew {
		return &ReadError{Place: clip(v.ID, 100), Reason: fmt.Sprintf("has more than %d ratings, references or targets", maxFew)}
	}
	return nil
}
