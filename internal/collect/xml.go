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
func xmlDecoder(data []byte) *xml.Decoder {
	decoder := xml.NewDecoder(bytes.NewReader(data))
	decoder.CharsetReader = func(label string, input io.Reader) (io.Reader, error) {
		if strings.HasPrefix(strings.ToLower(label), "utf-16") {
			return input, nil // turned into UTF-8 already
		}
		encoding, err := ianaindex.IANA.Encoding(label)
		if err != nil || encoding == nil {
			return nil, fmt.Errorf("encoding %q is not known", label)
		}
		return encoding.NewDecoder().Reader(input), nil
	}
	return decoder
}

// eachElement walks the elements of a document. path holds the names from the
// root to the element; leave is called when an element ends.
func eachElement(data []byte, enter func(path []string, start xml.StartElement), leave func(path []string)) error {
	decoder := xmlDecoder(data)
	var path []string
	elements := 0
	for {
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
				return &ReadError{Place: fmt.Sprintf("line %d", line), Reason: "declares an entity, which is refused"}
			}
		case xml.StartElement:
			elements++
			if path = append(path, t.Name.Local); len(path) > maxDepth {
				return fmt.Errorf("nested deeper than %d levels", maxDepth)
			}
			enter(path, t)
		case xml.EndElement:
			if leave != nil {
				leave(path)
			}
			path = path[:len(path)-1]
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

// outlineXML reads the root and the names directly under it, and with that
// checks the whole text.
func outlineXML(data []byte, outline *shape) error {
	outline.inside = map[string]bool{}
	return eachElement(data, func(path []string, _ xml.StartElement) {
		switch len(path) {
		case 1:
			outline.root = path[0]
		case 2:
			outline.inside[path[1]] = true
		}
	}, nil)
}
