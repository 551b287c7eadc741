package artifact

import (
	"bytes"
	"compress/zlib"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"
)

// authority is a root, and makes certificates for installers.
type authority struct {
	key  *ecdsa.PrivateKey
	root *x509.Certificate
}

var testAuthority = sync.OnceValue(func() authority { return newAuthority("Contoso Root") })

var installerKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func newAuthority(name string) authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: signedDay.AddDate(-5, 0, 0), NotAfter: signedDay.AddDate(20, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return authority{key, root}
}

// installer makes a certificate as Apple does for Developer ID installers.
func (a authority) installer(change func(*x509.Certificate)) []byte {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Developer ID Installer: Contoso (ABCDE12345)"},
		NotBefore: signedDay.AddDate(0, -1, 0), NotAfter: lookDay.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		UnknownExtKeyUsage: []asn1.ObjectIdentifier{oidInstaller},
		ExtraExtensions:    []pkix.Extension{{Id: append(oidAppleExtension[:6:6], 1, 14), Critical: true, Value: []byte{5, 0}}},
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.root, &installerKey().PublicKey, a.key)
	if err != nil {
		panic(err)
	}
	return der
}

func (a authority) trust(t testing.TB) *Trust {
	t.Helper()
	trust, err := ParseTrust(map[string][]byte{"root.der": a.root.Raw})
	if err != nil {
		t.Fatal(err)
	}
	return trust
}

// xarCMSBytes is how much room is kept for a CMS signature.
const xarCMSBytes = 12 << 10

func noCMS([]byte) []byte { return nil }

type xarEntry struct{ path, text string }

// xarParts makes packages. toc changes the table of contents before it is
// checksummed, heap the files after that, and tail is what follows.
type xarParts struct {
	style        string // of checksums; SHA-256 if empty
	kind         uint32 // of the header's checksum
	certificates [][]byte
	entries      []xarEntry
	toc          func(string) string
	heap         func([]byte)
	tail         []byte
	cms          func(checksum []byte) []byte // the CMS signature
}

const distribution = `<?xml version="1.0" encoding="utf-8"?><installer-gui-script minSpecVersion="2">
<title>Hello</title><product id="com.contoso.hello" version="1.2"/><options hostArchitectures="x86_64,arm64"/>
<pkg-ref id="com.contoso.hello.core" version="1.2.3"/></installer-gui-script>`

const packageInfo = `<pkg-info identifier="com.contoso.hello.core" version="1.2.3"><bundle id="com.contoso.Hello" CFBundleShortVersionString="1.9"/></pkg-info>`

func (p xarParts) build(t testing.TB) []byte {
	t.Helper()
	hash, number := crypto.SHA256, uint32(3)
	if p.style == "" {
		p.style = "sha256"
	} else if p.style == "sha1" {
		hash, number = crypto.SHA1, 1
	} else if p.style == "md5" {
		hash, number = crypto.MD5, 2
	}
	if p.kind != 0 {
		number = p.kind
	}
	if p.entries == nil {
		p.entries = []xarEntry{{"Distribution", distribution}, {"core.pkg/PackageInfo", packageInfo}, {"core.pkg/Payload", "payload"}}
	}
	var toc strings.Builder
	fmt.Fprintf(&toc, `<?xml version="1.0" encoding="UTF-8"?><xar><toc><checksum style="%s"><offset>0</offset><size>%d</size></checksum>`, p.style, hash.Size())
	heap := make([]byte, hash.Size())
	reserve := func(element, style string, size int) {
		fmt.Fprintf(&toc, `<%s style="%s"><offset>%d</offset><size>%d</size><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data>`, element, style, len(heap), size)
		for _, c := range p.certificates {
			fmt.Fprintf(&toc, "<X509Certificate>%s</X509Certificate>", base64.StdEncoding.EncodeToString(c))
		}
		fmt.Fprintf(&toc, `</X509Data></KeyInfo></%s>`, element)
		heap = append(heap, make([]byte, size)...)
	}
	if p.certificates != nil {
		reserve("signature", "RSA", installerKey().Size())
	}
	if p.cms != nil {
		reserve("x-signature", "CMS", xarCMSBytes)
	}
	for _, e := range p.entries {
		var data bytes.Buffer
		w := zlib.NewWriter(&data)
		if _, err := w.Write([]byte(e.text)); err != nil || w.Close() != nil {
			t.Fatal(err)
		}
		sum := hash.New()
		sum.Write(data.Bytes())
		names := strings.Split(e.path, "/")
		for _, folder := range names[:len(names)-1] {
			fmt.Fprintf(&toc, `<file><name>%s</name><type>directory</type>`, folder)
		}
		fmt.Fprintf(&toc, `<file><data><length>%d</length><offset>%d</offset><size>%d</size><encoding style="application/x-gzip"/>`, data.Len(), len(heap), len(e.text))
		fmt.Fprintf(&toc, `<archived-checksum style="%s">%x</archived-checksum></data><name>%s</name></file>%s`, p.style, sum.Sum(nil), names[len(names)-1], strings.Repeat("</file>", len(names)-1))
		heap = append(heap, data.Bytes()...)
	}
	toc.WriteString("</toc></xar>")
	return p.seal(t, toc.String(), heap, hash, number)
}

