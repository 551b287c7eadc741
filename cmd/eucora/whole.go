package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// writeWhole writes a file that only its owner can read (it may name people, or hold
// a key) beside its place, and puts it there once all of it is on the disk: nobody
// ever reads half of it, an error leaves what was there, and a crash loses nothing
// once this returns. A place that is taken by something else than a file, such as
// /dev/null, is refused, for it would be replaced.
func writeWhole(path string, write func(io.Writer) error) error {
	return writeTo(path, os.Rename, func(file *os.File) error { return write(file) })
}

// save is writeWhole of what is at hand.
func save(path string, text []byte) error {
	return writeWhole(path, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

// writeTo is writeWhole with another way to put the file in its place: os.Link lets
// the first of two win.
func writeTo(path string, place func(from, to string) error, write func(*os.File) error) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return usage("%s is there and is no file", path)
	}
	dir := filepath.Dir(path)
	aside, err := os.CreateTemp(dir, ".eucora-*")
	if err != nil {
		return usage("%v", err)
	}
	defer os.Remove(aside.Name())
	if err := errors.Join(write(aside), aside.Sync(), aside.Close()); err != nil {
		return err
	}
	if err := place(aside.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes what was done to the names in a folder outlast a power cut.
func syncDir(dir string) error {
	folder, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
