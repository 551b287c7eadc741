package artifact

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"
)

const rpmLeadSize = 96

func isRPM(_ Source, head []byte) bool {
	return bytes.HasPrefix(head, []byte{0xed, 0xab, 0xee, 0xdb})
}

// Tags of the header.
const (
	rpmName, rpmVersion, rpmRelease, rpmEpoch, rpmVendor, rpmPackager, rpmArch, rpmSource = 1000, 1001, 1002, 1003, 1011, 1015, 1022, 1044

	rpmPayloadDigest, rpmPayloadAlgorithm, rpmPayloadSize, rpmPayloadSHA512, rpmPayloadSHA3 = 5092, 5093, 5112, 5121, 5123
)

// Tags of the signature header.
const (
	rpmSigRegion, rpmSigDSA, rpmSigRSA, rpmSigSHA1, rpmSigLongSize, rpmSigSHA256, rpmSigOpenPGP, rpmSigSHA3 = 62, 267, 268, 269, 270, 273, 278, 279

	rpmSigReserved, rpmSigSize, rpmSigPGP, rpmSigMD5, rpmSigGPG, rpmSigSpace = 999, 1000, 1002, 1004, 1005, 1008
)

// rpmSignatureTags are those that may stand in the signature header, and their
// types. Those of file signatures and sizes are not looked at.
var rpmSignatureTags = map[uint32]uint32{
	rpmSigRegion: rpmBin, rpmSigDSA: rpmBin, rpmSigRSA: rpmBin, rpmSigSHA1: rpmString, rpmSigLongSize: rpmInt64,
	rpmSigSHA256: rpmString, rpmSigOpenPGP: rpmStrings, rpmSigSHA3: rpmString, rpmSigReserved: rpmBin, rpmSigSize: rpmInt32,
	rpmSigPGP: rpmBin, rpmSigMD5: rpmBin, rpmSigGPG: rpmBin, rpmSigSpace: rpmBin,
	271: rpmInt64, 274: rpmStrings, 275: rpmInt32, 276: rpmStrings, 277: rpmInt32, 1007: rpmInt32,
}

// rpmFile is an RPM: a lead, the signature header, the header, the payload.
type rpmFile struct {
	Source
	lead              []byte
	signature, header *rpmHeader
	headerAt, payload int64 // where these begin
}

// lookRPM judges the signatures over the header, and over header and payload. A
// signed header speaks for the payload by the digest in it.
func lookRPM(s Source, trust *Trust, now time.Time, info *Info) error {
	r := &rpmFile{Source: s}
	if err := r.open(); err != nil {
		return err
	}
	r.describe(info)
	if info.Name == "" || r.header.text(rpmVersion) == "" || r.header.text(rpmRelease) == "" {
		return damaged("header", "does not name the package, its version and release")
	}
	signatures, err := r.signatures(trust, now)
	if err != nil {
		return err
	}
	wrong := ""
	if !spoilt(signatures) {
		if wrong, err = r.digests(); err != nil {
			return err
		}
	}
	info.Signature = Signature{Status: Unsigned, Reason: "the package carries no signature"}
	if len(signatures) > 0 {
		info.Signature = combined(signatures)
	}
	if wrong == "" && len(signatures) > 0 {
		wrong = r.contradiction()
	}
	if wrong != "" {
		info.Signature.Status, info.Signature.Reason = Invalid, wrong
	} else if tag := r.unknownTag(); tag != 0 && info.Signature.Status == Valid {
		info.Signature.Status, info.Signature.Reason = Untrusted, fmt.Sprintf("the signature header holds tag %d, which is not known", tag)
	}
	return nil
}

func (r *rpmFile) open() (err error) {
	r.lead = make([]byte, rpmLeadSize)
	if r.Size < rpmLeadSize {
		return damaged("lead", "the file ends in it")
	}
	if err := fillFrom(r, r.lead, 0); err != nil {
		return err
	}
	if r.lead[4] != 3 && r.lead[4] != 4 {
		return damaged("lead", "is of format %d; 3 and 4 are read", r.lead[4])
	}
	if r.signature, err = readRPMHeader(r.Source, rpmLeadSize, maxRPMSignature, "signature header"); err != nil {
		return err
	}
	end := rpmLeadSize + int64(len(r.signature.raw))
	r.headerAt = (end + 7) / 8 * 8
	fill := make([]byte, r.headerAt-end)
	if err := fillFrom(r, fill, end); err != nil {
		return zipError("signature header", err)
	}
	if len(bytes.Trim(fill, "\x00")) > 0 {
		return damaged("signature header", "is not filled up with zeros")
	}
	if r.header, err = readRPMHeader(r.Source, r.headerAt, maxRPMHeader, "header"); err != nil {
		return err
	}
	r.payload = r.headerAt + int64(len(r.header.raw))
	return r.sizes()
}

