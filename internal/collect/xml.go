package collect

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/encoding/ianaindex"
)

// xmlDecoder reads XML token by token. It resolves no external entity and no
// document type; declaring an entity is refused, for nobody needs one here.
func xmlDecoder(text io.Reader) *xml.Decoder {
	decoder := xml.NewDecoder(text)
	decoder.CharsetReader = func(label string, input io.Reader) (io.Reader, error) {
		if strings.HasPrefix(strings.ToLower(label), "utf-16") {
			return input, nil // turned into UTF-8 already
		}
		encoding, err := ianaindex.IANA.Encoding(label)
		if err != nil || encoding == nil {
			return nil, fmt.Errorf("encoding %q is not known", clip(label, 40))
		}
		return encoding.NewDecoder().Reader(input), nil
	}
	return decoder
}

// asXML10 makes XML 1.1 pass for 1.0, the only version that the decoder reads:
// they differ in control characters only, which it refuses.
func asXML10(text io.Reader) io.Reader {
	var declaration [64]byte
	n, _ := io.ReadFull(text, declaration[:]) // an error comes again
	head := declaration[:n]
	if end := bytes.Index(head, []byte("?>")); end > 0 && bytes.HasPrefix(head, []byte("<?xml")) {
		for _, version := range []string{`version="1.`, `version='1.`} {
			if at := bytes.Index(head[:end], []byte(version+"1")); at > 0 {
				head[at+len(version)] = '0'
			}
		}
	}
	return io.MultiReader(bytes.NewReader(head), text)
}

// walker is called for what an XML document holds. path holds the local names
// from the root to the element; it is good only during the call. Any of the
// three may be nil.
type walker struct {
	enter func(path []string, start xml.StartElement) error
	text  func(path []string, text string) error // in pieces, where other elements or comments stand between
	leave func(path []string) error              // when an element ends
}

// walk walks the elements of the file.
func (f *file) walk(w walker) error { return w.walk(f.text()) }

func (w walker) walk(text io.Reader) error {
	limited := &pacedReader{Reader: asXML10(text)}
	decoder := xmlDecoder(limited)
	var passed int64 // where the last token ended
	limited.passed = func() int64 { return passed }
	var path []string
	elements := 0
	for ; ; passed = limited.read {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			if elements == 0 {
				return errors.New("has no elements")
			}
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.Directive:
			if bytes.Contains(t, []byte("ENTITY")) {
				line, _ := decoder.InputPos()
				return onLine(line, "declares an entity, which is refused")
			}
		case xml.StartElement:
			if elements++; elements > maxElements {
				return fmt.Errorf("has more than %d elements", maxElements)
			}
			if path = append(path, t.Name.Local); len(path) > maxDepth {
				return fmt.Errorf("nested deeper than %d levels", maxDepth)
			}
			if w.enter != nil {
				err = w.enter(path, t)
			}
		case xml.CharData:
			if w.text != nil && len(path) > 0 {
				err = w.text(path, string(t))
			}
		case xml.EndElement:
			if w.leave != nil {
				err = w.leave(path)
			}
			path = path[:len(path)-1]
		}
		if err != nil {
			return err
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func xmlPlace(err error) (reason string, line int) {
	if syntax, ok := errors.AsType[*xml.SyntaxError](err); ok {
		return syntax.Msg, syntax.Line
	}
	return "", 0
}

// outlineXML reads the root and the names directly under it, and the keys of a
// property list.
func (s *shape) outlineXML(text io.Reader) error {
	s.keys = map[string]bool{}
	enter := func(path []string, start xml.StartElement) error {
		switch len(path) {
		case 1:
			s.root, s.space = path[0], start.Name.Space
		case 2:
			if len(s.inside) < 1000 {
				s.inside[path[1]] = true
			}
		}
		return nil
	}
	key := func(path []string, text string) error {
		if last := len(path) - 1; path[last] == "key" && s.root == "plist" && len(text) < 200 && len(s.keys) < 1000 &&
			(last == 2 && path[1] == "dict" || last == 3 && path[1] == "array") {
			s.keys[text] = true
		}
		return nil
	}
	return walker{enter: enter, text: key}.walk(text)
}
