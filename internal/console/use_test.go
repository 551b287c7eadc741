package console

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/workflow"
)

// statusOf is where a request stands, and what its decider wrote.
func (w *world) statusOf(id string) (cab.Status, string) {
	w.t.Helper()
	row, err := w.service.Request(w.ctx, w.call("ada"), id)
	w.must(err)
	if row.Decision == nil {
		return row.Status, ""
	}
	return row.Status, row.Decision.Rationale
}

// TestSignInAsEachRole: everybody gets in with a link, sees what waits for them, gets
// out, and gets in again with the password.
func TestSignInAsEachRole(t *testing.T) {
	w := browserWorld(t)
	w.submitted("7-Zip", "24.08", "mid")
	w.excepted("VPN", "5")
	sees := map[string]string{
		"erin": "What you submitted", "carol": "These wait for your decision", "sam": "These wait for your decision",
		"pat": "Nothing has been approved yet", "ada": "wait for the Change Advisory Board", "root": "wait for the Change Advisory Board",
	}
	for name, text := range sees {
		b := w.tab()
		b.open(w.link(name))
		b.do(chromedp.SendKeys("#password", password), chromedp.SendKeys("#again", password))
		b.load(chromedp.Click("main button.primary"))
		b.sees(name, text, roleText(people[name]))
		b.load(chromedp.Click("form[action='/signout'] button"))
		b.open("/requests")
		b.sees("Sign in", "Password")
		b.do(chromedp.SendKeys("#username", name), chromedp.SendKeys("#password", password))
		b.load(chromedp.Click("main button.primary"))
		if at := b.where(); at != "/requests" {
			t.Errorf("%s got to %s", name, at)
		}
	}
}

func TestDecideByMouse(t *testing.T) {
	w := browserWorld(t)
	row := w.submitted("7-Zip", "24.08", "mid")
	b := w.tab()
	b.as("carol")
	b.load(chromedp.Click("a.open"))
	b.do(chromedp.Click("input[value=approve]"), chromedp.SendKeys("#rationale", "watched by the service desk"), chromedp.SendKeys("#conditions", "max_ring: PILOT"))
	b.load(chromedp.Click("form[data-decide] button"))
	b.sees("Approve 7-Zip 24.08, with conditions?", row.ContentHash, "watched by the service desk", "PILOT")
	b.load(chromedp.Click("button[value=confirm]"))
	b.sees("Your approval is recorded.", "Approved with conditions")
	if status, why := w.statusOf(row.ID); status != cab.ConditionallyApp || why != "watched by the service desk" {
		t.Errorf("%s: %q", status, why)
	}
}

// TestDecideByKeyboard: with the single keys, and with nothing but Tab, Space and
// Enter.
func TestDecideByKeyboard(t *testing.T) {
	w := browserWorld(t)
	first, second := w.submitted("7-Zip", "24.08", "mid"), w.submitted("PuTTY", "0.81", "mid")
	b := w.tab()
	b.as("carol")
	b.press("j", "j", "k", "j")
	b.load(chromedp.KeyEvent("r")) // the second of the list, to reject
	b.sees("PuTTY 0.81")
	b.waits(`document.querySelector("input[value=reject]").checked && document.activeElement.id === "rationale"`)
	b.press("not tested, jkoar/?")
	b.tabTo("form[data-decide] button")
	b.load(chromedp.KeyEvent(kb.Enter))
	b.confirms()
	b.sees("Your rejection is recorded.")
	if status, why := w.statusOf(second.ID); status != cab.RejectedByCAB || why != "not tested, jkoar/?" {
		t.Errorf("%s: %q", status, why)
	}

	b.open("/requests")
	b.press("/")
	if !eval[bool](b, `document.activeElement.id === "q"`) {
		t.Error("/ does not lead to the search")
	}
	b.open("/requests") // and now as if there were no single keys
	b.press("?")
	b.sees("Use single keys")
	b.tabTo("#keys-on")
	b.press(" ", kb.Escape, "j")
	if eval[bool](b, `!!document.querySelector("tr.at")`) {
		t.Error("a single key does something after they were turned off")
	}
	b.open("/requests")
	b.tabTo("a.open")
	b.load(chromedp.KeyEvent(kb.Enter))
	b.tabTo("input[value=approve]")
	b.press(" ")
	b.tabTo("#rationale")
	b.press("as good as the last one")
	b.tabTo("form[data-decide] button")
	b.load(chromedp.KeyEvent(kb.Enter))
	b.confirms()
	if status, _ := w.statusOf(first.ID); status != cab.ApprovedByCAB {
		t.Errorf("%s", status)
	}
}

