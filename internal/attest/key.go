package attest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Algorithm is how a key signs.
type Algorithm string

// The algorithms. Both sign deterministically here: Ed25519 always does, and
// ECDSA by RFC 6979, over SHA-256.
const (
	Ed25519   Algorithm = "ed25519"
	ECDSAP256 Algorithm = "ecdsa-p256"
)

// Key is one attestation key: its public half, and its private half while it
// may sign. Printing one never prints the private half.
type Key struct {
	ID        string // SHA-256 of the SubjectPublicKeyInfo (DER), lower-case hex
	Algorithm Algorithm
	CreatedAt time.Time // UTC, whole microseconds
	PublicPEM string    // SubjectPublicKeyInfo

	private crypto.Signer // nil: only the public half is there
}

// Signs reports whether the private half is there.
func (k Key) Signs() bool { return k.private != nil }

// String is the key's id.
func (k Key) String() string { return k.ID }

// GoString is the key's id: %#v prints no secret either.
func (k Key) GoString() string { return k.ID }

// Generate makes a key. For ECDSA the standard library takes its own secure
// randomness, whatever is handed in.
func Generate(algorithm Algorithm, random io.Reader, now time.Time) (Key, error) {
	var private crypto.Signer
	var err error
	switch algorithm {
	case Ed25519:
		_, private, err = ed25519.GenerateKey(random)
	case ECDSAP256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), random)
	default:
		return Key{}, fmt.Errorf("%q is no algorithm of attestation keys: want %s or %s", algorithm, Ed25519, ECDSAP256)
	}
	if err != nil {
		return Key{}, fmt.Errorf("generate attestation key: %w", err)
	}
	return privateKey(private, now.UTC().Truncate(time.Microsecond))
}

func privateKey(private crypto.Signer, createdAt time.Time) (Key, error) {
	k, err := publicKey(private.Public(), createdAt)
	if err != nil {
		return Key{}, err
	}
	k.private = private
	return k, nil
}

func publicKey(public crypto.PublicKey, createdAt time.Time) (Key, error) {
	var algorithm Algorithm
	switch p := public.(type) {
	case ed25519.PublicKey:
		algorithm = Ed25519
	case *ecdsa.PublicKey:
		if p.Curve == elliptic.P256() {
			algorithm = ECDSAP256
		}
	}
	if algorithm == "" {
		return Key{}, errors.New("is neither an Ed25519 nor an ECDSA P-256 key")
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return Key{}, err
	}
	sum := sha256.Sum256(der)
	text := pem.EncodeToMemory(&pem.Block{Type: publicBlock, Bytes: der})
	return Key{ID: hex.EncodeToString(sum[:]), Algorithm: algorithm, CreatedAt: createdAt, PublicPEM: string(text)}, nil
}

// A key's file is a line that says when the key was made, and one PEM block.
// Other tools skip the line, as RFC 7468 has it.
const (
	createdLine  = "Created: "
	privateBlock = "PRIVATE KEY" // PKCS #8
	publicBlock  = "PUBLIC KEY"  // SubjectPublicKeyInfo
)

// MaxFile is the largest file of a key, in bytes.
const MaxFile = 4096

// PrivateFile is the file of a key that signs.
func (k Key) PrivateFile() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return nil, fmt.Errorf("attestation key %s has no private half to write", k.ID)
	}
	return append(k.created(), pem.EncodeToMemory(&pem.Block{Type: privateBlock, Bytes: der})...), nil
}

// PublicFile is the file of a key that signs no more.
func (k Key) PublicFile() []byte { return append(k.created(), k.PublicPEM...) }

func (k Key) created() []byte {
	return []byte(createdLine + k.CreatedAt.Format(time.RFC3339Nano) + "\n")
}

// ParseFile reads what [Key.PrivateFile] or [Key.PublicFile] wrote. Its errors
// hold nothing of the file: it may be a secret.
func ParseFile(text []byte) (Key, error) {
	line, rest, _ := strings.Cut(string(text), "\n")
	createdAt, err := time.Parse(time.RFC3339Nano, strings.TrimPrefix(strings.TrimSuffix(line, "\r"), createdLine))
	if err != nil || !strings.HasPrefix(line, createdLine) {
		return Key{}, errors.New("does not begin with a line such as " + createdLine + "2026-11-24T12:00:00Z")
	}
	block, after := pem.Decode([]byte(rest))
	if block == nil || len(block.Headers) > 0 || len(bytes.TrimSpace(after)) > 0 || !strings.HasPrefix(rest, "-----BEGIN ") {
		return Key{}, errors.New("does not hold one PEM block and nothing else")
	}
	createdAt = createdAt.UTC().Truncate(time.Microsecond)
	switch block.Type {
	case publicBlock:
		public, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return Key{}, errors.New("holds no public key that can be read")
		}
		return publicKey(public, createdAt)
	case privateBlock:
		private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		signer, ok := private.(crypto.Signer)
		if err != nil || !ok {
			return Key{}, errors.New("holds no private key that can be read")
		}
		return privateKey(signer, createdAt)
	}
	return Key{}, fmt.Errorf("holds a %s, and not a %s or %s", block.Type, privateBlock, publicBlock)
}

// sign signs a message; no random source makes ECDSA deterministic.
func (k Key) sign(message []byte) ([]byte, error) {
	if k.Algorithm == Ed25519 {
		return k.private.Sign(nil, message, crypto.Hash(0))
	}
	sum := sha256.Sum256(message)
	return k.private.Sign(nil, sum[:], crypto.SHA256)
}
