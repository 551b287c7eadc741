package artifact

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"
)

// Flags of a cabinet's header, and how much of the header there always is.
const (
	cabPrevious = 1
	cabNext     = 2
	cabReserve  = 4
	cabHeader   = 36
	maxCabNames = 20 // names of members that are noted
)

// cabinet is what of the header is needed. The signature follows the cabinet;
// where, stands in the 20 bytes that signing reserves in the header.
type cabinet struct {
	s         Source
	size      int64 // of the cabinet without its signature
	files     int64 // where the list of files starts
	count     int   // of files
	flags     uint16
	reserved  []byte // what the header reserves for applications
	unsigned  string // what of the header is not signed and is not as it should be
	signature int64  // size of the signature; 0 if there is none
}

func isCabinet(_ Source, head []byte) bool {
	return len(head) >= cabHeader && string(head[:4]) == "MSCF"
}

func lookCabinet(s Source, trust *Trust, now time.Time, info *Info) error {
	c, err := readCabinet(s)
	if err != nil {
		return err
	}
	if err := c.noteMembers(info); err != nil {
		return err
	}
	end := c.size + c.signature
	if c.signature == 0 {
		info.Signature = Signature{Status: Unsigned, Reason: "it holds no signature"}
		if end < s.Size {
			info.Notes = append(info.Notes, fmt.Sprintf("%d bytes follow the cabinet", s.Size-end))
		}
		return nil
	}
	blob, truth, err := readDER(s, "signature", c.size, end)
	if err != nil {
		return err
	}
	signature, notes, err := judgeSPC([][]byte{blob}, spcSubject{spcCabinet, spcDigests(c.digest)}, trust, now)
	if err != nil {
		return err
	}
	surplus := c.unsigned
	if empty, err := onlyZeros(s, truth, end); err != nil {
		return err
	} else if !empty {
		surplus = fmt.Sprintf("%d bytes behind the signature are not zero: they were not signed", end-truth)
	}
	if end < s.Size {
		surplus = fmt.Sprintf("%d bytes follow the signature: they were not signed", s.Size-end)
	}
	if surplus != "" {
		signature.Status, signature.Reason = Invalid, surplus
	}
	info.Signature, info.Notes = signature, append(info.Notes, notes...)
	return nil
}

func readCabinet(s Source) (*cabinet, error) {
	const place = "cabinet header"
	h, err := readSpan(s, place, 0, cabHeader)
	if err != nil {
		return nil, err
	}
	c := &cabinet{
		s: s, size: int64(binary.LittleEndian.Uint32(h[8:])), files: int64(binary.LittleEndian.Uint32(h[16:])),
		count: int(binary.LittleEndian.Uint16(h[28:])), flags: binary.LittleEndian.Uint16(h[30:]),
	}
	folders := 8 * int64(binary.LittleEndian.Uint16(h[26:]))
	if h[25] != 1 || c.size > s.Size || c.files > c.size || c.files < cabHeader+folders {
		return nil, damaged(place, "version %d.%d, %d bytes, files listed from byte %d; the file has %d bytes", h[25], h[24], c.size, c.files, s.Size)
	}
	if c.flags&cabReserve == 0 {
		return c, nil
	}
	sizes, err := readSpan(s, place, cabHeader, 4)
	if err != nil {
		return nil, err
	}
	if c.reserved, err = readSpan(s, place, cabHeader+4, int64(binary.LittleEndian.Uint16(sizes))); err != nil {
		return nil, err
	}
	if len(c.reserved) != 20 {
		return c, nil // reserved by another application
	}
	at := int64(binary.LittleEndian.Uint32(c.reserved[4:]))
	c.signature = int64(binary.LittleEndian.Uint32(c.reserved[8:]))
	if c.signature > 0 && (at != c.size || c.signature > s.Size-at) {
		return nil, damaged("signature", "%d bytes at %d; the cabinet ends at %d, the file at %d", c.signature, at, c.size, s.Size)
	}
	inSet := c.flags&(cabPrevious|cabNext) != 0
	if binary.LittleEndian.Uint32(h[4:]) != 0 || !inSet && binary.LittleEndian.Uint16(h[34:]) != 0 ||
		binary.LittleEndian.Uint16(sizes[2:]) != 0 || binary.LittleEndian.Uint32(c.reserved) != 0x100000 || binary.LittleEndian.Uint32(c.reserved[12:]) != 0 {
		c.unsigned = "bytes of the header that are not signed are not as they should be"
	}
	return c, nil
}

// digest writes what is signed: all but the reserved field, the cabinet's
// number in its set, and what the header says about the signature.
func (c *cabinet) digest(w io.Writer) error {
	return copySpans(w, c.s, 0, 4, 8, 34, cabHeader+20, c.size)
}

// noteMembers notes files whose names lead out of the folder they are unpacked
// to. A list that is cut off is an error.
func (c *cabinet) noteMembers(info *Info) error {
	noted := 0
	r := bufio.NewReader(io.NewSectionReader(c.s, c.files, c.size-c.files))
	for i := range c.count {
		if _, err := r.Discard(16); err != nil {
			return damaged(fmt.Sprintf("file %d of the cabinet", i+1), "the list of files is cut off")
		}
		var name []byte
		for {
			b, err := r.ReadByte()
			if err != nil || len(name) > 256 {
				return damaged(fmt.Sprintf("file %d of the cabinet", i+1), "its name does not end")
			}
			if b == 0 {
				break
			}
			name = append(name, b)
		}
		if cabLeaves(string(name)) && noted < maxCabNames {
			noted++
			info.Notes = append(info.Notes, fmt.Sprintf("member %q would be written outside of the folder it is unpacked to", clip(string(name), 200)))
		}
	}
	return nil
}

func cabLeaves(name string) bool {
	name = strings.ReplaceAll(name, "/", `\`)
	return strings.HasPrefix(name, `\`) || strings.Contains(name, ":") || strings.Contains(`\`+name+`\`, `\..\`)
}
