package artifact

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"unicode/utf16"
)

// An MSI is a compound file (MS-CFB): a small file system of storages and
// streams. Every sector may be part of one chain only; that alone bounds all
// work by the file's size, and makes a loop an error.

// Limits: sectors (4 GiB of 512 bytes), directory entries, nesting of storages.
const (
	maxCompoundSectors = 1 << 23
	maxCompoundEntries = 1 << 16
	maxCompoundDepth   = 32
)

// Numbers that stand for no sector and no entry.
const (
	cfbEndOfChain = 0xfffffffe
	cfbNoEntry    = 0xffffffff
)

// Kinds of directory entries.
const (
	cfbStorage = 1
	cfbStream  = 2
	cfbRoot    = 5
)

var compoundMagic = []byte{0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1}

type compoundFile struct {
	s       Source
	shift   uint // of the sectors' size: 9 or 12
	sectors int64
	fat     []uint32
	used    []bool // sectors that are part of something
	mini    []uint32
	usedMin []bool
	cutoff  int64 // streams below it are in the mini stream
	small   *compoundStream
	entries []compoundEntry
}

// compoundEntry is one storage or stream. raw is its 128 bytes.
type compoundEntry struct {
	id       int
	raw      []byte
	kind     byte
	start    uint32
	size     int64
	children []int
	stream   *compoundStream
}

// name is the entry's name as it is stored, without the final zero.
func (e *compoundEntry) name() []byte {
	return e.raw[:max(int(binary.LittleEndian.Uint16(e.raw[64:])), 2)-2]
}

func (e *compoundEntry) text() string {
	var units []uint16
	for name := e.name(); len(name) >= 2; name = name[2:] {
		units = append(units, binary.LittleEndian.Uint16(name))
	}
	return string(utf16.Decode(units))
}

func openCompound(s Source) (*compoundFile, error) {
	const place = "compound file header"
	s.ReaderAt = newBlockReader(s)
	h, err := readSpan(s, place, 0, 512)
	if err != nil {
		return nil, err
	}
	c := &compoundFile{s: s, shift: uint(binary.LittleEndian.Uint16(h[30:])), cutoff: int64(binary.LittleEndian.Uint32(h[56:]))}
	version := binary.LittleEndian.Uint16(h[26:])
	if !bytes.HasPrefix(h, compoundMagic) || binary.LittleEndian.Uint16(h[28:]) != 0xfffe || binary.LittleEndian.Uint16(h[32:]) != 6 || c.cutoff != 4096 ||
		!(version == 3 && c.shift == 9 || version == 4 && c.shift == 12) {
		return nil, damaged(place, "version %d, sectors of 2^%d bytes, small streams up to %d: no compound file is like that", version, c.shift, c.cutoff)
	}
	c.sectors = max(0, (s.Size-1)>>c.shift) // the header takes the first; the last may be cut short
	if c.sectors > maxCompoundSectors {
		return nil, damaged(place, "%d sectors; at most %d are read", c.sectors, maxCompoundSectors)
	}
	c.used = make([]bool, c.sectors)
	if err := c.readFAT(h); err != nil {
		return nil, err
	}
	if err := c.readDirectory(binary.LittleEndian.Uint32(h[48:])); err != nil {
		return nil, err
	}
	if err := c.readMini(h); err != nil {
		return nil, err
	}
	return c, c.connect()
}

// take marks a sector as part of something.
func (c *compoundFile) take(place string, sector uint32) error {
	if int64(sector) >= c.sectors {
		return damaged(place, "sector %d is wanted; the file has %d", sector, c.sectors)
	}
	if c.used[sector] {
		return damaged(place, "sector %d is reached twice: its chain loops, or crosses another one", sector)
	}
	c.used[sector] = true
	return nil
}

// sector reads a sector as numbers.
func (c *compoundFile) sector(place string, n uint32) ([]uint32, error) {
	data, err := readSpan(c.s, place, (int64(n)+1)<<c.shift, 1<<c.shift)
	numbers := make([]uint32, len(data)/4)
	for i := range numbers {
		numbers[i] = binary.LittleEndian.Uint32(data[4*i:])
	}
	return numbers, err
}

