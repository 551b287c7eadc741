package collect

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Small reports of each format, written by hand after what the tools write.
const (
	gocycloText = "21 mux newRouteRegexp mux/regexp.go:41:1\n3 mux (*List[K, V]).Get a dir/mux.go:4:1\n1 mux_test Example mux/x_test.go:38:1\nAverage: 2.25\n"
	lizardCSV   = `15,4,80,0,15,"String@44-58@a/example.go","a/example.go","String","(t fmtTime)String",44,58` + "\n" +
		`1,1,28,2,1,"@87-87@a/example.go","a/example.go",""," i , j int",87,87` + "\n" + `42,19,298,0,47,"main@60-106@a/b, c.go","a/b, c.go","main","main",60,106` + "\n"
	lizardHeadedCSV = "NLOC,CCN,token,PARAM,length,location,file,function,long_name,start,end\n" + lizardCSV
	lizardTable     = `================================================
  NLOC    CCN   token  PARAM  length  location  
------------------------------------------------
       3      1     29      2       3 SetURLVars@17-19@mux/test helpers.go
      16     14    145      1      21 @100-120@mux/mux.go
2 file analyzed.
==============================================================
NLOC    Avg.NLOC  AvgCCN  Avg.token  function_cnt    file
--------------------------------------------------------------
      5       3.0    91.0       29.0         1     mux/mux.go

==========================================
!!!! Warnings (cyclomatic_complexity > 10) !!!!
================================================
  NLOC    CCN   token  PARAM  length  location  
------------------------------------------------
      16     14    145      1      21 @100-120@mux/mux.go
`
	lizardMeasures = `<?xml version="1.0" ?><?xml-stylesheet type="text/xsl" href="https://example.org/lizard.xsl"?><cppncss><measure type="Function"><labels><label>Nr.</label><label>NCSS</label><label>CCN</label></labels>
		<item name="String(...) at a.go:44"><value>1</value><value>15</value><value>4</value></item><average label="CCN" value="99"/><item name="main(...) at a.go:60"><value>2</value><value>42</value><value>11</value></item></measure>
		<measure type="File"><labels><label>Nr.</label><label>NCSS</label><label>CCN</label><label>Functions</label></labels><item name="a.go"><value>1</value><value>57</value><value>15</value><value>2</value></item><sum label="CCN" value="15"/></measure></cppncss>`
	radonBlocks = `{"a.py":[{"type":"class","rank":"C","name":"C","complexity":11,"lineno":1,"methods":[{"type":"method","rank":"B","name":"m","classname":"C","complexity":10,"lineno":2,"closures":[]}]},
		{"type":"method","rank":"B","name":"m","classname":"C","complexity":10,"lineno":2,"closures":[]}],"b.py":[{"type":"function","rank":"A","name":"f","complexity":2,"lineno":5,"closures":[{"type":"function","rank":"A","name":"g","complexity":1,"lineno":6,"closures":[]}]}]}`
	sonarTreeJSON = `{"paging":{"pageIndex":1,"pageSize":500,"total":3},"baseComponent":{"key":"p","qualifier":"TRK","measures":[{"metric":"complexity","value":"25"},{"metric":"functions","value":"9"}]},"components":[
		{"key":"p:a.py","qualifier":"FIL","path":"a.py","measures":[{"metric":"complexity","value":"14"},{"metric":"functions","value":"8"},{"metric":"ncloc"}]},{"key":"p:src","qualifier":"DIR","measures":[{"metric":"complexity","value":"25"}]},
		{"key":"p:b.py","qualifier":"FIL","measures":[{"metric":"complexity","value":11},{"metric":"functions","value":1}]}]}`
	sonarFile = `{"component":{"key":"p:a.py","qualifier":"FIL","path":"a.py","measures":[{"metric":"complexity","value":"30"},{"metric":"functions","value":"8"}]},"metrics":[]}`
)

var complexitySamples = []struct {
	text, format, at string
	functions        int
	highest          int
	level            string
}{
	{gocycloText, "gocyclo text", "newRouteRegexp mux/regexp.go:41:1", 3, 21, "high"},
	{lizardCSV, "Lizard CSV", "main@60-106@a/b, c.go", 3, 19, "medium"},
	{lizardHeadedCSV, "Lizard CSV", "main@60-106@a/b, c.go", 3, 19, "medium"},
	{lizardTable, "Lizard text", "@100-120@mux/mux.go", 2, 14, "medium"},
	{lizardMeasures, "Lizard XML", "main(...) at a.go:60", 2, 11, "medium"},
	{radonBlocks, "radon JSON", "C.m a.py:2", 2, 10, "low"},
	{sonarTreeJSON, "SonarQube measures JSON", "a.py (upper bound: the sum of the file)", 9, 14, "medium"},
	{sonarFile, "SonarQube measures JSON", "a.py (upper bound: the sum of the file)", 8, 30, "high"},
}

