package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/collect"
	"github.com/eucora/eucora/internal/evidence"
)

// sourceFlags are the files that a package is built from, and what is declared
// beside them.
type sourceFlags struct {
	Artifact   []string `help:"File to be deployed. This and the others may be repeated." type:"existingfile" placeholder:"FILE"`
	SBOM       []string `help:"SBOM: CycloneDX, SPDX. One for all artifacts, or one for each." name:"sbom" type:"existingfile" placeholder:"FILE"`
	Scan       []string `help:"Scan report: Trivy, Grype, OSV-Scanner, Snyk, SARIF, GitLab and others." type:"existingfile" placeholder:"FILE"`
	VEX        []string `help:"What vendors say of the findings: OpenVEX, CycloneDX VEX, CSAF." name:"vex" type:"existingfile" placeholder:"FILE"`
	Tests      []string `help:"Test report: JUnit, NUnit, xUnit, TRX, TAP, go test -json." type:"existingfile" placeholder:"FILE"`
	Coverage   []string `help:"Coverage report: Cobertura, JaCoCo, LCOV, Clover, Go, coverage.py, Istanbul." type:"existingfile" placeholder:"FILE"`
	Complexity []string `help:"Complexity report: gocyclo, Lizard, radon, SonarQube measures." type:"existingfile" placeholder:"FILE"`
	Provenance []string `help:"How the artifacts were built: in-toto, DSSE, Sigstore bundle." type:"existingfile" placeholder:"FILE"`
	Packaging  []string `help:"Packaging metadata: winget, nuspec, Intune, munki, AutoPkg." type:"existingfile" placeholder:"FILE"`

	Plan             string `help:"Deployment plan, YAML or JSON." type:"existingfile" placeholder:"FILE"`
	Rollback         string `help:"Rollback plan, YAML or JSON." type:"existingfile" placeholder:"FILE"`
	ManualTestStatus string `help:"completed, in_progress or not_started." enum:"completed,in_progress,not_started," default:""`
	Signature        string `help:"What you know of the artifacts' signature." placeholder:"TEXT"`
	Data             string `help:"A file with an evidence_data object, for all that the other flags do not say." type:"existingfile" placeholder:"FILE" name:"data-file"`
}

// roles lists the files by their roles, in the order in which they are sent.
func (f sourceFlags) roles() []struct {
	role  evidence.Role
	paths []string
} {
	return []struct {
		role  evidence.Role
		paths []string
	}{
		{evidence.ArtifactFile, f.Artifact}, {evidence.SBOMFile, f.SBOM}, {evidence.ScanFile, f.Scan}, {evidence.VEXFile, f.VEX},
		{evidence.TestsFile, f.Tests}, {evidence.CoverageFile, f.Coverage}, {evidence.ComplexityFile, f.Complexity},
		{evidence.ProvenanceFile, f.Provenance}, {evidence.PackagingFile, f.Packaging},
	}
}

// declared is the evidence_data object of what is declared, in canonical form.
func (f sourceFlags) declared() ([]byte, error) {
	sections := map[string]json.RawMessage{}
	if f.Data != "" {
		text, err := os.ReadFile(f.Data)
		if err != nil {
			return nil, usage("%v", err)
		}
		canonical, err := evidence.Canonical(text)
		if err == nil {
			err = json.Unmarshal(canonical, &sections)
		}
		if err != nil {
			return nil, usage("%s: %v", f.Data, err)
		}
	}
	for _, document := range []struct{ section, flag, path string }{
		{"deployment_plan", "--plan", f.Plan}, {"rollback_plan", "--rollback", f.Rollback},
	} {
		if document.path == "" {
			continue
		}
		text, err := readFile(document.path, func(s collect.Source) ([]byte, error) { return collect.Document(s) })
		if err != nil {
			return nil, usage("%v", err)
		}
		if err := declare(sections, document.section, document.flag, text); err != nil {
			return nil, err
		}
	}
	if f.ManualTestStatus != "" {
		if err := declare(sections, "test_results", "--manual-test-status", fmt.Appendf(nil, `{"manual_test_status":%q}`, f.ManualTestStatus)); err != nil {
			return nil, err
		}
	}
	if f.Signature != "" {
		if err := f.declareSignature(sections); err != nil {
			return nil, err
		}
	}
	text, err := json.Marshal(sections)
	if err != nil {
		return nil, err
	}
	return evidence.Canonical(text)
}