// sizes compares the sizes that are told with the file's: a payload that was
// cut short is no package.
func (r *rpmFile) sizes() error {
	for _, told := range []struct {
		in   *rpmHeader
		tag  uint32
		from int64
	}{{r.signature, rpmSigSize, r.headerAt}, {r.signature, rpmSigLongSize, r.headerAt}, {r.header, rpmPayloadSize, r.payload}} {
		if n, ok := told.in.number(told.tag); ok && n != uint64(r.Size-told.from) {
			return damaged("payload", "the file has %d bytes from %d on, but %s says %d", r.Size-told.from, told.from, told.in.place, n)
		}
	}
	return nil
}

func (r *rpmFile) describe(info *Info) {
	h := r.header
	info.Name = clip(h.text(rpmName), maxField)
	info.ID = info.Name
	info.Version = clip(h.text(rpmVersion)+"-"+h.text(rpmRelease), maxField)
	if epoch, ok := h.number(rpmEpoch); ok && epoch != 0 {
		info.Notes = append(info.Notes, fmt.Sprintf("the version is of epoch %d", epoch))
	}
	info.Architecture = clip(h.text(rpmArch), maxField)
	if _, isBinary := h.entries[rpmSource]; !isBinary {
		info.Architecture = "src"
	}
	info.Publisher = clip(h.text(rpmVendor), maxField)
	if info.Publisher == "" {
		info.Publisher = clip(h.text(rpmPackager), maxField)
	}
}

// rpmDigest is a digest that the package tells of a part of itself.
type rpmDigest struct {
	of        string
	algorithm crypto.Hash
	told      string // in hex
	sum       hash.Hash
}

// digests compares every digest with what it is of, and says what differs, if
// anything does.
func (r *rpmFile) digests() (wrong string, err error) {
	var all []rpmDigest
	var ofPayload []hash.Hash
	for _, d := range []struct {
		tag       uint32
		algorithm crypto.Hash
	}{{rpmSigSHA256, crypto.SHA256}, {rpmSigSHA3, crypto.SHA3_256}, {rpmSigSHA1, crypto.SHA1}} {
		if _, there := r.signature.entries[d.tag]; there {
			all = append(all, rpmDigest{"the header", d.algorithm, r.signature.text(d.tag), d.algorithm.New()})
			all[len(all)-1].sum.Write(r.header.raw)
		}
	}
	strong := false
	for _, d := range r.payloadDigests() {
		strong = strong || strongHash(d.algorithm)
		d.sum = d.algorithm.New()
		all, ofPayload = append(all, d), append(ofPayload, d.sum)
	}
	if e, there := r.signature.entries[rpmSigMD5]; there && !(strong && r.Size > maxSlow) {
		whole := md5.New()
		whole.Write(r.header.raw)
		all = append(all, rpmDigest{"header and payload", crypto.MD5, hex.EncodeToString(r.signature.bytes(rpmSigMD5, e.kind)), whole})
		ofPayload = append(ofPayload, whole)
	}
	if err := r.writePayload(&hashing{hashes: ofPayload}); err != nil {
		return "", err
	}
	for _, d := range all {
		if hex.EncodeToString(d.sum.Sum(nil)) != d.told {
			return fmt.Sprintf("the %s of %s is not the one that is told: the package was altered", d.algorithm, d.of), nil
		}
	}
	return "", nil
}

// payloadDigests are those that the header holds of the payload as it stands in
// the file. One of an algorithm that is not known covers nothing, nor does one
// that takes too long to compute.
func (r *rpmFile) payloadDigests() (found []rpmDigest) {
	first := crypto.SHA256
	if algorithm, told := r.header.number(rpmPayloadAlgorithm); told {
		first = map[uint64]crypto.Hash{2: crypto.SHA1, 8: crypto.SHA256, 9: crypto.SHA384, 10: crypto.SHA512, 11: crypto.SHA224}[algorithm]
	}
	for _, d := range []struct {
		tag       uint32
		algorithm crypto.Hash
	}{{rpmPayloadDigest, first}, {rpmPayloadSHA512, crypto.SHA512}, {rpmPayloadSHA3, crypto.SHA3_256}} {
		if _, there := r.header.entries[d.tag]; there && d.algorithm != 0 && !tooSlow(d.algorithm, r.Size) {
			found = append(found, rpmDigest{of: "the payload", algorithm: d.algorithm, told: r.header.text(d.tag)})
		}
	}
	return found
}

func (r *rpmFile) writePayload(w io.Writer) error {
	return copySpans(w, r.Source, r.payload, r.Size)
}

