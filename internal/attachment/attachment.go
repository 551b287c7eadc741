// Package attachment keeps the files of evidence packages by the SHA-256 of
// their bytes, in a directory:
//
//	DIR/ab/cdef…   a file that is kept; its name is its digest
//	DIR/new/…      files that are coming in
//	DIR/orphans/…  files that no package referred to when somebody swept
//
// A file is stored once however often it is sent. It comes in beside its place,
// is hashed on the way and moved there when it is whole and on the disk: what has
// a digest for a name was complete at that moment. A crash leaves files that no
// package refers to; [Store.Sweep] removes them.
//
// Several processes may use one directory, on one machine or over a file system
// that they share.
package attachment

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"time"
)

// Store is a directory of files.
type Store struct {
	dir string

	mu   sync.Mutex
	held map[string]seen // by digest
}

const (
	incoming = "new"
	orphans  = "orphans"
)

// Dir is the directory.
func (s *Store) Dir() string { return s.dir }

// At is a directory that is only looked at: nothing is made, and what is not
// there is missing.
func At(dir string) *Store { return &Store{dir: dir} }

// Open makes the directory if it is not there.
func Open(dir string) (*Store, error) {
	for _, folder := range []string{incoming, orphans} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
			return nil, fmt.Errorf("attachments: %w", err)
		}
	}
	return &Store{dir: dir}, nil
}

// Errors that callers tell apart.
var (
	ErrTooLarge = errors.New("is larger than is taken")
	ErrFull     = errors.New("the disk for attachments is full")
	ErrMissing  = errors.New("the file is not there")
	ErrAltered  = errors.New("the file is not what was stored")
)

// File is a file that has come in and can be read. It is gone after
// [File.Discard] unless it was kept.
type File struct {
	SHA256 string // lower-case hex
	Size   int64  // in bytes
	*os.File
	store *Store
	kept  bool
}

// Receive takes in a file of at most limit bytes, hashing it while it is
// written. Whatever goes wrong, nothing is left behind.
func (s *Store) Receive(ctx context.Context, r io.Reader, limit int64) (*File, error) {
	out, err := os.OpenFile(filepath.Join(s.dir, incoming, rand.Text()), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, explain(err)
	}
	f := &File{File: out, store: s}
	sum := sha256.New()
	f.Size, err = io.Copy(io.MultiWriter(out, sum), &untilDone{ctx, io.LimitReader(r, limit+1)})
	if err == nil && f.Size > limit {
		err = ErrTooLarge
	}
	if err != nil {
		f.Discard()
		return nil, explain(err)
	}
	f.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return f, nil
}

// untilDone reads until the context ends.
type untilDone struct {
	ctx context.Context
	io.Reader
}

func (r *untilDone) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}

// Keep puts the file in its place, on the disk for good, and ends reading it. It
// must be called before a package refers to the file. A file of the same digest
// that is there already is replaced: nobody knows what became of it since.
func (f *File) Keep() error {
	if f.kept {
		return nil
	}
	place := f.store.path(f.SHA256)
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return explain(err)
	}
	if err := os.MkdirAll(filepath.Dir(place), 0o700); err != nil {
		return explain(err)
	}
	if err := os.Rename(f.Name(), place); err != nil {
		return explain(err)
	}
	f.kept = true
	return errors.Join(syncDir(filepath.Dir(place)), syncDir(f.store.dir))
}

// Discard ends the use of the file, and removes it unless it was kept.
func (f *File) Discard() {
	_ = f.Close()
	if !f.kept {
		_ = os.Remove(f.Name()) // if not now, then by a sweep
	}
}

// syncDir makes names in a directory last. Not every system can; those keep
// names by themselves.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) {
		return explain(err)
	}
	return nil
}

func (s *Store) path(digest string) string { return filepath.Join(s.dir, digest[:2], digest[2:]) }

var digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Open opens a file that is kept, of the size that it must have. Its bytes are
// not checked: see [Store.Check].
func (s *Store) Open(digest string, size int64) (*os.File, error) {
	if !digestForm.MatchString(digest) {
		return nil, ErrMissing
	}
	if _, err := s.look(digest, size); err != nil { // before it is opened: a pipe would wait for ever
		return nil, err
	}
	file, err := os.Open(s.path(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrMissing
	}
	if err != nil {
		return nil, fmt.Errorf("attachment %s: %w", digest, err)
	}
	return file, nil
}

// look finds a regular file of the right size in the place of a digest.
func (s *Store) look(digest string, size int64) (fs.FileInfo, error) {
	info, err := os.Lstat(s.path(digest))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrMissing
	case err != nil:
		return nil, fmt.Errorf("attachment %s: %w", digest, err)
	case info.Size() != size || !info.Mode().IsRegular():
		return nil, ErrAltered
	}
	return info, nil
}

// lately is how long a check of a file's bytes holds while the file has not been
// written to.
const lately = time.Minute

// seen is a file whose bytes were checked.
type seen struct {
	modified time.Time // as the file system says
	at       time.Time
}

// HeldLately reports whether a file that has not been written to since was held
// against its digest within the last minute: for answers that are asked for all the
// time.
func (s *Store) HeldLately(digest string, size int64, now time.Time) bool {
	if !digestForm.MatchString(digest) {
		return false
	}
	s.mu.Lock()
	known, ok := s.held[digest]
	s.mu.Unlock()
	if age := now.Sub(known.at); !ok || age < 0 || age >= lately {
		return false
	}
	info, err := s.look(digest, size)
	return err == nil && info.ModTime().Equal(known.modified)
}

// remember notes that a file was checked; modified is as it was before.
func (s *Store) remember(digest string, modified, now time.Time) {
	const most = 10_000
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.held) >= most || s.held == nil {
		s.held = map[string]seen{}
	}
	s.held[digest] = seen{modified, now}
}

// Check reads a file to its end and holds it against its digest. It returns
// [ErrMissing] or [ErrAltered], with what was found instead, or why the file
// could not be read.
func (s *Store) Check(ctx context.Context, digest string, size int64) error {
	file, err := s.OpenChecked(ctx, digest, size)
	if err != nil {
		return err
	}
	return file.Close()
}

// CheckAt is [Store.Check] at a time, for [Store.HeldLately].
func (s *Store) CheckAt(ctx context.Context, digest string, size int64, now time.Time) error {
	file, err := s.Open(digest, size)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	_ = file.Close()
	if err != nil {
		return fmt.Errorf("attachment %s: %w", digest, err)
	}
	if err := s.Check(ctx, digest, size); err != nil {
		return err
	}
	s.remember(digest, info.ModTime(), now)
	return nil
}

// OpenChecked opens a file that is to be read again, after [Store.Check]. What is
// put in its place meanwhile is not what is read.
func (s *Store) OpenChecked(ctx context.Context, digest string, size int64) (*os.File, error) {
	file, err := s.Open(digest, size)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	if _, err = io.Copy(sum, &untilDone{ctx, file}); err != nil {
		err = fmt.Errorf("attachment %s: %w", digest, err)
	} else if actual := hex.EncodeToString(sum.Sum(nil)); actual != digest {
		err = fmt.Errorf("%w: its SHA-256 is %s", ErrAltered, actual)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

func explain(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}
