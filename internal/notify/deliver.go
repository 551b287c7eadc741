package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store"
	"github.com/go-json-experiment/json"
)

const (
	// sendLimit is how long one attempt may take.
	sendLimit = 10 * time.Second
	// leaseFor is how long a worker may have a message: longer than an attempt (by
	// mail, three steps that may each take sendLimit) and what is written before and
	// after it can take. One that dies holds up one message of a channel for so long.
	leaseFor = 45 * time.Second
	// lookEvery is how often a channel looks whether there is anything to send.
	lookEvery = time.Second
	// firstPause doubles with each attempt, up to longestPause, and has up to a
	// quarter added. MaxAttempts of them take about a day.
	firstPause   = 10 * time.Second
	longestPause = time.Hour
	// MaxAttempts is how often a message is tried before it is dead.
	MaxAttempts = 32
)

// sender sends one message; an error means that it was not sent, or that nobody
// knows.
type sender func(ctx context.Context, m message) error

// permanent is an error that trying again cannot mend.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Delivery sends what is in the outbox. Any number of them, in any number of
// processes, share the work.
type Delivery struct {
	Store  *store.Store
	Site   *Site
	Owner  string // of this process alone
	Log    *slog.Logger
	Clock  func() time.Time
	Tried  func(channel, outcome string)          // sent, failed or dead; to be counted
	Jitter func(most time.Duration) time.Duration // 0 to most, at random
}

// Run sends until ctx is done: each channel by itself, so that none waits for
// another. A message that is on its way when ctx ends is finished.
func (d *Delivery) Run(ctx context.Context) {
	var working sync.WaitGroup
	for _, c := range d.Site.channels {
		working.Go(func() { d.serve(ctx, c) })
	}
	working.Wait()
}

func (d *Delivery) serve(ctx context.Context, c channel) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		for more := true; more && ctx.Err() == nil; {
			var err error
			if more, err = d.next(ctx, c); err != nil && ctx.Err() == nil {
				d.Log.Warn("notices cannot be sent just now, will try again", "channel", c.name, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Round tries one message of each channel that has one due, and returns how many
// that were.
func (d *Delivery) Round(ctx context.Context) (int, error) {
	total := 0
	var failed []error
	for _, c := range d.Site.channels {
		tried, err := d.next(ctx, c)
		if tried {
			total++
		}
		failed = append(failed, err)
	}
	return total, errors.Join(failed...)
}

// next tries the message of a channel that has been due longest, if there is one.
func (d *Delivery) next(ctx context.Context, c channel) (tried bool, err error) {
	now := d.Clock().UTC()
	due := false
	err = d.Store.View(ctx, func(r *store.Reader) (err error) {
		due, err = r.HasDueJob(c.name, now)
		return err
	})
	if err != nil || !due {
		return false, err
	}
	jobs, err := d.Store.ClaimJobs(ctx, c.name, d.Owner, now, leaseFor, 1)
	if err != nil || len(jobs) == 0 { // another was quicker
		return false, err
	}
	return true, d.try(context.WithoutCancel(ctx), c, jobs[0])
}

// try sends one message and writes down what came of it.
func (d *Delivery) try(ctx context.Context, c channel, job store.Job) error {
	failed := d.send(ctx, c, job)
	if failed == nil {
		d.Tried(c.name, "sent")
		return d.Store.FinishJob(ctx, job)
	}
	_, hopeless := errors.AsType[permanent](failed)
	dead := hopeless || job.Attempts >= MaxAttempts
	outcome := "failed"
	if dead {
		outcome = "dead"
	}
	d.Tried(c.name, outcome)
	d.Log.Warn("notice was not sent", "channel", c.name, "job", job.ID, "attempt", job.Attempts, "dead", dead, "error", failed)
	return d.Store.FailJob(ctx, job, failed, d.Clock().UTC().Add(d.pause(job.Attempts)), dead)
}

// pause is how long to wait after an attempt.
func (d *Delivery) pause(attempt int) time.Duration {
	pause := firstPause
	for i := 1; i < attempt && pause < longestPause; i++ {
		pause *= 2
	}
	pause = min(pause, longestPause)
	return pause + d.Jitter(pause/4)
}

func (d *Delivery) send(ctx context.Context, c channel, job store.Job) (err error) {
	defer func() { // a message that cannot be written must not take the others with it
		if p := recover(); p != nil {
			err = permanent{fmt.Errorf("panic: %v", p)}
		}
	}()
	var p cab.Posted
	if err := json.Unmarshal(job.Body, &p); err != nil {
		return permanent{fmt.Errorf("read notice: %w", err)}
	}
	m := message{notice: p.Notice, to: p.To, id: job.ID, link: d.Site.linkTo(p.Notice.Name), source: "eucora", sentAt: d.Clock().UTC()}
	if d.Site.link != nil {
		m.source = d.Site.link.String()
	}
	ctx, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	if err := d.complete(ctx, &m); err != nil {
		return err
	}
	return c.send(ctx, m)
}

// complete adds what the event did not say: what is deployed, how risky the request
// of an exception is, and what has become of a request since.
func (d *Delivery) complete(ctx context.Context, m *message) error {
	return d.Store.View(ctx, func(r *store.Reader) error {
		if id := m.notice.DeploymentID; id != "" {
			found, err := r.Deployment(id)
			if err != nil && cab.KindOf(err) != cab.NotFound {
				return err
			}
			if err == nil {
				m.deployment = &found
			}
		}
		if id := m.notice.RequestID; id != "" {
			found, err := r.Request(id)
			if err != nil && cab.KindOf(err) != cab.NotFound {
				return err
			}
			if err == nil {
				m.of(found.Request)
			}
		}
		return nil
	})
}

// of adds what a request says now.
func (m *message) of(r cab.Request) {
	n := &m.notice
	if n.Gate == "" {
		n.Score, n.Gate = r.Score, r.Gate.Decision
	}
	if n.Subject.Kind == cab.KindRequest && string(r.Status) != n.Status && n.Type != string(cab.ApprovalExpired) {
		m.now = r.Status
	}
}
