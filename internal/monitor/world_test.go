package monitor_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/attest"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/httpapi"
	"github.com/eucora/eucora/internal/identity"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/monitor"
	"github.com/eucora/eucora/internal/risk"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
	"github.com/eucora/eucora/internal/workflow"
)

var ctx = context.Background()

// world is a served log, and a mirror of it.
type world struct {
	t       *testing.T
	engine  storetest.Engine
	url     string
	signer  *ledger.Signer
	trust   *ledger.Trust // the site's witnesses; nil: none
	store   *store.Store
	service *workflow.Service
	server  *httptest.Server
	handler http.Handler
	during  func(*http.Request) // called before each call is answered
	tokens  map[string]string
	dir     string
}

func newWorld(t *testing.T, e storetest.Engine) *world {
	t.Helper()
	w := &world{t: t, engine: e, url: e.URL(t), signer: storetest.Key(t), tokens: map[string]string{}, dir: t.TempDir()}
	w.open()
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.during != nil {
			w.during(r)
		}
		w.handler.ServeHTTP(rw, r)
	}))
	t.Cleanup(func() { w.server.Close(); w.close() })
	for name, role := range map[string]cab.Role{"erin": cab.PackagingEngineer, "carol": cab.CABMember, "sam": cab.SecurityReviewer, "ada": cab.Auditor} {
		setup := workflow.Call{Actor: cab.Setup}
		if _, err := w.service.AddUser(ctx, setup, name, role); err != nil {
			t.Fatal(err)
		}
		id, token, hash := identity.NewSecret()
		if _, err := w.service.IssueToken(ctx, setup, name, id, "test", hash, 30); err != nil {
			t.Fatal(err)
		}
		w.tokens[name] = token
	}
	return w
}

