package store

import (
	"context"
	"fmt"
)

// OpenStepping opens a store that was opened before, without the server's own
// checkpoints, and calls step before everything that a writing transaction sends to
// the database, each write on its own, and after the commit.
func OpenStepping(ctx context.Context, o Options, step func(what string)) (*Store, error) {
	whole, err := Open(ctx, o)
	if err != nil {
		return nil, err
	}
	whole.writer.stop()
	s := &Store{engine: steppingEngine{whole.engine, step}, signer: whole.signer, log: whole.log, clock: whole.clock, outbox: whole.outbox}
	s.writer = newWriter(s, o.MaxBatch)
	return s, nil
}

type steppingEngine struct {
	engine
	step func(string)
}

func (e steppingEngine) begin() (writing, error) {
	e.step("begin")
	w, err := e.engine.begin()
	return &stepping{writing: w, step: e.step}, err
}

// stepping sends each write when it is queued; what becomes of it is said where it
// would have been sent.
type stepping struct {
	writing
	step   func(string)
	failed error
}

func (s *stepping) queue(text string, want int64, args ...any) {
	s.step(text)
	s.writing.queue(text, want, args...)
	if err := s.writing.run(); err != nil && s.failed == nil {
		s.failed = fmt.Errorf("%s: %w", text, err)
	}
}

func (s *stepping) run(statements ...statement) error {
	for _, one := range statements {
		if s.failed != nil {
			break
		}
		s.step(one.text)
		s.failed = s.writing.run(one)
	}
	return s.failed
}

func (s *stepping) flush() error { return s.failed }

func (s *stepping) commit() error {
	if s.failed != nil {
		return s.failed
	}
	s.step("commit")
	err := s.writing.commit()
	s.step("the answer")
	return err
}
