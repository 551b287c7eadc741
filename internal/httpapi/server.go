// Package httpapi is the HTTP interface: thin. It decodes strictly, takes the
// actor from package identity, calls one verb, and writes the answer. All routes
// are on one page, routes.go; each names the action that it is, so that who may
// use it is settled before anything is read or looked up.
package httpapi

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/eucora/eucora/internal/attest"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/identity"
	"github.com/eucora/eucora/internal/workflow"
	"github.com/google/uuid"
)

// Options are what the interface stands on.
type Options struct {
	Service   *workflow.Service
	Auth      *identity.Authenticator
	Proxies   identity.Proxies             // that are believed about where calls come from
	LedgerKey string                       // public; served with checkpoints
	Keys      func() (*attest.Ring, error) // the attestation keys as they are now
	Ready     func(context.Context) error
	Log       *slog.Logger
	Version   string
	Clock     func() time.Time // nil: the machine's
}

// Server is the HTTP interface.
type Server struct {
	Options
	mux     *http.ServeMux
	routes  []route
	spec    *spec
	metrics *metrics.Set

	followed struct { // how far witnesses had followed when /metrics last asked
		sync.Mutex
		at    time.Time
		state workflow.Witnessing
	}
}

// base is where the API lives.
const base = "/api/v1"

// New builds the interface. It fails only if the routes contradict each other,
// which a test would have shown.
func New(o Options) (*Server, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	s := &Server{Options: o, mux: http.NewServeMux(), metrics: metrics.NewSet()}
	s.routes = s.allRoutes()
	var err error
	if s.spec, err = newSpec(s.routes, o.Version); err != nil {
		return nil, err
	}
	for i := range s.routes {
		s.mux.Handle(s.routes[i].method+" "+base+s.routes[i].path, s.api(&s.routes[i]))
	}
	for _, rt := range s.logRoutes() {
		s.mux.Handle(rt.method+" "+rt.path, s.api(&rt))
	}
	s.mux.HandleFunc("GET /log", s.failUnrouted) // and no redirection
	s.mux.HandleFunc("GET "+base+"/openapi.json", s.serveSpec)
	s.mux.HandleFunc("GET /api/docs", s.serveDocs)
	s.mux.HandleFunc("GET /api/docs/style.css", s.serveStyle)
	s.mux.HandleFunc("GET /.well-known/eucora-keys.json", s.serveKeys)
	s.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") })
	s.mux.HandleFunc("GET /readyz", s.serveReady)
	s.mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		s.metrics.WritePrometheus(w)
		s.writeWitnessing(w, r)
		metrics.WriteProcessMetrics(w)
	})
	return s, nil
}

// WitnessFailed counts a call to a witness that brought no cosignature.
func (s *Server) WitnessFailed(name string) {
	s.metrics.GetOrCreateCounter(fmt.Sprintf(`eucora_witness_failures_total{witness=%q}`, name)).Inc()
}

// NoticeTried counts an attempt to send a notice: sent, failed or dead.
func (s *Server) NoticeTried(channel, outcome string) {
	s.metrics.GetOrCreateCounter(fmt.Sprintf(`eucora_notices_total{channel=%q,outcome=%q}`, channel, outcome)).Inc()
}

// TimestampFailed counts a call to a time-stamping authority that brought none.
func (s *Server) TimestampFailed() {
	s.metrics.GetOrCreateCounter("eucora_timestamp_failures_total").Inc()
}

// writeWitnessing says how far witnesses have followed, where somebody is asked.
func (s *Server) writeWitnessing(w io.Writer, r *http.Request) {
	if s.Service.Witnesses() == nil {
		return
	}
	s.followed.Lock()
	defer s.followed.Unlock()
	if now := s.Clock(); now.Sub(s.followed.at).Abs() >= time.Second { // anybody may ask, as often as they like
		state, err := s.Service.WitnessState(r.Context())
		if err != nil {
			fmt.Fprintln(w, "eucora_ledger_readable 0")
			return
		}
		s.followed.at, s.followed.state = now, state
	}
	state := s.followed.state
	age := 0.0
	if !state.Since.IsZero() {
		age = s.Clock().Sub(state.Since).Seconds()
	}
	fmt.Fprintf(w, "eucora_ledger_readable 1\neucora_ledger_events %d\neucora_ledger_witnessed_events %d\neucora_ledger_unwitnessed_seconds %g\n", state.Size, state.Witnessed, age)
}

