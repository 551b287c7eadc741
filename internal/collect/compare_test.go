package collect

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestCompareVersions(t *testing.T) {
	const unknown = '?'
	for _, c := range []struct {
		kind, a string
		is      rune
		b       string
	}{
		{"", "1.2.3", '=', "1.2.3"}, {"", "1.9", '<', "1.10"}, {"", "1.2", '<', "1.2.1"}, {"", "1.2", '=', "1.2.0"}, {"", "v1.2.3", '<', "1.2.4"},
		{"", "24.08", '<', "24.09"}, {"", "8.7.1", '<', "8.10"}, {"", "2024-01-31", '<', "2024-02-01"}, {"", "99999999999999999999998", '<', "99999999999999999999999"},
		{"", "1.0-rc1", '<', "1.0"}, {"", "1.0.0-rc.2", '<', "1.0"}, {"", "1.0rc1", '<', "1.0rc10"}, {"", "1.0-alpha9", '<', "1.0-beta1"}, {"", "1.0b2", '<', "1.0rc1"},
		{"", "1.0.1", '>', "1.0-rc1"}, {"", "1.0-rc1", '>', "0.9"}, {"", "2.0-SNAPSHOT", '<', "2.0"}, {"", "1.0.2k", '<', "1.0.2u"}, {"", "1.0.2a", '<', "1.0.2k"},
		{"", "1.0.2b", unknown, "1.0.2"}, {"", "1.0-1", unknown, "1.0"}, {"", "1.0-foo", unknown, "1.0"}, {"", "1.0-foo", unknown, "1.0-bar"}, {"", "1.0+5", unknown, "1.0"},
		{"", "", unknown, "1"}, {"", "1", unknown, ""}, {"", "main", unknown, "1.0"}, {"", "sha256:ab", unknown, "1.0"}, {"", "1.0 (x)", unknown, "1.1"}, {"", "^1.0", unknown, "1.1"},
		{"", "3f2a9bc", unknown, "9d3e001"[1:]}, {"", strings.Repeat("1.", 200) + "1", unknown, "2"}, {"", "1..2", unknown, "1.2"}, {"", "1.", unknown, "1.2"},
		{"npm", "1.0.0-foo", '<', "1.0.0"}, {"npm", "1.0.0-alpha.beta", '>', "1.0.0-alpha.1"}, {"npm", "1.0.0-1", '<', "1.0.0-alpha"}, {"npm", "1.0.0-bar", '<', "1.0.0-foo"},
		{"npm", "1.0.0-alpha", '<', "1.0.0-alpha.1"}, {"npm", "1.0.0-rc.1+5", unknown, "1.0.0-rc.1"}, {"npm", "1.0.0-rc.1+5", '<', "1.0.0"},
		{"golang", "v0.0.0-20240101000000-abcdefabcdef", '<', "v0.0.0-20250101000000-012345678901"}, {"golang", "v1.2.4-0.20240101000000-abcdefabcdef", '<', "v1.2.4"},
		{"golang", "v1.2.4-0.20240101000000-abcdefabcdef", '>', "v1.2.3"}, {"golang", "go1.21.5", '<', "go1.21.10"}, {"golang", "go1.26rc1", '<', "go1.26"}, {"golang", "v2.0.0+incompatible", '<', "v2.0.1+incompatible"},
		{"deb", "1.2-1", '>', "1.2"}, {"deb", "1:1.0", '>', "2.0"}, {"deb", "1.2~rc1-1", '<', "1.2-1"}, {"deb", "1.2-1ubuntu1", '<', "1.2-1ubuntu2"}, {"deb", "1.2.1-1", '>', "1.2-9"},
		{"deb", "2.36-9+deb12u4", '<', "2.36-9+deb12u10"}, {"apk", "1.2.3-r0", '<', "1.2.3-r1"}, {"rpm", "4.18.0-477.el8", '<', "4.18.0-513.el8"},
		{"maven", "31.1-jre", '<', "33.0-jre"}, {"maven", "31.1-jre", unknown, "31.1-android"}, {"maven", "5.3.RELEASE", '<', "5.3.1"}, {"pypi", "1.0a1", '<', "1.0"}, {"", "1.8.0_392", '<', "1.8.0_401"},
	} {
		got := func(a, b string) rune {
			order, ok := compareVersions(c.kind, a, b)
			switch {
			case !ok:
				return unknown
			case order < 0:
				return '<'
			case order > 0:
				return '>'
			}
			return '='
		}
		reverse := map[rune]rune{'<': '>', '>': '<', '=': '=', unknown: unknown}[c.is]
		if got(c.a, c.b) != c.is || got(c.b, c.a) != reverse {
			t.Errorf("%s: %s %c %s, and %s %c %s; want %c", c.kind, c.a, got(c.a, c.b), c.b, c.b, got(c.b, c.a), c.a, c.is)
		}
	}
}

