package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/capsule/capsuletest"
	"github.com/eucora/eucora/internal/store/storetest"
)

// TestRunbooks does docs/runbooks/*.md: every command of every page, in order, in a
// clean directory, with the real program. CONTRIBUTING.md says how pages are marked.
func TestRunbooks(t *testing.T) {
	pages, err := filepath.Glob("../../docs/runbooks/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no runbooks: %v", err)
	}
	var postgres func(testing.TB) string
	for _, e := range storetest.Engines(t) {
		if e.Name == "postgres" {
			postgres = e.URL
		}
	}
	for _, path := range pages {
		name := strings.TrimSuffix(filepath.Base(path), ".md")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			steps, err := parseRunbook(string(text))
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			r := newReader(t, name, postgres)
			for _, s := range steps {
				if s.needs != "" && !r.has[s.needs] {
					t.Logf("%s:%d is left out: there is no %s", path, s.line, s.needs)
				} else if said, err := r.do(s); err != nil {
					t.Fatalf("%s:%d: %v\n%s", path, s.line, err, said)
				}
			}
		})
	}
}

// runbookReader does what a page says, as whoever it is for would.
type runbookReader struct {
	t        testing.TB
	dir      string // where they are: their home, too
	replaced *strings.Replacer
	has      map[string]bool // what only some blocks need
}

// people are those that the pages for users tell of. The page's own reader has a
// token in a file; the others' are variables in comments.
var people = []struct{ name, role, page string }{
	{"erin", "packaging_engineer", "packaging-engineer"}, {"eve", "packaging_engineer", ""},
	{"carol", "cab_member", "cab-member"}, {"chris", "cab_member", ""}, {"sam", "security_reviewer", "security-reviewer"},
	{"pat", "publisher", ""}, {"ada", "auditor", "auditor"}, {"root", "admin", ""},
}

// newReader makes a clean directory with files as build pipelines leave them. For
// pages for users there is a server, with its data where the page does not look.
func newReader(t testing.TB, page string, postgres func(testing.TB) string) *runbookReader {
	r := &runbookReader{t: t, dir: t.TempDir()}
	r.copyFiles("demo", "testdata/runbooks", "../../verify/eucora_verify.py")
	program, err := exec.LookPath("eucora")
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(r.dir, ".server")
	if page == "administrator" {
		home = r.dir
	}
	ports := []string{freeAddress(t), freeAddress(t)}
	python, err := capsuletest.Python()
	r.has = map[string]bool{"postgres": postgres != nil, "python": err == nil}
	for _, name := range []string{"sqlite3", "curl"} {
		_, err := exec.LookPath(name)
		r.has[name] = err == nil
	}
	for name, is := range r.has {
		if !is && name != "postgres" && os.Getenv("EUCORA_REQUIRE_PEERS") == "1" {
			t.Fatalf("%s is needed, and not here", name)
		}
	}
	var database, restored string
	if postgres != nil && page == "administrator" {
		database, restored = postgres(t), postgres(t)
	}
	r.replaced = strings.NewReplacer("127.0.0.1:8080", ports[0], "127.0.0.1:8081", ports[1],
		"https://eucora.example.org", "http://"+ports[0], "postgres://eucora@db.example.org/eucora", database, "postgres://eucora@db.example.org/restored", restored,
		"/srv/eucora", home, "python3 ", python+" ")
	r.keep(map[string]string{"PATH": filepath.Dir(program) + ":" + os.Getenv("PATH"), "HOME": r.dir, "NO_COLOR": "1",
		"GORACE": "atexit_sleep_ms=0"}) // else the race detector waits a second at the end of each command
	t.Cleanup(r.stopAll)
	if page != "administrator" {
		r.serve(page)
	}
	return r
}

// serve makes accounts, a token for each, and a server.
func (r *runbookReader) serve(page string) {
	server := step{text: "export EUCORA_DATA=/srv/eucora/data\n"}
	for _, p := range people {
		server.text += fmt.Sprintf("eucora user add %s --role %s\n%s=$(eucora token create %s)\n", p.name, p.role, strings.ToUpper(p.name), p.name)
		if p.page == page {
			server.text += fmt.Sprintf("echo $%s > .eucora-token\n", strings.ToUpper(p.name))
		}
	}
	server.text += "printf 'ExecStart=eucora serve --data /srv/eucora/data --listen 127.0.0.1:8080\\n' > .server.service\nsystemctl start .server\nunset EUCORA_DATA\n"
	if said, err := r.do(server); err != nil {
		r.t.Fatalf("the server: %v\n%s", err, said)
	}
}

