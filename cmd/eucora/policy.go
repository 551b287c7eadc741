package main

import (
	"os"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/workflow"
)

type policyCmd struct {
	Show    policyShowCmd    `cmd:"" help:"Show the policy that a new installation starts with."`
	Publish policyPublishCmd `cmd:"" help:"Put a policy in force, on the database directly."`
}

// policyFrom reads a policy from a file; the default one if there is none.
func policyFrom(file string) (cab.Policy, error) {
	name, text := cab.DefaultPolicy()
	if file != "" {
		var err error
		if text, err = os.ReadFile(file); err != nil {
			return cab.Policy{}, usage("%v", err)
		}
		name = file
	}
	rules, err := cab.ParsePolicy(name, text)
	if err != nil {
		return cab.Policy{}, no("%v", err)
	}
	return rules, nil
}

type policyShowCmd struct{ outputFlags }

// Run prints the default policy, comments and all.
func (c *policyShowCmd) Run(a *app) error {
	rules, err := policyFrom("")
	if err != nil {
		return err
	}
	_, text := cab.DefaultPolicy()
	return c.print(a, rules, func() { a.printf("%s", text) })
}

type policyPublishCmd struct {
	siteFlags
	outputFlags
	File string `arg:"" help:"The policy's file."`
}

// Run puts a policy in force.
func (c *policyPublishCmd) Run(a *app) error {
	rules, err := policyFrom(c.File)
	if err != nil {
		return err
	}
	return c.run(a, func(s *site, call workflow.Call) error {
		p, err := s.service.PublishPolicy(a.ctx, call, rules)
		if err != nil {
			return err
		}
		return c.print(a, p, func() { a.printf("policy %s is in force (%s)\n", p.Version, p.Digest) })
	})
}
