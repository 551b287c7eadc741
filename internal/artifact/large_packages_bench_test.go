package artifact

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/zlib"
	"crypto"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

func BenchmarkLargeCabinet(b *testing.B) {
	der := greedySPC(b, spcCabinet, func(crypto.Hash) []byte { return []byte{1} })
	size := largest - len(der)
	h := make([]byte, 60)
	copy(h, "MSCF")
	h[24], h[25] = 3, 1
	for at, value := range map[int]int{8: size, 16: 60, 44: size, 48: len(der), 40: 0x100000} {
		le.PutUint32(h[at:], uint32(value))
	}
	le.PutUint16(h[30:], cabReserve)
	le.PutUint16(h[36:], 20)
	looking(b, sparse(b, largest, map[int64][]byte{0: h, int64(size): der}), nil, isInvalid)
}

// coded is text that packs into codes only, and slowly.
func coded(b *testing.B, size int) (text, packed []byte) {
	text = make([]byte, size)
	rand.NewChaCha8([32]byte{1}).Read(text)
	for i := range text {
		if text[i] &= 0x7f; text[i]&3 != 0 {
			text[i] &= 0x1f
		}
	}
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.HuffmanOnly)
	if err == nil {
		_, err = w.Write(text)
	}
	if err != nil || w.Flush() != nil {
		b.Fatal(err)
	}
	return text, out.Bytes() // without a last block
}

