package attest

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/evidence"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/secure-systems-lab/go-securesystemslib/signerverifier"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

const packageID = "01a210c6-15e6-7dca-847e-e799b971946a"

// documentOf is the document of a package with some evidence.
func documentOf(t testing.TB, data string) []byte {
	t.Helper()
	canonical, err := evidence.Canonical([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	sections, err := evidence.ParseSections(canonical)
	if err != nil {
		t.Fatal(err)
	}
	document, err := evidence.Record{
		ID: packageID, DeploymentIntentID: "01a210c6-15d1-7a79-a7c7-50303c7cbf63", CorrelationID: "c", AppName: "Füllhorn", Version: "1", TargetRing: "LAB",
		CreatedBy: evidence.Person{ID: "p", Username: "erin"}, CreatedAt: noon, Sections: sections, Completeness: sections.Completeness(),
		Attachments: []evidence.Attachment{{Format: "Trivy JSON", Version: "2", MediaType: "application/json", Name: "t.json", Role: evidence.ScanFile, SHA256: a64, Size: 7, Tool: "trivy"}},
		Origins: []evidence.Origin{{
			Declared: []byte("0"), Origin: evidence.IsDerived, Path: "scan_results.high",
			Sources: []evidence.OriginSource{{Attachment: a64, Version: "2", Parser: "Trivy JSON"}},
		}},
		Notes: []string{"empty.json: the scan looked at nothing"},
		Assessment: evidence.Assessment{ModelVersion: "1.0", ModelDigest: a64, Score: 1108, Formula: "Σ", Factors: []evidence.Factor{
			{Bucket: "> 90", Contribution: 1108, Input: "95", MaxPoints: 30, Name: "coverage", Rationale: "good", Share: "1", Source: "test_results.coverage_percent", State: "known", Value: "0", Weight: "0.20"},
		}},
	}.Document()
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func newKey(t testing.TB, algorithm Algorithm, at time.Time) Key {
	t.Helper()
	k, err := Generate(algorithm, rand.Reader, at)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var (
	a64 = strings.Repeat("a", 64)
	b64 = strings.Repeat("b", 64)
)

// TestSubjects: which files an attestation is about, and what they are called.
func TestSubjects(t *testing.T) {
	for _, c := range []struct{ name, artifacts, want string }{
		{"no section", `{}`, ``},
		{"no artifacts", `{"artifacts":[]}`, ``},
		{"one object", `{"artifacts":{"name":"a.msi","sha256":"A"}}`, `a.msi A`},
		{"several", `{"artifacts":[{"name":"a.msi","sha256":"A"},{"name":"b.msi","sha256":"B"}]}`, `a.msi A, b.msi B`},
		{"without a name", `{"artifacts":{"sha256":"A"}}`, `artifact A`},
		{"several without a name", `{"artifacts":[{"sha256":"A"},{"name":" ","sha256":"B"}]}`, `artifact A, artifact[1] B`},
		{"a name that is no text", `{"artifacts":[{"name":7,"sha256":"A"}]}`, `artifact A`},
		{"the earlier system's name", `{"artifacts":{"name":"a","hash":"A"}}`, `a A`},
		{"the earlier system's name does not stand in for a bad one", `{"artifacts":{"name":"a","hash":"A","sha256":null}}`, ``},
		{"upper case", `{"artifacts":{"name":"a","sha256":"` + strings.ToUpper(a64) + `"}}`, `a A`},
		{"no digest", `{"artifacts":[{"name":"a"},{"name":"b","sha256":"` + a64[1:] + `"},{"name":"c","sha256":"` + strings.Repeat("z", 64) + `"},{"name":"d","sha256":["A"]}]}`, ``},
		{"the same digest twice", `{"artifacts":[{"name":"a","sha256":"A"},{"name":"b","sha256":"A"}]}`, `a A`},
		{"the same name twice", `{"artifacts":[{"name":"a","sha256":"A"},{"name":"a","sha256":"B"}]}`, `a A, a[1] B`},
		{"a name that is made for another", `{"artifacts":[{"name":"artifact[1]","sha256":"A"},{"sha256":"B"}]}`, `artifact[1] A, artifact[1][1] B`},
		{"the document's name", `{"artifacts":{"name":"eucora-evidence:` + packageID + `","sha256":"A"}}`, `artifact A`},
	} {
		t.Run(c.name, func(t *testing.T) {
			document := documentOf(t, strings.NewReplacer(`"A"`, `"`+a64+`"`, `"B"`, `"`+b64+`"`).Replace(c.artifacts))
			s := statementOf(t, document)
			var got []string
			for _, subject := range s.Subject[:len(s.Subject)-1] {
				got = append(got, subject.Name+" "+strings.ToUpper(subject.Digest.SHA256[:1]))
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			last := subject{"eucora-evidence:" + packageID, digests{evidence.Digest(document)}}
			if diff := cmp.Diff(last, s.Subject[len(s.Subject)-1]); diff != "" {
				t.Errorf("the last subject is not the document: %s", diff)
			}
		})
	}
}

func statementOf(t testing.TB, document []byte) statement {
	t.Helper()
	text, err := Statement(document)
	if err != nil {
		t.Fatal(err)
	}
	var s statement
	if err := json.Unmarshal(text, &s, json.RejectUnknownMembers(true)); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStatement: the document stands in the statement byte for byte, the whole
// is canonical, and says what it is; also when it is larger than what may be
// sent in.
func TestStatement(t *testing.T) {
	for _, filler := range []string{"", strings.Repeat(`€"`, 209_700)} {
		document := documentOf(t, fmt.Sprintf(`{"rollback_plan":{"a":1.5,"x":%q}}`, filler))
		text, err := Statement(document)
		if err != nil {
			t.Fatal(err)
		}
		again := jsontext.Value(strings.Clone(string(text)))
		if err := again.Canonicalize(); err != nil || string(again) != string(text) {
			t.Errorf("not in canonical form (%v)", err)
		}
		if !strings.Contains(string(text), `"document":`+string(document)+`}`) {
			t.Error("the document's bytes are not in the statement as they are")
		}
		s := statementOf(t, document)
		if s.Type != "https://in-toto.io/Statement/v1" || s.PredicateType != PredicateType || s.Predicate.ContentHash != evidence.Digest(document) {
			t.Errorf("%s %s %s", s.Type, s.PredicateType, s.Predicate.ContentHash)
		}
	}
	for _, text := range []string{``, `{}`, `[`, `{"schema":"eucora.evidence/2"}`, `{"schema":"eucora.evidence/1","evidence_data":{"artifacts":[7]}}`} {
		if got, err := Statement([]byte(text)); err == nil {
			t.Errorf("%q gives %s", text, got)
		}
	}
}

// verifierOf is an independent verifier with a public key in PEM.
func verifierOf(t testing.TB, k Key) *dsse.EnvelopeVerifier {
	t.Helper()
	key, err := signerverifier.LoadKey([]byte(k.PublicPEM))
	if err != nil {
		t.Fatal(err)
	}
	key.KeyID = k.ID
	var v dsse.Verifier
	if key.KeyType == signerverifier.ECDSAKeyType {
		v, err = signerverifier.NewECDSASignerVerifierFromSSLibKey(key)
	} else {
		v, err = signerverifier.NewED25519SignerVerifierFromSSLibKey(key)
	}
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := dsse.NewEnvelopeVerifier(v)
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}

// TestAttest: another implementation verifies what is signed, and nothing that
// was changed; the same document and key give the same bytes.
func TestAttest(t *testing.T) {
	document := documentOf(t, `{"artifacts":{"name":"a","sha256":"`+a64+`"}}`)
	for _, algorithm := range []Algorithm{Ed25519, ECDSAP256} {
		t.Run(string(algorithm), func(t *testing.T) {
			key, other := newKey(t, algorithm, noon), newKey(t, algorithm, noon)
			text, err := NewRing([]Key{key}).Attest(document)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := NewRing([]Key{key}).Attest(document); err != nil || string(again) != string(text) {
				t.Errorf("signed again, it is another: %v", err)
			}
			if strings.Count(string(text), "\n") != 1 || !strings.HasSuffix(string(text), "\n") {
				t.Error("not one line")
			}
			envelope := func() *dsse.Envelope {
				var e dsse.Envelope
				if err := json.Unmarshal(text, &e, json.RejectUnknownMembers(true)); err != nil {
					t.Fatal(err)
				}
				return &e
			}
			accepted, payload, err := verifierOf(t, key).VerifyAndDecode(context.Background(), envelope())
			if err != nil || len(accepted) != 1 || accepted[0].KeyID != key.ID {
				t.Fatalf("accepted %v: %v", accepted, err)
			}
			if want, err := Statement(document); err != nil || string(want) != string(payload) {
				t.Errorf("the payload is not the statement: %v", err)
			}
			if _, err := verifierOf(t, other).Verify(context.Background(), envelope()); err == nil {
				t.Error("another key verifies it")
			}
			for name, spoil := range map[string]func(*dsse.Envelope){
				"payload":      func(e *dsse.Envelope) { e.Payload = base64.StdEncoding.EncodeToString(append(payload, ' ')) },
				"payload type": func(e *dsse.Envelope) { e.PayloadType = "application/json" },
				"signature":    func(e *dsse.Envelope) { e.Signatures[0].Sig = "AAAA" },
			} {
				e := envelope()
				spoil(e)
				if _, err := verifierOf(t, key).Verify(context.Background(), e); err == nil {
					t.Errorf("verifies with another %s", name)
				}
			}
		})
	}
	if _, err := NewRing(nil).Attest(document); err != ErrNoKey {
		t.Errorf("without a key: %v", err)
	}
}

// FuzzStatement: whatever artifacts somebody files, the statement has subjects
// with digests and names that differ, and the document is the last of them.
func FuzzStatement(f *testing.F) {
	f.Add(`[{"name":"a","sha256":"` + a64 + `"},{"name":"a","hash":"` + b64 + `"},{"sha256":7},{}]`)
	f.Add(`{"name":"eucora-evidence:x","sha256":"` + strings.ToUpper(b64) + `"}`)
	f.Add(`{"name":"\ud83d\ude00","sha256":null,"Sha256":"x"}`)
	f.Fuzz(func(t *testing.T, artifacts string) {
		canonical, err := evidence.Canonical([]byte(`{"artifacts":` + artifacts + `}`))
		if err != nil {
			t.Skip()
		}
		if _, err := evidence.ParseSections(canonical); err != nil {
			t.Skip()
		}
		document := documentOf(t, string(canonical))
		s := statementOf(t, document)
		names, hashes := map[string]bool{}, map[string]bool{}
		for i, subject := range s.Subject {
			if len(subject.Digest.SHA256) != 64 || names[subject.Name] || hashes[subject.Digest.SHA256] || subject.Name == "" {
				t.Errorf("subject %d: %+v", i, subject)
			}
			names[subject.Name], hashes[subject.Digest.SHA256] = true, true
		}
		if last := s.Subject[len(s.Subject)-1]; last.Digest.SHA256 != evidence.Digest(document) {
			t.Errorf("the last subject is %+v", last)
		}
	})
}
