package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/capsule"
	"github.com/eucora/eucora/internal/ledger"
)

type auditExportCmd struct {
	clientFlags
	Request     string `help:"The request: CAB-…" required:"" placeholder:"CAB-…"`
	Output      string `help:"The capsule's file." short:"o" required:"" placeholder:"FILE"`
	Attachments bool   `help:"Put the files of the evidence in too; otherwise they are there by their digests."`
}

// Run fetches a capsule, and verifies it here before it says that there is one.
func (c *auditExportCmd) Run(a *app) error {
	return c.ask(a, func(ctx context.Context, client *api.Client) error {
		p := a.progress()
		defer p.done()
		err := writeWhole(c.Output, func(w io.Writer) error {
			return client.Capsule(ctx, c.Request, c.Attachments, &told{w: w, each: func(n int64) { p.show("%d MiB", n>>20) }})
		})
		if err != nil {
			return err
		}
		p.done()
		report, err := verifyCapsule(c.Output, capsule.Options{})
		if err != nil {
			return err
		}
		if !report.Holds() {
			for _, check := range report.Checks {
				if !check.Holds {
					fmt.Fprintf(a.errOut, "%s: %s\n", check.Name, clean(check.Text))
				}
			}
			return no("%s was written, and does not hold as it is", c.Output)
		}
		a.printf("%s: %s, as of %d events\n", clean(c.Output), report.Request, report.Checkpoint.Size)
		return nil
	})
}

// told counts what is written.
type told struct {
	w    io.Writer
	n    int64
	each func(int64)
}

func (t *told) Write(b []byte) (int, error) {
	n, err := t.w.Write(b)
	t.n += int64(n)
	t.each(t.n)
	return n, err
}

// verifyCapsule verifies a file. An error says that it could not be read.
func verifyCapsule(path string, o capsule.Options) (capsule.Report, error) {
	file, err := os.Open(path)
	if err != nil {
		return capsule.Report{}, unknown("%v", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", path)
	}
	if err != nil {
		return capsule.Report{}, unknown("%v", err)
	}
	report, err := capsule.Verify(file, info.Size(), o)
	if err != nil {
		return report, unknown("%v", err)
	}
	return report, nil
}

// capsuleVerified is what was found, as --json prints it.
type capsuleVerified struct {
	Holds     bool           `json:"holds"`
	Request   string         `json:"request"`
	Checks    []capsuleCheck `json:"checks"`
	Notes     []string       `json:"notes"`
	Events    int64          `json:"events"` // that the checkpoint covers
	Root      string         `json:"root,omitzero"`
	Witnesses []string       `json:"witnesses"`
	Status    string         `json:"status,omitzero"`
	Decision  string         `json:"decision,omitzero"`
	DecidedAt time.Time      `json:"decided_at,omitzero"`
}

type capsuleCheck struct {
	Check string `json:"check"`
	Holds bool   `json:"holds"`
	Text  string `json:"text"`
}

// capsule verifies a capsule, with no server and no database.
func (c *auditVerifyCmd) capsule(a *app) error {
	o, err := c.whose()
	if err != nil {
		return err
	}
	report, err := verifyCapsule(c.File, o)
	if err != nil {
		return err
	}
	result := capsuleVerified{
		Holds: report.Holds(), Request: report.Request, Checks: []capsuleCheck{}, Notes: append([]string{}, report.Notes...), Witnesses: []string{},
		Events: report.Checkpoint.Size, Status: string(report.Outcome.Request.Status),
	}
	if result.Events > 0 {
		result.Root = report.Checkpoint.Root.String()
	}
	for _, check := range report.Checks {
		result.Checks = append(result.Checks, capsuleCheck{check.Name, check.Holds, check.Text})
	}
	for _, w := range report.Checkpoint.By {
		result.Witnesses = append(result.Witnesses, w.Witness)
	}
	if d := report.Outcome.Decision; d != nil {
		result.Decision, result.DecidedAt = string(d.Decision), d.DecidedAt
	}
	if err := c.print(a, result, func() { tellChecks(a, report) }); err != nil {
		return err
	}
	if !report.Holds() {
		return &exitError{code: exitNo}
	}
	return nil
}

// whose settles whose word counts.
func (c *auditVerifyCmd) whose() (o capsule.Options, err error) {
	if c.Key != "" {
		if o.Key, err = ledger.NewVerifier(c.Key); err != nil {
			return o, usage("--key: %v", err)
		}
	}
	if c.Trust != "" {
		text, err := os.ReadFile(c.Trust)
		if err != nil {
			return o, usage("--trust: %v", err)
		}
		if o.Trust, err = ledger.ParseTrust(text); err != nil {
			return o, usage("--trust %s: %v", c.Trust, err)
		}
	}
	if c.Key != "" && c.Trust != "" {
		return o, usage("--trust names the log's key: give one of --key and --trust")
	}
	return o, nil
}

// tellChecks says of each check what was found.
func tellChecks(a *app, report capsule.Report) {
	for _, check := range report.Checks {
		mark := a.paint(green, "✓")
		if !check.Holds {
			mark = a.paint(red, "✗")
		}
		a.printf("%s %s: %s\n", mark, check.Name, clean(check.Text))
	}
	for _, note := range report.Notes {
		a.printf("%s %s\n", a.paint(yellow, "!"), clean(note))
	}
	if report.Holds() {
		a.printf("%s\n", a.paint(green, report.Request+" holds"))
		return
	}
	a.printf("%s\n", a.paint(red, "the capsule does not hold"))
}
