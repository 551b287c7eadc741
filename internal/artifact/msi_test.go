package artifact

import (
	"bytes"
	"crypto"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/sassoftware/relic/v8/lib/authenticode"
	"github.com/sassoftware/relic/v8/lib/comdoc"
)

const (
	cfbFATSector = 0xfffffffd
	cfbFree      = 0xffffffff
	cfbTable     = 4 // sectors of the allocation table that compound writes
	cfbDirectory = 512 + 512*cfbTable
)

// compound writes a compound file of streams, each either in the mini stream or,
// from 4096 bytes on, in sectors of its own. The allocation table is first, the
// directory follows it.
func compound(streams map[string][]byte) []byte {
	names := slices.Sorted(maps.Keys(streams))
	fat, body := slices.Repeat([]uint32{cfbFATSector}, cfbTable), make([]byte, 512*cfbTable)
	place := func(data []byte) uint32 {
		first := uint32(len(fat))
		if len(data) == 0 {
			return cfbEndOfChain
		}
		for i := 0; i < len(data); i += 512 {
			body = append(body, make([]byte, 512)...)
			copy(body[len(body)-512:], data[i:])
			fat = append(fat, uint32(len(fat)+1))
		}
		fat[len(fat)-1] = cfbEndOfChain
		return first
	}
	place(make([]byte, 128*(len(names)+1))) // the directory, filled in at the end
	var mini, small []byte
	starts := make([]uint32, len(names))
	for i, name := range names {
		if len(streams[name]) >= 4096 {
			starts[i] = place(streams[name])
			continue
		}
		starts[i] = uint32(len(small) / 64)
		for n := 0; n < len(streams[name]); n += 64 {
			small = append(small, make([]byte, 64)...)
			copy(small[len(small)-64:], streams[name][n:])
			mini = le.AppendUint32(mini, uint32(len(mini)/4+1))
		}
		if len(streams[name]) > 0 {
			le.PutUint32(mini[len(mini)-4:], cfbEndOfChain)
		}
	}
	miniAt := place(append(mini, bytes.Repeat([]byte{0xff}, -len(mini)&511)...))
	smallAt := place(small)
	entry := func(i int, name string, kind byte, child, right, start uint32, size int) {
		e := body[cfbDirectory-512+128*i:][:128]
		units := utf16.Encode([]rune(name))
		for n, unit := range units {
			le.PutUint16(e[2*n:], unit)
		}
		le.PutUint16(e[64:], uint16(2*len(units)+2))
		e[66], e[67] = kind, 1
		le.PutUint32(e[68:], cfbNoEntry)
		le.PutUint32(e[72:], right)
		le.PutUint32(e[76:], child)
		le.PutUint32(e[116:], start)
		le.PutUint32(e[120:], uint32(size))
	}
	entry(0, "Root Entry", cfbRoot, 1, cfbNoEntry, smallAt, len(small))
	copy(body[cfbDirectory-512+80:], "\x84\x10\x0c\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46")
	for i, name := range names {
		right := uint32(i + 2)
		if i == len(names)-1 {
			right = cfbNoEntry
		}
		entry(i+1, name, cfbStream, cfbNoEntry, right, starts[i], len(streams[name]))
	}
	h := make([]byte, 512)
	copy(h, compoundMagic)
	for at, value := range map[int]uint16{24: 0x3e, 26: 3, 28: 0xfffe, 30: 9, 32: 6} {
		le.PutUint16(h[at:], value)
	}
	for at, value := range map[int]uint32{44: cfbTable, 48: cfbTable, 56: 4096, 60: miniAt, 64: uint32(len(mini)+511) / 512, 68: cfbEndOfChain} {
		le.PutUint32(h[at:], value)
	}
	for i := range 109 {
		le.PutUint32(h[76+4*i:], cfbFree)
		if i < cfbTable {
			le.PutUint32(h[76+4*i:], uint32(i))
		}
	}
	for i := range 128 * cfbTable {
		next := uint32(cfbFree)
		if i < len(fat) {
			next = fat[i]
		}
		le.PutUint32(body[4*i:], next)
	}
	return append(h, body...)
}

