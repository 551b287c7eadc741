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
	"time"

	"github.com/sassoftware/relic/v8/lib/pkcs7"
	"github.com/sassoftware/relic/v8/lib/x509tools"
)

// Authenticode is a PKCS#7 signature over a digest of the file. Where it sits,
// and what of the file is digested, is the format's; everything else is here.
//
// The rules: a signature counts by its strongest part that is sound. Any
// signature of the file (side by side or nested) whose digest does not match
// makes the whole file invalid; otherwise the best of them counts.

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

// spcJudge judges the Authenticode signatures of one file.
type spcJudge struct {
	roots *x509.CertPool
	given []*x509.Certificate // the same
	now   time.Time
	// compare says why the file is not what was signed, or nothing if it is;
	// an error means that it cannot be read.
	compare func(hash crypto.Hash, signed []byte) (string, error)
	checks  int // public-key operations so far
	notes   []string
	doubts  []string // of any of the signatures, about things beside what was signed
	weak    bool     // the signature judged last rests on a digest that can be forged
}

// judgeSPC judges all signatures of a file, each in DER with at most zeros
// behind it. None is unsigned. The notes are for the reviewer.
func judgeSPC(blobs [][]byte, trust *Trust, now time.Time, compare func(crypto.Hash, []byte) (string, error)) (Signature, []string, error) {
	if len(blobs) == 0 {
		return Signature{Status: Unsigned, Reason: "it holds no signature"}, nil, nil
	}
	j := &spcJudge{roots: x509.NewCertPool(), now: now, compare: compare} // an empty pool: nil would be the system's
	if trust != nil && trust.roots != nil {
		j.roots, j.given = trust.roots, trust.certificates
	}
	var all []Signature
	primaryWeak := false
	for queue := blobs; len(queue) > 0; queue = queue[1:] {
		if len(all) == maxSPCSignatures {
			return Signature{}, nil, damaged("signature", "more than %d signatures", maxSPCSignatures)
		}
		one, nested, err := j.judge(queue[0])
		if err != nil {
			return Signature{}, nil, err
		}
		if all == nil {
			primaryWeak = j.weak
		}
		all, queue = append(all, one), append(slices.Clip(queue), nested...)
	}
	best := slices.MaxFunc(all, betterSPC)
	if !primaryWeak { // Windows judges the first; beside an old one for old systems the other counts
		best = all[0]
	}
	if i := slices.IndexFunc(all, func(s Signature) bool { return s.Status == Invalid }); i >= 0 {
		best = all[i]
	}
	for _, doubt := range j.doubts {
		best.doubt(doubt)
	}
	if len(all) > 1 {
		best.Reason = fmt.Sprintf("of %d signatures: %s", len(all), best.Reason)
	}
	return best, j.notes, nil
}

// betterSPC orders signatures: by status first, then by the digest's strength.
func betterSPC(a, b Signature) int {
	rank := []Status{Invalid, Untrusted, Expired, Valid}
	digests := []string{crypto.MD5.String(), crypto.SHA1.String(), crypto.SHA224.String(), crypto.SHA256.String(), crypto.SHA384.String(), crypto.SHA512.String()}
	return cmp.Or(
		cmp.Compare(slices.Index(rank, a.Status), slices.Index(rank, b.Status)),
		cmp.Compare(slices.Index(digests, a.Digest), slices.Index(digests, b.Digest)),
	)
}

// judge judges one signature, and returns the signatures nested in it.
func (j *spcJudge) judge(blob []byte) (Signature, [][]byte, error) {
	cms, err := parseCMS(blob, oidSPCIndirectData)
	if err != nil {
		return invalidSPC("the signature cannot be read: %v", err), nil, nil
	}
	hash, digest, err := parseIndirectData(cms.content)
	if err != nil {
		return invalidSPC("what was signed cannot be read: %v", err), nil, nil
	}
	result := describeSigner(cms.signer)
	result.Digest = hash.String()
	nested, err := nestedSPC(cms.info.UnauthenticatedAttributes)
	if err == nil {
		err = cms.verify(cms.content)
	}
	if err == nil && len(digest) == 0 {
		err = errors.New("there is no digest in it")
	}
	if err != nil {
		result.Status, result.Reason = Invalid, fmt.Sprintf("the signature is broken: %v", err)
		return result, nested, nil
	}
	differs, err := j.compare(hash, digest)
	if err != nil {
		return Signature{}, nil, err
	}
	if differs != "" {
		result.Status, result.Reason = Invalid, differs
		return result, nested, nil
	}
	err = j.trust(cms, &result)
	return result, nested, err
}

// trust decides what a sound signature over the file as it is comes to.
func (j *spcJudge) trust(cms *cms, result *Signature) error {
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
	weak := cms.weakDigest(result.Digest)
	if j.weak = weak != ""; j.weak && result.Status == Valid {
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
	case reason == "":
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

// parseIndirectData reads SpcIndirectDataContent: the kind of file, and the
// digest that it must have.
func parseIndirectData(content []byte) (crypto.Hash, []byte, error) {
	var data struct {
		Data          asn1.RawValue
		MessageDigest struct {
			Algorithm asn1.RawValue
			Digest    []byte
		}
	}
	if rest, err := asn1.Unmarshal(content, &data); err != nil || len(rest) > 0 {
		return 0, nil, errors.New("it is no SpcIndirectDataContent")
	}
	var algorithm asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(data.MessageDigest.Algorithm.Bytes, &algorithm); err != nil {
		return 0, nil, errors.New("its digest algorithm cannot be read")
	}
	for hash, oid := range x509tools.HashOids {
		if oid.Equal(algorithm) && hash.Available() {
			return hash, data.MessageDigest.Digest, nil
		}
	}
	return 0, nil, fmt.Errorf("the digest algorithm %v is not known", algorithm)
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

// spcDigests compares digests of a file, computing each algorithm's once.
func spcDigests(write func(w io.Writer, hash crypto.Hash) error) func(crypto.Hash, []byte) (string, error) {
	known := map[crypto.Hash][]byte{}
	return func(hash crypto.Hash, signed []byte) (string, error) {
		if known[hash] == nil {
			h := hash.New()
			if err := write(h, hash); err != nil {
				return "", err
			}
			known[hash] = h.Sum(nil)
		}
		if !bytes.Equal(known[hash], signed) {
			return fmt.Sprintf("the file was changed after it was signed: its %v digest is %x, %x was signed", hash, known[hash], signed[:min(len(signed), 64)]), nil
		}
		return "", nil
	}
}

// copySpans writes parts of the file: from, to, from, to, …
func copySpans(w io.Writer, s Source, bounds ...int64) error {
	for i := 0; i+1 < len(bounds); i += 2 {
		if _, err := io.CopyN(w, io.NewSectionReader(s, bounds[i], bounds[i+1]-bounds[i]), bounds[i+1]-bounds[i]); err != nil {
			return err
		}
	}
	return nil
}
