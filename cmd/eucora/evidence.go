package main

import (
	"context"
	"fmt"
	"io"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/evidence"
)

type evidenceCmd struct {
	Create evidenceCreateCmd `cmd:"" help:"Build a package from files, and file it."`
	Show   evidenceShowCmd   `cmd:"" help:"Show a package and why its score is what it is."`
	Verify evidenceVerifyCmd `cmd:"" help:"Fetch the document and hash it here."`
	File   evidenceFileCmd   `cmd:"" help:"Fetch a file of a package."`
	Diff   evidenceDiffCmd   `cmd:"" help:"Show what changed since the last approved package, or another one."`

	Attestation evidenceAttestationCmd `cmd:"" help:"Fetch the package as a signed in-toto statement (DSSE)."`
}

type evidenceCreateCmd struct {
	clientFlags
	outputFlags
	sourceFlags
	Deployment string `help:"The deployment it is for." placeholder:"ID"`
	DryRun     bool   `help:"Read the files here, print the evidence, and send nothing."`
}

// Run files a package: the server reads the files itself.
func (c *evidenceCreateCmd) Run(a *app) error {
	if c.DryRun {
		data, err := c.look(a)
		if err != nil {
			return err
		}
		return outputFlags{JSON: true}.print(a, data, nil)
	}
	if c.Deployment == "" {
		return usage("--deployment is required")
	}
	declared, err := c.declared()
	if err != nil {
		return err
	}
	return c.ask(a, func(ctx context.Context, client *api.Client) error {
		e, err := c.send(ctx, a, client, api.CreateEvidence{DeploymentID: c.Deployment, EvidenceData: declared}, c.Timeout)
		if err != nil {
			return err
		}
		return c.print(a, e, func() {
			a.printf("%s\n", e.ID)
			if a.terminal {
				showEvidence(a, e)
			}
		})
	})
}

type evidenceShowCmd struct {
	clientFlags
	outputFlags
	ID string `arg:"" help:"The package."`
}

// Run shows a package.
func (c *evidenceShowCmd) Run(a *app) error {
	return c.ask(a, func(ctx context.Context, client *api.Client) error {
		e, err := client.Evidence(ctx, c.ID)
		if err != nil {
			return err
		}
		return c.print(a, e, func() { showEvidence(a, e) })
	})
}

func showEvidence(a *app, e api.Evidence) {
	complete := "complete"
	if !e.IsComplete {
		complete = "INCOMPLETE: it cannot be submitted"
	}
	a.fields("evidence", e.ID, "deployment", e.DeploymentID, "made by", e.CreatedBy.Username+" at "+shortTime(e.CreatedAt),
		"score", score(e.RiskScore)+" by risk model "+e.RiskModelVersion, "sections", complete, "sha256", e.ContentHash)
	for _, path := range e.Missing {
		a.printf("  %s %s\n", a.paint(red, "missing"), path)
	}
	showDifferences(a, e)
	for _, note := range e.Notes {
		a.printf("  %s %s\n", a.paint(yellow, "note"), clean(note))
	}
	fileTable(a, e.Attachments)
	factorTable(a, e.RiskFactors)
}

// showDifferences says what was declared otherwise than the files say.
func showDifferences(a *app, e api.Evidence) {
	var sections evidence.Sections // stay empty if the server sends what is none
	if canonical, err := evidence.Canonical(e.EvidenceData); err == nil {
		if parsed, err := evidence.ParseSections(canonical); err == nil {
			sections = parsed
		}
	}
	for _, o := range e.Origins {
		if o.Declared == nil {
			continue
		}
		says := string(sections.At(o.Path))
		if says == "" {
			says = "nothing that counts"
		}
		a.printf("  %s %s: declared %s, and the files say %s\n", a.paint(yellow, "differs"), clean(o.Path), clean(string(o.Declared)), clean(says))
	}
}

func fileTable(a *app, files []api.Attachment) {
	if len(files) == 0 {
		return
	}
	var rows [][]string
	for _, f := range files {
		format := f.Format
		if format == "" {
			format = "not looked into"
		}
		rows = append(rows, []string{f.Role, f.Name, format, fmt.Sprint(f.Size), f.SHA256})
	}
	a.table([]string{"FILE", "NAME", "FORMAT", "BYTES", "SHA-256"}, rows)
}

func score(points float64) string { return fmt.Sprintf("%.2f", points) }

// factorTable explains a score: the last column sums to it.
func factorTable(a *app, factors []api.Factor) {
	if len(factors) == 0 {
		return
	}
	var rows [][]string
	sum := 0.0
	for _, f := range factors {
		input := f.Input
		if f.State != "known" {
			input = f.State
		}
		rows = append(rows, []string{f.Name, input, f.Bucket, fmt.Sprintf("%d/%d", f.Points, f.MaxPoints), f.Share, fmt.Sprintf("%6.2f", f.Contribution)})
		sum += f.Contribution
	}
	rows = append(rows, []string{"", "", "", "", "score", fmt.Sprintf("%6.2f", sum)})
	a.table([]string{"FACTOR", "VALUE", "BUCKET", "POINTS", "SHARE", "ADDS"}, rows)
}

type evidenceVerifyCmd struct {
	clientFlags
	outputFlags
	ID string `arg:"" help:"The package."`
}

// Run fetches the stored bytes and hashes them here: the server's own word is
// not taken for it.
func (c *evidenceVerifyCmd) Run(a *app) error {
	return c.ask(a, func(ctx context.Context, client *api.Client) error {
		v, err := client.VerifyEvidence(ctx, c.ID)
		if err != nil {
			return err
		}
		document, err := client.Document(ctx, c.ID)
		if err != nil {
			return err
		}
		v.ComputedHash = evidence.Digest(document)
		v.IsValid = v.IsValid && v.ComputedHash == v.ContentHash
		if err := c.print(a, v, func() {
			a.fields("recorded", v.ContentHash, "computed here", v.ComputedHash)
			for _, f := range v.Attachments {
				if !f.IsValid {
					a.printf("%s %s: %s\n", a.paint(red, "file"), f.SHA256, clean(f.Problem))
				}
			}
		}); err != nil {
			return err
		}
		if !v.IsValid {
			return no("the evidence is not what was filed")
		}
		return nil
	})
}

type evidenceFileCmd struct {
	clientFlags
	ID     string `arg:"" help:"The package."`
	SHA256 string `arg:"" name:"sha256" help:"The file's SHA-256."`
	Output string `help:"Where to write it; - is the standard output." short:"o" required:"" placeholder:"FILE"`
}

// Run fetches a file, hashes it here, and leaves nothing that is not it.
func (c *evidenceFileCmd) Run(a *app) error {
	return c.ask(a, func(ctx context.Context, client *api.Client) error {
		if c.Output == "-" {
			return client.Attachment(ctx, c.ID, c.SHA256, a.out)
		}
		return writeWhole(c.Output, func(w io.Writer) error { return client.Attachment(ctx, c.ID, c.SHA256, w) })
	})
}
