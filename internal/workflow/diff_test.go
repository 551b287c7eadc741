package workflow

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eucora/eucora/internal/attachment"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/store/storetest"
)

// TestDiffTakesRoomAndGivesItBack: a comparison waits for room to read files in,
// and has none left when it is done, however it ends.
func TestDiffTakesRoomAndGivesItBack(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	w.files = must[*attachment.Store](t)(attachment.Open(filepath.Join(t.TempDir(), "files")))
	const bom = `{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{"type":"library","name":"a","version":"1"}]}`
	d := must[cab.Deployment](t)(w.CreateDeployment(w.ctx, w.erin, "App", "1", cab.Lab))
	upload := must[*Upload](t)(w.Receive(w.ctx, evidence.SBOMFile, "bom.json", strings.NewReader(bom)))
	defer upload.Discard()
	e := must[Evidence](t)(w.CreateEvidence(w.ctx, w.erin, d.ID, []byte(`{}`), upload))
	free := func() bool {
		ok := w.room.TryAcquire(readingMost)
		if ok {
			w.room.Release(readingMost)
		}
		return ok
	}
	if diff := must[Diff](t)(w.Diff(w.ctx, w.erin, e.ID, e.ID)); diff.ComponentsNote != "" || diff.Components.Same != 1 || !free() {
		t.Errorf("%+v, room %t", diff.Components, free())
	}
	if err := w.room.Acquire(w.ctx, readingMost); err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(w.ctx)
	cancel() // as patience is
	_, err := w.readAgain(over, w.erin, &rereading{of: &e})
	w.wantCode(err, "BUSY")
	w.room.Release(readingMost)
	digest := evidence.Digest([]byte(bom))
	if err := os.Remove(filepath.Join(w.files.Dir(), digest[:2], digest[2:])); err != nil {
		t.Fatal(err)
	}
	_, err = w.Diff(w.ctx, w.erin, e.ID, e.ID)
	w.wantCode(err, "EVIDENCE_TAMPERED")
	if !free() {
		t.Error("after a lost file there is no room left")
	}
	w.wantSound()
}
