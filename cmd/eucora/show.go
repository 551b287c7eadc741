package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/eucora/eucora/api"
)

type showCmd struct {
	clientFlags
	outputFlags
	ID string `arg:"" help:"CAB-…, EXC-…, or the UUID of a deployment, a request or an exception."`
}

// Help says what the exit status means.
func (c *showCmd) Help() string {
	return "Of a deployment it says whether it is approved at this moment: exit status 0 if it is, 1 if it is not, 3 if that could not be told."
}

// Run shows a thing by its name.
func (c *showCmd) Run(a *app) error {
	return c.ask(a, func(ctx context.Context, client *api.Client) error {
		switch {
		case strings.HasPrefix(c.ID, "EXC-"):
			return c.exception(ctx, a, client)
		case strings.HasPrefix(c.ID, "CAB-"):
			return c.request(ctx, a, client)
		}
		err := c.deployment(ctx, a, client)
		for _, other := range []func(context.Context, *app, *api.Client) error{c.request, c.exception} {
			if problem, ok := errors.AsType[*api.Problem](err); !ok || problem.Status != http.StatusNotFound {
				return err
			}
			err = other(ctx, a, client)
		}
		return err
	})
}

func (c *showCmd) exception(ctx context.Context, a *app, client *api.Client) error {
	e, err := client.Exception(ctx, c.ID)
	if err != nil {
		return err
	}
	return c.print(a, e, func() { showException(a, e) })
}

func (c *showCmd) request(ctx context.Context, a *app, client *api.Client) error {
	r, err := client.Request(ctx, c.ID)
	if err != nil {
		return err
	}
	return c.print(a, r, func() { showRequest(ctx, a, client, r) })
}

func (c *showCmd) deployment(ctx context.Context, a *app, client *api.Client) error {
	s, err := client.ApprovalStatus(ctx, c.ID)
	if err != nil {
		return err
	}
	if err := c.print(a, s, func() { showStanding(a, s) }); err != nil {
		return err
	}
	if !s.IsApproved {
		return &exitError{code: exitNo}
	}
	return nil
}

func showRequest(ctx context.Context, a *app, client *api.Client, r api.Request) {
	a.printf("%s  %s\n", a.paint(bold, r.Name), verdict(a, r))
	reviewers := []string{}
	for _, p := range r.Reviewers {
		reviewers = append(reviewers, p.Username)
	}
	a.fields(
		"risk", score(r.RiskScore)+" "+r.RiskTier.Tier+" ("+r.RiskTier.Description+")",
		"gate", r.Gate.Decision+": "+r.Gate.Rationale,
		"submitted", r.SubmittedBy.Username+" at "+shortTime(r.SubmittedAt)+", decision wanted by "+shortTime(r.DueAt),
		"notes", r.Notes, "reviewers", strings.Join(reviewers, ", "),
		"conditions", string(r.ApprovalConditions), "decided", timePointer(r.ApprovedAt), "valid until", timePointer(r.ValidUntil),
		"ended", r.EndReason, "evidence", r.PackageID, "sha256", r.ContentHash, "deployment", r.DeploymentID, "correlation", r.CorrelationID)
	if r.ApprovedAt != nil && judgement(r) == nil { // an approval may have ended since
		if s, err := client.ApprovalStatus(ctx, r.DeploymentID); err != nil {
			a.printf("%s\n", a.paint(red, fmt.Sprintf("whether the approval still stands cannot be told: %v", err)))
		} else if !s.IsApproved {
			showStanding(a, s)
		}
	}
	if b, err := client.Breakdown(ctx, r.PackageID); err == nil {
		factorTable(a, b.Factors)
	} else {
		a.printf("%s\n", a.paint(red, fmt.Sprintf("the breakdown cannot be shown: %v", err)))
	}
}

func showException(a *app, e api.Exception) {
	a.printf("%s  %s\n", a.paint(bold, e.Name), e.StatusDisplay)
	by := ""
	if e.ApprovedBy != nil {
		by = e.Decision + " by " + e.ApprovedBy.Username + " at " + timePointer(e.ApprovedAt) + ": " + e.Rationale
	}
	a.fields("reason", e.Reason, "justification", e.Justification, "controls", strings.Join(e.Controls, "; "),
		"requested", e.RequestedBy.Username+" at "+shortTime(e.RequestedAt), "ends", shortTime(e.ExpiresAt), "decision", by,
		"revoked", e.EndReason, "request", e.RequestID, "deployment", e.DeploymentID)
}

func showStanding(a *app, s api.ApprovalStatus) {
	if s.IsApproved {
		a.printf("%s\n", a.paint(green, "approved at this moment"))
	} else {
		a.printf("%s\n", a.paint(red, "not approved"))
	}
	for _, reason := range s.Reasons {
		a.printf("  %s\n", clean(reason))
	}
	request := ""
	if s.LatestRequest != nil {
		request = s.LatestRequest.Name + " " + s.LatestRequest.StatusDisplay
	}
	a.fields("deployment", s.DeploymentID, "latest request", request, "correlation", s.CorrelationID)
}
