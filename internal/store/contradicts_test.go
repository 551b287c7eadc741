package store_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
)

// TestNothingIsWrittenAfterAnotherTree: a server that finds a tree that is not the
// one it signed neither adds to it nor signs it.
func TestNothingIsWrittenAfterAnotherTree(t *testing.T) {
	forged := `UPDATE ledger_tile SET data = (SELECT o.data FROM ledger_tile o WHERE o.level = 0 AND o.idx = 0) WHERE level = 0 AND idx = 1`
	for name, attack := range map[string][]string{
		"another hash in the edge":                          {forged},
		"another hash above it":                             {`UPDATE ledger_tile SET data = (SELECT o.data FROM ledger_tile o WHERE o.level = 0 AND o.idx = 1) WHERE level = 1`},
		"the tail is cut off":                               {`DELETE FROM event WHERE seq >= 280`, `UPDATE ledger_state SET size = 280`},
		"the checkpoints are taken away that a witness saw": {`INSERT INTO cosignature (size, witness, line, time) SELECT MAX(size), 'w', 'line', 1 FROM checkpoint`, `DELETE FROM checkpoint`},
		"another's checkpoint":                              {`UPDATE checkpoint SET note = 'somebody''s'`},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, e storetest.Engine) {
				url, key := e.URL(t), storetest.Key(t)
				first, err := store.Open(context.Background(), store.Options{URL: url, Signer: key, Log: slog.New(slog.DiscardHandler)})
				if err != nil {
					t.Fatal(err)
				}
				fill(t, first, 300)
				if err := first.Close(); err != nil { // or it would sign what it knows
					t.Fatal(err)
				}
				db := storetest.Owner(t, url)
				storetest.DropTriggers(t, db, e.Name)
				for _, text := range attack {
					if _, err := db.Exec(text); err != nil {
						t.Fatal(err)
					}
				}
				var before, after int64
				count(t, db.QueryRow(`SELECT COUNT(*) FROM checkpoint`), &before)
				s, err := store.Open(context.Background(), store.Options{URL: url, Signer: key, Log: slog.New(slog.DiscardHandler)})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				err = s.Update(ctx, func(tx *store.Tx) error { return tx.Save(newDeployment(t)) })
				if refused, ok := errors.AsType[*cab.Error](err); !ok || refused.Code != "LEDGER_CONTRADICTS" {
					t.Errorf("written: %v", err)
				}
				if count(t, db.QueryRow(`SELECT COUNT(*) FROM checkpoint`), &after); before != after {
					t.Errorf("%d checkpoints became %d", before, after)
				}
			})
		})
	}
}

func count(t *testing.T, found interface{ Scan(...any) error }, to *int64) {
	t.Helper()
	if err := found.Scan(to); err != nil {
		t.Fatal(err)
	}
}

// fill writes n deployments and signs.
func fill(t *testing.T, s *store.Store, n int) {
	t.Helper()
	for range n {
		if err := s.Update(ctx, func(tx *store.Tx) error { return tx.Save(newDeployment(t)) }); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
}
