package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/store/storetest"
)

const (
	twoFindings = `{"SchemaVersion":2,"ArtifactName":"x","Trivy":{"Version":"0.60.0"},"Results":[{"Target":"go.mod","Vulnerabilities":[
		{"VulnerabilityID":"CVE-1","PkgName":"a","InstalledVersion":"1","Severity":"HIGH"},{"VulnerabilityID":"CVE-2","PkgName":"b","InstalledVersion":"1"}]}]}`
	cobertura = `<coverage><packages><package><classes><class filename="a.c"><lines><line number="1" hits="1"/><line number="2" hits="0"/></lines></class></classes></package></packages></coverage>`
	testRun   = `<testsuites><testsuite><testcase name="a"/><testcase name="b"><failure/></testcase></testsuite></testsuites>`
	bom       = `{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{"type":"library","name":"a","version":"1"}]}`
	declared  = `{"artifacts":[{"name":"setup.sh"}],"test_results":{"coverage_percent":95,"manual_test_status":"completed"},"scan_results":{"critical":0,"high":0,"scanner":"trivy"},
		"rollback_plan":{"strategy":"reinstall","validated":true},"deployment_plan":{"rings":["LAB"],"affected_components":["a"],"complexity":"low","affected_users":10}}`
)

var allParts = []part{
	{"artifact", "setup.sh", script}, {"sbom", "bom.json", bom}, {"scan", "trivy.json", twoFindings},
	{"tests", "junit.xml", testRun}, {"coverage", "cobertura.xml", cobertura},
}

func (w *world) intent() string {
	return w.post("erin", "/api/v1/deployments/", `{"app_name":"a","version":"1","target_ring":"LAB"}`).member(w.t, "id")
}

func recordOf(deployment, data string) string {
	return `{"deployment_intent_id":"` + deployment + `","evidence_data":` + data + `}`
}

// filed uploads and reads the answer.
func (w *world) filed(record string, files ...part) api.Evidence {
	w.t.Helper()
	a := w.upload("erin", record, files...)
	var e api.Evidence
	if err := json.Unmarshal([]byte(a.body), &e); err != nil || a.status != http.StatusCreated {
		w.t.Fatalf("%d %s (%v)", a.status, a.body, err)
	}
	return e
}

// stored lists what is in the directory of attachments.
func (w *world) stored() []string {
	w.t.Helper()
	var names []string
	err := filepath.WalkDir(w.files.Dir(), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return names
}

// TestFilesSpeakForThemselves: what files say counts, whatever is declared; it
// is in the package, in its breakdown and in the gate.
func TestFilesSpeakForThemselves(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		e1 := w.filed(recordOf(w.intent(), declared), allParts...)
		if !e1.IsComplete || len(e1.Attachments) != 5 || len(w.stored()) != 5 {
			t.Errorf("complete %v, missing %q, %d attachments, stored %q", e1.IsComplete, e1.Missing, len(e1.Attachments), w.stored())
		}
		if a := e1.Attachments[0]; a.SHA256 != evidence.Digest([]byte(script)) || a.Size != int64(len(script)) || a.Role != "artifact" || a.Name != "setup.sh" || a.MediaType != "application/octet-stream" {
			t.Errorf("the artifact: %+v", a)
		}
		if a := e1.Attachments[2]; a.Format != "Trivy JSON" || a.Tool != "trivy 0.60.0" || a.MediaType != "application/json" {
			t.Errorf("the scan: %+v", a)
		}
		var b api.Breakdown
		if err := json.Unmarshal([]byte(w.send("erin", "GET", "/api/v1/evidence/"+e1.ID+"/breakdown/", "").body), &b); err != nil {
			t.Fatal(err)
		}
		var differ []string
		for _, d := range b.Differences {
			differ = append(differ, fmt.Sprintf("%s: %s, not %s", d.Path, d.Derived, d.Declared))
		}
		if want := []string{"scan_results.high: 2, not 0", "test_results.coverage_percent: 50, not 95"}; !slices.Equal(differ, want) {
			t.Errorf("differences %q, want %q", differ, want)
		}
		origins := map[string]string{}
		for _, f := range b.Factors {
			origins[f.Name] = f.Origin
		}
		if origins["coverage"] != "derived" || origins["security"] != "derived" || origins["testing"] != "declared" || origins["rollback"] != "declared" {
			t.Errorf("origins %v", origins)
		}
		r := w.post("erin", "/api/v1/cab/submit/", `{"evidence_package_id":"`+e1.ID+`"}`)
		if !strings.Contains(r.body, `"declared_mismatch"`) || !strings.Contains(r.body, `"manual_review"`) {
			t.Errorf("the gate does not mind that something else was declared: %s", r.body)
		}
		honest := w.filed(recordOf(w.intent(), strings.NewReplacer(`"coverage_percent":95,`, "", `"critical":0,"high":0,`, "").Replace(declared)), allParts...)
		if got := w.post("erin", "/api/v1/cab/submit/", `{"evidence_package_id":"`+honest.ID+`"}`).member(t, "decision_status"); got != "auto_approved" || honest.RiskScore != e1.RiskScore {
			t.Errorf("the same files with nothing declared otherwise: %s, score %v and %v", got, honest.RiskScore, e1.RiskScore)
		}
		if len(w.stored()) != 5 {
			t.Errorf("the same files are stored again: %q", w.stored())
		}
	})
}

