package evidence

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Schema names the form of the document, so that a later form can be told
// apart.
const Schema = "eucora.evidence/1"

// Person is somebody by value.
type Person struct {
	ID       string `json:"id"`
	Username string `json:"username"`
}

// Assessment is what a risk model said of a package, as data.
type Assessment struct {
	ModelVersion string
	ModelDigest  string // SHA-256 of the model's canonical form
	Score        Score
	Formula      string
	Factors      []Factor
}

// Factor is one factor's part in a score. The members stand in the order of
// their JSON names, which is the order of RFC 8785.
type Factor struct {
	Bucket       string `json:"bucket"`
	Contribution Score  `json:"contribution"` // contributions sum to the score
	Input        string `json:"input"`        // the value as read; empty when there was none
	MaxPoints    int    `json:"max_points"`
	Name         string `json:"name"`
	Points       int    `json:"points"`
	Rationale    string `json:"rationale"`
	Share        string `json:"share"`  // share of the model's total weight
	Source       string `json:"source"` // the fact it was read from
	State        string `json:"state"`  // known, missing, invalid
	Value        string `json:"value"`  // points as a share of the highest, 0 to 100
	Weight       string `json:"weight"`
}

// Attachment is a file that belongs to the package, and what it was read as.
type Attachment struct {
	Format    string `json:"format,omitzero"`         // empty for a file that is not looked into
	Version   string `json:"format_version,omitzero"` // as the file states it
	MediaType string `json:"media_type"`
	Name      string `json:"name,omitzero"` // as it was sent; for people only
	Role      Role   `json:"role"`
	SHA256    string `json:"sha256"`
	Size      int64  `json:"size"`          // in bytes
	Tool      string `json:"tool,omitzero"` // that wrote it, as it says
}

// Role is what an attachment is for.
type Role string

// The roles of attachments.
const (
	ArtifactFile   Role = "artifact"
	SBOMFile       Role = "sbom"
	ScanFile       Role = "scan"
	TestsFile      Role = "tests"
	CoverageFile   Role = "coverage"
	ComplexityFile Role = "complexity"
	VEXFile        Role = "vex"
	ProvenanceFile Role = "provenance"
	PackagingFile  Role = "packaging"
)

// Roles lists the roles of attachments.
func Roles() []Role {
	return []Role{ArtifactFile, SBOMFile, ScanFile, TestsFile, CoverageFile, ComplexityFile, VEXFile, ProvenanceFile, PackagingFile}
}

// Record is a whole evidence package: what its document says.
type Record struct {
	ID                 string
	DeploymentIntentID string
	CorrelationID      string
	AppName            string
	Version            string
	TargetRing         string
	CreatedBy          Person
	CreatedAt          time.Time // UTC, whole microseconds
	Sections           Sections
	Attachments        []Attachment
	Origins            []Origin // of values, where there are attachments
	Notes              []string // what a reader should know of the attachments
	Completeness       Completeness
	Assessment         Assessment
}

// document is the record as it is written. Its members, and those of the
// structs in it, stand in the order of RFC 8785, so that encoding it gives the
// canonical form at once; TestDocumentIsCanonical holds that.
type document struct {
	Attachments        []Attachment    `json:"attachments"`
	CompletenessCheck  map[string]bool `json:"completeness_check"`
	CorrelationID      string          `json:"correlation_id"`
	CreatedAt          time.Time       `json:"created_at"`
	CreatedBy          Person          `json:"created_by"`
	DeploymentIntentID string          `json:"deployment_intent_id"`
	EvidenceData       Sections        `json:"evidence_data"`
	Formula            string          `json:"formula"`
	ID                 string          `json:"id"`
	Intent             intent          `json:"intent"`
	IsComplete         bool            `json:"is_complete"`
	Missing            []string        `json:"missing"`
	Notes              []string        `json:"notes,omitzero"`
	Origins            []Origin        `json:"origins,omitzero"`
	RiskFactors        []Factor        `json:"risk_factors"`
	RiskModelDigest    string          `json:"risk_model_digest"`
	RiskModelVersion   string          `json:"risk_model_version"`
	RiskScore          Score           `json:"risk_score"`
	Schema             string          `json:"schema"`
}

