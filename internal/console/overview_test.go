package console

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// cells are the texts of a table's cells, a row a line, without marks.
func (p page) cells(t *testing.T, after string) string {
	t.Helper()
	_, from, ok := strings.Cut(p.body, `id="`+after+`"`)
	if !ok {
		t.Fatalf("%d: there is no %s", p.status, after)
	}
	_, from, _ = strings.Cut(from, "<tbody>")
	table, _, _ := strings.Cut(from, "</table>")
	var text strings.Builder
	for row := range strings.SplitSeq(table, "<tr>") {
		for i, part := range strings.Split(row, "<") {
			if _, words, _ := strings.Cut(part, ">"); i > 0 && strings.TrimSpace(words) != "" {
				text.WriteString(strings.TrimSpace(words) + "|")
			}
		}
		text.WriteString("\n")
	}
	return text.String()
}

func (p page) row(t *testing.T, table, row string) {
	t.Helper()
	if cells := p.cells(t, table); !strings.Contains(cells, "\n"+row+"\n") {
		t.Errorf("%s has no row %q:\n%s", table, row, cells)
	}
}

func TestOverviewCounts(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.mu.Lock() // a Monday: what is decided within hours is of one week
		w.at = w.at.AddDate(0, 0, (8-int(w.at.Weekday()))%7).Truncate(24 * time.Hour)
		w.mu.Unlock()
		carol := w.as("carol")
		empty := carol.get("/overview")
		empty.has(t, "Nothing was submitted in these weeks", "Nobody has voted in these weeks")
		empty.row(t, "pending", "All|0|0|")

		week := w.now().Format("2 Jan 2006")
		for i, hours := range []time.Duration{1, 3, 20} {
			row := w.submitted("App", fmt.Sprint(i), "mid")
			w.pass(hours * time.Hour)
			var err error
			if i == 2 {
				_, err = w.service.Reject(w.ctx, w.call("chris"), row.ID, "no")
			} else {
				_, err = w.service.Approve(w.ctx, w.call("carol"), row.ID, "fine", nil)
			}
			w.must(err)
		}
		w.submitted("Auto", "1", "low")
		_, e := w.excepted("VPN", "5")
		_, err := w.service.ApproveException(w.ctx, w.call("sam"), e.ID, "two weeks")
		w.must(err)
		w.pass(30 * time.Hour)
		w.submitted("Waits", "1", "mid")
		w.submitted("Wants", "1", "high")
		p := w.as("carol").get("/overview")
		status := w.submitted("Asks", "2", "mid") // after the page: not on it
		p.lacks(t, status.Name)
		p.row(t, "weeks", week+"|7|1|25 %|3|1|33 %|3 h|20 h|")
		p.row(t, "pending", "up to a day ago|1|1|")
		p.row(t, "pending", "one to two days ago|1|0|")
		p.row(t, "pending", "All|2|1|")
		p.row(t, "ending", "up to 14 days|1|")
		p.row(t, "ending", "All|1|")
		p.has(t, `href="/audit?actor=carol&amp;since=`, `>2</a>`)
		_, path, _ := strings.Cut(p.body, `href="/audit?actor=carol`)
		path, _, _ = strings.Cut(path, `"`)
		if found := w.as("carol").get("/audit?actor=carol" + strings.ReplaceAll(path, "&amp;", "&")).places(); len(found) != 2 {
			t.Errorf("behind carol's 2 votes are %v", found)
		}
		w.pass(13 * 7 * 24 * time.Hour)
		w.as("carol").get("/overview").has(t, "Nothing was submitted in these weeks")
	})
}
