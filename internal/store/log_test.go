package store_test

import (
	"testing"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
)

// TestLogIsKept: what proofs are made of, and what witnesses and authorities say,
// is kept once and read back.
func TestLogIsKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		s := storetest.Open(t, store.Options{URL: e.URL(t)})
		for range 300 {
			if err := s.Update(ctx, func(tx *store.Tx) error { return tx.Save(newDeployment(t)) }); err != nil {
				t.Fatal(err)
			}
		}
		signed, err := s.Checkpoint(ctx)
		if err != nil {
			t.Fatal(err)
		}
		verifier, err := ledger.NewVerifier(s.LedgerKey())
		if err != nil {
			t.Fatal(err)
		}
		checkpoint, err := verifier.Open(signed)
		if err != nil {
			t.Fatal(err)
		}
		view(t, s, func(r *store.Reader) error {
			rows, err := r.Leaves(257, 10)
			if err != nil || len(rows) != 10 || rows[0].Seq != 257 {
				t.Fatalf("%d leaves, %v", len(rows), err)
			}
			path, err := ledger.Tiles(r.Tiles).Inclusion(257, checkpoint.Size)
			if err != nil {
				return err
			}
			if err := ledger.CheckInclusion(path, 257, ledger.LeafHash(rows[0].Leaf), checkpoint); err != nil {
				t.Error(err)
			}
			state, err := r.WitnessState()
			if err != nil || state.Size != checkpoint.Size || state.Signed != checkpoint.Size || state.Witnessed != 0 || state.Since.IsZero() {
				t.Errorf("%+v %v", state, err)
			}
			if _, err := r.WitnessedCheckpoint(); cab.KindOf(err) != cab.NotFound {
				t.Errorf("a witnessed checkpoint: %v", err)
			}
			return nil
		})
		for range 2 { // the second time changes nothing
			if err := s.KeepCosignatures(ctx, checkpoint.Size, []store.Cosignature{{"a", "— a A\n"}, {"b", "— b B\n"}}, func(_ []byte, lines []string) bool { return len(lines) == 2 }); err != nil {
				t.Fatal(err)
			}
			if err := s.KeepTimestamp(ctx, checkpoint.Size, "tsa", []byte("token")); err != nil {
				t.Fatal(err)
			}
		}
		view(t, s, func(r *store.Reader) error {
			for name, read := range map[string]func() (store.Checkpointed, error){
				"newest": r.NewestCheckpoint, "witnessed": r.WitnessedCheckpoint,
				"stamped": func() (store.Checkpointed, error) { return r.StampedCheckpoint(1, true) },
			} {
				c, err := read()
				if err != nil || c.Size != checkpoint.Size || string(c.Cosigned()) != string(signed)+"— a A\n— b B\n" || string(c.Timestamp) != "token" {
					t.Errorf("%s: %+v %v", name, c, err)
				}
			}
			if _, err := r.StampedCheckpoint(checkpoint.Size+1, false); cab.KindOf(err) != cab.NotFound {
				t.Errorf("a stamped checkpoint of what is not there yet: %v", err)
			}
			size, err := r.WitnessedUpTo("b")
			state, err2 := r.WitnessState()
			if err != nil || err2 != nil || size != checkpoint.Size || state.Witnessed != checkpoint.Size || !state.Since.IsZero() {
				t.Errorf("%d %+v %v %v", size, state, err, err2)
			}
			return nil
		})
	})
}

func view(t *testing.T, s *store.Store, read func(*store.Reader) error) {
	t.Helper()
	if err := s.View(ctx, read); err != nil {
		t.Fatal(err)
	}
}
