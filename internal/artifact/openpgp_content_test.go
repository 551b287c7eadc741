package artifact

import (
	"bytes"
	"crypto"
	"io"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// TestOpenPGPPasses: however many signatures there are, what is signed is read
// twice at most.
func TestOpenPGPPasses(t *testing.T) {
	over := []byte("over this")
	v6 := newKey("Version 6", func(c *packet.Config) { c.V6Keys, c.Algorithm = true, packet.PubKeyAlgoEd25519 })
	trust := trustingKeys(t, contosoKey(), contosoRSA(), v6)
	by := func(hash crypto.Hash) []byte {
		return detached(t, contosoKey(), over, func(c *packet.Config) { c.DefaultHash = hash })
	}
	salted := func() []byte { return detached(t, v6, over, nil) }
	for _, row := range []struct {
		name       string
		signatures [][]byte
		size       int64
		passes     int
		want       Status
		reason     string
	}{
		{"four by one digest", [][]byte{by(crypto.SHA256), by(crypto.SHA256), by(crypto.SHA256), detached(t, contosoRSA(), over, nil)}, 9, 1, Valid, ""},
		{"by two", [][]byte{by(crypto.SHA256), by(crypto.SHA512), by(crypto.SHA256)}, 9, 2, Valid, ""},
		{"by three", [][]byte{by(crypto.SHA256), by(crypto.SHA512), by(crypto.SHA384)}, 9, 2, Valid, ""},
		{"salted", [][]byte{salted(), salted()}, 9, 2, Valid, ""},
		{"wrong, by the same digest", [][]byte{by(crypto.SHA256), detached(t, contosoKey(), []byte("other"), nil)}, 9, 1, Invalid, "is not what"},
		{"SHA-3", [][]byte{by(crypto.SHA3_256)}, maxSlow, 1, Valid, ""},
		{"SHA-3 of much", [][]byte{by(crypto.SHA3_512)}, maxSlow + 1, 0, Untrusted, "SHA3-512 is not computed of more than"},
	} {
		content := &pgpContent{size: row.size, write: func(w io.Writer) error { _, err := w.Write(over); return err }}
		got, err := trust.openPGP(bytes.Join(row.signatures, nil), content, lookDay)
		if err != nil || got.Status != row.want || !strings.Contains(got.Reason, row.reason) || content.passes != row.passes {
			t.Errorf("%s: %+v, %v after %d passes; want %s after %d", row.name, got, err, content.passes, row.want, row.passes)
		}
	}
	third := &pgpContent{passes: maxPGPPasses}
	if got, err := trust.openPGP(by(crypto.SHA256), third, lookDay); err != nil || got.Status != Untrusted || !strings.Contains(got.Reason, "more than 2 digests") {
		t.Errorf("a third: %+v, %v", got, err)
	}
}
