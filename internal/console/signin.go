package console

import (
	"errors"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/identity"
	"github.com/eucora/eucora/internal/workflow"
)

// signInForm is the page to sign in.
type signInForm struct {
	Name    string
	Next    string // where to go then
	Kept    []kept // what a form said that was sent after the session had ended
	Expired bool   // there was a session, or a form: say so
	Problem string
}

// kept is a field of a form that is kept while its writer signs in.
type kept struct{ Name, Value string }

// keptPrefix marks kept fields among those of the page to sign in.
const keptPrefix = "kept."

func (v *visit) signInPage() error {
	if v.who.SessionID != "" {
		return v.redirect(local(v.URL.Query().Get("next")))
	}
	next := local(v.URL.Query().Get("next"))
	return v.page(http.StatusOK, "signin", "Sign in", signInForm{Next: next, Expired: v.cookie() != ""})
}

// askToSignIn is the answer to who is not signed in: pages wait, and what a form
// said is kept on the page to sign in.
func (v *visit) askToSignIn() error {
	v.who = identity.Who{}
	if v.Method != http.MethodPost {
		to := "/signin"
		if v.URL.Path != "/" {
			to += "?" + url.Values{"next": {v.URL.RequestURI()}}.Encode()
		}
		return v.redirect(to)
	}
	form := signInForm{Next: local(v.URL.Path), Expired: true}
	for name, values := range v.form {
		form.Kept = append(form.Kept, kept{keptPrefix + name, values[0]})
	}
	slices.SortFunc(form.Kept, func(a, b kept) int { return strings.Compare(a.Name, b.Name) })
	return v.page(http.StatusUnauthorized, "signin", "Sign in to go on", form)
}

func (v *visit) signIn() error {
	form := signInForm{Name: clip(v.form.Get("username"), 200), Next: local(v.form.Get("next"))}
	fields := url.Values{}
	for name, values := range v.form {
		if field, ok := strings.CutPrefix(name, keptPrefix); ok {
			form.Kept = append(form.Kept, kept{name, values[0]})
			fields.Set(field, values[0])
		}
	}
	slices.SortFunc(form.Kept, func(a, b kept) int { return strings.Compare(a.Name, b.Name) })
	form.Expired = form.Kept != nil
	secret, who, err := v.server.Sessions.SignIn(v.Context(), v.form.Get("username"), v.form.Get("password"), v.cookie(), v.call.Source)
	if refusal, ok := errors.AsType[*identity.Refusal](err); ok {
		form.Problem = sentence(refusal.Reason)
		return v.page(v.refused(refusal), "signin", "Sign in", form)
	}
	if err != nil {
		return err
	}
	v.begin(secret, who)
	if form.Kept != nil {
		return v.takeUp(form.Next, fields)
	}
	return v.redirect(form.Next)
}

// refused is the status of a refusal, and when to try again.
func (v *visit) refused(r *identity.Refusal) int {
	if r.RetryAfter <= 0 {
		return http.StatusUnauthorized
	}
	v.out.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(r.RetryAfter.Seconds()))))
	return http.StatusTooManyRequests
}

// begin is the moment after somebody signed in.
func (v *visit) begin(secret string, who identity.Who) {
	v.setCookie(secret)
	v.who = who
	v.call.Actor, v.call.SessionID = who.Actor, who.SessionID
}

var decisionPath = regexp.MustCompile(`^/(requests|exceptions)/([A-Za-z0-9-]{1,64})/decision$`)

// takeUp goes on with a form that was sent after its session had ended: it is shown
// again as it was filled in, and nothing of it is done before it is sent again.
func (v *visit) takeUp(next string, fields url.Values) error {
	found := decisionPath.FindStringSubmatch(next)
	if found == nil {
		return v.redirect("/")
	}
	v.form = fields
	d := v.draft()
	d.Notice = "You are signed in again. What you had written is still here; nothing of it has been sent."
	if err := cab.Permit(v.call.Actor, cab.ReadRequest); err != nil {
		return err
	}
	if found[1] == "requests" {
		return v.showRequest(http.StatusOK, found[2], d)
	}
	return v.showException(http.StatusOK, found[2], d)
}

