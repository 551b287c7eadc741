package artifact

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	intuneDetection = "IntuneWinPackage/Metadata/Detection.xml"
	intuneContents  = "IntuneWinPackage/Contents/"
	intuneTail      = 8 << 20 // bytes of the inner zip's end that are kept, to list it
	maxIntuneXML    = 1 << 20 // bytes of Detection.xml
	maxIntuneField  = 4096    // bytes of what one element holds; the rest is cut off
)

// isIntuneWin knows the container by its detection file, wherever in the zip it
// stands. A zip that cannot be read is none.
func isIntuneWin(s Source, head []byte) bool {
	if !isZip(s, head) {
		return false
	}
	members, _, err := zipDirectory(s, s.Size)
	return err == nil && slices.ContainsFunc(members, func(m zipMember) bool { return m.name == intuneDetection })
}

// intuneWin is what Detection.xml says.
type intuneWin struct {
	name, toolVersion, fileName, setupFile, size     string
	key, macKey, iv, mac, digest, algorithm, profile string
	msiCode, msiVersion, msiPublisher                string
}

// lookIntuneWin checks the container against what it says of itself. Its MAC is
// no signature: the key stands beside it.
func lookIntuneWin(s Source, _ *Trust, _ time.Time, info *Info) error {
	members, directory, err := zipDirectory(s, s.Size)
	if err != nil {
		return err
	}
	if err := checkZipMembers(s, s.Size, directory, members); err != nil {
		return err
	}
	detection, err := onlyMember(members, intuneDetection)
	if err != nil {
		return err
	}
	text, err := detection.small(s, maxIntuneXML)
	if err != nil {
		return err
	}
	var told intuneWin
	if err := told.read(text); err != nil {
		return zipError(intuneDetection, err)
	}
	contents, err := onlyMember(members, intuneContents+told.fileName)
	if err != nil {
		return err
	}
	if contents.size-contents.size/8-64 > contents.packed {
		return damaged(contents.place(), "is packed to %d of %d bytes, which encrypted contents cannot be: a bomb", contents.packed, contents.size)
	}
	told.describe(info)
	tail := &tailBuffer{most: intuneTail}
	reason, err := told.check(s, contents, tail)
	if err != nil {
		return zipError(contents.place(), err)
	}
	if reason != "" {
		info.Signature = Signature{Status: Invalid, Reason: reason}
		return nil
	}
	info.Signature = Signature{Status: Unsigned, Reason: "the container carries nobody's signature: its MAC is right, but the key of it is inside"}
	info.Notes = append(info.Notes, told.setup(tail)...)
	return nil
}

func onlyMember(members []zipMember, name string) (*zipMember, error) {
	var found *zipMember
	for i := range members {
		if members[i].name == name && found != nil {
			return nil, damaged(clip(name, 200), "is there twice")
		} else if members[i].name == name {
			found = &members[i]
		}
	}
	if found == nil {
		return nil, damaged(clip(name, 200), "is missing")
	}
	return found, nil
}

