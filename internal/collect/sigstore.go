package collect

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// bundleVersions are the media types of Sigstore bundles.
var bundleVersions = map[string]string{
	"application/vnd.dev.sigstore.bundle+json;version=0.1": "0.1",
	"application/vnd.dev.sigstore.bundle+json;version=0.2": "0.2",
	"application/vnd.dev.sigstore.bundle+json;version=0.3": "0.3",
	"application/vnd.dev.sigstore.bundle.v0.1+json":        "0.1",
	"application/vnd.dev.sigstore.bundle.v0.2+json":        "0.2",
	"application/vnd.dev.sigstore.bundle.v0.3+json":        "0.3",
}

func isSigstore(s shape) bool {
	return s.json != 0 && (s.members["verificationMaterial"] || s.members["dsseEnvelope"] || s.members["messageSignature"])
}

// bundle is a Sigstore bundle: an envelope, or a signature over a file, and
// what is needed to believe it.
type bundle struct {
	mediaType   string
	certificate string // the leaf, base64
	known       Attestation
	envelope    *envelope
	message     *messageSignature
}

type messageSignature struct{ algorithm, digest, signature string }

func (b *bundle) members(r *attestations) members {
	return members{
		"mediaType": r.keep(&b.mediaType), "verificationMaterial": b.material(r).read,
		"dsseEnvelope": func(d *jsontext.Decoder) error {
			if d.PeekKind() == 'n' {
				return d.SkipValue()
			}
			b.envelope = &envelope{}
			return b.envelope.members(r).read(d)
		},
		"messageSignature": func(d *jsontext.Decoder) error {
			if d.PeekKind() == 'n' {
				return d.SkipValue()
			}
			b.message = &messageSignature{}
			digest := members{"algorithm": r.keep(&b.message.algorithm), "digest": r.keep(&b.message.digest)}
			return members{"messageDigest": digest.read, "signature": r.keep(&b.message.signature)}.read(d)
		},
	}
}

// material reads what stands beside the signature. The signer's certificate is
// the first one.
func (b *bundle) material(r *attestations) members {
	certificate := func(d *jsontext.Decoder) error {
		if b.certificate != "" {
			return d.SkipValue()
		}
		return members{"rawBytes": r.keep(&b.certificate)}.read(d)
	}
	chain := func(d *jsontext.Decoder) error { return elements(d, certificate) }
	return members{
		"certificate": certificate, "x509CertificateChain": members{"certificates": chain}.read,
		"publicKey":                 members{"hint": r.keep(&b.known.KeyHint)}.read,
		"tlogEntries":               func(d *jsontext.Decoder) error { return counted(d, &b.known.LogEntries) },
		"timestampVerificationData": members{"rfc3161Timestamps": func(d *jsontext.Decoder) error { return counted(d, &b.known.Timestamps) }}.read,
	}
}

// addBundle notes a bundle. stated is the predicate type that stands outside
// it; the one that is signed must be the same.
func (r *attestations) addBundle(b *bundle, stated string) error {
	version, known := bundleVersions[strings.ReplaceAll(b.mediaType, " ", "")]
	switch {
	case !known:
		return r.fault("mediaType %q is not a Sigstore bundle 0.1 to 0.3", clip(b.mediaType, 60))
	case b.envelope != nil && b.message != nil:
		return r.fault("the bundle holds an envelope and a signature over a file at once")
	case b.envelope == nil && b.message == nil:
		return r.fault("the bundle holds nothing that is signed")
	}
	a := b.known
	if b.certificate != "" {
		der, err := fromBase64(b.certificate)
		if err != nil {
			return r.fault("certificate: %v", err)
		}
		a.Certificate = der
	}
	if len(r.into.Attestations) == 0 {
		r.into.Version = version
	}
	if b.message != nil {
		return r.addMessage(b.message, a)
	}
	if err := r.addEnvelope(b.envelope, a); err != nil {
		return err
	}
	last := len(r.into.Attestations) - 1
	if signed := r.into.Attestations[last].PredicateType; stated != "" && signed != "" && signed != stated {
		r.into.Attestations = r.into.Attestations[:last]
		return r.fault("predicateType is said to be %q, and %q is signed", clip(stated, 80), clip(signed, 80))
	}
	return nil
}

// addMessage notes a signature over a file: it tells who signed, not how the
// file was built.
func (r *attestations) addMessage(m *messageSignature, a Attestation) error {
	algorithm, known := map[string]string{"SHA2_256": "sha256", "SHA2_384": "sha384", "SHA2_512": "sha512"}[m.algorithm]
	if !known {
		return r.fault("messageDigest: algorithm %q is not read; without a digest nobody knows which file is signed", clip(m.algorithm, 40))
	}
	digest, err := fromBase64(m.digest)
	if err != nil || len(digest) == 0 {
		return r.fault("messageDigest: is not base64")
	}
	signature, err := fromBase64(m.signature)
	if err != nil {
		return r.fault("signature: %v", err)
	}
	a.Subjects = []Subject{{Digests: map[string]string{algorithm: hex.EncodeToString(digest)}}}
	a.Signatures, a.signatures = 1, [][]byte{signature}
	if err := a.identify(); err != nil {
		return r.fault("%v", err)
	}
	return r.add(a)
}

// Fulcio's extensions, and the name for those who have no address.
var (
	issuerText  = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1} // the bare text
	issuerDER   = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}
	userName    = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 7}
	subjectName = asn1.ObjectIdentifier{2, 5, 29, 17}
)

// identify reads whom the certificate names.
func (a *Attestation) identify() error {
	if a.Certificate == nil {
		return nil
	}
	certificate, err := x509.ParseCertificate(a.Certificate)
	if err != nil {
		return fmt.Errorf("certificate: %s", strings.TrimPrefix(err.Error(), "x509: "))
	}
	var names []string
	for _, uri := range certificate.URIs {
		names = append(names, uri.String())
	}
	names = append(append(names, certificate.EmailAddresses...), certificate.DNSNames...)
	for _, extension := range certificate.Extensions {
		switch {
		case extension.Id.Equal(subjectName):
			names = append(names, userNames(extension.Value)...)
		case extension.Id.Equal(issuerText) && a.Issuer == "":
			a.Issuer = string(extension.Value)
		case extension.Id.Equal(issuerDER):
			var issuer string
			if _, err := asn1.Unmarshal(extension.Value, &issuer); err == nil {
				a.Issuer = issuer
			}
		}
	}
	a.Identity = strings.Join(names, ", ")
	return nil
}

// userNames are the names in a certificate that Go does not read.
func userNames(extension []byte) (names []string) {
	var general []asn1.RawValue
	if _, err := asn1.Unmarshal(extension, &general); err != nil {
		return nil
	}
	for _, name := range general {
		var other struct {
			ID    asn1.ObjectIdentifier
			Value string `asn1:"explicit,tag:0,utf8"`
		}
		if name.Class != asn1.ClassContextSpecific || name.Tag != 0 {
			continue
		}
		if _, err := asn1.UnmarshalWithParams(name.FullBytes, &other, "tag:0"); err == nil && other.ID.Equal(userName) {
			names = append(names, other.Value)
		}
	}
	return names
}
