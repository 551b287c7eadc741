package console

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/collect"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/store/storetest"
	"github.com/eucora/eucora/internal/workflow"
)

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// TestEvidencePage: what it says, where that was read, and the files to be had.
func TestEvidencePage(t *testing.T) {
	eachWorld(t, func(w *world) {
		scan, bom := fmt.Sprintf(trivy, finding("CVE-2026-0007", "HIGH")), sbom("zlib@1.3", "openssl@3.0.1")
		row := w.filed("7-Zip", "24.08", cab.Pilot, "mid", "", cab.Standard, map[evidence.Role]string{evidence.ScanFile: scan, evidence.SBOMFile: bom})
		carol := w.as("carol")
		path := "/evidence/" + row.PackageID
		carol.get("/requests/"+row.Name).has(t, `href="`+path+`"`)
		p := carol.get(path)
		p.has(t, "7-Zip 24.08", row.ContentHash, `href="/requests/`+row.Name+`"`, "trivy.json", "sbom.cdx.json", digestOf(scan), digestOf(bom),
			"scan_results.<wbr>high", "as Trivy JSON", `<small class="bad-word">declared as 2</small>`, "Rollback plan", "put the old one back", path+"/components", path+"/findings")
		file := carol.get(path + "/files/" + digestOf(scan))
		if file.status != http.StatusOK || file.body != scan || !strings.HasPrefix(file.header.Get("Content-Disposition"), "attachment") {
			t.Errorf("%d %v", file.status, file.header)
		}
		document := carol.get(path + "/document")
		if digestOf(document.body) != row.ContentHash {
			t.Errorf("the document has the hash %s, and its page says %s", digestOf(document.body), row.ContentHash)
		}
		carol.get(path+"/verify").has(t, "It is what was filed", "as it was stored", "the same")
		carol.get(path+"/origins?kind=otherwise&q=HIGH").has(t, "1 of ", "scan_results.high", "trivy.json as Trivy JSON", `class="bad-word">2<`)
		carol.get(path+"/components").has(t, "zlib", "1.3", "pkg:golang/example.test/openssl@3.0.1")
		carol.get(path+"/findings").has(t, "CVE-2026-0007", "high", "openssl@3.0.1")
	})
}

// TestEvidenceAloneAndHostile: evidence without files that was not submitted, and is
// full of what should not be on a page.
func TestEvidenceAloneAndHostile(t *testing.T) {
	eachWorld(t, func(w *world) {
		d, err := w.service.CreateDeployment(w.ctx, w.call("erin"), `<b>bold</b>`, hostileText[:40], cab.Pilot)
		w.must(err)
		u, err := w.service.Receive(w.ctx, evidence.SBOMFile, hostileText, strings.NewReader(sbom(`<b>bold</b>@<img src=x>`)))
		w.must(err)
		e, err := w.service.CreateEvidence(w.ctx, w.call("erin"), d.ID, hostileEvidence(), u)
		w.must(err)
		alone, err := w.service.CreateEvidence(w.ctx, w.call("erin"), d.ID, []byte(`{}`))
		w.must(err)
		erin := w.as("erin")
		for _, path := range []string{"", "/verify", "/components", "/findings", "/origins", "/components?q=%3Cimg+src", "/diff?with=" + alone.ID, "/diff"} {
			p := erin.get("/evidence/" + e.ID + path)
			if p.status != http.StatusOK {
				t.Errorf("%s: %d\n%s", path, p.status, p.body)
			}
			p.lacks(t, "<script>alert", "<img src=x", "<b>bold", "<h1>x", `"><script`)
		}
		erin.get("/evidence/"+e.ID).has(t, "not submitted", "&lt;b&gt;bold")
		erin.get("/evidence/"+alone.ID).has(t, "incomplete", "No file came with it", "Everything in it is declared", "Nothing was given.")
		erin.get("/evidence/"+alone.ID+"/components").has(t, "There is no SBOM among the files of this package.")
		erin.get("/evidence/"+alone.ID+"/findings").has(t, "There is no scan report among the files of this package.")
	})
}

