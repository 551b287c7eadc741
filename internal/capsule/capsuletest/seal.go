package capsuletest

import (
	"bytes"
	"crypto/sha256"
	"encoding/asn1"
	"fmt"
	"hash/crc32"
	"io"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/capsule"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/ledger"
)

// log is the site's log, made of its events as they are now.
type log struct {
	leaves [][]byte
	tiles  ledger.Tiles
	root   ledger.Hash
}

func (w *World) log() log {
	var l log
	var f ledger.Frontier
	for i, e := range w.Events {
		e.Seq = int64(i)
		leaf, raw := w.raw[i]
		if !raw {
			leaf = Leaf(e)
		}
		l.leaves = append(l.leaves, leaf)
		f.Append(ledger.LeafHash(leaf))
	}
	kept := map[ledger.TileID][]byte{}
	for _, tile := range f.Dirty() {
		kept[tile.ID] = tile.Data
	}
	l.tiles = func([]ledger.TileID) (map[ledger.TileID][]byte, error) { return kept, nil }
	l.root = f.Root()
	return l
}

// Checkpoint signs the log as it is, and has it witnessed.
func (w *World) Checkpoint() []byte {
	signed := must(w.Signer.Sign(int64(len(w.Events)), w.log().root))
	if w.Witnessed {
		return ledger.WithCosignatures(signed, []string{w.Witness.Cosign(signed, w.Signer.VerifierKey())})
	}
	return signed
}

// belongs reports whether an event goes into the capsule of the site's story.
func (w *World) belongs(e cab.Event) bool {
	return e.CorrelationID == w.d.CorrelationID || e.Type == cab.ModelChanged || e.Type == cab.PolicyChanged
}

// Contents are what goes into the capsule of the site's story, as its log is now.
func (w *World) Contents(withFiles bool) capsule.Contents {
	l := w.log()
	c := capsule.Contents{
		Request: w.r.Name, Checkpoint: w.Checkpoint(), Trust: w.Trust, Model: w.model.Document(), Policy: must(w.rules.Document()), Document: w.document,
	}
	if w.Stamped {
		signed, _, _ := bytes.Cut(c.Checkpoint, []byte("— witness"))
		c.Timestamp = Stamp(signed)
	}
	for i, e := range w.Events {
		if w.belongs(e) {
			c.Events = append(c.Events, w.event(l, int64(i)))
		}
	}
	for _, f := range w.Files {
		if withFiles {
			c.Attachments = append(c.Attachments, capsule.Attachment{
				SHA256: evidence.Digest(f), Size: int64(len(f)), CRC: crc32.ChecksumIEEE(f),
				Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(f)), nil },
			})
		}
	}
	slices.SortFunc(c.Attachments, func(a, b capsule.Attachment) int { return strings.Compare(a.SHA256, b.SHA256) })
	return c
}

func (w *World) event(l log, seq int64) capsule.Event {
	return capsule.Event{Seq: seq, Leaf: l.leaves[seq], Path: must(l.tiles.Inclusion(seq, int64(len(l.leaves))))}
}

// Capsule is the capsule of the site's story. Of events that were rewritten the
// program would make none: then it is put together here.
func (w *World) Capsule(withFiles bool) []byte {
	if w.rewritten {
		return w.members(withFiles).Sealed(w.r.Name, w.Signer)
	}
	var out bytes.Buffer
	must(must(capsule.Seal(w.Contents(withFiles), w.Signer.SignManifest)).WriteTo(&out))
	return out.Bytes()
}

// members are what is in the capsule, with a page that says nothing. The manifest is
// left open.
func (w *World) members(withFiles bool) Members {
	c := w.Contents(withFiles)
	all := Members{{"manifest", nil}, {"checkpoint", c.Checkpoint}, {"trust", []byte(c.Trust)}}
	if c.Timestamp != nil {
		all = append(all, Member{"timestamp.tsr", c.Timestamp})
	}
	all = append(all, Member{"model.json", c.Model}, Member{"policy.json", c.Policy}, Member{"document.json", c.Document})
	for _, e := range c.Events {
		name := fmt.Sprintf("events/%012d", e.Seq)
		all = append(all, Member{name + ".json", e.Leaf}, Member{name + ".tlog-proof", ledger.Proof{Seq: e.Seq, Path: e.Path, Checkpoint: c.Checkpoint}.Text()})
	}
	all = append(all, Member{"index.html", []byte("<!doctype html><p>nothing")})
	for _, a := range c.Attachments {
		all = append(all, Member{"attachments/" + a.SHA256, must(io.ReadAll(must(a.Open())))})
	}
	return all
}

// Rewrite changes events, and makes the log anew of them: what somebody can do who
// has the database and the log's key.
func (w *World) Rewrite(change func(e *cab.Event)) *World {
	w.rewritten = true
	for i := range w.Events {
		if w.belongs(w.Events[i]) {
			change(&w.Events[i])
		}
	}
	return w
}

// Forge has other bytes in an event's place: the n-th of the story.
func (w *World) Forge(n int, leaf []byte) *World {
	w.rewritten = true
	for i, e := range w.Events {
		if !w.belongs(e) {
			continue
		}
		if n--; n < 0 {
			w.raw = map[int][]byte{i: leaf}
			break
		}
	}
	return w
}

// Drop takes an event out of the log: the last of its type in the story.
func (w *World) Drop(kind cab.EventType) *World {
	w.rewritten = true
	for i := len(w.Events) - 1; ; i-- {
		if w.belongs(w.Events[i]) && w.Events[i].Type == kind {
			w.Events = slices.Delete(w.Events, i, i+1)
			return w
		}
	}
}

// Repeat puts the last event of a type into the log a second time.
func (w *World) Repeat(kind cab.EventType) *World {
	w.rewritten = true
	for i := len(w.Events) - 1; ; i-- {
		if w.belongs(w.Events[i]) && w.Events[i].Type == kind {
			w.Events = append(w.Events, clone(w.Events[i]))
			return w
		}
	}
}

// Stamp is an RFC 3161 answer about text, as far as it says what was stamped: it
// bears nobody's signature.
func Stamp(text []byte) []byte {
	type algorithm struct{ Name asn1.ObjectIdentifier }
	type imprint struct {
		Algorithm algorithm
		Digest    []byte
	}
	type info struct {
		Version int
		Policy  asn1.ObjectIdentifier
		Imprint imprint
		Serial  *big.Int
		Time    time.Time `asn1:"generalized"`
	}
	type content struct {
		Type    asn1.ObjectIdentifier
		Content []byte `asn1:"explicit,tag:0"`
	}
	type signed struct {
		Version int
		Digests []algorithm `asn1:"set"`
		Content content
	}
	type token struct {
		Type    asn1.ObjectIdentifier
		Content signed `asn1:"explicit,tag:0"`
	}
	type status struct{ Status int }
	type response struct {
		Status status
		Token  token
	}
	sum := sha256.Sum256(text)
	sha := algorithm{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}}
	inner := must(asn1.Marshal(info{1, asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 1}, imprint{sha, sum[:]}, big.NewInt(7), time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC)}))
	return must(asn1.Marshal(response{status{0}, token{
		asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2},
		signed{3, []algorithm{sha}, content{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}, inner}},
	}}))
}
