package console

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// look is one page as somebody sees it.
type look struct{ name, as, path string }

// looks is every page, and every face of it that somebody's role gives it.
func (s *scene) looks() []look {
	return []look{
		{"signin", "", "/signin"},
		{"link", "", s.link("eve")},
		{"link-used", "", "/link/nothing"},
		{"queue", "carol", "/requests"},
		{"queue-all", "carol", "/requests?status=all"},
		{"queue-empty", "carol", "/requests?q=nothing+like+it"},
		{"queue-own", "erin", "/requests"},
		{"queue-none", "eve", "/requests"},
		{"request", "carol", "/requests/" + s.asked.Name},
		{"request-decided", "ada", "/requests/" + s.decided.Name},
		{"request-own", "erin", "/requests/" + s.asked.Name},
		{"request-exception", "carol", "/requests/" + s.excepted.Name},
		{"request-hostile", "carol", "/requests/" + s.hostile.Name},
		{"changes", "carol", "/requests/" + s.asked.Name + "/changes"},
		{"exceptions", "sam", "/exceptions"},
		{"exception", "sam", "/exceptions/" + s.exception.Name},
		{"exception-granted", "sam", "/exceptions/" + s.granted.Name},
		{"sessions", "root", "/sessions"},
		{"audit", "ada", "/audit"},
		{"audit-own", "eve", "/audit?id=nothing"},
		{"audit-mistake", "ada", "/audit?since=yesterday&actor=carol"},
		{"event", "ada", fmt.Sprintf("/audit/%d", s.eventOf(s.hostile.ID))},
		{"overview", "carol", "/overview"},
		{"users", "root", "/users"},
		{"users-nobody", "root", "/users?q=nobody+like+this"},
		{"user", "root", "/users/carol"},
		{"forbidden", "pat", "/requests/" + s.asked.Name},
		{"not-found", "carol", "/nothing"},
		{"evidence", "carol", "/evidence/" + s.asked.PackageID},
		{"evidence-alone", "erin", "/evidence/" + s.excepted.PackageID},
		{"evidence-hostile", "carol", "/evidence/" + s.hostile.PackageID},
		{"evidence-verify", "ada", "/evidence/" + s.asked.PackageID + "/verify"},
		{"evidence-altered", "ada", "/evidence/" + s.altered.PackageID},
		{"evidence-altered-verify", "ada", "/evidence/" + s.altered.PackageID + "/verify"},
		{"evidence-origins", "carol", "/evidence/" + s.asked.PackageID + "/origins"},
		{"evidence-components", "carol", "/evidence/" + s.asked.PackageID + "/components"},
		{"evidence-findings", "carol", "/evidence/" + s.asked.PackageID + "/findings"},
		{"evidence-no-findings", "carol", "/evidence/" + s.hostile.PackageID + "/findings"},
		{"versions", "carol", "/evidence/" + s.asked.PackageID + "/diff"},
		{"diff", "carol", "/evidence/" + s.asked.PackageID + "/diff?with=" + s.before.PackageID},
		{"diff-findings", "carol", "/evidence/" + s.asked.PackageID + "/diff?show=findings&kind=new&with=" + s.before.PackageID},
		{"rules", "erin", "/models"},
		{"rules-old", "erin", "/models?policy=1.0"},
	}
}

