package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

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
