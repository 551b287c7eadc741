package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/eucora/eucora/internal/cab"
	jsonv2 "github.com/go-json-experiment/json"
)

// row is one result row.
type row interface{ Scan(dest ...any) error }

// statement is one SQL text, the same on both engines ($N parameters), with its
// arguments. scan is called once for each row; nil when there are none.
type statement struct {
	text string
	args []any
	scan func(row) error
}

// conn is one open transaction, or one reading snapshot, on either engine:
// sqliteConn and postgresConn.
type conn interface {
	// queue adds a write. It is sent together with the next run, or by flush.
	// want is how many rows it must affect, -1 for any; another number is the
	// conflict STALE.
	queue(text string, want int64, args ...any)
	// run sends what is queued and then the statements, in one round trip
	// where the engine has round trips, and scans the rows in order.
	run(statements ...statement) error
	// flush sends what is queued.
	flush() error
	// joinedLeaves reads the leaves of the events from a place on and before another,
	// many at once and in order; it may stop where there are no more.
	joinedLeaves(from, before int64, take func(joinedLeaves)) error
	// hasTable reports whether the database has a table.
	hasTable(name string) (bool, error)
	// writes is how many writes have been queued so far.
	writes() int
}

// joinedLeaves is how many events there are from a place on and before another, and
// their leaves in order, with a newline after each but the last. (A leaf has none.)
// The text is the connection's: whoever takes it keeps none of it.
type joinedLeaves struct {
	first, before, count int64
	text                 []byte
}

// whole reports whether no event lacks, and no leaf has a newline in it.
func (j joinedLeaves) whole() bool {
	return j.count == j.before-j.first && int64(bytes.Count(j.text, newline)) == j.count-1
}

// write is a queued write.
type write struct {
	text string
	want int64
	args []any
}

func (w write) check(affected int64) error {
	if w.want >= 0 && affected != w.want {
		return &writeError{stale()}
	}
	return nil
}

// writeError marks the failure of a queued write: on PostgreSQL it shows only
// when a later statement is sent, perhaps by another closure of the batch.
type writeError struct{ err error }

func (e *writeError) Error() string { return "write: " + e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }

// stale is the conflict of a row that changed between reading and writing.
// Under the one writer it cannot happen; should it, nothing is written.
func stale() error {
	return &cab.Error{Kind: cab.Conflict, Code: "STALE", Message: "this changed in the meantime; look at it again and repeat"}
}

func unavailable(err error) error {
	return &cab.Error{Kind: cab.Unavailable, Code: "STORE_UNAVAILABLE", Message: "the database cannot be used just now; nothing was changed, try again", Err: err}
}

// micros is how times are stored: UTC microseconds, 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// atTime scans what micros stored.
type atTime struct{ to *time.Time }

func (a atTime) Scan(value any) error {
	n, ok := value.(int64)
	if !ok {
		return fmt.Errorf("a time column holds %T", value)
	}
	if *a.to = (time.Time{}); n != 0 {
		*a.to = time.UnixMicro(n).UTC()
	}
	return nil
}

// asJSON is how lists and objects are stored; "" for nil, which encoding/json
// tells from empty.
func asJSON(value any) (string, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("encode column: %w", err)
	}
	if string(text) == "null" {
		return "", nil
	}
	return string(text), nil
}

// fromJSON scans what asJSON stored.
type fromJSON struct{ to any }

func (f fromJSON) Scan(value any) error {
	text, ok := value.(string)
	if !ok {
		return fmt.Errorf("a JSON column holds %T", value)
	}
	if text == "" {
		return nil
	}
	return jsonv2.Unmarshal([]byte(text), f.to)
}

func notFound(noun string) error {
	return &cab.Error{Kind: cab.NotFound, Code: "NOT_FOUND", Message: "there is no such " + noun}
}
