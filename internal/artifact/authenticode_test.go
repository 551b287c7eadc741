package artifact

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/sassoftware/relic/v8/lib/authenticode"
	"github.com/sassoftware/relic/v8/lib/pkcs7"
)

// TestPEReason: whatever a signature is made of, what is said of it is short.
func TestPEReason(t *testing.T) {
	root := issue(t, nil, "Root", nil)
	tsa := issue(t, root, "TSA", timestamping)
	file := program(programTexts...)
	der := spcPE(t, file, crypto.SHA256, issue(t, root, "Signer", nil), nil, func(info *pkcs7.SignerInfo) {
		stamp := signedCMS(t, oidData, info.EncryptedDigest, crypto.SHA256, tsa, nil, spcNow).Content.SignerInfos[0]
		stamp.IssuerAndSerialNumber.SerialNumber = new(big.Int).Lsh(big.NewInt(1), 1_000_000)
		mustAdd(t, info, oidCounterSignature, stamp)
	})
	info, err := lookAt("a.exe", withSignature(t, file, der), trusting(t, root), spcNow)
	if got := info.Signature; err != nil || got.Status != Untrusted || len(got.Reason) > 2*maxReason {
		t.Errorf("%v: %s, %d bytes of reason", err, got.Status, len(got.Reason))
	}
}

// countingReader counts the bytes that are read.
type countingReader struct {
	io.ReaderAt
	read int64
}

func (c *countingReader) ReadAt(b []byte, at int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(b, at)
	c.read += int64(n)
	return n, err
}

// TestSPCDigests: however many digests the signatures are about, the file is read
// once, and SHA-256 and one other are computed.
func TestSPCDigests(t *testing.T) {
	root := issue(t, nil, "Root", nil)
	signer := issue(t, root, "Signer", nil)
	file := append(program(programTexts...), make([]byte, 3<<20)...)
	signed := func(hashes ...crypto.Hash) []byte {
		var extend []func(*pkcs7.SignerInfo)
		for _, hash := range hashes[1:] {
			extend = append(extend, nesting(t, spcPE(t, file, hash, signer, nil)))
		}
		return withSignature(t, file, spcPE(t, file, hashes[0], signer, nil, extend...))
	}
	for _, row := range []struct {
		name   string
		hashes []crypto.Hash
		status Status
		reason string
	}{
		{"one", []crypto.Hash{crypto.SHA512}, Valid, ""},
		{"two", []crypto.Hash{crypto.SHA256, crypto.SHA384}, Valid, "of 2 signatures"},
		{"the same four times", []crypto.Hash{crypto.SHA256, crypto.SHA256, crypto.SHA256, crypto.SHA256}, Valid, "of 4 signatures"},
		{"two other ones", []crypto.Hash{crypto.SHA384, crypto.SHA512}, Untrusted, "of SHA-512 it was not computed"},
		{"three", []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}, Untrusted, "ask for 3 different digests of the file: of SHA-512 it was not computed"},
		{"three, SHA-256 last", []crypto.Hash{crypto.SHA384, crypto.SHA512, crypto.SHA256}, Untrusted, "of SHA-512 it was not computed"},
		{"old ones before it", []crypto.Hash{crypto.MD5, crypto.SHA1, crypto.SHA256}, Untrusted, "of SHA-1 it was not computed"},
		{"five", []crypto.Hash{crypto.SHA256, crypto.SHA256, crypto.SHA256, crypto.SHA256, crypto.SHA256}, "", "more than 4 signatures"},
	} {
		data := signed(row.hashes...)
		counted := &countingReader{ReaderAt: bytes.NewReader(data)}
		info, err := Look(Source{"a.exe", int64(len(data)), counted}, trusting(t, root), spcNow)
		if got := info.Signature; got.Status != row.status || !strings.Contains(got.Reason+fmt.Sprint(err), row.reason) {
			t.Errorf("%s: %s: %s, %v; want %s: …%s…", row.name, got.Status, got.Reason, err, row.status, row.reason)
		}
		if most := int64(len(data)) + 1<<20; counted.read > most {
			t.Errorf("%s: %d bytes were read of a file of %d", row.name, counted.read, len(data))
		}
	}
}

