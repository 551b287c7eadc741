package console

import (
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
	"github.com/eucora/eucora/internal/workflow"
)

// eventOf is the place of the first event of a trail.
func (w *world) eventOf(trail string) int64 {
	w.t.Helper()
	page, err := w.service.Events(w.ctx, w.call("ada"), workflow.EventFilter{Trail: trail, OldestFirst: true})
	w.must(err)
	if len(page.Rows) == 0 {
		w.t.Fatalf("%s has no event", trail)
	}
	return page.Rows[0].Seq
}

var eventLink = regexp.MustCompile(`class="open" href="/audit/(\d+)"`)

// places are the events that a list shows.
func (p page) places() []string {
	var all []string
	for _, found := range eventLink.FindAllStringSubmatch(p.body, -1) {
		all = append(all, found[1])
	}
	return all
}

func TestAuditSearch(t *testing.T) {
	eachWorld(t, func(w *world) {
		row := w.submitted("7-Zip", "24.08", "mid")
		other := w.submitted("PuTTY", "0.81", "mid")
		_, err := w.service.Approve(w.ctx, w.call("carol"), row.ID, "fine, "+hostileText, nil)
		w.must(err)
		today := w.now().Format(dayForm)
		tomorrow := w.now().AddDate(0, 0, 1).Format(dayForm)
		ada := w.as("ada")
		for query, want := range map[string]struct{ has, lacks []string }{
			"":                                   {[]string{row.Name, other.Name, "The ledger", "signed"}, nil},
			"id=" + row.Name:                     {[]string{row.Name, "CAB approved"}, []string{other.Name}},
			"id=" + strings.ToLower(row.Name):    {[]string{row.Name}, []string{other.Name}},
			"id=" + row.CorrelationID:            {[]string{row.Name}, []string{other.Name}},
			"id=" + row.PackageID:                {[]string{row.Name}, []string{other.Name}},
			"actor=carol":                        {[]string{row.Name, ">carol<"}, []string{other.Name, ">erin<"}},
			"actor=" + w.ids["carol"]:            {[]string{row.Name}, []string{other.Name}},
			"actor=risk+gate&type=RISK_ASSESSED": {[]string{"scored the evidence", ">risk gate<"}, []string{">erin<"}},
			"type=CAB_APPROVED":                  {[]string{row.Name, "approved the request"}, []string{other.Name}},
			"since=" + today + "&until=" + today: {[]string{row.Name}, nil},
			"since=" + tomorrow:                  {[]string{"No event is like this", "Show all events"}, []string{row.Name}},
			"id=nothing":                         {[]string{"No event is like this"}, nil},
		} {
			p := ada.get("/audit?" + query)
			p.has(t, want.has...)
			p.lacks(t, want.lacks...)
			p.lacks(t, "<script>alert", "<img src=x")
		}
		for query, status := range map[string]int{
			"since=yesterday": 400, "since=2026-02-30": 400, "since=2026-11-02&until=2026-11-01": 400, "cursor=x": 400, "cursor=-1": 400,
			"type=x": 200, "id=%00%ff": 200, "id=99999999999999999999": 200, "id=0": 303, "id=%2312": 303,
		} {
			if p := ada.get("/audit?" + query); p.status != status {
				t.Errorf("%s: %d, want %d", query, p.status, status)
			}
		}
		ada.get("/audit?since=yesterday&actor=carol").has(t, `value="yesterday"`, `value="carol"`, "is not a day")
		for path, status := range map[string]int{"/audit/99999": 404, "/audit/-1": 404, "/audit/01": 404, "/audit/x": 404, "/audit/9999999999999999999999": 404} {
			if p := ada.get(path); p.status != status {
				t.Errorf("%s: %d, want %d", path, p.status, status)
			}
		}
	})
}

// TestAuditShowsOnlyOnesOwn to those who may not see all, also by the export.
func TestAuditShowsOnlyOnesOwn(t *testing.T) {
	eachWorld(t, func(w *world) {
		row := w.submitted("7-Zip", "24.08", "mid")
		seq := w.eventOf(row.ID)
		erin, eve, pat := w.as("erin"), w.as("eve"), w.as("pat")
		erin.get("/audit").has(t, row.Name, "what is yours")
		for name, b := range map[string]*browser{"eve": eve, "pat": pat} {
			b.get("/audit?id="+row.Name).has(t, "No event is like this")
			b.get("/audit?actor=erin").lacks(t, row.Name)
			for _, path := range []string{fmt.Sprintf("/audit/%d", seq), fmt.Sprintf("/audit/%d/leaf", seq), fmt.Sprintf("/audit/%d/proof", seq)} {
				if p := b.get(path); p.status != http.StatusForbidden {
					t.Errorf("%s for %s: %d", path, name, p.status)
				}
			}
			if p := b.get("/audit/export"); p.status != http.StatusOK || strings.Contains(p.body, row.ID) {
				t.Errorf("the export for %s: %d, %.200s", name, p.status, p.body)
			}
		}
		if p := erin.get("/audit/export"); !strings.Contains(p.body, row.ID) {
			t.Error("erin's export is without her request")
		}
	})
}

