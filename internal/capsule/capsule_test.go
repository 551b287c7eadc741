package capsule_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/eucora/eucora/internal/capsule"
	"github.com/eucora/eucora/internal/capsule/capsuletest"
	"github.com/eucora/eucora/internal/ledger"
)

// verify checks a capsule as an auditor would.
func verify(t testing.TB, c capsuletest.Case) capsule.Report {
	t.Helper()
	var o capsule.Options
	var err error
	if c.Key != "" {
		if o.Key, err = ledger.NewVerifier(c.Key); err != nil {
			t.Fatal(err)
		}
	}
	if c.Trust != "" {
		if o.Trust, err = ledger.ParseTrust([]byte(c.Trust)); err != nil {
			t.Fatal(err)
		}
	}
	report, err := capsule.Verify(bytes.NewReader(c.Capsule), int64(len(c.Capsule)), o)
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	return report
}

func text(r capsule.Report) string {
	var lines []string
	for _, c := range r.Checks {
		mark := "BAD "
		if c.Holds {
			mark = "ok  "
		}
		lines = append(lines, mark+c.Name+": "+c.Text)
	}
	return strings.Join(append(lines, r.Notes...), "\n")
}

// TestCases: each capsule is found to be what it is, by the check that is there for
// it, and in words that say so.
func TestCases(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range capsuletest.Cases() {
		if seen[c.Name] {
			t.Errorf("%s: two of that name", c.Name)
		}
		seen[c.Name] = true
		t.Run(c.Name, func(t *testing.T) {
			r := verify(t, c)
			t.Log("\n" + text(r))
			if r.Holds() != c.Holds {
				t.Fatalf("holds: %v, want %v", r.Holds(), c.Holds)
			}
			for _, check := range r.Checks {
				if check.Name == c.Check && !check.Holds && strings.Contains(check.Text, c.Says) {
					return
				}
			}
			if !c.Holds {
				t.Errorf("no check %s that says %q", c.Check, c.Says)
			}
		})
	}
}

// TestOutcome: the report says what became of the request.
func TestOutcome(t *testing.T) {
	for _, s := range capsuletest.Stories() {
		r := verify(t, capsuletest.Case{Name: s.Name, Capsule: s.Make().Capsule(false)})
		if o := r.Outcome; !r.Holds() || o.Request.Status != s.Status || o.Request.Name != r.Request || (o.Decision != nil) != s.Status.Decided() {
			t.Errorf("%s: %+v", s.Name, o)
		}
	}
}

// TestWriteCases writes all of them for other verifiers: EUCORA_CAPSULES=dir.
func TestWriteCases(t *testing.T) {
	dir := os.Getenv("EUCORA_CAPSULES")
	if dir == "" {
		dir = t.TempDir()
	}
	if err := capsuletest.Write(dir); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile(dir + "/LIST")
	if err != nil || bytes.Count(list, []byte("\n")) < 80 {
		t.Errorf("%d lines, %v", bytes.Count(list, []byte("\n")), err)
	}
}
