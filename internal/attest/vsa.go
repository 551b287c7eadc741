package attest

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// What a verification summary says that it is, and who verified. The level is not
// SLSA's: how the artifact was built is in its evidence, and not judged here.
const (
	SummaryType  = "https://slsa.dev/verification_summary/v1"
	SummaryOf    = "https://github.com/eucora/eucora/gate/v1"
	SummaryLevel = "EUCORA_GATE_OPEN"
	slsaVersion  = "1.1"
)

// Summary is what the deployment gate found of an artifact at a moment, for those
// who read SLSA's Verification Summary Attestations. It has no end: a permit has.
type Summary struct {
	Artifact      string // SHA-256, as all digests here: lower-case hex
	Resource      string // what it may become, a URI
	At            time.Time
	PolicyURI     string
	PolicyDigest  string
	EvidenceURI   string
	EvidenceBytes string // digest of the evidence's document
}

type summaryStatement struct {
	Type          string    `json:"_type"`
	Subject       []subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     summary   `json:"predicate"`
}

type summary struct {
	Verifier           verifier   `json:"verifier"`
	TimeVerified       time.Time  `json:"timeVerified"`
	ResourceURI        string     `json:"resourceUri"`
	Policy             resource   `json:"policy"`
	InputAttestations  []resource `json:"inputAttestations"`
	VerificationResult string     `json:"verificationResult"`
	VerifiedLevels     []string   `json:"verifiedLevels"`
	SLSAVersion        string     `json:"slsaVersion"`
}

type verifier struct {
	ID string `json:"id"`
}

type resource struct {
	URI    string  `json:"uri"`
	Digest digests `json:"digest"`
}

// SignSummary signs a summary of a gate that was open. There is none of one that was
// closed: who has no summary has no yes.
func (r *Ring) SignSummary(s Summary) ([]byte, error) {
	text, err := json.Marshal(summaryStatement{
		StatementType, []subject{{"artifact", digests{s.Artifact}}}, SummaryType, summary{
			Verifier: verifier{SummaryOf}, TimeVerified: s.At, ResourceURI: s.Resource,
			Policy:             resource{s.PolicyURI, digests{s.PolicyDigest}},
			InputAttestations:  []resource{{s.EvidenceURI, digests{s.EvidenceBytes}}},
			VerificationResult: "PASSED", VerifiedLevels: []string{SummaryLevel}, SLSAVersion: slsaVersion,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("write summary: %w", err)
	}
	payload := jsontext.Value(text)
	if err := payload.Canonicalize(); err != nil {
		return nil, fmt.Errorf("write summary: %w", err)
	}
	return r.envelope(payload)
}
