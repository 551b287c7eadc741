package collect

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/text/encoding/unicode"
)

// file is one file that is being read: from its beginning as often as its
// format needs, and never whole.
type file struct {
	Source
	size  int64 // of what is read
	skip  int64 // bytes of a byte order mark
	utf16 bool
}

func open(source Source) (*file, error) {
	f := &file{Source: source, size: source.Size}
	if f.size > MaxReport {
		return f, fmt.Errorf("is larger than %d bytes", MaxReport)
	}
	var head [3]byte
	n, err := source.ReadAt(head[:min(f.size, 3)], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return f, err
	}
	switch {
	case n == 0:
		return f, errors.New("is empty: the tool that should have written it did not")
	case bytes.HasPrefix(head[:n], []byte{0xef, 0xbb, 0xbf}):
		f.skip = 3
	case bytes.HasPrefix(head[:n], []byte{0xff, 0xfe}), bytes.HasPrefix(head[:n], []byte{0xfe, 0xff}):
		f.utf16 = true
	}
	return f, nil
}

// text is the file from its beginning, as UTF-8 without a byte order mark. The
// order mark alone says that a file is UTF-16.
func (f *file) text() io.Reader { return f.upTo(f.size) }

// upTo is the text of the first n bytes.
func (f *file) upTo(n int64) io.Reader {
	raw := io.NewSectionReader(f, f.skip, min(n, f.size)-f.skip)
	if f.utf16 {
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder().Reader(raw)
	}
	return raw
}

// beginsWith tells the first character of the text that is not white space.
func (f *file) beginsWith(c byte) bool {
	head := make([]byte, 1000)
	n, _ := io.ReadFull(f.text(), head)
	return bytes.HasPrefix(bytes.TrimLeft(head[:n], " \t\r\n"), []byte{c})
}

// lines calls yield for each line of the text, without its end.
func (f *file) lines(yield func(n int, line string) error) error {
	lines := bufio.NewScanner(f.text())
	lines.Buffer(nil, maxValue)
	for n := 1; lines.Scan(); n++ {
		if err := yield(n, string(bytes.TrimSuffix(lines.Bytes(), []byte("\r")))); err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("a line is longer than %d bytes", maxValue)
	}
	return lines.Err()
}

// onLine is an error at a line.
func onLine(n int, reason string) error {
	return &ReadError{Place: fmt.Sprintf("line %d", n), Reason: reason}
}

// lineAt is the line that a place in the text is on.
func (f *file) lineAt(offset int64) int {
	line, buffer := 1, make([]byte, 64<<10)
	for text := io.LimitReader(f.text(), offset); ; {
		n, err := text.Read(buffer)
		line += bytes.Count(buffer[:n], []byte("\n"))
		if err != nil {
			return line
		}
	}
}

// decoder reads the text as JSON, strictly: duplicate names and invalid UTF-8
// are refused. A value that is read whole may have maxValue bytes.
func (f *file) decoder() *jsontext.Decoder { return jsonDecoder(f.text()) }

func jsonDecoder(text io.Reader) *jsontext.Decoder {
	limited := &pacedReader{Reader: text}
	decoder := jsontext.NewDecoder(limited)
	limited.passed = decoder.InputOffset
	return decoder
}

// pacedReader refuses to read far ahead of what its reader has taken in: what
// lies between is in memory.
type pacedReader struct {
	io.Reader
	passed func() int64
	read   int64
}

var errValueTooLarge = fmt.Errorf("a single value is larger than %d bytes", maxValue)

func (r *pacedReader) Read(b []byte) (int, error) {
	if r.read-r.passed() > maxValue {
		return 0, errValueTooLarge
	}
	// All of b: a decoder looks at a long value again each time that it gets more of it.
	n, err := io.ReadFull(r.Reader, b)
	r.read += int64(n)
	if n > 0 && errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil // the end comes with the next call
	}
	return n, err
}

