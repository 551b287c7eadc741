// Package collect turns the files that real tools write into the sections of an
// evidence package: one file for each format, all formats in one list. Formats
// are told by content, never by name. A number is only there if a file said it;
// what cannot be read is an error, never a zero. docs/formats.md says what is
// read of each format and which number counts.
//
// Files are read as streams: memory grows with what is found in a file, within
// the limits below, and never with its size.
package collect

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Kind is what a report is about.
type Kind string

// The kinds of reports.
const (
	SBOM     Kind = "SBOM"
	Scan     Kind = "scan report"
	Tests    Kind = "test report"
	Coverage Kind = "coverage report"

	Complexity Kind = "complexity report"
	VEX        Kind = "VEX document"
	Provenance Kind = "provenance statement"
	Packaging  Kind = "packaging metadata"
)

// Limits of what is read.
const (
	MaxReport     = 256 << 20 // the largest report, in bytes
	MaxHeld       = 208 << 20 // what the reports of one package hold in memory together, in bytes, about
	maxNames      = 128 << 20 // names of the findings of one file together, in bytes
	maxComponents = 1 << 19   // of one file
	maxParts      = 64 << 20  // names, versions and package URLs of the components of one file, and what refers to them, together, in bytes
	maxItems      = 1 << 20   // distinct findings of one file
	maxFindings   = 3 << 18   // distinct findings of one file
	maxLines      = 3 << 20   // distinct lines of source in one coverage report
	maxDepth      = 2500      // nesting of XML; JSON's is limited by its decoder
	maxElements   = 12 << 20  // of XML: small ones take time, and no tool fills a file with them
	maxValue      = 16 << 20  // one JSON value, XML token or line of text that is read whole, in bytes
)

// What one of them takes in memory, in bytes, about, without its names.
const (
	heldComponent = 200
	heldFinding   = 240
	heldLine      = 64
	heldStatement = 300
	heldReference = 20
)

// format is one file format.
type format struct {
	name string
	kind Kind
	is   func(shape) bool // by the outline of the file
	read func(f *file, into *Report) error
}

// formats is every format, on one page. Adding one is a file, a line here, and
// a golden.
var formats = [...]format{
	{"CycloneDX JSON", SBOM, isCycloneDX, readCycloneDX},
	{"CycloneDX XML", SBOM, isCycloneDXXML, readCycloneDXXML},
	{"SPDX 2 JSON", SBOM, isSPDXJSON, readSPDXJSON},
	{"SPDX 2 tag-value", SBOM, isSPDXTag, readSPDXTag},
	{"SPDX 2 XML", SBOM, isSPDXXML, readSPDXXML},
	{"SPDX 2 YAML", SBOM, isSPDXYAML, readSPDXYAML},
	{"SPDX 3 JSON-LD", SBOM, isSPDX3, readSPDX3},
	{"CycloneDX vulnerabilities", Scan, isCycloneDXVulnerabilities, readCycloneDXScan},
	{"Trivy JSON", Scan, isTrivy, readTrivy},
	{"Grype JSON", Scan, isGrype, readGrype},
	{"OSV-Scanner JSON", Scan, isOSV, readOSV},
	{"Snyk JSON", Scan, isSnyk, readSnyk},
	{"SARIF", Scan, isSARIF, readSARIF},
	{"GitLab security report", Scan, isGitLab, readGitLab},
	{"govulncheck JSON", Scan, isGovulncheck, readGovulncheck},
	{"npm audit JSON", Scan, isNPMAudit, readNPMAudit},
	{"Nessus XML", Scan, isNessus, readNessus},
	{"OpenVAS XML", Scan, isOpenVAS, readOpenVAS},
	{"OpenVEX", VEX, isOpenVEX, readOpenVEX},
	{"CSAF", VEX, isCSAF, readCSAF},
	{"CycloneDX VEX", VEX, isCycloneDXVulnerabilities, readCycloneDXVEX},
	{"JUnit XML", Tests, isJUnit, readJUnit},
	{"NUnit 3 XML", Tests, isNUnit3, readNUnit3},
	{"NUnit 2 XML", Tests, isNUnit2, readNUnit2},
	{"xUnit.net XML", Tests, isXUnit, readXUnit},
	{"TRX", Tests, isTRX, readTRX},
	{"go test -json", Tests, isGoTest, readGoTest},
	{"TAP", Tests, isTAP, readTAP},
	{"Cobertura XML", Coverage, isCobertura, readCobertura},
	{"Go coverprofile", Coverage, isGoCover, readGoCover},
	{"JaCoCo XML", Coverage, isJaCoCo, readJaCoCo},
	{"LCOV", Coverage, isLCOV, readLCOV},
	{"Clover XML", Coverage, isClover, readClover},
	{"coverage.py JSON", Coverage, isCoveragePy, readCoveragePy},
	{"Istanbul JSON summary", Coverage, isIstanbulSummary, readIstanbulSummary},
	{"Istanbul JSON", Coverage, isIstanbul, readIstanbul},
	{"OpenCover XML", Coverage, isOpenCover, readOpenCover},
	{"gocyclo text", Complexity, isGocyclo, readGocyclo},
	{"Lizard CSV", Complexity, isLizardCSV, readLizardCSV},
	{"Lizard XML", Complexity, isLizardXML, readLizardXML},
	{"Lizard text", Complexity, isLizardText, readLizardText},
	{"radon JSON", Complexity, isRadon, readRadon},
	{"SonarQube measures JSON", Complexity, isSonar, readSonar},
	{"in-toto statement", Provenance, isStatement, readAttestations},
	{"DSSE envelope", Provenance, isDSSE, readAttestations},
	{"Sigstore bundle", Provenance, isSigstore, readAttestations},
	{"npm or GitHub attestations", Provenance, isResponse, readAttestations},
	{"Google Cloud Build provenance", Provenance, isCloudBuild, readAttestations},
	{"winget manifest", Packaging, isWinget, readWinget},
	{"Chocolatey nuspec", Packaging, isNuspec, readNuspec},
	{"Intune app", Packaging, isIntune, readIntune},
	{"munki pkginfo", Packaging, isMunki, readMunki},
	{"AutoPkg recipe", Packaging, isAutoPkg, readAutoPkg},
}

