package evidence

import (
	"fmt"
	"strings"
	"testing"
)

// told is a comparison as a person would tell it.
func told(c Comparison) string {
	var all []string
	for _, f := range c.Facts {
		all = append(all, fmt.Sprintf("%s: %s, %s %q to %s %q", f.Name, f.Direction, f.Before.State, f.Before.Shown, f.After.State, f.After.Shown))
	}
	for _, m := range c.Measures {
		if d := m.Delta(); d != nil && d.Sign() != 0 {
			all = append(all, m.Name+" by "+d.RatString())
		}
	}
	for _, a := range c.Artifacts {
		all = append(all, fmt.Sprintf("artifact: %v to %v", a.Before, a.After))
	}
	for _, v := range c.Values {
		all = append(all, fmt.Sprintf("%s: %s to %s", v.Path, string(v.Before), string(v.After)))
	}
	return strings.Join(all, "\n")
}

func TestCompare(t *testing.T) {
	for name, c := range map[string]struct{ before, after, want string }{
		"nothing":      {`{}`, `{}`, ``},
		"the same":     {`{"test_results":{"coverage_percent":80}}`, `{"test_results":{"coverage_percent":80.0}}`, ``},
		"worse first":  {`{"test_results":{"coverage_percent":80},"scan_results":{"high":3}}`, `{"test_results":{"coverage_percent":80.5},"scan_results":{"high":4}}`, "scan_results.high: worse, known \"3\" to known \"4\"\ntest_results.coverage_percent: better, known \"80\" to known \"80.5\"\ncoverage_percent by 1/2"},
		"not there":    {`{"rollback_plan":{"validated":true}}`, `{}`, "rollback_plan.validated: worse, known \"true\" to missing \"\""},
		"not usable":   {`{}`, `{"deployment_plan":{"complexity":7}}`, "deployment_plan.complexity: changed, missing \"\" to invalid \"7\""},
		"there now":    {`{"deployment_plan":{"complexity":7}}`, `{"deployment_plan":{"complexity":"low"}}`, "deployment_plan.complexity: better, invalid \"7\" to known \"low\""},
		"tests":        {`{"test_results":{"total":10,"failed":0}}`, `{"test_results":{"total":12,"failed":1,"skipped":1}}`, "test_results.failed: worse, known \"0\" to known \"1\"\ntotal by 2\nfailed by 1\ntest_results.skipped:  to 1"},
		"other values": {`{"deployment_plan":{"rings":["LAB"],"x":{"y":[{"z":1}]}}}`, `{"deployment_plan":{"rings":["LAB","PILOT"],"x":{"y":[{"z":2}]},"new":null}}`, "deployment_plan.new:  to null\ndeployment_plan.rings: [\"LAB\"] to [\"LAB\",\"PILOT\"]\ndeployment_plan.x.y[0].z: 1 to 2"},
		"lists of what facts count": {
			`{"deployment_plan":{"affected_components":["a"]},"scan_results":{"high":["A"]}}`, `{"deployment_plan":{"affected_components":["a","b"]},"scan_results":{"high":["B"]}}`,
			"deployment_plan.affected_components: worse, known \"1\" to known \"2\"\ndeployment_plan.affected_components: [\"a\"] to [\"a\",\"b\"]\nscan_results.high[0]: \"A\" to \"B\"",
		},
		"artifacts by name": {
			`{"artifacts":[{"name":"a","version":"1","signature":{"status":"valid","signer":"X"}},{"name":"b"}]}`, `{"artifacts":[{"name":"b"},{"name":"a","version":"2","signature":{"status":"unsigned"},"size_bytes":3}]}`,
			"artifact: &{a 1  valid X} to &{a 2  unsigned }\nartifacts[1].size_bytes:  to 3",
		},
		"artifacts by place": {
			`{"artifacts":{"name":"7z2408.msi","hash":"AB","signature":"by X"}}`, `{"artifacts":[{"name":"7z2409.msi","sha256":"cd","signature":"by Y"}]}`,
			"artifact: &{7z2408.msi  ab  by X} to &{7z2409.msi  cd  by Y}",
		},
		"one artifact more, one less": {
			`{"artifacts":[{"name":"a"},{"name":"b"}]}`, `{"artifacts":[{"name":"b"},{"name":"c"},{"name":"d"}]}`,
			"artifact: &{a    } to &{c    }\nartifact: <nil> to &{d    }",
		},
		"no artifact left": {`{"artifacts":[{"name":"a","x":1}]}`, `{}`, "artifact: &{a    } to <nil>"},
		"a section":        {`{"rollback_plan":{"strategy":"x"}}`, `{}`, `rollback_plan.strategy: "x" to `},
	} {
		before, after := Record{Sections: sections(t, c.before)}, Record{Sections: sections(t, c.after)}
		if got := told(Compare(before, after)); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
		if got := told(Compare(after, after)); got != "" {
			t.Errorf("%s: differs from itself:\n%s", name, got)
		}
	}
}

// TestCompareFactors: what adds most comes first, and a factor that only one
// model has is there.
func TestCompareFactors(t *testing.T) {
	record := func(factors ...Factor) Record { return Record{Assessment: Assessment{Factors: factors}} }
	c := Compare(
		record(Factor{Name: "coverage", Contribution: 500}, Factor{Name: "security", Contribution: 100}, Factor{Name: "old", Contribution: 50}),
		record(Factor{Name: "coverage", Contribution: 200}, Factor{Name: "security", Contribution: 900}, Factor{Name: "new", Contribution: 1}))
	var got []string
	for _, f := range c.Factors {
		got = append(got, fmt.Sprintf("%s %v %v %v", f.Name, f.Delta().Float(), f.Before != nil, f.After != nil))
	}
	if want := "security 8 true true, new 0.01 false true, old -0.5 true false, coverage -3 true true"; strings.Join(got, ", ") != want {
		t.Errorf("%s, want %s", strings.Join(got, ", "), want)
	}
}
