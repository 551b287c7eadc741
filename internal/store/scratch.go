package store

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/eucora/eucora/internal/cab"
)

// scratch is where a verification keeps what grows with the ledger: a database of
// its own in the temporary directory, gone when it is closed. Nothing in it is
// worth a flush.
type scratch struct {
	dir      string
	db       *sql.DB
	tx       *sql.Tx
	prepared map[string]*sql.Stmt
}

const scratchSchema = `
CREATE TABLE row (kind TEXT NOT NULL, id TEXT NOT NULL, digest BLOB NOT NULL, seq INTEGER NOT NULL, place INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE TABLE newest (among TEXT NOT NULL PRIMARY KEY, place INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE reference (package TEXT NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (package, sha256)) WITHOUT ROWID;
CREATE TABLE file (sha256 TEXT NOT NULL PRIMARY KEY, size INTEGER NOT NULL) WITHOUT ROWID;`

func newScratch() (*scratch, error) {
	dir, err := os.MkdirTemp("", "eucora-verify-")
	if err != nil {
		return nil, fmt.Errorf("a place for the verification: %w", err)
	}
	s := &scratch{dir: dir, prepared: map[string]*sql.Stmt{}}
	path := (&url.URL{Path: filepath.Join(dir, "scratch.db")}).EscapedPath()
	s.db, err = sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(OFF)&_pragma=synchronous(OFF)&_pragma=cache_size(-32000)")
	if err == nil {
		s.db.SetMaxOpenConns(1)
		_, err = s.db.Exec(scratchSchema)
	}
	if err == nil {
		s.tx, err = s.db.Begin()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("a place for the verification: %w", err), s.close())
	}
	return s, nil
}

func (s *scratch) close() error {
	for _, stmt := range s.prepared {
		_ = stmt.Close()
	}
	var err error
	if s.tx != nil {
		err = s.tx.Rollback()
	}
	if s.db != nil {
		err = errors.Join(err, s.db.Close())
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

func (s *scratch) statement(text string) (*sql.Stmt, error) {
	if known := s.prepared[text]; known != nil {
		return known, nil
	}
	stmt, err := s.tx.Prepare(text)
	if err == nil {
		s.prepared[text] = stmt
	}
	return stmt, err
}

func (s *scratch) exec(text string, args ...any) (affected int64, err error) {
	stmt, err := s.statement(text)
	if err != nil {
		return 0, err
	}
	result, err := stmt.Exec(args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// each gives scan every row.
func (s *scratch) each(text string, scan func(row) error) error {
	stmt, err := s.statement(text)
	if err != nil {
		return err
	}
	rows, err := stmt.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// put notes a row as an event left it.
func (s *scratch) put(subject cab.Subject, state cab.RowState) error {
	_, err := s.exec(`INSERT INTO row (kind, id, digest, seq) VALUES ($1, $2, $3, $4)
		ON CONFLICT (kind, id) DO UPDATE SET digest = excluded.digest, seq = excluded.seq`,
		string(subject.Kind), subject.ID, state.Digest[:], state.Seq)
	return err
}

// next gives a row the next place among others of its kind.
func (s *scratch) next(subject cab.Subject, among string) error {
	if _, err := s.exec(`INSERT INTO newest (among, place) VALUES ($1, 1) ON CONFLICT (among) DO UPDATE SET place = place + 1`, among); err != nil {
		return err
	}
	_, err := s.exec(`UPDATE row SET place = (SELECT place FROM newest WHERE among = $3) WHERE kind = $1 AND id = $2`,
		string(subject.Kind), subject.ID, among)
	return err
}

// state is what the events say of a row; known is false if they say nothing.
func (s *scratch) state(subject cab.Subject) (state cab.RowState, place int64, known bool, err error) {
	stmt, err := s.statement(`SELECT digest, seq, place FROM row WHERE kind = $1 AND id = $2`)
	if err != nil {
		return state, 0, false, err
	}
	var digest []byte
	err = stmt.QueryRow(string(subject.Kind), subject.ID).Scan(&digest, &state.Seq, &place)
	if errors.Is(err, sql.ErrNoRows) {
		return cab.RowState{Seq: -1}, 0, false, nil
	}
	copy(state.Digest[:], digest)
	return state, place, err == nil, err
}

// seen takes a row off what the database must still show.
func (s *scratch) seen(subject cab.Subject) error {
	_, err := s.exec(`DELETE FROM row WHERE kind = $1 AND id = $2`, string(subject.Kind), subject.ID)
	return err
}

// unseen is what the database did not show.
func (s *scratch) unseen(yield func(subject cab.Subject, seq int64)) error {
	return s.each(`SELECT kind, id, seq FROM row ORDER BY seq`, func(r row) error {
		var subject cab.Subject
		var seq int64
		err := r.Scan(&subject.Kind, &subject.ID, &seq)
		if err == nil {
			yield(subject, seq)
		}
		return err
	})
}

// refer notes that a package's document lists a file.
func (s *scratch) refer(packageID, digest string, size int64) error {
	_, err := s.exec(`INSERT OR IGNORE INTO reference (package, sha256) VALUES ($1, $2)`, packageID, digest)
	if err == nil {
		_, err = s.exec(`INSERT OR REPLACE INTO file (sha256, size) VALUES ($1, $2)`, digest, size)
	}
	return err
}

// referred takes a reference off, and reports whether there was one.
func (s *scratch) referred(packageID, digest string) (bool, error) {
	n, err := s.exec(`DELETE FROM reference WHERE package = $1 AND sha256 = $2`, packageID, digest)
	return n > 0, err
}