// TestSPCKind: a signature says what kind of file it is about, and one about
// another kind is not this file's, whatever its digest is.
func TestSPCKind(t *testing.T) {
	root := issue(t, nil, "Root", nil)
	signer := issue(t, root, "Signer", nil)
	file := program(programTexts...)
	about := func(kind spcKind) []byte {
		return withSignature(t, file, signedSPC(t, spcIndirect(t, kind, crypto.SHA256, peDigest(t, file, crypto.SHA256).Imprint), crypto.SHA256, signer, nil))
	}
	script := spcKind{oid: oidSPCModule, modules: [][]byte{authenticode.SpcUUIDSipInfoPs}}
	for _, row := range []struct {
		kind   spcKind
		status Status
		reason string
	}{
		{spcProgram, Valid, ""},
		{spcCabinet, Invalid, "the signature is about a cabinet, and this is a program"},
		{spcInstaller, Invalid, "about a Windows Installer package"},
		{spcAppPackage, Invalid, "about an MSIX package"},
		{script, Invalid, "about something else (1.3.6.1.4.1.311.2.1.30 1fcc3b60"},
		{spcKind{oid: oidSPCModule}, Invalid, "does not say what kind"},
		{spcKind{oid: oidData}, Invalid, "about something else"},
	} {
		info, err := lookAt("a.exe", about(row.kind), trusting(t, root), spcNow)
		if got := info.Signature; err != nil || got.Status != row.status || !strings.Contains(got.Reason, row.reason) {
			t.Errorf("%v: %s: %s, %v; want %s: …%s…", row.kind, got.Status, got.Reason, err, row.status, row.reason)
		}
	}
	content, err := asn1.Marshal(spcIndirect(t, spcKind{oid: oidSPCModule, modules: spcAppPackage.modules[1:]}, crypto.SHA256, []byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	if bundle, err := parseIndirectData(content); err != nil || !bundle.fits(spcAppPackage) || bundle.fits(spcInstaller) {
		t.Errorf("a bundle's signature: %+v, %v", bundle, err)
	}
}

// odd makes of somebody's certificate one with a negative number, which Go does
// not read, signed by its issuer.
func odd(t *testing.T, p, issuer *spcParty) *spcParty {
	t.Helper()
	serial := p.cert.SerialNumber.Bytes()
	if serial[0] >= 0x80 {
		serial = append([]byte{0}, serial...)
	}
	at := bytes.Index(p.cert.RawTBSCertificate, serial)
	tbs := slices.Clone(p.cert.RawTBSCertificate)
	tbs[at] |= 0x80
	sum := sha256.Sum256(tbs)
	signature, err := issuer.key.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	var old struct{ TBS, Algorithm, Signature asn1.RawValue }
	if _, err := asn1.Unmarshal(p.cert.Raw, &old); err != nil {
		t.Fatal(err)
	}
	c := *p.cert
	if c.Raw, err = asn1.Marshal(struct {
		TBS, Algorithm asn1.RawValue
		Signature      asn1.BitString
	}{asn1.RawValue{FullBytes: tbs}, old.Algorithm, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}}); err != nil {
		t.Fatal(err)
	}
	var parts oddParts
	if _, err := asn1.Unmarshal(c.Raw, &parts); err != nil {
		t.Fatal(err)
	}
	c.SerialNumber = parts.Signed.Serial
	if _, err := x509.ParseCertificate(c.Raw); err == nil {
		t.Fatal("the test's odd certificate is not odd")
	}
	return &spcParty{p.key, &c}
}

// TestSPCOddCertificates: a certificate that Go cannot read makes no file
// invalid, and none valid.
func TestSPCOddCertificates(t *testing.T) {
	root, other := issue(t, nil, "Root", nil), issue(t, nil, "Other root", nil)
	signer := issue(t, root, "Signer", nil)
	oddSigner, oddTSA := odd(t, signer, root), odd(t, issue(t, root, "TSA", timestamping), root)
	oddStranger := odd(t, issue(t, other, "Stranger", nil), other)
	forged := odd(t, issue(t, root, "Forged", nil), other)
	rubbish := &spcParty{cert: &x509.Certificate{Raw: []byte{0x30, 4, 4, 2, 'h', 'i'}}}
	file, changed := program(programTexts...), program("ProductName", "Another")
	signed := func(by *spcParty, more []*spcParty, extend ...func(*pkcs7.SignerInfo)) []byte {
		return withSignature(t, file, spcPE(t, file, crypto.SHA256, by, more, extend...))
	}
	for _, row := range []struct {
		name   string
		file   []byte
		status Status
		reason string
	}{
		{"beside the signer's, by a root at hand", signed(signer, []*spcParty{oddTSA}), Valid, ""},
		{"beside the signer's, by a stranger", signed(signer, []*spcParty{oddStranger}), Untrusted, "nobody at hand signed"},
		{"beside the signer's, by a stranger who is there", signed(signer, []*spcParty{oddStranger, other}), Valid, ""},
		{"beside the signer's, forged", signed(signer, []*spcParty{forged}), Untrusted, "nobody at hand signed"},
		{"beside the signer's, rubbish", signed(signer, []*spcParty{rubbish}), Untrusted, "nobody at hand signed"},
		{"the signer's", signed(oddSigner, nil), Untrusted, "its signer's certificate cannot be read"},
		{"the signer's, of another file", withSignature(t, changed, spcPE(t, file, crypto.SHA256, oddSigner, nil)), Invalid, "changed after"},
		{"a nested signer's", signed(signer, nil, nesting(t, spcPE(t, file, crypto.SHA256, oddSigner, nil))), Untrusted, "its signer's certificate cannot be read"},
		{"the timestamp's", signed(signer, nil, stamped(t, oddTSA, spcNow.AddDate(0, -1, 0), nil)), Untrusted, "timestamp is broken: its signer's certificate cannot be read"},
	} {
		info, err := lookAt("a.exe", row.file, trusting(t, root), spcNow)
		if got := info.Signature; err != nil || got.Status != row.status || !strings.Contains(got.Reason, row.reason) {
			t.Errorf("%s: %s: %s, %v; want %s: …%s…", row.name, got.Status, got.Reason, err, row.status, row.reason)
		}
		if noted := strings.Contains(strings.Join(info.Notes, "; "), "cannot be read, and is left out"); noted != (row.status == Valid) {
			t.Errorf("%s: %q", row.name, info.Notes)
		}
	}
}
