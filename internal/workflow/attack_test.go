package workflow

import (
	"bytes"
	"crypto/rand"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/attachment"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
	"github.com/eucora/eucora/internal/witness/witnesstest"
	"github.com/go-json-experiment/json"
)

// victim is a site whose database's owner turned against it. Somebody outside holds
// one old checkpoint that a witness had cosigned, and a list of whom they trust.
type victim struct {
	*world
	db      *sql.DB
	trust   *ledger.Trust
	witness *witnesstest.Witness
	held    []byte
	size    int64 // of held
	auto    RequestRow
	decided RequestRow
	files   string // directory of the attachments
	file    string // digest of one
}

// attack is what an owner does, with triggers dropped. Most of them hold the
// ledger's key too.
type attack struct {
	name string
	do   func(v *victim)
	// what the verification of the database must say to whoever holds the checkpoint;
	// what it must name, in the words of docs/attacks.md and as it is named here.
	says  string
	names string
	first func(v *victim) string
	later bool // found by the witness's word about what came after, not by the held one
}

const altered = 21 // the event that most attacks alter: before the held checkpoint

func event(seq int64) func(*victim) string {
	return func(*victim) string { return fmt.Sprintf("event %d ", seq) }
}

func upToHeld(v *victim) string { return fmt.Sprintf("one of 0 to %d", v.size-1) }

// attacks is the list of docs/attacks.md, in its order.
var attacks = []attack{
	{"change an event", func(v *victim) { v.setLeaf(altered, v.edited(altered)) }, "its hash differs from the tree's", "the event", event(altered), false},
	{"delete an event", func(v *victim) { v.exec(`DELETE FROM event WHERE seq = $1`, altered) }, "is missing", "the event", event(altered), false},
	{"insert an event", func(v *victim) { v.insert(altered) }, "its hash differs from the tree's", "its place", event(altered), false},
	{"reorder two events", func(v *victim) { v.swap(altered, altered+1) }, "its hash differs from the tree's", "the first of them", event(altered), false},
	{"truncate the tail", func(v *victim) {
		v.exec(`DELETE FROM event WHERE seq >= $1`, altered)
		v.rebuild(v.signer)
	}, "the end was cut off", "the first that is gone", func(v *victim) string { return fmt.Sprintf("there are %d", altered) }, false},
	{"restore yesterday's backup, and go on", func(v *victim) {
		v.exec(`DELETE FROM event WHERE seq >= $1`, altered)
		for i := int64(0); altered+i <= v.size+3; i++ {
			v.insertRow(altered+i, v.forged(altered+i))
		}
		v.rebuild(v.signer)
	}, "history was rewritten", "the range up to the checkpoint", upToHeld, false},
	{"fork two views", (*victim).fork, "no quorum of your witnesses has seen the events from", "the first event that no quorum has seen", func(v *victim) string { return fmt.Sprintf("from %d on", v.size) }, true},
	{"fork two views, one dated ahead", func(v *victim) {
		v.clock.advance(400 * 24 * time.Hour)
		v.fork()
		v.clock.advance(-400 * 24 * time.Hour)
	}, "no quorum of your witnesses has seen the events from", "the first event that no quorum has seen", func(v *victim) string { return fmt.Sprintf("from %d on", v.size) }, false},
	{"swap an attachment", func(v *victim) {
		v.ok(os.Chmod(v.path(v.file), 0o600))
		v.ok(os.WriteFile(v.path(v.file), []byte("malware"), 0o600))
	}, "attachment ", "the file", func(v *victim) string { return "attachment " + v.file + ": " }, false},
	{"swap an attachment, its name and the document", func(v *victim) { v.swapDocument() }, "no longer has its hash", "the package", func(v *victim) string { id, _ := v.packageOfFile(); return "evidence " + id }, false},
	{"flip a decision and its row", func(v *victim) {
		seq := v.seqOf(cab.CABApproved, v.decided.ID)
		leaf := bytes.ReplaceAll(v.leaf(seq), []byte(`"conditional"`), []byte(`"rejected"`))
		v.setLeaf(seq, leaf)
		v.exec(`UPDATE decision SET decision = 'rejected' WHERE request_id = $1`, v.decided.ID)
		v.exec(`UPDATE cab_request SET status = 'rejected' WHERE id = $1`, v.decided.ID)
	}, "its hash differs from the tree's", "the event", func(v *victim) string { return fmt.Sprintf("event %d ", v.seqOf(cab.CABApproved, v.decided.ID)) }, false},
	{"rewrite tree hashes consistently", func(v *victim) {
		v.setLeaf(altered, v.edited(altered))
		v.rebuild(nil)
	}, "does not match the events before it: history was rewritten", "the range between two signed checkpoints", func(v *victim) string { return v.betweenCheckpoints(altered) }, false},
	{"rewrite the tree, and sign every checkpoint again", func(v *victim) {
		v.setLeaf(altered, v.edited(altered))
		v.exec(`DELETE FROM cosignature`)
		v.exec(`DELETE FROM witnessed`)
		v.rebuild(v.signer)
	}, "the checkpoint that you hold", "the range up to the checkpoint", upToHeld, false},
	{"replace the key", func(v *victim) {
		v.setLeaf(altered, v.edited(altered))
		v.exec(`DELETE FROM cosignature`)
		v.exec(`DELETE FROM witnessed`)
		other := storetest.Key(v.t)
		v.exec(`UPDATE meta SET value = $1 WHERE name = 'ledger_key'`, other.VerifierKey())
		v.rebuild(other)
	}, "is not signed by the ledger's key", "the checkpoint is of another key, and the range", upToHeld, false},
}

