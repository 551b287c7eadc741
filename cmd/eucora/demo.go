package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/collect"
	"github.com/eucora/eucora/internal/identity"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/workflow"
)

// demoFiles are sample reports and plans, read by the same readers as a user's.
//
//go:embed demo
var demoFiles embed.FS

type demoCmd struct {
	Once   bool   `help:"End after the tour, with status 0."`
	Data   string `help:"Data directory, new or empty (default: a temporary one, removed at the end)." placeholder:"DIR"`
	Listen string `help:"Address to listen on." default:"127.0.0.1:0"`
}

// Run takes real deployments through a real server.
func (c *demoCmd) Run(a *app) error {
	dir, remove, err := c.directory()
	if err != nil {
		return err
	}
	defer remove()
	serve := serveCmd{siteFlags: siteFlags{databaseFlags: databaseFlags{Data: dir}}, Listen: c.Listen}
	running, err := serve.start(a.ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	d := &demo{app: a, server: running, address: "http://" + running.address, dir: dir}
	err = d.tour(a.ctx)
	if err == nil {
		err = d.goodbye(a.ctx)
	}
	switch {
	case err != nil:
	case c.Once && c.Data != "":
		a.printf("\nThis server ends here (--once); eucora serve --data %s starts another on the same data.\n", dir)
	case c.Once:
		a.printf("\nThis server ends here (--once), and its data with it.\n")
	default:
		a.printf("\nServing until you stop it with Ctrl-C.\n")
		<-a.ctx.Done()
	}
	limited, cancel := context.WithTimeout(context.Background(), graceful)
	defer cancel()
	return errors.Join(err, running.stop(limited))
}

func (c *demoCmd) directory() (dir string, remove func(), err error) {
	if c.Data != "" {
		if entries, err := os.ReadDir(c.Data); err == nil && len(entries) > 0 {
			return "", nil, usage("%s is not empty; the demo wants a directory of its own", c.Data)
		}
		return c.Data, func() {}, nil
	}
	dir, err = os.MkdirTemp("", "eucora-demo-")
	return dir, func() { _ = os.RemoveAll(dir) }, err
}

// demo is one tour.
type demo struct {
	*app
	server       *server
	address, dir string
	people       []member
	program      string // this program's file
	sbom         []byte
}

type member struct {
	name  string
	role  cab.Role
	token string
}

func (d *demo) as(name string) *api.Client {
	for _, p := range d.people {
		if p.name == name {
			return &api.Client{Server: d.address, Token: p.token, UserAgent: "eucora-demo"}
		}
	}
	return &api.Client{Server: d.address}
}

func (d *demo) tour(ctx context.Context) error {
	d.title("Eucora: deployments, from evidence to a decision that can be proved")
	for _, step := range []func(context.Context) error{
		d.makePeople, d.lookAtItself, d.approvedByRule, d.conditional, d.rejected, d.excepted, d.turnedAway, d.leftOpen, d.verify,
	} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("the demo failed: %w", err)
		}
	}
	return nil
}

func (d *demo) title(text string) { d.printf("\n%s\n", d.paint(bold, text)) }

// say prints one line of the story: who, and what they did.
func (d *demo) say(who, format string, args ...any) {
	d.printf("  %s  %s\n", d.paint(cyan, fmt.Sprintf("%-11s", who)), fmt.Sprintf(format, args...))
}

func (d *demo) makePeople(ctx context.Context) error {
	setup := workflow.Call{Actor: cab.Setup, Source: cab.Source{Address: "demo"}}
	for _, p := range []member{
		{"erin", cab.PackagingEngineer, ""}, {"carol", cab.CABMember, ""}, {"chris", cab.CABMember, ""}, {"sam", cab.SecurityReviewer, ""},
		{"pat", cab.Publisher, ""}, {"ada", cab.Auditor, ""}, {"root", cab.Admin, ""},
	} {
		if _, err := d.server.service.AddUser(ctx, setup, p.name, p.role); err != nil {
			return err
		}
		id, token, hash := identity.NewSecret()
		if _, err := d.server.service.IssueToken(ctx, setup, p.name, id, "demo", hash, 1); err != nil {
			return err
		}
		p.token = token
		d.people = append(d.people, p)
	}
	return nil
}