// summaryOf is a summary stream.
func summaryOf(codePage uint16, texts map[uint32]string) []byte {
	set := make([]byte, 8+8*(len(texts)+1))
	le.PutUint32(set[4:], uint32(len(texts)+1))
	le.PutUint32(set[8:], 1)
	le.PutUint32(set[12:], uint32(len(set)))
	set = le.AppendUint32(le.AppendUint32(set, 2), uint32(codePage))
	for i, id := range slices.Sorted(maps.Keys(texts)) {
		le.PutUint32(set[16+8*i:], id)
		le.PutUint32(set[20+8*i:], uint32(len(set)))
		set = le.AppendUint32(le.AppendUint32(set, 30), uint32(len(texts[id])+1))
		set = append(append(set, texts[id]...), 0)
		set = append(set, make([]byte, -len(set)&3)...)
	}
	le.PutUint32(set, uint32(len(set)))
	h := make([]byte, 48)
	le.PutUint16(h, 0xfffe)
	le.PutUint32(h[24:], 1)
	le.PutUint32(h[44:], 48)
	return append(h, set...)
}

// packageOf is the streams of an MSI with properties, in a code page.
func packageOf(codePage uint16, width int, properties ...string) map[string][]byte {
	pool, data := le.AppendUint32(nil, uint32(codePage)|uint32(width-2)<<31), []byte{}
	var rows []byte
	for column := range 2 {
		for i := column; i < len(properties); i += 2 {
			n := uint32(i + 1)
			rows = append(rows, byte(n), byte(n>>8))
			rows = append(rows, make([]byte, width-2)...)
		}
	}
	for _, text := range properties {
		if len(text) > 0xffff {
			pool = le.AppendUint16(le.AppendUint16(pool, 0), uint16(len(text)>>16))
		}
		pool = le.AppendUint16(le.AppendUint16(pool, uint16(len(text))), 1)
		data = append(data, text...)
	}
	return map[string][]byte{
		msiTable("_StringPool"): pool, msiTable("_StringData"): data, msiTable("Property"): rows,
		msiSummary:    summaryOf(1252, map[uint32]string{3: "Subject", 4: "Author", 7: "x64;1033"}),
		"Binary.cab1": bytes.Repeat([]byte("0123456789abcdef"), 300),
		"Binary.cab":  []byte("MSCF"),
	}
}

var msiProperties = []string{
	"ProductName", "Pr\xfcfer", "Long", strings.Repeat("x", 70000), "ProductVersion", "1.2.3", "Manufacturer", "Contoso",
	"ProductCode", "{11111111-2222-3333-4444-555555555555}", "UpgradeCode", "{66666666-7777-8888-9999-000000000000}",
}

// spcMSI signs an MSI; extended is with names and times.
func spcMSI(t testing.TB, streams map[string][]byte, hash crypto.Hash, by *spcParty, extended bool) []byte {
	t.Helper()
	cdf, err := comdoc.ReadFile(bytes.NewReader(compound(streams)))
	if err != nil {
		t.Fatal(err)
	}
	imprint, names, err := authenticode.DigestMSI(cdf, hash, extended)
	if err != nil {
		t.Fatal(err)
	}
	signed := maps.Clone(streams)
	signed[msiSignature] = signedSPC(t, spcIndirect(t, spcInstaller, hash, imprint), hash, by, nil)
	if extended {
		signed[msiSignatureEx] = names
	}
	file := compound(signed)
	if _, err := authenticode.VerifyMSI(bytes.NewReader(file), false); err != nil {
		t.Fatalf("the test's MSI is not sound: %v", err)
	}
	return file
}

