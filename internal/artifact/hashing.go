package artifact

import (
	"crypto"
	"hash"
	"io"
	"slices"
	"sync"
)

// A file is read once for all digests that are wanted of it: each is as slow as
// reading, or slower, and the file says how many there are. Which of them run
// side by side costs no more than the slowest where there are cores.

// copyBytes is how much of a file is read at once where it is hashed.
const copyBytes = 1 << 20

// hashing is several digests of the same bytes.
type hashing struct {
	algorithms []crypto.Hash
	hashes     []hash.Hash
}

func newHashing(algorithms []crypto.Hash) *hashing {
	h := &hashing{algorithms: algorithms}
	for _, a := range algorithms {
		h.hashes = append(h.hashes, a.New())
	}
	return h
}

func (h *hashing) Write(p []byte) (int, error) { return writeAll(h.hashes, p) }

// writeAll writes to several hashes at once; a hash never fails.
func writeAll(hashes []hash.Hash, p []byte) (int, error) {
	const worthwhile = 8 << 10 // bytes; for fewer, another goroutine costs more than it saves
	if len(p) < worthwhile || len(hashes) < 2 {
		for _, one := range hashes {
			one.Write(p)
		}
		return len(p), nil
	}
	var others sync.WaitGroup
	for _, one := range hashes[1:] {
		others.Go(func() { one.Write(p) })
	}
	hashes[0].Write(p)
	others.Wait()
	return len(p), nil
}

// sum is the digest by one of the algorithms; nil if it is none of them.
func (h *hashing) sum(algorithm crypto.Hash) []byte {
	if i := slices.Index(h.algorithms, algorithm); i >= 0 {
		return h.hashes[i].Sum(nil)
	}
	return nil
}

// copySpans writes parts of the file: from, to, from, to, …
func copySpans(w io.Writer, s Source, bounds ...int64) error {
	buffer := make([]byte, copyBytes)
	for i := 0; i+1 < len(bounds); i += 2 {
		n, err := io.CopyBuffer(w, io.NewSectionReader(s, bounds[i], bounds[i+1]-bounds[i]), buffer)
		if err == nil && n < bounds[i+1]-bounds[i] {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
	}
	return nil
}
