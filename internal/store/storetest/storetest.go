// Package storetest gives tests real databases: SQLite in a temporary folder,
// and a throwaway PostgreSQL server.
package storetest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
	_ "github.com/jackc/pgx/v5/stdlib" // the owner's way in, for tampering
)

// Engine is one kind of database.
type Engine struct {
	Name string
	// URL makes an empty database of its own.
	URL func(t testing.TB) string
}

// Engines lists both engines. Where PostgreSQL is not installed it is left out
// and the test says so; with EUCORA_REQUIRE_POSTGRES=1 (make test) that is a
// failure.
func Engines(t testing.TB) []Engine {
	t.Helper()
	engines := []Engine{{"sqlite", sqliteURL}}
	server, err := shared()
	switch {
	case err == nil:
		return append(engines, Engine{"postgres", server.Database})
	case os.Getenv("EUCORA_REQUIRE_POSTGRES") == "1":
		t.Fatalf("PostgreSQL is required and cannot be started: %v", err)
	default:
		t.Logf("PostgreSQL left out: %v", err)
	}
	return engines
}

// Each runs a test on each engine.
func Each(t *testing.T, test func(t *testing.T, e Engine)) {
	t.Helper()
	for _, e := range Engines(t) {
		t.Run(e.Name, func(t *testing.T) { test(t, e) })
	}
}

func sqliteURL(t testing.TB) string {
	return "sqlite:" + filepath.Join(t.TempDir(), "eucora.db")
}

var databases atomic.Int64

// Key makes a ledger key.
func Key(t testing.TB) *ledger.Signer {
	t.Helper()
	secret, err := ledger.GenerateKey("eucora.test/ledger", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ledger.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// Open opens a store on a database and closes it after the test.
func Open(t testing.TB, o store.Options) *store.Store {
	t.Helper()
	if o.Signer == nil {
		o.Signer = Key(t)
	}
	s, err := store.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return s
}

// Owner opens a database as whoever owns it could: with SQL and no rules.
func Owner(t testing.TB, url string) *sql.DB {
	t.Helper()
	driver, name := "pgx", url
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		driver, name = "sqlite", "file:"+path+"?_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// DropTriggers removes every trigger, as an owner could.
func DropTriggers(t testing.TB, db *sql.DB, engine string) {
	t.Helper()
	query := `SELECT 'DROP TRIGGER ' || name FROM sqlite_master WHERE type = 'trigger'`
	if engine == "postgres" {
		query = `SELECT DISTINCT format('DROP TRIGGER %I ON %I', tgname, tgrelid::regclass::text) FROM pg_trigger WHERE NOT tgisinternal`
	}
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	var drops []string
	for rows.Next() {
		var drop string
		if err := rows.Scan(&drop); err != nil {
			t.Fatal(err)
		}
		drops = append(drops, drop)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, drop := range drops {
		if _, err := db.Exec(drop); err != nil {
			t.Fatal(fmt.Errorf("%s: %w", drop, err))
		}
	}
}
