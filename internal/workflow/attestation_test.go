package workflow

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/attest"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/store/storetest"
	"github.com/go-json-experiment/json"
)

func attestationKey(t testing.TB, at time.Time) attest.Key {
	t.Helper()
	return must[attest.Key](t)(attest.Generate(attest.Ed25519, rand.Reader, at))
}

// retired is what is left of a key when it signs no more.
func retired(t testing.TB, k attest.Key) attest.Key {
	t.Helper()
	return must[attest.Key](t)(attest.ParseFile(k.PublicFile()))
}

func ring(keys ...attest.Key) func() (*attest.Ring, error) {
	return func() (*attest.Ring, error) { return attest.NewRing(keys), nil }
}

// payloadOf is the statement in an envelope, and the id of the key that signed.
func payloadOf(t testing.TB, envelope []byte) (payload, key string) {
	t.Helper()
	var e struct {
		Payload    string `json:"payload"`
		Signatures []struct {
			KeyID string `json:"keyid"`
		} `json:"signatures"`
	}
	if err := json.Unmarshal(envelope, &e); err != nil {
		t.Fatal(err)
	}
	text := must[[]byte](t)(base64.StdEncoding.DecodeString(e.Payload))
	return string(text), e.Signatures[0].KeyID
}

// TestAttestation: whoever may read a package gets it signed, the same bytes
// each time; the key is in the ledger before it has signed anything.
func TestAttestation(t *testing.T) {
	eachWorld(t, func(w *world) {
		_, e := w.deployment("mid")
		before := attestationKey(t, w.clock.Now())
		first := must[[]byte](t)(w.Attestation(w.ctx, w.erin, e.ID, ring(before)))
		payload, signer := payloadOf(t, first)
		if signer != before.ID || !strings.Contains(payload, string(e.Document)) || !strings.Contains(payload, evidence.Digest(e.Document)) {
			t.Errorf("signed by %s: %s", signer, payload)
		}
		for range 3 {
			if again := must[[]byte](t)(w.Attestation(w.ctx, w.ada, e.ID, ring(before))); string(again) != string(first) {
				t.Errorf("another envelope: %s", again)
			}
		}
		after := attestationKey(t, w.clock.Now())
		for range 2 { // as if a rotation was cut short: both private halves are there
			_, signer = payloadOf(t, must[[]byte](t)(w.Attestation(w.ctx, w.erin, e.ID, ring(before, after))))
			if signer != after.ID {
				t.Errorf("after a rotation %s signs", signer)
			}
		}
		for id, want := range map[string]string{before.ID: "KEY_CHANGED KEY_CHANGED", after.ID: "KEY_CHANGED"} {
			if got := w.types(id); got != want {
				t.Errorf("trail of key %s: %q, want %q", id, got, want)
			}
		}
		_, err := w.Attestation(w.ctx, w.eve, e.ID, ring(after))
		w.wantCode(err, "FORBIDDEN")
		_, err = w.Attestation(w.ctx, w.pat, e.ID, ring(after))
		w.wantCode(err, "FORBIDDEN")
		_, err = w.Attestation(w.ctx, w.ada, newID(), ring(after))
		w.wantCode(err, "NOT_FOUND")
		w.wantSound()
	})
}

// TestKeyEvents: the ledger says of each key once that it was made and once that
// it was retired, whoever looks and however often, and after a restart too.
func TestKeyEvents(t *testing.T) {
	eachWorld(t, func(w *world) {
		one, two := attestationKey(t, w.clock.Now()), attestationKey(t, w.clock.Now())
		setup := Call{Actor: cab.Setup}
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				replica := New(w.store, Options{Clock: w.clock.Now})
				if err := replica.RecordKeys(w.ctx, setup, attest.NewRing([]attest.Key{one})); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		rotated := attest.NewRing([]attest.Key{retired(t, one), two})
		for range 2 {
			if err := New(w.store, Options{Clock: w.clock.Now}).RecordKeys(w.ctx, setup, rotated); err != nil {
				t.Fatal(err)
			}
		}
		page := must[Page[EventRow]](t)(w.Events(w.ctx, w.ada, EventFilter{Type: cab.KeyChanged, OldestFirst: true}))
		var got []string
		for _, row := range page.Rows {
			var e cab.Event
			if err := json.Unmarshal(row.Leaf, &e); err != nil {
				t.Fatal(err)
			}
			name := map[string]string{one.ID: "one", two.ID: "two"}[e.Subject.ID]
			got = append(got, fmt.Sprint(name, " ", e.Data.Key.State, " by ", e.Actor.ID))
			if strings.Contains(string(row.Leaf), "PRIVATE") || !strings.Contains(e.Data.Key.PublicKey, "PUBLIC KEY") {
				t.Errorf("event %s", row.Leaf)
			}
		}
		want := "one active by system:setup, two active by system:setup, one retired by system:setup"
		if strings.Join(got, ", ") != want {
			t.Errorf("got %q", got)
		}
		w.wantCode(w.RecordKeys(w.ctx, w.carol, attest.NewRing([]attest.Key{attestationKey(t, w.clock.Now())})), "FORBIDDEN")
		w.wantSound()
	})
}

