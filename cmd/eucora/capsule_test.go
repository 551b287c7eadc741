package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

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
