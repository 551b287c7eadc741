package collect

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// sbomSample is a small SBOM of each format, and what it says.
type sbomSample struct {
	format, version, subject, tool, text string
	components                           []Component
}

var sbomSamples = []sbomSample{
	{"CycloneDX JSON", "1.6", "app@2", "t 1, u, s", `{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"timestamp":"2024-01-01T00:00:00Z",
		"tools":{"components":[{"name":"t","version":"1"},{"name":"u"},{"name":"t","version":"1"}],"services":[{"name":"s"}]},
		"component":{"name":"app","version":"2","group":"g","components":[{"name":"inside the subject"}]}},
		"components":[{"name":"a","version":"1.10","purl":"pkg:npm/a@1.10","components":[{"name":"b","group":"@s","components":null}],"pedigree":{"ancestors":[{"name":"before"}]}},
		null,{"name":null,"version":"3"}]}`, []Component{{"a", "1.10", "pkg:npm/a@1.10"}, {"@s/b", "", ""}, {"", "3", ""}}},
	{"CycloneDX JSON", "1.2", "", "v1 1", `{"specVersion":"1.2","components":[],"bomFormat":"CycloneDX","metadata":{"tools":[{"vendor":"v","name":"v1","version":"1"}]}}`, nil},
	{"CycloneDX XML", "1.5", "app@2", "t 1, u, s", `<?xml version="1.0"?><bom xmlns="http://cyclonedx.org/schema/bom/1.5" xmlns:x="urn:x" version="7"><metadata><timestamp>2024-01-01T00:00:00Z</timestamp>
		<tools><components><component><name>t</name><version>1</version><hashes><hash>0</hash></hashes></component><component><name>u</name></component></components>
		<services><service><name>s</name></service></services></tools>
		<component bom-ref="r"><name>app</name><version>2</version><components><component><name>inside the subject</name></component></components></component></metadata>
		<components><component><name> a<!-- --> </name><version>1.10</version><purl>pkg:npm/a@1.10</purl><x:name>other</x:name><x:components><x:component/></x:components>
		<components><component><group>@s</group><name>b</name></component></components>
		<pedigree><ancestors><component><name>before</name></component></ancestors></pedigree>
		<evidence><identity><name>wrong</name></identity></evidence></component>
		<x:component><name>foreign</name></x:component><component><version>3</version></component></components></bom>`,
		[]Component{{"a", "1.10", "pkg:npm/a@1.10"}, {"@s/b", "", ""}, {"", "3", ""}}},
	{"CycloneDX XML", "1.0", "", "", `<c:bom xmlns:c="http://cyclonedx.org/schema/bom/1.0"><c:components><c:component><c:name>a</c:name><c:version>1</c:version></c:component></c:components></c:bom>`,
		[]Component{{"a", "1", ""}}},
	{"CycloneDX XML", "1.3", "", "t 1", `<bom xmlns="http://cyclonedx.org/schema/bom/1.3"><metadata><tools><tool><vendor>v</vendor><name>t</name><version>1</version></tool></tools></metadata></bom>`, nil},
	{"SPDX 2 JSON", "2.3", "app@2", "t-1, u", `{"spdxVersion":"SPDX-2.3","creationInfo":{"creators":["Tool: t-1","Person: p","Tool: u",{"Person":"q"}]},"documentDescribes":["SPDXRef-app","SPDXRef-file"],
		"packages":[{"SPDXID":"SPDXRef-app","name":"app","versionInfo":"2"},null,{"SPDXID":"SPDXRef-a","name":"a","versionInfo":"1.10","externalRefs":[
		{"referenceType":"cpe23Type","referenceLocator":"cpe:2.3:a"},{"referenceCategory":"PACKAGE_MANAGER","referenceType":"purl","referenceLocator":"pkg:npm/a@1.10"}]},
		{"SPDXID":"SPDXRef-a","name":"a","versionInfo":"NOASSERTION","externalRefs":null}],"relationships":[null,{}]}`,
		[]Component{{"app", "2", ""}, {"a", "1.10", "pkg:npm/a@1.10"}, {"a", "", ""}}},
	{"SPDX 2 JSON", "2.2", "app@2, b", "", `{"files":[{"SPDXID":"SPDXRef-f"}],"packages":[{"SPDXID":"SPDXRef-1","name":"app","versionInfo":"2"},{"SPDXID":"SPDXRef-2","name":"b"},{"name":"c"}],
		"relationships":[{"spdxElementId":"SPDXRef-DOCUMENT","relationshipType":"DESCRIBES","relatedSpdxElement":"SPDXRef-1"},{"spdxElementId":"SPDXRef-2","relationshipType":"DESCRIBED_BY","relatedSpdxElement":"SPDXRef-DOCUMENT"},
		{"spdxElementId":"SPDXRef-2","relationshipType":"DESCRIBES","relatedSpdxElement":"SPDXRef-3"}],"creationInfo":{"creators":"Person: x"},"spdxVersion":"SPDX-2.2"}`,
		[]Component{{"app", "2", ""}, {"b", "", ""}, {"c", "", ""}}},
	{"SPDX 2 JSON", "2.3", "only", "x", `{"sbom":{"spdxVersion":"SPDX-2.3","creationInfo":{"creators":"Tool: x"},"packages":[{"name":"only","SPDXID":"SPDXRef-o"}]}}`, []Component{{"only", "", ""}}},
	{"SPDX 2 tag-value", "2.3", "app@2", "t-1", "# by hand\nSPDXVersion: SPDX-2.3\nSPDXID: SPDXRef-DOCUMENT\nCreator: Person: p\nCreator: Tool: t-1\nDocumentComment: <text>many\nPackageName: not one\n</text>\n" +
		"Relationship: SPDXRef-DOCUMENT DESCRIBES SPDXRef-app\n\nPackageName: app\nSPDXID: SPDXRef-app\nPackageVersion: <text>2</text>\n" +
		"PackageName: a\rSPDXID: SPDXRef-a\rPackageVersion: 1.10\nExternalRef: SECURITY cpe23Type cpe:2.3:a\nExternalRef: PACKAGE-MANAGER purl pkg:npm/a@1.10\nExternalRefComment: <text>x</text>\n" +
		"FileName: f\nSPDXID: SPDXRef-f\nPackageVersion: 9\nPackageName: b\n", []Component{{"app", "2", ""}, {"a", "1.10", "pkg:npm/a@1.10"}, {"b", "", ""}}},
	{"SPDX 2 tag-value", "2.1", "", "", "SPDXVersion: SPDX-2.1\nFileName: ./a\nSPDXID: SPDXRef-a\n", nil},
	{"SPDX 2 XML", "2.2", "app@2", "t-1", `<Document><SPDXID>SPDXRef-DOCUMENT</SPDXID><spdxVersion>SPDX-2.2</spdxVersion><name>doc</name><creationInfo><creators>Person: p</creators><creators>Tool: t-1</creators></creationInfo>
		<documentDescribes>SPDXRef-app</documentDescribes><packages><SPDXID>SPDXRef-app</SPDXID><name>app</name><versionInfo>2</versionInfo><annotations><name>x</name></annotations></packages>
		<packages><name>a</name><versionInfo>1.10</versionInfo><externalRefs><referenceType>cpe23Type</referenceType><referenceLocator>c</referenceLocator></externalRefs>
		<externalRefs><referenceLocator>pkg:npm/a@1.10</referenceLocator><referenceType>purl</referenceType></externalRefs></packages>
		<relationships><spdxElementId>SPDXRef-DOCUMENT</spdxElementId><relationshipType>CONTAINS</relationshipType><relatedSpdxElement>SPDXRef-x</relatedSpdxElement></relationships></Document>`,
		[]Component{{"app", "2", ""}, {"a", "1.10", "pkg:npm/a@1.10"}}},
	{"SPDX 2 YAML", "2.3", "app@2", "t-1", "---\nspdxVersion: SPDX-2.3\nSPDXID: SPDXRef-DOCUMENT\ncreationInfo:\n  creators:\n  - 'Tool: t-1'\ndocumentDescribes: [SPDXRef-app]\npackages:\n- SPDXID: SPDXRef-app\n  name: app\n  versionInfo: 2\n" +
		"- name: a\n  versionInfo: 1.10\n  externalRefs:\n  - referenceType: purl\n    referenceLocator: pkg:npm/a@1.10\nrelationships:\n- spdxElementId: SPDXRef-DOCUMENT\n  relationshipType: CONTAINS\n  relatedSpdxElement: SPDXRef-x\n",
		[]Component{{"app", "2", ""}, {"a", "1.10", "pkg:npm/a@1.10"}}},
	{"SPDX 3 JSON-LD", "3.0.1", "app@2", "t, u", `{"@context":["https://spdx.org/rdf/3.0.1/spdx-context.jsonld",{"x":"urn:x"}],"@graph":[
		{"type":"CreationInfo","@id":"_:c","specVersion":"3.0.1","createdUsing":["urn:t",{"type":"Tool","spdxId":"urn:u","name":"u"}]},{"type":"Tool","spdxId":"urn:t","name":"t"},{"type":"Tool","spdxId":"urn:w","name":"another"},
		{"type":"software_Sbom","spdxId":"urn:s","rootElement":["urn:app"]},{"type":"SpdxDocument","spdxId":"urn:d","rootElement":"urn:s","element":[{"type":"ai_AIPackage","spdxId":"urn:m","name":"model"}]},
		{"type":"software_Package","spdxId":"urn:app","name":"app","software_packageVersion":"2","creationInfo":"_:c"},{"type":"software_File","spdxId":"urn:f","name":"f"},
		{"type":"software_Package","spdxId":"urn:a","name":"a","software_packageVersion":"1.10","externalIdentifier":[{"externalIdentifierType":"cpe23","identifier":"cpe"},{"externalIdentifierType":"packageUrl","identifier":"pkg:npm/a@1.10"}]},
		{"type":"dataset_DatasetPackage","spdxId":"urn:e","name":"data","software_packageUrl":"pkg:generic/data"}]}`,
		[]Component{{"model", "", ""}, {"app", "2", ""}, {"a", "1.10", "pkg:npm/a@1.10"}, {"data", "", "pkg:generic/data"}}},
	{"SPDX 3 JSON-LD", "3.0.0", "", "", `{"@context":"https://spdx.org/rdf/3.0.0/spdx-context.jsonld","type":"software_Package","spdxId":"urn:a","name":"a"}`, []Component{{"a", "", ""}}},
}

