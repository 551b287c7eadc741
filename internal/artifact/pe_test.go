package artifact

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/sassoftware/relic/v8/lib/authenticode"
	"github.com/sassoftware/relic/v8/lib/pkcs7"
)

var le = binary.LittleEndian

// utf16Text is a text in UTF-16 with its zero, and padding to four bytes if at is where it starts.
func utf16Text(text string, at int) []byte {
	var out []byte
	for _, unit := range append(utf16.Encode([]rune(text)), 0) {
		out = le.AppendUint16(out, unit)
	}
	return append(out, make([]byte, align4(at+len(out))-at-len(out))...)
}

// versionPart is one block of a version resource.
func versionPart(key string, isText uint16, size int, value []byte, parts ...[]byte) []byte {
	block := append(make([]byte, 6), utf16Text(key, 6)...)
	block = append(block, value...)
	for _, part := range parts {
		block = append(append(block, make([]byte, align4(len(block))-len(block))...), part...)
	}
	le.PutUint16(block, uint16(len(block)))
	le.PutUint16(block[2:], uint16(size))
	le.PutUint16(block[4:], isText)
	return block
}

// versionResource is the resource section of a program, at an address.
func versionResource(address uint32, texts ...string) []byte {
	fixed := make([]byte, 52)
	le.PutUint32(fixed, 0xfeef04bd)
	le.PutUint32(fixed[8:], 1<<16|2)
	le.PutUint32(fixed[12:], 3<<16|4)
	le.PutUint32(fixed[16:], 5<<16|6)
	var values [][]byte
	for i := 0; i < len(texts); i += 2 {
		value := utf16Text(texts[i+1], 0)
		values = append(values, versionPart(texts[i], 1, len(value)/2, value))
	}
	version := versionPart("VS_VERSION_INFO", 0, 52, fixed, versionPart("StringFileInfo", 1, 0, nil, versionPart("040904b0", 1, 0, nil, values...)))
	out := make([]byte, 3*24+16)
	for level, id := range []uint32{16, 1, 0x409} {
		le.PutUint16(out[24*level+14:], 1)
		le.PutUint32(out[24*level+16:], id)
		le.PutUint32(out[24*level+20:], uint32(24*(level+1))|1<<31)
	}
	le.PutUint32(out[2*24+20:], 3*24)
	le.PutUint32(out[72:], address+uint32(len(out)))
	le.PutUint32(out[76:], uint32(len(version)))
	return append(out, version...)
}

// program is a small PE32+ with one section, which holds its version.
func program(texts ...string) []byte {
	const address, headers = 0x1000, 0x200
	section := versionResource(address, texts...)
	section = append(section, make([]byte, -len(section)&0x1ff)...)
	h := make([]byte, headers)
	copy(h, "MZ")
	le.PutUint32(h[60:], 64)
	copy(h[64:], "PE\x00\x00")
	le.PutUint16(h[68:], 0x8664)
	le.PutUint16(h[70:], 1)
	le.PutUint16(h[84:], 240) // size of the optional header
	o := h[88:]
	le.PutUint16(o, 0x20b)
	le.PutUint32(o[36:], 0x200) // alignment in the file
	le.PutUint32(o[60:], headers)
	le.PutUint32(o[108:], 16)
	le.PutUint32(o[112+16:], address)
	le.PutUint32(o[112+20:], uint32(len(section)))
	s := o[240:]
	copy(s, ".rsrc")
	le.PutUint32(s[8:], uint32(len(section)))
	le.PutUint32(s[12:], address)
	le.PutUint32(s[16:], uint32(len(section)))
	le.PutUint32(s[20:], headers)
	return append(h, section...)
}

const peCertEntry = 88 + 112 + 32 // of program: the directory entry of the certificate table

var programTexts = []string{"CompanyName", "Contoso Müller GmbH", "ProductName", "Contoso App", "ProductVersion", "5.6.7-beta", "FileVersion", "1.2.3.4"}

