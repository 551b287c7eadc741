package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/eucora/eucora/internal/store/storetest"
	"github.com/google/uuid"
)

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// reads: one request, and a page of 50 of the queue, with few rows and with
// many; idle, and while 64 callers write.
func reads(b *bench) {
	for _, engine := range storetest.Engines(b) {
		fmt.Printf("Reading over HTTP on %s\n", engine.Name)
		s := openSite(b, engine.URL(b), 0)
		small := measureReads(b, s, engine.Name, 10_000)
		say("with    10,000 requests: one request p50 %s p99 %s; queue p50 %s p99 %s", small[0], small[1], small[2], small[3])
		large := measureReads(b, s, engine.Name, *rows)
		say("with %9d requests: one request p50 %s p99 %s; queue p50 %s p99 %s", *rows, large[0], large[1], large[2], large[3])
		say("p99 large / small: one request %.2f, queue %.2f (wanted: at most 1.5)", ratio(large[1], small[1]), ratio(large[3], small[3]))
		bare := s.idleCall(b)
		var busyBare time.Duration
		busy := underLoad(b, s, func() [4]time.Duration { busyBare = s.idleCall(b); return read(b, s, *rows) })
		say("under full write load:   one request p50 %s p99 %s; queue p50 %s p99 %s", busy[0], busy[1], busy[2], busy[3])
		say("p99 loaded / idle: one request %.2f, queue %.2f (wanted: at most 5)", ratio(busy[1], large[1]), ratio(busy[3], large[3]))
		say("  the ceiling: a call that reads nothing (/healthz) %.2f, %s idle and %s loaded", ratio(busyBare, bare), bare, busyBare)
	}
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

// measureReads fills the database up to n requests and measures.
func measureReads(b *bench, s *site, engine string, n int) [4]time.Duration {
	fill(b, s, engine, n)
	return read(b, s, n)
}

func read(b *bench, s *site, n int) [4]time.Duration {
	ctx := context.Background()
	client := s.client("carol", 4)
	one := func(int) error {
		_, err := client.Request(ctx, fakeID(3, rand.IntN(n)))
		return err
	}
	queue := func(int) error {
		_, err := client.Queue(ctx, url.Values{"limit": {"50"}})
		return err
	}
	latency(b, 200, one) // warm
	latency(b, 50, queue)
	var out [4]time.Duration
	out[0], out[1] = latency(b, 3000, one)
	out[2], out[3] = latency(b, 1000, queue)
	return out
}

// idleCall is the p99 of a call that does nothing, over the same HTTP stack: under
// load it shows how long the machine lets anybody wait.
func (s *site) idleCall(b *bench) time.Duration {
	client := &http.Client{Timeout: time.Minute}
	nothing := func(int) error {
		answer, err := client.Get(s.server.URL + "/healthz")
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, answer.Body)
		return errors.Join(err, answer.Body.Close())
	}
	latency(b, 200, nothing)
	_, p99 := latency(b, 3000, nothing)
	return p99
}

func underLoad(b *bench, s *site, measure func() [4]time.Duration) [4]time.Duration {
	data := fourKiB(b, "low")
	write := s.verbs(b, data)
	stop := make(chan struct{})
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					b.check(write(i))
				}
			}
		})
	}
	out := measure()
	close(stop)
	all.Wait()
	return out
}

// fakeID is the id of a filled row: kind 1 deployment, 2 package, 3 request.
func fakeID(kind, i int) string {
	return fmt.Sprintf("00000000-0000-7000-800%d-%012x", kind, i)
}

// fill adds requests until there are n, by SQL, as the owner could: a tenth of
// them wait. They have no events; this database is for reading only.
func fill(b *bench, s *site, engine string, n int) {
	db := storetest.Owner(b, s.url)
	var have int
	b.check(db.QueryRow(`SELECT COUNT(*) FROM cab_request WHERE id LIKE '00000000-0000-7000-8003-%'`).Scan(&have))
	numbers := fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT %d UNION ALL SELECT i + 1 FROM n WHERE i + 1 < %d)`, have, n)
	hex := `printf('%012x', i)`
	blob := `zeroblob(900)`
	if engine == "postgres" {
		numbers = fmt.Sprintf(`WITH n AS (SELECT i FROM generate_series(%d, %d) AS i)`, have, n-1)
		hex = `lpad(to_hex(i), 12, '0')`
		blob = `decode(repeat('00', 900), 'hex')`
	}
	id := func(kind int) string { return fmt.Sprintf(`'00000000-0000-7000-800%d-' || %s`, kind, hex) }
	for _, text := range []string{
		`INSERT INTO deployment (id, correlation_id, app_name, version, target_ring, state, created_by_id, created_by_name, created_at, revision) ` + numbers + ` SELECT ` + id(1) + `, 'corr-' || ` + hex + `, 'app', '1', 'PILOT', 'planned', 'x', 'x', 1700000000000000 + i, 1 FROM n`,
		`INSERT INTO evidence_package ` + numbers + ` SELECT ` + id(2) + `, ` + id(1) + `, 1, 'corr-' || ` + hex + `, 'x', 'x', 1700000000000000 + i, 6000, '1.0', ` + truth(engine) + `, 'h', ` + blob + ` FROM n`,
		`INSERT INTO cab_request ` + numbers + ` SELECT ` + id(3) + `, 'CAB-' || ` + hex + `, 'corr-' || ` + hex + `, ` + id(1) + `, ` + id(2) + `, 'x', 'x', 'h', 5001 + i % 2400, '1.0', '1.0',
			'{"decision":"manual_review","thresholds":{"auto":50,"review":75},"guards":[],"rationale":"r"}', 1, 90,
			CASE i % 10 WHEN 0 THEN 'submitted' ELSE 'approved' END, 'standard', '', 'x', 'x', 1700000000000000 + i, 1700000000000000 + i, '', '', 0, '', 1, 'app', 1700000000000000 + i FROM n`,
		settle(engine),
	} {
		if have >= n && text != settle(engine) {
			continue
		}
		_, err := db.Exec(text)
		b.check(err)
	}
}

func truth(engine string) string {
	if engine == "postgres" {
		return "TRUE"
	}
	return "1"
}

// settle is what time does to a database by itself: statistics, and on
// PostgreSQL the vacuum that lets an index answer alone.
func settle(engine string) string {
	if engine == "postgres" {
		return "VACUUM ANALYZE"
	}
	return "ANALYZE"
}
