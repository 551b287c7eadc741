package store_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
)

// TestMain lets the test binary play the server that dies.
func TestMain(m *testing.M) {
	if url := os.Getenv("EUCORA_STEP_CHILD"); url != "" {
		if err := stepChild(url); err != nil {
			fmt.Println("failed", err)
		}
		return
	}
	os.Exit(m.Run())
}

// crashBatch is how many events one transaction of the dying server has: across the
// end of a tile, where the tree grows on several levels.
const crashBatch = 3

// stepChild extends the ledger and signs it, twice, and prints what it was answered.
// At its n-th step the kernel kills it.
func stepChild(url string) error {
	signer, err := ledger.NewSigner(os.Getenv("EUCORA_STEP_KEY"))
	if err != nil {
		return err
	}
	left, err := strconv.Atoi(os.Getenv("EUCORA_STEP_AT"))
	if err != nil {
		return err
	}
	s, err := store.OpenStepping(ctx, store.Options{URL: url, Signer: signer}, func(what string) {
		if left--; left == 0 {
			words := strings.Fields(what)
			fmt.Println("died before", strings.Join(words[:min(3, len(words))], " "))
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	if err != nil {
		return err
	}
	for range 2 {
		if err := extend(s, crashBatch); err != nil {
			return err
		}
		fmt.Println("written")
		signed, err := s.Checkpoint(ctx)
		if err != nil {
			return err
		}
		fmt.Println("signed", base64.StdEncoding.EncodeToString(signed))
	}
	fmt.Println("end")
	return nil
}

// extend adds n events in one transaction.
func extend(s *store.Store, n int) error {
	return s.Update(ctx, func(tx *store.Tx) error {
		for range n {
			change, err := deployment()
			if err != nil {
				return err
			}
			if err := tx.Save(change); err != nil {
				return err
			}
		}
		return nil
	})
}

// TestCrashAtEveryStep kills a server before each statement that extends the tree
// or signs it, before and after each commit, one after the other on one database:
// what was answered is there, what was not is there whole or not at all, and the log
// verifies against every checkpoint that was ever answered.
func TestCrashAtEveryStep(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		secret, err := ledger.GenerateKey("eucora.test/step", rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c := &crashing{url: e.URL(t), secret: secret}
		c.look(t)
		var steps []string
		each := 1
		if testing.Short() || race { // a child with the race detector takes ten times as long
			each = 9
		}
		for at := 1; ; at += each {
			if at > 200 {
				t.Fatal("the server never comes to its end")
			}
			step, ended := c.round(t, at)
			if ended {
				break
			}
			steps = append(steps, step)
		}
		if len(steps)*each < 16 {
			t.Errorf("only %d steps: %q", len(steps), steps)
		}
		t.Logf("killed before each of %d steps: %s", len(steps), strings.Join(steps, ", "))
	})
}

type crashing struct {
	url, secret string
	held        []byte // the newest checkpoint that was ever answered
	events      int64  // before the server that dies
}

// round lets a server die at a step, and then looks at what it left.
func (c *crashing) round(t *testing.T, at int) (step string, ended bool) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "EUCORA_STEP_CHILD="+c.url, "EUCORA_STEP_KEY="+c.secret, "EUCORA_STEP_AT="+strconv.Itoa(at))
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	written := int64(0)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "written":
			written++
		case "signed":
			if c.held, err = base64.StdEncoding.DecodeString(rest); err != nil {
				t.Fatal(err)
			}
		case "died":
			step = strings.TrimPrefix(rest, "before ")
		case "end":
			ended = true
		default:
			t.Fatal(lines.Text())
		}
	}
	_ = child.Wait() // killed
	if step == "" && !ended {
		t.Fatal("the server ended and said nothing")
	}
	before := c.events
	grown := c.look(t) - before
	if grown != crashBatch*written && (ended || grown != crashBatch*(written+1)) {
		t.Errorf("step %d (%s): %d transactions of %d events were answered, and %d events are there", at, step, written, crashBatch, grown)
	}
	return step, ended
}

// look verifies what a server finds that starts again and signs, and returns how
// many events there are. Then it adds some for the next, up to just before the end
// of a tile.
func (c *crashing) look(t *testing.T) int64 {
	t.Helper()
	signer, err := ledger.NewSigner(c.secret)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(context.Background(), store.Options{URL: c.url, Signer: signer, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("the server does not start again: %v", err)
	}
	defer s.Close()
	if _, err := s.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	verifier, err := ledger.NewVerifier(signer.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	report, err := s.Verify(ctx, store.VerifyOptions{Verifier: verifier, Held: c.held})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		t.Errorf("after the crash: %s", f.What)
	}
	more := 1 + (256+253-report.Events%256)%256
	if err := extend(s, int(more)); err != nil {
		t.Fatal(err)
	}
	c.events = report.Events + more
	return report.Events
}
