package main

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/capsule"
	"github.com/eucora/eucora/internal/capsule/capsuletest"
	"github.com/rogpeppe/go-internal/testscript"
)

// flipScript: flip FROM TO AT copies a file with one bit changed, of the byte at AT;
// -1 is the last.
func flipScript(ts *testscript.TestScript, _ bool, args []string) {
	text := []byte(ts.ReadFile(args[0]))
	at, err := strconv.Atoi(args[2])
	ts.Check(err)
	if at < 0 {
		at += len(text)
	}
	text[at] ^= 4
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), text, 0o644))
}

// policyScript: policy FILE KEY none|somebody writes a trust policy for the log with
// that key: it wants no witness, or one that nobody has asked.
func policyScript(ts *testscript.TestScript, _ bool, args []string) {
	text := "log " + args[1] + "\nquorum none\n"
	if args[2] != "none" {
		text = "log " + args[1] + "\nwitness w " + capsuletest.NewWitness("witness.example").Key + "\nquorum w\n"
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}

// secondScript: second CAPSULE ARGUMENT… has the second verifier check a capsule; ! if
// it is to refuse it. Where there is no Python for it that is left out; with
// EUCORA_REQUIRE_PEERS=1 it is a failure.
func secondScript(ts *testscript.TestScript, neg bool, args []string) {
	python, err := capsuletest.Python()
	if err != nil && os.Getenv("EUCORA_REQUIRE_PEERS") != "1" {
		ts.Logf("the second verifier is left out: %v", err)
		return
	}
	ts.Check(err)
	program, err := filepath.Abs("../../verify/eucora_verify.py")
	ts.Check(err)
	cmd := exec.Command(python, append([]string{program}, args...)...)
	cmd.Dir = ts.Getenv("WORK")
	told, err := cmd.CombinedOutput()
	ts.Logf("%s", told)
	failed, refused := errors.AsType[*exec.ExitError](err)
	if err != nil && !(refused && failed.ExitCode() == 1) || (err != nil) != neg {
		ts.Fatalf("the second verifier: %v", err)
	}
}

// TestExportOfWhatWasAskedFor: a capsule of another request, or of another log than
// the auditor's, is not taken for the one that was asked for; and what nobody has
// checked is said.
func TestExportOfWhatWasAskedFor(t *testing.T) {
	story := capsuletest.Stories()[0].Make()
	sent := story.Capsule(false)
	report, err := capsule.Verify(bytes.NewReader(sent), int64(len(sent)), capsule.Options{})
	if err != nil || !report.Holds() {
		t.Fatalf("%+v, %v", report, err)
	}
	id, own, nobody := report.Outcome.Request.ID, story.Signer.VerifierKey(), capsuletest.NewWitness("other.example").Key
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/zip")
		body := bytes.Clone(sent)
		if strings.Contains(r.URL.RawQuery, "attachments") {
			body[len(body)/2] ^= 1
		}
		if strings.Contains(r.URL.Path, id) {
			body[len(body)-1] ^= 1
		}
		_, _ = w.Write(body)
	}))
	defer server.Close()
	stranger := capsuletest.Stories()[1].Make().Signer.VerifierKey()
	dir := t.TempDir()
	policy := filepath.Join(dir, "witnessed.trust")
	if err := os.WriteFile(policy, []byte("log "+own+"\nwitness w "+nobody+"\nquorum w\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		auditExportCmd
		code    int
		written bool
		says    string
	}{
		"the one":               {auditExportCmd{Request: story.Name()}, exitYes, true, "! the log's key was taken on trust"},
		"by its id":             {auditExportCmd{Request: strings.ToUpper(id)}, exitYes, true, story.Name() + ", as of "},
		"by the log's key":      {auditExportCmd{Request: story.Name(), trustFlags: trustFlags{Key: own}}, exitYes, true, "! as of the checkpoint"},
		"another one":           {auditExportCmd{Request: "CAB-0123456789AB"}, exitNo, false, "the capsule of " + story.Name() + " came, and not that of CAB-0123456789AB"},
		"another one by its id": {auditExportCmd{Request: "00000000-0000-7000-8000-000000000000"}, exitNo, false, "and not that of 00000000"},
		"of another log":        {auditExportCmd{Request: story.Name(), trustFlags: trustFlags{Key: stranger}}, exitNo, true, "checkpoint: "},
		"not witnessed":         {auditExportCmd{Request: story.Name(), trustFlags: trustFlags{Policy: policy}}, exitNo, true, "witnesses: "},
		"damaged":               {auditExportCmd{Request: story.Name(), Attachments: true}, exitNo, true, "does not hold"},
		"none":                  {auditExportCmd{Request: id}, exitNo, false, "what came is no capsule"},
		"no key":                {auditExportCmd{Request: story.Name(), trustFlags: trustFlags{Key: "nonsense"}}, exitUsage, false, "--key"},
	} {
		c.Output = filepath.Join(dir, "capsule.zip")
		if err := os.WriteFile(c.Output, []byte("before"), 0o600); err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		c.clientFlags = clientFlags{Server: server.URL, Token: "x", Timeout: time.Minute}
		a := &app{ctx: t.Context(), out: &said, errOut: &said}
		code := a.status(c.Run(a))
		text, err := os.ReadFile(c.Output)
		if code != c.code || err != nil || (string(text) != "before") != c.written || !strings.Contains(said.String(), c.says) {
			t.Errorf("%s: exit status %d, want %d; written %v; %v\n%s", name, code, c.code, string(text) != "before", err, &said)
		}
		if c.Key != "" && strings.Contains(said.String(), "taken on trust") {
			t.Errorf("%s: %s", name, &said)
		}
	}
}
