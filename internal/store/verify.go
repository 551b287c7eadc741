package store

import (
	"bytes"
	"context"
	"fmt"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/tlog"
)

// VerifyOptions say what to hold the database against.
type VerifyOptions struct {
	Verifier *ledger.Verifier        // the auditor's own copy of the ledger's public key
	Held     []byte                  // a signed checkpoint that the auditor kept; nil if none
	Progress func(done, total int64) // called now and then; nil if nobody looks

	// Attachment holds a file against its digest and size; nil: files are not
	// looked at.
	Attachment func(ctx context.Context, digest string, size int64) error
}

// Finding is something that does not hold.
type Finding struct {
	Seq  int64  // the first event concerned, -1 when none can be named
	What string // for people
}

// VerifyReport is what was checked, and what does not hold.
type VerifyReport struct {
	Events      int64
	Checkpoints int
	Rows        int
	Attachments int // files that were looked at
	Root        ledger.Hash
	Findings    []Finding
}

// maxFindings bounds a report: after that many the rest says nothing new.
const maxFindings = 100

// verifyPage is how many events are read at once: one leaf-level tile.
const verifyPage = 256

// Verify checks the whole database: every leaf against its tile, the tiles
// against each other, every signed checkpoint and the auditor's own against the
// tree, the columns of events against their leaves, every row against the fold
// of the events, every document against its hash, and every file against its. The error is about not being
// able to look; what was found is in the report.
func (a *Archive) Verify(ctx context.Context, o VerifyOptions) (VerifyReport, error) {
	v := &verification{
		o: o, rows: cab.Rows{}, positions: map[cab.Subject]int64{}, newest: map[string]int64{},
		references: map[reference]bool{}, sizes: map[string]int64{},
	}
	err := a.engine.view(ctx, true, func(c conn) error {
		v.r = &Reader{c}
		for _, step := range []func() error{v.loadCheckpoints, v.events, v.finishTree, v.compareRows, v.compareCopies, v.compareReferences} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		v.checkFiles(ctx)
	}
	return v.report, a.engine.explain(err)
}

// verification is one run of Verify.
type verification struct {
	r           *Reader
	o           VerifyOptions
	report      VerifyReport
	rows        cab.Rows
	positions   map[cab.Subject]int64 // of packages, models and policies: their order, as the events have it
	newest      map[string]int64      // the last position given: by deployment, or by kind
	tree        ledger.Frontier
	checkpoints []signed // not yet reached, by size
	size        int64    // as the database says
	references  map[reference]bool
	sizes       map[string]int64 // of files, by digest
}

type signed struct {
	size int64
	note []byte
	held bool // the auditor's own
}

func (v *verification) find(seq int64, format string, args ...any) {
	if len(v.report.Findings) < maxFindings {
		v.report.Findings = append(v.report.Findings, Finding{seq, fmt.Sprintf(format, args...)})
	}
}

// loadCheckpoints reads the signed checkpoints, and puts the auditor's in its
// place among them.
func (v *verification) loadCheckpoints() error {
	err := v.r.c.run(
		statement{`SELECT size FROM ledger_state WHERE id = 1`, nil, func(r row) error { return r.Scan(&v.size) }},
		into(&v.checkpoints, func(r row, s *signed) error {
			var note string
			err := r.Scan(&s.size, &note)
			s.note = []byte(note)
			return err
		}, `SELECT size, note FROM checkpoint ORDER BY size`))
	v.report.Checkpoints = len(v.checkpoints)
	if err == nil && v.size > 0 && len(v.checkpoints) == 0 {
		v.find(-1, "there are %d events and no signed checkpoint: they were taken away, or no server has run for a second", v.size)
	}
	if err != nil || v.o.Held == nil {
		return err
	}
	held, err := v.o.Verifier.Open(v.o.Held)
	if err != nil {
		v.find(-1, "the checkpoint that you hold is not signed by the ledger's key: %v", err)
		return nil
	}
	at := 0
	for at < len(v.checkpoints) && v.checkpoints[at].size < held.Size {
		at++
	}
	mine := signed{held.Size, v.o.Held, true}
	v.checkpoints = append(v.checkpoints[:at:at], append([]signed{mine}, v.checkpoints[at:]...)...)
	return nil
}

// fullEvent is an event's row.
type fullEvent struct {
	event cab.Event // the columns only
	leaf  []byte
}

func scanFullEvent(r row, e *fullEvent) error {
	return r.Scan(&e.event.Seq, &e.event.ID, atTime{&e.event.Time}, &e.event.Type, &e.event.CorrelationID, &e.event.Actor.ID, &e.leaf)
}

func (v *verification) events() error {
	v.reached()
	var before int64
	if err := v.r.c.run(statement{`SELECT COUNT(*) FROM event WHERE seq < 0`, nil, func(r row) error { return r.Scan(&before) }}); err != nil {
		return err
	}
	if before > 0 {
		v.find(0, "%d events stand before the first place of the ledger: they were added behind its back", before)
	}
	for next := int64(0); ; {
		page, err := all(v.r, scanFullEvent, `SELECT seq, id, time, type, correlation_id, actor_id, leaf FROM event WHERE seq >= $1 ORDER BY seq LIMIT $2`, next, verifyPage)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return nil
		}
		stored, err := v.r.tile(ledger.TileID{Level: 0, Index: v.tree.Size() / verifyPage})
		if err != nil {
			return err
		}
		for i := range page {
			v.event(&page[i], stored)
		}
		next = page[len(page)-1].event.Seq + 1
		if err := v.compareTiles(); err != nil {
			return err
		}
		if v.o.Progress != nil {
			v.o.Progress(v.tree.Size(), v.size)
		}
	}
}