// TestKeysThatSignNothing: without a key, with keys that cannot be read, and
// with a retired one whose private half was brought back, nothing is signed.
func TestKeysThatSignNothing(t *testing.T) {
	eachWorld(t, func(w *world) {
		_, e := w.deployment("low")
		one, two := attestationKey(t, w.clock.Now()), attestationKey(t, w.clock.Now())
		refused := func(what string, keys func() (*attest.Ring, error)) {
			t.Helper()
			envelope, err := w.Attestation(w.ctx, w.ada, e.ID, keys)
			if cab.CodeOf(err) != "ATTESTATION_KEYS_UNUSABLE" || cab.KindOf(err) != cab.Unavailable || envelope != nil {
				t.Errorf("%s: %s %v", what, envelope, err)
			}
		}
		refused("no key", ring())
		refused("unreadable", func() (*attest.Ring, error) { return nil, errors.New("keys/x.pem: cut off") })
		must[[]byte](t)(w.Attestation(w.ctx, w.ada, e.ID, ring(one)))
		must[[]byte](t)(w.Attestation(w.ctx, w.ada, e.ID, ring(retired(t, one), two)))
		refused("only retired ones", ring(retired(t, one)))
		refused("a retired one brought back", ring(one))
		refused("a retired one brought back beside another", ring(one, retired(t, two)))
		_, err := w.Attestation(w.ctx, w.eve, e.ID, func() (*attest.Ring, error) { return nil, errors.New("unreadable") })
		w.wantCode(err, "FORBIDDEN")
	})
}

// TestTamperedEvidenceIsNotAttested: not when its bytes changed, and not when
// their hash was changed with them: the ledger still knows what was filed.
func TestTamperedEvidenceIsNotAttested(t *testing.T) {
	eachWorld(t, func(w *world) {
		_, changed := w.deployment("low")
		_, rehashed := w.deployment("high")
		key := attestationKey(t, w.clock.Now())
		must[[]byte](t)(w.Attestation(w.ctx, w.ada, rehashed.ID, ring(key)))
		db := storetest.Owner(t, w.url)
		storetest.DropTriggers(t, db, w.engine)
		set := func(id, document, hash string) {
			t.Helper()
			if _, err := db.Exec(`UPDATE evidence_package SET document = $1, content_hash = $2 WHERE id = $3`, []byte(document), hash, id); err != nil {
				t.Fatal(err)
			}
		}
		set(changed.ID, strings.Replace(string(changed.Document), "8.7.1", "8.7.2", 1), changed.ContentHash)
		better := strings.Replace(string(rehashed.Document), `"risk_score":100`, `"risk_score":11`, 1)
		set(rehashed.ID, better, evidence.Digest([]byte(better)))
		if got := must[Evidence](t)(w.Evidence(w.ctx, w.ada, rehashed.ID)); got.Record.Assessment.Score != 1100 {
			t.Fatalf("the forgery is not whole: %v", got.Record.Assessment.Score)
		}
		for range 3 {
			for _, id := range []string{changed.ID, rehashed.ID} {
				envelope, err := w.Attestation(w.ctx, w.ada, id, ring(key))
				w.wantCode(err, "EVIDENCE_TAMPERED")
				if envelope != nil {
					t.Errorf("signed all the same: %s", envelope)
				}
			}
		}
		for _, id := range []string{changed.ID, rehashed.ID} {
			if n := strings.Count(w.types(id), "EVIDENCE_TAMPERED"); n != 1 {
				t.Errorf("%d events of one alteration: %s", n, w.types(id))
			}
		}
	})
}
