package capsule_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/eucora/eucora/internal/capsule"
	"github.com/eucora/eucora/internal/capsule/capsuletest"
	"github.com/eucora/eucora/internal/ledger"
)

// TestEveryByte: whichever byte of a capsule is changed, it does not hold. One bit
// of each, of the capsule that has all kinds of members; with EUCORA_EVERY_BIT all
// bits of all capsules; with the race detector, which takes ten times as long, some.
func TestEveryByte(t *testing.T) {
	every := os.Getenv("EUCORA_EVERY_BIT") != ""
	for _, s := range capsuletest.Stories() {
		bits, step := 1, 1
		switch {
		case every:
			bits = 8
		case s.Name != "excepted":
			continue
		case race:
			step = 41
		}
		good := s.Make().Capsule(true)
		if !holds(good) {
			t.Fatalf("%s does not hold", s.Name)
		}
		each((len(good)+step-1)/step, func(n int) {
			at := n * step
			bad := bytes.Clone(good)
			for bit := range bits {
				bad[at] = good[at] ^ 1<<((at+bit)%8)
				if holds(bad) {
					t.Errorf("%s: byte %d, %08b instead of %08b: holds", s.Name, at, bad[at], good[at])
				}
			}
		})
		t.Logf("%s: %d bytes, one in %d, %d bits of each", s.Name, len(good), step, bits)
	}
}

// TestEveryLength: whatever is cut off at the end, in front, or put there.
func TestEveryLength(t *testing.T) {
	for _, s := range capsuletest.Stories()[:2] {
		good := s.Make().Capsule(true)
		each(len(good), func(at int) {
			if holds(good[:at]) || at > 0 && holds(good[at:]) {
				t.Errorf("%s: cut at %d: holds", s.Name, at)
			}
		})
		for _, more := range []string{"\x00", "\n", "PK\x05\x06", string(good)} {
			if holds(append(bytes.Clone(good), more...)) || holds(append([]byte(more), good...)) {
				t.Errorf("%s with %d bytes more: holds", s.Name, len(more))
			}
		}
	}
}

func holds(b []byte) bool {
	r, err := capsule.Verify(bytes.NewReader(b), int64(len(b)), capsule.Options{})
	return err == nil && r.Holds()
}

// each calls f for 0 to n-1, on all processors.
func each(n int, f func(int)) {
	var group sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		group.Go(func() {
			for at := w; at < n; at += workers {
				f(at)
			}
		})
	}
	group.Wait()
}

// TestSealing: what is sealed has the length that was announced, the encoding that
// any zip program writes when it is told to, and the files in it are streamed and
// checked.
func TestSealing(t *testing.T) {
	w := capsuletest.Stories()[0].Make()
	c := w.Contents(true)
	var out bytes.Buffer
	sealed, err := capsule.Seal(c, w.Signer.SignManifest)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := sealed.WriteTo(&out); err != nil || n != sealed.Size || int64(out.Len()) != n {
		t.Errorf("%d bytes announced, %d written, %v", sealed.Size, n, err)
	}
	if again := capsuletest.Unpack(out.Bytes()).Zip(); !bytes.Equal(again, out.Bytes()) {
		t.Error("archive/zip writes it otherwise")
	}
	good := c.Attachments[0].Open
	for name, body := range map[string]string{"altered": "MZ one filf", "cut": "MZ", "gone": ""} {
		c.Attachments[0].Open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewBufferString(body)), nil }
		if sealed, err = capsule.Seal(c, w.Signer.SignManifest); err != nil {
			t.Fatal(err)
		}
		var cut bytes.Buffer
		if _, err := sealed.WriteTo(&cut); err == nil || int64(cut.Len()) >= sealed.Size || holds(cut.Bytes()) {
			t.Errorf("a file that is %s: %v", name, err)
		}
	}
	c.Attachments[0].Open = good
	c.Attachments[0].Size = 5 << 30
	if _, err := capsule.Seal(c, w.Signer.SignManifest); !errors.Is(err, capsule.ErrTooLarge) {
		t.Errorf("5 GiB: %v", err)
	}
}

