package artifact

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sassoftware/relic/v8/lib/pkcs7"
	"github.com/sassoftware/relic/v8/lib/x509tools"
)

// Limits of one signature: values in it, how deep they nest, certificates,
// attributes, and the bits of an RSA key (a longer one only costs time).
const (
	maxCMSValues       = 50_000
	maxCMSDepth        = 32
	maxCMSCertificates = 64
	maxCMSAttributes   = 64
	maxRSABits         = 8192
)

var (
	oidCounterSignature = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 6}
	oidTimestampToken   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 14}
	oidSPCTimestamp     = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 3, 3, 1} // the same, as Microsoft names it
	oidTSTInfo          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
	oidData             = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
)

// unsignedAttributes may stand in a signature without being signed: each is
// looked at. Anything else there is something that nobody signed.
var unsignedAttributes = []asn1.ObjectIdentifier{oidCounterSignature, oidTimestampToken, oidSPCTimestamp, oidSPCNested}

// cms is a PKCS#7 SignedData with one signer, as Authenticode and timestamps have.
type cms struct {
	info         pkcs7.SignerInfo
	contentType  asn1.ObjectIdentifier
	content      []byte // in DER
	certificates []*x509.Certificate
	unread       []oddCertificate
	signer       *x509.Certificate
	signerUnread error                  // why the signer's certificate cannot be read; signer is nil then
	lists        []pkix.CertificateList // of revoked certificates
}

// readSignedData reads a SignedData that has one signer, within limits.
func readSignedData(der []byte) (*pkcs7.ContentInfoSignedData, error) {
	var all asn1.RawValue
	if _, err := asn1.Unmarshal(der, &all); err != nil {
		return nil, err
	}
	if left := maxCMSValues; !countDER(all.Bytes, &left, maxCMSDepth) {
		return nil, fmt.Errorf("more than %d values, or nested deeper than %d", maxCMSValues, maxCMSDepth)
	}
	signed, err := pkcs7.Unmarshal(der)
	if err != nil {
		return nil, err
	}
	sd := signed.Content
	switch {
	case !signed.ContentType.Equal(pkcs7.OidSignedData):
		return nil, fmt.Errorf("it is %v, not signed data", signed.ContentType)
	case len(sd.SignerInfos) != 1:
		return nil, fmt.Errorf("%d signers; one is wanted", len(sd.SignerInfos))
	case len(sd.DigestAlgorithmIdentifiers) != 1 || !sd.DigestAlgorithmIdentifiers[0].Algorithm.Equal(sd.SignerInfos[0].DigestAlgorithm.Algorithm),
		!plainAlgorithm(sd.DigestAlgorithmIdentifiers[0]):
		return nil, errors.New("its digest algorithm is not the signer's")
	case len(sd.Certificates) > maxCMSCertificates || len(sd.CRLs) > maxCMSCertificates:
		return nil, fmt.Errorf("more than %d certificates or revocation lists", maxCMSCertificates)
	case len(sd.SignerInfos[0].AuthenticatedAttributes)+len(sd.SignerInfos[0].UnauthenticatedAttributes) > maxCMSAttributes:
		return nil, fmt.Errorf("more than %d attributes", maxCMSAttributes)
	}
	return signed, nil
}

// parseCMS reads a SignedData. It is held to the letter, because only what is
// signed is protected: nothing may stand between or behind the fields.
func parseCMS(der []byte, contentType asn1.ObjectIdentifier) (*cms, error) {
	signed, err := readSignedData(der)
	if err != nil {
		return nil, err
	}
	sd := signed.Content
	if sd.Version != 1 && (sd.Version != 3 || contentType.Equal(oidSPCIndirectData)) {
		return nil, fmt.Errorf("it is of version %d", sd.Version)
	}
	signed.Content.SignerInfos[0].RawContent = nil
	again, err := signed.Marshal()
	if err != nil || !bytes.HasPrefix(der, again) || len(bytes.TrimRight(der[len(again):], "\x00")) > 0 {
		return nil, errors.New("it is not in DER, or holds fields that nobody signed")
	}
	content, err := cmsContent(sd.ContentInfo.Raw, contentType)
	if err != nil {
		return nil, err
	}
	c := &cms{info: sd.SignerInfos[0], contentType: contentType, content: content, lists: sd.CRLs}
	if c.certificates, c.unread, err = parseCertificates(sd.Certificates); err != nil {
		return nil, err
	}
	return c, c.findSigner()
}

// findSigner finds the signer's certificate, or what is known of it.
func (c *cms) findSigner() (err error) {
	if c.signer, err = c.info.FindCertificate(c.certificates); err == nil {
		return nil
	}
	for _, odd := range c.unread {
		if odd.named(c.info.IssuerAndSerialNumber) {
			c.signer, c.signerUnread = nil, odd.why
			return nil
		}
	}
	return err
}

