package collect

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eucora/eucora/internal/evidence"
)

// notProvenance are files of the folders that are something else.
var notProvenance = map[string]string{
	"sigstore-python__slsa_predicate_v0_2.json":            "a predicate without a statement names no file",
	"sigstore-conformance__a.txt":                          "what the bundles sign",
	"sigstore-conformance__managed-key-happy-path-key.pub": "the key of a bundle",
}

// refusedProvenance must be refused, with the reason.
var refusedProvenance = map[string]string{
	"cli__github_provenance_demo-0.0.12-py3-none-any-bundle-missing-cert.jsonl":       "nothing that is signed",
	"slsa-verifier__npm-stmt-mismatch-prov-type.intoto.sigstore":                      "is not an in-toto statement",
	"sigstore-conformance__bundle-invalid-base64-signature_fail-bundle.sigstore.json": "not base64",
	"sigstore-conformance__bundle-malformed-json_fail-bundle.sigstore.json":           "ends too early",
	"sigstore-python__bundle_invalid_version.txt.sigstore":                            "mediaType",
}

func publicKey(t *testing.T, path string) crypto.PublicKey {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("%s is not PEM", path)
	}
	if block.Type == "CERTIFICATE" {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		return c.PublicKey
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// corpusFiles calls check for each file of the corpus in the categories.
func corpusFiles(t *testing.T, dir string, categories []string, check func(t *testing.T, path, facts string)) {
	manifest, err := os.ReadFile(filepath.Join(dir, "MANIFEST.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	for _, category := range categories {
		seen := 0
		for line := range strings.Lines(string(manifest)) {
			if columns := strings.Split(line, "\t"); len(columns) > 8 && columns[1] == category {
				seen++
				t.Run(columns[0], func(t *testing.T) { check(t, columns[0], columns[8]) })
			}
		}
		if seen == 0 {
			t.Errorf("no file of %s", category)
		}
	}
}

func readCorpus(t *testing.T, kind Kind, path string) (Report, error) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return Read(kind, source(filepath.Base(path), string(text)))
}

func TestCorpusProvenance(t *testing.T) {
	dir := corpusDir(t)
	folders := []string{"prov-dsse", "prov-gcb", "prov-github", "prov-intoto-statement", "prov-npm", "prov-sigstore-bundle"}
	corpusFiles(t, dir, folders, func(t *testing.T, path, facts string) {
		r, err := readCorpus(t, Provenance, filepath.Join(dir, path))
		want, refused := refusedProvenance[filepath.Base(path)]
		if _, other := notProvenance[filepath.Base(path)]; other || refused {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("must be refused (%s): %v", want, err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		for n, a := range r.Attestations {
			prefix := ""
			if strings.Contains(facts, "shape=npm") {
				prefix = fmt.Sprintf("a%d_", n)
			}
			if a.PayloadType == inTotoPayload || a.PayloadType == "" { // others are not read, by rule
				checkAttestation(t, a, facts, prefix)
			}
			checkSignatures(t, dir, a, facts, prefix)
		}
		checkProvenanceFile(t, r, facts)
	})
	// Signatures beside a file say nothing of how it was built: no provenance.
	corpusFiles(t, dir, []string{"prov-cosign-detached"}, func(t *testing.T, path, _ string) {
		if _, err := readCorpus(t, Provenance, filepath.Join(dir, path)); err == nil {
			t.Error("a detached signature, a key or what they are over passes as provenance")
		}
	})
}

// checkAttestation compares one attestation with the facts that it has.
func checkAttestation(t *testing.T, a Attestation, facts, prefix string) {
	t.Helper()
	subject := ""
	if len(a.Subjects) > 0 {
		subject = a.Subjects[0].Name
	}
	for name, got := range map[string]string{
		"predicateType": a.PredicateType, "builder_id": a.BuilderID, "buildType": a.BuildType, "payloadType": a.PayloadType, "cert_SAN": a.Identity,
		"subjects": fmt.Sprint(len(a.Subjects)), "tlogEntries": fmt.Sprint(a.LogEntries), "rfc3161_timestamps": fmt.Sprint(a.Timestamps), "signatures": fmt.Sprint(a.Signatures),
	} {
		if want := fact(facts, prefix+name); want != "" && got != want {
			t.Errorf("%s%s is %q, want %q", prefix, name, got, want)
		}
	}
	name, digest, _ := splitAtLast(strings.TrimSuffix(fact(facts, prefix+"subject0"), "…"), " ")
	if strings.Contains(name, ":") && digest == "" || strings.HasPrefix(name, "sha") && digest == "" {
		name, digest = "", name
	}
	if name != "" && name != "None" && name != subject {
		t.Errorf("the first subject is %q, want %q", subject, name)
	}
	if algorithm, hex, ok := strings.Cut(digest, ":"); ok && !strings.HasPrefix(a.Subjects[0].Digests[algorithm], hex) {
		t.Errorf("digests %v, want %s", a.Subjects[0].Digests, digest)
	}
	if algorithm, hex, ok := strings.Cut(strings.TrimSuffix(fact(facts, "messageDigest"), "…"), ":"); ok && (algorithm != "SHA2_256" || !strings.HasPrefix(a.Subjects[0].Digests["sha256"], hex)) {
		t.Errorf("digests %v, want %s", a.Subjects[0].Digests, hex)
	}
}

func splitAtLast(text, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(text, separator); i >= 0 {
		return text[:i], text[i+len(separator):], true
	}
	return text, "", false
}

// checkSignatures verifies with the keys that we have, both ways: OpenSSL's
// verdict is a fact.
func checkSignatures(t *testing.T, dir string, a Attestation, facts, prefix string) {
	t.Helper()
	cosign := publicKey(t, filepath.Join(dir, "prov-cosign-detached/gen__cosign.pub"))
	managed := publicKey(t, filepath.Join(dir, "prov-sigstore-bundle/sigstore-conformance__managed-key-happy-path-key.pub"))
	hint := fact(facts, "material")
	wantCosign := fact(facts, "signature_vs_cosign.pub(openssl)") == "ok" || strings.Contains(hint, "CMCZgYBY1Oe2jkLLMPx5CcAf8asn")
	wantManaged := strings.Contains(hint, "TLMsSDfG3ajPsWge+z/vX5T")
	if got := a.VerifiedBy([]crypto.PublicKey{cosign}); got != wantCosign {
		t.Errorf("verified by cosign.pub: %v", got)
	}
	if got := a.VerifiedBy([]crypto.PublicKey{managed}); got != wantManaged {
		t.Errorf("verified by the managed key: %v", got)
	}
	if want := fact(facts, prefix+"signature_math_vs_leaf_cert(openssl)"); want != "" {
		leaf, err := x509.ParseCertificate(a.Certificate)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.VerifiedBy([]crypto.PublicKey{leaf.PublicKey}); got != strings.Contains(want, "ok") {
			t.Errorf("verified by the leaf: %v, want %s", got, want)
		}
	}
	if fact(facts, "artifact_digest_matches") == "yes" {
		text, err := os.ReadFile(filepath.Join(dir, "prov-sigstore-bundle/sigstore-conformance__a.txt"))
		if err != nil || !a.Names(evidence.Digest(text)) {
			t.Errorf("does not name its file: %v", err)
		}
	}
}

// checkProvenanceFile compares what the whole file says.
func checkProvenanceFile(t *testing.T, r Report, facts string) {
	t.Helper()
	for _, name := range []string{"attestations", "provenances"} {
		if want := fact(facts, name); want != "" && want != fmt.Sprint(len(r.Attestations)) {
			t.Errorf("%d attestations, want %s", len(r.Attestations), want)
		}
	}
	if want := fact(facts, "subject_digest"); r.Subject != want {
		t.Errorf("subject %q, want %q", r.Subject, want)
	}
	for n, a := range r.Attestations {
		if want := fact(facts, fmt.Sprintf("p%d_signatures", n)); want != "" && want != fmt.Sprint(a.Signatures) {
			t.Errorf("%d signatures, want %s", a.Signatures, want)
		}
	}
}

// TestDetachedSignatures: the primitives agree with OpenSSL on signatures that
// other tools made over files.
func TestDetachedSignatures(t *testing.T) {
	dir := corpusDir(t)
	folder := filepath.Join(dir, "prov-cosign-detached")
	for _, c := range []struct {
		file, signature, key string
		want                 bool
	}{
		{"../inst-msi/gen__contoso-signed.msi", "gen__contoso-signed.msi.sig", "gen__cosign.pub", true},
		{"sigstore-python__a.txt", "sigstore-python__a.txt.sig", "sigstore-python__a.txt.crt", true},
		{"sigstore-python__bad.txt", "sigstore-python__bad.txt.sig", "sigstore-python__bad.txt.crt", false},
		{"sigstore-python__a.txt", "sigstore-python__a.txt.sig", "gen__cosign.pub", false},
	} {
		message, err1 := os.ReadFile(filepath.Join(folder, c.file))
		text, err2 := os.ReadFile(filepath.Join(folder, c.signature))
		signature, err3 := fromBase64(strings.TrimSpace(string(text)))
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		if got := verified(publicKey(t, filepath.Join(folder, c.key)), message, signature); got != c.want {
			t.Errorf("%s with %s: %v", c.file, c.key, got)
		}
	}
}
