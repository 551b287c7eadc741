package store

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/ledger"
)

// defaultBatch bounds how many updates share a commit, so that the first of
// them does not wait for ever.
const defaultBatch = 256

// checkpointEvery is how often the tree's growth is signed: well within the
// second that the specification allows.
const checkpointEvery = 400 * time.Millisecond

// writer is the one goroutine that writes. It owns the ledger's frontier.
type writer struct {
	store    *Store
	jobs     chan *job
	maxBatch int

	frontier *ledger.Frontier // as of the last commit here; nil: read it again

	mu       sync.RWMutex // guards stopped against sending on a closed channel
	stopped  bool
	done     chan struct{}
	quit     chan struct{} // ends the checkpoint goroutine
	quitOnce sync.Once
	signing  sync.WaitGroup
}

// job is one update waiting for its answer.
type job struct {
	ctx    context.Context
	who    Credential         // whose call it is; none for the house's own acts
	ahead  func() []statement // what it reads first; nil: nothing is known
	forget func()             // what was read ahead; nil with ahead
	update func(*Tx) error
	answer chan error
	err    error // the closure's own failure, in the careful run
}

func newWriter(s *Store, maxBatch int) *writer {
	if maxBatch <= 0 {
		maxBatch = defaultBatch
	}
	w := &writer{
		store: s, jobs: make(chan *job, maxBatch), maxBatch: maxBatch,
		done: make(chan struct{}), quit: make(chan struct{}),
	}
	go w.run()
	return w
}

// Update runs one closure in the writing transaction and returns when it has
// been committed, or has failed. Callers see a plain, serial Update: no two
// closures run at once, on any replica.
//
// Behind it is group commit: the writer takes the closures that are waiting
// (it never waits for more), runs them one after the other in one transaction,
// extends the ledger for all their events, commits once, and answers everybody.
// The batch runs without savepoints; if a closure fails, the batch is rolled
// back and run again with a savepoint around each, so that only the failing one
// fails. Hence a closure may run twice: it must keep nothing from an earlier
// run and do nothing outside the transaction, and it must be quick.
//
// An error means that nothing was written, with one exception: the code
// COMMIT_UNKNOWN says that the connection was lost while committing.
func (s *Store) Update(ctx context.Context, update func(*Tx) error) error {
	return s.UpdateAs(ctx, Credential{}, update)
}

// UpdateAs is Update for somebody's call, who is asked for with [Tx.Caller].
func (s *Store) UpdateAs(ctx context.Context, who Credential, update func(*Tx) error) error {
	return s.submit(&job{ctx: ctx, who: who, update: update, answer: make(chan error, 1)})
}

func (s *Store) submit(j *job) error {
	if !s.writer.accept(j) {
		return &cab.Error{Kind: cab.Unavailable, Code: "STOPPING", Message: "the server is stopping; nothing was changed, try again"}
	}
	return <-j.answer // not ctx: what has been committed is never reported as failed
}

func (w *writer) accept(j *job) bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.stopped {
		return false
	}
	w.jobs <- j
	return true
}

// stop lets what was accepted finish.
func (w *writer) stop() {
	w.quitOnce.Do(func() { close(w.quit) })
	w.signing.Wait()
	w.mu.Lock()
	if !w.stopped {
		w.stopped = true
		close(w.jobs)
	}
	w.mu.Unlock()
	<-w.done
}

func (w *writer) run() {
	defer close(w.done)
	for first := range w.jobs {
		w.commit(w.collect(first))
	}
}

// collect takes what is waiting and not more.
func (w *writer) collect(first *job) []*job {
	batch := []*job{first}
	for len(batch) < w.maxBatch {
		select {
		case j, ok := <-w.jobs:
			if !ok {
				return batch
			}
			batch = append(batch, j)
		default:
			return batch
		}
	}
	return batch
}

