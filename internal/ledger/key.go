package ledger

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// verifierKey derives the public key from a secret of the form
// PRIVATE+KEY+name+hash+base64(algorithm byte, 32-byte seed).
func verifierKey(secret string) (string, error) {
	parts := strings.SplitN(secret, "+", 5)
	if len(parts) != 5 {
		return "", fmt.Errorf("want five parts")
	}
	raw, err := base64.StdEncoding.DecodeString(parts[4])
	const algEd25519 = 1
	if err != nil || len(raw) != 1+ed25519.SeedSize || raw[0] != algEd25519 {
		return "", fmt.Errorf("not an Ed25519 key")
	}
	public := ed25519.NewKeyFromSeed(raw[1:]).Public().(ed25519.PublicKey)
	return note.NewEd25519VerifierKey(parts[2], public)
}
