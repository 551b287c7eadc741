package risk

import (
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/eucora/eucora/internal/evidence"
	"pgregory.net/rapid"
)

var standard = Thresholds{Auto: 5000, Review: 7500}

func model10(t testing.TB) *Model {
	t.Helper()
	for _, m := range Embedded() {
		if m.Version() == "1.0" {
			return m
		}
	}
	t.Fatal("no model 1.0")
	return nil
}

// option is one line of the specification's table as the test knows it: the
// evidence that falls in it, and its points. Written from the specification,
// not from the model file.
type option struct {
	section, text string
	points        int64
}

var table = []struct {
	weight  int64 // in hundredths
	most    int64
	options []option
}{
	{20, 30, []option{{"test_results", `"coverage_percent":90.01`, 0}, {"test_results", `"coverage_percent":80`, 10}, {"test_results", `"coverage_percent":79.99`, 30}}},
	{15, 50, []option{{"scan_results", `"critical":0,"high":0`, 0}, {"scan_results", `"critical":1,"high":[1,2]`, 20}, {"scan_results", `"critical":0,"high":4`, 50}}},
	{10, 50, []option{{"test_results", `"manual_test_status":"completed"`, 10}, {"test_results", `"manual_test_status":"in_progress"`, 30}, {"test_results", `"manual_test_status":"not_started"`, 50}}},
	{10, 50, []option{{"rollback_plan", `"validated":true`, 10}, {"rollback_plan", `"strategy":"a plan that merely exists"`, 50}}},
	{10, 40, []option{{"deployment_plan", `"affected_components":[1,2,3,4]`, 10}, {"deployment_plan", `"affected_components":[1,2,3,4,5]`, 20}, {"deployment_plan", `"affected_components":[1,2,3,4,5,6,7,8,9,0,1]`, 40}}},
	{10, 40, []option{{"deployment_plan", `"complexity":"low"`, 5}, {"deployment_plan", `"complexity":"medium"`, 20}, {"deployment_plan", `"complexity":"high"`, 40}}},
	{10, 30, []option{{"deployment_plan", `"affected_users":99`, 5}, {"deployment_plan", `"affected_users":1000`, 15}, {"deployment_plan", `"affected_users":1001`, 30}}},
}

