package report

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/cab/cabtest"
)

func day(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }

// fold makes the report of January's days from first on and before last.
func fold(t testing.TB, events []cab.Event, first, last int) *Report {
	t.Helper()
	b := New(day(first), day(last))
	for _, e := range events {
		if err := b.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	return b.Report(Made{At: day(31), Ledger: Ledger{Origin: "example.org/log", Size: int64(len(events)), Root: "root", Key: "key", Note: "example.org/log\n9\nroot\n"}})
}

func TestDump(t *testing.T) {
	story, _ := cabtest.Story(t)
	r := fold(t, story.Events, 1, 31)
	html, err := r.HTML()
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile("/tmp/report.html", html, 0o644)
	text, _ := json.MarshalIndent(r, "", " ")
	os.WriteFile("/tmp/report.json", text, 0o644)
	_ = bytes.Equal
}