func (w *intuneWin) read(text []byte) error {
	fields := map[string]*string{
		"ApplicationInfo/Name": &w.name, "ApplicationInfo/FileName": &w.fileName,
		"ApplicationInfo/SetupFile": &w.setupFile, "ApplicationInfo/UnencryptedContentSize": &w.size,
		"ApplicationInfo/EncryptionInfo/EncryptionKey": &w.key, "ApplicationInfo/EncryptionInfo/MacKey": &w.macKey,
		"ApplicationInfo/EncryptionInfo/InitializationVector": &w.iv, "ApplicationInfo/EncryptionInfo/Mac": &w.mac,
		"ApplicationInfo/EncryptionInfo/FileDigest": &w.digest, "ApplicationInfo/EncryptionInfo/FileDigestAlgorithm": &w.algorithm,
		"ApplicationInfo/EncryptionInfo/ProfileIdentifier": &w.profile,
		"ApplicationInfo/MsiInfo/MsiProductCode":           &w.msiCode, "ApplicationInfo/MsiInfo/MsiProductVersion": &w.msiVersion,
		"ApplicationInfo/MsiInfo/MsiPublisher": &w.msiPublisher,
	}
	seen := map[string]bool{}
	enter := func(path []string, start xml.StartElement) error {
		at := strings.Join(path, "/")
		if fields[at] != nil && seen[at] {
			return fmt.Errorf("holds %s twice", at)
		}
		seen[at] = true
		if at == "ApplicationInfo" {
			w.toolVersion = xmlAttribute(start, "ToolVersion")
		}
		return nil
	}
	err := walkXML(bytes.NewReader(text), enter, func(path []string, text string) {
		if field := fields[strings.Join(path, "/")]; field != nil && len(*field)+len(text) <= maxIntuneField {
			*field += text
		}
	})
	for _, field := range fields {
		*field = strings.TrimSpace(*field)
	}
	if err == nil && (!seen["ApplicationInfo"] || w.fileName == "") {
		err = errors.New("does not name the contents")
	}
	return err
}

func (w *intuneWin) describe(info *Info) {
	info.Name, info.Version, info.ID, info.Publisher = clip(w.name, maxField), clip(w.msiVersion, maxField), clip(w.msiCode, maxField), clip(w.msiPublisher, maxField)
	info.Notes = append(info.Notes, fmt.Sprintf("packed by version %q of the tool; sets up by %q", clip(w.toolVersion, 100), clip(w.setupFile, 200)))
}

// check compares MAC, initialisation vector, digest and size, and decrypts into
// tail. The contents are a MAC, an initialisation vector, and AES-256-CBC.
func (w *intuneWin) check(s Source, contents *zipMember, tail io.Writer) (reason string, err error) {
	if w.algorithm != "SHA256" || w.profile != "" && w.profile != "ProfileVersion1" {
		return "", damaged(intuneDetection, "tells of digest %q and profile %q; SHA256 and ProfileVersion1 are read", clip(w.algorithm, 40), clip(w.profile, 40))
	}
	var binary [5][]byte
	for i, text := range []string{w.key, w.macKey, w.iv, w.mac, w.digest} {
		lengths := [...]int{32, 32, aes.BlockSize, sha256.Size, sha256.Size}
		if binary[i], err = base64.StdEncoding.DecodeString(text); err != nil || len(binary[i]) != lengths[i] {
			return "", damaged(intuneDetection, "holds no base64 of %d bytes where a key, vector, MAC or digest belongs", lengths[i])
		}
	}
	key, macKey, iv, mac, digest := binary[0], binary[1], binary[2], binary[3], binary[4]
	const intro = sha256.Size + aes.BlockSize
	if length := contents.size - intro; length < aes.BlockSize || length%aes.BlockSize != 0 {
		return "", damaged(contents.place(), "has %d bytes, which is no whole number of blocks", contents.size)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", err
	}
	sum := hmac.New(sha256.New, macKey)
	plain := &plainText{mode: cipher.NewCBCDecrypter(block, iv), sum: sha256.New(), out: tail}
	head, err := w.pass(s, contents, intro, &intuneSink{sum, plain})
	switch {
	case errors.Is(err, errIntuneAltered):
		return err.Error(), nil
	case err != nil:
		return "", err
	case !hmac.Equal(sum.Sum(nil), mac) || !hmac.Equal(head[:sha256.Size], mac):
		return "the MAC does not fit the contents: they were altered", nil
	case !bytes.Equal(head[sha256.Size:], iv):
		return "the contents begin with another initialisation vector than is told", nil
	}
	return plain.end(digest, w.size)
}

// pass reads the contents once: their first bytes, and the rest.
func (*intuneWin) pass(s Source, contents *zipMember, intro int, to *intuneSink) (head []byte, err error) {
	from, err := contents.open(s)
	if err != nil {
		return nil, err
	}
	head = make([]byte, intro)
	if _, err := io.ReadFull(from, head); err != nil {
		return nil, err
	}
	to.mac.Write(head[sha256.Size:])
	if _, err = io.CopyBuffer(to, from, make([]byte, copyBytes)); from.altered {
		err = errIntuneAltered
	}
	return head, err
}

