package artifact

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
)

// describe fills in what the version resource says. A file without one is not
// an error.
func (p *peFile) describe(info *Info) error {
	data, err := p.versionResource()
	if err != nil || data == nil {
		return err
	}
	fixed, texts, err := parseVersionInfo(data)
	if err != nil {
		return err
	}
	info.Name, info.Publisher, info.Version = texts["ProductName"], texts["CompanyName"], texts["ProductVersion"]
	file := texts["FileVersion"]
	if len(fixed) >= 24 && binary.LittleEndian.Uint32(fixed) == 0xfeef04bd {
		if info.Version == "" {
			info.Version = dottedVersion(fixed[16:])
		}
		if file == "" {
			file = dottedVersion(fixed[8:])
		}
	}
	if file != "" && file != info.Version {
		info.Notes = append(info.Notes, fmt.Sprintf("its file version is %s, its product version is %s", file, info.Version))
	}
	return nil
}

// dottedVersion reads the two words of VS_FIXEDFILEINFO.
func dottedVersion(b []byte) string {
	high, low := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	return fmt.Sprintf("%d.%d.%d.%d", high>>16, high&0xffff, low>>16, low&0xffff)
}

// versionResource walks the resources' three levels (kind, name, language) to
// the first version resource; nil if there is none.
func (p *peFile) versionResource() ([]byte, error) {
	if p.resources.size == 0 {
		return nil, nil
	}
	const versionKind = 16
	at := int64(0)
	for level := range 3 {
		table, err := p.virtual(p.resources.start+at, 16)
		if err != nil {
			return nil, err
		}
		count := int64(binary.LittleEndian.Uint16(table[12:])) + int64(binary.LittleEndian.Uint16(table[14:]))
		entries, err := p.virtual(p.resources.start+at+16, 8*count)
		if err != nil {
			return nil, err
		}
		found := false
		for ; len(entries) >= 8 && !found; entries = entries[8:] {
			target := binary.LittleEndian.Uint32(entries[4:])
			if level == 0 && binary.LittleEndian.Uint32(entries) != versionKind {
				continue
			}
			if isTable := target>>31 == 1; isTable != (level < 2) {
				return nil, errors.New("its resources are not three levels deep")
			}
			at, found = int64(target&0x7fffffff), true
		}
		if !found {
			return nil, nil
		}
	}
	entry, err := p.virtual(p.resources.start+at, 16)
	if err != nil {
		return nil, err
	}
	size := int64(binary.LittleEndian.Uint32(entry[4:]))
	if size > 0xffff {
		return nil, fmt.Errorf("it is said to be of %d bytes; 65535 are possible", size)
	}
	return p.virtual(int64(binary.LittleEndian.Uint32(entry)), size)
}

// virtual reads bytes by their address in memory.
func (p *peFile) virtual(address, n int64) ([]byte, error) {
	for _, section := range p.sections {
		from := address - section.virtual.start
		if from < 0 || n > section.raw.size || from > section.raw.size-n {
			continue
		}
		return readSpan(p.s, "section "+section.name, section.raw.start+from, n)
	}
	return nil, fmt.Errorf("%d bytes at address %#x are in no section", n, address)
}

// versionBlock is one block of VS_VERSIONINFO: a key, and a value and blocks behind it.
type versionBlock struct {
	key  string
	size int // of the value, in bytes, if it is no text
	rest []byte
}

// nextVersionBlock reads a block, and what follows it.
func nextVersionBlock(data []byte) (b versionBlock, after []byte, err error) {
	if len(data) < 6 {
		return b, nil, errors.New("a block is cut off")
	}
	size := int(binary.LittleEndian.Uint16(data))
	if size < 6 || size > len(data) {
		return b, nil, fmt.Errorf("a block says it has %d bytes; %d are left", size, len(data))
	}
	b.size = int(binary.LittleEndian.Uint16(data[2:]))
	block := data[:size]
	key, n := utf16z(block[6:])
	b.key = key
	b.rest = block[min(align4(6+n), len(block)):]
	return b, data[min(align4(size), len(data)):], nil
}

// parseVersionInfo reads VS_VERSIONINFO: the fixed part, and the strings of the
// first language.
func parseVersionInfo(data []byte) (fixed []byte, texts map[string]string, err error) {
	root, _, err := nextVersionBlock(data)
	if err != nil {
		return nil, nil, err
	}
	if root.key != "VS_VERSION_INFO" {
		return nil, nil, fmt.Errorf("it starts with %q", clip(root.key, 40))
	}
	fixed = root.rest[:min(root.size, len(root.rest))]
	texts = map[string]string{}
	for rest := root.rest[min(align4(len(fixed)), len(root.rest)):]; len(rest) >= 6; {
		var block versionBlock
		if block, rest, err = nextVersionBlock(rest); err != nil {
			return fixed, nil, err
		}
		if block.key != "StringFileInfo" || len(texts) > 0 || len(block.rest) == 0 {
			continue
		}
		table, _, err := nextVersionBlock(block.rest)
		if err != nil {
			return fixed, nil, err
		}
		for rest := table.rest; len(rest) >= 6; {
			var text versionBlock
			if text, rest, err = nextVersionBlock(rest); err != nil {
				return fixed, nil, err
			}
			value, _ := utf16z(text.rest)
			texts[text.key] = clip(strings.TrimSpace(value), 500)
		}
	}
	return fixed, texts, nil
}

func align4(n int) int { return (n + 3) &^ 3 }

// utf16z reads UTF-16 up to a zero, or to the end, and says how many bytes that took.
func utf16z(data []byte) (string, int) {
	var units []uint16
	for i := 0; i+1 < len(data); i += 2 {
		unit := binary.LittleEndian.Uint16(data[i:])
		if unit == 0 {
			return string(utf16.Decode(units)), i + 2
		}
		units = append(units, unit)
	}
	return string(utf16.Decode(units)), len(data)
}
