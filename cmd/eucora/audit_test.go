package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWhoseLog: every check of what a log signed takes the key or the policy in the
// same way: from a flag, or the policy from its variable.
func TestWhoseLog(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	none, nonsense := file("event", "{}"), file("policy", "nonsense\n")
	t.Setenv("EUCORA_TOKEN", "x")
	for name, args := range map[string][]string{
		"verify": {"audit", "verify"}, "a capsule": {"audit", "verify", none},
		"monitor": {"audit", "monitor", "--state", filepath.Join(dir, "mirror")}, "a proof": {"audit", "verify-proof", none, none},
	} {
		args = append(args[:len(args):len(args)], "--config", file("eucora.yaml", "trust: "+dir+"\n")) // the server's --trust is another
		t.Run(name, func(t *testing.T) {
			status := func(more ...string) int {
				return run(context.Background(), append(args[:len(args):len(args)], more...))
			}
			if name != "a proof" && status() == exitUsage {
				t.Error("the configuration of the server is not for this")
			}
			for _, wrong := range [][]string{{"--key", "nonsense"}, {"--trust", nonsense}, {"--trust", filepath.Join(dir, "nowhere")}} {
				if got := status(wrong...); got != exitUsage {
					t.Errorf("%s: status %d", wrong, got)
				}
			}
			if got := status("--config", file("audit.yaml", "audit-trust: "+nonsense+"\n")); got != exitUsage {
				t.Errorf("a policy that is none in the file: status %d", got)
			}
			t.Setenv("EUCORA_AUDIT_TRUST", nonsense)
			if got := status(); got != exitUsage {
				t.Errorf("a policy that is none in the variable: status %d", got)
			}
			if got := status("--key", "log.example+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"); got != exitUsage {
				t.Errorf("a key, and a policy in the variable: status %d", got)
			}
		})
	}
}

// TestWhatIsVerified: what is checked is what the command line says, and one that
// names two things, or what does not count, is refused.
func TestWhatIsVerified(t *testing.T) {
	dir := t.TempDir()
	capsule, database := filepath.Join(dir, "capsule.zip"), "sqlite:"+filepath.Join(dir, "eucora.db")
	if err := os.WriteFile(capsule, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	site := siteFlags{databaseFlags: databaseFlags{Data: dir}}
	made, err := site.open(context.Background(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := made.store.Close(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("EUCORA_TOKEN", "x")
	t.Setenv("EUCORA_SERVER", "http://127.0.0.1:1")
	const server, whole, sealed = exitUnknown, exitYes, exitNo // what each of them comes to here
	for _, c := range []struct {
		args string
		want int
	}{
		{"", server}, {"--server http://127.0.0.1:2", server}, {"--json", server},
		{"--whole-database", whole}, {"--database " + database, whole}, {"--whole-database --data " + dir, whole}, {"--database " + database + " --json", whole},
		{capsule, sealed}, {capsule + " --json", sealed},
		{"--data " + dir, exitUsage}, {"--without-attachments", exitUsage}, {"--attachments " + dir, exitUsage},
		{"--database " + database + " --server http://127.0.0.1:1", exitUsage}, {"--whole-database --token x", exitUsage}, {"--whole-database --timeout 1s", exitUsage},
		{capsule + " --database " + database, exitUsage}, {capsule + " --data " + dir, exitUsage}, {capsule + " --attachments " + dir, exitUsage},
		{capsule + " --whole-database", exitUsage}, {capsule + " --without-attachments", exitUsage}, {capsule + " --server http://127.0.0.1:1", exitUsage},
		{capsule + " --checkpoint " + capsule, exitUsage}, {capsule + " --save x", exitUsage},
	} {
		for _, set := range []string{"another", database} {
			t.Setenv("EUCORA_DATABASE", set)
			if set == "another" && strings.Contains(c.args, "--whole") {
				continue // there is none of that name
			}
			if got := run(context.Background(), append([]string{"audit", "verify"}, strings.Fields(c.args)...)); got != c.want {
				t.Errorf("audit verify %s, EUCORA_DATABASE=%s: status %d, want %d", c.args, set, got, c.want)
			}
		}
	}
}