func factsOf(t testing.TB, text string) evidence.Facts {
	t.Helper()
	canonical, err := evidence.Canonical([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	sections, err := evidence.ParseSections(canonical)
	if err != nil {
		t.Fatal(err)
	}
	return evidence.ReadFacts(sections)
}

// TestEveryCombination compares all 1,458 combinations of model 1.0 with an
// independent computation: Σ weight·points/most, over one fraction of two
// integers, rounded up by integer division.
func TestEveryCombination(t *testing.T) {
	m := model10(t)
	gates := map[string]int{}
	lowest, highest := evidence.MaxScore, evidence.Score(0)
	for n := range 1458 {
		members := map[string][]string{}
		const common = 600 // of 30, 50 and 40
		sum, rest := int64(0), n
		for _, row := range table {
			choice := row.options[rest%len(row.options)]
			rest /= len(row.options)
			members[choice.section] = append(members[choice.section], choice.text)
			sum += row.weight * choice.points * (common / row.most)
		}
		want := evidence.Score((sum*10000 + 85*common - 1) / (85 * common))
		var parts []string
		for section, texts := range members {
			parts = append(parts, fmt.Sprintf("%q:{%s}", section, strings.Join(texts, ",")))
		}
		got := m.Assess(factsOf(t, "{"+strings.Join(parts, ",")+"}"))
		if got.Score != want {
			t.Fatalf("combination %d %v: %s, want %s", n, members, got.Score, want)
		}
		var contributions evidence.Score
		for _, f := range got.Factors {
			contributions += f.Contribution
		}
		if contributions != got.Score {
			t.Fatalf("combination %d: contributions sum to %s, score %s", n, contributions, got.Score)
		}
		lowest, highest = min(lowest, got.Score), max(highest, got.Score)
		switch {
		case got.Score <= 5000:
			gates["auto"]++
		case got.Score <= 7500:
			gates["review"]++
		default:
			gates["exception"]++
		}
	}
	if lowest != 1108 || highest != 10000 {
		t.Errorf("range %s to %s, want 11.08 to 100.00", lowest, highest)
	}
	if gates["auto"] != 652 || gates["review"] != 697 || gates["exception"] != 109 {
		t.Errorf("gates %v, want 652, 697, 109", gates)
	}
	r := m.Check(standard)
	if r.Min != 1108 || r.Max != 10000 || r.Combinations != 1458 || r.Auto != 652 || r.Review != 697 || r.Excepted != 109 || r.Err() != nil {
		t.Errorf("risk check says %+v", r)
	}
}

// TestBuckets: each boundary of the table, exactly. Lesson 3: every number
// falls in a bucket, and more never scores less.
func TestBuckets(t *testing.T) {
	m := model10(t)
	for _, c := range []struct {
		text, factor string
		points       int
	}{
		{`{"test_results":{"coverage_percent":90.00000000000001}}`, "coverage", 0},
		{`{"test_results":{"coverage_percent":90}}`, "coverage", 10},
		{`{"test_results":{"coverage_percent":80}}`, "coverage", 10},
		{`{"test_results":{"coverage_percent":79.99999999999999}}`, "coverage", 30},
		{`{"test_results":{"coverage_percent":100}}`, "coverage", 0},
		{`{"test_results":{"coverage_percent":0}}`, "coverage", 30},
		{`{"test_results":{"coverage_percent":1000}}`, "coverage", 30}, // lesson 4
		{`{"scan_results":{"critical":0,"high":0}}`, "security", 0},
		{`{"scan_results":{"critical":0,"high":1}}`, "security", 20},
		{`{"scan_results":{"critical":1,"high":1}}`, "security", 20},
		{`{"scan_results":{"critical":3,"high":0}}`, "security", 20},
		{`{"scan_results":{"critical":3,"high":1}}`, "security", 50},
		{`{"scan_results":{"critical":0}}`, "security", 50}, // half a scan is no scan
		{`{"deployment_plan":{"affected_components":[]}}`, "scope", 10},
		{`{"deployment_plan":{"affected_components":[1,2,3,4,5,6,7,8,9,10]}}`, "scope", 20},
		{`{"deployment_plan":{"affected_users":100}}`, "impact", 15},
		{`{"deployment_plan":{"affected_users":0}}`, "impact", 5},
		{`{"rollback_plan":{"validated":"yes, thoroughly tested"}}`, "rollback", 50}, // lesson 4
		{`{"rollback_plan":{"validated":false}}`, "rollback", 50},
	} {
		factors := m.Assess(factsOf(t, c.text)).Factors
		if !slices.ContainsFunc(factors, func(f evidence.Factor) bool { return f.Name == c.factor }) {
			t.Fatalf("there is no factor %s", c.factor)
		}
		for _, f := range factors {
			if f.Name == c.factor && f.Points != c.points {
				t.Errorf("%s: %d points, want %d (%s)", c.text, f.Points, c.points, f.Rationale)
			}
		}
	}
}

func TestGoodMiddlingBad(t *testing.T) {
	m := model10(t)
	for text, want := range map[string]string{
		`{}`: "100.00", // lesson 2: no evidence at all is the worst
		`{"test_results":{"coverage_percent":95,"manual_test_status":"completed"},"scan_results":{"critical":0,"high":0},"rollback_plan":{"validated":true},"deployment_plan":{"affected_components":[1],"complexity":"low","affected_users":10}}`:                    "11.08",
		`{"test_results":{"coverage_percent":85,"manual_test_status":"in_progress"},"scan_results":{"critical":0,"high":2},"rollback_plan":{"validated":true},"deployment_plan":{"affected_components":[1,2,3,4,5,6],"complexity":"medium","affected_users":500}}`:    "41.97",
		`{"test_results":{"coverage_percent":85,"manual_test_status":"not_started"},"scan_results":{"critical":0,"high":9},"rollback_plan":{"validated":false},"deployment_plan":{"affected_components":[1,2,3,4,5,6],"complexity":"medium","affected_users":50000}}`: "72.55",
	} {
		if got := m.Assess(factsOf(t, text)).Score.String(); got != want {
			t.Errorf("%.60s…: %s, want %s", text, got, want)
		}
	}
}

func TestMissingIsWorstAndSaysSo(t *testing.T) {
	for _, f := range model10(t).Assess(factsOf(t, `{"deployment_plan":{"complexity":"simple"}}`)).Factors {
		if f.Points != f.MaxPoints || !strings.Contains(f.Rationale, "counts as the worst") {
			t.Errorf("%s: %d of %d, %q", f.Name, f.Points, f.MaxPoints, f.Rationale)
		}
	}
}

// TestWorseNeverLowers draws two packages of which one is worse in every fact.
func TestWorseNeverLowers(t *testing.T) {
	m := model10(t)
	rapid.Check(t, func(r *rapid.T) {
		coverage := rapid.Float64Range(0, 100).Draw(r, "coverage")
		counts := [4]int{}
		for i := range counts {
			counts[i] = rapid.IntRange(0, 2000).Draw(r, "count")
		}
		manual, complexity := rapid.IntRange(0, 2).Draw(r, "manual"), rapid.IntRange(0, 2).Draw(r, "complexity")
		text := func(coverage float64, counts [4]int, manual, complexity int, validated bool) string {
			components := strings.TrimSuffix(strings.Repeat("1,", counts[2]%20), ",")
			return fmt.Sprintf(`{"test_results":{"coverage_percent":%g,"manual_test_status":%q},"scan_results":{"critical":%d,"high":%d},"rollback_plan":{"validated":%t},"deployment_plan":{"affected_components":[%s],"complexity":%q,"affected_users":%d}}`,
				coverage, []string{"completed", "in_progress", "not_started"}[manual], counts[0], counts[1], validated, components, []string{"low", "medium", "high"}[complexity], counts[3])
		}
		better := m.Assess(factsOf(t, text(coverage, counts, manual, complexity, true))).Score
		counts[0] += rapid.IntRange(0, 5).Draw(r, "more critical")
		counts[3] += rapid.IntRange(0, 2000).Draw(r, "more users")
		if counts[2]%20 < 19 {
			counts[2] += rapid.IntRange(0, 19-counts[2]%20).Draw(r, "more components")
		}
		worse := m.Assess(factsOf(t, text(
			coverage*rapid.Float64Range(0, 1).Draw(r, "less coverage"), counts,
			rapid.IntRange(manual, 2).Draw(r, "worse manual"), rapid.IntRange(complexity, 2).Draw(r, "worse complexity"),
			rapid.Bool().Draw(r, "validated")))).Score
		if worse < better {
			r.Fatalf("worse evidence scores %s, better %s", worse, better)
		}
	})
}

// TestAnyModel: for any weights and points, contributions sum to the score and
// the score is the exact sum rounded up.
func TestAnyModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var text strings.Builder
		normalization := rapid.SampledFrom([]string{"max", "none"}).Draw(r, "normalization")
		fmt.Fprintf(&text, "version: \"t\"\ntitle: t\nnormalization: %s\nfactors:\n", normalization)
		facts := []evidence.FactName{evidence.Users, evidence.TestsFailed, evidence.Low}
		exact, total := new(big.Rat), new(big.Rat)
		values := make([]*big.Rat, len(facts))
		for i, fact := range facts {
			weight := big.NewRat(rapid.Int64Range(1, 9999).Draw(r, "weight"), 10000)
			low := rapid.Int64Range(0, 99).Draw(r, "low")
			high := rapid.Int64Range(max(low, 1), 100).Draw(r, "high")
			fmt.Fprintf(&text, "  - name: f%d\n    fact: %s\n    weight: \"%s\"\n    rubric: [{below: \"10\", points: %d}, {from: \"10\", to: \"10\", points: %d}, {above: \"10\", points: %d}]\n",
				i, fact, weight.FloatString(4), low, high, high)
			total.Add(total, weight)
			values[i] = new(big.Rat).Mul(weight, big.NewRat(low*100, 1)) // in hundredths, times 1
			if normalization == "max" {
				values[i] = new(big.Rat).Mul(weight, big.NewRat(low*10000, high))
			}
		}
		for _, v := range values {
			if normalization == "max" {
				v = new(big.Rat).Quo(v, total)
			}
			exact.Add(exact, v)
		}
		m, err := Parse("t.yaml", []byte(text.String()))
		if err != nil {
			if strings.Contains(err.Error(), "common denominator") {
				r.Skip("too fine")
			}
			r.Fatalf("%v\n%s", err, text.String())
		}
		got := m.Assess(factsOf(t, `{"deployment_plan":{"affected_users":1},"test_results":{"failed":1},"scan_results":{"low":1}}`))
		want := new(big.Int).Add(exact.Num(), new(big.Int).Sub(exact.Denom(), big.NewInt(1)))
		want.Quo(want, exact.Denom())
		if int64(got.Score) != min(want.Int64(), 10000) {
			r.Fatalf("%s, want %s hundredths", got.Score, want)
		}
		var sum evidence.Score
		for _, f := range got.Factors {
			sum += f.Contribution
		}
		if sum != got.Score {
			r.Fatalf("contributions sum to %s, score %s", sum, got.Score)
		}
	})
}

