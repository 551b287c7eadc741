package artifact

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/binary"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// signedDay is when the tests' signatures are made, and lookDay when they are judged.
var (
	signedDay = time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)
	lookDay   = time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)
)

// at is what go-crypto is told about time and algorithms.
func at(day time.Time, change func(*packet.Config)) *packet.Config {
	c := &packet.Config{Time: func() time.Time { return day }, Algorithm: packet.PubKeyAlgoEdDSA, DefaultHash: crypto.SHA256}
	if change != nil {
		change(c)
	}
	return c
}

func newKey(name string, change func(*packet.Config)) *openpgp.Entity {
	key, err := openpgp.NewEntity(name, "", "packages@contoso.example", at(signedDay.AddDate(0, -1, 0), change))
	if err != nil {
		panic(err)
	}
	return key
}

var (
	contosoKey = sync.OnceValue(func() *openpgp.Entity { return newKey("Contoso", nil) })
	contosoRSA = sync.OnceValue(func() *openpgp.Entity {
		return newKey("Contoso RSA", func(c *packet.Config) { c.Algorithm, c.RSABits = packet.PubKeyAlgoRSA, 2048 })
	})
)

// trustingKeys trusts keys, the way they are handed in.
func trustingKeys(t testing.TB, keys ...*openpgp.Entity) *Trust {
	t.Helper()
	var file bytes.Buffer
	for _, k := range keys {
		if err := k.Serialize(&file); err != nil {
			t.Fatal(err)
		}
	}
	trust, err := ParseTrust(map[string][]byte{"keys.pgp": file.Bytes()})
	if err != nil {
		t.Fatal(err)
	}
	return trust
}

func detached(t testing.TB, key *openpgp.Entity, over []byte, change func(*packet.Config)) []byte {
	t.Helper()
	var signature bytes.Buffer
	if err := openpgp.DetachSign(&signature, key, bytes.NewReader(over), at(signedDay, change)); err != nil {
		t.Fatal(err)
	}
	return signature.Bytes()
}

