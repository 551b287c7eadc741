package collect

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
)

// maxKeys is how many keys the open dictionaries of a property list may have.
const maxKeys = 1 << 17

// plist walks a property list (XML). path holds the keys that lead to a value,
// "" for an element of an array; it is good only during the call.
type plist struct {
	value func(path []string, text string) error // a text, number or date; true and false as such
	end   func(path []string) error              // a dictionary ends

	path   []string // the key of each open container's current value
	open   []container
	keys   int // in open
	text   strings.Builder
	values int // at the top
}

type container struct {
	keys map[string]bool // nil in an array
	key  bool            // a key was read whose value comes next
}

func (p *plist) read(f *file) error {
	err := f.walk(walker{enter: p.enter, text: p.add, leave: p.leave})
	if err == nil && p.values == 0 {
		err = fmt.Errorf("the property list is empty")
	}
	return err
}

func (p *plist) fault(reason string) error {
	return &ReadError{Place: "/" + clip(strings.Join(p.path, "/"), 100), Reason: reason}
}

func (p *plist) enter(path []string, e xml.StartElement) error {
	if len(path) == 1 {
		if e.Name.Local != "plist" {
			return p.fault("is not a property list")
		}
		return nil
	}
	if len(path) != len(p.open)+2 {
		return p.fault(fmt.Sprintf("%s stands inside a value", clip(e.Name.Local, 40)))
	}
	p.text.Reset()
	if err := p.place(e.Name.Local == "key"); err != nil {
		return err
	}
	switch e.Name.Local {
	case "dict":
		p.open, p.path = append(p.open, container{keys: map[string]bool{}}), append(p.path, "")
	case "array":
		p.open, p.path = append(p.open, container{}), append(p.path, "")
	case "key", "string", "integer", "real", "date", "data", "true", "false":
	default:
		return p.fault(fmt.Sprintf("%s is not an element of a property list", clip(e.Name.Local, 40)))
	}
	return nil
}

// place checks that a key, or a value, may stand here.
func (p *plist) place(key bool) error {
	if len(p.open) == 0 {
		if p.values++; key || p.values > 1 {
			return p.fault("a property list has one value")
		}
		return nil
	}
	in := &p.open[len(p.open)-1]
	switch dict := in.keys != nil; {
	case key && (!dict || in.key):
		return p.fault("a key stands where a value belongs")
	case !key && dict && !in.key:
		return p.fault("a value has no key")
	}
	in.key = key
	return nil
}

func (p *plist) add(path []string, text string) error {
	if p.text.Len()+len(text) > maxValue {
		return errValueTooLarge
	}
	switch path[len(path)-1] {
	case "key", "string", "integer", "real", "date":
		p.text.WriteString(text)
	case "dict", "array", "plist":
		if strings.TrimSpace(text) != "" {
			return p.fault("text stands outside of a value")
		}
	}
	return nil
}

func (p *plist) leave(path []string) error {
	switch name := path[len(path)-1]; name {
	case "plist", "data":
		return nil
	case "dict", "array":
		return p.close()
	case "key":
		return p.name(p.text.String())
	case "true", "false":
		return p.value(p.path, name)
	}
	return p.value(p.path, p.text.String())
}

func (p *plist) close() error {
	last := p.open[len(p.open)-1]
	if last.key {
		return p.fault("a key has no value")
	}
	p.open, p.path, p.keys = p.open[:len(p.open)-1], p.path[:len(p.path)-1], p.keys-len(last.keys)
	if last.keys == nil || p.end == nil {
		return nil
	}
	return p.end(p.path)
}

// name notes the key whose value comes next.
func (p *plist) name(key string) error {
	in := p.open[len(p.open)-1]
	p.path[len(p.path)-1] = key
	switch {
	case in.keys[key]:
		return p.fault("duplicate key")
	case key == "", len(key) > 1000:
		return p.fault("a key is empty, or too long")
	}
	if p.keys++; p.keys > maxKeys {
		return p.fault("too many keys")
	}
	in.keys[key] = true
	return nil
}

// under tells whether the path is exactly these keys.
func under(path []string, keys ...string) bool { return slices.Equal(path, keys) }
