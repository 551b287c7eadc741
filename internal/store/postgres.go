package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

const (
	// ledgerLock is the advisory lock that makes the writers of all replicas
	// serial: "eucora" in ASCII.
	ledgerLock int64 = 0x6575636f7261
	// schemaLock lets one process at a time bring the schema up to date.
	schemaLock = ledgerLock + 1
	// writeLimit bounds each statement and each pause of the writing
	// transaction. A replica that stalls loses the lock with its transaction.
	writeLimit = 10 * time.Second
)

// postgresEngine is a PostgreSQL database, shared by several replicas.
type postgresEngine struct {
	url            string
	write, readers *pgxpool.Pool
}

func openPostgres(ctx context.Context, url string) (*postgresEngine, error) {
	limit := fmt.Sprint(writeLimit.Milliseconds())
	write, err := postgresPool(ctx, url, 1, map[string]string{
		"statement_timeout": limit, "idle_in_transaction_session_timeout": limit,
		"plan_cache_mode": "force_generic_plan", // it finds rows by their keys: there is one plan, and planning costs more than doing
	})
	if err != nil {
		return nil, err
	}
	readers, err := postgresReaders(ctx, url)
	if err != nil {
		write.Close()
		return nil, err
	}
	e := &postgresEngine{url, write, readers}
	if err := write.Ping(ctx); err != nil {
		e.write.Close()
		e.readers.Close()
		return nil, e.explain(fmt.Errorf("connect to the database: %w", err))
	}
	return e, nil
}

func postgresReaders(ctx context.Context, url string) (*pgxpool.Pool, error) {
	return postgresPool(ctx, url, int32(max(8, 4*runtime.NumCPU())), map[string]string{
		"default_transaction_isolation": "repeatable read", "default_transaction_read_only": "on",
		"idle_in_transaction_session_timeout": fmt.Sprint(writeLimit.Milliseconds()),
	})
}

func postgresPool(ctx context.Context, url string, size int32, session map[string]string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("%w: it is not a valid postgres:// URL", ErrAddress) // without it: it may hold a password
	}
	config.MaxConns = size
	config.ConnConfig.ConnectTimeout = 5 * time.Second
	params := config.ConnConfig.RuntimeParams
	params["application_name"] = "eucora"
	params["timezone"] = "UTC"
	// Every statement here finds its rows by an index. The planner, asked while
	// a table is new or has just grown, may think otherwise, and a prepared
	// statement keeps such a plan until the next ANALYZE.
	params["enable_seqscan"] = "off"
	params["enable_hashjoin"] = "off"
	params["enable_mergejoin"] = "off"
	params["jit"] = "off" // compiling statements as small as these takes longer than running them
	maps.Copy(params, session)
	return pgxpool.NewWithConfig(ctx, config)
}

func (e *postgresEngine) migrate(ctx context.Context) error {
	sub, err := fs.Sub(schema, "schema/postgres")
	if err != nil {
		return err
	}
	pool, err := postgresPool(ctx, e.url, 2, nil) // of its own: a migration may take long, and writes
	if err != nil {
		return err
	}
	defer pool.Close()
	held, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer held.Release() // the pool is closed next, and the lock goes with the session
	if _, err := held.Exec(ctx, "SELECT pg_advisory_lock($1)", schemaLock); err != nil {
		return err
	}
	db := stdlib.OpenDBFromPool(pool)
	provider, err := goose.NewProvider(goose.DialectPostgres, db, sub)
	if err != nil {
		return err
	}
	there, err := provider.GetDBVersion(ctx)
	if err == nil {
		err = notNewer(there, provider)
	}
	if err == nil {
		_, err = provider.Up(ctx)
	}
	return errors.Join(err, db.Close())
}

func (e *postgresEngine) begin() (writing, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*writeLimit)
	held, err := e.write.Acquire(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	c := &postgresConn{ctx: ctx, conn: held.Conn(), end: func() { held.Release(); cancel() }}
	c.queue("BEGIN", -1)
	c.queue("SELECT pg_advisory_xact_lock($1)", -1, ledgerLock)
	return c, nil // both go out with the first statement
}