// countDER counts values before they are read into structures, each of which
// takes fifty times the two bytes that a value can be. What is no DER is not
// counted further; whoever reads it says so.
func countDER(data []byte, left *int, depth int) bool {
	for len(data) > 0 {
		var value asn1.RawValue
		var err error
		if data, err = asn1.Unmarshal(data, &value); err != nil {
			return true
		}
		if *left--; *left < 0 || depth == 0 {
			return false
		}
		if value.IsCompound && !countDER(value.Bytes, left, depth-1) {
			return false
		}
	}
	return true
}

// cmsContent is the one value that a ContentInfo wraps, in DER.
func cmsContent(info []byte, want asn1.ObjectIdentifier) ([]byte, error) {
	var outer, wrap, inner asn1.RawValue
	var is asn1.ObjectIdentifier
	_, err := asn1.Unmarshal(info, &outer)
	rest := outer.Bytes
	if err == nil {
		rest, err = asn1.Unmarshal(rest, &is)
	}
	if err != nil || !is.Equal(want) {
		return nil, fmt.Errorf("its content is %v; %v is wanted", is, want)
	}
	if rest, err = asn1.Unmarshal(rest, &wrap); err == nil && len(rest) == 0 && wrap.Class == asn1.ClassContextSpecific && wrap.Tag == 0 && wrap.IsCompound {
		rest, err = asn1.Unmarshal(wrap.Bytes, &inner)
	}
	if err != nil || len(rest) > 0 || len(inner.FullBytes) == 0 {
		return nil, errors.New("its content is not one value")
	}
	return inner.FullBytes, nil
}

// parseCertificates reads those that crypto/x509 can read, and sets the others aside.
func parseCertificates(raw pkcs7.RawCertificates) (certificates []*x509.Certificate, unread []oddCertificate, err error) {
	for _, one := range raw {
		c, err := x509.ParseCertificate(one.FullBytes)
		if err != nil {
			unread = append(unread, oddCertificate{one.FullBytes, err})
			continue
		}
		if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxRSABits {
			return nil, nil, fmt.Errorf("a certificate in it has an RSA key of %d bits; at most %d are checked", key.N.BitLen(), maxRSABits)
		}
		certificates = append(certificates, c)
	}
	return certificates, unread, nil
}

// unknownAttribute names what is said besides, unsigned, that is not known: data
// can be hidden there.
func (c *cms) unknownAttribute() string {
	for _, a := range c.info.UnauthenticatedAttributes {
		if !slices.ContainsFunc(unsignedAttributes, a.Type.Equal) {
			return fmt.Sprintf("attribute %v is not signed, and not known: data can be hidden there", a.Type)
		}
	}
	return ""
}

// verify checks that the signer signed a content: a DER value, whose inside is
// digested.
func (c *cms) verify(content []byte) error {
	var inner asn1.RawValue
	if _, err := asn1.Unmarshal(content, &inner); err != nil {
		return err
	}
	return verifySigner(&c.info, c.contentType, inner.Bytes, c.certificates)
}

// verifySigner checks one signer's signature over a content.
func verifySigner(info *pkcs7.SignerInfo, contentType asn1.ObjectIdentifier, content []byte, certificates []*x509.Certificate) error {
	pss := info.DigestEncryptionAlgorithm.Algorithm.Equal(x509tools.OidSignatureRSAPSS)
	if info.Version != 1 || !plainAlgorithm(info.DigestAlgorithm) || !pss && !plainAlgorithm(info.DigestEncryptionAlgorithm) {
		return errors.New("the signer's version or algorithms are not as they should be")
	}
	if err := strictAttributes(info.AuthenticatedAttributes, info.UnauthenticatedAttributes); err != nil {
		return err
	}
	var is asn1.ObjectIdentifier
	if err := info.AuthenticatedAttributes.GetOne(pkcs7.OidAttributeContentType, &is); err != nil || !is.Equal(contentType) {
		return fmt.Errorf("content of type %v was signed; %v is wanted", is, contentType)
	}
	_, err := info.Verify(content, false, certificates)
	return err
}

// strictAttributes refuses a list of signed attributes that is empty (then the
// signature would be over something else), and names that occur twice.
func strictAttributes(signed, unsigned pkcs7.AttributeList) error {
	if len(signed) == 0 {
		return errors.New("there are no signed attributes")
	}
	for _, list := range []pkcs7.AttributeList{signed, unsigned} {
		for i, a := range list {
			if a.Values.Class != asn1.ClassUniversal || a.Values.Tag != asn1.TagSet || !a.Values.IsCompound {
				return fmt.Errorf("attribute %v is no set", a.Type)
			}
			if slices.ContainsFunc(list[:i], func(b pkcs7.Attribute) bool { return b.Type.Equal(a.Type) }) {
				return fmt.Errorf("attribute %v occurs twice", a.Type)
			}
		}
	}
	return nil
}

