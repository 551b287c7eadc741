package artifact

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"
)

// endless is a file of a size that nobody has, which begins with something.
type endless struct{ head []byte }

func (e endless) ReadAt(b []byte, at int64) (int, error) {
	clear(b)
	if at < int64(len(e.head)) {
		copy(b, e.head[at:])
	}
	return len(b), nil
}

// TestHostilePackages: files that lie about what is in them end in an error, soon, and
// without taking memory for what is not there.
func TestHostilePackages(t *testing.T) {
	xarOf := func(packed, unpacked uint64) []byte {
		h := binary.BigEndian.AppendUint32([]byte("xar!"), 28<<16|1)
		h = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(h, packed), unpacked)
		return binary.BigEndian.AppendUint32(h, 3)
	}
	rpm := append(bytes.Clone(rpmParts{}.build()[:rpmLeadSize]), rpmMagic...)
	files := map[string]Source{
		"endless deb":          {Name: "file", Size: 1 << 45, ReaderAt: endless{arFile(arPart{"debian-binary", []byte("2.0\n")})}},
		"endless member":       {Name: "file", Size: 1 << 45, ReaderAt: endless{append([]byte(arMagic), fmt.Sprintf("%-16s%-12d%-6d%-6d%-8o%-10d`\n", "debian-binary", 0, 0, 0, 0, 9999999999)...)}},
		"endless rpm":          {Name: "file", Size: 1 << 45, ReaderAt: endless{binary.BigEndian.AppendUint64(rpm, 0xffff_ffff_ffff)}},
		"rpm of 4 GiB":         {Name: "file", Size: 1 << 45, ReaderAt: endless{binary.BigEndian.AppendUint64(rpm, 0xffff_0000_0000|0xffffffff)}},
		"endless pkg":          {Name: "file", Size: 1 << 45, ReaderAt: endless{xarOf(1<<44, 1<<20)}},
		"pkg with a large toc": {Name: "file", Size: 1 << 45, ReaderAt: endless{xarOf(1<<63, 1<<63)}},
		"endless zip":          {Name: "file", Size: 1 << 45, ReaderAt: endless{[]byte("PK\x03\x04")}},
		"brackets":             file([]byte("PK\x03\x04" + strings.Repeat("[", 10<<20))),
		"many xz blocks":       file(arFile(debParts{}.parts(t)[0], arPart{"control.tar.xz", manyBlocks(t)}, arPart{"data.tar", nil})),
		"many certificates": file(xarParts{toc: func(toc string) string {
			return strings.Replace(toc, "</checksum>", "</checksum><signature style='RSA'><X509Certificate>"+strings.Repeat("aaaa<!---->", 900_000)+"</X509Certificate></signature>", 1)
		}}.build(t)),
	}
	for name, s := range files {
		soon(t, name, func() {
			before, peak := memory(), uint64(0)
			stop := watch(&peak)
			info, err := Look(s, nil, lookDay)
			stop()
			if _, ok := errors.AsType[*ReadError](err); !ok {
				t.Errorf("%s: %v %+v", name, err, info)
			}
			if peak > before && peak-before > 256<<20 {
				t.Errorf("%s: %d MiB were in use", name, (peak-before)>>20)
			}
		})
	}
}

// manyBlocks repeats the block of an xz stream that wants a large dictionary.
func manyBlocks(t *testing.T) []byte {
	stream := packed(t, ".xz", []byte("x"))
	length, err := lzma2Length(bytes.NewReader(stream), 12+int64(stream[12]+1)*4)
	if err != nil {
		t.Fatal(err)
	}
	end := 12 + (int64(stream[12]+1)*4+length+3)&^3 + 8
	return append(bytes.Clone(stream[:12]), bytes.Repeat(stream[12:end], 100_000)...)
}

func memory() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// watch looks at the memory in use until it is stopped.
func watch(peak *uint64) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for ticks := time.NewTicker(10 * time.Millisecond); ; {
			select {
			case <-done:
				ticks.Stop()
				return
			case <-ticks.C:
				*peak = max(*peak, memory())
			}
		}
	}()
	return func() { close(done); <-ended }
}

