package store

import (
	"time"

	"github.com/eucora/eucora/internal/cab"
)

// What the clock has to write down is found by what rows say and by a mark of how
// far it has been written down already, which is set in the transaction of the
// event. So nothing is written twice, whatever clocks do, and nothing is lost by
// not looking for a day. A mark is no state: the event is.

// ClockRequest is a request with its mark: how often it was escalated.
type ClockRequest struct {
	Request cab.Request
	Done    int
}

// ClockException is an exception with its mark, how many warnings have been dealt
// with.
type ClockException struct {
	Exception cab.Exception
	Done      int
}

// ToEscalate returns requests that wait and were submitted by the first moment and
// not escalated, or by the second (an earlier one) and escalated less than twice;
// oldest first.
func (r *Reader) ToEscalate(by []time.Time, limit int) ([]ClockRequest, error) {
	return all(r, func(row row, c *ClockRequest) error { return scanRequest(withLast(row, &c.Done), &c.Request) },
		`SELECT `+requestColumns+`, r.clock_escalated FROM cab_request r
			WHERE `+waitingStatus+`
				AND r.submitted_at <= $1 AND (r.clock_escalated < 1 OR r.submitted_at <= $2 AND r.clock_escalated < 2)
			ORDER BY r.submitted_at, r.id LIMIT $3`, micros(by[0]), micros(by[1]), limit)
}

// ToWarn returns exceptions in force that end by the first moment and were not
// warned of, or by the second and were warned of less than twice; first to end
// first.
func (r *Reader) ToWarn(now time.Time, by []time.Time, limit int) ([]ClockException, error) {
	return all(r, func(row row, c *ClockException) error { return scanException(withLast(row, &c.Done), &c.Exception) },
		`SELECT `+exceptionColumns+`, e.clock_warned FROM cab_exception e
			WHERE e.status = 'approved' AND e.expires_at > $1 AND e.expires_at <= $2
				AND (e.clock_warned < 1 OR e.expires_at <= $3 AND e.clock_warned < 2)
			ORDER BY e.expires_at, e.id LIMIT $4`, micros(now), micros(by[0]), micros(by[1]), limit)
}

// Ended returns requests whose approval's time is over, and not dealt with; the
// oldest end first. The conditions are, word for word, those of the index
// request_ends, and no others, so that it is taken.
func (r *Reader) Ended(now time.Time, limit int) ([]cab.Request, error) {
	return all(r, scanRequest, `SELECT `+requestColumns+` FROM cab_request r
		WHERE r.clock_ended = 0 AND r.valid_until > 0 AND r.valid_until <= $1 ORDER BY r.valid_until LIMIT $2`, micros(now), limit)
}

// MarkEscalated marks how often a request was escalated. Like the others it fails
// the transaction if somebody else has been there.
func (tx *Tx) MarkEscalated(id string, done int) {
	tx.c.queue(`UPDATE cab_request SET clock_escalated = $2 WHERE id = $1 AND clock_escalated < $2`, 1, id, done)
}

// MarkWarned marks how many warnings of an exception have been dealt with.
func (tx *Tx) MarkWarned(id string, done int) {
	tx.c.queue(`UPDATE cab_exception SET clock_warned = $2 WHERE id = $1 AND clock_warned < $2`, 1, id, done)
}

// MarkEnded marks that the end of an approval has been dealt with.
func (tx *Tx) MarkEnded(id string) {
	tx.c.queue(`UPDATE cab_request SET clock_ended = 1 WHERE id = $1 AND clock_ended = 0`, 1, id)
}

// waitingStatus is the SQL of "waits for somebody", on a request.
const waitingStatus = `r.status IN ('submitted', 'under_review', 'exception_required')`

// Waiting returns what waits, oldest first, limit of each kind; and how many there
// are.
func (r *Reader) Waiting(now time.Time, limit int) (requests []cab.Request, exceptions []cab.Exception, total int, err error) {
	var n, m int
	err = r.c.run(
		into(&requests, scanRequest, `SELECT `+requestColumns+` FROM cab_request r WHERE `+waitingStatus+` ORDER BY r.submitted_at, r.id LIMIT $1`, limit),
		into(&exceptions, scanException, `SELECT `+exceptionColumns+` FROM cab_exception e WHERE e.status = 'pending' AND e.expires_at > $1
			ORDER BY e.requested_at, e.id LIMIT $2`, micros(now), limit),
		counting(&n, `cab_request r WHERE `+waitingStatus, nil),
		counting(&m, `cab_exception e WHERE e.status = 'pending' AND e.expires_at > $1`, []any{micros(now)}))
	return requests, exceptions, n + m, err
}

// lastOf scans one column more than a noun has.
type lastOf struct {
	row
	to any
}

func withLast(r row, to any) row { return lastOf{r, to} }

func (l lastOf) Scan(dest ...any) error { return l.row.Scan(append(dest, l.to)...) }
