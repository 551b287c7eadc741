package console

import (
	"bufio"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/export"
	"github.com/eucora/eucora/internal/workflow"
)

// exportLinks export what a search finds, all of it.
func exportLinks(search url.Values) []link {
	var links []link
	texts := map[export.Format]string{export.NDJSON: "As it was hashed (NDJSON)", export.CSV: "As a table (CSV)", export.OCSF: "For a SIEM (OCSF)"}
	for _, format := range export.Formats() {
		query := url.Values{"format": {string(format)}}
		for _, name := range []string{"id", "actor", "type", "since", "until"} {
			if value := search.Get(name); value != "" {
				query.Set(name, value)
			}
		}
		links = append(links, link{"/audit/export?" + query.Encode(), texts[format]})
	}
	return links
}

// exportEvents sends every event of a search, oldest first. An export that fails on
// the way is cut off, so that nobody takes a half for the whole.
func (v *visit) exportEvents() error {
	query := v.URL.Query()
	page, filter := v.auditFilter(query)
	format, _ := options(query.Get("format"), formats()...)
	if page.Problem != "" {
		return &cab.Error{Kind: cab.Invalid, Code: "INVALID_INPUT", Message: page.Problem}
	}
	if !v.ProtoAtLeast(1, 1) {
		return &cab.Error{Kind: cab.Invalid, Code: "HTTP_VERSION", Message: "an export wants HTTP/1.1 or later: before that nobody could tell a half from the whole"}
	}
	filter.OldestFirst = true
	events, err := v.server.Service.ExportEvents(v.Context(), v.call, filter)
	if err != nil {
		return err
	}
	v.download(export.Format(format).FileName())
	if v.Method == http.MethodHead {
		return nil
	}
	buffered := bufio.NewWriterSize(&unhurried{v.out, http.NewResponseController(v.out)}, 64<<10)
	out, err := export.NewWriter(buffered, export.Format(format), v.server.Version)
	if err == nil {
		err = events.Each(v.Context(), func(row workflow.EventRow) error { return out.Event(row.Leaf) })
	}
	if err == nil {
		err = buffered.Flush()
	}
	if err != nil {
		v.fail(fmt.Errorf("export: %w", err))
		panic(http.ErrAbortHandler)
	}
	return nil
}

func formats() []option {
	var all []option
	for _, format := range export.Formats() {
		all = append(all, option{string(format), string(format), false})
	}
	return all
}

// pieceTime is how long a reader may take for each piece of an export.
const pieceTime = time.Minute

// unhurried gives the reader its time for each piece, and not for the whole.
type unhurried struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (u *unhurried) Write(b []byte) (int, error) {
	_ = u.control.SetWriteDeadline(time.Now().Add(pieceTime)) // of the connection: the machine's clock
	return u.ResponseWriter.Write(b)
}

// leafFile is an event as it was hashed.
func (v *visit) leafFile() error {
	return v.eventFile("event-%d.json", func(seq int64) ([]byte, error) { return v.server.Service.Event(v.Context(), v.call, seq) })
}

// proofFile is an event's proof, which other programs check.
func (v *visit) proofFile() error {
	return v.eventFile("event-%d.tlog-proof", func(seq int64) ([]byte, error) {
		proof, err := v.server.Service.Proof(v.Context(), v.call, seq)
		return proof.Text(), err
	})
}

func (v *visit) eventFile(name string, read func(seq int64) ([]byte, error)) error {
	seq, ok := place(v.PathValue("seq"))
	if !ok {
		return &cab.Error{Kind: cab.NotFound, Code: "NOT_FOUND", Message: "there is no event at this place"}
	}
	text, err := read(seq)
	if err != nil {
		return err
	}
	v.sendFile(fmt.Sprintf(name, seq), text)
	return nil
}

// checkpointFile is the newest checkpoint that counts here, with its cosignatures.
func (v *visit) checkpointFile() error {
	note, err := v.server.Service.LogCheckpoint(v.Context(), v.call)
	if err != nil {
		return err
	}
	v.sendFile("eucora-checkpoint.txt", note)
	return nil
}

func (v *visit) sendFile(name string, text []byte) {
	v.download(name)
	v.out.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = v.out.Write(text) // a caller who is gone is the access log's business
}
