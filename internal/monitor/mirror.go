package monitor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/eucora/eucora/internal/ledger"
)

// mirror is a directory that holds what the log has said: its entries, named as
// C2SP tlog-tiles names them, and the checkpoint that they make. It is what makes it
// possible to say which event was changed, and what it said before.
//
// Bundles are written first and the checkpoint last, each whole or not at all: what
// a crash leaves beyond the checkpoint is read again from the log.
type mirror string

// The mirror's files besides the bundles.
const (
	checkpointFile = "checkpoint" // the newest that was found to hold
	witnessedFile  = "witnessed"  // the newest that a quorum has witnessed, with its cosignatures
	keyFile        = "log.key"    // whose log it is, where nobody said so beforehand
	againFile      = "again"      // the bundle to be read again next
	refusedFile    = "refused"    // the newest checkpoint that contradicts what is here
)

func (m mirror) bundlePath(i int64, width int) string {
	path := ledger.TilePath{ID: ledger.TileID{Index: i}, Width: width, Entries: true}
	return filepath.FromSlash(path.String())
}

// bundle reads the first width leaves of a bundle.
func (m mirror) bundle(i int64, width int) ([][]byte, error) {
	data, err := m.read(m.bundlePath(i, width))
	if errors.Is(err, fs.ErrNotExist) {
		data, err = m.read(m.bundlePath(i, ledger.TileWidth))
	}
	if err != nil {
		return nil, err
	}
	leaves, err := ledger.ParseBundle(data)
	if err == nil && len(leaves) < width {
		err = fmt.Errorf("want %d entries, and there are %d", width, len(leaves))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(string(m), m.bundlePath(i, width)), err)
	}
	return leaves[:width], nil
}

func (m mirror) keep(i int64, leaves [][]byte) error {
	var data []byte
	for _, leaf := range leaves {
		var err error
		if data, err = ledger.AppendEntry(data, leaf); err != nil {
			return err
		}
	}
	return m.write(m.bundlePath(i, len(leaves)), data)
}

// leaf reads one leaf of a mirror of so many.
func (m mirror) leaf(seq, size int64) ([]byte, error) {
	i := seq >> ledger.TileHeight
	leaves, err := m.bundle(i, widthAt(i, size))
	if err != nil {
		return nil, err
	}
	return leaves[seq%ledger.TileWidth], nil
}

// widthAt is how many entries of bundle i there are in a log of a size.
func widthAt(i, size int64) int { return int(min(ledger.TileWidth, size-i<<ledger.TileHeight)) }

// bundles is how many bundles a log of a size has, the last of which may be partial.
func bundles(size int64) int64 { return (size + ledger.TileWidth - 1) >> ledger.TileHeight }

// tidy removes narrower bundles than the last one of a size.
func (m mirror) tidy(from, size int64) error {
	for i := from >> ledger.TileHeight; i < bundles(size); i++ {
		current := m.bundlePath(i, widthAt(i, size))
		partials := filepath.Join(string(m), m.bundlePath(i, ledger.TileWidth)+".p")
		if widthAt(i, size) == ledger.TileWidth {
			if err := os.RemoveAll(partials); err != nil {
				return err
			}
			continue
		}
		entries, err := os.ReadDir(partials)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if entry.Name() != filepath.Base(current) {
				if err := os.Remove(filepath.Join(partials, entry.Name())); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (m mirror) read(name string) ([]byte, error) { return os.ReadFile(filepath.Join(string(m), name)) }

// write puts a file in its place whole.
func (m mirror) write(name string, data []byte) error {
	path := filepath.Join(string(m), name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	aside, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(aside.Name())
	_, err = aside.Write(data)
	if err := errors.Join(err, aside.Sync(), aside.Close()); err != nil {
		return err
	}
	return os.Rename(aside.Name(), path)
}

// firstDifference is the place of the first leaf that differs, -1 if none does.
func firstDifference(a, b [][]byte) int {
	for i := range min(len(a), len(b)) {
		if !slices.Equal(a[i], b[i]) {
			return i
		}
	}
	return -1
}