// TestAlteredEvidenceIsNotShown: neither as a page, nor a file of it that was lost.
func TestAlteredEvidenceIsNotShown(t *testing.T) {
	eachWorld(t, func(w *world) {
		row := w.filed("7-Zip", "24.08", cab.Pilot, "mid", "", cab.Standard, map[evidence.Role]string{evidence.SBOMFile: sbom("zlib@1.3")})
		path := "/evidence/" + row.PackageID
		ada := w.as("ada")
		digest := digestOf(sbom("zlib@1.3"))
		w.must(os.Remove(filepath.Join(w.filesDir, digest[:2], digest[2:])))
		ada.get(path+"/verify").has(t, "It is not what was filed", "✗", digest)
		ada.get(path+"/components").has(t, "is not what was stored")
		w.alter(row.PackageID)
		shown := ada.get(path)
		shown.has(t, "This is not what was filed", "/document", "/verify")
		shown.lacks(t, "Rollback plan", "put the old one back")
		ada.get(path+"/verify").has(t, "It is not what was filed", "altered", "another", row.ContentHash)
		for _, more := range []string{"/origins", "/components", "/findings", "/diff", "/diff?with=" + row.PackageID} {
			if p := ada.get(path + more); p.status != http.StatusConflict {
				t.Errorf("%s of altered evidence: %d", more, p.status)
			}
		}
	})
}

// TestTenThousandComponents: found, filtered and paged on the server, and no page is
// long, nor takes long.
func TestTenThousandComponents(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	const n = 10_000
	names := func(version string) string {
		all := make([]string, n)
		for i := range all {
			all[i] = fmt.Sprintf("lib%05d@%s", i, version)
		}
		return sbom(all...)
	}
	found := make([]string, n)
	for i := range found {
		found[i] = finding(fmt.Sprintf("CVE-2026-%05d", i), []string{"LOW", "MEDIUM"}[i%2])
	}
	files := func(version string) map[evidence.Role]string {
		return map[evidence.Role]string{evidence.SBOMFile: names(version), evidence.ScanFile: fmt.Sprintf(trivy, strings.Join(found, ","))}
	}
	before := w.filed("Big", "1", cab.Pilot, "mid", "", cab.Standard, files("1.0"))
	row := w.filed("Big", "2", cab.Pilot, "mid", "", cab.Standard, files("1.1"))
	carol := w.as("carol")
	path := "/evidence/" + row.PackageID
	diff := path + "/diff?with=" + before.PackageID
	for at, texts := range map[string][]string{
		path + "/components":                       {"10000 components", "Page 1 of 100", "lib00099", "page=2"},
		path + "/components?page=100":              {"Page 100 of 100", "lib09999", "page=99"},
		path + "/components?q=LIB0999":             {"10 of 10000 components", "lib09990", "lib09999"},
		path + "/components?q=nothing":             {"Nothing is like this.", "Show all"},
		path + "/components?page=-4&q=%00%ff":      {"Page 1 of 100"},
		path + "/components?page=99999999999999":   {"Page 100 of 100"},
		path + "/findings?kind=medium&page=50":     {"5000 of 10000", "Page 50 of 50", "CVE-2026-09999"},
		path + "/findings?kind=critical":           {"Nothing is like this."},
		diff:                                       {"10000", "Page 1 of 100", "lib00000", "upgraded", "1.0", "1.1"},
		diff + "&show=components&page=100&q=lib09": {"1000 of 10000", "Page 10 of 10", "lib09999"},
		diff + "&show=components&kind=added":       {"Nothing is like this."},
		diff + "&show=findings":                    {"No finding changed."},
	} {
		began := time.Now()
		p := carol.get(at)
		if p.status != http.StatusOK || len(p.body) > 120<<10 {
			t.Errorf("%s: %d, %d bytes", at, p.status, len(p.body))
		}
		p.has(t, texts...)
		t.Logf("%s: %d bytes in %v", at, len(p.body), time.Since(began).Round(time.Millisecond))
	}
}

