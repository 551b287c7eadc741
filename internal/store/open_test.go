package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
)

// TestFirstStartOfMany: several processes may open a new database at once, as
// when an administrator adds users while a server starts.
func TestFirstStartOfMany(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		for round := range 2 {
			url := e.URL(t)
			if e.Name == "sqlite" {
				url = "sqlite:" + filepath.Join(t.TempDir(), fmt.Sprint(round, ".db"))
			}
			signer := storetest.Key(t)
			var all sync.WaitGroup
			for range 6 {
				all.Go(func() {
					s, err := store.Open(context.Background(), store.Options{URL: url, Signer: signer})
					if err != nil {
						t.Error(err)
						return
					}
					if err := s.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		}
	})
}

// TestAfterADowngrade: a program that is older than the database refuses it.
func TestAfterADowngrade(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		o := store.Options{URL: e.URL(t), Signer: storetest.Key(t)}
		storetest.Open(t, o)
		newer := map[string]string{"sqlite": "(99999, 1)", "postgres": "(99999, true)"}[e.Name]
		if _, err := storetest.Owner(t, o.URL).Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES ` + newer); err != nil {
			t.Fatal(err)
		}
		_, err := store.Open(context.Background(), o)
		if cab.CodeOf(err) != "SCHEMA_NEWER" {
			t.Errorf("%v", err)
		}
	})
}
