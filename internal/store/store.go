// Package store keeps the rows and the ledger, in SQLite or PostgreSQL, with
// the same statements and the same behaviour. All SQL is here; no rule is.
//
// Writing goes through one writer with group commit: see [Store.Update].
// Reading goes through its own pool of snapshots: see [Store.View].
package store

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/pressly/goose/v3"
)

// Options say which database and whose ledger.
type Options struct {
	URL    string         // sqlite:PATH or postgres://…
	Signer *ledger.Signer // signs checkpoints; must be the key that the ledger began with
	Log    *slog.Logger   // nil: slog.Default
	Clock  func() time.Time

	// Outbox makes jobs of a notice. They are queued in the transaction of the
	// event that people are told of: they are there if and only if it is. nil:
	// nobody is told.
	Outbox func(cab.Notice) ([]Job, error)

	// MaxBatch bounds how many updates share a commit; 0 means the default.
	// 1 turns group commit off, to measure what it is worth.
	MaxBatch int
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	engine engine
	signer *ledger.Signer
	log    *slog.Logger
	clock  func() time.Time
	outbox func(cab.Notice) ([]Job, error)
	writer *writer
}

// engine is what differs between SQLite and PostgreSQL.
type engine interface {
	migrate(ctx context.Context) error
	// begin opens the one writing transaction. On PostgreSQL it holds the
	// advisory lock, so that replicas are serial too.
	begin() (writing, error)
	// view runs read. The statements of each run see one snapshot; those of
	// several runs do if snapshot asks for it.
	view(ctx context.Context, snapshot bool, read func(conn) error) error
	// roundTrips reports whether a statement costs a journey to a server.
	roundTrips() bool
	// explain classifies a driver's error by its code, never by its text.
	explain(err error) error
	close() error
}

// writing is the one writing transaction.
type writing interface {
	conn
	savepoint() error
	settle() error // sends what is queued, and knows what became of it
	release() error
	rollbackTo() error
	commit() error // sends what is queued and commits
	rollback()
}

// Open connects, brings the schema up to date and checks that the ledger is the
// signer's. A ledger that another key began is refused: two keys would make two
// ledgers that cannot be told apart.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{signer: o.Signer, log: o.Log, clock: o.Clock, outbox: o.Outbox}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	var err error
	switch scheme, rest, _ := strings.Cut(o.URL, ":"); scheme {
	case "sqlite":
		s.engine, err = openSQLite(ctx, rest)
	case "postgres", "postgresql":
		s.engine, err = openPostgres(ctx, o.URL)
	default:
		return nil, unknownScheme(scheme)
	}
	if err != nil {
		return nil, err
	}
	if err := s.engine.migrate(ctx); err != nil {
		return nil, closing(s.engine, fmt.Errorf("bring the schema up to date: %w", err))
	}
	s.writer = newWriter(s, o.MaxBatch)
	if err := s.claimLedger(ctx); err != nil {
		s.writer.stop()
		return nil, closing(s.engine, err)
	}
	s.writer.startCheckpoints()
	return s, nil
}

// notNewer refuses a database that a newer program has changed: this one does not
// know what it would write past.
func notNewer(there int64, p *goose.Provider) error {
	sources := p.ListSources() // in order
	if known := sources[len(sources)-1].Version; there > known {
		return &cab.Error{
			Kind: cab.Conflict, Code: "SCHEMA_NEWER",
			Message: fmt.Sprintf("a newer program has been here: the database is at schema %d, and this program knows %d; run that one, or restore the backup from before the upgrade", there, known),
		}
	}
	return nil
}

func closing(e engine, err error) error {
	if failed := e.close(); failed != nil {
		return fmt.Errorf("%w (and closing the database: %w)", err, failed)
	}
	return err
}

// Close signs a last checkpoint, lets the writer finish what it has accepted,
// and closes the database. Updates after Close fail.
func (s *Store) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err := s.Checkpoint(ctx); err != nil {
		s.log.Warn("no last checkpoint; the next start signs it", "error", err)
	}
	s.writer.stop()
	return s.engine.close()
}

// viewLimit bounds a snapshot's life: a forgotten one would keep SQLite's log
// from shrinking and PostgreSQL's rows from being cleaned.
const viewLimit = 5 * time.Second

// View runs read. It never waits for writers and sees everything that was
// committed before it began; what one method of the Reader returns is of one
// moment.
func (s *Store) View(ctx context.Context, read func(*Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, viewLimit)
	defer cancel()
	return s.engine.explain(s.engine.view(ctx, false, func(c conn) error { return read(&Reader{c}) }))
}

// ViewAs is [Store.View] for a caller: who is calling is read again, in one round
// trip with what read asks for first, and still has to hold, or nothing is read.
func (s *Store) ViewAs(ctx context.Context, who Credential, still func(*cab.Caller) error, read func(*Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, viewLimit)
	defer cancel()
	return s.engine.explain(s.engine.view(ctx, false, func(c conn) error {
		as := &callersConn{conn: c, who: who, still: still}
		if err := read(&Reader{as}); err != nil {
			return err
		}
		return as.look()
	}))
}

// callersConn looks at who is calling before it gives anything away.
type callersConn struct {
	conn
	who    Credential
	still  func(*cab.Caller) error
	looked bool
}

func (c *callersConn) run(statements ...statement) error {
	if c.looked {
		return c.conn.run(statements...)
	}
	var caller *cab.Caller
	if err := c.conn.run(append([]statement{c.who.caller(&caller)}, statements...)...); err != nil {
		return err
	}
	if err := c.still(caller); err != nil {
		return err
	}
	c.looked = true
	return nil
}

// look is for a read that asked for nothing.
func (c *callersConn) look() error {
	if c.looked {
		return nil
	}
	return c.run()
}

// Ready reports whether the database answers.
func (s *Store) Ready(ctx context.Context) error {
	return s.View(ctx, func(r *Reader) error {
		_, err := r.treeSize()
		return err
	})
}
