package main

import (
	"context"
	"os"
	"path/filepath"
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
