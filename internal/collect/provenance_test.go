package collect

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// Small files of each shape, written by hand after what the tools write.
const (
	statementV1 = `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"app.msi","digest":{"sha256":"AB` + sixtyTwo + `","sha1":"00"}}],
		"predicateType":"https://slsa.dev/provenance/v1","predicate":{"buildDefinition":{"buildType":"https://b/v1","resolvedDependencies":[{"uri":"a"},{"uri":"b"}]},
		"runDetails":{"builder":{"id":"https://builder"}},"builder":{"id":"not this one"}}}`
	statementV02 = `{"predicate":{"builder":{"id":"https://old"},"buildType":"https://b/v0","materials":[{}]},"predicateType":"https://slsa.dev/provenance/v0.2",
		"subject":[{"uri":"pkg:npm/a","digest":null}],"_type":"https://in-toto.io/Statement/v0.1"}`
	statementOther = `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"a"}],"predicateType":"https://cyclonedx.org/bom","predicate":{"builder":"text","materials":3}}`
	sixtyTwo       = "cdefcdefcdefcdefcdefcdefcdefcdefcdefcdefcdefcdefcdefcdefcdefcd"
	bundleV03      = "application/vnd.dev.sigstore.bundle.v0.3+json"
)

// dsse is an envelope around a payload with signatures.
func dsse(payloadType, payload string, signatures ...[]byte) string {
	var list []string
	for _, s := range signatures {
		list = append(list, `{"keyid":"k","sig":"`+base64.StdEncoding.EncodeToString(s)+`"}`)
	}
	return `{"payloadType":"` + payloadType + `","payload":"` + base64.URLEncoding.EncodeToString([]byte(payload)) + `","signatures":[` + strings.Join(list, ",") + `]}`
}

func dsseBundle(mediaType, envelope string) string {
	return `{"mediaType":"` + mediaType + `","verificationMaterial":{"publicKey":{"hint":"h"},"tlogEntries":[{},{}],"timestampVerificationData":null},"dsseEnvelope":` + envelope + `}`
}

func fileBundle(digest, signature []byte) string {
	b64 := base64.StdEncoding.EncodeToString
	return `{"mediaType":"` + bundleV03 + `","messageSignature":{"messageDigest":{"algorithm":"SHA2_256","digest":"` + b64(digest) + `"},"signature":"` + b64(signature) + `"}}`
}

func provenanceSamples() map[string]string {
	envelope := dsse(inTotoPayload, statementV1, []byte("x"))
	return map[string]string{
		"in-toto statement": statementV1, "DSSE envelope": envelope, "Sigstore bundle": dsseBundle(bundleV03, envelope),
		"npm or GitHub attestations":    `{"attestations":[{"predicateType":"https://slsa.dev/provenance/v1","bundle":` + dsseBundle("application/vnd.dev.sigstore.bundle+json;version=0.1", envelope) + `}]}`,
		"Google Cloud Build provenance": `{"image_summary":{"digest":"sha256:ab"},"provenance_summary":{"provenance":[{"build":{"intotoStatement":{}},"envelope":` + envelope + `}]}}`,
	}
}

func TestProvenanceShapes(t *testing.T) {
	for format, text := range provenanceSamples() {
		r := read(t, Provenance, text)
		if r.Format != format || len(r.Attestations) != 1 {
			t.Fatalf("%s: %s with %d", format, r.Format, len(r.Attestations))
		}
		a := r.Attestations[0]
		if !a.Provenance() || a.BuilderID != "https://builder" || a.BuildType != "https://b/v1" || a.Dependencies != 2 ||
			!a.Names("ab"+sixtyTwo) || a.Names("") || a.Names(sixtyTwo+"00") || a.VerifiedBy(nil) {
			t.Errorf("%s: %+v", format, a)
		}
		if unsigned := format == "in-toto statement"; unsigned != (a.Signatures == 0) || unsigned != (a.Envelope == nil) {
			t.Errorf("%s: %d signatures", format, a.Signatures)
		}
	}
	lines := strings.ReplaceAll(statementV1, "\n", "") + "\r\n\r\n" + dsse(inTotoPayload, statementV02, nil) + "\n" + dsse("text/plain", "hello") + "\n"
	for _, text := range []string{lines, "\xef\xbb\xbf" + lines, "[" + statementV1 + "," + dsse(inTotoPayload, statementV02, nil) + "," + dsse("text/plain", "hello") + "]"} {
		r := read(t, Provenance, text)
		if len(r.Attestations) != 3 {
			t.Fatalf("%d attestations", len(r.Attestations))
		}
		old, other := r.Attestations[1], r.Attestations[2]
		if !old.Provenance() || old.BuilderID != "https://old" || old.Dependencies != 1 || old.Subjects[0].Name != "pkg:npm/a" || old.Signatures != 1 {
			t.Errorf("%+v", old)
		}
		if other.PayloadType != "text/plain" || other.Provenance() || len(other.Subjects) != 0 {
			t.Errorf("a payload of another type was read: %+v", other)
		}
	}
	if a := read(t, Provenance, statementOther).Attestations[0]; a.Provenance() || a.BuilderID != "" || a.Dependencies != 0 {
		t.Errorf("another predicate: %+v", a)
	}
}

