package httpapi

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
	"github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// firstEvent is the place of the first event of a trail.
func (w *world) firstEvent(of string) int64 {
	w.t.Helper()
	var page struct{ Results []struct{ Seq int64 } }
	got := w.send("ada", "GET", "/api/v1/events/?order=oldest&limit=1&correlation_id="+of, "")
	if err := json.Unmarshal([]byte(got.body), &page); err != nil || len(page.Results) != 1 {
		w.t.Fatalf("%v: %s", err, got.body)
	}
	return page.Results[0].Seq
}

// grow adds n events to the log, and signs it.
func (w *world) grow(n int) ledger.Checkpoint {
	w.t.Helper()
	err := w.store.Update(w.ctx, func(tx *store.Tx) error {
		for range n {
			if err := tx.Save(cab.Change{Events: []cab.Event{{Type: cab.AccessRefused, Data: cab.EventData{Refusals: 1}}}}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	signed, err := w.store.Checkpoint(w.ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.opened(signed)
}

func (w *world) opened(signed []byte) ledger.Checkpoint {
	w.t.Helper()
	verifier, err := ledger.NewVerifier(w.store.LedgerKey())
	if err != nil {
		w.t.Fatal(err)
	}
	checkpoint, err := verifier.Open(signed)
	if err != nil {
		w.t.Fatal(err)
	}
	return checkpoint
}

// TestLogPermissions: hashes for whoever may read any event, entries for whoever
// may read them all.
func TestLogPermissions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		w.grow(300)
		for path, own := range map[string]int{
			"/log/checkpoint": 200, "/log/tile/0/000": 200, "/log/tile/0/001.p/3": 200, "/log/tile/1/000.p/1": 200,
			"/log/tile/entries/000": 403, "/log/tile/entries/001.p/3": 403,
		} {
			for who, want := range map[string]int{"": 401, "erin": own, "pat": own, "carol": 200, "sam": 200, "ada": 200, "root": 200} {
				if got := w.send(who, "GET", path, ""); got.status != want {
					t.Errorf("%s by %q: %d, want %d: %s", path, who, got.status, want, got.body)
				}
			}
		}
	})
}

// TestLogTiles: what is served is the tree that is signed, to a reader who knows
// nothing but tlog-tiles; an address has the same bytes for ever.
func TestLogTiles(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		w.grow(300)
		before := map[string]string{}
		for _, path := range []string{"tile/0/000", "tile/0/001.p/1", "tile/0/001.p/20", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/20"} {
			before[path] = w.send("ada", "GET", "/log/"+path, "").body
		}
		w.grow(400)
		for path, want := range before {
			if got := w.send("ada", "GET", "/log/"+path, ""); got.status != 200 || got.body != want || want == "" {
				t.Errorf("%s: %d, and other bytes than before", path, got.status)
			}
		}
		checkpoint := w.opened([]byte(w.send("ada", "GET", "/log/checkpoint", "").body))
		if checkpoint.Size < 700 {
			t.Fatalf("%+v", checkpoint)
		}
		w.readAsStranger(tlog.Tree{N: checkpoint.Size, Hash: checkpoint.Root})
	})
}

// served reads tiles over HTTP, as golang.org/x/mod's client wants them.
type served struct{ w *world }

func (s served) Height() int                     { return 8 }
func (s served) SaveTiles([]tlog.Tile, [][]byte) {}
func (s served) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		got := s.w.send("erin", "GET", "/log/"+path, "")
		if got.status != 200 {
			return nil, fmt.Errorf("%s: %d", path, got.status)
		}
		all = append(all, []byte(got.body))
	}
	return all, nil
}

