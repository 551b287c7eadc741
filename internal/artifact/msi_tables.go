package artifact

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/ianaindex"
)

// Limits of an MSI's tables in bytes: the string pool (four million strings),
// the Property table, and one text.
const (
	maxMSIPool       = 16 << 20
	maxMSIProperties = 4 << 20
	maxMSIText       = 4 << 10
)

// msiTable is the name of a table's stream: two characters of 64 go into one.
func msiTable(name string) string {
	const characters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._"
	packed := []rune{0x4840}
	for ; len(name) >= 2; name = name[2:] {
		packed = append(packed, 0x3800+rune(strings.IndexByte(characters, name[0])+strings.IndexByte(characters, name[1])<<6))
	}
	if name != "" {
		packed = append(packed, 0x4800+rune(strings.IndexByte(characters, name[0])))
	}
	return string(packed)
}

// msiStrings is the string pool: tables hold numbers of strings.
type msiStrings struct {
	data     *compoundStream
	starts   []uint32 // of string n, and its end at n+1, in data
	codePage int
	width    int // of a number, in bytes
}

func readStrings(pool, data *compoundStream) (*msiStrings, error) {
	const place = "string pool"
	if pool == nil || data == nil {
		return nil, damaged(place, "it is not there")
	}
	raw, err := pool.all("_StringPool", maxMSIPool)
	if err != nil {
		return nil, err
	}
	if len(raw) < 4 {
		return nil, damaged(place, "it has %d bytes", len(raw))
	}
	head := binary.LittleEndian.Uint32(raw)
	t := &msiStrings{data: data, codePage: int(head & 0x7fffffff), width: 2, starts: make([]uint32, 1, len(raw)/4+1)}
	if head>>31 == 1 {
		t.width = 3
	}
	at, high := int64(0), int64(0)
	t.starts = append(t.starts, 0) // string 0 is the empty one
	for raw = raw[4:]; len(raw) >= 4; raw = raw[4:] {
		size, uses := int64(binary.LittleEndian.Uint16(raw)), binary.LittleEndian.Uint16(raw[2:])
		if size == 0 && uses > 0 && high == 0 { // a long string: the next entry is its lower half
			high = int64(uses) << 16
			continue
		}
		if at, high = at+size+high, 0; at > data.size {
			return nil, damaged(place, "string %d ends at byte %d of %d", len(t.starts)-1, at, data.size)
		}
		t.starts = append(t.starts, uint32(at))
	}
	return t, nil
}

// text reads a string. A wrong number is an error, a long string is cut.
func (t *msiStrings) text(n int) (string, error) {
	if n < 0 || n+1 >= len(t.starts) {
		return "", damaged("string pool", "string %d is wanted; it has %d", n, len(t.starts)-1)
	}
	data := make([]byte, min(t.starts[n+1]-t.starts[n], maxMSIText))
	if read, err := t.data.ReadAt(data, int64(t.starts[n])); read < len(data) {
		return "", err
	}
	return fromCodePage(data, t.codePage), nil
}

// readProperties reads the Property table: a column of names, then one of values.
func readProperties(streams map[string]*compoundStream) (map[string]string, error) {
	table := streams[msiTable("Property")]
	if table == nil {
		return nil, nil // patches and transforms have none
	}
	texts, err := readStrings(streams[msiTable("_StringPool")], streams[msiTable("_StringData")])
	if err != nil {
		return nil, err
	}
	raw, err := table.all("Property", maxMSIProperties)
	if err != nil {
		return nil, err
	}
	number := func(i int) int {
		return int(binary.LittleEndian.Uint32(append(slices.Clone(raw[i*texts.width:(i+1)*texts.width]), 0, 0)[:4]))
	}
	wanted := []string{"ProductName", "ProductVersion", "Manufacturer", "ProductCode", "UpgradeCode"}
	found := map[string]string{}
	if len(raw)%(2*texts.width) != 0 {
		return nil, damaged("Property table", "%d bytes are no rows of %d", len(raw), 2*texts.width)
	}
	rows := len(raw) / (2 * texts.width)
	for i := range rows {
		n := number(i)
		if n+1 < len(texts.starts) && texts.starts[n+1]-texts.starts[n] > 20 {
			continue // longer than any that is wanted
		}
		name, err := texts.text(n)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(wanted, name) {
			continue
		}
		if _, twice := found[name]; twice {
			return nil, damaged("Property table", "%s occurs twice", name)
		}
		value, err := texts.text(number(rows + i))
		if err != nil {
			return nil, err
		}
		found[name] = clip(strings.TrimSpace(value), 500)
	}
	return found, nil
}