// TestPublishedModelIsFrozen: model 1.0 is published; this is its digest.
func TestPublishedModelIsFrozen(t *testing.T) {
	const frozen = "46b001818cebd6a11db4b468e2a5349ca5e0db804bb65bbbf049d51dd22af95e"
	m := model10(t)
	if m.Digest() != frozen {
		t.Errorf("model 1.0 has digest %s; a change is a new version", m.Digest())
	}
	again, err := ParseCanonical(m.Document())
	if err != nil || again.Digest() != m.Digest() {
		t.Errorf("reading the stored model: %v", err)
	}
}

func TestBadModels(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("models", "1.0.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`{from: "80", to: "90", points: 10}`, `{from: "81", to: "90", points: 10}`, "m.yaml:12: gap"},
		{`{from: "80", to: "90", points: 10}`, `{from: "79", to: "90", points: 10}`, "m.yaml:12: overlap"},
		{`{below: "80", points: 30}`, `{below: "80", points: 5}`, "worse evidence must never lower"},
		{`{is: "0", points: 0}`, `{from: "0", to: "1", points: 0}`, "overlap"},
		{`{from: "1", to: "3", points: 20}`, `{from: "2", to: "3", points: 20}`, "gap"},
		{`{above: "3", points: 50}`, `{from: "4", to: "9", points: 50}`, "nothing is said beyond"},
		{`{is: "0", points: 0}`, `{is: "0.5", points: 0}`, "m.yaml:19: \"0.5\" is not a number"},
		{`      - {is: high, points: 40}`, ``, `"high" stands 0 times`},
		{`{is: high, points: 40}`, `{is: enormous, points: 40}`, "want is: one of low, medium, high"},
		{`weight: "0.15"`, `weight: "0"`, "m.yaml:17: weight"},
		{`weight: "0.15"`, `weight: "-1"`, "positive decimal"},
		{`fact: deployment_plan.complexity`, `fact: deployment_plan.difficulty`, "is not a fact"},
		{"\nnormalization: max", "\nnormalization: maximum", "m.yaml:6: normalization"},
		{`title:`, `titel:`, "field titel not found"},
		{`name: security`, `name: coverage`, "two factors"},
		{`points: 50}`, `points: 101}`, "want 0 to 100"},
		{`{above: "90", points: 0}`, `{above: "100", points: 0}`, "holds no value"},
		{`fact: deployment_plan.affected_users`, `fact: deployment_plan.affected_components`, "is read by another factor already"},
	} {
		bad := strings.Replace(string(text), c.old, c.new, 1)
		if bad == string(text) {
			t.Fatalf("%q is not in the model", c.old)
		}
		if _, err := Parse("m.yaml", []byte(bad)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s → %s: %v, want %q", c.old, c.new, err, c.want)
		}
	}
	for _, none := range []string{"", "version: \"1\"\ntitle: t\nnormalization: max\nfactors: []\n"} { // lesson 5
		if _, err := Parse("m.yaml", []byte(none)); err == nil {
			t.Errorf("a model without factors was accepted: %q", none)
		}
	}
}

