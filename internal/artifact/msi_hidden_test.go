package artifact

import (
	"archive/zip"
	"bytes"
	"crypto"
	"maps"
	"slices"
	"strings"
	"testing"
)

// jarOf is a zip of whole sectors, without the last bytes of its comment.
func jarOf(t *testing.T, comment int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	if _, err := w.CreateHeader(&zip.FileHeader{Name: "Evil.class"}); err != nil {
		t.Fatal(err)
	}
	if err := w.SetComment(strings.Repeat("x", comment)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	jar := b.Bytes()[:b.Len()-comment]
	return append(make([]byte, -len(jar)&511), jar...)
}

// TestMSIJar: a Java archive in a signed MSI, which Java would run, is noticed
// also where the MSI's tables are made to cover it.
func TestMSIJar(t *testing.T) {
	root := issue(t, nil, "Root", nil)
	trust := trusting(t, root)
	good := spcMSI(t, packageOf(1252, 2, msiProperties...), crypto.SHA256, issue(t, root, "Signer", nil), true)
	sectors := uint32(len(good)/512 - 1)

	behind := append(slices.Clone(good), jarOf(t, 512)...) // and a sector of the table is the comment
	last := 76 + 4*(cfbTable-1)
	old := int(le.Uint32(behind[last:])+1) * 512
	le.PutUint32(behind[last:], uint32(len(behind)/512-1))
	behind = append(behind, behind[old:old+512]...)

	table := append(slices.Clone(good), jarOf(t, 0)...) // as sectors of the table that tell of nothing
	for i := range uint32(len(table)/512-1) - sectors {
		le.PutUint32(table[44:], cfbTable+i+1)
		le.PutUint32(table[76+4*(cfbTable+i):], sectors+i)
	}
	for name, file := range map[string][]byte{"a sector behind it": behind, "as a table": table} {
		if _, err := zip.NewReader(bytes.NewReader(file), int64(len(file))); err != nil {
			t.Errorf("%s: the test's zip is none: %v", name, err)
		}
		info, err := lookAt("a.msi", file, trust, spcNow)
		if got := info.Signature; err != nil || got.Status != Invalid || !strings.Contains(got.Reason, "ends as a zip") {
			t.Errorf("%s: %v %+v", name, err, got)
		}
	}
}

// TestMSIStorageOfSignature: only streams of the signature's names are left out
// of what is signed, and not what stands in a storage of such a name.
func TestMSIStorageOfSignature(t *testing.T) {
	root := issue(t, nil, "Root", nil)
	streams := packageOf(1252, 2, msiProperties...)
	good := spcMSI(t, streams, crypto.SHA256, issue(t, root, "Signer", nil), false)
	c, err := openCompound(Source{"a.msi", int64(len(good)), bytes.NewReader(good)})
	if err != nil {
		t.Fatal(err)
	}
	more := maps.Clone(streams)
	for _, id := range c.entries[0].children {
		if e := &c.entries[id]; e.text() == msiSignature {
			more[msiSignature], err = e.stream.all(msiSignature, maxSPCBytes)
		}
	}
	more[msiSignatureEx], more[msiSignatureEx+"1"] = nil, []byte("nobody signed this")
	file := compound(more)
	entry := map[string]int{}
	for i := 0; i <= len(more); i++ {
		e := compoundEntry{raw: file[cfbDirectory+128*i:][:128]}
		entry[e.text()] = i
	}
	at := func(name string) []byte { return file[cfbDirectory+128*entry[name]:] }
	storage, child := at(msiSignatureEx), at(msiSignatureEx+"1")
	// the child leaves the list of the root's entries, where it follows the storage
	if le.Uint32(storage[72:]) != uint32(entry[msiSignatureEx+"1"]) || err != nil {
		t.Fatal("the test's MSI is laid out differently", err)
	}
	le.PutUint32(storage[72:], le.Uint32(child[72:]))
	le.PutUint32(child[72:], cfbNoEntry)
	storage[66] = cfbStorage
	le.PutUint32(storage[76:], uint32(entry[msiSignatureEx+"1"]))
	info, err := lookAt("a.msi", file, trusting(t, root), spcNow)
	if err != nil || info.Signature.Status != Invalid {
		t.Errorf("%v %+v", err, info.Signature)
	}
}
