package artifact

import (
	"bytes"
	"cmp"
	"crypto"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Streams of an MSI that are not its tables.
const (
	msiSignature   = "\x05DigitalSignature"
	msiSignatureEx = "\x05MsiDigitalSignatureEx" // digest of names, times and sizes, if they are signed too
	msiSummary     = "\x05SummaryInformation"
)

// msiClasses are the class identifiers of what Windows Installer opens.
var msiClasses = map[string]string{
	"\x84\x10\x0c\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46": "an installation package",
	"\x86\x10\x0c\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46": "a patch (.msp): it is applied to a product that is there already",
	"\x82\x10\x0c\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46": "a transform (.mst): it changes how a package is installed",
}

// msiPlatforms are the platforms of the summary's template, as architectures.
var msiPlatforms = map[string]string{
	"": "x86", "intel": "x86", "x64": "x64", "amd64": "x64", "intel64": "ia64", "arm": "arm", "arm64": "arm64",
}

// isMSI: other compound files are documents. One whose root cannot be found is
// taken for an MSI, and refused for that.
func isMSI(s Source, head []byte) bool {
	if len(head) < 512 || !bytes.HasPrefix(head, compoundMagic) {
		return false
	}
	shift := binary.LittleEndian.Uint16(head[30:])
	root, err := readSpan(s, "", (int64(binary.LittleEndian.Uint32(head[48:]))+1)<<min(shift, 16), 128)
	if err != nil || root[66] != cfbRoot {
		return true
	}
	if _, known := msiClasses[string(root[80:96])]; known {
		return true
	}
	c, err := openCompound(s)
	return err == nil && slices.ContainsFunc(c.entries[0].children, func(id int) bool {
		return c.entries[id].text() == msiTable("_StringPool")
	})
}

func lookMSI(s Source, trust *Trust, now time.Time, info *Info) error {
	c, err := openCompound(s)
	if err != nil {
		return err
	}
	streams := map[string]*compoundStream{}
	for _, id := range c.entries[0].children {
		e := &c.entries[id]
		if _, twice := streams[e.text()]; twice {
			return damaged("directory", "two entries have the name %q", clip(e.text(), 64))
		}
		streams[e.text()] = e.stream
	}
	if class := string(c.entries[0].raw[80:96]); msiClasses[class] != "" && class[0] != 0x84 {
		info.Notes = append(info.Notes, "it is "+msiClasses[class])
	}
	if err := describeMSI(streams, info); err != nil {
		return err
	}
	surplus, err := c.surplus(info)
	if err != nil {
		return err
	}
	var blobs [][]byte
	if signature := streams[msiSignature]; signature != nil {
		blob, err := signature.all(msiSignature, maxSPCBytes)
		if err != nil {
			return err
		}
		blobs = append(blobs, blob)
	}
	signature, notes, err := judgeSPC(blobs, spcSubject{spcInstaller, c.digests(streams[msiSignatureEx])}, trust, now)
	if err != nil {
		return err
	}
	if surplus != "" && signature.Status != Unsigned {
		signature.Status, signature.Reason = Invalid, surplus
	}
	info.Signature, info.Notes = signature, append(info.Notes, notes...)
	return nil
}

// all reads a stream that has a limit.
func (r *compoundStream) all(name string, most int64) ([]byte, error) {
	if r.size > most {
		return nil, damaged(fmt.Sprintf("stream %q", name), "%d bytes; at most %d are read", r.size, most)
	}
	return io.ReadAll(r.reader())
}

// surplus says what stands behind the last sector that is part of anything: it
// is not signed, and another program may read it. What stands in unused sectors
// before is only noted; editors leave such bytes behind. But no MSI ends as a zip
// does: there, one was put between, and Java would run it.
func (c *compoundFile) surplus(info *Info) (string, error) {
	if zip, err := endsAsZip(c.s, c.s.Size); err != nil {
		return "", err
	} else if zip {
		return "it ends as a zip archive does, which it may be as well: that was not signed", nil
	}
	last := int64(len(c.used)) - 1
	for last >= 0 && !c.used[last] {
		last--
	}
	end := min((last+2)<<c.shift, c.s.Size)
	if empty, err := onlyZeros(c.s, end, c.s.Size); err != nil {
		return "", err
	} else if !empty {
		return fmt.Sprintf("%d bytes follow the last sector that is in use: they were not signed", c.s.Size-end), nil
	}
	for i := int64(0); i < last; i++ {
		start := i
		for i < last && !c.used[i] {
			i++
		}
		if empty, err := onlyZeros(c.s, (start+1)<<c.shift, (i+1)<<c.shift); err != nil {
			return "", err
		} else if !empty {
			info.Notes = append(info.Notes, "sectors that are not in use hold bytes that no signature covers")
			break
		}
	}
	return "", nil
}

// digests compares the digest of all streams, and that of their names and times
// if the file has one.
func (c *compoundFile) digests(extended *compoundStream) func([]crypto.Hash) (func(crypto.Hash, []byte) string, error) {
	if extended == nil {
		return spcDigests(func(w io.Writer) error { return c.writeContent(w, 0, make([]byte, copyBytes)) })
	}
	return func(wanted []crypto.Hash) (func(crypto.Hash, []byte) string, error) {
		stated, err := extended.all(msiSignatureEx, 64)
		if err != nil {
			return nil, err
		}
		names, whole := newHashing(wanted), newHashing(wanted)
		c.writeNames(names, 0)
		for i, h := range whole.hashes { // each covers the names by a digest of its own kind
			h.Write(names.hashes[i].Sum(nil))
		}
		if err := c.writeContent(whole, 0, make([]byte, copyBytes)); err != nil {
			return nil, err
		}
		return func(hash crypto.Hash, signed []byte) string {
			if differs := names.differs(hash, stated); differs != "" {
				return "names, times or sizes in the file: " + differs
			}
			return whole.differs(hash, signed)
		}, nil
	}
}

// sorted is the entries of a storage in the order in which they are signed: by
// the bytes of their names. The signature's own streams are not signed; a storage
// of such a name is.
func (c *compoundFile) sorted(storage int) []*compoundEntry {
	var all []*compoundEntry
	for _, id := range c.entries[storage].children {
		e := &c.entries[id]
		if name := e.text(); storage != 0 || e.kind == cfbStorage || name != msiSignature && name != msiSignatureEx {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b *compoundEntry) int {
		x, y := append(slices.Clone(a.name()), 0, 0), append(slices.Clone(b.name()), 0, 0)
		n := min(len(x), len(y))
		return cmp.Or(bytes.Compare(x[:n], y[:n]), len(y)-len(x))
	})
	return all
}

// writeContent writes what is signed of a storage: the streams, the storages in
// it, and its class. They are read in parts of the buffer's size.
func (c *compoundFile) writeContent(w io.Writer, storage int, buffer []byte) error {
	for _, e := range c.sorted(storage) {
		if e.kind == cfbStorage {
			if err := c.writeContent(w, e.id, buffer); err != nil {
				return err
			}
		} else if _, err := io.CopyBuffer(w, e.stream.reader(), buffer); err != nil {
			return err
		}
	}
	_, err := w.Write(c.entries[storage].raw[80:96])
	return err
}

// writeNames writes what is signed of names, sizes, state and times.
func (c *compoundFile) writeNames(w io.Writer, storage int) {
	write := func(e *compoundEntry) {
		if e.kind != cfbRoot {
			w.Write(e.name())
		}
		if e.kind == cfbStream {
			w.Write(e.raw[120:124])
		} else {
			w.Write(e.raw[80:96])
		}
		w.Write(e.raw[96:100])
		if e.kind != cfbRoot {
			w.Write(e.raw[100:116])
		}
	}
	write(&c.entries[storage])
	for _, e := range c.sorted(storage) {
		if e.kind == cfbStorage {
			c.writeNames(w, e.id)
		} else {
			write(e)
		}
	}
}

// describeMSI fills in what summary and Property table say.
func describeMSI(streams map[string]*compoundStream, info *Info) error {
	summary, err := readSummary(streams[msiSummary])
	if err != nil {
		return err
	}
	properties, err := readProperties(streams)
	if err != nil {
		return err
	}
	info.Name = cmp.Or(properties["ProductName"], summary[3]) // the summary's subject
	info.Publisher = cmp.Or(properties["Manufacturer"], summary[4])
	info.Version, info.ID = properties["ProductVersion"], properties["ProductCode"]
	if code := properties["UpgradeCode"]; code != "" {
		info.Notes = append(info.Notes, "its upgrade code is "+code)
	}
	if template, ok := summary[7]; ok {
		platforms, _, _ := strings.Cut(template, ";")
		var all []string
		for platform := range strings.SplitSeq(platforms, ",") {
			platform = strings.TrimSpace(platform)
			all = append(all, cmp.Or(msiPlatforms[strings.ToLower(platform)], platform))
		}
		info.Architecture = strings.Join(all, ", ")
	}
	return nil
}
