package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/attachment"
)

// fileSite is the binary as people run it, with an engineer and deployments.
type fileSite struct {
	client *api.Client
	pid    int
	idle   int64
	end    func()
}

func openFileSite(b *bench, program string) *fileSite {
	data := dataDir(b)
	run := func(args ...string) string {
		out, err := exec.Command(program, append(args, "--data", data)...).Output()
		b.check(err)
		return strings.TrimSpace(string(out))
	}
	run("user", "add", "erin", "--role", "packaging_engineer")
	token := run("token", "create", "erin")
	process, address := serve(b, program, data)
	s := &fileSite{client: &api.Client{Server: address, Token: token}, pid: process.Process.Pid, end: func() {
		b.check(process.Process.Signal(syscall.SIGTERM))
		b.check(process.Wait())
	}}
	_, err := s.send(b, file("scan", "small.json", strings.NewReader(`{"hello":1}`)))
	if _, refused := errors.AsType[*api.Problem](err); !refused {
		b.Fatal("a file that is none was not refused: ", err)
	}
	s.idle = resident(b, s.pid, "VmRSS:")
	return s
}

func file(role, name string, content io.Reader) api.File {
	return api.File{Role: role, Name: name, Content: content}
}

// send files evidence with files, for a new deployment.
func (s *fileSite) send(b *bench, files ...api.File) (api.Evidence, error) {
	ctx := context.Background()
	d, err := s.client.CreateDeployment(ctx, api.CreateDeployment{AppName: "app", Version: "1", TargetRing: "LAB"})
	b.check(err)
	return s.client.UploadEvidence(ctx, api.CreateEvidence{DeploymentID: d.ID, EvidenceData: json.RawMessage(`{}`)}, files)
}

// peak runs something, and returns how long it took and how much more memory
// than idle the server had at most meanwhile, in bytes.
func (s *fileSite) peak(b *bench, run func()) (time.Duration, int64) {
	b.check(os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.pid), []byte("5"), 0)) // the peak from here on
	begin := time.Now()
	run()
	return time.Since(begin), resident(b, s.pid, "VmHWM:") - s.idle
}

// files: how fast files are hashed, sent and read, with how much memory, and what
// hostile ones cost.
func files(b *bench) {
	fmt.Println("Files")
	hashing(b)
	program := build(b)
	s := openFileSite(b, program)
	say("the server has %d MiB while nobody asks", s.idle>>20)
	b.installer(s)
	b.largeSBOM(s)
	b.manyUploads(s)
	s.end()
	b.hostile(program)
}

const gib = 1 << 30

// hashing compares verifying a file that is kept with sha256sum on the same one.
func hashing(b *bench) {
	dir := b.TempDir()
	store, err := attachment.Open(dir)
	b.check(err)
	f, err := store.Receive(context.Background(), io.LimitReader(&noise{}, gib), gib)
	b.check(err)
	b.check(f.Keep())
	path := filepath.Join(dir, f.SHA256[:2], f.SHA256[2:])
	var ratios []float64
	for range 3 {
		begin := time.Now()
		b.check(exec.Command("sha256sum", path).Run())
		ceiling := time.Since(begin)
		begin = time.Now()
		b.check(store.Check(context.Background(), f.SHA256, f.Size))
		took := time.Since(begin)
		say("1 GiB: verified at %.0f MB/s, sha256sum at %.0f MB/s", gib/1e6/took.Seconds(), gib/1e6/ceiling.Seconds())
		ratios = append(ratios, ceiling.Seconds()/took.Seconds())
	}
	say("best ratio %.0f %% (wanted: at least 80)", 100*max(ratios[0], ratios[1], ratios[2]))
}

// noise is bytes that no file system and no network compresses.
type noise struct{ block [1 << 20]byte }

func (n *noise) Read(b []byte) (int, error) {
	if n.block[0] == 0 {
		rand.Read(n.block[:])
		n.block[0] = 1
	}
	return copy(b, n.block[:]), nil
}

// installer sends 1 GiB: received, hashed, written, put on the disk, looked into.
func (b *bench) installer(s *fileSite) {
	took, memory := s.peak(b, func() {
		_, err := s.send(b, file("artifact", "setup.bin", io.LimitReader(&noise{}, gib)))
		b.check(err)
	})
	sum := sha256.New()
	begin := time.Now()
	_, err := io.Copy(sum, io.LimitReader(&noise{}, gib))
	b.check(err)
	say("1 GiB sent over HTTP and kept: %.0f MB/s (hashing alone %.0f), %d MiB more than idle", gib/1e6/took.Seconds(), gib/1e6/time.Since(begin).Seconds(), memory>>20)
}

