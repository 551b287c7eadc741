package console

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/identity"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
)

// seenIn is the revision that an account's page says.
func (b *browser) seenIn(name string) string {
	b.w.t.Helper()
	return b.get("/users/" + name).seen(b.w.t)
}

func TestUserIsAddedInTwoSteps(t *testing.T) {
	eachWorld(t, func(w *world) {
		root := w.as("root")
		asked := root.post("/users", "username", "nina", "role", "publisher")
		asked.has(t, "Add the account nina?", "publisher", `value="confirm"`)
		if p := root.get("/users/nina"); p.status != http.StatusNotFound {
			t.Fatalf("it is there before it is confirmed: %d", p.status)
		}
		p := root.post("/users", "username", "nina", "role", "publisher", "step", "confirm")
		if p.status != http.StatusSeeOther || p.to() != "/users/nina?done=add" {
			t.Fatalf("%d to %s", p.status, p.to())
		}
		root.get(p.to()).has(t, "There is an account nina now", "publisher")
		for name, status := range map[string]int{"nina": 409, "Nina": 400, "": 400, "<b>": 400, strings.Repeat("x", 65): 400} {
			p := root.post("/users", "username", name, "role", "auditor", "step", "confirm")
			if p.status != status {
				t.Errorf("%q: %d, want %d", name, p.status, status)
			}
			p.has(t, `role="alert"`, `<option value="auditor" selected>`)
			p.lacks(t, "<b>:")
		}
		if p := root.post("/users", "username", "otto", "role", "system", "step", "confirm"); p.status != http.StatusBadRequest {
			t.Errorf("the role system: %d", p.status)
		}
		root.post("/users", "username", "otto", "role", "auditor", "step", "edit").has(t, `value="otto"`)
	})
}

func TestUserIsChangedInTwoSteps(t *testing.T) {
	eachWorld(t, func(w *world) {
		root, carol := w.as("root"), w.as("carol")
		seen := root.seenIn("carol")
		root.post("/users/carol", "act", "role", "role", "auditor", "seen", seen).has(t, "Give carol the role auditor?")
		if p := carol.get("/requests"); p.status != http.StatusOK {
			t.Fatalf("something was done before it was confirmed: %d", p.status)
		}
		confirm := []string{"act", "role", "role", "auditor", "seen", seen, "step", "confirm"}
		root.get(root.post("/users/carol", confirm...).to()).has(t, "carol is auditor now")
		if p := carol.get("/requests"); p.status != http.StatusSeeOther {
			t.Errorf("carol's session of another role: %d", p.status)
		}
		if p := root.post("/users/carol", confirm...); p.status != http.StatusSeeOther {
			t.Errorf("a second press: %d", p.status)
		}
		stale := root.post("/users/carol", "act", "disable", "seen", seen, "step", "confirm")
		stale.has(t, "has changed since you looked at it")
		if stale.status != http.StatusConflict {
			t.Errorf("%d", stale.status)
		}
		for act, status := range map[string]int{"": 400, "delete": 400, "role": 400} {
			if p := root.post("/users/carol", "act", act, "role", "king", "seen", root.seenIn("carol")); p.status != status {
				t.Errorf("%q: %d", act, p.status)
			}
			if p := root.post("/users/carol", "act", act, "role", "king", "seen", root.seenIn("carol"), "step", "confirm"); p.status != status {
				t.Errorf("%q confirmed: %d", act, p.status)
			}
		}
		root.post("/users/carol", "act", "disable", "seen", root.seenIn("carol")).has(t, "Disable carol?", "there is none")
		p := root.post("/users/carol", "act", "disable", "seen", root.seenIn("carol"), "step", "confirm")
		shown := root.get(p.to())
		shown.has(t, "carol is disabled: no session")
		shown.lacks(t, `value="invite"`, `value="disable"`, `value="role"`)
		root.get("/users/eve?done=disable").lacks(t, "is disabled: no session") // an address is no proof
		root.post("/users/root", "act", "disable", "seen", root.seenIn("root")).has(t, "This is your own account")
	})
}

