package artifact

import (
	"archive/zip"
	"bytes"
	"hash/crc32"
	"io"
	"strings"
	"testing"
)

// repeated is some bytes, over and over without end.
type repeated struct {
	bytes []byte
	at    int
}

func (r *repeated) Read(p []byte) (int, error) {
	for i := range p {
		p[i], r.at = r.bytes[r.at], (r.at+1)%len(r.bytes)
	}
	return len(p), nil
}

// Blocks of deflate: nothing in codes (four blocks), nothing as it is, and 1,000
// zeros as they are.
var (
	emptyCoded  = []byte{0x02, 0x08, 0x20, 0x80, 0x00}
	emptyStored = []byte{0, 0, 0, 0xff, 0xff}
	storedBlock = append([]byte{0, 0xe8, 0x03, 0x17, 0xfc}, make([]byte, 1000)...)
)

// TestInflate: what is stored as it is may be of any length; codes may not.
func TestInflate(t *testing.T) {
	const most = 100_000
	if _, err := io.Copy(io.Discard, inflate(&repeated{bytes: emptyCoded}, most)); err == nil || !strings.Contains(err.Error(), "more than 100000 bytes are packed in a way that takes too long to unpack") {
		t.Error(err)
	}
	const size = 50 * most
	if n, err := io.CopyN(io.Discard, inflate(&repeated{bytes: storedBlock}, most), size); n != size || err != nil {
		t.Error(n, err)
	}
}

// packedZip is a zip of one member that is packed already.
func packedZip(t *testing.T, name string, packed []byte, text string, more ...zipPart) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	raw, err := w.CreateRaw(&zip.FileHeader{
		Name: name, Method: zip.Deflate, CRC32: crc32.ChecksumIEEE([]byte(text)),
		CompressedSize64: uint64(len(packed)), UncompressedSize64: uint64(len(text)),
	})
	if err == nil {
		_, err = raw.Write(packed)
	}
	for _, p := range more {
		to, failed := w.Create(p.name)
		if failed == nil {
			_, failed = to.Write([]byte(p.text))
		}
		if err == nil {
			err = failed
		}
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestBlocksOfNothing: members that are mostly packed nothing are refused, where
// they are read; a few flushes of the packer's are not.
func TestBlocksOfNothing(t *testing.T) {
	stored := func(text string, blocks int) []byte {
		b := bytes.Repeat(emptyStored, blocks)
		b = append(append(b, 1, byte(len(text)), byte(len(text)>>8), ^byte(len(text)), ^byte(len(text)>>8)), text...)
		return b
	}
	nuspec := "<package><metadata><id>x</id><version>1</version></metadata></package>"
	manifest := manifestOf(msixPublisher)
	for name, c := range map[string]struct {
		few, many []byte
	}{
		"nuspec":        {packedZip(t, "a.nuspec", stored(nuspec, 100), nuspec), packedZip(t, "a.nuspec", stored(nuspec, 2000), nuspec)},
		"MSIX manifest": {packedZip(t, msixManifest, stored(manifest, 100), manifest), packedZip(t, msixManifest, stored(manifest, 2000), manifest)},
	} {
		if info, err := lookAt("few", c.few, nil, lookDay); err != nil || info.ID == "" {
			t.Errorf("%s, few: %+v, %v", name, info, err)
		}
		if info, err := lookAt("many", c.many, nil, lookDay); err == nil || !strings.Contains(err.Error(), "takes no more than a few bytes") {
			t.Errorf("%s, many: %+v, %v", name, info, err)
		}
	}
}

// TestPKGTexts: what is read of all Distribution and PackageInfo files together
// has a limit, packed or not.
func TestPKGTexts(t *testing.T) {
	space := strings.Repeat("<a/>"+strings.Repeat(" ", 1000), 3000)
	info := xarEntry{"a.pkg/PackageInfo", "<pkg-info>" + space + "</pkg-info>"}
	for _, c := range []struct {
		entries []xarEntry
		want    string
	}{
		{[]xarEntry{info, {"b.pkg/PackageInfo", info.text}}, ""},
		{[]xarEntry{info, {"b.pkg/PackageInfo", info.text}, {"c.pkg/PackageInfo", info.text}}, "or all such files to more than"},
	} {
		_, err := Look(file(xarParts{entries: c.entries}.build(t)), nil, lookDay)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d of them: %v", len(c.entries), err)
		}
	}
}
