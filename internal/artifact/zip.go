package artifact

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxZipNotes = 20     // names of one archive that are told as notes
	maxZipLinks = 20_000 // symbolic links
	maxZipLink  = 4096   // bytes of the place that one leads to
)

// isZip knows a zip by its beginning: one with something before it, such as a
// program, is of another format.
func isZip(_ Source, head []byte) bool {
	return bytes.HasPrefix(head, []byte("PK\x03\x04")) || bytes.HasPrefix(head, []byte("PK\x05\x06"))
}

// zipSignatures are kinds of signatures inside zips. None of them is checked.
var zipSignatures = []struct {
	kind string
	is   func(name string) bool
}{
	{"NuGet signature", func(name string) bool { return name == ".signature.p7s" }},
	{"jar signature", isJarSignature},
	{"OPC signature", func(name string) bool { return strings.HasPrefix(name, "package/services/digital-signature/") }},
	{"document signature", func(name string) bool { return name == "META-INF/documentsignatures.xml" }},
}

func isJarSignature(name string) bool {
	upper := strings.ToUpper(name)
	kind := path.Ext(upper)
	return path.Dir(upper) == "META-INF" && (kind == ".RSA" || kind == ".DSA" || kind == ".EC")
}

// lookZip lists a zip that is of no kind that is known better. A zip itself has
// no signature; one of a kind that lives inside it is named and not checked.
func lookZip(s Source, _ *Trust, _ time.Time, info *Info) error {
	members, directory, err := zipDirectory(s, s.Size)
	if err != nil {
		return err
	}
	if err := checkZipMembers(s, s.Size, directory, members); err != nil {
		return err
	}
	notes := zipNotes{seen: make(map[string]string, len(members))}
	info.Signature = Signature{Status: Unsigned, Reason: "a zip carries no signature"}
	for i := range members {
		m := &members[i]
		if err := notes.look(s, m); err != nil {
			return err
		}
		for _, known := range zipSignatures {
			if known.is(m.name) {
				info.Signature = Signature{Status: Untrusted, Reason: fmt.Sprintf("holds %s, a %s, which is a kind that is not checked", m.place(), known.kind)}
			}
		}
		if path.Dir(m.name) == "." && strings.HasSuffix(m.name, ".nuspec") {
			if err := readNuspec(s, m, info); err != nil {
				return err
			}
		}
	}
	const magic = "APK Sig Block 42"
	if end := make([]byte, len(magic)); directory >= int64(len(end)) {
		if err := fillFrom(s, end, directory-int64(len(end))); err != nil {
			return err
		}
		if string(end) == magic {
			info.Signature = Signature{Status: Untrusted, Reason: "carries an APK signature, a kind that is not checked"}
		}
	}
	info.Notes = append(info.Notes, notes.all()...)
	return nil
}

// zipNotes collects what a reviewer should know of the members.
type zipNotes struct {
	notes           []string
	more, encrypted int
	links           int
	seen            map[string]string // names in lower case, and as they were
}

func (n *zipNotes) add(m *zipMember, what string) {
	if len(n.notes) == maxZipNotes {
		n.more++
		return
	}
	n.notes = append(n.notes, fmt.Sprintf("%q %s", m.place(), what))
}

func (n *zipNotes) all() []string {
	if n.encrypted > 0 {
		n.notes = append(n.notes, fmt.Sprintf("%d entries are encrypted: what they hold cannot be seen", n.encrypted))
	}
	if n.more > 0 {
		n.notes = append(n.notes, fmt.Sprintf("and %d more of the kind", n.more))
	}
	return n.notes
}

func (n *zipNotes) look(r io.ReaderAt, m *zipMember) error {
	if m.flags&zipEncrypted != 0 {
		n.encrypted++
	}
	if strings.Contains(m.name, `\`) {
		n.add(m, `has a backslash in its name`)
	}
	if strings.ContainsFunc(m.name, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		n.add(m, "has control characters in its name")
	}
	if why := leaves(m.name, 0); why != "" {
		n.add(m, why)
	} else if slices.Contains(strings.Split(m.name, "/"), "..") {
		n.add(m, "has .. in its name")
	}
	folded := foldName(strings.ReplaceAll(m.name, `\`, "/"))
	if other, twice := n.seen[folded]; twice && other == m.name {
		n.add(m, "is there twice")
	} else if twice {
		n.add(m, fmt.Sprintf("is there twice where case does not count: also as %q", clip(other, 200)))
	}
	n.seen[folded] = m.name
	if m.unixMode&0o170000 == 0o120000 {
		return n.link(r, m)
	}
	return nil
}

// foldName is a name without regard to case. Old archives have names in other
// encodings than UTF-8; of these, it is known of ASCII's letters only.
func foldName(name string) string {
	if utf8.ValidString(name) {
		return strings.ToLower(name)
	}
	folded := []byte(name)
	for i, c := range folded {
		if 'A' <= c && c <= 'Z' {
			folded[i] = c | 0x20
		}
	}
	return string(folded)
}

// link looks at where a symbolic link leads.
func (n *zipNotes) link(r io.ReaderAt, m *zipMember) error {
	if m.flags&zipEncrypted != 0 {
		n.add(m, "is a symbolic link to a place that cannot be seen")
		return nil
	}
	if n.links++; n.links > maxZipLinks {
		return damaged(m.place(), "is one of more than %d symbolic links", maxZipLinks)
	}
	target, err := m.small(r, maxZipLink)
	if err != nil {
		return err
	}
	deep := strings.Count(path.Clean(m.name), "/")
	if why := leaves(string(target), deep); why != "" {
		n.add(m, fmt.Sprintf("is a symbolic link to %q, which %s", clip(string(target), 200), why))
	}
	return nil
}

// leaves says how a name leads out of the folder it is unpacked to, if it does.
// deep is how many folders below that it begins.
func leaves(name string, deep int) string {
	name = strings.ReplaceAll(name, `\`, "/")
	if strings.HasPrefix(name, "/") {
		return "is absolute"
	}
	if len(name) >= 2 && name[1] == ':' && (name[0]|0x20) >= 'a' && (name[0]|0x20) <= 'z' {
		return "begins with a drive letter"
	}
	for part := range strings.SplitSeq(name, "/") {
		switch part {
		case "", ".":
		case "..":
			if deep--; deep < 0 {
				return "leads out of the folder it is unpacked to"
			}
		default:
			deep++
		}
	}
	return ""
}

// readNuspec reads what a NuGet package says of itself.
func readNuspec(r io.ReaderAt, m *zipMember, info *Info) error {
	if info.ID != "" {
		return damaged(m.place(), "is a second .nuspec")
	}
	text, err := m.small(r, 1<<20)
	if err != nil {
		return err
	}
	fields := map[string]*string{"id": &info.ID, "version": &info.Version, "authors": &info.Publisher, "title": &info.Name}
	err = walkXML(bytes.NewReader(text), nil, func(path []string, text string) {
		if len(path) == 3 && path[0] == "package" && path[1] == "metadata" && fields[path[2]] != nil {
			*fields[path[2]] = clip(*fields[path[2]]+strings.TrimSpace(text), maxField)
		}
	})
	if err != nil {
		return zipError(m.place(), err)
	}
	if info.Name == "" {
		info.Name = info.ID
	}
	return nil
}