// TestAuditPagesThroughTenThousand events: every one once, in order, and no page
// bigger than another.
func TestAuditPagesThroughTenThousand(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	w.must(w.store.Update(w.ctx, func(tx *store.Tx) error {
		for range 100 {
			var events []cab.Event
			for range 101 {
				events = append(events, cab.Event{Time: w.now(), Type: cab.AccessRefused, Actor: cab.Guard, Subject: cab.Subject{Kind: cab.KindAddress, ID: "192.0.2.1"}})
			}
			if err := tx.Save(cab.Change{Events: events}); err != nil {
				return err
			}
		}
		return nil
	}))
	ada := w.as("ada")
	path, seen, last := "/audit?type=ACCESS_REFUSED", 0, int64(1<<62)
	next := regexp.MustCompile(`href="([^"]+)" rel="next"`)
	for pages := 0; path != ""; pages++ {
		p := ada.get(path)
		if pages == 0 {
			p.has(t, "more than 10,000 events")
		}
		if len(p.body) > 100<<10 {
			t.Fatalf("%s has %d bytes", path, len(p.body))
		}
		for _, text := range p.places() {
			seq, ok := place(text)
			if !ok || seq >= last {
				t.Fatalf("%s after %d", text, last)
			}
			seen, last = seen+1, seq
		}
		path = ""
		if found := next.FindStringSubmatch(p.body); found != nil {
			path = strings.ReplaceAll(found[1], "&amp;", "&")
		}
	}
	if seen != 10_100 {
		t.Errorf("%d events on all pages", seen)
	}
}

// TestEventIsVerified: what the page says of an event is so, and the files that it
// offers say the same to whoever checks them without us.
func TestEventIsVerified(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		row := w.submittedWith(`<b>bold</b>`, "1", hostileEvidence(), hostileText)
		seq := w.eventOf(row.ID)
		path := fmt.Sprintf("/audit/%d", seq)
		ada := w.as("ada")
		shown := ada.get(path)
		shown.has(t, "Checked just now", "Deployment created", "&lt;b&gt;bold", "The whole trail")
		shown.lacks(t, "<b>bold", "does not hold")
		verifier, err := ledger.NewVerifier(w.store.LedgerKey())
		w.must(err)
		leaf, text := ada.get(path+"/leaf"), ada.get(path+"/proof")
		for _, file := range []page{leaf, text} {
			guarded(t, path, file)
			if !strings.HasPrefix(file.header.Get("Content-Disposition"), "attachment;") {
				t.Errorf("not offered as a file: %v", file.header)
			}
		}
		proof, err := ledger.ParseProof([]byte(text.body))
		w.must(err)
		if checkpoint, err := proof.Check([]byte(leaf.body), verifier); err != nil || proof.Seq != seq {
			t.Errorf("the proof of %d: %v", proof.Seq, err)
		} else if strings.Contains(shown.body, fmt.Sprintf("of the %d that", checkpoint.Size)) { // and none was signed since
			page{shown.status, shown.header, html.UnescapeString(shown.body)}.has(t, checkpoint.Root.String())
		}
		if note := ada.get("/audit/checkpoint"); note.status != http.StatusOK {
			t.Errorf("the checkpoint: %d", note.status)
		} else if _, err := verifier.Open([]byte(note.body)); err != nil {
			t.Error(err)
		}
	})
}

// TestEventThatWasChanged in the database is not said to hold.
func TestEventThatWasChanged(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		url := e.URL(t)
		e.URL = func(testing.TB) string { return url }
		w := newWorld(t, e)
		alter := func(seq int64, leaf string) {
			db := storetest.Owner(t, url)
			storetest.DropTriggers(t, db, e.Name)
			_, err := db.Exec(`UPDATE event SET leaf = $1 WHERE seq = $2`, []byte(leaf), seq)
			w.must(err)
		}
		row := w.submitted("7-Zip", "24.08", "mid")
		seq := w.eventOf(row.ID)
		path := fmt.Sprintf("/audit/%d", seq)
		ada := w.as("ada")
		ada.get(path).has(t, "Checked just now")
		alter(seq, ada.get(fmt.Sprintf("/audit/%d/leaf", seq-1)).body)
		p := ada.get(path)
		p.has(t, "does not hold")
		p.lacks(t, "Checked just now", path+"/proof")
		alter(seq, `{"a":`)
		p = ada.get(path)
		p.has(t, "does not hold", "cannot be read")
		if p.status != http.StatusOK {
			t.Errorf("%d", p.status)
		}
		ada.get("/audit").has(t, "It cannot be read")
	})
}

func TestAuditExports(t *testing.T) {
	eachWorld(t, func(w *world) {
		row := w.submitted("7-Zip", "24.08", "mid")
		w.submitted("PuTTY", "0.81", "mid")
		ada := w.as("ada")
		shown := len(ada.get("/audit?id=" + row.Name).places())
		for format, more := range map[string]int{"ndjson": 0, "csv": 1, "ocsf": 0} {
			p := ada.get("/audit/export?format=" + format + "&id=" + row.Name)
			if lines := strings.Count(strings.ReplaceAll(p.body, "\r\n", "\n"), "\n"); p.status != http.StatusOK || lines != shown+more {
				t.Errorf("%s: %d, %d lines for %d events", format, p.status, lines, shown)
			}
			guarded(t, format, p)
		}
		ada.get("/audit?id="+row.Name).has(t, "/audit/export?format=csv&amp;id="+row.Name)
		if p := ada.get("/audit/export?since=x"); p.status != http.StatusBadRequest {
			t.Errorf("%d", p.status)
		}
	})
}
