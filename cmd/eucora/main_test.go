package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store/storetest"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"eucora": main, "systemctl": systemctl})
}

// TestStories runs testdata/script/*.txtar: each is a page of the user guide,
// done with the real program, on each engine.
func TestStories(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		testscript.Run(t, testscript.Params{
			Dir: filepath.Join("testdata", "script"),
			Setup: func(env *testscript.Env) error {
				url := e.URL(env.T().(testing.TB))
				env.Setenv("EUCORA_DATABASE", url)
				env.Setenv("EUCORA_DATA", filepath.Join(env.WorkDir, "data"))
				env.Setenv("ENGINE", e.Name)
				env.Setenv("NO_COLOR", "1")
				env.Setenv("GORACE", "atexit_sleep_ms=0") // else the race detector waits a second at the end of each command
				pipelines, err := filepath.Abs("../../docs/pipelines")
				if err != nil {
					return err
				}
				env.Setenv("PIPELINES", pipelines)
				return nil
			},
			Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
				"serve": serveScript, "field": fieldScript, "owner": ownerScript, "attested": attestedScript, "shutdown": shutdownScript, "key": keyScript, "status": statusScript,
				"flip": flipScript, "policy": policyScript, "second": secondScript, "keys": keysScript, "browse": browseScript,
			},
			Condition: func(cond string) (bool, error) { return cond == e.Name, nil },
		})
	})
}

type running struct {
	process *exec.Cmd
	log     *bytes.Buffer
}

// serveScript: serve starts the server in the background, waits until it is
// ready, and sets EUCORA_SERVER.
func serveScript(ts *testscript.TestScript, _ bool, args []string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	address := listener.Addr().String()
	ts.Check(listener.Close())
	program, err := exec.LookPath("eucora")
	if err != nil {
		program = filepath.Join(strings.Split(ts.Getenv("PATH"), string(os.PathListSeparator))[0], "eucora")
	}
	r := &running{process: exec.Command(program, append([]string{"serve", "--listen", address}, args...)...), log: new(bytes.Buffer)}
	r.process.Dir = ts.MkAbs(".")
	r.process.Env = []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("WORK"), "EUCORA_DATA=" + ts.Getenv("EUCORA_DATA"), "EUCORA_DATABASE=" + ts.Getenv("EUCORA_DATABASE"), "EUCORA_LEDGER_KEY=" + ts.Getenv("EUCORA_LEDGER_KEY")}
	r.process.Stderr = r.log
	out, err := r.process.StdoutPipe()
	ts.Check(err)
	ts.Check(r.process.Start())
	line := make([]byte, 200)
	n, err := out.Read(line) // the line that says that it listens
	if err != nil {
		ts.Fatalf("the server did not start: %s", r.log)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	ts.Logf("%s", line[:n])
	ts.Setenv("EUCORA_SERVER", "http://"+address)
	ts.Setenv("SERVER_PID", fmt.Sprint(r.process.Process.Pid))
	ts.Defer(func() { _ = r.process.Process.Kill(); _ = r.process.Wait() })
	servers.Store(r.process.Process.Pid, r)
}

// servers are those that scripts started, by process id.
var servers sync.Map

// shutdownScript: shutdown sends SIGTERM to the server and wants it to end with 0.
// (stop, which testscript has, would end the story and call it passed.)
func shutdownScript(ts *testscript.TestScript, _ bool, _ []string) {
	var pid int
	_, err := fmt.Sscan(ts.Getenv("SERVER_PID"), &pid)
	ts.Check(err)
	found, ok := servers.Load(pid)
	if !ok {
		ts.Fatalf("no server was started")
	}
	r := found.(*running)
	ts.Check(r.process.Process.Signal(syscall.SIGTERM))
	if err := r.process.Wait(); err != nil {
		ts.Fatalf("the server did not stop well: %v\n%s", err, r.log)
	}
}

// fieldScript: field NAME VAR sets VAR to a member of the JSON that the last
// command printed; without a name, to its first line.
func fieldScript(ts *testscript.TestScript, _ bool, args []string) {
	out := ts.ReadFile("stdout")
	if len(args) == 1 {
		line, _, _ := strings.Cut(out, "\n")
		word, _, _ := strings.Cut(line, " ")
		ts.Setenv(args[0], word)
		return
	}
	_, rest, ok := strings.Cut(out, `"`+args[0]+`": "`)
	value, _, _ := strings.Cut(rest, `"`)
	if !ok {
		ts.Fatalf("no member %s in %s", args[0], out)
	}
	ts.Setenv(args[1], value)
}

// keyScript: key FILE sets LOGKEY to the key in a file, and writes a policy that
// wants no witness.
func keyScript(ts *testscript.TestScript, _ bool, args []string) {
	key := strings.TrimSpace(ts.ReadFile(args[0]))
	ts.Setenv("LOGKEY", key)
	ts.Check(os.WriteFile(ts.MkAbs("policy"), []byte("log "+key+"\nquorum none\n"), 0o600))
}

