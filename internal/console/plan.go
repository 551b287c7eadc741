package console

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// node is one line of a section, as people read it: a name and a value, so deep.
type node struct {
	Depth int
	Name  string
	Value string // "" for what has nodes below it
}

// Limits of a section on a page; the document has all of it.
const (
	mostNodes = 120
	mostDepth = 6
	mostText  = 1000 // characters of one value
)

// nodesOf flattens a section. It is somebody else's, of any size: what is beyond the
// limits is counted, not shown.
func nodesOf(section jsontext.Value) []node {
	if len(section) == 0 {
		return nil
	}
	f := &flattening{}
	f.value(jsontext.NewDecoder(strings.NewReader(string(section))), "", 0)
	if f.left > 0 {
		f.nodes = append(f.nodes, node{0, "", "… and " + strconv.Itoa(f.left) + " more values; the document has them"})
	}
	return f.nodes
}

type flattening struct {
	nodes []node
	left  int
}

func (f *flattening) add(depth int, name, value string) {
	if len(f.nodes) >= mostNodes || depth > mostDepth {
		f.left++
		return
	}
	f.nodes = append(f.nodes, node{depth, cut(strings.ReplaceAll(name, "_", " "), 100), cut(value, mostText)})
}

// value reads one value. Sections are canonical JSON: what cannot be read ends it.
func (f *flattening) value(d *jsontext.Decoder, name string, depth int) bool {
	switch d.PeekKind() {
	case '{':
		return f.object(d, name, depth)
	case '[':
		return f.list(d, name, depth)
	}
	token, err := d.ReadToken()
	if err != nil {
		return false
	}
	f.add(depth, name, plain(token))
	return true
}

func (f *flattening) object(d *jsontext.Decoder, name string, depth int) bool {
	if _, err := d.ReadToken(); err != nil {
		return false
	}
	if name != "" {
		f.add(depth, name, "")
		depth++
	}
	for d.PeekKind() != '}' {
		key, err := d.ReadToken()
		if err != nil || !f.value(d, key.String(), depth) {
			return false
		}
	}
	_, err := d.ReadToken()
	return err == nil
}

// list puts a list of plain values on one line.
func (f *flattening) list(d *jsontext.Decoder, name string, depth int) bool {
	if _, err := d.ReadToken(); err != nil {
		return false
	}
	var words []string
	n := 0
	for d.PeekKind() != ']' {
		n++
		if kind := d.PeekKind(); kind == '{' || kind == '[' {
			if !f.value(d, strings.TrimSpace(name+" "+strconv.Itoa(n)), depth) {
				return false
			}
			continue
		}
		token, err := d.ReadToken()
		if err != nil {
			return false
		}
		if len(words) < 50 {
			words = append(words, cut(plain(token), 200))
		}
	}
	_, err := d.ReadToken()
	if words != nil {
		text := strings.Join(words, ", ")
		if n > len(words) && len(words) == 50 {
			text += ", … (" + strconv.Itoa(n) + " in all)"
		}
		f.add(depth, name, text)
	} else if n == 0 {
		f.add(depth, name, "none")
	}
	return err == nil
}

func plain(t jsontext.Token) string {
	switch t.Kind() {
	case 't':
		return "yes"
	case 'f':
		return "no"
	case 'n':
		return "not given"
	}
	return t.String()
}

// condition is one condition of an approval.
type condition struct{ Name, Value string }

// conditionsOf reads the conditions of a vote or decision.
func conditionsOf(text jsontext.Value) []condition {
	var all []condition
	for _, n := range nodesOf(text) {
		all = append(all, condition{n.Name, n.Value})
	}
	return all
}
