// Package monitor is what an auditor keeps running against a log that somebody else
// runs: it mirrors the log, holds it against what it showed before, and holds what
// the API shows against what the log says. The server's word is taken for nothing.
package monitor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/ledger"
)

// Options say what to watch, and where to keep what was seen.
type Options struct {
	Client   *api.Client
	Dir      string        // the mirror
	Trust    *ledger.Trust // whose log, and who must witness it; nil: the key that the log names the first time
	All      bool          // read every event again in each round, not only some
	Clock    func() time.Time
	Progress func(format string, args ...any)
}

// Watch is a log that is being watched. It is for one goroutine.
type Watch struct {
	Options
	mirror mirror
	trust  *ledger.Trust
	tree   *ledger.Tree // of the mirror; nil until it is read
	tail   [][]byte     // the leaves of the bundle that is not full
	fold   *fold
	kept   *kept // nil the first time
}

// kept is a checkpoint with the bytes that were signed.
type kept struct {
	ledger.Cosigned
	note []byte
}

// Report is what one round looked at, and what does not hold.
type Report struct {
	First     bool     `json:"first_time"`
	Key       string   `json:"key,omitzero"` // taken on trust in this round
	Before    int64    `json:"events_before"`
	Events    int64    `json:"events"`
	Again     int64    `json:"events_read_again"`
	Rows      int      `json:"rows"`
	Root      string   `json:"root"`
	Witnesses []string `json:"witnessed_by,omitzero"`
	Findings  []string `json:"findings"` // what is about history first
	LeftOut   int      `json:"findings_left_out,omitzero"`
}

// contradiction is a finding about history: after it nothing else can be said.
type contradiction struct {
	what  string
	shown []byte // the checkpoint that contradicts; nil if none does
}

func (c *contradiction) Error() string { return c.what }

func contradicts(shown []byte, format string, args ...any) error {
	return &contradiction{fmt.Sprintf(format, args...), shown}
}

// maxFindings bounds a report: the others are counted.
const maxFindings = 100

func (r *Report) find(format string, args ...any) {
	if len(r.Findings) == maxFindings {
		r.LeftOut++
		return
	}
	r.Findings = append(r.Findings, fmt.Sprintf(format, args...))
}

// findFirst puts a finding before all others: it is never left out.
func (r *Report) findFirst(what string) {
	if len(r.Findings) == maxFindings {
		r.Findings = r.Findings[:maxFindings-1]
		r.LeftOut++
	}
	r.Findings = slices.Insert(r.Findings, 0, what)
}

// New watches a log.
func New(o Options) *Watch {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Progress == nil {
		o.Progress = func(string, ...any) {}
	}
	return &Watch{Options: o, mirror: mirror(o.Dir), trust: o.Trust}
}

// Round looks once. The error is about not being able to look; what was found is in
// the report. After a finding about history the mirror stays what it was, so that
// the next round finds it again.
func (w *Watch) Round(ctx context.Context) (Report, error) {
	report := Report{Findings: []string{}}
	if w.tree == nil {
		if err := w.load(); err != nil {
			return report, fmt.Errorf("the mirror %s cannot be used: %w", w.Dir, err)
		}
	}
	err := w.round(ctx, &report)
	if err != nil {
		w.tree = nil // read it anew: it may have gone half a step
	}
	found, ok := errors.AsType[*contradiction](err)
	if !ok {
		return report, err
	}
	report.findFirst(found.what)
	if found.shown == nil {
		return report, nil
	}
	return report, w.mirror.write(refusedFile, found.shown)
}

// load reads the mirror: it must make the checkpoint that was kept with it.
func (w *Watch) load() error {
	w.tree, w.tail, w.fold, w.kept = new(ledger.Tree), nil, newFold(), nil
	err := w.loadTrust()
	if err != nil {
		return err
	}
	note, err := w.mirror.read(checkpointFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if w.trust == nil {
		return fmt.Errorf("it has a checkpoint, and the key in %s is gone; give it with --key or --trust", keyFile)
	}
	opened, err := w.trust.Open(note)
	if err != nil {
		return fmt.Errorf("it is not of the log whose key was given: %w", err)
	}
	for i := range bundles(opened.Size) {
		leaves, err := w.mirror.bundle(i, widthAt(i, opened.Size))
		if err != nil {
			return err
		}
		w.Progress("reading the mirror: %d of %d events", w.tree.Size(), opened.Size)
		if err := w.extend(leaves); err != nil {
			return err
		}
	}
	if w.tree.Root() != opened.Root {
		return fmt.Errorf("its entries do not make its checkpoint of %d events: it was changed here", opened.Size)
	}
	w.kept = &kept{opened, note}
	return nil
}

func (w *Watch) loadTrust() error {
	if w.trust = w.Trust; w.trust != nil {
		return nil
	}
	key, err := w.mirror.read(keyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		w.trust, err = ledger.OnlyLog(strings.TrimSpace(string(key)))
	}
	return err
}

// extend adds leaves that follow.
func (w *Watch) extend(leaves [][]byte) error {
	for _, leaf := range leaves {
		if err := w.fold.apply(w.tree.Size(), leaf); err != nil {
			return err
		}
		w.tree.Add(ledger.LeafHash(leaf))
		if w.tail = append(w.tail, leaf); len(w.tail) == ledger.TileWidth {
			w.tail = nil
		}
	}
	return nil
}

func (w *Watch) round(ctx context.Context, report *Report) error {
	key := ""
	if w.trust == nil {
		named, err := w.Client.Checkpoint(ctx)
		if err != nil {
			return err
		}
		if w.trust, err = ledger.OnlyLog(named.Key); err != nil {
			return fmt.Errorf("the key that the log names: %w", err)
		}
		key = named.Key
	}
	report.First, report.Key = w.kept == nil, key
	if w.kept != nil {
		report.Before = w.kept.Size
	}
	witnessed, err := w.witnessed(ctx)
	if err != nil {
		return err
	}
	before, err := w.newest(ctx)
	if err != nil {
		return err
	}
	if err := w.follow(ctx, before); err != nil {
		return err
	}
	if err := w.compareWitnessed(ctx, report, witnessed, before); err != nil {
		return err
	}
	if err := w.readAgain(ctx, report); err != nil {
		return err
	}
	after, err := w.compareRows(ctx, report)
	if err != nil {
		return err
	}
	report.Events, report.Root = after.Size, after.Root.String()
	return w.save(after, witnessed, key, report.Before)
}

// save moves the mirror on: the bundles are there already.
func (w *Watch) save(after *kept, witnessed *kept, key string, from int64) error {
	if key != "" {
		if err := w.mirror.write(keyFile, []byte(key+"\n")); err != nil {
			return err
		}
	}
	if witnessed != nil && w.trust.Required() && w.trust.Enough(witnessed.Cosigned) {
		if err := w.mirror.write(witnessedFile, witnessed.note); err != nil {
			return err
		}
	}
	if err := w.mirror.write(checkpointFile, after.note); err != nil {
		return err
	}
	w.kept = after
	return w.mirror.tidy(from, after.Size)
}

// nextAgain is the bundle with which reading again goes on.
func (w *Watch) nextAgain() int64 {
	text, err := w.mirror.read(againFile)
	if err != nil {
		return 0 // where it begins does not matter
	}
	next, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || next < 0 || next >= bundles(w.tree.Size()) {
		return 0
	}
	return next
}
