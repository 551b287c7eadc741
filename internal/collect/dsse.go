package collect

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // for the hashes that signatures are over
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// inTotoPayload is the only type of payload that is read.
const inTotoPayload = "application/vnd.in-toto+json"

func isDSSE(s shape) bool {
	return s.json != 0 && s.members["payload"] && s.members["payloadType"]
}

// envelope is a DSSE envelope.
type envelope struct {
	payload, payloadType string
	signatures           []envelopeSignature
}

type envelopeSignature struct {
	keyID, signature string
	certificate      string // PEM; not of the specification, but written by builders
}

func (e *envelope) members(r *attestations) members {
	return members{
		"payload": r.keep(&e.payload), "payloadType": r.keep(&e.payloadType),
		"signatures": func(d *jsontext.Decoder) error {
			return elements(d, func(d *jsontext.Decoder) error { return e.signature(d, r) })
		},
	}
}

func (e *envelope) signature(d *jsontext.Decoder, r *attestations) error {
	if len(e.signatures) == maxSignatures {
		return fmt.Errorf("an envelope has more than %d signatures", maxSignatures)
	}
	var s envelopeSignature
	err := members{"keyid": r.keep(&s.keyID), "sig": r.keep(&s.signature), "cert": r.keep(&s.certificate)}.read(d)
	e.signatures = append(e.signatures, s)
	return err
}

// addEnvelope notes an envelope; a already holds what is known from outside
// it. A payload of another type is noted by its type, and not read.
func (r *attestations) addEnvelope(e *envelope, a Attestation) error {
	payload, err := fromBase64(e.payload)
	if err != nil {
		return r.fault("payload: %v", err)
	}
	a.PayloadType, a.Envelope, a.Signatures = e.payloadType, preAuthentication(e.payloadType, payload), len(e.signatures)
	for _, s := range e.signatures {
		signature, err := fromBase64(s.signature)
		if err != nil {
			return r.fault("signature: %v", err)
		}
		a.signatures = append(a.signatures, signature)
		if a.KeyHint == "" {
			a.KeyHint = s.keyID
		}
		if block, _ := pem.Decode([]byte(s.certificate)); block != nil && a.Certificate == nil {
			a.Certificate = block.Bytes
		}
	}
	if err := a.identify(); err != nil {
		return r.fault("%v", err)
	}
	if e.payloadType == inTotoPayload {
		if err := r.payload(payload, &a); err != nil {
			return err
		}
	}
	return r.add(a)
}

// payload reads the statement in an envelope.
func (r *attestations) payload(text []byte, a *Attestation) error {
	var s statement
	d := jsonDecoder(bytes.NewReader(text))
	err := s.members(r).read(d)
	if err == nil {
		if _, end := d.ReadToken(); !errors.Is(end, io.EOF) {
			err = errors.New("something follows the statement")
		}
	}
	if err == nil {
		err = s.into(a)
	}
	if err != nil {
		return r.fault("payload: %s", reason(nil, err))
	}
	return nil
}

// preAuthentication is what a DSSE signature is over.
func preAuthentication(payloadType string, payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
}

// fromBase64 reads either alphabet, padded or not: DSSE allows both.
func fromBase64(text string) ([]byte, error) {
	data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(text), "="))
	if err != nil {
		return nil, errors.New("is not base64")
	}
	return data, nil
}

// VerifiedBy tells whether one of the keys made one of the signatures: Ed25519,
// ECDSA (P-256, P-384, P-521) or RSA (2048 bits and more; PSS or PKCS #1). It
// says nothing about whose key it is, and asks no log. A signature over a file
// is checked against the digest that stands beside it: compare that with the
// file ([Attestation.Names]).
func (a Attestation) VerifiedBy(keys []crypto.PublicKey) bool {
	for _, signature := range a.signatures {
		for _, key := range keys {
			if a.Envelope != nil && verified(key, a.Envelope, signature) || a.Envelope == nil && a.verifiedFile(key, signature) {
				return true
			}
		}
	}
	return false
}

// verifiedFile checks a signature by the file's digest. Ed25519 needs the file.
func (a Attestation) verifiedFile(key crypto.PublicKey, signature []byte) bool {
	for _, s := range a.Subjects {
		for _, hash := range hashesOf(key) {
			sum, err := hex.DecodeString(s.Digests[digestNames[hash]])
			if err == nil && len(sum) == hash.Size() && verifiedDigest(key, hash, sum, signature) {
				return true
			}
		}
	}
	return false
}

var digestNames = map[crypto.Hash]string{crypto.SHA256: "sha256", crypto.SHA384: "sha384", crypto.SHA512: "sha512"}

func verified(key crypto.PublicKey, message, signature []byte) bool {
	if k, ok := key.(ed25519.PublicKey); ok {
		return len(k) == ed25519.PublicKeySize && ed25519.Verify(k, message, signature)
	}
	for _, hash := range hashesOf(key) {
		sum := hash.New()
		sum.Write(message)
		if verifiedDigest(key, hash, sum.Sum(nil), signature) {
			return true
		}
	}
	return false
}

// hashesOf is what a key signs digests of; nothing for a key that is not taken.
func hashesOf(key crypto.PublicKey) []crypto.Hash {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		switch {
		case k == nil:
		case k.Curve == elliptic.P256():
			return []crypto.Hash{crypto.SHA256}
		case k.Curve == elliptic.P384(): // early Sigstore clients used SHA-256 with it
			return []crypto.Hash{crypto.SHA384, crypto.SHA256}
		case k.Curve == elliptic.P521():
			return []crypto.Hash{crypto.SHA512}
		}
	case *rsa.PublicKey:
		if k != nil && k.N != nil && k.N.BitLen() >= 2048 {
			return []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}
		}
	}
	return nil
}

func verifiedDigest(key crypto.PublicKey, hash crypto.Hash, sum, signature []byte) bool {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, sum, signature)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(k, hash, sum, signature) == nil || rsa.VerifyPSS(k, hash, sum, signature, nil) == nil
	}
	return false
}