// TestAttacks: each is found by somebody who holds nothing but one old cosigned
// checkpoint and whom they trust, on both engines.
func TestAttacks(t *testing.T) {
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, e storetest.Engine) {
				v := newVictim(t, e)
				if sound := v.look(); len(sound) != 0 {
					t.Fatalf("before the attack: %q", sound)
				}
				first := a.first(v)
				a.do(v)
				if a.later {
					v.clock.advance(2 * cab.WitnessGrace)
				}
				found := strings.Join(v.look(), "\n")
				if !strings.Contains(found, a.says) || !strings.Contains(found, first) {
					t.Errorf("want %q and %q, found:\n%s", a.says, first, found)
				}
			})
		})
	}
}

// TestAttacksAreDocumented: docs/attacks.md has a line for each, in this order, and says
// of whoever holds a checkpoint what was tried here.
func TestAttacksAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/attacks.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, line := range regexp.MustCompile(`(?m)^\| ([a-z][^|]*[^| ]) +\| ([^|]*[^| ]) +\|`).FindAllStringSubmatch(string(text), -1) {
		if line[1] != "attack" {
			documented = append(documented, line[1]+" | "+line[2])
		}
	}
	var here []string
	for _, a := range attacks {
		here = append(here, a.name+" | yes: "+a.names)
	}
	if strings.Join(documented, "\n") != strings.Join(here, "\n") {
		t.Errorf("documented:\n%s\ntried:\n%s", strings.Join(documented, "\n"), strings.Join(here, "\n"))
	}
}

// TestTheWitnessSeesOneLog: whoever has the log's key can sign two trees; a witness
// that has seen one of them cosigns no other.
func TestTheWitnessSeesOneLog(t *testing.T) {
	v := newVictim(t, storetest.Engines(t)[0])
	if v.witness.Seen() != v.size {
		t.Fatalf("it has seen %d of %d", v.witness.Seen(), v.size)
	}
	other := storetest.Key(t)
	for name, fork := range map[string]struct {
		by   *ledger.Signer
		size int64
	}{
		"of the same size": {v.signer, v.size}, "longer": {v.signer, v.size + 1}, "shorter": {v.signer, v.size - 1}, "by another key": {other, v.size + 1},
	} {
		signed := must[[]byte](t)(fork.by.Sign(fork.size, ledger.LeafHash([]byte("x"))))
		if status, _ := v.witness.Add(v.size, nil, signed); status == 200 {
			t.Errorf("%s: cosigned", name)
		}
	}
}

func newVictim(t *testing.T, e storetest.Engine) *victim {
	t.Helper()
	v := &victim{world: newWorld(t, e), files: filepath.Join(t.TempDir(), "files")}
	files, err := attachment.Open(v.files)
	v.ok(err)
	v.Service.files = files
	v.witness = witnesstest.New(t, "witness.example/one", v.signer.VerifierKey())
	v.trust, err = ledger.ParseTrust([]byte("log " + v.signer.VerifierKey() + "\n" + v.witness.Line("one") + "quorum one\n"))
	v.ok(err)
	v.auto, v.decided, _ = v.history()
	v.file = v.withFile()
	v.sign()
	for range 3 { // later than what the attacks alter, with a checkpoint each
		v.submitted("low")
		v.sign()
	}
	v.held = v.sign()
	v.size = must[ledger.Checkpoint](t)(v.trust.Log.Open(v.held)).Size
	v.db = storetest.Owner(t, v.url)
	storetest.DropTriggers(t, v.db, v.engine)
	return v
}

func (v *victim) ok(err error) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
}

func (v *victim) exec(text string, args ...any) {
	v.t.Helper()
	result, err := v.db.Exec(text, args...)
	v.ok(err)
	if n, err := result.RowsAffected(); err != nil || (n == 0 && !strings.Contains(text, "DELETE")) {
		v.t.Fatalf("%s: %d rows, %v", text, n, err)
	}
}

