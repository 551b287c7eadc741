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
	"github.com/eucora/eucora/internal/notify"
	"github.com/eucora/eucora/internal/witness"
	"golang.org/x/term"
)

type serveCmd struct {
	siteFlags
	keyFlags
	stampFlags
	proxyFlags
	noticeFlags
	Listen string `help:"Address to listen on." default:"127.0.0.1:8080" env:"EUCORA_LISTEN" placeholder:"HOST:PORT"`
}

// proxyFlags say how people get here.
type proxyFlags struct {
	URL     string   `help:"Where people reach the console. If it begins with https://, cookies are sent over TLS only." env:"EUCORA_URL" placeholder:"URL"`
	Trusted []string `help:"Networks of the reverse proxies before this, for example 10.0.0.0/8. X-Forwarded-For and X-Forwarded-Proto are believed of them, and of nobody else." name:"trusted-proxy" env:"EUCORA_TRUSTED_PROXY" placeholder:"CIDR,..."`
}

// read returns the proxies, and whether people come over TLS.
func (f proxyFlags) read() (identity.Proxies, bool, error) {
	proxies, err := identity.ParseProxies(f.Trusted)
	if err != nil {
		return nil, false, usage("--trusted-proxy %v", err)
	}
	u, err := url.Parse(f.URL)
	if f.URL != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "") {
		return nil, false, usage("--url (EUCORA_URL) %q: want an address that begins with https:// or http://", f.URL)
	}
	return proxies, f.URL != "" && u.Scheme == "https", nil
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
	proxies, secure, err := c.read()
	if err != nil {
		return nil, err
	}
	notices, outbox, err := c.notices()
	if err != nil {
		return nil, err
	}
	s, err := c.openTelling(ctx, log, outbox)
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
		Service: s.service, Auth: identity.New(background, s.store, nil, log), Proxies: proxies, LedgerKey: s.store.LedgerKey(), Keys: keys.load,
		Ready: s.store.Ready, Log: log, Version: version,
	})
	if err != nil {
		cancel()
		return nil, errors.Join(err, s.store.Close())
	}
	pages, err := console.New(console.Options{
		Service: s.service, Sessions: identity.NewSessions(s.store, nil), Proxies: proxies, Secure: secure, Log: log, Version: version,
	})
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
	c.work(background, running, handler, notices, log)
	go func() {
		if err := running.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			running.failed <- err
		}
	}()
	return running, nil
}

// work begins what goes on beside the calls.
func (c *serveCmd) work(background context.Context, running *server, handler *httpapi.Server, notices *notify.Site, log *slog.Logger) {
	running.working.Go(func() { running.service.RunClock(background, log) })
	if notices != nil {
		telling := delivery(running.store, notices, handler, log)
		running.working.Go(func() { telling.Run(background) })
	}
	if trust := running.service.Witnesses(); trust != nil {
		offering := &witness.Offering{Store: running.store, Trust: trust, Log: log, Failed: handler.WitnessFailed}
		running.working.Go(func() { offering.Run(background) })
	}
	if c.Authority != "" {
		stamping := &witness.Stamping{
			Store: running.store, Trust: running.service.Witnesses(), Authority: c.Authority, Every: c.Every, Log: log, Failed: handler.TimestampFailed,
		}
		running.working.Go(func() { stamping.Run(background) })
	}
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
