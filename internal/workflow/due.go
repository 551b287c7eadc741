package workflow

import (
	"context"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store"
)

// What has become due is found, written down, told and marked in one transaction.
// Each function here does at most [sweepBatch] and returns how many it looked at.

// endSome writes down that approvals have run out.
func endSome(tx *store.Tx, c cab.Call) (int, error) {
	ended, err := tx.Ended(c.Now, sweepBatch)
	if err != nil {
		return 0, err
	}
	for _, r := range ended {
		var rests []cab.Exception
		if r.ExceptionID != "" {
			on, err := optional(tx.Exception(r.ExceptionID))
			if err != nil {
				return 0, err
			}
			if on != nil {
				rests = append(rests, *on)
			}
		}
		change, over := r.Expire(c, rests)
		if !over {
			continue
		}
		tx.MarkEnded(r.ID)
		if err := saveIfAny(tx, change); err != nil {
			return 0, err
		}
	}
	return len(ended), nil
}

// warnSome warns of exceptions that are about to end.
func warnSome(tx *store.Tx, c cab.Call) (int, error) {
	ending, err := tx.ToWarn(c.Now, cab.WarningsDue(c.Now), sweepBatch)
	if err != nil {
		return 0, err
	}
	for _, e := range ending {
		row, err := tx.Request(e.Exception.RequestID)
		if err != nil {
			return 0, err
		}
		change, step := e.Exception.Warn(c, row.Request, e.Done)
		tx.MarkWarned(e.Exception.ID, step)
		if err := saveIfAny(tx, change); err != nil {
			return 0, err
		}
	}
	return len(ending), nil
}

// escalateSome tells others of requests that have waited too long.
func escalateSome(tx *store.Tx, c cab.Call) (int, error) {
	waiting, err := tx.ToEscalate(cab.EscalationsDue(c.Now), sweepBatch)
	if err != nil {
		return 0, err
	}
	for _, w := range waiting {
		change, step := w.Request.Escalate(c, w.Done)
		tx.MarkEscalated(w.Request.ID, step)
		if err := saveIfAny(tx, change); err != nil {
			return 0, err
		}
	}
	return len(waiting), nil
}

// saveIfAny saves a change unless there is nothing to say.
func saveIfAny(tx *store.Tx, change cab.Change) error {
	if len(change.Events) == 0 {
		return nil
	}
	return tx.Save(change)
}

// ClockQueue is the queue of jobs that recur. Nobody claims them: they are done in
// the transaction that finds them due.
const ClockQueue = "clock"

// digestRows is how many of each kind a digest names.
const digestRows = 20

// digest tells those who decide what waits, once a day. A digest that was missed
// is not told later: the next says how it is then.
func (s *Service) digest(ctx context.Context) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		now := s.now()
		job := store.NewJob(ClockQueue, "digest", []byte("{}"), now)
		planned, err := optional(tx.Job(job.ID))
		if err != nil {
			return err
		}
		if planned == nil {
			job.Due = cab.NextDigest(now, time.Time{})
			tx.Enqueue(job)
			return nil
		}
		next := cab.NextDigest(now, planned.Due)
		if next.Equal(planned.Due) {
			return nil
		}
		tx.RescheduleJob(job.ID, next)
		if planned.Due.After(now) { // planned by a clock that has been set back
			return nil
		}
		requests, exceptions, total, err := tx.Waiting(now, digestRows)
		if err != nil || total == 0 {
			return err
		}
		return tx.Notify(cab.Digest(now, requests, exceptions, total))
	})
}