// FuzzCompareVersions: it ends, and what is earlier one way is later the other.
func FuzzCompareVersions(f *testing.F) {
	for _, v := range []string{"", "1.2.3", "v1.0.0-rc.1+5", "1:2.3~rc1-4", "1.0.2k", "2024-01-02", "1.0.0.Final", "0.0.0-20240101-abc", "1.0_5"} {
		f.Add("npm", v, "1.2")
		f.Add("deb", v, "1.2-1")
		f.Add("", v, "1.0rc1")
	}
	f.Fuzz(func(t *testing.T, kind, a, b string) {
		one, ok := compareVersions(kind, a, b)
		other, okToo := compareVersions(kind, b, a)
		if ok != okToo || ok && one != -other {
			t.Fatalf("%q: %q against %q is %d %v, the other way about %d %v", kind, a, b, one, ok, other, okToo)
		}
		if order, ok := compareVersions(kind, a, a); order != 0 || !ok {
			t.Fatalf("%q is not itself", a)
		}
	})
}

func sbom(purls ...string) []Report {
	var r Report
	for _, p := range purls {
		name, version, isPURL := "", "", strings.HasPrefix(p, "pkg:")
		if !isPURL {
			name, version, _ = strings.Cut(p, "@")
			p = ""
		}
		r.Components = append(r.Components, Component{name, version, p})
	}
	return []Report{r}
}

func listed(list []ComponentChange) string {
	var all []string
	for _, c := range list {
		all = append(all, fmt.Sprintf("%s %s>%s", c.Name, strings.Join(c.Before, ","), strings.Join(c.After, ",")))
	}
	return strings.Join(all, "; ")
}

