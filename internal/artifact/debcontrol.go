package artifact

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// maxWindow is how many bytes back packed data may refer, which is what an
// unpacker holds in memory; minXZWindow is what one holds in any case.
const (
	maxWindow   = 64 << 20
	minXZWindow = 64 << 10
)

// readDebControl finds the control file in control.tar.
func readDebControl(s Source, m arMember, info *Info) error {
	if m.size > maxDebPacked {
		return damaged(m.name, "is larger than %d bytes", maxDebPacked)
	}
	packed, err := io.ReadAll(io.NewSectionReader(s, m.at, m.size))
	if err != nil {
		return zipError(m.name, err)
	}
	unpacked, done, err := unpack(m.name, bytes.NewReader(packed))
	if err != nil {
		return zipError(m.name, err)
	}
	defer done()
	end := &zeroTail{from: &boundedReader{from: unpacked, left: maxDebControl}}
	control, err := controlIn(end)
	files := end.read
	if err == nil {
		_, err = io.Copy(io.Discard, end) // its checksum is at its end
	}
	switch {
	case err != nil:
		return zipError(m.name, err)
	case control == nil:
		return damaged(m.name, "holds no control file")
	case end.content > files || end.read-end.content < tarEnd:
		return damaged(m.name, "does not end as a tar archive must, with %d zeros and nothing behind: it was cut short, or bytes of data.tar were moved here", tarEnd)
	}
	return parseControl(string(control), info)
}

// controlIn is the control file of an unpacked control.tar; nil if there is
// none. tar, which dpkg unpacks with, takes slashes off the beginning of names,
// and follows links to folders: a second file of that name may replace the first.
func controlIn(r io.Reader) (control []byte, err error) {
	for members := tar.NewReader(r); ; {
		header, err := members.Next()
		if errors.Is(err, io.EOF) {
			return control, nil
		} else if err != nil {
			return nil, err
		}
		name := path.Clean("/" + header.Name)
		if path.Base(name) != "control" {
			continue
		}
		if name != "/control" || control != nil || header.Typeflag != tar.TypeReg || header.Size > maxControl {
			return nil, fmt.Errorf("control is there twice, or elsewhere, is no file, or is larger than %d bytes", maxControl)
		}
		if control, err = io.ReadAll(members); err != nil {
			return nil, err
		}
	}
}

// tarEnd is how many zeros a tar archive ends with, at least. A signature covers
// the members' bytes and not where one ends and the next begins: without this,
// files could be moved from data.tar to behind control.tar, where nobody looks.
const tarEnd = 1024

// zeroTail knows where the last byte is that is not zero.
type zeroTail struct {
	from          io.Reader
	read, content int64
}

func (z *zeroTail) Read(p []byte) (int, error) {
	n, err := z.from.Read(p)
	if rest := len(bytes.TrimRight(p[:n], "\x00")); rest > 0 {
		z.content = z.read + int64(rest)
	}
	z.read += int64(n)
	return n, err
}

// parseControl reads the one paragraph of a control file.
func parseControl(text string, info *Info) error {
	fields := map[string]string{}
	last := ""
	ended := false
	for line := range strings.SplitSeq(strings.TrimLeft(text, "\n"), "\n") {
		name, value, isField := strings.Cut(line, ":")
		switch {
		case strings.TrimSpace(line) == "":
			ended = true
		case ended:
			return damaged("control", "holds a second paragraph")
		case line[0] == '#':
		case line[0] == ' ' || line[0] == '\t':
			if last == "" {
				return damaged("control", "begins with a line that continues another")
			}
		case !isField || name == "" || strings.ContainsAny(name, " \t"):
			return damaged("control", "holds the line %q", clip(line, 80))
		default:
			last = strings.ToLower(name)
			if _, twice := fields[last]; twice {
				return damaged("control", "holds the field %s twice", clip(name, 80))
			}
			fields[last] = clip(strings.TrimSpace(value), maxField)
		}
	}
	info.Name, info.ID = fields["package"], fields["package"]
	info.Version, info.Architecture, info.Publisher = fields["version"], fields["architecture"], fields["maintainer"]
	if info.Name == "" || info.Version == "" {
		return damaged("control", "does not name the package and its version")
	}
	return nil
}

