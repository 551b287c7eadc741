package artifact

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
)

// An MSIX is a zip that is written once, from front to back, without comment:
// what is signed is its bytes, so this reader looks at bytes. Limits: of the
// central directory, and of a member that is read.
const (
	maxMSIXDirectory = 32 << 20
	maxMSIXEntries   = 100_000
	maxMSIXMember    = 64 << 20
	maxMSIXManifest  = 1 << 20
)

type msixZip struct {
	s         Source
	entries   []msixEntry
	directory []byte // all entries, as they stand in the file
	start     int64  // of the directory
	tail      []byte // what follows the directory: end records
	zip64     bool
	behind    int64 // bytes that follow the end of the zip
}

type msixEntry struct {
	name                 string
	raw                  []byte // in the directory
	method, flags        uint16
	packed, size, offset int64
}

// openMSIX reads the central directory.
func openMSIX(s Source) (*msixZip, error) {
	const place = "end of the zip"
	z := &msixZip{s: s}
	last := min(s.Size, 22+1<<16-1)
	data, err := readSpan(s, place, s.Size-last, last)
	if err != nil {
		return nil, err
	}
	at := bytes.LastIndex(data, []byte("PK\x05\x06"))
	if at < 0 || len(data)-at < 22 {
		return nil, damaged(place, "there is no end record: the file is cut off")
	}
	end := s.Size - last + int64(at)
	z.behind = s.Size - end - 22
	record := data[at : at+22]
	here, count, size := int64(binary.LittleEndian.Uint16(record[8:])), int64(binary.LittleEndian.Uint16(record[10:])), int64(binary.LittleEndian.Uint32(record[12:]))
	z.start = int64(binary.LittleEndian.Uint32(record[16:]))
	records := end
	if count == 0xffff || size == 0xffffffff || z.start == 0xffffffff {
		z.zip64, records = true, end-20-56
		long, err := readSpan(s, place, records, 76)
		if err != nil {
			return nil, err
		}
		if string(long[:4]) != "PK\x06\x06" || string(long[56:60]) != "PK\x06\x07" || int64(binary.LittleEndian.Uint64(long[64:])) != records {
			return nil, damaged(place, "its 64-bit end record is not before it")
		}
		here, count = int64(binary.LittleEndian.Uint64(long[24:])), int64(binary.LittleEndian.Uint64(long[32:]))
		size, z.start = int64(binary.LittleEndian.Uint64(long[40:])), int64(binary.LittleEndian.Uint64(long[48:]))
	}
	if here != count || count < 0 || count > maxMSIXEntries || size < 0 || size > maxMSIXDirectory || z.start < 0 || z.start > s.Size || z.start+size != records {
		return nil, damaged(place, "%d members, a directory of %d bytes at %d; at most %d and %d are read, and it ends at %d", count, size, z.start, maxMSIXEntries, maxMSIXDirectory, records)
	}
	if z.tail, err = readSpan(s, place, records, end+22-records); err != nil {
		return nil, err
	}
	if z.directory, err = readSpan(s, "directory of the zip", z.start, size); err != nil {
		return nil, err
	}
	return z, z.readEntries(count)
}

func (z *msixZip) readEntries(count int64) error {
	const place = "directory of the zip"
	rest := z.directory
	for i := range count {
		if len(rest) < 46 || string(rest[:4]) != "PK\x01\x02" {
			return damaged(place, "entry %d is none", i+1)
		}
		name, extra, comment := int(binary.LittleEndian.Uint16(rest[28:])), int(binary.LittleEndian.Uint16(rest[30:])), int(binary.LittleEndian.Uint16(rest[32:]))
		if len(rest) < 46+name+extra+comment {
			return damaged(place, "entry %d is cut off", i+1)
		}
		e := msixEntry{
			name: string(rest[46 : 46+name]), raw: rest[:46+name+extra+comment],
			flags: binary.LittleEndian.Uint16(rest[8:]), method: binary.LittleEndian.Uint16(rest[10:]),
			packed: int64(binary.LittleEndian.Uint32(rest[20:])), size: int64(binary.LittleEndian.Uint32(rest[24:])), offset: int64(binary.LittleEndian.Uint32(rest[42:])),
		}
		e.widen(rest[46+name : 46+name+extra])
		if e.packed < 0 || e.size < 0 || e.offset < 0 || e.offset > z.start || e.packed > z.start-e.offset {
			return damaged(place, "%q is of %d bytes at %d, before the directory at %d", clip(e.name, 200), e.packed, e.offset, z.start)
		}
		z.entries = append(z.entries, e)
		rest = rest[46+name+extra+comment:]
	}
	if len(rest) > 0 {
		return damaged(place, "%d bytes follow its %d entries", len(rest), count)
	}
	return nil
}

