package main

import (
	"os"
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
