package attachment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// grace is how long a file may be without a package that refers to it: longer
// than any upload takes, and than clocks of machines that share a directory
// differ.
const grace = 24 * time.Hour

// keptAside is how long an orphan is kept aside before it is deleted: a server that was
// started once with the wrong database, or one restored from an older backup,
// finds every file an orphan, and that must not be the end of them.
const keptAside = 30 * 24 * time.Hour

// Sweep removes what a crash has left behind: files that came in and were never
// kept, and kept files that no package refers to, if they are older than a day. The
// latter are put aside, and deleted a month later; one that a package does refer
// to comes back. used tells which of some digests packages refer to. It returns
// how many files it removed from their places.
func (s *Store) Sweep(ctx context.Context, now time.Time, used func(ctx context.Context, digests []string) (map[string]bool, error)) (int, error) {
	removed, err := s.sweepIncoming(now)
	if err != nil {
		return removed, err
	}
	if err := s.sweepOrphans(ctx, now, used); err != nil {
		return removed, fmt.Errorf("sweep attachments: %w", err)
	}
	folders, err := os.ReadDir(s.dir)
	if err != nil {
		return removed, fmt.Errorf("sweep attachments: %w", err)
	}
	for _, folder := range folders {
		if len(folder.Name()) != 2 || !folder.IsDir() {
			continue
		}
		n, err := s.sweepFolder(ctx, folder.Name(), now, used)
		removed += n
		if err != nil {
			return removed, fmt.Errorf("sweep attachments: %w", err)
		}
	}
	return removed, nil
}

func (s *Store) sweepIncoming(now time.Time) (removed int, err error) {
	files, err := old(filepath.Join(s.dir, incoming), now)
	for _, name := range files {
		if os.Remove(filepath.Join(s.dir, incoming, name)) == nil {
			removed++
		}
	}
	return removed, err
}

// old lists the files of a folder that are older than the grace.
func old(folder string, now time.Time) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && now.Sub(info.ModTime()) > grace {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// sweepOrphans brings back what is wanted after all, and deletes what nobody has
// wanted for a month.
func (s *Store) sweepOrphans(ctx context.Context, now time.Time, used func(context.Context, []string) (map[string]bool, error)) error {
	folder := filepath.Join(s.dir, orphans)
	entries, err := os.ReadDir(folder)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	digests := make([]string, len(entries))
	for i, entry := range entries {
		digests[i] = entry.Name()
	}
	wanted, err := used(ctx, digests)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		digest := entry.Name()
		info, err := entry.Info()
		switch {
		case err != nil || !digestForm.MatchString(digest):
		case wanted[digest] && s.missing(digest):
			err = errors.Join(os.MkdirAll(filepath.Dir(s.path(digest)), 0o700), os.Rename(filepath.Join(folder, digest), s.path(digest)))
		case now.Sub(info.ModTime()) > keptAside:
			err = os.Remove(filepath.Join(folder, digest))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) missing(digest string) bool {
	_, err := os.Lstat(s.path(digest))
	return errors.Is(err, os.ErrNotExist)
}

func (s *Store) sweepFolder(ctx context.Context, folder string, now time.Time, used func(context.Context, []string) (map[string]bool, error)) (int, error) {
	names, err := old(filepath.Join(s.dir, folder), now)
	if err != nil || len(names) == 0 {
		return 0, err
	}
	digests := make([]string, len(names))
	for i, name := range names {
		digests[i] = folder + name
	}
	wanted, err := used(ctx, digests)
	if err != nil {
		return 0, err
	}
	removed := 0
	for _, digest := range digests {
		if wanted[digest] || !digestForm.MatchString(digest) {
			continue
		}
		gone, err := s.removeOld(digest, now)
		if err != nil {
			return removed, err
		}
		if gone {
			removed++
		}
	}
	return removed, nil
}

// removeOld puts a file aside, unless somebody has just sent the same one again.
// It is moved out of its place first, and looked at there: whoever put a young
// one in its place before the move is seen now, and whoever comes after the move
// puts his own there. After a crash in between the next sweep brings it back.
func (s *Store) removeOld(digest string, now time.Time) (bool, error) {
	place, aside := s.path(digest), filepath.Join(s.dir, orphans, digest)
	if err := os.Rename(place, aside); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return false, nil
		}
		return false, err
	}
	info, err := os.Stat(aside)
	if err != nil {
		return false, err
	}
	if now.Sub(info.ModTime()) <= grace {
		return false, os.Rename(aside, place)
	}
	return true, os.Chtimes(aside, now, now)
}
