package console

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/attachment"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/identity"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
	"github.com/eucora/eucora/internal/workflow"
)

const password = "four words make one"

var people = map[string]cab.Role{
	"erin": cab.PackagingEngineer, "eve": cab.PackagingEngineer, "carol": cab.CABMember, "chris": cab.CABMember,
	"sam": cab.SecurityReviewer, "pat": cab.Publisher, "ada": cab.Auditor, "root": cab.Admin,
}

// world is a served console over a fresh database, with a clock that the test turns.
type world struct {
	t       testing.TB
	ctx     context.Context
	store   *store.Store
	service *workflow.Service
	console *Server
	server  *httptest.Server
	log     *logged
	ids     map[string]string
	mu      sync.Mutex
	at      time.Time

	engine, url, filesDir string // url: of the database
}

// logged collects the log.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func eachWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, e storetest.Engine) { test(newWorld(t, e)) })
}

func newWorld(t testing.TB, e storetest.Engine) *world {
	t.Helper()
	w := &world{t: t, ctx: context.Background(), log: &logged{}, ids: map[string]string{}, at: time.Now().UTC().Truncate(time.Second)}
	w.engine, w.url, w.filesDir = e.Name, e.URL(t), filepath.Join(t.TempDir(), "attachments")
	w.store = storetest.Open(t, store.Options{URL: w.url, Clock: w.now})
	files, err := attachment.Open(w.filesDir)
	w.must(err)
	w.service = workflow.New(w.store, workflow.Options{Files: files, Clock: w.now})
	w.must(w.service.Prepare(w.ctx))
	for name, role := range people {
		p, err := w.service.AddUser(w.ctx, workflow.Call{Actor: cab.Setup}, name, role)
		w.must(err)
		w.ids[name] = p.ID
	}
	w.console, err = New(Options{
		Service: w.service, Sessions: identity.NewSessions(w.store, w.now), Log: slog.New(slog.NewJSONHandler(w.log, nil)), Clock: w.now,
	})
	w.must(err)
	w.server = httptest.NewServer(w.console)
	t.Cleanup(func() { w.server.Close() })
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(time.Microsecond) // no two moments are the same
	return w.at
}

func (w *world) pass(by time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(by)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) call(name string) workflow.Call {
	return workflow.Call{Actor: cab.Actor{ID: w.ids[name], Name: name, Role: people[name]}}
}

// link makes a sign-in link's path for somebody.
func (w *world) link(name string) string {
	w.t.Helper()
	id, secret, hash := identity.NewLink()
	_, err := w.service.Invite(w.ctx, workflow.Call{Actor: cab.Setup}, name, id, hash)
	w.must(err)
	return "/link/" + secret
}

