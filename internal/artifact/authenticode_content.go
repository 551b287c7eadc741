package artifact

import (
	"bytes"
	"crypto"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/sassoftware/relic/v8/lib/x509tools"
)

// What an Authenticode signature signs is a structure that says what kind of
// file it is about, and the digest that the file must have.

// spcKind is a kind of file: an identifier of its own, or that of all for which
// Windows asks a module, and the identifiers of the modules for it.
type spcKind struct {
	name    string // with its article, for messages
	oid     asn1.ObjectIdentifier
	modules [][]byte // any of them; none if the first identifier says it all
}

func (k spcKind) String() string { return k.name }

var oidSPCModule = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 30}

// The kinds that are known, as MS-OSHARED 2.3.2.4 and signing tools have them.
var (
	spcProgram   = spcKind{"a program", asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 15}, nil}
	spcCabinet   = spcKind{"a cabinet", asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 25}, nil}
	spcInstaller = spcKind{"a Windows Installer package", oidSPCModule, [][]byte{
		[]byte("\xf1\x10\x0c\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46"),
	}}
	spcAppPackage = spcKind{"an MSIX package", oidSPCModule, [][]byte{
		[]byte("\x4b\xdf\xc5\x0a\x07\xce\xe2\x4d\xb7\x6e\x23\xc8\x39\xa0\x9f\xd1"),
		[]byte("\xb3\x58\x5f\x0f\xde\xaa\x9a\x4b\xa4\x34\x95\x74\x2d\x92\xec\xeb"), // a bundle
	}}
)

// spcContent is what was signed.
type spcContent struct {
	oid    asn1.ObjectIdentifier
	module []byte // nil if the identifier says it all
	hash   crypto.Hash
	digest []byte
}

// fits tells whether the signature is about a kind of file.
func (c spcContent) fits(kind spcKind) bool {
	return c.oid.Equal(kind.oid) &&
		(kind.modules == nil || slices.ContainsFunc(kind.modules, func(m []byte) bool { return bytes.Equal(m, c.module) }))
}

// kind names what the signature is about.
func (c spcContent) kind() string {
	for _, known := range []spcKind{spcProgram, spcCabinet, spcInstaller, spcAppPackage} {
		if c.fits(known) {
			return known.name
		}
	}
	return fmt.Sprintf("something else (%v %x)", c.oid, c.module[:min(len(c.module), 16)])
}

// parseIndirectData reads SpcIndirectDataContent.
func parseIndirectData(der []byte) (c spcContent, err error) {
	var data struct {
		Data struct {
			Type  asn1.ObjectIdentifier
			Value asn1.RawValue `asn1:"optional"`
		}
		MessageDigest struct {
			Algorithm asn1.RawValue
			Digest    []byte
		}
	}
	if rest, err := asn1.Unmarshal(der, &data); err != nil || len(rest) > 0 {
		return c, errors.New("it is no SpcIndirectDataContent")
	}
	c.oid, c.digest = data.Data.Type, data.MessageDigest.Digest
	if c.oid.Equal(oidSPCModule) {
		var info struct {
			Version int
			Module  []byte
		}
		if _, err := asn1.Unmarshal(data.Data.Value.FullBytes, &info); err != nil {
			return c, errors.New("it does not say what kind of file it is about")
		}
		c.module = info.Module
	}
	var algorithm asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(data.MessageDigest.Algorithm.Bytes, &algorithm); err != nil {
		return c, errors.New("its digest algorithm cannot be read")
	}
	for hash, oid := range x509tools.HashOids {
		if oid.Equal(algorithm) && hash.Available() {
			c.hash = hash
			return c, nil
		}
	}
	return c, fmt.Errorf("the digest algorithm %v is not known", algorithm)
}

// spcDigests compares digests of what write writes.
func spcDigests(write func(io.Writer) error) func([]crypto.Hash) (func(crypto.Hash, []byte) string, error) {
	return func(wanted []crypto.Hash) (func(crypto.Hash, []byte) string, error) {
		h := newHashing(wanted)
		err := write(h)
		return h.differs, err
	}
}

// differs says why a file is not what was signed, or nothing if it is.
func (h *hashing) differs(algorithm crypto.Hash, signed []byte) string {
	got := h.sum(algorithm)
	if bytes.Equal(got, signed) {
		return ""
	}
	return fmt.Sprintf("the file was changed after it was signed: its %v digest is %x, %x was signed", algorithm, got, signed[:min(len(signed), 64)])
}
