package collect

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
)

// isSPDXXML knows SPDX 2 as XML, and as RDF/XML, which is refused with its name.
func isSPDXXML(s shape) bool {
	return s.root == "Document" && (s.inside["spdxVersion"] || s.inside["SPDXID"]) ||
		s.root == "RDF" && (s.inside["SpdxDocument"] || s.inside["Package"] || s.inside["File"])
}

// spdxXML is where in the document the reader is.
type spdxXML struct {
	spdx
	version, creator, describes string
	spdxPackage
	externalKind, externalLocator string
	from, kind, to                string

	into  *string // where the text of the innermost element goes; nil: it is not wanted
	depth int     // of that element
	read  []byte  // its text so far
}

// readSPDXXML reads SPDX 2 as XML, which has the members of JSON as elements.
func readSPDXXML(f *file, into *Report) error {
	s := spdxXML{spdx: spdx{report: into}}
	if err := f.walk(walker{enter: s.enter, text: s.text, leave: s.leave}); err != nil {
		return err
	}
	return s.end2(s.version)
}

func (s *spdxXML) enter(path []string, _ xml.StartElement) error {
	if path[0] == "RDF" {
		return errors.New("is SPDX as RDF/XML, which is not read: have it written as JSON, YAML, XML or tag: value")
	}
	s.depth, s.read = len(path), s.read[:0]
	s.into = s.field(strings.Join(path[1:], "/"))
	return nil
}

// field is where a text goes, by its path in the document.
func (s *spdxXML) field(path string) *string {
	switch path {
	case "spdxVersion":
		return &s.version
	case "creationInfo/creators":
		return &s.creator
	case "documentDescribes":
		return &s.describes
	case "packages/SPDXID":
		return &s.id
	case "packages/name":
		return &s.Name
	case "packages/versionInfo":
		return &s.Version
	case "packages/externalRefs/referenceType":
		return &s.externalKind
	case "packages/externalRefs/referenceLocator":
		return &s.externalLocator
	case "relationships/spdxElementId":
		return &s.from
	case "relationships/relationshipType":
		return &s.kind
	case "relationships/relatedSpdxElement":
		return &s.to
	}
	return nil
}

func (s *spdxXML) text(path []string, text string) error {
	if s.into == nil || len(path) != s.depth {
		return nil
	}
	if s.read = append(s.read, text...); len(s.read) > maxXMLField {
		return &ReadError{Place: path[len(path)-1], Reason: fmt.Sprintf("has more than %d bytes", maxXMLField)}
	}
	return nil
}

func (s *spdxXML) leave(path []string) error {
	if s.into != nil && len(path) == s.depth {
		if *s.into != "" {
			return &ReadError{Place: strings.Join(path, "/"), Reason: "stands there twice"}
		}
		*s.into = strings.TrimSpace(string(s.read))
	}
	s.into = nil
	switch strings.Join(path[1:], "/") {
	case "creationInfo/creators":
		s.spdx.creator(s.creator)
		s.creator = ""
	case "documentDescribes":
		s.spdx.describes(s.describes)
		s.describes = ""
	case "packages/externalRefs":
		s.external(s.externalKind, s.externalLocator)
		s.externalKind, s.externalLocator = "", ""
	case "packages":
		p := s.spdxPackage
		s.spdxPackage = spdxPackage{}
		return s.add(p)
	case "relationships":
		s.relationship(s.from, s.kind, s.to)
		s.from, s.kind, s.to = "", "", ""
	}
	return nil
}
