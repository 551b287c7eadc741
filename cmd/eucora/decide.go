package main

import (
	"context"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/evidence"
)

// requestArg is the request that a command is about.
type requestArg struct {
	clientFlags
	outputFlags
	ID string `arg:"" help:"The request: CAB-… or its UUID." name:"request"`
}

// act runs an act on a request and prints what has become of it.
func (r requestArg) act(a *app, do func(ctx context.Context, c *api.Client, id string) (api.Request, error)) error {
	return r.ask(a, func(ctx context.Context, client *api.Client) error {
		request, err := do(ctx, client, r.ID)
		if err != nil {
			return err
		}
		return r.print(a, request, func() { a.printf("%s  %s\n", request.Name, verdict(a, request)) })
	})
}

type reviewCmd struct{ requestArg }

// Run says who is on a request.
func (c *reviewCmd) Run(a *app) error {
	return c.act(a, func(ctx context.Context, client *api.Client, id string) (api.Request, error) {
		return client.StartReview(ctx, id)
	})
}

type approveCmd struct {
	requestArg
	Rationale  string `help:"Why." required:""`
	Conditions string `help:"Conditions, a JSON object such as '{\"max_ring\":\"PILOT\"}'." placeholder:"JSON"`
}

// Run approves a request.
func (c *approveCmd) Run(a *app) error {
	in := api.Approve{Rationale: c.Rationale}
	if c.Conditions != "" {
		conditions, err := evidence.Canonical([]byte(c.Conditions))
		if err != nil {
			return usage("--conditions: %v", err)
		}
		in.Conditions = conditions
	}
	return c.act(a, func(ctx context.Context, client *api.Client, id string) (api.Request, error) {
		return client.Approve(ctx, id, in)
	})
}

type rejectCmd struct {
	requestArg
	Rationale string `help:"Why." required:""`
}

// Run rejects a request.
func (c *rejectCmd) Run(a *app) error {
	return c.act(a, func(ctx context.Context, client *api.Client, id string) (api.Request, error) {
		return client.Reject(ctx, id, api.Rationale{Rationale: c.Rationale})
	})
}

type withdrawCmd struct {
	requestArg
	Reason string `help:"Why."`
}

// Run takes a request back.
func (c *withdrawCmd) Run(a *app) error {
	return c.act(a, func(ctx context.Context, client *api.Client, id string) (api.Request, error) {
		return client.Withdraw(ctx, id, api.Withdrawal{Reason: c.Reason})
	})
}

type revokeCmd struct {
	requestArg
	Reason string `help:"Why." required:""`
}

// Run ends an approval.
func (c *revokeCmd) Run(a *app) error {
	return c.act(a, func(ctx context.Context, client *api.Client, id string) (api.Request, error) {
		return client.Revoke(ctx, id, api.Reason{Reason: c.Reason})
	})
}