func BenchmarkLargeMSIX(b *testing.B) {
	const before = largest - 200<<20
	var tail bytes.Buffer
	w := zip.NewWriter(&tail)
	w.SetOffset(before)
	text, packed := coded(b, maxMSIXMember)
	packed = append(packed, 1, 0, 0, 0xff, 0xff)
	add := func(name string, text, packed []byte, method uint16) {
		to, err := w.CreateRaw(&zip.FileHeader{
			Name: name, Method: method, CRC32: crc32.ChecksumIEEE(text), CompressedSize64: uint64(len(packed)), UncompressedSize64: uint64(len(text)),
		})
		if err == nil {
			_, err = to.Write(packed)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	for _, name := range []string{msixBlockMap, msixContentTypes, msixCodeIntegrity} {
		add(name, text, packed, zip.Deflate)
	}
	manifest := []byte(manifestOf(msixPublisher))
	add(msixManifest, manifest, manifest, zip.Store)
	digest := func(hash crypto.Hash) []byte { return append([]byte("APPXAXPC"), make([]byte, hash.Size())...) }
	signature := append([]byte("PKCX"), greedySPC(b, spcAppPackage, digest)...)
	add(msixSignature, signature, signature, zip.Store)
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	looking(b, sparse(b, before+int64(tail.Len()), map[int64][]byte{0: []byte("PK\x03\x04"), before: tail.Bytes()}), nil, isInvalid)
}

func BenchmarkLargePKG(b *testing.B) {
	const length = largest - 10_000
	toc := fmt.Sprintf(`<xar><toc><checksum style="sha512"><offset>0</offset><size>64</size></checksum><file><name>a</name><data><length>%d</length><offset>64</offset><size>%d</size><archived-checksum style="sha512">%0128d</archived-checksum></data></file></toc></xar>`, length, length, 0)
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	if _, err := io.WriteString(w, toc); err != nil || w.Close() != nil {
		b.Fatal(err)
	}
	sum := crypto.SHA512.New()
	sum.Write(packed.Bytes())
	head := binary.BigEndian.AppendUint32([]byte("xar!"), 28<<16|1)
	head = binary.BigEndian.AppendUint64(head, uint64(packed.Len()))
	head = binary.BigEndian.AppendUint64(head, uint64(len(toc)))
	head = append(binary.BigEndian.AppendUint32(head, 4), packed.Bytes()...)
	looking(b, sparse(b, int64(len(head))+64+length, map[int64][]byte{0: append(head, sum.Sum(nil)...)}), nil, isInvalid)
}

// wrongSignature is a signature by a trusted key, over something else.
func wrongSignature(b *testing.B) []byte {
	return detached(b, contosoKey(), nil, func(c *packet.Config) { c.DefaultHash = crypto.SHA512 })
}

func BenchmarkLargeDeb(b *testing.B) {
	parts := debParts{}.parts(b)
	head := arFile(parts[0], parts[1], arPart{"_gpgorigin", wrongSignature(b)})
	const size = largest - 100_000
	header := fmt.Appendf(nil, "%-16s%-12d%-6d%-6d%-8o%-10d`\n", "data.tar", 0, 0, 0, 0o100644, size)
	s := sparse(b, int64(len(head)+len(header))+size, map[int64][]byte{0: append(head, header...)})
	looking(b, s, trustingKeys(b, contosoKey()), isInvalid)
}

func BenchmarkLargeRPM(b *testing.B) {
	text := func(tag uint32, n int) rpmValue { return rpmText(tag, strings.Repeat("0", 2*n)) }
	header := rpmHeaderOf(63, rpmText(rpmName, "hello"), rpmText(rpmVersion, "1"), rpmText(rpmRelease, "1"),
		text(rpmPayloadDigest, 48), rpmNumber(rpmPayloadAlgorithm, 9), text(rpmPayloadSHA512, 64), text(rpmPayloadSHA3, 32))
	lead := make([]byte, rpmLeadSize)
	copy(lead, "\xed\xab\xee\xdb\x03\x00\x00\x00\x00\x01")
	head := append(lead, rpmHeaderOf(rpmSigRegion, rpmBytes(rpmSigPGP, wrongSignature(b)), rpmBytes(rpmSigMD5, make([]byte, 16)))...)
	head = append(append(head, make([]byte, -len(head)&7)...), header...)
	s := sparse(b, largest, map[int64][]byte{0: head})
	b.Run("by nobody", func(b *testing.B) { looking(b, s, nil, isInvalid) })
	b.Run("by a key", func(b *testing.B) { looking(b, s, trustingKeys(b, contosoKey()), isInvalid) })
}

// BenchmarkLargeZip: links, each of which is unpacked.
func BenchmarkLargeZip(b *testing.B) {
	var file bytes.Buffer
	w := zip.NewWriter(&file)
	text := bytes.Repeat([]byte("a"), maxZipLink)
	packed := append(bytes.Repeat(emptyCoded, 1000), 1, 0, 0x10, 0xff, 0xef)
	packed = append(packed, text...)
	for i := range maxZipLinks {
		h := &zip.FileHeader{Name: fmt.Sprint(i), Method: zip.Deflate, CRC32: crc32.ChecksumIEEE(text), CompressedSize64: uint64(len(packed)), UncompressedSize64: uint64(len(text))}
		link(h)
		to, err := w.CreateRaw(h)
		if err == nil {
			_, err = to.Write(packed)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	looking(b, sparse(b, int64(file.Len()), map[int64][]byte{0: file.Bytes()}), nil, func(info Info, err error) bool { return err == nil && info.Signature.Status == Unsigned })
}

// BenchmarkLargeIntuneWin: contents in as many codes as are read, and the rest as
// it is.
func BenchmarkLargeIntuneWin(b *testing.B) {
	const size = largest - 1<<20
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	vector := base64.StdEncoding.EncodeToString(make([]byte, 16))
	detection := fmt.Sprintf(`<ApplicationInfo><FileName>a</FileName><EncryptionInfo><EncryptionKey>%s</EncryptionKey><MacKey>%s</MacKey><InitializationVector>%s</InitializationVector><Mac>%s</Mac><FileDigest>%s</FileDigest><FileDigestAlgorithm>SHA256</FileDigestAlgorithm></EncryptionInfo></ApplicationInfo>`, key, key, vector, key, key)
	for name, withCodes := range map[string]bool{"as it is": false, "codes": true} {
		b.Run(name, func(b *testing.B) {
			local := make([]byte, zipLocalSize)
			le.PutUint32(local, zipLocal)
			le.PutUint16(local[26:], uint16(len(intuneContents)+1))
			parts := map[int64][]byte{}
			at, plain := int64(len(local)+len(intuneContents)+1), int64(size)
			if withCodes {
				le.PutUint16(local[8:], zipDeflated)
				text, packed := coded(b, maxCoded)
				parts[at], plain = packed, int64(len(text))
				for at += int64(len(packed)); at < size; at += 5 + 0x8000 {
					parts[at] = []byte{0, 0, 0x80, 0xff, 0x7f}
					plain += 0x8000
				}
				parts[at] = []byte{1, 0, 0, 0xff, 0xff}
				at += 5
			} else {
				at += size
			}
			begin := int64(len(local) + len(intuneContents) + 1)
			le.PutUint32(local[18:], uint32(at-begin))
			le.PutUint32(local[22:], uint32(plain))
			parts[0] = append(append(local, intuneContents...), 'a')
			var tail bytes.Buffer
			w := zip.NewWriter(&tail)
			w.SetOffset(at)
			to, err := w.CreateHeader(&zip.FileHeader{Name: intuneDetection})
			if err == nil {
				_, err = io.WriteString(to, detection)
			}
			if err != nil || w.Close() != nil {
				b.Fatal(err)
			}
			entry := make([]byte, zipEntrySize) // of the contents, before that of the other
			le.PutUint32(entry, zipEntry)
			copy(entry[8:], local[6:30])
			entry = append(append(entry, intuneContents...), 'a')
			end := tail.Bytes()[tail.Len()-zipEndSize:]
			le.PutUint16(end[8:], 2)
			le.PutUint16(end[10:], 2)
			le.PutUint32(end[12:], le.Uint32(end[12:])+uint32(len(entry)))
			start := int64(le.Uint32(end[16:])) - at
			parts[at] = append(append(bytes.Clone(tail.Bytes()[:start]), entry...), tail.Bytes()[start:]...)
			s := sparse(b, at+int64(len(parts[at])), parts)
			looking(b, s, nil, isInvalid)
		})
	}
}