// signatures judges all there are: each tag over the header, or over all.
func (r *rpmFile) signatures(trust *Trust, now time.Time) (all []Signature, err error) {
	covered := slices.ContainsFunc(r.payloadDigests(), func(d rpmDigest) bool { return strongHash(d.algorithm) })
	header := func(w io.Writer) error { _, err := w.Write(r.header.raw); return err }
	contents := map[bool]*pgpContent{ // by whether the payload is part of it
		false: {size: int64(len(r.header.raw)), write: header},
		true:  {size: r.Size, write: func(w io.Writer) error { return cmp.Or(header(w), r.writePayload(w)) }},
	}
	judge := func(signature []byte, whole bool) error {
		if spoilt(all) {
			return nil
		}
		s, err := trust.openPGP(signature, contents[whole], now)
		if s.Status == Valid && !whole && !covered {
			s.Status, s.Reason = Untrusted, "signed by a trusted key, but the header, which is signed, holds no strong digest of the payload, which is not"
		}
		all = append(all, s)
		return err
	}
	for _, tag := range []uint32{rpmSigRSA, rpmSigDSA, rpmSigPGP, rpmSigGPG} {
		if _, there := r.signature.entries[tag]; there {
			if err := judge(r.signature.bytes(tag, rpmBin), tag == rpmSigPGP || tag == rpmSigGPG); err != nil {
				return nil, err
			}
		}
	}
	texts := r.signature.texts(rpmSigOpenPGP, maxPGPSignatures+1)
	if len(texts) > maxPGPSignatures {
		return nil, damaged("signature header", "holds more than %d signatures", maxPGPSignatures)
	}
	for _, text := range texts {
		signature, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil {
			all = append(all, Signature{Status: Invalid, Reason: "the signature is not in base64"})
		} else if err := judge(signature, false); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// contradiction says what stands in the parts that nothing signs and must not:
// the lead, which is made of the header, and the signature header.
func (r *rpmFile) contradiction() string {
	source := byte(1)
	if _, isBinary := r.header.entries[rpmSource]; isBinary {
		source = 0
	}
	lead := r.lead
	switch {
	case !r.leadNames(lead[10:76]):
		return fmt.Sprintf("the lead, which is not signed, names another package: %q", clip(string(lead[10:76]), 100))
	case lead[5] != 0 || lead[6] != 0 || lead[7] != source || lead[78] != 0 || lead[79] != 5 || len(bytes.Trim(lead[80:], "\x00")) > 0:
		return "the lead, which is not signed, says something else than the header"
	}
	for tag, e := range r.signature.entries {
		if kind, known := rpmSignatureTags[tag]; known && kind != e.kind {
			return fmt.Sprintf("signature header: tag %d is of type %d, which it must not be", tag, e.kind)
		}
	}
	if e, there := r.signature.entries[rpmSigRegion]; there {
		trailer := []byte{0, 0, 0, rpmSigRegion, 0, 0, 0, rpmBin, 0, 0, 0, 0, 0, 0, 0, rpmEntrySize}
		binary.BigEndian.PutUint32(trailer[8:], -uint32(len(r.signature.entries)*rpmEntrySize))
		if e.offset+e.count != uint32(len(r.signature.data)) || !bytes.Equal(r.signature.bytes(rpmSigRegion, rpmBin), trailer) {
			return "signature header: its region is not all of it"
		}
	}
	for _, tag := range []uint32{rpmSigReserved, rpmSigSpace} {
		if len(bytes.Trim(r.signature.bytes(tag, rpmBin), "\x00")) > 0 {
			return "signature header: what is kept free holds something"
		}
	}
	return r.signature.unclaimed()
}

// leadNames tells whether the lead names this package, with or without the
// epoch of its version: rpm writes the one or the other, cut to fit.
func (r *rpmFile) leadNames(field []byte) bool {
	name, version := r.header.text(rpmName)+"-", r.header.text(rpmVersion)+"-"+r.header.text(rpmRelease)
	names := []string{name + version}
	if epoch, ok := r.header.number(rpmEpoch); ok {
		names = append(names, fmt.Sprintf("%s%d:%s", name, epoch, version))
	}
	return slices.ContainsFunc(names, func(name string) bool {
		want := make([]byte, len(field))
		copy(want[:len(want)-1], name)
		return bytes.Equal(field, want)
	})
}

func (r *rpmFile) unknownTag() uint32 {
	unknown := []uint32{0}
	for tag := range r.signature.entries {
		if _, known := rpmSignatureTags[tag]; !known {
			unknown = append(unknown, tag)
		}
	}
	return slices.Max(unknown)
}