func TestSBOMFormats(t *testing.T) {
	for _, s := range sbomSamples {
		for _, text := range []string{s.text, "\xef\xbb\xbf" + strings.ReplaceAll(s.text, "\n", "\r\n"), utf16Of(s.text)} {
			r, err := Read(SBOM, source("file", text))
			if err != nil {
				t.Errorf("%s: %v", s.format, err)
				continue
			}
			if r.Format != s.format || r.Version != s.version || r.Subject != s.subject || r.Tool != s.tool || !slices.Equal(r.Components, s.components) {
				t.Errorf("%s %s of %q by %q:\n%q\nwant %s of %q by %q\n%q", r.Format, r.Version, r.Subject, r.Tool, r.Components, s.version, s.subject, s.tool, s.components)
			}
		}
	}
}

// TestSBOMFormatsAreDisjoint: no SBOM is of two formats, or of another kind
// that is not CycloneDX's.
func TestSBOMFormatsAreDisjoint(t *testing.T) {
	for _, s := range sbomSamples {
		f, err := open(source("f", s.text))
		if err != nil {
			t.Fatal(err)
		}
		outline, _ := f.outline(f.size)
		for _, format := range formats {
			if format.is(outline) && format.name != s.format && !(strings.HasPrefix(s.format, "CycloneDX") && strings.HasPrefix(format.name, "CycloneDX V")) &&
				format.name != "CycloneDX vulnerabilities" {
				t.Errorf("%s is %s, too", s.format, format.name)
			}
		}
	}
}

