// Package export writes the ledger's events as other programs read them: as
// they were hashed (NDJSON), as a table (CSV), and as the Open Cybersecurity
// Schema Framework has them (OCSF). It is pure: the same events give the same
// bytes.
package export

import (
	"fmt"
	"io"

	"github.com/eucora/eucora/internal/cab"
	"github.com/go-json-experiment/json"
)

// Format is a way to write events.
type Format string

// The formats.
const (
	NDJSON Format = "ndjson" // a leaf a line, exactly as hashed
	CSV    Format = "csv"    // RFC 4180, with a header
	OCSF   Format = "ocsf"   // an OCSF event a line
)

// Formats lists every format.
func Formats() []Format { return []Format{NDJSON, CSV, OCSF} }

// MediaType is what the format is called in a Content-Type.
func (f Format) MediaType() string {
	if f == CSV {
		return "text/csv; charset=utf-8; header=present"
	}
	return "application/x-ndjson"
}

// FileName is what a file in this format is called unless somebody says
// otherwise.
func (f Format) FileName() string {
	switch f {
	case CSV:
		return "eucora-events.csv"
	case OCSF:
		return "eucora-events.ocsf.ndjson"
	}
	return "eucora-events.ndjson"
}

// Writer writes events in one format. It keeps nothing of them.
type Writer struct {
	to      io.Writer
	format  Format
	version string
}

// NewWriter begins an export: of a CSV file, it writes the header. version is
// the product's own.
func NewWriter(to io.Writer, format Format, version string) (*Writer, error) {
	w := &Writer{to, format, version}
	if format != CSV {
		return w, nil
	}
	_, err := to.Write(csvLine(csvColumns))
	return w, err
}

// Event writes one event, given as its leaf. What cannot be read as an event of
// a known type is an error: half an event would be taken for a whole one.
func (w *Writer) Event(leaf []byte) error {
	if w.format == NDJSON {
		return w.line(leaf)
	}
	var e cab.Event
	if err := json.Unmarshal(leaf, &e); err != nil {
		return fmt.Errorf("an event of the ledger cannot be read: %w", err)
	}
	m, known := mappings[e.Type]
	if !known {
		return fmt.Errorf("event %d is of the type %q, which no format here knows", e.Seq, e.Type)
	}
	if w.format == CSV {
		_, err := w.to.Write(csvLine(csvFields(e, leaf)))
		return err
	}
	mapped, err := toOCSF(e, m, leaf, w.version)
	if err != nil {
		return err
	}
	text, err := json.Marshal(mapped, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("event %d as OCSF: %w", e.Seq, err)
	}
	return w.line(text)
}

func (w *Writer) line(text []byte) error {
	if _, err := w.to.Write(text); err != nil {
		return err
	}
	_, err := w.to.Write([]byte{'\n'})
	return err
}
