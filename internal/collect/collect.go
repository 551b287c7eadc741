// Package collect turns the files that real tools write into the sections of an
// evidence package: one file for each format, all formats in one list. Formats
// are told by content, never by name. A number is only there if a file said it;
// what cannot be read is an error, never a zero. docs/formats.md says what is
// read of each format and which number counts.
package collect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/text/encoding/unicode"
)

// Kind is what a report is about.
type Kind string

// The kinds of reports.
const (
	SBOM     Kind = "SBOM"
	Scan     Kind = "scan report"
	Tests    Kind = "test report"
	Coverage Kind = "coverage report"
)

// MaxReport is the largest report that is read, in bytes.
const MaxReport = 256 << 20

// maxDepth bounds the nesting of JSON and XML.
const maxDepth = 2500

// format is one file format.
type format struct {
	name string
	kind Kind
	is   func(shape) bool // by the outline of the file
	read func(data []byte, into *Report) error
}

// formats is every format, on one page. Adding one is a file, a line here, and
// a golden.
var formats = [...]format{
	{"CycloneDX JSON", SBOM, isCycloneDX, readCycloneDX},
	{"Trivy JSON", Scan, isTrivy, readTrivy},
	{"Grype JSON", Scan, isGrype, readGrype},
	{"JUnit XML", Tests, isJUnit, readJUnit},
	{"Cobertura XML", Coverage, isCobertura, readCobertura},
	{"Go coverprofile", Coverage, isGoCover, readGoCover},
}

// Report is what one file says.
type Report struct {
	File   string
	Format string
	Kind   Kind
	SHA256 string // of the file's bytes

	Tool        string // that wrote it, with its version, as far as it says
	SpecVersion string // of an SBOM
	Components  int    // of an SBOM, nested ones included
	Subject     string // of an SBOM

	Findings map[FindingKey]Severity // of a scan, each at its highest severity
	Targets  int                     // of a scan: what was looked at

	Total, Passed, Failed, Skipped int // tests

	Lines map[LineKey]Line // of coverage
}

// FindingKey is what makes two findings one.
type FindingKey struct{ ID, Package string }

// LineKey is a line (or, for Go, a block) of a source file.
type LineKey struct{ File, Place string }

// Line is a line's weight in lines or statements, and whether it was run.
type Line struct {
	Weight int
	Hit    bool
}

// ReadError says which file could not be used, where, and why.
type ReadError struct {
	File, Place, Reason string
}

func (e *ReadError) Error() string {
	if e.Place == "" {
		return e.File + ": " + e.Reason
	}
	return e.File + ": " + e.Place + ": " + e.Reason
}

// Read reads a report of some kind. name is for messages only.
func Read(kind Kind, name string, r io.Reader) (Report, error) {
	raw, err := io.ReadAll(io.LimitReader(r, MaxReport+1))
	if err != nil {
		return Report{}, &ReadError{name, "", err.Error()}
	}
	if len(raw) > MaxReport {
		return Report{}, &ReadError{name, "", fmt.Sprintf("larger than %d bytes", MaxReport)}
	}
	data, err := text(raw)
	if err != nil {
		return Report{}, &ReadError{name, "", err.Error()}
	}
	outline, err := outlineOf(data)
	if err != nil {
		return Report{}, located(name, data, err)
	}
	f := recognise(outline)
	switch {
	case f == nil:
		return Report{}, &ReadError{name, "", fmt.Sprintf("is not a %s of a format that is read (%s); see docs/formats.md", kind, formatNames(kind))}
	case f.kind != kind:
		return Report{}, &ReadError{name, "", fmt.Sprintf("is a %s (%s), not a %s", f.kind, f.name, kind)}
	}
	report := Report{File: name, Format: f.name, Kind: kind, SHA256: digest(raw)}
	if err := f.read(data, &report); err != nil {
		return Report{}, located(name, data, err)
	}
	return report, nil
}

