package store

import "fmt"

// LastEvent is the place of the newest event, -1 if there is none.
func (r *Reader) LastEvent() (int64, error) {
	var seq int64
	err := r.c.run(statement{`SELECT COALESCE(MAX(seq), -1) FROM event`, nil, func(row row) error { return row.Scan(&seq) }})
	return seq, err
}

// EventRun reads the next events of a filter, oldest first, whose place is after
// one and not beyond last: f.Limit of them, or fewer at the end. Unlike
// [Reader.Events] it counts nothing, for a copy of the ledger is thousands of
// runs.
func (r *Reader) EventRun(f EventFilter, after, last int64) ([]EventRow, error) {
	w, err := r.eventWhere(f)
	if err != nil {
		return nil, err
	}
	w.add("seq > ?", after)
	w.add("seq <= ?", last)
	w.args = append(w.args, f.limit())
	return all(r, scanEventRow, fmt.Sprintf(`SELECT seq, leaf FROM event%s ORDER BY seq LIMIT $%d`, w.sql(), len(w.args)), w.args...)
}
