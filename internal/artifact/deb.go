package artifact

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of a Debian package.
const (
	maxDebMembers = 64
	maxDebPacked  = 16 << 20 // bytes of control.tar
	maxDebControl = 64 << 20 // bytes of it unpacked
	maxControl    = 1 << 20  // bytes of the control file in it
)

const arMagic = "!<arch>\n"

// isDeb knows a Debian package by its first member; other ar archives are none.
func isDeb(_ Source, head []byte) bool {
	return bytes.HasPrefix(head, []byte(arMagic+"debian-binary")) || isOldDeb(head)
}

// isOldDeb knows a package of before 1995, which dpkg still installs: a line
// with the format, one with a length, and two archives.
func isOldDeb(head []byte) bool {
	format, rest, _ := bytes.Cut(head, []byte("\n"))
	length, _, isLine := bytes.Cut(rest, []byte("\n"))
	length = bytes.TrimLeft(length, " \t+")
	return isLine && bytes.HasPrefix(format, []byte("0.93")) && len(format) < 40 && len(length) > 0 && len(bytes.Trim(length, "0123456789")) == 0
}

// arMember is a member of an ar archive.
type arMember struct {
	name     string
	at, size int64 // of the contents
}

// lookDeb reads the control file, and checks signatures of debsigs, which cover
// the members that dpkg unpacks, one after the other.
func lookDeb(s Source, trust *Trust, now time.Time, info *Info) error {
	members, err := readAr(s)
	if err != nil {
		return err
	}
	control, data, err := debOrder(s, members)
	if err != nil {
		return err
	}
	if err := readDebControl(s, control, info); err != nil {
		return err
	}
	signatures, err := trust.debSignatures(s, members, []arMember{members[0], control, data}, now, info)
	if err != nil {
		return err
	}
	info.Signature = Signature{Status: Unsigned, Reason: "the package carries no signature, as is normal for Debian's archive, where lists of packages are signed"}
	if len(signatures) > 0 {
		info.Signature = combined(signatures)
	}
	return nil
}

// debSignatures judges all there are, over the members that are signed, and
// notes members that are neither.
func (t *Trust) debSignatures(s Source, members, signed []arMember, now time.Time, info *Info) (all []Signature, err error) {
	var spans []int64
	for _, m := range signed {
		spans = append(spans, m.at, m.at+m.size)
	}
	content := &pgpContent{size: s.Size, write: func(w io.Writer) error { return copySpans(w, s, spans...) }}
	for _, m := range members {
		if slices.Contains(signed, m) {
			continue
		}
		if !strings.HasPrefix(m.name, "_gpg") {
			info.Notes = append(info.Notes, fmt.Sprintf("member %q is not used by dpkg, and not covered by signatures", m.name))
			continue
		}
		if spoilt(all) {
			continue
		}
		signature, err := t.debSignature(s, m, content, now)
		if err != nil {
			return nil, err
		}
		all = append(all, signature)
	}
	return all, nil
}

// debRoles are the members that debsigs and dpkg-sig write signatures to.
var debRoles = []string{"_gpgorigin", "_gpgmaint", "_gpgarchive", "_gpgbuilder"}

// debSignature judges the signature in one member.
func (t *Trust) debSignature(s Source, m arMember, content *pgpContent, now time.Time) (Signature, error) {
	if m.size > maxPGPSignature {
		return Signature{}, damaged(m.name, "is larger than %d bytes", maxPGPSignature)
	}
	text := make([]byte, m.size)
	if err := fillFrom(s, text, m.at); err != nil {
		return Signature{}, zipError(m.name, err)
	}
	if bytes.HasPrefix(text, []byte("-----BEGIN PGP SIGNED MESSAGE-----")) {
		return Signature{Status: Untrusted, Reason: m.name + " is a list of MD5 and SHA-1 digests by dpkg-sig; it is not checked, for these are too weak to rely on"}, nil
	}
	signature, err := t.openPGP(text, content, now)
	if err != nil {
		return Signature{}, err
	}
	signature.Reason = m.name + ": " + signature.Reason
	if !slices.Contains(debRoles, m.name) && signature.Status == Valid {
		signature.Status, signature.Reason = Untrusted, fmt.Sprintf("%s is not a member that signatures stand in", m.name)
	}
	return signature, nil
}

