package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/alecthomas/kong"
	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/attachment"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
)

type auditCmd struct {
	Trail       auditTrailCmd       `cmd:"" help:"Everything that happened to something, oldest first."`
	Events      auditEventsCmd      `cmd:"" help:"Export events by any filter: as they were hashed, as a table, or for a SIEM."`
	Report      auditReportCmd      `cmd:"" help:"The changes of a period as a control report, in HTML that prints."`
	Monitor     auditMonitorCmd     `cmd:"" help:"Watch a log that others run: mirror it, hold it against what it showed before, and what the API shows against it."`
	Checkpoint  auditCheckpointCmd  `cmd:"" help:"The ledger's cosigned checkpoint, to be kept; and the newest one that was time-stamped."`
	Proof       auditProofCmd       `cmd:"" help:"Proof that one event is in the signed log, for whoever has no account."`
	VerifyProof auditVerifyProofCmd `cmd:"" help:"Check an event and its proof, with no server." name:"verify-proof"`
	Export      auditExportCmd      `cmd:"" help:"Everything that speaks for a request, in one file that anybody can verify."`
	Verify      auditVerifyCmd      `cmd:"" help:"Check the ledger: through a server, or a whole database with --whole-database; or a capsule."`
}

type auditTrailCmd struct {
	clientFlags
	outputFlags
	ID string `arg:"" help:"Any id of the trail: CAB-…, EXC-…, deployment, evidence, correlation id."`
}

// Run prints a trail.
func (c *auditTrailCmd) Run(a *app) error {
	return c.ask(a, func(ctx context.Context, client *api.Client) error {
		events := []api.Event{}
		err := eachEvent(ctx, client, url.Values{"correlation_id": {c.ID}}, func(leaf []byte) error {
			var e api.Event
			if err := json.Unmarshal(leaf, &e); err != nil {
				return fmt.Errorf("%w: an event that is none: %w", api.ErrNotEucora, err)
			}
			events = append(events, e)
			return nil
		})
		if err != nil {
			return err
		}
		if len(events) == 0 {
			return no("there is no trail of %s, or none that you may read", c.ID)
		}
		return c.print(a, events, func() {
			var rows [][]string
			for _, e := range events {
				rows = append(rows, []string{fmt.Sprint(e.Seq), shortTime(e.Time), e.Type, e.Actor.Name, e.Actor.Role, e.Subject.Kind + " " + e.Subject.ID})
			}
			a.table([]string{"SEQ", "TIME", "EVENT", "WHO", "AS", "WHAT"}, rows)
		})
	})
}

