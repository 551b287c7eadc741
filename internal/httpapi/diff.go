package httpapi

import (
	"encoding/json"
	"math/big"
	"strings"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/workflow"
)

var againstParam = param{"against", "the package before: its id, or last-approved (if absent), the newest approved one of the application", false}

// Limits of an answer.
const (
	mostChanges  = 200 // in each list
	mostVersions = 10  // of each component
	mostOfValue  = 500 // of each value of the sections, in bytes
)

func (s *Server) diff(q *request) (any, error) {
	id, err := q.id("")
	if err != nil {
		return nil, err
	}
	against := q.one("against")
	if against == api.LastApproved {
		against = ""
	} else if against = q.uuid("against"); q.query.Has("against") && q.faulty() != nil {
		return nil, invalidField("against", "want a UUID, or "+api.LastApproved)
	}
	d, err := s.Service.Diff(q.Context(), q.call, id, against)
	return show(wireDiff, d, err)
}

func wireDiff(d workflow.Diff) api.Diff {
	before, after := d.Before.Record.Assessment, d.After.Record.Assessment
	answer := api.Diff{
		Evidence: wireDiffPackage(d.After), Against: wireDiffPackage(d.Before), SameApplication: d.SameApplication(),
		RiskScore: wireNumbers(points(before.Score), points(after.Score)),
		SameModel: before.ModelVersion == after.ModelVersion && before.ModelDigest == after.ModelDigest,
		Factors:   []api.FactorChange{}, Facts: []api.FactChange{},
		Findings: wireFindingDiff(d), Components: wireComponentDiff(d), Tests: wireTests(d.Measures),
		Artifacts: most(d.Artifacts, func(c evidence.ArtifactChange) api.ArtifactChange {
			return api.ArtifactChange{Before: wireArtifact(c.Before), After: wireArtifact(c.After)}
		}),
		Values: most(d.Values, wireValue),
	}
	for _, f := range d.Factors {
		answer.Factors = append(answer.Factors, api.FactorChange{Name: f.Name, Before: wirePart(f.Before), After: wirePart(f.After), Delta: f.Delta().Float()})
	}
	for _, f := range d.Facts {
		answer.Facts = append(answer.Facts, api.FactChange{
			Name: string(f.Name), Meaning: f.Meaning, Change: string(f.Direction), Before: wireFact(f.Before), After: wireFact(f.After),
		})
	}
	return answer
}

// most is the beginning of a list, and how long the whole is.
func most[T, W any](all []T, wire func(T) W) api.Most[W] {
	list := api.Most[W]{Count: len(all), Items: []W{}}
	for _, one := range all[:min(len(all), mostChanges)] {
		list.Items = append(list.Items, wire(one))
	}
	return list
}

func wireDiffPackage(e workflow.Evidence) api.DiffPackage {
	r := e.Record
	return api.DiffPackage{
		ID: e.ID, DeploymentID: r.DeploymentIntentID, AppName: r.AppName, Version: r.Version, TargetRing: r.TargetRing, ContentHash: e.ContentHash,
		RiskModelVersion: r.Assessment.ModelVersion, CreatedAt: r.CreatedAt, CreatedBy: wirePerson(cab.Person(r.CreatedBy)),
	}
}

func points(s evidence.Score) *big.Rat { return big.NewRat(int64(s), 100) }

func wireNumbers(before, after *big.Rat) api.NumberChange {
	return api.NumberChange{Before: wireNumber(before), After: wireNumber(after), Delta: wireNumber(evidence.Measure{Before: before, After: after}.Delta())}
}

// wireNumber is the nearest number that JSON's readers have; nil for nil.
func wireNumber(n *big.Rat) *float64 {
	if n == nil {
		return nil
	}
	f, _ := n.Float64()
	return &f
}

