package attest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// PermitType is the predicate type of a permit to begin a rollout.
const PermitType = "https://github.com/eucora/eucora/attestation/permit/v1"

// permitStatement is the statement about the artifact that a permit is for. The
// predicate is the permit as the ledger has it.
type permitStatement struct {
	Type          string         `json:"_type"`
	Subject       []subject      `json:"subject"`
	PredicateType string         `json:"predicateType"`
	Predicate     jsontext.Value `json:"predicate"`
}

// SignPermit signs a permit for an artifact (its SHA-256, lower-case hex): an in-toto
// statement in a DSSE envelope. The same permit and key give the same bytes.
func (r *Ring) SignPermit(artifact string, permit []byte) ([]byte, error) {
	subjects := []subject{{"artifact", digests{artifact}}}
	text, err := json.Marshal(permitStatement{StatementType, subjects, PermitType, permit})
	if err != nil {
		return nil, fmt.Errorf("write statement: %w", err)
	}
	payload := jsontext.Value(text)
	if err := payload.Canonicalize(); err != nil {
		return nil, fmt.Errorf("write statement: %w", err)
	}
	return r.envelope(payload)
}

// MaxPermit is the largest envelope of a permit, in bytes.
const MaxPermit = 64 << 10

// OpenPermit checks an envelope that [Ring.SignPermit] made with one of some public
// keys (PEM), and returns the permit and the artifact that it is for. What is in the
// permit, and whether its time has come, is for the caller to hold against that.
func OpenPermit(envelope []byte, publicPEM ...[]byte) (permit []byte, artifact string, err error) {
	e, payload, err := openEnvelope(envelope)
	if err != nil {
		return nil, "", err
	}
	if err := signedBy(e, payload, publicPEM); err != nil {
		return nil, "", err
	}
	return permitIn(payload)
}

// PermitOf is what an envelope says that it permits, unchecked: to ask the server
// about it, and for nothing else.
func PermitOf(envelope []byte) (permit []byte, err error) {
	_, payload, err := openEnvelope(envelope)
	if err != nil {
		return nil, err
	}
	permit, _, err = permitIn(payload)
	return permit, err
}

func openEnvelope(envelope []byte) (e dsse.Envelope, payload []byte, err error) {
	if len(envelope) > MaxPermit {
		return e, nil, fmt.Errorf("is larger than %d bytes", MaxPermit)
	}
	if err := json.Unmarshal(bytes.TrimSpace(envelope), &e); err != nil {
		return e, nil, errors.New("is no DSSE envelope")
	}
	payload, err = base64.StdEncoding.DecodeString(e.Payload)
	if err != nil || e.PayloadType != PayloadType {
		return e, nil, errors.New("is no envelope of an in-toto statement")
	}
	return e, payload, nil
}

func permitIn(payload []byte) (permit []byte, artifact string, err error) {
	var s permitStatement
	if err := json.Unmarshal(payload, &s, json.RejectUnknownMembers(true)); err != nil {
		return nil, "", errors.New("holds no statement that can be read")
	}
	if s.Type != StatementType || s.PredicateType != PermitType || len(s.Subject) != 1 {
		return nil, "", errors.New("holds a statement that is no permit")
	}
	return s.Predicate, s.Subject[0].Digest.SHA256, nil
}

// signedBy: one signature of one of the keys is enough; the key ids are hints that
// nothing rests on.
func signedBy(e dsse.Envelope, payload []byte, publicPEM [][]byte) error {
	if len(publicPEM) == 0 || len(e.Signatures) > 16 {
		return errors.New("has too many signatures, or no key was given")
	}
	message := dsse.PAE(e.PayloadType, payload)
	sum := sha256.Sum256(message)
	for _, text := range publicPEM {
		block, _ := pem.Decode(text)
		if block == nil || block.Type != publicBlock {
			return errors.New("cannot be checked: a key is no public key in PEM")
		}
		public, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return errors.New("cannot be checked: a key cannot be read")
		}
		for _, s := range e.Signatures {
			signature, err := base64.StdEncoding.DecodeString(s.Sig)
			if err != nil {
				continue
			}
			switch key := public.(type) {
			case ed25519.PublicKey:
				if ed25519.Verify(key, message, signature) {
					return nil
				}
			case *ecdsa.PublicKey:
				if ecdsa.VerifyASN1(key, sum[:], signature) {
					return nil
				}
			}
		}
	}
	return errors.New("is not signed by a key that was given")
}
