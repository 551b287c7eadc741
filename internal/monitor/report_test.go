package monitor

import (
	"fmt"
	"slices"
	"testing"
)

// TestHistoryComesFirst: however full a report is.
func TestHistoryComesFirst(t *testing.T) {
	for _, n := range []int{0, 1, maxFindings - 1, maxFindings, maxFindings + 7} {
		var r Report
		for i := range n {
			r.find("finding %d", i)
		}
		r.findFirst("history")
		if len(r.Findings) != min(n+1, maxFindings) || len(r.Findings)+r.LeftOut != n+1 || r.Findings[0] != "history" {
			t.Errorf("%d: %d findings, %d left out, %q first", n, len(r.Findings), r.LeftOut, r.Findings[0])
		}
		if n > 0 && !slices.Contains(r.Findings, fmt.Sprintf("finding %d", min(n-1, maxFindings-2))) {
			t.Errorf("%d: %q", n, r.Findings)
		}
	}
}
