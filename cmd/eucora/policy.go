package main

import (
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/workflow"
	"go.yaml.in/yaml/v3"
)

type policyCmd struct {
	Show    policyShowCmd    `cmd:"" help:"Show a policy that comes with this program: the one that a new installation starts with."`
	Publish policyPublishCmd `cmd:"" help:"Put a policy in force, on the database directly."`

	Blackouts policyBlackoutsCmd `cmd:"" help:"Write the events of an iCalendar file as blackouts, to be put into a policy."`
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

type policyBlackoutsCmd struct {
	File  string `arg:"" help:"The calendar (RFC 5545)."`
	From  string `help:"From this day on; today if left out." placeholder:"YYYY-MM-DD"`
	Until string `help:"Before this day; a year after --from if left out, three at most." placeholder:"YYYY-MM-DD"`
}

// Run prints blackouts as a policy has them. A calendar that is not understood, all of
// it, gives none.
func (c *policyBlackoutsCmd) Run(a *app) error {
	from := time.Now().UTC().Truncate(24 * time.Hour)
	var err error
	if c.From != "" {
		if from, err = time.Parse(time.DateOnly, c.From); err != nil {
			return usage("--from: want a day such as 2026-12-01")
		}
	}
	until := from.AddDate(1, 0, 0)
	if c.Until != "" {
		if until, err = time.Parse(time.DateOnly, c.Until); err != nil {
			return usage("--until: want a day such as 2026-12-01")
		}
	}
	file, err := os.Open(c.File)
	if err != nil {
		return usage("%v", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, cab.MaxCalendar+1))
	if err != nil {
		return usage("%v", err)
	}
	blackouts, err := cab.ReadCalendar(text, from, until)
	if err != nil {
		return no("%s: %v", c.File, err)
	}
	if len(blackouts) == 0 {
		return no("%s has no events from %s until %s", c.File, from.Format(time.DateOnly), until.Format(time.DateOnly))
	}
	list, err := yaml.Marshal(map[string][]cab.Blackout{"blackouts": blackouts})
	if err != nil {
		return err
	}
	a.printf("%s", list)
	return nil
}
