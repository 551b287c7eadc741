package collect

import (
	"fmt"
	"strings"
)

// isSPDXTag knows SPDX 2 as lines of tag: value.
func isSPDXTag(s shape) bool {
	if s.json != 0 || s.root != "" {
		return false
	}
	for _, line := range s.lines {
		if strings.HasPrefix(line, "SPDXVersion:") {
			return true
		}
	}
	return false
}

// spdxTags is what was read of a document of tags so far.
type spdxTags struct {
	spdx
	version string
	open    bool // the package that is read
	spdxPackage
	text int // line on which a text of several lines began; 0: none
}

// readSPDXTag reads SPDX 2 as tags. Lines end with LF, CRLF or CR: some tools
// mix them. What stands in <text> is not a tag.
func readSPDXTag(f *file, into *Report) error {
	s := spdxTags{spdx: spdx{report: into}}
	err := f.lines(func(n int, line string) error {
		for part := range strings.SplitSeq(line, "\r") {
			if err := s.line(n, part); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if s.text > 0 {
		return onLine(s.text, "begins a <text> that does not end")
	}
	if err := s.close(); err != nil {
		return err
	}
	return s.end2(s.version)
}

func (s *spdxTags) line(n int, line string) error {
	if s.text > 0 {
		if strings.Contains(line, "</text>") {
			s.text = 0
		}
		return nil
	}
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return nil
	}
	tag, text, ok := strings.Cut(line, ":")
	if !ok || strings.ContainsAny(tag, " \t<") {
		return onLine(n, "is no tag: value")
	}
	text = strings.TrimSpace(text)
	if inner, ok := strings.CutPrefix(text, "<text>"); ok {
		inner, _, ends := strings.Cut(inner, "</text>")
		if !ends {
			s.text = n
		}
		text = strings.TrimSpace(inner)
	}
	return s.tag(n, tag, text)
}

// tag takes one tag. Those of a package follow its name, up to the next file,
// snippet or licence.
func (s *spdxTags) tag(n int, tag, text string) error {
	switch tag {
	case "SPDXVersion":
		return once(n, tag, &s.version, text)
	case "Creator":
		s.creator(text)
	case "Relationship":
		if words := strings.Fields(text); len(words) == 3 {
			s.relationship(words[0], words[1], words[2])
		}
	case "PackageName":
		err := s.close()
		s.open, s.Name = true, text
		return err
	case "FileName", "SnippetSPDXID", "LicenseID":
		return s.close()
	}
	if !s.open {
		return nil
	}
	switch tag {
	case "SPDXID":
		return once(n, tag, &s.id, text)
	case "PackageVersion":
		return once(n, tag, &s.Version, text)
	case "ExternalRef":
		if words := strings.Fields(text); len(words) == 3 {
			s.external(words[1], words[2])
		}
	}
	return nil
}

// once takes a value that may stand there only once.
func once(n int, tag string, to *string, text string) error {
	if *to != "" {
		return onLine(n, fmt.Sprintf("duplicate %s", tag))
	}
	*to = text
	return nil
}

// close ends the package that is read.
func (s *spdxTags) close() error {
	if !s.open {
		return nil
	}
	p := s.spdxPackage
	s.open, s.spdxPackage = false, spdxPackage{}
	p.id, p.Name, p.Version, p.PURL = strings.Clone(p.id), strings.Clone(p.Name), strings.Clone(p.Version), strings.Clone(p.PURL)
	return s.add(p)
}
