package artifact

import (
	"bytes"
	"crypto"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// rearranged puts the sectors of a compound file (as compound makes them) in
// another order. What it holds is the same.
func rearranged(file []byte, order func(sectors []uint32)) []byte {
	count := uint32(len(file)/512 - 1)
	to := make([]uint32, count)
	for i := range to {
		to[i] = uint32(i)
	}
	order(to[cfbTable:])
	move := func(n uint32) uint32 {
		if n < count {
			return to[n]
		}
		return n // stands for something else
	}
	out := slices.Clone(file)
	for i := range count {
		copy(out[512*(to[i]+1):][:512], file[512*(i+1):])
	}
	for i := range count {
		le.PutUint32(out[512+4*to[i]:], move(le.Uint32(file[512+4*i:])))
	}
	for _, at := range []int{48, 60} { // where the directory and the small table start
		le.PutUint32(out[at:], move(le.Uint32(out[at:])))
	}
	for n := le.Uint32(out[48:]); n < count; n = le.Uint32(out[512+4*n:]) {
		for e := range slices.Chunk(out[512*(n+1):][:512], 128) {
			if e[66] == cfbRoot || le.Uint32(e[120:]) >= 4096 {
				le.PutUint32(e[116:], move(le.Uint32(e[116:])))
			}
		}
	}
	return out
}

// TestMSISectors: in whatever order its sectors are, an MSI is what was signed.
func TestMSISectors(t *testing.T) {
	root := issue(t, nil, "Root", nil)
	streams := packageOf(1252, 2, msiProperties...)
	streams["Binary.large"] = bytes.Repeat([]byte("0123456789abcde\n"), 4000)
	good := spcMSI(t, streams, crypto.SHA256, issue(t, root, "Signer", nil), true)
	for name, order := range map[string]func([]uint32){
		"as they were": func([]uint32) {},
		"reversed":     slices.Reverse[[]uint32],
		"at random": func(s []uint32) {
			rand.New(rand.NewPCG(1, 2)).Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
		},
	} {
		file := rearranged(good, order)
		info, err := lookAt("a.msi", file, trusting(t, root), spcNow)
		if err != nil || info.Signature.Status != Valid || info.Name != "Prüfer" {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
		at := bytes.Index(file, []byte("0123456789abcde\n0"))
		file[at] = 'x'
		if info, err := lookAt("a.msi", file, trusting(t, root), spcNow); err != nil || info.Signature.Status != Invalid {
			t.Errorf("%s, a byte changed: %+v, %v", name, info, err)
		}
	}
}

// TestBlockReader: it reads what is there, and the file only so often.
func TestBlockReader(t *testing.T) {
	data := make([]byte, 5*blockBytes+1000)
	rand.NewChaCha8([32]byte{1}).Read(data)
	r := newBlockReader(Source{"a", int64(len(data)), bytes.NewReader(data)})
	random := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		at, p := random.IntN(len(data)+100), make([]byte, random.IntN(2*blockBytes))
		n, err := r.ReadAt(p, int64(at))
		want := data[min(at, len(data)):min(at+len(p), len(data))]
		if !bytes.Equal(p[:n], want) || (err == nil) != (len(want) == len(p)) {
			t.Fatalf("%d bytes at %d: %d bytes, %v", len(p), at, n, err)
		}
	}
	const size = 1 << 30
	far := newBlockReader(Source{"a", size, endless{}})
	p := make([]byte, 512)
	for i := int64(0); ; i++ {
		if _, err := far.ReadAt(p, i*blockBytes%size); err != nil {
			if i < 2*size/blockBytes || i > 1_000_000 || !strings.Contains(err.Error(), "scattered over the file") {
				t.Errorf("after %d reads: %v", i, err)
			}
			break
		}
	}
}
