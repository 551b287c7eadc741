// Package witnesstest is a witness for tests: it keeps to C2SP tlog-witness, and
// can be told to misbehave.
package witnesstest

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/ledger"
	cosignature "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Witness remembers the largest tree of the log that it was shown, and cosigns
// what is consistent with it.
type Witness struct {
	Name string
	Key  string // vkey
	URL  string

	log    note.Verifier
	signer note.Signer

	mu   sync.Mutex
	seen ledger.Checkpoint
	// answer, when set, is given in the place of the right one.
	answer http.HandlerFunc
	slow   time.Duration // before each answer
}

// New makes a witness for the log of a key and serves it on loopback until the
// test ends.
func New(t testing.TB, name, logKey string) *Witness {
	t.Helper()
	secret, key, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		t.Fatal(err)
	}
	w := &Witness{Name: name, Key: key}
	if w.signer, err = cosignature.NewSignerForCosignatureV1(secret); err != nil {
		t.Fatal(err)
	}
	if w.log, err = note.NewVerifier(logKey); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(server.Close)
	w.URL = server.URL
	return w
}

// Line is the witness's line in a trust policy, under a name.
func (w *Witness) Line(name string) string {
	return "witness " + name + " " + w.Key + " " + w.URL + "\n"
}

// Misbehave makes the witness answer otherwise; nil: as it should again.
func (w *Witness) Misbehave(answer http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = answer
}

// Slow makes the witness wait before it answers.
func (w *Witness) Slow(by time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.slow = by
}

// Seen is the size of the largest tree that it has cosigned.
func (w *Witness) Seen() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen.Size
}

// Cosign is the signature line for a signed checkpoint, whatever it says.
func (w *Witness) Cosign(signed []byte) (string, error) {
	n, err := note.Open(signed, note.VerifierList(w.log))
	if err != nil {
		return "", err
	}
	both, err := note.Sign(&note.Note{Text: n.Text}, w.signer)
	if err != nil {
		return "", err
	}
	_, line, _ := strings.Cut(string(both), "\n\n")
	return line, nil
}

func (w *Witness) serve(out http.ResponseWriter, in *http.Request) {
	body, err := io.ReadAll(io.LimitReader(in.Body, 1<<16))
	w.mu.Lock()
	slow := w.slow
	w.mu.Unlock()
	select {
	case <-time.After(slow):
	case <-in.Context().Done():
		return
	}
	w.mu.Lock()
	answer := w.answer
	w.mu.Unlock()
	if answer != nil {
		answer(out, in)
		return
	}
	if err != nil || in.Method != http.MethodPost || in.URL.Path != "/add-checkpoint" {
		http.Error(out, "add-checkpoint is all there is", http.StatusNotFound)
		return
	}
	status, text := w.add(body)
	if status == http.StatusConflict {
		out.Header().Set("Content-Type", "text/x.tlog.size")
	}
	out.WriteHeader(status)
	fmt.Fprint(out, text)
}

// add reads the body of the call.
func (w *Witness) add(body []byte) (status int, answer string) {
	head, signed, _ := bytes.Cut(body, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	old, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "old "), 10, 64)
	if err != nil {
		return http.StatusBadRequest, "old size"
	}
	var proof []tlog.Hash
	for _, line := range lines[1:] {
		hash, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(hash) != tlog.HashSize {
			return http.StatusBadRequest, "proof"
		}
		proof = append(proof, tlog.Hash(hash))
	}
	return w.Add(old, proof, signed)
}

// Add is the call: the checks in the order of the specification. The answer is the
// signature line, or what is wrong.
func (w *Witness) Add(old int64, proof []ledger.Hash, signed []byte) (status int, answer string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := note.Open(signed, note.VerifierList(w.log))
	if err != nil {
		return http.StatusForbidden, "no signature of the log"
	}
	parts := strings.Split(n.Text, "\n")
	tree, err := tlog.ParseTree([]byte("go.sum database tree\n" + strings.Join(parts[1:], "\n")))
	if err != nil || old > tree.N {
		return http.StatusBadRequest, "size"
	}
	if old != w.seen.Size {
		return http.StatusConflict, fmt.Sprintf("%d\n", w.seen.Size)
	}
	shown := ledger.Checkpoint{Origin: parts[0], Size: tree.N, Root: tree.Hash}
	if old > 0 || len(proof) > 0 {
		if err := ledger.CheckConsistency(proof, w.seen, shown); err != nil {
			return http.StatusUnprocessableEntity, err.Error()
		}
	}
	line, err := w.Cosign(signed)
	if err != nil {
		return http.StatusInternalServerError, err.Error()
	}
	w.seen = shown
	return http.StatusOK, line
}
