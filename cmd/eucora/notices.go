package main

import (
	"log/slog"
	"math/rand/v2"
	"os"
	"time"

	"github.com/eucora/eucora/internal/notify"
	"github.com/google/uuid"
)

// notices reads who is told what; nil if nobody is. Secrets are in files of their
// own, which the file names.
func (f siteFlags) notices() (*notify.Site, error) {
	if f.Notices == "" {
		return nil, nil
	}
	text, err := os.ReadFile(f.Notices)
	if err != nil {
		return nil, usage("--notices: %v", err)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "" // it is only said where there is one
	}
	site, err := notify.Parse(text, notify.Options{ReadFile: os.ReadFile, Hostname: host, Version: version})
	if err != nil {
		return nil, usage("--notices %s: %v", f.Notices, err)
	}
	return site, nil
}

// delivery sends what is in the outbox, sharing the work with other replicas.
func (s *site) delivery(log *slog.Logger) *notify.Delivery {
	return &notify.Delivery{
		Store: s.store, Site: s.notices, Owner: uuid.NewString(), Log: log, Clock: time.Now,
		Jitter: func(most time.Duration) time.Duration { return rand.N(most + 1) },
	}
}
