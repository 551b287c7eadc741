package witness_test

import (
	"bufio"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
	"github.com/eucora/eucora/internal/witness/witnesstest"
	"github.com/eucora/eucora/internal/workflow"
	_ "modernc.org/sqlite" // litewitness's database
)

// lite is litewitness (filippo.io/torchwood), unmodified, with its key in an
// ssh-agent.
type lite struct {
	t                         *testing.T
	program, dir, sock, print string
	address                   string
	process                   *exec.Cmd
	key                       string // vkey, as it says
}

func newLite(t *testing.T) *lite {
	t.Helper()
	l := &lite{t: t, program: peer(t, "../../bin/litewitness")}
	for _, tool := range []string{"ssh-agent", "ssh-add", "ssh-keygen"} {
		peer(t, tool)
	}
	var err error
	if l.dir, err = os.MkdirTemp("", "lw"); err != nil { // short: a socket's path has at most 107 bytes
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(l.dir) })
	l.sock = filepath.Join(l.dir, "agent")
	agent := exec.Command("ssh-agent", "-D", "-a", l.sock)
	agent.Stdout = nil
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = agent.Process.Kill(); _ = agent.Wait() })
	eventually(t, "the agent's socket", func() bool { _, err := os.Stat(l.sock); return err == nil })
	key := filepath.Join(l.dir, "key")
	l.exec("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
	l.exec("ssh-add", "-q", key)
	l.print = strings.Fields(l.exec("ssh-keygen", "-l", "-f", key+".pub"))[1]
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.address = listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.kill)
	return l
}