// readFAT gathers the file allocation table, whose sectors are listed in the
// header and, if these do not suffice, in a chain of sectors of their own.
func (c *compoundFile) readFAT(h []byte) error {
	const place = "allocation table"
	count := int64(binary.LittleEndian.Uint32(h[44:]))
	if count > c.sectors {
		return damaged(place, "it is said to have %d sectors; the file has %d", count, c.sectors)
	}
	list := make([]uint32, 0, 109)
	for i := 76; i < 512; i += 4 {
		list = append(list, binary.LittleEndian.Uint32(h[i:]))
	}
	for next := binary.LittleEndian.Uint32(h[68:]); int64(len(list)) < count; {
		if err := c.take("list of the allocation table", next); err != nil {
			return err
		}
		more, err := c.sector("list of the allocation table", next)
		if err != nil {
			return err
		}
		list, next = append(list, more[:len(more)-1]...), more[len(more)-1]
	}
	for _, n := range list[:count] {
		if err := c.take(place, n); err != nil {
			return err
		}
		if int64(len(c.fat)) >= c.sectors {
			continue // it speaks of sectors that the file has not
		}
		part, err := c.sector(place, n)
		if err != nil {
			return err
		}
		c.fat = append(c.fat, part...)
	}
	return nil
}

// chain follows the table from a sector on, for as many sectors as are wanted,
// or to its end if most is less than 0.
func (c *compoundFile) chain(place string, start uint32, most int64) ([]uint32, error) {
	if most > c.sectors {
		return nil, damaged(place, "it is said to have %d sectors; the file has %d", most, c.sectors)
	}
	chain := make([]uint32, 0, max(most, 0))
	for n := start; most < 0 || int64(len(chain)) < most; {
		if n == cfbEndOfChain && most < 0 {
			return chain, nil
		}
		if err := c.take(place, n); err != nil {
			return nil, err
		}
		if int64(n) >= int64(len(c.fat)) {
			return nil, damaged(place, "sector %d is not in the allocation table", n)
		}
		chain = append(chain, n)
		n = c.fat[n]
	}
	return chain, nil
}

func (c *compoundFile) readDirectory(start uint32) error {
	const place = "directory"
	chain, err := c.chain(place, start, -1)
	if err != nil {
		return err
	}
	if len(chain) == 0 || len(chain)<<c.shift > maxCompoundEntries*128 {
		return damaged(place, "%d sectors; from 1 to %d entries are read", len(chain), maxCompoundEntries)
	}
	for _, n := range chain {
		data, err := readSpan(c.s, place, (int64(n)+1)<<c.shift, 1<<c.shift)
		if err != nil {
			return err
		}
		for ; len(data) > 0; data = data[128:] {
			e := compoundEntry{id: len(c.entries), raw: data[:128], kind: data[66], start: binary.LittleEndian.Uint32(data[116:]), size: int64(binary.LittleEndian.Uint32(data[120:]))}
			if high := binary.LittleEndian.Uint32(data[124:]); c.shift == 12 && high > 0 && e.kind == cfbStream {
				return damaged(place, "entry %d is of %d times 4 GiB", len(c.entries), high)
			}
			if n := binary.LittleEndian.Uint16(data[64:]); n > 64 || n%2 != 0 || n == 0 && e.kind != 0 {
				return damaged(place, "the name of entry %d is of %d bytes", len(c.entries), n)
			}
			c.entries = append(c.entries, e)
		}
	}
	if c.entries[0].kind != cfbRoot {
		return damaged(place, "its first entry is of kind %d, not the root", c.entries[0].kind)
	}
	return nil
}

// readMini reads the table of the mini stream, where small streams are kept,
// and lays out that stream itself.
func (c *compoundFile) readMini(h []byte) error {
	const place = "small allocation table"
	root := &c.entries[0]
	wanted := (root.size + 63) / 64
	if root.size > maxCompoundEntries*c.cutoff {
		return damaged(place, "%d bytes of small streams; %d streams have at most %d", root.size, maxCompoundEntries, maxCompoundEntries*c.cutoff)
	}
	if binary.LittleEndian.Uint32(h[64:]) > 0 {
		table, err := c.chain(place, binary.LittleEndian.Uint32(h[60:]), -1)
		if err != nil {
			return err
		}
		for i := 0; i < len(table) && int64(len(c.mini)) < wanted; i++ {
			part, err := c.sector(place, table[i])
			if err != nil {
				return err
			}
			c.mini = append(c.mini, part...)
		}
	}
	sectors, err := c.chain("stream of small streams", root.start, (root.size+1<<c.shift-1)>>c.shift)
	c.small = &compoundStream{in: c, chain: sectors, shift: c.shift, size: root.size}
	c.usedMin = make([]bool, min(int64(len(c.mini)), wanted))
	return err
}