// widen takes the numbers that do not fit from the 64-bit field.
func (e *msixEntry) widen(extra []byte) {
	for len(extra) >= 4 {
		kind, size := binary.LittleEndian.Uint16(extra), int(binary.LittleEndian.Uint16(extra[2:]))
		extra = extra[4:]
		if size > len(extra) {
			return
		}
		field := extra[:size]
		extra = extra[size:]
		if kind != 1 {
			continue
		}
		for _, number := range []*int64{&e.size, &e.packed, &e.offset} {
			if *number == 0xffffffff && len(field) >= 8 {
				*number, field = int64(binary.LittleEndian.Uint64(field)), field[8:]
			}
		}
	}
}

// find is a member by its name; nil if there is none. Windows takes no account
// of case, so two that differ in it are one too many.
func (z *msixZip) find(name string) (*msixEntry, error) {
	var found *msixEntry
	for i := range z.entries {
		if !bytes.EqualFold([]byte(z.entries[i].name), []byte(name)) {
			continue
		}
		if found != nil {
			return nil, damaged("directory of the zip", "%q is in it twice", name)
		}
		found = &z.entries[i]
	}
	return found, nil
}

// open starts reading a member, and says where its bytes start in the file.
func (z *msixZip) open(e *msixEntry) (*bufio.Reader, int64, error) {
	place := fmt.Sprintf("member %q", clip(e.name, 200))
	local, err := readSpan(z.s, place, e.offset, 30)
	if err != nil {
		return nil, 0, err
	}
	name, err := readSpan(z.s, place, e.offset+30, int64(binary.LittleEndian.Uint16(local[26:])))
	if err != nil {
		return nil, 0, err
	}
	if string(local[:4]) != "PK\x03\x04" || string(name) != e.name || binary.LittleEndian.Uint16(local[8:]) != e.method {
		return nil, 0, damaged(place, "its own header is missing, or says something else than the directory")
	}
	start := e.offset + 30 + int64(len(name)) + int64(binary.LittleEndian.Uint16(local[28:]))
	if start > z.start-e.packed {
		return nil, 0, damaged(place, "%d bytes at %d run into the directory at %d", e.packed, start, z.start)
	}
	if e.flags&1 != 0 || e.method != 0 && e.method != 8 {
		return nil, 0, damaged(place, "it is encrypted, or packed by method %d", e.method)
	}
	return bufio.NewReader(io.NewSectionReader(z.s, start, e.packed)), start, nil
}

// copy writes a member, which must be of the size it says, and end where its
// bytes end.
func (z *msixZip) copy(w io.Writer, e *msixEntry, most int64) error {
	place := fmt.Sprintf("member %q", clip(e.name, 200))
	if e.size > most {
		return damaged(place, "%d bytes; at most %d are read", e.size, most)
	}
	if err := tooPacked(e.packed, e.size); err != nil {
		return damaged(place, "%v", err)
	}
	packed, _, err := z.open(e)
	if err != nil {
		return err
	}
	r := io.Reader(packed)
	if e.method == 8 {
		r = flate.NewReader(packed) // takes no more from a ByteReader than it needs
	}
	n, err := io.Copy(w, io.LimitReader(r, e.size+1))
	if err != nil || n != e.size {
		return damaged(place, "it should have %d bytes; %d could be read (%v)", e.size, n, err)
	}
	if _, err := packed.ReadByte(); err != io.EOF {
		return damaged(place, "something follows its packed bytes")
	}
	return nil
}

// skipDescriptor skips what repeats checksum and sizes behind a member: with or
// without a mark, in 32 or 64 bits.
func (z *msixZip) skipDescriptor(e *msixEntry, at int64) (int64, error) {
	for _, mark := range []string{"PK\x07\x08", ""} {
		body := append([]byte(mark), e.raw[16:20]...)
		short := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(bytes.Clone(body), uint32(e.packed)), uint32(e.size))
		long := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(body, uint64(e.packed)), uint64(e.size))
		for _, want := range [][]byte{long, short} {
			if int64(len(want)) > z.start-at {
				continue
			}
			got, err := readSpan(z.s, "descriptor", at, int64(len(want)))
			if err != nil || bytes.Equal(got, want) {
				return at + int64(len(want)), err
			}
		}
	}
	return at, nil
}