func TestComplexityFormats(t *testing.T) {
	for _, s := range complexitySamples {
		for name, text := range map[string]string{"plain": s.text, "BOM": "\xef\xbb\xbf" + s.text, "CRLF": strings.ReplaceAll(s.text, "\n", "\r\n"), "UTF-16": utf16LE(s.text)} {
			r := read(t, Complexity, text)
			if r.Format != s.format || r.Functions != s.functions || r.Highest != s.highest || r.HighestAt != s.at || r.Tool == "" || ComplexityOf(r) != s.level {
				t.Errorf("%s, %s: %+v %s", s.format, name, r, ComplexityOf(r))
			}
		}
	}
}

func TestComplexityOf(t *testing.T) {
	for highest, want := range map[int]string{0: "low", 1: "low", 10: "low", 11: "medium", 20: "medium", 21: "high", 1 << 30: "high"} {
		if got := ComplexityOf(Report{Highest: 1}, Report{Highest: highest}, Report{}); got != want {
			t.Errorf("%d: %s", highest, got)
		}
	}
	if got := ComplexityOf(); got != "" {
		t.Errorf("nothing is %s", got)
	}
}

func TestComplexityRefused(t *testing.T) {
	replace := strings.Replace
	for name, c := range map[string]struct{ text, want string }{
		"zero bytes":                  {"", "is empty"},
		"gocyclo: average only":       {"Average: 3.14\n", "is not a complexity report"},
		"gocyclo: prose":              {gocycloText + "panic: x\n", "line 5"},
		"gocyclo: cut off":            {gocycloText[:len(gocycloText)-20], "line 3"},
		"gocyclo: bare number":        {gocycloText + "4.25\n", "line 5"},
		"gocyclo: huge number":        {gocycloText + "99999999999 a b c.go:1:1\n", "line 5"},
		"Lizard CSV: header only":     {lizardHeadedCSV[:strings.Index(lizardHeadedCSV, "\n")], "no function"},
		"Lizard CSV: short":           {lizardCSV + `1,2,3,4,5,"a@1-2@b"`, "line 4"},
		"Lizard CSV: no number":       {lizardCSV + "1,x" + lizardCSV[4:], "line 4"},
		"Lizard CSV: header inside":   {lizardCSV + lizardHeadedCSV, "line 4"},
		"Lizard CSV: open quote":      {lizardCSV + `1,2,3,4,5,"a`, "line 4"},
		"Lizard CSV: stray quote":     {lizardCSV + `1,2,3,4,5,"a" b",c,d,e,1,2`, "line 4"},
		"Lizard text: cut off":        {lizardTable[:strings.Index(lizardTable, "2 file")], "ends too early"},
		"Lizard text: prose":          {replace(lizardTable, "      16     14    145", "      16     xx    145", 1), "line 5"},
		"Lizard text: nothing":        {lizardTable[:147] + "0 file analyzed.\n", "no function"},
		"Lizard XML: nothing":         {`<cppncss><measure type="File"><labels><label>CCN</label></labels><item name="a"><value>1</value></item></measure></cppncss>`, "no function"},
		"Lizard XML: no CCN":          {replace(lizardMeasures, "<value>4</value>", "", 1), "String(...) at a.go:44: has no CCN"},
		"Lizard XML: no label":        {replace(lizardMeasures, "<label>CCN</label>", "", 1), "has no CCN"},
		"Lizard XML: no number":       {replace(lizardMeasures, "<value>4</value>", "<value>4.5</value>", 1), "CCN is not a number"},
		"radon: a broken file":        {replace(radonBlocks, `"b.py":[`, `"c.py":{"error":"invalid syntax (line 1)"},"b.py":[`, 1), "c.py: radon could not analyse this file: invalid syntax"},
		"radon: no complexity":        {replace(radonBlocks, `"complexity":2`, `"x":2`, 1), "f b.py:5: has no complexity"},
		"radon: complexity":           {replace(radonBlocks, `"complexity":2`, `"complexity":"2"`, 1), "complexity"},
		"radon: another type":         {replace(radonBlocks, `"type":"function"`, `"type":"thing"`, 1), "thing"},
		"radon: a class only":         {`{"a.py":[{"type":"class","rank":"A","name":"C","complexity":1,"lineno":1,"methods":[]}]}`, "no function"},
		"radon: duplicate":            {replace(radonBlocks, `"b.py"`, `"a.py"`, 1), "duplicate"},
		"Sonar: a project":            {`{"component":{"key":"p","qualifier":"TRK","measures":[{"metric":"complexity","value":"254"},{"metric":"functions","value":"94"}]}}`, "cannot be said"},
		"Sonar: one page of several":  {replace(sonarTreeJSON, `"total":3`, `"total":30`, 1), "3 of 30 components"},
		"Sonar: no paging":            {replace(sonarTreeJSON, `"paging"`, `"x"`, 1), "whether all files"},
		"Sonar: a file is missing":    {replace(sonarTreeJSON, `"value":"25"`, `"value":"26"`, 1), "25 together, of 26"},
		"Sonar: null":                 {replace(sonarTreeJSON, `"value":"14"`, `"value":null`, 1), "p:a.py: complexity"},
		"Sonar: no value":             {replace(sonarTreeJSON, `,"value":"14"`, ``, 1), "p:a.py: complexity"},
		"Sonar: fraction":             {replace(sonarTreeJSON, `"value":"14"`, `"value":"14.5"`, 1), "p:a.py: complexity"},
		"Sonar: functions unasked":    {strings.ReplaceAll(sonarTreeJSON, `"functions"`, `"classes"`), "a.py: does not have both"},
		"Sonar: complexity unasked":   {strings.ReplaceAll(sonarTreeJSON, `"complexity"`, `"classes"`), "a.py: does not have both"},
		"Sonar: functions of nothing": {replace(sonarTreeJSON, `"value":11`, `"value":0`, 1), "no complexity"},
		"Sonar: twice":                {replace(sonarTreeJSON, `{"metric":"ncloc"}`, `{"metric":"complexity","value":"1"}`, 1), "not one whole number"},
		"a report of coverage":        {lcovReport, "is a coverage report (LCOV), not a complexity report"},
		"an object":                   {`{"component":{"key":"x"}}`, "is not a complexity report"},
	} {
		_, err := Read(Complexity, source("evil.bin", c.text))
		failed, ok := errors.AsType[*ReadError](err)
		if !ok || failed.File != "evil.bin" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// complexityRefused must be refused: why.
var complexityRefused = map[string]string{
	"gen__uuid.gocyclo-empty.txt":                         "is empty",   // nothing over the limit, or nothing at all: a file of zero bytes does not say
	"MeasureSoftGram-CLI__invalid_json.json":              "line 2",     // broken on purpose
	"MeasureSoftGram-Core__invalid_complexity_value.json": "complexity", // a file's complexity is null
}

func TestCorpusComplexity(t *testing.T) {
	corpusOf(t, 16, []string{"cx-gocyclo", "cx-lizard", "cx-radon", "cx-sonar-measures"}, func(t *testing.T, path, facts string, text []byte) {
		name := filepath.Base(path)
		report, err := Read(Complexity, source(name, string(text)))
		if want, refused := complexityRefused[name]; refused {
			if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), name) {
				t.Errorf("must be refused (%s): %v", want, err)
			}
			return
		}
		if err != nil {
			t.Fatalf("%v (facts: %s)", err, facts)
		}
		functions, highest := wantedComplexity(t, report, facts, text)
		if report.Functions != functions || report.Highest != highest {
			t.Errorf("%d functions, highest %d, want %d and %d: %s", report.Functions, report.Highest, functions, highest, facts)
		}
	})
}

