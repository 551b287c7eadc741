package artifact

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"slices"
)

// Limits of a zip. The directory is held in memory, the contents never are.
const (
	maxZipMembers   = 1 << 18
	maxZipDirectory = 32 << 20  // bytes
	maxUnpacked     = 256 << 30 // bytes, of all members as they are declared
	bombSize        = 1 << 30   // bytes declared, below which no ratio is suspicious
	bombRatio       = 200       // of what is declared to the file's size
	deflateRatio    = 1032      // no deflate stream unpacks to more than this, times its size
)

// Sizes and signatures of a zip's records.
const (
	zipLocalSize, zipEntrySize, zipEndSize, zip64EndSize, zip64LocatorSize = 30, 46, 22, 56, 20

	zipLocal, zipEntry, zipEnd, zip64End, zip64Locator = 0x04034b50, 0x02014b50, 0x06054b50, 0x06064b50, 0x07064b50

	zipEncrypted, zipDescriptor = 1, 8 // flags
	zipStored, zipDeflated      = 0, 8 // methods
)

// zipMember is an entry of the central directory.
type zipMember struct {
	name          string // as it is written, in whatever encoding
	flags, method uint16
	crc           uint32
	packed, size  int64
	header        int64 // where the local header stands
	data          int64 // where the contents begin; known once the local header was read
	unixMode      uint32
}

// zipDirectory reads the central directory, which must stand right before the
// record that ends the file: nothing may hide behind or between.
func zipDirectory(r io.ReaderAt, size int64) (members []zipMember, start int64, err error) {
	start, length, count, err := zipEndRecord(r, size)
	if err != nil {
		return nil, 0, err
	}
	if count > maxZipMembers || length > maxZipDirectory {
		return nil, 0, damaged("central directory", "holds %d entries in %d bytes; at most %d in %d are read", count, length, maxZipMembers, maxZipDirectory)
	}
	if count > length/zipEntrySize {
		return nil, 0, damaged("central directory", "cannot hold %d entries in %d bytes", count, length)
	}
	directory := bufio.NewReaderSize(io.NewSectionReader(r, start, length), 64<<10)
	members = make([]zipMember, 0, count)
	for range count {
		m, err := nextZipMember(directory)
		if err != nil {
			return nil, 0, zipError("central directory", err)
		}
		members = append(members, m)
	}
	if _, err := directory.ReadByte(); !errors.Is(err, io.EOF) {
		return nil, 0, damaged("central directory", "is longer than its %d entries", count)
	}
	return members, start, nil
}

// zipEndRecord finds where the central directory is, and how many entries it has.
func zipEndRecord(r io.ReaderAt, size int64) (start, length, count int64, err error) {
	tail, at, err := zipTail(r, size)
	if err != nil {
		return 0, 0, 0, err
	}
	if at < 0 {
		return 0, 0, 0, damaged("end of central directory", "is missing: the file was cut short, or something follows the archive")
	}
	end, endsAt := tail[at:], size-int64(len(tail)-at)
	disk, onDisk, all := binary.LittleEndian.Uint32(end[4:]), binary.LittleEndian.Uint16(end[8:]), binary.LittleEndian.Uint16(end[10:])
	length, start, count = int64(binary.LittleEndian.Uint32(end[12:])), int64(binary.LittleEndian.Uint32(end[16:])), int64(all)
	if at >= zip64LocatorSize && binary.LittleEndian.Uint32(tail[at-zip64LocatorSize:]) == zip64Locator {
		endsAt = int64(binary.LittleEndian.Uint64(tail[at-zip64LocatorSize+8:]))
		start, length, count, err = zip64EndRecord(r, endsAt, size-int64(len(tail)-at)-zip64LocatorSize)
		if err != nil {
			return 0, 0, 0, err
		}
	} else if disk != 0 || onDisk != all {
		return 0, 0, 0, damaged("end of central directory", "is of an archive in several parts")
	}
	if start < 0 || length < 0 || count < 0 || start > size || length > size || start+length != endsAt {
		return 0, 0, 0, damaged("end of central directory", "the central directory (%d bytes from %d) does not end at %d, where it must", length, start, endsAt)
	}
	return start, length, count, nil
}

// zipTail is the end of a file, and where in it the record is that ends a zip;
// less than 0 if there is none.
func zipTail(r io.ReaderAt, size int64) (tail []byte, at int, err error) {
	tail = make([]byte, min(size, zipEndSize+0xffff+zip64LocatorSize))
	if err := fillFrom(r, tail, size-int64(len(tail))); err != nil {
		return nil, 0, err
	}
	for at = len(tail) - zipEndSize; at >= 0; at-- {
		if binary.LittleEndian.Uint32(tail[at:]) == zipEnd && at+zipEndSize+int(binary.LittleEndian.Uint16(tail[at+20:])) == len(tail) {
			break
		}
	}
	return tail, at, nil
}