func armoured(t testing.TB, signature []byte) []byte {
	t.Helper()
	var text bytes.Buffer
	w, err := armor.Encode(&text, openpgp.SignatureType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(signature); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

func file(data []byte) Source {
	return Source{Name: "file", Size: int64(len(data)), ReaderAt: bytes.NewReader(data)}
}

// TestOpenPGP: what a signature over a package is worth, by key, time and
// algorithm. A package of Debian's carries it; RPMs are judged by the same code.
func TestOpenPGP(t *testing.T) {
	parts := debParts{}
	good := contosoKey()
	sign := func(key *openpgp.Entity, change func(*packet.Config)) []byte {
		return detached(t, key, parts.signed(t), change)
	}
	short := newKey("Short", func(c *packet.Config) { c.KeyLifetimeSecs = uint32((90 * 24 * time.Hour).Seconds()) })
	early := newKey("Early", func(c *packet.Config) { c.KeyLifetimeSecs = uint32((3 * 24 * time.Hour).Seconds()) })
	revoked := newKey("Revoked", nil)
	revokedSign := sign(revoked, nil)
	if err := revoked.RevokeKey(packet.KeyCompromised, "lost", at(signedDay.AddDate(0, 1, 0), nil)); err != nil {
		t.Fatal(err)
	}
	raw := func(key *openpgp.Entity, change func(*packet.Signature)) []byte {
		return rawSignature(t, key, parts.signed(t), change)
	}
	lastYear := func(s *packet.Signature) { s.CreationTime = signedDay.AddDate(-1, 0, 0) }
	tomorrow := func(c *packet.Config) { c.Time = func() time.Time { return lookDay.AddDate(0, 0, 1) } }
	day := func(c *packet.Config) { c.SigLifetimeSecs = 24 * 60 * 60 }
	for _, c := range []struct {
		name      string
		signature []byte
		trust     *Trust
		want      Status
		reason    string
	}{
		{"good", sign(good, nil), trustingKeys(t, good), Valid, "_gpgorigin: signed on 2025-03-01 by a trusted key"},
		{"armoured", armoured(t, sign(good, nil)), trustingKeys(t, good), Valid, ""},
		{"RSA", sign(contosoRSA(), nil), trustingKeys(t, good, contosoRSA()), Valid, ""},
		{"SHA-512", sign(good, func(c *packet.Config) { c.DefaultHash = crypto.SHA512 }), trustingKeys(t, good), Valid, ""},
		{"SHA-224", sign(good, func(c *packet.Config) { c.DefaultHash = crypto.SHA224 }), trustingKeys(t, good), Valid, ""},
		{"unknown key", sign(good, nil), trustingKeys(t, contosoRSA()), Untrusted, "which is not among the trusted"},
		{"no keys", sign(good, nil), nil, Untrusted, "signed by key 0x"},
		{"key expired since", sign(short, nil), trustingKeys(t, short), Expired, "nobody but the signer says"},
		{"key expired before", raw(early, func(*packet.Signature) {}), trustingKeys(t, early), Expired, "when the key had expired"},
		{"revoked", revokedSign, trustingKeys(t, revoked), Untrusted, "was revoked"},
		{"signature expired", sign(good, day), trustingKeys(t, good), Expired, "has expired"},
		{"before the key", raw(good, lastYear), trustingKeys(t, good), Untrusted, "before the key"},
		{"in the future", sign(good, tomorrow), trustingKeys(t, good), Untrusted, "still to come"},
		{"weak key", raw(weakKey(t), func(*packet.Signature) {}), trustingKeys(t, weakKey(t)), Untrusted, "1024 bits is too weak"},
		{"SHA-1", sha1Signature(t, contosoRSA(), parts.signed(t)), trustingKeys(t, contosoRSA()), Untrusted, "SHA-1 is too weak"},
		{"over text", raw(good, func(s *packet.Signature) { s.SigType = packet.SigTypeText }), trustingKeys(t, good), Invalid, "not over a file"},
		{"of something else", detached(t, good, []byte("other"), nil), trustingKeys(t, good), Invalid, "is not what"},
		{"two, one unknown", append(sign(contosoRSA(), nil), sign(good, nil)...), trustingKeys(t, good), Valid, ""},
		{"two, one wrong", append(detached(t, contosoRSA(), []byte("other"), nil), sign(good, nil)...), trustingKeys(t, good, contosoRSA()), Invalid, "is not what"},
		{"unknown version", []byte{0xc2, 3, 9, 0, 1}, trustingKeys(t, good), Untrusted, "kind that is not checked"},
		{"unknown algorithm", []byte{0xc2, 12, 4, 0, 99, 8, 0, 0, 0, 0, 0, 0, 0, 0}, trustingKeys(t, good), Untrusted, "kind that is not checked"},
		{"rubbish", []byte("rubbish"), trustingKeys(t, good), Invalid, "not an OpenPGP signature"},
		{"empty", nil, trustingKeys(t, good), Invalid, "is empty"},
		{"dpkg-sig", []byte("-----BEGIN PGP SIGNED MESSAGE-----\n"), trustingKeys(t, good), Untrusted, "dpkg-sig"},
	} {
		data := parts.with(t, arPart{"_gpgorigin", c.signature})
		info, err := Look(file(data), c.trust, lookDay)
		if err != nil || info.Signature.Status != c.want || !strings.Contains(info.Signature.Reason, c.reason) {
			t.Errorf("%s: %v %+v, want %s: %s", c.name, err, info.Signature, c.want, c.reason)
		}
		if c.want == Valid && !strings.Contains(info.Signature.Signer, "<packages@contoso.example>") {
			t.Errorf("%s: signed by %q", c.name, info.Signature.Signer)
		}
	}
}

// TestUnsignedPartsOfSignatures: a signature that says more than was signed is
// not the one that its key made.
func TestUnsignedPartsOfSignatures(t *testing.T) {
	parts := debParts{}
	key := contosoRSA()
	trust := trustingKeys(t, key)
	packets, _ := signaturePackets(detached(t, key, parts.signed(t), nil))
	body := packets[0]
	hashed := 6 + int(body[4])<<8 + int(body[5])
	unsigned := int(body[hashed])<<8 + int(body[hashed+1])
	notation := append(append(bytes.Clone(body[:hashed]), byte((unsigned+2)>>8), byte(unsigned+2)), append([]byte{1, 100}, body[hashed+2:]...)...)
	for name, altered := range map[string][]byte{
		"a subpacket":  notation,
		"a byte":       append(bytes.Clone(body), 0),
		"other digest": func() []byte { b := bytes.Clone(body); b[hashed+2+unsigned] ^= 1; return b }(),
		"longer number": func() []byte {
			b := bytes.Clone(body)
			at := hashed + 2 + unsigned + 2
			n := int(b[at])<<8 | int(b[at+1])
			if n%8 == 0 {
				n--
			} else {
				n++
			}
			b[at], b[at+1] = byte(n>>8), byte(n)
			return b
		}(),
	} {
		packet := append([]byte{0xc2, 0xff, 0, 0, byte(len(altered) >> 8), byte(len(altered))}, altered...)
		info, err := Look(file(parts.with(t, arPart{"_gpgorigin", packet})), trust, lookDay)
		if err != nil || info.Signature.Status != Invalid {
			t.Errorf("%s: %v %+v", name, err, info.Signature)
		}
	}
}

// weakKey is made once: Go makes no such keys unless it is told to.
var weakOnce = sync.OnceValues(func() (*openpgp.Entity, error) {
	return openpgp.NewEntity("Weak", "", "packages@contoso.example", at(signedDay.AddDate(0, -1, 0), func(c *packet.Config) {
		c.Algorithm, c.RSABits = packet.PubKeyAlgoRSA, 1024
	}))
})

func weakKey(t *testing.T) *openpgp.Entity {
	t.Helper()
	key, err := weakOnce()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// rawSignature signs also what a careful tool would not.
func rawSignature(t *testing.T, key *openpgp.Entity, over []byte, change func(*packet.Signature)) []byte {
	t.Helper()
	sig := &packet.Signature{
		Version: 4, SigType: packet.SigTypeBinary, PubKeyAlgo: key.PrimaryKey.PubKeyAlgo, Hash: crypto.SHA256,
		CreationTime: signedDay, IssuerKeyId: &key.PrimaryKey.KeyId,
	}
	change(sig)
	hash := sig.Hash.New()
	hash.Write(over)
	if err := sig.Sign(hash, key.PrivateKey, at(signedDay, nil)); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := sig.Serialize(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// sha1Signature signs as debsigs does if it is not told otherwise, octet by
// octet: go-crypto makes no such signatures.
func sha1Signature(t *testing.T, key *openpgp.Entity, over []byte) []byte {
	t.Helper()
	body := binary.BigEndian.AppendUint32([]byte{4, 0, 1, 2, 0, 6, 5, 2}, uint32(signedDay.Unix()))
	sum := sha1.New()
	sum.Write(over)
	sum.Write(body)
	sum.Write([]byte{4, 0xff, 0, 0, 0, byte(len(body))})
	digest := sum.Sum(nil)
	value, err := rsa.SignPKCS1v15(nil, key.PrivateKey.PrivateKey.(*rsa.PrivateKey), crypto.SHA1, digest)
	if err != nil {
		t.Fatal(err)
	}
	body = binary.BigEndian.AppendUint64(append(body, 0, 10, 9, 16), key.PrimaryKey.KeyId)
	number := new(big.Int).SetBytes(value)
	body = binary.BigEndian.AppendUint16(append(body, digest[:2]...), uint16(number.BitLen()))
	body = append(body, number.Bytes()...)
	return append([]byte{0xc2, 0xff, 0, 0, byte(len(body) >> 8), byte(len(body))}, body...)
}
