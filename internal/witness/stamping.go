package witness

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
)

// Stamping has a checkpoint stamped by a time-stamping authority now and then. It is
// safe to run on several replicas: one time-stamp of a checkpoint is kept.
type Stamping struct {
	Store     *store.Store
	Trust     *ledger.Trust // who must witness checkpoints; nil: nobody
	Authority string        // its address
	Every     time.Duration
	Log       *slog.Logger
	Failed    func() // told of each call that brought no time-stamp; nil: nobody counts

	client *http.Client
}

// How long an authority that failed is left alone, doubled each time up to the most;
// and how far clocks may differ before that is said.
const (
	stampLookMost  = 5 * time.Second
	stampWaitFirst = time.Second
	stampWaitMost  = 10 * time.Minute
	clockOff       = time.Minute
)

// Run has checkpoints stamped until ctx is done.
func (s *Stamping) Run(ctx context.Context) {
	s.client = newClient()
	defer s.client.CloseIdleConnections()
	failures := 0
	for {
		pause, err := s.stampIfDue(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && failures > 0:
			s.Log.Info("checkpoints are stamped again", "authority", s.Authority)
			failures = 0
		case err != nil:
			if failures == 0 {
				s.Log.Warn("no time-stamp, will try again", "authority", s.Authority, "error", err)
			}
			if s.Failed != nil {
				s.Failed()
			}
			pause = min(stampWaitFirst<<min(failures, 10), stampWaitMost)
			failures++
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// stampIfDue has a checkpoint stamped if the last time was long enough ago and the
// ledger has grown since. It returns how long to wait before looking again.
func (s *Stamping) stampIfDue(ctx context.Context) (pause time.Duration, err error) {
	pause = min(s.Every, stampLookMost)
	var c, last store.Checkpointed
	err = s.Store.View(ctx, func(r *store.Reader) (err error) {
		if last, err = r.LastStamped(); err != nil {
			return err
		}
		c, err = s.candidate(r, last.Size)
		return err
	})
	if err != nil {
		return pause, err
	}
	if left := s.Every - time.Since(last.StampedAt); last.Size > 0 && left > 0 {
		return min(left, stampLookMost), nil
	}
	if c.Size <= last.Size {
		return pause, nil
	}
	return pause, s.stamp(ctx, c)
}

// candidate is the checkpoint to be stamped: the newest that a quorum has witnessed,
// where one must, unless it has been stamped; otherwise the newest. While nobody
// witnesses, time-stamps are worth the most.
func (s *Stamping) candidate(r *store.Reader, stamped int64) (c store.Checkpointed, err error) {
	state, err := r.WitnessState()
	switch {
	case err != nil || state.Signed == 0:
		return c, err
	case s.Trust != nil && s.Trust.Required() && state.Witnessed > stamped:
		return r.WitnessedCheckpoint()
	}
	return r.NewestCheckpoint()
}

// stamp has one checkpoint stamped, as the log signed it, and keeps the answer.
func (s *Stamping) stamp(ctx context.Context, c store.Checkpointed) error {
	nonce, request, err := newStampRequest(c.Note)
	if err != nil {
		return err
	}
	reply, status, err := post(ctx, s.client, s.Authority, "application/timestamp-query", request)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("it answers %d", status)
	}
	at, err := checkStamp(reply, c.Note, nonce)
	if err != nil {
		return err
	}
	if off := time.Since(at).Abs(); off > clockOff { // kept all the same: it may be ours
		s.Log.Warn("the time-stamp's clock and this one differ", "authority", s.Authority, "by", off.Round(time.Second).String())
	}
	return s.Store.KeepTimestamp(ctx, c.Size, s.Authority, reply)
}