func (v *visit) signOut() error {
	if err := v.server.Sessions.SignOut(v.Context(), v.cookie(), v.call.Source); err != nil {
		return err
	}
	v.setCookie("")
	return v.redirect("/signin")
}

// linkForm is the page to set a password.
type linkForm struct {
	Secret  string
	Name    string // whose; "" if the link opens nothing
	Least   int
	Most    int
	Problem string
}

func (v *visit) linkPage() error { return v.showLink(http.StatusOK, "") }

// showLink shows the page to set a password. The link is not used up by looking at
// it: programs that look into mail do.
func (v *visit) showLink(status int, trouble string) error {
	form := linkForm{Secret: v.PathValue("secret"), Least: cab.MinPassword, Most: cab.MaxPassword, Problem: trouble}
	p, err := v.server.Sessions.Link(v.Context(), form.Secret)
	if refusal, ok := errors.AsType[*identity.Refusal](err); ok {
		return v.page(http.StatusNotFound, "link", "This link opens nothing", linkForm{Problem: sentence(refusal.Reason)})
	}
	if err != nil {
		return err
	}
	form.Name = p.Username
	return v.page(status, "link", "Set your password", form)
}

func (v *visit) setPassword() error {
	password := v.form.Get("password")
	if password != v.form.Get("again") {
		return v.showLink(http.StatusBadRequest, "The two are not the same; write it twice.")
	}
	secret, who, err := v.server.Sessions.SetPassword(v.Context(), v.PathValue("secret"), password, v.cookie(), v.call.Source)
	if _, ok := errors.AsType[*identity.Refusal](err); ok {
		return v.showLink(http.StatusNotFound, "")
	}
	if e, ok := errors.AsType[*cab.Error](err); ok && e.Kind == cab.Invalid && len(e.Fields) == 1 {
		return v.showLink(http.StatusBadRequest, "The password "+e.Fields[0].Message+".")
	}
	if err != nil {
		return err
	}
	v.begin(secret, who)
	return v.redirect("/")
}

// sessionList is the page of who is signed in where.
type sessionList struct {
	Everybody bool // of every account
	More      bool // there are others
	Sessions  []sessionLine
}

type sessionLine struct {
	ID, Name      string
	Mine          bool // the one that this page is seen with
	Begun, Seen   time.Time
	Ends          time.Time
	Address       string
	Agent         string
	OfSomeoneElse bool
}

func (v *visit) sessions() error {
	list := sessionList{Everybody: cab.AccessOf(v.call.Actor.Role, cab.Administer) == cab.All}
	verb := (*workflow.Service).MySessions
	if list.Everybody {
		verb = (*workflow.Service).Sessions
	}
	found, err := verb(v.server.Service, v.Context(), v.call)
	if err != nil {
		return err
	}
	list.More = found.More
	for _, row := range found.Rows {
		list.Sessions = append(list.Sessions, sessionLine{
			ID: row.ID, Name: row.Principal.Username, Mine: row.ID == v.who.SessionID, Begun: row.CreatedAt, Seen: row.SeenAt, Ends: row.ExpiresAt(),
			Address: row.Source.Address, Agent: cut(row.Source.UserAgent, 80), OfSomeoneElse: row.PrincipalID != v.call.Actor.ID,
		})
	}
	return v.page(http.StatusOK, "sessions", "Sessions", list)
}

var sessionID = regexp.MustCompile(`^[0-9a-f]{32}$`)

func (v *visit) endSession() error {
	if !sessionID.MatchString(v.PathValue("id")) {
		return &cab.Error{Kind: cab.NotFound, Code: "NOT_FOUND", Message: "there is no such session"}
	}
	if _, err := v.server.Service.EndSession(v.Context(), v.call, v.PathValue("id")); err != nil {
		return err
	}
	return v.redirect("/sessions")
}

// home is what waits for whoever is there.
func (v *visit) home() error {
	if cab.AccessOf(v.call.Actor.Role, cab.DecideException) != cab.None {
		return v.redirect("/exceptions")
	}
	return v.redirect("/requests")
}
