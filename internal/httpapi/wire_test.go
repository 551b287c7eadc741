package httpapi

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/store/storetest"
	"github.com/eucora/eucora/internal/workflow"
)

var (
	idForm    = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|(CAB|EXC)-[0-9A-F]{12}`)
	timeForm  = regexp.MustCompile(`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
	hashForm  = regexp.MustCompile(`"(content_hash|computed_hash|decision_sha256)":"[0-9a-f]{64}"`)
	noteForm  = regexp.MustCompile(`"(note|key|payload|keyid|sig)":"[^"]*"`)
	toolAgent = regexp.MustCompile(`"address":"[^"]*"`)
)

// normal replaces what differs from run to run, each id by its first
// appearance.
func normal(text string) string {
	seen := map[string]string{}
	text = idForm.ReplaceAllStringFunc(text, func(id string) string {
		if seen[id] == "" {
			seen[id] = fmt.Sprintf("id%d", len(seen)+1)
		}
		return seen[id]
	})
	text = timeForm.ReplaceAllString(text, "TIME")
	text = hashForm.ReplaceAllString(text, `"$1":"HASH"`)
	text = noteForm.ReplaceAllString(text, `"$1":"NOTE"`)
	return toolAgent.ReplaceAllString(text, `"address":"ADDRESS"`)
}

// TestWire makes every call of the specification's section 9 and writes down
// the answers: the golden is the wire, to be read; both engines give the same.
func TestWire(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		var transcript strings.Builder
		call := func(as, method, path, body string) answer {
			t.Helper()
			got := w.send(as, method, "/api/v1"+path, body)
			fmt.Fprintf(&transcript, "%s %s %s %s\n%d %s\n", as, method, path, body, got.status, got.body)
			return got
		}
		d := call("erin", "POST", "/deployments/", `{"app_name":"7-Zip","version":"24.08","target_ring":"PILOT"}`).member(t, "id")
		call("erin", "GET", "/deployments/", "")
		call("erin", "GET", "/deployments/"+d, "") // without the slash
		ev := call("erin", "POST", "/evidence/", `{"deployment_intent_id":"`+d+`","evidence_data":`+strings.ReplaceAll(evidenceData("mid"), "\n", "")+`}`).member(t, "id")
		call("erin", "GET", "/evidence/?deployment_intent_id="+d, "")
		call("carol", "GET", "/evidence/"+ev+"/", "")
		call("carol", "GET", "/evidence/"+ev+"/verify/", "")
		call("carol", "GET", "/evidence/"+ev+"/breakdown/", "")
		document := call("carol", "GET", "/evidence/"+ev+"/document/", "")
		if got := evidence.Digest([]byte(document.body)); document.header.Get("ETag") != `"`+got+`"` {
			t.Errorf("the document's bytes hash to %s, ETag %s", got, document.header.Get("ETag"))
		}
		call("erin", "POST", "/cab/submit/", `{"evidence_package_id":"`+ev+`","risk_score":0}`)
		call("erin", "POST", "/cab/submit/", `{"evidence_package_id":"`+ev+`","risk_score":51.381}`)
		r := call("erin", "POST", "/cab/submit/", `{"evidence_package_id":"`+ev+`","notes":"soon","urgency":"urgent"}`)
		id, name := r.member(t, "id"), r.member(t, "name")
		call("erin", "POST", "/cab/submit/", `{"evidence_package_id":"`+ev+`"}`)
		call("carol", "GET", "/cab/pending/?risk_min=50&risk_max=75&limit=10", "")
		call("erin", "GET", "/cab/my-requests/", "")
		call("carol", "GET", "/cab/"+name+"/", "")
		call("pat", "GET", "/deployments/"+d+"/approval-status/", "")
		call("carol", "POST", "/cab/"+id+"/review/", "")
		call("carol", "POST", "/cab/"+id+"/approve/", `{"rationale":"fine","conditions":{"max_rings":"PILOT","max_devices":"10"}}`)
		call("carol", "POST", "/cab/"+id+"/approve/", `{"rationale":"fine","conditions":{"max_ring":"PILOT"}}`)
		call("chris", "POST", "/cab/"+id+"/reject/", `{"rationale":"late"}`)
		call("pat", "GET", "/deployments/"+d+"/approval-status/", "")
		call("pat", "POST", "/deployments/"+d+"/events/", `{"type":"DEPLOYMENT_STARTED"}`)
		call("carol", "GET", "/deployments/"+d+"/gate/", "")
		call("pat", "GET", "/deployments/"+d+"/gate/?ring=LAB&devices=5&artifact_sha256="+hash64, "")
		call("pat", "POST", "/deployments/"+d+"/permits/", `{"ring":"CANARY","artifact_sha256":"`+hash64+`","devices":50}`)
		call("pat", "POST", "/deployments/"+d+"/permits/", `{"ring":"GLOBAL","artifact_sha256":"`+hash64+`","devices":50}`)
		permit := call("pat", "POST", "/deployments/"+d+"/permits/", `{"ring":"LAB","artifact_sha256":"`+hash64+`","devices":5}`).member(t, "id")
		call("pat", "POST", "/permits/"+permit+"/redeem/", `{"ring":"LAB","artifact_sha256":"`+strings.Repeat("0", 64)+`","devices":5}`)
		call("pat", "POST", "/permits/"+permit+"/redeem/", `{"ring":"LAB","artifact_sha256":"`+hash64+`","devices":5}`)
		call("pat", "POST", "/permits/"+permit+"/redeem/", `{"ring":"LAB","artifact_sha256":"`+hash64+`","devices":5}`)
		call("carol", "GET", "/permits/"+permit+"/", "")
		call("pat", "POST", "/deployments/"+d+"/events/", `{"type":"CHECK_REPORTED","check":"smoke_test","passed":true}`)
		call("pat", "POST", "/deployments/"+d+"/events/", `{"type":"DEPLOYMENT_COMPLETED","succeeded":5,"failed":0}`)
		call("pat", "GET", "/deployments/"+d+"/gate/?ring=CANARY&devices=50&artifact_sha256="+hash64, "")
		call("sam", "POST", "/cab/"+id+"/revoke/", `{"reason":"exploited"}`)

		high := w.submitted("high")
		call("carol", "GET", "/cab/pending/?status=exception_required", "")
		call("sam", "GET", "/cab/exceptions/pending/", "")
		call("erin", "GET", "/cab/exceptions/my-exceptions/", "")
		call("sam", "GET", "/cab/exceptions/"+high.exception+"/", "")
		call("sam", "POST", "/cab/exceptions/"+high.exception+"/approve/", `{"rationale":"controls suffice"}`)
		call("ada", "GET", "/cab/exceptions/?active=true&deployment_intent_id="+high.deployment, "")
		call("carol", "POST", "/cab/"+high.request+"/reject/", `{"rationale":"still no"}`)
		call("sam", "POST", "/cab/exceptions/"+high.exception+"/revoke/", `{"reason":"moot"}`)
		again := w.submitted("high")
		call("sam", "POST", "/cab/exceptions/"+again.exception+"/reject/", `{"rationale":"no"}`)
		call("erin", "POST", "/cab/"+again.request+"/withdraw/", `{}`)
		call("root", "POST", "/cab/exceptions/cleanup/", "")
		call("ada", "GET", "/cab/?status=rejected,withdrawn", "")
		call("ada", "GET", "/events/?correlation_id="+name+"&order=oldest", "")
		call("ada", "GET", "/checkpoint/", "")
		call("ada", "GET", "/risk-models/", "")
		call("ada", "GET", "/risk-models/1.0/", "")
		call("ada", "GET", "/policies/", "")
		call("ada", "POST", "/risk-models/1.0/score/", `{"evidence_data":{}}`)
		call("ada", "GET", "/me/", "")
		compareGolden(t, "wire.golden", normal(transcript.String()))
	})
}

