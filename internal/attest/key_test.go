package attest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
)

var algorithms = []Algorithm{Ed25519, ECDSAP256}

// TestKeyFiles: a key that was written is read again as it was; its id is the
// digest of the public key as everybody else computes it.
func TestKeyFiles(t *testing.T) {
	for _, algorithm := range algorithms {
		k := newKey(t, algorithm, noon.Add(1234567*time.Nanosecond))
		private, err := k.PrivateFile()
		if err != nil {
			t.Fatal(err)
		}
		signing, err := ParseFile(private)
		if err != nil || !signing.Signs() || signing.ID != k.ID || !signing.CreatedAt.Equal(noon.Add(1234*time.Microsecond)) {
			t.Errorf("%s: private file read as %v: %v", algorithm, signing, err)
		}
		public, err := ParseFile(k.PublicFile())
		if err != nil || public.Signs() || public.PublicPEM != k.PublicPEM || public.Algorithm != algorithm || !public.CreatedAt.Equal(signing.CreatedAt) {
			t.Errorf("%s: public file read as %v: %v", algorithm, public, err)
		}
		if _, err := public.PrivateFile(); err == nil {
			t.Errorf("%s: a private file without a private half", algorithm)
		}
		block, _ := pem.Decode([]byte(k.PublicPEM))
		if sum := sha256.Sum256(block.Bytes); hex.EncodeToString(sum[:]) != k.ID {
			t.Errorf("%s: the id is not the digest of the SubjectPublicKeyInfo", algorithm)
		}
	}
	if _, err := Generate("rsa", rand.Reader, noon); err == nil {
		t.Error("an algorithm that there is not")
	}
	if _, err := Generate(Ed25519, bytes.NewReader(nil), noon); err == nil {
		t.Error("a key from no randomness")
	}
}

// TestKeyFilesRefused: what is not exactly a key's file is none, and the error
// repeats nothing of it.
func TestKeyFilesRefused(t *testing.T) {
	k := newKey(t, Ed25519, noon)
	good, err := k.PrivateFile()
	if err != nil {
		t.Fatal(err)
	}
	_, key, _ := strings.Cut(string(good), "\n")
	larger, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8 := func(key any) string {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	}
	const line = "Created: 2026-11-24T12:00:00Z\n"
	for name, text := range map[string]string{
		"empty": "", "no time": key, "a bad time": "Created: today\n" + key, "another word": "created: 2026-11-24T12:00:00Z\n" + key,
		"time only": line, "cut off": string(good[:len(good)-10]), "something after": string(good) + "x", "two keys": string(good) + key,
		"something between": line + "x\n" + key, "another kind": strings.ReplaceAll(string(good), "PRIVATE KEY", "EC PRIVATE KEY"),
		"halves mixed up": strings.ReplaceAll(string(good), "PRIVATE KEY", "PUBLIC KEY"),
		"headers":         line + strings.Replace(key, "-----\n", "-----\nA: b\n\n", 1), "P-384": line + pkcs8(larger), "RSA": line + pkcs8(other),
	} {
		got, err := ParseFile([]byte(text))
		if err == nil || got.Signs() {
			t.Errorf("%s: read as %v", name, got)
			continue
		}
		if secret := strings.Split(key, "\n")[1]; strings.Contains(err.Error(), secret[len(secret)-20:]) {
			t.Errorf("%s: the error repeats the key: %v", name, err)
		}
	}
}

// TestKeysDoNotPrint: a key in a log line or an answer is its id.
func TestKeysDoNotPrint(t *testing.T) {
	for _, algorithm := range algorithms {
		k := newKey(t, algorithm, noon)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if got := fmt.Sprintf(verb, k); got != k.ID {
				t.Errorf("%s prints %s", verb, got)
			}
		}
		text, err := json.Marshal(k)
		if err != nil || strings.Contains(strings.ToLower(string(text)), "private") {
			t.Errorf("as JSON: %s (%v)", text, err)
		}
	}
}

// TestRing: which of the keys that are found signs.
func TestRing(t *testing.T) {
	one, two, three := newKey(t, Ed25519, noon), newKey(t, ECDSAP256, noon.Add(time.Hour)), newKey(t, Ed25519, noon.Add(2*time.Hour))
	public := func(k Key) Key { k.private = nil; return k }
	for _, c := range []struct {
		name  string
		found []Key
		want  string // newest first; * signs
	}{
		{"none", nil, ""},
		{"one", []Key{one}, "1*"},
		{"after rotations", []Key{public(one), public(two), three}, "3* 2 1"},
		{"a rotation cut short before the old one was retired", []Key{one, two}, "2* 1"},
		{"and before its private half was taken away", []Key{one, public(one), two}, "2* 1"},
		{"two rotations at once", []Key{three, one, two}, "3* 2 1"},
		{"all retired", []Key{public(one), public(two)}, "2 1"},
		{"retired, with the private half left", []Key{two, public(two), public(one)}, "2 1"},
	} {
		names := map[string]string{one.ID: "1", two.ID: "2", three.ID: "3"}
		var got []string
		ring := NewRing(c.found)
		for _, k := range ring.Keys() {
			got = append(got, names[k.ID]+map[bool]string{true: "*"}[k.Signs()])
		}
		if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		if k, ok := ring.Signing(); ok != strings.Contains(c.want, "*") || ok && !strings.Contains(c.want, names[k.ID]+"*") {
			t.Errorf("%s: %v signs", c.name, k)
		}
	}
}

// FuzzParseFile: any file is refused or is a key whose file is read as the same.
func FuzzParseFile(f *testing.F) {
	for _, algorithm := range algorithms {
		k := newKey(f, algorithm, noon)
		private, err := k.PrivateFile()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(private)
		f.Add(k.PublicFile())
	}
	f.Add([]byte("Created: 2026-11-24T12:00:00Z\n-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := ParseFile(text)
		if err != nil {
			return
		}
		file := k.PublicFile()
		if k.Signs() {
			if file, err = k.PrivateFile(); err != nil {
				t.Fatal(err)
			}
		}
		again, err := ParseFile(file)
		if err != nil || again.ID != k.ID || again.Signs() != k.Signs() || !again.CreatedAt.Equal(k.CreatedAt) {
			t.Errorf("%v read again as %v: %v", k, again, err)
		}
	})
}
