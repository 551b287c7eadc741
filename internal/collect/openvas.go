package collect

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
)

// isOpenVAS knows a report of Greenbone's manager, with or without the frame
// that it is exported in. JaCoCo's root is a report, too.
func isOpenVAS(s shape) bool {
	return s.root == "get_reports_response" || (s.root == "report" && (s.inside["report"] || s.inside["gmp"] || s.inside["omp"] || s.inside["results"]))
}

// readOpenVAS counts results: a test by host and port. The result's score
// decides, which is what holds after the user's overrides, or its threat if
// that is worse. Messages of the scanner itself and false positives are listed.
func readOpenVAS(f *file, into *Report) error {
	o := openVAS{report: into}
	if err := f.walk(walker{enter: o.enter, text: o.text, leave: o.leave}); err != nil {
		return err
	}
	return o.end()
}

// openVAS is what was read so far.
type openVAS struct {
	report *Report
	depth  int // of the result that is read; 0: none
	openVASResult

	status   string // of the scan
	hosts    string // how many there are, as stated
	filtered string // how many results the report should have, as stated
	listed   bool   // there is a list of results
	results  int    // that were read
	seen     int    // hosts that are described
}

type openVASResult struct{ oid, host, port, threat, score string }

// text of at most this many bytes is kept of an element.
const openVASText = 4096

func (o *openVAS) enter(path []string, e xml.StartElement) error {
	name, depth := e.Name.Local, len(path)
	parent := ""
	if depth > 1 {
		parent = path[depth-2]
	}
	switch {
	case name == "report" && attribute(e, "type") == "delta":
		return &ReadError{Place: "report", Reason: "lists only what changed between two scans: it is not a scan"}
	case o.depth == 0 && name == "result" && parent == "results":
		o.depth, o.openVASResult = depth, openVASResult{}
	case o.depth > 0 && depth == o.depth+1 && name == "nvt":
		o.oid = attribute(e, "oid")
	case o.depth == 0 && name == "host" && parent == "report":
		o.seen++
	case o.depth == 0 && name == "results" && parent == "report":
		o.listed = true
	}
	return nil
}

func (o *openVAS) text(path []string, text string) error {
	depth := len(path)
	parent := ""
	if depth > 1 {
		parent = path[depth-2]
	}
	var into *string
	switch name := path[depth-1]; {
	case o.depth > 0 && depth == o.depth+1:
		into = map[string]*string{"host": &o.host, "port": &o.port, "threat": &o.threat, "severity": &o.score}[name]
	case o.depth > 0:
	case name == "scan_run_status" && parent == "report":
		into = &o.status
	case name == "count" && parent == "hosts":
		into = &o.hosts
	case name == "filtered" && parent == "result_count" && (depth < 3 || path[depth-3] == "report"):
		into = &o.filtered
	}
	if into != nil {
		if *into += text; len(*into) > openVASText {
			return &ReadError{Place: path[depth-1], Reason: fmt.Sprintf("has more than %d bytes", openVASText)}
		}
	}
	return nil
}

func (o *openVAS) leave(path []string) error {
	if len(path) != o.depth {
		return nil
	}
	o.depth = 0
	o.results++
	host, port := strings.TrimSpace(o.host), strings.TrimSpace(o.port)
	severity, setAside := openVASSeverity(strings.TrimSpace(o.score), strings.TrimSpace(o.threat))
	if o.oid == "" && setAside != "" {
		o.oid = "(no test)"
	}
	return o.report.vulnerability(o.oid, host+":"+port, Finding{Severity: severity, SetAside: setAside})
}

// openVASSeverity reads the score, whose negative values have a meaning, and
// the threat.
func openVASSeverity(text, threat string) (severity Severity, setAside string) {
	score, err := strconv.ParseFloat(text, 64)
	switch {
	case err == nil && score == -1, threat == "False Positive":
		return Unknown, "marked as a false positive"
	case err == nil && score == -2, threat == "Debug":
		return Unknown, "a debugging message of the scanner"
	case err == nil && score == -3, threat == "Error":
		return Unknown, "an error message of the scanner"
	case threat == "Log" && (text == "" || score == 0):
		return Negligible, ""
	case threat == "":
		return scoreOf(text), ""
	case text == "":
		return severityOf(threat), ""
	}
	return max(scoreOf(text), severityOf(threat)), ""
}

// end refuses a scan that did not end, that saw no host, or of which only a
// part of the results was exported.
func (o *openVAS) end() error {
	number := func(text string) int {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return -1
		}
		return n
	}
	status, hosts := strings.TrimSpace(o.status), number(o.hosts)
	switch {
	case !o.listed:
		return &ReadError{Place: "report", Reason: "has no results: that is not a clean scan"}
	case status != "Done" && (status != "" || o.results == 0):
		return &ReadError{Place: "scan_run_status", Reason: fmt.Sprintf("is %q: the scan is not done", clip(status, 40))}
	case number(o.filtered) > o.results:
		return &ReadError{Place: "results", Reason: fmt.Sprintf("holds %d of %d results: the others were left out of the export", o.results, number(o.filtered))}
	case o.results == 0 && hosts < 1 && o.seen == 0:
		return errNothingScanned("no host")
	}
	o.report.Tool, o.report.Targets = "openvas", max(hosts, o.seen, 1)
	return nil
}
