package artifact

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

type arPart struct {
	name string
	data []byte
}

func arFile(parts ...arPart) []byte {
	var b bytes.Buffer
	b.WriteString(arMagic)
	for _, p := range parts {
		fmt.Fprintf(&b, "%-16s%-12d%-6d%-6d%-8o%-10d`\n%s", p.name, 1700000000, 0, 0, 0o100644, len(p.data), p.data)
		if len(p.data)%2 == 1 {
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

type tarPart struct {
	tar.Header
	data []byte
}

func tarFile(t testing.TB, parts ...tarPart) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, p := range parts {
		p.Header.Size, p.Header.Mode = int64(len(p.data)), 0o644
		if err := w.WriteHeader(&p.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(p.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const helloControl = "Package: hello\nVersion: 2.10-3\nArchitecture: amd64\nMaintainer: Contoso <packages@contoso.example>\nDescription: says hello\n and so on\n"

// debParts makes packages; what is empty is as it should be.
type debParts struct {
	kind          string // of packing
	version, text string
	control, data []byte
}

func packed(t testing.TB, kind string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch kind {
	case ".gz":
		w = gzip.NewWriter(&b)
	case ".xz":
		w, err = xz.WriterConfig{DictCap: 1 << 20}.NewWriter(&b)
	case ".zst":
		w, err = zstd.NewWriter(&b)
	default:
		return data
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (d debParts) parts(t testing.TB) []arPart {
	t.Helper()
	if d.version == "" {
		d.version = "2.0\n"
	}
	if d.text == "" {
		d.text = helloControl
	}
	if d.control == nil {
		d.control = tarFile(t, tarPart{tar.Header{Name: "./md5sums"}, []byte("0  usr/bin/hello\n")}, tarPart{tar.Header{Name: "./control"}, []byte(d.text)})
	}
	if d.data == nil {
		d.data = []byte("data")
	}
	return []arPart{{"debian-binary", []byte(d.version)}, {"control.tar" + d.kind, packed(t, d.kind, d.control)}, {"data.tar" + d.kind, packed(t, d.kind, d.data)}}
}

func (d debParts) with(t testing.TB, more ...arPart) []byte {
	return arFile(append(d.parts(t), more...)...)
}

// signed is what debsigs signs.
func (d debParts) signed(t testing.TB) (all []byte) {
	for _, p := range d.parts(t) {
		all = append(all, p.data...)
	}
	return all
}

func signedDeb(t testing.TB, parts debParts) []byte {
	return parts.with(t, arPart{"_gpgorigin", detached(t, contosoKey(), parts.signed(t), nil)})
}

func TestDeb(t *testing.T) {
	for _, kind := range []string{"", ".gz", ".xz", ".zst"} {
		info, err := Look(file(debParts{kind: kind}.with(t)), nil, lookDay)
		if err != nil || info.Format != "DEB" || info.Name != "hello" || info.ID != "hello" || info.Version != "2.10-3" ||
			info.Architecture != "amd64" || info.Publisher != "Contoso <packages@contoso.example>" || info.Signature.Status != Unsigned || len(info.Notes) > 0 {
			t.Errorf("%q: %v %+v", kind, err, info)
		}
		if info, err = Look(file(signedDeb(t, debParts{kind: kind})), trustingKeys(t, contosoKey()), lookDay); err != nil || info.Signature.Status != Valid {
			t.Errorf("%q, signed: %v %+v", kind, err, info.Signature)
		}
	}
}

// TestDebMembers: what dpkg would not unpack is noted or refused, and a
// signature is good for what dpkg unpacks.
func TestDebMembers(t *testing.T) {
	parts := debParts{}.parts(t)
	signature := detached(t, contosoKey(), debParts{}.signed(t), nil)
	wrong := detached(t, contosoKey(), []byte("something else"), nil)
	trust := trustingKeys(t, contosoKey())
	for _, c := range []struct {
		name       string
		parts      []arPart
		want       Status
		note, fail string
	}{
		{"signature first", []arPart{parts[0], {"_gpgorigin", signature}, parts[1], parts[2]}, Valid, "", ""},
		{"more behind", append(parts[:3:3], arPart{"_gpgmaint", signature}, arPart{"extra", []byte("x")}), Valid, `"extra" is not used`, ""},
		{"unknown role", append(parts[:3:3], arPart{"_gpgsomebody", signature}), Untrusted, "", ""},
		{"five that are wrong", append(parts[:3:3], arPart{"_gpgorigin", wrong}, arPart{"_gpgmaint", wrong}, arPart{"_gpgarchive", wrong}, arPart{"_gpgbuilder", wrong}, arPart{"_gpga", wrong}), Invalid, "", ""},
		{"second data", append(parts[:3:3], arPart{"_gpgorigin", signature}, arPart{"data.tar.gz", []byte("x")}), "", "", "data.tar.gz: stands where"},
		{"second control", append(parts[:3:3], arPart{"_gpgorigin", signature}, arPart{"control.tar", []byte("x")}), "", "", "control.tar: stands where"},
		{"wrong order", []arPart{parts[0], parts[2], parts[1]}, "", "", "data.tar: stands where"},
		{"stranger before", []arPart{parts[0], {"extra", nil}, parts[1], parts[2]}, "", "", "extra: stands before"},
		{"no data", parts[:2], "", "", "data.tar: is missing"},
		{"no control", parts[:1], "", "", "control.tar: is missing"},
		{"other packing", []arPart{parts[0], parts[1], {"data.tar.zip", nil}}, "", "", "data.tar.zip: is packed"},
		{"other packing of control", []arPart{parts[0], {"control.tar.bz2", nil}, parts[2]}, "", "", "control.tar.bz2: is packed"},
		{"format 3", debParts{version: "3.0\n"}.parts(t), "", "", "format 2 is read"},
	} {
		info, err := Look(file(arFile(c.parts...)), trust, lookDay)
		if c.fail != "" {
			if failed, ok := errors.AsType[*ReadError](err); !ok || failed.File != "file" || !strings.Contains(err.Error(), c.fail) {
				t.Errorf("%s: %v, want %q", c.name, err, c.fail)
			}
			continue
		}
		if err != nil || info.Signature.Status != c.want || !strings.Contains(strings.Join(info.Notes, "; "), c.note) {
			t.Errorf("%s: %v %+v", c.name, err, info)
		}
	}
}

func TestDebRefused(t *testing.T) {
	control := func(parts ...tarPart) debParts { return debParts{control: tarFile(t, parts...)} }
	one := tarPart{tar.Header{Name: "./control"}, []byte(helloControl)}
	for name, c := range map[string]struct {
		deb  debParts
		want string
	}{
		"no control file":  {control(tarPart{tar.Header{Name: "./other"}, nil}), "holds no control file"},
		"two of them":      {control(one, one), "control is there twice"},
		"one in a folder":  {control(one, tarPart{tar.Header{Name: "x", Typeflag: tar.TypeSymlink, Linkname: "."}, nil}, tarPart{tar.Header{Name: "x/control"}, nil}), "or elsewhere"},
		"an absolute one":  {control(one, tarPart{tar.Header{Name: "/control"}, []byte(helloControl)}), "control is there twice"},
		"cut short":        {debParts{control: tarFile(t, one)[:1024]}, "does not end as a tar archive must"},
		"more behind it":   {debParts{control: append(append(tarFile(t, one), 1), make([]byte, 2047)...)}, "does not end as a tar archive must"},
		"a link":           {control(tarPart{tar.Header{Name: "./control", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}, nil}), "is no file"},
		"large":            {control(tarPart{tar.Header{Name: "./control"}, make([]byte, maxControl+1)}), "is larger than 1048576"},
		"a field twice":    {debParts{text: "Package: a\nversion: 1\nVersion: 2\n"}, "the field Version twice"},
		"no package":       {debParts{text: "Version: 1\n"}, "does not name the package"},
		"no field":         {debParts{text: "Package: a\nVersion: 1\nrubbish\n"}, `the line "rubbish"`},
		"second paragraph": {debParts{text: helloControl + "\nPackage: other\n"}, "second paragraph"},
		"bomb":             {debParts{kind: ".gz", control: make([]byte, maxDebControl+1024)}, "control.tar.gz"},
		"bomb in a member": {debParts{kind: ".zst", control: tarFile(t, tarPart{tar.Header{Name: "x"}, make([]byte, maxDebControl)})}, "unpacks to more than is allowed"},
	} {
		if _, err := Look(file(c.deb.with(t)), nil, lookDay); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestOldDeb: dpkg installs it, so it is not just something unknown.
func TestOldDeb(t *testing.T) {
	_, err := Look(file([]byte("0.939000\n352\n\x1f\x8b\x08")), nil, lookDay)
	if failed, ok := errors.AsType[*ReadError](err); !ok || !strings.Contains(failed.Reason, "the format before 2.0") {
		t.Error(err)
	}
	if info, err := Look(file([]byte("0.93 is the version\n\nof this text\n")), nil, lookDay); err != nil || info.Signature.Status != UnknownFormat {
		t.Errorf("%v %+v", err, info)
	}
}

// TestDebBorders: what is signed does not say where one member ends and the next
// begins, so files could be moved out of data.tar without changing it.
func TestDebBorders(t *testing.T) {
	first := tarFile(t, tarPart{tar.Header{Name: "./etc/policy"}, append([]byte("deny"), make([]byte, 4000)...)})
	first = first[:len(first)-1024]
	whole := debParts{data: append(first, tarFile(t, tarPart{tar.Header{Name: "./usr/bin/hello"}, nil})...)}
	parts := whole.parts(t)
	signature := arPart{"_gpgorigin", detached(t, contosoKey(), whole.signed(t), nil)}
	trust := trustingKeys(t, contosoKey())
	if info, err := Look(file(arFile(append(parts, signature)...)), trust, lookDay); err != nil || info.Signature.Status != Valid {
		t.Fatalf("as signed: %v %+v", err, info.Signature)
	}
	control, data := parts[1].data, parts[2].data
	for name, at := range map[string]int{"a file left out": len(control) + len(first), "scripts left out": len(control) - 1024} {
		both := append(bytes.Clone(control), data...)
		parts[1].data, parts[2].data = both[:at], both[at:]
		if info, err := Look(file(arFile(append(parts, signature)...)), trust, lookDay); err == nil {
			t.Errorf("%s: %+v", name, info.Signature)
		}
	}
}

// TestXZDictionary: memory for the dictionary is not taken because a file asks
// for it.
func TestXZDictionary(t *testing.T) {
	control := debParts{kind: ".xz"}.parts(t)[1].data
	at := bytes.Index(control, []byte{0x21, 1})
	control[at+2] = 39 // 3 GiB
	parts := debParts{}.parts(t)
	parts[1] = arPart{"control.tar.xz", control}
	before := allocated()
	if _, err := Look(file(arFile(parts...)), nil, lookDay); err == nil || !strings.Contains(err.Error(), "wants more than") {
		t.Errorf("%v", err)
	}
	if grown := allocated() - before; grown > 64<<20 {
		t.Errorf("%d bytes were taken", grown)
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// flips changes every byte of a signed file, in several ways; it must never
// stay valid. free tells which bytes neither signers nor readers look at.
func flips(t *testing.T, data []byte, trust *Trust, free func(at int) bool) {
	t.Helper()
	if info, err := Look(file(data), trust, lookDay); err != nil || info.Signature.Status != Valid {
		t.Fatalf("not valid to begin with: %v %+v", err, info.Signature)
	}
	for i := range data {
		if free(i) {
			continue
		}
		for _, with := range []byte{0x01, 0x80, 0xff} {
			altered := bytes.Clone(data)
			altered[i] ^= with
			if info, err := Look(file(altered), trust, lookDay); err == nil && info.Signature.Status == Valid {
				t.Errorf("byte %d of %d, changed from %#x to %#x: still valid", i, len(data), data[i], altered[i])
			}
		}
	}
	truncated(t, data, trust)
}

// truncated cuts a file at every length.
func truncated(t *testing.T, data []byte, trust *Trust) {
	t.Helper()
	for n := range data {
		info, err := Look(file(data[:n]), trust, lookDay)
		if err == nil && info.Signature.Status != UnknownFormat && info.Signature.Status != Invalid && info.Signature.Status != Unsigned {
			t.Errorf("the first %d bytes of %d: %+v", n, len(data), info.Signature)
		}
		if _, ok := errors.AsType[*ReadError](err); err != nil && !ok {
			t.Errorf("the first %d bytes: %v is no ReadError", n, err)
		}
	}
}

func TestDebFlips(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of files")
	}
	parts := debParts{kind: ".gz"}
	for name, data := range map[string][]byte{
		"EdDSA": signedDeb(t, parts),
		"RSA":   parts.with(t, arPart{"_gpgorigin", detached(t, contosoRSA(), parts.signed(t), nil)}),
	} {
		t.Run(name, func(t *testing.T) {
			headers := map[int]bool{} // time, owner, group and mode of members mean nothing to dpkg
			members, err := readAr(file(data))
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range members {
				for i := 16; i < 48; i++ {
					headers[int(m.at)-60+i] = true
				}
			}
			flips(t, data, trustingKeys(t, contosoKey(), contosoRSA()), func(at int) bool { return headers[at] })
		})
	}
}

// soon fails if reading takes longer than hostile files may make it.
func soon(t *testing.T, what string, do func()) {
	t.Helper()
	begin := time.Now()
	do()
	if took := time.Since(begin); took > 2*time.Minute { // that it ends; how soon, the benchmarks say
		t.Errorf("%s took %s", what, took)
	}
}