func peDigest(t testing.TB, file []byte, hash crypto.Hash) *authenticode.PEDigest {
	t.Helper()
	digest, err := authenticode.DigestPE(bytes.NewReader(file), hash, false)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// spcPE is an SpcIndirectData for a program.
func spcPE(t testing.TB, file []byte, hash crypto.Hash, by *spcParty, more []*spcParty, extend ...func(*pkcs7.SignerInfo)) []byte {
	t.Helper()
	indirect := spcIndirect(t, spcProgram, hash, peDigest(t, file, hash).Imprint)
	return signedSPC(t, indirect, hash, by, more, extend...)
}

func withSignature(t testing.TB, file, der []byte) []byte {
	t.Helper()
	patch, err := peDigest(t, file, crypto.SHA256).MakePatch(der)
	if err != nil {
		t.Fatal(err)
	}
	return patched(file, patch)
}

func TestPE(t *testing.T) {
	root, other := issue(t, nil, "Root", nil), issue(t, nil, "Other root", nil)
	signer := issue(t, root, "Signer", nil)
	old := issue(t, root, "Old signer", func(c *x509.Certificate) { c.NotAfter = spcNow.AddDate(0, -1, 0) })
	lifetime := issue(t, root, "Lifetime signer", func(c *x509.Certificate) {
		c.NotAfter, c.UnknownExtKeyUsage = spcNow.AddDate(0, -1, 0), []asn1.ObjectIdentifier{oidSPCLifetime}
	})
	early := issue(t, root, "Early signer", func(c *x509.Certificate) { c.NotBefore = spcNow.AddDate(0, 1, 0) })
	tsa, strangeTSA := issue(t, root, "TSA", timestamping), issue(t, other, "Strange TSA", timestamping)
	middle := issue(t, root, "Middle", func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.ExtKeyUsage, c.KeyUsage = true, true, nil, x509.KeyUsageCertSign
	})
	below := issue(t, middle, "Signer below", nil)
	stranger := issue(t, other, "Stranger", nil)
	web := issue(t, root, "Web", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	vague := issue(t, root, "Vague", func(c *x509.Certificate) { c.ExtKeyUsage = nil })
	self := issue(t, nil, "Self", func(c *x509.Certificate) {
		c.ExtKeyUsage, c.KeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, x509.KeyUsageDigitalSignature
	})
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaSigner := issueFor(t, rsaKey, root, "RSA signer", nil)
	before, between := spcNow.AddDate(0, -2, 0), spcNow.AddDate(0, 0, -10)
	file, changed := program(programTexts...), program("ProductName", "Another")
	sign := func(by *spcParty, extend ...func(*pkcs7.SignerInfo)) []byte {
		return withSignature(t, file, spcPE(t, file, crypto.SHA256, by, nil, extend...))
	}
	with := func(by *spcParty, more ...*spcParty) []byte {
		return withSignature(t, file, spcPE(t, file, crypto.SHA256, by, more))
	}
	listed := func(by *spcParty) []byte {
		return withSignature(t, file, withList(t, spcPE(t, file, crypto.SHA256, signer, nil), by))
	}
	flip := func(b []byte) []byte { b[0] ^= 1; return b }
	good := sign(signer)
	edit := func(change func([]byte) []byte) []byte { return change(slices.Clone(good)) }
	start := int(le.Uint32(good[peCertEntry:]))
	sha1 := spcPE(t, file, crypto.SHA1, signer, nil)
	table := []struct {
		name   string
		file   []byte
		status Status
		reason string // part of it
	}{
		{"as signed", good, Valid, "trusted through CN=Root"},
		{"through another certificate", with(below, middle), Valid, ""},
		{"and that one is missing", sign(below), Untrusted, "unknown authority"},
		{"with an RSA key", sign(rsaSigner), Valid, ""},
		{"unsigned", file, Unsigned, "no certificate table"},
		{"a byte changed", edit(func(b []byte) []byte { b[0x300] ^= 1; return b }), Invalid, "changed after it was signed"},
		{"a byte of the signature changed", edit(func(b []byte) []byte { b[len(b)-20] ^= 1; return b }), Invalid, "broken"},
		{"signature of another file", withSignature(t, changed, spcPE(t, file, crypto.SHA256, signer, nil)), Invalid, "changed after"},
		{"changed and signed again by a stranger", withSignature(t, changed, spcPE(t, changed, crypto.SHA256, stranger, nil)), Untrusted, "unknown authority"},
		{"bytes behind", edit(func(b []byte) []byte { return append(b, "twelve bytes"...) }), Invalid, "12 bytes follow the certificate table"},
		{"bytes in the table", edit(func(b []byte) []byte {
			b = append(b, "12345678"...)
			le.PutUint32(b[peCertEntry+4:], uint32(len(b)-start))
			le.PutUint32(b[start:], uint32(len(b)-start))
			return b
		}), Invalid, "follow the signature inside the certificate table"},
		{"bytes behind an entry, which is aligned", edit(func(b []byte) []byte {
			size := 8 + 4 + int(binary.BigEndian.Uint16(b[start+8+2:]))
			if copy(b[start+size:], bytes.Repeat([]byte{1}, -size&7)) == 0 {
				t.Fatal("the test's signature leaves no room behind it")
			}
			le.PutUint32(b[start:], uint32(size))
			return b
		}), Invalid, "follow the signature inside the certificate table"},
		{"an entry that is no signature", edit(func(b []byte) []byte { b[start+6] = 1; return b }), Invalid, "kind 1"},
		{"a section in the table", edit(func(b []byte) []byte { le.PutUint32(b[88+240+16:], le.Uint32(b[88+240+16:])+8); return b }), Invalid, "lies in the certificate table"},
		{"expired", sign(old), Expired, "was good until 2026-05-15"},
		{"not yet good", sign(early), Expired, "not good on 2026-06-15"},
		{"expired, timestamped", sign(old, stamped(t, tsa, before, nil)), Valid, ""},
		{"expired, countersigned", withSignature(t, file, spcPE(t, file, crypto.SHA256, old, []*spcParty{tsa}, countersigned(t, tsa, before, crypto.SHA256))), Valid, ""},
		{"expired, countersigned with MD5", withSignature(t, file, spcPE(t, file, crypto.SHA256, old, []*spcParty{tsa}, countersigned(t, tsa, before, crypto.MD5))), Expired, "MD5"},
		{"expired, timestamped too late", sign(old, stamped(t, tsa, between, nil)), Expired, ""},
		{"expired, timestamped too early", sign(old, stamped(t, tsa, spcNow.AddDate(-1, -1, 0), nil)), Expired, ""},
		{"expired, timestamped by a stranger", sign(old, stamped(t, strangeTSA, before, nil)), Expired, ""},
		{"expired, timestamped by one who may not", sign(old, stamped(t, signer, before, nil)), Expired, ""},
		{"expired, timestamp of something else", sign(old, stamped(t, tsa, before, flip)), Expired, "about another signature"},
		{"expired for good", sign(lifetime, stamped(t, tsa, before, nil)), Expired, ""},
		{"timestamped", sign(signer, stamped(t, tsa, before, nil)), Valid, ""},
		{"timestamped by a stranger", sign(signer, stamped(t, strangeTSA, before, nil)), Valid, ""},
		{"timestamp of something else", sign(signer, stamped(t, tsa, before, flip)), Untrusted, "timestamp is broken"},
		{"unknown root", with(stranger, other), Untrusted, "unknown authority"},
		{"self-signed", sign(self), Untrusted, "self-signed"},
		{"for servers", sign(web), Untrusted, "not for signing code"},
		{"for nothing in particular", sign(vague), Untrusted, "not for signing code"},
		{"SHA-1", withSignature(t, file, sha1), Untrusted, "SHA-1"},
		{"MD5", withSignature(t, file, spcPE(t, file, crypto.MD5, signer, nil)), Untrusted, "MD5"},
		{"SHA-1, and SHA-256 nested", withSignature(t, file, spcPE(t, file, crypto.SHA1, signer, nil, nesting(t, spcPE(t, file, crypto.SHA256, signer, nil)))), Valid, "of 2 signatures"},
		{"by a stranger, and nested by us", sign(stranger, nesting(t, spcPE(t, file, crypto.SHA512, signer, nil))), Untrusted, ""},
		{"by us, and nested for another file", sign(signer, nesting(t, spcPE(t, changed, crypto.SHA256, signer, nil))), Invalid, "changed after"},
		{"by us, and nested nonsense", sign(signer, nesting(t, []byte{4, 2, 1, 2})), Invalid, "cannot be read"},
		{"with something unsigned", sign(signer, func(info *pkcs7.SignerInfo) {
			mustAdd(t, info, asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 42921, 1, 2, 1}, "payload")
		}), Untrusted, "not signed, and not known"},
		{"with a certificate of somebody else", with(signer, stranger), Untrusted, "data can be hidden there"},
		{"with a list of revoked certificates", listed(root), Valid, ""},
		{"with a list that nobody signed", listed(other), Untrusted, "list of revoked certificates"},
		{"with somebody else's root", with(signer, other), Valid, ""},
	}
	trust := trusting(t, root)
	for _, row := range table {
		t.Run(row.name, func(t *testing.T) {
			info, err := lookAt("a.exe", row.file, trust, spcNow)
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Signature; got.Status != row.status || !strings.Contains(got.Reason, row.reason) {
				t.Errorf("%s: %s; want %s: …%s…", got.Status, got.Reason, row.status, row.reason)
			}
			if info.Format != "PE" || info.Architecture != "x64" {
				t.Errorf("a %s for %s", info.Format, info.Architecture)
			}
		})
	}
	t.Run("self-signed, and trusted", func(t *testing.T) {
		info, err := lookAt("a.exe", sign(self), trusting(t, self), spcNow)
		if err != nil || info.Signature.Status != Valid {
			t.Errorf("%v, %v", info.Signature, err)
		}
	})
	t.Run("nobody is trusted", func(t *testing.T) {
		info, err := lookAt("a.exe", good, nil, spcNow)
		if err != nil || info.Signature.Status != Untrusted {
			t.Errorf("%v, %v", info.Signature, err)
		}
	})
	t.Run("what it says", func(t *testing.T) {
		info, err := lookAt("a.exe", sign(old, stamped(t, tsa, before, nil)), trust, spcNow)
		if err != nil {
			t.Fatal(err)
		}
		s := info.Signature
		if info.Name != "Contoso App" || info.Publisher != "Contoso Müller GmbH" || info.Version != "5.6.7-beta" || !slices.Contains(info.Notes, "its file version is 1.2.3.4, its product version is 5.6.7-beta") {
			t.Errorf("%+v", info)
		}
		if s.Signer != "CN=Old signer,O=Test" || s.Issuer != "CN=Root,O=Test" || len(s.Fingerprint) != 64 || !s.NotAfter.Equal(old.cert.NotAfter) || !s.Timestamp.Equal(before) || s.Digest != "SHA-256" {
			t.Errorf("%+v", s)
		}
	})
}

