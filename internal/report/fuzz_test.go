package report

import (
	"bytes"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/cab/cabtest"
	"github.com/go-json-experiment/json"
)

// FuzzAdd: whatever stands in a ledger, a report is made or refused, and its
// page holds no script.
func FuzzAdd(f *testing.F) {
	story, _ := cabtest.Story(f)
	var whole [][]byte
	for _, e := range story.Events {
		whole = append(whole, cabtest.Leaf(f, e))
	}
	f.Add(bytes.Join(whole, []byte("\n")))
	f.Add(bytes.Join(whole[:20], []byte("\n")))
	f.Add([]byte(`{"seq":0,"type":"CAB_APPROVED","time":"2026-01-05T00:00:00Z"}`))
	f.Add([]byte(`{"seq":0,"type":"EXCEPTION_APPROVED","time":"2026-01-05T00:00:00Z","data":{"request":{"deployment_intent_id":""},"deployment":{}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		b := New(day(3), day(12))
		for line := range bytes.Lines(text) {
			var e cab.Event
			if json.Unmarshal(line, &e) != nil {
				return
			}
			if b.Add(e) != nil {
				return
			}
		}
		for _, at := range []time.Time{day(1), day(5), day(31)} {
			page, err := b.Report(Made{At: at}).HTML()
			if err != nil || bytes.Contains(page, []byte("<script")) {
				t.Fatalf("%v in %s", err, text)
			}
		}
	})
}
