package evidence

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"pgregory.net/rapid"
)

func derive(t testing.TB, declared string, values ...Derived) (Sections, []Origin) {
	t.Helper()
	s, origins, err := sections(t, declared).Derive(values)
	if err != nil {
		t.Fatal(err)
	}
	return s, origins
}

// TestDeriveKeepsTheRest: what nobody derives stays as it was declared, member
// for member, whatever shape it has.
func TestDeriveKeepsTheRest(t *testing.T) {
	for _, c := range []struct{ declared, path, value, want string }{
		{`{}`, "scan_results.critical", "3", `{"scan_results":{"critical":3}}`},
		{`{"scan_results":{"critical":3,"note":"n"}}`, "scan_results.critical", "3", `{"scan_results":{"critical":3,"note":"n"}}`},
		{`{"artifacts":{"name":"a","x":1}}`, "artifacts[0].sha256", `"s"`, `{"artifacts":[{"name":"a","sha256":"s","x":1}]}`},
		{`{"artifacts":[{"name":"a"}]}`, "artifacts[2].size_bytes", "1", `{"artifacts":[{"name":"a"},{},{"size_bytes":1}]}`},
		{`{"artifacts":{"signature":"by hand"}}`, "artifacts[0].signature.status", `"valid"`, `{"artifacts":[{"signature":{"description":"by hand","status":"valid"}}]}`},
		{`{"artifacts":{"sbom":[1,2]}}`, "artifacts[0].sbom.components", "7", `{"artifacts":[{"sbom":{"components":7}}]}`},
		{`{"test_results":{"coverage":{"branch":4}}}`, "test_results.coverage.total", "9", `{"test_results":{"coverage":{"branch":4,"total":9}}}`},
		{`{"scan_results":{"critical":0,"scanner":"x"}}`, "scan_results.critical", "", `{"scan_results":{"scanner":"x"}}`},
	} {
		s, _ := derive(t, c.declared, Derived{Path: c.path, Value: []byte(c.value)})
		text, err := jsonv2.Marshal(s, jsonv2.Deterministic(true))
		if err != nil || string(text) != c.want {
			t.Errorf("%s at %s: %s (%v), want %s", c.declared, c.path, text, err, c.want)
		}
		if c.value != "" && string(s.At(c.path)) != c.value {
			t.Errorf("%s: read back as %s", c.path, s.At(c.path))
		}
	}
	for _, path := range []string{"", "scan_results", "nonsense.critical", "artifacts[0]", "deployment"} {
		if _, _, err := sections(t, `{}`).Derive([]Derived{{Path: path, Value: []byte("1")}}); err == nil {
			t.Errorf("%q is taken for a member", path)
		}
	}
}

// TestTheSectionsOfOthersAreNotChanged: sections are shared.
func TestTheSectionsOfOthersAreNotChanged(t *testing.T) {
	before := sections(t, good)
	text, err := jsonv2.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := before.Derive([]Derived{{Path: "scan_results.critical", Value: []byte("9")}, {Path: "artifacts[0].sha256", Value: []byte(`"x"`)}}); err != nil {
		t.Fatal(err)
	}
	if after, err := jsonv2.Marshal(before); err != nil || string(after) != string(text) {
		t.Errorf("%s became %s", text, after)
	}
}

