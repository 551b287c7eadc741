package attest

import (
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSummaryIsSLSAs: slsa-verifier accepts what we sign, for this artifact, this
// resource and this key, and for no others.
func TestSummaryIsSLSAs(t *testing.T) {
	program, err := exec.LookPath("../../bin/slsa-verifier")
	if err != nil && os.Getenv("EUCORA_REQUIRE_PEERS") == "1" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("make peers gets it: %v", err)
	}
	for _, algorithm := range []Algorithm{Ed25519, ECDSAP256} {
		at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
		key, err := Generate(algorithm, rand.Reader, at)
		if err != nil {
			t.Fatal(err)
		}
		other, err := Generate(algorithm, rand.Reader, at)
		if err != nil {
			t.Fatal(err)
		}
		envelope, err := NewRing([]Key{key}).SignSummary(Summary{
			Artifact: permitArtifact, Resource: "eucora:deployment/1/LAB", At: at, PolicyURI: "eucora:policy/1.1",
			PolicyDigest: strings.Repeat("0b", 32), EvidenceURI: "eucora:evidence/1", EvidenceBytes: strings.Repeat("0c", 32),
		})
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		for name, text := range map[string]string{"vsa.json": string(envelope), "key.pem": key.PublicPEM, "other.pem": other.PublicPEM, "changed.json": string(changed(envelope, "/LAB", "/PILOT"))} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		verify := func(file, digest, resource, level, keyFile string) (string, error) {
			text, err := exec.Command(program, "verify-vsa", "--attestation-path", filepath.Join(dir, file), "--subject-digest", "sha256:"+digest,
				"--verifier-id", SummaryOf, "--resource-uri", resource, "--verified-level", level,
				"--public-key-path", filepath.Join(dir, keyFile), "--public-key-id", key.ID).CombinedOutput()
			return string(text), err
		}
		const lab = "eucora:deployment/1/LAB"
		if text, err := verify("vsa.json", permitArtifact, lab, SummaryLevel, "key.pem"); err != nil {
			t.Errorf("%s: %v: %s", algorithm, err, text)
		}
		for name, c := range map[string][5]string{
			"another artifact": {"vsa.json", strings.Repeat("0d", 32), lab, SummaryLevel, "key.pem"},
			"another ring":     {"vsa.json", permitArtifact, "eucora:deployment/1/PILOT", SummaryLevel, "key.pem"},
			"a level of SLSA":  {"vsa.json", permitArtifact, lab, "SLSA_BUILD_LEVEL_1", "key.pem"},
			"another key":      {"vsa.json", permitArtifact, lab, SummaryLevel, "other.pem"},
			"changed":          {"changed.json", permitArtifact, "eucora:deployment/1/PILOT", SummaryLevel, "key.pem"},
		} {
			if text, err := verify(c[0], c[1], c[2], c[3], c[4]); err == nil {
				t.Errorf("%s, %s: %s", algorithm, name, text)
			}
		}
	}
}
