package httpapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/eucora/eucora/internal/report"
	"github.com/eucora/eucora/internal/store/storetest"
)

const reportPath = "/api/v1/reports/changes/?since=2020-01-01T00:00:00Z&until=2100-01-01T00:00:00Z"

func TestChangeReport(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		w.submitted("low")
		mid, high := w.submitted("mid"), w.submitted("high")
		w.post("carol", "/api/v1/cab/"+mid.request+"/approve/", `{"rationale":"<script>alert(1)</script>","conditions":{"max_ring":"PILOT"}}`)
		w.post("sam", "/api/v1/cab/exceptions/"+high.exception+"/approve/", `{"rationale":"for a week"}`)
		w.post("carol", "/api/v1/cab/"+high.request+"/approve/", `{"rationale":"as long"}`)
		w.post("pat", "/api/v1/deployments/"+high.deployment+"/events/", `{"type":"DEPLOYMENT_STARTED"}`)

		got := w.send("ada", "GET", reportPath+"&format=json", "")
		var r report.Report
		if err := json.Unmarshal([]byte(got.body), &r); err != nil || got.header.Get("Content-Type") != "application/json" {
			t.Fatalf("%v: %d %s", err, got.status, got.body)
		}
		if r.Ledger.Size != w.eventCount() || !strings.Contains(r.Ledger.Note, r.Ledger.Root) || r.Ledger.Key != w.store.LedgerKey() {
			t.Errorf("ledger %+v", r.Ledger)
		}
		if len(r.Findings) != 0 || len(r.Decisions) != 2 || len(r.Automatic) != 1 || len(r.Starts) != 1 || !r.Starts[0].Approved || !r.Population.Totals.AddUp {
			t.Errorf("%s", got.body)
		}
		page := w.send("carol", "GET", reportPath, "")
		policy := page.header.Get("Content-Security-Policy")
		if page.status != http.StatusOK || page.header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(policy, "default-src 'none'; style-src 'sha256-") {
			t.Errorf("%d %v", page.status, page.header)
		}
		if !strings.Contains(page.body, "&lt;script&gt;alert(1)") || strings.Contains(page.body, "<script") {
			t.Error("a rationale got out of its place")
		}
		t.Run("refused", func(t *testing.T) { reportRefused(w) })
		t.Run("damaged", func(t *testing.T) { reportOfDamage(w) })
	})
}

func reportRefused(w *world) {
	for _, query := range []string{
		"", "?since=2026-01-01T00:00:00Z", "?since=2026-01-01T00:00:00Z&until=2026-01-01T00:00:00Z", "?since=2026-02-01T00:00:00Z&until=2026-01-01T00:00:00Z",
		"?since=x&until=y", "?since=2026-01-01T00:00:00Z&until=2027-01-01T00:00:00Z&format=pdf",
	} {
		if got := w.send("ada", "GET", "/api/v1/reports/changes/"+query, ""); got.status != http.StatusBadRequest {
			w.t.Errorf("%s: %d %s", query, got.status, got.body)
		}
	}
	if got := w.send("erin", "GET", "/api/v1/reports/changes/?nonsense=1", ""); got.status != http.StatusForbidden {
		w.t.Errorf("an engineer: %d", got.status)
	}
}

// reportOfDamage: of a ledger that was written to behind the program's back
// there is no report, and an auditor is told why.
func reportOfDamage(w *world) {
	owner := storetest.Owner(w.t, w.url)
	disarm := "DROP TRIGGER event_no_update"
	if w.engine == "postgres" {
		disarm = "ALTER TABLE event DISABLE TRIGGER ALL"
	}
	if _, err := owner.Exec(disarm); err != nil {
		w.t.Fatal(err)
	}
	var leaf []byte
	if err := owner.QueryRow(`SELECT leaf FROM event WHERE seq = 3`).Scan(&leaf); err != nil {
		w.t.Fatal(err)
	}
	for altered, want := range map[string]string{
		strings.Replace(string(leaf), `"seq":3`, `"seq":4`, 1):                        "event 3 is missing",
		strings.Replace(string(leaf), `"role":"`, `"role":"x`, 1):                     "do not make the root",
		strings.Replace(string(leaf), `"type":"USER_CHANGED"`, `"type":"NO_SUCH"`, 1): "unknown type",
		"{": "cannot be read",
	} {
		if altered == string(leaf) {
			w.t.Fatalf("nothing was altered: %s", leaf)
		}
		if _, err := owner.Exec(`UPDATE event SET leaf = $1 WHERE seq = 3`, []byte(altered)); err != nil {
			w.t.Fatal(err)
		}
		got := w.send("ada", "GET", reportPath, "")
		if p := got.problem(w.t); got.status != http.StatusConflict || p.Code != "LEDGER_DOES_NOT_HOLD" || !strings.Contains(p.Detail, want) {
			w.t.Errorf("want %s: %d %s", want, got.status, got.body)
		}
	}
	if _, err := owner.Exec(`UPDATE event SET leaf = $1 WHERE seq = 3`, leaf); err != nil {
		w.t.Fatal(err)
	}
	if got := w.send("ada", "GET", reportPath, ""); got.status != http.StatusOK {
		w.t.Errorf("put back: %d %s", got.status, got.body)
	}
}
