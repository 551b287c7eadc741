package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/attest"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/secure-systems-lab/go-securesystemslib/signerverifier"
)

// attestedScript: attested ENVELOPE KEY FILE… verifies an attestation as a
// stranger would: with another implementation of DSSE, the keys that the server
// publishes, and the files.
func attestedScript(ts *testscript.TestScript, neg bool, args []string) {
	err := attested(ts.Getenv("EUCORA_SERVER"), ts.ReadFile(args[0]), args[1], func(name string) string { return ts.ReadFile(name) }, args[2:])
	if (err != nil) != neg {
		ts.Fatalf("attested %q: %v", args, err)
	}
}

func attested(server, text, keyID string, read func(string) string, files []string) error {
	response, err := http.Get(server + "/.well-known/eucora-keys.json")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var published api.PublicKeys
	if err := json.NewDecoder(response.Body).Decode(&published); err != nil {
		return err
	}
	var envelope dsse.Envelope
	if err := json.Unmarshal([]byte(text), &envelope); err != nil {
		return err
	}
	for _, k := range published.Keys {
		if k.ID != keyID {
			continue
		}
		verifier, err := strangersVerifier(k)
		if err != nil {
			return err
		}
		accepted, payload, err := verifier.VerifyAndDecode(context.Background(), &envelope)
		if err != nil || accepted[0].KeyID != keyID {
			return fmt.Errorf("accepted %v: %w", accepted, err)
		}
		return attests(payload, read, files)
	}
	return fmt.Errorf("key %s is not published", keyID)
}

func strangersVerifier(k api.PublicKey) (*dsse.EnvelopeVerifier, error) {
	key, err := signerverifier.LoadKey([]byte(k.PublicKey))
	if err != nil {
		return nil, err
	}
	key.KeyID = k.ID
	var v dsse.Verifier
	if k.Algorithm == "ed25519" {
		v, err = signerverifier.NewED25519SignerVerifierFromSSLibKey(key)
	} else {
		v, err = signerverifier.NewECDSASignerVerifierFromSSLibKey(key)
	}
	if err != nil {
		return nil, err
	}
	return dsse.NewEnvelopeVerifier(v)
}

// attests checks that files are among a statement's subjects.
func attests(payload []byte, read func(string) string, files []string) error {
	var statement struct {
		Subject []struct{ Digest struct{ SHA256 string } }
	}
	if err := json.Unmarshal(payload, &statement); err != nil {
		return err
	}
	for _, name := range files {
		hash, found := fmt.Sprintf("%x", sha256.Sum256([]byte(read(name)))), false
		for _, s := range statement.Subject {
			found = found || s.Digest.SHA256 == hash
		}
		if !found {
			return fmt.Errorf("%s is not what is attested", name)
		}
	}
	return nil
}

// signing is the id of the key that signs.
func signing(t *testing.T, dir keyDir) string {
	t.Helper()
	ring, err := dir.load()
	if err != nil {
		t.Fatal(err)
	}
	k, _ := ring.Signing()
	return k.ID
}

func names(t *testing.T, dir keyDir) string {
	t.Helper()
	entries, err := os.ReadDir(string(dir))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return strings.Join(all, " ")
}

func rotate(t *testing.T, dir keyDir) {
	t.Helper()
	ring, err := dir.load()
	if err == nil {
		err = dir.add(attest.Ed25519, ring)
	}
	if err == nil {
		_, err = dir.settle()
	}
	if err != nil {
		t.Error(err)
	}
}