var shownLink = regexp.MustCompile(`<code>(http://[^<]+)(/link/[^<]+)</code>`)

// TestInvitationIsShownOnce and lets its person in.
func TestInvitationIsShownOnce(t *testing.T) {
	eachWorld(t, func(w *world) {
		root := w.as("root")
		root.post("/users/eve", "act", "invite", "seen", root.seenIn("eve")).has(t, "Make a sign-in link for eve?", "24 h, once")
		made := root.post("/users/eve", "act", "invite", "seen", root.seenIn("eve"), "step", "confirm")
		found := shownLink.FindStringSubmatch(made.body)
		if found == nil || found[1] != w.server.URL {
			t.Fatalf("no link: %s", made.body)
		}
		root.get("/users/eve").lacks(t, found[2])
		if strings.Contains(w.log.String(), found[2]) {
			t.Error("the link is in the log")
		}
		if p := w.browser().post(found[2], "password", password, "again", password); p.status != http.StatusSeeOther {
			t.Errorf("the link does not open: %d", p.status)
		}
		w.browser().get(found[2]).has(t, "This link opens nothing")
	})
}

func TestTokensOfAnAccount(t *testing.T) {
	eachWorld(t, func(w *world) {
		root := w.as("root")
		root.get("/users/pat").has(t, "There is none.")
		id, _, hash := identity.NewSecret()
		_, err := w.service.IssueToken(w.ctx, w.call("root"), "pat", id, `<b>"ci"</b>`, hash, 30)
		w.must(err)
		w.must(w.store.Update(w.ctx, func(tx *store.Tx) error { return tx.TouchToken(id, w.now()) }))
		w.pass(5 * time.Hour)
		root = w.as("root")
		root.get("/users?q=pat").has(t, "1 token", "5 h ago")
		shown := root.get("/users/pat")
		shown.has(t, "&lt;b&gt;", "last used", "Revoke")
		shown.lacks(t, "<b>&#34;ci", hash)
		if p := root.post("/users/eve", "act", "revoke", "token", id, "step", "confirm"); p.status != http.StatusNotFound {
			t.Errorf("pat's token by eve's page: %d", p.status)
		}
		root.post("/users/pat", "act", "revoke", "token", id).has(t, "Revoke a token of pat?", id)
		p := root.post("/users/pat", "act", "revoke", "token", id, "step", "confirm")
		shown = root.get(p.to())
		shown.has(t, "The token is revoked.", "revoked")
		root.get("/users?q=pat").has(t, "0 tokens")
	})
}

// TestTenThousandUsers are listed a page at a time, every one once.
func TestTenThousandUsers(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	w.must(w.store.Update(w.ctx, func(tx *store.Tx) error {
		for i := range 10_000 {
			p := &cab.Principal{ID: fmt.Sprintf("u%05d", i), Username: fmt.Sprintf("user-%05d", i), Role: cab.Publisher, CreatedAt: w.now(), Revision: 1}
			if err := tx.Save(cab.Change{Principal: p, Events: []cab.Event{{Type: cab.UserChanged}}}); err != nil {
				return err
			}
		}
		return nil
	}))
	root, path, last, seen := w.as("root"), "/users?q=USER-", "", 0
	name := regexp.MustCompile(`class="open" href="/users/([^"]+)"`)
	next := regexp.MustCompile(`href="([^"]+)" rel="next"`)
	for path != "" {
		p := root.get(path)
		p.has(t, "10000 accounts")
		for _, found := range name.FindAllStringSubmatch(p.body, -1) {
			if found[1] <= last {
				t.Fatalf("%s after %s", found[1], last)
			}
			last, seen = found[1], seen+1
		}
		path = ""
		if found := next.FindStringSubmatch(p.body); found != nil {
			path = strings.ReplaceAll(found[1], "&amp;", "&")
		}
	}
	if seen != 10_000 {
		t.Errorf("%d of 10,000", seen)
	}
}
