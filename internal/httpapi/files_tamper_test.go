package httpapi

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
)

// TestWhichFilesAreWhoseIsKept: the database refuses to change the list, and
// verification finds whoever changes it all the same, or a file itself.
func TestWhichFilesAreWhoseIsKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		filed := w.filed(recordOf(w.intent(), declared), allParts...)
		if _, err := w.store.Checkpoint(w.ctx); err != nil {
			t.Fatal(err)
		}
		db := storetest.Owner(t, w.url)
		attacks := []string{"UPDATE attachment SET sha256 = 'x'", "DELETE FROM attachment"}
		if e.Name == "sqlite" {
			attacks = append(attacks, "INSERT OR REPLACE INTO attachment SELECT * FROM attachment")
		} else {
			attacks = append(attacks, "TRUNCATE attachment")
		}
		for _, attack := range attacks {
			if _, err := db.Exec(attack); err == nil || !strings.Contains(err.Error(), "immutable") {
				t.Errorf("%s: %v", attack, err)
			}
		}
		w.wantFindings("")
		if _, err := db.Exec(`INSERT INTO attachment (package_id, sha256) VALUES ($1, 'alien')`, filed.ID); err != nil {
			t.Fatal(err)
		}
		w.wantFindings("file alien is said to belong to evidence " + filed.ID)
		drop := "DROP TRIGGER attachment_no_delete"
		if e.Name == "postgres" {
			drop = "DROP TRIGGER attachment_no_change ON attachment"
		}
		for _, attack := range []string{drop, `DELETE FROM attachment`} {
			if _, err := db.Exec(attack); err != nil {
				t.Fatal(err)
			}
		}
		w.wantFindings("is not among the attachments: a sweep could remove it")
		for name, spoil := range map[string]func(path string) error{
			"is not there":           os.Remove,
			"is not what was stored": func(path string) error { return os.WriteFile(path, []byte("other"), 0o600) },
		} {
			digest := evidence.Digest([]byte(script))
			path := filepath.Join(w.files.Dir(), digest[:2], digest[2:])
			if err := spoil(path); err != nil {
				t.Fatal(err)
			}
			w.wantFindings("attachment " + digest + ": the file " + name)
			if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// wantFindings verifies the whole database with its files.
func (w *world) wantFindings(want string) {
	w.t.Helper()
	verifier, err := ledger.NewVerifier(w.store.LedgerKey())
	if err != nil {
		w.t.Fatal(err)
	}
	report, err := w.store.Verify(w.ctx, store.VerifyOptions{Verifier: verifier, Attachment: func(ctx context.Context, digest string, size int64) error {
		return w.files.Check(ctx, digest, size)
	}})
	if err != nil || report.Attachments == 0 {
		w.t.Fatalf("%d files were looked at: %v", report.Attachments, err)
	}
	found := ""
	for _, f := range report.Findings {
		found += f.What + "\n"
	}
	if want == "" && found != "" || !strings.Contains(found, want) {
		w.t.Errorf("found %q, want %q", found, want)
	}
}