func (w *world) open() {
	w.t.Helper()
	var err error
	if w.store, err = store.Open(ctx, store.Options{URL: w.url, Signer: w.signer}); err != nil {
		w.t.Fatal(err)
	}
	w.service = workflow.New(w.store, workflow.Options{Witnesses: w.trust})
	if err := w.service.Prepare(ctx); err != nil {
		w.t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	w.handler, err = httpapi.New(httpapi.Options{
		Service: w.service, Auth: identity.New(ctx, w.store, nil, log), LedgerKey: w.store.LedgerKey(),
		Keys: func() (*attest.Ring, error) { return attest.NewRing(nil), nil }, Ready: w.store.Ready, Log: log, Version: "test",
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) close() {
	if err := w.store.Close(); err != nil {
		w.t.Error(err)
	}
}

// owner closes the store, lets whoever owns the database do as they like, and opens
// it again.
func (w *world) owner(do func(db *sql.DB)) {
	w.t.Helper()
	w.close()
	db := storetest.Owner(w.t, w.url)
	storetest.DropTriggers(w.t, db, w.engine.Name)
	do(db)
	if err := db.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.open()
}

func (w *world) exec(db *sql.DB, text string, args ...any) {
	w.t.Helper()
	result, err := db.Exec(text, args...)
	if err != nil {
		w.t.Fatalf("%s: %v", text, err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		w.t.Fatalf("%s: nothing was changed (%v)", text, err)
	}
}

// consistently makes tree and checkpoint anew from the events that there are, as
// somebody could who has the log's key too.
func (w *world) consistently(db *sql.DB) {
	w.t.Helper()
	tree := w.tree(db)
	w.exec(db, `DELETE FROM checkpoint`)
	signed, err := w.signer.Sign(tree.Size(), tree.Root())
	if err != nil {
		w.t.Fatal(err)
	}
	w.exec(db, `INSERT INTO checkpoint (size, note, time) VALUES ($1, $2, 0)`, tree.Size(), string(signed))
}

// tree makes the tree anew, and signs nothing.
func (w *world) tree(db *sql.DB) *ledger.Frontier {
	w.t.Helper()
	rows, err := db.Query(`SELECT leaf FROM event ORDER BY seq`)
	if err != nil {
		w.t.Fatal(err)
	}
	var tree ledger.Frontier
	for rows.Next() {
		var leaf []byte
		if err := rows.Scan(&leaf); err != nil {
			w.t.Fatal(err)
		}
		tree.Append(ledger.LeafHash(leaf))
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	w.exec(db, `DELETE FROM ledger_tile`)
	for _, tile := range tree.Dirty() {
		w.exec(db, `INSERT INTO ledger_tile (level, idx, data) VALUES ($1, $2, $3)`, tile.ID.Level, tile.ID.Index, tile.Data)
	}
	w.exec(db, `UPDATE ledger_state SET size = $1`, tree.Size())
	return &tree
}

func (w *world) client(name string) *api.Client {
	return &api.Client{Server: w.server.URL, Token: w.tokens[name]}
}

func (w *world) watch(trust *ledger.Trust) *monitor.Watch {
	return monitor.New(monitor.Options{Client: w.client("ada"), Dir: w.dir, Trust: trust})
}

// look is one round of a monitor that was just started.
func (w *world) look() monitor.Report {
	w.t.Helper()
	report, err := w.watch(nil).Round(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	return report
}

// fine wants nothing to be found.
func (w *world) fine() monitor.Report {
	w.t.Helper()
	report := w.look()
	if len(report.Findings) > 0 {
		w.t.Fatalf("found %q", report.Findings)
	}
	return report
}

// finds wants exactly one thing to be found, which says all of this; and again when
// the monitor looks again.
func (w *world) finds(all ...string) {
	w.t.Helper()
	for range 2 {
		report := w.look()
		if len(report.Findings) != 1 {
			w.t.Fatalf("found %q, want one finding that says %q", report.Findings, all)
		}
		for _, text := range all {
			if !strings.Contains(report.Findings[0], text) {
				w.t.Errorf("found %q, which does not say %q", report.Findings[0], text)
			}
		}
	}
}

const hash64 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func evidenceData(coverage int, high int, users int) []byte {
	return fmt.Appendf(nil, `{"artifacts":{"sha256":"`+hash64+`","signature":"x","sbom":"y"},
		"test_results":{"coverage_percent":%d,"manual_test_status":"not_started"},
		"scan_results":{"scanner":"trivy","critical":0,"high":%d},
		"rollback_plan":{"strategy":"reinstall","validated":false},
		"deployment_plan":{"rings":["LAB"],"affected_components":[1,2,3,4,5,6,7,8,9,10,11],"complexity":"high","affected_users":%d}}`, coverage, high, users)
}

// things are the ids of what a case makes.
type things struct{ deployment, evidence, request, exception string }

// blocked is a request that waits for its exception.
func (w *world) blocked() things {
	w.t.Helper()
	of := w.filed(evidenceData(50, 9, 50000))
	e, err := w.client("erin").RequestException(ctx, api.RequestException{DeploymentID: of.deployment, Reason: "needed", Justification: "accepted", Controls: []string{"watched"}})
	w.ok(err)
	of.exception = e.ID
	return of
}

// decided is a request that was approved, resting on an exception.
func (w *world) decided() things {
	w.t.Helper()
	of := w.blocked()
	_, err := w.client("sam").ApproveException(ctx, of.exception, api.Rationale{Rationale: "for a while"})
	w.ok(err)
	_, err = w.client("carol").StartReview(ctx, of.request)
	w.ok(err)
	_, err = w.client("carol").Approve(ctx, of.request, api.Approve{Rationale: "fine", Conditions: []byte(`{"b":1,"a":2}`)})
	w.ok(err)
	return of
}

// rejected is a request that the board rejected.
func (w *world) rejected() things {
	w.t.Helper()
	of := w.filed(evidenceData(85, 2, 500))
	_, err := w.client("carol").Reject(ctx, of.request, api.Rationale{Rationale: "no"})
	w.ok(err)
	return of
}

func (w *world) filed(data []byte) things {
	w.t.Helper()
	erin := w.client("erin")
	d, err := erin.CreateDeployment(ctx, api.CreateDeployment{AppName: "7-Zip", Version: "24.08", TargetRing: "PILOT"})
	w.ok(err)
	e, err := erin.CreateEvidence(ctx, api.CreateEvidence{DeploymentID: d.ID, EvidenceData: data})
	w.ok(err)
	r, err := erin.Submit(ctx, api.Submit{PackageID: e.ID})
	w.ok(err)
	return things{deployment: d.ID, evidence: e.ID, request: r.ID}
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// secondModel publishes a model 2.0, which no policy names.
func (w *world) secondModel() {
	w.t.Helper()
	model, err := risk.ParseCanonical([]byte(strings.Replace(string(risk.Embedded()[0].Document()), `"version":"1.0"`, `"version":"2.0"`, 1)))
	w.ok(err)
	_, err = w.service.PublishModel(ctx, workflow.Call{Actor: cab.Setup}, model)
	w.ok(err)
}

// lie serves what the server answers to a path as change makes it.
func lie[T any](w *world, honest http.Handler, path string, change func(answer *T)) {
	w.t.Helper()
	w.handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			honest.ServeHTTP(rw, r)
			return
		}
		recorded := httptest.NewRecorder()
		honest.ServeHTTP(recorded, r)
		var answer T
		w.ok(json.Unmarshal(recorded.Body.Bytes(), &answer))
		change(&answer)
		body, err := json.Marshal(answer)
		w.ok(err)
		rw.Header().Set("Content-Type", "application/json")
		_, err = rw.Write(body)
		w.ok(err)
	})
}

// grow adds events that are about nothing.
func (w *world) grow(n int) {
	w.t.Helper()
	w.ok(w.store.Update(ctx, func(tx *store.Tx) error {
		for range n {
			if err := tx.Save(cab.Change{Events: []cab.Event{{Type: cab.AccessRefused, Time: time.Now().UTC(), Actor: cab.Guard, Data: cab.EventData{Refusals: 1}}}}); err != nil {
				return err
			}
		}
		return nil
	}))
}
