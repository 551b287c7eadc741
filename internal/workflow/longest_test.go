package workflow

import (
	"strings"
	"testing"

	"github.com/eucora/eucora/internal/cab"
)

// TestTheLongestException: what may be asked for can be granted, relied on and
// ended: the longest texts still fit into each of its events.
func TestTheLongestException(t *testing.T) {
	eachWorld(t, func(w *world) {
		r := w.submitted("high")
		long := strings.Repeat("😀", cab.MaxReason)
		quotes := strings.Repeat(`"`, 218) // with both texts 37,904 bytes of JSON
		ask := ExceptionAsk{DeploymentID: r.DeploymentID, Reason: long, Justification: long, Days: 1}
		for range cab.MaxControls {
			ask.Controls = append(ask.Controls, quotes)
		}
		x := must[cab.Exception](t)(w.RequestException(w.ctx, w.erin, ask))
		must[cab.Exception](t)(w.ApproveException(w.ctx, w.sam, x.ID, long))
		must[RequestRow](t)(w.Approve(w.ctx, w.carol, r.ID, long, nil))
		must[cab.Exception](t)(w.RevokeException(w.ctx, w.sam, x.ID, long))

		again := must[Evidence](t)(w.CreateEvidence(w.ctx, w.erin, r.DeploymentID, evidenceOf("high")))
		must[RequestRow](t)(w.Submit(w.ctx, w.erin, Submission{PackageID: again.ID, Urgency: cab.Standard}))
		ask.Controls[0] = strings.Repeat(`"`, 300)
		if _, err := w.RequestException(w.ctx, w.erin, ask); cab.KindOf(err) != cab.Invalid || !strings.Contains(err.Error(), "38068 bytes") {
			t.Errorf("longer ones: %v", err)
		}
		ask.Controls[0] = "see\x01"
		if _, err := w.RequestException(w.ctx, w.erin, ask); cab.KindOf(err) != cab.Invalid || !strings.Contains(err.Error(), "compensating_controls[0]") {
			t.Errorf("a control character: %v", err)
		}
	})
}
