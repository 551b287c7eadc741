package artifact

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"strings"
	"testing"
)

type zipPart struct {
	name, text string
	change     func(*zip.FileHeader)
}

func zipArchive(t testing.TB, parts ...zipPart) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, p := range parts {
		header := &zip.FileHeader{Name: p.name, Method: zip.Deflate}
		if p.change != nil {
			p.change(header)
		}
		to, err := w.CreateHeader(header)
		if err == nil {
			_, err = to.Write([]byte(p.text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// link makes a symbolic link.
func link(h *zip.FileHeader) { h.SetMode(fs.ModeSymlink | 0o777) }

func TestZip(t *testing.T) {
	for name, c := range map[string]struct {
		parts  []zipPart
		want   Status
		reason string
		notes  []string
	}{
		"empty":            {nil, Unsigned, "a zip carries no signature", nil},
		"plain":            {[]zipPart{{name: "a/b.txt", text: "hello"}, {name: "c/", text: ""}}, Unsigned, "", nil},
		"climbing":         {[]zipPart{{name: "a/../../b"}}, Unsigned, "", []string{`"a/../../b" leads out of`}},
		"turning back":     {[]zipPart{{name: "a/../b"}}, Unsigned, "", []string{"has .. in its name"}},
		"absolute":         {[]zipPart{{name: "/etc/passwd"}}, Unsigned, "", []string{"is absolute"}},
		"drive":            {[]zipPart{{name: "C:/x"}, {name: "c:x"}}, Unsigned, "", []string{`"C:/x" begins with a drive letter`, `"c:x" begins with a drive letter`}},
		"backslash":        {[]zipPart{{name: `a\..\..\b`}}, Unsigned, "", []string{"has a backslash", "leads out of"}},
		"network":          {[]zipPart{{name: `\\host\x`}}, Unsigned, "", []string{"has a backslash", "is absolute"}},
		"twice":            {[]zipPart{{name: "a"}, {name: "a"}}, Unsigned, "", []string{`"a" is there twice`}},
		"case":             {[]zipPart{{name: "Setup.exe"}, {name: "setup.EXE"}}, Unsigned, "", []string{`"setup.EXE" is there twice where case does not count: also as "Setup.exe"`}},
		"other encoding":   {[]zipPart{{name: "\x82.txt"}, {name: "\x8a.txt"}}, Unsigned, "", nil},
		"and case in it":   {[]zipPart{{name: "\x82.txt"}, {name: "\x82.TXT"}}, Unsigned, "", []string{"is there twice where case does not count"}},
		"control":          {[]zipPart{{name: "a\nb"}}, Unsigned, "", []string{"has control characters"}},
		"link out":         {[]zipPart{{name: "a/l", text: "../../x", change: link}}, Unsigned, "", []string{`"a/l" is a symbolic link to "../../x", which leads out of`}},
		"link absolute":    {[]zipPart{{name: "l", text: "/etc", change: link}}, Unsigned, "", []string{"which is absolute"}},
		"link inside":      {[]zipPart{{name: "a/l", text: "../x", change: link}}, Unsigned, "", nil},
		"NuGet signature":  {[]zipPart{{name: ".signature.p7s", text: "x"}}, Untrusted, "NuGet signature, which is a kind that is not checked", nil},
		"jar signature":    {[]zipPart{{name: "META-INF/CONTOSO.RSA", text: "x"}}, Untrusted, "jar signature", nil},
		"no jar signature": {[]zipPart{{name: "x/META-INF/CONTOSO.RSA", text: "x"}}, Unsigned, "", nil},
	} {
		info, err := Look(file(zipArchive(t, c.parts...)), nil, lookDay)
		if err != nil || info.Format != "ZIP" || info.Signature.Status != c.want || !strings.Contains(info.Signature.Reason, c.reason) {
			t.Errorf("%s: %v %+v", name, err, info)
		}
		if len(info.Notes) != len(c.notes) {
			t.Errorf("%s: notes %q, want %q", name, info.Notes, c.notes)
			continue
		}
		for i, note := range c.notes {
			if !strings.Contains(info.Notes[i], note) {
				t.Errorf("%s: note %q, want %q", name, info.Notes[i], note)
			}
		}
	}
}

func TestZipNotesAreFew(t *testing.T) {
	var parts []zipPart
	for i := range 500 {
		parts = append(parts, zipPart{name: fmt.Sprintf("../%d", i)})
	}
	info, err := Look(file(zipArchive(t, parts...)), nil, lookDay)
	if err != nil || len(info.Notes) != maxZipNotes+1 || info.Notes[maxZipNotes] != "and 480 more of the kind" {
		t.Errorf("%v %q", err, info.Notes)
	}
}

func TestNuGet(t *testing.T) {
	spec := "\ufeff<?xml version=\"1.0\"?><package xmlns=\"urn:x\"><metadata><id>Contoso.Hello</id><version>1.2</version><authors>Contoso</authors></metadata></package>"
	info, err := Look(file(zipArchive(t, zipPart{name: "Contoso.Hello.nuspec", text: spec})), nil, lookDay)
	if err != nil || info.Name != "Contoso.Hello" || info.ID != "Contoso.Hello" || info.Version != "1.2" || info.Publisher != "Contoso" {
		t.Errorf("%v %+v", err, info)
	}
}

// TestZip64: sizes and counts that do not fit into the old records.
func TestZip64(t *testing.T) {
	var parts []zipPart
	for i := range 66000 {
		parts = append(parts, zipPart{name: fmt.Sprint(i), change: func(h *zip.FileHeader) { h.Method = zip.Store }})
	}
	data := zipArchive(t, parts...)
	soon(t, "66,000 entries", func() {
		if info, err := Look(file(data), nil, lookDay); err != nil || info.Format != "ZIP" {
			t.Errorf("%v %+v", err, info)
		}
	})
	locator := len(data) - zipEndSize - zip64LocatorSize
	data[locator+8]++
	if _, err := Look(file(data), nil, lookDay); err == nil || !strings.Contains(err.Error(), "zip64 end of central directory") {
		t.Errorf("%v", err)
	}
}

func TestZipRefused(t *testing.T) {
	good := zipArchive(t, zipPart{name: "first", text: strings.Repeat("x", 1000)}, zipPart{name: "second", text: "y"})
	directory := bytes.Index(good, []byte("PK\x01\x02"))
	second := bytes.Index(good[1:], []byte("PK\x03\x04")) + 1
	secondEntry := directory + 1 + bytes.Index(good[directory+1:], []byte("PK\x01\x02"))
	altered := func(at int, with ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[at:], with)
		return b
	}
	number := func(n int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(n)) }
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"other name":          {altered(30, 'F'), "first: is called First in its local header"},
		"other method":        {altered(8, 0), "is packed differently"},
		"other checksum":      {altered(14, 1), "another size or checksum"},
		"no local header":     {altered(second, 'X'), "second: has no local header"},
		"same place":          {altered(secondEntry+42, number(0)...), "lies in another entry"},
		"overlapping":         {altered(secondEntry+42, number(20)...), "lies in another entry"},
		"beyond":              {altered(secondEntry+42, number(len(good))...), "or beyond the entries"},
		"longer than is":      {altered(directory+20, number(1<<20)...), "reach beyond the entries"},
		"a bomb, as declared": {altered(directory+24, number(1<<30)...), "cannot be, or must not be, 1073741824 bytes"},
		"more entries":        {altered(len(good)-zipEndSize+8, 9, 0, 9, 0), "central directory: cannot hold 9 entries"},
		"fewer entries":       {altered(len(good)-zipEndSize+8, 1, 0, 1, 0), "is longer than its 1 entries"},
		"in parts":            {altered(len(good)-zipEndSize+8, 1, 0, 2, 0), "in several parts"},
		"moved directory":     {altered(len(good)-zipEndSize+16, number(directory+1)...), "does not end at"},
		"something behind":    {append(bytes.Clone(good), 'x'), "end of central directory: is missing"},
		"cut short":           {good[:len(good)-1], "end of central directory: is missing"},
		"broken nuspec":       {zipArchive(t, zipPart{name: "a.nuspec", text: "<package>"}), "a.nuspec"},
		"entity":              {zipArchive(t, zipPart{name: "a.nuspec", text: `<!DOCTYPE x [<!ENTITY a "b">]><package/>`}), "a.nuspec: declares an entity"},
		"long link":           {zipArchive(t, zipPart{name: "l", text: strings.Repeat("a", 70000), change: link}), "at most 4096 are read"},
	} {
		_, err := Look(file(c.data), nil, lookDay)
		if failed, ok := errors.AsType[*ReadError](err); !ok || failed.Place == "" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestZipBomb: entries that honestly say that they unpack to a lot more.
func TestZipBomb(t *testing.T) {
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 64<<20)
	if _, err := w.Write(zeros); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	var written bytes.Buffer
	archive := zip.NewWriter(&written)
	for i := range 17 {
		header := &zip.FileHeader{Name: fmt.Sprint(i), Method: zip.Deflate, CRC32: crc32.ChecksumIEEE(zeros), CompressedSize64: uint64(packed.Len()), UncompressedSize64: uint64(len(zeros))}
		to, err := archive.CreateRaw(header)
		if err == nil {
			_, err = to.Write(packed.Bytes())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Look(file(written.Bytes()), nil, lookDay); err == nil || !strings.Contains(err.Error(), "a bomb") {
		t.Errorf("%v", err)
	}
}
