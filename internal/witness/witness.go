// Package witness shows the ledger's checkpoints to others: to witnesses, who
// cosign what is consistent with what they saw before (C2SP tlog-witness), and to
// a time-stamping authority (RFC 3161). It is the only room that calls anybody.
// What they answer is checked before it is kept, and nothing waits for them: a
// witness that is slow, gone or hostile costs its own cosignature.
package witness

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
)

// How often the newest checkpoint is looked at; how long one round may keep the
// next from beginning; and how long a witness that failed is left alone: doubled
// each time up to the most, and the most at once where asking soon cannot help.
const (
	lookEvery = 500 * time.Millisecond
	roundMost = timeout
	waitFirst = time.Second
	waitMost  = time.Minute
)

// Offering offers every new checkpoint to every witness. It is safe to run on
// several replicas: each cosignature is kept once.
//
// Witnesses must cosign the same checkpoint, or none ever has a quorum, and a busy
// log has a new one all the time. So there are rounds: one checkpoint is offered to
// everybody at once, and the next round, with what is newest then, begins when a
// quorum has cosigned and a moment has passed, so that those who are about to answer
// are in it, when nobody is left to wait for, or after [roundMost].
// Whoever is slower than the others misses rounds and delays nobody.
type Offering struct {
	Store *store.Store
	Trust *ledger.Trust
	Log   *slog.Logger
	// Failed is told of each call to a witness that brought no cosignature; nil:
	// nobody counts.
	Failed func(witness string)

	client *http.Client
}

// rounds is the state of a running offering. One goroutine owns it.
type rounds struct {
	*Offering
	followers []*follower
	answers   chan answer
	asking    sync.WaitGroup
	n         int             // of the round
	pending   int             // followers that the round still waits for
	cosigned  ledger.Cosigned // the round's checkpoint, by those who are free for the next
	since     time.Time       // when the round began
	settled   int64           // size of the newest checkpoint that all have cosigned
	problem   string          // with the ledger, as it was logged
}

// follower is a witness that is asked here.
type follower struct {
	ledger.Witness
	busy     bool
	known    int64     // size of the newest tree that it has cosigned; -1: not known
	due      time.Time // when it is asked again after it failed
	failures int       // since it last cosigned
	refused  bool      // its last answer was a [Refusal]
}

// answer is what became of an offer.
type answer struct {
	follower *follower
	round    int
	size     int64
	err      error
}

// Run offers until ctx is done, and returns when everything it began has ended.
func (o *Offering) Run(ctx context.Context) {
	o.client = newClient()
	defer o.client.CloseIdleConnections()
	r := &rounds{Offering: o, answers: make(chan answer)}
	defer r.asking.Wait()
	for _, w := range o.Trust.Witnesses {
		if w.URL != "" {
			r.followers = append(r.followers, &follower{Witness: w, known: -1})
		}
	}
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		if err := r.look(ctx); ctx.Err() == nil {
			r.report(err)
		}
		select {
		case <-ctx.Done():
			return
		case a := <-r.answers:
			r.settle(a)
		case <-ticker.C:
		}
	}
}

// report logs that the ledger cannot be offered: once, not twice a second.
func (r *rounds) report(err error) {
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	if problem != "" && problem != r.problem {
		r.Log.Warn("the ledger cannot be offered to witnesses, will try again", "error", err)
	}
	r.problem = problem
}

// newest is the newest signed checkpoint, of size 0 if there is none yet, and the
// size of the newest that is known to be witnessed.
func (o *Offering) newest(ctx context.Context) (newest store.Checkpointed, witnessed int64, err error) {
	err = o.Store.View(ctx, func(r *store.Reader) error {
		state, err := r.WitnessState()
		if err != nil || state.Signed == 0 {
			return err
		}
		witnessed = state.Witnessed
		newest, err = r.NewestCheckpoint()
		return err
	})
	return newest, witnessed, err
}

