package console

import (
	"fmt"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/workflow"
)

// scene is a world in which enough has happened for every page to show something.
type scene struct {
	*world
	asked, decided, excepted, hostile workflow.RequestRow
	before, altered                   workflow.RequestRow // approved, of the application that is asked for; with other bytes than were filed
	exception, granted                cab.Exception
}

const trivy = `{"SchemaVersion":2,"CreatedAt":"2026-11-24T10:00:00Z","ArtifactName":"app","ArtifactType":"filesystem","Results":[{"Target":"app","Class":"lang-pkgs","Type":"gomod","Vulnerabilities":[%s]}]}`

func finding(id, severity string) string {
	return fmt.Sprintf(`{"VulnerabilityID":%q,"PkgName":"openssl","InstalledVersion":"3.0.1","FixedVersion":"3.0.9","Severity":%q}`, id, severity)
}

func sbom(components ...string) string {
	var all []string
	for _, c := range components {
		name, version, _ := strings.Cut(c, "@")
		all = append(all, fmt.Sprintf(`{"type":"library","name":%q,"version":%q,"purl":"pkg:golang/example.test/%s@%s"}`, name, version, name, version))
	}
	return `{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"metadata":{"component":{"type":"application","name":"app","version":"1"}},"components":[` + strings.Join(all, ",") + `]}`
}

const junit = `<?xml version="1.0"?><testsuites><testsuite name="all" tests="40" failures="0" skipped="2"><testcase classname="a" name="b"/></testsuite></testsuites>`

// filed files evidence with files, submitted by erin.
func (w *world) filed(app, version string, ring cab.Ring, kind, notes string, urgency cab.Urgency, files map[evidence.Role]string) workflow.RequestRow {
	w.t.Helper()
	d, err := w.service.CreateDeployment(w.ctx, w.call("erin"), app, version, ring)
	w.must(err)
	var uploads []*workflow.Upload
	for _, role := range evidence.Roles() {
		text, ok := files[role]
		if !ok {
			continue
		}
		name := map[evidence.Role]string{evidence.ScanFile: "trivy.json", evidence.SBOMFile: "sbom.cdx.json", evidence.TestsFile: "junit.xml", evidence.ArtifactFile: "setup.sh"}[role]
		u, err := w.service.Receive(w.ctx, role, name, strings.NewReader(text))
		w.must(err)
		uploads = append(uploads, u)
	}
	e, err := w.service.CreateEvidence(w.ctx, w.call("erin"), d.ID, evidenceOf(kind), uploads...)
	w.must(err)
	row, err := w.service.Submit(w.ctx, w.call("erin"), workflow.Submission{PackageID: e.ID, Notes: notes, Urgency: urgency})
	w.must(err)
	return row
}

// hostileText is what somebody would write to get out of the page.
const hostileText = `"><script>alert(1)</script><img src=x onerror=alert(2)>'-alert(3)-'` + "\u202e" + `{{.}}`

func hostileEvidence() []byte {
	text, err := evidence.Canonical(fmt.Appendf(nil, `{"artifacts":{"sha256":"`+hash64+`","signature":%[1]q,"sbom":{"%[2]s":%[1]q}},
		"test_results":{"coverage_percent":85,"manual_test_status":"not_started","<h1>x</h1>":%[1]q},
		"scan_results":{"scanner":%[1]q,"critical":0,"high":2},
		"rollback_plan":{"strategy":%[1]q,"validated":false,"steps":[%[1]q,{"deep":{"deeper":{"still":[%[1]q]}}}]},
		"deployment_plan":{"rings":[%[1]q],"affected_components":[%[1]q,"b","c","d","e"],"complexity":"medium","affected_users":500}}`,
		strings.ReplaceAll(hostileText, "\u202e", ""), "<script>alert(4)</script>"))
	if err != nil {
		panic(err)
	}
	return text
}

func newScene(w *world) *scene {
	s := &scene{world: w}
	call := func(name string) workflow.Call { return w.call(name) }
	before := map[evidence.Role]string{
		evidence.ScanFile: fmt.Sprintf(trivy, finding("CVE-2026-0001", "LOW")), evidence.SBOMFile: sbom("zlib@1.2", "openssl@3.0.1"),
		evidence.TestsFile: junit, evidence.ArtifactFile: "#!/bin/sh\nexec one\n",
	}
	old := w.filed("Firefox ESR", "128.4", cab.Department, "low", "", cab.Standard, before)
	s.before = old
	_, err := w.service.Approve(w.ctx, call("chris"), old.ID, "As before.", nil)
	w.must(err)
	w.pass(5 * 24 * time.Hour)
	s.decided = w.filed("Zoom Workplace", "6.2.11", cab.Global, "mid", "asked for by sales", cab.Standard, before)
	_, err = w.service.Approve(w.ctx, call("chris"), s.decided.ID, "Acceptable while the two high findings are watched.", []byte(`{"max_ring":"PILOT","monitor_hours":24}`))
	w.must(err)
	row := w.filed("VPN client", "5.1", cab.Global, "mid", "", cab.Standard, nil)
	_, err = w.service.Reject(w.ctx, call("chris"), row.ID, "Test it, and validate the way back first.")
	w.must(err)
	s.hostile = w.submittedWith(`<b>bold</b> & "quoted"`, hostileText[:40], hostileEvidence(), hostileText)
	w.pass(30 * time.Hour)
	for i, app := range []string{"Notepad++", "Adobe Acrobat Reader DC Continuous Track", "PuTTY", "KeePassXC", "Microsoft Visual C++ 2015–2022 Redistributable (x64) with a name that is far too long for any list to show on one line"} {
		w.filed(app, fmt.Sprintf("%d.%d.1", 8+i, i), cab.Rings()[i], "mid", "", cab.Standard, nil)
		w.pass(3 * time.Hour)
	}
	after := map[evidence.Role]string{
		evidence.ScanFile:  fmt.Sprintf(trivy, finding("CVE-2026-0007", "HIGH")+","+finding("CVE-2026-0008", "HIGH")+","+finding("CVE-2026-0001", "LOW")),
		evidence.SBOMFile:  sbom("zlib@1.3", "openssl@3.0.1", "libwebp@1.4"),
		evidence.TestsFile: strings.Replace(junit, "40", "52", 1), evidence.ArtifactFile: "#!/bin/sh\nexec two\n",
	}
	s.asked = w.filed("Firefox ESR", "128.5", cab.Department, "mid", "Closes two findings that are exploited; please before the weekend.", cab.Urgent, after)
	_, err = w.service.StartReview(w.ctx, call("chris"), s.asked.ID)
	w.must(err)
	s.excepted, s.exception = w.excepted("Disk encryption", "2.0")
	_, s.granted = w.excepted("Disk encryption", "1.9")
	s.granted, err = w.service.ApproveException(w.ctx, call("sam"), s.granted.ID, "The controls suffice for two weeks.")
	w.must(err)
	w.pass(2 * time.Hour)
	s.altered = w.submitted("Altered app", "1", "mid")
	w.alter(s.altered.PackageID)
	return s
}
