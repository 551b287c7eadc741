package artifact

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"time"
)

// peMachines are the machines of the PE header, as architectures.
var peMachines = map[uint16]string{
	0x014c: "x86", 0x8664: "x64", 0xaa64: "arm64", 0x01c0: "arm", 0x01c2: "arm", 0x01c4: "arm",
	0x0200: "ia64", 0x0ebc: "efi bytecode", 0x5032: "riscv32", 0x5064: "riscv64", 0x6232: "loongarch32", 0x6264: "loongarch64",
}

// peFile is what of the headers is needed: where the signature is, what it does
// not cover, and where resources are.
type peFile struct {
	s           Source
	machine     uint16
	checksum    int64 // where it is in the file: 4 bytes that are not signed
	certEntry   int64 // where the certificate table's directory entry is: 8 bytes that are not signed; 0 if there is none
	certs       peSpan
	resources   peSpan // virtual
	sections    []peSection
	headersSize int64
}

type peSpan struct{ start, size int64 }

type peSection struct {
	name         string
	virtual, raw peSpan
}

// isPE: files of 16-bit Windows and DOS start with MZ as well.
func isPE(s Source, head []byte) bool {
	if len(head) < 64 || string(head[:2]) != "MZ" {
		return false
	}
	magic := make([]byte, 4)
	n, _ := s.ReadAt(magic, int64(binary.LittleEndian.Uint32(head[60:])))
	return n == 4 && string(magic) == "PE\x00\x00"
}

func lookPE(s Source, trust *Trust, now time.Time, info *Info) error {
	p, err := readPE(s)
	if err != nil {
		return err
	}
	info.Architecture = peMachines[p.machine]
	if info.Architecture == "" {
		info.Architecture = fmt.Sprintf("%#x", p.machine)
	}
	if err := p.describe(info); err != nil {
		info.Notes = append(info.Notes, clip(fmt.Sprintf("its version resource cannot be read: %v", err), 300))
	}
	if p.certs.size == 0 {
		info.Signature = Signature{Status: Unsigned, Reason: "it has no certificate table (system files are signed in a catalogue, which is not part of the file)"}
		return nil
	}
	blobs, surplus, err := p.signatures()
	if err != nil {
		return err
	}
	signature, notes, err := judgeSPC(blobs, spcSubject{spcProgram, spcDigests(p.digest)}, trust, now)
	if err != nil {
		return err
	}
	if surplus != "" {
		signature.Status, signature.Reason = Invalid, surplus
	}
	info.Signature, info.Notes = signature, append(info.Notes, notes...)
	return nil
}

func readPE(s Source) (*peFile, error) {
	dos, err := readSpan(s, "DOS header", 0, 64)
	if err != nil {
		return nil, err
	}
	start := int64(binary.LittleEndian.Uint32(dos[60:]))
	coff, err := readSpan(s, "PE header", start, 24)
	if err != nil {
		return nil, err
	}
	p := &peFile{s: s, machine: binary.LittleEndian.Uint16(coff[4:]), checksum: start + 24 + 64}
	size := int64(binary.LittleEndian.Uint16(coff[20:]))
	optional, err := readSpan(s, "optional header", start+24, size)
	if err != nil {
		return nil, err
	}
	if err := p.readOptional(optional, start+24); err != nil {
		return nil, err
	}
	count := int64(binary.LittleEndian.Uint16(coff[6:]))
	table, err := readSpan(s, "section table", start+24+size, 40*count)
	if err != nil {
		return nil, err
	}
	p.headersSize = max(p.headersSize, start+24+size+40*count)
	for h := range slices.Chunk(table, 40) {
		p.sections = append(p.sections, peSection{
			name:    clip(string(bytes.TrimRight(h[:8], "\x00")), 8),
			virtual: peSpan{int64(binary.LittleEndian.Uint32(h[12:])), int64(binary.LittleEndian.Uint32(h[8:]))},
			raw:     peSpan{int64(binary.LittleEndian.Uint32(h[20:])), int64(binary.LittleEndian.Uint32(h[16:]))},
		})
	}
	return p, p.checkBounds()
}

