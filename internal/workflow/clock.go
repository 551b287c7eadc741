package workflow

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store"
)

// How long an answer can be replayed under its Idempotency-Key, and how often
// the clock goes round.
const (
	replayFor  = 24 * time.Hour
	sweepEvery = time.Minute
	filesEvery = time.Hour
)

// RunClock writes down what has become due, forgets old replays and approves what
// waited for witnesses, every minute until ctx is done, and removes files that no
// package refers to, every hour. Nothing depends on it for being true, only for
// being written down and told; so a round that fails is logged and tried again.
func (s *Service) RunClock(ctx context.Context, log *slog.Logger) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	files := time.NewTicker(filesEvery)
	defer files.Stop()
	sweepFiles := func() {
		if err := s.SweepFiles(ctx); err != nil && ctx.Err() == nil {
			log.Warn("sweeping attachments failed, will try again", "error", err)
		}
	}
	sweepFiles()
	for {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			log.Warn("clock round failed, will try again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-files.C:
			sweepFiles()
		}
	}
}

// Sweep is one round of the clock. What fails keeps nothing else from being done.
func (s *Service) Sweep(ctx context.Context) error {
	var failed []error
	for _, some := range []func(*store.Tx, cab.Call) (int, error){expireSome, endSome, warnSome, escalateSome} {
		failed = append(failed, s.sweep(ctx, some))
	}
	now := s.now()
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		return errors.Join(tx.PruneReplays(now.Add(-replayFor)), tx.PruneSignIns(now))
	})
	return errors.Join(append(failed, s.digest(ctx), err, s.ReleaseWitnessed(ctx))...)
}

// sweep does some, a transaction each, until nothing is left.
func (s *Service) sweep(ctx context.Context, some func(*store.Tx, cab.Call) (int, error)) error {
	for {
		n := 0
		err := s.store.Update(ctx, func(tx *store.Tx) error {
			var err error
			n, err = some(tx, s.cabCall(Call{Actor: cab.Clock}))
			return err
		})
		if err != nil || n < sweepBatch {
			return err
		}
	}
}