// largeSBOM sends 100 MB with 200,000 components.
func (b *bench) largeSBOM(s *fileSite) {
	var text bytes.Buffer
	text.WriteString(`{"bomFormat":"CycloneDX","specVersion":"1.6","components":[`)
	for i := range 200_000 {
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, `{"type":"library","bom-ref":"ref-%d","name":"component-%d","version":"1.%d.0","purl":"pkg:npm/component-%d@1.%d.0","licenses":[{"license":{"id":"MIT"}}],"hashes":[{"alg":"SHA-256","content":"%064d"}],"properties":[{"name":"origin","value":"%0200d"}]}`,
			i, i, i%100, i, i%100, i, i)
	}
	text.WriteString(`]}`)
	took, memory := s.peak(b, func() {
		e, err := s.send(b, file("sbom", "sbom.json", &text))
		b.check(err)
		if !strings.Contains(string(e.EvidenceData), `"components":200000`) {
			b.Fatal(string(e.EvidenceData))
		}
	})
	size := int64(200_000 * 520)
	say("an SBOM of about %d MB with 200,000 components, sent and read: %.0f MB/s, %d MiB more than idle (reading alone: go test -bench SBOM ./internal/collect)", size/1e6, float64(size)/1e6/took.Seconds(), memory>>20)
}

// manyUploads sends 64 packages at once, with 16 MiB installers and scans of 2 MB.
func (b *bench) manyUploads(s *fileSite) {
	scan := func() io.Reader {
		var text bytes.Buffer
		text.WriteString(`{"SchemaVersion":2,"ArtifactName":"x","Results":[{"Target":"t","Vulnerabilities":[`)
		for i := range 10_000 {
			if i > 0 {
				text.WriteByte(',')
			}
			fmt.Fprintf(&text, `{"VulnerabilityID":"CVE-%d","PkgName":"pkg-%d","InstalledVersion":"1","Severity":"LOW","Title":"%0100d"}`, i, i, i)
		}
		text.WriteString(`]}]}`)
		return &text
	}
	const callers, size = 64, 16 << 20
	took, memory := s.peak(b, func() {
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				e, err := s.send(b, file("artifact", "setup.bin", io.LimitReader(&noise{}, size)), file("scan", "scan.json", scan()))
				b.check(err)
				if !strings.Contains(string(e.EvidenceData), `"low":10000`) {
					b.Fatal(string(e.EvidenceData))
				}
			})
		}
		all.Wait()
	})
	say("64 uploads at once, 18 MB each: all filed in %s, %d MiB more than idle", took.Round(time.Millisecond), memory>>20)
}

