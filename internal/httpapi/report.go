package httpapi

import (
	"fmt"
	"io"
	"time"

	"github.com/eucora/eucora/internal/report"
)

var reportParams = []param{
	{"since", "the period begins with this time (RFC 3339)", false}, {"until", "the period ends before this time (RFC 3339)", false},
	{"format", "html (if absent) or json", false},
}

// changeReport answers with the control report of a period, as a page or as
// data. It may take long to make: the time to send it begins when it is made.
func (s *Server) changeReport(q *request) (any, error) {
	since, until := q.moment("since"), q.moment("until")
	for _, name := range []string{"since", "until"} {
		if !q.query.Has(name) {
			q.fault(name, "is required")
		}
	}
	format := oneOf(q, "format", []string{"html", "json"})
	if len(q.faults) == 0 && !since.Before(until) {
		q.fault("until", "must be after since")
	}
	if err := q.faulty(); err != nil {
		return nil, err
	}
	made, err := s.Service.ChangeReport(q.Context(), q.call, since, until)
	if err != nil {
		return nil, err
	}
	answer := stream{
		mediaType: "text/html; charset=utf-8", disposition: "inline",
		fileName: fmt.Sprintf("eucora-changes-%s-%s.html", since.Format(time.DateOnly), until.Format(time.DateOnly)),
		policy:   "default-src 'none'; style-src " + report.StyleHash + "; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
	}
	body, err := made.HTML()
	if format == "json" {
		answer.mediaType, answer.policy, answer.fileName = "application/json", "", answer.fileName[:len(answer.fileName)-len("html")]+"json"
		body, err = encode(made)
	}
	answer.write = func(w io.Writer) error { _, err := w.Write(body); return err }
	return answer, err
}
