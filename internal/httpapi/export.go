package httpapi

import (
	"bufio"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/export"
	"github.com/eucora/eucora/internal/workflow"
)

// stream is an answer that is written while it is made.
type stream struct {
	mediaType, disposition, fileName string
	policy                           string // Content-Security-Policy; "": that of all answers
	write                            func(w io.Writer) error
}

// exportParams are the filters of the list of events, and the format.
var exportParams = append(eventParams[:len(eventParams):len(eventParams)], param{"format", "ndjson (if absent), csv or ocsf", false})

// exportMedia are the media types of the formats.
var exportMedia = []string{"application/x-ndjson", "text/csv"}

// eventParams choose events.
var eventParams = []param{
	{"correlation_id", "any id of a trail: deployment, evidence, request, exception, CAB-…, EXC-…", false},
	{"type", "one event type", false}, {"actor", "principal id", false},
	{"since", "from this time on (RFC 3339)", false}, {"until", "before this time (RFC 3339)", false},
}

// eventFilter reads eventParams.
func (q *request) eventFilter() workflow.EventFilter {
	f := workflow.EventFilter{
		Trail: q.one("correlation_id"), Type: oneOf(q, "type", cab.EventTypes()), ActorID: q.one("actor"),
		Since: q.moment("since"), Until: q.moment("until"),
	}
	for _, name := range []string{"correlation_id", "actor"} {
		if value := q.one(name); q.query.Has(name) && (value == "" || clip(value, 100) != value) {
			q.fault(name, "want 1 to 100 characters")
		}
	}
	return f
}

// exportEvents answers with every event of a filter, however many there are.
func (s *Server) exportEvents(q *request) (any, error) {
	f := q.eventFilter()
	f.OldestFirst = true
	format := oneOf(q, "format", export.Formats())
	if format == "" {
		format = export.NDJSON
	}
	if err := q.faulty(); err != nil {
		return nil, err
	}
	if !q.ProtoAtLeast(1, 1) { // HTTP/1.0 has no way to say that an answer was cut off
		return nil, &httpError{http.StatusHTTPVersionNotSupported, "HTTP_VERSION", "exports want HTTP/1.1 or later; a proxy in between has to speak it too (nginx: proxy_http_version 1.1)"}
	}
	events, err := s.Service.ExportEvents(q.Context(), q.call, f)
	if err != nil {
		return nil, err
	}
	return stream{format.MediaType(), "attachment", format.FileName(), "", func(w io.Writer) error {
		out, err := export.NewWriter(w, format, s.Version)
		if err != nil {
			return err
		}
		return events.Each(q.Context(), func(row workflow.EventRow) error { return out.Event(row.Leaf) })
	}}, nil
}

// writeStream sends an answer piece by piece. One that fails on the way is cut
// off, so that nobody takes a half for the whole.
func (s *Server) writeStream(w http.ResponseWriter, r *http.Request, a stream) {
	h := w.Header()
	h.Set("Content-Type", a.mediaType)
	h.Set("Content-Disposition", mime.FormatMediaType(a.disposition, map[string]string{"filename": a.fileName}))
	if a.policy != "" {
		h.Set("Content-Security-Policy", a.policy)
	}
	if r.Method == http.MethodHead {
		return
	}
	out := bufio.NewWriterSize(&unhurried{w, http.NewResponseController(w)}, 64<<10)
	err := a.write(out)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		s.Log.Warn("an answer was cut off", "file", a.fileName, "correlation_id", infoOf(r).correlation, "error", err)
		panic(http.ErrAbortHandler)
	}
}

// unhurried gives the reader the usual time for each piece, not for the whole.
type unhurried struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (u *unhurried) Write(b []byte) (int, error) {
	_ = u.control.SetWriteDeadline(time.Now().Add(patience))
	return u.ResponseWriter.Write(b)
}
