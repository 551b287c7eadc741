package console

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/workflow"
)

// roles in the order of the table below.
var roleOrder = []string{"erin", "eve", "carol", "sam", "pat", "ada", "root", ""}

// TestWhoMaySeeWhat: every page for every role, for an engineer whose case it is not
// (eve), and for nobody.
func TestWhoMaySeeWhat(t *testing.T) {
	eachWorld(t, func(w *world) {
		mid := w.submitted("7-Zip", "24.08", "mid")
		done := w.submitted("PuTTY", "0.81", "mid")
		_, err := w.service.Approve(w.ctx, w.call("chris"), done.ID, "fine", nil)
		w.must(err)
		_, e := w.excepted("VPN", "5")
		paths := map[string]string{
			"/requests/{id}": mid.Name, "/requests/{id}/decision": mid.Name, "/requests/{id}/changes": mid.Name,
			"/exceptions/{id}": e.Name, "/exceptions/{id}/decision": e.Name, "/evidence/{id}/document": mid.PackageID,
			"/evidence/{id}/files/{sha256}": mid.PackageID, "/sessions/{id}/end": strings.Repeat("0", 32),
			"/evidence/{id}": mid.PackageID, "/evidence/{id}/verify": mid.PackageID, "/evidence/{id}/components": mid.PackageID, "/evidence/{id}/findings": mid.PackageID,
			"/evidence/{id}/diff": mid.PackageID, "/evidence/{id}/origins": mid.PackageID,
		}
		place := fmt.Sprint(w.eventOf(mid.ID))
		//                                       erin eve  carol sam pat  ada  root nobody
		table := map[string][]int{
			"GET /{$}":                          {303, 303, 303, 303, 303, 303, 303, 303},
			"GET /signin":                       {303, 303, 303, 303, 303, 303, 303, 200},
			"GET /link/{secret}":                {404, 404, 404, 404, 404, 404, 404, 404},
			"POST /link/{secret}":               {404, 404, 404, 404, 404, 404, 404, 404},
			"GET /sessions":                     {200, 200, 200, 200, 200, 200, 200, 303},
			"POST /sessions/{id}/end":           {404, 404, 404, 404, 404, 404, 404, 401},
			"GET /requests":                     {200, 200, 200, 200, 200, 200, 200, 303},
			"GET /requests/{id}":                {200, 403, 200, 200, 403, 200, 200, 303},
			"POST /requests/{id}/decision":      {403, 403, 409, 403, 403, 403, 403, 401}, // approve; 409: it does not say what was seen
			"GET /requests/{id}/changes":        {404, 403, 404, 404, 403, 404, 404, 303}, // nothing was approved before
			"GET /exceptions":                   {200, 200, 200, 200, 200, 200, 200, 303},
			"GET /exceptions/{id}":              {200, 403, 200, 200, 403, 200, 200, 303},
			"POST /exceptions/{id}/decision":    {403, 403, 403, 409, 403, 403, 403, 401}, // the same
			"GET /evidence/{id}/document":       {200, 403, 200, 200, 403, 200, 200, 303},
			"GET /evidence/{id}/files/{sha256}": {404, 403, 404, 404, 403, 404, 404, 303},
			"GET /audit":                        {200, 200, 200, 200, 200, 200, 200, 303},
			"GET /audit/export":                 {200, 200, 200, 200, 200, 200, 200, 303},
			"GET /audit/checkpoint":             {200, 200, 200, 200, 200, 200, 200, 303},
			"GET /audit/{seq}":                  {200, 403, 200, 200, 403, 200, 200, 303},
			"GET /audit/{seq}/leaf":             {200, 403, 200, 200, 403, 200, 200, 303},
			"GET /audit/{seq}/proof":            {200, 403, 200, 200, 403, 200, 200, 303},
			"GET /overview":                     {403, 403, 200, 200, 403, 200, 200, 303},
			"GET /users":                        {403, 403, 403, 403, 403, 403, 200, 303},
			"POST /users":                       {403, 403, 403, 403, 403, 403, 400, 401}, // no name
			"GET /users/{name}":                 {403, 403, 403, 403, 403, 403, 200, 303},
			"POST /users/{name}":                {403, 403, 403, 403, 403, 403, 409, 401}, // 409: it does not say what was seen
			"GET /static/{version}/{name}":      {404, 404, 404, 404, 404, 404, 404, 404},
			"POST /signin":                      {401, 401, 401, 401, 401, 401, 401, 401},
			"POST /signout":                     {303, 303, 303, 303, 303, 303, 303, 303},
			"GET /evidence/{id}":                {200, 403, 200, 200, 403, 200, 200, 303},
			"GET /evidence/{id}/verify":         {200, 403, 200, 200, 403, 200, 200, 303},
			"GET /evidence/{id}/components":     {200, 403, 200, 200, 403, 200, 200, 303},
			"GET /evidence/{id}/origins":        {200, 403, 200, 200, 403, 200, 200, 303},
			"GET /evidence/{id}/findings":       {200, 403, 200, 200, 403, 200, 200, 303},
			"GET /evidence/{id}/diff":           {200, 403, 200, 200, 403, 200, 200, 303},
			"GET /models":                       {200, 200, 200, 200, 200, 200, 200, 303},
		}
		routes := w.console.allRoutes()
		slices.SortStableFunc(routes, func(a, b route) int { return strings.Compare(last(a), last(b)) })
		for i, name := range roleOrder {
			w.pass(cab.ForgetTries) // each signs in wrongly once
			b := w.browser()
			if name != "" {
				b = w.as(name)
			}
			for _, rt := range routes {
				want, ok := table[rt.method+" "+rt.path]
				if !ok {
					t.Fatalf("%s %s has no row in the table", rt.method, rt.path)
				}
				named := "style.css"
				if strings.HasPrefix(rt.path, "/users/") {
					named = "carol"
				}
				path := strings.NewReplacer("{seq}", place, "{id}", paths[rt.path], "{$}", "", "{secret}", "nothing", "{sha256}", hash64, "{version}", "x", "{name}", named).Replace(rt.path)
				var p page
				if rt.method == http.MethodGet {
					p = b.get(path)
				} else {
					p = b.post(path, "act", "approve", "rationale", "because")
				}
				if p.status != want[i] {
					t.Errorf("%s %s for %q: %d, want %d\n%.300s", rt.method, path, name, p.status, want[i], p.body)
				}
				guarded(t, path, p)
			}
		}
		if pat := w.as("pat").get("/requests/" + done.Name); pat.status != http.StatusOK {
			t.Errorf("the publisher does not see what is approved: %d", pat.status)
		}
	})
}

