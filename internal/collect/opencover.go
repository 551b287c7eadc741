package collect

import (
	"encoding/xml"
	"errors"
	"fmt"
)

func isOpenCover(s shape) bool { return s.root == "CoverageSession" }

// readOpenCover counts sequence points, the statements of a method as the
// compiler sees them. A place in a file belongs to several methods where each
// of them runs it (initialisers and constructors): it counts for each. The
// summaries, which repeat at every level, do not count.
func readOpenCover(f *file, into *Report) error {
	o := openCover{into: into, files: map[string]string{}, places: map[string]string{}}
	if err := f.walk(walker{enter: o.enter, text: o.text}); err != nil {
		return err
	}
	return into.anyLines()
}

type openCover struct {
	into        *Report
	files       map[string]string // their paths by uid, of the module
	module, ref string            // ref: the file that the method is in
	method      string
	places      map[string]string // what the points of the method are noted under, by uid
}

func (o *openCover) enter(path []string, e xml.StartElement) (err error) {
	switch e.Name.Local {
	case "CoverageSession":
		if version := attribute(e, "Version"); version != "" {
			o.into.Tool = "opencover " + clip(version, 40)
		}
	case "Module":
		o.files, o.module = map[string]string{}, ""
	case "File":
		if len(o.files) == maxItems/4 {
			return errors.New("a module has too many files")
		}
		o.files[attribute(e, "uid")], err = placeName(attribute(e, "fullPath"))
	case "Method":
		o.method, o.ref, o.places = "", "", map[string]string{}
	case "FileRef":
		o.ref = attribute(e, "uid")
	case "SequencePoint":
		return o.point(e)
	}
	return err
}

func (o *openCover) text(path []string, text string) error {
	n := len(path)
	if n < 2 {
		return nil
	}
	var to *string
	switch name := path[n-1]; {
	case name == "Name" && path[n-2] == "Method":
		to = &o.method
	case name == "ModulePath":
		to = &o.module
	default:
		return nil
	}
	if *to += text; len(*to) > 64<<10 {
		return errors.New("the name of a module or a method is too long")
	}
	return nil
}

// place is what a point is noted under: the file, and the method in it.
func (o *openCover) place(id string) string {
	place, ok := o.places[id]
	if !ok {
		source := o.files[id]
		if source == "" {
			source = clip(o.module, maxPlaceName) + " file " + id
		}
		place = source + " " + o.method
		o.places[id] = place
	}
	return place
}

func (o *openCover) point(e xml.StartElement) error {
	id := attribute(e, "fileid")
	if id == "" {
		id = o.ref
	}
	where := o.place(id)
	var numbers [4]uint32
	for i, name := range [...]string{"sl", "sc", "el", "ec"} {
		text := attribute(e, name)
		number, ok := lineNumber(text)
		if !ok && (i == 0 || text != "") {
			return &ReadError{Place: clip(where, 200), Reason: fmt.Sprintf("a sequence point's %s is not a number", name)}
		}
		numbers[i] = number
	}
	hit, ok := hits(attribute(e, "vc"))
	if !ok {
		return &ReadError{Place: clip(where, 200), Reason: fmt.Sprintf("the visits (vc) of the sequence point on line %d are not a number", numbers[0])}
	}
	return o.into.line(where, Place{numbers[0], numbers[1], numbers[2], numbers[3]}, 1, hit)
}
