package artifact

import (
	"bytes"
	"cmp"
	"crypto"
	_ "crypto/md5" // old signatures: checked, and never trusted
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/sassoftware/relic/v8/lib/pkcs7"
)

// Authenticode is a PKCS#7 signature over a digest of the file. Where it sits,
// and what of the file is digested, is the format's; everything else is here.
//
// The rules: any signature of the file (side by side or nested) that is broken, or
// whose digest does not match, makes the whole file invalid; otherwise the first
// counts, or the best of them if the first is a weak one.

// Limits: of one signature in bytes (page hashes of a 200 MB driver fit), of
// the signatures of a file, and of public-key operations for one file, so that
// a file of certificates cannot keep a reader busy.
const (
	maxSPCBytes      = 2 << 20
	maxSPCSignatures = 4
	maxSPCChecks     = 1000
)

var (
	oidSPCIndirectData = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 4}
	oidSPCNested       = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 4, 1}
	oidSPCLifetime     = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 10, 3, 13}
)

// spcSubject is a file that signatures are about.
type spcSubject struct {
	kind spcKind // what they must say that they are about
	// digest reads the file once. The answer says why it is not what was signed,
	// or nothing if it is.
	digest func(wanted []crypto.Hash) (func(hash crypto.Hash, signed []byte) string, error)
}

// spcSigned is one signature before the file was looked at. Its result is Invalid
// if it is broken; else it has no status yet.
type spcSigned struct {
	cms    *cms
	hash   crypto.Hash
	digest []byte
	result Signature
}

// spcJudge judges the Authenticode signatures of one file.
type spcJudge struct {
	roots  *x509.CertPool
	given  []*x509.Certificate // the same
	now    time.Time
	checks int // public-key operations so far
	notes  []string
	doubts []string // of any of the signatures, about things beside what was signed
}

func newSPCJudge(trust *Trust, now time.Time) *spcJudge {
	j := &spcJudge{roots: x509.NewCertPool(), now: now} // an empty pool: nil would be the system's
	if trust != nil && trust.roots != nil {
		j.roots, j.given = trust.roots, trust.certificates
	}
	return j
}

// judgeSPC judges all signatures of a file, each in DER with at most zeros
// behind it. None is unsigned. The notes are for the reviewer.
func judgeSPC(blobs [][]byte, subject spcSubject, trust *Trust, now time.Time) (Signature, []string, error) {
	if len(blobs) == 0 {
		return Signature{Status: Unsigned, Reason: "it holds no signature"}, nil, nil
	}
	signatures, err := readSPC(blobs, subject.kind)
	if err != nil {
		return Signature{}, nil, err
	}
	j := newSPCJudge(trust, now)
	best, err := j.best(signatures, subject)
	if err != nil {
		return Signature{}, nil, err
	}
	for _, doubt := range j.doubts {
		best.doubt(doubt)
	}
	if len(signatures) > 1 {
		best.Reason = fmt.Sprintf("of %d signatures: %s", len(signatures), best.Reason)
	}
	return best, j.notes, nil
}

// readSPC reads all signatures, and those that are nested in them.
func readSPC(blobs [][]byte, kind spcKind) (all []spcSigned, err error) {
	for queue := blobs; len(queue) > 0; queue = queue[1:] {
		if len(all) == maxSPCSignatures {
			return nil, damaged("signature", "more than %d signatures", maxSPCSignatures)
		}
		one, nested := readOneSPC(queue[0], kind)
		all, queue = append(all, one), append(slices.Clip(queue), nested...)
	}
	return all, nil
}

func readOneSPC(blob []byte, kind spcKind) (one spcSigned, nested [][]byte) {
	var err error
	if one.cms, err = parseCMS(blob, oidSPCIndirectData); err != nil {
		one.result = invalidSPC("the signature cannot be read: %v", err)
		return one, nil
	}
	about, err := parseIndirectData(one.cms.content)
	if err != nil {
		one.result = invalidSPC("what was signed cannot be read: %v", err)
		return one, nil
	}
	one.hash, one.digest = about.hash, about.digest
	if one.cms.signer != nil {
		one.result = describeSigner(one.cms.signer)
	}
	one.result.Digest = one.hash.String()
	nested, err = nestedSPC(one.cms.info.UnauthenticatedAttributes)
	if err == nil && one.cms.signer != nil {
		err = one.cms.verify(one.cms.content)
	}
	if err == nil && len(one.digest) == 0 {
		err = errors.New("there is no digest in it")
	}
	if err != nil {
		one.result.Status, one.result.Reason = Invalid, fmt.Sprintf("the signature is broken: %v", err)
	} else if !about.fits(kind) {
		one.result.Status, one.result.Reason = Invalid, fmt.Sprintf("the signature is about %s, and this is %s", about.kind(), kind)
	}
	return one, nested
}