// intuneSink takes what is encrypted, and computes the MAC of it while it is
// decrypted.
type intuneSink struct {
	mac   hash.Hash
	plain *plainText
}

func (r *intuneSink) Write(b []byte) (n int, err error) {
	var mac sync.WaitGroup
	mac.Go(func() { r.mac.Write(b) })
	n, err = r.plain.Write(b)
	mac.Wait()
	return n, err
}

var errIntuneAltered = errors.New("the contents were altered: not even their checksum fits")

// plainText decrypts what is written to it, and holds the last block back: that
// one says how much of it is filling.
type plainText struct {
	mode cipher.BlockMode
	held []byte
	sum  hash.Hash
	size int64
	out  io.Writer
}

func (p *plainText) Write(b []byte) (int, error) {
	p.held = append(p.held, b...)
	if whole := (len(p.held) - 1) / aes.BlockSize * aes.BlockSize; whole > 0 {
		p.mode.CryptBlocks(p.held[:whole], p.held[:whole])
		if err := p.pass(p.held[:whole]); err != nil {
			return 0, err
		}
		p.held = append(p.held[:0], p.held[whole:]...)
	}
	return len(b), nil
}

func (p *plainText) pass(b []byte) error {
	p.sum.Write(b)
	p.size += int64(len(b))
	_, err := p.out.Write(b)
	return err
}

func (p *plainText) end(digest []byte, size string) (reason string, err error) {
	p.mode.CryptBlocks(p.held, p.held)
	fill := int(p.held[len(p.held)-1])
	if fill == 0 || fill > aes.BlockSize || len(bytes.TrimRight(p.held, string(rune(fill)))) > len(p.held)-fill {
		return "the contents do not end as decrypted contents must", nil
	}
	if err := p.pass(p.held[:len(p.held)-fill]); err != nil {
		return "", err
	}
	switch {
	case !bytes.Equal(p.sum.Sum(nil), digest):
		return "the digest is not that of the decrypted contents", nil
	case strconv.FormatInt(p.size, 10) != size:
		return fmt.Sprintf("%d bytes were decrypted, and %s are told", p.size, clip(size, 40)), nil
	}
	return "", nil
}

// setup says whether the setup file is among the contents.
func (w *intuneWin) setup(tail *tailBuffer) []string {
	members, _, err := zipDirectory(tail, tail.size)
	if err != nil {
		return []string{"the contents cannot be listed: " + clip(err.Error(), 200)}
	}
	setup := strings.ToLower(strings.ReplaceAll(w.setupFile, `\`, "/"))
	var notes []string
	found := false
	for _, m := range members {
		name := strings.ToLower(strings.ReplaceAll(m.name, `\`, "/"))
		found = found || name == setup
		if why := leaves(m.name, 0); why != "" && len(notes) < maxZipNotes {
			notes = append(notes, fmt.Sprintf("inside, %q %s", m.place(), why))
		}
	}
	if !found {
		notes = append(notes, fmt.Sprintf("the setup file %q is not inside (%d entries)", clip(w.setupFile, 200), len(members)))
	}
	return notes
}

// tailBuffer keeps the end of what is written to it, and reads by the place in
// the whole.
type tailBuffer struct {
	most int
	kept []byte
	size int64
}

func (t *tailBuffer) Write(b []byte) (int, error) {
	t.size += int64(len(b))
	t.kept = append(t.kept, b...)
	if len(t.kept) > 2*t.most {
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-t.most:]...)
	}
	return len(b), nil
}

func (t *tailBuffer) ReadAt(b []byte, at int64) (int, error) {
	begin := t.size - int64(len(t.kept))
	if at < begin {
		return 0, errors.New("its list of entries is too long")
	}
	return bytes.NewReader(t.kept).ReadAt(b, at-begin)
}