// keysScript: keys FILE fetches the public keys that the server publishes.
func keysScript(ts *testscript.TestScript, _ bool, args []string) {
	response, err := http.Get(ts.Getenv("EUCORA_SERVER") + "/.well-known/eucora-keys.json")
	ts.Check(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o600))
}

// ownerScript: owner SQL runs SQL as the owner of the database, the triggers
// dropped.
func ownerScript(ts *testscript.TestScript, _ bool, args []string) {
	t := &scriptT{ts: ts}
	db := storetest.Owner(t, ts.Getenv("EUCORA_DATABASE"))
	defer db.Close()
	storetest.DropTriggers(t, db, ts.Getenv("ENGINE"))
	_, err := db.Exec(args[0])
	ts.Check(err)
}

// scriptT lets helpers for tests be used in a script.
type scriptT struct {
	testing.TB
	ts *testscript.TestScript
}

func (t *scriptT) Helper()           {}
func (t *scriptT) Cleanup(func())    {}
func (t *scriptT) Fatal(args ...any) { t.ts.Fatalf("%s", fmt.Sprint(args...)) }

// statusScript: status N COMMAND… runs the program and wants exit status N.
func statusScript(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		code = failed.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit status %d, want %s", code, args[0])
	}
}

// TestDemoOnce: the README's first command.
func TestDemoOnce(t *testing.T) {
	var out bytes.Buffer
	a := &app{ctx: context.Background(), out: &out, errOut: io.Discard}
	if err := (&demoCmd{Once: true, Listen: "127.0.0.1:0"}).Run(a); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"auto_approved: score 11.08", "manual_review: score 51.38", "Rejected by chris", "exception_required: score 100.00",
		"the approval ends with the exception", "turned away (422): missing scan_results.scanner", "refused (403)", "the ledger holds", "euc_",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the demo does not say %q:\n%s", want, out.String())
		}
	}
}

// TestExitStatus: only 0 ever means yes; what is not known to be a no is 3.
func TestExitStatus(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, exitYes}, {no("x"), exitNo}, {usage("x"), exitUsage}, {unknown("x"), exitUnknown},
		{errors.New("anything else"), exitUnknown}, {api.ErrNotEucora, exitUnknown}, {context.DeadlineExceeded, exitUnknown},
		{&api.Problem{Status: 409}, exitNo}, {&api.Problem{Status: 403}, exitNo}, {&api.Problem{Status: 422}, exitNo}, {&api.Problem{Status: 401}, exitNo},
		{&api.Problem{Status: 500}, exitUnknown}, {&api.Problem{Status: 503}, exitUnknown}, {&api.Problem{Status: 429}, exitUnknown}, {&api.Problem{Status: 301}, exitUnknown},
		{&cab.Error{Kind: cab.Conflict}, exitNo}, {&cab.Error{Kind: cab.Unavailable}, exitUnknown}, {&cab.Error{}, exitUnknown},
	} {
		if got := statusOf(c.err); c.err != nil && got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
	for status, want := range map[string]int{
		"approved": exitYes, "conditional": exitYes, "auto_approved": exitYes, "rejected": exitNo, "withdrawn": exitNo, "revoked": exitNo,
		"submitted": exitUnknown, "under_review": exitUnknown, "exception_required": exitUnknown, "": exitUnknown, "APPROVED": exitUnknown,
	} {
		got := exitYes
		if err := judgement(api.Request{Status: status}); err != nil {
			got = statusOf(err)
		}
		if got != want {
			t.Errorf("status %q: %d, want %d", status, got, want)
		}
	}
}

