package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/identity"
)

// cookieOf is the session's cookie that an answer sets.
func (p page) cookieOf(t *testing.T) *http.Cookie {
	t.Helper()
	for _, c := range (&http.Response{Header: p.header}).Cookies() {
		if strings.HasSuffix(c.Name, "eucora_session") {
			return c
		}
	}
	t.Fatalf("no session's cookie: %d %v", p.status, p.header)
	return nil
}

func TestCookie(t *testing.T) {
	eachWorld(t, func(w *world) {
		plain := w.browser().post(w.link("carol"), "password", password, "again", password).cookieOf(t)
		if plain.Name != plainCookie || !plain.HttpOnly || plain.Secure || plain.SameSite != http.SameSiteLaxMode || plain.Path != "/" || plain.Domain != "" || plain.MaxAge != 0 {
			t.Errorf("without TLS: %+v", plain)
		}
		over := func(method, path string) *http.Request {
			r := w.browser().form(path, "username", "carol", "password", password)
			r.Method = method
			r.Header.Set("X-Forwarded-Proto", "https")
			return r
		}
		forged := w.browser().do(over(http.MethodPost, "/signin"))
		if c := forged.cookieOf(t); c.Name != plainCookie || c.Secure || forged.header.Get("Strict-Transport-Security") != "" {
			t.Errorf("a header of nobody's was believed: %+v", c)
		}
		var err error
		if w.console.Proxies, err = identity.ParseProxies([]string{"127.0.0.0/8"}); err != nil {
			t.Fatal(err)
		}
		behind := w.browser().do(over(http.MethodPost, "/signin"))
		secure := behind.cookieOf(t)
		if secure.Name != secureCookie || !secure.HttpOnly || !secure.Secure || secure.SameSite != http.SameSiteLaxMode || secure.Path != "/" || secure.Domain != "" {
			t.Errorf("with TLS: %+v", secure)
		}
		if behind.header.Get("Strict-Transport-Security") == "" {
			t.Error("with TLS: no Strict-Transport-Security")
		}
		// Over TLS a cookie without the prefix, which another host could have set, is none.
		r := over(http.MethodGet, "/requests")
		r.AddCookie(&http.Cookie{Name: plainCookie, Value: secure.Value})
		if p := w.browser().do(r); p.status != http.StatusSeeOther {
			t.Errorf("the cookie without its prefix opened: %d", p.status)
		}
		// The proxy forgets to say so, and the console's address is https.
		w.console.Secure = true
		forgot := w.browser().post("/signin", "username", "carol", "password", password)
		if c := forgot.cookieOf(t); c.Name != secureCookie || !c.Secure || forgot.header.Get("Strict-Transport-Security") == "" {
			t.Errorf("a proxy that does not say so: %+v", c)
		}
	})
}

// TestBehindAProxy: those who come by way of a trusted proxy are told apart.
func TestBehindAProxy(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.member("carol")
		try := func(from, name, pass string) int {
			r := w.browser().form("/signin", "username", name, "password", pass)
			r.Header.Set("X-Forwarded-For", from)
			return w.browser().do(r).status
		}
		proxies, err := identity.ParseProxies([]string{"127.0.0.1"})
		w.must(err)
		for range 6 {
			try("203.0.113.5", "carol", "wrong")
		}
		if status := try("203.0.113.6", "carol", "wrong"); status != http.StatusTooManyRequests {
			t.Errorf("no proxy is trusted, and another header gives another five: %d", status)
		}
		w.console.Proxies = proxies
		for range 6 {
			try("1.1.1.1, 203.0.113.5", "carol", "wrong")
		}
		if status := try("2.2.2.2, 203.0.113.5", "carol", password); status != http.StatusTooManyRequests {
			t.Errorf("who tried wrongly: %d", status)
		}
		if status := try("198.51.100.7", "carol", password); status != http.StatusSeeOther {
			t.Errorf("carol, from elsewhere by the same proxy: %d", status)
		}
		list, err := w.service.MySessions(w.ctx, w.call("carol"))
		w.must(err)
		if got := list.Rows[0].Source.Address; got != "198.51.100.7" {
			t.Errorf("the session was begun from %s", got)
		}
	})
}