// TestFilesComeBackAsTheyWere: with their type, as a download, never as a page.
func TestFilesComeBackAsTheyWere(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	page := "<html><script>alert(1)</script>"
	e := w.filed(recordOf(w.intent(), `{}`), part{"artifact", `C:\out\../evil"` + "\r\nX: y.html", page}, part{"coverage", "c.xml", cobertura})
	path := "/api/v1/evidence/" + e.ID + "/attachments/"
	got := w.send("carol", "GET", path+strings.ToUpper(evidence.Digest([]byte(page)))+"/", "")
	if got.status != 200 || got.body != page || got.header.Get("Content-Type") != "application/octet-stream" ||
		!strings.HasPrefix(got.header.Get("Content-Disposition"), "attachment") || got.header.Get("X") != "" ||
		got.header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(got.header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("%d %v %q", got.status, got.header, got.body)
	}
	if got := w.send("carol", "GET", path+evidence.Digest([]byte(cobertura))+"/", ""); got.body != cobertura || got.header.Get("Content-Type") != "application/xml" {
		t.Errorf("%v %q", got.header, got.body)
	}
	for suffix, want := range map[string]int{strings.Repeat("0", 64): 404, "x": 400, "..%2f..%2fledger.key": 404} {
		if got := w.send("carol", "GET", path+suffix+"/", ""); got.status != want {
			t.Errorf("%s: %d, want %d", suffix, got.status, want)
		}
	}
	// What is not what was stored is cut off before its end.
	digest := evidence.Digest([]byte(page))
	if err := os.WriteFile(filepath.Join(w.files.Dir(), digest[:2], digest[2:]), bytes.ToUpper([]byte(page)), 0o600); err != nil {
		t.Fatal(err)
	}
	client := &api.Client{Server: w.server.URL, Token: w.tokens["carol"]}
	if err := client.Attachment(t.Context(), e.ID, digest, io.Discard); err == nil {
		t.Error("an altered file was fetched as if nothing had happened")
	}
}