// wantedComplexity reads the facts of the manifest.
func wantedComplexity(t *testing.T, r Report, facts string, text []byte) (functions, highest int) {
	switch r.Format {
	case "gocyclo text":
		return number(facts, "functions"), number(facts, "max")
	case "Lizard text": // the manifest counts functions with a name, and those with a warning again
		rows := regexp.MustCompile(`(?m)^ *([0-9]+ +){5}[^ ].*@`)
		unnamed := regexp.MustCompile(`(?m)^ *([0-9]+ +){5}@`)
		table, warnings, _ := strings.Cut(string(text), "analyzed.")
		return number(facts, "rows") + len(unnamed.FindAllString(table, -1)) - len(rows.FindAllString(warnings, -1)), number(facts, "max_ccn")
	case "radon JSON": // the manifest counts classes too
		var files map[string][]struct{ Type string }
		if err := json.Unmarshal(text, &files); err != nil {
			t.Fatal(err)
		}
		functions = number(facts, "blocks")
		for _, blocks := range files {
			for _, block := range blocks {
				if block.Type == "class" {
					functions--
				}
			}
		}
		return functions, number(facts, "max")
	case "SonarQube measures JSON":
		fmt.Sscan(regexp.MustCompile(`functions:([0-9]+)`).FindStringSubmatch(facts)[1], &functions)
		return functions, highestSonarFile(t, text)
	}
	return number(facts, "functions"), number(facts, "max_ccn")
}

// highestSonarFile: the manifest holds no file's complexity.
func highestSonarFile(t *testing.T, text []byte) (highest int) {
	var tree struct {
		Components []struct {
			Qualifier string
			Measures  []struct{ Metric, Value string }
		}
	}
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	for _, c := range tree.Components {
		for _, m := range c.Measures {
			n := 0
			if fmt.Sscan(m.Value, &n); c.Qualifier == "FIL" && m.Metric == "complexity" {
				highest = max(highest, n)
			}
		}
	}
	return highest
}

func FuzzComplexity(f *testing.F) {
	for _, s := range complexitySamples {
		f.Add([]byte(s.text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Read(Complexity, source("f", string(data)))
		if err != nil {
			if _, ok := errors.AsType[*ReadError](err); !ok {
				t.Fatalf("an error of type %T", err)
			}
			return
		}
		if r.Functions < 1 || r.Highest < 0 || r.Tool == "" || ComplexityOf(r) == "" {
			t.Fatalf("%+v", r)
		}
	})
}
