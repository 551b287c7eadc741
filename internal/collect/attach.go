package collect

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/artifact"
	"github.com/eucora/eucora/internal/evidence"
)

// MaxArtifact is the largest file that is to be deployed, in bytes.
const MaxArtifact = 2 << 30

// Attached is an attachment that was read.
type Attached struct {
	evidence.Attachment
	Info   artifact.Info // of an artifact
	Report Report        // of anything else
	Empty  string        // of a scan: why it counts for nothing, although its file is whole

	components int // of an SBOM
}

// Held is what the report holds in memory together with those before it, for the
// next one of the package.
func (a *Attached) Held() int64 { return a.Report.held }

// Forget lets go of the components, of which [Derive] needs only how many there
// are.
func (a *Attached) Forget() {
	a.Report.held -= int64(len(a.Report.Components)) * heldComponent
	a.Report.Components = nil
}

// kinds says what is expected in the files of each role but artifacts.
var kinds = map[evidence.Role]Kind{
	evidence.SBOMFile: SBOM, evidence.ScanFile: Scan, evidence.TestsFile: Tests, evidence.CoverageFile: Coverage,
	evidence.ComplexityFile: Complexity, evidence.VEXFile: VEX, evidence.ProvenanceFile: Provenance, evidence.PackagingFile: Packaging,
}

// Limit is how large a file of a role may be, in bytes.
func Limit(role evidence.Role) int64 {
	if role == evidence.ArtifactFile {
		return MaxArtifact
	}
	return MaxReport
}

// Attach reads an attachment by its role. What it is, the bytes say: its name
// and what its sender calls it are for people. Every error names the file; it is
// a *ReadError or an *artifact.ReadError. held is what the package's attachments
// before this one hold in memory: see [Attached.Held].
func Attach(role evidence.Role, s Source, trust *artifact.Trust, now time.Time, held int64) (Attached, error) {
	a := Attached{Attachment: evidence.Attachment{Name: baseName(s.Name), Role: role, SHA256: s.SHA256, Size: s.Size}}
	if role == evidence.ArtifactFile {
		a.Report.held = held
		return a, a.look(s, trust, now)
	}
	report, err := readBeside(kinds[role], s, held)
	if nothing, ok := errors.AsType[*ReadError](err); ok && nothing.Nothing {
		a.Empty, err = nothing.Reason, nil
	}
	a.Report, a.components = report, len(report.Components)
	a.Format, a.Version, a.Tool, a.MediaType = report.Format, clip(report.Version, 100), clip(report.Tool, 200), mediaType(s)
	return a, err
}

func (a *Attached) look(s Source, trust *artifact.Trust, now time.Time) error {
	if s.Size == 0 {
		return &ReadError{File: s.Name, Reason: "is empty: there is nothing to deploy"}
	}
	info, err := artifact.Look(artifact.Source{Name: s.Name, Size: s.Size, ReaderAt: s}, trust, now)
	a.Info, a.Format, a.MediaType = info, info.Format, artifact.MediaType(info.Format)
	return err
}

// baseName is a file's name without the folders that its sender has it in.
func baseName(name string) string {
	return clip(path.Base(strings.ReplaceAll(strings.ReplaceAll(name, "\x00", ""), `\`, "/")), 255)
}

// mediaType is that of a report, by its first character: enough for programs,
// and never one that a browser shows.
func mediaType(s Source) string {
	head := make([]byte, min(s.Size, 512))
	n, _ := s.ReadAt(head, 0) // the file has been read
	head = bytes.TrimPrefix(head[:n], []byte("\xef\xbb\xbf"))
	switch text := bytes.TrimLeft(head, " \t\r\n"); {
	case bytes.HasPrefix(text, []byte("{")), bytes.HasPrefix(text, []byte("[")):
		return "application/json"
	case bytes.HasPrefix(text, []byte("<")):
		return "application/xml"
	}
	return "text/plain"
}

// source is where a value that was read from this attachment comes from.
func (a *Attached) source() evidence.OriginSource {
	parser := a.Format
	if parser == "" {
		parser = fmt.Sprint(evidence.ArtifactFile)
	}
	return evidence.OriginSource{Attachment: a.SHA256, Version: a.Version, Parser: parser}
}