// TestALostFileIsFound: at verification, at decision and by the gate; nothing is
// decided on it, and the ledger says so.
func TestALostFileIsFound(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		for name, spoil := range map[string]func(path string) error{
			"missing": os.Remove,
			"altered": func(path string) error { return os.WriteFile(path, bytes.ToUpper([]byte(twoFindings)), 0o600) },
			"cut off": func(path string) error { return os.Truncate(path, 10) },
		} {
			waiting, filed, approved := w.filed(recordOf(w.intent(), declared), allParts...), w.filed(recordOf(w.intent(), declared), allParts...), w.submitted("low")
			request := w.post("erin", "/api/v1/cab/submit/", `{"evidence_package_id":"`+waiting.ID+`"}`).member(t, "id")
			digest := evidence.Digest([]byte(twoFindings))
			path := filepath.Join(w.files.Dir(), digest[:2], digest[2:])
			if err := spoil(path); err != nil {
				t.Fatal(err)
			}
			before := w.eventCount()
			for what, got := range map[string]answer{
				"submission": w.send("erin", "POST", "/api/v1/cab/submit/", `{"evidence_package_id":"`+filed.ID+`"}`),
				"approval":   w.send("carol", "POST", "/api/v1/cab/"+request+"/approve/", `{"rationale":"fine"}`),
			} {
				if got.status != 409 || got.problem(t).Code != "EVIDENCE_TAMPERED" {
					t.Errorf("%s, %s: %d %s", name, what, got.status, got.body)
				}
			}
			v := w.send("ada", "GET", "/api/v1/evidence/"+waiting.ID+"/verify/", "")
			if v.status != 200 || v.member(t, "is_valid") != "false" || strings.Count(v.body, `"is_valid":false`) != 2 {
				t.Errorf("%s, verification: %d %s", name, v.status, v.body)
			}
			if n := w.eventCount() - before; n != 3 {
				t.Errorf("%s: %d events, want one for each time it was found", name, n)
			}
			if got := w.send("ada", "GET", "/api/v1/cab/"+request+"/", "").member(t, "status"); got != "submitted" {
				t.Errorf("%s: the request is %s", name, got)
			}
			if got := w.gateOf(waiting.DeploymentID); got.status != 409 || got.problem(t).Code != "EVIDENCE_TAMPERED" {
				t.Errorf("%s: the gate says %d %s", name, got.status, got.body)
			}
			script := evidence.Digest([]byte(script))
			if err := os.Remove(filepath.Join(w.files.Dir(), script[:2], script[2:])); err != nil {
				t.Fatal(err)
			}
			if got := w.send("pat", "POST", "/api/v1/deployments/"+approved.deployment+"/events/", `{"type":"DEPLOYMENT_STARTED"}`); got.status != 409 {
				t.Errorf("%s: a deployment starts without its installer: %d %s", name, got.status, got.body)
			}
		}
	})
}

func (w *world) gateOf(deployment string) answer {
	return w.send("pat", "GET", "/api/v1/deployments/"+deployment+"/approval-status/", "")
}

