package artifact

import (
	"bufio"
	"compress/flate"
	"fmt"
	"io"
)

// maxCoded is how many bytes of Huffman codes are read of one deflated stream, at
// 10 ns each. Contents that are stored in blocks as they are do not count, which
// those that do not pack well are.
const maxCoded = 128 << 20

// tooPacked says why a deflated stream is not read, or nothing if it is: deflate
// adds a few bytes to what it cannot pack, and blocks of nothing take time only.
func tooPacked(packed, size int64) error {
	if packed > size+size/4+4096 {
		return fmt.Errorf("%d bytes are said to unpack to %d, which takes no more than a few bytes beside these", packed, size)
	}
	return nil
}

// inflate unpacks a deflated stream of any length, in which at most so many bytes
// are codes.
func inflate(packed io.Reader, codes int64) io.Reader {
	return flate.NewReader(&codedReader{bufio.NewReader(packed), codes, codes})
}

// codedReader counts what flate takes from it byte by byte: the codes. What is
// stored as it is, flate takes at once.
type codedReader struct {
	*bufio.Reader
	most, left int64
}

func (c *codedReader) ReadByte() (byte, error) {
	if c.left--; c.left < 0 {
		return 0, fmt.Errorf("more than %d bytes are packed in a way that takes too long to unpack", c.most)
	}
	return c.Reader.ReadByte()
}
