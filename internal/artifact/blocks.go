package artifact

import "io"

// Sectors of a compound file may lie in any order. Each read of the file costs
// more than copying a few sectors does, so those that are near each other are
// read together.
const (
	blockBytes = 64 << 10
	blockSlots = 256 // blocks that are kept: 16 MiB
	// Loads of a block that are made in any case, and for each block of the
	// file: 2 seconds for one of 2 GiB. 50 MB of sectors at random stay below, or
	// four streams that were written by turns; no tool leaves more than that.
	minBlockLoads, blockLoads = 100_000, 2
)

// blockReader reads a file in aligned blocks, and keeps the last of those that
// share a slot. It is for one goroutine.
type blockReader struct {
	from    io.ReaderAt
	size    int64
	numbers [blockSlots]int64 // of the block in a slot, from 1
	blocks  [blockSlots][]byte
	left    int64 // loads that may still be made
}

func newBlockReader(s Source) *blockReader {
	return &blockReader{from: s.ReaderAt, size: s.Size, left: minBlockLoads + blockLoads*(s.Size/blockBytes)}
}

// ReadAt reads what is longer than a block past the blocks.
func (r *blockReader) ReadAt(p []byte, at int64) (done int, err error) {
	if len(p) >= blockBytes {
		return r.from.ReadAt(p, at)
	}
	for done < len(p) && at < r.size {
		block, err := r.load(at / blockBytes)
		if err != nil {
			return done, err
		}
		inside := at % blockBytes
		if inside >= int64(len(block)) {
			break
		}
		n := copy(p[done:], block[inside:])
		done, at = done+n, at+int64(n)
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

// load is a block of the file; the last may be shorter than others.
func (r *blockReader) load(number int64) ([]byte, error) {
	slot := number % blockSlots
	if r.numbers[slot] == number+1 {
		return r.blocks[slot], nil
	}
	if r.left--; r.left < 0 {
		return nil, damaged("sectors", "they are scattered over the file so that it would have to be read many times over")
	}
	block := r.blocks[slot]
	if block == nil {
		block = make([]byte, blockBytes)
	}
	block = block[:min(blockBytes, r.size-number*blockBytes)]
	r.numbers[slot] = 0
	if err := fillFrom(r.from, block, number*blockBytes); err != nil {
		return nil, err
	}
	r.numbers[slot], r.blocks[slot] = number+1, block
	return block, nil
}