// commit runs a batch and answers its callers.
func (w *writer) commit(batch []*job) {
	live := batch[:0]
	for _, j := range batch {
		if err := j.ctx.Err(); err != nil {
			j.answer <- unavailable(fmt.Errorf("given up before its turn: %w", err))
			continue
		}
		live = append(live, j)
	}
	if len(live) == 0 {
		return
	}
	err := w.attempt(live, false)
	if _, ok := errors.AsType[*closureError](err); ok && len(live) > 1 {
		err = w.attempt(live, true)
	}
	if failed, ok := errors.AsType[*closureError](err); ok {
		err = failed.err
	}
	for _, j := range live {
		if err != nil {
			j.answer <- err
		} else {
			j.answer <- j.err
		}
	}
}

// closureError is a closure's own failure in the quick run.
type closureError struct{ err error }

func (e *closureError) Error() string { return e.err.Error() }

// attempt runs a batch in one transaction. careful puts a savepoint around each
// closure and keeps its failure in its job.
func (w *writer) attempt(batch []*job, careful bool) error {
	t, err := w.store.engine.begin()
	if err != nil {
		return w.explain(err)
	}
	growth := w.newGrowth()
	growth.together = !careful
	if careful {
		for _, j := range batch {
			if j.forget != nil {
				j.forget() // it was read in a transaction that is gone
			}
		}
	}
	if !careful && w.store.engine.roundTrips() {
		if err := readAhead(t, growth, batch); err != nil {
			t.rollback()
			return &closureError{w.explain(err)}
		}
	}
	if err := w.runAll(t, growth, batch, careful); err != nil {
		t.rollback()
		w.frontier = nil
		return err
	}
	if err := growth.save(t); err != nil {
		t.rollback()
		w.frontier = nil
		return w.explain(err)
	}
	if err := t.commit(); err != nil {
		t.rollback()
		w.frontier = nil
		if _, ok := errors.AsType[*writeError](err); ok { // of some closure, sent only now
			return &closureError{w.explain(err)}
		}
		return w.explain(err)
	}
	w.frontier = growth.frontier
	return nil
}

func (w *writer) runAll(t writing, growth *growth, batch []*job, careful bool) error {
	for _, j := range batch {
		j.err = nil
		if !careful {
			if err := w.runQuick(t, growth, j); err != nil {
				return err
			}
			continue
		}
		before := growth.mark()
		if err := t.savepoint(); err != nil {
			return w.explain(err)
		}
		err := w.runOne(t, growth, j)
		if err == nil {
			err = t.settle()
		}
		if err != nil {
			j.err = w.explain(err)
			growth.reset(before)
			if err := t.rollbackTo(); err != nil {
				return w.explain(err)
			}
			continue
		}
		if err := t.release(); err != nil {
			return w.explain(err)
		}
	}
	return nil
}

// runQuick runs a closure without a savepoint. A refusal before anything was
// written leaves nothing to undo, so it costs the batch nothing.
func (w *writer) runQuick(t writing, growth *growth, j *job) error {
	before := t.writes() + growth.events
	raw := w.runOne(t, growth, j)
	if raw == nil {
		return nil
	}
	err := w.explain(raw)
	if _, ok := errors.AsType[*writeError](raw); ok {
		return &closureError{err}
	}
	if kind := cab.KindOf(err); kind != cab.Internal && kind != cab.Unavailable && t.writes()+growth.events == before {
		j.err = err
		return nil
	}
	return &closureError{err}
}

// runOne runs a closure. A panic in it is its failure, not the writer's end.
func (w *writer) runOne(t writing, growth *growth, j *job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in an update: %v\n%s", p, debug.Stack())
		}
	}()
	if err := j.update(&Tx{Reader: Reader{t}, growth: growth}); err != nil {
		return err
	}
	return t.flush()
}

func (w *writer) explain(err error) error { return w.store.engine.explain(err) }

// startCheckpoints signs the tree's growth within a second of it.
func (w *writer) startCheckpoints() {
	w.signing.Go(func() {
		ticker := time.NewTicker(checkpointEvery)
		defer ticker.Stop()
		signed := int64(-1)
		for {
			select {
			case <-w.quit:
				return
			case <-ticker.C:
			}
			size, err := w.store.signGrowth(context.Background(), signed)
			if err != nil {
				w.store.log.Warn("no checkpoint signed, will try again", "error", err)
				continue
			}
			signed = size
		}
	})
}
