package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/eucora/eucora/internal/cab"
	"github.com/pressly/goose/v3"
	sqlite "modernc.org/sqlite"
	sqlitecode "modernc.org/sqlite/lib"
)

//go:embed schema
var schema embed.FS

// sqliteReaders is how many snapshots can be open at once.
const sqliteReaders = 8

// sqliteEngine is a SQLite file in WAL mode with synchronous=FULL: what was
// acknowledged survives a power cut. Writing has one pinned connection with
// prepared statements; reading has its own, read-only ones.
type sqliteEngine struct {
	db, readers *sql.DB
	write       *sqliteSession
	idle        chan *sqliteSession
}

// sqliteSession is one pinned connection and its prepared statements.
type sqliteSession struct {
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
}

func openSQLite(ctx context.Context, path string) (*sqliteEngine, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	if err := layOut(ctx, path); err != nil {
		return nil, (&sqliteEngine{}).explain(fmt.Errorf("make the database %s: %w", path, err))
	}
	name := fileURL(path)
	const common = "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_pragma=recursive_triggers(1)"
	e := &sqliteEngine{idle: make(chan *sqliteSession, sqliteReaders)}
	var err error
	if e.db, err = sql.Open("sqlite", name+"?"+common+"&_txlock=immediate"); err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if e.readers, err = sql.Open("sqlite", name+"?"+common+"&_pragma=query_only(1)"); err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if e.write, err = newSession(ctx, e.db); err != nil {
		return nil, e.explain(fmt.Errorf("open the database %s: %w", path, err))
	}
	for range sqliteReaders {
		e.idle <- nil // opened when first needed
	}
	return e, nil
}

func fileURL(path string) string { return "file:" + (&url.URL{Path: path}).EscapedPath() }

// layOut makes a database that is not there: readable by us alone, in write-ahead
// mode, with pages of 8 KiB, for evidence and events are some kilobytes each, and the
// whole log is read in fewer pieces (docs/performance.md). It is made beside its place
// and put there whole: of many that start at once, none finds one that another is
// still changing.
func layOut(ctx context.Context, path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	made := filepath.Join(dir, "database")
	if err := writePages(ctx, made); err != nil {
		return err
	}
	if err := os.Link(made, path); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// writePages: the first write settles a page's size, and the driver would write, for
// the write-ahead mode, before it reads this setting.
func writePages(ctx context.Context, path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", fileURL(path)+"?_pragma=page_size(8192)")
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "PRAGMA journal_mode = WAL")
	return errors.Join(err, db.Close())
}

func newSession(ctx context.Context, db *sql.DB) (*sqliteSession, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &sqliteSession{conn, map[string]*sql.Stmt{}}, nil
}

// prepare keeps one prepared statement for each text. The texts are ours and
// few; their number does not depend on input.
func (s *sqliteSession) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	if stmt, ok := s.prepared[text]; ok {
		return stmt, nil
	}
	stmt, err := s.conn.PrepareContext(ctx, text)
	if err == nil {
		s.prepared[text] = stmt
	}
	return stmt, err
}

func (e *sqliteEngine) migrate(ctx context.Context) error {
	sub, err := fs.Sub(schema, "schema/sqlite")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, e.db, sub)
	if err != nil {
		return err
	}
	for {
		before, err := provider.GetDBVersion(ctx)
		if err != nil && before != 0 {
			return err
		}
		if err := notNewer(before, provider); err != nil {
			return err
		}
		_, err = provider.Up(ctx)
		if err == nil {
			return nil
		}
		// Another process may be doing the same: then it was quicker, and the
		// version has risen. Each migration is one transaction.
		after, failed := provider.GetDBVersion(ctx)
		if failed != nil || after <= before {
			return err
		}
	}
}

func (e *sqliteEngine) begin() (writing, error) {
	c := &sqliteConn{ctx: context.Background(), session: e.write}
	return c, c.exec("BEGIN IMMEDIATE")
}

func (e *sqliteEngine) view(ctx context.Context, snapshot bool, read func(conn) error) (err error) {
	var session *sqliteSession
	select {
	case session = <-e.idle:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { e.idle <- session }()
	if session == nil {
		if session, err = newSession(ctx, e.readers); err != nil {
			return err
		}
	}
	c := &sqliteConn{ctx: ctx, session: session, single: !snapshot}
	if snapshot {
		err = c.within(func() error { return read(c) })
	} else {
		err = read(c)
	}
	if c.broken {
		err = errors.Join(err, session.close())
		session = nil // the next call opens another
	}
	return err
}

// within runs do in a transaction of its own. Beginning and ending it does not
// stop when the context is over: the driver may report the context's end after
// SQLite has begun, and a session that is left in a transaction would show that
// moment for ever after. A session for which that is not certain is given up.
func (c *sqliteConn) within(do func() error) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if err := c.always("BEGIN"); err != nil {
		c.broken = true
		return err
	}
	err := do()
	if failed := c.always("COMMIT"); failed != nil {
		c.broken = true
		err = errors.Join(err, failed)
	}
	return err
}

// always runs a statement whether or not the context is over.
func (c *sqliteConn) always(text string) error {
	ctx := c.ctx
	defer func() { c.ctx = ctx }()
	c.ctx = context.WithoutCancel(ctx)
	return c.exec(text)
}