// connect finds the entries that the root reaches, and their streams.
func (c *compoundFile) connect() error {
	const place = "directory"
	seen := make([]bool, len(c.entries))
	type step struct{ id, parent, depth int }
	var todo []step
	push := func(link []byte, parent, depth int) error {
		id := binary.LittleEndian.Uint32(link)
		if id == cfbNoEntry {
			return nil
		}
		if int64(id) >= int64(len(c.entries)) || seen[id] || depth > maxCompoundDepth {
			return damaged(place, "entry %d of %d is reached twice, or %d storages deep", id, len(c.entries), depth)
		}
		seen[id] = true
		todo = append(todo, step{int(id), parent, depth})
		return nil
	}
	seen[0] = true
	if err := push(c.entries[0].raw[76:], 0, 1); err != nil {
		return err
	}
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		e := &c.entries[at.id]
		if e.kind != cfbStorage && e.kind != cfbStream {
			return damaged(place, "entry %d is of kind %d", at.id, e.kind)
		}
		c.entries[at.parent].children = append(c.entries[at.parent].children, at.id)
		for _, link := range []int{68, 72} {
			if err := push(e.raw[link:], at.parent, at.depth); err != nil {
				return err
			}
		}
		if e.kind == cfbStorage {
			if err := push(e.raw[76:], at.id, at.depth+1); err != nil {
				return err
			}
		} else if err := c.layOut(e); err != nil {
			return err
		}
	}
	return nil
}

// layOut follows the chain of a stream.
func (c *compoundFile) layOut(e *compoundEntry) error {
	place := fmt.Sprintf("stream %q", clip(e.text(), 64))
	e.stream = &compoundStream{in: c, shift: c.shift, size: e.size}
	if e.size >= c.cutoff {
		var err error
		e.stream.chain, err = c.chain(place, e.start, (e.size+1<<c.shift-1)>>c.shift)
		return err
	}
	e.stream.shift, e.stream.small = 6, true
	for n := e.start; int64(len(e.stream.chain))*64 < e.size; n = c.mini[n] {
		if int64(n) >= int64(len(c.usedMin)) || c.usedMin[n] {
			return damaged(place, "small sector %d of %d is not there, or reached twice", n, len(c.usedMin))
		}
		c.usedMin[n] = true
		e.stream.chain = append(e.stream.chain, n)
	}
	return nil
}

// compoundStream reads a stream wherever its sectors are.
type compoundStream struct {
	in    *compoundFile
	chain []uint32
	shift uint
	size  int64
	small bool // the sectors are those of the stream of small streams
}

func (r *compoundStream) ReadAt(p []byte, off int64) (done int, err error) {
	for done < len(p) && off < r.size {
		first := off >> r.shift
		run := int64(1) // neighbours are read at once
		for first+run < int64(len(r.chain)) && run<<r.shift < int64(len(p)-done)+1<<r.shift && r.chain[first+run] == r.chain[first]+uint32(run) {
			run++
		}
		inside := off - first<<r.shift
		n := min(int64(len(p)-done), run<<r.shift-inside, r.size-off)
		from, part := r.in.s.ReaderAt, int64(r.chain[first])<<r.shift+inside
		if r.small {
			from = r.in.small
		} else {
			part += 1 << r.shift // the header
		}
		read, err := from.ReadAt(p[done:done+int(n)], part)
		done, off = done+read, off+int64(read)
		if int64(read) < n {
			return done, damaged("sector", "at byte %d: %v", part, err)
		}
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

func (r *compoundStream) reader() io.Reader { return io.NewSectionReader(r, 0, r.size) }