// TestFixation: what was in the browser before signing in opens nothing after it, and
// is not taken over.
func TestFixation(t *testing.T) {
	eachWorld(t, func(w *world) {
		attacker := w.as("eve")
		root, err := url.Parse(w.server.URL)
		w.must(err)
		planted := attacker.client.Jar.Cookies(root)
		victim := w.browser()
		victim.client.Jar.SetCookies(root, planted)
		p := victim.post(w.link("carol"), "password", password, "again", password)
		if p.cookieOf(t).Value == planted[0].Value {
			t.Error("the planted session became carol's")
		}
		if p := attacker.get("/requests"); p.status != http.StatusSeeOther {
			t.Errorf("the planted session still opens: %d", p.status)
		}
		made := w.browser()
		made.client.Jar.SetCookies(root, []*http.Cookie{{Name: plainCookie, Value: strings.Repeat("a", 32) + "_" + strings.Repeat("A", 43)}})
		if got := made.post("/signin", "username", "carol", "password", password).cookieOf(t).Value; strings.HasPrefix(got, "aaaa") {
			t.Error("a made-up session was taken over")
		}
	})
}

// TestFormsFromElsewhere are refused, and do nothing.
func TestFormsFromElsewhere(t *testing.T) {
	eachWorld(t, func(w *world) {
		row := w.submitted("7-Zip", "24.08", "mid")
		carol := w.as("carol")
		path := "/requests/" + row.Name
		seen := carol.get(path).seen(t)
		for name, headers := range map[string][2]string{
			"another site":                   {"cross-site", "https://evil.example"},
			"a sibling":                      {"same-site", "https://sibling.example"},
			"another site, in an old one":    {"", "https://evil.example"},
			"a sandboxed frame":              {"", "null"},
			"whoever does not say":           {"", ""},
			"says none, and comes from away": {"cross-site", w.server.URL},
		} {
			for _, to := range []string{path + "/decision", "/signin", "/signout", "/sessions/x/end", w.link("chris")} {
				r := carol.form(to, "seen", seen, "act", "approve", "rationale", "x", "step", "confirm", "username", "carol", "password", password, "again", password)
				r.Header.Del("Sec-Fetch-Site")
				r.Header.Del("Origin")
				if headers[0] != "" {
					r.Header.Set("Sec-Fetch-Site", headers[0])
				}
				if headers[1] != "" {
					r.Header.Set("Origin", headers[1])
				}
				p := carol.do(r)
				if p.status != http.StatusForbidden || p.header.Get("Set-Cookie") != "" {
					t.Errorf("%s, to %s: %d", name, to, p.status)
				}
				guarded(t, to, p)
			}
		}
		if status, _ := w.statusOf(row.ID); status != cab.Submitted {
			t.Errorf("a form from elsewhere decided: %s", status)
		}
		old := carol.form(path+"/decision", "step", "review") // a browser that sends Origin only
		old.Header.Del("Sec-Fetch-Site")
		if p := carol.do(old); p.status != http.StatusSeeOther {
			t.Errorf("our own form in an older browser: %d", p.status)
		}
	})
}

func TestWrongPasswords(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.member("carol")
		b := w.browser()
		pages := map[string][]page{}
		for range 7 {
			for _, name := range []string{"carol", "nobody"} {
				p := b.post("/signin", "username", name, "password", "wrong")
				p.body = strings.ReplaceAll(p.body, name, "NAME")
				pages[name] = append(pages[name], p)
			}
		}
		for i := range pages["carol"] {
			if a, b := pages["carol"][i], pages["nobody"][i]; a.status != b.status || a.body != b.body {
				t.Errorf("try %d: a name that there is (%d) and one that there is not (%d) are told apart", i, a.status, b.status)
			}
		}
		end := pages["carol"][6]
		if end.status != http.StatusTooManyRequests || end.header.Get("Retry-After") == "" {
			t.Errorf("after seven: %d, Retry-After %q", end.status, end.header.Get("Retry-After"))
		}
		end.has(t, "Too many tries; wait")
		if first := pages["carol"][0]; first.status != http.StatusUnauthorized {
			t.Errorf("the first: %d", first.status)
		}
		w.pass(cab.ForgetTries)
		if p := b.post("/signin", "username", "carol", "password", password); p.status != http.StatusSeeOther {
			t.Errorf("a day later: %d", p.status)
		}
		for _, secret := range []string{password, "wrong"} {
			if strings.Contains(w.log.String(), secret) {
				t.Errorf("the log has %q", secret)
			}
		}
	})
}