func (p xarParts) seal(t testing.TB, toc string, heap []byte, hash crypto.Hash, number uint32) []byte {
	t.Helper()
	if p.toc != nil {
		toc = p.toc(toc)
	}
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	if _, err := w.Write([]byte(toc)); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	sum := hash.New()
	sum.Write(packed.Bytes())
	copy(heap, sum.Sum(nil))
	if p.certificates != nil {
		value, err := rsa.SignPKCS1v15(rand.Reader, installerKey(), hash, sum.Sum(nil))
		if err != nil {
			t.Fatal(err)
		}
		copy(heap[hash.Size():], value)
	}
	if p.cms != nil {
		at := hash.Size()
		if p.certificates != nil {
			at += installerKey().Size()
		}
		copy(heap[at:], p.cms(sum.Sum(nil)))
	}
	if p.heap != nil {
		p.heap(heap)
	}
	out := binary.BigEndian.AppendUint32([]byte("xar!"), 28<<16|1)
	out = binary.BigEndian.AppendUint64(out, uint64(packed.Len()))
	out = binary.BigEndian.AppendUint64(out, uint64(len(toc)))
	out = binary.BigEndian.AppendUint32(out, number)
	return append(append(append(out, packed.Bytes()...), heap...), p.tail...)
}

func ticket(data string) []byte {
	record := func(kind byte, length int) []byte {
		return append(binary.LittleEndian.AppendUint32([]byte{'t', '8', 'l', 'r', 1, 0, kind, 0}, uint32(length)), 0, 0, 0, 0)
	}
	return append(append(record(1, 0), data...), record(2, len(data))...)
}