func TestProvenanceHostile(t *testing.T) {
	change := func(from, to string) string { return strings.Replace(statementV1, from, to, 1) }
	many := strings.Repeat(`{"name":"a"},`, maxSubjects)
	digests := ""
	for n := range maxDigests + 1 {
		digests += fmt.Sprintf(`,"a%d":"0"`, n)
	}
	for name, c := range map[string]struct{ text, want string }{
		"other statement":    {change("Statement/v1", "Statement/v9"), "is not an in-toto statement"},
		"no subject":         {change(`"subject":[`, `"subject":null,"x":[`), "about no file"},
		"empty subject":      {dsse(inTotoPayload, `{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"x"}`), "about no file"},
		"no predicate type":  {change(`"https://slsa.dev/provenance/v1"`, `""`), "no predicateType"},
		"odd builder":        {change(`"builder":{"id":"https://builder"}`, `"builder":["https://builder"]`), "form of SLSA"},
		"odd dependencies":   {change(`"resolvedDependencies":[`, `"resolvedDependencies":7,"x":[`), "form of SLSA"},
		"subject is text":    {change(`"subject":[`, `"subject":"app","x":[`), "JSON"},
		"digest is a number": {change(`"sha1":"00"`, `"sha1":0`), "must not be a JSON number"},
		"two subjects lists": {change(`"subject":[`, `"subject":[],"subject":[`), "duplicate"},
		"truncated":          {statementV1[:len(statementV1)-2], "ends too early"},
		"something follows":  {statementV1 + "x", ""},
		"another follows":    {statementV1 + `{"a":1}`, "attestation 2"},
		"two shapes":         {change(`{"_type"`, `{"payload":"","payloadType":"","_type"`), "several at once"},
		"not base64":         {`{"payloadType":"` + inTotoPayload + `","payload":"*","signatures":[]}`, "not base64"},
		"bad signature":      {`{"payloadType":"` + inTotoPayload + `","payload":"","signatures":[{"sig":"*"}]}`, "not base64"},
		"empty payload":      {dsse(inTotoPayload, ""), "ends too early"},
		"payload follows":    {dsse(inTotoPayload, statementV1+"{}"), "something follows"},
		"duplicate inside":   {dsse(inTotoPayload, `{"_type":"a","_type":"b"}`), "duplicate"},
		"other payload only": {dsse("text/plain", "hello"), "is not " + inTotoPayload},
		"other bundle":       {dsseBundle("application/vnd.dev.sigstore.bundle.v9+json", dsse(inTotoPayload, statementV1)), "mediaType"},
		"empty bundle":       {`{"mediaType":"` + bundleV03 + `","verificationMaterial":{}}`, "nothing that is signed"},
		"both":               {strings.Replace(fileBundle([]byte("d"), nil), `"messageSignature"`, `"dsseEnvelope":{},"messageSignature"`, 1), "at once"},
		"no digest":          {`{"mediaType":"` + bundleV03 + `","messageSignature":{"signature":"AA"}}`, "which file"},
		"bad certificate":    {strings.Replace(dsseBundle(bundleV03, dsse(inTotoPayload, statementV1)), `"publicKey":{"hint":"h"}`, `"certificate":{"rawBytes":"AAAA"}`, 1), "certificate"},
		"other predicate":    {`{"attestations":[{"predicateType":"x","bundle":` + dsseBundle(bundleV03, dsse(inTotoPayload, statementV1)) + `}]}`, "is signed"},
		"no attestations":    {`{"attestations":[]}`, "no attestation"},
		"null attestations":  {`{"attestations":null}`, "no attestation"},
		"no envelope":        {`{"provenance_summary":{"provenance":[{"build":{}}]}}`, "no envelope"},
		"nothing built":      {`{"provenance_summary":{"provenance":[]}}`, "no attestation"},
		"null line":          {statementV1 + "\nnull\n", "is no attestation"},
		"many subjects":      {change(`"subject":[`, `"subject":[`+many), "subjects"},
		"many digests":       {change(`"sha1":"00"`, `"sha1":"00"`+digests), "digests"},
		"many signatures":    {dsse(inTotoPayload, statementV1, make([][]byte, maxSignatures+1)...), "signatures"},
		"many lines":         {strings.Repeat(strings.ReplaceAll(statementOther, "\n", "")+"\n", maxAttestations+1), "attestations"},
		"deep":               {`{"_type":"a","predicateType":"b","predicate":` + strings.Repeat("[", 1<<20), "depth"},
		"large payload":      {`{"payloadType":"a","payload":"` + strings.Repeat("A", maxValue+1<<20) + `"}`, "larger than"},
		"large in sum":       {strings.Repeat(dsse("text/plain", strings.Repeat("a", 8<<20)), 9), "more than"},
	} {
		_, err := Read(Provenance, source("evil.jsonl", c.text))
		if failed, ok := errors.AsType[*ReadError](err); !ok || failed.File != "evil.jsonl" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// signer is a key and what it signs with.
type signer struct {
	crypto.Signer
	options crypto.SignerOpts
}

func signers(t *testing.T) map[string]signer {
	t.Helper()
	_, ed, err1 := ed25519.GenerateKey(rand.Reader)
	p256, err2 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, err3 := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	key, err4 := rsa.GenerateKey(rand.Reader, 2048)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	return map[string]signer{
		"Ed25519": {ed, crypto.Hash(0)}, "P-256": {p256, crypto.SHA256}, "P-384": {p384, crypto.SHA384}, "P-384 with SHA-256": {p384, crypto.SHA256},
		"RSA PKCS #1": {key, crypto.SHA256}, "RSA PSS": {key, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA512}},
	}
}

func (s signer) sign(t *testing.T, message []byte) []byte {
	t.Helper()
	switch s.options.HashFunc() {
	case crypto.SHA256:
		sum := sha256.Sum256(message)
		message = sum[:]
	case crypto.SHA384:
		sum := sha512.Sum384(message)
		message = sum[:]
	case crypto.SHA512:
		sum := sha512.Sum512(message)
		message = sum[:]
	}
	signature, err := s.Sign(rand.Reader, message, s.options)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// TestVerifiedBy: a signature holds with its key, over its payload and its
// payload type, and in no other way.
func TestVerifiedBy(t *testing.T) {
	stranger := signers(t)
	for name, s := range signers(t) {
		keys := []crypto.PublicKey{s.Public()}
		signature := s.sign(t, []byte("DSSEv1 28 "+inTotoPayload+fmt.Sprintf(" %d ", len(statementV1))+statementV1))
		first := func(text string) Attestation { return read(t, Provenance, text).Attestations[0] }
		good := first(dsse(inTotoPayload, statementV1, []byte("junk"), signature))
		if !good.VerifiedBy(append([]crypto.PublicKey{stranger[name].Public(), nil, "text"}, keys...)) {
			t.Errorf("%s: does not verify", name)
		}
		if good.VerifiedBy([]crypto.PublicKey{stranger[name].Public()}) || good.VerifiedBy(nil) {
			t.Errorf("%s: a stranger's key verifies", name)
		}
		for what, text := range map[string]string{
			"other payload": dsse(inTotoPayload, strings.Replace(statementV1, "builder", "bui1der", 1), signature),
			"other type":    dsse("text/plain", statementV1, signature) + dsse(inTotoPayload, statementV1),
			"no signature":  dsse(inTotoPayload, statementV1), "empty signature": dsse(inTotoPayload, statementV1, nil),
			"cut": dsse(inTotoPayload, statementV1, signature[:len(signature)-1]), "no envelope": statementV1,
		} {
			if first(text).VerifiedBy(keys) {
				t.Errorf("%s: %s verifies", name, what)
			}
		}
		sum, other := sha256.Sum256([]byte("the file")), sha256.Sum256([]byte("another"))
		signature = s.sign(t, []byte("the file"))
		file := first(fileBundle(sum[:], signature))
		want := name != "Ed25519" && s.options.HashFunc() == crypto.SHA256
		if file.VerifiedBy(keys) != want || first(fileBundle(other[:], signature)).VerifiedBy(keys) || file.Provenance() {
			t.Errorf("%s: a signature over a file: %v, want %v", name, file.VerifiedBy(keys), want)
		}
	}
	for _, key := range []crypto.PublicKey{nil, (*ecdsa.PublicKey)(nil), (*rsa.PublicKey)(nil), &ecdsa.PublicKey{}, &rsa.PublicKey{}, ed25519.PublicKey{1}} {
		if verified(key, []byte("a"), []byte("b")) {
			t.Errorf("%T verifies", key)
		}
	}
}

func FuzzProvenance(f *testing.F) {
	for _, text := range provenanceSamples() {
		f.Add([]byte(text))
	}
	f.Add([]byte(statementV1 + "\n" + dsse(inTotoPayload, statementV02, []byte("x")) + dsse("text/plain", "a")))
	f.Add([]byte(fileBundle([]byte("digest"), []byte("signature"))))
	key := ed25519.PublicKey(make([]byte, ed25519.PublicKeySize))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Read(Provenance, source("f", string(data)))
		if err != nil {
			if _, ok := errors.AsType[*ReadError](err); !ok {
				t.Fatalf("an error of type %T", err)
			}
			return
		}
		subjects := 0
		for _, a := range r.Attestations {
			subjects += len(a.Subjects)
			if a.Signatures != len(a.signatures) || a.VerifiedBy(nil) || (a.Provenance() && len(a.Subjects) == 0) || a.Names("") {
				t.Fatalf("%+v", a)
			}
			a.VerifiedBy([]crypto.PublicKey{key})
		}
		if subjects == 0 {
			t.Fatal("says nothing about any file")
		}
	})
}
