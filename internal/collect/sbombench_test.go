package collect

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// bigSBOMs make documents of n packages, of about 500 bytes each: what Syft and
// the tools of CycloneDX write.
var bigSBOMs = []struct{ name, begin, element, end string }{
	{"CycloneDX JSON", `{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"component":{"name":"app","version":"1"}},"components":[`,
		`{"bom-ref":"pkg:npm/%%40scope/package-%[1]d@1.%[1]d.0?package-id=%016[1]x","type":"library","group":"@scope","name":"package-%[1]d","version":"1.%[1]d.0",` +
			`"hashes":[{"alg":"SHA-256","content":"%064[1]x"}],"licenses":[{"license":{"id":"MIT"}}],"purl":"pkg:npm/%%40scope/package-%[1]d@1.%[1]d.0",` +
			`"externalReferences":[{"type":"website","url":"https://example.com/package-%[1]d"}],"properties":[{"name":"syft:location:0:path","value":"/app/node_modules/package-%[1]d/package.json"}]},` + "\n",
		`null]}`},
	{"CycloneDX XML", `<bom xmlns="http://cyclonedx.org/schema/bom/1.6"><components>`,
		`<component bom-ref="pkg:npm/%%40scope/package-%[1]d@1.%[1]d.0?package-id=%016[1]x" type="library"><group>@scope</group><name>package-%[1]d</name><version>1.%[1]d.0</version>` +
			`<hashes><hash alg="SHA-256">%064[1]x</hash></hashes><licenses><license><id>MIT</id></license></licenses><purl>pkg:npm/%%40scope/package-%[1]d@1.%[1]d.0</purl>` +
			`<externalReferences><reference type="website"><url>https://example.com/package-%[1]d</url></reference></externalReferences></component>` + "\n",
		`</components></bom>`},
	{"SPDX 2 JSON", `{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","packages":[`,
		`{"name":"package-%[1]d","SPDXID":"SPDXRef-Package-npm-package-%[1]d-%016[1]x","versionInfo":"1.%[1]d.0","supplier":"NOASSERTION","downloadLocation":"NOASSERTION","filesAnalyzed":false,` +
			`"sourceInfo":"acquired package info from installed node module manifest file: /package-lock.json","licenseConcluded":"NOASSERTION","licenseDeclared":"MIT","copyrightText":"NOASSERTION",` +
			`"externalRefs":[{"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl","referenceLocator":"pkg:npm/%%40scope/package-%[1]d@1.%[1]d.0"}]},` + "\n",
		`null]}`},
	{"SPDX 2 tag-value", "SPDXVersion: SPDX-2.3\nSPDXID: SPDXRef-DOCUMENT\n",
		"\n##### Package: package-%[1]d\n\nPackageName: package-%[1]d\nSPDXID: SPDXRef-Package-npm-package-%[1]d-%016[1]x\nPackageVersion: 1.%[1]d.0\nPackageDownloadLocation: NOASSERTION\nFilesAnalyzed: false\n" +
			"PackageSourceInfo: acquired package info from installed node module manifest file: /package-lock.json\nPackageLicenseConcluded: NOASSERTION\nPackageLicenseDeclared: MIT\nPackageCopyrightText: NOASSERTION\n" +
			"ExternalRef: SECURITY cpe23Type cpe:2.3:a:scope:package-%[1]d:1.%[1]d.0:*:*:*:*:*:*:*\nExternalRef: PACKAGE-MANAGER purl pkg:npm/%%40scope/package-%[1]d@1.%[1]d.0\n", ""},
	{"SPDX 3 JSON-LD", `{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":[`,
		`{"type":"software_Package","spdxId":"https://example.com/spdx/package-%[1]d-%016[1]x","creationInfo":"_:creationinfo","name":"package-%[1]d","software_packageVersion":"1.%[1]d.0","software_downloadLocation":"https://example.com/package-%[1]d",` +
			`"verifiedUsing":[{"type":"Hash","algorithm":"sha256","hashValue":"%064[1]x"}],"software_packageUrl":"pkg:npm/%%40scope/package-%[1]d@1.%[1]d.0","suppliedBy":"https://example.com/spdx/supplier"},` + "\n",
		`null]}`},
}

func bigSBOM(begin, element, end string, n int) string {
	var b strings.Builder
	b.WriteString(begin)
	for i := range n {
		fmt.Fprintf(&b, element, i)
	}
	b.WriteString(end)
	return b.String()
}

func BenchmarkSBOM(b *testing.B) {
	for _, big := range bigSBOMs {
		b.Run(big.name, func(b *testing.B) {
			text := bigSBOM(big.begin, big.element, big.end, 200_000)
			b.SetBytes(int64(len(text)))
			file := source("big", text)
			read := func() {
				if r, err := Read(SBOM, file); err != nil || len(r.Components) != 200_000 {
					b.Fatalf("%d components: %v", len(r.Components), err)
				}
			}
			peak := peakHeap(read) // looking at the heap stops the reader, so it is not timed
			for b.Loop() {
				read()
			}
			b.ReportMetric(float64(peak>>20), "peak-MiB")
		})
	}
}

// peakHeap is the highest heap while something is done, above what it was.
func peakHeap(do func()) uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before, highest := m.HeapAlloc, m.HeapAlloc
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				runtime.ReadMemStats(&m)
				highest = max(highest, m.HeapAlloc)
			}
		}
	}()
	do()
	close(done)
	<-stopped
	return highest - before
}
