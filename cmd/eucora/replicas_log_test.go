package main

import (
	"testing"

	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store/storetest"
)

// agree proves that of all checkpoints, those that servers answered and those that
// the database keeps, each is the beginning of the newest.
func agree(t *testing.T, url, key string, answered []string) {
	t.Helper()
	verifier, err := ledger.NewVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	db := storetest.Owner(t, url)
	rows, err := db.Query(`SELECT note FROM checkpoint`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	notes, kept := answered, 0
	for rows.Next() {
		var note string
		if err := rows.Scan(&note); err != nil {
			t.Fatal(err)
		}
		notes = append(notes, note)
		kept++
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	var newest ledger.Checkpoint
	var all []ledger.Checkpoint
	for _, note := range notes {
		c, err := verifier.Open([]byte(note))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
		if c.Size > newest.Size {
			newest = c
		}
	}
	tiles := ledger.Tiles(func(ids []ledger.TileID) (map[ledger.TileID][]byte, error) {
		found := map[ledger.TileID][]byte{}
		for _, id := range ids {
			var data []byte
			if err := db.QueryRow(`SELECT data FROM ledger_tile WHERE level = $1 AND idx = $2`, id.Level, id.Index).Scan(&data); err != nil {
				return nil, err
			}
			found[id] = data
		}
		return found, nil
	})
	for _, c := range all {
		path, err := tiles.Consistency(c.Size, newest.Size)
		if err != nil {
			t.Fatal(err)
		}
		if err := ledger.CheckConsistency(path, c, newest); err != nil {
			t.Error(err)
		}
	}
	if len(answered) == 0 || kept < 2 {
		t.Errorf("%d checkpoints answered, %d kept: too few to show anything", len(answered), kept)
	}
	t.Logf("%d checkpoints answered and %d kept agree on %d events", len(answered), kept, newest.Size)
}
