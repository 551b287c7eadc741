package ledger

import (
	"encoding/base64"
	"fmt"
	"io"
	"regexp"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is a tree's size and root under the log's name.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   Hash
}

// Signer signs checkpoints with the ledger's Ed25519 key.
type Signer struct {
	signer note.Signer
	key    string // the verifier key
}

// Verifier opens checkpoints signed by one key.
type Verifier struct{ verifier note.Verifier }

var originForm = regexp.MustCompile(`^[a-z0-9][a-z0-9./-]{0,199}$`)

// GenerateKey makes a new key for a log named origin (a schema-less URL). The
// secret is one line of text in the signed-note form; it belongs in a file that
// only the server can read.
func GenerateKey(origin string, random io.Reader) (secret string, err error) {
	if !originForm.MatchString(origin) {
		return "", fmt.Errorf("ledger origin %q: want lower-case letters, digits, dots, dashes and slashes", origin)
	}
	secret, _, err = note.GenerateKey(random, origin)
	if err != nil {
		return "", fmt.Errorf("generate ledger key: %w", err)
	}
	return secret, nil
}

// NewSigner reads a secret made by [GenerateKey].
func NewSigner(secret string) (*Signer, error) {
	secret = strings.TrimSpace(secret)
	signer, err := note.NewSigner(secret)
	if err != nil {
		return nil, fmt.Errorf("this is not a ledger key (want one line beginning PRIVATE+KEY+)") // without the text: it may be a secret
	}
	key, err := verifierKey(secret)
	if err != nil {
		return nil, fmt.Errorf("this is not a ledger key of a kind that can be used")
	}
	return &Signer{signer, key}, nil
}

// Origin is the log's name.
func (s *Signer) Origin() string { return s.signer.Name() }

// VerifierKey is the public key in the signed-note form, for auditors to keep.
func (s *Signer) VerifierKey() string { return s.key }

// Sign makes the signed checkpoint of a tree of this log.
func (s *Signer) Sign(size int64, root Hash) ([]byte, error) {
	text := fmt.Sprintf("%s\n%d\n%s\n", s.Origin(), size, root)
	signed, err := note.Sign(&note.Note{Text: text}, s.signer)
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint: %w", err)
	}
	return signed, nil
}

// NewVerifier reads a public key in the signed-note form.
func NewVerifier(key string) (*Verifier, error) {
	verifier, err := note.NewVerifier(strings.TrimSpace(key))
	if err != nil {
		return nil, fmt.Errorf("this is not a ledger's verifier key: %w", err)
	}
	return &Verifier{verifier}, nil
}

// Open checks a signed checkpoint: signed by the key, of the key's log, and in
// exactly the three lines that we write.
func (v *Verifier) Open(signed []byte) (Checkpoint, error) {
	n, err := note.Open(signed, note.VerifierList(v.verifier))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	if err := canonicalSignatures(n); err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	origin, rest, _ := strings.Cut(n.Text, "\n")
	tree, err := tlog.ParseTree([]byte("go.sum database tree\n" + rest))
	if err != nil || origin != v.verifier.Name() || n.Text != fmt.Sprintf("%s\n%d\n%s\n", origin, tree.N, tree.Hash) {
		return Checkpoint{}, fmt.Errorf("checkpoint: not a checkpoint of %s", v.verifier.Name())
	}
	return Checkpoint{Origin: origin, Size: tree.N, Root: tree.Hash}, nil
}

// canonicalSignatures: one encoding only; spare bits would let a byte be changed
// unseen.
func canonicalSignatures(n *note.Note) error {
	for _, signature := range n.Sigs {
		if _, err := base64.StdEncoding.Strict().DecodeString(signature.Base64); err != nil {
			return fmt.Errorf("the signature is not in canonical base64")
		}
	}
	return nil
}