// TestRotationCutShort: after a crash between any two steps of a rotation one
// key signs, and the next command leaves one private half.
func TestRotationCutShort(t *testing.T) {
	dir := keyDir(filepath.Join(t.TempDir(), "keys"))
	if ring, err := dir.load(); err != nil || len(ring.Keys()) != 0 {
		t.Fatalf("no directory: %v %v", ring, err)
	}
	rotate(t, dir)
	first := signing(t, dir)
	text, err := os.ReadFile(filepath.Join(string(dir), first+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := dir.load()
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.add(attest.ECDSAP256, ring); err != nil { // and no more
		t.Fatal(err)
	}
	second := signing(t, dir)
	if second == first || strings.Contains(names(t, dir), "pub") {
		t.Fatalf("%s signs, of %s", second, names(t, dir))
	}
	settled := func(what string) {
		t.Helper()
		if _, err := dir.settle(); err != nil || signing(t, dir) != second {
			t.Errorf("%s: %v, %s signs", what, err, signing(t, dir))
		}
		got := names(t, dir)
		if strings.Count(got, ".pem") != 2 || !strings.Contains(got, second+".pem") || !strings.Contains(got, first+".pub.pem") {
			t.Errorf("%s: %s", what, got)
		}
	}
	settled("the old one was not retired")
	if err := os.WriteFile(filepath.Join(string(dir), first+".pem"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	settled("the private half was not taken away")
	for _, entry := range []string{first + ".pub.pem", second + ".pem"} {
		if info, err := os.Stat(filepath.Join(string(dir), entry)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", entry, info.Mode(), err)
		}
	}
}

// TestClockGoesBack: a new key is the newest even if the clock says otherwise.
func TestClockGoesBack(t *testing.T) {
	dir := keyDir(t.TempDir())
	future, err := attest.Generate(attest.Ed25519, rand.Reader, time.Now().Add(1000*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	text, err := future.PrivateFile()
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.write(future.ID+".pem", text); err != nil {
		t.Fatal(err)
	}
	rotate(t, dir)
	if got := signing(t, dir); got == future.ID || got == "" {
		t.Errorf("%q signs", got)
	}
}

// TestRotationsAtOnce: whoever reads while keys are rotated, by several people
// at once, sees whole keys and one that signs; in the end one private half is
// left.
func TestRotationsAtOnce(t *testing.T) {
	dir := keyDir(t.TempDir())
	rotate(t, dir)
	var rotations, readers sync.WaitGroup
	over := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				ring, err := dir.load()
				if _, ok := ring.Signing(); err != nil || !ok {
					t.Errorf("%d keys, none signs: %v", len(ring.Keys()), err)
					return
				}
			}
		})
	}
	for range 4 {
		rotations.Go(func() {
			for range 5 {
				rotate(t, dir)
			}
		})
	}
	rotations.Wait()
	close(over)
	readers.Wait()
	rotate(t, dir)
	if got := names(t, dir); strings.Count(got, ".pub.pem") != 21 || strings.Count(got, ".pem") != 22 || strings.Contains(got, ".eucora-") {
		t.Errorf("left: %s", got)
	}
}

// TestKeyDirRefused: a directory with anything doubtful in it gives no keys.
func TestKeyDirRefused(t *testing.T) {
	key, err := attest.Generate(attest.Ed25519, rand.Reader, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	private, err := key.PrivateFile()
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Repeat("a", 64)
	for _, c := range []struct {
		name, file, text string
		mode             os.FileMode
		want             string // of the error; "" if it is no matter
	}{
		{"as it should be", key.ID + ".pem", string(private), 0o600, ""},
		{"readable by the group", key.ID + ".pem", string(private), 0o640, "can be read by others"},
		{"under another name", other + ".pem", string(private), 0o600, "holds another key"},
		{"a private half under a public name", key.ID + ".pub.pem", string(private), 0o600, "holds another key"},
		{"a public half under a private name", key.ID + ".pem", string(key.PublicFile()), 0o600, "holds another key"},
		{"cut off", key.ID + ".pem", string(private[:60]), 0o600, "PEM"},
		{"too large", key.ID + ".pem", string(private) + strings.Repeat("\n", 5000), 0o600, "at most"},
		{"something else", "README", "keys", 0o644, ""},
		{"left by a crash", ".key-123.pem", string(private[:60]), 0o600, ""},
	} {
		dir := keyDir(t.TempDir())
		if err := os.WriteFile(filepath.Join(string(dir), c.file), []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		_, err := dir.load()
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.file)) {
			t.Errorf("%s: %v", c.name, err)
		}
		if secret := strings.Split(string(private), "\n")[2]; err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error repeats the key", c.name)
		}
	}
	dir := keyDir(t.TempDir())
	if err := os.Mkdir(filepath.Join(string(dir), "x.pem"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.load(); err == nil {
		t.Error("a folder is taken for a key")
	}
	elsewhere := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(elsewhere, private, 0o600); err != nil {
		t.Fatal(err)
	}
	dir = keyDir(t.TempDir())
	if err := os.Symlink(elsewhere, filepath.Join(string(dir), key.ID+".pem")); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.load(); err == nil {
		t.Error("a link is taken for a key: what it leads to would outlive its retirement")
	}
	dir = keyDir(t.TempDir())
	if err := os.Chmod(string(dir), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.load(); err == nil || !strings.Contains(err.Error(), "others can put keys into") {
		t.Errorf("a directory that others can write to: %v", err)
	}
}
