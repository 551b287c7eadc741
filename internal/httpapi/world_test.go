package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/attachment"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/identity"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
	"github.com/eucora/eucora/internal/workflow"
)

// world is a served API over a fresh database, with a person and a token for
// each role, and everything that was logged.
type world struct {
	t       testing.TB
	ctx     context.Context
	store   *store.Store
	service *workflow.Service
	files   *attachment.Store
	server  *httptest.Server
	api     *Server
	url     string
	engine  string
	log     *logged
	clock   func() time.Time
	tokens  map[string]string // by user name
	ids     map[string]string
	notices int // that the test has made
}

// logged collects the log.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
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

var people = map[string]cab.Role{
	"erin": cab.PackagingEngineer, "eve": cab.PackagingEngineer, "carol": cab.CABMember, "chris": cab.CABMember,
	"sam": cab.SecurityReviewer, "pat": cab.Publisher, "ada": cab.Auditor, "root": cab.Admin,
}

func newWorld(t testing.TB, e storetest.Engine) *world {
	t.Helper()
	w := &world{
		t: t, ctx: context.Background(), engine: e.Name, url: e.URL(t), log: &logged{},
		clock: time.Now, tokens: map[string]string{}, ids: map[string]string{},
	}
	ctx, cancel := context.WithCancel(w.ctx)
	signer := storetest.Key(t)
	w.store = storetest.Open(t, store.Options{URL: w.url, Signer: signer})
	t.Cleanup(cancel)
	dir := t.TempDir()
	if path, ok := strings.CutPrefix(w.url, "sqlite:"); ok {
		dir = filepath.Dir(path) // on the same disk, as in a data directory
	}
	files, err := attachment.Open(filepath.Join(dir, "attachments"))
	if err != nil {
		t.Fatal(err)
	}
	w.files = files
	w.service = workflow.New(w.store, workflow.Options{Files: files})
	if err := w.service.Prepare(w.ctx); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewJSONHandler(w.log, nil))
	w.api, err = New(Options{
		Service: w.service, Auth: identity.New(ctx, w.store, nil, log), LedgerKey: w.store.LedgerKey(),
		Keys: testKeys(t), Ready: w.store.Ready, Log: log, Version: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewServer(w.api)
	t.Cleanup(func() { w.server.Close() })
	for name, role := range people {
		w.addUser(name, role)
	}
	return w
}

// witnessedBy serves the same with witnesses.
func (w *world) witnessedBy(trust *ledger.Trust) {
	w.t.Helper()
	w.server.Close()
	o := w.api.Options
	o.Service = workflow.New(w.store, workflow.Options{Files: w.files, Witnesses: trust})
	var err error
	if w.api, err = New(o); err != nil {
		w.t.Fatal(err)
	}
	w.server = httptest.NewServer(w.api)
}

func (w *world) addUser(name string, role cab.Role) {
	w.t.Helper()
	setup := workflow.Call{Actor: cab.Setup}
	p, err := w.service.AddUser(w.ctx, setup, name, role)
	if err != nil {
		w.t.Fatal(err)
	}
	id, token, hash := identity.NewSecret()
	if _, err := w.service.IssueToken(w.ctx, setup, name, id, "test", hash, 30); err != nil {
		w.t.Fatal(err)
	}
	w.tokens[name], w.ids[name] = token, p.ID
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) problem(t testing.TB) api.Problem {
	t.Helper()
	var p api.Problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("not a problem document (%v): %d %s", err, a.status, a.body)
	}
	return p
}

func (a answer) member(t testing.TB, name string) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return fmt.Sprint(m[name])
}