// eachEvent reads events oldest first, page by page, as the bytes that were
// hashed.
func eachEvent(ctx context.Context, client *api.Client, query url.Values, yield func(leaf []byte) error) error {
	query.Set("order", "oldest")
	query.Set("limit", "1000")
	for {
		page, err := client.Events(ctx, query)
		if err != nil {
			return err
		}
		for _, leaf := range page.Results {
			if err := yield(leaf); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		query.Set("cursor", page.Next)
	}
}

type auditVerifyCmd struct {
	clientFlags
	outputFlags
	databaseFlags
	trustFlags
	File          string `arg:"" optional:"" help:"A capsule: it is checked with nothing else at hand." type:"path" placeholder:"FILE"`
	WholeDatabase bool   `help:"Check everything in the database (--data, --database), with no server between: events, tree, checkpoints, cosignatures, rows, documents, files. --database on the command line means it too."`
	WithoutFiles  bool   `help:"Say nothing of the attachments' files: they are not here." name:"without-attachments"`
	Checkpoint    string `help:"A checkpoint that you kept from an earlier check, with or without cosignatures." type:"existingfile" placeholder:"FILE"`
	Save          string `help:"Keep the newest checkpoint in this file, for the next time." placeholder:"FILE"`

	own *ledger.Trust // whose log it is, as the auditor says; nil: whose it says it is
}

// verified is what was checked, as --json prints it.
type verified struct {
	Holds       bool     `json:"holds"`
	Events      int64    `json:"events"`
	Checkpoints int      `json:"checkpoints"`
	Rows        int      `json:"rows,omitzero"`
	Files       int      `json:"files,omitzero"`
	Root        string   `json:"root"`
	Key         string   `json:"key"`
	Witnessed   int64    `json:"witnessed,omitzero"` // events that a quorum of the auditor's witnesses has seen
	Findings    []string `json:"findings"`
	Unchecked   []string `json:"unchecked,omitzero"` // what could not be looked at
	newest      []byte
}

func (v *verified) find(format string, args ...any) {
	v.Findings = append(v.Findings, fmt.Sprintf(format, args...))
}

// Run verifies.
func (c *auditVerifyCmd) Run(a *app, line *kong.Context) error {
	flags := given(line)
	c.WholeDatabase = c.WholeDatabase || slices.Contains(flags, "database")
	if err := c.goTogether(flags); err != nil {
		return err
	}
	if c.File != "" {
		return c.capsule(a)
	}
	held, err := c.held()
	if err != nil {
		return err
	}
	if c.own, err = c.trust(); err != nil {
		return err
	}
	check := c.throughServer
	if c.WholeDatabase {
		check = c.database
	}
	result := &verified{Findings: []string{}}
	if err := check(a, held, result); err != nil {
		return err
	}
	result.Holds = len(result.Findings) == 0
	if err := c.print(a, result, func() { c.tell(a, result, held != nil) }); err != nil {
		return err
	}
	if !result.Holds {
		return &exitError{code: exitNo}
	}
	if c.Save != "" {
		if result.newest == nil {
			return unknown("there is no checkpoint to save that holds and, if your trust policy names witnesses, has their quorum")
		}
		if err := save(c.Save, result.newest); err != nil {
			return err
		}
	}
	if len(result.Unchecked) > 0 {
		return unknown("what was looked at holds, and not everything could be")
	}
	return nil
}

// goTogether refuses flags on the command line that would not count for what is
// checked. What variables and the configuration file say is for all three.
func (c *auditVerifyCmd) goTogether(given []string) error {
	server := []string{"server", "token", "token-file", "timeout"}
	database := []string{"whole-database", "database", "data", "attachments", "without-attachments"}
	not, why := database, "it is about a whole database: give --whole-database or --database too"
	switch {
	case c.File != "":
		not, why = slices.Concat(server, database), "a capsule is checked by itself: it goes with --key or --trust, and nothing else"
		if c.WholeDatabase || c.Checkpoint != "" || c.Save != "" {
			return usage("%s", why)
		}
	case c.WholeDatabase:
		not, why = server, "a whole database is checked with no server between"
	}
	for _, name := range given {
		if slices.Contains(not, name) {
			return usage("--%s: %s", name, why)
		}
	}
	return nil
}

func (c *auditVerifyCmd) held() ([]byte, error) {
	if c.Checkpoint == "" {
		return nil, nil
	}
	text, err := os.ReadFile(c.Checkpoint)
	if err != nil {
		return nil, usage("%v", err)
	}
	return text, nil
}

func (c *auditVerifyCmd) tell(a *app, v *verified, held bool) {
	for _, finding := range v.Findings {
		a.printf("%s %s\n", a.paint(red, "✗"), clean(finding))
	}
	for _, unchecked := range v.Unchecked {
		a.printf("%s not checked: %s\n", a.paint(yellow, "!"), clean(unchecked))
	}
	if !v.Holds {
		a.printf("%s\n", a.paint(red, "the ledger does not hold"))
		return
	}
	a.printf("%s %d events make the root %s\n", a.paint(green, "✓"), v.Events, v.Root)
	a.printf("%s signed by %s\n", a.paint(green, "✓"), v.Key)
	if c.WholeDatabase {
		a.printf("%s %d checkpoints, %d rows that say what the events say, and %d files that are what was stored\n", a.paint(green, "✓"), v.Checkpoints, v.Rows, v.Files)
	}
	if v.Witnessed > 0 {
		a.printf("%s a quorum of your witnesses has seen %d of them\n", a.paint(green, "✓"), v.Witnessed)
	}
	if held {
		a.printf("%s the checkpoint that you kept is part of it: nothing before it was changed\n", a.paint(green, "✓"))
	}
	if c.own == nil {
		a.printf("%s\n", a.paint(yellow, "! the key was taken on trust; keep it and give it with --key the next time"))
	}
}

// database checks the whole database. It only looks: it needs no signing key,
// and makes and mends nothing.
func (c *auditVerifyCmd) database(a *app, held []byte, result *verified) error {
	archive, err := store.OpenArchive(a.ctx, c.url())
	if errors.Is(err, store.ErrAddress) {
		return usage("%v", err)
	}
	if err != nil {
		return unknown("the database cannot be read as one of Eucora's: %v", err)
	}
	defer archive.Close()
	if result.Key, err = archive.LedgerKey(a.ctx); err != nil {
		return err
	}
	result.Key = c.ownKey(result.Key)
	if result.Key == "" {
		result.find("the database does not say whose ledger it holds: the row was taken away; give the key with --key")
		return nil
	}
	verifier, err := c.verifier(result.Key)
	if err != nil {
		return err
	}
	p := a.progress()
	options := store.VerifyOptions{
		Verifier: verifier, Trust: c.quorum(), Held: held, Now: time.Now(), Progress: func(done, total int64) { p.show("checking event %d of %d", done, total) },
	}
	if !c.WithoutFiles {
		options.Attachment = attachment.At(c.attachments()).Check
	}
	report, err := archive.Verify(a.ctx, options)
	p.done()
	if err != nil {
		return unknown("the database could not be checked: %v", err)
	}
	result.Events, result.Checkpoints, result.Rows, result.Files, result.Root = report.Events, report.Checkpoints, report.Rows, report.Attachments, report.Root.String()
	result.Witnessed, result.Unchecked = report.Witnessed, report.Unchecked
	for _, f := range report.Findings {
		result.find("%s", f.What)
	}
	result.newest = report.Newest
	return nil
}

// ownKey is the key that the auditor gave, or else the one that is said.
func (c *auditVerifyCmd) ownKey(said string) string {
	if c.own != nil {
		return c.own.Key
	}
	return said
}

// quorum is who must have witnessed a checkpoint; nil if the auditor asks nobody.
func (c *auditVerifyCmd) quorum() *ledger.Trust {
	if c.own == nil || !c.own.Required() {
		return nil
	}
	return c.own
}

// verifier is of the key that signs.
func (c *auditVerifyCmd) verifier(key string) (*ledger.Verifier, error) {
	verifier, err := ledger.NewVerifier(key)
	if err != nil {
		return nil, unknown("the key that was named is none: %v", err)
	}
	return verifier, nil
}

// throughServer reads every event and builds the tree here; the server's word
// is taken for nothing but the newest checkpoint's signature.
func (c *auditVerifyCmd) throughServer(a *app, held []byte, result *verified) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	newest, err := client.Checkpoint(a.ctx)
	if err != nil {
		return err
	}
	result.newest, result.Key = []byte(newest.Note), newest.Key
	if c.quorum() != nil { // what others have seen, and not only what is signed
		if result.newest, err = client.LogCheckpoint(a.ctx); err != nil {
			return err
		}
	}
	result.Key = c.ownKey(result.Key)
	verifier, err := c.verifier(result.Key)
	if err != nil {
		return err
	}
	known := map[string][]byte{"the server's checkpoint": result.newest}
	if held != nil {
		known["the checkpoint that you kept"] = held
	}
	expect := map[int64]map[string]ledger.Hash{}
	size := int64(0)
	for name, note := range known {
		checkpoint, err := c.openCheckpoint(verifier, note)
		if err != nil {
			result.find("%s is not signed by the key %s, or not witnessed: %v", name, result.Key, err)
			continue
		}
		if expect[checkpoint.Size] == nil {
			expect[checkpoint.Size] = map[string]ledger.Hash{}
		}
		expect[checkpoint.Size][name] = checkpoint.Root
		size = max(size, checkpoint.Size)
	}
	return c.rebuild(a, client, size, expect, result)
}