// sign signs a checkpoint and lets the witness cosign it.
func (v *victim) sign() []byte {
	v.t.Helper()
	signed := must[[]byte](v.t)(v.store.Checkpoint(v.ctx))
	c := must[ledger.Cosigned](v.t)(v.trust.Open(signed))
	if len(c.By) > 0 {
		return signed
	}
	var proof []ledger.Hash
	v.ok(v.store.View(v.ctx, func(r *store.Reader) (err error) {
		proof, err = ledger.Tiles(r.Tiles).Consistency(v.witness.Seen(), c.Size)
		return err
	}))
	status, line := v.witness.Add(v.witness.Seen(), proof, signed)
	if status != 200 {
		v.t.Fatalf("the witness answers %d: %s", status, line)
	}
	v.ok(v.store.KeepCosignatures(v.ctx, c.Size, []store.Cosignature{{Witness: v.witness.Key, Line: line}}, func([]byte, []string) bool { return true }))
	return ledger.WithCosignatures(signed, []string{line})
}

// look is what the holder of the checkpoint finds in the database.
func (v *victim) look() []string {
	v.t.Helper()
	archive := must[*store.Archive](v.t)(store.OpenArchive(v.ctx, v.url))
	defer archive.Close()
	report := must[store.VerifyReport](v.t)(archive.Verify(v.ctx, store.VerifyOptions{
		Verifier: v.trust.Log, Trust: v.trust, Held: v.held, Now: v.clock.Now(), Attachment: attachment.At(v.files).Check,
	}))
	var found []string
	for _, f := range report.Findings {
		found = append(found, f.What)
	}
	return found
}

// withFile files evidence that has an attachment, and returns its digest.
func (v *victim) withFile() string {
	v.t.Helper()
	d := must[cab.Deployment](v.t)(v.CreateDeployment(v.ctx, v.erin, "7-Zip", "24.09", cab.Lab))
	upload := must[*Upload](v.t)(v.Receive(v.ctx, evidence.CoverageFile, "cover.out", strings.NewReader("mode: set\nexample.com/a/a.go:1.1,2.2 1 1\n")))
	e := must[Evidence](v.t)(v.CreateEvidence(v.ctx, v.erin, d.ID, evidenceOf("low"), upload))
	return e.Record.Attachments[0].SHA256
}

func (v *victim) path(digest string) string {
	v.t.Helper()
	var found string
	v.ok(filepath.WalkDir(v.files, func(path string, _ os.DirEntry, err error) error {
		if filepath.Base(path) == digest[2:] {
			found = path
		}
		return err
	}))
	if found == "" {
		v.t.Fatalf("no file %s", digest)
	}
	return found
}

func (v *victim) leaf(seq int64) (leaf []byte) {
	v.t.Helper()
	v.ok(v.db.QueryRow(`SELECT leaf FROM event WHERE seq = $1`, seq).Scan(&leaf))
	return leaf
}

func (v *victim) setLeaf(seq int64, leaf []byte) {
	v.t.Helper()
	v.exec(`UPDATE event SET leaf = $1 WHERE seq = $2`, leaf, seq)
}

// edited is an event as its owner would like it to have been.
func (v *victim) edited(seq int64) []byte {
	return bytes.ReplaceAll(v.leaf(seq), []byte("192.0.2.1"), []byte("192.0.2.9"))
}

// forged is an event that never was.
func (v *victim) forged(seq int64) []byte {
	v.t.Helper()
	var e cab.Event
	v.ok(json.Unmarshal(v.leaf(3), &e))
	e.Seq, e.ID, e.Time = seq, fmt.Sprintf("forged-%d-%x", seq, randomBytes()), v.clock.Now()
	return must[[]byte](v.t)(store.Leaf(e))
}

// fork adds events after what is held: only the witness can tell.
func (v *victim) fork() {
	v.t.Helper()
	for i := int64(0); i < 3; i++ {
		v.insertRow(v.size+i, v.forged(v.size+i))
	}
	v.rebuild(v.signer)
}

func randomBytes() []byte {
	b := make([]byte, 4)
	rand.Read(b)
	return b
}