func recognise(outline shape) *format {
	for i := range formats {
		if formats[i].is(outline) {
			return &formats[i]
		}
	}
	return nil
}

func formatNames(kind Kind) string {
	var names []string
	for _, f := range formats {
		if f.kind == kind {
			names = append(names, f.name)
		}
	}
	return strings.Join(names, ", ")
}

// text is the file as UTF-8 without a byte order mark.
func text(raw []byte) ([]byte, error) {
	switch {
	case len(raw) == 0:
		return nil, errors.New("is empty: the tool that should have written it did not")
	case bytes.HasPrefix(raw, []byte{0xef, 0xbb, 0xbf}):
		return raw[3:], nil
	case bytes.HasPrefix(raw, []byte{0xff, 0xfe}), bytes.HasPrefix(raw, []byte{0xfe, 0xff}):
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder().Bytes(raw)
	}
	return raw, nil
}

// located turns a reader's error into one that names the place.
func located(name string, data []byte, err error) error {
	if known, ok := errors.AsType[*ReadError](err); ok {
		known.File = name
		return known
	}
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return &ReadError{name, fmt.Sprintf("line %d (%s)", lineAt(data, syntax.ByteOffset), syntax.JSONPointer), reason(syntax.Err, err)}
	}
	if syntax, line := xmlPlace(err); syntax != "" {
		return &ReadError{name, fmt.Sprintf("line %d", line), syntax}
	}
	return &ReadError{name, "", err.Error()}
}

func reason(inner, outer error) string {
	if errors.Is(outer, io.ErrUnexpectedEOF) || errors.Is(outer, io.EOF) {
		return "the file ends too early"
	}
	if inner != nil {
		return inner.Error()
	}
	return outer.Error()
}

func lineAt(data []byte, offset int64) int {
	return 1 + bytes.Count(data[:min(offset, int64(len(data)))], []byte("\n"))
}

// shape is the outline of a file: enough to tell formats apart.
type shape struct {
	json    byte            // '{', '[' or 0
	members map[string]bool // of the object, or of the array's first object
	kind    string          // the object's "kind", as Kubernetes has it
	root    string          // of XML
	inside  map[string]bool // XML elements directly under the root
	head    string          // the first line
}

func outlineOf(data []byte) (shape, error) {
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	first, _, _ := bytes.Cut(trimmed, []byte("\n"))
	outline := shape{head: string(first[:min(len(first), 200)])}
	switch {
	case len(trimmed) == 0:
		return outline, errors.New("holds nothing but white space")
	case trimmed[0] == '{' || trimmed[0] == '[':
		outline.json = trimmed[0]
		return outline, outlineJSON(data, &outline)
	case trimmed[0] == '<':
		return outline, outlineXML(data, &outline)
	case !utf8.Valid(data):
		return outline, errors.New("is not text")
	}
	return outline, nil
}

// outlineJSON reads the names of the top-level members, and with that checks
// the whole text: syntax, duplicate names, depth.
func outlineJSON(data []byte, outline *shape) error {
	outline.members = map[string]bool{}
	decoder := jsontext.NewDecoder(bytes.NewReader(data))
	depth := 1
	if outline.json == '[' {
		depth = 2 // of the first element
	}
	for elements := 0; ; {
		token, err := decoder.ReadToken()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if decoder.StackDepth() > maxDepth {
			return fmt.Errorf("nested deeper than %d levels", maxDepth)
		}
		if decoder.StackDepth() == depth && token.Kind() == '{' {
			elements++
		}
		kind, n := decoder.StackIndex(decoder.StackDepth())
		if elements <= 1 && decoder.StackDepth() == depth && kind == '{' && n%2 == 1 && token.Kind() == '"' {
			outline.members[token.String()] = true
			if token.String() == "kind" && decoder.PeekKind() == '"' {
				value, err := decoder.ReadToken()
				if err != nil {
					return err
				}
				outline.kind = value.String()
			}
		}
	}
}
