package collect

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestPURL(t *testing.T) {
	for text, want := range map[string]purl{
		"pkg:npm/a@1":                              {"npm", "", "a", "1", ""},
		"pkg:npm/%40scope/a@1.0":                   {"npm", "@scope", "a", "1.0", ""},
		"pkg:npm/@scope/a":                         {"npm", "@scope", "a", "", ""},
		"pkg:deb/Debian/Curl@7.1%2Bdfsg?arch=i386": {"deb", "debian", "curl", "7.1+dfsg", ""},
		"pkg:golang/google.golang.org/genproto@v1#googleapis/api": {"golang", "google.golang.org", "genproto", "v1", "googleapis/api"},
		"pkg:oci/x@sha256%3Aabc?repository_url=a/b@c":             {"oci", "", "x", "sha256:abc", ""},
		"pkg:PyPI/A_B@1":                  {"pypi", "", "a-b", "1", ""},
		"pkg:maven/Org.A/B@1":             {"maven", "Org.A", "B", "1", ""},
		"pkg:generic/a@release/1":         {"generic", "", "a", "release/1", ""},
		"pkg://npm/a@1":                   {"npm", "", "a", "1", ""},
		"pkg:github/A/B@feature%2Fx?q=1#": {"github", "a", "b", "feature/x", ""},
	} {
		if got, err := parsePURL(text); err != nil || got != want {
			t.Errorf("%s: %+v %v", text, got, err)
		}
	}
	for _, text := range []string{"", "a", "npm/a@1", "pkg:", "pkg:npm", "pkg:npm/", "pkg:maven/@1.3.4", "pkg:1a/b", "pkg:n m/a", "pkg:npm/%zz", "PKG:npm/a", "pkg:/a"} {
		if got, err := parsePURL(text); err == nil {
			t.Errorf("%q became %+v", text, got)
		}
	}
}

// vexCase: statements, and whether they set the one finding aside: CVE-1 (also
// GHSA-1) in pkg:npm/%40s/a@1.
type vexCase struct {
	name       string
	aside      bool
	statements []VEXStatement
}

const vexPURL = "pkg:npm/%40s/a@1"

func says(status, when string, products ...string) VEXStatement {
	return VEXStatement{Vulnerability: "CVE-1", Status: status, Time: when, Products: products, Justification: "component_not_present"}
}

func vexMatching() []vexCase {
	clear := func(products ...string) []VEXStatement {
		return []VEXStatement{says(notAffected, "2024-01-01T00:00:00Z", products...)}
	}
	about := func(vulnerability string, aliases ...string) []VEXStatement {
		return []VEXStatement{{Vulnerability: vulnerability, Aliases: aliases, Status: notAffected, Products: []string{vexPURL}}}
	}
	return []vexCase{
		{"nothing stated", false, nil},
		{"the same purl", true, clear(vexPURL)},
		{"other qualifiers", true, clear(vexPURL + "?arch=x")},
		{"no version", true, clear("pkg:npm/%40s/a")},
		{"written otherwise", true, clear("pkg:NPM/@s/a@1")},
		{"other version", false, clear("pkg:npm/%40s/a@2")},
		{"part of a version", false, clear("pkg:npm/%40s/a@1.0")},
		{"other name", false, clear("pkg:npm/%40s/b@1")},
		{"other case", false, clear("pkg:npm/%40s/A@1")},
		{"other namespace", false, clear("pkg:npm/%40t/a@1")},
		{"no namespace", false, clear("pkg:npm/a@1")},
		{"other type", false, clear("pkg:pypi/%40s/a@1")},
		{"a path in the package", false, clear(vexPURL + "#sub")},
		{"no purl", false, clear("pkg:npm/")},
		{"name and version", true, clear("@s/a@1")},
		{"name", true, clear("@s/a")},
		{"name of other version", false, clear("@s/a@2")},
		{"part of the name", false, clear("a@1")},
		{"other case of the name", false, clear("@S/A")},
		{"one of several", true, clear("x", "pkg:npm/x@1", vexPURL)},
		{"no product", false, clear()},
		{"a product without a name", false, clear("", " ")},
		{"parts of the product", false, []VEXStatement{{Vulnerability: "CVE-1", Status: notAffected, Products: []string{vexPURL}, Parts: []string{vexPURL}}}},
		{"other vulnerability", false, about("CVE-2")},
		{"case of the id", true, about("cve-1")},
		{"space around the id", true, about(" CVE-1 ")},
		{"the finding's other name", true, about("ghsa-1")},
		{"the statement's other name", true, about("X-9", "CVE-0", "Cve-1")},
		{"both by other names", true, about("X-9", "GHSA-1")},
		{"no vulnerability", false, about("")},
		{"part of the id", false, about("CVE-11")},
	}
}

