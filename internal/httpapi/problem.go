package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/identity"
	"github.com/eucora/eucora/internal/workflow"
	"github.com/google/uuid"
)

// statuses maps kinds of errors to statuses: the one place.
var statuses = map[cab.Kind]int{
	cab.Invalid:     http.StatusBadRequest,
	cab.Forbidden:   http.StatusForbidden,
	cab.NotFound:    http.StatusNotFound,
	cab.Conflict:    http.StatusConflict,
	cab.Unavailable: http.StatusServiceUnavailable,
}

// retryStore is when to try again while the store cannot be used.
const retryStore = 2 * time.Second

const challenge = `Bearer realm="eucora"`

// httpError is a refusal of HTTP's own: wrong media type, too large.
type httpError struct {
	status       int
	code, detail string
}

func (e *httpError) Error() string { return e.detail }

// fail answers with an error as a problem document.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if replayed, ok := errors.AsType[*workflow.Replayed](err); ok {
		w.Header().Set("Idempotency-Replayed", "true")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(replayed.Status)
		_, _ = w.Write(replayed.Body)
		return
	}
	s.writeProblem(w, r, s.problemOf(w, r, err))
}

func (s *Server) problemOf(w http.ResponseWriter, r *http.Request, err error) *api.Problem {
	if refusal, ok := errors.AsType[*identity.Refusal](err); ok {
		if refusal.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(refusal.RetryAfter.Seconds())))
			return problem(http.StatusTooManyRequests, "TOO_MANY_REFUSALS", refusal.Reason)
		}
		w.Header().Set("WWW-Authenticate", challenge)
		return problem(http.StatusUnauthorized, "NOT_AUTHENTICATED", refusal.Reason)
	}
	if own, ok := errors.AsType[*httpError](err); ok {
		return problem(own.status, own.code, own.detail)
	}
	if syntax, ok := errors.AsType[*evidence.SyntaxError](err); ok {
		p := problem(http.StatusBadRequest, "MALFORMED_JSON", "the body is not JSON as it has to be: "+syntax.Error())
		p.Errors = []api.ProblemField{{Field: dotted(syntax.Pointer), Message: syntax.Reason}}
		return p
	}
	refusal, ok := errors.AsType[*cab.Error](err)
	if !ok || refusal.Kind == cab.Internal {
		reference := uuid.NewString()
		s.Log.Error("internal error", "reference", reference, "correlation_id", infoOf(r).correlation, "error", err)
		return problem(http.StatusInternalServerError, "INTERNAL", "something went wrong on our side; the administrator finds it in the log by the reference "+reference)
	}
	return s.problemOfRefusal(w, refusal)
}

func (s *Server) problemOfRefusal(w http.ResponseWriter, refusal *cab.Error) *api.Problem {
	status := statuses[refusal.Kind]
	if refusal.Missing != nil {
		status = http.StatusUnprocessableEntity
	}
	if refusal.Kind == cab.Unavailable {
		w.Header().Set("Retry-After", strconv.Itoa(int(retryStore.Seconds())))
		s.Log.Warn("cannot answer just now", "code", refusal.Code, "error", fmt.Sprint(refusal.Err))
	}
	if refusal.Code == "FILE_TOO_LARGE" {
		status = http.StatusRequestEntityTooLarge
	}
	if refusal.Code == "ACCESS_ENDED" { // found out in the transaction, and the same as at the door
		status = http.StatusUnauthorized
		w.Header().Set("WWW-Authenticate", challenge)
	}
	p := problem(status, refusal.Code, refusal.Message)
	p.Missing = refusal.Missing
	if refusal.Closed != nil {
		p.Reasons, p.Conditions = wireReasons(*refusal.Closed), wireConditions(*refusal.Closed)
	}
	for _, field := range refusal.Fields {
		p.Errors = append(p.Errors, api.ProblemField{Field: field.Field, Message: field.Message})
	}
	return p
}

func problem(status int, code, detail string) *api.Problem {
	return &api.Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail, Message: detail,
	}
}

func (s *Server) writeProblem(w http.ResponseWriter, r *http.Request, p *api.Problem) {
	p.CorrelationID = infoOf(r).correlation
	body, err := encode(p)
	if err != nil {
		body = []byte(`{"code":"INTERNAL"}`)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_, _ = w.Write(body)
}
