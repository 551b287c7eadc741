package artifact

import (
	"archive/zip"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// intuneParts makes containers; change alters what is written.
type intuneParts struct {
	setup  string
	inner  []byte
	xml    func(string) string
	sealed func([]byte) // MAC, vector and encrypted contents
	method uint16
}

func (p intuneParts) build(t testing.TB) []byte {
	t.Helper()
	if p.inner == nil {
		p.inner = zipArchive(t, zipPart{name: "Setup.exe", text: "MZ"}, zipPart{name: "doc/read me.txt", text: "x"})
	}
	if p.setup == "" {
		p.setup = "setup.exe"
	}
	key, macKey, iv := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32), bytes.Repeat([]byte{3}, 16)
	fill := aes.BlockSize - len(p.inner)%aes.BlockSize
	plain := append(bytes.Clone(p.inner), bytes.Repeat([]byte{byte(fill)}, fill)...)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(plain, plain)
	mac := hmac.New(sha256.New, macKey)
	mac.Write(iv)
	mac.Write(plain)
	sealed := append(append(mac.Sum(nil), iv...), plain...)
	digest := sha256.Sum256(p.inner)
	text := base64.StdEncoding.EncodeToString
	xml := fmt.Sprintf(`<?xml version="1.0" encoding="utf-8"?><ApplicationInfo ToolVersion="1.8.6.0"><Name>Contoso Hello</Name><UnencryptedContentSize>%d</UnencryptedContentSize>
<FileName>IntunePackage.intunewin</FileName><SetupFile>%s</SetupFile><EncryptionInfo><EncryptionKey>%s</EncryptionKey><MacKey>%s</MacKey><InitializationVector>%s</InitializationVector>
<Mac>%s</Mac><ProfileIdentifier>ProfileVersion1</ProfileIdentifier><FileDigest>%s</FileDigest><FileDigestAlgorithm>SHA256</FileDigestAlgorithm></EncryptionInfo>
<MsiInfo><MsiProductCode>{0}</MsiProductCode><MsiProductVersion>1.2</MsiProductVersion><MsiPublisher>Contoso</MsiPublisher></MsiInfo></ApplicationInfo>`,
		len(p.inner), p.setup, text(key), text(macKey), text(iv), text(mac.Sum(nil)), text(digest[:]))
	if p.xml != nil {
		xml = p.xml(xml)
	}
	if p.sealed != nil {
		p.sealed(sealed)
	}
	with := func(h *zip.FileHeader) { h.Method = p.method }
	return zipArchive(t, zipPart{intuneContents + "IntunePackage.intunewin", string(sealed), with}, zipPart{intuneDetection, xml, with})
}

func TestIntuneWin(t *testing.T) {
	swap := func(old, with string) func(string) string {
		return func(xml string) string { return strings.Replace(xml, old, with, 1) }
	}
	other := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for name, c := range map[string]struct {
		parts        intuneParts
		want         Status
		reason, note string
	}{
		"good":             {intuneParts{}, Unsigned, "the key of it is inside", `sets up by "setup.exe"`},
		"deflated":         {intuneParts{method: zip.Deflate}, Unsigned, "the key of it is inside", ""},
		"contents altered": {intuneParts{sealed: func(b []byte) { b[100] ^= 1 }}, Invalid, "the MAC does not fit", ""},
		"MAC altered":      {intuneParts{sealed: func(b []byte) { b[0] ^= 1 }}, Invalid, "the MAC does not fit", ""},
		"vector altered":   {intuneParts{sealed: func(b []byte) { b[32] ^= 1 }}, Invalid, "the MAC does not fit", ""},
		"other vector":     {intuneParts{xml: swap("AwMD", "AAAA")}, Invalid, "another initialisation vector", ""},
		"other key":        {intuneParts{xml: swap("<EncryptionKey>AQEB", "<EncryptionKey>AAAA")}, Invalid, "", ""},
		"other digest": {intuneParts{xml: func(xml string) string {
			at := strings.Index(xml, "<FileDigest>") + 12
			return xml[:at] + other + xml[at+44:]
		}}, Invalid, "the digest is not that", ""},
		"other size":    {intuneParts{xml: swap("<UnencryptedContentSize>", "<UnencryptedContentSize>1")}, Invalid, "bytes were decrypted, and 1", ""},
		"a folder":      {intuneParts{setup: "Contoso"}, Unsigned, "", `the setup file "Contoso" is not inside (2 entries)`},
		"in a folder":   {intuneParts{setup: `DOC\read me.txt`}, Unsigned, "", ""},
		"no zip inside": {intuneParts{inner: []byte("text")}, Unsigned, "", "the contents cannot be listed"},
		"leading out":   {intuneParts{inner: zipArchive(t, zipPart{name: "../setup.exe"}), setup: "../setup.exe"}, Unsigned, "", `inside, "../setup.exe" leads out`},
	} {
		info, err := Look(file(c.parts.build(t)), nil, lookDay)
		notes := strings.Join(info.Notes, "; ")
		if err != nil || info.Format != "INTUNEWIN" || info.Name != "Contoso Hello" || info.Version != "1.2" || info.ID != "{0}" || info.Publisher != "Contoso" ||
			!strings.Contains(notes, `version "1.8.6.0" of the tool`) || !strings.Contains(notes, c.note) {
			t.Errorf("%s: %v %+v", name, err, info)
		}
		if info.Signature.Status != c.want || !strings.Contains(info.Signature.Reason, c.reason) {
			t.Errorf("%s: %+v, want %s: %s", name, info.Signature, c.want, c.reason)
		}
		if c.note == "" && strings.Contains(notes, "not inside") {
			t.Errorf("%s: %s", name, notes)
		}
	}
}

