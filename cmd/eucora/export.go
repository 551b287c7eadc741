package main

import (
	"context"
	"errors"
	"io"
	"net/url"
	"time"

	"github.com/eucora/eucora/api"
)

// moment is a time on the command line: RFC 3339, or a day, which begins at
// midnight UTC.
type moment string

// UnmarshalText reads a moment.
func (m *moment) UnmarshalText(text []byte) error {
	if day, err := time.Parse(time.DateOnly, string(text)); err == nil {
		*m = moment(day.Format(time.RFC3339))
		return nil
	}
	if _, err := time.Parse(time.RFC3339, string(text)); err != nil {
		return errors.New("want a day such as 2026-11-24, or a time such as 2026-11-24T12:00:00Z")
	}
	*m = moment(text)
	return nil
}

// outFlags say where a file goes.
type outFlags struct {
	Output string `short:"o" help:"Write to this file, whole or not at all, instead of standard output." placeholder:"FILE"`
}

// write hands write a writer: of the file, or of standard output.
func (o outFlags) write(a *app, write func(w io.Writer) error) error {
	if o.Output == "" {
		return write(a.out)
	}
	return writeWhole(o.Output, write)
}

type auditEventsCmd struct {
	clientFlags
	outFlags
	Format      string `help:"ndjson (each event exactly as hashed), csv, or ocsf (an OCSF event a line)." enum:"ndjson,csv,ocsf" default:"ndjson"`
	Correlation string `help:"Any id of a trail: CAB-…, EXC-…, deployment, evidence, correlation id." name:"correlation-id" placeholder:"ID"`
	Type        string `help:"One event type, e.g. CAB_APPROVED."`
	Actor       string `help:"One principal's acts." placeholder:"ID"`
	Since       moment `help:"From this day or time on." placeholder:"TIME"`
	Until       moment `help:"Before this day or time." placeholder:"TIME"`
}

// Run exports events.
func (c *auditEventsCmd) Run(a *app) error {
	query := url.Values{"format": {c.Format}}
	for name, value := range map[string]string{
		"correlation_id": c.Correlation, "type": c.Type, "actor": c.Actor, "since": string(c.Since), "until": string(c.Until),
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return c.ask(a, func(ctx context.Context, client *api.Client) error {
		return c.write(a, func(w io.Writer) error { return client.ExportEvents(ctx, query, w) })
	})
}

type auditReportCmd struct {
	clientFlags
	outFlags
	JSON  bool   `help:"JSON instead of HTML." name:"json"`
	Since moment `help:"The period begins with this day or time." placeholder:"TIME" required:""`
	Until moment `help:"The period ends before this day or time." placeholder:"TIME" required:""`
}

// Run fetches a control report.
func (c *auditReportCmd) Run(a *app) error {
	query := url.Values{"since": {string(c.Since)}, "until": {string(c.Until)}}
	if c.JSON {
		query.Set("format", "json")
	}
	return c.ask(a, func(ctx context.Context, client *api.Client) error {
		return c.write(a, func(w io.Writer) error { return client.ChangeReport(ctx, query, w) })
	})
}