func TestSBOMRefused(t *testing.T) {
	cycloneXML := func(inner string) string {
		return `<bom xmlns="http://cyclonedx.org/schema/bom/1.4"><components>` + inner + `</components></bom>`
	}
	for name, c := range map[string]struct{ text, want string }{
		"CycloneDX JSON of 1.1":          {`{"bomFormat":"CycloneDX","specVersion":"1.1"}`, `specVersion: "1.1" is not read`},
		"CycloneDX JSON of no version":   {`{"bomFormat":"CycloneDX"}`, `specVersion: "" is not read`},
		"CycloneDX JSON, other format":   {`{"bomFormat":"cyclonedx","specVersion":"1.4"}`, "bomFormat"},
		"CycloneDX JSON, components":     {`{"bomFormat":"CycloneDX","specVersion":"1.4","components":{}}`, "where a JSON ["},
		"CycloneDX JSON, a text":         {`{"bomFormat":"CycloneDX","specVersion":"1.4","components":["a"]}`, "where a JSON {"},
		"CycloneDX JSON, number":         {`{"bomFormat":"CycloneDX","specVersion":"1.4","components":[{"version":1.10}]}`, "must not be a JSON number"},
		"CycloneDX JSON, twice":          {`{"bomFormat":"CycloneDX","specVersion":"1.4","components":[{"name":"a"}],"components":[]}`, "duplicate"},
		"CycloneDX JSON, name twice":     {`{"bomFormat":"CycloneDX","specVersion":"1.4","components":[{"name":"a","n\u0061me":"b"}]}`, "duplicate"},
		"CycloneDX JSON, truncated":      {`{"bomFormat":"CycloneDX","specVersion":"1.4","components":[{"name":"a"},`, "ends too early"},
		"CycloneDX JSON, followed":       {`{"bomFormat":"CycloneDX","specVersion":"1.4"}{}`, "something follows"},
		"CycloneDX XML of 1.8":           {`<bom xmlns="http://cyclonedx.org/schema/bom/1.8"/>`, "bom/1.8"},
		"CycloneDX XML of no namespace":  {`<bom version="1"><components/></bom>`, `has the namespace ""`},
		"CycloneDX XML, other namespace": {`<bom xmlns="http://example.com/1.4"/>`, "example.com"},
		"CycloneDX XML, truncated":       {cycloneXML("<component>")[:80], "unexpected EOF"},
		"CycloneDX XML, wrong end":       {cycloneXML("<component></name>"), "line 1"},
		"CycloneDX XML, entity":          {`<!DOCTYPE bom [<!ENTITY a SYSTEM "file:///etc/hostname">]>` + cycloneXML("<component><name>&a;</name></component>"), "declares an entity"},
		"CycloneDX XML, bomb":            {`<!DOCTYPE bom [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]>` + cycloneXML("<component><name>&b;</name></component>"), "declares an entity"},
		"CycloneDX XML, long name":       {cycloneXML("<component><name>" + strings.Repeat("a<!---->", maxXMLField) + "a</name></component>"), "name: has more than"},
		"SPDX JSON of 2.9":               {`{"spdxVersion":"SPDX-2.9","packages":[]}`, `"SPDX-2.9" is not read`},
		"SPDX JSON of no version":        {`{"SPDXID":"SPDXRef-DOCUMENT","packages":[]}`, `spdxVersion: "" is not read`},
		"SPDX JSON of 3":                 {`{"spdxVersion":"SPDX-3.0","packages":[]}`, `"SPDX-3.0" is not read`},
		"SPDX JSON, packages":            {`{"spdxVersion":"SPDX-2.3","packages":{"a":1}}`, "where a JSON ["},
		"SPDX JSON, a number":            {`{"spdxVersion":2}`, "must not be a JSON number"},
		"SPDX JSON, twice":               {`{"spdxVersion":"SPDX-2.3","packages":[{"name":"a"}],"packages":[]}`, "duplicate"},
		"SPDX JSON, in itself":           {`{"sbom":{"sbom":{"spdxVersion":"SPDX-2.3"},"spdxVersion":""}}`, "or in it"},
		"SPDX JSON, outside":             {`{"sbom":{"spdxVersion":"SPDX-2.3"},"packages":[{}]}`, "beside another document"},
		"SPDX JSON, two documents":       {`{"spdxVersion":"SPDX-2.3","packages":[],"sbom":{"spdxVersion":"SPDX-2.2","packages":[{"name":"a"}]}}`, "beside"},
		"SPDX tags of 1.2":               {"SPDXVersion: SPDX-1.2\n", `"SPDX-1.2" is not read`},
		"SPDX tags, open text":           {"SPDXVersion: SPDX-2.3\nDocumentComment: <text>\nPackageName: a\n", "line 2: begins a <text>"},
		"SPDX tags, no tag":              {"SPDXVersion: SPDX-2.3\nPackageName a\n", "line 2: is no tag"},
		"SPDX tags, version twice":       {"SPDXVersion: SPDX-2.3\nPackageName: a\nPackageVersion: 1\nPackageVersion: 2\n", "line 4: duplicate PackageVersion"},
		"SPDX XML of no version":         {`<Document><SPDXID>x</SPDXID></Document>`, "is not read"},
		"SPDX XML, name twice":           {`<Document><spdxVersion>SPDX-2.2</spdxVersion><packages><name>a</name><name>b</name></packages></Document>`, "stands there twice"},
		"SPDX RDF":                       {`<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://spdx.org/rdf/terms#"><SpdxDocument/></rdf:RDF>`, "is SPDX as RDF/XML, which is not read"},
		"SPDX YAML of no version":        {"SPDXID: x\ncreationInfo: {}\npackages: []\n", "is not read"},
		"SPDX YAML, twice":               {"spdxVersion: SPDX-2.3\npackages: [{name: a}]\npackages: []\n", "duplicate key"},
		"SPDX YAML, packages":            {"spdxVersion: SPDX-2.3\npackages: a\n", "must be a list"},
		"SPDX YAML, alias":               {"spdxVersion: SPDX-2.3\npackages: [&a {name: a}, *a]\n", "alias"},
		"SPDX 3 of 3.1":                  {`{"@context":"https://spdx.org/rdf/3.1/spdx-context.jsonld","@graph":[]}`, `"3.1" is not read`},
		"SPDX 3 of two versions":         {`{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":[{"type":"CreationInfo","specVersion":"4.0"}]}`, `"4.0" is not read`},
		"SPDX 3, not at all":             {`{"@context":"https://schema.org","@graph":[{"type":"software_Package"}]}`, "does not say that it is SPDX 3"},
		"SPDX 3, types":                  {`{"@context":"https://spdx.org/rdf/3.0.1/","@graph":[{"type":["software_Package"]}]}`, "must not be a JSON ["},
		"SPDX 3, type twice":             {`{"@context":"https://spdx.org/rdf/3.0.1/","@graph":[{"type":"software_File","@type":"software_Package"}]}`, "twice"},
		"SWID tag":                       {`<SoftwareIdentity xmlns="http://standards.iso.org/iso/19770/-2/2015/schema.xsd"/>`, "is not a SBOM"},
	} {
		_, err := Read(SBOM, source("sbom", c.text))
		if failed, ok := errors.AsType[*ReadError](err); !ok || failed.File != "sbom" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// nested is n components inside each other, in JSON and XML.
func nestedJSON(n int) string {
	return `{"bomFormat":"CycloneDX","specVersion":"1.6"` + strings.Repeat(`,"components":[{"name":"a"`, n) + strings.Repeat("}]", n) + "}"
}

func nestedXML(n int) string {
	return `<bom xmlns="http://cyclonedx.org/schema/bom/1.6">` + strings.Repeat(`<components><component><name>a</name>`, n) + strings.Repeat("</component></components>", n) + "</bom>"
}

// TestSBOMLimits: what is small in a file does not become large in memory, and
// what is deep does not become slow.
func TestSBOMLimits(t *testing.T) {
	for name, text := range map[string]string{"JSON": nestedJSON(1000), "XML": nestedXML(1000)} {
		if r, err := Read(SBOM, source("nested", text)); err != nil || len(r.Components) != 1000 {
			t.Errorf("%s: %d components, %v", name, len(r.Components), err)
		}
	}
	const many = maxComponents + 1
	long := strings.Repeat("x", 8<<20)
	for name, c := range map[string]struct {
		text func() string // made when it is wanted, for it would be in the heap
		want string
	}{
		"deep JSON": {func() string { return nestedJSON(100_000) }, "depth"},
		"deep XML":  {func() string { return nestedXML(100_000) }, "deeper"},
		"deep graph": {func() string {
			return `{"@context":"https://spdx.org/rdf/3.0.1/","@graph":` + strings.Repeat(`[{"element":`, 100_000)
		}, "depth"},
		"10 MB of [":        {func() string { return strings.Repeat("[", 10<<20) }, "depth"},
		"10 MB of [ inside": {func() string { return `{"bomFormat":"CycloneDX","components":` + strings.Repeat("[", 10<<20) }, "where a JSON {"},
		"10 MB of [ beside": {func() string { return `{"spdxVersion":"SPDX-2.3","x":` + strings.Repeat("[", 10<<20) }, "depth"},
		"CycloneDX JSON":    {func() string { return `{"bomFormat":"CycloneDX","components":[` + strings.Repeat("{},", many) + `{}]}` }, "more than"},
		"CycloneDX XML": {func() string {
			return `<bom xmlns="http://cyclonedx.org/schema/bom/1.6"><components>` + strings.Repeat("<component/>", many)
		}, "more than"},
		"SPDX JSON": {func() string { return `{"spdxVersion":"SPDX-2.3","packages":[` + strings.Repeat("{},", many) + `{}]}` }, "more than"},
		"SPDX XML":  {func() string { return `<Document><SPDXID/>` + strings.Repeat("<packages/>", many) + "</Document>" }, "more than"},
		"SPDX tags": {func() string { return "SPDXVersion: SPDX-2.3\n" + strings.Repeat("PackageName:\n", many) }, "more than"},
		"SPDX 3": {func() string {
			return `{"@context":"https://spdx.org/rdf/3.0.1/","@graph":[` + strings.Repeat(`{"type":"software_Package"},`, many) + `{}]}`
		}, "more than"},
		"long names": {func() string {
			return `{"bomFormat":"CycloneDX","components":[` + strings.Repeat(`{"name":"`+long+`"},`, 9) + `{}]}`
		}, "more than"},
		"long ids": {func() string {
			return `{"spdxVersion":"SPDX-2.3","packages":[` + strings.Repeat(`{"SPDXID":"`+long+`"},`, 9) + `{}]}`
		}, "more than"},
		"long name": {func() string {
			return `{"bomFormat":"CycloneDX","components":[{"name":"` + long + long + long + long + long + `"}]}`
		}, "larger than"},
		"long line":          {func() string { return "SPDXVersion: SPDX-2.3\nPackageName: " + long + long + long }, "longer than"},
		"large YAML":         {func() string { return "spdxVersion: SPDX-2.3\npackages: []\nx: " + long }, "too much for YAML"},
		"12 MB name, UTF-16": {func() string { return utf16Of(`{"` + strings.Repeat("x", 12<<20) + `":1}`) }, "is not a SBOM"},
	} {
		text := c.text()
		begin := time.Now()
		highest := peakHeap(func() {
			_, err := Read(SBOM, source("evil", text))
			if failed, ok := errors.AsType[*ReadError](err); !ok || failed.File != "evil" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %q", name, err, c.want)
			}
		})
		if took := time.Since(begin); took > 10*time.Second || highest > 256<<20 {
			t.Errorf("%s: took %s and %d MiB", name, took, highest>>20)
		}
	}
}

// TestSubjectsAndToolsAreCut: what is only shown stays short.
func TestSubjectsAndToolsAreCut(t *testing.T) {
	var packages, ids, tools []string
	for i := range 2000 {
		packages = append(packages, fmt.Sprintf(`{"SPDXID":"%d","name":"package-%d"}`, i, i))
		ids = append(ids, fmt.Sprintf(`"%d"`, i))
		tools = append(tools, fmt.Sprintf(`"Tool: %d%s"`, i, strings.Repeat("x", 200)))
	}
	r := read(t, SBOM, `{"spdxVersion":"SPDX-2.3","creationInfo":{"creators":[`+strings.Join(tools, ",")+`]},"documentDescribes":[`+strings.Join(ids, ",")+`],"packages":[`+strings.Join(packages, ",")+`]}`)
	if len(r.Components) != 2000 || len(r.Subject) > 1100 || len(r.Tool) > 1100 || !strings.HasPrefix(r.Subject, "package-0, package-1, ") {
		t.Errorf("%d components of %s by %s", len(r.Components), r.Subject, r.Tool)
	}
}

func fuzzSBOM(f *testing.F, format string) {
	for _, s := range sbomSamples {
		if s.format == format {
			f.Add([]byte(s.text))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Read(SBOM, source("f", string(data)))
		if _, ok := errors.AsType[*ReadError](err); err != nil && !ok {
			t.Fatalf("an error of type %T: %v", err, err)
		}
		if err == nil && (r.Kind != SBOM || r.Version == "" || len(r.Subject) > maxTexts+3 || len(r.Tool) > maxTexts+3 || r.Findings != nil) {
			t.Fatalf("%+v", r)
		}
		for _, kind := range []Kind{Scan, VEX} {
			if r, err := Read(kind, source("f", string(data))); err == nil && (r.Components != nil || r.Targets == 0 && kind == Scan || len(r.Statements) == 0 && kind == VEX) {
				t.Fatalf("as a %s: %+v", kind, r)
			}
		}
	})
}

func FuzzCycloneDXJSON(f *testing.F) { fuzzSBOM(f, "CycloneDX JSON") }
func FuzzCycloneDXXML(f *testing.F)  { fuzzSBOM(f, "CycloneDX XML") }
func FuzzSPDXJSON(f *testing.F)      { fuzzSBOM(f, "SPDX 2 JSON") }
func FuzzSPDXTag(f *testing.F)       { fuzzSBOM(f, "SPDX 2 tag-value") }
func FuzzSPDXXML(f *testing.F)       { fuzzSBOM(f, "SPDX 2 XML") }
func FuzzSPDXYAML(f *testing.F)      { fuzzSBOM(f, "SPDX 2 YAML") }
func FuzzSPDX3(f *testing.F)         { fuzzSBOM(f, "SPDX 3 JSON-LD") }
