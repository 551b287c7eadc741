package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/go-json-experiment/json"
)

// VerifyOptions say what to hold the database against.
type VerifyOptions struct {
	Verifier *ledger.Verifier        // the auditor's own copy of the ledger's public key
	Trust    *ledger.Trust           // who must have witnessed it, as the auditor says; nil: nobody is asked for
	Held     []byte                  // a signed checkpoint that the auditor kept; nil if none
	Now      time.Time               // against which the last events may still be unwitnessed; wanted with Trust
	Progress func(done, total int64) // called now and then; nil if nobody looks
	LogOnly  bool                    // leaves, tree and checkpoints; not what the events say

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
	Witnessed   int64
	Root        ledger.Hash
	Newest      []byte // the newest checkpoint that holds, with its cosignatures, seen by a quorum of the auditor's witnesses if they name one; nil if there is none
	Findings    []Finding
	Unchecked   []string // what could not be looked at, and why
}

// maxFindings bounds a report: after that many the rest says nothing new.
const maxFindings = 100

// Verify checks the whole database: every leaf against its tile, the tiles
// against each other, every signed checkpoint and the auditor's own against the
// tree, the columns of events against their leaves, every row against the fold
// of the events, every document against its hash, and every file against its. The
// error is about not being able to look; what was found is in the report. Memory
// does not grow with the ledger: what has to be remembered lies in a file.
func (a *Archive) Verify(ctx context.Context, o VerifyOptions) (VerifyReport, error) {
	v := &verification{o: o, mismatch: -1}
	var err error
	if v.scratch, err = newScratch(); err != nil {
		return v.report, err
	}
	err = a.engine.view(ctx, true, func(c conn) error {
		v.r = &Reader{c}
		steps := []func() error{v.begin, v.log, v.finishLog}
		if !o.LogOnly {
			steps = append(steps, v.events, v.compareRows)
			steps = append(steps, v.compareOthers)
		}
		for _, step := range steps {
			if err := errors.Join(step(), v.broken); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && !o.LogOnly {
		err = v.checkFiles(ctx)
	}
	return v.report, errors.Join(a.engine.explain(err), v.scratch.close())
}

// verification is one run of Verify.
type verification struct {
	r       *Reader
	o       VerifyOptions
	report  VerifyReport
	scratch *scratch
	broken  error // the scratch's
	whole   bool  // every table of this version is there
	size    int64 // as the database says

	tree     ledger.Frontier
	held     *signed // the auditor's own; nil once it was reached
	good     int64   // size of the last checkpoint that matched
	certain  int64   // of the last that did and that a quorum had witnessed
	mismatch int64   // size of the first that did not; -1
	further  int     // how many did not, after it
}

// signed is a checkpoint with the cosignatures that there are.
type signed struct {
	size int64
	note []byte
}

func (v *verification) find(seq int64, format string, args ...any) {
	if len(v.report.Findings) < maxFindings {
		v.report.Findings = append(v.report.Findings, Finding{seq, fmt.Sprintf(format, args...)})
	}
}

// compareOthers holds against each other what came with later versions of the
// schema.
func (v *verification) compareOthers() error {
	if !v.whole {
		v.report.Unchecked = append(v.report.Unchecked, "cosignatures, references of files and copied columns: the database has no table for them; it is of an older version, or they were taken away")
		return nil
	}
	return errors.Join(v.compareCopies(), v.compareReferences())
}

// note keeps the scratch's failure, which ends the verification.
func (v *verification) note(err error) {
	if v.broken == nil {
		v.broken = err
	}
}

// fullEvent is an event's row.
type fullEvent struct {
	event cab.Event // the columns only
	leaf  []byte
}

func scanFullEvent(r row, e *fullEvent) error {
	return r.Scan(&e.event.Seq, &e.event.ID, atTime{&e.event.Time}, &e.event.Type, &e.event.CorrelationID, &e.event.Actor.ID, &e.leaf)
}

// foldPage is how many events are read at once to see what they say.
const foldPage = 1024

// events reads what every event says.
func (v *verification) events() error {
	for next := int64(0); ; {
		page, err := all(v.r, scanFullEvent, `SELECT seq, id, time, type, correlation_id, actor_id, leaf FROM event WHERE seq >= $1 ORDER BY seq LIMIT $2`, next, foldPage)
		if err != nil || len(page) == 0 {
			return err
		}
		for i := range page {
			v.event(&page[i])
		}
		if v.broken != nil {
			return nil
		}
		next = page[len(page)-1].event.Seq + 1
		v.progress(v.tree.Size() + next)
	}
}

// progress: the log is read once for the tree and once for what it says.
func (v *verification) progress(done int64) {
	if v.o.Progress == nil {
		return
	}
	total := v.size
	if !v.o.LogOnly {
		total *= 2
	}
	v.o.Progress(done, total)
}

func (v *verification) event(e *fullEvent) {
	place := e.event.Seq
	var said cab.Event
	if err := json.Unmarshal(e.leaf, &said, json.RejectUnknownMembers(true)); err != nil {
		v.find(place, "event %d cannot be read: %v", place, err)
		return
	}
	if again, err := Leaf(said); err != nil || !bytes.Equal(again, e.leaf) {
		v.find(place, "event %d is not in canonical form", place)
	}
	c := e.event
	if c.Seq != said.Seq || c.ID != said.ID || !c.Time.Equal(said.Time) || c.Type != said.Type || c.CorrelationID != said.CorrelationID || c.Actor.ID != said.Actor.ID {
		v.find(place, "event %d: the columns do not say what the event says", place)
	}
	err := cab.Fold(said, func(subject cab.Subject, state cab.RowState) { v.note(v.scratch.put(subject, state)) })
	if err != nil {
		v.find(place, "event %d cannot be folded: %v", place, err)
	}
	v.order(said)
}

// order notes which package of its deployment, which model and which policy an
// event makes: the highest position is the one that counts.
func (v *verification) order(e cab.Event) {
	next := func(kind cab.SubjectKind, id, among string) {
		v.note(v.scratch.next(cab.Subject{Kind: kind, ID: id}, among))
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
