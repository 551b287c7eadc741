package store

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/google/uuid"
)

// Job is something to be done once, later, by whichever replica comes first.
// Name says what, within its queue: of one queue and name there is one job, so
// that what is asked for twice is done once. A job that is done is deleted; one
// that has failed too often stays, dead, until somebody has it tried again.
type Job struct {
	ID        string // made of queue and name
	Queue     string
	Name      string
	Body      []byte
	CreatedAt time.Time
	Due       time.Time
	Attempts  int       // that were begun
	DeadAt    time.Time // zero while it is tried
	Error     string    // of the last attempt that failed
	owner     string    // who holds the lease; "" if nobody does
}

// jobHorizon is further ahead than anything is ever planned: a job that is due
// beyond it was planned by a clock that has been set back since, and is due now.
const jobHorizon = 2 * time.Hour

// maxJobError bounds, in bytes, what is kept of an error.
const maxJobError = 500

// NewJob is a job that is due at once.
func NewJob(queue, name string, body []byte, now time.Time) Job {
	id := uuid.NewHash(sha256.New(), uuid.Nil, []byte(queue+"\n"+name), 8)
	return Job{ID: id.String(), Queue: queue, Name: name, Body: body, CreatedAt: now, Due: now}
}

// Enqueue adds jobs, in the transaction that makes them necessary: they are there
// if and only if it commits. A job that is there already stays as it is.
func (tx *Tx) Enqueue(jobs ...Job) {
	for _, j := range jobs {
		tx.c.queue(`INSERT INTO job (id, queue, name, body, created_at, due, lease_owner, attempts, dead_at, error)
			VALUES ($1, $2, $3, $4, $5, $6, '', 0, 0, '') ON CONFLICT (id) DO NOTHING`,
			-1, j.ID, j.Queue, j.Name, j.Body, micros(j.CreatedAt), micros(j.Due))
	}
}

const jobColumns = `j.id, j.queue, j.name, j.body, j.created_at, j.due, j.attempts, j.dead_at, j.error, j.lease_owner`

func scanJob(r row, j *Job) error {
	return r.Scan(&j.ID, &j.Queue, &j.Name, &j.Body, atTime{&j.CreatedAt}, atTime{&j.Due}, &j.Attempts, atTime{&j.DeadAt}, &j.Error, &j.owner)
}

// dueJobs reads what can be claimed, the earliest first, and behind it what a clock
// has planned that was set back since. Each is a range of the index.
func dueJobs(queue string, now time.Time, limit int, to *[]Job) []statement {
	const text = `SELECT ` + jobColumns + ` FROM job j WHERE j.queue = $1 AND j.dead_at = 0 AND `
	return []statement{
		into(to, scanJob, text+`j.due <= $2 ORDER BY j.due LIMIT $3`, queue, micros(now), limit),
		into(to, scanJob, text+`j.due > $2 ORDER BY j.due LIMIT $3`, queue, micros(now.Add(jobHorizon)), limit),
	}
}

// HasDueJob reports whether anything in a queue can be claimed.
func (r *Reader) HasDueJob(queue string, now time.Time) (bool, error) {
	var found []Job
	err := r.c.run(dueJobs(queue, now, 1, &found)...)
	return len(found) > 0, err
}

// ClaimJobs leases up to limit jobs that are due to an owner (one worker of one
// process) for a while: until then they are not due. Writers are serial, on all
// replicas, so nobody else gets them before. Whoever does not finish one in time,
// or dies, loses it to the next who asks: it may then be done twice.
func (s *Store) ClaimJobs(ctx context.Context, queue, owner string, now time.Time, lease time.Duration, limit int) ([]Job, error) {
	var claimed []Job
	err := s.Update(ctx, func(tx *Tx) error {
		claimed = nil
		if err := tx.c.run(dueJobs(queue, now, limit, &claimed)...); err != nil {
			return err
		}
		claimed = claimed[:min(len(claimed), limit)]
		for i := range claimed {
			j := &claimed[i]
			j.owner, j.Due = owner, now.Add(lease)
			j.Attempts++
			tx.c.queue(`UPDATE job SET lease_owner = $2, due = $3, attempts = $4 WHERE id = $1`, 1, j.ID, owner, micros(j.Due), j.Attempts)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// FinishJob forgets a job that its owner has done. If the lease was lost, whoever
// has it now finishes it.
func (s *Store) FinishJob(ctx context.Context, j Job) error {
	return s.Update(ctx, func(tx *Tx) error {
		tx.c.queue(`DELETE FROM job WHERE id = $1 AND lease_owner = $2`, -1, j.ID, j.owner)
		return nil
	})
}

// FailJob gives a job back that its owner could not do: to be tried again at due,
// or never, if dead.
func (s *Store) FailJob(ctx context.Context, j Job, why error, due time.Time, dead bool) error {
	text := strings.ToValidUTF8(strings.ReplaceAll(why.Error(), "\x00", ""), "?") // as every column can hold it
	if len(text) > maxJobError {
		text = strings.ToValidUTF8(text[:maxJobError], "")
	}
	var deadAt time.Time
	if dead {
		deadAt = s.clock().UTC()
	}
	return s.Update(ctx, func(tx *Tx) error {
		tx.c.queue(`UPDATE job SET due = $3, lease_owner = '', dead_at = $4, error = $5 WHERE id = $1 AND lease_owner = $2`,
			-1, j.ID, j.owner, micros(due), micros(deadAt), text)
		return nil
	})
}

// ReviveJob has a dead job tried again, from the beginning.
func (tx *Tx) ReviveJob(id string, now time.Time) (Job, error) {
	j, err := one(&tx.Reader, "notice", scanJob, `SELECT `+jobColumns+` FROM job j WHERE j.id = $1`, id)
	if err != nil {
		return Job{}, err
	}
	if j.DeadAt.IsZero() {
		return Job{}, &cab.Error{Kind: cab.Conflict, Code: "NOT_DEAD", Message: fmt.Sprintf("it is being tried still, next on %s", j.Due.UTC().Format(time.RFC3339))}
	}
	j.Due, j.Attempts, j.DeadAt = now, 0, time.Time{}
	tx.c.queue(`UPDATE job SET due = $2, attempts = 0, dead_at = 0 WHERE id = $1`, 1, j.ID, micros(now))
	return j, nil
}

// RescheduleJob puts a job that recurs at its next time, in the transaction that
// has done it.
func (tx *Tx) RescheduleJob(id string, due time.Time) {
	tx.c.queue(`UPDATE job SET due = $2 WHERE id = $1`, 1, id, micros(due))
}

// Job returns a job by its id.
func (r *Reader) Job(id string) (Job, error) {
	return one(r, "job", scanJob, `SELECT `+jobColumns+` FROM job j WHERE j.id = $1`, id)
}

// JobFilter chooses jobs.
type JobFilter struct {
	Paging
	Dead  bool   // only those that are not tried any more
	Not   string // a queue that is left out
	Queue string
}

// Jobs lists jobs, newest first.
func (r *Reader) Jobs(f JobFilter) (Page[Job], error) {
	var w where
	w.equal("j.queue", f.Queue)
	if f.Not != "" {
		w.add("j.queue <> ?", f.Not)
	}
	if f.Dead {
		w.add("j.dead_at > 0")
	}
	return page(r, f.Paging, listing[Job]{
		columns: jobColumns, from: "job j", time: "j.created_at", id: "j.id", where: w, scan: scanJob,
		key: func(j *Job) cursor { return cursor{micros(j.CreatedAt), j.ID} },
	})
}
