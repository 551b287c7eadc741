// Package artifact looks into the files that are to be deployed: what an
// installer says it is, and who signed it. Nothing is executed, unpacked to
// disk or fetched; one file here for each format, all formats in one list.
// docs/artifacts.md says what is checked of each.
//
// A signature is judged against roots that are handed in (see [Trust]). That it
// is sound and by somebody unknown is its own answer, and never "valid".
package artifact

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Status is what a signature comes to.
type Status string

// The statuses, in the words of the evidence document.
const (
	Valid         Status = "valid"          // sound, over the whole file, by somebody who is trusted
	Untrusted     Status = "untrusted"      // sound, by somebody who is not known or may not sign code
	Expired       Status = "expired"        // sound, but made with a certificate that was no longer good, or nobody can say when
	Invalid       Status = "invalid"        // the file is not what was signed, or holds more than what was signed
	Unsigned      Status = "unsigned"       // there is no signature
	UnknownFormat Status = "unknown_format" // what kind of file it is is not known, so nothing can be said
)

// Signature is what is known of a file's signature.
type Signature struct {
	Status      Status
	Reason      string    // why it has this status, for people
	Signer      string    // as the certificate or key names it
	Issuer      string    // of the signer's certificate
	Fingerprint string    // SHA-256 of the signer's certificate, or the OpenPGP key's fingerprint, in lower-case hex
	NotAfter    time.Time // of the signer's certificate or key; zero if it has no end
	Timestamp   time.Time // when it was signed, as a trusted countersignature says; zero if none does
	Digest      string    // the algorithm: SHA-256
}

// Info is what a file says of itself. What it does not say is empty.
type Info struct {
	Format       string // PE, MSI, …; empty for unknown_format
	Name         string // of the product or package
	Version      string // as written
	Publisher    string // as the file states it; the signer is who signed
	Architecture string
	ID           string // product code, package identity, bundle identifier
	Signature    Signature
	Notes        []string // what a reviewer should know, such as members of an archive that would leave it
}

// Source is a file as it is handed in. It is read in any order, as often as needed.
type Source struct {
	Name string // for messages only
	Size int64  // in bytes
	io.ReaderAt
}

// format is one kind of file.
type format struct {
	name string
	is   func(s Source, head []byte) bool // head: the first bytes, as many as there are up to headBytes
	look func(s Source, trust *Trust, now time.Time, info *Info) error
}

// headBytes is how much of a file is looked at to tell its format.
const headBytes = 4096

// maxReason is how many bytes of a reason are kept: it may quote the file.
const maxReason = 1000

// formats is every format, on one page; the first that fits is taken.
var formats = [...]format{
	{"PE", isPE, lookPE},
	{"MSI", isMSI, lookMSI},
	{"CAB", isCabinet, lookCabinet},
	{"MSIX", isMSIX, lookMSIX},
	{"DEB", isDeb, lookDeb},
	{"RPM", isRPM, lookRPM},
	{"PKG", isXar, lookPKG},
	{"INTUNEWIN", isIntuneWin, lookIntuneWin},
	{"ZIP", isZip, lookZip}, // last: whatever zip is not known better
}

// Look reads what a file is, and judges its signature at a time. A file of a
// format that is known, and damaged, is an error, always a *ReadError; one of
// an unknown format is not: its status says so.
func Look(s Source, trust *Trust, now time.Time) (Info, error) {
	head := make([]byte, min(headBytes, s.Size))
	if _, err := s.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return Info{}, located(s, err)
	}
	for _, f := range formats {
		if !f.is(s, head) {
			continue
		}
		info := Info{Format: f.name}
		if err := f.look(s, trust, now, &info); err != nil {
			return Info{}, located(s, err)
		}
		info.Signature.Reason = clip(info.Signature.Reason, maxReason)
		return info, nil
	}
	return Info{Signature: Signature{Status: UnknownFormat, Reason: "not a format that is looked into"}}, nil
}

// mediaTypes are the registered or customary media types.
var mediaTypes = map[string]string{
	"PE": "application/vnd.microsoft.portable-executable", "MSI": "application/x-msi", "CAB": "application/vnd.ms-cab-compressed",
	"MSIX": "application/msix", "DEB": "application/vnd.debian.binary-package", "RPM": "application/x-rpm",
	"PKG": "application/x-xar", "ZIP": "application/zip", "INTUNEWIN": "application/zip",
}

// MediaType is the media type of a format; bytes, for one that is not known.
func MediaType(format string) string {
	if known, ok := mediaTypes[format]; ok {
		return known
	}
	return "application/octet-stream"
}

// ReadError says which file could not be read, where, and why.
type ReadError struct {
	File, Place, Reason string
}

func (e *ReadError) Error() string {
	text := e.Reason
	for _, before := range []string{e.Place, e.File} {
		if before != "" {
			text = before + ": " + text
		}
	}
	return text
}

// damaged is an error at a place of the file.
func damaged(place, format string, args ...any) error {
	return &ReadError{Place: place, Reason: fmt.Sprintf(format, args...)}
}

func located(s Source, err error) error {
	known, ok := errors.AsType[*ReadError](err)
	if !ok {
		known = &ReadError{Reason: err.Error()}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			known.Reason = "the file ends too early"
		}
	}
	known.File, known.Place, known.Reason = s.Name, clip(known.Place, maxReason), clip(known.Reason, maxReason)
	return known
}

// clip shortens a text of the file for messages and fields, and makes it valid.
func clip(text string, most int) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "\ufffd")
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
