package httpapi

import (
	"fmt"
	"strings"
	"testing"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
	"github.com/eucora/eucora/internal/workflow"
)

// TestTokens: what is not a live token opens nothing, and says so with 401.
func TestTokens(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		setup := workflow.Call{Actor: cab.Setup}
		good := w.tokens["carol"]
		flipped := good[:len(good)-1] + map[bool]string{true: "A", false: "B"}[good[len(good)-1] != 'A']
		for _, header := range []string{"", "Bearer", "Bearer x", "Basic " + good, good, "Bearer " + flipped, "Bearer " + strings.Replace(good, "euc_", "euc_f", 1)} {
			got := w.send("", "GET", "/api/v1/me/", "", "Authorization", header)
			if got.status != 401 || !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%q: %d %s", header, got.status, got.body)
			}
		}
		if got := w.send("carol", "GET", "/api/v1/me/", ""); got.status != 200 || got.member(t, "role") != "cab_member" {
			t.Fatalf("a good token: %d %s", got.status, got.body)
		}
		if _, err := w.service.DisableUser(w.ctx, setup, "carol"); err != nil {
			t.Fatal(err)
		}
		if got := w.send("carol", "GET", "/api/v1/me/", ""); got.status != 401 {
			t.Errorf("a disabled user: %d", got.status)
		}
		id := strings.Split(w.tokens["sam"], "_")[1]
		if _, err := w.service.RevokeToken(w.ctx, setup, id); err != nil {
			t.Fatal(err)
		}
		if got := w.send("sam", "GET", "/api/v1/me/", ""); got.status != 401 {
			t.Errorf("a revoked token: %d", got.status)
		}
	})
}

// TestWrongTokensAreSlowedAndAudited: lesson 26. After ten wrong tokens the
// address has to wait, while its right ones still work; the ledger says so; and
// no token is anywhere in log, errors or events.
func TestWrongTokensAreSlowedAndAudited(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	secret := "euc_" + strings.Repeat("0", 32) + "_" + strings.Repeat("S", 43)
	throttled := 0
	for range 60 {
		got := w.send("", "GET", "/api/v1/me/", "", "Authorization", "Bearer "+secret)
		switch got.status {
		case 429:
			throttled++
			if got.header.Get("Retry-After") == "" {
				t.Fatal("429 without Retry-After")
			}
		case 401:
		default:
			t.Fatalf("%d %s", got.status, got.body)
		}
		if strings.Contains(got.body, strings.Repeat("S", 43)) {
			t.Fatal("the answer repeats the secret")
		}
	}
	if throttled < 45 {
		t.Errorf("only %d of 60 were throttled", throttled)
	}
	if got := w.send("carol", "GET", "/api/v1/me/", ""); got.status != 200 {
		t.Errorf("a right token from the same address: %d", got.status)
	}
	page, err := w.service.Events(w.ctx, callAs(w, "ada"), workflow.EventFilter{Type: cab.AccessRefused})
	if err != nil || page.Count < 1 || page.Count > 3 {
		t.Errorf("%d events of refused access: %v", page.Count, err)
	}
	everything, err := w.service.Events(w.ctx, callAs(w, "ada"), workflow.EventFilter{Paging: store.Paging{Limit: 1000}})
	if err != nil {
		t.Fatal(err)
	}
	text := w.log.String()
	for _, e := range everything.Rows {
		text += string(e.Leaf)
	}
	for _, token := range append([]string{secret}, w.tokens["carol"], w.tokens["erin"]) {
		if strings.Contains(text, token[strings.LastIndex(token, "_")+1:]) {
			t.Error("a token's secret is in the log or the ledger")
		}
	}
}

// TestAccessEndsAtOnce: although the door takes what it read of a token a moment
// ago, an access that was ended or changed behind the server's back opens nothing
// more, on any route, and one that was changed has its new rights at once.
func TestAccessEndsAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		of := w.submitted("mid")
		other := workflow.New(w.store, workflow.Options{}) // another process
		root := callAs(w, "root")
		end := map[string]func(name string) error{
			"disabled": func(name string) error { _, err := other.DisableUser(w.ctx, root, name); return err },
			"revoked": func(name string) error {
				_, err := other.RevokeToken(w.ctx, root, strings.Split(w.tokens[name], "_")[1])
				return err
			},
		}
		n := 0
		for how, end := range end {
			for _, rt := range w.api.routes {
				path := strings.NewReplacer("{id}", of.request, "{version}", "1.0", "{seq}", "0", "{sha256}", strings.Repeat("0", 64)).Replace(rt.path)
				switch {
				case strings.HasPrefix(rt.path, "/deployments/{id}"):
					path = strings.Replace(rt.path, "{id}", of.deployment, 1)
				case strings.HasPrefix(rt.path, "/evidence/{id}"):
					path = strings.NewReplacer("{id}", of.evidence, "{sha256}", strings.Repeat("0", 64)).Replace(rt.path)
				}
				if rt.changes() {
					continue // the transaction looks again: workflow's tests
				}
				n++
				name := fmt.Sprint("somebody-", n)
				w.addUser(name, cab.Admin)
				path += queries[rt.method+" "+rt.path]
				body := bodies[rt.method+" "+rt.path]
				if got := w.send(name, rt.method, "/api/v1"+path, body); got.status == 401 {
					t.Fatalf("%s %s before: %d %s", rt.method, path, got.status, got.body)
				}
				if err := end(name); err != nil {
					t.Fatal(err)
				}
				if got := w.send(name, rt.method, "/api/v1"+path, body); got.status != 401 && got.status != 429 { // 429: so many at once
					t.Errorf("%s, %s %s: %d %s", how, rt.method, path, got.status, got.body)
				}
			}
		}
		w.addUser("moved", cab.Admin)
		w.send("moved", "GET", "/api/v1/me/", "")
		if _, err := other.ChangeRole(w.ctx, root, "moved", cab.CABMember); err != nil {
			t.Fatal(err)
		}
		if got := w.send("moved", "GET", "/api/v1/me/", ""); got.member(t, "role") != "cab_member" {
			t.Errorf("another role, and still %s", got.body)
		}
		if got := w.send("moved", "GET", "/api/v1/cab/pending/", ""); got.status != 200 {
			t.Errorf("with the new role: %d %s", got.status, got.body)
		}
		if got := w.send("moved", "POST", "/api/v1/cab/"+of.request+"/review/", ""); got.status != 200 {
			t.Errorf("acting by the new role: %d %s", got.status, got.body)
		}
	})
}