// best is what the signatures come to: that of one that is invalid; else of the
// first, as it is for Windows; or of the best, if the first rests on a digest
// that can be forged.
func (j *spcJudge) best(signatures []spcSigned, subject spcSubject) (Signature, error) {
	isInvalid := func(s spcSigned) bool { return s.result.Status == Invalid }
	if i := slices.IndexFunc(signatures, isInvalid); i >= 0 {
		return signatures[i].result, nil // whatever the file's digest is
	}
	wanted, asked := wantedDigests(signatures)
	differs, err := subject.digest(wanted)
	if err != nil {
		return Signature{}, err
	}
	for i := range signatures {
		s := &signatures[i]
		if !slices.Contains(wanted, s.hash) {
			s.result.Status, s.result.Reason = Untrusted, fmt.Sprintf("its signatures ask for %d different digests of the file: of %v it was not computed", asked, s.hash)
			j.doubts = append(j.doubts, s.result.Reason)
		} else if why := differs(s.hash, s.digest); why != "" {
			s.result.Status, s.result.Reason = Invalid, why
		} else if err := j.trust(s.cms, &s.result); err != nil {
			return Signature{}, err
		}
	}
	if i := slices.IndexFunc(signatures, isInvalid); i >= 0 {
		return signatures[i].result, nil
	}
	best := signatures[0]
	if best.cms.weakDigest(best.result.Digest) != "" {
		best = slices.MaxFunc(signatures, betterSPC)
	}
	return best.result, nil
}

// wantedDigests is which digests of the file are computed for its signatures, and
// how many they ask for: SHA-256, and the first other. Each is work over the whole
// file; two signatures with different ones, of which SHA-256 is one, are usual.
func wantedDigests(signatures []spcSigned) (wanted []crypto.Hash, asked int) {
	seen := map[crypto.Hash]bool{}
	others := 0
	for _, s := range signatures {
		if seen[s.hash] {
			continue
		}
		if seen[s.hash] = true; s.hash != crypto.SHA256 {
			others++
		}
		if s.hash == crypto.SHA256 || others == 1 {
			wanted = append(wanted, s.hash)
		}
	}
	return wanted, len(seen)
}

// betterSPC orders signatures: by status first, then by the digest's strength.
func betterSPC(a, b spcSigned) int {
	rank := []Status{Invalid, Untrusted, Expired, Valid}
	digests := []crypto.Hash{crypto.MD5, crypto.SHA1, crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512}
	return cmp.Or(
		cmp.Compare(slices.Index(rank, a.result.Status), slices.Index(rank, b.result.Status)),
		cmp.Compare(slices.Index(digests, a.hash), slices.Index(digests, b.hash)),
	)
}

// trust decides what a sound signature over the file as it is comes to.
func (j *spcJudge) trust(cms *cms, result *Signature) error {
	if cms.signer == nil {
		result.Status, result.Reason = Untrusted, fmt.Sprintf("its signer's certificate cannot be read, so nobody can say whether the signature holds: %v", cms.signerUnread)
		j.doubts = append(j.doubts, result.Reason)
		return nil
	}
	stamps, broken := cms.stamps()
	stray, err := j.strayCertificates(cms, stamps)
	if err != nil {
		return err
	}
	at := j.now
	if when, ok := j.trustedTime(stamps); ok {
		result.Timestamp = when
		if !slices.ContainsFunc(cms.signer.UnknownExtKeyUsage, oidSPCLifetime.Equal) {
			at = when
		}
	}
	result.Status, result.Reason = j.standing(cms.signer, cms.certificates, at)
	if weak := cms.weakDigest(result.Digest); weak != "" && result.Status == Valid {
		result.Status, result.Reason = Untrusted, fmt.Sprintf("it rests on %s, which can be forged", weak)
	}
	j.doubts = append(j.doubts, stray, cms.unknownAttribute())
	if broken != nil {
		j.doubts = append(j.doubts, fmt.Sprintf("its timestamp is broken: %v", broken))
	}
	return nil
}