// lookAtItself makes evidence as real as a new machine allows: the running
// program is the artifact, and its own build information the SBOM.
func (d *demo) lookAtItself(context.Context) error {
	var err error
	if d.program, err = os.Executable(); err != nil {
		return err
	}
	if d.sbom, err = ownSBOM(); err != nil {
		return err
	}
	info, err := os.Stat(d.program)
	if err != nil {
		return err
	}
	d.title("The artifact is this program itself")
	d.fields("  file", fmt.Sprintf("%s, %d MiB", d.program, info.Size()>>20),
		"  SBOM", "CycloneDX, from the build information in the program")
	return nil
}

// ownSBOM writes a CycloneDX document of the modules in the running program.
func ownSBOM() ([]byte, error) {
	type component struct {
		Type    string `json:"type"`
		Name    string `json:"name"`
		Version string `json:"version"`
		PURL    string `json:"purl,omitzero"`
	}
	components := []component{}
	main := component{Type: "application", Name: "eucora", Version: version}
	if info, ok := debug.ReadBuildInfo(); ok {
		components = append(components, component{Type: "platform", Name: "go", Version: strings.TrimPrefix(info.GoVersion, "go")})
		for _, m := range info.Deps {
			components = append(components, component{Type: "library", Name: m.Path, Version: m.Version, PURL: "pkg:golang/" + m.Path + "@" + m.Version})
		}
	}
	return json.Marshal(map[string]any{
		"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
		"metadata":   map[string]any{"component": main},
		"components": components,
	})
}

// story is the evidence of one deployment.
type story struct {
	app, version, ring           string
	coverage, scan               string
	plan, rollback, manualStatus string
}

// evidence is what the story declares, and the files that speak for the rest.
func (d *demo) evidence(s story) (json.RawMessage, []api.File, error) {
	declared := map[string]json.RawMessage{"test_results": json.RawMessage(`{"manual_test_status":"` + s.manualStatus + `"}`)}
	for section, name := range map[string]string{"deployment_plan": s.plan, "rollback_plan": s.rollback} {
		text, err := demoFiles.ReadFile("demo/" + name)
		if err != nil {
			return nil, nil, err
		}
		value, err := collect.Document(collect.Source{Name: name, Size: int64(len(text)), ReaderAt: bytes.NewReader(text)})
		if err != nil {
			return nil, nil, err
		}
		declared[section] = json.RawMessage(value)
	}
	data, err := json.Marshal(declared)
	if err != nil {
		return nil, nil, err
	}
	files := []api.File{{Role: "sbom", Name: "sbom.cdx.json", Content: bytes.NewReader(d.sbom)}}
	for _, f := range [][2]string{{"scan", s.scan}, {"tests", "junit.xml"}, {"coverage", s.coverage}} {
		if f[1] == "" {
			continue
		}
		text, err := demoFiles.ReadFile("demo/" + f[1])
		if err != nil {
			return nil, nil, err
		}
		files = append(files, api.File{Role: f[0], Name: f[1], Content: bytes.NewReader(text)})
	}
	return data, files, nil
}

// file makes the deployment and files its evidence, as erin.
func (d *demo) file(ctx context.Context, s story) (api.Evidence, error) {
	data, files, err := d.evidence(s)
	if err != nil {
		return api.Evidence{}, err
	}
	program, err := os.Open(d.program)
	if err != nil {
		return api.Evidence{}, err
	}
	defer program.Close()
	files = append(files, api.File{Role: "artifact", Name: "eucora", Content: program})
	intent, err := d.as("erin").CreateDeployment(ctx, api.CreateDeployment{AppName: s.app, Version: s.version, TargetRing: s.ring})
	if err != nil {
		return api.Evidence{}, err
	}
	d.say("erin", "wants to deploy %s %s to %s", s.app, s.version, s.ring)
	e, err := d.as("erin").UploadEvidence(ctx, api.CreateEvidence{DeploymentID: intent.ID, EvidenceData: data}, files)
	if err != nil {
		return api.Evidence{}, err
	}
	d.say("", "sends %d files, which the server reads itself", len(e.Attachments))
	d.say("", "evidence %s… scores %s: %s", e.ContentHash[:12], d.paint(bold, score(e.RiskScore)), heaviest(e.RiskFactors))
	return e, nil
}

