package store

import (
	"fmt"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
)

// Course is what became of a request.
type Course struct {
	SubmittedAt time.Time
	Score       evidence.Score
	Status      cab.Status
	Decision    cab.Status // "" while there is none
	DecidedAt   time.Time
	DeciderRole cab.Role
}

// Courses reads what became of the requests that were submitted from a moment on, at
// most some, newest first. more says that there are others, all of them older.
func (r *Reader) Courses(since time.Time, most int) (rows []Course, more bool, err error) {
	var heads []string
	for i, status := range cab.Statuses() {
		heads = append(heads, fmt.Sprintf(`SELECT * FROM (SELECT q.id, q.status, q.submitted_at, q.risk_score FROM cab_request q
			WHERE q.status = %s AND q.submitted_at >= $1 ORDER BY q.submitted_at DESC, q.id DESC LIMIT $2) AS head%d`, literal(status), i))
	}
	rows, err = all(r, func(row row, c *Course) error {
		return row.Scan(atTime{&c.SubmittedAt}, &c.Score, &c.Status, &c.Decision, atTime{&c.DecidedAt}, &c.DeciderRole)
	}, `SELECT page.submitted_at, page.risk_score, page.status, COALESCE(v.decision, ''), COALESCE(v.decided_at, 0), COALESCE(v.decider_role, '')
		FROM (SELECT * FROM (`+strings.Join(heads, " UNION ALL ")+`) AS heads ORDER BY submitted_at DESC, id DESC LIMIT $2) AS page
		LEFT JOIN decision v ON v.request_id = page.id ORDER BY page.submitted_at DESC, page.id DESC`, micros(since), most+1)
	if more = len(rows) > most; more {
		rows = rows[:most]
	}
	return rows, more, err
}

// Waiting counts open requests, by their status and by how many of some moments they
// were submitted after.
type Waiting struct {
	Status cab.Status
	After  int
	Count  int
}

// Lasting counts exceptions in force, by how many of some moments they outlast.
type Lasting struct {
	Beyond, Count int
}

// after is the SQL of how many of some moments a column is later than; the moments
// are the next arguments of w.
func (w *where) after(column string, moments []time.Time) string {
	terms := []string{"0"}
	for _, at := range moments {
		w.args = append(w.args, micros(at))
		terms = append(terms, fmt.Sprintf("CASE WHEN %s > $%d THEN 1 ELSE 0 END", column, len(w.args)))
	}
	return strings.Join(terms, " + ")
}

// Pending counts what waits and what is in force, each as far as 10,000 and one more.
func (r *Reader) Pending(now time.Time, submitted, expires []time.Time) (waiting []Waiting, lasting []Lasting, err error) {
	var open, granted where
	byAge := open.after("submitted_at", submitted)
	granted.args = []any{micros(now), string(cab.ExceptionGranted)}
	byEnd := granted.after("expires_at", expires)
	err = r.c.run(
		into(&waiting, func(row row, x *Waiting) error { return row.Scan(&x.Status, &x.After, &x.Count) },
			fmt.Sprintf(`SELECT status, age, COUNT(*) FROM (SELECT status, %s AS age FROM cab_request WHERE %s LIMIT %d) AS waiting GROUP BY status, age ORDER BY status, age`,
				byAge, openStatus, countLimit+1), open.args...),
		into(&lasting, func(row row, x *Lasting) error { return row.Scan(&x.Beyond, &x.Count) },
			fmt.Sprintf(`SELECT beyond, COUNT(*) FROM (SELECT %s AS beyond FROM cab_exception WHERE status = $2 AND expires_at > $1 LIMIT %d) AS lasting GROUP BY beyond ORDER BY beyond`,
				byEnd, countLimit+1), granted.args...))
	return waiting, lasting, err
}

// Voter is how many votes somebody has cast.
type Voter struct {
	Name  string
	Votes int
	Last  time.Time
}

// maxVoters bounds a list of those who vote.
const maxVoters = 50

// Voters counts who cast the votes from a moment on, of the newest 10,000; those with
// most first.
func (r *Reader) Voters(since time.Time) ([]Voter, error) {
	return all(r, func(row row, v *Voter) error { return row.Scan(&v.Name, &v.Votes, atTime{&v.Last}) },
		fmt.Sprintf(`SELECT p.username, COUNT(*), MAX(cast_votes.time) FROM (SELECT actor_id, time FROM event
			WHERE type = $1 AND seq >= (SELECT e.seq FROM event e WHERE e.time >= $2 ORDER BY e.time, e.seq LIMIT 1) ORDER BY seq DESC LIMIT %d) AS cast_votes
			JOIN principal p ON p.id = cast_votes.actor_id GROUP BY p.username ORDER BY 2 DESC, 1 LIMIT %d`, countLimit, maxVoters),
		string(cab.CABVoteCast), micros(since))
}
