package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/eucora/eucora/internal/console"
	"github.com/eucora/eucora/internal/httpapi"
	"github.com/eucora/eucora/internal/identity"
	"github.com/eucora/eucora/internal/witness"
	"golang.org/x/term"
)

type serveCmd struct {
	siteFlags
	keyFlags
	stampFlags
	Listen string `help:"Address to listen on." default:"127.0.0.1:8080" env:"EUCORA_LISTEN" placeholder:"HOST:PORT"`
}

// stampFlags say who time-stamps checkpoints, and how often.
type stampFlags struct {
	Authority string        `help:"Address of an RFC 3161 time-stamping authority that is to stamp checkpoints. Without it nobody does." name:"timestamp-authority" env:"EUCORA_TIMESTAMP_AUTHORITY" placeholder:"URL"`
	Every     time.Duration `help:"How often, if the ledger has grown." name:"timestamp-every" default:"1h" env:"EUCORA_TIMESTAMP_EVERY" placeholder:"DURATION"`
}

func (f stampFlags) check() error {
	if f.Authority == "" {
		return nil
	}
	if u, err := url.Parse(f.Authority); err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return usage("--timestamp-authority %q: want an address that begins with https:// or http://", f.Authority)
	}
	if f.Every < time.Second {
		return usage("--timestamp-every %s: want a second at least", f.Every)
	}
	return nil
}

// collectAt is when garbage is collected: the heap is a few MB, and collecting
// it at every doubling costs a tenth of a busy server.
const collectAt = 400

// memory is where garbage is collected sooner: while large reports are read, and
// the heap is not small. It is no limit; GOMEMLIMIT goes before it.
const memory = 280 << 20

// graceful is how long accepted requests may take to finish after the signal.
const graceful = 30 * time.Second

// Run serves until a signal; a second one cuts.
func (c *serveCmd) Run(a *app) error {
	if c.Listen == "" {
		return usage("--listen (EUCORA_LISTEN) is empty; to listen on every address say so: 0.0.0.0:8080")
	}
	debug.SetGCPercent(collectAt)
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memory)
	}
	server, err := c.start(a.ctx, logger())
	if err != nil {
		return err
	}
	a.printf("listening on http://%s\n", server.address)
	select {
	case <-a.ctx.Done():
	case err := <-server.failed:
		return errors.Join(err, server.stop(context.Background()))
	}
	cut, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	limited, cancel := context.WithTimeout(cut, graceful)
	defer cancel()
	fmt.Fprintln(a.errOut, "stopping: requests that were accepted finish; a second signal cuts")
	go func() { // the store may still be waiting for a database that hangs
		third := make(chan os.Signal, 1)
		<-cut.Done()
		signal.Notify(third, os.Interrupt, syscall.SIGTERM)
		select {
		case <-third:
			os.Exit(exitUnknown)
		case <-a.done:
		}
	}()
	defer close(a.done)
	return server.stop(limited)
}

func logger() *slog.Logger {
	if term.IsTerminal(int(os.Stderr.Fd())) {
		return slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return slog.New(slog.NewJSONHandler(os.Stderr, nil))
}

// server is a running server.
type server struct {
	*site
	address    string
	failed     chan error
	http       *http.Server
	background context.CancelFunc
	working    *sync.WaitGroup
}

// start opens the site and begins to serve.
func (c *serveCmd) start(ctx context.Context, log *slog.Logger) (*server, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	s, err := c.open(ctx, log)
	if err != nil {
		return nil, err
	}
	keys := c.directory(c.siteFlags)
	if err := s.prepareKeys(ctx, keys); err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	running := &server{site: s, failed: make(chan error, 1), background: cancel, working: new(sync.WaitGroup)}
	handler, err := httpapi.New(httpapi.Options{
		Service: s.service, Auth: identity.New(background, s.store, nil, log), LedgerKey: s.store.LedgerKey(), Keys: keys.load,
		Ready: s.store.Ready, Log: log, Version: version,
	})
	if err != nil {
		cancel()
		return nil, errors.Join(err, s.store.Close())
	}
	pages, err := console.New(console.Options{Service: s.service, Sessions: identity.NewSessions(s.store, nil), Log: log, Version: version})
	if err != nil {
		cancel()
		return nil, errors.Join(err, s.store.Close())
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		cancel()
		return nil, errors.Join(usage("cannot listen on %s: %v", c.Listen, err), s.store.Close())
	}
	running.address = listener.Addr().String()
	running.http = &http.Server{
		Handler: front{handler, pages}, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	running.working.Go(func() { s.service.RunClock(background, log) })
	if trust := s.service.Witnesses(); trust != nil {
		offering := &witness.Offering{Store: s.store, Trust: trust, Log: log, Failed: handler.WitnessFailed}
		running.working.Go(func() { offering.Run(background) })
	}
	if c.Authority != "" {
		stamping := &witness.Stamping{
			Store: s.store, Trust: s.service.Witnesses(), Authority: c.Authority, Every: c.Every, Log: log, Failed: handler.TimestampFailed,
		}
		running.working.Go(func() { stamping.Run(background) })
	}
	go func() {
		if err := running.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			running.failed <- err
		}
	}()
	return running, nil
}

// stop lets accepted requests finish, until ctx is done, and then closes.
func (s *server) stop(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(unknown("requests were cut: %v", err), s.http.Close())
	}
	s.background()
	s.working.Wait()
	return errors.Join(err, s.store.Close())
}
