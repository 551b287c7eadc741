package workflow

import (
	"context"
	"errors"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/risk"
	"github.com/eucora/eucora/internal/store"
)

// Models lists the published risk models, newest first, and the policies: the
// first policy is in force and names the model that scores new evidence.
func (s *Service) Models(ctx context.Context, call Call) (models, policies []cab.Published, err error) {
	models, err = see(ctx, s, call, cab.ReadModels, (*store.Reader).Models)
	if err != nil {
		return nil, nil, err
	}
	policies, err = s.Policies(ctx, call)
	return models, policies, err
}

// Model returns one published risk model.
func (s *Service) Model(ctx context.Context, call Call, version string) (cab.Published, error) {
	return see(ctx, s, call, cab.ReadModels, func(r *store.Reader) (cab.Published, error) {
		return r.Model(version)
	})
}

// Policies lists the published policies, newest first: the first is in force.
func (s *Service) Policies(ctx context.Context, call Call) ([]cab.Published, error) {
	return see(ctx, s, call, cab.ReadModels, (*store.Reader).Policies)
}

// Trial is a score that was not stored.
type Trial struct {
	Assessment   evidence.Assessment
	Completeness evidence.Completeness
	Gate         cab.Gate // by the policy in force
}

// Score scores evidence with a published model without storing anything. data
// is the evidence_data object in canonical form.
func (s *Service) Score(ctx context.Context, call Call, version string, data []byte) (Trial, error) {
	return see(ctx, s, call, cab.ReadModels, func(r *store.Reader) (Trial, error) {
		model, err := s.modelVersion(r, version)
		if err != nil {
			return Trial{}, err
		}
		active, err := r.ActivePolicy()
		if err != nil {
			return Trial{}, err
		}
		rules, err := s.policy(active)
		if err != nil {
			return Trial{}, err
		}
		sections, err := evidence.ParseSections(data)
		if err != nil {
			return Trial{}, invalidSections(err)
		}
		facts := evidence.ReadFacts(sections)
		assessed := model.Assess(facts)
		return Trial{assessed, sections.Completeness(), rules.Evaluate(assessed.Score, facts)}, nil
	})
}

// PublishModel makes a risk model available to policies.
func (s *Service) PublishModel(ctx context.Context, call Call, model *risk.Model) (cab.Published, error) {
	return do(ctx, s, call, cab.Administer, func(tx *store.Tx, c cab.Call) (cab.Published, error) {
		known, err := optional(tx.Model(model.Version()))
		if err != nil {
			return cab.Published{}, err
		}
		thresholds, err := s.thresholds(tx)
		if err != nil {
			return cab.Published{}, err
		}
		change, err := cab.PublishModel(c, model, thresholds, known)
		if err != nil {
			return cab.Published{}, err
		}
		return *change.Model, tx.Save(change)
	})
}

// thresholds are those of the policy in force; before there is one, those of the
// policy that a new installation starts with.
func (s *Service) thresholds(tx *store.Tx) (risk.Thresholds, error) {
	active, err := optional(tx.ActivePolicy())
	if err != nil {
		return risk.Thresholds{}, err
	}
	var rules cab.Policy
	if active == nil {
		rules, err = cab.ParsePolicy(cab.DefaultPolicy())
	} else {
		rules, err = s.policy(*active)
	}
	return rules.RiskThresholds(), err
}

// PublishPolicy puts a policy in force. The risk model that it names must have
// been published.
func (s *Service) PublishPolicy(ctx context.Context, call Call, rules cab.Policy) (cab.Published, error) {
	return do(ctx, s, call, cab.Administer, func(tx *store.Tx, c cab.Call) (cab.Published, error) {
		model, err := s.modelVersion(&tx.Reader, rules.RiskModel)
		if err != nil {
			return cab.Published{}, err
		}
		known, err := optional(tx.Policy(rules.Version))
		if err != nil {
			return cab.Published{}, err
		}
		change, err := cab.PublishPolicy(c, rules, model, known)
		if err != nil {
			return cab.Published{}, err
		}
		return *change.Policy, tx.Save(change)
	})
}

// Prepare publishes the embedded risk models and policy in a store that has
// none yet. Several replicas may call it at once.
func (s *Service) Prepare(ctx context.Context) error {
	call := Call{Actor: cab.Setup}
	policies, err := s.policiesAtSetup(ctx)
	if err != nil || len(policies) > 0 {
		return err
	}
	for _, model := range risk.Embedded() {
		if _, err := s.PublishModel(ctx, call, model); err != nil && cab.CodeOf(err) != "NOTHING_TO_CHANGE" {
			return err
		}
	}
	for _, file := range cab.Policies() {
		rules, err := cab.ParsePolicy(file.Name, file.Text)
		if err != nil {
			return err
		}
		if _, err := s.PublishPolicy(ctx, call, rules); err != nil && cab.CodeOf(err) != "NOTHING_TO_CHANGE" {
			return err
		}
	}
	return nil
}

func (s *Service) policiesAtSetup(ctx context.Context) ([]cab.Published, error) {
	return see(ctx, s, Call{Actor: cab.Setup}, cab.Administer, (*store.Reader).Policies)
}

// optional turns "not found" into nil.
func optional[T any](value T, err error) (*T, error) {
	if refusal, ok := errors.AsType[*cab.Error](err); ok && refusal.Kind == cab.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &value, nil
}
