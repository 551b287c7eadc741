package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/eucora/eucora/api"
)

// The stories of the demo. Each is told through the API by those who would
// do it.

func (d *demo) approvedByRule(ctx context.Context) error {
	d.title("1. Low risk: approved by rule")
	e, err := d.file(ctx, story{"7-Zip", "24.09", "PILOT", "cobertura-good.xml", "trivy-clean.json", "plan-small.yaml", "rollback-validated.yaml", "completed"})
	if err != nil {
		return err
	}
	s, err := d.submit(ctx, e, "")
	if err != nil {
		return err
	}
	return d.closing(ctx, s.Request)
}

func (d *demo) conditional(ctx context.Context) error {
	d.title("2. Middling risk: the Change Advisory Board approves with conditions")
	e, err := d.file(ctx, story{"Notepad++", "8.7.1", "DEPARTMENT", "cobertura-fair.xml", "trivy-two-high.json", "plan-middling.yaml", "rollback-untested.yaml", "in_progress"})
	if err != nil {
		return err
	}
	s, err := d.submit(ctx, e, "please before the month ends")
	if err != nil {
		return err
	}
	if _, err := d.as("erin").Approve(ctx, s.ID, api.Approve{Rationale: "it is fine"}); err != nil {
		if problem, ok := errors.AsType[*api.Problem](err); !ok || problem.Status != 403 {
			return fmt.Errorf("the submitter's own approval was not refused as it should be: %w", err)
		}
		d.say("erin", "tries to approve it herself: %s", d.paint(red, "refused (403)"))
	} else {
		return errors.New("the submitter approved their own request")
	}
	if _, err := d.as("carol").StartReview(ctx, s.ID); err != nil {
		return err
	}
	d.say("carol", "is on it")
	r, err := d.as("carol").Approve(ctx, s.ID, api.Approve{
		Rationale: "acceptable once the high findings are watched", Conditions: json.RawMessage(`{"max_ring":"PILOT","monitor_hours":24}`),
	})
	if err != nil {
		return err
	}
	d.say("carol", "approves with conditions %s", r.ApprovalConditions)
	return d.closing(ctx, r)
}

func (d *demo) rejected(ctx context.Context) error {
	d.title("3. Middling risk: the Change Advisory Board rejects")
	e, err := d.file(ctx, story{"VPN client", "5.1", "GLOBAL", "cobertura-poor.xml", "trivy-two-high.json", "plan-middling.yaml", "rollback-untested.yaml", "not_started"})
	if err != nil {
		return err
	}
	s, err := d.submit(ctx, e, "")
	if err != nil {
		return err
	}
	if s.DecisionStatus == "exception_required" {
		return errors.New("this story should reach the board")
	}
	r, err := d.as("chris").Reject(ctx, s.ID, api.Rationale{Rationale: "test it and validate the way back first"})
	if err != nil {
		return err
	}
	d.say("chris", "rejects")
	return d.closing(ctx, r)
}

func (d *demo) excepted(ctx context.Context) error {
	d.title("4. High risk: a Security Reviewer's exception, then the board")
	e, err := d.file(ctx, story{"Disk encryption", "2.0", "GLOBAL", "cobertura-poor.xml", "trivy-bad.json", "plan-large.yaml", "rollback-untested.yaml", "not_started"})
	if err != nil {
		return err
	}
	s, err := d.submit(ctx, e, "the old version loses its support")
	if err != nil {
		return err
	}
	x, err := d.as("erin").RequestException(ctx, api.RequestException{
		DeploymentID: e.DeploymentID, Reason: "the old version loses its support on Friday", Justification: "the findings cannot be reached from the network",
		Controls: []string{"isolated pilot group", "daily scan"}, ExpiryDays: new(14),
	})
	if err != nil {
		return err
	}
	d.say("erin", "asks for exception %s, until %s", x.Name, shortTime(x.ExpiresAt))
	if _, err := d.as("sam").ApproveException(ctx, x.ID, api.Rationale{Rationale: "the controls suffice for two weeks"}); err != nil {
		return err
	}
	d.say("sam", "accepts the risk as Security Reviewer; the board still decides")
	r, err := d.as("carol").Approve(ctx, s.ID, api.Approve{Rationale: "with sam's exception, and not longer"})
	if err != nil {
		return err
	}
	d.say("carol", "approves; the approval ends with the exception, %s", timePointer(r.ValidUntil))
	return d.closing(ctx, r)
}

func (d *demo) turnedAway(ctx context.Context) error {
	d.title("5. Incomplete evidence: turned away")
	e, err := d.file(ctx, story{"PDF reader", "11", "LAB", "cobertura-good.xml", "", "plan-small.yaml", "rollback-validated.yaml", "completed"})
	if err != nil {
		return err
	}
	_, err = d.as("erin").Submit(ctx, api.Submit{PackageID: e.ID})
	problem, ok := errors.AsType[*api.Problem](err)
	if !ok || problem.Code != "EVIDENCE_INCOMPLETE" {
		return fmt.Errorf("incomplete evidence was not turned away as it should be: %w", err)
	}
	d.say("the gate", "%s: missing %s", d.paint(red, "turned away (422)"), strings.Join(problem.Missing, ", "))
	return nil
}

// leftOpen leaves something to be decided by whoever looks at the console.
func (d *demo) leftOpen(ctx context.Context) error {
	d.title("6. Left for you to decide, in the console")
	e, err := d.file(ctx, story{"Notepad++", "8.7.4", "DEPARTMENT", "cobertura-poor.xml", "trivy-two-high.json", "plan-middling.yaml", "rollback-validated.yaml", "in_progress"})
	if err != nil {
		return err
	}
	if _, err := d.submit(ctx, e, "closes two findings"); err != nil {
		return err
	}
	if e, err = d.file(ctx, story{"Remote support", "9.2", "PILOT", "cobertura-poor.xml", "trivy-bad.json", "plan-large.yaml", "rollback-untested.yaml", "not_started"}); err != nil {
		return err
	}
	if _, err := d.submit(ctx, e, ""); err != nil {
		return err
	}
	x, err := d.as("erin").RequestException(ctx, api.RequestException{
		DeploymentID: e.DeploymentID, Reason: "the vendor ends the old service", Justification: "it is started by hand only, and never on servers",
		Controls: []string{"started by hand only", "sessions are recorded"}, ExpiryDays: new(30),
	})
	if err != nil {
		return err
	}
	d.say("erin", "asks for exception %s; nobody has decided yet", x.Name)
	return nil
}
