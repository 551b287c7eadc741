package store

import (
	"context"

	"github.com/eucora/eucora/internal/cab"
)

// load is one composite read: its statements, and what they amount to.
type load[T any] struct {
	statements []statement
	result     func(conn, error) (T, error) // may read what the first rows call for
	trail      func() string                // the correlation id that the rows belong to; "" if nothing was found
}

// read reads it at once.
func (l *load[T]) read(c conn) (T, error) {
	err := c.run(l.statements...)
	return l.result(c, err)
}

// UpdateSubmit is [Store.Update] for a closure that begins with what submitting
// a package depends on. Where the engine has round trips, the reads of all
// closures of a batch go out together before the first of them runs.
func (s *Store) UpdateSubmit(ctx context.Context, who Credential, packageID string, update func(*Tx, SubmitInput) error) error {
	return updateAhead(ctx, s, who, func() *load[SubmitInput] { return loadSubmit(packageID) }, update)
}

// UpdateRequest is [Store.UpdateSubmit] for acting on a request.
func (s *Store) UpdateRequest(ctx context.Context, who Credential, id string, update func(*Tx, RequestInput) error) error {
	return updateAhead(ctx, s, who, func() *load[RequestInput] { return loadRequest(id) }, update)
}

// updateAhead: what was read ahead is what the closure would read itself, as
// long as no closure before it in the batch wrote to the same trail or changed
// what holds for all; then it reads again. Everything is read in the
// transaction that decides, either way.
func updateAhead[T any](ctx context.Context, s *Store, who Credential, begin func() *load[T], update func(*Tx, T) error) error {
	var ahead *load[T]
	j := &job{ctx: ctx, who: who, answer: make(chan error, 1)}
	j.ahead = func() []statement {
		ahead = begin()
		return ahead.statements
	}
	j.forget = func() { ahead = nil }
	j.update = func(tx *Tx) error {
		l := ahead
		ahead = nil // good for one run
		read := func() (T, error) { return l.result(tx.c, nil) }
		if l == nil || tx.growth.wrote(l.trail()) {
			read = func() (T, error) { return begin().read(tx.c) }
		}
		in, err := read()
		if err != nil {
			return err
		}
		return update(tx, in)
	}
	return s.submit(j)
}

// readAhead sends in one pipeline what the closures of a batch will want to know:
// how large the tree is, which policy is in force, who is calling, and their
// first reads.
func readAhead(c conn, g *growth, batch []*job) error {
	all := []statement{readTreeSize(&g.size), readActivePolicy(&g.policies)}
	for _, j := range batch {
		if _, known := g.callers[j.who]; !known && j.who.PrincipalID != "" {
			caller := new(*cab.Caller)
			g.keepCaller(j.who, caller)
			all = append(all, j.who.caller(caller))
		}
		if j.ahead != nil {
			all = append(all, j.ahead()...)
		}
	}
	return c.run(all...)
}
