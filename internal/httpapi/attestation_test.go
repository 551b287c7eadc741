package httpapi

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/attest"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/store/storetest"
)

// testKeys makes a ring with one key that signs.
func testKeys(t testing.TB) func() (*attest.Ring, error) {
	t.Helper()
	key, err := attest.Generate(attest.Ed25519, rand.Reader, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return func() (*attest.Ring, error) { return attest.NewRing([]attest.Key{key}), nil }
}

// TestAttestationOverHTTP: the envelope is what the key signed, the same bytes
// each time, and its payload is written down in the golden, to be read.
func TestAttestationOverHTTP(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		of := w.submitted("mid")
		path := "/api/v1/evidence/" + of.evidence + "/attestation/"
		got := w.send("carol", "GET", path, "")
		if got.status != 200 || got.header.Get("Content-Type") != "application/json" || got.header.Get("ETag") != `"`+evidence.Digest([]byte(got.body))+`"` {
			t.Fatalf("%d %v %s", got.status, got.header, got.body)
		}
		if again := w.send("ada", "GET", path, ""); again.body != got.body {
			t.Errorf("another one: %s", again.body)
		}
		raw, err := (&api.Client{Server: w.server.URL, Token: w.tokens["ada"]}).Attestation(w.ctx, of.evidence)
		if err != nil || string(raw) != got.body {
			t.Errorf("through the client: %s %v", raw, err)
		}
		var envelope api.Envelope
		if err := json.Unmarshal([]byte(got.body), &envelope); err != nil {
			t.Fatal(err)
		}
		payload, err := base64.StdEncoding.DecodeString(envelope.Payload)
		if err != nil {
			t.Fatal(err)
		}
		document := w.send("ada", "GET", "/api/v1/evidence/"+of.evidence+"/document/", "").body
		text := strings.ReplaceAll(string(payload), evidence.Digest([]byte(document)), "HASH")
		compareGolden(t, "attestation.golden", normal(envelope.PayloadType+"\n"+text+"\n"))
	})
}

// TestPublishedKeys: strangers get the public keys, the ledger's too, nothing
// secret, and always as they are now.
func TestPublishedKeys(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	of := w.submitted("low")
	path := "/api/v1/evidence/" + of.evidence + "/attestation/"
	keys := func() (api.PublicKeys, answer) {
		t.Helper()
		got := w.send("", "GET", "/.well-known/eucora-keys.json", "")
		var published api.PublicKeys
		if err := json.Unmarshal([]byte(got.body), &published); err != nil {
			t.Fatal(err)
		}
		return published, got
	}
	published, got := keys()
	if got.status != 200 || got.header.Get("Cache-Control") != "no-cache" || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %v", got.status, got.header)
	}
	if len(published.Keys) != 1 || published.Keys[0].State != "active" || published.Ledger != w.store.LedgerKey() || strings.Contains(got.body, "PRIVATE") {
		t.Errorf("%s", got.body)
	}
	signed := w.send("ada", "GET", path, "").body
	if !strings.Contains(signed, `"keyid":"`+published.Keys[0].ID+`"`) {
		t.Errorf("signed by another: %s", signed)
	}
	old, err := w.api.Keys()
	if err != nil {
		t.Fatal(err)
	}
	newer, err := attest.Generate(attest.ECDSAP256, rand.Reader, time.Now().Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	w.api.Keys = func() (*attest.Ring, error) { return attest.NewRing(append(old.Keys(), newer)), nil }
	published, _ = keys()
	if len(published.Keys) != 2 || published.Keys[0].ID != newer.ID || published.Keys[0].State != "active" || published.Keys[1].State != "retired" {
		t.Errorf("after a rotation: %+v", published.Keys)
	}
	if signed := w.send("ada", "GET", path, "").body; !strings.Contains(signed, `"keyid":"`+newer.ID+`"`) {
		t.Errorf("after a rotation, signed by another: %s", signed)
	}
	w.api.Keys = func() (*attest.Ring, error) { return nil, errors.New("/srv/keys/x.pem: cut off") }
	for _, got := range []answer{w.send("", "GET", "/.well-known/eucora-keys.json", ""), w.send("ada", "GET", path, "")} {
		if got.status != 503 || got.problem(t).Code != "ATTESTATION_KEYS_UNUSABLE" || got.header.Get("Retry-After") == "" || strings.Contains(got.body, "/srv") {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	if log := w.log.String(); !strings.Contains(log, "/srv/keys/x.pem: cut off") || strings.Contains(log, "PRIVATE") {
		t.Errorf("the log: %s", log)
	}
	if got := w.send("", "POST", "/.well-known/eucora-keys.json", "{}"); got.status != 405 {
		t.Errorf("POST: %d", got.status)
	}
}
