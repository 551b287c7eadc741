// Bench measures Eucora on this machine: every figure with a ceiling measured
// in the same run, for machines differ and are noisy. It prints, and judges
// nothing. docs/performance.md says what the figures mean.
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/httpapi"
	"github.com/eucora/eucora/internal/identity"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/risk"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
	"github.com/eucora/eucora/internal/workflow"
)

var (
	only    = flag.String("only", "", "comma-separated parts: score, writes, workflow, reads, start, files, ledger; all if empty")
	seconds = flag.Float64("seconds", 3, "seconds for each measurement")
	rows    = flag.Int("rows", 1_000_000, "requests in the large database of the part reads, events of the part ledger")
)

func main() {
	flag.Parse()
	if *rows < 1 || *seconds <= 0 || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "bench: -rows and -seconds are more than nothing, and nothing follows the flags")
		os.Exit(2)
	}
	debug.SetGCPercent(400) // as serve does
	testing.Init()          // storetest asks for a testing.TB
	for _, part := range []struct {
		name string
		run  func(t *bench)
	}{{"score", scores}, {"writes", writes}, {"workflow", workflows}, {"reads", reads}, {"start", starts}, {"files", files}, {"ledger", ledgers}} {
		if *only == "" || slices.Contains(strings.Split(*only, ","), part.name) {
			b := &bench{}
			part.run(b)
			b.cleanup()
		}
	}
}

// bench stands in for a testing.TB: a failure ends the program.
type bench struct {
	testing.TB
	cleanups []func()
}

func (b *bench) Helper()          {}
func (b *bench) Cleanup(f func()) { b.cleanups = append(b.cleanups, f) }
func (b *bench) Logf(format string, args ...any) {
	fmt.Printf(format+"\n", args...)
}
func (b *bench) Fatal(args ...any) { fmt.Println(args...); os.Exit(1) }
func (b *bench) Fatalf(format string, args ...any) {
	b.Fatal(fmt.Sprintf(format, args...))
}
func (b *bench) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (b *bench) TempDir() string {
	dir, err := os.MkdirTemp("", "eucora-bench-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (b *bench) cleanup() {
	for _, f := range slices.Backward(b.cleanups) {
		f()
	}
}

func (b *bench) check(err error) {
	if err != nil {
		b.Fatal(err)
	}
}

// rate runs a call on several goroutines for a while and returns how many a
// second were done.
func rate(b *bench, callers int, call func(caller int) error) float64 {
	var n atomic.Int64
	stop := make(chan struct{})
	var all sync.WaitGroup
	begin := time.Now()
	for i := range callers {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				b.check(call(i))
				n.Add(1)
			}
		})
	}
	time.Sleep(time.Duration(*seconds * float64(time.Second)))
	close(stop)
	all.Wait()
	return float64(n.Load()) / time.Since(begin).Seconds()
}

// latency runs a call n times and returns its median and 99th percentile.
func latency(b *bench, n int, call func(i int) error) (p50, p99 time.Duration) {
	took := make([]time.Duration, n)
	for i := range n {
		begin := time.Now()
		b.check(call(i))
		took[i] = time.Since(begin)
	}
	slices.Sort(took)
	return took[n/2], took[n*99/100]
}

func say(format string, args ...any) { fmt.Printf("  "+format+"\n", args...) }

// site is a served API over a database.
type site struct {
	store   *store.Store
	service *workflow.Service
	server  *httptest.Server
	erin    workflow.Call
	carol   workflow.Call
	tokens  map[string]string
	url     string
}