func TestNobodyIsSentElsewhere(t *testing.T) {
	for path, want := range map[string]string{
		"/requests?q=x": "/requests?q=x", "https://evil.example/": "/", "//evil.example": "/", `/\evil.example`: "/", "javascript:alert(1)": "/", "": "/",
		"/\t/evil.example": "/", "evil.example": "/", "/requests/CAB-1#decide": "/requests/CAB-1#decide", "///evil.example": "/",
	} {
		if got := local(path); got != want {
			t.Errorf("%q leads to %q, want %q", path, got, want)
		}
	}
}

// TestAccessEndsAtOnce: with the account, the role, or the session.
func TestAccessEndsAtOnce(t *testing.T) {
	eachWorld(t, func(w *world) {
		setup := w.call("root")
		for name, end := range map[string]func() error{
			"carol": func() error { _, err := w.service.DisableUser(w.ctx, setup, "carol"); return err },
			"chris": func() error { _, err := w.service.ChangeRole(w.ctx, setup, "chris", cab.Auditor); return err },
			"sam": func() error {
				rows, err := w.service.MySessions(w.ctx, w.call("sam"))
				w.must(err)
				_, err = w.service.EndSession(w.ctx, setup, rows.Rows[0].ID)
				return err
			},
		} {
			b := w.as(name)
			if p := b.get("/requests"); p.status != http.StatusOK {
				t.Fatalf("%s: %d", name, p.status)
			}
			w.must(end())
			if p := b.get("/requests"); p.status != http.StatusSeeOther || p.to() != "/signin?next=%2Frequests" {
				t.Errorf("%s still gets in: %d %s", name, p.status, p.to())
			}
			w.browser().get("/signin").lacks(t, "has ended")
		}
	})
}

// TestSessionsPage: one's own can be ended by oneself, another's by an administrator
// only.
func TestSessionsPage(t *testing.T) {
	eachWorld(t, func(w *world) {
		erin, eve, root := w.as("erin"), w.as("eve"), w.as("root")
		rows, err := w.service.MySessions(w.ctx, w.call("erin"))
		w.must(err)
		id := rows.Rows[0].ID
		eve.get("/sessions").lacks(t, id, "erin")
		if p := eve.post("/sessions/" + id + "/end"); p.status != http.StatusNotFound {
			t.Errorf("eve ended erin's session: %d", p.status)
		}
		erin.get("/sessions").has(t, id, "this one")
		root.get("/sessions").has(t, id, "erin", "eve")
		if p := root.post("/sessions/" + id + "/end"); p.status != http.StatusSeeOther {
			t.Errorf("root: %d %s", p.status, p.body)
		}
		if p := erin.get("/sessions"); p.status != http.StatusSeeOther {
			t.Errorf("erin is still there: %d", p.status)
		}
	})
}

// TestOddSessionIDs: what is no session's id ends none, the same on both engines.
func TestOddSessionIDs(t *testing.T) {
	eachWorld(t, func(w *world) {
		erin, root := w.as("erin"), w.as("root")
		for _, id := range []string{"%ff", "%00", "x", strings.Repeat("A", 32), strings.Repeat("0", 33), strings.Repeat("0", 32), "%27"} {
			for _, b := range []*browser{erin, root} {
				if p := b.post("/sessions/" + id + "/end"); p.status != http.StatusNotFound {
					t.Errorf("%s: %d", id, p.status)
				}
			}
		}
	})
}

// TestFailedSignInsAreLogged with their network, and without what was typed.
func TestFailedSignInsAreLogged(t *testing.T) {
	eachWorld(t, func(w *world) {
		for range 6 {
			w.browser().post("/signin", "username", "typed-into-the-name", "password", "typed-into-the-password")
		}
		log := w.log.String()
		for _, status := range []string{"401", "429"} {
			if !strings.Contains(log, `"route":"POST /signin","status":`+status) {
				t.Errorf("no %s in the log", status)
			}
		}
		if n := strings.Count(log, `"network":"127.0.0.1"`); n != 6 {
			t.Errorf("the network is in the log %d times", n)
		}
		if strings.Contains(log, "typed-into") {
			t.Error("the log has what was typed")
		}
		w.member("carol")
		w.browser().post("/signin", "username", "carol", "password", password)
		if n := strings.Count(w.log.String(), `"network"`); n != 6 {
			t.Error("who gets in is in the log with their network")
		}
	})
}
