package store

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/ledger"
)

// logPage is how many leaves are read before the tree's tiles are compared: 16 of
// the lowest.
const logPage = 16 * ledger.TileWidth

// begin reads how long the ledger says it is, and opens the auditor's checkpoint.
func (v *verification) begin() error {
	size, err := v.r.treeSize()
	if err != nil {
		return err
	}
	v.size = size
	newest, err := v.r.signedSize()
	if err == nil && v.size > 0 && newest < 0 {
		v.find(-1, "there are %d events and no signed checkpoint: they were taken away, or no server has run for a second", v.size)
	}
	if err != nil {
		return err
	}
	if v.whole, err = v.r.c.hasTable("cosignature"); err != nil || v.o.Held == nil {
		return err
	}
	held, enough, err := v.open(v.o.Held)
	switch {
	case err != nil:
		v.find(-1, "the checkpoint that you hold is not signed by the ledger's key: %v", err)
		return nil
	case !enough:
		v.find(-1, "the checkpoint that you hold was not witnessed by a quorum of your witnesses: it is the log's own word alone")
	}
	v.held = &signed{held.Size, v.o.Held}
	return nil
}

// open opens a checkpoint by whoever the auditor trusts; enough says that a quorum
// witnessed it.
func (v *verification) open(note []byte) (c ledger.Checkpoint, enough bool, err error) {
	if v.o.Trust == nil {
		c, err = v.o.Verifier.Open(note)
		return c, true, err
	}
	cosigned, err := v.o.Trust.Open(note)
	return cosigned.Checkpoint, v.o.Trust.Enough(cosigned), err
}

// log reads every leaf and holds it against the tree that is stored, and the
// checkpoints against the tree that the leaves make.
func (v *verification) log() error {
	before, err := v.r.count(`SELECT COUNT(*) FROM event WHERE seq < 0`)
	if err != nil {
		return err
	}
	if before > 0 {
		v.find(0, "%d events stand before the first place of the ledger: they were added behind its back", before)
	}
	for next := int64(0); ; {
		checkpoints, err := v.checkpoints(v.tree.Size())
		if err != nil {
			return err
		}
		before := next
		take := func(seq int64, leaf []byte) {
			checkpoints = v.reached(checkpoints)
			if place := v.tree.Size(); seq != place {
				v.find(place, "event %d is missing: the next one is %d", place, seq)
			}
			v.tree.Append(ledger.LeafHash(leaf))
			v.report.Events++
			next = seq + 1
		}
		if err := v.leaves(next, take); err != nil {
			return err
		}
		v.reached(checkpoints)
		if next == before {
			return nil
		}
		if err := v.compareTiles(); err != nil {
			return err
		}
		v.progress(v.tree.Size())
	}
}

// leaves reads a page of leaves from a place on. As long as none is missing they
// come joined, for what a row costs is more than what hashing it does; else one by
// one.
func (v *verification) leaves(from int64, take func(seq int64, leaf []byte)) error {
	next := from
	err := v.r.c.joinedLeaves(from, from+logPage, func(joined joinedLeaves) {
		if joined.first != next || !joined.whole() {
			return
		}
		for ; next < joined.before; next++ {
			var leaf []byte
			leaf, joined.text, _ = bytes.Cut(joined.text, newline)
			take(next, leaf)
		}
	})
	if err != nil || next > from {
		return err
	}
	return v.r.c.run(statement{`SELECT seq, leaf FROM event WHERE seq >= $1 ORDER BY seq LIMIT $2`, []any{from, logPage}, func(r row) error {
		var e EventRow
		err := scanEventRow(r, &e)
		if err == nil {
			take(e.Seq, e.Leaf)
		}
		return err
	}})
}

var newline = []byte("\n")

// checkpoints reads those of the sizes that the tree has within the next page, with
// their cosignatures and the auditor's own among them.
func (v *verification) checkpoints(from int64) ([]signed, error) {
	var found []signed
	statements := []statement{into(&found, func(r row, s *signed) error {
		var note string
		err := r.Scan(&s.size, &note)
		s.note = []byte(note)
		return err
	}, `SELECT size, note FROM checkpoint WHERE size >= $1 AND size < $2 ORDER BY size`, from, from+logPage)}
	lines := map[int64][]string{}
	if v.whole && v.o.Trust != nil {
		statements = append(statements, statement{
			`SELECT size, line FROM cosignature WHERE size >= $1 AND size < $2 ORDER BY size, time, witness`, []any{from, from + logPage},
			func(r row) error {
				var size int64
				var line string
				err := r.Scan(&size, &line)
				lines[size] = append(lines[size], line)
				return err
			},
		})
	}
	if err := v.r.c.run(statements...); err != nil {
		return nil, err
	}
	for i, s := range found {
		found[i].note = ledger.WithCosignatures(s.note, lines[s.size])
	}
	return found, nil
}

