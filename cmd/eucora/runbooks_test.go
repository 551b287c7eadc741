package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
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
	values   map[string]string // what text blocks have given names
	has      map[string]bool   // what only some blocks need
}

// people are those that the pages for users tell of. The page's own reader has a
// token in a file; the others' are variables in comments.
var people = []struct{ name, role, page string }{
	{"erin", "packaging_engineer", "packaging-engineer"}, {"eve", "packaging_engineer", ""},
	{"carol", "cab_member", "cab-member"}, {"chris", "cab_member", ""}, {"sam", "security_reviewer", "security-reviewer"},
	{"pat", "publisher", ""}, {"ada", "auditor", "auditor"}, {"root", "admin", ""},
}

// newReader makes a clean directory with files as build pipelines leave them. For
// pages for users there is a server, with its data outside of what the page sees.
func newReader(t testing.TB, page string, postgres func(testing.TB) string) *runbookReader {
	r := &runbookReader{t: t, dir: t.TempDir(), values: map[string]string{}}
	r.copyFiles("demo", "testdata/runbooks", "../../verify/eucora_verify.py")
	program, err := exec.LookPath("eucora")
	if err != nil {
		t.Fatal(err)
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
		"/srv/eucora", r.dir, "python3 ", python+" ")
	r.values["PATH"], r.values["HOME"], r.values["NO_COLOR"] = filepath.Dir(program)+":"+os.Getenv("PATH"), r.dir, "1"
	t.Cleanup(r.stopAll)
	if page == "administrator" {
		return r
	}
	server := step{text: "export EUCORA_DATA=$HOME/.server\n"}
	for _, p := range people {
		server.text += fmt.Sprintf("eucora user add %s --role %s\n%s=$(eucora token create %s)\n", p.name, p.role, strings.ToUpper(p.name), p.name)
		if p.page == page {
			server.text += fmt.Sprintf("echo $%s > .eucora-token\n", strings.ToUpper(p.name))
		}
	}
	server.text += "printf 'ExecStart=eucora serve --listen 127.0.0.1:8080\\n' > .server.service\nsystemctl start .server\nunset EUCORA_DATA\n"
	if said, err := r.do(server); err != nil {
		t.Fatalf("the server: %v\n%s", err, said)
	}
	return r
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
	state := filepath.Join(r.dir, ".terminal")
	script := "set -eua\ntrap '{ export -p; echo cd \"\\\"$PWD\\\"\"; } > " + state + "' EXIT\n"
	if _, err := os.Stat(state); err == nil {
		script += ". " + state + "\n"
	}
	for name, value := range r.values {
		script += name + "='" + value + "'\n"
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
	return said.String(), appears(s.output, said.String(), r.values)
}

// asOwner does SQL as the owner of the page's SQLite database, the triggers dropped.
func (r *runbookReader) asOwner(query string) error {
	for _, place := range []string{".server/eucora.db", "data/eucora.db"} {
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

// systemctl stands in for systemd's on test machines: systemctl start|stop|restart
// NAME runs the ExecStart line of NAME.service in this directory. It returns from
// start when the server listens, and from stop when it has ended.
func systemctl() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "systemctl start|stop|restart NAME")
		os.Exit(2)
	}
	u := unit(os.Args[2])
	var err error
	if os.Args[1] != "start" {
		err = u.signal(syscall.SIGTERM)
	}
	if os.Args[1] != "stop" && err == nil {
		err = u.start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "systemctl:", err)
		os.Exit(1)
	}
}

// unit is a service by its name, or its path without the ending.
type unit string

func (u unit) start() error {
	text, err := os.ReadFile(string(u) + ".service")
	if err != nil {
		return err
	}
	var line []string
	for text := range strings.SplitSeq(string(text), "\n") {
		if rest, ok := strings.CutPrefix(text, "ExecStart="); ok {
			line = strings.Fields(rest)
		}
	}
	if len(line) == 0 {
		return fmt.Errorf("%s.service has no ExecStart", u)
	}
	log, err := os.OpenFile(string(u)+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	running, err := os.Create(string(u) + ".pid") // locked as long as it runs
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(running.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("%s runs: %w", u, err)
	}
	command := exec.Command(filepath.Base(line[0]), line[1:]...)
	command.Stderr, command.ExtraFiles, command.SysProcAttr = log, []*os.File{running}, &syscall.SysProcAttr{Setsid: true}
	out, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(running, command.Process.Pid); err != nil {
		return err
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil { // the line that says that it listens
		said, _ := os.ReadFile(string(u) + ".log")
		return fmt.Errorf("%s did not start: %s", u, said)
	}
	return nil
}

// signal sends a signal to what runs, and waits for its end.
func (u unit) signal(s syscall.Signal) error {
	running, err := os.Open(string(u) + ".pid")
	if err != nil {
		return err
	}
	defer running.Close()
	if syscall.Flock(int(running.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
		return nil // nothing has it
	}
	text, err := os.ReadFile(running.Name())
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err == nil {
		err = syscall.Kill(pid, s)
	}
	if err != nil {
		return err
	}
	return syscall.Flock(int(running.Fd()), syscall.LOCK_EX)
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
		r := &runbookReader{t: t, dir: t.TempDir(), replaced: strings.NewReplacer(), values: map[string]string{}}
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

// TestRunbooksAreThere: one for each role that the program has for people, and each
// begins with its name.
func TestRunbooksAreThere(t *testing.T) {
	pages, _ := filepath.Glob("../../docs/runbooks/*.md")
	var names []string
	for _, page := range pages {
		names = append(names, strings.TrimSuffix(filepath.Base(page), ".md"))
	}
	want := []string{"administrator", "auditor", "cab-member", "packaging-engineer", "security-reviewer"}
	if !slices.Equal(names, want) {
		t.Errorf("runbooks %v, want %v", names, want)
	}
}
