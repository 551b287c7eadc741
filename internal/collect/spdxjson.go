package collect

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// isSPDXJSON knows a document by its version, or, if that stands at the end, by
// packages or files that have the ids of SPDX.
func isSPDXJSON(s shape) bool {
	if s.json != '{' || isSPDX3(s) {
		return false
	}
	return s.members["spdxVersion"] || s.members["SPDXID"] || (s.members["packages"] || s.members["files"]) && s.within["SPDXID"] ||
		s.members["sbom"] && s.within["spdxVersion"]
}

// readSPDXJSON reads SPDX 2 as JSON, also as an answer of GitHub, which has the
// document in the member sbom.
func readSPDXJSON(f *file, into *Report) error {
	s, version := spdx{report: into}, ""
	m := members{
		"spdxVersion": value(&version), "packages": s.packagesJSON, "relationships": s.relationshipsJSON,
		"creationInfo": members{"creators": s.creatorsJSON}.read,
		"documentDescribes": func(d *jsontext.Decoder) error {
			return each(d, func(id string) error {
				s.describes(id)
				return nil
			})
		},
	}
	beside := func(*jsontext.Decoder) error {
		return &ReadError{Place: "sbom", Reason: "stands beside another document, or in it"}
	}
	m["sbom"] = func(d *jsontext.Decoder) error {
		if version != "" || len(s.ids) > 0 {
			return beside(d)
		}
		m["sbom"] = beside
		err := m.read(d)
		for name := range m {
			m[name] = beside
		}
		return err
	}
	if err := f.object(m); err != nil {
		return err
	}
	return s.end2(version)
}

func (s *spdx) packagesJSON(d *jsontext.Decoder) error {
	return elements(d, func(d *jsontext.Decoder) error {
		if d.PeekKind() == 'n' {
			return d.SkipValue()
		}
		var p spdxPackage
		err := entries(d, func(name string, d *jsontext.Decoder) error {
			switch name {
			case "SPDXID":
				return json.UnmarshalDecode(d, &p.id)
			case "name":
				return json.UnmarshalDecode(d, &p.Name)
			case "versionInfo":
				return json.UnmarshalDecode(d, &p.Version)
			case "externalRefs":
				return p.externalJSON(d)
			}
			return d.SkipValue()
		})
		if err != nil {
			return err
		}
		return s.add(p)
	})
}

func (p *spdxPackage) externalJSON(d *jsontext.Decoder) error {
	return elements(d, func(d *jsontext.Decoder) error {
		var kind, locator string
		err := entries(d, func(name string, d *jsontext.Decoder) error {
			switch name {
			case "referenceType":
				return json.UnmarshalDecode(d, &kind)
			case "referenceLocator":
				return json.UnmarshalDecode(d, &locator)
			}
			return d.SkipValue()
		})
		p.external(kind, locator)
		return err
	})
}

func (s *spdx) relationshipsJSON(d *jsontext.Decoder) error {
	return elements(d, func(d *jsontext.Decoder) error {
		var from, kind, to string
		err := entries(d, func(name string, d *jsontext.Decoder) error {
			switch name {
			case "spdxElementId":
				return json.UnmarshalDecode(d, &from)
			case "relationshipType":
				return json.UnmarshalDecode(d, &kind)
			case "relatedSpdxElement":
				return json.UnmarshalDecode(d, &to)
			}
			return d.SkipValue()
		})
		s.relationship(from, kind, to)
		return err
	})
}

// creatorsJSON reads a list, or one creator. What is no text is passed over.
func (s *spdx) creatorsJSON(d *jsontext.Decoder) error {
	one := func(d *jsontext.Decoder) error {
		if d.PeekKind() != '"' {
			return d.SkipValue()
		}
		var creator string
		err := json.UnmarshalDecode(d, &creator)
		s.creator(creator)
		return err
	}
	if d.PeekKind() == '[' {
		return elements(d, one)
	}
	return one(d)
}

// isSPDXYAML knows SPDX 2 as YAML.
func isSPDXYAML(s shape) bool {
	keys := s.yamlKeys()
	return keys["spdxVersion"] || keys["SPDXID"] && keys["creationInfo"]
}

// readSPDXYAML reads the same members as of JSON.
func readSPDXYAML(f *file, into *Report) error {
	root, err := f.yaml()
	if err != nil {
		return err
	}
	var wrong error
	s, m := spdx{report: into}, yamlMap{root, &wrong}
	for _, of := range m.list("packages") {
		p := spdxPackage{of.text("SPDXID"), Component{Name: of.text("name"), Version: of.text("versionInfo")}}
		for _, external := range of.list("externalRefs") {
			p.external(external.text("referenceType"), external.text("referenceLocator"))
		}
		if err := s.add(p); err != nil {
			return err
		}
	}
	for _, of := range m.list("relationships") {
		s.relationship(of.text("spdxElementId"), of.text("relationshipType"), of.text("relatedSpdxElement"))
	}
	for _, id := range m.texts("documentDescribes") {
		s.describes(id)
	}
	for _, creator := range m.mapping("creationInfo").texts("creators") {
		s.creator(creator)
	}
	version := strings.TrimSpace(m.text("spdxVersion"))
	if wrong != nil {
		return wrong
	}
	return s.end2(version)
}