func (v *victim) insertRow(seq int64, leaf []byte) {
	v.t.Helper()
	var e cab.Event
	v.ok(json.Unmarshal(leaf, &e))
	v.exec(`INSERT INTO event (seq, id, time, type, correlation_id, actor_id, leaf) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		seq, e.ID, e.Time.UnixMicro(), string(e.Type), e.CorrelationID, e.Actor.ID, leaf)
}

// insert makes room for an event that never was, and puts it there.
func (v *victim) insert(seq int64) {
	v.t.Helper()
	v.exec(`UPDATE event SET seq = seq + 1000000 WHERE seq >= $1`, seq)
	v.exec(`UPDATE event SET seq = seq - 999999 WHERE seq >= 1000000`)
	v.insertRow(seq, v.forged(seq))
}

func (v *victim) swap(a, b int64) {
	v.t.Helper()
	x, y := v.leaf(a), v.leaf(b)
	v.setLeaf(a, y)
	v.setLeaf(b, x)
}

func (v *victim) seqOf(kind cab.EventType, subject string) int64 {
	v.t.Helper()
	var seq int64
	rows, err := v.db.Query(`SELECT seq, leaf FROM event WHERE type = $1`, string(kind))
	v.ok(err)
	defer rows.Close()
	found := int64(-1)
	for rows.Next() {
		var leaf []byte
		v.ok(rows.Scan(&seq, &leaf))
		if bytes.Contains(leaf, []byte(subject)) {
			found = seq
		}
	}
	v.ok(rows.Err())
	return found
}

// betweenCheckpoints is the narrowest range that the log's own checkpoints leave
// for an event.
func (v *victim) betweenCheckpoints(seq int64) string {
	v.t.Helper()
	var good, bad int64
	v.ok(v.db.QueryRow(`SELECT COALESCE(MAX(size), 0) FROM checkpoint WHERE size <= $1`, seq).Scan(&good))
	v.ok(v.db.QueryRow(`SELECT MIN(size) FROM checkpoint WHERE size > $1`, seq).Scan(&bad))
	return fmt.Sprintf("one of %d to %d", good, bad-1)
}

// rebuild makes the tree from the events as they are now, and with a key signs
// every checkpoint again: the strongest thing that an owner can do.
func (v *victim) rebuild(key *ledger.Signer) {
	v.t.Helper()
	rows, err := v.db.Query(`SELECT leaf FROM event ORDER BY seq`)
	v.ok(err)
	var f ledger.Frontier
	roots := []ledger.Hash{f.Root()}
	for rows.Next() {
		var leaf []byte
		v.ok(rows.Scan(&leaf))
		f.Append(ledger.LeafHash(leaf))
		roots = append(roots, f.Root())
	}
	v.ok(errorsOf(rows))
	v.exec(`DELETE FROM ledger_tile`)
	for _, tile := range f.Dirty() {
		v.exec(`INSERT INTO ledger_tile (level, idx, data) VALUES ($1, $2, $3)`, tile.ID.Level, tile.ID.Index, tile.Data)
	}
	v.exec(`UPDATE ledger_state SET size = $1`, f.Size())
	if key == nil {
		return
	}
	var sizes []int64
	rows, err = v.db.Query(`SELECT size FROM checkpoint ORDER BY size`)
	v.ok(err)
	for rows.Next() {
		var size int64
		v.ok(rows.Scan(&size))
		sizes = append(sizes, size)
	}
	v.ok(errorsOf(rows))
	v.exec(`DELETE FROM cosignature WHERE size > $1`, f.Size())
	v.exec(`DELETE FROM checkpoint`)
	for _, size := range append(sizes, f.Size()) {
		if size > f.Size() {
			continue
		}
		v.exec(`DELETE FROM checkpoint WHERE size = $1`, size)
		v.exec(`INSERT INTO checkpoint (size, note, time) VALUES ($1, $2, $3)`, size, string(must[[]byte](v.t)(key.Sign(size, roots[size]))), v.clock.Now().UnixMicro())
	}
}

func errorsOf(rows *sql.Rows) error {
	defer rows.Close()
	return rows.Err()
}

// swapDocument puts another file in an attachment's place, under its own digest, and
// makes the package's document list that.
func (v *victim) swapDocument() {
	v.t.Helper()
	const malware = "malware"
	digest := evidence.Digest([]byte(malware))
	path := v.path(v.file)
	other := filepath.Join(filepath.Dir(filepath.Dir(path)), digest[:2], digest[2:])
	v.ok(os.MkdirAll(filepath.Dir(other), 0o700))
	v.ok(os.WriteFile(other, []byte(malware), 0o600))
	id, document := v.packageOfFile()
	v.exec(`UPDATE evidence_package SET document = $1 WHERE id = $2`, bytes.ReplaceAll(document, []byte(v.file), []byte(digest)), id)
}

// packageOfFile is the package whose document lists the file.
func (v *victim) packageOfFile() (id string, document []byte) {
	v.t.Helper()
	rows, err := v.db.Query(`SELECT id, document FROM evidence_package`)
	v.ok(err)
	for rows.Next() {
		var one string
		var text []byte
		v.ok(rows.Scan(&one, &text))
		if bytes.Contains(text, []byte(v.file)) {
			id, document = one, text
		}
	}
	v.ok(errorsOf(rows))
	return id, document
}
