package collect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// cycloneDXVersions are the versions of the specification that are read. The
// first two had no JSON form.
var cycloneDXVersions = []string{"1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7"}

func isCycloneDX(s shape) bool {
	return s.json == '{' && (s.members["bomFormat"] || (s.members["specVersion"] && s.members["components"]))
}

func readCycloneDX(f *file, into *Report) error {
	doc := cycloneDX{report: into}
	return doc.readJSON(f)
}

// cycloneDX is what was read of a CycloneDX document, JSON or XML. Components
// are counted with those inside them; the subject of the document
// (metadata.component) is not one, and neither are those inside the subject.
type cycloneDX struct {
	report  *Report
	subject cycloneDXComponent
	tools   []string
	time    string // of the document

	// What follows is read if the file is asked for as a scan or as VEX.
	judged  bool
	refs    []string // of the components, by which vulnerabilities refer to them
	listed  bool     // there is a list of vulnerabilities
	waiting []cycloneDXVulnerability
	things  int // names times targets, and versions, in waiting
}

type cycloneDXComponent struct{ group, name, version, purl, ref string }

// component is what is kept of it: npm and Composer write the group that way.
func (c cycloneDXComponent) component() Component {
	if c.group != "" {
		c.name = c.group + "/" + c.name
	}
	return Component{c.name, c.version, c.purl}
}

func (c *cycloneDX) readJSON(f *file) error {
	var format string
	m := members{
		"bomFormat": value(&format), "specVersion": value(&c.report.Version), "components": c.components,
		"metadata": members{
			"timestamp": value(&c.time), "tools": c.toolsJSON,
			"component": func(d *jsontext.Decoder) error { return c.subject.read(d, (*jsontext.Decoder).SkipValue) },
		}.read,
	}
	if c.judged {
		m["vulnerabilities"] = c.vulnerabilitiesJSON
	}
	if err := f.object(m); err != nil {
		return err
	}
	if format != "CycloneDX" {
		return &ReadError{Place: "bomFormat", Reason: fmt.Sprintf("is %q, not CycloneDX", clip(format, 40))}
	}
	if !slices.Contains(cycloneDXVersions[2:], c.report.Version) {
		return &ReadError{Place: "specVersion", Reason: fmt.Sprintf("%q is not read; 1.2 to 1.7 are", clip(c.report.Version, 40))}
	}
	c.end()
	return nil
}

// end puts what is said once into the report.
func (c *cycloneDX) end() {
	c.report.Subject = clip(packageAt(c.subject.name, c.subject.version), maxTexts)
	c.report.Tool = clip(strings.Join(c.tools, ", "), maxTexts)
}

// maxTexts is what is kept of a list of names that is only shown, in bytes.
const maxTexts = 1000

func (c *cycloneDX) components(d *jsontext.Decoder) error {
	return elements(d, func(d *jsontext.Decoder) error {
		if d.PeekKind() == 'n' {
			return d.SkipValue()
		}
		at, err := c.begin()
		if err != nil {
			return err
		}
		var component cycloneDXComponent
		if err := component.read(d, c.components); err != nil {
			return err
		}
		return c.finish(at, component)
	})
}

func (c *cycloneDXComponent) read(d *jsontext.Decoder, inside func(*jsontext.Decoder) error) error {
	return entries(d, func(name string, d *jsontext.Decoder) error {
		switch name {
		case "group":
			return json.UnmarshalDecode(d, &c.group)
		case "name":
			return json.UnmarshalDecode(d, &c.name)
		case "version":
			return json.UnmarshalDecode(d, &c.version)
		case "purl":
			return json.UnmarshalDecode(d, &c.purl)
		case "bom-ref":
			return json.UnmarshalDecode(d, &c.ref)
		case "components":
			return inside(d)
		}
		return d.SkipValue()
	})
}

// begin makes room for a component, finish fills it.
func (c *cycloneDX) begin() (at int, err error) {
	if c.judged {
		c.refs = append(c.refs, "")
	}
	return c.report.component()
}

func (c *cycloneDX) finish(at int, component cycloneDXComponent) error {
	if c.judged {
		c.report.names += len(component.ref)
		c.refs[at] = component.ref
	}
	return c.report.named(at, component.component())
}

// toolsJSON reads both shapes: a list, and since 1.5 an object of components
// and services.
func (c *cycloneDX) toolsJSON(d *jsontext.Decoder) error {
	list := func(d *jsontext.Decoder) error {
		return each(d, func(tool struct {
			Name    string `json:"name"`
			Version string `json:"version"`
		}) error {
			c.tool(tool.Name, tool.Version)
			return nil
		})
	}
	if d.PeekKind() == '[' {
		return list(d)
	}
	return members{"components": list, "services": list}.read(d)
}

func (c *cycloneDX) tool(name, version string) {
	const most = 20 // the others are not shown
	if tool := strings.TrimSpace(name + " " + version); name != "" && len(c.tools) < most && !slices.Contains(c.tools, tool) {
		c.tools = append(c.tools, clip(tool, maxTexts))
	}
}
