package artifact

import (
	"archive/zip"
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

const msixPublisher = "CN=Signer, O=Test"

func manifestOf(publisher string) string {
	return fmt.Sprintf(`<?xml version="1.0" encoding="utf-8"?><Package xmlns="http://schemas.microsoft.com/appx/manifest/foundation/windows10"><Identity Name="Contoso.App" Publisher=%q Version="1.2.3.0" ProcessorArchitecture="x64"/><Properties><DisplayName>App</DisplayName></Properties></Package>`, publisher)
}

const bundleOf = `<Bundle xmlns="http://schemas.microsoft.com/appx/2013/bundle"><Identity Name="Contoso.Bundle" Publisher="` + msixPublisher + `" Version="4.0.0.0"/><Packages><Package Type="application" Architecture="x64"/><Package Type="application" Architecture="arm64"/><Package Type="resource"/></Packages></Bundle>`

// zipOf is a zip of members, name and content by turns.
func zipOf(t testing.TB, members ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i := 0; i < len(members); i += 2 {
		m, err := w.CreateHeader(&zip.FileHeader{Name: members[i], Method: zip.Deflate})
		if err == nil {
			_, err = m.Write([]byte(members[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func msixOf(t testing.TB, manifest string, more ...string) []byte {
	return zipOf(t, append([]string{"app.exe", "program", msixManifest, manifest, msixBlockMap, "<BlockMap/>", msixContentTypes, "<Types/>"}, more...)...)
}

// spcMSIX signs a package: the digests are of the zip as it is, then the
// signature goes between its members and its directory.
func spcMSIX(t testing.TB, file []byte, by *spcParty, lists ...string) []byte {
	t.Helper()
	end := len(file) - 22
	start, count := int(le.Uint32(file[end+16:])), le.Uint16(file[end+10:])
	digest := []byte("APPX")
	add := func(tag string, data []byte) {
		h := crypto.SHA256.New()
		h.Write(data)
		digest = append(append(digest, tag...), h.Sum(nil)...)
	}
	add("AXPC", file[:start])
	add("AXCD", file[start:])
	add("AXCT", []byte("<Types/>"))
	add("AXBM", []byte("<BlockMap/>"))
	for i := 0; i < len(lists); i += 2 {
		add(lists[i], []byte(lists[i+1]))
	}
	der := append([]byte("PKCX"), signedSPC(t, spcIndirect(t, spcAppPackage, crypto.SHA256, digest), crypto.SHA256, by, nil)...)
	const name = msixSignature
	local := make([]byte, 30)
	copy(local, "PK\x03\x04\x14")
	le.PutUint32(local[18:], uint32(len(der)))
	le.PutUint32(local[22:], uint32(len(der)))
	le.PutUint16(local[26:], uint16(len(name)))
	entry := make([]byte, 46)
	copy(entry, "PK\x01\x02\x14\x00\x14")
	copy(entry[16:], local[14:28])
	le.PutUint32(entry[42:], uint32(start))
	tail := slices.Clone(file[end:])
	directory := slices.Concat(file[start:end], entry, []byte(name))
	le.PutUint16(tail[8:], count+1)
	le.PutUint16(tail[10:], count+1)
	le.PutUint32(tail[12:], uint32(len(directory)))
	le.PutUint32(tail[16:], uint32(start+30+len(name)+len(der)))
	return slices.Concat(file[:start], local, []byte(name), der, directory, tail)
}

func TestMSIX(t *testing.T) {
	root := issue(t, nil, "Root", nil)
	signer := issue(t, root, "Signer", nil)
	file := msixOf(t, manifestOf(msixPublisher))
	good := spcMSIX(t, file, signer)
	edit := func(change func([]byte) []byte) []byte { return change(slices.Clone(good)) }
	catalogue := msixOf(t, manifestOf(msixPublisher), msixCodeIntegrity, "catalogue")
	end := len(good) - 22
	start := int(le.Uint32(good[end+16:]))
	for _, row := range []struct {
		name   string
		file   []byte
		status Status
		reason string
	}{
		{"as signed", good, Valid, ""},
		{"unsigned", file, Unsigned, ""},
		{"publisher is somebody else", spcMSIX(t, msixOf(t, manifestOf("CN=Contoso")), signer), Untrusted, "not the publisher"},
		{"publisher in other words", spcMSIX(t, msixOf(t, manifestOf(`cn=Signer,o=&quot;Test&quot;`)), signer), Valid, ""},
		{"with a catalogue", spcMSIX(t, catalogue, signer, "AXCI", "catalogue"), Valid, ""},
		{"catalogue that was not signed", spcMSIX(t, catalogue, signer), Invalid, "CodeIntegrity.cat is missing, or was not signed"},
		{"catalogue that is not there", spcMSIX(t, file, signer, "AXCI", "catalogue"), Invalid, "CodeIntegrity.cat is missing"},
		{"a member changed", edit(func(b []byte) []byte { b[37] ^= 1; return b }), Invalid, "its members: changed after"},
		{"the directory changed", edit(func(b []byte) []byte { b[start+12] ^= 1; return b }), Invalid, "its directory: changed after"},
		{"something behind", append(slices.Clone(good), "PK more"...), Invalid, "7 bytes follow the end"},
		{"something between", edit(func(b []byte) []byte {
			le.PutUint32(b[end+16:], uint32(start+4))
			return slices.Insert(b, start, []byte("more")...)
		}), Invalid, "4 bytes stand between"},
	} {
		info, err := lookAt("a.msix", row.file, trusting(t, root), spcNow)
		if got := info.Signature; err != nil || info.Format != "MSIX" || got.Status != row.status || !strings.Contains(got.Reason, row.reason) {
			t.Errorf("%s: %s: %s, %v; want %s: …%s…", row.name, got.Status, got.Reason, err, row.status, row.reason)
		}
	}
	neverValid(t, good, trusting(t, root), func(i int) bool { // checksum and times of the signature's own member
		own := bytes.Index(good, []byte("PK\x03\x04\x14\x00\x00\x00\x00\x00"))
		last := end - 46 - len(msixSignature)
		return i >= own+4 && i < own+26 || i >= last+4 && i < last+20 || i >= last+34 && i < last+42
	})
}

func TestMSIXSays(t *testing.T) {
	utf16Manifest := "\xff\xfe"
	for _, unit := range utf16.Encode([]rune(strings.Replace(manifestOf(msixPublisher), "utf-8", "utf-16", 1))) {
		utf16Manifest += string([]byte{byte(unit), byte(unit >> 8)})
	}
	for name, file := range map[string][]byte{
		"package":     msixOf(t, manifestOf(msixPublisher)),
		"with a BOM":  msixOf(t, "\ufeff"+manifestOf(msixPublisher)),
		"UTF-16":      msixOf(t, utf16Manifest),
		"other case":  zipOf(t, "APPXMANIFEST.XML", manifestOf(msixPublisher)),
		"with a note": func() []byte { b := append(msixOf(t, manifestOf(msixPublisher)), "note"...); b[len(b)-6] = 4; return b }(),
	} {
		info, err := lookAt("a.msix", file, nil, spcNow)
		if err != nil || info.Name != "Contoso.App" || info.ID != "Contoso.App" || info.Version != "1.2.3.0" || info.Publisher != msixPublisher || info.Architecture != "x64" {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
	}
	info, err := lookAt("a.msixbundle", zipOf(t, msixBundleManifest, bundleOf, "x64.msix", "PK"), nil, spcNow)
	if err != nil || info.Name != "Contoso.Bundle" || info.Version != "4.0.0.0" || info.Architecture != "arm64, x64" {
		t.Errorf("%+v, %v", info, err)
	}
	if info, err := lookAt("a.zip", zipOf(t, "a.txt", "a"), nil, spcNow); err != nil || info.Format == "MSIX" {
		t.Errorf("any zip: %+v, %v", info, err)
	}
}

func TestMSIXDamaged(t *testing.T) {
	good := spcMSIX(t, msixOf(t, manifestOf(msixPublisher)), issue(t, nil, "Signer", nil))
	end := len(good) - 22
	start := int(le.Uint32(good[end+16:]))
	edit := func(at int, value uint32) []byte {
		b := slices.Clone(good)
		le.PutUint32(b[at:], value)
		return b
	}
	for name, file := range map[string][]byte{
		"cut":                    good[:len(good)-30],
		"65535 members":          edit(end+8, 0xffffffff),
		"directory of 4 GiB":     edit(end+12, 0xfffffffe),
		"directory at 4 GiB":     edit(end+16, 0xfffffffe),
		"member at 4 GiB":        edit(start+42, 0xfffffffe),
		"member of 4 GiB packed": edit(start+20, 0xfffffffe),
		"name of 64 KiB":         edit(start+28, 0xffff),
		"two manifests":          msixOf(t, manifestOf(msixPublisher), "appxManifest.XML", manifestOf(msixPublisher)),
		"two identities":         msixOf(t, strings.Replace(manifestOf("x"), "<Properties>", `<Identity Name="b" Publisher="c"/><Properties>`, 1)),
		"no identity":            msixOf(t, "<Package/>"),
		"no XML":                 msixOf(t, "{}"),
		"deep":                   msixOf(t, strings.Repeat("<a>", 200_000)),
		"bomb":                   msixOf(t, strings.Repeat(" ", 5<<20)),
		"not closed":             msixOf(t, strings.TrimSuffix(manifestOf("x"), "</Package>")),
		"signature of nothing":   msixOf(t, manifestOf("x"), msixSignature, "PK"),
	} {
		info, err := lookAt("bad.msix", file, nil, spcNow)
		if known, ok := errors.AsType[*ReadError](err); !ok || known.File != "bad.msix" || known.Place == "" {
			t.Errorf("%s: %v, %v", name, info.Signature, err)
		}
	}
}

func FuzzMSIX(f *testing.F) {
	root := issue(f, nil, "Root", nil)
	file := msixOf(f, manifestOf(msixPublisher))
	signed := spcMSIX(f, file, issue(f, root, "Signer", nil))
	same := func(data []byte) bool { // all but the signature's own member
		return bytes.HasPrefix(data, signed[:bytes.Index(file, []byte("PK\x01\x02"))])
	}
	fuzzLook(f, trusting(f, root), same, signed, file, zipOf(f, msixBundleManifest, bundleOf))
}