// send sends a request as somebody ("" is nobody).
func (w *world) send(as, method, path, body string, headers ...string) answer {
	w.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	request, err := http.NewRequestWithContext(w.ctx, method, w.server.URL+path, reader)
	if err != nil {
		w.t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if as != "" {
		request.Header.Set("Authorization", "Bearer "+w.tokens[as])
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(text)}
}

func (w *world) post(as, path, body string) answer {
	w.t.Helper()
	a := w.send(as, "POST", path, body)
	if a.status >= 300 {
		w.t.Fatalf("POST %s by %s: %d %s", path, as, a.status, a.body)
	}
	return a
}

const hash64 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// evidenceData is complete evidence: low (automatic), mid (CAB), high
// (exception).
func evidenceData(kind string) string {
	v := map[string][]any{
		"low":  {"95", "completed", 0, 0, true, `"a"`, "low", 10},
		"mid":  {"85", "not_started", 0, 2, false, `"a","b","c","d","e"`, "medium", 500},
		"high": {"50", "not_started", 0, 9, false, `1,2,3,4,5,6,7,8,9,10,11`, "high", 50000},
	}[kind]
	return fmt.Sprintf(`{"artifacts":{"sha256":"`+hash64+`","signature":"x","sbom":"y"},
		"test_results":{"coverage_percent":%s,"manual_test_status":%q},
		"scan_results":{"scanner":"trivy","critical":%d,"high":%d},
		"rollback_plan":{"strategy":"reinstall","validated":%t},
		"deployment_plan":{"rings":["LAB"],"affected_components":[%s],"complexity":%q,"affected_users":%d}}`, v...)
}

// things are the ids of one deployment with all that hangs on it.
type things struct{ deployment, evidence, request, exception string }

const script = "#!/bin/sh\nexec true\n"

// part is a file of an upload.
type part struct{ role, name, text string }

// upload sends a record and files as a form.
func (w *world) upload(as, record string, files ...part) answer {
	w.t.Helper()
	contentType, body := form(w.t, append([]part{{"record", "", record}}, files...)...)
	return w.send(as, "POST", "/api/v1/evidence/", body, "Content-Type", contentType)
}

func form(t testing.TB, parts ...part) (contentType, body string) {
	t.Helper()
	var text strings.Builder
	writer := multipart.NewWriter(&text)
	for _, p := range parts {
		create := func() (io.Writer, error) { return writer.CreateFormField(p.role) }
		if p.name != "" {
			create = func() (io.Writer, error) { return writer.CreateFormFile(p.role, p.name) }
		}
		out, err := create()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(out, p.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return writer.FormDataContentType(), text.String()
}

// submitted makes a deployment with evidence and a request, by erin; high ones
// with a pending exception.
func (w *world) submitted(kind string) things {
	w.t.Helper()
	var of things
	of.deployment = w.post("erin", "/api/v1/deployments/", `{"app_name":"7-Zip","version":"24.08","target_ring":"PILOT"}`).member(w.t, "id")
	declared := strings.Replace(evidenceData(kind), `"sha256":"`+hash64+`",`, "", 1) // the file says it
	created := w.upload("erin", `{"deployment_intent_id":"`+of.deployment+`","evidence_data":`+declared+`}`, part{"artifact", "setup.sh", script})
	if created.status != http.StatusCreated {
		w.t.Fatalf("filing evidence: %d %s", created.status, created.body)
	}
	of.evidence = created.member(w.t, "id")
	of.request = w.post("erin", "/api/v1/cab/submit/", `{"evidence_package_id":"`+of.evidence+`"}`).member(w.t, "id")
	if kind == "high" {
		of.exception = w.post("erin", "/api/v1/cab/exceptions/", askBody(of.deployment)).member(w.t, "id")
	}
	return of
}

func askBody(deployment string) string {
	return `{"deployment_intent_id":"` + deployment + `","reason":"needed","risk_justification":"accepted","compensating_controls":["watched"],"expiry_days":7}`
}

func (w *world) eventCount() int64 {
	w.t.Helper()
	var n int64
	if err := storetest.Owner(w.t, w.url).QueryRow(`SELECT COUNT(*) FROM event`).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func callAs(w *world, name string) workflow.Call {
	return workflow.Call{Actor: cab.Actor{ID: w.ids[name], Name: name, Role: people[name]}}
}
