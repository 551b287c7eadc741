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

// Members of an MSIX (or APPX) that mean something.
const (
	msixManifest       = "AppxManifest.xml"
	msixBundleManifest = "AppxMetadata/AppxBundleManifest.xml"
	msixBlockMap       = "AppxBlockMap.xml"
	msixContentTypes   = "[Content_Types].xml"
	msixCodeIntegrity  = "AppxMetadata/CodeIntegrity.cat"
	msixSignature      = "AppxSignature.p7x"
)

// isMSIX: a zip with a manifest; or one that is cut off, and starts like one.
func isMSIX(s Source, head []byte) bool {
	if !bytes.HasPrefix(head, []byte("PK\x03\x04")) {
		return false
	}
	z, err := openMSIX(s)
	if err != nil {
		return bytes.Contains(head, []byte("Appx"))
	}
	return slices.ContainsFunc(z.entries, func(e msixEntry) bool {
		return strings.EqualFold(e.name, msixManifest) || strings.EqualFold(e.name, msixBundleManifest)
	})
}

func lookMSIX(s Source, trust *Trust, now time.Time, info *Info) error {
	z, err := openMSIX(s)
	if err != nil {
		return err
	}
	if err := z.describe(info); err != nil {
		return err
	}
	entry, err := z.find(msixSignature)
	if err != nil {
		return err
	}
	if entry == nil {
		info.Signature = Signature{Status: Unsigned, Reason: "it holds no " + msixSignature}
		return nil
	}
	var file bytes.Buffer
	if err := z.copy(&file, entry, maxSPCBytes); err != nil {
		return err
	}
	blob, ok := bytes.CutPrefix(file.Bytes(), []byte("PKCX"))
	if !ok {
		return damaged(msixSignature, "it does not start with PKCX")
	}
	surplus, err := z.surplus(entry)
	if err != nil {
		return err
	}
	subject := spcSubject{spcAppPackage, func(wanted []crypto.Hash) (func(crypto.Hash, []byte) string, error) {
		return z.digests(entry, wanted)
	}}
	signature, notes, err := judgeSPC([][]byte{blob}, subject, trust, now)
	if err != nil {
		return err
	}
	if surplus != "" {
		signature.Status, signature.Reason = Invalid, surplus
	}
	info.Signature, info.Notes = signature, append(info.Notes, notes...)
	checkPublisher(blob, info)
	return nil
}

// surplus says what of the zip the signature does not cover: it is the last
// member, and covers the bytes before itself, the directory and the end.
func (z *msixZip) surplus(signature *msixEntry) (string, error) {
	_, start, err := z.open(signature)
	if err != nil {
		return "", err
	}
	end := start + signature.packed
	if signature.flags&8 != 0 {
		if end, err = z.skipDescriptor(signature, end); err != nil {
			return "", err
		}
	}
	const most = 32 // bytes of extra fields: one with 64-bit sizes
	name := int64(len(signature.name))
	comment := binary.LittleEndian.Uint16(signature.raw[32:])
	switch {
	case signature != &z.entries[len(z.entries)-1]:
		return "members follow " + msixSignature + ": they were not signed", nil
	case end < z.start:
		return fmt.Sprintf("%d bytes stand between the signature and the directory: they were not signed", z.start-end), nil
	case comment > 0 || int64(len(signature.raw)) > 46+name+most || start-signature.offset > 30+name+most:
		return "the headers of " + msixSignature + " hold more than they should: it was not signed", nil
	case z.behind > 0:
		return fmt.Sprintf("%d bytes follow the end of the zip: they were not signed", z.behind), nil
	}
	return "", nil
}

// msixPart is a part of an MSIX that has a digest of its own in the signature.
type msixPart struct {
	tag, what string
	write     func(io.Writer) error // nil if it is not there
	sums      *hashing
	broken    error // why it cannot be read
}

// digests computes the digests that an MSIX's signature lists by name: of the
// zip's bytes, of its directory, and of single members.
func (z *msixZip) digests(signature *msixEntry, wanted []crypto.Hash) (func(crypto.Hash, []byte) string, error) {
	member := func(name string) func(io.Writer) error {
		entry, err := z.find(name)
		if entry == nil && err == nil {
			return nil
		}
		return func(w io.Writer) error { return cmp.Or(err, z.copy(w, entry, maxMSIXMember)) }
	}
	parts := []msixPart{
		{tag: "AXPC", what: "its members", write: func(w io.Writer) error { return copySpans(w, z.s, 0, signature.offset) }},
		{tag: "AXCD", what: "its directory", write: func(w io.Writer) error { return z.writeDirectory(w, signature) }},
		{tag: "AXCT", what: msixContentTypes, write: member(msixContentTypes)},
		{tag: "AXBM", what: msixBlockMap, write: member(msixBlockMap)},
		{tag: "AXCI", what: msixCodeIntegrity, write: member(msixCodeIntegrity)},
	}
	for i := range parts {
		if parts[i].write == nil {
			continue
		}
		parts[i].sums = newHashing(wanted)
		parts[i].broken = parts[i].write(parts[i].sums)
	}
	return func(hash crypto.Hash, signed []byte) string { return compareMSIX(parts, hash, signed) }, parts[0].broken
}

// compareMSIX compares the digests of the parts with those that were signed.
func compareMSIX(parts []msixPart, hash crypto.Hash, signed []byte) string {
	rest, ok := bytes.CutPrefix(signed, []byte("APPX"))
	if size := 4 + hash.Size(); !ok || len(rest)%size != 0 || len(rest) > 16*size {
		return "what was signed is no list of an MSIX's digests"
	}
	listed := map[string][]byte{}
	for one := range slices.Chunk(rest, 4+hash.Size()) {
		listed[string(one[:4])] = one[4:]
	}
	for _, part := range parts {
		want, isListed := listed[part.tag]
		if part.tag == "AXCI" && !isListed && part.sums == nil {
			continue // a package without programs
		}
		if !isListed || part.sums == nil {
			return fmt.Sprintf("%s is missing, or was not signed", part.what)
		}
		if part.broken != nil {
			return fmt.Sprintf("%s cannot be read: %v", part.what, part.broken)
		}
		if got := part.sums.sum(hash); !bytes.Equal(got, want) {
			return fmt.Sprintf("%s: changed after it was signed: its %v digest is %x, %x was signed", part.what, hash, got, want)
		}
	}
	return ""
}

// writeDirectory writes the directory as it was before the signature came into
// the zip: without its entry, and with the numbers from then.
func (z *msixZip) writeDirectory(w io.Writer, signature *msixEntry) error {
	before := z.directory[:len(z.directory)-len(signature.raw)] // it is the last entry, or the file is refused
	count, size, start := len(z.entries)-1, len(before), signature.offset
	tail := bytes.Clone(z.tail)
	if z.zip64 {
		binary.LittleEndian.PutUint64(tail[24:], uint64(count))
		binary.LittleEndian.PutUint64(tail[32:], uint64(count))
		binary.LittleEndian.PutUint64(tail[40:], uint64(size))
		binary.LittleEndian.PutUint64(tail[48:], uint64(start))
		binary.LittleEndian.PutUint64(tail[64:], uint64(start)+uint64(size))
	} else {
		binary.LittleEndian.PutUint16(tail[8:], uint16(count))
		binary.LittleEndian.PutUint16(tail[10:], uint16(count))
		binary.LittleEndian.PutUint32(tail[12:], uint32(size))
		binary.LittleEndian.PutUint32(tail[16:], uint32(start))
	}
	if _, err := w.Write(before); err != nil {
		return err
	}
	_, err := w.Write(tail)
	return err
}