// readOptional reads the optional header, which starts at a place of the file.
func (p *peFile) readOptional(h []byte, at int64) error {
	directories := 0 // where the data directories start
	switch {
	case len(h) >= 96 && binary.LittleEndian.Uint16(h) == 0x10b:
		directories = 96
	case len(h) >= 112 && binary.LittleEndian.Uint16(h) == 0x20b:
		directories = 112
	default:
		return damaged("optional header", "%d bytes that start with %x: neither PE32 nor PE32+", len(h), h[:min(2, len(h))])
	}
	p.headersSize = int64(binary.LittleEndian.Uint32(h[60:]))
	count := int64(binary.LittleEndian.Uint32(h[directories-4:]))
	entry := func(n int64) peSpan {
		i := directories + 8*int(n)
		if n >= count || i+8 > len(h) {
			return peSpan{}
		}
		return peSpan{int64(binary.LittleEndian.Uint32(h[i:])), int64(binary.LittleEndian.Uint32(h[i+4:]))}
	}
	if count > 4 && directories+40 > len(h) {
		return damaged("optional header", "it claims %d data directories, and is too short for them", count)
	}
	if count > 4 {
		p.certEntry = at + int64(directories) + 32
	}
	p.resources, p.certs = entry(2), entry(4)
	return nil
}

func (p *peFile) checkBounds() error {
	if p.headersSize > p.s.Size {
		return damaged("headers", "they are said to take %d bytes; the file has %d", p.headersSize, p.s.Size)
	}
	for i, section := range p.sections {
		if end := section.raw.start + section.raw.size; section.raw.size > 0 && section.raw.start > 0 && end > p.s.Size {
			return damaged(fmt.Sprintf("section %d (%s)", i, section.name), "it ends at byte %d; the file has %d", end, p.s.Size)
		}
	}
	if c := p.certs; c.size > 0 && (c.start == 0 || c.size < 8 || c.start+c.size > p.s.Size) {
		return damaged("certificate table", "%d bytes at %d, in a file of %d", c.size, c.start, p.s.Size)
	}
	return nil
}

// signatures takes the certificate table apart. The second answer says what is
// there that was not signed.
func (p *peFile) signatures() (blobs [][]byte, surplus string, err error) {
	const place = "certificate table"
	end := p.certs.start + p.certs.size
	surplus = p.outside()
	for at := p.certs.start; at < end; {
		if rest, err := onlyZeros(p.s, at, end); err != nil || rest && len(blobs) > 0 {
			return blobs, surplus, err
		}
		head, err := readSpan(p.s, place, at, min(8, end-at))
		if err != nil {
			return nil, "", err
		}
		if len(head) < 8 {
			return blobs, "bytes at the end of the certificate table are no certificate: they were not signed", nil
		}
		size := int64(binary.LittleEndian.Uint32(head))
		if size < 8 || size > end-at {
			return nil, "", damaged(place, "entry %d is of %d bytes; %d are left", len(blobs)+1, size, end-at)
		}
		if revision, kind := binary.LittleEndian.Uint16(head[4:]), binary.LittleEndian.Uint16(head[6:]); revision != 0x200 || kind != 2 {
			surplus = fmt.Sprintf("entry %d of the certificate table is of revision %#x and kind %d: no PKCS#7 signature", len(blobs)+1, revision, kind)
		}
		blob, truth, err := readDER(p.s, place, at+8, at+size)
		if err != nil {
			return nil, "", err
		}
		next := min(at+(size+7)&^7, end) // entries are aligned
		if empty, err := onlyZeros(p.s, truth, next); err != nil {
			return nil, "", err
		} else if !empty {
			surplus = fmt.Sprintf("%d bytes follow the signature inside the certificate table, and are not zero: they were not signed", next-truth)
		}
		if blobs = append(blobs, blob); len(blobs) > maxSPCSignatures {
			return nil, "", damaged(place, "more than %d entries", maxSPCSignatures)
		}
		at = next
	}
	return blobs, surplus, nil
}

// outside says what lies in the certificate table or behind it, and is none of
// its entries.
func (p *peFile) outside() string {
	if n := p.s.Size - p.certs.start - p.certs.size; n > 0 {
		return fmt.Sprintf("%d bytes follow the certificate table: they were not signed", n)
	}
	if p.headersSize > p.certs.start {
		return "the headers lie in the certificate table, which is not signed"
	}
	for _, section := range p.sections {
		if section.raw.size > 0 && section.raw.start > 0 && section.raw.start+section.raw.size > p.certs.start {
			return fmt.Sprintf("section %s lies in the certificate table, which is not signed", section.name)
		}
	}
	return ""
}

// digest writes what is signed: all but the checksum, the directory entry of
// the certificate table, and the table, which ends the file.
func (p *peFile) digest(w io.Writer) error {
	return copySpans(w, p.s, 0, p.checksum, p.checksum+4, p.certEntry, p.certEntry+8, p.certs.start)
}