func TestPKG(t *testing.T) {
	a := testAuthority()
	good := [][]byte{a.installer(nil), a.root.Raw}
	with := func(change func(*x509.Certificate)) [][]byte { return [][]byte{a.installer(change)} }
	unchecked := func(toc string) string { return strings.ReplaceAll(toc, "archived-checksum", "some-checksum") }
	for name, c := range map[string]struct {
		pkg          xarParts
		want         Status
		reason, note string
	}{
		"unsigned": {xarParts{}, Unsigned, "no signature", ""},
		"good":     {xarParts{certificates: good}, Valid, "signed by Developer ID Installer: Contoso", ""},
		"SHA-1":    {xarParts{certificates: good, style: "sha1"}, Valid, "", "relies on SHA-1"},
		"MD5":      {xarParts{certificates: good, style: "md5"}, Untrusted, "too weak", ""},
		"code signing": {xarParts{certificates: with(func(c *x509.Certificate) {
			c.UnknownExtKeyUsage, c.ExtKeyUsage = nil, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
		})}, Valid, "", ""},
		"for servers": {xarParts{certificates: with(func(c *x509.Certificate) {
			c.UnknownExtKeyUsage, c.ExtKeyUsage = nil, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		})}, Untrusted, "neither installers nor code", ""},
		"for anything":       {xarParts{certificates: with(func(c *x509.Certificate) { c.UnknownExtKeyUsage = nil })}, Untrusted, "neither installers nor code", ""},
		"not for signatures": {xarParts{certificates: with(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment })}, Untrusted, "not for signatures", ""},
		"other critical":     {xarParts{certificates: with(func(c *x509.Certificate) { c.ExtraExtensions[0].Id = asn1.ObjectIdentifier{1, 2, 3, 4} })}, Untrusted, "not among the trusted", ""},
		"expired":            {xarParts{certificates: with(func(c *x509.Certificate) { c.NotAfter = lookDay.AddDate(0, 0, -1) })}, Expired, "only, and nobody says", ""},
		"not yet":            {xarParts{certificates: with(func(c *x509.Certificate) { c.NotBefore = lookDay.AddDate(0, 0, 1) })}, Expired, "only, and nobody says", ""},
		"another root":       {xarParts{certificates: [][]byte{newAuthority("Other").installer(nil)}}, Untrusted, "not among the trusted", ""},
		"file altered":       {xarParts{certificates: good, heap: func(h []byte) { h[len(h)-1] ^= 1 }}, Invalid, `"Payload" is not what its checksum is of`, ""},
		"signature altered":  {xarParts{certificates: good, heap: func(h []byte) { h[40] ^= 1 }}, Invalid, "is not what was signed", ""},
		"checksum altered":   {xarParts{certificates: good, heap: func(h []byte) { h[0] ^= 1 }}, Invalid, "table of contents is not what its checksum", ""},
		"unsigned, altered":  {xarParts{heap: func(h []byte) { h[0] ^= 1 }}, Invalid, "table of contents is not what its checksum", ""},
		"file unchecked":     {xarParts{certificates: good, toc: unchecked}, Invalid, "has no checksum", ""},
		"something behind":   {xarParts{certificates: good, tail: []byte("x")}, Invalid, "1 bytes behind the files", ""},
		"ticket":             {xarParts{certificates: good, tail: ticket("ticket")}, Valid, "", "notarization ticket"},
		"ticket cut":         {xarParts{certificates: good, tail: ticket("ticket")[1:]}, Invalid, "behind the files", ""},
		"not certificates":   {xarParts{certificates: [][]byte{[]byte("x")}}, Invalid, "cannot be read", ""},
		"CMS too":            {xarParts{certificates: good, cms: noCMS}, Valid, "", "CMS signature too, which does not count"},
		"CMS only":           {xarParts{cms: noCMS}, Untrusted, "CMS signature only", ""},
		"leading elsewhere":  {xarParts{certificates: good, entries: []xarEntry{{"Distribution", distribution}, {"../core.pkg/x", ""}}}, Valid, "", `".." leads elsewhere`},
	} {
		info, err := Look(file(c.pkg.build(t)), a.trust(t), lookDay)
		if err != nil || info.Format != "PKG" || info.Signature.Status != c.want || !strings.Contains(info.Signature.Reason, c.reason) || !strings.Contains(strings.Join(info.Notes, "; "), c.note) {
			t.Errorf("%s: %v %+v, want %s: %s", name, err, info, c.want, c.reason)
		}
		if info, err := Look(file(c.pkg.build(t)), nil, lookDay); err != nil || info.Signature.Status == Valid {
			t.Errorf("%s, without roots: %v %+v", name, err, info.Signature)
		}
	}
}

// TestPKGVersions: versions stand in three places, and the product's counts.
func TestPKGVersions(t *testing.T) {
	for name, c := range map[string]struct {
		entries                 []xarEntry
		name, id, version, note string
	}{
		"product": {nil, "Hello", "com.contoso.hello", "1.2",
			"other versions inside: pkg-ref com.contoso.hello.core: 1.2.3, package com.contoso.hello.core: 1.2.3, bundle com.contoso.Hello: 1.9"},
		"a component": {[]xarEntry{{"PackageInfo", packageInfo}}, "com.contoso.hello.core", "com.contoso.hello.core", "1.2.3", "other versions inside: bundle com.contoso.Hello: 1.9"},
		"no product":  {[]xarEntry{{"Distribution", `<installer-script><pkg-ref id="a" version="7"/></installer-script>`}}, "", "", "7", ""},
		"nothing":     {[]xarEntry{{"other", "x"}}, "", "", "", "it is no installer package"},
	} {
		info, err := Look(file(xarParts{entries: c.entries}.build(t)), nil, lookDay)
		if err != nil || info.Name != c.name || info.ID != c.id || info.Version != c.version || !strings.Contains(strings.Join(info.Notes, "; "), c.note) {
			t.Errorf("%s: %v %+v", name, err, info)
		}
	}
}

