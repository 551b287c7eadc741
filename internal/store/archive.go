package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
)

// Archive is a database that is looked at and never written: what an auditor
// opens. It needs no key, makes nothing that is not there, and mends nothing that
// is broken.
type Archive struct{ engine engine }

// OpenArchive opens a database to look at. A database that is not there, or is
// none of ours, is an error.
func OpenArchive(ctx context.Context, address string) (*Archive, error) {
	var e engine
	var err error
	switch scheme, rest, _ := strings.Cut(address, ":"); scheme {
	case "sqlite":
		e, err = lookAtSQLite(rest)
	case "postgres", "postgresql":
		e, err = lookAtPostgres(ctx, address)
	default:
		err = unknownScheme(scheme)
	}
	if err != nil {
		return nil, err
	}
	a := &Archive{e}
	if _, err := a.LedgerKey(ctx); err != nil {
		return nil, closing(e, err)
	}
	return a, nil
}

func unknownScheme(scheme string) error {
	return fmt.Errorf("%w: %q: want sqlite:PATH or postgres://…", ErrAddress, scheme)
}

// ErrAddress is a database address that leads nowhere.
var ErrAddress = errors.New("the database address cannot be used")

func lookAtSQLite(path string) (*sqliteEngine, error) {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: there is no database %s", ErrAddress, path)
	}
	e := &sqliteEngine{idle: make(chan *sqliteSession, sqliteReaders)}
	var err error
	e.readers, err = sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode=rw&_pragma=busy_timeout(5000)&_pragma=query_only(1)")
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	for range sqliteReaders {
		e.idle <- nil
	}
	return e, nil
}

func lookAtPostgres(ctx context.Context, address string) (*postgresEngine, error) {
	readers, err := postgresReaders(ctx, address)
	if err != nil {
		return nil, err
	}
	return &postgresEngine{url: address, readers: readers}, nil
}

// Close closes the database.
func (a *Archive) Close() error { return a.engine.close() }

func (a *Archive) text(ctx context.Context, statementText string) (found string, err error) {
	err = a.engine.explain(a.engine.view(ctx, false, func(c conn) error {
		return c.run(statement{statementText, nil, func(r row) error { return r.Scan(&found) }})
	}))
	return found, err
}

// LedgerKey is the public key that the database names as its ledger's; "" if it
// names none. Whoever owns the database could have written another there.
func (a *Archive) LedgerKey(ctx context.Context) (string, error) {
	return a.text(ctx, `SELECT value FROM meta WHERE name = 'ledger_key'`)
}

// Verify checks the whole database: see [Archive.Verify].
func (s *Store) Verify(ctx context.Context, o VerifyOptions) (VerifyReport, error) {
	return (&Archive{s.engine}).Verify(ctx, o)
}