// readAsStranger reads each entry and holds it against the hash that another
// program's reader authenticates.
func (w *world) readAsStranger(tree tlog.Tree) {
	w.t.Helper()
	var indexes []int64
	for i := range tree.N {
		indexes = append(indexes, tlog.StoredHashIndex(0, i))
	}
	hashes, err := tlog.TileHashReader(tree, served{w}).ReadHashes(indexes)
	if err != nil {
		w.t.Fatal(err)
	}
	for first := int64(0); first < tree.N; first += 256 {
		path := ledger.TilePath{ID: ledger.TileID{Index: first / 256}, Width: int(min(256, tree.N-first)), Entries: true}
		leaves, err := ledger.ParseBundle([]byte(w.send("ada", "GET", "/log/"+path.String(), "").body))
		if err != nil || len(leaves) != path.Width {
			w.t.Fatalf("%s: %d leaves, %v", path, len(leaves), err)
		}
		for i, leaf := range leaves {
			if tlog.RecordHash(leaf) != hashes[first+int64(i)] {
				w.t.Errorf("event %d is not the one in the tree", first+int64(i))
			}
		}
	}
}

func TestLogIsNotThere(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	size := w.grow(300).Size
	rest := size - 256
	for _, path := range []string{
		fmt.Sprintf("tile/0/001.p/%d", rest+1), fmt.Sprintf("tile/entries/001.p/%d", rest+1), "tile/0/001", "tile/0/002.p/1", "tile/1/000", "tile/1/000.p/2", "tile/2/000.p/1",
		"tile/0/0", "tile/00/000", "tile/0/000.p/256", "tile/0/000.p/0", "tile/64/000.p/1", "tile/data/000", "tile/entries/x999/x999/x999/x999/x999/x999/999", "tile/63/x009/x223/x372/x036/x854/x775/807.p/1", "tile", "", "other",
		"tile/entries/x036/x028/x797/x018/x963/x967.p/1", "tile/8/0/000",
	} {
		if got := w.send("ada", "GET", "/log/"+path, ""); got.status != 404 || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d, %s", path, got.status, got.header.Get("Cache-Control"))
		}
	}
	if got := w.send("ada", "GET", "/log/checkpoint?x=1", ""); got.status != 400 {
		t.Errorf("a parameter that there is not: %d", got.status)
	}
	if got := w.send("ada", "POST", "/log/checkpoint", "{}"); got.status != 405 {
		t.Errorf("POST: %d", got.status)
	}
	db := storetest.Owner(t, w.url)
	storetest.DropTriggers(t, db, w.engine)
	if _, err := db.Exec(`DELETE FROM event WHERE seq = 20`); err != nil {
		t.Fatal(err)
	}
	if got := w.send("ada", "GET", "/log/tile/entries/000", ""); got.status != 404 {
		t.Errorf("a bundle that lacks an event: %d", got.status)
	}
}

func TestLogHeaders(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	w.grow(300)
	const forever = "private, max-age=31536000, immutable"
	for path, want := range map[string][2]string{
		"/log/checkpoint": {textPlain, "no-store"}, "/log/tile/0/000": {octetStream, forever}, "/log/tile/0/001.p/2": {octetStream, forever}, "/log/tile/entries/000": {octetStream, forever},
	} {
		got, head := w.send("ada", "GET", path, ""), w.send("ada", "HEAD", path, "")
		if got.header.Get("Content-Type") != want[0] || got.header.Get("Cache-Control") != want[1] {
			t.Errorf("%s: %v", path, got.header)
		}
		if head.status != 200 || head.body != "" || head.header.Get("ETag") != got.header.Get("ETag") || head.header.Get("Content-Type") != want[0] {
			t.Errorf("HEAD %s: %d %v", path, head.status, head.header)
		}
		if want[1] != forever {
			continue
		}
		if again := w.send("ada", "GET", path, "", "If-None-Match", `"x", `+got.header.Get("ETag")); again.status != 304 || again.body != "" {
			t.Errorf("%s is known: %d", path, again.status)
		}
		if again := w.send("ada", "GET", path, "", "If-None-Match", `"x"`); again.status != 200 {
			t.Errorf("%s is known otherwise: %d", path, again.status)
		}
	}
}

