package workflow

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
)

// world is a service on a fresh database, with people in it and a clock that
// the test turns.
type world struct {
	*Service
	t      testing.TB
	ctx    context.Context
	store  *store.Store
	signer *ledger.Signer
	engine string
	url    string
	clock  *testClock
	names  map[string]string // what a test calls things, by their names

	erin, eve, carol, chris, sam, pat, ada, root Call
}

type testClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Microsecond) // no two moments are the same
	return c.now
}

func (c *testClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// eachWorld runs a test on each engine.
func eachWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, e storetest.Engine) { test(newWorld(t, e)) })
}

func newWorld(t testing.TB, e storetest.Engine) *world {
	t.Helper()
	return newTellingWorld(t, e, nil)
}

// newTellingWorld is a world in which people are told.
func newTellingWorld(t testing.TB, e storetest.Engine, outbox func(cab.Notice) ([]store.Job, error)) *world {
	t.Helper()
	w := &world{
		t: t, ctx: context.Background(), signer: storetest.Key(t), engine: e.Name, url: e.URL(t),
		clock: &testClock{now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)},
	}
	w.store = storetest.Open(t, store.Options{URL: w.url, Signer: w.signer, Clock: w.clock.Now, Outbox: outbox})
	w.Service = New(w.store, Options{Clock: w.clock.Now})
	if err := w.Prepare(w.ctx); err != nil {
		t.Fatal(err)
	}
	for _, person := range []struct {
		name string
		role cab.Role
		call *Call
	}{
		{"erin", cab.PackagingEngineer, &w.erin}, {"eve", cab.PackagingEngineer, &w.eve}, {"carol", cab.CABMember, &w.carol},
		{"chris", cab.CABMember, &w.chris}, {"sam", cab.SecurityReviewer, &w.sam}, {"pat", cab.Publisher, &w.pat},
		{"ada", cab.Auditor, &w.ada}, {"root", cab.Admin, &w.root},
	} {
		p, err := w.AddUser(w.ctx, Call{Actor: cab.Setup}, person.name, person.role)
		if err != nil {
			t.Fatal(err)
		}
		*person.call = Call{Actor: p.Actor(), Source: cab.Source{Address: "192.0.2.1", UserAgent: "test"}}
	}
	return w
}

// person adds somebody and returns their calls.
func (s *Service) person(t testing.TB, name string, role cab.Role) Call {
	t.Helper()
	p := must[cab.Principal](t)(s.AddUser(context.Background(), Call{Actor: cab.Setup}, name, role))
	return Call{Actor: p.Actor(), Source: cab.Source{Address: "192.0.2.1", UserAgent: "test"}}
}

const hash64 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// evidenceOf is complete evidence. kind: low (11.08), middling (62.75: between
// the thresholds) or high (100).
func evidenceOf(kind string) []byte {
	v := map[string][]any{
		"low":  {"95", "completed", 0, 0, true, `"a"`, "low", 10},
		"mid":  {"85", "not_started", 0, 2, false, `"a","b","c","d","e"`, "medium", 500},
		"high": {"50", "not_started", 0, 9, false, `1,2,3,4,5,6,7,8,9,10,11`, "high", 50000},
	}[kind]
	text := fmt.Sprintf(`{"artifacts":{"sha256":"`+hash64+`","signature":"x","sbom":"y"},
		"test_results":{"coverage_percent":%s,"manual_test_status":%q},
		"scan_results":{"scanner":"trivy","critical":%d,"high":%d},
		"rollback_plan":{"strategy":"reinstall","validated":%t},
		"deployment_plan":{"rings":["LAB"],"affected_components":[%s],"complexity":%q,"affected_users":%d}}`, v...)
	canonical, err := evidence.Canonical([]byte(text))
	if err != nil {
		panic(err)
	}
	return canonical
}

func must[T any](t testing.TB) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// deployment makes a deployment intent with evidence.
func (w *world) deployment(kind string) (cab.Deployment, Evidence) {
	w.t.Helper()
	d := must[cab.Deployment](w.t)(w.CreateDeployment(w.ctx, w.erin, "Notepad++", "8.7.1", cab.Pilot))
	return d, must[Evidence](w.t)(w.CreateEvidence(w.ctx, w.erin, d.ID, evidenceOf(kind)))
}

// submitted makes a request of some kind.
func (w *world) submitted(kind string) RequestRow {
	w.t.Helper()
	_, e := w.deployment(kind)
	return must[RequestRow](w.t)(w.Submit(w.ctx, w.erin, Submission{PackageID: e.ID, Urgency: cab.Standard}))
}

func (w *world) wantCode(err error, code string) {
	w.t.Helper()
	if cab.CodeOf(err) != code {
		w.t.Errorf("got %v, want %s", err, code)
	}
}

// audit checks the whole database and returns what it found.
func (w *world) audit(held []byte) []store.Finding {
	w.t.Helper()
	verifier, err := ledger.NewVerifier(w.signer.VerifierKey())
	if err != nil {
		w.t.Fatal(err)
	}
	report, err := w.store.Verify(w.ctx, store.VerifyOptions{Verifier: verifier, Held: held})
	if err != nil {
		w.t.Fatal(err)
	}
	return report.Findings
}

// wantSound checks that the database holds together.
func (w *world) wantSound() {
	w.t.Helper()
	for _, f := range w.audit(must[[]byte](w.t)(w.store.Checkpoint(w.ctx))) {
		w.t.Errorf("audit: %s", f.What)
	}
}

// types lists the event types of a trail, oldest first.
func (w *world) types(trail string) string {
	w.t.Helper()
	page := must[Page[EventRow]](w.t)(w.Events(w.ctx, w.ada, EventFilter{Trail: trail, OldestFirst: true, Paging: store.Paging{Limit: 200}}))
	var names []string
	for _, row := range page.Rows {
		_, rest, _ := strings.Cut(string(row.Leaf), `"type":"`)
		name, _, _ := strings.Cut(rest, `"`)
		names = append(names, name)
	}
	return strings.Join(names, " ")
}