func compareGolden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, expected := strings.Split(text, "\n"), strings.Split(string(want), "\n")
	for i := range min(len(got), len(expected)) {
		if got[i] != expected[i] {
			t.Fatalf("%s, line %d:\n got %s\nwant %s", path, i+1, got[i], expected[i])
		}
	}
	if len(got) != len(expected) {
		t.Errorf("%s has %d lines, now %d", path, len(expected), len(got))
	}
}

// TestIdempotency: over HTTP, a repetition is the first answer byte for byte.
func TestIdempotency(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		body := `{"app_name":"a","version":"1","target_ring":"LAB"}`
		first := w.send("erin", "POST", "/api/v1/deployments/", body, "Idempotency-Key", "build-1")
		second := w.send("erin", "POST", "/api/v1/deployments/", body, "Idempotency-Key", "build-1")
		if first.status != 201 || second.status != 201 || first.body != second.body || second.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("first %d %s\nsecond %d %s", first.status, first.body, second.status, second.body)
		}
		if got := w.send("erin", "POST", "/api/v1/deployments/", strings.Replace(body, "LAB", "PILOT", 1), "Idempotency-Key", "build-1"); got.status != 409 || got.problem(t).Code != "IDEMPOTENCY_KEY_REUSED" {
			t.Errorf("another body: %d %s", got.status, got.body)
		}
		of := w.submitted("mid")
		approve := func() answer {
			return w.send("carol", "POST", "/api/v1/cab/"+of.request+"/approve/", `{"rationale":"fine"}`, "Idempotency-Key", "k")
		}
		if a, b := approve(), approve(); a.status != 200 || a.body != b.body {
			t.Errorf("approval: %s\nrepeated: %s", a.body, b.body)
		}
		sweep := func() answer {
			return w.send("root", "POST", "/api/v1/cab/exceptions/cleanup/", `{}`, "Idempotency-Key", "nightly")
		}
		if a, b := sweep(), sweep(); a.status != 200 || a.body != b.body || b.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("cleanup: %s\nrepeated: %s", a.body, b.body)
		}
	})
}

