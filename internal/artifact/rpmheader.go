package artifact

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// Limits of an RPM's two headers, which are held in memory.
const (
	maxRPMEntries   = 1 << 16
	maxRPMSignature = 32 << 20 // bytes of the signature header; it may hold signatures of single files
	maxRPMHeader    = 64 << 20 // bytes of the header
	maxRPMText      = 2 << 20  // bytes of one string; what is longer is cut
	rpmIntro        = 16       // bytes before a header's entries
	rpmEntrySize    = 16
)

// Types of a header's entries.
const (
	rpmInt32, rpmInt64, rpmString, rpmBin, rpmStrings, rpmI18N = 4, 5, 6, 7, 8, 9
)

var rpmMagic = []byte{0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0}

// rpmHeader is one of the two headers: an index, and the data that it tells of.
type rpmHeader struct {
	place   string
	raw     []byte // all of it, as it stands in the file
	entries map[uint32]rpmEntry
	data    []byte
}

type rpmEntry struct {
	tag, kind, offset, count uint32
	size                     int // bytes
}

// readRPMHeader reads the header at a place in the file.
func readRPMHeader(s Source, at int64, most int64, place string) (*rpmHeader, error) {
	var intro [rpmIntro]byte
	if s.Size-at < rpmIntro {
		return nil, damaged(place, "the file ends in it")
	}
	if err := fillFrom(s, intro[:], at); err != nil {
		return nil, zipError(place, err)
	}
	count, length := int64(binary.BigEndian.Uint32(intro[8:])), int64(binary.BigEndian.Uint32(intro[12:]))
	switch size := rpmIntro + count*rpmEntrySize + length; {
	case !bytes.Equal(intro[:8], rpmMagic):
		return nil, damaged(place, "does not begin as a header of version 1 does")
	case count == 0 || count > maxRPMEntries || size > most:
		return nil, damaged(place, "has %d entries and %d bytes; 1 to %d entries and up to %d bytes are read", count, length, maxRPMEntries, most)
	case size > s.Size-at:
		return nil, damaged(place, "the file ends in it: %d of its %d bytes are there", s.Size-at, size)
	default:
		h := &rpmHeader{place: place, raw: make([]byte, size), entries: make(map[uint32]rpmEntry, count)}
		if err := fillFrom(s, h.raw, at); err != nil {
			return nil, zipError(place, err)
		}
		return h, h.index(count)
	}
}

// index reads the entries, and checks that what they tell of is there.
func (h *rpmHeader) index(count int64) error {
	h.data = h.raw[rpmIntro+count*rpmEntrySize:]
	claimed := 0
	for n := range count {
		b := h.raw[rpmIntro+n*rpmEntrySize:]
		e := rpmEntry{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:]), 0}
		if _, twice := h.entries[e.tag]; twice {
			return damaged(h.place, "holds tag %d twice", e.tag)
		}
		if e.size = h.sizeOf(e); e.size < 0 {
			return damaged(h.place, "what tag %d tells of (%d of type %d at %d) is not there", e.tag, e.count, e.kind, e.offset)
		}
		if claimed += e.size; claimed > len(h.data) {
			return damaged(h.place, "what tag %d tells of, others tell of too", e.tag)
		}
		h.entries[e.tag] = e
	}
	return nil
}

// sizeOf is how many bytes an entry has, or -1 if they are not in the data.
func (h *rpmHeader) sizeOf(e rpmEntry) int {
	widths := [...]int{0, 1, 1, 2, 4, 8, 0, 1, 0, 0}
	if e.kind >= uint32(len(widths)) || uint64(e.offset) > uint64(len(h.data)) {
		return -1
	}
	data, size := h.data[e.offset:], 0
	switch e.kind {
	case rpmString, rpmStrings, rpmI18N:
		if e.kind == rpmString && e.count != 1 {
			return -1
		}
		for range e.count {
			end := bytes.IndexByte(data[size:], 0)
			if end < 0 {
				return -1
			}
			size += end + 1
		}
		return size
	}
	if whole := uint64(widths[e.kind]) * uint64(e.count); whole <= uint64(len(data)) {
		return int(whole)
	}
	return -1
}

func (h *rpmHeader) bytes(tag, kind uint32) []byte {
	e, ok := h.entries[tag]
	if !ok || e.kind != kind {
		return nil
	}
	return h.data[e.offset:][:e.size]
}

// text is a string, or the first of several.
func (h *rpmHeader) text(tag uint32) string {
	texts := h.texts(tag, 1)
	if len(texts) == 0 {
		return ""
	}
	return texts[0]
}

// texts are up to most strings.
func (h *rpmHeader) texts(tag uint32, most int) (texts []string) {
	e, ok := h.entries[tag]
	if !ok || e.kind != rpmString && e.kind != rpmStrings && e.kind != rpmI18N {
		return nil
	}
	rest := h.data[e.offset:]
	for range min(int(e.count), most) {
		text, after, _ := bytes.Cut(rest, []byte{0})
		texts, rest = append(texts, string(text[:min(len(text), maxRPMText)])), after
	}
	return texts
}

// number is an integer, the first of several.
func (h *rpmHeader) number(tag uint32) (n uint64, ok bool) {
	if b := h.bytes(tag, rpmInt32); len(b) >= 4 {
		return uint64(binary.BigEndian.Uint32(b)), true
	}
	if b := h.bytes(tag, rpmInt64); len(b) >= 8 {
		return binary.BigEndian.Uint64(b), true
	}
	return 0, false
}

// unclaimed says what of the data no entry tells of, or several do; in a header
// that nothing signs, something could hide there.
func (h *rpmHeader) unclaimed() string {
	align := [...]int{1, 1, 1, 2, 4, 8, 1, 1, 1, 1}
	ordered := make([]rpmEntry, 0, len(h.entries))
	for _, e := range h.entries {
		ordered = append(ordered, e)
	}
	slices.SortFunc(ordered, func(a, b rpmEntry) int {
		return cmp.Or(cmp.Compare(a.offset, b.offset), cmp.Compare(a.tag, b.tag))
	})
	end := 0
	for _, e := range ordered {
		begins := (end + align[e.kind] - 1) / align[e.kind] * align[e.kind]
		if int(e.offset) != begins || len(bytes.Trim(h.data[end:begins], "\x00")) > 0 {
			return fmt.Sprintf("%s: what tag %d tells of does not follow the one before it", h.place, e.tag)
		}
		end = begins + e.size
	}
	if end != len(h.data) {
		return fmt.Sprintf("%s: %d bytes belong to nothing", h.place, len(h.data)-end)
	}
	return ""
}
