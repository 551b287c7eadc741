package export

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/eucora/eucora/internal/cab"
)

// csvColumns never change their order; new ones go to the end.
var csvColumns = []string{
	"seq", "id", "time", "type", "correlation_id", "deployment_intent_id", "subject_kind", "subject_id",
	"actor_id", "actor_name", "actor_role", "source_address", "source_user_agent", "reason", "leaf_sha256",
}

// csvFields is an event as a row. leaf_sha256 is the digest of the event's
// NDJSON line without its line feed.
func csvFields(e cab.Event, leaf []byte) []string {
	digest := sha256.Sum256(leaf)
	return []string{
		strconv.FormatInt(e.Seq, 10), e.ID, e.Time.UTC().Format(time.RFC3339Nano), string(e.Type), e.CorrelationID, e.DeploymentID,
		string(e.Subject.Kind), e.Subject.ID, e.Actor.ID, e.Actor.Name, string(e.Actor.Role), e.Source.Address, e.Source.UserAgent,
		why(e), hex.EncodeToString(digest[:]),
	}
}

// csvLine is a record of RFC 4180. The library's writer changes line ends
// inside of fields; here a field comes out as it went in.
func csvLine(fields []string) []byte {
	var line strings.Builder
	for i, field := range fields {
		if i > 0 {
			line.WriteByte(',')
		}
		field = inert(field)
		if !strings.ContainsAny(field, "\",\r\n") {
			line.WriteString(field)
			continue
		}
		line.WriteByte('"')
		line.WriteString(strings.ReplaceAll(field, `"`, `""`))
		line.WriteByte('"')
	}
	line.WriteString("\r\n")
	return []byte(line.String())
}

// separators are where spreadsheets may begin another cell inside of a field: where
// the list separator is no comma, the quotes around the field are none to them.
const separators = ";\t\r\n"

// inert makes of a field what no spreadsheet takes for a formula: an apostrophe is
// put before each piece, from the field's beginning or a separator on, that could
// begin one. One is also put before an apostrophe, so that
// taking one leading apostrophe away from each piece gives back what was written.
func inert(field string) string {
	var out strings.Builder
	for first := true; field != ""; first = false {
		piece := field
		if at := strings.IndexAny(field, separators); at >= 0 {
			piece = field[:at+1]
		}
		if beginsFormula(piece, first) {
			out.WriteByte('\'')
		}
		out.WriteString(piece)
		field = field[len(piece):]
	}
	return out.String()
}

// beginsFormula: the first visible character is one of those that do. In front of the
// field even white space counts; inside, a quote does not hide what follows.
func beginsFormula(piece string, first bool) bool {
	visible := strings.TrimLeftFunc(piece, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '"' && !first
	})
	if first && visible != piece {
		return true
	}
	return visible != "" && strings.ContainsRune("=+-@'\uff1d\uff0b\uff0d\uff20", []rune(visible)[0])
}

// why is the reason that an event gives: of the act, or of a decision in it.
func why(e cab.Event) string {
	d := e.Data
	switch {
	case d.Reason != "":
		return d.Reason
	case d.Decision != nil:
		return d.Decision.Rationale
	case d.Vote != nil:
		return d.Vote.Rationale
	case d.Exception != nil && e.Type == cab.ExceptionRequested:
		return d.Exception.Reason
	case d.Exception != nil && (e.Type == cab.ExceptionApproved || e.Type == cab.ExceptionRejected):
		return d.Exception.Rationale
	case d.Request != nil && e.Type == cab.CABSubmitted:
		return d.Request.Notes
	}
	return ""
}
