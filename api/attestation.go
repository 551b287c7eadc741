package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
)

// Envelope is a DSSE envelope. Its payload, in base64, is an in-toto statement.
type Envelope struct {
	PayloadType string              `json:"payloadType" example:"application/vnd.in-toto+json"`
	Payload     string              `json:"payload" doc:"Base64 of the statement"`
	Signatures  []EnvelopeSignature `json:"signatures" nullable:"false"`
}

// EnvelopeSignature is one signature of an envelope.
type EnvelopeSignature struct {
	KeyID string `json:"keyid" doc:"SHA-256 of the key's SubjectPublicKeyInfo, lower-case hex"`
	Sig   string `json:"sig" doc:"Base64"`
}

func (e *Envelope) whole() bool { return e.Payload != "" && len(e.Signatures) > 0 }

// PublicKeys is what /.well-known/eucora-keys.json holds.
type PublicKeys struct {
	Keys   []PublicKey `json:"keys"`   // the newest first
	Ledger string      `json:"ledger"` // the ledger's verifier key, as C2SP signed-note has it
}

// PublicKey is the public half of an attestation key.
type PublicKey struct {
	ID        string    `json:"key_id"`
	Algorithm string    `json:"algorithm"` // ed25519, ecdsa-p256
	State     string    `json:"state"`     // active: it signs; retired: it signed once
	CreatedAt time.Time `json:"created_at"`
	PublicKey string    `json:"public_key"` // PEM
}

// Attestation returns a package as a signed in-toto statement: the bytes of the
// envelope as they came. Whose signature it is, the caller checks.
func (c *Client) Attestation(ctx context.Context, id string) ([]byte, error) {
	path := "/evidence/" + url.PathEscape(id) + "/attestation/"
	raw, err := get[[]byte](ctx, c, path, nil)
	if err != nil {
		return nil, err
	}
	var envelope Envelope
	if err := jsonv2.Unmarshal(raw, &envelope); err != nil || !envelope.whole() {
		return nil, fmt.Errorf("%w: %s %s: the answer is no signed envelope", ErrNotEucora, http.MethodGet, path)
	}
	return raw, nil
}
