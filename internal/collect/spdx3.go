package collect

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// isSPDX3 knows SPDX 3 as JSON-LD: a graph of elements, or one element. No
// other format that is read has a graph.
func isSPDX3(s shape) bool {
	return s.json == '{' && (s.members["@graph"] || s.members["spdxId"] && s.members["type"] || strings.Contains(s.texts["@context"], "//spdx.org/rdf/3"))
}

// spdx3Packages are the types of elements that are packages.
var spdx3Packages = map[string]bool{"software_Package": true, "ai_AIPackage": true, "dataset_DatasetPackage": true}

// spdx3 is what was read of a graph so far. Elements refer to each other by id,
// in any order.
type spdx3 struct {
	spdx
	version string
	using   []string          // ids of the tools that the document was made with
	named   map[string]string // names of tools, by id
}

// maxTools is how many tools are looked at.
const maxTools = 1000

// spdx3Element is what is wanted of an element, whatever its type.
type spdx3Element struct {
	kind, id, name, version, purl, identified, spec string
	root, using                                     []string
}

// readSPDX3 counts packages, and those of the AI and dataset profiles. The
// subject are the packages that the document, or an SBOM in it, has as root.
func readSPDX3(f *file, into *Report) error {
	s := spdx3{spdx: spdx{report: into}, named: map[string]string{}}
	if err := f.one(s.inside); err != nil {
		return err
	}
	if s.version == "" {
		return errors.New("does not say that it is SPDX 3: it has no @context of SPDX and no specVersion")
	}
	for _, id := range s.using {
		s.tool(s.named[id])
	}
	s.end(s.version)
	return nil
}

// element reads an element with those inside it, which may stand wherever a
// reference to them may. The outermost object, which has a context and is a
// graph or the only element, is read like any other.
func (s *spdx3) element(d *jsontext.Decoder) (id string, err error) {
	var e spdx3Element
	err = entries(d, func(name string, d *jsontext.Decoder) error {
		if to := e.field(name); to != nil {
			if to == &e.kind && e.kind != "" {
				return &ReadError{Place: clip(string(d.StackPointer()), 200), Reason: "gives a type twice"}
			}
			return json.UnmarshalDecode(d, to)
		}
		switch name {
		case "@context":
			return s.context(d)
		case "rootElement":
			return s.references(d, &e.root)
		case "createdUsing":
			return s.references(d, &e.using)
		case "externalIdentifier":
			return e.identifiers(d)
		}
		return s.inside(d)
	})
	if err == nil {
		err = s.take(e)
	}
	return e.id, err
}

// take keeps what is wanted of an element.
func (s *spdx3) take(e spdx3Element) error {
	switch {
	case spdx3Packages[e.kind]:
		if e.purl == "" {
			e.purl = e.identified
		}
		return s.add(spdxPackage{e.id, Component{e.name, e.version, e.purl}})
	case e.kind == "CreationInfo" && e.spec != "":
		if len(s.using) < maxTools {
			s.using = append(s.using, e.using...)
		}
		return s.is(e.spec)
	case e.kind == "Tool" && len(s.named) < maxTools:
		s.named[e.id] = clip(e.name, maxTexts)
	}
	for _, id := range e.root {
		s.describes(id)
	}
	return nil
}

func (e *spdx3Element) field(name string) *string {
	switch name {
	case "type", "@type":
		return &e.kind
	case "spdxId", "@id":
		return &e.id
	case "name":
		return &e.name
	case "software_packageVersion":
		return &e.version
	case "software_packageUrl":
		return &e.purl
	case "specVersion":
		return &e.spec
	}
	return nil
}

// inside looks for elements in a value of any kind.
func (s *spdx3) inside(d *jsontext.Decoder) error {
	switch d.PeekKind() {
	case '{':
		_, err := s.element(d)
		return err
	case '[':
		return elements(d, s.inside)
	}
	return d.SkipValue()
}

// references reads one id, or a list of ids and of elements.
func (s *spdx3) references(d *jsontext.Decoder, to *[]string) error {
	var id string
	var err error
	switch d.PeekKind() {
	case '[':
		return elements(d, func(d *jsontext.Decoder) error { return s.references(d, to) })
	case '{':
		id, err = s.element(d)
	default:
		err = json.UnmarshalDecode(d, &id)
	}
	if err == nil && len(*to) < maxTools && len(id) < maxTexts {
		*to = append(*to, id)
	}
	return err
}

func (e *spdx3Element) identifiers(d *jsontext.Decoder) error {
	one := func(d *jsontext.Decoder) error {
		var kind, identifier string
		err := members{"externalIdentifierType": value(&kind), "identifier": value(&identifier)}.read(d)
		if e.identified == "" && strings.EqualFold(kind, "packageUrl") {
			e.identified = identifier
		}
		return err
	}
	if d.PeekKind() == '[' {
		return elements(d, one)
	}
	return one(d)
}

var spdx3Context = regexp.MustCompile(`^https?://spdx\.org/rdf/([0-9.]+)/`)

// context reads a text, or a list of texts and objects.
func (s *spdx3) context(d *jsontext.Decoder) error {
	switch d.PeekKind() {
	case '[':
		return elements(d, s.context)
	case '"':
		var context string
		if err := json.UnmarshalDecode(d, &context); err != nil {
			return err
		}
		if found := spdx3Context.FindStringSubmatch(context); found != nil {
			return s.is(found[1])
		}
		return nil
	}
	return d.SkipValue()
}

var spdx30 = regexp.MustCompile(`^3\.0(\.[0-9]{1,3})?$`)

// is notes the version: all that are stated must be read.
func (s *spdx3) is(version string) error {
	if !spdx30.MatchString(version) {
		return &ReadError{Place: "specVersion", Reason: fmt.Sprintf("%q is not read; 3.0 is", clip(version, 40))}
	}
	if s.version == "" {
		s.version = version
	}
	return nil
}