func TestPKGRefused(t *testing.T) {
	toc := func(old, with string) xarParts {
		return xarParts{toc: func(toc string) string { return strings.Replace(toc, old, with, 1) }}
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"other checksum":     {xarParts{kind: 1}.build(t), `is checked by "sha256" here and by "sha1" in the header`},
		"unknown checksum":   {xarParts{kind: 9}.build(t), "tells of checksum 9"},
		"entity":             {toc("<xar>", "<!DOCTYPE x [<!ENTITY a 'b'>]><xar>").build(t), "declares an entity"},
		"two offsets":        {toc("<offset>0</offset>", "<offset>0</offset><offset>0</offset>").build(t), "tells of offset twice"},
		"beyond the end":     {toc("<offset>32</offset>", "<offset>9999999</offset>").build(t), "are not there"},
		"far beyond the end": {toc("<offset>32</offset>", "<offset>9223372036854775807</offset>").build(t), "are not there"},
		"negative":           {toc("<offset>32</offset>", "<offset>-1</offset>").build(t), "are not there"},
		"overlapping":        {toc("<offset>32</offset>", "<offset>0</offset>").build(t), "overlaps"},
		"two tables":         {toc("</xar>", "</xar><xar/>").build(t), "2 root elements"},
		"broken XML":         {toc("</toc>", "").build(t), "table of contents"},
		"bomb":               {xarParts{toc: func(toc string) string { return toc + strings.Repeat(" ", maxTOC) }}.build(t), "at most 33554432 are read"},
		"lying bomb":         {lyingTOC(t), "table of contents"},
		"deep":               {toc("</toc>", strings.Repeat("<file>", 1000)).build(t), "nested deeper"},
		"long token":         {toc("<toc>", "<toc><!--"+strings.Repeat("x", 2*maxXMLToken)+"-->").build(t), "longer than"},
		"many files":         {toc("</toc>", strings.Repeat("<file/>", maxXarFiles+1)+"</toc>").build(t), "more than 100000 files"},
		"many elements":      {toc("</toc>", strings.Repeat("<a/>", maxXMLParts+1)+"</toc>").build(t), "tags, attributes and texts"},
		"two Distributions":  {xarParts{entries: []xarEntry{{"Distribution", distribution}, {"Distribution", distribution}}}.build(t), "Distribution: is there twice"},
		"large Distribution": {xarParts{entries: []xarEntry{{"Distribution", "<a>" + strings.Repeat(" ", maxPKGText) + "</a>"}}}.build(t), "Distribution: unpacks to more"},
		"header of 32 bytes": {append([]byte("xar!\x00\x20\x00\x01"), make([]byte, 100)...), "header: is of version 1 and 32 bytes"},
		"only a magic":       {[]byte("xar!"), "header"},
	} {
		soon(t, name, func() {
			if _, err := Look(file(c.data), nil, lookDay); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %q", name, err, c.want)
			}
		})
	}
}

// lyingTOC says that it unpacks to 1,000 bytes, and does to many more.
func lyingTOC(t *testing.T) []byte {
	data := xarParts{toc: func(toc string) string { return toc + strings.Repeat(" ", maxTOC) }}.build(t)
	binary.BigEndian.PutUint64(data[16:], 1000)
	return data
}

func TestPKGFlips(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of files")
	}
	a := testAuthority()
	data := xarParts{certificates: [][]byte{a.installer(nil)}}.build(t)
	flips(t, data, a.trust(t), func(int) bool { return false })
}

// TestPKGFingerprint: the certificate's, as the openssl tool shows it.
func TestPKGFingerprint(t *testing.T) {
	a := testAuthority()
	certificate := a.installer(nil)
	info, err := Look(file(xarParts{certificates: [][]byte{certificate}}.build(t)), a.trust(t), lookDay)
	sum := crypto.SHA256.New()
	sum.Write(certificate)
	if err != nil || info.Signature.Fingerprint != hex.EncodeToString(sum.Sum(nil)) || info.Signature.Issuer != "CN=Contoso Root" ||
		!info.Signature.NotAfter.Equal(lookDay.AddDate(1, 0, 0)) || info.Signature.Digest != "SHA-256" || info.Signature.Timestamp != (time.Time{}) {
		t.Errorf("%v %+v", err, info.Signature)
	}
}
