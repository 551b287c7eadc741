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

// RunClock records expiries, forgets old replays and approves what waited for
// witnesses, every minute until ctx is done, and removes files that no package refers to, every hour. Nothing depends on it for being true, only for being written down; so
// a round that fails is logged and tried again.
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

// Sweep is one round of the clock.
func (s *Service) Sweep(ctx context.Context) error {
	for {
		n := 0
		err := s.store.Update(ctx, func(tx *store.Tx) error {
			var err error
			n, err = expireSome(tx, s.cabCall(Call{Actor: cab.Clock}))
			return err
		})
		if err != nil {
			return err
		}
		if n < sweepBatch {
			break
		}
	}
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		return errors.Join(tx.PruneReplays(s.now().Add(-replayFor)), tx.PruneSignIns(s.now()))
	})
	return errors.Join(err, s.ReleaseWitnessed(ctx))
}