// doubt is why a signature that is sound is not trusted all the same: beside what
// was signed it carries something that nobody answers for. The file is what was
// signed, so it is not invalid.
func (s *Signature) doubt(reason string) {
	switch {
	case strings.Contains(s.Reason, reason): // also where there is none
	case s.Status == Valid:
		s.Status, s.Reason = Untrusted, reason
	default:
		s.Reason += "; " + reason
	}
}

func invalidSPC(format string, args ...any) Signature {
	return Signature{Status: Invalid, Reason: clip(fmt.Sprintf(format, args...), 500)}
}

func describeSigner(c *x509.Certificate) Signature {
	sum := sha256.Sum256(c.Raw)
	return Signature{
		Signer:      clip(c.Subject.String(), 500),
		Issuer:      clip(c.Issuer.String(), 500),
		Fingerprint: hex.EncodeToString(sum[:]),
		NotAfter:    c.NotAfter.UTC(),
	}
}

// nestedSPC is the signatures that sit in an attribute of another one: the
// second of a dual signature.
func nestedSPC(attributes pkcs7.AttributeList) ([][]byte, error) {
	var nested [][]byte
	for _, a := range attributes {
		if !a.Type.Equal(oidSPCNested) {
			continue
		}
		for rest := a.Values.Bytes; len(rest) > 0; {
			var one asn1.RawValue
			var err error
			if rest, err = asn1.Unmarshal(rest, &one); err != nil {
				return nested, fmt.Errorf("a nested signature cannot be read: %w", err)
			}
			if nested = append(nested, one.FullBytes); len(nested) > maxSPCSignatures {
				return nested, nil // the caller refuses so many
			}
		}
	}
	return nested, nil
}

// readDER reads a DER value of the file whose claimed end is to, and says where
// it ends in truth.
func readDER(s Source, place string, from, to int64) ([]byte, int64, error) {
	head, err := readSpan(s, place, from, min(to-from, 6))
	if err != nil {
		return nil, 0, err
	}
	size := int64(-1)
	switch {
	case len(head) >= 4 && head[0] == 0x30 && head[1] < 0x80:
		size = 2 + int64(head[1])
	case len(head) == 6 && head[0] == 0x30 && head[1] > 0x80 && head[1] <= 0x84:
		size = 0
		for _, b := range head[2 : 2+head[1]&0x7f] {
			size = size<<8 | int64(b)
		}
		size += 2 + int64(head[1]&0x7f)
	}
	if size < 0 || size > to-from {
		size = min(to-from, maxSPCBytes) // not DER, or it lies: parsing says so
	}
	if size > maxSPCBytes {
		return nil, 0, damaged(place, "a signature of %d bytes; at most %d are read", size, maxSPCBytes)
	}
	der, err := readSpan(s, place, from, size)
	return der, from + size, err
}

// readSpan reads bytes that the file says it has.
func readSpan(s Source, place string, from, n int64) ([]byte, error) {
	if from < 0 || n < 0 || from > s.Size || n > s.Size-from {
		return nil, damaged(place, "%d bytes at %d are wanted; the file has %d", n, from, s.Size)
	}
	data := make([]byte, n)
	if read, err := s.ReadAt(data, from); read < len(data) {
		return nil, damaged(place, "%d bytes at %d cannot be read: %v", n, from, err)
	}
	return data, nil
}

var zeroBytes [32 << 10]byte

// onlyZeros tells whether a span of the file holds nothing.
func onlyZeros(s Source, from, to int64) (bool, error) {
	data := make([]byte, min(len(zeroBytes), max(int(to-from), 1)))
	for r := io.NewSectionReader(s, from, to-from); ; {
		n, err := r.Read(data)
		if !bytes.Equal(data[:n], zeroBytes[:n]) {
			return false, nil
		}
		if err == io.EOF {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
}