// TestPublisherSeesWhatIsApproved, and by way of an exception no more than that.
func TestPublisherSeesWhatIsApproved(t *testing.T) {
	eachWorld(t, func(w *world) {
		pat := w.as("pat")
		row, denied := w.excepted("VPN", "5")
		_, err := w.service.RejectException(w.ctx, w.call("sam"), denied.ID, "say more")
		w.must(err)
		e, err := w.service.RequestException(w.ctx, w.call("erin"), workflow.ExceptionAsk{
			DeploymentID: row.DeploymentID, Reason: "support ends", Justification: "not reachable", Controls: []string{"watched"}, Days: 14,
		})
		w.must(err)
		_, err = w.service.ApproveException(w.ctx, w.call("sam"), e.ID, "two weeks")
		w.must(err)
		hidden := []string{row.ContentHash, row.ContentHash[:12], "Why the score is", "/requests/" + row.Name, row.Score.String()}
		shown := pat.get("/exceptions/" + e.Name)
		shown.has(t, "In force", "support ends", row.Name)
		shown.lacks(t, hidden...)
		list := pat.get("/exceptions")
		list.has(t, e.Name)
		list.lacks(t, row.Score.String())
		if p := pat.get("/requests/" + row.Name); p.status != http.StatusForbidden {
			t.Errorf("the request under review: %d", p.status)
		}
		w.as("sam").get("/exceptions/"+e.Name).has(t, hidden...)

		_, err = w.service.Approve(w.ctx, w.call("carol"), row.ID, "fine", nil)
		w.must(err)
		request := pat.get("/requests/" + row.Name)
		request.has(t, row.ContentHash, e.Name)
		request.lacks(t, denied.Name)
		if p := pat.get("/exceptions/" + denied.Name); p.status != http.StatusForbidden {
			t.Errorf("the rejected exception: %d", p.status)
		}
		pat.get("/exceptions/"+e.Name).has(t, hidden...)
		w.as("erin").get("/requests/"+row.Name).has(t, e.Name, denied.Name)
	})
}

