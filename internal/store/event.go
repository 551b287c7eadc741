package store

import (
	"fmt"
	"strconv"
	"time"

	"github.com/eucora/eucora/internal/cab"
)

// EventRow is one line of the ledger as it was hashed.
type EventRow struct {
	Seq  int64
	Leaf []byte // RFC 8785 form of the event
}

func scanEventRow(r row, e *EventRow) error { return r.Scan(&e.Seq, &e.Leaf) }

// MaxEvents is the largest page of events.
const MaxEvents = 1000

// EventFilter chooses events.
type EventFilter struct {
	Paging
	Trail        string // any id of a trail: deployment, package, request, exception, CAB-…, EXC-…, or its correlation id
	Type         cab.EventType
	ActorID      string
	ActorName    string    // a user's name: another way to say ActorID
	Since, Until time.Time // Since included, Until not
	VisibleTo    string    // principal id: only their own acts and their own deployments' trails; "" for all
	OldestFirst  bool
}

// trailIDs are the nouns by which a trail is known, with the columns that name
// them.
const trailIDs = `SELECT correlation_id FROM deployment WHERE id = $1
	UNION ALL SELECT correlation_id FROM evidence_package WHERE id = $1
	UNION ALL SELECT correlation_id FROM cab_request WHERE id = $1 OR name = $1
	UNION ALL SELECT correlation_id FROM cab_exception WHERE id = $1 OR name = $1`

// trail is the correlation id of the trail that id belongs to: id itself when
// nothing else is known by it.
func (r *Reader) trail(id string) (string, error) {
	found := id
	err := r.c.run(statement{trailIDs, []any{id}, func(row row) error { return row.Scan(&found) }})
	return found, err
}

// Events is [Reader.Events], with the events of the batch so far.
func (tx *Tx) Events(f EventFilter) (Page[EventRow], error) {
	queueEvents(tx.c, tx.growth.rows)
	tx.growth.rows = nil
	return tx.Reader.Events(f)
}

// Events lists events by their place in the ledger, newest first unless asked
// otherwise. A filter by trail costs a second round trip.
func (r *Reader) Events(f EventFilter) (Page[EventRow], error) {
	w, err := r.eventWhere(f)
	if err != nil {
		return Page[EventRow]{}, err
	}
	order, beyond := "DESC", "seq < ?"
	if f.OldestFirst {
		order, beyond = "ASC", "seq > ?"
	}
	limited := w.clone()
	if f.Cursor != "" {
		seq, err := strconv.ParseInt(f.Cursor, 10, 64)
		if err != nil || seq < 0 {
			return Page[EventRow]{}, badCursor()
		}
		limited.add(beyond, seq)
	}
	limited.args = append(limited.args, f.limit()+1)
	var result Page[EventRow]
	err = r.c.run(
		into(&result.Rows, scanEventRow, fmt.Sprintf(`SELECT seq, leaf FROM event%s ORDER BY seq %s LIMIT $%d`, limited.sql(), order, len(limited.args)), limited.args...),
		counting(&result.Count, "event"+w.sql(), w.args))
	if err != nil {
		return Page[EventRow]{}, err
	}
	finish(&result, f.limit(), func(*EventRow) cursor { return cursor{} })
	if result.Next != "" {
		result.Next = strconv.FormatInt(result.Rows[len(result.Rows)-1].Seq, 10)
	}
	return result, nil
}

func (r *Reader) eventWhere(f EventFilter) (where, error) {
	var w where
	if f.Trail != "" {
		correlation, err := r.trail(f.Trail)
		if err != nil {
			return where{}, err
		}
		w.add("correlation_id = ?", correlation)
	}
	w.equal("type", string(f.Type))
	w.equal("actor_id", f.ActorID)
	if f.ActorName != "" {
		w.add("actor_id = (SELECT p.id FROM principal p WHERE p.username = ?)", f.ActorName)
	}
	if !f.Since.IsZero() {
		w.add("time >= ?", micros(f.Since))
	}
	if !f.Until.IsZero() {
		w.add("time < ?", micros(f.Until))
	}
	if f.VisibleTo != "" {
		w.add("(actor_id = ? OR correlation_id IN (SELECT d.correlation_id FROM deployment d WHERE d.created_by_id = ?))", f.VisibleTo, f.VisibleTo)
	}
	return w, nil
}
