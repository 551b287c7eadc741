package monitor

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// version is a row as one event left it.
type version struct {
	digest  [sha256.Size]byte
	seq     int64 // the event that wrote it
	status  string
	expires time.Time
}

// fold is the state of the world as the events tell it.
type fold struct {
	rows  map[cab.Subject]version
	since map[cab.Subject][]version // the versions that a row had from mark on, of those that changed; nil before mark
}

func newFold() *fold { return &fold{rows: map[cab.Subject]version{}} }

// mark begins to remember each version: what is read from now on, while the log
// grows, may show any of them.
func (f *fold) mark() { f.since = map[cab.Subject][]version{} }

// apply reads the leaf at a place, and folds it. What it returns is wrong with it.
func (f *fold) apply(seq int64, leaf []byte) error {
	e, err := readEvent(seq, leaf)
	if err != nil {
		return err
	}
	for _, r := range rowsOf(e) {
		next := version{r.digest(), seq, r.status, r.expires}
		if before, known := f.rows[r.Subject]; f.since != nil && f.since[r.Subject] == nil && known {
			f.since[r.Subject] = []version{before}
		}
		if f.since != nil {
			f.since[r.Subject] = append(f.since[r.Subject], next)
		}
		f.rows[r.Subject] = next
	}
	return nil
}

// versions are those that may be shown of a row: the newest as of mark, and those
// that came after it.
func (f *fold) versions(of cab.Subject) []version {
	if all := f.since[of]; all != nil {
		return all
	}
	if v, known := f.rows[of]; known {
		return []version{v}
	}
	return nil
}

// wasThere reports whether the row was there at mark.
func (f *fold) wasThere(of cab.Subject, marked int64) bool {
	all := f.versions(of)
	return len(all) > 0 && all[0].seq < marked
}

func readEvent(seq int64, leaf []byte) (cab.Event, error) {
	var e cab.Event
	if err := json.Unmarshal(leaf, &e); err != nil {
		return e, fmt.Errorf("entry %d of the log is not an event: %w", seq, err)
	}
	again := jsontext.Value(bytes.Clone(leaf))
	if err := again.Canonicalize(); err != nil || !bytes.Equal(again, leaf) {
		return e, fmt.Errorf("event %d is not in canonical form", seq)
	}
	if e.Seq != seq {
		return e, fmt.Errorf("entry %d of the log says that it is event %d", seq, e.Seq)
	}
	return e, nil
}

// describe is an event in a few words.
func describe(seq int64, leaf []byte) string {
	e, err := readEvent(seq, leaf)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s by %s on %s, %s %s", e.Type, e.Actor.Name, e.Time.UTC().Format(time.RFC3339), e.Subject.Kind, e.Subject.ID)
}
