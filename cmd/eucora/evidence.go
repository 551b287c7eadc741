package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/collect"
	"github.com/eucora/eucora/internal/evidence"
)

type evidenceCmd struct {
	Create evidenceCreateCmd `cmd:"" help:"Build a package from files, and file it."`
	Show   evidenceShowCmd   `cmd:"" help:"Show a package and why its score is what it is."`
	Verify evidenceVerifyCmd `cmd:"" help:"Fetch the document and hash it here."`
}

// sourceFlags are the files that a package is built from.
type sourceFlags struct {
	Artifact         []string `help:"File to be deployed; hashed. May be repeated." type:"existingfile" placeholder:"FILE"`
	Signature        string   `help:"What is known of the artifacts' signature." placeholder:"TEXT"`
	SBOM             []string `help:"SBOM: CycloneDX JSON. One for all artifacts, or one for each." name:"sbom" type:"existingfile" placeholder:"FILE"`
	Scan             []string `help:"Scan report: Trivy or Grype JSON." type:"existingfile" placeholder:"FILE"`
	Tests            []string `help:"Test report: JUnit XML." type:"existingfile" placeholder:"FILE"`
	Coverage         []string `help:"Coverage report: Cobertura XML or Go coverprofile." type:"existingfile" placeholder:"FILE"`
	Plan             string   `help:"Deployment plan, YAML or JSON." type:"existingfile" placeholder:"FILE"`
	Rollback         string   `help:"Rollback plan, YAML or JSON." type:"existingfile" placeholder:"FILE"`
	ManualTestStatus string   `help:"completed, in_progress or not_started." enum:"completed,in_progress,not_started," default:""`
}

// build reads the files and makes the evidence_data object.
func (f sourceFlags) build(a *app) ([]byte, error) {
	sources := collect.Sources{ManualTestStatus: f.ManualTestStatus}
	for _, path := range f.Artifact {
		artifact, err := hashFile(a, path)
		if err != nil {
			return nil, usage("%v", err)
		}
		artifact.Signature = f.Signature
		sources.Artifacts = append(sources.Artifacts, artifact)
	}
	for _, group := range []struct {
		kind  collect.Kind
		paths []string
		to    *[]collect.Report
	}{
		{collect.SBOM, f.SBOM, &sources.SBOMs}, {collect.Scan, f.Scan, &sources.Scans},
		{collect.Tests, f.Tests, &sources.Tests}, {collect.Coverage, f.Coverage, &sources.Coverage},
	} {
		for _, path := range group.paths {
			report, err := readFile(path, func(s collect.Source) (collect.Report, error) { return collect.Read(group.kind, s) })
			if err != nil {
				return nil, usage("%v", err)
			}
			*group.to = append(*group.to, report)
		}
	}
	var err error
	for path, to := range map[string]*[]byte{f.Plan: (*[]byte)(&sources.Plan), f.Rollback: (*[]byte)(&sources.Rollback)} {
		if path == "" {
			continue
		}
		*to, err = readFile(path, func(s collect.Source) ([]byte, error) { return collect.Document(s) })
		if err != nil {
			return nil, usage("%v", err)
		}
	}
	data, err := sources.Evidence()
	if err != nil {
		return nil, usage("%v", err)
	}
	return data, nil
}

func readFile[T any](path string, read func(collect.Source) (T, error)) (T, error) {
	var none T
	file, err := os.Open(path)
	if err != nil {
		return none, err
	}
	defer file.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, file)
	if err != nil {
		return none, err
	}
	return read(collect.Source{Name: path, SHA256: hex.EncodeToString(sum.Sum(nil)), Size: size, ReaderAt: file})
}

func hashFile(a *app, path string) (collect.Artifact, error) {
	p := a.progress()
	defer p.done()
	file, err := os.Open(path)
	if err != nil {
		return collect.Artifact{}, err
	}
	defer file.Close()
	return collect.HashArtifact(path, file, func(n int64) { p.show("hashing %s: %d MiB", path, n>>20) })
}

type evidenceCreateCmd struct {
	clientFlags
	outputFlags
	sourceFlags
	Deployment string `help:"The deployment it is for." placeholder:"ID"`
	File       string `help:"A file with the whole evidence_data object, instead of reports." type:"existingfile" placeholder:"FILE" name:"data-file"`
	DryRun     bool   `help:"Print the evidence and send nothing."`
}

// Run builds and files a package.
func (c *evidenceCreateCmd) Run(a *app) error {
	data, err := c.data(a)
	if err != nil {
		return err
	}
	if c.DryRun {
		return outputFlags{JSON: true}.print(a, json.RawMessage(data), nil)
	}
	if c.Deployment == "" {
		return usage("--deployment is required")
	}
	return c.ask(a, func(ctx context.Context, client *api.Client) error {
		e, err := client.CreateEvidence(ctx, api.CreateEvidence{DeploymentID: c.Deployment, EvidenceData: data})
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

func (c *evidenceCreateCmd) data(a *app) ([]byte, error) {
	if c.File == "" {
		return c.build(a)
	}
	text, err := os.ReadFile(c.File)
	if err != nil {
		return nil, usage("%v", err)
	}
	canonical, err := evidence.Canonical(text)
	if err != nil {
		return nil, usage("%s: %v", c.File, err)
	}
	return canonical, nil
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
	factorTable(a, e.RiskFactors)
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
		}); err != nil {
			return err
		}
		if !v.IsValid {
			return no("the evidence is not what was filed")
		}
		return nil
	})
}