func wireTests(measures []evidence.Measure) (tests api.TestsChange) {
	for _, m := range measures {
		to := map[string]*api.NumberChange{
			"coverage_percent": &tests.Coverage, "total": &tests.Total, "passed": &tests.Passed, "failed": &tests.Failed, "skipped": &tests.Skipped,
		}[m.Name]
		*to = wireNumbers(m.Before, m.After)
	}
	return tests
}

func wirePart(f *evidence.Factor) *api.FactorPart {
	if f == nil {
		return nil
	}
	return &api.FactorPart{Input: f.Input, State: f.State, Points: f.Points, MaxPoints: f.MaxPoints, Contribution: f.Contribution.Float()}
}

func wireFact(f evidence.Fact) api.FactState {
	origin := evidence.IsDeclared
	if f.Derived {
		origin = evidence.IsDerived
	}
	return api.FactState{Value: f.Shown, State: f.State.String(), Origin: string(origin)}
}

// cut is a text that is no longer than an answer bears.
func cut(text string) string {
	if len(text) <= mostOfValue {
		return text
	}
	return clip(text, mostOfValue) + "…"
}

func wireArtifact(a *evidence.ArtifactState) *api.ArtifactState {
	if a == nil {
		return nil
	}
	return &api.ArtifactState{Name: cut(a.Name), Version: cut(a.Version), SHA256: cut(a.SHA256), Status: cut(a.Status), Signer: cut(a.Signer)}
}

func wireValue(c evidence.ValueChange) api.SectionValueDiff {
	answer := api.SectionValueDiff{Path: cut(c.Path), Before: json.RawMessage(c.Before), After: json.RawMessage(c.After)}
	if len(c.Before) > mostOfValue || len(c.After) > mostOfValue {
		answer.Before, answer.After, answer.Cut = asText(c.Before), asText(c.After), true
	}
	return answer
}

// asText is the beginning of a value, as a text; nil for nil.
func asText(value []byte) json.RawMessage {
	if value == nil {
		return nil
	}
	text, err := encode(cut(string(value)))
	if err != nil { // the value is UTF-8: it cannot be
		return nil
	}
	return text
}

func wireFindingDiff(d workflow.Diff) api.FindingDiff {
	f := d.Findings
	return api.FindingDiff{
		Comparable: d.FindingsNote == "", Reason: clip(d.FindingsNote, mostOfValue), New: most(f.New, wireFinding), Fixed: most(f.Fixed, wireFinding),
		Changed: most(f.Changed, wireFinding), SetAside: most(f.SetAside, wireFinding), Unchanged: f.Same,
	}
}

func wireFinding(c workflow.FindingChange) api.FindingChange {
	now := c.After
	if now == nil {
		now = c.Before
	}
	answer := api.FindingChange{ID: c.ID, Package: now.Package, Severity: now.Severity.String(), SetAside: now.SetAside}
	if was := c.Before; was != nil && c.After != nil {
		answer.SetAsideBefore = was.SetAside
		if was.Package != now.Package {
			answer.PackageBefore = was.Package
		}
		if was.Severity != now.Severity {
			answer.SeverityBefore = was.Severity.String()
		}
	}
	return answer
}

func wireComponentDiff(d workflow.Diff) api.ComponentDiff {
	c := d.Components
	return api.ComponentDiff{
		Comparable: d.ComponentsNote == "", Reason: clip(d.ComponentsNote, mostOfValue), Added: most(c.Added, wireComponent), Removed: most(c.Removed, wireComponent),
		Upgraded: most(c.Upgraded, wireComponent), Downgraded: most(c.Downgraded, wireComponent), Changed: most(c.Changed, wireComponent), Unchanged: c.Same,
	}
}

func wireComponent(c workflow.ComponentChange) api.ComponentChange {
	return api.ComponentChange{Name: strings.ToValidUTF8(c.Name, "�"), Before: wireVersions(c.Before), After: wireVersions(c.After)}
}

func wireVersions(versions []string) []string {
	all := []string{}
	for _, v := range versions[:min(len(versions), mostVersions)] {
		all = append(all, clip(v, 100))
	}
	return all
}