func TestCompareComponents(t *testing.T) {
	for name, c := range map[string]struct {
		before, after []Report
		want          string // added | removed | upgraded | downgraded | changed | same
	}{
		"nothing":            {sbom("pkg:npm/a@1"), sbom("pkg:npm/a@1"), "|||||1"},
		"added and removed":  {sbom("pkg:npm/a@1"), sbom("pkg:npm/b@1"), "pkg:npm/b >1|pkg:npm/a 1>||||0"},
		"up and down":        {sbom("pkg:npm/a@1.9", "pkg:npm/b@2"), sbom("pkg:npm/a@1.10", "pkg:npm/b@2-rc1"), "||pkg:npm/a 1.9>1.10|pkg:npm/b 2>2-rc1||0"},
		"who knows":          {sbom("pkg:npm/a@main"), sbom("pkg:npm/a@1.10"), "||||pkg:npm/a main>1.10|0"},
		"no version":         {sbom("pkg:npm/a@1"), sbom("pkg:npm/a"), "||||pkg:npm/a 1>|0"},
		"qualifiers":         {sbom("pkg:deb/debian/a@1?arch=amd64&distro=debian-12"), sbom("pkg:deb/debian/a@1?arch=arm64"), "|||||1"},
		"types and spaces":   {sbom("pkg:npm/a@1", "pkg:npm/%40x/a@1"), sbom("pkg:pypi/a@1", "pkg:npm/%40x/a@2"), "pkg:pypi/a >1|pkg:npm/a 1>|pkg:npm/@x/a 1>2|||0"},
		"spelling":           {sbom("pkg:golang/a@v1.2.0", "pkg:pypi/A_B@1"), sbom("pkg:golang/a@1.2", "pkg:pypi/a-b@1.0"), "|||||2"},
		"by name":            {sbom("a@1", "b@1"), sbom("a@2", "b@1"), "||a 1>2|||1"},
		"no package URL":     {sbom("a@1"), []Report{{Components: []Component{{"a", "2", "nonsense"}}}}, "||a 1>2|||0"},
		"several at once":    {sbom("pkg:npm/a@1", "pkg:npm/a@2", "pkg:npm/a@1"), sbom("pkg:npm/a@2", "pkg:npm/a@1"), "|||||1"},
		"one version more":   {sbom("pkg:npm/a@10"), sbom("pkg:npm/a@10", "pkg:npm/a@9", "pkg:npm/a@9"), "|||pkg:npm/a 10>9,10||0"},
		"the oldest is gone": {sbom("pkg:npm/a@1", "pkg:npm/a@2"), sbom("pkg:npm/a@2"), "||pkg:npm/a 1,2>2|||0"},
		"wider":              {sbom("pkg:npm/a@2"), sbom("pkg:npm/a@1", "pkg:npm/a@3"), "||||pkg:npm/a 2>1,3|0"},
		"from several files": {slices.Concat(sbom("a@1"), sbom("b@1")), sbom("a@1", "b@1"), "|||||2"},
	} {
		d := CompareComponents(c.before, c.after)
		got := strings.Join([]string{listed(d.Added), listed(d.Removed), listed(d.Upgraded), listed(d.Downgraded), listed(d.Changed), fmt.Sprint(d.Same)}, "|")
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestManyVersionsOfOneComponent: a file that lists very many of them costs
// little more than reading it.
func TestManyVersionsOfOneComponent(t *testing.T) {
	r := Report{Components: make([]Component, maxItems/8)}
	for i := range r.Components {
		r.Components[i] = Component{Name: "a", Version: fmt.Sprintf("1.%d-%s", i, strings.Repeat("rc1.", 20))}
	}
	begin := time.Now()
	d := CompareComponents([]Report{r}, []Report{{Components: r.Components[1:]}})
	if took := time.Since(begin); len(d.Changed) != 1 || took > 10*time.Second {
		t.Errorf("%d changed, in %s", len(d.Changed), took)
	}
}

func foundIn(list []FindingChange) string {
	var all []string
	for _, c := range list {
		text := c.ID
		for _, s := range []*FoundState{c.Before, c.After} {
			if s == nil {
				text += " -"
				continue
			}
			text += " " + s.Package + "/" + s.Severity.String()
			if s.SetAside != "" {
				text += "(aside)"
			}
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

func TestCompareFindings(t *testing.T) {
	type findings = map[FindingKey]Finding
	one := func(id, pkg string, severity Severity) findings { return findings{{id, pkg}: {Severity: severity}} }
	aside := func(id, pkg string) findings { return findings{{id, pkg}: {Severity: High, SetAside: "VEX"}} }
	for name, c := range map[string]struct {
		before, after findings
		want          string // new | fixed | changed | set aside | same
	}{
		"nothing":                     {nil, nil, "||||0"},
		"new, worst first":            {nil, findings{{"A", "p@1"}: {Severity: Low}, {"B", "p@1"}: {Severity: Critical}, {"C", "p@1"}: {Severity: Unknown}}, "B - p@1/critical; C - p@1/unknown; A - p@1/low||||0"},
		"fixed":                       {one("A", "p@1", High), nil, "|A p@1/high -|||0"},
		"the same in a later version": {one("A", "p@1", High), one("A", "p@2", High), "||||1"},
		"another package":             {one("A", "p@1", High), one("A", "q@1", High), "A - q@1/high|A p@1/high -|||0"},
		"a scoped name, no version":   {one("A", "@x/p", High), one("A", "@x/q", High), "A - @x/q/high|A @x/p/high -|||0"},
		"worse":                       {one("A", "p@1", Low), one("A", "p@2", High), "||A p@1/low p@2/high||0"},
		"in one more version":         {one("A", "p@1", High), findings{{"A", "p@1"}: {Severity: High}, {"A", "p@2"}: {Severity: High}}, "A - p@2/high||||1"},
		"in one version less":         {findings{{"A", "p@1"}: {Severity: High}, {"A", "p@2"}: {Severity: Low}}, one("A", "p@2", Low), "|A p@1/high -|||1"},
		"another line":                {one("R", "a.go:3", High), one("R", "a.go:30", High), "||||1"},
		"another file":                {one("R", "a.go:3", High), one("R", "b.go:3", High), "R - b.go:3/high|R a.go:3/high -|||0"},
		"an @ in a path":              {one("R", "x/@s/a.js:3", High), one("R", "x/@t/a.js:3", High), "R - x/@t/a.js:3/high|R x/@s/a.js:3/high -|||0"},
		"another fingerprint":         {one("R", "a.go:3 #0123456789abcdef", High), one("R", "a.go:4", High), "||||1"},
		"set aside now":               {one("A", "p@1", High), aside("A", "p@2"), "|||A p@1/high p@2/high(aside)|0"},
		"new and set aside":           {nil, aside("A", "p@2"), "|||A - p@2/high(aside)|0"},
		"counts again":                {aside("A", "p@1"), one("A", "p@1", High), "||A p@1/high(aside) p@1/high||0"},
		"aside and gone":              {aside("A", "p@1"), nil, "||||0"},
		"aside as before":             {aside("A", "p@1"), aside("A", "p@2"), "||||0"},
		"another scanner's name": {
			findings{{"GHSA-1", "p@1"}: {Severity: High, Aliases: []string{"CVE-2025-1"}}}, one("CVE-2025-1", "p@1", High), "||||1",
		},
		"two CVEs in one advisory": {
			findings{{"GHSA-1", "p@1"}: {Severity: High, Aliases: []string{"CVE-2025-1", "CVE-2025-2"}}}, one("CVE-2025-1", "p@1", High),
			"CVE-2025-1 - p@1/high|GHSA-1 p@1/high -|||0",
		},
		"two names at once": {
			findings{{"GHSA-1", "p@1"}: {Severity: High, Aliases: []string{"CVE-2025-1"}}, {"CVE-2025-1", "p@1"}: {Severity: Low}},
			findings{{"GHSA-1", "p@1"}: {Severity: High, Aliases: []string{"CVE-2025-1"}}, {"CVE-2025-1", "p@1"}: {Severity: Low}}, "||||2",
		},
	} {
		d := CompareFindings(c.before, c.after)
		got := strings.Join([]string{foundIn(d.New), foundIn(d.Fixed), foundIn(d.Changed), foundIn(d.SetAside), fmt.Sprint(d.Same)}, "|")
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestCompareFindingsAddsUp: what counted, less what is fixed or set aside, and
// what is new or counts again, is what counts; as much is the same the other way
// about; and nothing differs from itself.
func TestCompareFindingsAddsUp(t *testing.T) {
	key := rapid.Custom(func(t *rapid.T) FindingKey {
		return FindingKey{rapid.SampledFrom([]string{"A", "B", "CVE-1", "GHSA-1"}).Draw(t, "id"), rapid.SampledFrom([]string{"p@1", "p@2", "p@3", "q", "a.c:1", "a.c:2"}).Draw(t, "in")}
	})
	finding := rapid.Custom(func(t *rapid.T) Finding {
		return Finding{
			Severity: Severity(rapid.IntRange(0, 5).Draw(t, "severity")), SetAside: rapid.SampledFrom([]string{"", "", "VEX"}).Draw(t, "aside"),
			Aliases: rapid.SampledFrom([][]string{nil, {"CVE-1"}}).Draw(t, "aliases"),
		}
	})
	counting := func(findings map[FindingKey]Finding) int {
		n := 0
		for f := range maps.Values(findings) {
			if f.SetAside == "" {
				n++
			}
		}
		return n
	}
	rapid.Check(t, func(t *rapid.T) {
		before, after := rapid.MapOf(key, finding).Draw(t, "before"), rapid.MapOf(key, finding).Draw(t, "after")
		d, back, none := CompareFindings(before, after), CompareFindings(after, before), CompareFindings(before, before)
		n := counting(before) - len(d.Fixed) + len(d.New)
		for _, c := range d.SetAside {
			if c.Before != nil {
				n--
			}
		}
		for _, c := range d.Changed {
			if c.Before.SetAside != "" {
				n++
			}
		}
		if n != counting(after) {
			t.Fatalf("%d findings are explained, %d count: %+v", n, counting(after), d)
		}
		if d.Same != back.Same || none.Same != counting(before) || len(none.New)+len(none.Fixed)+len(none.Changed)+len(none.SetAside) > 0 {
			t.Fatalf("there %+v, back %+v, itself %+v", d, back, none)
		}
	})
}
