package main

import (
	"os"
	"slices"
	"strings"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/workflow"
)

type policyCmd struct {
	Show    policyShowCmd    `cmd:"" help:"Show a policy that comes with this program: the one that a new installation starts with."`
	Publish policyPublishCmd `cmd:"" help:"Put a policy in force, on the database directly."`
}

// policyFrom reads a policy from a file; the default one if there is none.
func policyFrom(file string) (cab.Policy, error) {
	if file == "" {
		return parsedPolicy(cab.DefaultPolicy())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return cab.Policy{}, usage("%v", err)
	}
	return parsedPolicy(file, text)
}

func parsedPolicy(name string, text []byte) (cab.Policy, error) {
	rules, err := cab.ParsePolicy(name, text)
	if err != nil {
		return cab.Policy{}, no("%v", err)
	}
	return rules, nil
}

type policyShowCmd struct {
	outputFlags
	Version string `arg:"" optional:"" help:"Its version; the newest if left out."`
}

// Run prints a policy, comments and all.
func (c *policyShowCmd) Run(a *app) error {
	var versions []string
	all := cab.Policies()
	for _, file := range slices.Backward(all) {
		rules, err := parsedPolicy(file.Name, file.Text)
		if err != nil {
			return err
		}
		if c.Version == "" || c.Version == rules.Version {
			return c.print(a, rules, func() { a.printf("%s", file.Text) })
		}
		versions = append(versions, rules.Version)
	}
	return usage("policy %s does not come with this program; %s do", c.Version, strings.Join(versions, " and "))
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
