package artifact

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"time"

	"github.com/sassoftware/relic/v8/lib/pkcs7"
)

// A macOS package carries a CMS signature beside the RSA signature, by the same
// certificate and over the same checksum. It counts for one thing: the timestamp
// in it says that the certificate had signed by then.

// stampedTime is when the package was signed, as a trusted timestamp says; zero
// if none does. The notes say why not, or what else there is to know.
func (x *xar) stampedTime(signer *x509.Certificate, trust *Trust, now time.Time) (time.Time, []string, error) {
	if x.cms == nil {
		return time.Time{}, nil, nil
	}
	ber := make([]byte, min(x.cms.to-x.cms.from, maxBERBytes))
	if err := fillFrom(x, ber, x.heapAt+x.cms.from); err != nil {
		return time.Time{}, nil, zipError("x-signature", err)
	}
	stamps, err := xarStamps(ber, x.tocSum, signer)
	if err != nil {
		return time.Time{}, []string{fmt.Sprintf("carries a CMS signature too, which does not count: %s", clip(err.Error(), 300))}, nil
	}
	if len(stamps) == 0 {
		return time.Time{}, []string{"carries a CMS signature too, without a timestamp"}, nil
	}
	j := newSPCJudge(trust, now)
	at, _ := j.trustedTime(stamps)
	return at, j.notes, nil
}

// xarStamps checks the CMS signature over the checksum of the table of contents,
// and reads the timestamps in it.
func xarStamps(ber, checksum []byte, signer *x509.Certificate) ([]stamp, error) {
	der, err := derOf(ber)
	if err != nil {
		return nil, err
	}
	signed, err := readSignedData(der)
	if err != nil {
		return nil, err
	}
	sd := signed.Content
	c := &cms{info: sd.SignerInfos[0], contentType: oidData}
	if c.certificates, _, err = parseCertificates(sd.Certificates); err != nil {
		return nil, err
	}
	if c.signer, err = c.info.FindCertificate(c.certificates); err != nil {
		return nil, err
	}
	switch {
	case !c.signer.Equal(signer):
		return nil, errors.New("it is by another certificate")
	case !contentIs(sd.ContentInfo, checksum):
		return nil, errors.New("it is over something else that it holds")
	case c.weakDigest("") == crypto.MD5.String():
		return nil, errors.New("it rests on MD5")
	}
	if err := c.verifyDetached(checksum); err != nil {
		return nil, fmt.Errorf("it is not over this table of contents: %w", err)
	}
	stamps, err := c.stamps()
	if err != nil {
		return nil, fmt.Errorf("its timestamp is broken: %w", err)
	}
	return stamps, nil
}

// verifyDetached checks that the signer signed a content that is not part of the
// signature. Without signed attributes, it is over the content's digest itself.
func (c *cms) verifyDetached(content []byte) error {
	if len(c.info.AuthenticatedAttributes) > 0 {
		return verifySigner(&c.info, c.contentType, content, c.certificates)
	}
	_, err := c.info.Verify(content, false, c.certificates)
	return err
}

// contentIs tells whether a signature's content is left out, as it should be, or
// at least what it is checked against.
func contentIs(info pkcs7.ContentInfo, content []byte) bool {
	bare, err := asn1.Marshal(struct{ Type asn1.ObjectIdentifier }{info.ContentType})
	if err == nil && bytes.Equal(info.Raw, bare) {
		return info.ContentType.Equal(oidData)
	}
	var octets []byte
	inside, err := cmsContent(info.Raw, oidData)
	if err == nil {
		_, err = asn1.Unmarshal(inside, &octets)
	}
	return err == nil && bytes.Equal(octets, content)
}