func TestMSI(t *testing.T) {
	root := issue(t, nil, "Root", nil)
	signer := issue(t, root, "Signer", nil)
	trust := trusting(t, root)
	for _, extended := range []bool{false, true} {
		good := spcMSI(t, packageOf(1252, 2, msiProperties...), crypto.SHA256, signer, extended)
		edit := func(old, new string) []byte { return bytes.Replace(good, []byte(old), []byte(new), 1) }
		for _, row := range []struct {
			name   string
			file   []byte
			status Status
			reason string
		}{
			{"as signed", good, Valid, ""},
			{"a small stream changed", edit("1.2.3", "9.2.3"), Invalid, "changed after"},
			{"a large stream changed", edit("0123456789abcdef", "0123456789abcdeF"), Invalid, "changed after"},
			{"the signature changed", edit("\x82\x37\x02\x01\x15", "\x82\x37\x02\x01\x16"), Invalid, "broken"},
			{"something behind", append(slices.Clone(good), "PK\x03\x04 a Java archive"...), Invalid, "follow the last sector that is in use"},
			{"zeros behind", append(slices.Clone(good), make([]byte, 100)...), Valid, ""},
			{"unsigned", compound(packageOf(1252, 2, msiProperties...)), Unsigned, ""},
		} {
			info, err := lookAt("a.msi", row.file, trust, spcNow)
			if err != nil {
				t.Errorf("%s: %v", row.name, err)
				continue
			}
			if got := info.Signature; got.Status != row.status || !strings.Contains(got.Reason, row.reason) {
				t.Errorf("%s (%v): %s: %s; want %s: …%s…", row.name, extended, got.Status, got.Reason, row.status, row.reason)
			}
		}
	}
	renamed := bytes.Replace(spcMSI(t, packageOf(1252, 2), crypto.SHA256, signer, true), []byte("B\x00i\x00n\x00a\x00r\x00y\x00.\x00c\x00a\x00b\x00\x00"), []byte("B\x00i\x00n\x00a\x00r\x00y\x00.\x00c\x00a\x00c\x00\x00"), 1)
	if info, err := lookAt("a.msi", renamed, trust, spcNow); err != nil || info.Signature.Status != Invalid || !strings.Contains(info.Signature.Reason, "names, times or sizes") {
		t.Errorf("renamed stream: %v, %v", info.Signature, err)
	}
}

