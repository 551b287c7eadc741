package workflow

import (
	"context"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/risk"
	"github.com/eucora/eucora/internal/store"
)

// The descriptions of models, by the names that verbs use.
type (
	FactorDescription = risk.FactorDescription
	Range             = risk.Report
)

// Rules are a policy and a model as people read them.
type Rules struct {
	Policy          cab.Policy
	PolicyPublished cab.Published
	InForce         string // version of the policy that is
	Scoring         string // version of the model that it names
	Model           risk.Description
	ModelPublished  cab.Published
	Range           Range           // what the model reaches, by the policy's thresholds
	Policies        []cab.Published // newest first, without their documents
	Models          []cab.Published
}

// Rules reads a policy and a model: of the policy in force if policy is "", and the
// one that the policy names if model is "".
func (s *Service) Rules(ctx context.Context, call Call, policy, model string) (Rules, error) {
	return see(ctx, s, call, cab.ReadModels, func(r *store.Reader) (rules Rules, err error) {
		if rules.Policies, err = r.Policies(); err != nil {
			return rules, err
		}
		if rules.Models, err = r.Models(); err != nil {
			return rules, err
		}
		active, err := r.ActivePolicy()
		if err != nil {
			return rules, err
		}
		if rules.Policy, err = s.policy(active); err != nil {
			return rules, err
		}
		rules.InForce, rules.Scoring = active.Version, rules.Policy.RiskModel
		if rules.PolicyPublished = active; policy != "" {
			if rules.PolicyPublished, err = r.Policy(policy); err != nil {
				return rules, err
			}
		}
		if rules.Policy, err = s.policy(rules.PolicyPublished); err != nil {
			return rules, err
		}
		if model == "" {
			model = rules.Policy.RiskModel
		}
		if rules.ModelPublished, err = r.Model(model); err != nil {
			return rules, err
		}
		parsed, err := modelOf(rules.ModelPublished)
		if err != nil {
			return rules, err
		}
		rules.Model, rules.Range = parsed.Describe(), s.rangeOf(parsed, rules.Policy.RiskThresholds())
		return rules, nil
	})
}

// reached is what the range of a model depends on.
type reached struct {
	digest string
	risk.Thresholds
}

// rangeOf is what a model reaches. To work that out may take a while, and it never
// changes: it is done once for each pair of a model and thresholds that are published.
func (s *Service) rangeOf(m *risk.Model, t risk.Thresholds) Range {
	key := reached{m.Digest(), t}
	if known, ok := s.ranges.Load(key); ok {
		return known.(Range)
	}
	found := m.Check(t)
	s.ranges.Store(key, found)
	return found
}