func TestDecideWithoutScripts(t *testing.T) {
	w := browserWorld(t)
	row := w.submitted("7-Zip", "24.08", "mid")
	b := w.tab()
	b.scripts(false)
	b.open(w.link("carol"))
	b.do(chromedp.SendKeys("#password", password), chromedp.SendKeys("#again", password))
	b.load(chromedp.Click("main button.primary"))
	b.load(chromedp.Click("a.open"))
	b.do(chromedp.Click("input[value=approve]"), chromedp.SendKeys("#rationale", "fine"))
	b.load(chromedp.Click("form[data-decide] button"))
	b.load(chromedp.Click("button[value=confirm]"))
	if status, why := w.statusOf(row.ID); status != cab.ApprovedByCAB || why != "fine" {
		t.Errorf("%s: %q", status, why)
	}
}

// TestTwoApproversInBrowsers: the second is told, and what they had typed is there.
func TestTwoApproversInBrowsers(t *testing.T) {
	w := browserWorld(t)
	row := w.submitted("7-Zip", "24.08", "mid")
	carol, chris := w.tab(), w.tab()
	carol.as("carol")
	chris.as("chris")
	for _, b := range []*tab{carol, chris} {
		b.open("/requests/" + row.Name)
		b.do(chromedp.Click("input[value=approve]"), chromedp.SendKeys("#rationale", "written with care"))
		b.load(chromedp.Click("form[data-decide] button"))
	}
	chris.load(chromedp.Click("button[value=confirm]"))
	chris.sees("Your approval is recorded.")
	carol.load(chromedp.Click("button[value=confirm]"))
	carol.sees("chris approved this request", "yours was not recorded", "What you had written:", "written with care")
}

// TestSessionEndsInABrowser: whoever is signed out while writing signs in and goes on.
func TestSessionEndsInABrowser(t *testing.T) {
	w := browserWorld(t)
	row := w.submitted("7-Zip", "24.08", "mid")
	w.member("carol")
	b := w.tab()
	b.as("carol")
	b.open("/requests/" + row.Name)
	b.do(chromedp.Click("input[value=reject]"), chromedp.SendKeys("#rationale", "first line\nsecond line"))
	sessions, err := w.service.Sessions(w.ctx, workflow.Call{Actor: cab.Setup})
	w.must(err)
	_, err = w.service.EndSession(w.ctx, workflow.Call{Actor: cab.Setup}, sessions.Rows[0].ID)
	w.must(err)
	b.load(chromedp.Click("form[data-decide] button"))
	b.sees("what you wrote is kept")
	b.do(chromedp.SendKeys("#username", "carol"), chromedp.SendKeys("#password", password))
	b.load(chromedp.Click("main button.primary"))
	b.sees("You are signed in again")
	if typed := eval[string](b, `document.getElementById("rationale").value`); typed != "first line\nsecond line" {
		t.Errorf("of what was typed there is %q", typed)
	}
	b.load(chromedp.Click("form[data-decide] button"))
	b.load(chromedp.Click("button[value=confirm]"))
	if status, why := w.statusOf(row.ID); status != cab.RejectedByCAB || why != "first line\nsecond line" {
		t.Errorf("%s: %q", status, why)
	}
}

// TestHostileEvidence: what somebody writes into evidence is shown, and does nothing.
func TestHostileEvidence(t *testing.T) {
	w := browserWorld(t)
	row := w.submittedWith(`<b>bold</b>`, hostileText[:40], hostileEvidence(), hostileText)
	b := w.tab()
	b.as("carol")
	eval[chromedp.Void](b, `sessionStorage.alerts = 0; void 0`)
	for _, path := range []string{"/requests", "/requests/" + row.Name} {
		b.open(path)
		b.sees("<b>bold</b>")
	}
	b.sees(`<script>alert(4)</script>`, `onerror=alert(2)`)
	if n := eval[int](b, `document.querySelectorAll("main script, main img, main h1 b, [onerror]").length`); n > 0 {
		t.Errorf("%d elements of the evidence's are elements of the page", n)
	}
}
