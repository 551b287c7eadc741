// Package console is the pages for people: drawn on the server, useful without a
// script and better with a little of it. Like package httpapi it is thin: it takes
// who is there from package identity, calls verbs, and shows what came of them. All
// routes are on one page, routes.go.
package console

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"runtime/debug"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/identity"
	"github.com/eucora/eucora/internal/workflow"
	"github.com/google/uuid"
)

// Options are what the console stands on.
type Options struct {
	Service  *workflow.Service
	Sessions *identity.Sessions
	Proxies  identity.Proxies // that are believed about where calls come from
	Secure   bool             // people reach it over TLS, whatever this connection is
	Log      *slog.Logger
	Version  string           // of the product: exports say it
	Clock    func() time.Time // nil: the machine's
}

// Server is the console.
type Server struct {
	Options
	mux   *http.ServeMux
	guard *http.CrossOriginProtection
	pages pages
}

// New builds the console. It fails only if its templates or routes are broken,
// which a test would have shown.
func New(o Options) (*Server, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	s := &Server{Options: o, mux: http.NewServeMux(), guard: http.NewCrossOriginProtection()}
	var err error
	if s.pages, err = parsePages(); err != nil {
		return nil, err
	}
	for _, rt := range s.allRoutes() {
		s.mux.Handle(rt.method+" "+rt.path, s.serve(rt))
	}
	return s, nil
}

// policy lets a page load from here and send forms here, and be shown in no frame.
const policy = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// maxForm bounds what a form may send, in bytes: the longest texts, in four bytes a
// character, percent-encoded.
const maxForm = 256 << 10

// ServeHTTP is the outermost layer: security headers, forms from elsewhere, panics,
// and the access log.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	v := &visit{Request: r, server: s, out: w, reference: uuid.NewString()}
	h := w.Header()
	h.Set("X-Correlation-ID", v.reference)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// Not no-referrer: with that browsers send "Origin: null" with our own forms.
	h.Set("Referrer-Policy", "same-origin")
	if v.secure() {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	defer func() {
		p := recover()
		if p != nil && p != http.ErrAbortHandler {
			cut := v.status != 0 // half an answer is out: [visit.fail] logs, and nobody must take it for a whole one
			v.fail(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
			if cut {
				p = http.ErrAbortHandler
			}
		}
		s.logAccess(v, time.Since(start))
		if p == http.ErrAbortHandler {
			panic(p)
		}
	}()
	if err := s.sentFromHere(r); err != nil {
		v.fail(err)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if _, pattern := s.mux.Handler(r); pattern == "" || path.Clean(r.URL.Path) != r.URL.Path { // or the mux would redirect
		v.fail(s.unrouted(r))
		return
	}
	s.mux.ServeHTTP(w, r.WithContext(withVisit(r.Context(), v)))
}

// sentFromHere refuses forms that another site's page sent. A browser says where a
// form comes from; who says nothing is no browser that we know.
func (s *Server) sentFromHere(r *http.Request) error {
	refused := &cab.Error{
		Kind: cab.Forbidden, Code: "CROSS_ORIGIN",
		Message: "this form was sent from another site, or from a browser that does not say from where; nothing was done",
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	if r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "" {
		return refused
	}
	if s.guard.Check(r) != nil {
		return refused
	}
	return nil
}

// unrouted tells a wrong method from a wrong path.
func (s *Server) unrouted(r *http.Request) error {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := s.mux.Handler(other); method != r.Method && strings.HasPrefix(pattern, method+" ") {
			return errMethod
		}
	}
	return &cab.Error{Kind: cab.NotFound, Code: "NO_SUCH_PAGE", Message: "there is no such page"}
}

var errMethod = errors.New("this address takes no such call")

// serve is one route: who is there and whether their role may ever do this, and
// then the handler.
func (s *Server) serve(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := visitOf(r.Context())
		v.Request, v.route = r, rt.method+" "+rt.path
		v.call = workflow.Call{Source: cab.Source{Address: s.Proxies.Address(r), UserAgent: clip(r.UserAgent(), 200)}}
		err := v.readForm()
		if err == nil {
			err = v.admit(rt)
		}
		if err == nil {
			err = rt.handle(v)
		}
		if err != nil {
			v.fail(err)
		}
	})
}

func (s *Server) logAccess(v *visit, took time.Duration) {
	route := v.route
	if route == "" {
		route = "other"
	}
	said := []slog.Attr{
		slog.String("method", v.Method), slog.String("route", route), slog.Int("status", v.status),
		slog.Duration("took", took), slog.String("actor", v.call.Actor.ID), slog.String("correlation_id", v.reference),
	}
	if route == "POST /signin" && (v.status == http.StatusUnauthorized || v.status == http.StatusTooManyRequests) {
		// Whoever watches for guesses needs the network; the name may be a password
		// typed into the wrong field, and is not logged.
		said = append(said, slog.String("network", identity.Network(v.call.Source.Address)))
	}
	s.Log.LogAttrs(v.Context(), slog.LevelInfo, "page", said...)
}

// clip is the beginning of a text, of at most some bytes, without what no text has.
func clip(text string, most int) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "")
	}
	return text
}

// buffer is a page while it is drawn: one that fails half-way is never sent.
type buffer = bytes.Buffer
