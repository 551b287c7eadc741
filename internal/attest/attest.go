// Package attest makes attestations: an evidence package as an in-toto
// statement in a DSSE envelope, signed with a key of the server, so that others
// can check with their own tools what was shown for a file. docs/attestation.md
// has the format. The package is pure: documents, keys' files, time and
// randomness are handed in.
package attest

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/eucora/eucora/internal/evidence"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// What an attestation says that it is.
const (
	StatementType = "https://in-toto.io/Statement/v1"
	PredicateType = "https://github.com/eucora/eucora/attestation/evidence/v1"
	PayloadType   = "application/vnd.in-toto+json"
)

// ErrNoKey is returned when no key of a ring signs.
var ErrNoKey = errors.New("no attestation key has its private half: eucora key create makes one")

// documentName begins the name of the subject that is the package's document.
// No artifact may be called so.
const documentName = "eucora-evidence:"

type statement struct {
	Type          string    `json:"_type"`
	Subject       []subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     predicate `json:"predicate"`
}

type subject struct {
	Name   string  `json:"name"`
	Digest digests `json:"digest"`
}

type digests struct {
	SHA256 string `json:"sha256"` // lower-case hex
}

type predicate struct {
	ContentHash string         `json:"content_hash"` // SHA-256 of Document's bytes, lower-case hex
	Document    jsontext.Value `json:"document"`
}

// Attest signs a package's document with the key of the ring that signs. The
// caller has checked that the document is what was filed. The same document and
// key give the same bytes: one line of JSON, a DSSE envelope.
func (r *Ring) Attest(document []byte) ([]byte, error) {
	if _, ok := r.Signing(); !ok {
		return nil, ErrNoKey
	}
	payload, err := Statement(document)
	if err != nil {
		return nil, err
	}
	return r.envelope(payload)
}

// envelope signs a statement with the key that signs.
func (r *Ring) envelope(payload []byte) ([]byte, error) {
	key, ok := r.Signing()
	if !ok {
		return nil, ErrNoKey
	}
	signature, err := key.sign(dsse.PAE(PayloadType, payload))
	if err != nil {
		return nil, fmt.Errorf("sign with attestation key %s: %w", key.ID, err)
	}
	encode := base64.StdEncoding.EncodeToString
	envelope, err := json.Marshal(dsse.Envelope{
		PayloadType: PayloadType, Payload: encode(payload),
		Signatures: []dsse.Signature{{KeyID: key.ID, Sig: encode(signature)}},
	})
	if err != nil {
		return nil, fmt.Errorf("write envelope: %w", err)
	}
	return append(envelope, '\n'), nil
}

// Statement is the statement about a package, from its document, in RFC 8785
// form. Everything in it is read or hashed from those bytes.
func Statement(document []byte) ([]byte, error) {
	filed, err := evidence.ReadScored(document)
	if err != nil {
		return nil, err
	}
	hash := evidence.Digest(document)
	subjects, err := subjectsOf(filed.Sections.Artifacts, documentName+filed.ID, hash)
	if err != nil {
		return nil, fmt.Errorf("evidence document %s: %w", filed.ID, err)
	}
	text, err := json.Marshal(statement{StatementType, subjects, PredicateType, predicate{hash, document}})
	if err != nil {
		return nil, fmt.Errorf("write statement: %w", err)
	}
	payload := jsontext.Value(text)
	if err := payload.Canonicalize(); err != nil {
		return nil, fmt.Errorf("write statement: %w", err)
	}
	return payload, nil
}

// artifact is what a subject is made of. Nothing is known of the members'
// form: evidence that is incomplete can be attested too.
type artifact struct {
	Name   jsontext.Value `json:"name"`
	SHA256 jsontext.Value `json:"sha256"`
	Hash   jsontext.Value `json:"hash"` // the earlier system's name for it
}

// subjectsOf lists the artifacts and, last, the document. An artifact without a
// SHA-256 is none; equal digests are one subject, under the first's name; all
// names differ.
func subjectsOf(section jsontext.Value, documentName, documentHash string) ([]subject, error) {
	var artifacts []artifact
	switch section.Kind() {
	case '{':
		artifacts = make([]artifact, 1)
		if err := json.Unmarshal(section, &artifacts[0]); err != nil {
			return nil, err
		}
	case '[':
		if err := json.Unmarshal(section, &artifacts); err != nil {
			return nil, err
		}
	}
	subjects := []subject{}
	names, hashes := map[string]bool{}, map[string]bool{documentHash: true}
	for i, a := range artifacts {
		hash, ok := a.digest()
		if !ok || hashes[hash] {
			continue
		}
		name := a.name(i)
		for names[name] {
			name += fmt.Sprintf("[%d]", i)
		}
		names[name], hashes[hash] = true, true
		subjects = append(subjects, subject{name, digests{hash}})
	}
	return append(subjects, subject{documentName, digests{documentHash}}), nil
}

// digest is the artifact's SHA-256, read as completeness reads it.
func (a artifact) digest() (hash string, ok bool) {
	value := a.SHA256
	if value == nil {
		value = a.Hash
	}
	hash = strings.ToLower(textOf(value))
	return hash, len(hash) == 64 && strings.Trim(hash, "0123456789abcdef") == ""
}

// name is the artifact's, or one made from its place.
func (a artifact) name(place int) string {
	name := textOf(a.Name)
	switch {
	case strings.TrimSpace(name) != "" && !strings.HasPrefix(name, documentName):
		return name
	case place == 0:
		return "artifact"
	}
	return fmt.Sprintf("artifact[%d]", place)
}

// textOf is a string's text, and nothing of any other value.
func textOf(value jsontext.Value) string {
	if value.Kind() != '"' {
		return ""
	}
	text, err := jsontext.AppendUnquote(nil, value)
	if err != nil {
		return ""
	}
	return string(text)
}
