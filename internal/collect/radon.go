package collect

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// isRadon knows what "radon cc -j" writes: an object of files, each a list of
// blocks.
func isRadon(s shape) bool {
	return s.json == '{' && s.within["complexity"] && s.within["rank"] && s.within["lineno"]
}

type radonBlock struct {
	Type       string       `json:"type"`
	Name       string       `json:"name"`
	Class      string       `json:"classname"`
	Complexity *int         `json:"complexity"`
	Line       int          `json:"lineno"`
	Methods    []radonBlock `json:"methods"`
	Closures   []radonBlock `json:"closures"`
}

// readRadon counts functions and methods. A class is an average of its methods
// and no function; its methods stand beside it once more. Closures belong to
// their function, and can be the highest. A file that radon could not read may
// hold anything: then nobody can say which function is the highest.
func readRadon(f *file, into *Report) error {
	into.Tool = "radon"
	err := f.one(func(d *jsontext.Decoder) error {
		return entries(d, func(name string, d *jsontext.Decoder) error {
			if d.PeekKind() == '{' {
				var failed struct {
					Error string `json:"error"`
				}
				if err := value(&failed)(d); err != nil {
					return err
				}
				return &ReadError{Place: clip(name, 200), Reason: "radon could not analyse this file: " + clip(failed.Error, 200)}
			}
			return each(d, func(b radonBlock) error {
				if b.Type != "class" {
					into.Functions++
				}
				return into.radonBlock(name, b)
			})
		})
	})
	if err != nil {
		return err
	}
	return into.anyFunctions()
}

// radonBlock looks for the highest function in a block.
func (r *Report) radonBlock(file string, b radonBlock) error {
	name := b.Name
	if b.Class != "" {
		name = b.Class + "." + name
	}
	where := fmt.Sprintf("%s %s:%d", clip(name, 100), clip(file, 200), b.Line)
	switch b.Type {
	case "function", "method":
		if b.Complexity == nil || *b.Complexity < 0 {
			return &ReadError{Place: where, Reason: "has no complexity"}
		}
		r.highest(*b.Complexity, where)
	case "class":
	default:
		return &ReadError{Place: where, Reason: fmt.Sprintf("%q is not a type of block that is known (function, method, class)", clip(b.Type, 40))}
	}
	for _, inner := range [][]radonBlock{b.Methods, b.Closures} {
		for _, block := range inner {
			if err := r.radonBlock(file, block); err != nil {
				return err
			}
		}
	}
	return nil
}