// TestPEFlips: no byte of a signed program can be changed unnoticed, but for
// the checksum and the place of the certificate table. A certificate besides the
// first may be changed so that its issuer seems to be somebody else; then what
// it signed counts for nothing.
func TestPEFlips(t *testing.T) {
	root := issue(t, nil, "Root", nil)
	signer, tsa := issue(t, root, "Signer", nil), issue(t, root, "TSA", timestamping)
	file := program("ProductName", "App")
	trust := trusting(t, root)
	for name, signed := range map[string][]byte{
		"signed":      withSignature(t, file, spcPE(t, file, crypto.SHA256, signer, nil)),
		"timestamped": withSignature(t, file, spcPE(t, file, crypto.SHA256, signer, nil, stamped(t, tsa, spcNow.AddDate(0, -1, 0), nil))),
		"dual":        withSignature(t, file, spcPE(t, file, crypto.SHA256, signer, nil, nesting(t, spcPE(t, file, crypto.SHA512, signer, nil)))),
	} {
		t.Run(name, func(t *testing.T) {
			if info, err := lookAt("a.exe", signed, trust, spcNow); err != nil || info.Signature.Status != Valid {
				t.Fatalf("%v, %v", info.Signature, err)
			}
			neverValid(t, signed, trust, func(i int) bool {
				around := signed[max(0, i-19):min(len(signed), i+20)] // all places where the issuer's key could be named
				return peUnsigned(i) || name != "signed" && bytes.Contains(around, root.cert.SubjectKeyId)
			})
		})
	}
}

