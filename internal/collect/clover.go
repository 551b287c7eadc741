package collect

import "encoding/xml"

// isClover: Cobertura's root is called coverage too, and holds no project.
func isClover(s shape) bool { return s.root == "coverage" && s.inside["project"] }

// readClover counts statements: stmt, and cond, which is a statement that
// branches and may stand on one line with another. Several stmt of one line
// are one. Methods are not statements, and the test project does not count. The
// metrics count only in a report that was written without lines.
func readClover(f *file, into *Report) error {
	c := clover{into: into}
	if err := f.walk(walker{enter: c.enter}); err != nil {
		return err
	}
	if len(into.Lines) == 0 {
		if err := into.total(c.covered, c.all); err != nil {
			return err
		}
	}
	return into.anyLines()
}

type clover struct {
	into         *Report
	pack, source string
	covered, all int // statements, by the project's metrics
}

func (c *clover) enter(path []string, e xml.StartElement) (err error) {
	n := len(path)
	if n == 1 {
		if version := attribute(e, "clover"); version != "" {
			c.into.Tool = "clover " + clip(version, 40)
		}
		return nil
	}
	if path[1] != "project" {
		return nil
	}
	switch e.Name.Local {
	case "package":
		c.pack, err = placeName(attribute(e, "name") + "/")
	case "file":
		if c.source = attribute(e, "path"); c.source == "" {
			c.source = attribute(e, "name")
			if path[n-2] == "package" {
				c.source = c.pack + c.source
			}
		}
	case "line":
		return c.line(e)
	case "metrics":
		if n == 3 {
			return c.metrics(e)
		}
	}
	return err
}

func (c *clover) line(e xml.StartElement) error {
	place := clip(c.source, 200) + ", line " + clip(attribute(e, "num"), 20)
	switch attribute(e, "type") {
	case "method":
		return nil
	case "stmt", "cond":
	default:
		return &ReadError{Place: place, Reason: "its type is none of method, stmt and cond"}
	}
	number, ok := lineNumber(attribute(e, "num"))
	if !ok {
		return &ReadError{Place: place, Reason: "num is not a number"}
	}
	hit, ok := cloverHits(e)
	if !ok {
		return &ReadError{Place: place, Reason: "count is not a number"}
	}
	at := Place{Line: number}
	if attribute(e, "type") == "cond" {
		at.Column = 1
	}
	return c.into.line(c.source, at, 1, hit)
}

// cloverHits: some tools give only how often a condition was true and false.
func cloverHits(e xml.StartElement) (hit, ok bool) {
	count := attribute(e, "count")
	if count != "" || attribute(e, "type") != "cond" {
		return hits(count)
	}
	yes, ok1 := hits(attribute(e, "truecount"))
	no, ok2 := hits(attribute(e, "falsecount"))
	return yes || no, ok1 && ok2
}

func (c *clover) metrics(e xml.StartElement) error {
	all, ok1 := amount(attribute(e, "statements"))
	covered, ok2 := amount(attribute(e, "coveredstatements"))
	if !ok1 || !ok2 {
		return &ReadError{Place: "the project's metrics", Reason: "statements or coveredstatements is not a number"}
	}
	c.covered, c.all = c.covered+covered, c.all+all
	return nil
}
