package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/store/storetest"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const hookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// replicas are servers on one PostgreSQL that tell one receiver.
type replicas struct {
	t        *testing.T
	program  string
	env      []string
	dir      string
	receiver *httptest.Server

	mu        sync.Mutex
	processes map[int]*exec.Cmd
	addresses map[int]string
	kill      map[int]int // server → how many messages it may send before it is killed, while the last is on its way
	ids       map[string]int
	killed    int
	arrived   chan struct{}
}

// receive takes a message, checks its signature, and kills its sender before it
// hears that the message was taken, if its time has come.
func (r *replicas) receive(w http.ResponseWriter, q *http.Request) {
	var server int
	_, _ = fmt.Sscanf(q.URL.Path, "/%d", &server)
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return // its sender was killed before it had sent all
	}
	reference, err := standardwebhooks.NewWebhook(hookSecret)
	if err != nil {
		r.t.Error(err)
	}
	if err := reference.Verify(body, q.Header); err != nil {
		r.t.Error(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.kill) > 0 && r.kill[server] == 0 && r.killed < len(r.kill) { // the last one's time is when the others are dead
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	r.ids[q.Header.Get("webhook-id")]++
	if r.kill[server] > 0 {
		if r.kill[server]--; r.kill[server] == 0 {
			_ = r.processes[server].Process.Kill()
			r.killed++
		}
	}
	r.arrived <- struct{}{}
}

// serve starts a server.
func (r *replicas) serve(server int) {
	r.t.Helper()
	file := filepath.Join(r.dir, fmt.Sprintf("notices%d.yaml", server))
	text := fmt.Sprintf("channels: [{name: hook, webhook: {url: '%s/%d', secret_file: '%s'}}]", r.receiver.URL, server, filepath.Join(r.dir, "secret"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	serve := exec.Command(r.program, "serve", "--listen", "127.0.0.1:0", "--notices", file)
	serve.Env = r.env
	out, err := serve.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := serve.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = serve.Process.Kill(); _ = serve.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.processes[server] = serve
	r.addresses[server] = strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
}

func newReplicas(t *testing.T, url string) *replicas {
	t.Helper()
	dir := t.TempDir()
	r := &replicas{
		t: t, program: filepath.Join(dir, "eucora"), dir: dir, processes: map[int]*exec.Cmd{}, addresses: map[int]string{},
		kill: map[int]int{}, ids: map[string]int{}, arrived: make(chan struct{}, 1000),
	}
	r.env = append(os.Environ(), "EUCORA_DATABASE="+url, "EUCORA_LEDGER_KEY="+filepath.Join(dir, "ledger.key"), "EUCORA_DATA="+dir)
	if out, err := exec.Command("go", "build", "-o", r.program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte(hookSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	r.receiver = httptest.NewServer(http.HandlerFunc(r.receive))
	t.Cleanup(r.receiver.Close)
	return r
}

func (r *replicas) run(args ...string) string {
	r.t.Helper()
	command := exec.Command(r.program, args...)
	command.Env = r.env
	out, err := command.Output()
	if err != nil {
		r.t.Fatalf("%v: %v", args, err)
	}
	return strings.TrimSpace(string(out))
}

// TestReplicasAreKilled: three servers on one PostgreSQL share the sending. One
// after the other is killed while a message of its own has arrived and it has not
// heard so. Each notice arrives; by their ids, each exactly once.
func TestReplicasAreKilled(t *testing.T) {
	var url string
	for _, e := range storetest.Engines(t) {
		if e.Name == "postgres" {
			url = e.URL(t)
		}
	}
	if url == "" {
		t.Skip("no PostgreSQL")
	}
	r := newReplicas(t, url)
	r.run("user", "add", "erin", "--role", "packaging_engineer")
	token := r.run("token", "create", "erin")
	for server := range 3 {
		r.serve(server)
	}
	middling, err := os.ReadFile(filepath.Join("testdata", "middling.json"))
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	r.kill[0], r.kill[1] = 2, 4 // the third lives
	client := &api.Client{Server: r.addresses[2], Token: token}
	r.mu.Unlock()
	const n = 40
	ctx := context.Background()
	for range n {
		d, err := client.CreateDeployment(ctx, api.CreateDeployment{AppName: "a", Version: "1", TargetRing: "LAB"})
		if err != nil {
			t.Fatal(err)
		}
		e, err := client.CreateEvidence(ctx, api.CreateEvidence{DeploymentID: d.ID, EvidenceData: middling})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Submit(ctx, api.Submit{PackageID: e.ID}); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.After(4 * time.Minute)
	repeated := 0
	for done := false; !done; {
		r.mu.Lock()
		repeated = 0
		for _, times := range r.ids {
			repeated += times - 1
		}
		done = len(r.ids) == n && repeated >= r.killed && r.killed == len(r.kill)
		r.mu.Unlock()
		if done {
			break
		}
		select {
		case <-r.arrived:
		case <-deadline:
			t.Fatalf("%d of %d notices arrived; %d servers were killed, %d messages came again", len(r.ids), n, r.killed, repeated)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if repeated != r.killed {
		t.Errorf("%d servers were killed, and %d messages came again: want one for each", r.killed, repeated)
	}
	if out := r.run("audit", "verify", "--whole-database"); !strings.Contains(out, "rows that say what the events say") {
		t.Errorf("audit verify:\n%s", out)
	}
}
