package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/identity"
	"github.com/eucora/eucora/internal/monitor"
	"github.com/eucora/eucora/internal/store/storetest"
	"github.com/eucora/eucora/internal/workflow"
)

// TestMonitorEvery: it looks again and again, says what it found when that is new,
// and ends, when it is stopped, with what it knows.
func TestMonitorEvery(t *testing.T) {
	dir := t.TempDir()
	site := siteFlags{databaseFlags: databaseFlags{Data: dir}}
	served, err := (&serveCmd{siteFlags: site, Listen: "127.0.0.1:0"}).start(context.Background(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = served.stop(context.Background()) }()
	setup := workflow.Call{Actor: cab.Setup}
	id, token, hash := identity.NewSecret()
	if _, err := served.service.AddUser(context.Background(), setup, "ada", cab.Auditor); err != nil {
		t.Fatal(err)
	}
	if _, err := served.service.IssueToken(context.Background(), setup, "ada", id, "test", hash, 30); err != nil {
		t.Fatal(err)
	}
	// looks is a monitor that is stopped at the beginning of a round, and what it said.
	looks := func(rounds int, before func(round int), handler http.Handler) (string, error) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		n := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/log/checkpoint" {
				if n++; n > rounds {
					cancel()
				}
				before(n)
			}
			handler.ServeHTTP(w, r)
		}))
		defer server.Close()
		var out bytes.Buffer
		a := &app{ctx: ctx, out: &out, errOut: io.Discard}
		c := &auditMonitorCmd{State: filepath.Join(dir, "mirror"), Every: 10 * time.Millisecond}
		client := &api.Client{Server: server.URL, Token: token}
		err := c.again(a, monitor.New(monitor.Options{Client: client, Dir: c.State}), a.progress())
		return out.String(), err
	}
	nothing := func(int) {}
	out, err := looks(2, nothing, served.http.Handler)
	if err != nil || strings.Count(out, "rows are shown as the events say") != 2 {
		t.Errorf("nothing to find: %v\n%s", err, out)
	}
	if out, err = looks(2, nothing, http.NotFoundHandler()); statusOf(err) != exitUnknown || out != "" {
		t.Errorf("nothing to see: %v\n%s", err, out)
	}
	db := storetest.Owner(t, site.url())
	storetest.DropTriggers(t, db, "sqlite")
	alter := func(round int) {
		name := map[bool]string{true: "x", false: "y"}[round == 2]
		if _, err := db.Exec(`UPDATE risk_model SET published_by_name = $1`, name); err != nil {
			t.Error(err)
		}
	}
	out, err = looks(4, alter, served.http.Handler)
	if statusOf(err) != exitNo || strings.Count(out, "✗") != 3 || strings.Count(out, "as before") != 1 || strings.Count(out, `as "x (`) != 1 {
		t.Errorf("found: %v\n%s", err, out)
	}
}

// TestMonitorCounts: what a report has no room for is counted.
func TestMonitorCounts(t *testing.T) {
	var out bytes.Buffer
	(&auditMonitorCmd{State: "mirror"}).tell(&app{out: &out}, monitor.Report{Findings: []string{"history was rewritten", "a row"}, LeftOut: 7}, nil)
	if !strings.HasPrefix(out.String(), "✗ history was rewritten\n✗ a row\n✗ and 7 more\n") {
		t.Errorf("%s", out.String())
	}
}

// TestMonitorBreaksOff: a round that found something and then could not go on says so,
// and not that the log contradicts itself.
func TestMonitorBreaksOff(t *testing.T) {
	var out bytes.Buffer
	c := &auditMonitorCmd{State: "mirror"}
	err := c.verdict(&app{out: &out}, monitor.Report{Findings: []string{"a row"}}, errors.New("cannot reach the server"))
	if statusOf(err) != exitNo || !strings.Contains(err.Error(), "cannot reach") || !strings.Contains(out.String(), "✗ a row\n") || strings.Contains(out.String(), "does not hold") {
		t.Errorf("%v\n%s", err, out.String())
	}
}