// TestNothingIsStoredOfWhatIsRefused: unreadable files, wrong forms, strangers,
// and callers who hang up.
func TestNothingIsStoredOfWhatIsRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		intent := w.intent()
		good := recordOf(intent, `{}`)
		before := w.eventCount()
		many := make([]part, 300)
		for i := range many {
			many[i] = part{"scan", "s.json", twoFindings}
		}
		for name, c := range map[string]struct {
			as     string
			record string
			files  []part
			status int
			want   string
		}{
			"a file that is none":     {"erin", good, []part{{"artifact", "a", script}, {"scan", "trivy.json", `{"hello":1}`}}, 400, "trivy.json: is not a scan report"},
			"truncated":               {"erin", good, []part{{"scan", "t.json", twoFindings[:100]}}, 400, "t.json"},
			"entity bomb":             {"erin", good, []part{{"tests", "bomb.xml", `<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;">]><testsuites><testcase name="&b;"/></testsuites>`}}, 400, "bomb.xml: line 1: declares an entity"},
			"10 MB of [":              {"erin", good, []part{{"sbom", "deep.json", strings.Repeat("[", 10<<20)}}, 400, "deep.json"},
			"the wrong kind":          {"erin", good, []part{{"tests", "bom.json", bom}}, 400, "is a SBOM (CycloneDX JSON), not a test report"},
			"an empty artifact":       {"erin", good, []part{{"artifact", "a", ""}}, 400, "a: is empty"},
			"no such kind":            {"erin", good, []part{{"virus", "a", "x"}}, 400, "is not a kind of file"},
			"too many":                {"erin", good, many, 400, "more than 256"},
			"two SBOMs, one artifact": {"erin", good, []part{{"sbom", "a", bom}, {"sbom", "b", bom}}, 400, "2 SBOMs for 1 artifacts"},
			"somebody else's intent":  {"eve", good, []part{{"artifact", "a", script}}, 403, ""},
			"no such intent":          {"erin", recordOf("00000000-0000-7000-8000-000000000000", `{}`), []part{{"artifact", "a", script}}, 404, ""},
			"a role that never may":   {"carol", good, []part{{"artifact", "a", script}}, 403, ""},
			"nobody":                  {"", good, []part{{"artifact", "a", script}}, 401, ""},
			"a record of nonsense":    {"erin", `{"deployment_intent_id":1}`, []part{{"artifact", "a", script}}, 400, "deployment_intent_id"},
			"a record that is large":  {"erin", `"` + strings.Repeat("x", 1<<20) + `"`, nil, 413, "record"},
		} {
			got := w.upload(c.as, c.record, c.files...)
			if got.status != c.status || !strings.Contains(got.body, c.want) {
				t.Errorf("%s: %d %s, want %d %q", name, got.status, got.body, c.status, c.want)
			}
		}
		contentType, body := form(t, part{"record", "", good}, part{"artifact", "a", script})
		_, boundary, _ := strings.Cut(contentType, "boundary=")
		next := body[:strings.LastIndex(body, "--"+boundary)] + "--" + boundary // in front of one more part
		contentTypeLate, late := form(t, part{"artifact", "a", script}, part{"record", "", good})
		for name, c := range map[string]struct {
			contentType, body string
			status            int
		}{
			"the record is not first": {contentTypeLate, late, 400},
			"cut off":                 {contentType, body[:len(body)-20], 400},
			"cut in a file":           {contentType, body[:len(body)-80], 400},
			"cut before a part":       {contentType, next, 400},
			"cut after a delimiter":   {contentType, next + "\r\n", 400},
			"cut in a part's header":  {contentType, next + "\r\nContent-Disposition: form-data; na", 400},
			"cut after a header line": {contentType, next + "\r\nContent-Disposition: form-data; name=\"scan\"\r\n", 400},
			"no boundary":             {"multipart/form-data", body, 415},
			"another boundary":        {"multipart/form-data; boundary=x", body, 400},
			"another form":            {"application/x-www-form-urlencoded", "record=1", 415},
		} {
			if got := w.send("erin", "POST", "/api/v1/evidence/", c.body, "Content-Type", c.contentType); got.status != c.status {
				t.Errorf("%s: %d %s, want %d", name, got.status, got.body, c.status)
			}
		}
		if got := w.send("erin", "POST", "/api/v1/cab/submit/", body, "Content-Type", contentType); got.status != 415 {
			t.Errorf("files where none belong: %d", got.status)
		}
		w.hangUp(contentType, body)
		if n := w.eventCount(); n != before {
			t.Errorf("%d events were written", n-before)
		}
		if all := w.stored(); len(all) != 0 {
			t.Errorf("stored: %q", all)
		}
	})
}

// hangUp sends half of an upload, closes the connection, and waits until the
// server has noticed.
func (w *world) hangUp(contentType, body string) {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.server.URL, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /api/v1/evidence/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		w.tokens["erin"], contentType, len(body), body[:len(body)-30])
	if err := conn.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.server.Close() // waits for the handlers
}

// TestUploadsOnce: a repeated upload gets the first answer, byte for byte; the
// same key with other files is a conflict.
func TestUploadsOnce(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	record := recordOf(w.intent(), `{}`)
	send := func(text string) answer {
		contentType, body := form(t, part{"record", "", record}, part{"artifact", "a", text})
		return w.send("erin", "POST", "/api/v1/evidence/", body, "Content-Type", contentType, "Idempotency-Key", "k")
	}
	first, again, other := send(script), send(script), send("else")
	if first.status != 201 || again.body != first.body || again.header.Get("Idempotency-Replayed") != "true" || other.status != 409 {
		t.Errorf("%d; again %d, the same: %v; other files %d %s", first.status, again.status, again.body == first.body, other.status, other.body)
	}
}