// Source is a file as it is handed in. It may be read several times.
type Source struct {
	Name   string // for messages only
	SHA256 string // of its bytes, in lower-case hex
	Size   int64  // in bytes
	io.ReaderAt
}

// Report is what one file says.
type Report struct {
	File    string
	Format  string
	Kind    Kind
	SHA256  string // of the file's bytes
	Version string // of the format, where the file states one
	Tool    string // that wrote it, with its version, as far as it says

	Components []Component // of an SBOM, nested ones included
	Subject    string      // of an SBOM; the image's digest of Cloud Build provenance

	Findings map[FindingKey]Finding // of a scan
	Targets  int                    // of a scan: what was looked at

	names int // bytes of the names in Components and Findings, or of the files in Lines

	Total, Passed, Failed, Skipped int // tests

	Lines              Lines // of coverage that is told line by line
	places             int   // in Lines
	Covered, Coverable int   // of coverage that is told by totals only, in lines or statements

	Functions int    // of a complexity report
	Highest   int    // complexity of a function
	HighestAt string // which function that is

	Statements []VEXStatement
	references int // products and parts in Statements, by name of the vulnerability

	Attestations []Attestation // of a provenance statement

	Packaging []Package // of packaging metadata
	kept      int       // bytes in Packaging

	held int64 // bytes in memory, about; with those of the package's reports before it
}

// hold counts what is kept of a report, in bytes of memory. A package may have many
// reports, each within its own limits.
func (r *Report) hold(n int) error {
	if r.held += int64(n); r.held > MaxHeld {
		return fmt.Errorf("with the reports before it, it holds more than is read of one package: %d MiB", MaxHeld>>20)
	}
	return nil
}

// Component is one component of an SBOM. What the file does not say is "".
type Component struct {
	Name    string // with the group before it, where the format has one: group/name
	Version string
	PURL    string // as the file has it: it need not be a valid one
}

// VEXStatement says how a vulnerability concerns products.
type VEXStatement struct {
	Vulnerability string
	Aliases       []string // other names of the vulnerability
	Products      []string // purls, or other references that the document uses
	Parts         []string // the only parts of the products that it is about; none: the products as they are
	Status        string   // not_affected, affected, fixed, under_investigation
	Justification string
	Time          string // RFC 3339, where the document says; of two statements the later one holds
}

