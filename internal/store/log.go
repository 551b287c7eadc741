package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/ledger"
)

// Checkpointed is a signed checkpoint as it is kept: with the cosignatures that
// witnesses have given since, and time-stamps that authorities have.
type Checkpointed struct {
	Size         int64
	Note         []byte   // as the log signed it
	Cosignatures []string // signature lines, in the order in which they came
	Timestamp    []byte   // an RFC 3161 TimeStampResp over Note; nil if there is none
	SignedAt     time.Time
	Authority    string    // that gave the time-stamp; "" if there is none
	StampedAt    time.Time // by our clock; zero if there is none
}

// Cosigned is the checkpoint with its cosignatures.
func (c Checkpointed) Cosigned() []byte { return ledger.WithCosignatures(c.Note, c.Cosignatures) }

// Tiles reads tiles of the ledger's tree, in one statement. What is not there is
// not in the answer.
func (r *Reader) Tiles(ids []ledger.TileID) (map[ledger.TileID][]byte, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	found := make(map[ledger.TileID][]byte, len(ids))
	places := make([]string, len(ids))
	args := make([]any, 0, 2*len(ids))
	for i, id := range ids {
		places[i] = fmt.Sprintf("(level = $%d AND idx = $%d)", 2*i+1, 2*i+2)
		args = append(args, id.Level, id.Index)
	}
	err := r.c.run(statement{
		`SELECT level, idx, data FROM ledger_tile WHERE ` + strings.Join(places, " OR "), args,
		func(row row) error {
			var id ledger.TileID
			var data []byte
			if err := row.Scan(&id.Level, &id.Index, &data); err != nil {
				return err
			}
			found[id] = data
			return nil
		},
	})
	return found, err
}

// Event is the leaf at a place, with the principal who acted and whoever the trail
// that it belongs to is of.
func (r *Reader) Event(seq int64) (leaf []byte, owners []string, err error) {
	owner := func(row row) error {
		owners = append(owners, "")
		return row.Scan(&owners[len(owners)-1])
	}
	err = r.c.run(
		statement{`SELECT leaf FROM event WHERE seq = $1`, []any{seq}, func(row row) error { return row.Scan(&leaf) }},
		statement{`SELECT actor_id FROM event WHERE seq = $1`, []any{seq}, owner},
		statement{`SELECT d.created_by_id FROM deployment d WHERE d.correlation_id = (SELECT correlation_id FROM event WHERE seq = $1)`, []any{seq}, owner})
	if err == nil && leaf == nil {
		err = notFound("event")
	}
	return leaf, owners, err
}

// Leaves reads the leaves of the events from one place on, at most n, by place.
func (r *Reader) Leaves(from int64, n int) ([]EventRow, error) {
	return all(r, scanEventRow, `SELECT seq, leaf FROM event WHERE seq >= $1 AND seq < $2 ORDER BY seq`, from, from+int64(n))
}

const (
	checkpointColumns = `c.size, c.note, c.time, s.token, COALESCE(s.authority, ''), COALESCE(s.time, 0)`
	checkpointRows    = `checkpoint c LEFT JOIN checkpoint_timestamp s ON s.size = c.size`
)

// NewestCheckpoint is the newest signed checkpoint.
func (r *Reader) NewestCheckpoint() (Checkpointed, error) {
	return r.checkpoint(`ORDER BY c.size DESC LIMIT 1`)
}

// WitnessedCheckpoint is the newest checkpoint that was witnessed by a quorum, as
// the site's trust policy was then.
func (r *Reader) WitnessedCheckpoint() (Checkpointed, error) {
	return r.checkpoint(`WHERE c.size = (SELECT MAX(size) FROM witnessed) LIMIT 1`)
}

// StampedCheckpoint is the oldest checkpoint of at least a size that has a
// time-stamp, and (if asked for) was witnessed by a quorum.
func (r *Reader) StampedCheckpoint(least int64, witnessed bool) (Checkpointed, error) {
	text := `WHERE c.size = (SELECT MIN(t.size) FROM checkpoint_timestamp t WHERE t.size >= $1`
	if witnessed {
		text += ` AND EXISTS (SELECT 1 FROM witnessed w WHERE w.size = t.size)`
	}
	return r.checkpoint(text+`) LIMIT 1`, least)
}

// LastStamped is the newest checkpoint that has a time-stamp; of size 0 if none has.
func (r *Reader) LastStamped() (Checkpointed, error) {
	c, err := r.checkpoint(`WHERE c.size = (SELECT MAX(size) FROM checkpoint_timestamp)`)
	if cab.KindOf(err) == cab.NotFound {
		return Checkpointed{}, nil
	}
	return c, err
}

func (r *Reader) checkpoint(where string, args ...any) (Checkpointed, error) {
	found, err := one(r, "checkpoint", func(row row, c *Checkpointed) error {
		var note string
		err := row.Scan(&c.Size, &note, atTime{&c.SignedAt}, &c.Timestamp, &c.Authority, atTime{&c.StampedAt})
		c.Note = []byte(note)
		return err
	}, `SELECT `+checkpointColumns+` FROM `+checkpointRows+` `+where, args...)
	if err != nil {
		return Checkpointed{}, err
	}
	found.Cosignatures, err = all(r, func(row row, line *string) error { return row.Scan(line) },
		`SELECT line FROM cosignature WHERE size = $1 ORDER BY time, witness`, found.Size)
	return found, err
}