// heaviest names the factors that add most.
func heaviest(factors []api.Factor) string {
	var parts []string
	for range 3 {
		best := -1
		for i, f := range factors {
			if f.Contribution > 0 && (best < 0 || f.Contribution > factors[best].Contribution) {
				best = i
			}
		}
		if best < 0 {
			break
		}
		f := factors[best]
		value := f.Input
		if f.State != "known" {
			value = f.State
		}
		parts = append(parts, fmt.Sprintf("%s %s adds %.2f", f.Name, value, f.Contribution))
		factors = append(append([]api.Factor{}, factors[:best]...), factors[best+1:]...)
	}
	return strings.Join(parts, ", ")
}

// submit submits as erin and tells what the gate said.
func (d *demo) submit(ctx context.Context, e api.Evidence, notes string) (api.Submitted, error) {
	s, err := d.as("erin").Submit(ctx, api.Submit{PackageID: e.ID, Notes: notes, RiskScore: &e.RiskScore})
	if err != nil {
		return s, err
	}
	colour := map[string]string{"auto_approved": green, "manual_review": yellow, "exception_required": red}[s.DecisionStatus]
	d.say("the gate", "%s %s: %s", s.Name, d.paint(colour, s.DecisionStatus), s.Gate.Rationale)
	return s, nil
}

// closing tells where a request ended, and where in the ledger that stands.
func (d *demo) closing(ctx context.Context, r api.Request) error {
	page, err := d.as("ada").Events(ctx, map[string][]string{"correlation_id": {r.CorrelationID}, "limit": {"1"}})
	if err != nil {
		return err
	}
	var last api.Event
	if len(page.Results) == 1 {
		if err := json.Unmarshal(page.Results[0], &last); err != nil {
			return err
		}
	}
	d.say("the ledger", "%s; %d events of this deployment, the last one (%s) at position %d", verdict(d.app, r), page.Count, last.Type, last.Seq)
	return nil
}

// verify checks the ledger as an auditor would: through the API, rebuilding the
// tree here, and the documents' hashes with it.
func (d *demo) verify(ctx context.Context) error {
	d.title("The auditor checks")
	command := auditVerifyCmd{}
	command.Server, command.Token, command.Timeout = d.address, d.as("ada").Token, graceful
	var err error
	if command.own, err = ledger.OnlyLog(d.server.store.LedgerKey()); err != nil {
		return err
	}
	result := &verified{Findings: []string{}}
	if err := command.throughServer(d.app, nil, result); err != nil {
		return err
	}
	if len(result.Findings) > 0 {
		return errors.New(strings.Join(result.Findings, "; "))
	}
	d.say("ada", "%d events, read and hashed here, make the root that the ledger signed", result.Events)
	page, err := d.as("ada").Requests(ctx, nil)
	if err != nil {
		return err
	}
	for _, r := range page.Results {
		document, err := d.as("ada").Document(ctx, r.PackageID)
		if err != nil {
			return err
		}
		if sum := sha256.Sum256(document); hex.EncodeToString(sum[:]) != r.ContentHash {
			return fmt.Errorf("the evidence of %s is not what was approved", r.Name)
		}
	}
	d.say("ada", "%s: the evidence behind all %d requests has the hash that was decided on", d.paint(green, "the ledger holds"), len(page.Results))
	return nil
}

func (d *demo) goodbye(ctx context.Context) error {
	d.title("Try it")
	d.printf("  The console and the API are at %s; API page %s/api/docs\n\n", d.paint(bold, d.address), d.address)
	setup := workflow.Call{Actor: cab.Setup, Source: cab.Source{Address: "demo"}}
	var links, rows [][]string
	for _, p := range d.people {
		id, secret, hash := identity.NewLink()
		if _, err := d.server.service.Invite(ctx, setup, p.name, id, hash); err != nil {
			return err
		}
		links = append(links, []string{"  " + p.name, string(p.role), d.address + linkPath + secret})
		rows = append(rows, []string{"  " + p.name, string(p.role), p.token})
	}
	d.printf("  In a browser, each once; you choose a password:\n\n")
	d.table([]string{"  USER", "ROLE", "SIGN-IN LINK"}, links)
	d.printf("\n  From a program:\n\n")
	d.table([]string{"  USER", "ROLE", "TOKEN"}, rows)
	d.printf("\n  curl -H 'Authorization: Bearer %s' %s/api/v1/cab/\n", d.as("ada").Token, d.address)
	d.printf("  EUCORA_SERVER=%s EUCORA_TOKEN=%s go run ./cmd/eucora queue --exceptions\n", d.address, d.as("carol").Token)
	return nil
}
