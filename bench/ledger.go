package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
)

// ledgers: checking a log of -rows events against hashing its leaves alone, memory,
// proofs, what checkpoints cost submissions, and bytes an event.
func ledgers(b *bench) {
	for _, engine := range storetest.Engines(b) {
		fmt.Printf("The ledger on %s\n", engine.Name)
		s := openSite(b, engine.URL(b), 0)
		small := min(*rows, 100_000)
		s.events(b, small)
		verifying(b, s, small)
		if *rows > small {
			s.events(b, *rows-small)
			verifying(b, s, *rows)
		}
		proving(b, s, *rows)
		storage(b, s, engine.Name)
		checkpointing(b, s)
	}
}

// events writes n events, many in one transaction.
func (s *site) events(b *bench, n int) {
	ctx := context.Background()
	call := cab.Call{Actor: s.erin.Actor, Source: s.erin.Source}
	const each = 500
	for done := 0; done < n; done += each {
		b.check(s.store.Update(ctx, func(tx *store.Tx) error {
			for range min(each, n-done) {
				call.Now = time.Now().UTC().Truncate(time.Microsecond)
				change, err := cab.NewDeployment(call, newID(), newID(), "Notepad++", "8.7.1", cab.Pilot)
				if err != nil {
					return err
				}
				if err := tx.Save(change); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	_, err := s.store.Checkpoint(ctx)
	b.check(err)
}

// verifying compares on one core, by the time that this process had the processor:
// others on the machine do not count. PostgreSQL reads for it on another core.
func verifying(b *bench, s *site, n int) {
	ctx := context.Background()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	verifier, err := ledger.NewVerifier(s.store.LedgerKey())
	b.check(err)
	var leaves [][]byte
	b.check(s.store.View(ctx, func(r *store.Reader) error {
		page, err := r.Leaves(int64(min(1000, n/2)), 20_000)
		for _, row := range page {
			leaves = append(leaves, row.Leaf)
		}
		return err
	}))
	alone := 1e9
	for range 9 {
		begin := processor(b)
		for _, leaf := range leaves {
			ledger.LeafHash(leaf)
		}
		alone = min(alone, (processor(b)-begin)/float64(len(leaves)))
	}
	run := func(o store.VerifyOptions) (each float64, peak string) {
		debug.FreeOSMemory()                                           // what went before is not this run's
		b.check(os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)) // the peak begins here
		o.Verifier = verifier
		begin := processor(b)
		report, err := s.store.Verify(ctx, o)
		took := processor(b) - begin
		b.check(err)
		if len(report.Findings) > 0 {
			b.Fatal(report.Findings[0].What)
		}
		return took / float64(report.Events), peakMemory(b)
	}
	log, peakLog := run(store.VerifyOptions{LogOnly: true})
	for range 2 { // the best of three, as of hashing alone
		again, _ := run(store.VerifyOptions{LogOnly: true})
		log = min(log, again)
	}
	whole, peakWhole := run(store.VerifyOptions{})
	say("%9d events of %d bytes: hashing the leaves alone %.2f µs each; leaves, tree and checkpoints from the database %.2f µs (%.0f%% of that speed, wanted 40%%), peak %s",
		n, len(leaves[0]), alone/1000, log/1000, 100*alone/log, peakLog)
	say("          and with what they say, every row and document: %.1f µs an event, peak %s", whole/1000, peakWhole)
}

// processor is the time that this process has had the processor, in nanoseconds.
func processor(b *bench) float64 {
	var used syscall.Rusage
	b.check(syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return float64(used.Utime.Nano() + used.Stime.Nano())
}

func peakMemory(b *bench) string {
	text, err := os.ReadFile("/proc/self/status")
	b.check(err)
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, "VmHWM:"); found {
			return strings.TrimSpace(value)
		}
	}
	return "?"
}

func proving(b *bench, s *site, n int) {
	ctx := context.Background()
	prove := func(int) error {
		_, err := s.service.Proof(ctx, s.carol, rand.Int64N(int64(n)))
		return err
	}
	latency(b, 100, prove)
	p50, p99 := latency(b, 2000, prove)
	say("a proof among %d events: p50 %s p99 %s (wanted: p99 under 5 ms)", n, p50, p99)
}

// checkpointing signs ten times as often as the server does, and takes a tenth of
// what submissions lose.
func checkpointing(b *bench, s *site) {
	ctx := context.Background()
	call := s.verbs(b, fourKiB(b, "low"))
	const more = 10
	measure := func(often bool) float64 {
		stop := make(chan struct{})
		var signing sync.WaitGroup
		if often {
			signing.Go(func() {
				ticker := time.NewTicker(400 * time.Millisecond / more)
				defer ticker.Stop()
				for {
					select {
					case <-stop:
						return
					case <-ticker.C:
						_, err := s.store.Checkpoint(ctx)
						b.check(err)
					}
				}
			})
		}
		r := rate(b, 64, call)
		close(stop)
		signing.Wait()
		return r
	}
	var plain, often []float64
	for range 5 {
		plain = append(plain, measure(false))
		often = append(often, measure(true))
	}
	lost := 1 - median(often)/median(plain)
	say("submissions with the server's checkpoints %.0f/s, with %d more for each %.0f/s: one costs %.1f%% (wanted: under 5%%)", median(plain), more, median(often), 100*lost/more)
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// storage is bytes an event, by table and index.
func storage(b *bench, s *site, engine string) {
	db := storetest.Owner(b, s.url)
	var events, leaves float64
	length := `SELECT COUNT(*), AVG(length(leaf)) FROM event`
	b.check(db.QueryRow(length).Scan(&events, &leaves))
	text := `SELECT name, SUM(pgsize) FROM dbstat WHERE name LIKE 'event%' OR name IN ('ledger_tile', 'checkpoint') OR name LIKE 'sqlite_autoindex_ledger_tile%' GROUP BY name ORDER BY 2 DESC`
	if engine == "postgres" {
		text = `SELECT c.relname, pg_relation_size(c.oid) + COALESCE(pg_relation_size(NULLIF(c.reltoastrelid, 0)), 0) FROM pg_class c
			WHERE c.relname LIKE 'event%' OR c.relname LIKE 'ledger_tile%' OR c.relname LIKE 'checkpoint%' ORDER BY 2 DESC`
	}
	rows, err := db.Query(text)
	b.check(err)
	defer rows.Close()
	var all bytes.Buffer
	total := 0.0
	for rows.Next() {
		var name string
		var size float64
		b.check(rows.Scan(&name, &size))
		if size/events >= 0.5 {
			fmt.Fprintf(&all, ", %s %.0f", name, size/events)
		}
		total += size
	}
	b.check(rows.Err())
	say("bytes an event: %.0f in all, of which the leaf is %.0f%s", total/events, leaves, all.String())
}
