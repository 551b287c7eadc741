package artifact

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
)

// maxField is how many bytes of a name, version and so on are kept.
const maxField = 1000

// Limits of XML inside packages.
const (
	maxXMLDepth = 100
	maxXMLToken = 1 << 20 // bytes of one tag, or of one stretch of text
	maxXMLParts = 2 << 20 // tags, attributes, texts and comments
)

// walkXML calls enter for each element and text for each stretch of text; path
// holds the local names from the root, and is good during the call only. No
// external entity is resolved, and declaring one is refused.
func walkXML(text io.Reader, enter func(path []string, start xml.StartElement) error, chars func(path []string, text string)) error {
	paced := &pacedReader{from: skipBOM(text)}
	decoder := xml.NewDecoder(paced)
	decoder.CharsetReader = func(label string, _ io.Reader) (io.Reader, error) {
		return nil, fmt.Errorf("is in %q; UTF-8 is read", clip(label, 40))
	}
	var path []string
	for roots, parts := 0, 0; ; paced.passed = paced.read {
		token, err := decoder.Token()
		if err == io.EOF && roots == 1 {
			return nil
		} else if err == io.EOF {
			return fmt.Errorf("has %d root elements", roots)
		} else if err != nil {
			return err
		}
		if parts++; parts > maxXMLParts {
			return fmt.Errorf("has more than %d tags, attributes and texts", maxXMLParts)
		}
		switch t := token.(type) {
		case xml.Directive:
			if bytes.Contains(t, []byte("ENTITY")) {
				return fmt.Errorf("declares an entity, which is refused")
			}
		case xml.StartElement:
			parts += len(t.Attr)
			if path = append(path, t.Name.Local); len(path) > maxXMLDepth {
				return fmt.Errorf("is nested deeper than %d levels", maxXMLDepth)
			} else if len(path) == 1 {
				roots++
			}
			if enter != nil {
				if err := enter(path, t); err != nil {
					return err
				}
			}
		case xml.CharData:
			if chars != nil && len(path) > 0 {
				chars(path, string(t))
			}
		case xml.EndElement:
			path = path[:len(path)-1]
		}
	}
}

// skipBOM passes over a byte order mark of UTF-8.
func skipBOM(r io.Reader) io.Reader {
	var head [3]byte
	n, _ := io.ReadFull(r, head[:]) // an error comes again
	if string(head[:n]) == "\xef\xbb\xbf" {
		return r
	}
	return io.MultiReader(bytes.NewReader(head[:n]), r)
}

// pacedReader refuses to read far beyond the last token: one token is held.
type pacedReader struct {
	from         io.Reader
	read, passed int64
}

func (r *pacedReader) Read(b []byte) (int, error) {
	if r.read-r.passed > maxXMLToken {
		return 0, fmt.Errorf("one tag or text is longer than %d bytes", maxXMLToken)
	}
	n, err := r.from.Read(b)
	r.read += int64(n)
	return n, err
}

// xmlAttribute is an attribute's value, or empty.
func xmlAttribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