// TestFireOverHTTP: 64 callers decide one request at once: one 200, the rest
// 409.
func TestFireOverHTTP(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		for range 3 {
			of := w.submitted("mid")
			var mu sync.Mutex
			statuses := map[int]int{}
			var all sync.WaitGroup
			for i := range 64 {
				all.Go(func() {
					as, act := "carol", "approve"
					if i%2 == 1 {
						as, act = "chris", "reject"
					}
					got := w.send(as, "POST", "/api/v1/cab/"+of.request+"/"+act+"/", `{"rationale":"now"}`)
					mu.Lock()
					defer mu.Unlock()
					statuses[got.status]++
				})
			}
			all.Wait()
			if statuses[200] != 1 || statuses[409] != 63 {
				t.Errorf("%v", statuses)
			}
		}
	})
}

// TestPages: lists are whole, in order, without a row twice or missing, though
// many rows have the same time.
func TestPages(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		still := workflow.New(w.store, workflow.Options{Clock: func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }})
		erin := callAs(w, "erin")
		for range 23 {
			if _, err := still.CreateDeployment(w.ctx, erin, "a", "1", "LAB"); err != nil {
				t.Fatal(err)
			}
		}
		seen := map[string]bool{}
		last, cursor := "~", ""
		for pages := 0; ; pages++ {
			var page struct {
				Count   int
				Results []struct{ ID string }
				Next    string
			}
			got := w.send("erin", "GET", "/api/v1/deployments/?limit=5&cursor="+cursor, "")
			if cursor == "" {
				got = w.send("erin", "GET", "/api/v1/deployments/?limit=5", "")
			}
			if err := json.Unmarshal([]byte(got.body), &page); err != nil {
				t.Fatal(err)
			}
			for _, d := range page.Results {
				if seen[d.ID] || d.ID >= last {
					t.Errorf("%s twice or out of order", d.ID)
				}
				seen[d.ID], last = true, d.ID
			}
			if page.Count != 23 {
				t.Errorf("count %d", page.Count)
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		if len(seen) != 23 {
			t.Errorf("%d rows on the pages", len(seen))
		}
	})
}

// TestStoreUnavailable: with PostgreSQL gone, calls answer 503 with Retry-After
// and lose nothing; when it is back, they go on without a restart.
func TestStoreUnavailable(t *testing.T) {
	server := storetest.Start(t)
	w := newWorld(t, storetest.Engine{Name: "postgres", URL: server.Database})
	of := w.submitted("mid")
	server.Stop(t)
	for _, got := range []answer{
		w.send("erin", "POST", "/api/v1/deployments/", `{"app_name":"a","version":"1","target_ring":"LAB"}`),
		w.send("ada", "GET", "/api/v1/cab/"+of.request+"/", ""),
	} {
		if got.status != 503 || got.header.Get("Retry-After") == "" || got.problem(t).Code != "STORE_UNAVAILABLE" {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	if got := w.send("", "GET", "/readyz", ""); got.status != 503 {
		t.Errorf("ready without a database: %d", got.status)
	}
	if got := w.send("", "GET", "/healthz", ""); got.status != 200 {
		t.Errorf("alive: %d", got.status)
	}
	server.Restart(t)
	if got := w.send("ada", "GET", "/api/v1/cab/"+of.request+"/", ""); got.status != 200 {
		t.Errorf("after the restart: %d %s", got.status, got.body)
	}
	w.post("carol", "/api/v1/cab/"+of.request+"/approve/", `{"rationale":"back again"}`)
}

// TestDiskFull: with the disk full, writing answers 503 and reading goes on;
// when there is room again, so does writing.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("a small disk cannot be mounted here (%v): left out", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	w := newWorld(t, storetest.Engine{Name: "sqlite", URL: func(testing.TB) string { return "sqlite:" + filepath.Join(dir, "eucora.db") }})
	of := w.submitted("mid")
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 16<<20), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	full := 0
	for range 20 {
		got := w.send("erin", "POST", "/api/v1/evidence/", `{"deployment_intent_id":"`+of.deployment+`","evidence_data":{"rollback_plan":{"x":"`+strings.Repeat("x", 50_000)+`"}}}`)
		switch {
		case got.status == 503 && got.header.Get("Retry-After") != "" && got.problem(t).Code == "STORE_UNAVAILABLE":
			full++
		case got.status != 201:
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	if full == 0 {
		t.Error("the disk never got full")
	}
	stored := len(w.stored())
	got := w.upload("erin", recordOf(of.deployment, `{}`), part{"artifact", "setup.bin", strings.Repeat("x", 1<<20)})
	if got.status != 503 || got.header.Get("Retry-After") == "" || got.problem(t).Code != "STORAGE_FULL" || len(w.stored()) != stored {
		t.Errorf("a file on a full disk: %d %s; stored: %q", got.status, got.body, w.stored())
	}
	if got := w.send("ada", "GET", "/api/v1/cab/"+of.request+"/", ""); got.status != 200 {
		t.Errorf("reading from a full disk: %d", got.status)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	w.post("carol", "/api/v1/cab/"+of.request+"/approve/", `{"rationale":"room again"}`)
}