func openSite(b *bench, url string, maxBatch int) *site {
	ctx := context.Background()
	secret, err := ledger.GenerateKey("eucora.bench/ledger", rand.Reader)
	b.check(err)
	signer, err := ledger.NewSigner(secret)
	b.check(err)
	quiet := slog.New(slog.DiscardHandler)
	st, err := store.Open(ctx, store.Options{URL: url, Signer: signer, Log: quiet, MaxBatch: maxBatch})
	b.check(err)
	s := &site{store: st, service: workflow.New(st, workflow.Options{}), tokens: map[string]string{}, url: url}
	b.check(s.service.Prepare(ctx))
	setup := workflow.Call{Actor: cab.Setup}
	for name, role := range map[string]cab.Role{"erin": cab.PackagingEngineer, "carol": cab.CABMember} {
		p, err := s.service.AddUser(ctx, setup, name, role)
		b.check(err)
		id, token, hash := identity.NewSecret()
		_, err = s.service.IssueToken(ctx, setup, name, id, "", hash, 1)
		b.check(err)
		s.tokens[name] = token
		call := workflow.Call{Actor: p.Actor(), Source: cab.Source{Address: "127.0.0.1", UserAgent: "bench"}}
		if name == "erin" {
			s.erin = call
		} else {
			s.carol = call
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	handler, err := httpapi.New(httpapi.Options{
		Service: s.service, Auth: identity.New(ctx, st, nil, quiet), LedgerKey: st.LedgerKey(), Ready: st.Ready, Log: quiet, Version: "bench",
	})
	b.check(err)
	s.server = httptest.NewServer(handler)
	b.Cleanup(func() {
		s.server.Close()
		cancel()
		b.check(st.Close())
	})
	return s
}

func (s *site) client(name string, connections int) *api.Client {
	return &api.Client{Server: s.server.URL, Token: s.tokens[name], HTTP: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: connections}, Timeout: time.Minute,
	}}
}

func (s *site) deployment(b *bench) string {
	d, err := s.service.CreateDeployment(context.Background(), s.erin, "app", "1", cab.Pilot)
	b.check(err)
	return d.ID
}

// fourKiB is complete evidence of about 4 KiB. kind is low (approved by rule)
// or mid (for the board).
func fourKiB(b *bench, kind string) []byte {
	coverage, validated := "95", "true"
	if kind == "mid" {
		coverage, validated = "50", "false"
	}
	var steps []string
	for i := range 42 {
		steps = append(steps, fmt.Sprintf(`{"n":%d,"do":"step %d of the way back, in some words","expect":"exit 0"}`, i, i))
	}
	text := `{"artifacts":{"name":"app.msi","sha256":"` + strings.Repeat("ab", 32) + `","signature":{"status":"valid"},"sbom":{"format":"CycloneDX","components":120}},
	"test_results":{"coverage_percent":` + coverage + `,"manual_test_status":"completed","total":120,"passed":120},
	"scan_results":{"scanner":"trivy","critical":0,"high":2,"medium":7},
	"deployment_plan":{"rings":["LAB","CANARY"],"affected_components":["a","b","c","d","e","f"],"affected_users":500,"complexity":"medium"},
	"rollback_plan":{"strategy":"reinstall","validated":` + validated + `,"steps":[` + strings.Join(steps, ",") + `]}}`
	canonical, err := evidence.Canonical([]byte(text))
	b.check(err)
	return canonical
}

func scores(b *bench) {
	fmt.Println("Score")
	data := fourKiB(b, "low")
	model := risk.Embedded()[0]
	sections, err := evidence.ParseSections(data)
	b.check(err)
	facts := evidence.ReadFacts(sections)
	say("%d bytes of evidence: reading its facts and scoring them %.1f µs (wanted: under 20 µs); of it arithmetic %.1f µs; and before that, telling its sections apart %.1f µs", len(data),
		micros(func() { model.Assess(evidence.ReadFacts(sections)) }), micros(func() { model.Assess(facts) }),
		micros(func() { _, err = evidence.ParseSections(data) }))
	b.check(err)
}

// micros is how long something takes, over a second of it.
func micros(do func()) float64 {
	n := 0
	begin := time.Now()
	for time.Since(begin) < time.Second {
		do()
		n++
	}
	return float64(time.Since(begin).Nanoseconds()) / float64(n) / 1000
}

// bare prepares the rows of one submission, to be saved without any verb.
func (s *site) bare(b *bench, deploymentID string, data []byte) func(int) error {
	ctx := context.Background()
	d, err := s.service.Deployment(ctx, s.erin, deploymentID)
	b.check(err)
	e, err := s.service.CreateEvidence(ctx, s.erin, deploymentID, data)
	b.check(err)
	rules, err := cab.ParsePolicy(cab.DefaultPolicy())
	b.check(err)
	facts := evidence.ReadFacts(e.Record.Sections)
	return func(int) error {
		call := cab.Call{Actor: s.erin.Actor, Source: s.erin.Source, Now: time.Now().UTC().Truncate(time.Microsecond)}
		record := e.Record
		record.ID = newID()
		filed, err := cab.NewPackage(call, d, record, e.Document, e.ContentHash)
		if err != nil {
			return err
		}
		if err := s.store.Update(ctx, func(tx *store.Tx) error { return tx.Save(filed) }); err != nil {
			return err
		}
		submitted, err := cab.Submit(call, cab.Submission{
			ID: newID(), Deployment: d, Package: *filed.Package, Score: e.Record.Assessment.Score, Model: "1.0",
			Complete: e.Record.Completeness, Facts: facts, LatestID: record.ID, Policy: rules, Urgency: cab.Standard,
		})
		if err != nil {
			return err
		}
		return s.store.Update(ctx, func(tx *store.Tx) error { return tx.Save(submitted) })
	}
}

