package console

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/identity"
	"github.com/eucora/eucora/internal/workflow"
)

// visit is one call of a page, with who is there.
type visit struct {
	*http.Request
	server    *Server
	out       http.ResponseWriter
	reference string // of the call, in the log and on the page that says that it failed
	route     string
	status    int
	form      url.Values
	who       identity.Who // zero if nobody is signed in
	call      workflow.Call
}

type visitKey struct{}

func withVisit(ctx context.Context, v *visit) context.Context {
	return context.WithValue(ctx, visitKey{}, v)
}

func visitOf(ctx context.Context) *visit { return ctx.Value(visitKey{}).(*visit) }

// readForm reads what a form sent. Lines end as they do on this side.
func (v *visit) readForm() error {
	if v.Method != http.MethodPost {
		return nil
	}
	if err := v.ParseForm(); err != nil {
		if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
			return &cab.Error{Kind: cab.Invalid, Code: "FORM_TOO_LARGE", Message: "what was sent is too long; nothing was done", Err: err}
		}
		return &cab.Error{Kind: cab.Invalid, Code: "FORM_MALFORMED", Message: "what was sent cannot be read as a form; nothing was done", Err: err}
	}
	v.form = v.PostForm
	for _, values := range v.form {
		for i := range values {
			values[i] = strings.ToValidUTF8(strings.ReplaceAll(strings.ReplaceAll(values[i], "\r\n", "\n"), "\x00", ""), "")
		}
	}
	return nil
}

// signedOut is the refusal of who is not signed in, or no longer. What their form
// said is not lost: the page to sign in keeps it.
type signedOut struct{}

func (signedOut) Error() string { return "not signed in" }

// admit settles who is there and whether their role may ever do this. Pages for
// everybody know who is there, too.
func (v *visit) admit(rt route) error {
	who, err := v.server.Sessions.Of(v.Context(), v.cookie())
	if _, refused := errors.AsType[*identity.Refusal](err); refused {
		if rt.action == "" {
			return nil
		}
		return signedOut{}
	}
	if err != nil {
		return err
	}
	v.who = who
	v.call.Actor, v.call.SessionID = who.Actor, who.SessionID
	if rt.action == "" {
		return nil
	}
	return cab.Permit(who.Actor, rt.action)
}

// The session's cookie. Where the page came over TLS its name begins with __Host-,
// which no other host, and nothing without TLS, can set.
const (
	plainCookie  = "eucora_session"
	secureCookie = "__Host-eucora_session"
)

// secure reports whether the browser came over TLS, here or at a proxy before us. That
// the console's address is https is enough: a proxy that forgets to say so must not
// cost the cookie its protection.
func (v *visit) secure() bool {
	return v.server.Secure || v.server.Proxies.Secure(v.Request)
}

func (v *visit) cookieName() string {
	if v.secure() {
		return secureCookie
	}
	return plainCookie
}

func (v *visit) cookie() string {
	c, err := v.Cookie(v.cookieName())
	if err != nil {
		return ""
	}
	return c.Value
}

// setCookie hands the browser a session's secret; "" takes it away. The cookie goes
// when the browser is closed; the session's own end does not depend on it.
func (v *visit) setCookie(secret string) {
	c := &http.Cookie{
		Name: v.cookieName(), Value: secret, Path: "/", HttpOnly: true, Secure: v.secure(), SameSite: http.SameSiteLaxMode,
	}
	if secret == "" {
		c.MaxAge = -1
	}
	http.SetCookie(v.out, c)
}

// redirect sends the browser to another page, to be got.
func (v *visit) redirect(to string) error {
	v.status = http.StatusSeeOther
	http.Redirect(v.out, v.Request, to, v.status)
	return nil
}

// local is a path of ours, or "/": nobody is sent elsewhere.
func local(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return "/"
	}
	return path
}

// page draws a page and sends it.
func (v *visit) page(status int, name, title string, data any) error {
	var text buffer
	if err := v.server.pages.draw(&text, name, frame{Title: flat(title), Visit: v, Data: data}); err != nil {
		return fmt.Errorf("draw %s: %w", name, err)
	}
	v.send(status, "text/html; charset=utf-8", text.Bytes())
	return nil
}

// send sends bytes, compressed for those who take it. No page has the same secret twice
// (a new sign-in link is shown once), so that none can be probed for by a length.
func (v *visit) send(status int, mediaType string, body []byte) {
	v.status = status
	h := v.out.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Vary", "Accept-Encoding, Cookie")
	if len(body) < 1024 || !strings.Contains(v.Header.Get("Accept-Encoding"), "gzip") {
		v.out.WriteHeader(status)
		_, _ = v.out.Write(body) // a caller who is gone is the access log's business
		return
	}
	h.Set("Content-Encoding", "gzip")
	v.out.WriteHeader(status)
	packed := gzip.NewWriter(v.out)
	_, _ = packed.Write(body)
	_ = packed.Close()
}

// fail says what went wrong, in one place. It is told once, here, and logged here if
// it is ours.
func (v *visit) fail(err error) {
	if v.status != 0 { // half an answer is out already
		v.server.Log.Error("a page was cut", "correlation_id", v.reference, "error", err)
		return
	}
	if _, ok := errors.AsType[signedOut](err); ok || cab.CodeOf(err) == "ACCESS_ENDED" {
		if err = v.askToSignIn(); err == nil {
			return
		}
	}
	p := v.problem(err)
	if p.Status == http.StatusInternalServerError {
		v.server.Log.Error("a page failed", "correlation_id", v.reference, "route", v.route, "error", err)
	}
	if failed := v.page(p.Status, "problem", p.Title, p); failed != nil {
		v.server.Log.Error("the page for what failed, failed", "correlation_id", v.reference, "error", failed)
		v.send(http.StatusInternalServerError, "text/plain; charset=utf-8", []byte("something is broken here; reference "+v.reference+"\n"))
	}
}

// problem is what a page says went wrong.
type problem struct {
	Status    int
	Title     string
	Message   string
	Reference string // of ours, for the log
}

func (v *visit) problem(err error) problem {
	if errors.Is(err, errMethod) {
		return problem{Status: http.StatusMethodNotAllowed, Title: "Not like this", Message: "This address does not take what was sent."}
	}
	e, _ := errors.AsType[*cab.Error](err)
	switch cab.KindOf(err) {
	case cab.Invalid:
		return problem{Status: http.StatusBadRequest, Title: "That cannot be read", Message: sentence(e.Message)}
	case cab.Forbidden:
		return problem{Status: http.StatusForbidden, Title: "Not for your role", Message: sentence(e.Message)}
	case cab.NotFound:
		return problem{Status: http.StatusNotFound, Title: "Not found", Message: sentence(e.Message)}
	case cab.Conflict:
		return problem{Status: http.StatusConflict, Title: "Not at this moment", Message: sentence(e.Message)}
	case cab.Unavailable:
		v.out.Header().Set("Retry-After", "5")
		return problem{Status: http.StatusServiceUnavailable, Title: "Not just now", Message: sentence(e.Message)}
	}
	return problem{
		Status: http.StatusInternalServerError, Title: "Something is broken here", Reference: v.reference,
		Message: "It is not your doing, and nothing was changed. Whoever runs this server finds the cause in its log.",
	}
}
