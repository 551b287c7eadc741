package main

import (
	"context"
	"encoding/base64"
	"errors"

	"github.com/eucora/eucora/api"
)

type auditCheckpointCmd struct {
	clientFlags
	Save        string `help:"Write the checkpoint to this file (otherwise: to standard output)." placeholder:"FILE"`
	Timestamped string `help:"Write the newest time-stamped checkpoint, as the log signed it, to this file, and its time-stamp to FILE.tsr." placeholder:"FILE"`
}

// Run fetches checkpoints. Who signed them is for audit verify to check, and
// whoever keeps them.
func (c *auditCheckpointCmd) Run(a *app) error {
	return c.ask(a, func(ctx context.Context, client *api.Client) error {
		if c.Timestamped != "" {
			if err := c.timestamped(ctx, client); err != nil {
				return err
			}
		}
		note, err := client.LogCheckpoint(ctx)
		if err != nil {
			return err
		}
		if c.Save != "" {
			return save(c.Save, note)
		}
		_, err = a.out.Write(note)
		return err
	})
}

func (c *auditCheckpointCmd) timestamped(ctx context.Context, client *api.Client) error {
	newest, err := client.Checkpoint(ctx)
	if err != nil {
		return err
	}
	if newest.Timestamp == nil {
		return no("no checkpoint has been time-stamped; see --timestamp-authority of eucora serve")
	}
	reply, err := base64.StdEncoding.DecodeString(newest.Timestamp.Reply)
	if err != nil || len(reply) == 0 || newest.Timestamp.Checkpoint == "" {
		return unknown("the server's time-stamp is none")
	}
	return errors.Join(
		save(c.Timestamped, []byte(newest.Timestamp.Checkpoint)),
		save(c.Timestamped+".tsr", reply))
}
