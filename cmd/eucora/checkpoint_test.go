package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/identity"
	"github.com/eucora/eucora/internal/witness/witnesstest"
	"github.com/eucora/eucora/internal/workflow"
)

// TestServedWithWitnesses: a server with a witness policy and an authority that
// answers nonsense: what auditors get, and what operators see.
func TestServedWithWitnesses(t *testing.T) {
	dir := t.TempDir()
	signer, err := loadKey(filepath.Join(dir, "ledger.key"))
	if err != nil {
		t.Fatal(err)
	}
	w := witnesstest.New(t, "witness.example/a", signer.VerifierKey())
	policy := filepath.Join(dir, "witnesses.policy")
	if err := os.WriteFile(policy, []byte("log "+signer.VerifierKey()+"\n"+w.Line("a")+"quorum a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	nonsense := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "yes") }))
	defer nonsense.Close()
	serve := &serveCmd{
		siteFlags: siteFlags{databaseFlags: databaseFlags{Data: dir}, Witnesses: policy}, Listen: "127.0.0.1:0",
		stampFlags: stampFlags{Authority: nonsense.URL, Every: time.Second},
	}
	served, err := serve.start(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = served.stop(context.Background()) }()
	id, token, hash := identity.NewSecret()
	setup := workflow.Call{Actor: cab.Setup}
	if _, err := served.service.AddUser(t.Context(), setup, "ada", cab.Auditor); err != nil {
		t.Fatal(err)
	}
	if _, err := served.service.IssueToken(t.Context(), setup, "ada", id, "test", hash, 30); err != nil {
		t.Fatal(err)
	}
	address := "http://" + served.address
	client := &api.Client{Server: address, Token: token}
	newest := witnessed(t, client)
	if newest.Witnesses.Quorum != "a" || len(newest.Witnesses.By) != 1 || newest.Timestamp != nil {
		t.Errorf("%+v", newest.Witnesses)
	}
	t.Setenv("EUCORA_TOKEN", token)
	t.Setenv("EUCORA_SERVER", address)
	saved := filepath.Join(dir, "cosigned")
	if code := run(t.Context(), []string{"audit", "checkpoint", "--save", saved}); code != exitYes {
		t.Fatalf("exit status %d", code)
	}
	note, err := os.ReadFile(saved)
	if err != nil {
		t.Fatal(err)
	}
	trust := served.service.Witnesses()
	if opened, err := trust.Open(note); err != nil || !trust.Enough(opened) || opened.Size != newest.Witnesses.Witnessed {
		t.Errorf("%s: %+v %v", note, opened, err)
	}
	if code := run(t.Context(), []string{"audit", "checkpoint", "--timestamped", saved + "2"}); code != exitNo {
		t.Errorf("no time-stamp: exit status %d", code)
	}
	until(t, "the metrics", func() bool {
		text := metrics(t, address)
		return strings.Contains(text, "eucora_ledger_witnessed_events ") && strings.Contains(text, "eucora_ledger_unwitnessed_seconds 0\n") &&
			strings.Contains(text, "eucora_timestamp_failures_total ") // it takes a second
	})
}

func metrics(t *testing.T, address string) string {
	t.Helper()
	response, err := http.Get(address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// witnessed waits until a quorum has witnessed all that there is.
func witnessed(t *testing.T, client *api.Client) (c api.Checkpoint) {
	t.Helper()
	until(t, "witnessed", func() bool {
		var err error
		if c, err = client.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		return c.Witnesses != nil && c.Witnesses.State == "witnessed" && c.Witnesses.Witnessed == c.Witnesses.Size
	})
	return c
}

// until waits for what a server does by itself.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for late := time.After(30 * time.Second); !holds(); {
		select {
		case <-ticker.C:
		case <-late:
			t.Fatalf("%s: not within 30 seconds", what)
		}
	}
}

// TestServeRefuses: a policy about another ledger, or none; and addresses that are
// none.
func TestServeRefuses(t *testing.T) {
	dir := t.TempDir()
	other, err := loadKey(filepath.Join(dir, "other.key"))
	if err != nil {
		t.Fatal(err)
	}
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, flags := range map[string][]string{
		"another ledger's":  {"--witness-policy", file("a", "log "+other.VerifierKey()+"\nquorum none\n")},
		"no policy":         {"--witness-policy", file("b", "quorum x\n")},
		"no such file":      {"--witness-policy", filepath.Join(dir, "nowhere")},
		"no address":        {"--timestamp-authority", "ftp://x"},
		"much too often":    {"--timestamp-authority", "http://x", "--timestamp-every", "1ms"},
		"a length of time?": {"--timestamp-every", "soon"},
	} {
		args := append([]string{"serve", "--data", filepath.Join(dir, "data"), "--listen", "127.0.0.1:0"}, flags...)
		if code := run(t.Context(), args); code != exitUsage {
			t.Errorf("%s: exit status %d", name, code)
		}
	}
}