func peUnsigned(i int) bool {
	return i >= 88+64 && i < 88+68 || i >= peCertEntry && i < peCertEntry+8
}

func TestPEDamaged(t *testing.T) {
	put := func(at int, value uint32) func([]byte) []byte {
		return func(b []byte) []byte { le.PutUint32(b[at:], value); return b }
	}
	for _, row := range []struct {
		name, place string
		change      func([]byte) []byte
	}{
		{"optional header of nothing", "optional header", func(b []byte) []byte { b[88] = 0; return b }},
		{"optional header too short for what it claims", "optional header", func(b []byte) []byte { le.PutUint16(b[84:], 130); return b }},
		{"sections without end", "section table", func(b []byte) []byte { le.PutUint16(b[70:], 0xffff); return b }},
		{"headers of 4 GiB", "headers", put(88+60, 0xffffffff)},
		{"section of 4 GiB", "section 0 (.rsrc)", put(88+240+16, 0xffffffff)},
		{"section that starts at 4 GiB", "section 0 (.rsrc)", put(88+240+20, 0xffffffff)},
		{"certificates of 4 GiB", "certificate table", func(b []byte) []byte { return put(peCertEntry, 0x200)(put(peCertEntry+4, 0xffffffff)(b)) }},
		{"certificates behind the end", "certificate table", func(b []byte) []byte { return put(peCertEntry, 0xfffffff0)(put(peCertEntry+4, 8)(b)) }},
		{"certificate that is longer than its table", "certificate table", func(b []byte) []byte {
			b = append(b, 0, 1, 0, 0, 0, 2, 2, 0)
			return put(peCertEntry, uint32(len(b)-8))(put(peCertEntry+4, 8)(b))
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			info, err := lookAt("bad.exe", row.change(program(programTexts...)), nil, spcNow)
			known, ok := errors.AsType[*ReadError](err)
			if !ok || known.File != "bad.exe" || known.Place != row.place {
				t.Errorf("%v, %v; want an error at %s", info.Signature, err, row.place)
			}
		})
	}
}

