package httpapi

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
)

// grid is the specification's permission table, section 2, written out by hand:
// for every route, what each caller gets. The callers: nobody, erin (the
// engineer whose things they are), eve (another engineer), carol (CAB member),
// sam (Security Reviewer), pat (publisher), ada (auditor), root (admin).
// Things: what the path's {id} is. 2 stands for 200 or 201.
const grid = `
route                                    thing      nobody erin eve carol sam pat ada root
GET  /me                                 -          401 2   2   2   2   2   2   2
POST /deployments                        -          401 2   2   403 403 403 403 403
GET  /deployments                        -          401 2   2   2   2   2   2   2
GET  /deployments/{id}                   waiting    401 2   403 2   2   403 2   2
GET  /deployments/{id}                   approved   401 2   403 2   2   2   2   2
GET  /deployments/{id}/approval-status   waiting    401 2   403 2   2   2   2   2
POST /deployments/{id}/events            approved   401 403 403 403 403 2   403 403
POST /evidence                           waiting    401 2   403 403 403 403 403 403
GET  /evidence                           -          401 2   2   2   2   2   2   2
GET  /evidence/{id}                      waiting    401 2   403 2   2   403 2   2
GET  /evidence/{id}                      approved   401 2   403 2   2   2   2   2
GET  /evidence/{id}/verify               waiting    401 2   403 2   2   403 2   2
GET  /evidence/{id}/breakdown            waiting    401 2   403 2   2   403 2   2
GET  /evidence/{id}/document             waiting    401 2   403 2   2   403 2   2
GET  /evidence/{id}/attachments/{sha256} waiting    401 2   403 2   2   403 2   2
GET  /evidence/{id}/attachments/{sha256} approved   401 2   403 2   2   2   2   2
GET  /evidence/{id}/attestation          waiting    401 2   403 2   2   403 2   2
GET  /evidence/{id}/attestation          approved   401 2   403 2   2   2   2   2
GET  /evidence/{id}/diff                 waiting    401 2   403 2   2   403 2   2
GET  /evidence/{id}/diff                 approved   401 2   403 2   2   2   2   2
POST /cab/submit                         filed      401 2   403 403 403 403 403 403
GET  /cab                                -          401 2   2   2   2   2   2   2
GET  /cab/pending                        -          401 403 403 2   2   403 2   2
GET  /cab/my-requests                    -          401 2   2   2   2   2   2   2
GET  /cab/{id}                           waiting    401 2   403 2   2   403 2   2
GET  /cab/{id}                           approved   401 2   403 2   2   2   2   2
POST /cab/{id}/review                    waiting    401 403 403 2   403 403 403 403
POST /cab/{id}/approve                   waiting    401 403 403 2   403 403 403 403
POST /cab/{id}/reject                    waiting    401 403 403 2   403 403 403 403
POST /cab/{id}/withdraw                  waiting    401 2   403 403 403 403 403 403
POST /cab/{id}/revoke                    approved   401 403 403 2   2   403 403 403
POST /cab/exceptions                     blocked    401 2   403 403 403 403 403 403
GET  /cab/exceptions                     -          401 2   2   2   2   2   2   2
GET  /cab/exceptions/pending             -          401 403 403 2   2   403 2   2
GET  /cab/exceptions/my-exceptions       -          401 2   2   2   2   2   2   2
POST /cab/exceptions/cleanup             -          401 403 403 403 403 403 403 2
GET  /cab/exceptions/{id}                pending    401 2   403 2   2   403 2   2
POST /cab/exceptions/{id}/approve        pending    401 403 403 403 2   403 403 403
POST /cab/exceptions/{id}/reject         pending    401 403 403 403 2   403 403 403
POST /cab/exceptions/{id}/revoke         granted    401 403 403 403 2   403 403 403
GET  /events                             -          401 2   2   2   2   2   2   2
GET  /events/export                      -          401 2   2   2   2   2   2   2
GET  /events/{seq}                       waiting    401 2   403 2   2   403 2   2
GET  /events/{seq}/proof                 waiting    401 2   403 2   2   403 2   2
GET  /checkpoint                         -          401 2   2   2   2   2   2   2
GET  /capsules/{id}                      waiting    401 2   403 2   2   403 2   2
GET  /capsules/{id}                      approved   401 2   403 2   2   403 2   2
GET  /reports/changes                    -          401 403 403 2   2   403 2   2
GET  /risk-models                        -          401 2   2   2   2   2   2   2
GET  /risk-models/{version}              -          401 2   2   2   2   2   2   2
POST /risk-models/{version}/score        -          401 2   2   2   2   2   2   2
GET  /policies                           -          401 2   2   2   2   2   2   2
GET  /notices                            -          401 403 403 403 403 403 403 2
POST /notices/{id}/resend                dead       401 403 403 403 403 403 403 2
`

