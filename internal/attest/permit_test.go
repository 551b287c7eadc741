package attest

import (
	"crypto/rand"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

var permitArtifact = strings.Repeat("0a", 32)

func signedPermit(t testing.TB, algorithm Algorithm) (envelope, public []byte) {
	t.Helper()
	key, err := Generate(algorithm, rand.Reader, time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	envelope, err = NewRing([]Key{key}).SignPermit(permitArtifact, []byte(`{"id":"p","devices":5}`))
	if err != nil {
		t.Fatal(err)
	}
	return envelope, []byte(key.PublicPEM)
}

// TestPermitIsCheckedWithTheKey: and with nothing else.
func TestPermitIsCheckedWithTheKey(t *testing.T) {
	for _, algorithm := range []Algorithm{Ed25519, ECDSAP256} {
		envelope, public := signedPermit(t, algorithm)
		permit, artifact, err := OpenPermit(envelope, public)
		if err != nil || artifact != permitArtifact || string(permit) != `{"devices":5,"id":"p"}` {
			t.Errorf("%s: %s %s %v", algorithm, permit, artifact, err)
		}
		_, other := signedPermit(t, algorithm)
		for name, c := range map[string]struct {
			envelope []byte
			keys     [][]byte
		}{
			"another key":    {envelope, [][]byte{other}},
			"no key":         {envelope, nil},
			"no PEM":         {envelope, [][]byte{[]byte("x")}},
			"cut off":        {envelope[:len(envelope)/2], [][]byte{public}},
			"empty":          {nil, [][]byte{public}},
			"nonsense":       {[]byte(strings.Repeat("[", MaxPermit)), [][]byte{public}},
			"too large":      {append(envelope, make([]byte, MaxPermit)...), [][]byte{public}},
			"other payload":  {changed(envelope, permitArtifact, strings.Repeat("0b", 32)), [][]byte{public}},
			"other type":     {[]byte(strings.Replace(string(envelope), PayloadType, "text/plain", 1)), [][]byte{public}},
			"no signature":   {[]byte(strings.Replace(string(envelope), `"signatures":[`, `"signatures":[],"x":[`, 1)), [][]byte{public}},
			"doubled member": {[]byte(strings.Replace(string(envelope), `{`, `{"payload":"",`, 1)), [][]byte{public}},
		} {
			if permit, _, err := OpenPermit(c.envelope, c.keys...); err == nil {
				t.Errorf("%s, %s: %s", algorithm, name, permit)
			}
		}
	}
}

// TestAnotherStatementIsNoPermit: what the same key signed about a package permits
// nothing.
func TestAnotherStatementIsNoPermit(t *testing.T) {
	key, err := Generate(Ed25519, rand.Reader, time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	r := NewRing([]Key{key})
	for name, payload := range map[string]string{
		"another predicate": `{"_type":"` + StatementType + `","subject":[{"name":"a","digest":{"sha256":"` + permitArtifact + `"}}],"predicateType":"` + PredicateType + `","predicate":{"id":"p"}}`,
		"two subjects":      `{"_type":"` + StatementType + `","subject":[{"name":"a","digest":{"sha256":"` + permitArtifact + `"}},{"name":"b","digest":{"sha256":""}}],"predicateType":"` + PermitType + `","predicate":{"id":"p"}}`,
		"no statement":      `[]`,
		"nothing":           ``,
	} {
		envelope, err := r.envelope([]byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		if permit, _, err := OpenPermit(envelope, []byte(key.PublicPEM)); err == nil {
			t.Errorf("%s: %s", name, permit)
		}
	}
	if _, err := NewRing(nil).SignPermit(permitArtifact, []byte(`{}`)); err == nil {
		t.Error("signed with no key")
	}
}

// changed is an envelope with something else in its payload, the signature kept.
func changed(envelope []byte, from, to string) []byte {
	before, rest, _ := strings.Cut(string(envelope), `"payload":"`)
	payload, after, _ := strings.Cut(rest, `"`)
	text, _ := base64.StdEncoding.DecodeString(payload)
	text = []byte(strings.Replace(string(text), from, to, 1))
	return []byte(before + `"payload":"` + base64.StdEncoding.EncodeToString(text) + `"` + after)
}

// FuzzOpenPermit: no envelope but one that was signed opens.
func FuzzOpenPermit(f *testing.F) {
	envelope, public := signedPermit(f, Ed25519)
	_, payload, err := openEnvelope(envelope)
	if err != nil {
		f.Fatal(err)
	}
	signed := string(dsse.PAE(PayloadType, payload))
	f.Add(envelope)
	f.Add([]byte(`{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"sig":""}]}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, _, err := OpenPermit(text, public); err == nil {
			if _, payload, _ := openEnvelope(text); string(dsse.PAE(PayloadType, payload)) != signed {
				t.Errorf("opened: %q", text)
			}
		}
		_, _ = PermitOf(text)
	})
}