func (e *sqliteEngine) roundTrips() bool { return false }

func (e *sqliteEngine) close() error {
	var all []error
	for range sqliteReaders {
		if session := <-e.idle; session != nil {
			all = append(all, session.close())
		}
	}
	if e.write != nil { // not in an archive
		all = append(all, e.write.close(), e.db.Close())
	}
	return errors.Join(append(all, e.readers.Close())...)
}

func (s *sqliteSession) close() error {
	var all []error
	for _, stmt := range s.prepared {
		all = append(all, stmt.Close())
	}
	return errors.Join(append(all, s.conn.Close())...)
}

// explain tells a store that cannot be used just now (full, locked, gone) from
// a mistake of ours.
func (e *sqliteEngine) explain(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*cab.Error](err); ok {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return unavailable(err)
	}
	if failed, ok := errors.AsType[*sqlite.Error](err); ok {
		switch failed.Code() & 0xff {
		case sqlitecode.SQLITE_FULL, sqlitecode.SQLITE_IOERR, sqlitecode.SQLITE_BUSY, sqlitecode.SQLITE_LOCKED,
			sqlitecode.SQLITE_READONLY, sqlitecode.SQLITE_CANTOPEN, sqlitecode.SQLITE_NOMEM, sqlitecode.SQLITE_INTERRUPT:
			return unavailable(err)
		}
		if code := failed.Code(); code == sqlitecode.SQLITE_CONSTRAINT_UNIQUE || code == sqlitecode.SQLITE_CONSTRAINT_PRIMARYKEY {
			return stale()
		}
	}
	return err
}

// sqliteConn is a transaction on a session.
type sqliteConn struct {
	ctx     context.Context
	session *sqliteSession
	queued  []write
	total   int
	single  bool // reading without a transaction round it all
	broken  bool // nobody knows what state the session is in
}

func (c *sqliteConn) queue(text string, want int64, args ...any) {
	c.queued = append(c.queued, write{text, want, args})
	c.total++
}

func (c *sqliteConn) writes() int { return c.total }

func (c *sqliteConn) exec(text string) error {
	stmt, err := c.session.prepare(c.ctx, text)
	if err != nil {
		return err
	}
	_, err = stmt.ExecContext(c.ctx)
	return err
}

func (c *sqliteConn) flush() error {
	queued := c.queued
	c.queued = c.queued[:0]
	for _, w := range queued {
		stmt, err := c.session.prepare(c.ctx, w.text)
		if err != nil {
			return fmt.Errorf("%s: %w", w.text, err)
		}
		result, err := stmt.ExecContext(c.ctx, w.args...)
		if err != nil {
			return &writeError{err}
		}
		affected, err := result.RowsAffected()
		if err != nil {
			return err
		}
		if err := w.check(affected); err != nil {
			return err
		}
	}
	return nil
}

func (c *sqliteConn) run(statements ...statement) error {
	if err := c.flush(); err != nil {
		return err
	}
	if c.single && len(statements) > 1 { // of one moment
		return c.within(func() error { return c.queries(statements) })
	}
	return c.queries(statements)
}

func (c *sqliteConn) queries(statements []statement) error {
	for _, s := range statements {
		if err := c.query(s); err != nil {
			return err
		}
	}
	return nil
}

func (c *sqliteConn) query(s statement) error {
	stmt, err := c.session.prepare(c.ctx, s.text)
	if err != nil {
		return fmt.Errorf("%s: %w", s.text, err)
	}
	rows, err := stmt.QueryContext(c.ctx, s.args...)
	if err != nil {
		return fmt.Errorf("query: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := s.scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (c *sqliteConn) savepoint() error { return c.exec("SAVEPOINT one") }
func (c *sqliteConn) settle() error    { return c.flush() }
func (c *sqliteConn) release() error   { return c.exec("RELEASE one") }
func (c *sqliteConn) rollbackTo() error {
	c.queued = c.queued[:0]
	return errors.Join(c.exec("ROLLBACK TO one"), c.exec("RELEASE one"))
}

func (c *sqliteConn) commit() error {
	if err := c.flush(); err != nil {
		return err
	}
	return c.exec("COMMIT")
}

// rollback: SQLite has rolled back by itself after some failures (disk full);
// then there is nothing to do, and ROLLBACK says so.
func (c *sqliteConn) rollback() { _ = c.exec("ROLLBACK") }

func (c *sqliteConn) hasTable(name string) (bool, error) {
	n, err := (&Reader{c}).count(`SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1`, name)
	return n > 0, err
}

// joinedLeaves: the range of a table's own key is read in its order.
func (c *sqliteConn) joinedLeaves(from, before int64, take func(joinedLeaves)) error {
	const width = 512
	const text = `SELECT COUNT(*), CAST(group_concat(leaf, char(10)) AS BLOB) FROM event NOT INDEXED WHERE seq >= $1 AND seq < $2`
	for joined := (joinedLeaves{first: from}); joined.first < before; joined.first = joined.before {
		joined.before = min(joined.first+width, before)
		err := c.run(statement{text, []any{joined.first, joined.before}, func(r row) error {
			err := r.Scan(&joined.count, (*sql.RawBytes)(&joined.text))
			if err == nil {
				take(joined)
			}
			return err
		}})
		if err != nil || joined.count == 0 {
			return err
		}
	}
	return nil
}