// openCheckpoint opens a checkpoint that the auditor accepts: signed by the log, and
// where the auditor says who must have witnessed it, by them.
func (c *auditVerifyCmd) openCheckpoint(verifier *ledger.Verifier, note []byte) (ledger.Checkpoint, error) {
	if c.quorum() == nil {
		return verifier.Open(note)
	}
	cosigned, err := c.own.Open(note)
	if err == nil && !c.own.Enough(cosigned) {
		err = errors.New("no quorum of your witnesses has cosigned it")
	}
	return cosigned.Checkpoint, err
}

// errComplete ends reading when all that a checkpoint covers has been read.
var errComplete = errors.New("complete")

func (c *auditVerifyCmd) rebuild(a *app, client *api.Client, size int64, expect map[int64]map[string]ledger.Hash, result *verified) error {
	var tree ledger.Tree
	p := a.progress()
	defer p.done()
	compare := func() {
		for name, root := range expect[tree.Size()] {
			if root != tree.Root() {
				result.find("%s does not match the %d events before it: history was rewritten", name, tree.Size())
			}
			result.Checkpoints++
		}
		delete(expect, tree.Size())
	}
	compare()
	err := eachEvent(a.ctx, client, url.Values{}, func(leaf []byte) error {
		if tree.Size() >= size {
			return errComplete
		}
		var e struct {
			Seq int64 `json:"seq"`
		}
		canonical, err := evidence.Canonical(leaf)
		if err != nil || json.Unmarshal(leaf, &e) != nil || e.Seq != tree.Size() {
			return unknown("event %d is missing or is none; a role that may read all events is needed to check them all", tree.Size())
		}
		tree.Add(ledger.LeafHash(canonical))
		compare()
		p.show("checking event %d of %d", tree.Size(), size)
		return nil
	})
	if err != nil && !errors.Is(err, errComplete) {
		return err
	}
	for missing, names := range expect {
		for name := range names {
			result.find("%s covers %d events, and there are %d: the end was cut off", name, missing, tree.Size())
		}
	}
	result.Events, result.Root = tree.Size(), tree.Root().String()
	return nil
}