// TestRawReadingCannotCloseAGate: lesson 2. The report's table taken raw ends at
// 34.5, so publishing it that way is an error unless the author insists.
func TestRawReadingCannotCloseAGate(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("models", "1.0.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	raw := strings.Replace(string(text), "\nnormalization: max", "\nnormalization: none", 1)
	m, err := Parse("raw.yaml", []byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	r := m.Check(standard)
	if r.Max != 3450 || r.Err() == nil || strings.Join(r.Unreachable(), " ") != "manual_review exception_required" {
		t.Errorf("raw: %+v, %v", r, r.Err())
	}
	m, err = Parse("raw.yaml", []byte(raw+"allow_unreachable: true\n"))
	if err != nil || m.Check(standard).Err() != nil {
		t.Errorf("allow_unreachable: %v %v", err, m.Check(standard).Err())
	}
}

func FuzzParse(f *testing.F) {
	text, err := os.ReadFile(filepath.Join("models", "1.0.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := Parse("f.yaml", text)
		if err != nil {
			return
		}
		again, err := ParseCanonical(m.Document())
		if err != nil || again.Digest() != m.Digest() {
			t.Fatalf("a model changes when stored: %v", err)
		}
		if worst := m.Assess(evidence.Facts{}); worst.Score > evidence.MaxScore {
			t.Fatalf("score %s", worst.Score)
		}
	})
}

func BenchmarkAssess(b *testing.B) {
	m := model10(b)
	facts := factsOf(b, `{"test_results":{"coverage_percent":85.5,"manual_test_status":"in_progress"},"scan_results":{"critical":0,"high":2},"rollback_plan":{"validated":true},"deployment_plan":{"affected_components":[1,2,3,4,5,6],"complexity":"medium","affected_users":500}}`)
	for b.Loop() {
		m.Assess(facts)
	}
}