// event checks one event and adds it to the tree.
func (v *verification) event(e *fullEvent, stored []byte) {
	place := v.tree.Size()
	hash := ledger.LeafHash(e.leaf)
	at := int(place%verifyPage) * tlog.HashSize
	switch {
	case e.event.Seq != place:
		v.find(place, "event %d is missing: the next one is %d", place, e.event.Seq)
	case at+tlog.HashSize > len(stored):
		v.find(place, "event %d is not in the tree: it was added behind the ledger's back", place)
	case !bytes.Equal(stored[at:at+tlog.HashSize], hash[:]):
		v.find(place, "event %d is not the one that was written: its hash differs from the tree's", place)
	}
	var said cab.Event
	if err := json.Unmarshal(e.leaf, &said, json.RejectUnknownMembers(true)); err != nil {
		v.find(place, "event %d cannot be read: %v", place, err)
	} else {
		if again, err := Leaf(said); err != nil || !bytes.Equal(again, e.leaf) {
			v.find(place, "event %d is not in canonical form", place)
		}
		c := e.event
		if c.Seq != said.Seq || c.ID != said.ID || !c.Time.Equal(said.Time) || c.Type != said.Type || c.CorrelationID != said.CorrelationID || c.Actor.ID != said.Actor.ID {
			v.find(place, "event %d: the columns do not say what the event says", place)
		}
		if err := v.rows.Fold(said); err != nil {
			v.find(place, "event %d cannot be folded: %v", place, err)
		}
		v.order(said)
	}
	v.tree.Append(hash)
	v.report.Events++
	v.reached()
}

// order notes which package of its deployment, which model and which policy an
// event makes: the highest position is the one that counts.
func (v *verification) order(e cab.Event) {
	next := func(kind cab.SubjectKind, id, among string) {
		v.newest[among]++
		v.positions[cab.Subject{Kind: kind, ID: id}] = v.newest[among]
	}
	switch d := e.Data; {
	case e.Type == cab.EvidenceCreated && d.Package != nil:
		next(cab.KindPackage, d.Package.ID, d.Package.DeploymentID)
	case e.Type == cab.ModelChanged && d.Model != nil:
		next(cab.KindModel, d.Model.Version, "risk models")
	case e.Type == cab.PolicyChanged && d.Policy != nil:
		next(cab.KindPolicy, d.Policy.Version, "policies")
	}
}

// reached checks the checkpoints of the size that the tree has now.
func (v *verification) reached() {
	for len(v.checkpoints) > 0 && v.checkpoints[0].size == v.tree.Size() {
		c := v.checkpoints[0]
		v.checkpoints = v.checkpoints[1:]
		whose := "the checkpoint"
		if c.held {
			whose = "the checkpoint that you hold"
		}
		opened, err := v.o.Verifier.Open(c.note)
		switch {
		case err != nil:
			v.find(-1, "%s at %d is not signed by the ledger's key: %v", whose, c.size, err)
		case opened.Size != c.size || opened.Root != v.tree.Root():
			v.find(-1, "%s at %d does not match the events before it: history was rewritten", whose, c.size)
		}
	}
}

// compareTiles holds the stored tiles against those that the events make.
func (v *verification) compareTiles() error {
	for _, tile := range v.tree.Dirty() {
		stored, err := v.r.tile(tile.ID)
		if err != nil {
			return err
		}
		if tile.ID.Level > 0 && !bytes.HasPrefix(stored, tile.Data) {
			v.find(-1, "tile %d/%d of the tree does not match the events", tile.ID.Level, tile.ID.Index)
		}
	}
	return nil
}

// finishTree looks for what should be there beyond the last event.
func (v *verification) finishTree() error {
	v.report.Root = v.tree.Root()
	if v.size != v.tree.Size() {
		v.find(v.tree.Size(), "the ledger says that it has %d events, and has %d: the first that lacks is %d", v.size, v.tree.Size(), v.tree.Size())
	}
	for _, c := range v.checkpoints {
		whose := "a signed checkpoint"
		if c.held {
			whose = "the checkpoint that you hold"
		}
		v.find(v.tree.Size(), "%s covers %d events, and there are %d: the end was cut off", whose, c.size, v.tree.Size())
	}
	return nil
}
