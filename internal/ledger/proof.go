package ledger

import (
	"fmt"

	"github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/tlog"
)

// Tiles reads stored tiles, all that are asked for at once. A tile may hold more
// hashes than the tree that is asked about had: the tree grows, and what it has
// never changes.
type Tiles func(ids []TileID) (map[TileID][]byte, error)

// Inclusion proves that the event at seq is in the tree of a size: its audit path,
// RFC 6962, section 2.1.1.
func (read Tiles) Inclusion(seq, size int64) ([]Hash, error) {
	if seq < 0 || seq >= size {
		return nil, fmt.Errorf("event %d is not in a tree of %d", seq, size)
	}
	return tlog.ProveRecord(size, seq, tlog.HashReaderFunc(read.hashes))
}

// Consistency proves that the tree of the old size is the beginning of the tree
// of the new one: RFC 6962, section 2.1.2. From nothing nothing needs a proof.
func (read Tiles) Consistency(old, size int64) ([]Hash, error) {
	if old < 0 || old > size {
		return nil, fmt.Errorf("a tree of %d is not the beginning of one of %d", old, size)
	}
	if old == 0 || old == size {
		return nil, nil
	}
	return tlog.ProveTree(size, old, tlog.HashReaderFunc(read.hashes))
}

// Root is the root of the tree when it had a size.
func (read Tiles) Root(size int64) (Hash, error) {
	if size == 0 {
		return new(Tree).Root(), nil
	}
	return tlog.TreeHash(size, tlog.HashReaderFunc(read.hashes))
}

// hashes reads nodes of the tree, by tlog's numbers, with one call of read.
func (read Tiles) hashes(indexes []int64) ([]Hash, error) {
	wanted := make([]tlog.Tile, len(indexes))
	ids := make([]TileID, 0, len(indexes))
	seen := map[TileID]bool{}
	for i, index := range indexes {
		wanted[i] = tlog.TileForIndex(TileHeight, index)
		id := TileID{wanted[i].L, wanted[i].N}
		if !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	tiles, err := read(ids)
	if err != nil {
		return nil, err
	}
	hashes := make([]Hash, len(indexes))
	for i, index := range indexes {
		tile := wanted[i]
		data := tiles[TileID{tile.L, tile.N}]
		if len(data) < tile.W*tlog.HashSize {
			return nil, fmt.Errorf("the ledger's tile %d/%d has %d bytes, want %d: the stored tree is damaged; run eucora audit verify --whole-database", tile.L, tile.N, len(data), tile.W*tlog.HashSize)
		}
		if hashes[i], err = tlog.HashFromTile(tile, data[:tile.W*tlog.HashSize], index); err != nil {
			return nil, fmt.Errorf("tile %d/%d: %w", tile.L, tile.N, err)
		}
	}
	return hashes, nil
}

// CheckInclusion checks an audit path.
func CheckInclusion(path []Hash, seq int64, leafHash Hash, of Checkpoint) error {
	if seq < 0 || seq >= of.Size {
		return fmt.Errorf("event %d is not in a tree of %d", seq, of.Size)
	}
	if err := tlog.CheckRecord(path, of.Size, of.Root, seq, leafHash); err != nil {
		return fmt.Errorf("event %d is not in the tree of %d that was signed", seq, of.Size)
	}
	return nil
}

// CheckConsistency checks that the tree of one checkpoint is the beginning of the
// tree of another.
func CheckConsistency(path []Hash, old, of Checkpoint) error {
	ok := old.Size <= of.Size
	switch {
	case !ok:
	case old.Size == of.Size:
		ok = len(path) == 0 && old.Root == of.Root
	case old.Size == 0:
		ok = len(path) == 0 && old.Root == new(Tree).Root()
	default:
		ok = tlog.CheckTree(path, of.Size, of.Root, old.Size, old.Root) == nil
	}
	if !ok {
		return fmt.Errorf("the tree of %d is not the beginning of the tree of %d: history was rewritten", old.Size, of.Size)
	}
	return nil
}

// Proof is a c2sp.org/tlog-proof@v1: that the event at Seq is in the tree of a
// signed checkpoint. What the event says is given beside it.
type Proof struct {
	Seq        int64
	Path       []Hash
	Checkpoint []byte // the signed note, with the cosignatures that there are
}

// Text is the proof's file.
func (p Proof) Text() []byte {
	path := make([][tlog.HashSize]byte, len(p.Path))
	for i, hash := range p.Path {
		path[i] = hash
	}
	return proof.TLogProof{Index: uint64(p.Seq), Hashes: path, Checkpoint: p.Checkpoint}.Marshal()
}

// ParseProof reads a proof's file: exactly the bytes that [Proof.Text] writes.
func ParseProof(text []byte) (Proof, error) {
	var read proof.TLogProof
	if err := read.Unmarshal(text); err != nil {
		return Proof{}, fmt.Errorf("this is not a c2sp.org/tlog-proof@v1: %w", err)
	}
	p := Proof{Seq: int64(read.Index), Checkpoint: read.Checkpoint}
	for _, hash := range read.Hashes {
		p.Path = append(p.Path, hash)
	}
	if p.Seq < 0 || string(p.Text()) != string(text) {
		return Proof{}, fmt.Errorf("this is not a c2sp.org/tlog-proof@v1 as it is written here")
	}
	return p, nil
}

// Check checks that a leaf is at the proof's place in the tree of its checkpoint,
// and that the checkpoint is what v accepts.
func (p Proof) Check(leaf []byte, v *Verifier) (Checkpoint, error) {
	checkpoint, err := v.Open(p.Checkpoint)
	if err != nil {
		return Checkpoint{}, err
	}
	return checkpoint, CheckInclusion(p.Path, p.Seq, LeafHash(leaf), checkpoint)
}
