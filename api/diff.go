package api

import (
	"context"
	"encoding/json"
	"net/url"
	"time"
)

// LastApproved stands for the newest approved package of the same application.
const LastApproved = "last-approved"

// Diff is what changed between two packages: from against to evidence.
type Diff struct {
	Evidence        DiffPackage  `json:"evidence"`
	Against         DiffPackage  `json:"against" doc:"What it is compared with: what was before"`
	SameApplication bool         `json:"same_application" doc:"Whether both are of one application"`
	RiskScore       NumberChange `json:"risk_score"`
	SameModel       bool         `json:"same_risk_model" doc:"Whether one risk model scored both; if not, scores differ for that reason too"`

	Factors    []FactorChange         `json:"factors" nullable:"false" doc:"Every factor; those that add most to the score come first"`
	Facts      []FactChange           `json:"facts" nullable:"false" doc:"What models and policies can read, where it differs; what got worse comes first"`
	Findings   FindingDiff            `json:"findings"`
	Components ComponentDiff          `json:"components"`
	Tests      TestsChange            `json:"tests"`
	Artifacts  Most[ArtifactChange]   `json:"artifacts" doc:"Artifacts that differ"`
	Values     Most[SectionValueDiff] `json:"values" doc:"Other values of the sections that differ, by path"`
}

// DiffPackage is one of the packages that are compared.
type DiffPackage struct {
	ID               string    `json:"id"`
	DeploymentID     string    `json:"deployment_intent_id"`
	AppName          string    `json:"app_name"`
	Version          string    `json:"version"`
	TargetRing       string    `json:"target_ring"`
	ContentHash      string    `json:"content_hash"`
	RiskModelVersion string    `json:"risk_model_version"`
	CreatedAt        time.Time `json:"created_at"`
	CreatedBy        Person    `json:"created_by"`
}

// Most is a list that is cut off at 200; Count is how many there are.
type Most[T any] struct {
	Count int `json:"count"`
	Items []T `json:"items" nullable:"false"`
}

// NumberChange is a number before and after; null where it is not known.
type NumberChange struct {
	Before *float64 `json:"before"`
	After  *float64 `json:"after"`
	Delta  *float64 `json:"delta" doc:"After less before"`
}

// FactorChange is one factor's part in both scores; null where the model of a
// package does not have it.
type FactorChange struct {
	Name   string      `json:"name"`
	Before *FactorPart `json:"before"`
	After  *FactorPart `json:"after"`
	Delta  float64     `json:"delta" doc:"How much more it adds to the score"`
}

// FactorPart is a factor's part in one score.
type FactorPart struct {
	Input        string  `json:"input" doc:"The value as read, empty when there was none"`
	State        string  `json:"state" enum:"known,missing,invalid"`
	Points       int     `json:"points"`
	MaxPoints    int     `json:"max_points"`
	Contribution float64 `json:"contribution"`
}

// FactChange is a fact that differs.
type FactChange struct {
	Name    string    `json:"name" example:"scan_results.critical"`
	Meaning string    `json:"meaning"`
	Change  string    `json:"change" enum:"worse,better,changed" doc:"What is not known is as bad as the worst"`
	Before  FactState `json:"before"`
	After   FactState `json:"after"`
}

// FactState is a fact in one package.
type FactState struct {
	Value  string `json:"value" doc:"Empty when there is none"`
	State  string `json:"state" enum:"known,missing,invalid"`
	Origin string `json:"origin" enum:"derived,declared" doc:"Whether files say so, or the caller"`
}

// FindingDiff is what changed among the findings of scans, as the files say.
type FindingDiff struct {
	Comparable bool   `json:"comparable"`
	Reason     string `json:"reason,omitzero" doc:"Why they cannot be compared"`

	New       Most[FindingChange] `json:"new" doc:"That count; the worst come first"`
	Fixed     Most[FindingChange] `json:"fixed" doc:"That counted, and are not found any more"`
	Changed   Most[FindingChange] `json:"changed" doc:"Of another severity, or that were set aside and count again; what got worse comes first"`
	SetAside  Most[FindingChange] `json:"set_aside" doc:"That do not count now, and did or were not there"`
	Unchanged int                 `json:"unchanged" doc:"How many count in both"`
}

// FindingChange is a finding that differs.
type FindingChange struct {
	ID             string `json:"id"`
	Package        string `json:"package" doc:"What it is in; of one that is fixed, what it was in"`
	Severity       string `json:"severity" enum:"critical,high,unknown,medium,low,negligible" doc:"Of one that is fixed: as it was"`
	SetAside       string `json:"set_aside,omitzero" doc:"Why it does not count now"`
	PackageBefore  string `json:"package_before,omitzero" doc:"Only where it differs"`
	SeverityBefore string `json:"severity_before,omitzero" doc:"Only where it differs"`
	SetAsideBefore string `json:"set_aside_before,omitzero" doc:"Why it did not count"`
}

// ComponentDiff is what changed among the components of SBOMs, as the files say.
type ComponentDiff struct {
	Comparable bool   `json:"comparable"`
	Reason     string `json:"reason,omitzero" doc:"Why they cannot be compared"`

	Added      Most[ComponentChange] `json:"added"`
	Removed    Most[ComponentChange] `json:"removed"`
	Upgraded   Most[ComponentChange] `json:"upgraded"`
	Downgraded Most[ComponentChange] `json:"downgraded"`
	Changed    Most[ComponentChange] `json:"changed" doc:"Of other versions, of which nobody can tell which is later"`
	Unchanged  int                   `json:"unchanged"`
}

// ComponentChange is a component whose versions differ.
type ComponentChange struct {
	Name   string   `json:"name" doc:"Its package URL without version, or its name" example:"pkg:npm/lodash"`
	Before []string `json:"before" nullable:"false" doc:"Its versions, at most ten of them"`
	After  []string `json:"after" nullable:"false"`
}

// TestsChange is what changed among tests.
type TestsChange struct {
	Coverage NumberChange `json:"coverage_percent"`
	Total    NumberChange `json:"total"`
	Passed   NumberChange `json:"passed"`
	Failed   NumberChange `json:"failed"`
	Skipped  NumberChange `json:"skipped"`
}

// ArtifactChange is an artifact that differs; null where a package does not have
// it.
type ArtifactChange struct {
	Before *ArtifactState `json:"before"`
	After  *ArtifactState `json:"after"`
}

// ArtifactState is what a package says of one artifact.
type ArtifactState struct {
	Name    string `json:"name,omitzero"`
	Version string `json:"version,omitzero"`
	SHA256  string `json:"sha256,omitzero"`
	Status  string `json:"signature_status,omitzero"`
	Signer  string `json:"signer,omitzero"`
}

// SectionValueDiff is a value of the sections that differs; absent where it is
// not there.
type SectionValueDiff struct {
	Path   string          `json:"path" example:"deployment_plan.rings"`
	Before json.RawMessage `json:"before,omitzero"`
	After  json.RawMessage `json:"after,omitzero"`
	Cut    bool            `json:"cut,omitzero" doc:"The values are long: each is the text of its beginning"`
}

func (d *Diff) whole() bool { return d.Evidence.ID != "" && d.Against.ID != "" }

// Diff compares a package with another: its id, [LastApproved], or "" for the
// same.
func (c *Client) Diff(ctx context.Context, id, against string) (Diff, error) {
	var query url.Values
	if against != "" {
		query = url.Values{"against": {against}}
	}
	return get[Diff](ctx, c, "/evidence/"+url.PathEscape(id)+"/diff/", query)
}