func vexOrdering() []vexCase {
	const early, late, lateElsewhere = "2024-01-01T00:00:00Z", "2024-06-01T00:00:00.5Z", "2024-06-01T02:00:00.5+02:00"
	var cases []vexCase
	add := func(name string, aside bool, statements ...VEXStatement) {
		cases = append(cases, vexCase{name, aside, statements})
	}
	for _, other := range []string{affected, fixed, underInvestigation, "", "nonsense"} {
		add(other+" alone", false, says(other, early, vexPURL))
		add(other+" later", false, says(notAffected, early, vexPURL), says(other, late, vexPURL))
		add(other+" later, listed first", false, says(other, late, vexPURL), says(notAffected, early, vexPURL))
		add(other+" earlier", true, says(other, early, vexPURL), says(notAffected, late, vexPURL))
		add(other+" earlier, listed last", true, says(notAffected, late, vexPURL), says(other, early, vexPURL))
		add(other+" at the same time, last", false, says(notAffected, late, vexPURL), says(other, lateElsewhere, vexPURL))
		add(other+" at the same time, first", true, says(other, late, vexPURL), says(notAffected, lateElsewhere, vexPURL))
		add(other+" undated, last", false, says(notAffected, "", vexPURL), says(other, "", vexPURL))
		add(other+" undated, first", true, says(other, "", vexPURL), says(notAffected, "", vexPURL))
		add(other+" undated against a date", false, says(other, "", vexPURL), says(notAffected, late, vexPURL))
		add(other+" dated against none", false, says(other, early, vexPURL), says(notAffected, "", vexPURL))
		add(other+" at a time that is none", false, says(other, "yesterday", vexPURL), says(notAffected, late, vexPURL))
		add(other+" of all versions", false, says(notAffected, early, vexPURL), says(other, late, "pkg:npm/%40s/a"))
		add(other+" by name", false, says(notAffected, early, vexPURL), says(other, late, "@s/a@1"))
		add(other+" of parts", false, says(notAffected, early, vexPURL), VEXStatement{Vulnerability: "CVE-1", Status: other, Time: late, Products: []string{vexPURL}, Parts: []string{"x"}})
		add(other+" of another version", true, says(notAffected, early, vexPURL), says(other, late, "pkg:npm/%40s/a@2"))
		add(other+" of another vulnerability", true, says(notAffected, early, vexPURL), VEXStatement{Vulnerability: "CVE-2", Status: other, Time: late, Products: []string{vexPURL}})
		add(other+" by another name", false, says(notAffected, early, vexPURL), VEXStatement{Vulnerability: "GHSA-1", Status: other, Time: late, Products: []string{vexPURL}})
		add(other+" between two", true, says(notAffected, early, vexPURL), says(other, late, vexPURL), says(notAffected, late, vexPURL))
		add(other+" after two", false, says(notAffected, early, vexPURL), says(notAffected, late, vexPURL), says(other, "2025-01-01T00:00:00Z", vexPURL))
	}
	add("two that agree, one undated", true, says(notAffected, "", vexPURL), says(notAffected, early, vexPURL))
	return cases
}

func TestApplyVEX(t *testing.T) {
	key, other := FindingKey{"CVE-1", "@s/a@1"}, FindingKey{"CVE-7", "@s/a@1"}
	findings := map[FindingKey]Finding{
		key: {Severity: High, PURL: vexPURL, Aliases: []string{"GHSA-1"}}, other: {Severity: Low, PURL: vexPURL},
		{"CVE-1", "b@1"}: {Severity: Low, PURL: "pkg:npm/b@1", SetAside: "set aside before"},
	}
	for _, c := range slices.Concat(vexMatching(), vexOrdering()) {
		before := maps.Clone(findings)
		got := ApplyVEX(findings, c.statements)
		if aside := got[key].SetAside != ""; aside != c.aside || got[other].SetAside != "" || len(got) != len(findings) {
			t.Errorf("%s: %+v", c.name, got)
		}
		if got[key].Severity != High || got[FindingKey{"CVE-1", "b@1"}].SetAside != "set aside before" {
			t.Errorf("%s: changed more than it says: %+v", c.name, got)
		}
		for k, f := range before {
			if findings[k].SetAside != f.SetAside {
				t.Errorf("%s: changed what was handed in", c.name)
			}
		}
	}
	reason := ApplyVEX(findings, []VEXStatement{says(notAffected, "2024-01-01T00:00:00Z", vexPURL)})[key].SetAside
	if reason != "VEX: CVE-1 not_affected (component_not_present), stated 2024-01-01T00:00:00Z" {
		t.Error(reason)
	}
	if got := ApplyVEX(nil, []VEXStatement{says(notAffected, "", vexPURL)}); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

// TestVEXWithoutPURL: a finding whose tool gives no purl is met by its name
// only.
func TestVEXWithoutPURL(t *testing.T) {
	findings := map[FindingKey]Finding{{"CVE-1", "a@1"}: {}, {"CVE-1", "c"}: {}}
	for product, want := range map[string]string{"a@1": "a@1", "a": "a@1", "c": "c", "pkg:npm/a@1": "", "pkg:npm/c": "", "a@": "", "@1": "", "1": ""} {
		aside := ""
		for key, f := range ApplyVEX(findings, []VEXStatement{says(notAffected, "", product)}) {
			if f.SetAside != "" {
				aside += key.Package
			}
		}
		if aside != want {
			t.Errorf("%s set %q aside", product, aside)
		}
	}
}

// TestVEXOfManyStatements: a document that says much about one package takes no
// more time for each finding.
func TestVEXOfManyStatements(t *testing.T) {
	findings, statements := map[FindingKey]Finding{}, []VEXStatement{}
	for i := range 20_000 {
		findings[FindingKey{"CVE-1", "a@" + strings.Repeat("1", i%300) + string(rune('a'+i%26))}] = Finding{PURL: "pkg:npm/a@1"}
		statements = append(statements, says(notAffected, "", "pkg:npm/a"), says(affected, "", "pkg:npm/a"))
	}
	for key, f := range ApplyVEX(findings, statements) {
		if f.SetAside != "" {
			t.Fatalf("%v: %s", key, f.SetAside)
		}
	}
}