// readSummary reads the texts of the summary by their numbers: 3 is the
// subject, 4 the author, 7 the template.
func readSummary(stream *compoundStream) (map[uint32]string, error) {
	if stream == nil {
		return nil, nil
	}
	raw, err := stream.all(msiSummary, 1<<20)
	if err != nil {
		return nil, err
	}
	set, places, err := propertySet(raw)
	if err != nil {
		return nil, err
	}
	codePage := 0
	if at, ok := places[1]; ok {
		codePage = int(binary.LittleEndian.Uint16(set[at+4:]))
	}
	texts := map[uint32]string{}
	for _, id := range []uint32{3, 4, 7} {
		at, ok := places[id]
		if !ok || binary.LittleEndian.Uint32(set[at:]) != 30 { // a text in the code page
			continue
		}
		size := int64(binary.LittleEndian.Uint32(set[at+4:]))
		if size > int64(len(set))-at-8 {
			return nil, damaged("summary", "property %d is of %d bytes; %d are left", id, size, int64(len(set))-at-8)
		}
		text, _, _ := strings.Cut(fromCodePage(set[at+8:at+8+min(size, maxMSIText)], codePage), "\x00")
		texts[id] = clip(strings.TrimSpace(text), 500)
	}
	return texts, nil
}

// propertySet is the first set of a stream of properties (MS-OLEPS), and where
// in it each property is; there are at least 8 bytes.
func propertySet(raw []byte) (set []byte, places map[uint32]int64, err error) {
	const place = "summary"
	if len(raw) < 48 || binary.LittleEndian.Uint16(raw) != 0xfffe {
		return nil, nil, damaged(place, "%d bytes that are no property set", len(raw))
	}
	start := int64(binary.LittleEndian.Uint32(raw[44:]))
	if start > int64(len(raw))-8 {
		return nil, nil, damaged(place, "its properties start at byte %d of %d", start, len(raw))
	}
	set = raw[start:]
	count := int64(binary.LittleEndian.Uint32(set[4:]))
	if count > int64(len(set)-8)/8 {
		return nil, nil, damaged(place, "%d properties do not fit into %d bytes", count, len(set))
	}
	places = map[uint32]int64{}
	for i := range count {
		id, at := binary.LittleEndian.Uint32(set[8+8*i:]), int64(binary.LittleEndian.Uint32(set[12+8*i:]))
		if at > int64(len(set))-8 {
			return nil, nil, damaged(place, "property %d is at byte %d of %d", id, at, len(set))
		}
		places[id] = at
	}
	return set, places, nil
}

// fromCodePage decodes a text. One that is UTF-8 already stays as it is if the
// code page is not known.
func fromCodePage(data []byte, page int) string {
	names := map[int]string{
		874: "windows-874", 932: "shift_jis", 936: "gbk", 949: "euc-kr", 950: "big5", 20127: "us-ascii", 28591: "iso-8859-1",
	}
	name := names[page]
	switch {
	case page >= 1250 && page <= 1258:
		name = fmt.Sprintf("windows-%d", page)
	case page == 0 && !utf8.Valid(data):
		name = "windows-1252"
	}
	if encoding, err := ianaindex.IANA.Encoding(name); name != "" && err == nil && encoding != nil {
		if text, err := encoding.NewDecoder().Bytes(data); err == nil {
			return string(text)
		}
	}
	return string(data)
}
