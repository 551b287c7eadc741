package artifact

import (
	"bytes"
	"cmp"
	"compress/zlib"
	"crypto"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Limits of a xar archive. Its table of contents is read as a stream; what is
// kept of it are the files.
const (
	maxTOC             = 32 << 20 // bytes unpacked
	maxXarFiles        = 100_000  // and extended attributes of them
	maxXarCertificates = 10
	maxXarCertificate  = 64 << 10 // characters of one; what is longer is cut, and refused
	maxXarText         = 200      // characters of a number or digest
)

// xarData is a stretch of the heap, as the table of contents tells of it.
type xarData struct {
	offset, length, size    string
	encoding, style, digest string
	from, to                int64 // in the heap, once these were read
}

// xarFile is a file or folder, or an extended attribute of one.
type xarFile struct {
	xarData
	name  string
	depth int // 1 for what lies at the top
	ea    bool
}

// xarSigned is a signature element.
type xarSigned struct {
	xarData
	certificates []string
}

// xar is an archive: a header, a packed table of contents, and the heap.
type xar struct {
	Source
	tocAt, heapAt   int64
	algorithm       crypto.Hash // of the table's checksum; 0 for none
	named           string      // its name in the header, where that is how it is told
	checksum        xarData
	rsa, cms        *xarSigned
	files           []*xarFile
	open            []*xarFile // while reading: the file, in its folders
	tocSum          []byte
	end             int64 // of the heap
	unclaimed       int64 // bytes of the heap that belong to nothing
	packed, toldTOC int64
}

var xarAlgorithms = map[string]crypto.Hash{"none": 0, "md5": crypto.MD5, "sha1": crypto.SHA1, "sha256": crypto.SHA256, "sha512": crypto.SHA512}

func isXar(_ Source, head []byte) bool { return bytes.HasPrefix(head, []byte("xar!")) }

// openXar reads header and table of contents.
func openXar(s Source) (*xar, error) {
	x := &xar{Source: s}
	if err := x.header(); err != nil {
		return nil, err
	}
	if err := x.toc(); err != nil {
		return nil, zipError("table of contents", err)
	}
	return x, x.layOut()
}

func (x *xar) header() error {
	var h [64]byte
	if err := fillFrom(x, h[:min(int64(len(h)), x.Size)], 0); err != nil {
		return zipError("header", err)
	}
	size, version := int64(binary.BigEndian.Uint16(h[4:])), binary.BigEndian.Uint16(h[6:])
	packed, told, kind := binary.BigEndian.Uint64(h[8:]), binary.BigEndian.Uint64(h[16:]), binary.BigEndian.Uint32(h[24:])
	if version != 1 || size != 28 && size != 64 {
		return damaged("header", "is of version %d and %d bytes; version 1 with 28 or 64 bytes is read", version, size)
	}
	if packed == 0 || told == 0 || told > maxTOC || packed > uint64(x.Size) || int64(packed) > x.Size-size {
		return damaged("header", "tells of a table of contents of %d bytes that unpack to %d, in a file of %d; at most %d are read", packed, told, x.Size, maxTOC)
	}
	if err := tooPacked(int64(packed), int64(told)); err != nil {
		return damaged("header", "table of contents: %v", err)
	}
	x.tocAt, x.heapAt, x.packed, x.toldTOC = size, size+int64(packed), int64(packed), int64(told)
	switch known := []string{"none", "sha1", "md5", "sha256", "sha512"}; {
	case size == 64 && kind == 3: // the name follows
		x.named = string(bytes.TrimRight(h[28:], "\x00"))
	case size == 28 && kind < uint32(len(known)):
		x.named = known[kind]
	default:
		return damaged("header", "tells of checksum %d, which is not known", kind)
	}
	return nil
}

// toc unpacks the table of contents twice over: for its checksum, and to read it.
func (x *xar) toc() error {
	unpacked, err := zlib.NewReader(io.NewSectionReader(x, x.tocAt, x.packed))
	if err != nil {
		return err
	}
	counted := &countedReader{from: io.LimitReader(unpacked, x.toldTOC+1)}
	if err := walkXML(counted, x.enter, x.text); err != nil {
		return err
	}
	if counted.read != x.toldTOC {
		return fmt.Errorf("unpacks to %d bytes or more, and not to the %d that are told", counted.read, x.toldTOC)
	}
	var known bool
	if x.algorithm, known = xarAlgorithms[x.checksum.style]; !known || x.checksum.style != x.named {
		return fmt.Errorf("is checked by %q here and by %q in the header", clip(x.checksum.style, 40), clip(x.named, 40))
	}
	if x.algorithm != 0 {
		sum := x.algorithm.New()
		if _, err := io.Copy(sum, io.NewSectionReader(x, x.tocAt, x.packed)); err != nil {
			return err
		}
		x.tocSum = sum.Sum(nil)
	}
	return nil
}

type countedReader struct {
	from io.Reader
	read int64
}

func (c *countedReader) Read(b []byte) (int, error) {
	n, err := c.from.Read(b)
	c.read += int64(n)
	return n, err
}

// folders is how many files, each in the one before it, a path leads through
// from the top of the table of contents.
func folders(path []string) (depth int) {
	for len(path) > 2+depth && path[0] == "xar" && path[1] == "toc" && path[2+depth] == "file" {
		depth++
	}
	return depth
}

// in finds what an element of the table of contents is about: a stretch of the
// heap, and the element's name in it; that of the stretch itself is ".".
func (x *xar) in(path []string) (*xarData, string) {
	if len(path) < 3 || path[0] != "xar" || path[1] != "toc" {
		return nil, ""
	}
	depth := folders(path)
	rest := path[2+depth:]
	if len(rest) == 0 || len(rest) > 2 {
		return nil, ""
	}
	name := "."
	if len(rest) == 2 {
		name = rest[1]
	}
	switch {
	case depth > 0 && rest[0] == "data":
		return &x.open[depth-1].xarData, name
	case depth > 0 && rest[0] == "ea":
		return &x.files[len(x.files)-1].xarData, name
	case depth == 0 && rest[0] == "checksum":
		return &x.checksum, name
	case depth == 0 && rest[0] == "signature":
		return &x.rsa.xarData, name
	case depth == 0 && rest[0] == "x-signature":
		return &x.cms.xarData, name
	}
	return nil, ""
}

func (x *xar) enter(path []string, start xml.StartElement) error {
	if err := x.begin(path); err != nil {
		return err
	}
	data, name := x.in(path)
	if data == nil {
		return nil
	}
	style := strings.ToLower(xmlAttribute(start, "style"))
	switch {
	case name == "archived-checksum", name == "." && folders(path) == 0:
		if data.style != "" {
			return errors.New("tells of a checksum or signature twice")
		}
		data.style = style
	case name == "encoding":
		data.encoding = style
	}
	if to := data.field(name); to != nil && *to != "" {
		return fmt.Errorf("tells of %s twice", name)
	}
	return nil
}

// begin makes what an element tells of.
func (x *xar) begin(path []string) error {
	if len(path) < 3 || path[0] != "xar" || path[1] != "toc" {
		return nil
	}
	depth, last := folders(path), path[len(path)-1]
	switch {
	case depth > 0 && depth == len(path)-2:
		f := &xarFile{depth: depth}
		x.files, x.open = append(x.files, f), append(x.open[:depth-1], f)
	case depth > 0 && depth == len(path)-3 && last == "ea":
		x.files = append(x.files, &xarFile{ea: true, name: "an extended attribute"})
	case len(path) == 3 && (last == "signature" && x.rsa != nil || last == "x-signature" && x.cms != nil):
		return errors.New("holds two signatures of one kind")
	case len(path) == 3 && last == "signature":
		x.rsa = &xarSigned{}
	case len(path) == 3 && last == "x-signature":
		x.cms = &xarSigned{}
	case path[2] == "signature" && last == "X509Certificate":
		if x.rsa.certificates = append(x.rsa.certificates, ""); len(x.rsa.certificates) > maxXarCertificates {
			return fmt.Errorf("holds more than %d certificates", maxXarCertificates)
		}
	}
	if len(x.files) > maxXarFiles {
		return fmt.Errorf("holds more than %d files", maxXarFiles)
	}
	return nil
}

// field is where an element's text belongs.
func (d *xarData) field(name string) *string {
	switch name {
	case "offset":
		return &d.offset
	case "length":
		return &d.length
	case "size":
		return &d.size
	case "archived-checksum":
		return &d.digest
	}
	return nil
}

func (x *xar) text(path []string, text string) {
	depth, last := folders(path), path[len(path)-1]
	switch {
	case depth > 0 && depth == len(path)-3 && last == "name":
		f := x.open[depth-1]
		f.name = clip(f.name+text, maxField)
	case len(path) > 3 && path[2] == "signature" && last == "X509Certificate" && x.rsa != nil && len(x.rsa.certificates) > 0:
		if of := &x.rsa.certificates[len(x.rsa.certificates)-1]; len(*of)+len(text) <= maxXarCertificate {
			*of += text
		}
	default:
		data, name := x.in(path)
		if data == nil {
			return
		}
		if to := data.field(name); to != nil && len(*to)+len(text) <= maxXarText {
			*to += text
		}
	}
}

// layOut reads where everything lies in the heap. Nothing may lie in something
// else, except that files of the same contents may share them.
func (x *xar) layOut() error {
	all := []*xarData{}
	if x.algorithm != 0 {
		x.checksum.length = x.checksum.size
		all = append(all, &x.checksum)
	}
	for _, s := range []*xarSigned{x.rsa, x.cms} {
		if s != nil {
			s.length = s.size
			all = append(all, &s.xarData)
		}
	}
	for _, f := range x.files {
		if f.length != "" || f.offset != "" {
			all = append(all, &f.xarData)
		}
	}
	for _, d := range all {
		offset, err1 := xarNumber(d.offset)
		length, err2 := xarNumber(d.length)
		if err1 != nil || err2 != nil || offset > x.Size-x.heapAt || length > x.Size-x.heapAt-offset {
			return damaged("heap", "%s bytes from %s on are not there: the file was cut short, or lies", clip(d.length, 20), clip(d.offset, 20))
		}
		d.from, d.to = offset, offset+length
	}
	slices.SortFunc(all, func(a, b *xarData) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	})
	for i, d := range all {
		switch {
		case d.from == d.to, i > 0 && d.same(all[i-1]):
		case d.from < x.end:
			return damaged("heap", "what lies at %d overlaps something else", d.from)
		default:
			x.unclaimed += d.from - x.end
			x.end = d.to
		}
	}
	return nil
}

// same tells of two files that share their contents.
func (d *xarData) same(other *xarData) bool {
	return d.from == other.from && d.to == other.to && d.style == other.style && d.digest == other.digest && d.digest != ""
}

func xarNumber(text string) (int64, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 62)
	return int64(n), err
}