// TestVersionsToCompareWith: those of the same application that whoever looks may
// see, a page at a time.
func TestVersionsToCompareWith(t *testing.T) {
	eachWorld(t, func(w *world) {
		row := w.submitted("7-Zip", "24.08", "mid")
		path := "/evidence/" + row.PackageID + "/diff"
		w.as("erin").get(path).has(t, "There is no other package of this application that you may see.")
		approved := w.submitted("7-Zip", "24.07", "mid")
		_, err := w.service.Approve(w.ctx, w.call("carol"), approved.ID, "fine", nil)
		w.must(err)
		waiting, other := w.submitted("7-Zip", "24.06", "mid"), w.submitted("PuTTY", "0.81", "mid")
		d, err := w.service.CreateDeployment(w.ctx, w.call("eve"), "7-Zip", "24.05", cab.Lab)
		w.must(err)
		eves, err := w.service.CreateEvidence(w.ctx, w.call("eve"), d.ID, evidenceOf("low"))
		w.must(err)
		carol := w.as("carol").get(path)
		carol.has(t, "3 other packages", approved.PackageID, waiting.PackageID, eves.ID, ">approved<", ">not approved<")
		carol.lacks(t, other.PackageID)
		erin := w.as("erin").get(path)
		erin.has(t, "2 other packages")
		erin.lacks(t, eves.ID)
		pat := w.as("pat")
		if p := pat.get(path); p.status != http.StatusForbidden {
			t.Errorf("what is not approved, for the publisher: %d", p.status)
		}
		pat.get("/evidence/"+approved.PackageID).has(t, "7-Zip 24.07", "/requests/"+approved.Name)
		for _, with := range []string{"", "?with=" + waiting.PackageID, "?with=" + eves.ID} {
			p := pat.get("/evidence/" + approved.PackageID + "/diff" + with)
			p.lacks(t, waiting.PackageID, eves.ID, row.PackageID, "24.06")
			if forbidden := p.status == http.StatusForbidden; forbidden != (with != "") {
				t.Errorf("%q: %d", with, p.status)
			}
		}
		if p := w.as("erin").get(path + "?with=" + eves.ID); p.status != http.StatusForbidden {
			t.Errorf("with somebody else's: %d", p.status)
		}
		for with, status := range map[string]int{"x": 404, hash64: 404, "00000000-0000-0000-0000-000000000000": 404, row.PackageID: 200} {
			if p := w.as("carol").get(path + "?with=" + with); p.status != status {
				t.Errorf("with %s: %d, want %d", with, p.status, status)
			}
		}
		w.as("carol").get(path+"?with="+other.PackageID).has(t, "These are two applications")
		for range 50 {
			_, err = w.service.CreateEvidence(w.ctx, w.call("eve"), d.ID, evidenceOf("low"))
			w.must(err)
		}
		many := w.as("carol").get(path)
		many.has(t, "53 other packages", "Next page")
		many.lacks(t, approved.PackageID)
		next := strings.SplitN(many.body, `href="`+path+`?cursor=`, 2)[1]
		w.as("carol").get(path+"?cursor="+next[:strings.IndexByte(next, '"')]).has(t, approved.PackageID, "First page")
		if p := w.as("carol").get(path + "?cursor=x"); p.status != http.StatusBadRequest {
			t.Errorf("a cursor that is none: %d", p.status)
		}
	})
}

// TestFindingsAreSought by severity, by whether they count, and by any of their names.
func TestFindingsAreSought(t *testing.T) {
	found := func(severity collect.Severity, setAside string) workflow.ListedFinding {
		return workflow.ListedFinding{
			FindingKey: collect.FindingKey{ID: "GHSA-1", Package: "zlib@1"},
			Finding:    collect.Finding{Severity: severity, SetAside: setAside, Aliases: []string{"CVE-2026-1"}},
		}
	}
	counts, aside := found(collect.High, ""), found(collect.Unknown, "not affected")
	for _, c := range []struct {
		of   workflow.ListedFinding
		s    sought
		want bool
	}{
		{counts, sought{}, true}, {aside, sought{}, true}, {counts, sought{kind: "high"}, true}, {counts, sought{kind: "low"}, false},
		{aside, sought{kind: "unknown"}, true}, {counts, sought{kind: "counts"}, true}, {aside, sought{kind: "counts"}, false},
		{counts, sought{kind: "aside"}, false}, {aside, sought{kind: "aside"}, true}, {counts, sought{text: "cve-2026"}, true},
		{counts, sought{text: "ghsa"}, true}, {counts, sought{text: "zlib"}, true}, {counts, sought{text: "openssl"}, false},
		{counts, sought{text: "zlib", kind: "low"}, false},
	} {
		if got := findingMatches(c.of, c.s); got != c.want {
			t.Errorf("%+v for %+v: %t", c.of, c.s, got)
		}
	}
}