// plainAlgorithm: without parameters, so that none can differ unnoticed.
func plainAlgorithm(a pkix.AlgorithmIdentifier) bool {
	return len(a.Parameters.FullBytes) == 0 || bytes.Equal(a.Parameters.FullBytes, asn1.NullBytes)
}

// weakDigest names the forgeable digest that the signature rests on, if any.
func (c *cms) weakDigest(file string) string {
	hash, _ := x509tools.PkixDigestToHash(c.info.DigestAlgorithm)
	for _, weak := range []crypto.Hash{crypto.MD5, crypto.SHA1} {
		if file == weak.String() || hash == weak {
			return weak.String()
		}
	}
	return ""
}

// stamp is a countersignature that is sound; by whom is not judged yet.
type stamp struct {
	at           time.Time
	signer       *x509.Certificate
	certificates []*x509.Certificate
	unread       []oddCertificate
	lists        []pkix.CertificateList
}

// stamps is the signature's countersignatures, old (PKCS#9) and new (RFC 3161).
// The error is that of the last one that is broken.
func (c *cms) stamps() (all []stamp, broken error) {
	for _, a := range c.info.UnauthenticatedAttributes {
		var one stamp
		var err error
		switch {
		case a.Type.Equal(oidCounterSignature):
			one, err = c.counterSignature(a.Values.Bytes)
		case a.Type.Equal(oidTimestampToken), a.Type.Equal(oidSPCTimestamp):
			one, err = c.timestampToken(a.Values.Bytes)
		default:
			continue
		}
		if err == nil && one.at.IsZero() {
			err = errors.New("it is of no time")
		}
		if err != nil {
			broken = err
			continue
		}
		all = append(all, one)
	}
	return all, broken
}

// counterSignature reads a PKCS#9 countersignature: one more signer, who signed
// the signature's value at the time in his attributes.
func (c *cms) counterSignature(der []byte) (stamp, error) {
	var info pkcs7.SignerInfo
	if rest, err := asn1.Unmarshal(der, &info); err != nil || len(rest) > 0 {
		return stamp{}, errors.New("it is not one countersignature")
	}
	bare := info
	bare.RawContent = nil
	if again, err := asn1.Marshal(bare); err != nil || !bytes.Equal(again, der) || len(info.UnauthenticatedAttributes) > 0 || len(info.AuthenticatedAttributes) > maxCMSAttributes {
		return stamp{}, errors.New("it holds fields that nobody signed")
	}
	if err := verifySigner(&info, oidData, c.info.EncryptedDigest, c.certificates); err != nil {
		return stamp{}, err
	}
	if hash, _ := x509tools.PkixDigestToHash(info.DigestAlgorithm); hash == crypto.MD5 {
		return stamp{}, errors.New("it rests on MD5")
	}
	at, err := info.SigningTime()
	if err != nil {
		return stamp{}, err
	}
	signer, err := info.FindCertificate(c.certificates)
	return stamp{at: at, signer: signer, certificates: c.certificates}, err
}

// tstInfo is what an RFC 3161 token says: its beginning.
type tstInfo struct {
	Version int
	Policy  asn1.ObjectIdentifier
	Imprint struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
	Serial asn1.RawValue
	Time   asn1.RawValue
}

// timestampToken reads an RFC 3161 token: signed data about the signature's value.
func (c *cms) timestampToken(der []byte) (stamp, error) {
	var one asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &one); err != nil || len(rest) > 0 {
		return stamp{}, errors.New("it is not one token")
	}
	token, err := parseCMS(der, oidTSTInfo)
	if err != nil {
		return stamp{}, err
	}
	if token.signer == nil {
		return stamp{}, fmt.Errorf("its signer's certificate cannot be read: %w", token.signerUnread)
	}
	if len(token.info.UnauthenticatedAttributes) > 0 {
		return stamp{}, errors.New("it holds attributes that nobody signed")
	}
	if err := token.verify(token.content); err != nil {
		return stamp{}, err
	}
	var octets []byte
	var about tstInfo
	_, err = asn1.Unmarshal(token.content, &octets)
	if err == nil {
		_, err = asn1.Unmarshal(octets, &about)
	}
	if err != nil {
		return stamp{}, fmt.Errorf("what it says cannot be read: %w", err)
	}
	hash, err := x509tools.PkixDigestToHashE(about.Imprint.Algorithm)
	if err != nil || hash == crypto.MD5 || token.weakDigest("") == crypto.MD5.String() {
		return stamp{}, errors.New("it rests on no digest that can be relied on")
	}
	h := hash.New()
	h.Write(c.info.EncryptedDigest)
	if !bytes.Equal(h.Sum(nil), about.Imprint.Digest) {
		return stamp{}, errors.New("it is about another signature")
	}
	at, err := pkcs7.ParseTime(about.Time)
	return stamp{at, token.signer, slices.Concat(token.certificates, c.certificates), token.unread, token.lists}, err
}