func TestMSISays(t *testing.T) {
	utf8Properties := slices.Clone(msiProperties)
	utf8Properties[1] = "Prüfer"
	for name, streams := range map[string]map[string][]byte{
		"windows-1252":   packageOf(1252, 2, msiProperties...),
		"UTF-8":          packageOf(65001, 2, utf8Properties...),
		"no page":        packageOf(0, 2, utf8Properties...),
		"3-byte numbers": packageOf(1252, 3, msiProperties...),
		"reversed table": packageOf(1252, 2, slices.Concat(msiProperties[2:], msiProperties[:2])...),
		"spaces around":  packageOf(1252, 2, append(slices.Clone(msiProperties[2:]), "ProductName", " Pr\xfcfer ")...),
		"without subject": func() map[string][]byte {
			s := packageOf(1252, 2, msiProperties...)
			s[msiSummary] = summaryOf(1252, map[uint32]string{7: "x64;1033"})
			return s
		}(),
	} {
		info, err := lookAt("a.msi", compound(streams), nil, spcNow)
		if err != nil || info.Format != "MSI" || info.Name != "Prüfer" || info.Version != "1.2.3" || info.Publisher != "Contoso" ||
			info.ID != "{11111111-2222-3333-4444-555555555555}" || info.Architecture != "x64" || !slices.Contains(info.Notes, "its upgrade code is {66666666-7777-8888-9999-000000000000}") {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
	}
	for template, want := range map[string]string{"Intel;1033": "x86", ";1033": "x86", "Arm64;0": "arm64", "Intel64;0": "ia64", "Intel,x64;1033,1031": "x86, x64", "AMD64": "x64"} {
		streams := packageOf(1252, 2)
		streams[msiSummary] = summaryOf(1252, map[uint32]string{3: "From the summary", 7: template})
		if info, err := lookAt("a.msi", compound(streams), nil, spcNow); err != nil || info.Architecture != want || info.Name != "From the summary" {
			t.Errorf("%q is %q (%q), %v; want %q", template, info.Architecture, info.Name, err, want)
		}
	}
}

func TestMSIDamaged(t *testing.T) {
	const fat, directory = 512, cfbDirectory
	good := compound(packageOf(1252, 2, msiProperties...))
	next := func(b []byte, sector int) []byte { return b[fat+4*sector:] }
	loop := func(at int) func([]byte) { // the sector that a header field or entry names leads to itself
		return func(b []byte) { le.PutUint32(next(b, int(le.Uint32(b[at:]))), le.Uint32(b[at:])) }
	}
	put := func(at int, value uint32) func([]byte) { return func(b []byte) { le.PutUint32(b[at:], value) } }
	entryOf := func(name string) int {
		i := bytes.Index(good, utf16Text(name, 0)[:2*len([]rune(name))])
		return i &^ 127
	}
	large := entryOf("Binary.cab1")
	for _, row := range []struct {
		name, place string
		change      func([]byte)
	}{
		{"directory loops", "directory", loop(48)},
		{"small table loops", "small allocation table", loop(60)},
		{"stream loops", `stream "Binary.cab1"`, loop(large + 116)},
		{"streams share a sector", `stream "Binary.cab1"`, put(large+116, 1)},
		{"stream of 4 GiB", `stream "Binary.cab1"`, put(large+120, 0xfffffffe)},
		{"stream that ends early", `stream "Binary.cab1"`, func(b []byte) { le.PutUint32(next(b, int(le.Uint32(b[large+116:]))), cfbEndOfChain) }},
		{"small streams of 4 GiB", "small allocation table", put(directory+120, 0xffffffff)},
		{"small stream loops", "", func(b []byte) {
			at := 512 + 512*int(le.Uint32(b[60:]))
			for i := range 128 {
				le.PutUint32(b[at+4*i:], 3)
			}
		}},
		{"table of 4 billion sectors", "allocation table", put(44, 0xffffffff)},
		{"list of the table is not there", "list of the allocation table", func(b []byte) { put(44, 110)(b); put(68, 0xfffffff0)(b) }},
		{"table is not there", "allocation table", put(76, 0xfffffff0)},
		{"directory is not there", "directory", put(48, 0xfffffff0)},
		{"sectors of 2^60", "compound file header", put(30, 60)},
		{"entries loop", "directory", put(directory+2*128+72, 1)},
		{"entry that is not there", "directory", put(directory+76, 0x7fffffff)},
		{"entry of no kind", "directory", func(b []byte) { b[directory+128+66] = 9 }},
		{"name of 100 bytes", "directory", func(b []byte) { b[directory+128+64] = 100 }},
		{"two of one name", "directory", func(b []byte) { copy(b[directory+128:], b[directory+256:directory+256+66]) }},
		{"string that is not there", "string pool", func(b []byte) {
			i := bytes.Index(b, []byte("\x01\x00\x03\x00\x05\x00"))
			b[i+1] = 0xff
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := slices.Clone(good)
			row.change(b)
			info, err := lookAt("bad.msi", b, nil, spcNow)
			known, ok := errors.AsType[*ReadError](err)
			if !ok || known.File != "bad.msi" || row.place != "" && known.Place != row.place {
				t.Errorf("%v, %v; want an error at %s", info.Signature, err, row.place)
			}
		})
	}
	document := slices.Clone(good)
	clear(document[directory+80 : directory+96])
	if info, err := lookAt("a.doc", compound(map[string][]byte{"WordDocument": nil}), nil, spcNow); err != nil || info.Format != "MSI" {
		t.Errorf("by its class it is an MSI: %+v, %v", info, err)
	}
	if info, err := lookAt("a.msi", document, nil, spcNow); err != nil || info.Name != "Prüfer" {
		t.Errorf("without a class, by its tables: %+v, %v", info, err)
	}
	word := compound(map[string][]byte{"WordDocument": []byte("x")})
	clear(word[directory+80 : directory+96])
	if info, err := lookAt("a.doc", word, nil, spcNow); err != nil || info.Signature.Status != UnknownFormat {
		t.Errorf("a document: %+v, %v", info, err)
	}
}

// TestMSICut: cut short anywhere, an MSI is never valid.
func TestMSICut(t *testing.T) {
	root := issue(t, nil, "Root", nil)
	file := spcMSI(t, packageOf(1252, 2), crypto.SHA256, issue(t, root, "Signer", nil), true)
	used := len(bytes.TrimRight(file, "\x00"))
	for n := range file {
		if info, err := lookAt("cut", file[:n], trusting(t, root), spcNow); n < used && err == nil && info.Signature.Status == Valid {
			t.Errorf("cut to %d of %d bytes, and valid", n, len(file))
		}
	}
}

func FuzzMSI(f *testing.F) {
	root := issue(f, nil, "Root", nil)
	streams := packageOf(1252, 2, "ProductName", "App", "ProductVersion", "1")
	signed := spcMSI(f, streams, crypto.SHA256, issue(f, root, "Signer", nil), false)
	extended := spcMSI(f, streams, crypto.SHA256, issue(f, root, "Signer", nil), true)
	// What is between the streams is not signed; their bytes are.
	same := func(data []byte) bool { return bytes.Contains(data, streams["Binary.cab1"]) }
	fuzzLook(f, trusting(f, root), same, signed, extended, compound(streams))
}
