package main

import (
	"log/slog"
	"math/rand/v2"
	"os"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/httpapi"
	"github.com/eucora/eucora/internal/notify"
	"github.com/eucora/eucora/internal/store"
	"github.com/google/uuid"
)

// noticeFlags say who is told what.
type noticeFlags struct {
	Notices string `help:"A YAML file that says who is told what, and how: mail, Slack, Teams, webhooks, syslog. Without it nobody is told." env:"EUCORA_NOTICES" type:"existingfile" placeholder:"FILE"`
}

// notices reads the file, and the secrets from the files that it names. Without one
// both are nil.
func (f noticeFlags) notices() (*notify.Site, func(cab.Notice) ([]store.Job, error), error) {
	if f.Notices == "" {
		return nil, nil, nil
	}
	text, err := os.ReadFile(f.Notices)
	if err != nil {
		return nil, nil, usage("--notices: %v", err)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "" // it is only said where there is one
	}
	site, err := notify.Parse(text, notify.Options{ReadFile: os.ReadFile, Hostname: host, Version: version})
	if err != nil {
		return nil, nil, usage("--notices %s: %v", f.Notices, err)
	}
	return site, site.Outbox, nil
}

// delivery sends what is in the outbox, sharing the work with other replicas.
func delivery(st *store.Store, site *notify.Site, handler *httpapi.Server, log *slog.Logger) *notify.Delivery {
	return &notify.Delivery{
		Store: st, Site: site, Owner: uuid.NewString(), Log: log, Clock: time.Now, Tried: handler.NoticeTried,
		Jitter: func(most time.Duration) time.Duration { return rand.N(most + 1) },
	}
}