// reached checks the checkpoints of the size that the tree has now, and returns
// those that are still to come.
func (v *verification) reached(checkpoints []signed) []signed {
	size := v.tree.Size()
	for len(checkpoints) > 0 && checkpoints[0].size <= size {
		v.check(checkpoints[0])
		checkpoints = checkpoints[1:]
	}
	if v.held != nil && v.held.size == size {
		v.checkHeld()
	}
	return checkpoints
}

func (v *verification) check(c signed) {
	v.report.Checkpoints++
	opened, enough, err := v.open(c.note)
	switch {
	case err != nil:
		v.find(v.good, "the checkpoint at %d is not signed by the ledger's key and whoever is said to have witnessed it: %v", c.size, err)
	case opened.Size != c.size || opened.Root != v.tree.Root():
		if v.mismatch >= 0 {
			v.further++
			return
		}
		v.mismatch = c.size
		v.find(v.good, "the checkpoint at %d does not match the events before it: history was rewritten; %s", c.size, between(v.good, c.size))
	case v.mismatch < 0:
		v.good = c.size
		if enough {
			v.report.Newest = c.note
		}
		if enough && v.o.Trust != nil {
			v.certain, v.report.Witnessed = c.size, c.size
		}
	}
}

// checkHeld: what the log has signed since can be as false as the events; only what
// others have witnessed narrows it down.
func (v *verification) checkHeld() {
	c := v.held
	v.held = nil
	if opened, _, err := v.open(c.note); err != nil || opened.Root != v.tree.Root() {
		v.find(v.certain, "the checkpoint that you hold at %d does not match the events before it: history was rewritten; %s", c.size, between(v.certain, c.size))
		return
	}
	v.certain = max(v.certain, c.size)
}

// between is the narrowest range that signatures prove.
func between(good, bad int64) string {
	if bad-good <= 1 {
		return fmt.Sprintf("the first wrong event is %d", good)
	}
	return fmt.Sprintf("the first wrong event is one of %d to %d", good, bad-1)
}

// compareTiles holds the stored tiles against those that the leaves make.
func (v *verification) compareTiles() error {
	made := v.tree.Dirty()
	ids := make([]ledger.TileID, len(made))
	for i, tile := range made {
		ids[i] = tile.ID
	}
	stored, err := v.r.Tiles(ids)
	if err != nil {
		return err
	}
	for _, tile := range made {
		v.compareTile(tile, stored[tile.ID])
	}
	return nil
}

func (v *verification) compareTile(made ledger.Tile, stored []byte) {
	const width = len(ledger.Hash{})
	for i := 0; i < len(made.Data); i += width {
		want := made.Data[i : i+width]
		if i+width <= len(stored) && slices.Equal(stored[i:i+width], want) {
			continue
		}
		place := made.ID.Index*ledger.TileWidth + int64(i/width)
		switch {
		case made.ID.Level > 0:
			v.find(-1, "tile %d/%d of the tree does not match the events", made.ID.Level, made.ID.Index)
			return
		case i+width > len(stored):
			v.find(place, "event %d is not in the tree: it was added behind the ledger's back", place)
		default:
			v.find(place, "event %d is not the one that was written: its hash differs from the tree's", place)
		}
	}
}

// finishLog looks for what should be there beyond the last event.
func (v *verification) finishLog() error {
	v.report.Root = v.tree.Root()
	events := v.tree.Size()
	if v.size != events {
		v.find(events, "the ledger says that it has %d events, and has %d: the first that lacks is %d", v.size, events, events)
	}
	newest, err := v.r.signedSize()
	if err != nil {
		return err
	}
	if newest > events {
		v.find(events, "a signed checkpoint covers %d events, and there are %d: the end was cut off", newest, events)
	}
	if v.held != nil {
		v.find(events, "the checkpoint that you hold covers %d events, and there are %d: the end was cut off", v.held.size, events)
	}
	if v.further > 0 {
		v.find(v.good, "and %d later checkpoints do not match either", v.further)
	}
	return v.unwitnessed()
}

// unwitnessed: with witnesses, what nobody has seen within a minute is as good as
// hidden from them: another view of the log, or one that was rewritten.
func (v *verification) unwitnessed() error {
	if v.o.Trust == nil || !v.o.Trust.Required() || v.certain >= v.tree.Size() {
		return nil
	}
	if !v.whole {
		v.find(v.certain, "the database has no cosignatures, so it shows no quorum of your witnesses that has seen its events: it is of an older version, or they were taken away")
		return nil
	}
	page, err := all(v.r, scanFullEvent, `SELECT seq, id, time, type, correlation_id, actor_id, leaf FROM event WHERE seq >= $1 ORDER BY seq LIMIT 1`, v.certain)
	if err != nil || len(page) == 0 {
		return err
	}
	if first := page[0].event; !cab.Witnessed(first.Time, v.o.Now) {
		v.find(first.Seq, "no quorum of your witnesses has seen the events from %d on, the first of them written at %s: they may not be the ones that others are shown", first.Seq, first.Time.Format("2006-01-02T15:04:05Z"))
	}
	return nil
}