// TestNonsenseIsNotYes: a server that answers nonsense, redirects, or nothing
// is never an approval.
func TestNonsenseIsNotYes(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"a page": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>approved</html>") },
		"empty":  func(http.ResponseWriter, *http.Request) {},
		"empty object": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, "{}")
		},
		"broken": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"status":"approved"`)
		},
		"204":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) },
		"502":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) },
		"404 page": func(w http.ResponseWriter, _ *http.Request) { http.NotFound(w, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			server := &http.Server{Handler: answer, ReadHeaderTimeout: time.Second}
			go func() { _ = server.Serve(listener) }()
			defer server.Close()
			t.Setenv("EUCORA_TOKEN", "x")
			t.Setenv("EUCORA_SERVER", "http://"+listener.Addr().String())
			const id = "00000000-0000-7000-8000-000000000000"
			for _, line := range []string{"submit " + id, "gate " + id + " --ring LAB --devices 1 --artifact-sha256 " + strings.Repeat("0", 64)} {
				if code := run(context.Background(), strings.Fields(line)); code != exitUnknown {
					t.Errorf("%s: exit status %d", line, code)
				}
			}
		})
	}
	t.Setenv("EUCORA_TOKEN", "x")
	t.Setenv("EUCORA_SERVER", "http://127.0.0.1:1")
	if code := run(context.Background(), []string{"submit", "00000000-0000-7000-8000-000000000000"}); code != exitUnknown {
		t.Errorf("nobody there: exit status %d", code)
	}
}

// TestAnEmptyAnswerIsNoAnswer: whatever answers {} with 200 in the server's place
// has said yes to nothing, for no command.
func TestAnEmptyAnswerIsNoAnswer(t *testing.T) {
	for _, body := range []string{`{}`, `{"id":""}`, `{"results":null}`} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, body)
		}))
		t.Setenv("EUCORA_TOKEN", "x")
		t.Setenv("EUCORA_SERVER", server.URL)
		const id = "00000000-0000-7000-8000-000000000000"
		for _, line := range []string{
			"submit " + id, "show " + id, "show CAB-0A1B2C3D4E5F", "show EXC-0A1B2C3D4E5F", "queue", "review CAB-0A1B2C3D4E5F",
			"approve CAB-0A1B2C3D4E5F --rationale x", "reject CAB-0A1B2C3D4E5F --rationale x", "withdraw CAB-0A1B2C3D4E5F", "revoke CAB-0A1B2C3D4E5F --reason x",
			"deployment create --app a --app-version 1 --ring LAB", "deployment report " + id + " DEPLOYMENT_STARTED",
			"gate " + id + " --ring LAB --devices 1 --artifact-sha256 " + strings.Repeat("0", 64), "permit redeem " + id + " --artifact-sha256 " + strings.Repeat("0", 64),
			"gate " + id + " --ring LAB --devices 1 --explain --artifact-sha256 " + strings.Repeat("0", 64),
			"exception approve EXC-0A1B2C3D4E5F --rationale x", "exception list", "evidence show " + id, "evidence verify " + id, "evidence attestation " + id, "audit verify", "audit trail " + id, "audit proof 0", "audit checkpoint", "audit monitor --state " + filepath.Join(t.TempDir(), "mirror"),
		} {
			if code := run(context.Background(), strings.Fields(line)); code != exitUnknown {
				t.Errorf("%s answered by %s: exit status %d", line, body, code)
			}
		}
		server.Close()
	}
}

// TestWhoseToken: of a variable and a file on the command line, the file counts.
func TestWhoseToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("EUCORA_TOKEN", "from-variable")
	client, err := clientFlags{Token: "from-variable", TokenFile: file}.client()
	if err != nil || client.Token != "from-file" {
		t.Errorf("acts with %v (%v)", client, err)
	}
	if _, err := (clientFlags{Token: "from-flag", TokenFile: file}).client(); statusOf(err) != exitUsage {
		t.Errorf("both on the command line: %v", err)
	}
}

// TestNoCommandIsNoYes: an empty command line, as an empty variable in a
// pipeline makes it, does not exit 0.
func TestNoCommandIsNoYes(t *testing.T) {
	for _, args := range [][]string{{}, {"submit"}, {"nonsense"}, {"--nonsense"}, {"approve", "CAB-1"}} {
		if code := run(context.Background(), args); code != exitUsage {
			t.Errorf("%q: exit status %d", args, code)
		}
	}
}

// TestConfig: flags, variables and file mean the same, in this order.
func TestConfig(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "eucora.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	made := func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name, "ledger.key"))
		return err == nil
	}
	write("data: " + filepath.Join(dir, "file") + "\n")
	t.Setenv("EUCORA_DATA", "")
	os.Unsetenv("EUCORA_DATA")
	args := []string{"user", "list", "--config", file}
	if run(context.Background(), args) != 0 || !made("file") {
		t.Error("the file's value is not used")
	}
	t.Setenv("EUCORA_DATA", filepath.Join(dir, "env"))
	if run(context.Background(), args) != 0 || !made("env") {
		t.Error("the variable does not come before the file")
	}
	if run(context.Background(), append(args, "--data", filepath.Join(dir, "flag"))) != 0 || !made("flag") {
		t.Error("the flag does not come before the variable")
	}
	os.Unsetenv("EUCORA_DATA")
	for _, text := range []string{"data: [a, b]\n", "data: {a: b}\n"} {
		write(text)
		if code := run(context.Background(), args); code != exitUsage {
			t.Errorf("%q in the file: exit status %d", text, code)
		}
	}
	write("data:\n")
	t.Chdir(dir) // the default is a folder here
	if code := run(context.Background(), args); code != 0 {
		t.Errorf("an empty value in the file: exit status %d", code)
	}
	t.Setenv("EUCORA_LISTEN", "")
	if code := run(context.Background(), []string{"serve", "--data", filepath.Join(dir, "flag")}); code != exitUsage {
		t.Errorf("an empty address to listen on: exit status %d", code)
	}
	write("dta: x\n")
	if code := run(context.Background(), args); code != exitUsage {
		t.Errorf("a misspelt name in the file: exit status %d", code)
	}
	info, err := os.Stat(filepath.Join(dir, "flag", "ledger.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode: %v %v", info.Mode(), err)
	}
}
