package store

import (
	"time"

	"github.com/eucora/eucora/internal/cab"
)

// Reader reads rows. Each method costs one round trip unless it says otherwise.
// What is not there is a NotFound.
type Reader struct{ c conn }

// Tx is the writing transaction: it reads, and saves changes.
type Tx struct {
	Reader
	growth *growth
}

// into is a statement whose rows are appended to a slice.
func into[T any](to *[]T, scan func(row, *T) error, text string, args ...any) statement {
	return statement{text, args, func(r row) error {
		var value T
		if err := scan(r, &value); err != nil {
			return err
		}
		*to = append(*to, value)
		return nil
	}}
}

// first is the first of rows, or NotFound.
func first[T any](rows []T, noun string, err error) (T, error) {
	if err == nil && len(rows) == 0 {
		err = notFound(noun)
	}
	if err != nil {
		var none T
		return none, err
	}
	return rows[0], nil
}

// one reads one row.
func one[T any](r *Reader, noun string, scan func(row, *T) error, text string, args ...any) (T, error) {
	var rows []T
	err := r.c.run(into(&rows, scan, text, args...))
	return first(rows, noun, err)
}

// all reads every row.
func all[T any](r *Reader, scan func(row, *T) error, text string, args ...any) ([]T, error) {
	var rows []T
	err := r.c.run(into(&rows, scan, text, args...))
	return rows, err
}

// pointer is the first of rows, or nil.
func pointer[T any](rows []T) *T {
	if len(rows) == 0 {
		return nil
	}
	return &rows[0]
}

// Replay is the answer that was given under an Idempotency-Key.
type Replay struct {
	PrincipalID string
	Key         string
	Fingerprint string
	Status      int
	Body        []byte
	CreatedAt   time.Time
}

// Replay returns the answer given to a principal under a key.
func (r *Reader) Replay(principalID, key string) (replay Replay, found bool, err error) {
	err = r.c.run(statement{
		`SELECT fingerprint, status, body FROM replay WHERE principal_id = $1 AND key = $2`,
		[]any{principalID, key},
		func(row row) error { found = true; return row.Scan(&replay.Fingerprint, &replay.Status, &replay.Body) },
	})
	return replay, found, err
}

// SaveReplay keeps an answer together with what it answers.
func (tx *Tx) SaveReplay(r Replay) error {
	tx.c.queue(`INSERT INTO replay (principal_id, key, fingerprint, status, body, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		1, r.PrincipalID, r.Key, r.Fingerprint, r.Status, r.Body, micros(r.CreatedAt))
	return nil
}

// PruneReplays forgets answers older than a moment.
func (tx *Tx) PruneReplays(before time.Time) error {
	tx.c.queue(`DELETE FROM replay WHERE created_at < $1`, -1, micros(before))
	return nil
}

// TouchToken notes that a token was used. It is the one write without an event:
// telemetry, kept to the minute, on which nothing depends.
func (tx *Tx) TouchToken(id string, now time.Time) error {
	tx.c.queue(`UPDATE token SET last_used_at = $2 WHERE id = $1 AND last_used_at < $2`, -1, id, micros(now))
	return nil
}

// Save writes everything that a change holds, and its events: all of it or
// nothing. It is the only way to write state, and refuses to without an event.
// The events get their places in the ledger.
func (tx *Tx) Save(change cab.Change) error {
	if len(change.Events) == 0 {
		return &cab.Error{Kind: cab.Internal, Code: "NO_EVENT", Message: "a change without an event was to be saved"}
	}
	saves := []func(cab.Change) error{
		tx.savePrincipal, tx.saveToken, tx.savePublished, tx.saveDeployment,
		tx.savePackage, tx.saveRequest, tx.saveExceptions,
	}
	for _, save := range saves {
		if err := save(change); err != nil {
			return err
		}
	}
	if err := tx.appendEvents(change.Events); err != nil {
		return err
	}
	if tx.growth.writer.store.outbox == nil {
		return nil
	}
	for _, e := range change.Events {
		if n, ok := cab.NoticeOf(e); ok {
			if err := tx.Notify(n); err != nil {
				return err
			}
		}
	}
	return nil
}

// Notify puts a notice into the outbox. [Tx.Save] does it for events.
func (tx *Tx) Notify(n cab.Notice) error {
	outbox := tx.growth.writer.store.outbox
	if outbox == nil {
		return nil
	}
	jobs, err := outbox(n)
	tx.Enqueue(jobs...)
	return err
}