type intent struct {
	AppName    string `json:"app_name"`
	TargetRing string `json:"target_ring"`
	Version    string `json:"version"`
}

// Document writes the record in RFC 8785 form: the bytes that are stored,
// hashed and served.
func (r Record) Document() ([]byte, error) {
	d := document{
		Attachments: r.Attachments, CompletenessCheck: r.Completeness.Sections, CorrelationID: r.CorrelationID,
		CreatedAt: r.CreatedAt, CreatedBy: r.CreatedBy, DeploymentIntentID: r.DeploymentIntentID,
		EvidenceData: r.Sections, Formula: r.Assessment.Formula, ID: r.ID,
		Intent:     intent{AppName: r.AppName, TargetRing: r.TargetRing, Version: r.Version},
		IsComplete: r.Completeness.Complete, Missing: r.Completeness.Missing, Notes: r.Notes, Origins: r.Origins, RiskFactors: r.Assessment.Factors,
		RiskModelDigest: r.Assessment.ModelDigest, RiskModelVersion: r.Assessment.ModelVersion,
		RiskScore: r.Assessment.Score, Schema: Schema,
	}
	text, err := json.Marshal(d, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("write evidence document %s: %w", r.ID, err)
	}
	return text, nil
}

// ParseDocument reads what [Record.Document] wrote.
func ParseDocument(text []byte) (Record, error) {
	var d document
	if err := json.Unmarshal(text, &d, json.RejectUnknownMembers(true)); err != nil {
		return Record{}, fmt.Errorf("read evidence document: %w", err)
	}
	if d.Schema != Schema {
		return Record{}, fmt.Errorf("read evidence document: schema %q, want %q", d.Schema, Schema)
	}
	return Record{
		ID: d.ID, DeploymentIntentID: d.DeploymentIntentID, CorrelationID: d.CorrelationID,
		AppName: d.Intent.AppName, Version: d.Intent.Version, TargetRing: d.Intent.TargetRing,
		CreatedBy: d.CreatedBy, CreatedAt: d.CreatedAt.UTC(), Sections: d.EvidenceData,
		Attachments: d.Attachments, Origins: d.Origins, Notes: d.Notes,
		Completeness: Completeness{Complete: d.IsComplete, Sections: d.CompletenessCheck, Missing: d.Missing},
		Assessment: Assessment{
			ModelVersion: d.RiskModelVersion, ModelDigest: d.RiskModelDigest, Score: d.RiskScore,
			Formula: d.Formula, Factors: d.RiskFactors,
		},
	}, nil
}

// Scored is the part of a document that the gate reads.
type Scored struct {
	ID                 string
	DeploymentIntentID string
	Sections           Sections
	Origins            []Origin
	Attachments        []Attachment
	Score              Score
	ModelVersion       string
}

// ReadScored reads the part of a document that the gate reads. The caller has
// checked the document's hash: that the rest of it has the right form was
// settled when it was made.
func ReadScored(text []byte) (Scored, error) {
	var d struct {
		Attachments        []Attachment `json:"attachments"`
		DeploymentIntentID string       `json:"deployment_intent_id"`
		EvidenceData       Sections     `json:"evidence_data"`
		ID                 string       `json:"id"`
		Origins            []Origin     `json:"origins"`
		RiskModelVersion   string       `json:"risk_model_version"`
		RiskScore          Score        `json:"risk_score"`
		Schema             string       `json:"schema"`
	}
	if err := json.Unmarshal(text, &d, jsontext.AllowDuplicateNames(true)); err != nil {
		return Scored{}, fmt.Errorf("read evidence document: %w", err)
	}
	if d.Schema != Schema {
		return Scored{}, fmt.Errorf("read evidence document: schema %q, want %q", d.Schema, Schema)
	}
	return Scored{d.ID, d.DeploymentIntentID, d.EvidenceData, d.Origins, d.Attachments, d.RiskScore, d.RiskModelVersion}, nil
}