// endsAsZip tells whether programs that look for a zip from the end find one.
func endsAsZip(r io.ReaderAt, size int64) (bool, error) {
	_, at, err := zipTail(r, size)
	return at >= 0, err
}

// zip64EndRecord reads the record for archives that are too large for the other.
func zip64EndRecord(r io.ReaderAt, at, end int64) (start, length, count int64, err error) {
	const place = "zip64 end of central directory"
	if at < 0 || at > end-zip64EndSize {
		return 0, 0, 0, damaged(place, "is said to be at %d, outside of the file", at)
	}
	record := make([]byte, zip64EndSize)
	if err := fillFrom(r, record, at); err != nil {
		return 0, 0, 0, err
	}
	if binary.LittleEndian.Uint32(record) != zip64End || binary.LittleEndian.Uint64(record[4:]) != uint64(end-at-12) {
		return 0, 0, 0, damaged(place, "is not at %d, where it is said to be", at)
	}
	if binary.LittleEndian.Uint64(record[16:]) != 0 || binary.LittleEndian.Uint64(record[24:]) != binary.LittleEndian.Uint64(record[32:]) {
		return 0, 0, 0, damaged(place, "is of an archive in several parts")
	}
	return int64(binary.LittleEndian.Uint64(record[48:])), int64(binary.LittleEndian.Uint64(record[40:])), int64(binary.LittleEndian.Uint64(record[32:])), nil
}

func nextZipMember(r io.Reader) (zipMember, error) {
	var fixed [zipEntrySize]byte
	if _, err := io.ReadFull(r, fixed[:]); err != nil {
		return zipMember{}, err
	}
	if binary.LittleEndian.Uint32(fixed[:]) != zipEntry {
		return zipMember{}, errors.New("an entry does not begin as it must")
	}
	half := func(at int) uint16 { return binary.LittleEndian.Uint16(fixed[at:]) }
	word := func(at int) uint32 { return binary.LittleEndian.Uint32(fixed[at:]) }
	rest := make([]byte, int(half(28))+int(half(30))+int(half(32)))
	if _, err := io.ReadFull(r, rest); err != nil {
		return zipMember{}, err
	}
	name, extra := rest[:half(28)], rest[half(28):][:half(30)]
	m := zipMember{
		name: string(name), flags: half(8), method: half(10), crc: word(16),
		packed: int64(word(20)), size: int64(word(24)), header: int64(word(42)),
	}
	if system := half(4) >> 8; system == 3 || system == 19 { // Unix, macOS
		m.unixMode = word(38) >> 16
	}
	if err := zip64Sizes(extra, &m.size, &m.packed, &m.header); err != nil {
		return zipMember{}, damaged(m.place(), "%s", err)
	}
	return m, nil
}

// zip64Sizes replaces those of the numbers that did not fit into 32 bits.
func zip64Sizes(extra []byte, numbers ...*int64) error {
	for len(extra) >= 4 {
		id, length := binary.LittleEndian.Uint16(extra), int(binary.LittleEndian.Uint16(extra[2:]))
		if length > len(extra)-4 {
			return errors.New("an extra field is longer than all of them")
		}
		field := extra[4 : 4+length]
		extra = extra[4+length:]
		if id != 1 {
			continue
		}
		for _, n := range numbers {
			if *n != 0xffffffff {
				continue
			}
			if len(field) < 8 {
				return errors.New("a number of 64 bits is missing")
			}
			*n = int64(binary.LittleEndian.Uint64(field))
			field = field[8:]
		}
	}
	for _, n := range numbers {
		if *n < 0 {
			return errors.New("a size is beyond all limits")
		}
	}
	return nil
}

func (m zipMember) place() string { return clip(m.name, 200) }