func TestEntriesAreCompressed(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	w.grow(300)
	plain := w.send("ada", "GET", "/log/tile/entries/000", "", "Accept-Encoding", "identity")
	for accepted, want := range map[string]string{
		"gzip": "gzip", "br, GZIP;q=0.5": "gzip", "gzip ; q=1.0": "gzip", "gzip;q=0": "", "gzip; q=0.000": "", "deflate": "", "*": "", "xgzip": "", "gzip;q=x": "",
	} {
		got := w.send("ada", "GET", "/log/tile/entries/000", "", "Accept-Encoding", accepted)
		if got.header.Get("Content-Encoding") != want {
			t.Errorf("%q: %q", accepted, got.header.Get("Content-Encoding"))
		}
		if want == "" {
			continue
		}
		reader, err := gzip.NewReader(strings.NewReader(got.body))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(reader)
		if err != nil || string(text) != plain.body || len(got.body) >= len(plain.body) {
			t.Errorf("%q: %v, %d of %d bytes", accepted, err, len(got.body), len(plain.body))
		}
	}
	if got := w.send("ada", "GET", "/log/tile/0/000", "", "Accept-Encoding", "gzip"); got.header.Get("Content-Encoding") != "" {
		t.Error("hashes are not made smaller by compressing")
	}
}

// TestProofForAStranger: an event and its proof hold for others' readers of
// c2sp.org/tlog-proof@v1 and RFC 6962.
func TestProofForAStranger(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		w.grow(600)
		key, err := note.NewVerifier(w.store.LedgerKey())
		if err != nil {
			t.Fatal(err)
		}
		first := w.firstEvent(w.submitted("low").deployment)
		for _, seq := range []int64{0, 1, 255, 256, 599, first, first + 3} { // the last of them signed only now
			at := fmt.Sprintf("/api/v1/events/%d/", seq)
			event, text := w.send("ada", "GET", at, ""), w.send("ada", "GET", at+"proof/", "")
			if text.status != 200 || text.header.Get("Content-Type") != textPlain || text.header.Get("Content-Disposition") != fmt.Sprintf(`attachment; filename="event-%d.tlog-proof"`, seq) {
				t.Fatalf("event %d: %d %v %s", seq, text.status, text.header, text.body)
			}
			var p proof.TLogProof
			if err := p.Unmarshal([]byte(text.body)); err != nil || p.Index != uint64(seq) {
				t.Fatalf("event %d: %+v %v", seq, p, err)
			}
			signed, err := note.Open(p.Checkpoint, note.VerifierList(key))
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(signed.Text, "\n")
			tree, err := tlog.ParseTree([]byte("go.sum database tree\n" + strings.Join(lines[1:], "\n")))
			if err != nil {
				t.Fatal(err)
			}
			var path tlog.RecordProof
			for _, hash := range p.Hashes {
				path = append(path, hash)
			}
			if err := tlog.CheckRecord(path, tree.N, tree.Hash, seq, tlog.RecordHash([]byte(event.body))); err != nil {
				t.Errorf("event %d: %v", seq, err)
			}
		}
		for path, want := range map[string]int{"9999": 404, "9223372036854775807": 404, "9223372036854775808": 400, "-1": 400, "01": 400, "x": 400} {
			for _, of := range []string{"", "/proof"} {
				if got := w.send("ada", "GET", "/api/v1/events/"+path+of, ""); got.status != want {
					t.Errorf("event %s%s: %d %s", path, of, got.status, got.body)
				}
			}
		}
		db := storetest.Owner(t, w.url)
		storetest.DropTriggers(t, db, w.engine)
		if _, err := db.Exec(`UPDATE event SET leaf = (SELECT leaf FROM event WHERE seq = 4) WHERE seq = 5`); err != nil {
			t.Fatal(err)
		}
		if got := w.send("ada", "GET", "/api/v1/events/5/proof", ""); got.status != 500 || !strings.Contains(w.log.String(), "event 5 is not in the tree") {
			t.Errorf("a proof of what was altered: %d %s", got.status, got.body)
		}
	})
}