// TestManyLargeArtifacts: a record of a full MiB with as many artifacts as there
// may be, and a file for each that is none of them, costs no minutes.
func TestManyLargeArtifacts(t *testing.T) {
	var text strings.Builder
	text.WriteString(`{"artifacts":[`)
	rest := strings.Repeat("0,", 1900)
	var digests, names []string
	var values []Derived
	for i := range MaxArtifacts - 1 {
		fmt.Fprintf(&text, `{"name":"declared %d","x":[%s0]},`, i, rest)
		digests, names = append(digests, fmt.Sprintf("%064x", i)), append(names, fmt.Sprint("sent ", i))
		for _, member := range []string{"sha256", "name", "signature.status", "signature.reason", "sbom.components"} {
			values = append(values, Derived{Path: fmt.Sprintf("artifacts[%d].%s", i, member), Value: []byte(`"unsigned"`)})
		}
	}
	text.WriteString(`{}]}`)
	s := sections(t, text.String())
	began := time.Now()
	if places := s.ArtifactPlaces(digests, names); places[0] != MaxArtifacts-1 || places[1] != MaxArtifacts {
		t.Errorf("the first files stand at %d and %d", places[0], places[1])
	}
	s, origins, err := s.Derive(values)
	if err != nil {
		t.Fatal(err)
	}
	facts := ReadFacts(s, origins...)
	if f := facts.Get(SignatureStatus); f.Text != "untrusted" { // nobody has looked into the last one
		t.Errorf("%+v", f)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

// TestUnknownCountsAsHigh: unless a model asks for the number without; of what is
// declared nobody knows what it holds.
func TestUnknownCountsAsHigh(t *testing.T) {
	s, origins := derive(t, `{}`, Derived{Path: "scan_results.critical", Value: []byte("1")},
		Derived{Path: "scan_results.high", Value: []byte("5")}, Derived{Path: "scan_results.unknown", Value: []byte("3")})
	facts, declared := ReadFacts(s, origins...), ReadFacts(s)
	for name, want := range map[FactName]string{CriticalAndHigh: "6", RatedCriticalAndHigh: "3"} {
		if got := facts.Get(name).Shown; got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
		if got := declared.Get(name).Shown; got != "6" {
			t.Errorf("declared, %s is %s", name, got)
		}
	}
}

// TestSameVersion: what differs in spelling only is no difference.
func TestSameVersion(t *testing.T) {
	for _, same := range [][2]string{{"1.2", "1.2.0.0"}, {"v3.1", "3.1"}, {" 8.7.1", "8.7.1.0"}, {"2", "2.0"}} {
		if !SameVersion(same[0], same[1]) {
			t.Errorf("%q and %q", same[0], same[1])
		}
	}
	for _, other := range [][2]string{{"1.2", "1.20"}, {"1.2", "1.2.0.1"}, {"10", "1"}, {"1.2-rc1", "1.2"}, {"", "1"}} {
		if SameVersion(other[0], other[1]) {
			t.Errorf("%q and %q", other[0], other[1])
		}
	}
}

// TestDeriveHolds: for any declaration and any derived numbers, the derived
// count, exactly the values that differ are kept, nothing else changes, and doing
// it again changes nothing.
func TestDeriveHolds(t *testing.T) {
	members := []string{"critical", "high", "low", "scanner", "other"}
	rapid.Check(t, func(rt *rapid.T) {
		declared := map[string]any{}
		for _, name := range members {
			switch rapid.IntRange(0, 3).Draw(rt, name) {
			case 1:
				declared[name] = rapid.IntRange(0, 3).Draw(rt, name+" number")
			case 2:
				declared[name] = strings.Repeat("x", rapid.IntRange(0, 2).Draw(rt, name+" text"))
			case 3:
				declared[name] = make([]int, rapid.IntRange(0, 3).Draw(rt, name+" list"))
			}
		}
		text, err := json.Marshal(map[string]any{"scan_results": declared})
		if err != nil {
			rt.Fatal(err)
		}
		var values []Derived
		for _, name := range []string{"critical", "high", "low"} {
			if rapid.Bool().Draw(rt, name+" is derived") {
				values = append(values, Derived{Path: "scan_results." + name, Value: fmt.Append(nil, rapid.IntRange(0, 3).Draw(rt, name+" derived"))})
			}
		}
		canonical, err := Canonical(text)
		if err != nil {
			rt.Fatal(err)
		}
		before, err := ParseSections(canonical)
		if err != nil {
			rt.Fatal(err)
		}
		after, origins, err := before.Derive(values)
		if err != nil {
			rt.Fatal(err)
		}
		facts, again := ReadFacts(after, origins...), after
		for _, v := range values {
			if f := facts.Get(FactName(v.Path)); f.State != Known || f.Shown != string(v.Value) || !f.Derived {
				rt.Fatalf("%s is %+v, and %s was derived from %s", v.Path, f, v.Value, text)
			}
			for _, o := range origins {
				if was := before.At(v.Path); o.Path == v.Path && (o.Declared != nil) != (was != nil && readFindings(was).Shown != string(v.Value)) {
					rt.Fatalf("%s: declared %s, derived %s, kept %s", v.Path, was, v.Value, o.Declared)
				}
			}
		}
		for _, name := range []string{"scanner", "other"} {
			if string(after.At("scan_results."+name)) != string(before.At("scan_results."+name)) {
				rt.Fatalf("%s changed", name)
			}
		}
		if again, _, err = again.Derive(values); err != nil || string(again.ScanResults) != string(after.ScanResults) {
			rt.Fatalf("again: %s, then %s (%v)", after.ScanResults, again.ScanResults, err)
		}
	})
}