// checkZipMembers reads each member's local header and refuses what readers
// read differently: entries that overlap, and those of which the directory and
// the local header tell two stories.
func checkZipMembers(r io.ReaderAt, size, directory int64, members []zipMember) error {
	var unpacked int64
	ordered := make([]*zipMember, len(members))
	for i := range members {
		ordered[i] = &members[i]
	}
	slices.SortFunc(ordered, func(a, b *zipMember) int { return cmp.Compare(a.header, b.header) })
	var end int64
	for _, m := range ordered {
		if m.header < end || m.header > directory-zipLocalSize {
			return damaged(m.place(), "its local header at %d lies in another entry, or beyond the entries", m.header)
		}
		if err := m.readLocal(r); err != nil {
			return zipError(m.place(), err)
		}
		if m.packed > directory-m.data {
			return damaged(m.place(), "its %d bytes from %d reach beyond the entries", m.packed, m.data)
		}
		end = m.data + m.packed
		if m.size > maxUnpacked || unpacked+m.size > maxUnpacked || m.method == zipDeflated && m.size/deflateRatio > m.packed {
			return damaged(m.place(), "cannot be, or must not be, %d bytes unpacked", m.size)
		}
		if m.method == zipStored && m.flags&zipEncrypted == 0 && m.size != m.packed {
			return damaged(m.place(), "is stored as it is, but %d bytes are said to be %d", m.packed, m.size)
		}
		unpacked += m.size
	}
	if unpacked > bombSize && unpacked/bombRatio > size {
		return damaged("central directory", "%d bytes unpack to %d: a bomb", size, unpacked)
	}
	return nil
}

func (m *zipMember) readLocal(r io.ReaderAt) error {
	var fixed [zipLocalSize]byte
	if err := fillFrom(r, fixed[:], m.header); err != nil {
		return err
	}
	half := func(at int) uint16 { return binary.LittleEndian.Uint16(fixed[at:]) }
	word := func(at int) uint32 { return binary.LittleEndian.Uint32(fixed[at:]) }
	if word(0) != zipLocal {
		return errors.New("has no local header where the directory says")
	}
	rest := make([]byte, int(half(26))+int(half(28)))
	if err := fillFrom(r, rest, m.header+zipLocalSize); err != nil {
		return err
	}
	name, extra := rest[:half(26)], rest[half(26):]
	if !bytes.Equal(name, []byte(m.name)) {
		return errors.New("is called " + clip(string(name), 200) + " in its local header")
	}
	if half(8) != m.method || (half(6)^m.flags)&(zipEncrypted|zipDescriptor) != 0 {
		return errors.New("is packed differently by its local header")
	}
	packed, size := int64(word(18)), int64(word(22))
	if err := zip64Sizes(extra, &size, &packed); err != nil {
		return err
	}
	unknown := m.flags&zipDescriptor != 0 // sizes stand behind the contents
	if word(14) != m.crc && !(unknown && word(14) == 0) || size != m.size && !(unknown && size == 0) || packed != m.packed && !(unknown && packed == 0) {
		return errors.New("has another size or checksum in its local header")
	}
	m.data = m.header + zipLocalSize + int64(len(rest))
	return nil
}

// open reads the contents, and checks their size and checksum at the end.
func (m *zipMember) open(r io.ReaderAt) (*zipContents, error) {
	packed := io.NewSectionReader(r, m.data, m.packed)
	switch {
	case m.flags&zipEncrypted != 0:
		return nil, damaged(m.place(), "is encrypted")
	case m.method == zipDeflated && tooPacked(m.packed, m.size) != nil:
		return nil, damaged(m.place(), "%v", tooPacked(m.packed, m.size))
	case m.method == zipStored:
		return &zipContents{m: m, from: packed, sum: crc32.NewIEEE()}, nil
	case m.method == zipDeflated:
		return &zipContents{m: m, from: inflate(packed, maxCoded), sum: crc32.NewIEEE()}, nil
	}
	return nil, damaged(m.place(), "is packed by method %d, which is not read", m.method)
}

type zipContents struct {
	m    *zipMember
	from io.Reader
	sum  hash.Hash32
	read int64

	altered bool // all was read, and the checksum is another
}

func (c *zipContents) Read(b []byte) (int, error) {
	n, err := c.from.Read(b)
	c.sum.Write(b[:n])
	c.read += int64(n)
	ended := errors.Is(err, io.EOF)
	c.altered = ended && c.read == c.m.size && c.sum.Sum32() != c.m.crc
	if c.altered || c.read > c.m.size || ended && c.read != c.m.size {
		return n, damaged(c.m.place(), "does not have the size and checksum that the directory says")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return n, zipError(c.m.place(), err)
	}
	return n, err
}

// small reads contents that are held in memory.
func (m *zipMember) small(r io.ReaderAt, most int64) ([]byte, error) {
	if m.size > most {
		return nil, damaged(m.place(), "has %d bytes; at most %d are read", m.size, most)
	}
	contents, err := m.open(r)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(contents)
}

// zipError adds a place to an error that has none.
func zipError(place string, err error) error {
	if known, ok := errors.AsType[*ReadError](err); ok && known.Place != "" {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return damaged(place, "ends too early")
	}
	return damaged(place, "%s", err)
}

// fillFrom reads as many bytes as b has, from a place on.
func fillFrom(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
