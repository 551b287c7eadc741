package main

import (
	"errors"
	"os"
	"slices"
	"time"

	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/monitor"
)

// trustFlags say whose log counts, and who must have witnessed it.
type trustFlags struct {
	Key    string `help:"The log's public key, from your own records." placeholder:"KEY" xor:"whose"`
	Policy string `help:"C2SP tlog-policy: the log's key, its witnesses, and how many of them must." name:"trust" env:"EUCORA_AUDIT_TRUST" type:"existingfile" placeholder:"FILE" xor:"whose"`
}

// trust is what was given; nil if nothing was.
func (f trustFlags) trust() (*ledger.Trust, error) {
	switch {
	case f.Key != "":
		trust, err := ledger.OnlyLog(f.Key)
		if err != nil {
			return nil, usage("--key: %v", err)
		}
		return trust, nil
	case f.Policy != "":
		text, err := os.ReadFile(f.Policy)
		if err != nil {
			return nil, usage("--trust: %v", err)
		}
		trust, err := ledger.ParseTrust(text)
		if err != nil {
			return nil, usage("--trust: %s: %v", f.Policy, err)
		}
		return trust, nil
	}
	return nil, nil
}

type auditMonitorCmd struct {
	clientFlags
	outputFlags
	trustFlags
	State string        `help:"Directory with what was seen: a mirror of the log. It is made the first time." required:"" placeholder:"DIR"`
	Once  bool          `help:"Look once (that is so without --every, too)." xor:"when"`
	Every time.Duration `help:"Look again and again, until stopped." placeholder:"1m" xor:"when"`
	All   bool          `help:"Read every event again each time, not 16,384 in turn."`
}

// Run watches a log. Its status is 1 if anything was found, and 3 if it could not
// look (with --every: the last time).
func (c *auditMonitorCmd) Run(a *app) error {
	if c.Every < 0 || (c.Every > 0 && c.Every < time.Second) {
		return usage("--every: at least a second")
	}
	trust, err := c.trust()
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	p := a.progress()
	watch := monitor.New(monitor.Options{Client: client, Dir: c.State, Trust: trust, All: c.All, Progress: p.show})
	if c.Every == 0 {
		report, err := watch.Round(a.ctx)
		p.done()
		return c.verdict(a, report, err)
	}
	return c.again(a, watch, p)
}

// again looks until it is stopped. What was found is printed when it is new.
func (c *auditMonitorCmd) again(a *app, watch *monitor.Watch, p *progress) error {
	found, blind := false, false
	var last monitor.Report
	ticker := time.NewTicker(c.Every)
	defer ticker.Stop()
	for {
		report, err := watch.Round(a.ctx)
		p.done()
		if a.ctx.Err() == nil { // what stopping cut off says nothing
			known := len(last.Findings) > 0 && slices.Equal(report.Findings, last.Findings) && report.LeftOut == last.LeftOut
			found = found || len(report.Findings) > 0
			last = report
			if known && !c.JSON {
				a.printf("as before: what was found is there still (%d)\n", len(report.Findings)+report.LeftOut)
			} else if err = c.verdict(a, report, err); err != nil {
				a.complain(err)
			}
			blind = err != nil && statusOf(err) == exitUnknown
		}
		select {
		case <-a.ctx.Done():
			switch {
			case found:
				return &exitError{code: exitNo}
			case blind:
				return &exitError{code: exitUnknown}
			}
			return nil
		case <-ticker.C:
		}
	}
}

// verdict prints one round. Whatever kept it from looking, also a refusal, is no
// finding.
func (c *auditMonitorCmd) verdict(a *app, report monitor.Report, err error) error {
	if err != nil && len(report.Findings) == 0 {
		return unknown("could not tell: %v", err)
	}
	if err := c.print(a, report, func() { c.tell(a, report, err) }); err != nil {
		return err
	}
	if len(report.Findings) > 0 {
		return errors.Join(&exitError{code: exitNo}, err)
	}
	return nil
}

// tell says what a round found. broke is what kept it from its end, if anything did.
func (c *auditMonitorCmd) tell(a *app, r monitor.Report, broke error) {
	for _, finding := range r.Findings {
		a.printf("%s %s\n", a.paint(red, "✗"), clean(finding))
	}
	if r.LeftOut > 0 {
		a.printf("%s and %d more\n", a.paint(red, "✗"), r.LeftOut)
	}
	if broke != nil {
		return
	}
	if r.Root == "" {
		a.printf("%s\n", a.paint(red, "the log does not hold; what is in "+clean(c.State)+" was left as it was"))
		return
	}
	if r.Key != "" {
		a.printf("%s\n", a.paint(yellow, "! the first time, and nobody said whose log it is: its key was taken on trust: "+r.Key))
	}
	a.printf("%s %d events, %d of them new, make the root %s\n", a.paint(green, "✓"), r.Events, r.Events-r.Before, r.Root)
	if !r.First {
		a.printf("%s the kept checkpoint of %d events is its beginning; %d of them were read again\n", a.paint(green, "✓"), r.Before, r.Again)
	}
	for _, witness := range r.Witnesses {
		a.printf("%s witnessed by %s\n", a.paint(green, "✓"), clean(witness))
	}
	if len(r.Findings) == 0 {
		a.printf("%s %d rows are shown as the events say\n", a.paint(green, "✓"), r.Rows)
	}
}