// view: a reader's sessions are read-only and repeatable-read by default, and
// the statements of one run go out as one pipeline, which is one transaction.
// Several runs on one snapshot want a transaction of their own.
func (e *postgresEngine) view(ctx context.Context, snapshot bool, read func(conn) error) error {
	held, err := e.readers.Acquire(ctx)
	if err != nil {
		return err
	}
	defer held.Release()
	c := &postgresConn{ctx: ctx, conn: held.Conn(), end: func() {}}
	if !snapshot {
		err := read(c)
		if err != nil && held.Conn().IsClosed() {
			e.readers.Reset() // the others are as dead: the next call gets a new one
		}
		return err
	}
	c.queue("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", -1)
	if err := read(c); err != nil {
		c.rollback()
		return err
	}
	return c.commit()
}

func (e *postgresEngine) roundTrips() bool { return true }

func (e *postgresEngine) close() error {
	if e.write != nil { // not in an archive
		e.write.Close()
	}
	e.readers.Close()
	return nil
}

// unavailableClasses are the SQLSTATE classes and codes of a server that cannot
// be used just now: connection, resources, operator, system, serialisation.
var unavailableClasses = []string{"08", "53", "57", "58", "40", "25006", "25P03", "55P03", "XX"}

func (e *postgresEngine) explain(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*cab.Error](err); ok {
		return err
	}
	if unavailableCode(err) {
		return unavailable(err)
	}
	if failed, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch failed.Code {
		case "23505", "22012": // 22012: see guarded
			return stale()
		case "22021": // a text that no column can hold
			return &cab.Error{Kind: cab.Invalid, Code: "INVALID_INPUT", Message: "a value holds characters that cannot be stored", Err: err}
		}
		return err
	}
	if lostConnection(err) {
		return unavailable(err)
	}
	return err
}

func unavailableCode(err error) bool {
	failed, ok := errors.AsType[*pgconn.PgError](err)
	return ok && slices.ContainsFunc(unavailableClasses, func(class string) bool { return strings.HasPrefix(failed.Code, class) })
}