// browser is somebody's: it keeps cookies, follows nothing by itself, and says where
// its forms come from.
type browser struct {
	w      *world
	client *http.Client
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	w.must(err)
	return &browser{w, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// session is the secret of a session that somebody has begun. There is no password
// behind it: to hash one takes long, and few tests are about that.
func (w *world) session(name string) string {
	w.t.Helper()
	id, secret, hash := identity.NewLink() // of the same form
	w.must(w.store.Update(w.ctx, func(tx *store.Tx) error {
		p, err := tx.PrincipalByName(name)
		if err != nil {
			return err
		}
		source := cab.Source{Address: "192.0.2.1", UserAgent: "test"}
		session, change := p.SignIn(cab.Call{Actor: p.Actor(), Source: source, Now: w.now()}, id, hash)
		return tx.SaveSession(session, change)
	}))
	return secret
}

// member gives somebody a password.
func (w *world) member(name string) {
	w.t.Helper()
	if p := w.browser().post(w.link(name), "password", password, "again", password); p.status != http.StatusSeeOther {
		w.t.Fatalf("%s has no password: %d %s", name, p.status, p.body)
	}
}

// as is a browser in which somebody is signed in.
func (w *world) as(name string) *browser {
	w.t.Helper()
	b := w.browser()
	root, err := url.Parse(w.server.URL)
	w.must(err)
	b.client.Jar.SetCookies(root, []*http.Cookie{{Name: plainCookie, Value: w.session(name)}})
	return b
}

// page is what came back.
type page struct {
	status int
	header http.Header
	body   string
}

func (p page) to() string { return p.header.Get("Location") }

func (b *browser) do(r *http.Request) page {
	b.w.t.Helper()
	response, err := b.client.Do(r)
	b.w.must(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	b.w.must(err)
	return page{response.StatusCode, response.Header, string(body)}
}

func (b *browser) get(path string) page {
	b.w.t.Helper()
	r, err := http.NewRequestWithContext(b.w.ctx, http.MethodGet, b.w.server.URL+path, nil)
	b.w.must(err)
	return b.do(r)
}

// form is a call as a form makes it.
func (b *browser) form(path string, fields ...string) *http.Request {
	b.w.t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	r, err := http.NewRequestWithContext(b.w.ctx, http.MethodPost, b.w.server.URL+path, strings.NewReader(values.Encode()))
	b.w.must(err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", b.w.server.URL)
	return r
}

func (b *browser) post(path string, fields ...string) page {
	b.w.t.Helper()
	return b.do(b.form(path, fields...))
}

var field = regexp.MustCompile(`name="seen" value="(\d+)"`)

// seen is the revision that a page's form says.
func (p page) seen(t testing.TB) string {
	t.Helper()
	found := field.FindStringSubmatch(p.body)
	if found == nil {
		t.Fatalf("no form with what was seen: %s", p.body)
	}
	return found[1]
}

// seenOr is the same, or else where a page has no form.
func (p page) seenOr(other string) string {
	if found := field.FindStringSubmatch(p.body); found != nil {
		return found[1]
	}
	return other
}

func (p page) has(t testing.TB, texts ...string) {
	t.Helper()
	plain := strings.NewReplacer("<bdi>", "", "</bdi>", "").Replace(p.body) // as it is read
	for _, text := range texts {
		if !strings.Contains(plain, text) {
			_, main, _ := strings.Cut(p.body, "<main")
			t.Errorf("%d, and not there: %q\n%.1500s", p.status, text, main)
		}
	}
}

func (p page) lacks(t testing.TB, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(p.body, text) {
			t.Errorf("%d, and there: %q", p.status, text)
		}
	}
}

const hash64 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// evidenceOf is complete evidence: low (automatic), mid (the board's)
// or high (an exception's).
func evidenceOf(kind string) []byte {
	v := map[string][]any{
		"low":  {"95", "completed", 0, 0, true, `"a"`, "low", 10},
		"mid":  {"85", "not_started", 0, 2, false, `"a","b","c","d","e"`, "medium", 500},
		"high": {"50", "not_started", 0, 9, false, `1,2,3,4,5,6,7,8,9,10,11`, "high", 50000},
	}[kind]
	text, err := evidence.Canonical(fmt.Appendf(nil, `{"artifacts":{"sha256":"`+hash64+`","signature":"x","sbom":"y"},
		"test_results":{"coverage_percent":%s,"manual_test_status":%q},
		"scan_results":{"scanner":"trivy","critical":%d,"high":%d},
		"rollback_plan":{"strategy":"reinstall","validated":%t,"steps":["stop it","put the old one back"]},
		"deployment_plan":{"rings":["LAB","PILOT"],"affected_components":[%s],"complexity":%q,"affected_users":%d}}`, v...))
	if err != nil {
		panic(err)
	}
	return text
}

// submitted makes a deployment with evidence, submitted by erin.
func (w *world) submitted(app, version, kind string) workflow.RequestRow {
	w.t.Helper()
	return w.submittedWith(app, version, evidenceOf(kind), "please")
}

func (w *world) submittedWith(app, version string, data []byte, notes string) workflow.RequestRow {
	w.t.Helper()
	d, err := w.service.CreateDeployment(w.ctx, w.call("erin"), app, version, cab.Pilot)
	w.must(err)
	e, err := w.service.CreateEvidence(w.ctx, w.call("erin"), d.ID, data)
	w.must(err)
	row, err := w.service.Submit(w.ctx, w.call("erin"), workflow.Submission{PackageID: e.ID, Notes: notes, Urgency: cab.Standard})
	w.must(err)
	return row
}

// excepted is a high one, with an exception asked for.
func (w *world) excepted(app, version string) (workflow.RequestRow, cab.Exception) {
	w.t.Helper()
	row := w.submitted(app, version, "high")
	e, err := w.service.RequestException(w.ctx, w.call("erin"), workflow.ExceptionAsk{
		DeploymentID: row.DeploymentID, Reason: "support ends", Justification: "not reachable", Controls: []string{"watched", "isolated"}, Days: 14,
	})
	w.must(err)
	return row, e
}

// alter changes a package's bytes behind the server's back.
func (w *world) alter(packageID string) {
	w.t.Helper()
	db := storetest.Owner(w.t, w.url)
	storetest.DropTriggers(w.t, db, w.engine)
	text := "'{}'"
	if w.engine == "sqlite" {
		text = "CAST('{}' AS BLOB)"
	}
	_, err := db.Exec(`UPDATE evidence_package SET document = `+text+` WHERE id = $1`, packageID)
	w.must(err)
}
