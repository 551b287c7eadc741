package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestWholeOrNotAtAll: an error leaves what was there, and nothing beside it; and
// what is no file is not replaced by one.
func TestWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "kept.txt")
	if err := save(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken off")
	err := writeWhole(path, func(w io.Writer) error {
		_, err := io.WriteString(w, "half of the n")
		return errors.Join(err, broken)
	})
	if text, _ := os.ReadFile(path); !errors.Is(err, broken) || string(text) != "old" {
		t.Errorf("%v, and the file says %q", err, text)
	}
	if err := save(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	info, _ := os.Stat(path)
	if text, _ := os.ReadFile(path); err != nil || len(entries) != 1 || string(text) != "new" || info.Mode().Perm() != 0o600 {
		t.Errorf("%q, %v, %d files, %v", text, info.Mode(), len(entries), err)
	}
	folder := filepath.Join(dir, "folder")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, taken := range []string{folder, os.DevNull} {
		if err := save(taken, nil); err == nil {
			t.Errorf("%s was replaced", taken)
		}
	}
}
