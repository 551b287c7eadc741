package main

import (
	"context"

	"github.com/eucora/eucora/api"
)

type deploymentCmd struct {
	Create deploymentCreateCmd `cmd:"" help:"Record what is to be deployed."`
	Report deploymentReportCmd `cmd:"" help:"Report what has happened (publishers)."`
}

type deploymentCreateCmd struct {
	clientFlags
	outputFlags
	App  string `help:"Application name." required:"" name:"app"`
	Vers string `help:"Its version." required:"" name:"app-version" placeholder:"VERSION"`
	Ring string `help:"LAB, CANARY, PILOT, DEPARTMENT or GLOBAL." required:"" enum:"LAB,CANARY,PILOT,DEPARTMENT,GLOBAL"`
}

// Run makes a deployment intent and prints its id.
func (c *deploymentCreateCmd) Run(a *app) error {
	return c.ask(a, func(ctx context.Context, client *api.Client) error {
		d, err := client.CreateDeployment(ctx, api.CreateDeployment{AppName: c.App, Version: c.Vers, TargetRing: c.Ring})
		if err != nil {
			return err
		}
		return c.print(a, d, func() { a.printf("%s\n", d.ID) })
	})
}

type deploymentReportCmd struct {
	clientFlags
	outputFlags
	ID     string `arg:"" help:"The deployment."`
	Type   string `arg:"" help:"DEPLOYMENT_STARTED, DEPLOYMENT_COMPLETED, DEPLOYMENT_FAILED, ROLLBACK_INITIATED, ROLLBACK_COMPLETED or CHECK_REPORTED."`
	Detail string `help:"What there is to say about it."`

	Ring      string `help:"Which ring, of a deployment that goes by permits; the one begun last if left out."`
	Succeeded *int   `help:"Devices on which it succeeded." placeholder:"N"`
	Failed    *int   `help:"Devices on which it failed." placeholder:"N"`
	Incident  bool   `help:"There was a security incident." name:"security-incident"`
	Check     string `help:"With CHECK_REPORTED: the check's name." placeholder:"NAME"`
	Passed    *bool  `help:"With CHECK_REPORTED: it passed, or --no-passed." negatable:""`
}

// Run reports what has happened. A start that is not approved is refused.
func (c *deploymentReportCmd) Run(a *app) error {
	return c.ask(a, func(ctx context.Context, client *api.Client) error {
		d, err := client.Report(ctx, c.ID, api.DeploymentReport{
			Type: c.Type, Detail: c.Detail, Ring: c.Ring, Succeeded: c.Succeeded, Failed: c.Failed,
			Incident: c.Incident, Check: c.Check, Passed: c.Passed,
		})
		if err != nil {
			return err
		}
		return c.print(a, d, func() { a.printf("%s %s is %s\n", d.AppName, d.Version, d.State) })
	})
}
