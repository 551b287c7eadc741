package ledger

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

func leaf(i int) Hash { return LeafHash([]byte(fmt.Sprintf("leaf %d", i))) }

// reference is tlog's own tree: every hash in memory.
type reference []Hash

func (r *reference) add(t *testing.T, i int) {
	t.Helper()
	hashes, err := tlog.StoredHashesForRecordHash(int64(i), leaf(i), r.reader())
	if err != nil {
		t.Fatal(err)
	}
	*r = append(*r, hashes...)
}

func (r *reference) reader() tlog.HashReaderFunc {
	return func(indexes []int64) ([]Hash, error) {
		var out []Hash
		for _, i := range indexes {
			out = append(out, (*r)[i])
		}
		return out, nil
	}
}

// keep stores dirty tiles as the store would.
func keep(tiles map[TileID][]byte, f *Frontier) {
	for _, tile := range f.Dirty() {
		tiles[tile.ID] = tile.Data
	}
}

func TestAgainstReference(t *testing.T) {
	var ref reference
	var f Frontier
	var tree Tree
	tiles := map[TileID][]byte{}
	for i := range 1100 {
		ref.add(t, i)
		f.Append(leaf(i))
		tree.Add(leaf(i))
		want, err := tlog.TreeHash(int64(i+1), ref.reader())
		if err != nil {
			t.Fatal(err)
		}
		if f.Root() != want || tree.Root() != want || f.Size() != int64(i+1) {
			t.Fatalf("size %d: root %s, tree %s, want %s", i+1, f.Root(), tree.Root(), want)
		}
		keep(tiles, &f)
	}
	for id, data := range tiles { // each stored tile is what tlog says
		tile := tlog.Tile{H: TileHeight, L: id.Level, N: id.Index, W: len(data) / tlog.HashSize}
		want, err := tlog.ReadTileData(tile, ref.reader())
		if err != nil || !bytes.Equal(want, data) {
			t.Errorf("tile %v differs: %v", id, err)
		}
	}
	if len(tiles) != 6 { // 1100 leaves: five tiles of leaves, one above
		t.Errorf("%d tiles", len(tiles))
	}
}

// TestKnownRoots holds the tree to RFC 6962's published test leaves (those of
// the Certificate Transparency project).
func TestKnownRoots(t *testing.T) {
	inputs := []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	roots := []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
	var tree Tree
	for i, want := range roots {
		if root := tree.Root(); hex.EncodeToString(root[:]) != want {
			t.Errorf("size %d: %x, want %s", i, root, want)
		}
		if i < len(inputs) {
			data, err := hex.DecodeString(inputs[i])
			if err != nil {
				t.Fatal(err)
			}
			tree.Add(LeafHash(data))
		}
	}
}

// TestRebuild: a frontier rebuilt from stored tiles at any size goes on like
// one that never stopped, and so does a clone.
func TestRebuild(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := rapid.IntRange(0, 70_000).Draw(t, "first")
		if rapid.Bool().Draw(t, "small") {
			first %= 600
		}
		more := rapid.IntRange(0, 600).Draw(t, "more")
		var f Frontier
		tiles := map[TileID][]byte{}
		for i := range first {
			f.Append(leaf(i))
		}
		keep(tiles, &f)
		again, err := NewFrontier(int64(first), tiles)
		if err != nil {
			t.Fatal(err)
		}
		clone := f.Clone()
		for i := first; i < first+more; i++ {
			f.Append(leaf(i))
			again.Append(leaf(i))
			clone.Append(leaf(i))
		}
		if f.Root() != again.Root() || f.Root() != clone.Root() {
			t.Fatalf("after %d and %d more the roots differ", first, more)
		}
		x, y := f.Dirty(), again.Dirty()
		if fmt.Sprint(x) != fmt.Sprint(y) {
			t.Fatalf("after %d and %d more the tiles differ", first, more)
		}
	})
}

func TestDamagedTilesAreRefused(t *testing.T) {
	var f Frontier
	tiles := map[TileID][]byte{}
	for i := range 700 {
		f.Append(leaf(i))
	}
	keep(tiles, &f)
	for _, id := range EdgeTiles(700) {
		short := map[TileID][]byte{}
		for k, v := range tiles {
			short[k] = v
		}
		short[id] = short[id][:len(short[id])-1]
		if _, err := NewFrontier(700, short); err == nil {
			t.Errorf("tile %v one byte short: accepted", id)
		}
		delete(short, id)
		if _, err := NewFrontier(700, short); err == nil {
			t.Errorf("tile %v missing: accepted", id)
		}
	}
}

func newKey(t testing.TB) *Signer {
	t.Helper()
	secret, err := GenerateKey("eucora.example/ledger", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func TestCheckpoint(t *testing.T) {
	signer := newKey(t)
	verifier, err := NewVerifier(signer.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(42, leaf(1))
	if err != nil {
		t.Fatal(err)
	}
	got, err := verifier.Open(signed)
	if err != nil || got != (Checkpoint{"eucora.example/ledger", 42, leaf(1)}) {
		t.Fatalf("%v %v", got, err)
	}
	for i := range signed { // every byte counts, and every change of it
		for change := 1; change < 256; change++ {
			bad := bytes.Clone(signed)
			bad[i] ^= byte(change)
			if _, err := verifier.Open(bad); err == nil {
				t.Errorf("byte %d, %q to %q: accepted", i, signed[i], bad[i])
			}
		}
	}
	other, err := NewVerifier(newKey(t).VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Open(signed); err == nil {
		t.Error("another key with the same name opens it")
	}
}

func TestKeysThatAreNone(t *testing.T) {
	for _, text := range []string{"", "x", "PRIVATE+KEY+a+b+c", strings.Repeat("+", 10)} {
		if _, err := NewSigner(text); err == nil {
			t.Errorf("%q: accepted as a key", text)
		}
		if _, err := NewVerifier(text); err == nil {
			t.Errorf("%q: accepted as a verifier key", text)
		}
	}
	if _, err := GenerateKey("two words", rand.Reader); err == nil {
		t.Error("an origin with a space")
	}
}

func FuzzOpen(f *testing.F) {
	secret, err := GenerateKey("eucora.example/ledger", bytes.NewReader(make([]byte, 64))) // the same in every worker
	if err != nil {
		f.Fatal(err)
	}
	signer, err := NewSigner(secret)
	if err != nil {
		f.Fatal(err)
	}
	signed, err := signer.Sign(1, leaf(0))
	if err != nil {
		f.Fatal(err)
	}
	verifier, err := NewVerifier(signer.VerifierKey())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Add([]byte("eucora.example/ledger\n1\nAAAA\n\n— x y\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := verifier.Open(text); err == nil && (c.Size != 1 || c.Root != leaf(0)) {
			t.Errorf("accepted what was never signed: %q", text)
		}
	})
}

func BenchmarkTree(b *testing.B) {
	data := bytes.Repeat([]byte("x"), 900)
	b.Run("hash leaves alone", func(b *testing.B) {
		for b.Loop() {
			LeafHash(data)
		}
	})
	b.Run("hash and add", func(b *testing.B) {
		var tree Tree
		for b.Loop() {
			tree.Add(LeafHash(data))
		}
	})
	b.Run("frontier", func(b *testing.B) {
		var f Frontier
		for b.Loop() {
			f.Append(LeafHash(data))
			if f.Size()%256 == 0 {
				f.Dirty()
			}
		}
	})
}
