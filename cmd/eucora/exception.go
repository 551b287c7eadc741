package main

import (
	"context"
	"net/url"

	"github.com/eucora/eucora/api"
)

type exceptionCmd struct {
	Request exceptionRequestCmd `cmd:"" help:"Ask for an exception."`
	Approve exceptionApproveCmd `cmd:"" help:"Accept the risk (Security Reviewers)."`
	Reject  exceptionRejectCmd  `cmd:"" help:"Refuse to accept the risk."`
	Revoke  exceptionRevokeCmd  `cmd:"" help:"End an exception; approvals that rest on it end with it."`
	List    exceptionListCmd    `cmd:"" help:"List exceptions."`
}

type exceptionRequestCmd struct {
	clientFlags
	outputFlags
	Deployment    string   `help:"The deployment." required:"" placeholder:"ID"`
	Reason        string   `help:"Why it is needed." required:""`
	Justification string   `help:"Why the risk can be accepted." required:""`
	Control       []string `help:"A compensating control; may be repeated." required:"" sep:"none"`
	Days          *int     `help:"Days until it ends, 1 to 90, from now on."`
}

// Run asks for an exception.
func (c *exceptionRequestCmd) Run(a *app) error {
	return c.ask(a, func(ctx context.Context, client *api.Client) error {
		e, err := client.RequestException(ctx, api.RequestException{
			DeploymentID: c.Deployment, Reason: c.Reason, Justification: c.Justification, Controls: c.Control, ExpiryDays: c.Days,
		})
		if err != nil {
			return err
		}
		return c.print(a, e, func() { a.printf("%s  waits for a Security Reviewer; ends %s\n", e.Name, shortTime(e.ExpiresAt)) })
	})
}

// exceptionArg is the exception that a command is about.
type exceptionArg struct {
	clientFlags
	outputFlags
	ID string `arg:"" help:"The exception: EXC-… or its UUID." name:"exception"`
}

func (e exceptionArg) act(a *app, do func(ctx context.Context, c *api.Client, id string) (api.Exception, error)) error {
	return e.ask(a, func(ctx context.Context, client *api.Client) error {
		exception, err := do(ctx, client, e.ID)
		if err != nil {
			return err
		}
		return e.print(a, exception, func() { a.printf("%s  %s\n", exception.Name, exception.StatusDisplay) })
	})
}

type exceptionApproveCmd struct {
	exceptionArg
	Rationale string `help:"Why." required:""`
}

// Run accepts a risk.
func (c *exceptionApproveCmd) Run(a *app) error {
	return c.act(a, func(ctx context.Context, client *api.Client, id string) (api.Exception, error) {
		return client.ApproveException(ctx, id, api.Rationale{Rationale: c.Rationale})
	})
}

type exceptionRejectCmd struct {
	exceptionArg
	Rationale string `help:"Why." required:""`
}

// Run refuses to accept a risk.
func (c *exceptionRejectCmd) Run(a *app) error {
	return c.act(a, func(ctx context.Context, client *api.Client, id string) (api.Exception, error) {
		return client.RejectException(ctx, id, api.Rationale{Rationale: c.Rationale})
	})
}

type exceptionRevokeCmd struct {
	exceptionArg
	Reason string `help:"Why." required:""`
}

// Run ends an exception.
func (c *exceptionRevokeCmd) Run(a *app) error {
	return c.act(a, func(ctx context.Context, client *api.Client, id string) (api.Exception, error) {
		return client.RevokeException(ctx, id, api.Reason{Reason: c.Reason})
	})
}

type exceptionListCmd struct {
	clientFlags
	outputFlags
	Status     string `help:"pending, approved, rejected, expired or revoked, as of now."`
	Deployment string `help:"Of one deployment." placeholder:"ID"`
	Cursor     string `help:"Go on where the page before ended."`
}

// Run lists exceptions.
func (c *exceptionListCmd) Run(a *app) error {
	return c.ask(a, func(ctx context.Context, client *api.Client) error {
		query := url.Values{}
		for name, value := range map[string]string{"status": c.Status, "deployment_intent_id": c.Deployment, "cursor": c.Cursor} {
			if value != "" {
				query.Set(name, value)
			}
		}
		page, err := client.Exceptions(ctx, query)
		if err != nil {
			return err
		}
		return c.print(a, page, func() { exceptionTable(a, page) })
	})
}