// TestOrphansAreSwept: what a crash leaves is removed a day later, and nothing
// else.
func TestOrphansAreSwept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		used := w.filed(recordOf(w.intent(), `{}`), part{"artifact", "a", script})
		orphan, err := w.files.Receive(t.Context(), strings.NewReader("kept, and then the process died"), 100)
		if err != nil {
			t.Fatal(err)
		}
		if err := orphan.Keep(); err != nil {
			t.Fatal(err)
		}
		for _, path := range w.stored() {
			long := time.Now().Add(-48 * time.Hour)
			if err := os.Chtimes(path, long, long); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.service.SweepFiles(t.Context()); err != nil {
			t.Fatal(err)
		}
		if all := w.stored(); len(all) != 2 || !strings.Contains(strings.Join(all, " "), "orphans") || w.files.Check(t.Context(), used.Attachments[0].SHA256, used.Attachments[0].Size) != nil {
			t.Errorf("left: %q", all)
		}
	})
}

// TestManyUploadsAtOnce: 64 of them, each with its own installer.
func TestManyUploadsAtOnce(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	const callers = 64
	client := &api.Client{Server: w.server.URL, Token: w.tokens["erin"]}
	intents := make([]string, callers)
	for i := range intents {
		intents[i] = w.intent()
	}
	var all sync.WaitGroup
	for i, intent := range intents {
		all.Go(func() {
			installer := bytes.Repeat(fmt.Appendf(nil, "installer %d ", i), 100_000)
			e, err := client.UploadEvidence(t.Context(), api.CreateEvidence{DeploymentID: intent, EvidenceData: json.RawMessage(declared)}, []api.File{
				{Role: "artifact", Name: "setup", Content: bytes.NewReader(installer)}, {Role: "scan", Name: "t.json", Content: strings.NewReader(twoFindings)},
			})
			if err != nil || e.Attachments[0].SHA256 != evidence.Digest(installer) {
				t.Errorf("%d: %v %+v", i, err, e.Attachments)
			}
		})
	}
	all.Wait()
	if n := len(w.stored()); n != callers+1 {
		t.Errorf("%d files are stored, want %d", n, callers+1)
	}
}

// TestTheClientTellsWhatWentWrong: a refusal is the server's, a file that cannot
// be read the caller's.
func TestTheClientTellsWhatWentWrong(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	intent := w.intent()
	in := api.CreateEvidence{DeploymentID: intent, EvidenceData: json.RawMessage(`{}`)}
	broken := errors.New("the disk is broken")
	erin := &api.Client{Server: w.server.URL, Token: w.tokens["erin"]}
	if _, err := erin.UploadEvidence(t.Context(), in, []api.File{{Role: "artifact", Name: "a", Content: io.MultiReader(strings.NewReader(script), errReader{broken})}}); !errors.Is(err, broken) {
		t.Errorf("a file that cannot be read: %v", err)
	}
	carol := &api.Client{Server: w.server.URL, Token: w.tokens["carol"]}
	large := io.LimitReader(zeros{}, 64<<20)
	_, err := carol.UploadEvidence(t.Context(), in, []api.File{{Role: "artifact", Name: "a", Content: large}})
	if problem, ok := errors.AsType[*api.Problem](err); !ok || problem.Status != 403 {
		t.Errorf("somebody who may not: %v", err)
	}
	if n, err := io.Copy(io.Discard, large); err != nil || n < 60<<20 {
		t.Errorf("%d MiB of 64 were left unsent (%v): whoever may not is told before", n>>20, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := erin.UploadEvidence(ended, in, []api.File{{Role: "artifact", Name: "a", Content: zeros{}}}); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who gave up: %v", err)
	}
	w.server.Close() // waits for the handlers, which may still be at it
	if all := w.stored(); len(all) != 0 {
		t.Errorf("stored: %q", all)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }
