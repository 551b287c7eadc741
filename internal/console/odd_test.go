package console

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// oddTexts are what nobody types and somebody sends: no column of PostgreSQL holds
// the first two.
var oddTexts = []string{"\x00", "\xff", "a\x00b\xff", strings.Repeat("9", 400), "-1", "' OR 1=1 --", "../..", "%"}

var (
	placeholder = regexp.MustCompile(`\{[^}]*\}`)
	oddFields   = []string{"q", "id", "actor", "type", "since", "until", "cursor", "format", "with", "status", "risk", "ring", "sort", "show", "page", "role", "policy", "model", "kind", "done", "token", "next"}
)

// TestOddAddresses: whatever stands in an address is the caller's mistake, or finds
// nothing; it is never ours.
func TestOddAddresses(t *testing.T) {
	eachWorld(t, func(w *world) {
		row := w.submitted("7-Zip", "24.08", "mid")
		people := []*browser{w.as("ada"), w.as("root")} // who may see most
		try := func(path string) {
			for _, b := range people {
				if got := b.get(path); got.status >= 500 {
					t.Errorf("%q: %d %s", path, got.status, got.body)
				}
			}
		}
		for _, rt := range w.console.allRoutes() {
			if rt.method != "GET" {
				continue
			}
			for _, odd := range oddTexts {
				if placeholder.MatchString(strings.TrimSuffix(rt.path, "{$}")) {
					try(placeholder.ReplaceAllLiteralString(rt.path, url.PathEscape(odd)))
				}
			}
			there := strings.NewReplacer("{$}", "", "{seq}", "0", "{name}", "carol").Replace(rt.path)
			if strings.HasPrefix(there, "/evidence/") {
				there = strings.Replace(there, "{id}", row.PackageID, 1)
			}
			there = strings.Replace(there, "{id}", row.Name, 1)
			for _, name := range oddFields {
				try(there + "?" + url.Values{name: {"a\x00b\xff"}}.Encode())
			}
		}
	})
}
