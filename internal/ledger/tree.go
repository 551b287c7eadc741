package ledger

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// TileHeight is the height of a tile: 256 hashes. C2SP tlog-tiles.
const TileHeight = 8

// TileWidth is the number of hashes in a full tile, and of entries in a bundle.
const TileWidth = 1 << TileHeight

// Hash is a node of the tree: SHA-256 with RFC 6962's prefixes.
type Hash = tlog.Hash

// LeafHash is the hash of an event's leaf.
func LeafHash(leaf []byte) Hash { return tlog.RecordHash(leaf) }

// Tree computes the root of a growing tree in constant memory: it keeps the
// roots of the complete subtrees on the right edge, largest first.
type Tree struct {
	size  int64
	nodes []node
}

type node struct {
	level int // the subtree has 2^level leaves
	hash  Hash
}

// Add appends a leaf.
func (t *Tree) Add(leafHash Hash) { t.push(0, leafHash, nil) }

// Size is the number of leaves.
func (t *Tree) Size() int64 { return t.size }

// push adds a complete subtree and merges what it completes. Each hash whose
// level is a multiple of the tile height passes through made, exactly once.
func (t *Tree) push(level int, hash Hash, made func(tileLevel int, hash Hash)) {
	t.size += 1 << level
	for {
		if made != nil && level%TileHeight == 0 {
			made(level/TileHeight, hash)
		}
		last := len(t.nodes) - 1
		if last < 0 || t.nodes[last].level != level {
			break
		}
		hash = tlog.NodeHash(t.nodes[last].hash, hash)
		t.nodes = t.nodes[:last]
		level++
	}
	t.nodes = append(t.nodes, node{level, hash})
}

// Root is the tree's root hash; of an empty tree the SHA-256 of nothing.
func (t *Tree) Root() Hash {
	if len(t.nodes) == 0 {
		return sha256.Sum256(nil)
	}
	root := t.nodes[len(t.nodes)-1].hash
	for i := len(t.nodes) - 2; i >= 0; i-- {
		root = tlog.NodeHash(t.nodes[i].hash, root)
	}
	return root
}

// TileID names a tile: Level 0 holds leaf hashes, level n+1 the roots of the
// full tiles of level n.
type TileID struct {
	Level int
	Index int64
}

// Tile is a tile's hashes, 32 bytes each, as many as there are so far.
type Tile struct {
	ID   TileID
	Data []byte
}

// Frontier is the right edge of a tree that is stored as tiles: all that is
// needed to extend it. The zero value is the empty tree. Its owner is the one
// writer that holds the store's transaction; after a transaction that failed,
// its Frontier must be thrown away.
type Frontier struct {
	tree  Tree
	edge  [][]byte // for each level, the hashes of the rightmost, partial tile
	fresh []bool   // for each level, whether that tile has grown since Dirty was called
	full  []Tile   // complete since then; they never change again
}

// EdgeTiles lists the partial tiles on the right edge of a tree of some size:
// what [NewFrontier] wants.
func EdgeTiles(size int64) []TileID {
	var ids []TileID
	for level := 0; size > 0; level, size = level+1, size>>TileHeight {
		if size%TileWidth != 0 {
			ids = append(ids, TileID{level, size >> TileHeight})
		}
	}
	return ids
}

// NewFrontier rebuilds the right edge of a tree from its stored tiles. Tiles
// that are missing or too short are an error: such a tree must not be extended.
func NewFrontier(size int64, tiles map[TileID][]byte) (*Frontier, error) {
	f := new(Frontier)
	levels := 0
	for rest := size; rest > 0; rest >>= TileHeight {
		levels++
	}
	f.edge = make([][]byte, levels)
	for _, id := range slices.Backward(EdgeTiles(size)) {
		width := int((size >> (TileHeight * id.Level)) % TileWidth)
		data := tiles[id]
		if len(data) < width*tlog.HashSize {
			return nil, fmt.Errorf("the ledger's tile %d/%d has %d bytes, want %d: the stored tree is damaged; run eucora audit verify --whole-database", id.Level, id.Index, len(data), width*tlog.HashSize)
		}
		f.edge[id.Level] = bytes.Clone(data[:width*tlog.HashSize])
		for i := range width {
			f.tree.push(id.Level*TileHeight, Hash(data[i*tlog.HashSize:]), nil)
		}
	}
	if f.tree.size != size {
		return nil, fmt.Errorf("the ledger's tiles make a tree of %d, want %d", f.tree.size, size)
	}
	return f, nil
}

// Size is the number of leaves.
func (f *Frontier) Size() int64 { return f.tree.size }

// Root is the tree's root hash.
func (f *Frontier) Root() Hash { return f.tree.Root() }

// Append adds a leaf.
func (f *Frontier) Append(leafHash Hash) {
	size := f.tree.size
	f.tree.push(0, leafHash, func(level int, hash Hash) {
		for len(f.edge) <= level {
			f.edge = append(f.edge, nil)
		}
		for len(f.fresh) <= level {
			f.fresh = append(f.fresh, false)
		}
		f.edge[level] = append(f.edge[level], hash[:]...)
		f.fresh[level] = true
		if len(f.edge[level]) == TileWidth*tlog.HashSize { // the next hash begins a new tile
			f.full = append(f.full, Tile{edgeID(level, size), f.edge[level]})
			f.edge[level], f.fresh[level] = nil, false
		}
	})
}

// Dirty returns the tiles that changed since the last call, to be stored, in
// order of level and index.
func (f *Frontier) Dirty() []Tile {
	tiles := f.full
	for level, fresh := range f.fresh {
		if fresh {
			tiles = append(tiles, Tile{edgeID(level, f.tree.size-1), bytes.Clone(f.edge[level])})
		}
	}
	slices.SortFunc(tiles, func(a, b Tile) int {
		if a.ID.Level != b.ID.Level {
			return a.ID.Level - b.ID.Level
		}
		return int(a.ID.Index - b.ID.Index)
	})
	f.full, f.fresh = nil, nil
	return tiles
}

// edgeID is the rightmost tile of a level in a tree whose last leaf is at last.
func edgeID(level int, last int64) TileID {
	return TileID{level, last >> (TileHeight * (level + 1))}
}

// Clone is an independent copy.
func (f *Frontier) Clone() *Frontier {
	c := &Frontier{
		tree: Tree{f.tree.size, slices.Clone(f.tree.nodes)}, edge: make([][]byte, len(f.edge)),
		fresh: slices.Clone(f.fresh), full: slices.Clone(f.full),
	}
	for i, data := range f.edge {
		c.edge[i] = bytes.Clone(data)
	}
	return c
}
