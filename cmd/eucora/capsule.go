package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/capsule"
)

type auditExportCmd struct {
	clientFlags
	trustFlags
	Request     string `help:"The request: CAB-…" required:"" placeholder:"CAB-…"`
	Output      string `help:"The capsule's file." short:"o" required:"" placeholder:"FILE"`
	Attachments bool   `help:"Put the files of the evidence in too; otherwise they are there by their digests."`
}

// Run fetches a capsule, and verifies it here before it says that there is one. The
// capsule of another request is kept by nobody; one that does not hold may hold once
// witnesses have answered, and is kept for whoever wants to know why.
func (c *auditExportCmd) Run(a *app) error {
	o, err := c.options()
	if err != nil {
		return err
	}
	return c.ask(a, func(ctx context.Context, client *api.Client) error {
		p := a.progress()
		defer p.done()
		var report capsule.Report
		err := writeTo(c.Output, os.Rename, func(file *os.File) error {
			err := client.Capsule(ctx, c.Request, c.Attachments, &told{w: file, each: func(n int64) { p.show("%d MiB", n>>20) }})
			if err != nil {
				return err
			}
			p.done()
			if report, err = verifyOpen(file, o); err != nil {
				return err
			}
			return c.isAskedFor(a, report)
		})
		if err != nil {
			return err
		}
		if !report.Holds() {
			tellWrong(a, report)
			return no("%s was written, and does not hold as it is", c.Output)
		}
		a.printf("%s: %s, as of %d events\n", clean(c.Output), report.Request, report.Checkpoint.Size)
		tellNotes(a, report)
		return nil
	})
}

// isAskedFor refuses the capsule of another request.
func (c *auditExportCmd) isAskedFor(a *app, report capsule.Report) error {
	if report.Request == c.Request || strings.EqualFold(report.Outcome.Request.ID, c.Request) {
		return nil
	}
	tellWrong(a, report)
	if report.Request == "" {
		return no("what came is no capsule; nothing was written")
	}
	return no("the capsule of %s came, and not that of %s; nothing was written", report.Request, clean(c.Request))
}

// tellWrong says which checks do not hold.
func tellWrong(a *app, report capsule.Report) {
	for _, check := range report.Checks {
		if !check.Holds {
			fmt.Fprintf(a.errOut, "%s: %s\n", check.Name, clean(check.Text))
		}
	}
}

// options are whose word counts of a capsule. A key alone says nothing of witnesses:
// then it is as the capsule says.
func (f trustFlags) options() (capsule.Options, error) {
	own, err := f.trust()
	if err == nil && f.Key != "" {
		return capsule.Options{Key: own.Log}, nil
	}
	return capsule.Options{Trust: own}, err
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
	return verifyOpen(file, o)
}

// verifyOpen is verifyCapsule of a file that is open.
func verifyOpen(file *os.File, o capsule.Options) (capsule.Report, error) {
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", file.Name())
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
	o, err := c.options()
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

// tellChecks says of each check what was found.
func tellChecks(a *app, report capsule.Report) {
	for _, check := range report.Checks {
		mark := a.paint(green, "✓")
		if !check.Holds {
			mark = a.paint(red, "✗")
		}
		a.printf("%s %s: %s\n", mark, check.Name, clean(check.Text))
	}
	tellNotes(a, report)
	if report.Holds() {
		a.printf("%s\n", a.paint(green, report.Request+" holds"))
		return
	}
	a.printf("%s\n", a.paint(red, "the capsule does not hold"))
}

// tellNotes says what nobody has checked.
func tellNotes(a *app, report capsule.Report) {
	for _, note := range report.Notes {
		a.printf("%s %s\n", a.paint(yellow, "!"), clean(note))
	}
}
