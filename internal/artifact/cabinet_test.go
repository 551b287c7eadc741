package artifact

import (
	"bytes"
	"crypto"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sassoftware/relic/v8/lib/cabfile"
)

// cabinetOf is a cabinet of empty files, all in one folder of one stored block.
func cabinetOf(names ...string) []byte {
	var files []byte
	for _, name := range names {
		files = append(append(append(files, make([]byte, 16)...), name...), 0)
	}
	b := make([]byte, 44)
	copy(b, "MSCF")
	le.PutUint32(b[16:], 44)
	b[24], b[25] = 3, 1
	le.PutUint16(b[26:], 1)
	le.PutUint16(b[28:], uint16(len(names)))
	le.PutUint32(b[36:], uint32(44+len(files)))
	le.PutUint16(b[40:], 1)
	b = append(append(b, files...), "\x00\x00\x00\x00\x04\x00\x04\x00data"...)
	le.PutUint32(b[8:], uint32(len(b)))
	return b
}

func signedCabinet(t testing.TB, file []byte, by *spcParty) []byte {
	t.Helper()
	digest, err := cabfile.Digest(bytes.NewReader(file), crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	der := signedSPC(t, spcIndirect(t, spcCabinet, crypto.SHA256, digest.Imprint), crypto.SHA256, by, nil)
	return patched(file, digest.MakePatch(der))
}

func TestCabinet(t *testing.T) {
	root := issue(t, nil, "Root", nil)
	file := cabinetOf("a.txt", `sub\b.txt`)
	good := signedCabinet(t, file, issue(t, root, "Signer", nil))
	edit := func(change func([]byte) []byte) []byte { return change(slices.Clone(good)) }
	for _, row := range []struct {
		name   string
		file   []byte
		status Status
		reason string
	}{
		{"as signed", good, Valid, ""},
		{"unsigned", file, Unsigned, ""},
		{"a byte changed", bytes.Replace(good, []byte("data"), []byte("Data"), 1), Invalid, "changed after"},
		{"something behind", append(slices.Clone(good), "more"...), Invalid, "4 bytes follow the signature"},
		{"something in the signature's padding", edit(func(b []byte) []byte {
			le.PutUint32(b[48:], le.Uint32(b[48:])+4)
			return append(b, "more"...)
		}), Invalid, "behind the signature are not zero"},
		{"something in the header", edit(func(b []byte) []byte { b[4] = 1; return b }), Invalid, "not signed"},
		{"another's reserve", edit(func(b []byte) []byte { le.PutUint16(b[36:], 16); return b }), Unsigned, ""},
	} {
		info, err := lookAt("a.cab", row.file, trusting(t, root), spcNow)
		if got := info.Signature; err != nil || info.Format != "CAB" || got.Status != row.status || !strings.Contains(got.Reason, row.reason) {
			t.Errorf("%s: %s: %s, %v; want %s: …%s…", row.name, got.Status, got.Reason, err, row.status, row.reason)
		}
	}
	neverValid(t, good, trusting(t, root), func(int) bool { return false })
}

func TestCabinetMembers(t *testing.T) {
	info, err := lookAt("a.cab", cabinetOf("a", `..\b`, "c/../d", `\e`, "C:f", "g..h", "..."), nil, spcNow)
	if err != nil || len(info.Notes) != 4 {
		t.Errorf("%q, %v; want notes on the four that lead out", info.Notes, err)
	}
}

func TestCabinetDamaged(t *testing.T) {
	good := signedCabinet(t, cabinetOf("a", "b"), issue(t, nil, "Root", nil))
	for name, change := range map[string]func([]byte) []byte{
		"size of 4 GiB":      func(b []byte) []byte { le.PutUint32(b[8:], 0xffffffff); return b },
		"files behind":       func(b []byte) []byte { le.PutUint32(b[16:], 0xffffffff); return b },
		"files in header":    func(b []byte) []byte { le.PutUint32(b[16:], 0); return b },
		"65535 files":        func(b []byte) []byte { le.PutUint16(b[28:], 0xffff); return b },
		"65535 folders":      func(b []byte) []byte { le.PutUint16(b[26:], 0xffff); return b },
		"version 9":          func(b []byte) []byte { b[25] = 9; return b },
		"signature of 4 GiB": func(b []byte) []byte { le.PutUint32(b[48:], 0xffffffff); return b },
		"signature inside":   func(b []byte) []byte { le.PutUint32(b[44:], 60); return b },
		"cut in the header":  func(b []byte) []byte { return b[:38] },
	} {
		info, err := lookAt("bad.cab", change(slices.Clone(good)), nil, spcNow)
		if known, ok := errors.AsType[*ReadError](err); !ok || known.File != "bad.cab" || known.Place == "" {
			t.Errorf("%s: %v, %v", name, info.Signature, err)
		}
	}
}

func FuzzCabinet(f *testing.F) {
	root := issue(f, nil, "Root", nil)
	file := cabinetOf("a.txt", `..\b.txt`)
	signed := signedCabinet(f, file, issue(f, root, "Signer", nil))
	fuzzLook(f, trusting(f, root), func(data []byte) bool { return bytes.Equal(data, signed) }, signed, file)
}
