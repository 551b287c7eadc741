package monitor

import (
	"strings"
	"testing"
)

const leaf = `{"actor":{"id":"x","name":"x","role":"system"},"correlation_id":"","data":{"exception":{"approved_by":{"id":"a","username":"b"},"cab_request_id":"r","compensating_controls":["c"],"correlation_id":"","deployment_intent_id":"","expires_at":"2026-01-01T00:00:00Z","id":"e","name":"EXC-1","reason":"","requested_at":"2026-01-01T00:00:00Z","requested_by":{"id":"","username":""},"revision":1,"risk_justification":"","status":"approved","submitter_id":""}},"deployment_intent_id":"","id":"x","seq":3,"source":{},"subject":{"id":"","kind":""},"time":"2026-01-01T00:00:00Z","type":"EXCEPTION_APPROVED"}`

// TestEventsThatAreNone: an entry is an event in one form only, at its own place.
func TestEventsThatAreNone(t *testing.T) {
	if e, err := readEvent(3, []byte(leaf)); err != nil || len(rowsOf(e)) != 1 || rowsOf(e)[0].title != "exception EXC-1" {
		t.Fatalf("%+v %v", e, err)
	}
	for name, bad := range map[string]string{
		"empty": "", "not JSON": "x", "a list": "[]", "null": "null", "two": leaf + leaf, "spaces": leaf + " ", "cut off": leaf[:len(leaf)-1],
		"another place": strings.Replace(leaf, `"seq":3`, `"seq":4`, 1), "a place twice": strings.Replace(leaf, `"seq":3`, `"seq":4,"seq":3`, 1),
		"another order": strings.Replace(leaf, `"id":"x","name":"x"`, `"name":"x","id":"x"`, 1), "deep": strings.Repeat("[", 60_000),
		"escaped": strings.Replace(leaf, `"EXC-1"`, `"EXC-\u0031"`, 1), "not UTF-8": strings.Replace(leaf, "EXC-1", "EXC-\xff", 1),
	} {
		if e, err := readEvent(3, []byte(bad)); err == nil {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

func FuzzFold(f *testing.F) {
	f.Add([]byte(leaf))
	f.Add([]byte(`{"data":{"request":{},"decision":{},"deployment":{},"evidence":{},"policy":{},"risk_model":{}},"seq":3}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		state := newFold()
		state.mark()
		err := state.apply(3, text)
		_ = describe(3, text)
		for subject, v := range state.rows {
			if err != nil || v.seq != 3 || len(state.versions(subject)) == 0 {
				t.Errorf("%v %+v %v", subject, v, err)
			}
		}
	})
}
