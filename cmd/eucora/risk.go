package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/risk"
	"github.com/eucora/eucora/internal/workflow"
)

type riskCmd struct {
	Score   riskScoreCmd   `cmd:"" help:"Score evidence here, without a server."`
	Check   riskCheckCmd   `cmd:"" help:"Check a model: its range, and which gates it reaches."`
	Show    riskShowCmd    `cmd:"" help:"Show a model."`
	Facts   riskFactsCmd   `cmd:"" help:"List what models and policies can read."`
	Publish riskPublishCmd `cmd:"" help:"Publish a model, on the database directly. Published models never change."`
}

// modelFrom reads a model from a file, or finds an embedded one by its version.
func modelFrom(name string) (*risk.Model, error) {
	var versions []string
	for _, m := range risk.Embedded() {
		if m.Version() == name {
			return m, nil
		}
		versions = append(versions, m.Version())
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, usage("%q is neither a file nor one of the models that come with the program (%s)", name, strings.Join(versions, ", "))
	}
	m, err := risk.Parse(name, text)
	if err != nil {
		return nil, no("%v", err)
	}
	return m, nil
}

type riskScoreCmd struct {
	outputFlags
	File  string `arg:"" help:"File with an evidence_data object; - for standard input."`
	Model string `help:"Model: a YAML file, or the version of one that comes with the program." default:"1.0"`
}

// Run scores evidence: the same arithmetic as the server's.
func (c *riskScoreCmd) Run(a *app) error {
	m, err := modelFrom(c.Model)
	if err != nil {
		return err
	}
	text, err := c.read(a)
	if err != nil {
		return usage("%v", err)
	}
	canonical, err := evidence.Canonical(text)
	if err != nil {
		return no("%s: %v", c.File, err)
	}
	sections, err := evidence.ParseSections(canonical)
	if err != nil {
		return no("%s: %v", c.File, err)
	}
	rules, err := cab.ParsePolicy(cab.DefaultPolicy())
	if err != nil {
		return err
	}
	facts := evidence.ReadFacts(sections)
	assessed, complete := m.Assess(facts), sections.Completeness()
	gate := rules.Evaluate(assessed.Score, facts)
	scored := api.Scored{
		RiskScore: assessed.Score.Float(), RiskModelVersion: assessed.ModelVersion, RiskModelDigest: assessed.ModelDigest, Formula: assessed.Formula,
		IsComplete: complete.Complete, Completeness: complete.Sections, Missing: complete.Missing,
		Gate: api.Gate{Decision: string(gate.Decision), Thresholds: api.Thresholds(gate.Thresholds), Guards: gate.Guards, Rationale: gate.Rationale},
	}
	for _, f := range assessed.Factors {
		scored.Factors = append(scored.Factors, api.Factor{
			Name: f.Name, Input: f.Input, Source: f.Source, State: f.State, Bucket: f.Bucket, Points: f.Points, MaxPoints: f.MaxPoints,
			Weight: f.Weight, Share: f.Share, Value: f.Value, Contribution: f.Contribution.Float(), Rationale: f.Rationale,
		})
	}
	return c.print(a, scored, func() {
		factorTable(a, scored.Factors)
		a.printf("%s  %s\n", a.paint(bold, assessed.Score.String()), string(gate.Decision)+": "+gate.Rationale)
		for _, path := range complete.Missing {
			a.printf("%s %s\n", a.paint(red, "missing"), path)
		}
	})
}

func (c *riskScoreCmd) read(a *app) ([]byte, error) {
	if c.File == "-" {
		return io.ReadAll(io.LimitReader(a.stdin, evidence.MaxBytes+1))
	}
	return os.ReadFile(c.File)
}

type riskCheckCmd struct {
	outputFlags
	File   string `arg:"" help:"The model's file."`
	Policy string `help:"Thresholds of this policy file instead of those of the newest policy that comes with this program." placeholder:"FILE"`
}

// Run checks a model, and refuses one that cannot close a gate.
func (c *riskCheckCmd) Run(a *app) error {
	m, err := modelFrom(c.File)
	if err != nil {
		return err
	}
	rules, err := policyFrom(c.Policy)
	if err != nil {
		return err
	}
	r := m.Check(rules.RiskThresholds())
	out := struct {
		Version      string           `json:"version"`
		Digest       string           `json:"digest"`
		Min          float64          `json:"min"`
		Max          float64          `json:"max"`
		Combinations map[string]int64 `json:"combinations"`
	}{m.Version(), m.Digest(), r.Min.Float(), r.Max.Float(), map[string]int64{"auto_approved": r.Auto, "manual_review": r.Review, "exception_required": r.Excepted}}
	if err := c.print(a, out, func() {
		a.fields("model", m.Version()+"  "+m.Title(), "digest", m.Digest(), "scores", r.Min.String()+" to "+r.Max.String(),
			"auto_approved", fmt.Sprintf("%d of %d combinations", r.Auto, r.Combinations),
			"manual_review", fmt.Sprintf("%d of %d combinations", r.Review, r.Combinations),
			"exception_required", fmt.Sprintf("%d of %d combinations", r.Excepted, r.Combinations))
	}); err != nil {
		return err
	}
	if err := r.Err(); err != nil {
		return no("%s: %v", c.File, err)
	}
	return nil
}

type riskShowCmd struct {
	outputFlags        // the model is JSON either way
	Version     string `arg:"" optional:"" default:"1.0" help:"Version or file."`
}

// Run prints a model in the form in which it is published and hashed.
func (c *riskShowCmd) Run(a *app) error {
	m, err := modelFrom(c.Version)
	if err != nil {
		return err
	}
	a.printf("%s\n", m.Document())
	return nil
}

type riskFactsCmd struct{ outputFlags }

// Run lists the facts.
func (c *riskFactsCmd) Run(a *app) error {
	type fact struct {
		Name    evidence.FactName `json:"name"`
		Values  []string          `json:"values,omitzero"` // best first; none for numbers
		Meaning string            `json:"meaning"`
	}
	var facts []fact
	var rows [][]string
	for _, d := range evidence.FactDefinitions() {
		facts = append(facts, fact{d.Name, d.Values, d.Meaning})
		values := "number"
		if d.Values != nil {
			values = strings.Join(d.Values, ", ")
		}
		rows = append(rows, []string{string(d.Name), values, d.Meaning})
	}
	return c.print(a, facts, func() { a.table([]string{"FACT", "VALUES", "MEANING"}, rows) })
}

type riskPublishCmd struct {
	siteFlags
	outputFlags
	File string `arg:"" help:"The model's file."`
}

// Run publishes a model.
func (c *riskPublishCmd) Run(a *app) error {
	m, err := modelFrom(c.File)
	if err != nil {
		return err
	}
	return c.run(a, func(s *site, call workflow.Call) error {
		p, err := s.service.PublishModel(a.ctx, call, m)
		if err != nil {
			return err
		}
		return c.print(a, p, func() {
			a.printf("risk model %s is published (%s); a policy that names it puts it in force\n", p.Version, p.Digest)
		})
	})
}
