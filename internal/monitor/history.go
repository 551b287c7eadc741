package monitor

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/ledger"
	"golang.org/x/mod/sumdb/tlog"
)

// isAbsent reports whether the log itself says that it has no such thing.
func isAbsent(err error) bool {
	problem, ok := errors.AsType[*api.Problem](err)
	return ok && problem.Status == http.StatusNotFound && problem.Code == "NOT_FOUND"
}

func isNotWitnessed(err error) bool {
	problem, ok := errors.AsType[*api.Problem](err)
	return ok && problem.Code == "NOT_WITNESSED"
}

// newest is the newest signed checkpoint: it covers everything that was committed
// before the call.
func (w *Watch) newest(ctx context.Context) (*kept, error) {
	answer, err := w.Client.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	return w.open([]byte(answer.Note))
}

func (w *Watch) open(note []byte) (*kept, error) {
	opened, err := w.trust.Open(note)
	if err != nil {
		return nil, contradicts(note, "the log's checkpoint is not of the log that is watched: %v", err)
	}
	return &kept{opened, note}, nil
}

// follow reads what the log has beyond the mirror, and holds the whole against a
// checkpoint.
func (w *Watch) follow(ctx context.Context, to *kept) error {
	if to.Size < w.tree.Size() {
		return w.explain(ctx, to, w.tree.Size(), -1)
	}
	had := w.tree.Size()
	for w.tree.Size() < to.Size {
		i := w.tree.Size() >> ledger.TileHeight
		w.Progress("reading the log: %d of %d events", w.tree.Size(), to.Size)
		leaves, err := w.fetch(ctx, i, to)
		if err != nil {
			return err
		}
		if at := firstDifference(w.tail, leaves); at >= 0 {
			return w.explain(ctx, to, had, i<<ledger.TileHeight+int64(at))
		}
		if err := w.mirror.keep(i, leaves); err != nil {
			return err
		}
		if err := w.extend(leaves[len(w.tail):]); err != nil {
			return contradicts(to.note, "%v", err)
		}
	}
	if w.tree.Root() != to.Root {
		return w.explain(ctx, to, had, -1)
	}
	return nil
}

// fetch reads a bundle of the log as it was at a checkpoint.
func (w *Watch) fetch(ctx context.Context, i int64, of *kept) ([][]byte, error) {
	path := ledger.TilePath{ID: ledger.TileID{Index: i}, Width: widthAt(i, of.Size), Entries: true}
	first := i << ledger.TileHeight
	data, err := w.Client.LogTile(ctx, path.String())
	if isAbsent(err) {
		return nil, contradicts(of.note, "the log does not give out its events %d to %d, which its checkpoint of %d covers: some were taken away", first, first+int64(path.Width)-1, of.Size)
	}
	if err != nil {
		return nil, err
	}
	leaves, err := ledger.ParseBundle(data)
	if err != nil || len(leaves) != path.Width {
		return nil, contradicts(of.note, "what the log gives out as its events %d to %d are %d entries (%v)", first, first+int64(path.Width)-1, len(leaves), err)
	}
	return leaves, nil
}

// againMost is how many bundles are read again in a round, unless all are: 16,384
// events. A smaller log is read again whole each time.
const againMost = 64

// readAgain holds what the log says of events that are in the mirror against the
// mirror: the tree does not show that the text of an old event was changed.
func (w *Watch) readAgain(ctx context.Context, report *Report) error {
	if w.kept == nil {
		return nil
	}
	all := bundles(w.kept.Size)
	n, i := min(againMost, all), w.nextAgain()%max(all, 1)
	if w.All {
		n, i = all, 0
	}
	for ; n > 0; n, i = n-1, (i+1)%all {
		w.Progress("reading again: events from %d", i<<ledger.TileHeight)
		ours, err := w.mirror.bundle(i, widthAt(i, w.kept.Size))
		if err != nil {
			return err
		}
		theirs, err := w.fetch(ctx, i, w.kept)
		if err != nil {
			return err
		}
		if at := firstDifference(ours, theirs); at >= 0 {
			seq := i<<ledger.TileHeight + int64(at)
			return altered(seq, describe(seq, ours[at]), describe(seq, theirs[at]))
		}
		if err := w.hashesFit(ctx, i, ours); err != nil {
			return err
		}
		report.Again += int64(len(ours))
	}
	return w.mirror.write(againFile, []byte(strconv.FormatInt(i, 10)+"\n"))
}

// altered: the text, and not the tree.
func altered(seq int64, was, now string) error {
	return contradicts(nil, "event %d was changed behind the log's back: it was %s; what is given out now is %s", seq, was, now)
}

// hashesFit holds the log's own hashes of events against the events: proofs are made
// of them.
func (w *Watch) hashesFit(ctx context.Context, i int64, ours [][]byte) error {
	hashes, err := w.hashes(ctx, i, w.kept)
	if err != nil {
		return err
	}
	for at, leaf := range ours {
		if at >= len(hashes) || hashes[at] != ledger.LeafHash(leaf) {
			return contradicts(nil, "the log's hash of event %d is not that of the event, which is %s: proofs of it will not hold", i<<ledger.TileHeight+int64(at), describe(i<<ledger.TileHeight+int64(at), leaf))
		}
	}
	return nil
}

// difference is how the log at a checkpoint differs from the mirror.
type difference struct {
	seq   int64 // the first leaf that differs, -1 if none does
	makes bool  // what was read makes the checkpoint's root
}

// explain says why a checkpoint does not go with a mirror of so many events, of
// which the first had were found to hold before; other is the first event that is
// given out otherwise than it was, as far as that was seen, or -1. It reads the log's
// hashes and, if they are not those that were signed, its entries.
func (w *Watch) explain(ctx context.Context, to *kept, had, other int64) error {
	by, err := w.differs(ctx, to, w.hashes)
	if err == nil && !by.makes {
		by, err = w.differs(ctx, to, w.entries)
	}
	if err != nil {
		return err
	}
	at := by.seq
	if at < 0 {
		at = other
	}
	now, err := w.saysNow(ctx, to, at)
	if err != nil {
		return err
	}
	switch {
	case by.seq < 0 && to.Size < had:
		return contradicts(to.note, "the end was cut off: the kept checkpoint covers %d events, and the log has %d; the first that lacks is event %d, which was %s", had, to.Size, to.Size, w.was(to.Size, had))
	case by.seq < 0 && other >= 0:
		return altered(other, w.was(other, had), now)
	case by.seq < 0:
		return contradicts(to.note, "the log signed another tree of %d events than the one that it gives out", to.Size)
	case by.seq < had:
		return contradicts(to.note, "history was rewritten: the kept checkpoint of %d events is not the beginning of the log of %d; the first event that differs is %d, which was %s; it is %s", had, to.Size, by.seq, w.was(by.seq, had), now)
	}
	return contradicts(to.note, "event %d, as it is given out, is not the one in the tree of %d that was signed: it was changed behind the log's back, and is now %s", by.seq, to.Size, now)
}

// was is what the mirror says of an event.
func (w *Watch) was(seq, had int64) string {
	leaf, err := w.mirror.leaf(seq, had)
	if err != nil {
		return "something that the mirror has lost: " + err.Error()
	}
	return describe(seq, leaf)
}

// saysNow is what the log gives out of an event.
func (w *Watch) saysNow(ctx context.Context, of *kept, seq int64) (string, error) {
	if seq < 0 {
		return "", nil
	}
	leaves, err := w.fetch(ctx, seq>>ledger.TileHeight, of)
	if _, ok := errors.AsType[*contradiction](err); ok {
		return "not given out", nil
	}
	if err != nil {
		return "", err
	}
	return describe(seq, leaves[seq%ledger.TileWidth]), nil
}

// differs walks the log at a checkpoint beside the mirror.
func (w *Watch) differs(ctx context.Context, to *kept, read func(context.Context, int64, *kept) ([]ledger.Hash, error)) (difference, error) {
	found := difference{seq: -1}
	var tree ledger.Tree
	for i := range bundles(to.Size) {
		w.Progress("comparing the log with the mirror: %d of %d events", tree.Size(), to.Size)
		theirs, err := read(ctx, i, to)
		if err != nil {
			return found, err
		}
		var ours [][]byte
		if width := widthAt(i, w.tree.Size()); found.seq < 0 && width > 0 {
			if ours, err = w.mirror.bundle(i, width); err != nil {
				return found, err
			}
		}
		for at, hash := range theirs {
			if found.seq < 0 && at < len(ours) && ledger.LeafHash(ours[at]) != hash {
				found.seq = tree.Size()
			}
			tree.Add(hash)
		}
		if len(theirs) < widthAt(i, to.Size) {
			return found, nil // they make nothing
		}
	}
	found.makes = tree.Root() == to.Root
	return found, nil
}

// hashes are the leaf hashes that the log gives out.
func (w *Watch) hashes(ctx context.Context, i int64, of *kept) ([]ledger.Hash, error) {
	data, err := w.tile(ctx, ledger.TilePath{ID: ledger.TileID{Index: i}, Width: widthAt(i, of.Size)})
	var all []ledger.Hash
	for ; len(data) > 0; data = data[tlog.HashSize:] {
		all = append(all, ledger.Hash(data))
	}
	return all, err
}

// entries are the hashes of the entries that the log gives out.
func (w *Watch) entries(ctx context.Context, i int64, of *kept) ([]ledger.Hash, error) {
	leaves, err := w.fetch(ctx, i, of)
	if _, ok := errors.AsType[*contradiction](err); ok {
		return nil, nil
	}
	var all []ledger.Hash
	for _, leaf := range leaves {
		all = append(all, ledger.LeafHash(leaf))
	}
	return all, err
}

// tile reads a tile of hashes; nothing if the log has none of that width.
func (w *Watch) tile(ctx context.Context, path ledger.TilePath) ([]byte, error) {
	data, err := w.Client.LogTile(ctx, path.String())
	if isAbsent(err) || (err == nil && len(data) != path.Width*tlog.HashSize) {
		return nil, nil
	}
	return data, err
}

// witnessed is the checkpoint that the log serves to the world. Nil: it says that no
// quorum has witnessed any.
func (w *Watch) witnessed(ctx context.Context) (*kept, error) {
	note, err := w.Client.LogCheckpoint(ctx)
	if isNotWitnessed(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return w.open(note)
}

// witnessGrace is for how long events may wait for witnesses.
const witnessGrace = time.Hour

// compareWitnessed holds the checkpoint that the log serves to the world against
// the newest, which the mirror makes, and wants a quorum on it if the policy does.
func (w *Watch) compareWitnessed(ctx context.Context, report *Report, witnessed, newest *kept) error {
	size := int64(0)
	if witnessed != nil {
		if witnessed.Size > newest.Size {
			return contradicts(witnessed.note, "the log serves a checkpoint of %d events, and has signed none newer than %d", witnessed.Size, newest.Size)
		}
		if err := w.begins(ctx, witnessed, newest); err != nil {
			return err
		}
		if w.trust.Enough(witnessed.Cosigned) {
			size = witnessed.Size
		}
		for _, by := range witnessed.By {
			report.Witnesses = append(report.Witnesses, by.Witness+" on "+by.At.Format(time.RFC3339))
		}
	}
	if !w.trust.Required() || size >= newest.Size {
		return nil
	}
	leaf, err := w.mirror.leaf(size, newest.Size)
	if err != nil {
		return err
	}
	e, err := readEvent(size, leaf)
	if err != nil {
		return contradicts(newest.note, "%v", err)
	}
	if size == 0 || w.Clock().Sub(e.Time).Abs() > witnessGrace {
		report.find("no quorum of the trust policy has witnessed the log from event %d of %s on; it has %d", size, e.Time.UTC().Format(time.RFC3339), newest.Size)
	}
	return nil
}

// begins checks that one tree is the beginning of another, by a proof that is made
// here of the log's hashes.
func (w *Watch) begins(ctx context.Context, old, newest *kept) error {
	if old.Size == newest.Size && old.Root == newest.Root {
		return nil
	}
	lacks := false
	read := ledger.Tiles(func(ids []ledger.TileID) (map[ledger.TileID][]byte, error) {
		tiles := map[ledger.TileID][]byte{}
		for _, id := range ids {
			width := min(ledger.TileWidth, newest.Size>>(ledger.TileHeight*id.Level)-id.Index<<ledger.TileHeight)
			data, err := w.tile(ctx, ledger.TilePath{ID: id, Width: int(width)})
			if err != nil {
				return nil, err
			}
			lacks = lacks || data == nil
			tiles[id] = data
		}
		return tiles, nil
	})
	path, err := read.Consistency(old.Size, newest.Size)
	if err != nil && !lacks {
		return err
	}
	if err == nil {
		err = ledger.CheckConsistency(path, old.Checkpoint, newest.Checkpoint)
	}
	if err != nil {
		return contradicts(old.note, "the checkpoint that the log serves is not of the log that it gives out: %v", err)
	}
	return nil
}