// TestIntuneWinAlteredInPlace: nobody who alters contents has to mend the zip's
// checksum.
func TestIntuneWinAlteredInPlace(t *testing.T) {
	data := intuneParts{}.build(t)
	data[200] ^= 1
	if info, err := Look(file(data), nil, lookDay); err != nil || info.Signature.Status != Invalid {
		t.Errorf("%v %+v", err, info.Signature)
	}
}

func TestIntuneWinRefused(t *testing.T) {
	swap := func(old, with string) intuneParts {
		return intuneParts{xml: func(xml string) string { return strings.Replace(xml, old, with, 1) }}
	}
	for name, c := range map[string]struct {
		parts intuneParts
		want  string
	}{
		"no contents":   {swap("<FileName>Intune", "<FileName>Other"), "OtherPackage.intunewin: is missing"},
		"two keys":      {swap("<MacKey>", "<MacKey></MacKey><MacKey>"), "MacKey twice"},
		"short key":     {swap("<EncryptionKey>AQEB", "<EncryptionKey>"), "holds no base64 of 32 bytes"},
		"no key":        {swap("EncryptionKey", "OtherKey"), "Detection.xml"},
		"other digest":  {swap("SHA256<", "MD5<"), `tells of digest "MD5"`},
		"other profile": {swap("ProfileVersion1", "ProfileVersion2"), "ProfileVersion2"},
		"entity":        {swap("<ApplicationInfo ", `<!DOCTYPE x [<!ENTITY a "b">]><ApplicationInfo `), "declares an entity"},
		"other root":    {intuneParts{xml: func(string) string { return "<x/>" }}, "does not name the contents"},
		"bomb":          {intuneParts{method: zipDeflated, sealed: func(b []byte) { clear(b) }, inner: make([]byte, 4096)}, "a bomb"},
		"large":         {swap("<Name>", "<Name>"+strings.Repeat("x", maxIntuneXML)), "at most 1048576 are read"},
	} {
		if _, err := Look(file(c.parts.build(t)), nil, lookDay); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestTailBuffer: whatever is written in whatever pieces, its end can be read.
func TestTailBuffer(t *testing.T) {
	tail := &tailBuffer{most: 10}
	for i := range 100 {
		if _, err := tail.Write(bytes.Repeat([]byte{byte(i)}, i%7)); err != nil {
			t.Fatal(err)
		}
	}
	got := make([]byte, 10)
	if err := fillFrom(tail, got, tail.size-10); err != nil || !bytes.Equal(got, []byte{96, 96, 96, 97, 97, 97, 97, 97, 97, 99}) {
		t.Errorf("%v %v", err, got)
	}
	if err := fillFrom(tail, got, 0); err == nil {
		t.Error("its beginning is still there")
	}
}
