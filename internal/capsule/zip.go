package capsule

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// A capsule has exactly one encoding as a zip: every member stored, one after the
// other, no extra fields, no comments, one date for all. Whoever reads one makes
// its headers again and compares them, so that no byte of it is free.

// maxSize is the largest capsule: there is no zip64.
const maxSize = math.MaxUint32

const (
	localLength   = 30
	centralLength = 46
	endLength     = 22
	zipVersion    = 20     // 2.0, written and needed
	zipDate       = 0x0021 // 1980-01-01
)

// member is one file in the zip.
type member struct {
	name   string
	size   int64
	crc    uint32
	offset int64 // of the local header
}

// local is the header in front of a member's bytes.
func (m member) local() []byte {
	le := binary.LittleEndian
	h := append(make([]byte, 0, localLength+len(m.name)), "PK\x03\x04"...)
	h = append(le.AppendUint16(h, zipVersion), 0, 0, 0, 0, 0, 0) // flags, method, time
	return append(m.sizes(le.AppendUint16(h, zipDate)), m.name...)
}

// central is the member's line in the directory.
func (m member) central() []byte {
	le := binary.LittleEndian
	h := append(make([]byte, 0, centralLength+len(m.name)), "PK\x01\x02"...)
	h = le.AppendUint16(h, zipVersion)
	h = append(le.AppendUint16(h, zipVersion), 0, 0, 0, 0, 0, 0)
	h = m.sizes(le.AppendUint16(h, zipDate))
	h = append(h, make([]byte, 10)...) // comment, disk, attributes
	return append(le.AppendUint32(h, uint32(m.offset)), m.name...)
}

// sizes are what both headers say in the same words: from the CRC to the length of
// the extra field.
func (m member) sizes(h []byte) []byte {
	le := binary.LittleEndian
	h = le.AppendUint32(h, m.crc)
	h = le.AppendUint32(h, uint32(m.size))
	h = le.AppendUint32(h, uint32(m.size))
	h = le.AppendUint16(h, uint16(len(m.name)))
	return le.AppendUint16(h, 0)
}

// data is where the member's bytes begin.
func (m member) data() int64 { return m.offset + localLength + int64(len(m.name)) }

// end is where the next member begins.
func (m member) end() int64 { return m.data() + m.size }

// endRecord closes a zip of some members whose directory stands at a place.
func endRecord(members int, size, offset int64) []byte {
	le := binary.LittleEndian
	h := append(make([]byte, 0, endLength), "PK\x05\x06\x00\x00\x00\x00"...)
	h = le.AppendUint16(h, uint16(members))
	h = le.AppendUint16(h, uint16(members))
	h = le.AppendUint32(h, uint32(size))
	h = le.AppendUint32(h, uint32(offset))
	return le.AppendUint16(h, 0)
}

// ErrTooLarge is of what does not fit into a capsule.
var ErrTooLarge = errors.New("this is too much for one capsule")

// place gives members their offsets and returns the size of the whole.
func place(members []member) (int64, error) {
	offset, directory := int64(0), int64(0)
	for i := range members {
		members[i].offset = offset
		offset = members[i].end()
		directory += centralLength + int64(len(members[i].name))
	}
	total := offset + directory + endLength
	if total > maxSize || len(members) > maxMembers {
		return 0, fmt.Errorf("%w: %d bytes in %d members, and a zip without extensions holds %d in %d; leave the attachments out", ErrTooLarge, total, len(members), int64(maxSize), maxMembers)
	}
	return total, nil
}

// malformed is a capsule that is not encoded as a capsule is.
type malformed struct{ reason string }

func (m *malformed) Error() string { return m.reason }

func bad(format string, args ...any) error { return &malformed{fmt.Sprintf(format, args...)} }

// openZip reads the headers of a capsule. An error that is not [malformed] is the
// reader's.
func openZip(r io.ReaderAt, size int64) ([]member, error) {
	if size < endLength || size > maxSize {
		return nil, bad("%d bytes are no capsule", size)
	}
	end, err := section(r, size-endLength, endLength)
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	count, length, offset := int(le.Uint16(end[10:])), int64(le.Uint32(end[12:])), int64(le.Uint32(end[16:]))
	if count > maxMembers || length > int64(count)*(centralLength+maxName) || offset+length+endLength != size ||
		string(end) != string(endRecord(count, length, offset)) {
		return nil, bad("it does not end as a capsule ends: it was cut off, or something was put behind it")
	}
	directory, err := section(r, offset, length)
	if err != nil {
		return nil, err
	}
	members, at := make([]member, 0, count), int64(0)
	for i := range count {
		m, rest, ok := readCentral(directory)
		if m.offset = at; !ok || string(directory[:len(directory)-len(rest)]) != string(m.central()) || m.end() > offset {
			return nil, bad("line %d of its directory is not as a capsule's is", i+1)
		}
		local, err := section(r, at, localLength+int64(len(m.name)))
		if err != nil {
			return nil, err
		}
		if string(local) != string(m.local()) {
			return nil, bad("the header of the member %q is not as a capsule's is", m.name)
		}
		members, directory, at = append(members, m), rest, m.end()
	}
	if len(directory) > 0 || at != offset {
		return nil, bad("between its members and its directory there is something else")
	}
	return members, nil
}

// readCentral reads what a line of the directory says; whether it is written as it
// must be, the caller sees by writing it again.
func readCentral(directory []byte) (m member, rest []byte, ok bool) {
	if len(directory) < centralLength {
		return m, nil, false
	}
	le := binary.LittleEndian
	length := int(le.Uint16(directory[28:]))
	if length == 0 || length > maxName || len(directory) < centralLength+length {
		return m, nil, false
	}
	m.crc, m.size = le.Uint32(directory[16:]), int64(le.Uint32(directory[20:]))
	m.name = string(directory[centralLength : centralLength+length])
	return m, directory[centralLength+length:], true
}

func section(r io.ReaderAt, offset, length int64) ([]byte, error) {
	b := make([]byte, length)
	if n, err := r.ReadAt(b, offset); int64(n) < length {
		return nil, fmt.Errorf("reading the capsule: %w", err)
	}
	return b, nil
}
