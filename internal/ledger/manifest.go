package ledger

import (
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// CapsuleLine is the first line of a capsule's manifest. An origin has no spaces:
// no manifest is a checkpoint, and no checkpoint a manifest.
const CapsuleLine = "eucora capsule v1\n"

// SignManifest signs the manifest of a capsule, and nothing else.
func (s *Signer) SignManifest(text string) ([]byte, error) {
	if !strings.HasPrefix(text, CapsuleLine) {
		return nil, fmt.Errorf("this is not the manifest of a capsule: the ledger's key does not sign it")
	}
	signed, err := note.Sign(&note.Note{Text: text}, s.signer)
	if err != nil {
		return nil, fmt.Errorf("sign manifest: %w", err)
	}
	return signed, nil
}

// OpenManifest returns the text of a signed manifest: exactly as it was signed, by
// this key and nobody else.
func (v *Verifier) OpenManifest(signed []byte) (string, error) {
	n, err := note.Open(signed, note.VerifierList(v.verifier))
	if err != nil {
		return "", fmt.Errorf("manifest: %w", err)
	}
	if !strings.HasPrefix(n.Text, CapsuleLine) {
		return "", fmt.Errorf("manifest: this is something else, signed by %s", v.verifier.Name())
	}
	if err := canonicalSignatures(n); err != nil {
		return "", fmt.Errorf("manifest: %w", err)
	}
	if string(signed) != fmt.Sprintf("%s\n— %s %s\n", n.Text, n.Sigs[0].Name, n.Sigs[0].Base64) {
		return "", fmt.Errorf("manifest: something follows the one signature that there is to be")
	}
	return n.Text, nil
}

// Name is the name of the log whose key this is.
func (v *Verifier) Name() string { return v.verifier.Name() }