// bodies are good bodies for the routes that take one.
var bodies = map[string]string{
	"POST /deployments":                 `{"app_name":"a","version":"1","target_ring":"LAB"}`,
	"POST /deployments/{id}/events":     `{"type":"DEPLOYMENT_STARTED"}`,
	"POST /cab/{id}/approve":            `{"rationale":"fine"}`,
	"POST /cab/{id}/reject":             `{"rationale":"not fine"}`,
	"POST /cab/{id}/withdraw":           `{}`,
	"POST /cab/{id}/revoke":             `{"reason":"vulnerable"}`,
	"POST /cab/exceptions/{id}/approve": `{"rationale":"fine"}`,
	"POST /cab/exceptions/{id}/reject":  `{"rationale":"not fine"}`,
	"POST /cab/exceptions/{id}/revoke":  `{"reason":"over"}`,
	"POST /risk-models/{version}/score": `{"evidence_data":{}}`,
}

// queries are good queries for the routes that want one.
var queries = map[string]string{"GET /reports/changes": "?since=2020-01-01T00:00:00Z&until=2100-01-01T00:00:00Z"}

func TestPermissions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) { permissionGrid(t, newWorld(t, e)) })
}

func permissionGrid(t *testing.T, w *world) {
	lines := strings.Split(strings.TrimSpace(grid), "\n")
	callers := strings.Fields(lines[0])[2:]
	seen := map[string]bool{}
	for _, line := range lines[1:] {
		cells := strings.Fields(line)
		key := cells[0] + " " + cells[1]
		seen[key] = true
		for i, want := range cells[3:] {
			caller := callers[i]
			if caller == "nobody" {
				caller = ""
			}
			path, body := w.thing(key, cells[2]) // a new thing for each: the last caller changed it
			got := w.send(caller, cells[0], "/api/v1"+path, body)
			if want == "2" && got.status/100 == 2 || want == strings.TrimSpace(got.statusText()) {
				continue
			}
			t.Errorf("%s (%s) by %s: %d, want %s: %s", key, cells[2], callers[i], got.status, want, got.body)
		}
		w.absent(key, callers, cells[3:])
	}
	for _, rt := range w.api.routes {
		if !seen[rt.method+" "+rt.path] {
			t.Errorf("%s %s has no row in the grid", rt.method, rt.path)
		}
	}
}

// absent asks for a thing that does not exist: a role that may never do this
// gets 403 all the same, the others 404.
func (w *world) absent(key string, callers, wants []string) {
	w.t.Helper()
	if !strings.Contains(key, "{id}") {
		return
	}
	method, path, _ := strings.Cut(key, " ")
	path = strings.Replace(path, "{id}", "00000000-0000-7000-8000-000000000000", 1)
	path = strings.Replace(path, "{sha256}", evidence.Digest([]byte(script)), 1)
	never := map[string]string{}
	for i, caller := range callers {
		never[caller] = wants[i]
	}
	for _, caller := range []string{"carol", "sam", "pat", "ada", "root"} {
		got := w.send(caller, method, "/api/v1"+path, bodies[key])
		may := strings.HasPrefix(never[caller], "2") || (caller == "pat" && method == "GET")
		if want := map[bool]int{true: 404, false: 403}[may]; got.status != want {
			w.t.Errorf("%s of nothing by %s: %d, want %d", key, caller, got.status, want)
		}
	}
}

func (a answer) statusText() string {
	return map[int]string{401: "401", 403: "403", 404: "404", 200: "2", 201: "2"}[a.status]
}

