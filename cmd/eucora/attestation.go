package main

import (
	"context"
	"os"

	"github.com/eucora/eucora/api"
)

type evidenceAttestationCmd struct {
	clientFlags
	ID     string `arg:"" help:"The package."`
	Output string `help:"Write it to this file instead of standard output." placeholder:"FILE"`
}

// Run fetches a package's attestation and writes the envelope as it came.
func (c *evidenceAttestationCmd) Run(a *app) error {
	return c.ask(a, func(ctx context.Context, client *api.Client) error {
		envelope, err := client.Attestation(ctx, c.ID)
		if err != nil {
			return err
		}
		if c.Output != "" {
			return os.WriteFile(c.Output, envelope, 0o644)
		}
		_, err = a.out.Write(envelope)
		return err
	})
}
