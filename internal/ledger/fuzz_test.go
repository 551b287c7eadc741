package ledger

import (
	"bytes"
	"testing"
)

func FuzzParseTilePath(f *testing.F) {
	for _, seed := range []string{"tile/0/000", "tile/1/x001/x234/067.p/17", "tile/entries/000.p/3", "tile/63/x999/999", "tile/0/x999/x999/x999/x999/x999/x999/999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		p, err := ParseTilePath(path)
		if err == nil && (p.String() != path || p.Width < 1 || p.Width > TileWidth || p.ID.Level < 0 || p.ID.Level > 63 || p.ID.Index < 0) {
			t.Errorf("%q: %+v %s", path, p, p)
		}
	})
}

func FuzzParseBundle(f *testing.F) {
	f.Add([]byte("\x00\x01a\x00\x00\x00\x02bc"))
	f.Add([]byte("\xff\xff"))
	f.Fuzz(func(t *testing.T, bundle []byte) {
		leaves, err := ParseBundle(bundle)
		if err != nil {
			return
		}
		var again []byte
		for _, leaf := range leaves {
			if again, err = AppendEntry(again, leaf); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(again, bundle) {
			t.Errorf("%q makes %q", bundle, again)
		}
	})
}

func FuzzParseProof(f *testing.F) {
	secret, err := GenerateKey("eucora.example/ledger", bytes.NewReader(make([]byte, 64))) // the same in every worker
	if err != nil {
		f.Fatal(err)
	}
	signer, err := NewSigner(secret)
	if err != nil {
		f.Fatal(err)
	}
	verifier, err := NewVerifier(signer.VerifierKey())
	if err != nil {
		f.Fatal(err)
	}
	tiles, roots := grown(5)
	signed, err := signer.Sign(5, roots[5])
	if err != nil {
		f.Fatal(err)
	}
	path, err := tiles.Inclusion(3, 5)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(Proof{3, path, signed}.Text())
	f.Add([]byte("c2sp.org/tlog-proof@v1\nextra AAAA\nindex 3\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParseProof(text)
		if err != nil {
			return
		}
		if !bytes.Equal(p.Text(), text) {
			t.Errorf("%q is written %q", text, p.Text())
		}
		if _, err := p.Check([]byte("leaf 4"), verifier); err == nil {
			t.Errorf("proves what is not there: %q", text)
		}
	})
}
