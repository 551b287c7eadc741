package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/eucora/eucora/api"
)

type showCmd struct {
	clientFlags
	outputFlags
	ID string `arg:"" help:"CAB-…, EXC-…, or a deployment's UUID."`
}

// Run shows a thing by its name.
func (c *showCmd) Run(a *app) error {
	return c.ask(a, func(ctx context.Context, client *api.Client) error {
		switch {
		case strings.HasPrefix(c.ID, "EXC-"):
			e, err := client.Exception(ctx, c.ID)
			if err != nil {
				return err
			}
			return c.print(a, e, func() { showException(a, e) })
		case strings.HasPrefix(c.ID, "CAB-"):
			r, err := client.Request(ctx, c.ID)
			if err != nil {
				return err
			}
			return c.print(a, r, func() { showRequest(ctx, a, client, r) })
		}
		s, err := client.ApprovalStatus(ctx, c.ID)
		if err != nil {
			return err
		}
		return c.print(a, s, func() { showStanding(a, s) })
	})
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