// hostile sends what is made to hurt; each is refused, or read within the limits.
func (b *bench) hostile(program string) {
	const most = 250 << 20 // bytes, just below what is taken as a report
	repeat := func(before, unit, after string) io.Reader {
		n := (most - int64(len(before)+len(after))) / int64(len(unit))
		return io.MultiReader(strings.NewReader(before), io.LimitReader(&pattern{unit: unit}, n*int64(len(unit))), strings.NewReader(after))
	}
	slowest, hungriest := time.Duration(0), int64(0)
	for _, h := range []struct {
		name, role string
		content    io.Reader
	}{
		{"[ without end", "sbom", repeat("", "[", "")},
		{"one long text", "scan", repeat(`{"SchemaVersion":2,"ArtifactName":"`, "x", `","Results":[]}`)},
		{"many small findings", "scan", repeat(`{"SchemaVersion":2,"ArtifactName":"x","Results":[{"Target":"t","Vulnerabilities":[{"VulnerabilityID":"a"}`, `,{"VulnerabilityID":"a"}`, `]}]}`)},
		{"many distinct findings", "scan", io.MultiReader(strings.NewReader(`{"matches":[{"vulnerability":{"id":"CVE","severity":"High"},"artifact":{"name":"p"}}`), &counting{unit: `,{"vulnerability":{"id":"CVE-%d","severity":"High"},"artifact":{"name":"p"}}`, most: most})},
		{"many results", "scan", repeat(`{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"results":[{}`, `,{"ruleId":"a"}`, `]}]}`)},
		{"many components", "sbom", repeat(`{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{}`, `,{"name":"a"}`, `]}`)},
		{"many small elements", "tests", repeat(`<testsuite>`, `<testcase/>`, `</testsuite>`)},
		{"elements without end", "sbom", repeat(`<bom xmlns="http://cyclonedx.org/schema/bom/1.4">`, `<a>`, ``)},
		{"an entity bomb", "coverage", repeat(`<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">]><coverage>`, `&a;`, `</coverage>`)},
		{"lines of tags", "sbom", repeat("SPDXVersion: SPDX-2.3\n", "a: \n", "")},
		{"lines of points", "tests", repeat("TAP version 13\n1..9\n", "ok\n", "")},
		{"lines of coverage", "coverage", repeat("mode: set\n", "a.go:1.1,2.2 1 1\n", "")},
		{"lines of distinct coverage", "coverage", io.MultiReader(strings.NewReader("SF:a\n"), &counting{unit: "DA:%d,1\n", most: most - 5})},
		{"lines without end", "complexity", repeat("12 a ", "x", "")},
		{"events", "tests", repeat("", `{"Action":"run","Package":"p","Test":"t"}`+"\n", "")},
		{"distinct events", "tests", &counting{unit: `{"Action":"run","Package":"p","Test":"t%d"}` + "\n", most: most}},
		{"statements", "vex", repeat(`{"@context":"https://openvex.dev/ns/v0.2.0","author":"a","timestamp":"2026-01-01T00:00:00Z","statements":[{"vulnerability":"a","status":"affected"}`, `,{"vulnerability":"a","status":"affected"}`, `]}`)},
		{"envelopes", "provenance", repeat("", `{"payloadType":"x","payload":"","signatures":[{"sig":"AA=="}]}`+"\n", "")},
		{"zeros", "scan", repeat("", "\x00", "")},
		{"a zip that claims 4 GB", "artifact", strings.NewReader("PK\x03\x04" + strings.Repeat("\xff", 26) + "PK\x05\x06" + strings.Repeat("\xff", 18))},
		{"a PE that is none", "artifact", io.MultiReader(strings.NewReader("MZ"+strings.Repeat("\xff", 58)+"\x40\x00\x00\x00PE\x00\x00"+strings.Repeat("\xff", 300)), io.LimitReader(&noise{}, most))},
	} {
		var err error
		s := openFileSite(b, program) // a new one: what an earlier file has left in memory is not this one's
		took, memory := s.peak(b, func() { _, err = s.send(b, file(h.role, "evil.bin", h.content)) })
		verdict := "taken"
		if problem, ok := errors.AsType[*api.Problem](err); ok {
			verdict = problem.Code + ": " + problem.Detail
		} else {
			b.check(err)
		}
		say("%-28s %5.1f s  %4d MiB more than idle  %.100s", h.name, took.Seconds(), memory>>20, verdict)
		s.end()
		slowest, hungriest = max(slowest, took), max(hungriest, memory)
	}
	s := openFileSite(b, program)
	took, memory := s.peak(b, func() {
		var lines []api.File
		for i := range 8 { // each within the limits of one
			lines = append(lines, file("coverage", "c.info", io.MultiReader(strings.NewReader(fmt.Sprintf("SF:%d\n", i)), &counting{unit: "DA:%d,1\n", most: 30 << 20}, strings.NewReader("end_of_record\n"))))
		}
		_, err := s.send(b, lines...)
		problem, refused := errors.AsType[*api.Problem](err)
		if !refused {
			b.Fatal("too much of one package was not refused: ", err)
		}
		say("%s", problem.Detail)
	})
	s.end()
	say("%-28s %5.1f s  %4d MiB more than idle", "eight large reports at once", took.Seconds(), memory>>20)
	slowest, hungriest = max(slowest, took), max(hungriest, memory)
	say("hostile files of 250 MiB: at most %.1f s with sending (wanted: 10), %d MiB more than idle (wanted: 256)", slowest.Seconds(), hungriest>>20)
}

// pattern repeats a text for ever.
type pattern struct {
	unit string
	at   int
}

func (p *pattern) Read(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		k := copy(b[n:], p.unit[p.at:])
		n, p.at = n+k, (p.at+k)%len(p.unit)
	}
	return n, nil
}

// counting repeats a text with a number that grows, up to a size.
type counting struct {
	unit string
	most int64
	n    int
	rest []byte
}

func (c *counting) Read(b []byte) (int, error) {
	for len(c.rest) < len(b) {
		if next := fmt.Appendf(nil, c.unit, c.n); int64(len(next)) <= c.most {
			c.rest, c.most, c.n = append(c.rest, next...), c.most-int64(len(next)), c.n+1
			continue
		}
		break
	}
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, c.rest)
	c.rest = append(c.rest[:0], c.rest[n:]...)
	return n, nil
}