// members is what to do with the members of a JSON object: the function for a
// name reads exactly one value. Other members are checked and passed over.
type members map[string]func(*jsontext.Decoder) error

// object reads the file as one JSON object.
func (f *file) object(m members) error { return f.one(m.read) }

// objectOr reads the file as one JSON object, or as one array.
func (f *file) objectOr(array func(*jsontext.Decoder) error, m members) error {
	return f.one(func(d *jsontext.Decoder) error {
		if d.PeekKind() == '[' {
			return array(d)
		}
		return m.read(d)
	})
}

// one reads the file as one JSON value, which read reads.
func (f *file) one(read func(*jsontext.Decoder) error) error {
	decoder := f.decoder()
	if err := read(decoder); err != nil {
		return err
	}
	if _, err := decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.Join(errors.New("something follows the end"), err)
	}
	return nil
}

// read reads an object; null is one without members.
func (m members) read(d *jsontext.Decoder) error {
	return entries(d, func(name string, d *jsontext.Decoder) error {
		read, ok := m[name]
		if !ok {
			read = (*jsontext.Decoder).SkipValue
		}
		return read(d)
	})
}

// entries reads an object whose names are data: do reads exactly one value.
// null is one without entries.
func entries(d *jsontext.Decoder, do func(name string, d *jsontext.Decoder) error) error {
	if none, err := enter(d, '{'); none || err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		if err := do(name.String(), d); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// elements reads an array: read reads exactly one element. null is one without
// elements.
func elements(d *jsontext.Decoder, read func(*jsontext.Decoder) error) error {
	if none, err := enter(d, '['); none || err != nil {
		return err
	}
	for d.PeekKind() != ']' {
		if err := read(d); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// each reads an array of values of one type, one after the other.
func each[T any](d *jsontext.Decoder, do func(T) error) error {
	return elements(d, func(d *jsontext.Decoder) error {
		var value T
		if err := json.UnmarshalDecode(d, &value); err != nil {
			return err
		}
		return do(value)
	})
}

// value reads one value into a variable.
func value[T any](to *T) func(*jsontext.Decoder) error {
	return func(d *jsontext.Decoder) error { return json.UnmarshalDecode(d, to) }
}

// first is an array of which only the first element is wanted.
type first[T any] struct{ value T }

// UnmarshalJSONFrom reads the first element and passes over the others.
func (f *first[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	n := 0
	return elements(d, func(d *jsontext.Decoder) error {
		if n++; n > 1 {
			return d.SkipValue()
		}
		return json.UnmarshalDecode(d, &f.value)
	})
}

// loose is a string or a number, as text. Tools differ in which of the two they
// write; anything else is passed over and leaves it empty.
type loose string

// UnmarshalJSONFrom reads one value.
func (l *loose) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if kind := d.PeekKind(); kind != '"' && kind != '0' {
		return d.SkipValue()
	}
	token, err := d.ReadToken()
	if err == nil {
		*l = loose(token.String())
	}
	return err
}

// maxFew is how many elements an array inside one finding or statement may have.
const maxFew = 100_000

// few is an array that stands inside one finding or statement. It is held, so
// its length is limited.
type few[T any] []T

// UnmarshalJSONFrom reads the elements one by one.
func (f *few[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	return each(d, func(element T) error {
		if len(*f) == maxFew {
			return &ReadError{Place: clip(string(d.StackPointer()), 200), Reason: fmt.Sprintf("has more than %d elements", maxFew)}
		}
		*f = append(*f, element)
		return nil
	})
}

func enter(d *jsontext.Decoder, want jsontext.Kind) (none bool, err error) {
	switch kind := d.PeekKind(); kind {
	case want, 0: // 0: ReadToken has the error
	case 'n':
		_, err := d.ReadToken()
		return true, err
	default:
		return false, &ReadError{Place: clip(string(d.StackPointer()), 200), Reason: fmt.Sprintf("is a JSON %s where a JSON %s belongs", kind, want)}
	}
	_, err = d.ReadToken()
	return false, err
}

// outlineBytes is how much of a file is looked at first to tell its format.
const outlineBytes = 64 << 10

// shape is the outline of a file: enough to tell formats apart.
type shape struct {
	json    byte              // '{', '[' or 0
	members map[string]bool   // of the object, or of the array's first object
	texts   map[string]string // those members that are short strings
	within  map[string]bool   // the names one level further in: of the members that are objects, or arrays that begin with one
	root    string            // of XML
	space   string            // the root's namespace
	inside  map[string]bool   // XML elements directly under the root
	keys    map[string]bool   // of a property list's dictionary, or of its array's dictionaries
	lines   []string          // the first lines that are not empty, each cut at 1,000 bytes
}

// head is the first line.
func (s shape) head() string {
	if len(s.lines) == 0 {
		return ""
	}
	return s.lines[0]
}

// outline looks at the first n bytes. It returns what it has seen together with
// the error that ended it; reading checks the file, this only tells what it is.
func (f *file) outline(n int64) (shape, error) {
	var s shape
	head, err := io.ReadAll(io.LimitReader(f.text(), outlineBytes))
	if err != nil {
		return s, err
	}
	for line := range bytes.Lines(head) {
		if line = bytes.TrimSpace(line); len(line) > 0 && len(s.lines) < 1000 {
			s.lines = append(s.lines, string(line[:min(len(line), 1000)]))
		}
	}
	trimmed := bytes.TrimLeft(head, " \t\r\n")
	switch {
	case len(trimmed) == 0 && f.size < outlineBytes:
		return s, errors.New("holds nothing but white space")
	case len(trimmed) == 0:
		return s, errors.New("begins with too much white space")
	case trimmed[0] == '{' || trimmed[0] == '[':
		s.json = trimmed[0]
		return s, s.outlineJSON(jsonDecoder(f.upTo(n)))
	case trimmed[0] == '<':
		s.inside = map[string]bool{}
		return s, s.outlineXML(f.upTo(n))
	case !utf8.Valid(head[:len(head)-min(len(head), utf8.UTFMax)]):
		return s, errors.New("is not text")
	}
	return s, nil
}

// outlineJSON reads the names of the top-level members, of the first value only.
func (s *shape) outlineJSON(d *jsontext.Decoder) error {
	s.members, s.texts, s.within = map[string]bool{}, map[string]string{}, map[string]bool{}
	if s.json == '[' {
		if _, err := d.ReadToken(); err != nil {
			return err
		}
		if kind := d.PeekKind(); kind == ']' {
			return nil
		} else if kind != '{' {
			return d.SkipValue()
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	const most = 1000 // members of an object that tells its format
	for range most {
		name, err := d.ReadToken()
		if err != nil || name.Kind() != '"' {
			return err
		}
		key := name.String()
		if len(key) <= 1000 { // no format has a longer one
			s.members[key] = true
		}
		if d.PeekKind() != '"' {
			if err := s.outlineWithin(d); err != nil {
				return err
			}
			continue
		}
		text, err := d.ReadToken()
		if err != nil {
			return err
		}
		if value := text.String(); len(value) <= 200 {
			s.texts[key] = value
		}
	}
	return nil
}

// outlineWithin passes over the value of a member, and notes names in it.
func (s *shape) outlineWithin(d *jsontext.Decoder) error {
	names := func(d *jsontext.Decoder) error {
		return entries(d, func(name string, d *jsontext.Decoder) error {
			if len(s.within) < 1000 && len(name) <= 100 {
				s.within[name] = true
			}
			return d.SkipValue()
		})
	}
	switch d.PeekKind() {
	case '{':
		return names(d)
	case '[':
		first := true
		return elements(d, func(d *jsontext.Decoder) error {
			defer func() { first = false }()
			if first && d.PeekKind() == '{' {
				return names(d)
			}
			return d.SkipValue()
		})
	}
	return d.SkipValue()
}
