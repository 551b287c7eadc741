package artifact

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"slices"

	"github.com/sassoftware/relic/v8/lib/pkcs7"
)

// oddCertificate is one that crypto/x509 cannot read, which Windows may. What
// rests on it cannot be judged; so it is no reason to call a file invalid.
type oddCertificate struct {
	raw []byte
	why error
}

// oddParts is as much of a certificate as tells who it names and who signed it.
type oddParts struct {
	Signed struct {
		Raw       asn1.RawContent
		Version   int `asn1:"optional,explicit,tag:0"`
		Serial    *big.Int
		Algorithm asn1.RawValue
		Issuer    asn1.RawValue
	}
	Algorithm asn1.RawValue
	Signature asn1.BitString
}

func (o oddCertificate) parts() (parts oddParts, ok bool) {
	rest, err := asn1.Unmarshal(o.raw, &parts)
	return parts, err == nil && len(rest) == 0
}

// named tells whether a signer's issuer and number are those of the certificate.
func (o oddCertificate) named(signer pkcs7.IssuerAndSerial) bool {
	parts, ok := o.parts()
	return ok && signer.SerialNumber != nil && parts.Signed.Serial.Cmp(signer.SerialNumber) == 0 &&
		bytes.Equal(parts.Signed.Issuer.FullBytes, signer.IssuerName.FullBytes)
}

// oddAlgorithms are those that a certificate may be signed with.
var oddAlgorithms = []x509.SignatureAlgorithm{
	x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA, x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512, x509.PureEd25519,
}

// signedOdd tells whether one of the certificates or roots signed it as it is:
// then nobody else put anything there.
func (j *spcJudge) signedOdd(odd oddCertificate, others []*x509.Certificate) bool {
	parts, ok := odd.parts()
	if !ok {
		return false
	}
	for _, parent := range slices.Concat(others, j.given) {
		if !bytes.Equal(parts.Signed.Issuer.FullBytes, parent.RawSubject) {
			continue
		}
		for _, algorithm := range oddAlgorithms {
			if j.checks++; j.checks > maxSPCChecks {
				return false
			}
			if parent.CheckSignature(algorithm, parts.Signed.Raw, parts.Signature.RightAlign()) == nil {
				return true
			}
		}
	}
	return false
}
