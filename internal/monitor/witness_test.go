package monitor_test

import (
	"crypto/rand"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/monitor"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
	cosignature "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// witness is one that signs whatever it is shown.
type witness struct {
	key    string
	signer note.Signer
}

func newWitness(t *testing.T) witness {
	t.Helper()
	secret, key, err := note.GenerateKey(rand.Reader, "witness.example")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := cosignature.NewSignerForCosignatureV1(secret)
	if err != nil {
		t.Fatal(err)
	}
	return witness{key, signer}
}

// line is the witness's cosignature of a checkpoint.
func (by witness) line(w *world, signed []byte) string {
	w.t.Helper()
	verifier, err := note.NewVerifier(w.store.LedgerKey())
	w.ok(err)
	n, err := note.Open(signed, note.VerifierList(verifier))
	w.ok(err)
	both, err := note.Sign(n, by.signer)
	w.ok(err)
	for line := range strings.Lines(string(both)) {
		if strings.HasPrefix(line, "— witness.example ") {
			return line
		}
	}
	w.t.Fatal("no line")
	return ""
}

// cosign has the witness sign the newest checkpoint, and the store keep it.
func (w *world) cosign(by witness) {
	w.t.Helper()
	signed, err := w.store.Checkpoint(ctx)
	w.ok(err)
	log, err := ledger.NewVerifier(w.store.LedgerKey())
	w.ok(err)
	checkpoint, err := log.Open(signed)
	w.ok(err)
	w.ok(w.store.KeepCosignatures(ctx, checkpoint.Size, []store.Cosignature{{Witness: by.key, Line: by.line(w, signed)}}, func([]byte, []string) bool { return true }))
}

// TestQuorum: a monitor with a policy wants witnesses on what it sees, though not
// at once; and holds what they have seen against what it sees.
func TestQuorum(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w, by := newWorld(t, e), newWitness(t)
		trust, err := ledger.ParseTrust([]byte("log " + w.store.LedgerKey() + "\nwitness w " + by.key + "\nquorum w\n"))
		w.ok(err)
		round := func(after time.Duration, says string) monitor.Report {
			t.Helper()
			watch := monitor.New(monitor.Options{
				Client: w.client("ada"), Dir: w.dir, Trust: trust, Clock: func() time.Time { return time.Now().Add(after) },
			})
			report, err := watch.Round(ctx)
			if err != nil || (says == "") != (len(report.Findings) == 0) || !strings.Contains(strings.Join(report.Findings, "\n"), says) {
				t.Fatalf("%q %v, want %q", report.Findings, err, says)
			}
			return report
		}
		round(0, "no quorum of the trust policy has witnessed the log from event 0 of") // the site has none
		w.trust = trust
		w.owner(func(*sql.DB) {})
		round(0, "no quorum of the trust policy has witnessed the log from event 0 of") // it has, and it says nothing
		if _, err := os.Stat(filepath.Join(w.dir, "witnessed")); err == nil {
			t.Error("a checkpoint that nobody has witnessed is kept as one that somebody has")
		}
		w.grow(300)
		w.cosign(by)
		if report := round(0, ""); len(report.Witnesses) != 1 || !strings.HasPrefix(report.Witnesses[0], "w on ") {
			t.Errorf("%+v", report)
		}
		if kept, err := os.ReadFile(filepath.Join(w.dir, "witnessed")); err != nil || !strings.Contains(string(kept), "\n— witness.example ") {
			t.Errorf("the cosigned checkpoint is not kept: %s %v", kept, err)
		}
		w.grow(600)
		round(time.Minute, "")                                                                  // they may need a while
		round(-2*time.Hour, "no quorum of the trust policy has witnessed the log from event 3") // dated ahead
		report := round(2*time.Hour, "no quorum of the trust policy has witnessed the log from event 3")
		w.cosign(by)
		round(2*time.Hour, "")

		// The witnesses were shown another log.
		other, err := w.signer.Sign(report.Events, ledger.LeafHash(nil))
		w.ok(err)
		line := by.line(w, other)
		w.owner(func(db *sql.DB) {
			w.exec(db, `UPDATE checkpoint SET note = $1 WHERE size = $2`, string(other), report.Events)
		})
		round(0, "the log's checkpoint is not of the log that is watched") // and what they signed is not what it is under
		w.owner(func(db *sql.DB) { w.exec(db, `UPDATE cosignature SET line = $1 WHERE size = $2`, line, report.Events) })
		round(0, "the log signed another tree of")
	})
}
