package collect

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/big"
	"path"
	"slices"
	"strings"

	"github.com/eucora/eucora/internal/evidence"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"
)

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Artifact is a file that is to be deployed.
type Artifact struct {
	Name      string `json:"name"`
	SHA256    string `json:"sha256"`
	Signature string `json:"signature,omitzero"`
	Size      int64  `json:"size_bytes"`
	Version   string `json:"version,omitzero"`
	SBOM      *sbom  `json:"sbom,omitzero"`
}

type sbom struct {
	Components  int    `json:"components"`
	Format      string `json:"format"`
	SHA256      string `json:"sha256"`
	SpecVersion string `json:"spec_version"`
	Subject     string `json:"subject,omitzero"`
}

// HashArtifact hashes a file while it is read; memory does not grow with it.
// progress is called with the bytes read so far; nil if nobody looks.
func HashArtifact(name string, r io.Reader, progress func(n int64)) (Artifact, error) {
	sum := sha256.New()
	n, err := io.Copy(&counting{sum, progress, 0}, r)
	if err != nil {
		return Artifact{}, &ReadError{name, fmt.Sprintf("byte %d", n), err.Error()}
	}
	if n == 0 {
		return Artifact{}, &ReadError{name, "", "is empty: there is nothing to deploy"}
	}
	return Artifact{Name: path.Base(strings.ReplaceAll(name, `\`, "/")), SHA256: hex.EncodeToString(sum.Sum(nil)), Size: n}, nil
}

type counting struct {
	hash.Hash
	progress func(int64)
	n        int64
}

func (c *counting) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	if c.progress != nil {
		c.progress(c.n)
	}
	return c.Hash.Write(b)
}

// Sources is everything that a package is built from. What is not given is not
// in the package: nothing is made up.
type Sources struct {
	Artifacts        []Artifact
	SBOMs            []Report // one for each artifact, or one for all of them
	Scans            []Report
	Tests            []Report
	Coverage         []Report
	ManualTestStatus string
	ScannedAt        string
	Plan, Rollback   jsontext.Value // objects, see [Document]
}

// Evidence builds the evidence_data object, in canonical form. Several files of
// one kind are merged: scans by the union of their findings, tests by their
// sum, coverage by the union of their lines.
func (s Sources) Evidence() ([]byte, error) {
	sections := map[string]any{}
	if err := s.artifacts(sections); err != nil {
		return nil, err
	}
	if tests := s.testResults(); len(tests) > 0 {
		sections["test_results"] = tests
	}
	if len(s.Scans) > 0 {
		sections["scan_results"] = s.scanResults()
	}
	if s.Plan != nil {
		sections["deployment_plan"] = s.Plan
	}
	if s.Rollback != nil {
		sections["rollback_plan"] = s.Rollback
	}
	text, err := json.Marshal(sections, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("build evidence: %w", err)
	}
	return evidence.Canonical(text)
}

func (s Sources) artifacts(sections map[string]any) error {
	switch {
	case len(s.SBOMs) > 0 && len(s.Artifacts) == 0:
		return errors.New("an SBOM wants an artifact that it is of")
	case len(s.SBOMs) > 1 && len(s.SBOMs) != len(s.Artifacts):
		return fmt.Errorf("%d SBOMs for %d artifacts: give one for all, or one for each in the same order", len(s.SBOMs), len(s.Artifacts))
	case len(s.Artifacts) == 0:
		return nil
	}
	artifacts := slices.Clone(s.Artifacts)
	for i := range artifacts {
		if len(s.SBOMs) == 0 {
			break
		}
		of := s.SBOMs[min(i, len(s.SBOMs)-1)]
		artifacts[i].SBOM = &sbom{len(of.Components), of.Format, of.SHA256, of.Version, of.Subject}
	}
	sections["artifacts"] = artifacts
	return nil
}

func (s Sources) testResults() map[string]any {
	section := map[string]any{}
	if len(s.Tests) > 0 {
		var total, passed, failed, skipped int
		for _, r := range s.Tests {
			total, passed, failed, skipped = total+r.Total, passed+r.Passed, failed+r.Failed, skipped+r.Skipped
		}
		section["total"], section["passed"], section["failed"], section["skipped"] = total, passed, failed, skipped
	}
	if len(s.Coverage) > 0 {
		covered, all := CoverageOf(s.Coverage...)
		section["coverage_percent"] = Percent(covered, all)
		section["coverage"] = map[string]any{"covered": covered, "total": all}
	}
	if s.ManualTestStatus != "" {
		section["manual_test_status"] = s.ManualTestStatus
	}
	return section
}

// CoverageOf is what several reports cover together: a line that any of them
// ran is covered, and counts once. What a report tells by totals only is added:
// nobody can say which of its lines others ran too.
func CoverageOf(reports ...Report) (covered, all int) {
	merged := Lines{}
	for _, r := range reports {
		covered, all = covered+r.Covered, all+r.Coverable
		if len(reports) == 1 {
			merged = r.Lines // there is nothing to unite: no copy
			break
		}
		for file, places := range r.Lines {
			for at, line := range places {
				merged.add(file, at, line)
			}
		}
	}
	hit, known := merged.count()
	return covered + hit, all + known
}

// Percent is covered of all in percent, with four decimals, rounded down: a
// threshold is never reached by rounding.
func Percent(covered, all int) jsontext.Value {
	if all == 0 {
		return jsontext.Value("0")
	}
	tenThousandths := new(big.Int).Mul(big.NewInt(int64(covered)), big.NewInt(1_000_000))
	tenThousandths.Quo(tenThousandths, big.NewInt(int64(all)))
	text := new(big.Rat).SetFrac(tenThousandths, big.NewInt(10_000)).FloatString(4)
	return jsontext.Value(strings.TrimRight(strings.TrimRight(text, "0"), "."))
}

// SeverityCounts are the findings of several scans together.
type SeverityCounts struct{ Critical, High, Medium, Low, Negligible, Unknown int }

// CountFindings counts the union of the findings by vulnerability and package,
// each at its highest severity. Findings that are set aside do not count.
func CountFindings(reports ...Report) SeverityCounts {
	var c SeverityCounts
	counters := map[Severity]*int{
		Critical: &c.Critical, High: &c.High, Medium: &c.Medium, Low: &c.Low, Negligible: &c.Negligible, Unknown: &c.Unknown,
	}
	for _, f := range union(reports) {
		if f.SetAside == "" {
			*counters[f.Severity]++
		}
	}
	return c
}

// union is what several reports find together.
func union(reports []Report) map[FindingKey]Finding {
	all := map[FindingKey]Finding{}
	for _, r := range reports {
		for key, f := range r.Findings {
			merge(all, key, f)
		}
	}
	return all
}

// scanResults counts findings of unknown severity as high ones: unknown never
// counts as none. They are shown beside.
func (s Sources) scanResults() map[string]any {
	c := CountFindings(s.Scans...)
	var tools []string
	for _, r := range s.Scans {
		if !slices.Contains(tools, r.Tool) {
			tools = append(tools, r.Tool)
		}
	}
	section := map[string]any{
		"scanner": strings.Join(tools, ", "), "critical": c.Critical, "high": c.High + c.Unknown, "medium": c.Medium,
		"low": c.Low + c.Negligible, "unknown": c.Unknown,
	}
	if s.ScannedAt != "" {
		section["scanned_at"] = s.ScannedAt
	}
	return section
}

// Document reads a plan, YAML or JSON, as an object.
func Document(source Source) (jsontext.Value, error) {
	name := source.Name
	if source.Size > evidence.MaxBytes {
		return nil, &ReadError{name, "", fmt.Sprintf("larger than %d bytes", evidence.MaxBytes)}
	}
	f, err := open(source)
	if err != nil {
		return nil, located(f, err)
	}
	data, err := io.ReadAll(f.text())
	if err != nil {
		return nil, &ReadError{name, "", err.Error()}
	}
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); !bytes.HasPrefix(trimmed, []byte("{")) {
		if data, err = fromYAML(data); err != nil {
			return nil, &ReadError{name, "", strings.TrimPrefix(err.Error(), "yaml: ")}
		}
	}
	canonical, err := evidence.Canonical(data)
	if syntax, ok := errors.AsType[*evidence.SyntaxError](err); ok {
		line := 1 + bytes.Count(data[:min(syntax.Offset, int64(len(data)))], []byte("\n"))
		return nil, &ReadError{name, fmt.Sprintf("line %d (%s)", line, syntax.Pointer), syntax.Reason}
	}
	if jsontext.Value(canonical).Kind() != '{' {
		return nil, &ReadError{name, "", "must be an object: name: value"}
	}
	return canonical, nil
}

func fromYAML(data []byte) ([]byte, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("holds more than one document")
	}
	return json.Marshal(value, json.Deterministic(true))
}