// unpack undoes the packing that a name ends with. done gives back what the
// unpacker holds.
func unpack(name string, packed *bytes.Reader) (r io.Reader, done func(), err error) {
	done = func() {}
	switch strings.TrimPrefix(path.Ext(name), ".") {
	case "tar":
		return packed, done, nil
	case "gz":
		r, err = gzip.NewReader(packed)
		return r, done, err
	case "xz":
		if err := checkXZ(packed); err != nil {
			return nil, nil, err
		}
		r, err = xz.ReaderConfig{SingleStream: true, DictCap: minXZWindow}.NewReader(packed)
		return r, done, err
	case "zst":
		decoder, err := zstd.NewReader(packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, nil, err
		}
		return decoder, decoder.Close, nil
	}
	return nil, nil, errors.New("is packed in a way that dpkg does not know")
}

// boundedReader ends in an error where a limit is reached: a bomb.
type boundedReader struct {
	from io.Reader
	left int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, errors.New("unpacks to more than is allowed")
	}
	n, err := b.from.Read(p[:min(int64(len(p)), b.left+1)])
	b.left -= int64(n)
	return n, err
}

// checkXZ walks through the blocks of an xz stream without unpacking them, and
// refuses those that want a large dictionary: the unpacker makes it at once, of
// the size that is claimed. What else may be wrong, the unpacker finds.
func checkXZ(r io.ReaderAt) error {
	checkSizes := [16]int64{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}
	var header [12]byte
	if err := fillFrom(r, header[:], 0); err != nil {
		return err
	}
	if !bytes.HasPrefix(header[:], []byte("\xfd7zXZ\x00\x00")) || header[7] > 15 {
		return errors.New("is no xz stream")
	}
	wanted := int64(0)
	for at := int64(len(header)); ; {
		var size [1]byte
		if err := fillFrom(r, size[:], at); err != nil {
			return err
		}
		if size[0] == 0 {
			return nil // the index
		}
		block := make([]byte, (int(size[0])+1)*4)
		if err := fillFrom(r, block, at); err != nil {
			return err
		}
		dictionary, err := xzDictionary(block)
		if err != nil {
			return err
		}
		if wanted += max(dictionary, minXZWindow); wanted > 2*maxWindow {
			return fmt.Errorf("has xz blocks that want more than %d bytes of dictionaries", 2*maxWindow)
		}
		length, err := lzma2Length(r, at+int64(len(block)))
		if err != nil {
			return err
		}
		at += (int64(len(block))+length+3)&^3 + checkSizes[header[7]]
	}
}

// xzDictionary reads a block's header, which must name one filter: LZMA2.
func xzDictionary(block []byte) (int64, error) {
	fields := block[2 : len(block)-4]
	for _, there := range []byte{0x40, 0x80} { // sizes, packed and unpacked
		if block[1]&there != 0 {
			_, n := binary.Uvarint(fields)
			if n <= 0 {
				return 0, errors.New("has a damaged xz block")
			}
			fields = fields[n:]
		}
	}
	if block[1]&0x3f != 0 || len(fields) < 3 || fields[0] != 0x21 || fields[1] != 1 {
		return 0, errors.New("has an xz block with filters that are not read")
	}
	code := fields[2]
	dictionary := int64(2|code&1) << (code/2 + 11)
	if code > 40 || dictionary > maxWindow {
		return 0, fmt.Errorf("has an xz block that wants more than %d bytes of dictionary", maxWindow)
	}
	return dictionary, nil
}

// lzma2Length is how long the LZMA2 data from a place is.
func lzma2Length(r io.ReaderAt, start int64) (int64, error) {
	for at := start; ; {
		var chunk [5]byte
		n, err := r.ReadAt(chunk[:], at)
		if n == 0 {
			return 0, err
		}
		switch control := chunk[0]; {
		case control == 0:
			return at + 1 - start, nil
		case control < 3: // as it is
			at += 3 + int64(binary.BigEndian.Uint16(chunk[1:])) + 1
		case control < 0x80:
			return 0, errors.New("has a damaged xz block")
		default:
			if at += 5 + int64(binary.BigEndian.Uint16(chunk[3:])) + 1; control >= 0xc0 {
				at++
			}
		}
		if n < len(chunk) {
			return 0, io.ErrUnexpectedEOF
		}
	}
}
