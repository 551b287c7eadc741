package workflow

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
)

// TestMain lets the test binary play the server that is killed.
func TestMain(m *testing.M) {
	if url := os.Getenv("EUCORA_CRASH_CHILD"); url != "" {
		crashChild(url)
		return
	}
	os.Exit(m.Run())
}

// crashChild submits as fast as it can, and prints the id of each request once
// it has been acknowledged, until it is killed.
func crashChild(url string) {
	fail := func(err error) {
		fmt.Println("failed", err)
		os.Exit(1)
	}
	signer, err := ledger.NewSigner(os.Getenv("EUCORA_CRASH_KEY"))
	if err != nil {
		fail(err)
	}
	ctx := context.Background()
	st, err := store.Open(ctx, store.Options{URL: url, Signer: signer})
	if err != nil {
		fail(err)
	}
	s := New(st, Options{})
	if err := s.Prepare(ctx); err != nil {
		fail(err)
	}
	done := make(chan string)
	for i := range 8 {
		engineer, err := s.AddUser(ctx, Call{Actor: cab.Setup}, fmt.Sprint("engineer-", i, "-", newID()), cab.PackagingEngineer)
		if err != nil {
			fail(err)
		}
		call := Call{Actor: engineer.Actor()}
		go func() {
			for {
				d, err := s.CreateDeployment(ctx, call, "app", "1", cab.Lab)
				if err != nil {
					fail(err)
				}
				e, err := s.CreateEvidence(ctx, call, d.ID, evidenceOf("low"))
				if err != nil {
					fail(err)
				}
				r, err := s.Submit(ctx, call, Submission{PackageID: e.ID, Urgency: cab.Standard})
				if err != nil {
					fail(err)
				}
				done <- r.ID
			}
		}()
	}
	for id := range done {
		fmt.Println(id)
	}
}

// TestCrash kills a busy server at random moments, again and again on the same
// database: what was acknowledged is there, whole, and the ledger verifies.
func TestCrash(t *testing.T) {
	rounds := 10
	if text := os.Getenv("EUCORA_CRASH_ROUNDS"); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	if testing.Short() {
		rounds = 2
	}
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		url := e.URL(t)
		secret, err := ledger.GenerateKey("eucora.test/crash", rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		signer, err := ledger.NewSigner(secret)
		if err != nil {
			t.Fatal(err)
		}
		acknowledged := 0
		for range rounds {
			acknowledged += crashOnce(t, url, secret, signer)
		}
		t.Logf("%d rounds, %d acknowledged requests, none lost", rounds, acknowledged)
	})
}

func crashOnce(t *testing.T, url, secret string, signer *ledger.Signer) int {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "EUCORA_CRASH_CHILD="+url, "EUCORA_CRASH_KEY="+secret)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	random, err := rand.Int(rand.Reader, big.NewInt(200))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "failed") {
			t.Fatal(lines.Text())
		}
		ids = append(ids, lines.Text())
		if len(ids) == 1+int(random.Int64()) {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = child.Wait() // killed
	checkAfterCrash(t, url, signer, ids)
	return len(ids)
}

func checkAfterCrash(t *testing.T, url string, signer *ledger.Signer, ids []string) {
	t.Helper()
	ctx := context.Background()
	st, err := store.Open(ctx, store.Options{URL: url, Signer: signer})
	if err != nil {
		t.Fatalf("the server does not start again: %v", err)
	}
	defer st.Close()
	s := New(st, Options{})
	auditor := s.person(t, "auditor-"+newID(), cab.Auditor)
	for _, id := range ids {
		row, err := s.Request(ctx, auditor, id)
		if err != nil {
			t.Fatalf("acknowledged and lost: %s: %v", id, err)
		}
		if row.Decision == nil || row.Status != cab.AutoApproved {
			t.Errorf("half there: %+v", row)
		}
		if v, err := s.VerifyEvidence(ctx, auditor, row.PackageID); err != nil || !v.Valid {
			t.Errorf("evidence of %s: %+v %v", id, v, err)
		}
	}
	verifier, err := ledger.NewVerifier(signer.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Checkpoint(ctx); err != nil { // the server that starts again signs one
		t.Fatal(err)
	}
	report, err := st.Verify(ctx, store.VerifyOptions{Verifier: verifier})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		t.Errorf("after the crash: %s", f.What)
	}
}