// WitnessState is how far witnesses have followed the log.
type WitnessState struct {
	Size      int64     // events that there are
	Signed    int64     // covered by the newest checkpoint
	Witnessed int64     // covered by the newest checkpoint that a quorum witnessed; 0 if there is none
	Since     time.Time // of the first event that no quorum has witnessed; zero when there is none
}

// WitnessState reads how far witnesses have followed.
func (r *Reader) WitnessState() (WitnessState, error) {
	var s WitnessState
	err := r.c.run(statement{
		`SELECT l.size, COALESCE((SELECT MAX(size) FROM checkpoint), 0), COALESCE((SELECT MAX(size) FROM witnessed), 0),
			COALESCE((SELECT e.time FROM event e WHERE e.seq = COALESCE((SELECT MAX(size) FROM witnessed), 0)), 0)
			FROM ledger_state l WHERE l.id = 1`,
		nil, func(row row) error { return row.Scan(&s.Size, &s.Signed, &s.Witnessed, atTime{&s.Since}) },
	})
	return s, err
}

// EventTime is when the event at a place happened; zero if there is none.
func (r *Reader) EventTime(seq int64) (at time.Time, err error) {
	err = r.c.run(statement{`SELECT time FROM event WHERE seq = $1`, []any{seq}, func(row row) error { return row.Scan(atTime{&at}) }})
	return at, err
}

// WaitingForWitnesses are the requests whose automatic approval waits for them and
// could be given now: gated by the policy in force, of their deployment's newest
// package. The oldest first, at most 10,000. The gate is stored as JSON that this
// program wrote.
func (r *Reader) WaitingForWitnesses() ([]string, error) {
	return all(r, func(row row, id *string) error { return row.Scan(id) },
		`SELECT id FROM cab_request WHERE status = 'submitted' AND gate LIKE $1
			AND policy_version = (SELECT version FROM policy ORDER BY position DESC LIMIT 1)
			AND package_id = `+latestOf("cab_request.deployment_id")+`
			ORDER BY submitted_at, id LIMIT 10000`, `%"waits_for":"`+cab.ForWitnesses+`"%`)
}

// WitnessedUpTo is the size of the newest checkpoint that a witness (by its key)
// has cosigned: where its next consistency proof begins. 0 if there is none.
func (r *Reader) WitnessedUpTo(witness string) (int64, error) {
	var size int64
	err := r.c.run(statement{
		`SELECT COALESCE(MAX(size), 0) FROM cosignature WHERE witness = $1`, []any{witness},
		func(row row) error { return row.Scan(&size) },
	})
	return size, err
}

// Cosignature is a witness's, as it is kept. The caller has checked it.
type Cosignature struct {
	Witness string // its key
	Line    string // the note's signature line, with its newline
}

// KeepCosignatures keeps cosignatures of one checkpoint; those that are known are
// kept as they were. enough says whether the checkpoint with all lines that there
// are now was witnessed by a quorum: it is asked in the transaction, so that of two
// witnesses that answer at once the second sees the first. They are proofs about
// the ledger, not events in it.
func (s *Store) KeepCosignatures(ctx context.Context, size int64, given []Cosignature, enough func(signed []byte, lines []string) bool) error {
	return s.Update(ctx, func(tx *Tx) error {
		now := micros(s.clock())
		for _, c := range given {
			known, err := tx.count(`SELECT COUNT(*) FROM cosignature WHERE size = $1 AND witness = $2`, size, c.Witness)
			if err != nil {
				return err
			}
			if known > 0 {
				continue
			}
			tx.c.queue(`INSERT INTO cosignature (size, witness, line, time) VALUES ($1, $2, $3, $4)`, 1, size, c.Witness, c.Line, now)
		}
		if known, err := tx.count(`SELECT COUNT(*) FROM witnessed WHERE size = $1`, size); err != nil || known > 0 {
			return err
		}
		checkpoint, err := tx.checkpoint(`WHERE c.size = $1`, size)
		if err != nil || !enough(checkpoint.Note, checkpoint.Cosignatures) {
			return err
		}
		tx.c.queue(`INSERT INTO witnessed (size, time) VALUES ($1, $2)`, 1, size, now)
		return nil
	})
}

// KeepTimestamp keeps the time-stamp of a checkpoint, unless it has one.
func (s *Store) KeepTimestamp(ctx context.Context, size int64, authority string, token []byte) error {
	return s.Update(ctx, func(tx *Tx) error {
		if known, err := tx.count(`SELECT COUNT(*) FROM checkpoint_timestamp WHERE size = $1`, size); err != nil || known > 0 {
			return err
		}
		tx.c.queue(`INSERT INTO checkpoint_timestamp (size, authority, token, time) VALUES ($1, $2, $3, $4)`, 1, size, authority, token, micros(s.clock()))
		return nil
	})
}

func (r *Reader) count(text string, args ...any) (n int64, err error) {
	err = r.c.run(statement{text, args, func(row row) error { return row.Scan(&n) }})
	return n, err
}