// thing makes what a row of the grid is about, and returns path and body.
func (w *world) thing(key, kind string) (path, body string) {
	w.t.Helper()
	_, path, _ = strings.Cut(key, " ")
	path = strings.Replace(path, "{version}", "1.0", 1)
	path = strings.Replace(path, "{sha256}", evidence.Digest([]byte(script)), 1)
	path += queries[key]
	body = bodies[key]
	var of things
	switch kind {
	case "waiting":
		of = w.submitted("mid")
	case "approved":
		of = w.submitted("low")
	case "pending", "granted":
		of = w.submitted("high")
		if kind == "granted" {
			w.post("sam", "/api/v1/cab/exceptions/"+of.exception+"/approve/", `{"rationale":"ok"}`)
		}
	case "filed":
		of.deployment = w.post("erin", "/api/v1/deployments/", `{"app_name":"a","version":"1","target_ring":"LAB"}`).member(w.t, "id")
		of.evidence = w.post("erin", "/api/v1/evidence/", `{"deployment_intent_id":"`+of.deployment+`","evidence_data":`+evidenceData("low")+`}`).member(w.t, "id")
		body = `{"evidence_package_id":"` + of.evidence + `"}`
	case "dead":
		return strings.Replace(path, "{id}", w.deadNotice(), 1), body
	case "blocked":
		of = w.submitted("high")
		w.post("sam", "/api/v1/cab/exceptions/"+of.exception+"/reject/", `{"rationale":"no"}`)
		body = askBody(of.deployment)
	}
	if strings.HasPrefix(path, "/events/{seq}") {
		path = strings.Replace(path, "{seq}", fmt.Sprint(w.firstEvent(of.deployment)), 1)
	}
	if key == "POST /evidence" {
		body = `{"deployment_intent_id":"` + of.deployment + `","evidence_data":{}}`
	}
	for prefix, id := range map[string]string{"/deployments/": of.deployment, "/evidence/": of.evidence, "/cab/exceptions/": of.exception} {
		if strings.HasPrefix(path, prefix) {
			return strings.Replace(path, "{id}", id, 1), body
		}
	}
	return strings.Replace(path, "{id}", of.request, 1), body
}

// TestOwnThingsAfterARoleChange: nobody decides on their own, over HTTP too.
func TestOwnThingsAfterARoleChange(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		of, blocked := w.submitted("mid"), w.submitted("high")
		root := callAs(w, "root")
		if _, err := w.service.ChangeRole(w.ctx, root, "erin", "cab_member"); err != nil {
			t.Fatal(err)
		}
		if got := w.send("erin", "POST", "/api/v1/cab/"+of.request+"/approve/", `{"rationale":"mine"}`); got.status != 403 || got.problem(t).Code != "SEPARATION_OF_DUTIES" {
			t.Errorf("approving one's own: %d %s", got.status, got.body)
		}
		if _, err := w.service.ChangeRole(w.ctx, root, "erin", "security_reviewer"); err != nil {
			t.Fatal(err)
		}
		if got := w.send("erin", "POST", "/api/v1/cab/exceptions/"+blocked.exception+"/approve/", `{"rationale":"mine"}`); got.status != 403 {
			t.Errorf("approving one's own exception: %d %s", got.status, got.body)
		}
		w.post("sam", "/api/v1/cab/exceptions/"+blocked.exception+"/approve/", `{"rationale":"ok"}`)
		if _, err := w.service.ChangeRole(w.ctx, root, "sam", "cab_member"); err != nil {
			t.Fatal(err)
		}
		if got := w.send("sam", "POST", "/api/v1/cab/"+blocked.request+"/approve/", `{"rationale":"both"}`); got.status != 403 || got.problem(t).Code != "SEPARATION_OF_DUTIES" {
			t.Errorf("one person approving exception and request: %d %s", got.status, got.body)
		}
		w.post("carol", "/api/v1/cab/"+blocked.request+"/approve/", `{"rationale":"the third person"}`)
	})
}

// deadNotice is the id of a notice that was given up.
func (w *world) deadNotice() string {
	w.t.Helper()
	w.notices++
	job := store.NewJob("chat", fmt.Sprint(w.notices), []byte(`{"notice":{"type":"CAB_SUBMITTED"}}`), w.clock())
	if err := w.store.Update(w.ctx, func(tx *store.Tx) error { tx.Enqueue(job); return nil }); err != nil {
		w.t.Fatal(err)
	}
	jobs, err := w.store.ClaimJobs(w.ctx, "chat", "test", w.clock().Add(time.Second), time.Minute, 9)
	if err != nil || len(jobs) != 1 {
		w.t.Fatal(jobs, err)
	}
	if err := w.store.FailJob(w.ctx, jobs[0], errors.New("gone"), w.clock(), true); err != nil {
		w.t.Fatal(err)
	}
	return job.ID
}