func lostConnection(err error) bool {
	_, isConnect := errors.AsType[*pgconn.ConnectError](err)
	_, isNet := errors.AsType[net.Error](err)
	return isConnect || isNet || pgconn.Timeout(err) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// postgresConn is a transaction on a connection. Writes are queued and go out
// in one pipeline with the next reads.
type postgresConn struct {
	ctx    context.Context
	conn   *pgx.Conn
	end    func()
	queued []write
	total  int
}

func (c *postgresConn) queue(text string, want int64, args ...any) {
	c.queued = append(c.queued, write{guarded(text, want), want, args})
	c.total++
}

func (c *postgresConn) writes() int { return c.total }

func (c *postgresConn) flush() error { return nil } // sent with what follows, or with the commit

func (c *postgresConn) run(statements ...statement) (err error) {
	if len(c.queued)+len(statements) == 0 {
		return nil
	}
	batch := new(pgx.Batch)
	queued := c.queued
	c.queued = nil
	for _, w := range queued {
		batch.Queue(w.text, w.args...)
	}
	for _, s := range statements {
		batch.Queue(s.text, s.args...)
	}
	results := c.conn.SendBatch(c.ctx, batch)
	defer func() { err = errors.Join(err, results.Close()) }()
	for _, w := range queued {
		tag, err := results.Exec()
		if err != nil {
			return &writeError{err}
		}
		if err := w.check(tag.RowsAffected()); err != nil {
			return err
		}
	}
	for _, s := range statements {
		if err := scanAll(results, s); err != nil {
			return err
		}
	}
	return nil
}

func scanAll(results pgx.BatchResults, s statement) error {
	rows, err := results.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := s.scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// send sends what is queued, now.
func (c *postgresConn) send() error { return c.run() }

// savepoint is sent at once: a closure that fails before it sends anything
// must find it there.
func (c *postgresConn) savepoint() error {
	c.queue("SAVEPOINT one", -1)
	return c.send()
}

func (c *postgresConn) settle() error { return c.send() }

func (c *postgresConn) release() error {
	c.queue("RELEASE SAVEPOINT one", -1)
	return nil // goes out with what follows
}

// rollbackTo speaks the simple protocol: in a transaction that has failed,
// nothing can be prepared.
func (c *postgresConn) rollbackTo() error {
	c.queued = nil
	_, err := c.conn.Exec(c.ctx, "ROLLBACK TO SAVEPOINT one; RELEASE SAVEPOINT one", pgx.QueryExecModeSimpleProtocol)
	return err
}

// commit sends what is queued, and COMMIT behind it, in one pipeline. A write that
// fails, or changes no row where it must change one (see [guarded]), fails the
// transaction, and the server does not get as far as COMMIT. What the server said
// of COMMIT counts, whatever becomes of the connection after; if it said nothing,
// nobody knows.
func (c *postgresConn) commit() error {
	batch := new(pgx.Batch)
	queued := c.queued
	c.queued = nil
	for _, w := range queued {
		batch.Queue(w.text, w.args...)
	}
	batch.Queue("COMMIT")
	results := c.conn.SendBatch(c.ctx, batch)
	err := c.committed(results, queued)
	if closed := results.Close(); err == nil {
		_ = closed // committed all the same
		c.end()
		return nil
	}
	if unavailableCode(err) || lostConnection(err) {
		return &cab.Error{
			Kind: cab.Unavailable, Code: "COMMIT_UNKNOWN", Err: err,
			Message: "the database was lost while committing; look whether this was done before you repeat it, or repeat it with the same Idempotency-Key",
		}
	}
	return err
}

// committed is nil once the server has said COMMIT.
func (c *postgresConn) committed(results pgx.BatchResults, queued []write) error {
	for _, w := range queued {
		if _, err := results.Exec(); err != nil {
			return &writeError{fmt.Errorf("%s: %w", w.text, err)}
		}
	}
	tag, err := results.Exec()
	if err == nil && tag.String() != "COMMIT" {
		err = fmt.Errorf("the database answered COMMIT with %q", tag)
	}
	return err
}

// guarded makes an update that must change a row fail if it changes none, by
// dividing by the number of rows: so that COMMIT can be sent behind it before its
// answer is there.
func guarded(text string, want int64) string {
	if want != 1 || !strings.HasPrefix(text, "UPDATE ") {
		return text // an insert adds its rows or fails
	}
	return "WITH changed AS (" + text + " RETURNING 1) SELECT 1 / COUNT(*) FROM changed"
}

// rollback ends the transaction. A connection that cannot even do that is
// closed, which ends it as well.
func (c *postgresConn) rollback() {
	c.queued = nil
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, err := c.conn.Exec(ctx, "ROLLBACK", pgx.QueryExecModeSimpleProtocol); err != nil {
		_ = c.conn.Close(ctx) // the pool throws it away
	}
	c.end()
}

func (c *postgresConn) hasTable(name string) (bool, error) {
	n, err := (&Reader{c}).count(`SELECT COUNT(*) FROM pg_catalog.pg_tables WHERE schemaname = current_schema() AND tablename = $1`, name)
	return n > 0, err
}

// joinedLeaves: the answer streams, so that the next leaves come while these are hashed.
func (c *postgresConn) joinedLeaves(from, before int64, take func(joinedLeaves)) error {
	const width = 128
	const text = `SELECT first, leaves.count, leaves.joined FROM generate_series($1::bigint, $2::bigint - 1, $3::bigint) AS bundle (first)
		CROSS JOIN LATERAL (SELECT COUNT(*) AS count, COALESCE(string_agg(leaf, '\x0a'::bytea ORDER BY seq), ''::bytea) AS joined
			FROM event WHERE seq >= first AND seq < LEAST(first + $3, $2)) AS leaves ORDER BY first`
	return c.run(statement{text, []any{from, before, width}, func(r row) error {
		var joined joinedLeaves
		err := r.Scan(&joined.first, &joined.count, (*pgtype.DriverBytes)(&joined.text))
		if err == nil {
			joined.before = min(joined.first+width, before)
			take(joined)
		}
		return err
	}})
}
