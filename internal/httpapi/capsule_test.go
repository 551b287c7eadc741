package httpapi

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/capsule"
	"github.com/eucora/eucora/internal/capsule/capsuletest"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store/storetest"
)

// TestCapsuleOverHTTP: the bytes of a capsule that holds, with and without the files,
// by either name, of the length that was announced.
func TestCapsuleOverHTTP(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		f := w.filed(recordOf(w.intent(), declared), allParts...)
		name := w.post("erin", "/api/v1/cab/submit/", `{"evidence_package_id":"`+f.ID+`"}`).member(t, "name")
		key, err := ledger.NewVerifier(w.store.LedgerKey())
		if err != nil {
			t.Fatal(err)
		}
		for query, files := range map[string]int{"": 0, "?attachments=false": 0, "?attachments=true": 5} {
			got := w.send("ada", "GET", "/api/v1/capsules/"+name+"/"+query, "")
			h := got.header
			if got.status != 200 || h.Get("Content-Type") != "application/zip" || h.Get("Content-Disposition") != `attachment; filename="`+name+`.zip"` ||
				h.Get("Content-Length") != strconv.Itoa(len(got.body)) || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") {
				t.Fatalf("%s: %d %v", query, got.status, h)
			}
			r, err := capsule.Verify(strings.NewReader(got.body), int64(len(got.body)), capsule.Options{Key: key})
			if err != nil || !r.Holds() || strings.Count(got.body, "attachments/") != 3*files { // twice in the zip, once in the manifest
				t.Errorf("%s: %d files, %+v %v", query, strings.Count(got.body, "attachments/")/3, r, err)
			}
			var out bytes.Buffer
			client := &api.Client{Server: w.server.URL, Token: w.tokens["ada"]}
			if err := client.Capsule(w.ctx, r.Outcome.Request.ID, files > 0, &out); err != nil || out.String() != got.body {
				t.Errorf("through the client: %d bytes, %v", out.Len(), err)
			}
		}
		for path, status := range map[string]int{"CAB-1": 400, name + "/?attachments=yes": 400, name + "/?files=true": 400, "CAB-0123456789AB": 404} {
			if got := w.send("ada", "GET", "/api/v1/capsules/"+path, ""); got.status != status {
				t.Errorf("%s: %d %s", path, got.status, got.body)
			}
		}
		head := w.send("ada", "HEAD", "/api/v1/capsules/"+name+"/?attachments=true", "")
		if head.status != 200 || head.header.Get("Content-Type") != "application/zip" || head.body != "" || head.header.Get("Content-Length") != "" {
			t.Errorf("HEAD: %d %v", head.status, head.header)
		}
		if got := w.send("eve", "HEAD", "/api/v1/capsules/"+name+"/", ""); got.status != 403 {
			t.Errorf("HEAD by somebody else: %d", got.status)
		}
		digest := evidence.Digest([]byte(twoFindings))
		if err := os.WriteFile(filepath.Join(w.files.Dir(), digest[:2], digest[2:]), []byte(strings.ToUpper(twoFindings)), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := w.send("ada", "HEAD", "/api/v1/capsules/"+name+"/?attachments=true", ""); got.status != 200 { // nothing is looked at
			t.Errorf("HEAD with a file that was altered: %d", got.status)
		}
		if got := w.send("ada", "GET", "/api/v1/capsules/"+name+"/?attachments=true", ""); got.status != 409 || got.problem(t).Code != "EVIDENCE_TAMPERED" {
			t.Errorf("with a file that was altered: %d %s", got.status, got.body)
		}
		if got := w.send("ada", "GET", "/api/v1/events/?order=newest&limit=1", ""); !strings.Contains(got.body, `"EVIDENCE_TAMPERED"`) || !strings.Contains(got.body, digest) {
			t.Errorf("the ledger does not say so: %s", got.body)
		}
	})
}

// TestCapsuleThatCannotBeFinished: a file that changes while it is sent cuts the
// answer off; no client takes it for a capsule.
func TestCapsuleThatCannotBeFinished(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	story := capsuletest.Stories()[0].Make()
	c := story.Contents(true)
	c.Attachments[0].Open = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(strings.Repeat("x", 100))), nil }
	sealed, err := capsule.Seal(c, story.Signer.SignManifest)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		w.api.writeCapsule(answer, r, capsuleFile{story.Name(), sealed})
	}))
	defer server.Close()
	var out bytes.Buffer
	if err := (&api.Client{Server: server.URL}).Capsule(w.ctx, story.Name(), true, &out); err == nil {
		t.Errorf("%d bytes were taken for a capsule of %d", out.Len(), sealed.Size)
	}
	if !strings.Contains(w.log.String(), "could not be written to its end") {
		t.Errorf("the log does not say so: %s", w.log)
	}
}
