package main

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/store/storetest"
)

// TestTwoServerProcesses: two servers on one PostgreSQL, 64 callers deciding
// one request at once, over and over: one 200, the rest 409; then the whole
// database is checked.
func TestTwoServerProcesses(t *testing.T) {
	var url string
	for _, e := range storetest.Engines(t) {
		if e.Name == "postgres" {
			url = e.URL(t)
		}
	}
	if url == "" {
		t.Skip("no PostgreSQL")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "eucora")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	env := append(os.Environ(), "EUCORA_DATABASE="+url, "EUCORA_LEDGER_KEY="+filepath.Join(dir, "ledger.key"), "EUCORA_DATA="+dir)
	run := func(args ...string) string {
		t.Helper()
		command := exec.Command(program, args...)
		command.Env = env
		var stderr bytes.Buffer
		command.Stderr = &stderr
		out, err := command.Output()
		if err != nil {
			t.Fatalf("%v: %v\n%s%s", args, err, out, stderr.String())
		}
		return strings.TrimSpace(string(out))
	}
	tokens := map[string]string{}
	for name, role := range map[string]string{"erin": "packaging_engineer", "carol": "cab_member", "chris": "cab_member"} {
		run("user", "add", name, "--role", role)
		tokens[name] = run("token", "create", name)
	}
	var addresses []string
	for range 2 {
		serve := exec.Command(program, "serve", "--listen", "127.0.0.1:0")
		serve.Env = env
		out, err := serve.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := serve.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = serve.Process.Kill(); _ = serve.Wait() })
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		addresses = append(addresses, strings.TrimSpace(strings.TrimPrefix(line, "listening on ")))
	}
	as := func(name string, server int) *api.Client {
		return &api.Client{Server: addresses[server], Token: tokens[name]}
	}
	ctx := context.Background()
	middling, err := os.ReadFile(filepath.Join("testdata", "middling.json"))
	if err != nil {
		t.Fatal(err)
	}
	var answered []string
	var key string
	for range 5 {
		d, err := as("erin", 0).CreateDeployment(ctx, api.CreateDeployment{AppName: "a", Version: "1", TargetRing: "LAB"})
		if err != nil {
			t.Fatal(err)
		}
		e, err := as("erin", 1).CreateEvidence(ctx, api.CreateEvidence{DeploymentID: d.ID, EvidenceData: middling})
		if err != nil {
			t.Fatal(err)
		}
		r, err := as("erin", 0).Submit(ctx, api.Submit{PackageID: e.ID})
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		won := 0
		var all sync.WaitGroup
		for i := range 64 {
			all.Go(func() {
				var err error
				if i%2 == 0 {
					_, err = as("carol", i/2%2).Approve(ctx, r.ID, api.Approve{Rationale: "yes"})
				} else {
					_, err = as("chris", i/2%2).Reject(ctx, r.ID, api.Rationale{Rationale: "no"})
				}
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won++
				} else if problem, ok := err.(*api.Problem); !ok || problem.Status != 409 {
					t.Errorf("a loser must get 409: %v", err)
				}
			})
		}
		for server := range 2 { // both write, sign and answer at once
			all.Go(func() {
				for range 8 {
					_, err := as("erin", server).CreateDeployment(ctx, api.CreateDeployment{AppName: "b", Version: "1", TargetRing: "LAB"})
					if err != nil {
						t.Error(err)
						return
					}
					c, err := as("erin", server).Checkpoint(ctx)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					answered, key = append(answered, c.Note), c.Key
					mu.Unlock()
				}
			})
		}
		all.Wait()
		if won != 1 {
			t.Errorf("%d decisions won", won)
		}
	}
	agree(t, url, key, answered)
	if out := run("audit", "verify", "--whole-database"); !strings.Contains(out, "rows that say what the events say") {
		t.Errorf("%s", out)
	}
}
