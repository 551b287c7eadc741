package main

import (
	"time"

	"github.com/eucora/eucora/internal/attest"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/workflow"
)

type keyCmd struct {
	Create keyCreateCmd `cmd:"" help:"Make the key that signs attestations, if there is none. The first start of a server does it too."`
	Rotate keyRotateCmd `cmd:"" help:"Make a new key and retire the one before. What that one signed can still be verified."`
	List   keyListCmd   `cmd:"" help:"List the keys, without their secrets."`
}

// keyDirFlags are what all commands about keys take.
type keyDirFlags struct {
	siteFlags
	keyFlags
	outputFlags
}

// change changes the directory, mends what an earlier change left half done,
// and writes what came of it to the ledger.
func (f keyDirFlags) change(a *app, act func(dir keyDir, ring *attest.Ring) error, tell func(ring *attest.Ring) error) error {
	return f.run(a, func(s *site, call workflow.Call) error {
		dir := f.directory(f.siteFlags)
		ring, err := dir.load()
		if err != nil {
			return err
		}
		if err := act(dir, ring); err != nil {
			return err
		}
		if ring, err = dir.settle(); err != nil {
			return err
		}
		if err := s.service.RecordKeys(a.ctx, call, ring); err != nil {
			return err
		}
		return tell(ring)
	})
}

// listedKey is a key as --json prints it.
type listedKey struct {
	ID        string `json:"key_id"`
	Algorithm string `json:"algorithm"`
	State     string `json:"state"`
	CreatedAt string `json:"created_at"`
	PublicKey string `json:"public_key"`
}

func listed(k attest.Key) listedKey {
	state := cab.KeyRetired
	if k.Signs() {
		state = cab.KeyActive
	}
	return listedKey{k.ID, string(k.Algorithm), string(state), k.CreatedAt.Format(time.RFC3339Nano), k.PublicPEM}
}

// tellNew prints the key that signs now.
func (f keyDirFlags) tellNew(a *app, ring *attest.Ring) error {
	key, _ := ring.Signing()
	return f.print(a, listed(key), func() { a.printf("%s  %s signs attestations from now on\n", key.ID, key.Algorithm) })
}

type keyCreateCmd struct {
	keyDirFlags
	Algorithm string `help:"ed25519 or ecdsa-p256." enum:"ed25519,ecdsa-p256" default:"ed25519"`
}

// Run makes the first key.
func (c *keyCreateCmd) Run(a *app) error {
	return c.change(a, func(dir keyDir, ring *attest.Ring) error {
		if key, ok := ring.Signing(); ok {
			return no("there is a key that signs (%s); eucora key rotate puts another in its place", key.ID)
		}
		return dir.add(attest.Algorithm(c.Algorithm), ring)
	}, func(ring *attest.Ring) error { return c.tellNew(a, ring) })
}

type keyRotateCmd struct {
	keyDirFlags
	Algorithm string `help:"ed25519 or ecdsa-p256; that of the key before if left out." enum:"ed25519,ecdsa-p256," default:""`
}

// Run puts a new key in the place of the one that signs.
func (c *keyRotateCmd) Run(a *app) error {
	return c.change(a, func(dir keyDir, ring *attest.Ring) error {
		key, ok := ring.Signing()
		if !ok {
			return no("there is no key that signs; eucora key create makes one")
		}
		algorithm := key.Algorithm
		if c.Algorithm != "" {
			algorithm = attest.Algorithm(c.Algorithm)
		}
		return dir.add(algorithm, ring)
	}, func(ring *attest.Ring) error { return c.tellNew(a, ring) })
}

type keyListCmd struct{ keyDirFlags }

// Run lists the keys.
func (c *keyListCmd) Run(a *app) error {
	return c.change(a, func(keyDir, *attest.Ring) error { return nil }, func(ring *attest.Ring) error {
		all, rows := []listedKey{}, [][]string{}
		for _, k := range ring.Keys() {
			l := listed(k)
			all = append(all, l)
			rows = append(rows, []string{l.ID, l.Algorithm, l.State, shortTime(k.CreatedAt)})
		}
		return c.print(a, all, func() { a.table([]string{"KEY", "ALGORITHM", "STATE", "CREATED"}, rows) })
	})
}
