package console

import (
	"fmt"
	"os"
	"path/filepath"
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
		{"forbidden", "pat", "/requests/" + s.asked.Name},
		{"not-found", "carol", "/nothing"},
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
	for _, l := range s.looks() {
		b := tabs[l.as]
		if b == nil {
			b = s.tab()
			if l.as != "" {
				b.signIn(l.as)
			}
			tabs[l.as] = b
		}
		for _, scheme := range []string{"light", "dark"} {
			b.scheme(scheme)
			b.open(l.path)
			for _, found := range b.violations(script) {
				t.Errorf("%s, %s: %s", l.name, scheme, found)
			}
			for _, width := range []int64{360, 1024, 2560} {
				b.size(width)
				if over := eval[int](b, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
					t.Errorf("%s is %d pixels too wide at %d", l.name, over, width)
				}
				if shots != "" {
					b.shoot(filepath.Join(shots, fmt.Sprintf("%s-%s-%d.png", l.name, scheme, width)))
				}
			}
			b.size(1024)
		}
		if others := eval[[]string](b, `performance.getEntriesByType("resource").map(e => e.name).filter(n => !n.startsWith(location.origin))`); len(others) > 0 {
			t.Errorf("%s loads %v", l.name, others)
		}
		if n := eval[int](b, `document.querySelectorAll("main script, main img, main [onerror], [style], style").length`); n > 0 {
			t.Errorf("%s has %d elements that a page of ours has not", l.name, n)
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