// TestWitnessedIsServed: where a quorum must witness, the log shows what it has
// witnessed, and proofs are in that as far as it reaches.
func TestWitnessedIsServed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		_, key, err := note.GenerateKey(rand.Reader, "witness.example")
		if err != nil {
			t.Fatal(err)
		}
		trust, err := ledger.ParseTrust([]byte("log " + w.store.LedgerKey() + "\nwitness w " + key + "\nquorum w\n"))
		if err != nil {
			t.Fatal(err)
		}
		w.witnessedBy(trust)
		if got := w.send("ada", "GET", "/log/checkpoint", ""); got.status != 404 || got.problem(t).Code != "NOT_WITNESSED" {
			t.Errorf("nobody has witnessed anything: %d %s", got.status, got.body)
		}
		old := w.grow(10).Size
		const line = "— witness.example AAAAAAAA\n" // the store keeps what was checked elsewhere
		if err := w.store.KeepCosignatures(w.ctx, old, []store.Cosignature{{Witness: key, Line: line}}, func([]byte, []string) bool { return true }); err != nil {
			t.Fatal(err)
		}
		newest := w.grow(10).Size
		if got := w.send("ada", "GET", "/log/checkpoint", ""); got.status != 200 || !strings.HasSuffix(got.body, line) || w.opened([]byte(got.body)).Size != old {
			t.Errorf("%d %s", got.status, got.body)
		}
		for seq, want := range map[int64]int64{0: old, old - 1: old, old: newest, newest - 1: newest} {
			p, err := ledger.ParseProof([]byte(w.send("ada", "GET", fmt.Sprintf("/api/v1/events/%d/proof/", seq), "").body))
			if err != nil || w.opened(p.Checkpoint).Size != want || (want == old) != bytes.HasSuffix(p.Checkpoint, []byte(line)) {
				t.Errorf("event %d: %s %v, want the checkpoint at %d", seq, p.Checkpoint, err, want)
			}
		}
	})
}

// TestTorchwoodReads: a client by others, unmodified, reads the log from end to end
// and checks a proof; and finds out when an event was altered.
func TestTorchwoodReads(t *testing.T) {
	program, err := filepath.Abs("../../bin/tlogread")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("EUCORA_REQUIRE_PEERS") == "1" {
			t.Fatal(err)
		}
		t.Skipf("make peers builds it: %v", err)
	}
	w := newWorld(t, storetest.Engines(t)[0])
	w.submitted("low")
	size := w.grow(700).Size
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	policy := file("policy", "log "+w.store.LedgerKey()+"\nquorum none\n")
	run := func(args ...string) (string, error) {
		command := exec.Command(program, append([]string{w.server.URL + "/log/", policy}, args...)...)
		command.Env = []string{"TOKEN=" + w.tokens["ada"]}
		out, err := command.CombinedOutput()
		return string(out), err
	}
	if out, err := run(); err != nil || !strings.HasPrefix(out, fmt.Sprintf("%d of %d entries, ", size, size)) {
		t.Errorf("%v: %s", err, out)
	}
	proof := file("proof", w.send("erin", "GET", fmt.Sprintf("/api/v1/events/%d/proof/", w.firstEvent(w.submitted("low").deployment)), "").body)
	for seq, holds := range map[int64]bool{size: true, size - 1: false} {
		event := file("event", w.send("ada", "GET", fmt.Sprintf("/api/v1/events/%d/", seq), "").body)
		if out, err := run(proof, event); (err == nil) != holds {
			t.Errorf("event %d: %v: %s", seq, err, out)
		}
	}
	db := storetest.Owner(t, w.url)
	storetest.DropTriggers(t, db, w.engine)
	if _, err := db.Exec(`UPDATE event SET leaf = (SELECT leaf FROM event WHERE seq = 4) WHERE seq = 500`); err != nil {
		t.Fatal(err)
	}
	if out, err := run(); err == nil || !strings.Contains(out, "hash mismatch for entry 500") {
		t.Errorf("%v: %s", err, out)
	}
}