// component makes room for a component, which [Report.named] fills when all of
// it is read: it stands before those inside it.
func (r *Report) component() (at int, err error) {
	if len(r.Components) == maxComponents {
		return 0, fmt.Errorf("lists more than %d components", maxComponents)
	}
	if err := r.hold(heldComponent); err != nil {
		return 0, err
	}
	r.Components = append(r.Components, Component{})
	return len(r.Components) - 1, nil
}

func (r *Report) named(at int, c Component) error {
	if r.names += len(c.Name) + len(c.Version) + len(c.PURL); r.names > maxParts {
		return fmt.Errorf("the names of its components have more than %d bytes", maxParts)
	}
	r.Components[at] = c
	return nil
}

// ReadError says which file could not be used, where, and why.
type ReadError struct {
	File, Place, Reason string
	Nothing             bool // of a scan: the file is whole, and says that nothing was looked at
}

func (e *ReadError) Error() string {
	if e.Place == "" {
		return e.File + ": " + e.Reason
	}
	return e.File + ": " + e.Place + ": " + e.Reason
}

// Read reads a report of some kind. Every error is a *ReadError. With one that
// says Nothing comes the report, without findings.
func Read(kind Kind, source Source) (Report, error) { return readBeside(kind, source, 0) }

// readBeside is Read beside reports that hold so much memory.
func readBeside(kind Kind, source Source, held int64) (Report, error) {
	f, err := open(source)
	if err != nil {
		return Report{}, located(f, err)
	}
	format, err := f.format(kind)
	if err != nil {
		return Report{}, located(f, err)
	}
	if format.kind != kind {
		return Report{}, &ReadError{File: source.Name, Reason: fmt.Sprintf("is a %s (%s), not a %s", format.kind, format.name, kind)}
	}
	report := Report{File: source.Name, Format: format.name, Kind: kind, SHA256: source.SHA256, held: held}
	if err := format.read(f, &report); errors.Is(err, errNothing) {
		report.Findings = nil
		return report, &ReadError{File: f.Name, Reason: err.Error(), Nothing: true}
	} else if err != nil {
		return Report{}, located(f, err)
	}
	return report, nil
}

// format tells which format a file has, from its beginning where that is
// enough. A format of the kind that is wanted comes first: one file can be an
// SBOM and a list of findings.
func (f *file) format(kind Kind) (*format, error) {
	beginning, _ := f.outline(outlineBytes) // cut off, so it ends with an error
	if found := recognise(beginning, kind); found != nil && found.kind == kind {
		return found, nil
	}
	whole, err := f.outline(f.size)
	if found := recognise(whole, kind); found != nil {
		return found, nil
	}
	if err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("is not a %s of a format that is read (%s); see docs/formats.md", kind, formatNames(kind))
}

func recognise(outline shape, kind Kind) *format {
	var other *format
	for i := range formats {
		switch f := &formats[i]; {
		case !f.is(outline):
		case f.kind == kind:
			return f
		case other == nil:
			other = f
		}
	}
	return other
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

// located turns a reader's error into one that names the file and the place.
func located(f *file, err error) error {
	if known, ok := errors.AsType[*ReadError](err); ok {
		known.File = f.Name
		return known
	}
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return &ReadError{File: f.Name, Place: f.place(syntax.ByteOffset, syntax.JSONPointer), Reason: reason(syntax.Err, err)}
	}
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		what := "has a value of the wrong type"
		if semantic.JSONKind != 0 {
			what = "must not be a JSON " + semantic.JSONKind.String()
		}
		return &ReadError{File: f.Name, Place: f.place(semantic.ByteOffset, semantic.JSONPointer), Reason: what}
	}
	if syntax, line := xmlPlace(err); syntax != "" {
		return &ReadError{File: f.Name, Place: fmt.Sprintf("line %d", line), Reason: syntax}
	}
	return &ReadError{File: f.Name, Place: "", Reason: reason(nil, err)}
}

func (f *file) place(offset int64, pointer jsontext.Pointer) string {
	return fmt.Sprintf("line %d (%s)", f.lineAt(offset), clip(string(pointer), 100))
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

// clip shortens a text for a message or a section, and leaves nothing in it that
// no JSON that is sent to us may have.
func clip(text string, most int) string {
	if len(text) <= most && !strings.Contains(text, "\x00") && utf8.ValidString(text) {
		return text
	}
	text = strings.ToValidUTF8(strings.ReplaceAll(text[:min(len(text), most+1)], "\x00", ""), "\ufffd")
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