// TestLooks opens every page in both colour schemes: axe-core finds nothing, nothing
// is wider than the screen at any of three widths, nothing comes from elsewhere, and
// no script of a hostile package runs. With EUCORA_SHOTS it writes what the pages look
// like to that folder.
func TestLooks(t *testing.T) {
	s := newScene(browserWorld(t))
	script := axe(t)
	shots := os.Getenv("EUCORA_SHOTS")
	tabs := map[string]*tab{}
	each := func(b *tab, l look, open func()) {
		for _, scheme := range []string{"light", "dark"} {
			b.scheme(scheme)
			open()
			b.examine(l.name+"-"+scheme, script, shots)
		}
	}
	for _, l := range s.looks() {
		b := tabs[l.as]
		if b == nil {
			b = s.tab()
			if l.as != "" {
				b.as(l.as)
			}
			tabs[l.as] = b
		}
		each(b, l, func() { b.open(l.path) })
	}
	// Pages that a form brings.
	each(tabs["carol"], look{name: "confirm"}, func() {
		b := tabs["carol"]
		b.open("/requests/" + s.asked.Name)
		b.do(chromedp.Click("input[value=approve]"), chromedp.SendKeys("#rationale", "Watched by the service desk.\nBack to 128.4 if logins fail."), chromedp.SendKeys("#conditions", "max_ring: PILOT\nmonitor_hours: 24"))
		b.load(chromedp.Click("form[data-decide] button"))
	})
	each(tabs["carol"], look{name: "mistake"}, func() {
		b := tabs["carol"]
		b.open("/requests/" + s.asked.Name)
		b.do(chromedp.Click("input[value=reject]"), chromedp.SendKeys("#rationale", "No."), chromedp.SendKeys("#conditions", "only on weekdays"))
		b.load(chromedp.Click("form[data-decide] button"))
	})
	each(tabs["sam"], look{name: "exception-confirm"}, func() {
		b := tabs["sam"]
		b.open("/exceptions/" + s.exception.Name)
		b.do(chromedp.Click("input[value=approve]"), chromedp.SendKeys("#rationale", "Two weeks, with these controls."))
		b.load(chromedp.Click("form[data-decide] button"))
	})
	each(tabs["root"], look{name: "user-mistake"}, func() {
		b := tabs["root"]
		b.open("/users")
		b.do(chromedp.SendKeys("#username", "Not A Name"))
		b.load(chromedp.Click("form[action='/users'][method=post] button"))
	})
	each(tabs["root"], look{name: "user-confirm"}, func() {
		b := tabs["root"]
		b.open("/users/carol")
		b.load(chromedp.Click("section[aria-labelledby=out] button"))
	})
	each(tabs["root"], look{name: "user-link"}, func() {
		b := tabs["root"]
		b.open("/users/carol")
		b.load(chromedp.Click("section[aria-labelledby=in] button"))
		b.load(chromedp.Click("button[value=confirm]"))
	})
	each(tabs[""], look{name: "signin-wrong"}, func() {
		b := tabs[""]
		b.open("/signin")
		b.do(chromedp.SendKeys("#username", "carol"), chromedp.SendKeys("#password", "wrong"))
		b.load(chromedp.Click("main button.primary"))
	})
	each(tabs["carol"], look{name: "keys"}, func() {
		tabs["carol"].open("/requests")
		tabs["carol"].press("j", "?")
	})
}

// examine looks at a page that is open.
func (b *tab) examine(name, script, shots string) {
	b.t.Helper()
	for _, found := range b.violations(script) {
		b.t.Errorf("%s: %s", name, found)
	}
	for _, width := range []int64{360, 1024, 2560} {
		b.size(width)
		if over := eval[int](b, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
			b.t.Errorf("%s is %d pixels too wide at %d", name, over, width)
		}
		if shots != "" {
			b.shoot(filepath.Join(shots, fmt.Sprintf("%s-%d.png", name, width)))
		}
	}
	b.size(1024)
	if others := eval[[]string](b, `performance.getEntriesByType("resource").map(e => e.name).filter(n => !n.startsWith(location.origin))`); len(others) > 0 {
		b.t.Errorf("%s loads %v", name, others)
	}
	if n := eval[int](b, `document.querySelectorAll("main script, main img, main [onerror], [style], style").length`); n > 0 {
		b.t.Errorf("%s has %d elements that a page of ours has not", name, n)
	}
}

// TestAxeFinds: that it finds nothing says something only if it finds what is wrong.
func TestAxeFinds(t *testing.T) {
	w := browserWorld(t)
	script := axe(t)
	b := w.tab()
	b.open("/signin")
	eval[chromedp.Void](b, `document.querySelector("main").insertAdjacentHTML("beforeend", "<img src=x><input><p id=faint>faint</p>"); document.getElementById("faint").style.color = "#bbb"; void 0`)
	all := strings.Join(b.violations(script), "\n")
	for _, rule := range []string{"image-alt", "label", "color-contrast"} {
		if !strings.Contains(all, rule+":") {
			t.Errorf("axe-core does not find %s:\n%s", rule, all)
		}
	}
}

func (b *tab) shoot(path string) {
	b.t.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(path, png, 0o600)
	}
	if err != nil {
		b.t.Error(err)
	}
}
