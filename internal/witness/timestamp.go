package witness

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/sassoftware/relic/v8/lib/pkcs7"
)

// What RFC 3161 sends and answers, as far as it is written or read here.
type (
	imprint struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
	stampRequest struct {
		Version int
		Imprint imprint
		Nonce   *big.Int
		CertReq bool
	}
	stampReply struct {
		Status struct {
			Status int
			Text   []string       `asn1:"optional"`
			Fail   asn1.BitString `asn1:"optional"`
		}
		Token asn1.RawValue `asn1:"optional"`
	}
	stampInfo struct {
		Version  int
		Policy   asn1.ObjectIdentifier
		Imprint  imprint
		Serial   *big.Int
		Time     asn1.RawValue
		Accuracy struct {
			Seconds int `asn1:"optional"`
			Millis  int `asn1:"optional,tag:0"`
			Micros  int `asn1:"optional,tag:1"`
		} `asn1:"optional"`
		Ordering bool     `asn1:"optional"`
		Nonce    *big.Int `asn1:"optional"`
	}
)

var (
	oidStampInfo = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
	oidSHA256    = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
)

// newStampRequest asks for a time-stamp of text, with the authority's certificate
// in it.
func newStampRequest(text []byte) (nonce *big.Int, der []byte, err error) {
	random := make([]byte, 16)
	rand.Read(random)
	random[0] = random[0]&0x7f | 0x40 // as long in each request
	nonce = new(big.Int).SetBytes(random)
	sum := sha256.Sum256(text)
	der, err = asn1.Marshal(stampRequest{
		Version: 1, Nonce: nonce, CertReq: true,
		Imprint: imprint{pkix.AlgorithmIdentifier{Algorithm: oidSHA256, Parameters: asn1.NullRawValue}, sum[:]},
	})
	return nonce, der, err
}

// checkStamp checks an authority's answer: that it grants, is about text and for
// this request, and is signed by a certificate for time-stamping that it carries.
// Whose certificate that is, is for whoever relies on the time-stamp to check.
func checkStamp(der, text []byte, nonce *big.Int) (at time.Time, err error) {
	var reply stampReply
	rest, err := asn1.Unmarshal(der, &reply)
	switch {
	case err != nil || len(rest) > 0:
		return at, errors.New("its answer is no RFC 3161 time-stamp response")
	case reply.Status.Status > 1: // 0 granted, 1 granted with modifications
		return at, refusal("it refuses to stamp: status %d %.200q", reply.Status.Status, reply.Status.Text)
	case len(reply.Token.FullBytes) == 0:
		return at, errors.New("its answer grants a time-stamp, and there is none in it")
	}
	content, err := signedContent(reply.Token.FullBytes)
	if err != nil {
		return at, err
	}
	var info stampInfo
	if _, err := asn1.Unmarshal(content, &info); err != nil {
		return at, fmt.Errorf("its time-stamp cannot be read: %w", err)
	}
	sum := sha256.Sum256(text)
	switch {
	case !info.Imprint.Algorithm.Algorithm.Equal(oidSHA256) || !bytes.Equal(info.Imprint.Digest, sum[:]):
		return at, errors.New("its time-stamp is about something else")
	case info.Nonce == nil || info.Nonce.Cmp(nonce) != 0:
		return at, errors.New("its time-stamp answers another request")
	}
	if at, err = pkcs7.ParseTime(info.Time); err != nil {
		return at, fmt.Errorf("its time-stamp has no time: %w", err)
	}
	return at.UTC(), nil
}

// maxRSABits bounds what checking one signature costs.
const maxRSABits = 16 << 10

// signedContent is what a token (CMS signed data) says, its signature checked.
func signedContent(token []byte) ([]byte, error) {
	signed, err := pkcs7.Unmarshal(token)
	if err != nil {
		return nil, fmt.Errorf("its time-stamp cannot be read: %w", err)
	}
	sd := signed.Content
	if !signed.ContentType.Equal(pkcs7.OidSignedData) || !sd.ContentInfo.ContentType.Equal(oidStampInfo) || len(sd.SignerInfos) != 1 {
		return nil, errors.New("its time-stamp is not signed data about a time, by one signer")
	}
	certificates, err := sd.Certificates.Parse()
	if err != nil {
		return nil, fmt.Errorf("a certificate in its time-stamp cannot be read: %w", err)
	}
	for _, c := range certificates {
		if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxRSABits {
			return nil, fmt.Errorf("a certificate in its time-stamp has an RSA key of %d bits", key.N.BitLen())
		}
	}
	signer := sd.SignerInfos[0]
	var is asn1.ObjectIdentifier
	if err := signer.AuthenticatedAttributes.GetOne(pkcs7.OidAttributeContentType, &is); err != nil || !is.Equal(oidStampInfo) {
		return nil, errors.New("the signature of its time-stamp does not say what was signed")
	}
	content, err := sd.ContentInfo.Bytes()
	if err != nil || len(content) == 0 {
		return nil, errors.New("its time-stamp says nothing")
	}
	by, err := signer.Verify(content, false, certificates)
	if err != nil {
		return nil, fmt.Errorf("the signature of its time-stamp does not hold: %w", err)
	}
	if !slices.Contains(by.ExtKeyUsage, x509.ExtKeyUsageTimeStamping) {
		return nil, errors.New("its time-stamp is signed by a certificate that is not for time-stamping")
	}
	return content, nil
}
