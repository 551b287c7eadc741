package httpapi

import (
	"strings"
	"testing"

	"github.com/eucora/eucora/internal/identity"
	"github.com/eucora/eucora/internal/store/storetest"
)

// TestSourceBehindAProxy: the ledger says where a call came from, and a header says so
// only where a trusted proxy wrote it.
func TestSourceBehindAProxy(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		source := func(forwarded string) string {
			a := w.send("erin", "POST", "/api/v1/deployments/", `{"app_name":"a","version":"1","target_ring":"LAB"}`, "X-Forwarded-For", forwarded)
			if a.status != 201 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			var leaf string
			if err := storetest.Owner(t, w.url).QueryRow(`SELECT leaf FROM event ORDER BY seq DESC LIMIT 1`).Scan(&leaf); err != nil {
				t.Fatal(err)
			}
			_, rest, _ := strings.Cut(leaf, `"source":{"address":"`)
			address, _, _ := strings.Cut(rest, `"`)
			return address
		}
		if got := source("198.51.100.7"); got != "127.0.0.1" {
			t.Errorf("no proxy is trusted, and the ledger says %q", got)
		}
		var err error
		if w.api.Proxies, err = identity.ParseProxies([]string{"127.0.0.1"}); err != nil {
			t.Fatal(err)
		}
		if got := source("1.1.1.1, 198.51.100.7"); got != "198.51.100.7" {
			t.Errorf("by the trusted proxy, and the ledger says %q", got)
		}
	})
}