// last puts what ends a session behind everything else.
func last(rt route) string {
	if rt.path == "/signout" || rt.path == "/signin" && rt.method == http.MethodPost {
		return "z"
	}
	return "a"
}

// guarded: what every answer says to the browser, whatever it is.
func guarded(t *testing.T, what string, p page) {
	t.Helper()
	policies := p.header.Values("Content-Security-Policy")
	if len(policies) != 1 || !strings.HasPrefix(policies[0], "default-src 'self';") && policies[0] != "sandbox; default-src 'none'" || strings.Contains(policies[0], "unsafe") {
		t.Errorf("%s: Content-Security-Policy %q", what, policies)
	}
	for name, want := range map[string]string{"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"} {
		if got := p.header.Get(name); got != want {
			t.Errorf("%s: %s %q, want %q", what, name, got, want)
		}
	}
	if cache := p.header.Get("Cache-Control"); cache != "no-store" && !strings.HasPrefix(what, "/static/") {
		t.Errorf("%s: Cache-Control %q", what, cache)
	}
}

// TestOddCalls: what no page of ours sends is answered all the same, guarded.
func TestOddCalls(t *testing.T) {
	eachWorld(t, func(w *world) {
		b := w.as("carol")
		for path, want := range map[string]int{
			"/nothing": 404, "/requests/": 404, "/requests/CAB-1": 404, "/requests/CAB-000000000000": 404, "/requests/..%2f": 404, "//requests": 404, "/./requests": 404,
			"/signout": 405, "/requests/x/decision": 405, "/requests?cursor=x": 400, "/requests?status=x&risk=y&ring=z&sort=w": 200,
			"/requests?q=%00%ff%25_": 200, "/exceptions?cursor=x": 400, "/exceptions?status=x": 200, "/static/x/../y": 404,
		} {
			p := b.get(path)
			if p.status != want {
				t.Errorf("%s: %d, want %d", path, p.status, want)
			}
			guarded(t, path, p)
		}
		for name, r := range map[string]*http.Request{
			"too long": b.form("/signin", "username", strings.Repeat("x", maxForm)), "no form": b.form("/signin"),
		} {
			if name == "no form" {
				r.Body, r.ContentLength = io.NopCloser(strings.NewReader("%zz")), 3
			}
			if p := b.do(r); p.status != http.StatusBadRequest {
				t.Errorf("%s: %d", name, p.status)
			}
		}
		put := b.form("/requests")
		put.Method = http.MethodPut
		if p := b.do(put); p.status != http.StatusMethodNotAllowed {
			t.Errorf("PUT: %d", p.status)
		}
	})
}

