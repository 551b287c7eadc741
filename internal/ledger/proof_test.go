package ledger

import (
	"bytes"
	"fmt"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

// grown is a log of n leaves as the store would keep it, with the roots that it
// had on the way.
func grown(n int) (Tiles, []Hash) {
	tiles := map[TileID][]byte{}
	var f Frontier
	roots := []Hash{f.Root()}
	for i := range n {
		f.Append(leaf(i))
		roots = append(roots, f.Root())
	}
	keep(tiles, &f)
	return func(ids []TileID) (map[TileID][]byte, error) {
		found := map[TileID][]byte{}
		for _, id := range ids {
			if data, ok := tiles[id]; ok {
				found[id] = data
			}
		}
		return found, nil
	}, roots
}

// TestProofs: of any event in any tree, and between any two trees, from tiles that
// have grown since; and no proof is one of anything else.
func TestProofs(t *testing.T) {
	const most = 70_000
	tiles, roots := grown(most)
	calls := 0
	read := Tiles(func(ids []TileID) (map[TileID][]byte, error) { calls++; return tiles(ids) })
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(1, most).Draw(t, "size")
		seq := rapid.Int64Range(0, size-1).Draw(t, "seq")
		old := rapid.Int64Range(0, size).Draw(t, "old")
		now, then := Checkpoint{"", size, roots[size]}, Checkpoint{"", old, roots[old]}

		calls = 0
		path, err := read.Inclusion(seq, size)
		if err != nil || calls > 1 {
			t.Fatalf("%d calls, %v", calls, err)
		}
		if err := CheckInclusion(path, seq, leaf(int(seq)), now); err != nil {
			t.Fatal(err)
		}
		if CheckInclusion(path, seq, leaf(int(seq)+1), now) == nil || CheckInclusion(path, seq+1, leaf(int(seq)), now) == nil {
			t.Fatal("proves another event")
		}
		if root, err := read.Root(old); err != nil || root != roots[old] {
			t.Fatalf("root at %d: %v %v", old, root, err)
		}

		path, err = read.Consistency(old, size)
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckConsistency(path, then, now); err != nil {
			t.Fatal(err)
		}
		then.Root[0] ^= 1
		if CheckConsistency(path, then, now) == nil {
			t.Fatal("proves another beginning")
		}
	})
	for _, outside := range [][2]int64{{-1, 5}, {5, 5}, {0, 0}} {
		if _, err := read.Inclusion(outside[0], outside[1]); err == nil {
			t.Errorf("event %d in a tree of %d: a proof", outside[0], outside[1])
		}
	}
	if _, err := read.Inclusion(3, most+1); err == nil {
		t.Error("a proof in a tree that is larger than what is stored")
	}
}

func TestProofText(t *testing.T) {
	signer := newKey(t)
	verifier, err := NewVerifier(signer.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	tiles, roots := grown(600)
	signed, err := signer.Sign(600, roots[600])
	if err != nil {
		t.Fatal(err)
	}
	path, err := tiles.Inclusion(300, 600)
	if err != nil {
		t.Fatal(err)
	}
	text := Proof{Seq: 300, Path: path, Checkpoint: signed}.Text()
	p, err := ParseProof(text)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := p.Check([]byte("leaf 300"), verifier); err != nil || c.Size != 600 {
		t.Fatalf("%v %v", c, err)
	}
	for i := range text {
		for _, change := range []byte{1, 2, 4, 8, 16, 32, 64, 128} {
			bad := bytes.Clone(text)
			bad[i] ^= change
			p, err := ParseProof(bad)
			if err != nil {
				continue
			}
			if _, err := p.Check([]byte("leaf 300"), verifier); err == nil {
				t.Errorf("byte %d, %q to %q: accepted", i, text[i], bad[i])
			}
		}
	}
}

func TestTilePaths(t *testing.T) {
	for path, want := range map[string]TilePath{
		"tile/0/000":                {TileID{0, 0}, 256, false},
		"tile/1/x001/x234/067.p/17": {TileID{1, 1234067}, 17, false},
		"tile/entries/x001/067":     {TileID{0, 1067}, 256, true},
		"tile/entries/000.p/3":      {TileID{0, 0}, 3, true},
	} {
		got, err := ParseTilePath(path)
		if err != nil || got != want || got.String() != path {
			t.Errorf("%s: %+v %s %v", path, got, got, err)
		}
	}
	for _, bad := range []string{"", "tile/", "tile/0/0", "tile/0/1000", "tile/00/000", "tile/64/000", "tile/0/000.p/256", "tile/0/000.p/0", "tile/0/000.p/07", "tile/data/000", "tile/-1/000", "tile/0/x000/001", "tile/0/../000", "checkpoint"} {
		if got, err := ParseTilePath(bad); err == nil {
			t.Errorf("%q: %+v", bad, got)
		}
	}
}

func TestBundles(t *testing.T) {
	var bundle []byte
	var err error
	for i := range 3 {
		if bundle, err = AppendEntry(bundle, fmt.Appendf(nil, "leaf %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	leaves, err := ParseBundle(bundle)
	if err != nil || len(leaves) != 3 || string(leaves[2]) != "leaf 2" {
		t.Fatalf("%q %v", leaves, err)
	}
	for n := 1; n < len(bundle); n++ {
		if leaves, err := ParseBundle(bundle[:n]); err == nil && n%8 != 0 {
			t.Errorf("cut off at %d: %q", n, leaves)
		}
	}
	if _, err := AppendEntry(nil, make([]byte, MaxLeaf+1)); err == nil {
		t.Error("an entry that is too long")
	}
	if whole, err := AppendEntry(nil, make([]byte, MaxLeaf)); err != nil || len(whole) != MaxLeaf+2 {
		t.Error(len(whole), err)
	}
}

// TestDamagedTilesProveNothing: a tile that is missing or short is an error, never
// a shorter proof.
func TestDamagedTilesProveNothing(t *testing.T) {
	tiles, _ := grown(700)
	for _, damage := range []func([]byte) []byte{
		func([]byte) []byte { return nil },
		func(data []byte) []byte { return data[:len(data)-tlog.HashSize] },
	} {
		read := Tiles(func(ids []TileID) (map[TileID][]byte, error) {
			found, err := tiles(ids)
			for id, data := range found {
				found[id] = damage(data)
			}
			return found, err
		})
		if path, err := read.Inclusion(699, 700); err == nil {
			t.Errorf("a proof of %d hashes", len(path))
		}
	}
}