// copyFiles copies files, and folders' files.
func (r *runbookReader) copyFiles(places ...string) {
	for _, place := range places {
		paths := []string{place}
		if entries, err := os.ReadDir(place); err == nil {
			paths = nil
			for _, entry := range entries {
				paths = append(paths, filepath.Join(place, entry.Name()))
			}
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(filepath.Join(r.dir, filepath.Base(path)), text, 0o600)
			}
			if err != nil {
				r.t.Fatal(err)
			}
		}
	}
}

func freeAddress(t testing.TB) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// mostPerStep is how long a block may take.
const mostPerStep = 2 * time.Minute

// do does a step and returns what it said. Variables and the directory are kept
// from one to the next, as at one terminal.
func (r *runbookReader) do(s step) (string, error) {
	text := r.replaced.Replace(s.text)
	if s.owner {
		return "", r.asOwner(text)
	}
	script := "set -eua\ntrap '{ export -p; echo cd \"\\\"$PWD\\\"\"; } > " + r.terminal() + "' EXIT\n"
	if _, err := os.Stat(r.terminal()); err == nil {
		script += ". " + r.terminal() + "\n"
	}
	ctx, cancel := context.WithTimeout(context.Background(), mostPerStep)
	defer cancel()
	said := new(bytes.Buffer)
	shell := exec.CommandContext(ctx, "sh", "-c", script+text)
	shell.Dir, shell.Env, shell.Stdout, shell.Stderr = r.dir, []string{"PATH=" + os.Getenv("PATH")}, said, said
	shell.WaitDelay = time.Second
	err := shell.Run()
	if failed, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok || ok && failed.ExitCode() != s.exit || err == nil && s.exit != 0 {
		return said.String(), fmt.Errorf("it must end with %d: %v", s.exit, err)
	}
	before := r.values()
	values := maps.Clone(before)
	if err := appears(s.output, said.String(), values); err != nil {
		return said.String(), err
	}
	maps.DeleteFunc(values, func(name, value string) bool { return before[name] == value })
	r.keep(values)
	return said.String(), nil
}

// terminal is the file that has the variables and the directory between steps.
func (r *runbookReader) terminal() string { return filepath.Join(r.dir, ".terminal") }

// kept is a variable as shells write it down.
var kept = regexp.MustCompile(`(?m)^export ([A-Z_]+)=['"]?([^'"\n]*)['"]?$`)

// values are the variables that a page may have in its text.
func (r *runbookReader) values() map[string]string {
	text, err := os.ReadFile(r.terminal())
	if err != nil {
		r.t.Fatal(err)
	}
	values := map[string]string{}
	for _, match := range kept.FindAllStringSubmatch(string(text), -1) {
		values[match[1]] = match[2]
	}
	return values
}