// readAr lists the members. The file must end with the last of them.
func readAr(s Source) ([]arMember, error) {
	const headerSize = 60
	magic := make([]byte, min(int64(len(arMagic)), s.Size))
	if err := fillFrom(s, magic, 0); err != nil {
		return nil, err
	}
	if string(magic) != arMagic {
		return nil, damaged("debian-binary", "is missing: this is a package of the format before 2.0, which is not read")
	}
	var members []arMember
	for at := int64(len(arMagic)); at < s.Size; {
		place := fmt.Sprintf("member header at byte %d", at)
		if len(members) == maxDebMembers {
			return nil, damaged(place, "there are more than %d members", maxDebMembers)
		}
		var header [headerSize]byte
		if s.Size-at < headerSize {
			return nil, damaged(place, "the file ends in it")
		}
		if err := fillFrom(s, header[:], at); err != nil {
			return nil, err
		}
		m, reason := parseArHeader(header[:])
		if reason != "" {
			return nil, damaged(place, "%s", reason)
		}
		m.at = at + headerSize
		if m.size > s.Size-m.at {
			return nil, damaged(m.name, "the file ends in it: %d of its %d bytes are there", s.Size-m.at, m.size)
		}
		members = append(members, m)
		if at = m.at + m.size; m.size%2 == 1 {
			var fill [1]byte
			if err := fillFrom(s, fill[:], at); err != nil || fill[0] != '\n' {
				return nil, damaged(m.name, "is not followed by a new line, as a member of an odd size must be")
			}
			at++
		}
	}
	return members, nil
}

// parseArHeader reads a header: name, time, owner, group, mode, size, end.
func parseArHeader(h []byte) (m arMember, reason string) {
	if h[58] != '`' || h[59] != '\n' {
		return m, "is none"
	}
	for _, number := range [][2]int{{16, 28}, {28, 34}, {34, 40}, {40, 48}} {
		if text := strings.TrimRight(string(h[number[0]:number[1]]), " "); strings.Trim(text, "0123456789") != "" {
			return m, fmt.Sprintf("holds %q where a number belongs", text)
		}
	}
	m.name = strings.TrimSuffix(strings.TrimRight(string(h[:16]), " "), "/")
	for _, c := range []byte(m.name) {
		if c <= ' ' || c > '~' || c == '/' {
			return m, fmt.Sprintf("holds the name %q", m.name)
		}
	}
	size, err := strconv.ParseUint(strings.TrimRight(string(h[48:58]), " "), 10, 40)
	if err != nil {
		return m, "holds no size"
	}
	m.size = int64(size)
	return m, ""
}

// debOrder finds the members that dpkg unpacks, in the order that it wants:
// debian-binary, control, data. Before these only names with an underscore are
// passed over; behind them anything is, but a second one of them is refused.
func debOrder(s Source, members []arMember) (control, data arMember, err error) {
	if len(members) == 0 || members[0].name != "debian-binary" {
		return control, data, damaged("debian-binary", "is missing")
	}
	version := make([]byte, min(members[0].size, 16))
	if err := fillFrom(s, version, members[0].at); err != nil {
		return control, data, err
	}
	if members[0].size > 16 || !bytes.HasPrefix(version, []byte("2.")) || !bytes.HasSuffix(version, []byte("\n")) {
		return control, data, damaged("debian-binary", "holds %q; format 2 is read", version)
	}
	for _, m := range members[1:] {
		isControl, isData := m.name == "control.tar" || strings.HasPrefix(m.name, "control.tar."), m.name == "data.tar" || strings.HasPrefix(m.name, "data.tar.")
		switch {
		case isControl && control.name == "" && data.name == "":
			control = m
		case isData && data.name == "" && control.name != "":
			if kind := strings.TrimPrefix(m.name, "data.tar"); !slices.Contains([]string{"", ".gz", ".xz", ".zst", ".bz2", ".lzma"}, kind) {
				return control, data, damaged(m.name, "is packed in a way that dpkg does not know")
			}
			data = m
		case isControl || isData || m.name == "debian-binary":
			return control, data, damaged(m.name, "stands where dpkg does not want it, or twice")
		case data.name == "" && !strings.HasPrefix(m.name, "_"):
			return control, data, damaged(m.name, "stands before the members that dpkg unpacks")
		}
	}
	if control.name == "" {
		return control, data, damaged("control.tar", "is missing")
	}
	if data.name == "" {
		return control, data, damaged("data.tar", "is missing: the file was cut short")
	}
	return control, data, nil
}