// TestRoomForEvents: whoever adds events is told as soon as there is no room for more;
// so is whoever seals them, also when it is their proofs that are too large.
func TestRoomForEvents(t *testing.T) {
	for name, c := range map[string]struct {
		leaf, note, room int // bytes, bytes, events
		early            bool
	}{
		"many": {100, 100, 32763, true}, "large": {60_000, 100, 279, true}, "with many witnesses": {100, 60_000, 1117, false},
	} {
		contents := capsule.Contents{Request: "CAB-0123456789AB", Checkpoint: make([]byte, c.note)}
		event := capsule.Event{Leaf: make([]byte, c.leaf), Path: make([]ledger.Hash, 1)}
		for range c.room {
			if err := contents.AddEvent(event); err != nil {
				t.Fatalf("%s: at %d of %d events: %v", name, len(contents.Events), c.room, err)
			}
		}
		if _, err := capsule.Seal(contents, nil); !errors.Is(err, capsule.ErrContradictory) { // they are none
			t.Errorf("%s: %v", name, err)
		}
		if err := contents.AddEvent(event); errors.Is(err, capsule.ErrTooLarge) != c.early {
			t.Errorf("%s: one more: %v", name, err)
		}
		if _, err := capsule.Seal(contents, nil); !errors.Is(err, capsule.ErrTooLarge) {
			t.Errorf("%s: one more: %v", name, err)
		}
	}
}

// TestTheKeySignsNothingElse: a manifest is never a checkpoint, and the other way
// round.
func TestTheKeySignsNothingElse(t *testing.T) {
	key := capsuletest.NewSigner("eucora.example/ledger")
	verifier, err := ledger.NewVerifier(key.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"eucora.example/ledger\n5\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", "", "eucora capsule v1", "eucora capsule v2\n"} {
		if signed, err := key.SignManifest(text); err == nil {
			t.Errorf("%q was signed: %s", text, signed)
		}
	}
	signed, err := key.SignManifest("eucora capsule v1\n5\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
	if err != nil {
		t.Fatal(err)
	}
	if c, err := verifier.Open(signed); err == nil {
		t.Errorf("a manifest is taken for the checkpoint %+v", c)
	}
	checkpoint, err := key.Sign(5, ledger.Hash{})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := verifier.OpenManifest(checkpoint); err == nil {
		t.Errorf("a checkpoint is taken for the manifest %q", text)
	}
}

// TestReaderThatFails: could not be read is not the same as does not hold.
func TestReaderThatFails(t *testing.T) {
	good := capsuletest.Stories()[0].Make().Capsule(true)
	short := bytes.NewReader(good[:len(good)/2])
	if r, err := capsule.Verify(short, int64(len(good)), capsule.Options{}); err == nil {
		t.Errorf("no error, and %+v", r.Checks)
	}
}

// FuzzVerify: of bytes from anywhere.
func FuzzVerify(f *testing.F) {
	for _, c := range capsuletest.Cases() {
		f.Add(c.Capsule)
	}
	w := capsuletest.Stories()[0].Make()
	key, err := ledger.NewVerifier(w.Signer.VerifierKey())
	if err != nil {
		f.Fatal(err)
	}
	good := w.Capsule(true)
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := capsule.Verify(bytes.NewReader(b), int64(len(b)), capsule.Options{}); err != nil {
			t.Errorf("reading bytes: %v", err)
		} else if len(r.Checks) != 13 {
			t.Errorf("%d checks", len(r.Checks))
		}
		r, err := capsule.Verify(bytes.NewReader(b), int64(len(b)), capsule.Options{Key: key})
		if err == nil && r.Holds() && !bytes.Equal(b, good) {
			t.Error("a capsule that nobody signed holds")
		}
	})
}

// FuzzMember: an insider puts something else into a capsule, and signs it again.
func FuzzMember(f *testing.F) {
	w := capsuletest.Stories()[3].Make()
	m := capsuletest.Unpack(w.Capsule(true))
	for i, member := range m[1:] {
		f.Add(uint8(i), member.Body)
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		member := m[1+int(which)%(len(m)-1)]
		b := m.With(member.Name, body).Sealed(w.Name(), w.Signer)
		r, err := capsule.Verify(bytes.NewReader(b), int64(len(b)), capsule.Options{})
		if err != nil {
			t.Fatal(err)
		}
		free := member.Name == "index.html" || member.Name == "trust" || member.Name == "timestamp.tsr" // nothing else speaks of these
		if r.Holds() && !free && !bytes.Equal(body, member.Body) {
			t.Errorf("another %s, and it holds", member.Name)
		}
	})
}

// FuzzEvent: whoever has the log's key writes what they like into the log. Nothing
// that an event says may be too much for whoever reads it.
func FuzzEvent(f *testing.F) {
	w := capsuletest.Stories()[3].Make()
	n := 0
	for _, member := range capsuletest.Unpack(w.Capsule(false)) {
		if strings.HasPrefix(member.Name, "events/") && strings.HasSuffix(member.Name, ".json") {
			f.Add(uint8(n), member.Body)
			n++
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, leaf []byte) {
		if len(leaf) > ledger.MaxLeaf {
			return
		}
		b := w.Forge(int(which)%n, leaf).Capsule(false)
		if _, err := capsule.Verify(bytes.NewReader(b), int64(len(b)), capsule.Options{}); err != nil {
			t.Fatal(err)
		}
	})
}