// keep adds variables to those that the next step has.
func (r *runbookReader) keep(values map[string]string) {
	file, err := os.OpenFile(r.terminal(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	for name, value := range values {
		if err == nil {
			_, err = fmt.Fprintf(file, "export %s='%s'\n", name, value)
		}
	}
	if err = errors.Join(err, file.Close()); err != nil {
		r.t.Fatal(err)
	}
}

// asOwner does SQL as the owner of the page's SQLite database, the triggers dropped.
func (r *runbookReader) asOwner(query string) error {
	for _, place := range []string{".server/data/eucora.db", "data/eucora.db"} {
		path := filepath.Join(r.dir, place)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		db := storetest.Owner(r.t, "sqlite:"+path)
		defer db.Close()
		storetest.DropTriggers(r.t, db, "sqlite")
		_, err := db.Exec(query)
		return err
	}
	return errors.New("there is no database")
}

// stopAll kills what the page has left running.
func (r *runbookReader) stopAll() {
	files, _ := filepath.Glob(filepath.Join(r.dir, "*.pid"))
	hidden, _ := filepath.Glob(filepath.Join(r.dir, ".*.pid"))
	for _, file := range append(files, hidden...) {
		if err := unit(strings.TrimSuffix(file, ".pid")).signal(syscall.SIGKILL); err != nil {
			r.t.Errorf("%s: %v", file, err)
		}
	}
}

// TestRunbookPages: what a page says is checked, and a page that is marked wrongly
// is refused rather than read past.
func TestRunbookPages(t *testing.T) {
	for page, want := range map[string]string{
		"```sh\nexit 3\n```\n":                             "must end with 0",
		"```sh exit=1\nexit 3\n```\n":                      "must end with 1",
		"```sh exit=1\ntrue\n```\n":                        "must end with 1",
		"```sh exit=1\nfalse\nfalse\n```\n":                "is one command",
		"```sh\nfalse\ntrue\n```\n":                        "must end with 0",
		"```sh\necho $NEVER\n```\n":                        "must end with 0",
		"```sh\necho b a\n```\n\n```text\na b\n```\n":      `does not say "a b"`,
		"```sh\necho a; echo b\n```\n```text\nb\na\n```\n": `does not say "a"`,
		"```sh\necho x1\n```\n```text\nx\n```\n":           `does not say "x"`,
		"```sh\necho is 1\n```\n```text\nis $ID\n```\n```sh\necho 2\n```\n```text\n$ID\n```\n": `does not say "$ID"`,
		"```sh\necho is 1\n```\n```text\nis $ID\n```\n```sh\ntest $ID = 2\n```\n":              "must end with 0",
		"```bash\ntrue\n```\n":                     `a block of "bash"`,
		"```\ntrue\n```\n":                         `a block of ""`,
		"  ```sh\ntrue\n```\n":                     "not at the beginning",
		"```sh exit=0\ntrue\n```\n":                `what is "exit=0"`,
		"```sh skip\ntrue\n```\n":                  `what is "skip"`,
		"```sh\ntrue\n":                            "does not end",
		"```text\na\n```\n":                        "follows no command",
		"```sh\ntrue\n```\nsaid:\n```text\na\n```": "follows no command",
		"<!-- note\ntrue\n-->\n":                   `a block of "note"`,
		"<!-- sh\nfalse\n-->\n":                    "must end with 0",
		"<!-- owner\nDELETE FROM event\n-->\n":     "no database",
		"```sh\nA=1; mkdir d; cd d\n```\n<!-- sh\ntest $A = 1 && test ${PWD##*/} = d\n-->\n```sh exit=1\nls \\\n  none 2>&1 && true || exit 1\n```\n": "",
		"```sh\necho 'at  12:00, 7 rows'; echo end\n```\n\n```text\nat …, 7 rows\nend\n```\n":                                                         "",
	} {
		r := &runbookReader{t: t, dir: t.TempDir(), replaced: strings.NewReplacer()}
		steps, err := parseRunbook(page)
		for _, s := range steps {
			if err == nil {
				_, err = r.do(s)
			}
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", page, err, want)
		}
	}
}

// TestRunbookLinks: there is a page for each role of people, and whoever follows a
// link of one at night finds the page and the section.
func TestRunbookLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]*)(#[^)]*)?\)`)
	for _, name := range []string{"administrator", "auditor", "cab-member", "packaging-engineer", "security-reviewer"} {
		page := filepath.Join("../../docs/runbooks", name+".md")
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range link.FindAllStringSubmatch(string(text), -1) {
			to := page
			if match[1] != "" {
				to = filepath.Join(filepath.Dir(page), match[1])
			}
			target, err := os.ReadFile(to)
			if err != nil || match[2] != "" && !slices.Contains(anchors(string(target)), match[2]) {
				t.Errorf("%s: %s leads nowhere (%v)", page, match[0], err)
			}
		}
	}
}

// anchors are what the headings of a page are called in links.
func anchors(page string) []string {
	var names []string
	for line := range strings.SplitSeq(page, "\n") {
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			name := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(heading), "")
			names = append(names, "#"+strings.ReplaceAll(name, " ", "-"))
		}
	}
	return names
}
