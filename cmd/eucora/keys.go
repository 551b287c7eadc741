package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/attest"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/workflow"
)

// keyFlags say where the attestation keys are.
type keyFlags struct {
	Keys string `help:"Directory with the keys that sign attestations (default: keys in the data directory; the first is made at the first start)." env:"EUCORA_KEYS" placeholder:"DIR"`
}

func (f keyFlags) directory(site siteFlags) keyDir {
	if f.Keys != "" {
		return keyDir(f.Keys)
	}
	return keyDir(filepath.Join(site.Data, "keys"))
}

// keyDir holds a file for each attestation key: ID.pem with the private half of
// the one that signs, ID.pub.pem for each that is retired. Making a key and
// retiring the ones before it are two steps; a crash in between leaves two
// private halves, of which the newest signs, and the next command mends it. A
// server reads the directory each time, so it notices a rotation at once.
type keyDir string

const (
	privateSuffix = ".pem"
	publicSuffix  = ".pub.pem"
)

// load reads the keys as they are now. No directory is no keys.
func (d keyDir) load() (*attest.Ring, error) {
	found, err := d.read()
	return attest.NewRing(found), err
}

// read reads every file. One that is taken away while its directory is read was
// retired just then: it is read again.
func (d keyDir) read() ([]attest.Key, error) {
	for tries := 0; ; tries++ {
		found, err := d.readOnce()
		if !errors.Is(err, fs.ErrNotExist) || tries == 3 {
			return found, err
		}
	}
}

func (d keyDir) readOnce() ([]attest.Key, error) {
	entries, err := os.ReadDir(string(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("attestation keys: %w", err)
	}
	if info, err := os.Stat(string(d)); err != nil || info.Mode().Perm()&0o022 != 0 {
		return nil, errors.Join(fmt.Errorf("attestation keys: others can put keys into %s: chmod 700 it, and see who put in what is there", d), err)
	}
	var found []attest.Key
	for _, entry := range entries {
		if name := entry.Name(); strings.HasSuffix(name, privateSuffix) && !strings.HasPrefix(name, ".") {
			key, err := d.readKey(name)
			if err != nil {
				return nil, fmt.Errorf("attestation key %s: %w", filepath.Join(string(d), name), err)
			}
			found = append(found, key)
		}
	}
	return found, nil
}

// readKey reads one file. Its name says which key it is and which half.
func (d keyDir) readKey(name string) (attest.Key, error) {
	path := filepath.Join(string(d), name)
	info, err := os.Lstat(path)
	if err != nil {
		return attest.Key{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > attest.MaxFile {
		return attest.Key{}, fmt.Errorf("is no file of at most %d bytes", attest.MaxFile)
	}
	id, public := strings.CutSuffix(name, publicSuffix)
	if !public {
		id = strings.TrimSuffix(name, privateSuffix)
		if info.Mode().Perm()&0o077 != 0 {
			return attest.Key{}, fmt.Errorf("can be read by others (mode %04o): chmod 600 it, think of it as known to them, and rotate", info.Mode().Perm())
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return attest.Key{}, err
	}
	key, err := attest.ParseFile(text)
	if err == nil && (key.ID != id || key.Signs() == public) {
		err = errors.New("holds another key, or another half of it, than its name says")
	}
	return key, err
}

// add makes a key that signs from now on. It is newer than those before it even
// if the clock is not.
func (d keyDir) add(algorithm attest.Algorithm, before *attest.Ring) error {
	now := time.Now()
	if keys := before.Keys(); len(keys) > 0 && !now.After(keys[0].CreatedAt.Add(time.Microsecond)) {
		now = keys[0].CreatedAt.Add(time.Microsecond)
	}
	key, err := attest.Generate(algorithm, rand.Reader, now)
	if err != nil {
		return err
	}
	text, err := key.PrivateFile()
	if err != nil {
		return err
	}
	return d.write(key.ID+privateSuffix, text)
}

// settle retires every private half but the one that signs.
func (d keyDir) settle() (*attest.Ring, error) {
	found, err := d.read()
	if err != nil {
		return nil, err
	}
	ring := attest.NewRing(found)
	signing, _ := ring.Signing()
	for _, key := range found {
		if !key.Signs() || key.ID == signing.ID {
			continue
		}
		// The public half stands first: from there on the key is retired,
		// whether or not the private half can still be taken away.
		if err := d.write(key.ID+publicSuffix, key.PublicFile()); err != nil {
			return nil, err
		}
		if err := os.Remove(filepath.Join(string(d), key.ID+privateSuffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("attestation key: %w", err)
		}
	}
	return ring, syncDir(string(d))
}

// write puts a file in place whole. Renamed and not linked, so that no second
// name keeps a private half beyond its retirement; names are of contents, so
// nothing else is ever replaced.
func (d keyDir) write(name string, text []byte) error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return err
	}
	return save(filepath.Join(string(d), name), text)
}

// prepareKeys makes the first key, and sees to it that the ledger knows all.
func (s *site) prepareKeys(ctx context.Context, dir keyDir) error {
	ring, err := dir.load()
	if err != nil {
		return err
	}
	if _, ok := ring.Signing(); !ok {
		if err := dir.add(attest.Ed25519, ring); err != nil {
			return err
		}
		if ring, err = dir.load(); err != nil {
			return err
		}
	}
	return s.service.RecordKeys(ctx, workflow.Call{Actor: cab.Setup}, ring)
}
