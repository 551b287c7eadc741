package collect

import "encoding/xml"

// isCobertura: Clover's root is called coverage too, and holds a project.
func isCobertura(s shape) bool {
	return s.root == "coverage" && !s.inside["project"] && (s.inside["packages"] || s.inside["sources"])
}

// readCobertura counts each line of a file once, from the classes' own lines:
// lines repeat under methods, a file stands in several classes, and the stated
// line-rate is often another number.
func readCobertura(f *file, into *Report) error {
	source, within := "", ""
	enter := func(path []string, e xml.StartElement) (err error) {
		n := len(path)
		switch {
		case e.Name.Local == "package":
			within, err = placeName(attribute(e, "name"))
		case e.Name.Local == "class":
			if source = attribute(e, "filename"); source == "" {
				source = within + " class " + attribute(e, "name")
			}
		case e.Name.Local == "line" && n >= 3 && path[n-2] == "lines" && path[n-3] == "class":
			number, ok := lineNumber(attribute(e, "number"))
			if !ok {
				return &ReadError{Place: clip(source, 200), Reason: "a line's number is not a number"}
			}
			hit, ok := hits(attribute(e, "hits"))
			if !ok {
				return &ReadError{Place: clip(source, 200) + ", line " + attribute(e, "number"), Reason: "hits is not a number"}
			}
			return into.line(source, Place{Line: number}, 1, hit)
		}
		return err
	}
	if err := f.walk(walker{enter: enter}); err != nil {
		return err
	}
	return into.anyLines()
}