// TestPEVersionDamaged: without a version that can be read, there is a note.
func TestPEVersionDamaged(t *testing.T) {
	const version = 0x200 + 88
	for name, change := range map[string]func([]byte){
		"loop":             func(b []byte) { le.PutUint32(b[0x200+20:], 0|1<<31) },
		"table of a table": func(b []byte) { le.PutUint32(b[0x200+2*24+20:], 0|1<<31) },
		"far away":         func(b []byte) { le.PutUint32(b[0x200+72:], 0xffffff00) },
		"4 GiB":            func(b []byte) { le.PutUint32(b[0x200+76:], 0xffffffff) },
		"block of nothing": func(b []byte) { le.PutUint16(b[version:], 0) },
		"child too long":   func(b []byte) { le.PutUint16(b[version+92:], 0xffff) },
		"other key":        func(b []byte) { b[version+6] = 'X' },
	} {
		t.Run(name, func(t *testing.T) {
			b := program(programTexts...)
			change(b)
			info, err := lookAt("a.exe", b, nil, spcNow)
			if err != nil || info.Name != "" || len(info.Notes) != 1 || !strings.Contains(info.Notes[0], "version resource cannot be read") {
				t.Errorf("%+v, %v", info, err)
			}
		})
	}
}

func TestNotPE(t *testing.T) {
	ne := program(programTexts...)
	copy(ne[64:], "NE")
	for name, file := range map[string][]byte{"NE": ne, "DOS": append([]byte("MZ"), make([]byte, 100)...), "MZ": []byte("MZ"), "empty": nil} {
		if info, err := lookAt(name, file, nil, spcNow); err != nil || info.Signature.Status != UnknownFormat {
			t.Errorf("%s: %v, %v", name, info.Signature, err)
		}
	}
}

func FuzzPE(f *testing.F) {
	root := issue(f, nil, "Root", nil)
	signer := issue(f, root, "Signer", nil)
	file := program(programTexts...)
	signed := withSignature(f, file, spcPE(f, file, crypto.SHA256, signer, nil, nesting(f, spcPE(f, file, crypto.SHA512, signer, nil))))
	same := func(data []byte) bool {
		if len(data) != len(signed) {
			return false
		}
		for i := range data {
			if data[i] != signed[i] && !peUnsigned(i) {
				return false
			}
		}
		return true
	}
	fuzzLook(f, trusting(f, root), same, signed, file)
}