// ServeHTTP is the outermost layer: correlation id, security headers, panics,
// the access log, and paths with or without a trailing slash.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	call := &callInfo{correlation: correlation(r.Header.Get("X-Correlation-ID"))}
	answer := &recorder{ResponseWriter: w}
	h := w.Header()
	h.Set("X-Correlation-ID", call.correlation)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	r = r.WithContext(context.WithValue(r.Context(), callKey{}, call))
	defer func() {
		if p := recover(); p == http.ErrAbortHandler {
			panic(p) // cut off, and meant to be
		} else if p != nil {
			s.fail(answer, r, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
		s.logAccess(r, call, answer.status, time.Since(start))
	}()
	s.dispatch(answer, r)
}

func (s *Server) dispatch(w http.ResponseWriter, r *http.Request) {
	clean := strings.TrimSuffix(r.URL.Path, "/")
	if clean != "" && path.Clean(clean) != clean {
		s.fail(w, r, noSuchPath(r))
		return
	}
	if clean != r.URL.Path && clean != "" {
		r.URL.Path, r.URL.RawPath = clean, strings.TrimSuffix(r.URL.RawPath, "/")
	}
	if _, pattern := s.mux.Handler(r); pattern == "" {
		s.failUnrouted(w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// failUnrouted tells a wrong method from a wrong path.
func (s *Server) failUnrouted(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := s.mux.Handler(other); pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if allowed == nil || slices.Contains(allowed, r.Method) {
		s.fail(w, r, noSuchPath(r))
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	s.writeProblem(w, r, problem(http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "this path takes "+strings.Join(allowed, " and ")))
}

func noSuchPath(*http.Request) error {
	return &cab.Error{Kind: cab.NotFound, Code: "NO_SUCH_PATH", Message: "there is no such path; " + base + "/openapi.json lists them"}
}

// callInfo is what the layers of one call tell each other.
type callInfo struct {
	correlation string
	route       string
	actor       string
}

type callKey struct{}

func infoOf(r *http.Request) *callInfo {
	if info, ok := r.Context().Value(callKey{}).(*callInfo); ok {
		return info
	}
	return &callInfo{}
}

var correlationForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// correlation echoes a well-formed id, and replaces anything else.
func correlation(sent string) string {
	if correlationForm.MatchString(sent) {
		return sent
	}
	return uuid.NewString()
}

// recorder remembers the status for the access log.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets deadlines be set.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// logAccess writes one line a call: never a token, a body or a query.
func (s *Server) logAccess(r *http.Request, info *callInfo, status int, took time.Duration) {
	route := info.route
	if route == "" {
		route = "other"
	}
	s.metrics.GetOrCreateCounter(fmt.Sprintf(`eucora_http_requests_total{route=%q,status="%d"}`, route, status)).Inc()
	s.metrics.GetOrCreatePrometheusHistogram(fmt.Sprintf(`eucora_http_request_seconds{route=%q}`, route)).Update(took.Seconds())
	s.Log.LogAttrs(r.Context(), slog.LevelInfo, "request",
		slog.String("method", r.Method), slog.String("route", route), slog.Int("status", status),
		slog.Duration("took", took), slog.String("actor", info.actor), slog.String("correlation_id", info.correlation))
}

// api is one route: authentication and permission first, then the body and the
// parameters, then the verb.
func (s *Server) api(rt *route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info := infoOf(r)
		info.route = rt.method + " " + rt.path
		q := &request{Request: r, server: s, route: rt, call: workflow.Call{
			Source: cab.Source{Address: s.Proxies.Address(r), UserAgent: clip(r.UserAgent(), 200)}, Looked: new(bool),
		}}
		err := q.admit(true)
		if err == nil {
			info.actor = q.call.Actor.ID
			err = q.read(w)
		}
		var answer any
		if err == nil {
			answer, err = q.answer()
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		s.write(w, r, rt, answer)
	})
}

// admit settles who is calling and whether their role may ever do this. lately
// says that what was read of the token a moment ago will do, for the verb looks
// again; nobody is refused by it.
func (q *request) admit(lately bool) error {
	actor, tokenID, err := q.server.Auth.Authenticate(q.Context(), q.Header.Get("Authorization"), q.call.Source, lately)
	if err == nil {
		err = cab.Permit(actor, q.route.action)
		if err != nil && lately {
			return q.admit(false)
		}
	}
	q.call.Actor, q.call.TokenID = actor, tokenID
	return err
}

// answer runs the handler. A verb that read nothing has not looked again at who is
// calling; and where one found that the caller's access ended, or is another one
// now, the token says which.
func (q *request) answer() (any, error) {
	answer, err := q.route.handle(q)
	unseen := err == nil && !*q.call.Looked && !q.route.changes()
	if ended := cab.CodeOf(err) == "ACCESS_ENDED" && q.parts == nil; !unseen && !ended {
		return answer, err
	}
	if err := q.admit(false); err != nil {
		return nil, err
	}
	q.faults = nil
	return q.route.handle(q)
}

func clip(text string, most int) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "")
	}
	return text
}

// write sends an answer: bytes as they are, anything else as JSON.
func (s *Server) write(w http.ResponseWriter, r *http.Request, rt *route, answer any) {
	status, body := rt.status, []byte(nil)
	switch a := answer.(type) {
	case rendered:
		status, body = a.status, a.body
	case workflow.Download:
		s.writeFile(w, a)
		return
	case logFile:
		s.writeLog(w, r, a)
		return
	case capsuleFile:
		s.writeCapsule(w, r, a)
		return
	case stream:
		s.writeStream(w, r, a)
		return
	case document:
		w.Header().Set("ETag", `"`+a.hash+`"`)
		body = a.bytes
	default:
		var err error
		if body, err = encode(answer); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a caller who is gone is the access log's business
}

func (s *Server) serveReady(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := s.Ready(ctx); err != nil {
		s.Log.Warn("not ready", "error", err)
		plain(w, http.StatusServiceUnavailable, "the database cannot be used just now\n")
		return
	}
	plain(w, http.StatusOK, "ready\n")
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprint(w, text)
}

// rendered is an answer that is bytes already: given under an Idempotency-Key.
type rendered struct {
	status int
	body   []byte
}

// document is an evidence document: the stored bytes, untouched.
type document struct {
	bytes []byte
	hash  string
}