// TestPanics are logged, whenever they come; what is half an answer is not taken for a
// whole one.
func TestPanics(t *testing.T) {
	eachWorld(t, func(w *world) {
		for path, handle := range map[string]func(*visit) error{
			"/early": func(*visit) error { panic("before the answer") },
			"/late": func(v *visit) error {
				v.status = http.StatusOK
				v.out.Header().Set("Content-Length", "10")
				v.out.WriteHeader(v.status)
				_, _ = io.WriteString(v.out, "half")
				panic("after half of it")
			},
		} {
			w.console.mux.Handle("GET "+path, w.console.serve(route{http.MethodGet, path, "", handle}))
		}
		early := w.browser().get("/early")
		if early.status != http.StatusInternalServerError {
			t.Errorf("%d", early.status)
		}
		early.has(t, "Something is broken here")
		r, err := http.NewRequestWithContext(w.ctx, http.MethodGet, w.server.URL+"/late", nil)
		w.must(err)
		response, err := w.browser().client.Do(r)
		if err == nil {
			_, err = io.ReadAll(response.Body)
			response.Body.Close()
		}
		if err == nil {
			t.Error("half an answer looks whole")
		}
		for _, said := range []string{"before the answer", "after half of it", "pages_test.go", `"route":"GET /late"`} {
			if !strings.Contains(w.log.String(), said) {
				t.Errorf("the log has no %q", said)
			}
		}
	})
}

// TestHostileTextsAreEscaped without a browser: on every page that shows them.
func TestHostileTextsAreEscaped(t *testing.T) {
	eachWorld(t, func(w *world) {
		row := w.submittedWith(`<b>bold</b>`, hostileText[:40], hostileEvidence(), hostileText)
		carol := w.as("carol")
		path := "/requests/" + row.Name
		typed := carol.post(path+"/decision", "seen", "1", "act", "approve", "rationale", hostileText, "conditions", "note: "+hostileText)
		for name, p := range map[string]page{
			"queue": carol.get("/requests"), "request": carol.get(path), "search": carol.get("/requests?q=" + "%22%3E%3Cscript%3E"), "confirm": typed,
			"signin": w.browser().get("/signin?next=%2F%22%3E%3Cscript%3E"), "kept": w.browser().post("/requests/x/decision", "rationale", hostileText),
		} {
			for _, raw := range []string{"<script>alert", "<img src=x", "<b>bold", "<h1>x", `"><script`} {
				if strings.Contains(p.body, raw) {
					t.Errorf("%s has %q as it is", name, raw)
				}
			}
		}
	})
}

// TestFirstViewIsSmall: the page and all that it loads, as it comes over the wire.
func TestFirstViewIsSmall(t *testing.T) {
	eachWorld(t, func(w *world) {
		row := w.submitted("App", "1", "mid")
		for i := range 60 {
			w.submitted("App", fmt.Sprint(i+2), "mid")
		}
		b := w.as("carol")
		version := w.console.pages.version
		for _, path := range []string{"/requests", "/requests/" + row.Name, "/evidence/" + row.PackageID, "/evidence/" + row.PackageID + "/diff", "/models"} {
			total := 0
			for _, part := range []string{path, "/static/" + version + "/style.css", "/static/" + version + "/console.js", "/static/" + version + "/icon.svg"} {
				r, err := http.NewRequestWithContext(w.ctx, http.MethodGet, w.server.URL+part, nil)
				w.must(err)
				r.Header.Set("Accept-Encoding", "gzip")
				p := b.do(r)
				if total += len(p.body); p.status != http.StatusOK {
					t.Errorf("%s: %d", part, p.status)
				}
				if p.header.Get("Content-Encoding") == "gzip" {
					if _, err := gzip.NewReader(strings.NewReader(p.body)); err != nil {
						t.Errorf("%s: %v", part, err)
					}
				}
			}
			if total > 150<<10 {
				t.Errorf("%s takes %d bytes", path, total)
			}
			t.Logf("%s and what it loads: %d bytes", path, total)
		}
		second := b.get("/requests")
		if !strings.Contains(second.body, "Next page") {
			t.Error("61 requests are on one page")
		}
	})
}
