package artifact

import (
	"bytes"
	"compress/bzip2"
	"compress/zlib"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Limits of what is read out of a macOS package.
const (
	maxPKGText     = 4 << 20 // bytes of Distribution or of one PackageInfo
	maxPKGTexts    = 8 << 20 // bytes of all of them
	maxPKGParts    = 64      // packages inside, whose PackageInfo is read
	maxPKGVersions = 20      // versions that a note tells of
)

// lookPKG reads a macOS installer package, which is a xar archive. Its signature
// is over the checksum of the table of contents, which holds those of the files.
func lookPKG(s Source, trust *Trust, now time.Time, info *Info) error {
	x, err := openXar(s)
	if err != nil {
		return err
	}
	altered, err := x.altered()
	if err != nil {
		return err
	}
	if info.Signature, info.Notes, err = x.signature(trust, now); err != nil {
		return err
	}
	ticket, surplus, err := x.ticket()
	if err != nil {
		return err
	}
	hidden := ""
	if surplus > 0 || x.unclaimed > 0 {
		hidden = fmt.Sprintf("%d bytes behind the files, and %d between them, belong to nothing", surplus, x.unclaimed)
	}
	switch {
	case altered != "":
		info.Signature.Status, info.Signature.Reason = Invalid, altered
	case hidden != "" && info.Signature.Status == Unsigned:
		info.Notes = append(info.Notes, hidden)
	case hidden != "":
		info.Signature.Status, info.Signature.Reason = Invalid, hidden
	}
	x.notes(ticket, info)
	if altered != "" {
		return nil // what an altered file says of itself is worth nothing
	}
	return x.describe(info)
}

// notes tells what a reviewer should know of the archive.
func (x *xar) notes(ticket bool, info *Info) {
	if weak := x.weakest(); weak == "sha1" && x.rsa != nil {
		info.Notes = append(info.Notes, "relies on SHA-1, as packages that Apple's tools make do")
	}
	if ticket {
		info.Notes = append(info.Notes, "a notarization ticket is stapled to it, which is not checked")
	}
	for _, f := range x.files {
		if !f.ea && (f.name == "" || f.name == "." || f.name == ".." || strings.ContainsAny(f.name, "/\\\x00")) && len(info.Notes) < maxZipNotes {
			info.Notes = append(info.Notes, fmt.Sprintf("the name %q leads elsewhere", clip(f.name, 200)))
		}
	}
}

// pkgVersion is one of the versions that a package tells of.
type pkgVersion struct{ of, version string }

// pkgFacts is what Distribution and the PackageInfo files say.
type pkgFacts struct {
	title, product, productVersion, hosts string
	id, version                           string // of the first PackageInfo
	reference                             string // the first version of a pkg-ref
	versions                              []pkgVersion
}

// describe fills in names and versions: that of the product counts, then that
// of the package inside, then that of a reference to it.
func (x *xar) describe(info *Info) error {
	var facts pkgFacts
	parts, distributions, left := 0, 0, int64(maxPKGTexts)
	for _, f := range x.files {
		var read func(path []string, start xml.StartElement) error
		switch {
		case f.ea:
		case f.name == "Distribution" && f.depth == 1:
			if distributions++; distributions > 1 {
				return damaged("Distribution", "is there twice")
			}
			read = facts.distribution
		case f.name == "PackageInfo" && f.depth <= 2:
			if parts++; parts <= maxPKGParts {
				read = facts.packageInfo
			}
		}
		if read == nil {
			continue
		}
		text, err := x.contents(f, &left)
		if err == nil {
			err = walkXML(bytes.NewReader(text), read, facts.text)
		}
		if err != nil {
			return zipError(f.name, err)
		}
	}
	if parts+distributions == 0 {
		info.Notes = append(info.Notes, "holds neither Distribution nor PackageInfo: it is no installer package")
	}
	info.Name, info.ID = clip(strings.TrimSpace(facts.title), maxField), clip(first(facts.product, facts.id), maxField)
	if info.Name == "" {
		info.Name = info.ID
	}
	info.Version, info.Architecture = clip(first(facts.productVersion, facts.version, facts.reference), maxField), clip(facts.hosts, maxField)
	info.Notes = append(info.Notes, facts.differing(info.Version)...)
	return nil
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

func (p *pkgFacts) told(of, version string) {
	v := pkgVersion{clip(of, 200), clip(version, 200)}
	if version != "" && len(p.versions) < 10*maxPKGVersions && !slices.Contains(p.versions, v) {
		p.versions = append(p.versions, v)
	}
}

// differing notes the versions that are not the one that counts.
func (p *pkgFacts) differing(version string) (notes []string) {
	var others []string
	for _, v := range p.versions {
		if v.version != version && len(others) < maxPKGVersions {
			others = append(others, fmt.Sprintf("%s: %s", v.of, v.version))
		}
	}
	if len(others) > 0 {
		notes = append(notes, "other versions inside: "+strings.Join(others, ", "))
	}
	return notes
}

func (p *pkgFacts) distribution(path []string, start xml.StartElement) error {
	version := xmlAttribute(start, "version")
	switch path[len(path)-1] {
	case "product":
		if p.product != "" || p.productVersion != "" {
			return fmt.Errorf("tells of two products")
		}
		p.product, p.productVersion = xmlAttribute(start, "id"), version
		p.told("product", version)
	case "pkg-ref":
		p.reference = first(p.reference, version)
		p.told("pkg-ref "+xmlAttribute(start, "id"), version)
	case "bundle":
		p.told("bundle "+xmlAttribute(start, "id"), xmlAttribute(start, "CFBundleShortVersionString"))
	case "options":
		p.hosts = first(p.hosts, xmlAttribute(start, "hostArchitectures"))
	}
	return nil
}

func (p *pkgFacts) packageInfo(path []string, start xml.StartElement) error {
	switch {
	case len(path) == 1 && path[0] == "pkg-info":
		id, version := xmlAttribute(start, "identifier"), xmlAttribute(start, "version")
		if p.id == "" {
			p.id, p.version = id, version
		}
		p.told("package "+id, version)
	case path[len(path)-1] == "bundle":
		p.told("bundle "+xmlAttribute(start, "id"), xmlAttribute(start, "CFBundleShortVersionString"))
	}
	return nil
}

func (p *pkgFacts) text(path []string, text string) {
	if len(path) == 2 && path[1] == "title" {
		p.title = clip(p.title+text, maxField)
	}
}

// contents unpacks a small file. left is how many bytes of all of them are still
// read.
func (x *xar) contents(f *xarFile, left *int64) ([]byte, error) {
	most := max(min(maxPKGText, *left), 0)
	tooLarge := fmt.Errorf("unpacks to more than %d bytes, or all such files to more than %d", maxPKGText, maxPKGTexts)
	if tooPacked(f.to-f.from, most) != nil {
		return nil, tooLarge
	}
	var from io.Reader = io.NewSectionReader(x, x.heapAt+f.from, f.to-f.from)
	switch f.encoding {
	case "", "application/octet-stream":
	case "application/x-gzip": // which is zlib
		unpacked, err := zlib.NewReader(from)
		if err != nil {
			return nil, err
		}
		from = unpacked
	case "application/x-bzip2":
		from = bzip2.NewReader(from)
	default:
		return nil, fmt.Errorf("is packed as %q, which is not read", clip(f.encoding, 100))
	}
	text, err := io.ReadAll(io.LimitReader(from, most+1))
	if err == nil && int64(len(text)) > most {
		err = tooLarge
	}
	*left -= max(int64(len(text)), f.to-f.from)
	return text, err
}
