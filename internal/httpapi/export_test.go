package httpapi

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/store/storetest"
)

const exportPath = "/api/v1/events/export/"

// every reads all events that somebody may see through the list, oldest first.
func (w *world) every(as, filter string) []string {
	w.t.Helper()
	var leaves []string
	for cursor := ""; ; {
		var page struct {
			Results []json.RawMessage
			Next    string
		}
		answer := w.send(as, "GET", "/api/v1/events/?order=oldest&limit=1000"+cursor+filter, "")
		if err := json.Unmarshal([]byte(answer.body), &page); err != nil || answer.status != http.StatusOK {
			w.t.Fatalf("%d %v", answer.status, err)
		}
		for _, leaf := range page.Results {
			leaves = append(leaves, string(leaf))
		}
		if page.Next == "" {
			return leaves
		}
		cursor = "&cursor=" + page.Next
	}
}

func TestExport(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		of := w.submitted("high")
		w.post("eve", "/api/v1/deployments/", `{"app_name":"=cmd()","version":"1","target_ring":"LAB"}`)
		w.post("sam", "/api/v1/cab/exceptions/"+of.exception+"/reject/", `{"rationale":"=HYPERLINK(\"x\")\nno"}`)
		t.Run("who", func(t *testing.T) { exportWho(w) })
		t.Run("formats", func(t *testing.T) { exportFormats(w, of) })
		t.Run("refused", func(t *testing.T) { exportRefused(w) })
		t.Run("cut", func(t *testing.T) { exportCut(w) })
	})
}

// exportWho: everybody gets what the list shows them, and engineers their own.
func exportWho(w *world) {
	counts := map[string]int{}
	for name := range people {
		want := w.every(name, "")
		got := w.send(name, "GET", exportPath, "")
		if got.status != http.StatusOK || got.body != strings.Join(append(want, ""), "\n") {
			w.t.Errorf("%s: %d, %d lines, and the list has %d", name, got.status, strings.Count(got.body, "\n"), len(want))
		}
		counts[name] = strings.Count(got.body, "\n")
	}
	if counts["eve"] != 1 || counts["pat"] != 0 || counts["erin"] < 5 || counts["erin"] >= counts["ada"] {
		w.t.Errorf("lines by name: %v", counts)
	}
}

func exportFormats(w *world, of things) {
	for format, want := range map[string][2]string{
		"ndjson": {"application/x-ndjson", "eucora-events.ndjson"}, "ocsf": {"application/x-ndjson", "eucora-events.ocsf.ndjson"},
		"csv": {"text/csv; charset=utf-8; header=present", "eucora-events.csv"},
	} {
		got := w.send("ada", "GET", exportPath+"?format="+format+"&correlation_id="+of.request, "")
		if got.header.Get("Content-Type") != want[0] || got.header.Get("Content-Disposition") != "attachment; filename="+want[1] {
			w.t.Errorf("%s: %v", format, got.header)
		}
		events := w.every("ada", "&correlation_id="+of.request)
		if n := strings.Count(strings.ReplaceAll(got.body, "\nno", " no"), "\n"); format == "csv" && n != len(events)+1 || format != "csv" && n != len(events) {
			w.t.Errorf("%s: %d lines for %d events", format, n, len(events))
		}
	}
	got := w.send("ada", "GET", exportPath+"?format=csv&type=EXCEPTION_REJECTED", "")
	rows, err := csv.NewReader(strings.NewReader(got.body)).ReadAll()
	if err != nil || len(rows) != 2 || rows[1][13] != "'=HYPERLINK(\"x\")\nno" || rows[1][9] != "sam" {
		w.t.Errorf("%v: %q", err, rows)
	}
	if empty := w.send("ada", "GET", exportPath+"?format=csv&type=KEY_CHANGED", ""); strings.Count(empty.body, "\n") != 1 {
		w.t.Errorf("nothing is %q", empty.body)
	}
	future := url.QueryEscape(time.Now().Add(time.Hour).Format(time.RFC3339))
	if none := w.send("ada", "GET", exportPath+"?since="+future, ""); none.status != http.StatusOK || none.body != "" {
		w.t.Errorf("since later: %d %q", none.status, none.body)
	}
	if byErin := w.send("ada", "GET", exportPath+"?actor="+w.ids["eve"], ""); strings.Count(byErin.body, "\n") != 1 {
		w.t.Errorf("by eve: %q", byErin.body)
	}
}

func exportRefused(w *world) {
	for _, query := range []string{"format=xml", "format=", "limit=1", "cursor=1", "order=newest", "type=NONE", "since=yesterday", "format=csv&format=csv", "actor="} {
		if got := w.send("ada", "GET", exportPath+"?"+query, ""); got.status != http.StatusBadRequest {
			w.t.Errorf("%s: %d %s", query, got.status, got.body)
		}
	}
	host := strings.TrimPrefix(w.server.URL, "http://")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.0\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", exportPath, host, w.tokens["ada"])
	status, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(status, " 505 ") {
		w.t.Errorf("HTTP/1.0 got %q, %v", status, err)
	}
	head := w.send("ada", "HEAD", exportPath, "")
	if head.status != http.StatusOK || head.header.Get("Content-Type") != "application/x-ndjson" {
		w.t.Errorf("HEAD: %d %v", head.status, head.header)
	}
}

// exportCut: an event that cannot be written cuts the answer off, after more
// than one run of events has gone out.
func exportCut(w *world) {
	owner := storetest.Owner(w.t, w.url)
	var last int64
	if err := owner.QueryRow(`SELECT MAX(seq) FROM event`).Scan(&last); err != nil {
		w.t.Fatal(err)
	}
	good := w.every("ada", "")[0]
	insert := `INSERT INTO event (seq, id, time, type, correlation_id, actor_id, leaf) VALUES ($1, $2, 0, 'USER_CHANGED', '', '', $3)`
	for i := range int64(1200) {
		leaf := good
		if i == 1100 {
			leaf = `{"type":"NO_SUCH_TYPE"}`
		}
		if _, err := owner.Exec(insert, last+1+i, fmt.Sprintf("00000000-0000-7000-8000-%012d", i), []byte(leaf)); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, format := range []string{"csv", "ocsf"} {
		request, err := http.NewRequestWithContext(w.ctx, "GET", w.server.URL+exportPath+"?format="+format, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+w.tokens["ada"])
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			w.t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err == nil || len(text) == 0 {
			w.t.Errorf("%s: an answer of %d bytes came to a clean end: %v", format, len(text), err)
		}
	}
	if !strings.Contains(w.log.String(), "NO_SUCH_TYPE") {
		w.t.Error("the log does not say why")
	}
	all := w.send("ada", "GET", exportPath, "") // as hashed, whatever it is
	if n := strings.Count(all.body, "\n"); n != int(last)+1+1200 {
		w.t.Errorf("%d lines of %d", n, last+1+1200)
	}
}