// declare puts a section in its place; two sources of one are a mistake.
func declare(sections map[string]json.RawMessage, name, flag string, value []byte) error {
	if _, there := sections[name]; there {
		return usage("%s: the data file has a %s already", flag, name)
	}
	sections[name] = value
	return nil
}

func (f sourceFlags) declareSignature(sections map[string]json.RawMessage) error {
	if len(f.Artifact) == 0 {
		return usage("--signature is of artifacts: give --artifact")
	}
	artifacts := make([]map[string]string, len(f.Artifact))
	for i := range artifacts {
		artifacts[i] = map[string]string{"signature": f.Signature}
	}
	text, err := json.Marshal(artifacts)
	if err != nil {
		return err
	}
	return declare(sections, "artifacts", "--signature", text)
}

// look reads the files here, as a server would that trusts nobody's signature,
// and returns what would be filed.
func (f sourceFlags) look(a *app) (json.RawMessage, error) {
	declared, err := f.declared()
	if err != nil {
		return nil, err
	}
	sections, err := evidence.ParseSections(declared)
	if err != nil {
		return nil, usage("%v", err)
	}
	var files []collect.Attached
	held := int64(0)
	for _, group := range f.roles() {
		for _, path := range group.paths {
			file, err := readFile(path, func(s collect.Source) (collect.Attached, error) {
				return collect.Attach(group.role, s, nil, time.Now(), held)
			})
			if err != nil {
				return nil, usage("%v", err)
			}
			file.Forget()
			held = file.Held()
			files = append(files, file)
		}
	}
	values, notes, err := collect.Derive(files, sections, nil)
	if err != nil {
		return nil, usage("%v", err)
	}
	sections, origins, err := sections.Derive(values)
	if err != nil {
		return nil, err
	}
	for _, note := range notes {
		fmt.Fprintln(a.errOut, clean(note))
	}
	for _, o := range origins {
		if o.Declared != nil {
			fmt.Fprintf(a.errOut, "%s: declared %s, and the files say %s\n", clean(o.Path), clean(string(o.Declared)), clean(string(sections.At(o.Path))))
		}
	}
	text, err := json.Marshal(map[string]any{"artifacts": raw(sections.Artifacts), "deployment_plan": raw(sections.DeploymentPlan),
		"rollback_plan": raw(sections.RollbackPlan), "scan_results": raw(sections.ScanResults), "test_results": raw(sections.TestResults)})
	return text, err
}

func raw(section []byte) any {
	if section == nil {
		return nil
	}
	return json.RawMessage(section)
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

// send files the evidence with its files.
func (f sourceFlags) send(ctx context.Context, a *app, client *api.Client, in api.CreateEvidence, each time.Duration) (api.Evidence, error) {
	var files []api.File
	p := a.progress()
	defer p.done()
	var total, sent int64
	for _, group := range f.roles() {
		for _, path := range group.paths {
			file, err := os.Open(path)
			if err != nil {
				return api.Evidence{}, usage("%v", err)
			}
			defer file.Close()
			if info, err := file.Stat(); err == nil {
				total += info.Size()
			}
			files = append(files, api.File{Role: string(group.role), Name: path, Content: readerFunc(func(b []byte) (int, error) {
				n, err := file.Read(b)
				sent += int64(n)
				p.show("sending %s: %d of %d MiB", path, sent>>20, total>>20)
				return n, err
			})})
		}
	}
	if len(files) == 0 {
		return client.CreateEvidence(ctx, in)
	}
	const slowest = 1 << 20 // bytes a second
	limited, cancel := context.WithTimeout(ctx, each+time.Duration(total/slowest)*time.Second)
	defer cancel()
	return client.UploadEvidence(limited, in, files)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }
