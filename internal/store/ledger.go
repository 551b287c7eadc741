package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// growth is how much one batch extends the ledger. It lives as long as the
// batch's transaction.
type growth struct {
	writer   *writer
	frontier *ledger.Frontier // nil until the first event
	size     int64            // of the tree as the transaction found it; -1 until it is read
	trails   map[string]bool  // that the batch has written to
	callers  map[Credential]**cab.Caller
	policies []cab.Published // the one in force; nil until it is read

	together bool // the batch's events are written at its end, many in one statement
	events   int  // that the batch has appended
	rows     []any
}

func (w *writer) newGrowth() *growth {
	return &growth{writer: w, size: -1, trails: map[string]bool{}, callers: map[Credential]**cab.Caller{}}
}

func (g *growth) keepCaller(who Credential, c **cab.Caller) { g.callers[who] = c }

// wrote reports whether the batch has written to a trail, or (under no trail)
// changed something that holds for all, such as the policy.
func (g *growth) wrote(trail string) bool { return g.trails[trail] || g.trails[""] }

// mark and reset undo what a closure that failed had appended.
func (g *growth) mark() *ledger.Frontier {
	if g.frontier == nil {
		return nil
	}
	return g.frontier.Clone()
}

func (g *growth) reset(to *ledger.Frontier) { g.frontier = to }

// load makes the frontier that the database has now. The writer's own is good
// only if nobody else (another replica, the command line) has written since.
func (g *growth) load(r Reader) error {
	if g.size < 0 {
		if err := r.c.run(readTreeSize(&g.size)); err != nil {
			return err
		}
	}
	size := g.size
	if known := g.writer.frontier; known != nil && known.Size() == size {
		g.frontier = known.Clone()
		return nil
	}
	tiles, err := r.Tiles(ledger.EdgeTiles(size))
	if err != nil {
		return err
	}
	frontier, err := ledger.NewFrontier(size, tiles)
	if err != nil {
		return err
	}
	if err := g.continues(r, frontier); err != nil {
		return err
	}
	g.frontier = frontier
	return nil
}

// continues checks that the tree that the database has grew out of the one that
// was signed last. Events after another tree, and a second signature that
// contradicts the first, are worse than no service: so nothing is written.
func (g *growth) continues(r Reader, frontier *ledger.Frontier) error {
	var signed string
	var size, shown int64
	err := r.c.run(
		statement{`SELECT size, note FROM checkpoint ORDER BY size DESC LIMIT 1`, nil, func(row row) error { return row.Scan(&size, &signed) }},
		statement{
			`SELECT MAX(size) FROM (SELECT COALESCE(MAX(size), 0) AS size FROM cosignature UNION ALL SELECT COALESCE(MAX(size), 0) FROM witnessed UNION ALL SELECT COALESCE(MAX(size), 0) FROM checkpoint_timestamp) AS others`,
			nil, func(row row) error { return row.Scan(&shown) },
		},
	)
	if err != nil {
		return err
	}
	refuse := func(why error) error {
		return &cab.Error{
			Kind: cab.Internal, Code: "LEDGER_CONTRADICTS", Err: why,
			Message: "the ledger in the database is not the one that was signed, so nothing is written or signed; stop the servers, keep the database as it is, and run eucora audit verify on it; then restore a backup that holds",
		}
	}
	if shown > size {
		return refuse(fmt.Errorf("others have seen a checkpoint of %d events, and the newest that is here has %d", shown, size))
	}
	if signed == "" {
		return nil
	}
	verifier, err := ledger.NewVerifier(g.writer.store.signer.VerifierKey())
	if err != nil {
		return err
	}
	old, err := verifier.Open([]byte(signed))
	if err != nil {
		return refuse(err)
	}
	var unread error // a database that cannot be read is no contradiction
	tiles := ledger.Tiles(func(ids []ledger.TileID) (found map[ledger.TileID][]byte, err error) {
		found, unread = r.Tiles(ids)
		return found, unread
	})
	path, err := tiles.Consistency(old.Size, frontier.Size())
	if unread != nil {
		return unread
	}
	if err != nil {
		return refuse(err)
	}
	if err := ledger.CheckConsistency(path, old, ledger.Checkpoint{Origin: old.Origin, Size: frontier.Size(), Root: frontier.Root()}); err != nil {
		return refuse(err)
	}
	return nil
}

// save queues the tiles that changed and the tree's size, for the commit.
func (g *growth) save(c conn) error {
	if g.frontier == nil {
		g.frontier = g.writer.frontier
		return nil
	}
	queueEvents(c, g.rows)
	tiles := g.frontier.Dirty()
	if len(tiles) == 0 {
		return nil
	}
	for _, tile := range tiles {
		c.queue(`INSERT INTO ledger_tile (level, idx, data) VALUES ($1, $2, $3)
			ON CONFLICT (level, idx) DO UPDATE SET data = excluded.data`, 1, tile.ID.Level, tile.ID.Index, tile.Data)
	}
	c.queue(`UPDATE ledger_state SET size = $1 WHERE id = 1`, 1, g.frontier.Size())
	return nil
}

// appendEvents gives events their ids and places, and puts them in the ledger.
func (tx *Tx) appendEvents(events []cab.Event) error {
	if tx.growth.frontier == nil {
		if err := tx.growth.load(tx.Reader); err != nil {
			return err
		}
	}
	args := make([]any, 0, eventColumns*len(events))
	for i := range events {
		e := &events[i]
		tx.growth.trails[e.CorrelationID] = true
		e.Seq = tx.growth.frontier.Size()
		e.ID = uuid.Must(uuid.NewV7()).String()
		leaf, err := Leaf(*e)
		if err != nil {
			return err
		}
		if len(leaf) > ledger.MaxLeaf {
			return &cab.Error{
				Kind: cab.Invalid, Code: "EVENT_TOO_LARGE",
				Message: fmt.Sprintf("what would be written to the ledger has %d bytes, and an event has at most %d; shorten the texts", len(leaf), ledger.MaxLeaf),
			}
		}
		tx.growth.frontier.Append(ledger.LeafHash(leaf))
		args = append(args, e.Seq, e.ID, micros(e.Time), string(e.Type), e.CorrelationID, e.Actor.ID, leaf)
	}
	tx.growth.events += len(events)
	if tx.growth.together {
		tx.growth.rows = append(tx.growth.rows, args...)
		return nil
	}
	queueEvents(tx.c, args)
	return nil
}

const eventColumns = 7

// insertEvents are the statements that insert 1, 2, 4 … 64 events.
var insertEvents = func() (texts [7]string) {
	for i := range texts {
		rows := make([]string, 1<<i)
		for j := range rows {
			at := eventColumns * j
			rows[j] = fmt.Sprintf("($%d, $%d, $%d, $%d, $%d, $%d, $%d)", at+1, at+2, at+3, at+4, at+5, at+6, at+7)
		}
		texts[i] = `INSERT INTO event (seq, id, time, type, correlation_id, actor_id, leaf) VALUES ` + strings.Join(rows, ", ")
	}
	return texts
}()

// queueEvents queues the rows of events in as few statements as will do.
func queueEvents(c conn, rows []any) {
	for i := len(insertEvents) - 1; i >= 0; i-- {
		for n := eventColumns << i; len(rows) >= n; rows = rows[n:] {
			c.queue(insertEvents[i], 1<<i, rows[:n:n]...)
		}
	}
}

// Leaf is the RFC 8785 form of an event: the bytes that are hashed.
func Leaf(e cab.Event) ([]byte, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("write event: %w", err)
	}
	leaf := jsontext.Value(text)
	if err := leaf.Canonicalize(); err != nil {
		return nil, fmt.Errorf("write event: %w", err)
	}
	return leaf, nil
}

func (r *Reader) treeSize() (int64, error) {
	var size int64
	err := r.c.run(readTreeSize(&size))
	return size, err
}

func readTreeSize(to *int64) statement {
	return statement{`SELECT size FROM ledger_state WHERE id = 1`, nil, func(row row) error { return row.Scan(to) }}
}

// signedSize is the size of the newest checkpoint, -1 if there is none.
func (r *Reader) signedSize() (int64, error) {
	var size int64
	err := r.c.run(statement{`SELECT COALESCE(MAX(size), -1) FROM checkpoint`, nil, func(row row) error { return row.Scan(&size) }})
	return size, err
}

// claimLedger writes the signer's public key into a new database, and refuses a
// database whose ledger another key began.
func (s *Store) claimLedger(ctx context.Context) error {
	return s.Update(ctx, func(tx *Tx) error {
		var known string
		err := tx.c.run(statement{`SELECT value FROM meta WHERE name = 'ledger_key'`, nil, func(row row) error { return row.Scan(&known) }})
		switch {
		case err != nil:
			return err
		case known == "":
			tx.c.queue(`INSERT INTO meta (name, value) VALUES ('ledger_key', $1)`, 1, s.signer.VerifierKey())
			return nil
		case known != s.signer.VerifierKey():
			return &cab.Error{
				Kind: cab.Conflict, Code: "LEDGER_KEY_MISMATCH",
				Message: fmt.Sprintf("the ledger in this database belongs to the key %s, but the key given is %s; give the right one with --ledger-key", known, s.signer.VerifierKey()),
			}
		}
		return nil
	})
}

// LedgerKey is the ledger's public key, for auditors to keep.
func (s *Store) LedgerKey() string { return s.signer.VerifierKey() }

// SignManifest signs the manifest of a capsule with the ledger's key.
func (s *Store) SignManifest(text string) ([]byte, error) { return s.signer.SignManifest(text) }

// Checkpoint returns the newest signed checkpoint, with its cosignatures; it covers
// everything that was committed before the call.
func (s *Store) Checkpoint(ctx context.Context) ([]byte, error) {
	if _, err := s.signGrowth(ctx, -1); err != nil {
		return nil, err
	}
	var newest Checkpointed
	err := s.View(ctx, func(r *Reader) (err error) {
		newest, err = r.NewestCheckpoint()
		return err
	})
	return newest.Cosigned(), err
}

// signGrowth signs the tree if it has grown beyond the newest checkpoint. known
// is a size that is known to be signed: then the database is not asked twice.
// It goes through the writer, so that two replicas never sign trees that
// disagree.
func (s *Store) signGrowth(ctx context.Context, known int64) (int64, error) {
	var size, signed int64
	err := s.View(ctx, func(r *Reader) (err error) {
		if size, err = r.treeSize(); err != nil || size == known {
			return err
		}
		signed, err = r.signedSize()
		return err
	})
	if err != nil || size == known || size == signed {
		return size, err
	}
	err = s.Update(ctx, func(tx *Tx) error {
		if tx.growth.frontier == nil {
			if err := tx.growth.load(tx.Reader); err != nil {
				return err
			}
		}
		size = tx.growth.frontier.Size()
		if signed, err = tx.signedSize(); err != nil || signed == size {
			return err // another replica was quicker
		}
		note, err := s.signer.Sign(size, tx.growth.frontier.Root())
		if err != nil {
			return err
		}
		tx.c.queue(`INSERT INTO checkpoint (size, note, time) VALUES ($1, $2, $3)`,
			1, size, string(note), micros(s.clock()))
		return nil
	})
	return size, err
}
