package console

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/eucora/eucora/internal/store/storetest"
)

// patience is how long a browser may take for one test: it is there to end one that
// hangs, on a machine that does much else.
const patience = 5 * time.Minute

// chromium is one browser for all tests, started by the first that wants it.
var chromium struct {
	once sync.Once
	ctx  context.Context
	stop context.CancelFunc
	why  string // there is none
}

func TestMain(m *testing.M) {
	code := m.Run()
	if chromium.stop != nil {
		chromium.stop()
	}
	os.Exit(code)
}

func startChromium() {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		chromium.why = "no Chromium is installed (apt-get install chromium)"
		return
	}
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Headless, chromedp.DisableGPU, chromedp.Flag("disable-dev-shm-usage", true))
	ctx, stop := chromedp.NewContext(allocator)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		chromium.why = "Chromium does not start: " + err.Error()
	}
	chromium.ctx, chromium.stop = ctx, func() { stop(); stopAllocator() }
}

// tab is a browser of somebody's own, with cookies of its own.
type tab struct {
	t   testing.TB
	w   *world
	ctx context.Context
}

// need skips where there is no browser; with EUCORA_REQUIRE_CHROMIUM=1 (make test)
// that is a failure.
func need(t testing.TB, have bool, why string) {
	t.Helper()
	switch {
	case have:
	case os.Getenv("EUCORA_REQUIRE_CHROMIUM") == "1":
		t.Fatal(why)
	default:
		t.Skip(why)
	}
}

// browserWorld is a world on SQLite: what is tried in a browser is the pages.
func browserWorld(t *testing.T) *world {
	t.Helper()
	chromium.once.Do(startChromium)
	need(t, chromium.why == "", chromium.why)
	return newWorld(t, storetest.Engines(t)[0])
}

func (w *world) tab() *tab {
	w.t.Helper()
	ctx, cancel := chromedp.NewContext(chromium.ctx, chromedp.WithNewBrowserContext())
	b := &tab{t: w.t, w: w, ctx: ctx}
	w.t.Cleanup(cancel)
	b.do(chromedp.Navigate("about:blank"))
	var stop context.CancelFunc
	b.ctx, stop = context.WithTimeout(b.ctx, patience)
	w.t.Cleanup(stop)
	b.size(1024)
	return b
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatalf("%v\nat %s", err, b.where())
	}
}

// load does what brings another page, and waits for it.
func (b *tab) load(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if _, err := chromedp.RunResponse(b.ctx, steps...); err != nil {
		b.t.Fatalf("%v\nat %s", err, b.where())
	}
}

func (b *tab) open(path string) {
	b.t.Helper()
	b.load(chromedp.Navigate(b.w.server.URL + path))
}

func (b *tab) where() string {
	at, _ := chromedp.Run(b.ctx, chromedp.Location())
	return strings.TrimPrefix(at, b.w.server.URL)
}

func eval[T any](b *tab, script string) T {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%v\nin %.200s\nat %s", err, script, b.where())
	}
	return value
}

func (b *tab) text() string { return eval[string](b, `document.body.innerText`) }

func (b *tab) sees(texts ...string) {
	b.t.Helper()
	all := b.text()
	for _, text := range texts {
		if !strings.Contains(all, text) {
			b.t.Errorf("at %s %q is not to be seen:\n%.1500s", b.where(), text, all)
		}
	}
}

func (b *tab) size(width int64) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, map[int64]int64{360: 780, 1024: 768, 2560: 1440}[width]))
}

// scheme chooses light or dark.
func (b *tab) scheme(name string) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
		})
		return err
	}))
}

// scripts turns the pages' own scripts on or off.
func (b *tab) scripts(on bool) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
		return err
	}))
}

// press presses keys, wherever the focus is.
func (b *tab) press(keys ...string) {
	b.t.Helper()
	for _, key := range keys {
		b.do(chromedp.KeyEvent(key))
	}
}

// tabTo presses Tab until the focus is on what a selector names: somebody without a
// mouse gets there, too.
func (b *tab) tabTo(selector string) {
	b.t.Helper()
	for range 60 {
		b.press(kb.Tab)
		if eval[bool](b, `document.activeElement.matches(`+quoted(selector)+`)`) {
			return
		}
	}
	b.t.Fatalf("Tab does not lead to %s at %s", selector, b.where())
}

func quoted(text string) string { return "`" + strings.ReplaceAll(text, "`", "\\`") + "`" }

// as signs somebody in, without the page to sign in.
func (b *tab) as(name string) {
	b.t.Helper()
	b.open("/link/nothing")
	eval[string](b, `document.cookie = "`+plainCookie+`=`+b.w.session(name)+`; path=/"`)
	b.open("/")
	b.sees(name)
}

// waits waits until something is so.
func (b *tab) waits(script string) {
	b.t.Helper()
	if !eval[bool](b, `new Promise(resolve => {
		const end = Date.now() + 20000;
		const look = () => (`+script+`) ? resolve(true) : Date.now() > end ? resolve(false) : requestAnimationFrame(look);
		look();
	})`) {
		b.t.Fatalf("it is never so at %s: %s", b.where(), script)
	}
}

// confirms presses Enter on the page that asks for it, once its button has the focus.
func (b *tab) confirms() {
	b.t.Helper()
	b.waits(`document.activeElement.matches("h1")`)
	b.press(kb.Enter) // a second press of the key that led here
	b.tabTo("button[value=confirm]")
	b.load(chromedp.KeyEvent(kb.Enter))
}

// axeDigest pins axe-core 4.14.1, which make fetches to bin/axe.min.js. It is a tool
// of the tests, and no part of the program.
const axeDigest = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"

func axe(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "bin", "axe.min.js"))
	need(t, err == nil, "axe-core is not there (make axe)")
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != axeDigest {
		t.Fatalf("bin/axe.min.js is not the axe-core that was looked at: %x", sum)
	}
	return string(text)
}

// violations is what axe-core finds, by the rules of WCAG 2.2 AA and of good
// practice.
func (b *tab) violations(script string) []string {
	b.t.Helper()
	eval[chromedp.Void](b, script+`;void 0`)
	return eval[[]string](b, `axe.run(document, {resultTypes: ["violations"]}).then(r =>
		r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + v.help + ": " + n.html.slice(0, 200) + " (" + n.failureSummary + ")")))`)
}
