package capsuletest

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"

	"github.com/eucora/eucora/internal/ledger"
)

// Member is one file in a capsule.
type Member struct {
	Name string
	Body []byte
}

// Members are the files in a capsule, in their order.
type Members []Member

// Unpack reads a capsule as any program reads a zip.
func Unpack(capsule []byte) Members {
	archive := must(zip.NewReader(bytes.NewReader(capsule), int64(len(capsule))))
	var all Members
	for _, f := range archive.File {
		in := must(f.Open())
		all = append(all, Member{f.Name, must(io.ReadAll(in))})
	}
	return all
}

// Zip writes members as a capsule's zip.
func (all Members) Zip() []byte {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, m := range all {
		h := &zip.FileHeader{
			Name: m.Name, CRC32: crc32.ChecksumIEEE(m.Body), CompressedSize64: uint64(len(m.Body)), UncompressedSize64: uint64(len(m.Body)),
			CreatorVersion: 20, ReaderVersion: 20,
		}
		//lint:ignore SA1019 with Modified instead an extra field would be written
		h.ModifiedDate = 0x21
		must(must(z.CreateRaw(h)).Write(m.Body))
	}
	must(0, z.Close())
	return out.Bytes()
}

// Sealed is the capsule of these members, with a manifest that lists them as they
// are, signed with the ledger's key: what an insider can do.
func (all Members) Sealed(request string, key *ledger.Signer) []byte {
	var text strings.Builder
	fmt.Fprintf(&text, "%srequest %s\n", ledger.CapsuleLine, request)
	for _, m := range all[1:] {
		sum := sha256.Sum256(m.Body)
		fmt.Fprintf(&text, "file %s %d %s\n", hex.EncodeToString(sum[:]), len(m.Body), m.Name)
	}
	sealed := slices.Clone(all)
	sealed[0] = Member{"manifest", must(key.SignManifest(text.String()))}
	return sealed.Zip()
}

func (all Members) at(name string) int {
	return slices.IndexFunc(all, func(m Member) bool { return m.Name == name })
}

// With has another body for a member.
func (all Members) With(name string, body []byte) Members {
	changed := slices.Clone(all)
	changed[all.at(name)].Body = body
	return changed
}

// Without lacks members.
func (all Members) Without(names ...string) Members {
	return slices.DeleteFunc(slices.Clone(all), func(m Member) bool { return slices.Contains(names, m.Name) })
}

// Event is the name of the n-th member that is an event of some type, without its
// ending.
func (all Members) Event(kind string) string {
	for _, m := range all {
		if strings.HasPrefix(m.Name, "events/") && bytes.Contains(m.Body, []byte(`"type":"`+kind+`"`)) {
			return strings.TrimSuffix(m.Name, ".json")
		}
	}
	panic("no event " + kind)
}