// peer is a program by others. make test has them all.
func peer(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("EUCORA_REQUIRE_PEERS") == "1" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("make peers gets it: %v", err)
	}
	path, err = filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func (l *lite) exec(name string, args ...string) string {
	l.t.Helper()
	command := exec.Command(name, args...)
	command.Env = append(os.Environ(), "SSH_AUTH_SOCK="+l.sock)
	out, err := command.CombinedOutput()
	if err != nil {
		l.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func (l *lite) database() string { return filepath.Join(l.dir, "litewitness.db") }

// start starts it and waits until it listens.
func (l *lite) start() {
	l.t.Helper()
	l.process = exec.Command(l.program, "-db", l.database(), "-name", "witness.example/lite", "-key", l.print, "-ssh-agent", l.sock, "-listen", l.address)
	out, err := l.process.StderrPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	if err := l.process.Start(); err != nil {
		l.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.Contains(lines.Text(), "msg=listening") {
		if _, key, ok := strings.Cut(lines.Text(), "vkey="); ok {
			l.key = strings.Trim(key, `"`)
		}
	}
	if l.key == "" {
		l.t.Fatal("litewitness did not start")
	}
	go func() {
		for lines.Scan() {
		}
	}()
	eventually(l.t, "litewitness listens", func() bool {
		conn, err := net.Dial("tcp", l.address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

func (l *lite) kill() {
	if l.process != nil {
		_ = l.process.Process.Kill()
		_ = l.process.Wait()
	}
	l.process = nil
}

// addLog is what witnessctl add-log and add-key write.
func (l *lite) addLog(key string) {
	l.t.Helper()
	db, err := sql.Open("sqlite", "file:"+l.database()+"?_pragma=busy_timeout(5000)")
	if err != nil {
		l.t.Fatal(err)
	}
	defer db.Close()
	origin, _, _ := strings.Cut(key, "+")
	empty := sha256.Sum256(nil)
	if _, err := db.Exec(`INSERT INTO log (origin, tree_size, tree_hash) VALUES (?, 0, ?)`, origin, base64.StdEncoding.EncodeToString(empty[:])); err != nil {
		l.t.Fatal(err)
	}
	if _, err := db.Exec(`INSERT INTO key (origin, key) VALUES (?, ?)`, origin, key); err != nil {
		l.t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	late := time.After(30 * time.Second)
	for !holds() {
		select {
		case <-ticker.C:
		case <-late:
			t.Fatalf("%s: not within 30 seconds", what)
		}
	}
}

const lowRisk = `{"artifacts":{"sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","signature":"x","sbom":"y"},
	"test_results":{"coverage_percent":95,"manual_test_status":"completed"},"scan_results":{"scanner":"trivy","critical":0,"high":0},
	"rollback_plan":{"strategy":"reinstall","validated":true},
	"deployment_plan":{"rings":["LAB"],"affected_components":["a"],"complexity":"low","affected_users":10}}`

// gate is a service whose policy wants the ledger witnessed, and an engineer.
func gate(t *testing.T, s *site, clock func() time.Time) (*workflow.Service, func() workflow.RequestRow) {
	t.Helper()
	service := workflow.New(s.store, workflow.Options{Witnesses: s.trust, Clock: clock})
	if err := service.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	setup := workflow.Call{Actor: cab.Setup}
	rules, err := cab.ParsePolicy(cab.DefaultPolicy())
	if err != nil {
		t.Fatal(err)
	}
	rules.Version, rules.RequireWitnessed = "witnessed", true
	if _, err := service.PublishPolicy(t.Context(), setup, rules); err != nil {
		t.Fatal(err)
	}
	erin, err := service.AddUser(t.Context(), setup, "erin", cab.PackagingEngineer)
	if err != nil {
		t.Fatal(err)
	}
	canonical, err := evidence.Canonical([]byte(lowRisk))
	if err != nil {
		t.Fatal(err)
	}
	return service, func() workflow.RequestRow {
		t.Helper()
		call := workflow.Call{Actor: erin.Actor()}
		d, err := service.CreateDeployment(t.Context(), call, "app", "1", cab.Lab)
		if err != nil {
			t.Fatal(err)
		}
		e, err := service.CreateEvidence(t.Context(), call, d.ID, canonical)
		if err != nil {
			t.Fatal(err)
		}
		row, err := service.Submit(t.Context(), call, workflow.Submission{PackageID: e.ID, Urgency: cab.Standard})
		if err != nil {
			t.Fatal(err)
		}
		return row
	}
}

// TestLitewitness: an independent witness, unmodified, and one of ours, both of
// which must cosign. While it is gone events are written and automatic approvals
// wait; when it is back they are given. What is not this log it refuses.
func TestLitewitness(t *testing.T) {
	l := newLite(t)
	var ahead atomic.Int64
	clock := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	signer := storetest.Key(t)
	s := &site{T: t, store: storetest.Open(t, store.Options{URL: storetest.Engines(t)[0].URL(t), Signer: signer, Clock: clock})}
	l.start()
	l.addLog(s.store.LedgerKey())
	own := witnesstest.New(t, "witness.example/own", s.store.LedgerKey())
	text := "log " + s.store.LedgerKey() + "\nwitness lite " + l.key + " http://" + l.address + "/\n" + own.Line("own") + "group both all lite own\nquorum both\n"
	var err error
	if s.trust, err = ledger.ParseTrust([]byte(text)); err != nil {
		t.Fatal(err)
	}
	service, submit := gate(t, s, clock)
	s.grow(1)
	stop := s.run(s.offering(slog.New(slog.DiscardHandler), nil))
	defer stop()
	s.until("both witness it", all)
	if got := submit(); got.Status != cab.AutoApproved {
		t.Fatalf("witnessed, and %s", got.Status)
	}
	s.grow(300)
	s.until("both witness it, over more than one tile", all)

	l.kill()
	waits := submit()
	s.grow(1)
	s.until("one of two", func(state store.WitnessState, c store.Checkpointed) bool {
		return len(c.Cosignatures) == 1 && state.Signed == state.Size && state.Witnessed < state.Size
	})
	if waits.Status != cab.AutoApproved {
		t.Errorf("within the minute of grace, and %s", waits.Status)
	}
	ahead.Store(int64(cab.WitnessGrace + time.Second))
	if waits = submit(); waits.Status != cab.Submitted || waits.Gate.WaitsFor != cab.ForWitnesses {
		t.Errorf("unwitnessed, and %s", waits.Status)
	}
	l.start()
	s.until("both witness it again", all)
	if err := service.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	row, err := service.Request(t.Context(), workflow.Call{Actor: cab.Actor{ID: waits.SubmittedBy.ID, Role: cab.PackagingEngineer}}, waits.ID)
	if err != nil || row.Status != cab.AutoApproved {
		t.Errorf("witnessed again, and %s (%v)", row.Status, err)
	}
	s.until("both have seen that, too", all)
	stop()
	t.Run("fork", func(t *testing.T) { forks(t, s, signer) })
}

// forks are logs of the same name and key that are not what litewitness has seen.
func forks(t *testing.T, real *site, signer *ledger.Signer) {
	for name, c := range map[string]struct {
		events int
		want   string
	}{
		"longer":  {1000, "refuses with 422"},
		"shorter": {5, "the database is older than what it has seen"},
	} {
		t.Run(name, func(t *testing.T) {
			fork := &site{T: t, store: storetest.Open(t, store.Options{URL: storetest.Engines(t)[0].URL(t), Signer: signer}), trust: real.trust}
			fork.grow(c.events)
			failed := make(chan string, 100)
			var text safeBuffer
			stop := fork.run(fork.offering(slog.New(slog.NewTextHandler(&text, nil)), func(name string) { failed <- name }))
			for name := range failed {
				if name == "lite" {
					break
				}
			}
			stop()
			if !strings.Contains(text.String(), c.want) {
				t.Errorf("the log does not say %q:\n%s", c.want, text.String())
			}
			fork.until("nothing kept", func(state store.WitnessState, c store.Checkpointed) bool {
				return state.Witnessed == 0 && len(c.Cosignatures) == 0
			})
		})
	}
}