// writes: durable submissions, each evidence of 4 KiB and its submission: two
// transactions.
func writes(b *bench) {
	for _, engine := range storetest.Engines(b) {
		fmt.Printf("Durable submissions on %s, 64 callers\n", engine.Name)
		data := fourKiB(b, "low")
		grouped := openSite(b, engine.URL(b), 0)
		single := openSite(b, engine.URL(b), 1)
		var bare, one float64
		for range 2 { // in turn, for the machine drifts
			bare += rate(b, 64, grouped.bare(b, grouped.deployment(b), data)) / 2
			one += rate(b, 64, single.bare(b, single.deployment(b), data)) / 2
		}
		say("bare loop, the same rows, group commit:   %7.0f/s", bare)
		say("bare loop, one transaction each:          %7.0f/s   group commit is worth %.1f times", one, bare/one)
		verbs := rate(b, 64, grouped.verbs(b, data))
		say("verbs (read, decide, save), no HTTP:      %7.0f/s   %3.0f %% of the bare loop", verbs, 100*verbs/bare)
		served := rate(b, 64, grouped.overHTTP(b, data, 64))
		say("over HTTP, load on the same cores:        %7.0f/s   %3.0f %% of the bare loop (wanted: 30 %% on SQLite)", served, 100*served/bare)
		alone := rate(b, 1, grouped.overHTTP(b, data, 1))
		say("over HTTP, one caller:                    %7.0f/s", alone)
	}
}

// verbs gives each caller a deployment of its own, anew after a while: the
// newest package of a deployment is the one that counts.
func (s *site) verbs(b *bench, data []byte) func(int) error {
	ctx := context.Background()
	ids := make([]string, 64)
	for i := range ids {
		ids[i] = s.deployment(b)
	}
	return func(caller int) error {
		e, err := s.service.CreateEvidence(ctx, s.erin, ids[caller], data)
		if err != nil {
			return err
		}
		_, err = s.service.Submit(ctx, s.erin, workflow.Submission{PackageID: e.ID, Urgency: cab.Standard})
		return err
	}
}

func (s *site) overHTTP(b *bench, data []byte, callers int) func(int) error {
	ctx := context.Background()
	ids := make([]string, callers)
	for i := range ids {
		ids[i] = s.deployment(b)
	}
	client := s.client("erin", callers)
	return func(caller int) error {
		e, err := client.CreateEvidence(ctx, api.CreateEvidence{DeploymentID: ids[caller], EvidenceData: data})
		if err != nil {
			return err
		}
		_, err = client.Submit(ctx, api.Submit{PackageID: e.ID})
		return err
	}
}

// workflows: evidence, submission, approval: three requests, 32 callers.
func workflows(b *bench) {
	for _, engine := range storetest.Engines(b) {
		s := openSite(b, engine.URL(b), 0)
		ctx, data := context.Background(), fourKiB(b, "mid")
		ids := make([]string, 32)
		for i := range ids {
			ids[i] = s.deployment(b)
		}
		erin, carol := s.client("erin", 32), s.client("carol", 32)
		done := rate(b, 32, func(caller int) error {
			e, err := erin.CreateEvidence(ctx, api.CreateEvidence{DeploymentID: ids[caller], EvidenceData: data})
			if err != nil {
				return err
			}
			r, err := erin.Submit(ctx, api.Submit{PackageID: e.ID})
			if err != nil {
				return err
			}
			_, err = carol.Approve(ctx, r.ID, api.Approve{Rationale: "fine"})
			return err
		})
		fmt.Printf("Whole workflow (evidence, submit, approve over HTTP) on %s, 32 callers: %.0f/s\n", engine.Name, done)
		say("the earlier implementation reached 60 to 125/s on this kind of machine; wanted on PostgreSQL: fifteen times that, 900 to 1,875/s")
	}
}

func dataDir(b *bench) string { return filepath.Join(b.TempDir(), "data") }
