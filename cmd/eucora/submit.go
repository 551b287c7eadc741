package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/eucora/eucora/api"
)

type submitCmd struct {
	clientFlags
	outputFlags
	Evidence string        `arg:"" help:"The evidence package."`
	Notes    string        `help:"What CAB should know."`
	Urgent   bool          `help:"A decision is wanted in 24 hours instead of 48."`
	Score    *float64      `help:"The score you expect; submission is refused if it is another." name:"risk-score"`
	Wait     bool          `help:"Wait for the decision."`
	For      time.Duration `help:"How long to wait." default:"48h" name:"wait-for"`
}

// Help says what the exit status means.
func (c *submitCmd) Help() string {
	return "Exit status: 0 approved · 1 rejected, denied or refused · 2 usage · 3 could not tell: not decided yet, unreachable, timed out. Only 0 ever means yes."
}

// Run submits, and with --wait waits for the decision.
func (c *submitCmd) Run(a *app) error {
	return c.ask(a, func(ctx context.Context, client *api.Client) error {
		in := api.Submit{PackageID: c.Evidence, Notes: c.Notes, RiskScore: c.Score, Urgency: "standard"}
		if c.Urgent {
			in.Urgency = "urgent"
		}
		r, message, err := c.submit(ctx, client, in)
		if err != nil {
			return err
		}
		if !c.JSON {
			a.printf("%s  %s\n", r.Name, clean(message))
		}
		if c.Wait && isOpen(r.Status) {
			if r, err = c.wait(ctx, a, client, r); err != nil {
				return err
			}
		}
		if err := c.print(a, r, func() { a.printf("%s  %s\n", r.Name, verdict(a, r)) }); err != nil {
			return err
		}
		return stands(ctx, client, r)
	})
}

// submit submits. A package that has been submitted already, perhaps by a run of
// this command whose answer was lost, has the request that it has.
func (c *submitCmd) submit(ctx context.Context, client *api.Client, in api.Submit) (api.Request, string, error) {
	submitted, err := client.Submit(ctx, in)
	problem, ok := errors.AsType[*api.Problem](err)
	if !ok || problem.Code != "ALREADY_SUBMITTED" {
		return submitted.Request, submitted.Message, err
	}
	filed, failed := client.Evidence(ctx, in.PackageID)
	if failed != nil {
		return api.Request{}, "", failed
	}
	page, failed := client.Requests(ctx, url.Values{"deployment_intent_id": {filed.DeploymentID}, "limit": {"200"}})
	if failed != nil {
		return api.Request{}, "", failed
	}
	for _, r := range page.Results {
		if r.PackageID == filed.ID {
			return r, "has been submitted before", nil
		}
	}
	return api.Request{}, "", err
}

// stands is the judgement of a request whose approval, if it has one, still
// holds: an exception may have been revoked, newer evidence filed.
func stands(ctx context.Context, client *api.Client, r api.Request) error {
	if err := judgement(r); err != nil {
		return err
	}
	s, err := client.ApprovalStatus(ctx, r.DeploymentID)
	if err != nil {
		return unknown("%s is approved, but whether that still stands could not be told: %v", r.Name, err)
	}
	if !s.IsApproved || s.LatestRequest == nil || s.LatestRequest.ID != r.ID {
		return no("%s was approved, and that does not stand: %s", r.Name, strings.Join(s.Reasons, "; "))
	}
	return nil
}

func isOpen(status string) bool {
	return status == "submitted" || status == "under_review" || status == "exception_required"
}

// judgement turns a request's status into an exit status. What is not known to
// be an approval is none.
func judgement(r api.Request) error {
	switch r.Status {
	case "approved", "conditional", "auto_approved":
		return nil
	case "rejected", "withdrawn", "revoked":
		return &exitError{code: exitNo}
	}
	return unknown("%s is not decided: %s", r.Name, r.StatusDisplay)
}

func verdict(a *app, r api.Request) string {
	text := r.StatusDisplay
	if r.ApprovedBy != nil {
		text += " by " + clean(r.ApprovedBy.Username)
	}
	if r.ApprovalRationale != "" {
		text += ": " + clean(r.ApprovalRationale)
	}
	switch {
	case judgement(r) == nil:
		return a.paint(green, text)
	case isOpen(r.Status):
		return a.paint(yellow, text)
	}
	return a.paint(red, text)
}

// wait asks again and again, ever more slowly, until there is a decision. A
// server that cannot be reached for a moment is asked again; a refusal ends it.
func (c *submitCmd) wait(ctx context.Context, a *app, client *api.Client, r api.Request) (api.Request, error) {
	ctx, cancel := context.WithTimeout(ctx, c.For)
	defer cancel()
	p := a.progress()
	defer p.done()
	began := time.Now()
	for pause := time.Second; ; pause = min(pause*3/2, 15*time.Second) {
		select {
		case <-ctx.Done():
			return r, unknown("%s was not decided in time; it stays submitted", r.Name)
		case <-time.After(pause):
		}
		p.show("%s: %s, waiting for %s", r.Name, r.StatusDisplay, time.Since(began).Round(time.Second))
		latest, err := client.Request(ctx, r.ID)
		switch {
		case err == nil && !isOpen(latest.Status):
			return latest, nil
		case isRefusal(err):
			return r, fmt.Errorf("while waiting for %s: %w", r.Name, err)
		case err == nil:
			r = latest
		}
	}
}
