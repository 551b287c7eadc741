package collect

import (
	"fmt"
	"slices"
	"strings"
)

// spdxVersions are the versions of SPDX 2 that are read: each adds to the one
// before, and none changes what a package is.
var spdxVersions = []string{"SPDX-2.0", "SPDX-2.1", "SPDX-2.2", "SPDX-2.3"}

// spdx is what was read of an SPDX document, in any of its forms. Every package
// is a component, also one that the document describes, or that stands there
// twice. The subject is what the document describes, as far as that are
// packages of its own.
type spdx struct {
	report    *Report
	ids       []string // of the packages
	described map[string]bool
	tools     []string
}

// spdxDocument is the id that a document of SPDX 2 has in itself.
const spdxDocument = "SPDXRef-DOCUMENT"

// spdxPackage is one package. What it does not assert is left out.
type spdxPackage struct {
	id string
	Component
}

// maxDescribed is how many of the elements that a document describes are looked
// at for its subject.
const maxDescribed = 10_000

func (s *spdx) add(p spdxPackage) error {
	at, err := s.report.component()
	if err != nil {
		return err
	}
	for _, text := range []*string{&p.Name, &p.Version, &p.PURL} {
		if *text == "NOASSERTION" || *text == "NONE" {
			*text = ""
		}
	}
	s.report.names += len(p.id)
	s.ids = append(s.ids, p.id)
	return s.report.named(at, p.Component)
}

func (s *spdx) describes(id string) {
	if s.described == nil {
		s.described = map[string]bool{}
	}
	if len(s.described) < maxDescribed && len(id) < maxTexts {
		s.described[strings.Clone(id)] = true
	}
}

func (s *spdx) relationship(from, kind, to string) {
	switch {
	case kind == "DESCRIBES" && from == spdxDocument:
		s.describes(to)
	case kind == "DESCRIBED_BY" && to == spdxDocument:
		s.describes(from)
	}
}

// external takes a package URL from among what a package refers to.
func (p *spdxPackage) external(kind, locator string) {
	if p.PURL == "" && (kind == "purl" || strings.HasSuffix(kind, "/purl")) {
		p.PURL = strings.TrimSpace(locator)
	}
}

// creator takes the tool from among people, organizations and tools.
func (s *spdx) creator(text string) {
	if tool, ok := strings.CutPrefix(strings.TrimSpace(text), "Tool:"); ok {
		s.tool(strings.TrimSpace(tool))
	}
}

func (s *spdx) tool(name string) {
	const most = 20 // the others are not shown
	if name != "" && len(s.tools) < most && !slices.Contains(s.tools, name) {
		s.tools = append(s.tools, clip(name, maxTexts))
	}
}

// end2 ends a document of SPDX 2.
func (s *spdx) end2(version string) error {
	if !slices.Contains(spdxVersions, version) {
		return &ReadError{Place: "spdxVersion", Reason: fmt.Sprintf("%q is not read; SPDX-2.0 to SPDX-2.3 are, and 3.0 as JSON-LD", clip(version, 40))}
	}
	if len(s.ids) == 1 && len(s.described) == 0 {
		s.describes(s.ids[0]) // that is the rule for one package
	}
	s.end(strings.TrimPrefix(version, "SPDX-"))
	return nil
}

func (s *spdx) end(version string) {
	var subjects []string
	length := 0
	for i, id := range s.ids {
		if c := s.report.Components[i]; s.described[id] && length < maxTexts {
			if subject := packageAt(c.Name, c.Version); !slices.Contains(subjects, subject) {
				subjects, length = append(subjects, subject), length+len(subject)
			}
		}
	}
	s.report.Subject = clip(strings.Join(subjects, ", "), maxTexts)
	s.report.Tool = clip(strings.Join(s.tools, ", "), maxTexts)
	s.report.Version = version
}
