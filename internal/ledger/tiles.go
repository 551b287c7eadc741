package ledger

import (
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// MaxLeaf is the largest leaf, in bytes: an entry bundle has two bytes for its
// length. C2SP tlog-tiles.
const MaxLeaf = 1<<16 - 1

// TilePath is a resource below a log's prefix, as C2SP tlog-tiles names it.
type TilePath struct {
	ID      TileID // Level is 0 for entries
	Width   int    // hashes or entries, 1 to 256
	Entries bool   // a bundle of leaves; otherwise hashes
}

// ParseTilePath reads "tile/0/x001/067", "tile/1/000.p/17", "tile/entries/000".
func ParseTilePath(path string) (TilePath, error) {
	rest, ok := strings.CutPrefix(path, "tile/")
	if !ok {
		return TilePath{}, fmt.Errorf("%q is not the path of a tile", path)
	}
	entries := false
	if index, found := strings.CutPrefix(rest, "entries/"); found {
		rest, entries = "data/"+index, true
	} else if strings.HasPrefix(rest, "data/") {
		return TilePath{}, fmt.Errorf("%q is not the path of a tile", path)
	}
	tile, err := tlog.ParseTilePath(fmt.Sprintf("tile/%d/%s", TileHeight, rest))
	if err != nil || tile.L > 63 {
		return TilePath{}, fmt.Errorf("%q is not the path of a tile", path)
	}
	return TilePath{TileID{max(tile.L, 0), tile.N}, tile.W, entries}, nil
}

// String is the path.
func (p TilePath) String() string {
	tile := tlog.Tile{H: TileHeight, L: p.ID.Level, N: p.ID.Index, W: p.Width}
	if p.Entries {
		tile.L = -1
	}
	rest := strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", TileHeight))
	if p.Entries {
		rest = "entries/" + strings.TrimPrefix(rest, "data/")
	}
	return "tile/" + rest
}

// AppendEntry appends a leaf to an entry bundle.
func AppendEntry(bundle, leaf []byte) ([]byte, error) {
	if len(leaf) > MaxLeaf {
		return nil, fmt.Errorf("a leaf of %d bytes: an entry has at most %d", len(leaf), MaxLeaf)
	}
	return append(binary.BigEndian.AppendUint16(bundle, uint16(len(leaf))), leaf...), nil
}

// ParseBundle is the leaves of an entry bundle, which they share memory with.
func ParseBundle(bundle []byte) ([][]byte, error) {
	var leaves [][]byte
	for len(bundle) > 0 {
		if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
			return nil, fmt.Errorf("the bundle is cut off in entry %d", len(leaves))
		}
		end := 2 + int(binary.BigEndian.Uint16(bundle))
		leaves = append(leaves, bundle[2:end:end])
		bundle = bundle[end:]
	}
	return leaves, nil
}
