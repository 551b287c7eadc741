package capsule

import (
	"bytes"
	"fmt"
	"math"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// What the JSON in a capsule is held to, so that every reader of it reads the same.
const (
	maxLevels  = 64      // of objects and arrays in each other
	maxInteger = 1 << 53 // beyond it doubles are not exact
)

// checkForm: JSON in the form of RFC 8785, which has one meaning.
func checkForm(text []byte) error {
	canonical := jsontext.Value(bytes.Clone(text))
	if err := canonical.Canonicalize(); err != nil || !bytes.Equal(canonical, text) {
		return fmt.Errorf("it is not in the form of RFC 8785")
	}
	decoder := jsontext.NewDecoder(bytes.NewReader(text))
	for {
		token, err := decoder.ReadToken()
		switch {
		case err != nil:
			return nil // the end: it has been read once
		case decoder.StackDepth() > maxLevels:
			return fmt.Errorf("it is nested deeper than %d levels", maxLevels)
		case token.Kind() == '0':
			if n, err := token.Float(); err != nil || math.Abs(n) > maxInteger {
				return fmt.Errorf("it has a number beyond 2^53")
			}
		}
	}
}

// inUTC writes times as the ledger does.
var inUTC = json.WithMarshalers(json.MarshalToFunc(func(e *jsontext.Encoder, t time.Time) error {
	return e.WriteToken(jsontext.String(t.UTC().Format(time.RFC3339Nano)))
}))

// readEvent reads a leaf: an event, and nothing but that. It has the members that
// events have and no others, so that nobody reads more in it, or less.
func readEvent(leaf []byte) (e cab.Event, err error) {
	if err := checkForm(leaf); err != nil {
		return e, err
	}
	if err := json.Unmarshal(leaf, &e); err != nil {
		return e, fmt.Errorf("this is no event: %w", err)
	}
	written, err := json.Marshal(e, inUTC)
	again := jsontext.Value(written)
	if err == nil {
		err = again.Canonicalize()
	}
	if err != nil || !bytes.Equal(again, leaf) {
		return e, fmt.Errorf("this is no event as the ledger writes them")
	}
	if d := e.Data; d.Principal != nil || d.Token != nil || d.Key != nil || d.Refusals != 0 {
		return e, fmt.Errorf("event %d (%s) is about something else than a request", e.Seq, e.Type)
	}
	return e, nil
}
