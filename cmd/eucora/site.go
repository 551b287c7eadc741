package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/eucora/eucora/internal/artifact"
	"github.com/eucora/eucora/internal/attachment"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/workflow"
)

// databaseFlags say where a site keeps what it knows.
type databaseFlags struct {
	Data        string `help:"Data directory." default:"eucora-data" env:"EUCORA_DATA" placeholder:"DIR"`
	Database    string `help:"sqlite:PATH or postgres://… (default: eucora.db in the data directory)." env:"EUCORA_DATABASE" placeholder:"URL"`
	Attachments string `help:"Directory of the evidence packages' files (default: attachments in the data directory); replicas share it." env:"EUCORA_ATTACHMENTS" placeholder:"DIR"`
}

// siteFlags are what verbs on a site want.
type siteFlags struct {
	databaseFlags
	Trust     string `help:"Directory of certificates and public keys whose signatures of artifacts count; without it nobody's do." env:"EUCORA_TRUST" type:"existingdir" placeholder:"DIR"`
	Witnesses string `help:"A C2SP tlog-policy: who witnesses the ledger, where they are, and how many must. Without it nobody is asked." name:"witness-policy" env:"EUCORA_WITNESS_POLICY" type:"existingfile" placeholder:"FILE"`
	LedgerKey string `help:"File with the ledger's signing key (default: ledger.key in the data directory; made at the first start)." env:"EUCORA_LEDGER_KEY" placeholder:"FILE"`
}

func (f databaseFlags) url() string {
	if f.Database != "" {
		return f.Database
	}
	return "sqlite:" + filepath.Join(f.Data, "eucora.db")
}

func (f siteFlags) keyFile() string {
	if f.LedgerKey != "" {
		return f.LedgerKey
	}
	return filepath.Join(f.Data, "ledger.key")
}

func (f databaseFlags) attachments() string {
	if f.Attachments != "" {
		return f.Attachments
	}
	return filepath.Join(f.Data, "attachments")
}

// trusted reads the directory of certificates and keys. It is read once: whoever
// changes it starts the server again.
func (f siteFlags) trusted() (*artifact.Trust, error) {
	if f.Trust == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(f.Trust)
	if err != nil {
		return nil, usage("--trust: %v", err)
	}
	files := map[string][]byte{}
	for _, entry := range entries {
		if entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		if files[entry.Name()], err = os.ReadFile(filepath.Join(f.Trust, entry.Name())); err != nil {
			return nil, usage("--trust: %v", err)
		}
	}
	trust, err := artifact.ParseTrust(files)
	if err != nil {
		return nil, usage("--trust: %v", err)
	}
	return trust, nil
}

// witnesses reads the trust policy; nil if there is none.
func (f siteFlags) witnesses(key string) (*ledger.Trust, error) {
	if f.Witnesses == "" {
		return nil, nil
	}
	text, err := os.ReadFile(f.Witnesses)
	if err != nil {
		return nil, usage("--witness-policy: %v", err)
	}
	trust, err := ledger.ParseTrust(text)
	if err != nil {
		return nil, usage("--witness-policy %s: %v", f.Witnesses, err)
	}
	if trust.Key != key {
		return nil, usage("--witness-policy %s is about the log %s, and this ledger's key is %s", f.Witnesses, trust.Key, key)
	}
	return trust, nil
}

// site is an open store with the verbs on it.
type site struct {
	store   *store.Store
	service *workflow.Service
}

// open opens a site, making it at the first start. Nobody is told what is done on it.
func (f siteFlags) open(ctx context.Context, log *slog.Logger) (*site, error) {
	return f.openTelling(ctx, log, nil)
}

// openTelling opens a site; outbox is how people are told, nil: they are not.
func (f siteFlags) openTelling(ctx context.Context, log *slog.Logger, outbox func(cab.Notice) ([]store.Job, error)) (*site, error) {
	if f.Data == "" {
		return nil, usage("--data (EUCORA_DATA) is empty")
	}
	signer, err := loadKey(f.keyFile())
	if err != nil {
		return nil, err
	}
	trust, err := f.trusted()
	if err != nil {
		return nil, err
	}
	witnesses, err := f.witnesses(signer.VerifierKey())
	if err != nil {
		return nil, err
	}
	files, err := attachment.Open(f.attachments())
	if err != nil {
		return nil, err
	}
	st, err := store.Open(ctx, store.Options{URL: f.url(), Signer: signer, Log: log, Outbox: outbox})
	if errors.Is(err, store.ErrAddress) {
		return nil, usage("%v", err)
	}
	if err != nil {
		return nil, err
	}
	s := &site{st, workflow.New(st, workflow.Options{Files: files, Trust: trust, Witnesses: witnesses})}
	if err := s.service.Prepare(ctx); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return s, nil
}

// run opens a site for one command at the machine's own command line.
func (f siteFlags) run(a *app, do func(s *site, call workflow.Call) error) error {
	s, err := f.open(a.ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	call := workflow.Call{Actor: cab.Setup, Source: cab.Source{Address: "command line", UserAgent: "eucora " + version}}
	err = do(s, call)
	if cab.KindOf(err) == cab.Invalid {
		err = usage("%v", err)
	}
	return errors.Join(err, s.store.Close())
}

// loadKey reads the ledger's key, or makes it: a file that only its owner can
// read. One that others can read is refused, for it has to be thought stolen.
func loadKey(path string) (*ledger.Signer, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeKey(path); err != nil {
			return nil, err
		}
		info, err = os.Stat(path)
	}
	if err != nil {
		return nil, fmt.Errorf("ledger key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("ledger key %s can be read by others (mode %04o): chmod 600 it, and think of it as known to them", path, info.Mode().Perm())
	}
	secret, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("ledger key: %w", err)
	}
	signer, err := ledger.NewSigner(string(secret))
	if err != nil {
		return nil, fmt.Errorf("ledger key %s: %w", path, err)
	}
	return signer, nil
}

func makeKey(path string) error {
	var name [8]byte
	rand.Read(name[:])
	secret, err := ledger.GenerateKey("eucora.local/ledger/"+hex.EncodeToString(name[:]), rand.Reader)
	if err != nil {
		return err
	}
	// Linked into place: of two that start at once one wins.
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("ledger key: %w", err)
	}
	err = writeTo(path, os.Link, func(file *os.File) error {
		_, err := io.WriteString(file, strings.TrimSpace(secret)+"\n")
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("ledger key: %w", err)
	}
	return nil
}