// look begins a round if it is time for one.
func (r *rounds) look(ctx context.Context) error {
	now := time.Now()
	most := roundMost
	if r.Trust.Enough(r.cosigned) {
		most = lookEvery
	}
	if r.pending > 0 && now.Sub(r.since) < most {
		return nil
	}
	newest, witnessed, err := r.newest(ctx)
	if err != nil || newest.Size == 0 || newest.Size == r.settled {
		return err
	}
	opened, err := r.Trust.Open(newest.Cosigned())
	if err != nil {
		return fmt.Errorf("the newest checkpoint: %w", err)
	}
	if witnessed < newest.Size && r.Trust.Enough(opened) { // of a trust policy that asks for less than before
		if err := r.Store.KeepCosignatures(ctx, newest.Size, nil, r.enough); err != nil {
			return err
		}
	}
	r.begin(ctx, now, newest, opened)
	return nil
}

// begin offers a checkpoint to everybody who has not cosigned it, is not busy with
// an older one, and is not left alone for a while.
func (r *rounds) begin(ctx context.Context, now time.Time, c store.Checkpointed, opened ledger.Cosigned) {
	r.n, r.pending, r.since = r.n+1, 0, now
	r.cosigned = opened
	all := true
	for _, f := range r.followers {
		if opened.Has(f.Name) {
			f.known = max(f.known, c.Size)
			continue
		}
		all = false
		if f.busy || now.Before(f.due) {
			continue
		}
		f.busy = true
		r.pending++
		round, known := r.n, f.known
		r.asking.Go(func() {
			err := r.ask(ctx, f.Witness, known, c)
			select {
			case r.answers <- answer{f, round, c.Size, err}:
			case <-ctx.Done():
			}
		})
	}
	if all {
		r.settled = c.Size
	}
}

// ask offers a checkpoint to one witness and keeps its cosignature.
func (o *Offering) ask(ctx context.Context, w ledger.Witness, known int64, c store.Checkpointed) error {
	if known < 0 {
		err := o.Store.View(ctx, func(r *store.Reader) (err error) {
			known, err = r.WitnessedUpTo(w.Key)
			return err
		})
		if err != nil {
			return err
		}
	}
	line, err := o.offer(ctx, w, c, min(known, c.Size))
	if err != nil {
		return err
	}
	return o.Store.KeepCosignatures(ctx, c.Size, []store.Cosignature{{Witness: w.Key, Line: line}}, o.enough)
}

// enough reports whether a checkpoint and cosignature lines make a quorum.
func (o *Offering) enough(signed []byte, lines []string) bool {
	opened, err := o.Trust.Open(ledger.WithCosignatures(signed, lines))
	return err == nil && o.Trust.Enough(opened)
}

// settle takes in what became of an offer.
func (r *rounds) settle(a answer) {
	f := a.follower
	f.busy = false
	if a.round == r.n {
		r.pending--
		if a.err == nil {
			r.cosigned.By = append(r.cosigned.By, ledger.CosignedBy{Witness: f.Name})
		}
	}
	switch {
	case errors.Is(a.err, errOvertaken):
		f.known = -1
	case a.err != nil:
		r.fail(f, a.err)
	default:
		if f.failures > 0 {
			r.Log.Info("a witness cosigns again", "witness", f.Name, "events", a.size)
		}
		f.known, f.failures, f.refused, f.due = max(f.known, a.size), 0, false, time.Time{}
	}
}

// fail leaves a witness alone for a while. That is said once, and once more if it
// refuses what it did not answer before: a log that it thinks is another one is for
// people to look into.
func (r *rounds) fail(f *follower, err error) {
	_, refused := errors.AsType[*Refusal](err)
	wait := min(waitFirst<<min(f.failures, 10), waitMost)
	switch {
	case refused && !f.refused:
		r.Log.Error("a witness refuses this ledger", "witness", f.Name, "error", err)
	case !refused && f.failures == 0:
		r.Log.Warn("no cosignature", "witness", f.Name, "error", err)
	}
	if refused {
		wait = waitMost
	}
	f.failures++
	f.refused = f.refused || refused
	f.known, f.due = -1, time.Now().Add(wait)
	if r.Failed != nil {
		r.Failed(f.Name)
	}
}