// fuzzPackage looks at whatever comes: it must say something about each file,
// and nothing is valid to somebody who trusts nobody.
func fuzzPackage(f *testing.F, seeds ...[]byte) {
	trust := testAuthority().trust(f)
	trust.keys = trustingKeys(f, contosoKey(), contosoRSA()).keys
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, to := range []*Trust{trust, nil} {
			info, err := Look(file(data), to, lookDay)
			if _, ok := errors.AsType[*ReadError](err); err != nil && !ok {
				t.Errorf("%v is no ReadError", err)
			}
			if err == nil && (info.Signature.Status == "" || info.Signature.Reason == "" || to == nil && info.Signature.Status == Valid) {
				t.Errorf("%+v", info.Signature)
			}
		}
	})
}

func FuzzDeb(f *testing.F) {
	for _, kind := range []string{"", ".gz", ".xz", ".zst"} {
		f.Add(signedDeb(f, debParts{kind: kind}))
	}
	parts := debParts{}
	fuzzPackage(f, parts.with(f), parts.with(f, arPart{"_gpgorigin", armoured(f, detached(f, contosoRSA(), parts.signed(f), nil))}))
}

// FuzzDebControl reads control.tar alone, where checksums do not stop what the
// fuzzer changes so soon.
func FuzzDebControl(f *testing.F) {
	plain := debParts{}.parts(f)[1].data
	for _, kind := range []string{"", ".gz", ".xz", ".zst"} {
		f.Add(kind, packed(f, kind, plain))
	}
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		var info Info
		s := Source{Name: "file", Size: int64(len(data)), ReaderAt: bytes.NewReader(data)}
		if err := readDebControl(s, arMember{name: "control.tar" + kind, size: s.Size}, &info); err == nil && (info.Name == "" || info.Version == "") {
			t.Errorf("%+v", info)
		}
	})
}

func FuzzRPM(f *testing.F) {
	fuzzPackage(f, signedRPM(f), rpmParts{}.build())
}

func FuzzPKG(f *testing.F) {
	certificates := [][]byte{testAuthority().installer(nil)}
	fuzzPackage(f, xarParts{}.build(f), xarParts{certificates: certificates, style: "sha1", cms: noCMS, tail: ticket("x")}.build(f))
}

// FuzzTOC reads a table of contents that the checksum is right of.
func FuzzTOC(f *testing.F) {
	var toc string
	keep := func(text string) string { toc = text; return text }
	xarParts{toc: keep}.build(f)
	f.Add(toc)
	xarParts{toc: keep, certificates: [][]byte{testAuthority().installer(nil)}}.build(f)
	f.Add(toc)
	trust := testAuthority().trust(f)
	f.Fuzz(func(t *testing.T, toc string) {
		data := xarParts{toc: func(string) string { return toc }}.build(t)
		info, err := Look(file(data), trust, lookDay)
		if _, ok := errors.AsType[*ReadError](err); err != nil && !ok || err == nil && info.Signature.Status == Valid {
			t.Errorf("%v %+v", err, info)
		}
	})
}

func FuzzIntuneWin(f *testing.F) {
	fuzzPackage(f, intuneParts{}.build(f), intuneParts{setup: "x", method: 8}.build(f))
}

func FuzzZip(f *testing.F) {
	fuzzPackage(f, zipArchive(f), zipArchive(f, zipPart{name: "a", text: "hello"}, zipPart{name: "l", text: "../x", change: link}, zipPart{name: "a.nuspec", text: "<package><metadata><id>x</id></metadata></package>"}))
}

func FuzzOpenPGP(f *testing.F) {
	over := []byte("over this")
	trust := trustingKeys(f, contosoKey(), contosoRSA())
	for _, signature := range [][]byte{detached(f, contosoKey(), over, nil), detached(f, contosoRSA(), over, nil), armoured(f, detached(f, contosoKey(), over, nil))} {
		f.Add(signature)
	}
	f.Fuzz(func(t *testing.T, signature []byte) {
		s, err := trust.openPGP(signature, &pgpContent{write: func(w io.Writer) error { _, err := w.Write(over); return err }}, lookDay)
		if err != nil || s.Status == "" || s.Reason == "" {
			t.Errorf("%v %+v", err, s)
		}
	})
}
