package artifact

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"
)

// standing judges a signer at a time. Expired is who would be trusted if his
// certificates had no end and no beginning.
func (j *spcJudge) standing(signer *x509.Certificate, certificates []*x509.Certificate, at time.Time) (Status, string) {
	root, err := j.chain(signer, certificates, x509.ExtKeyUsageCodeSigning, at)
	if err == nil {
		return Valid, fmt.Sprintf("sound, and trusted through %s", root)
	}
	var timeless []*x509.Certificate
	for _, c := range certificates {
		timeless = append(timeless, withoutEnd(c))
	}
	for _, other := range []time.Time{at, signer.NotAfter, signer.NotBefore} { // the roots have an end
		if _, ever := j.chain(withoutEnd(signer), timeless, x509.ExtKeyUsageCodeSigning, other); ever != nil {
			continue
		}
		if at.After(signer.NotAfter) {
			return Expired, fmt.Sprintf("its certificate was good until %s, and no trusted timestamp says that it was signed by then", signer.NotAfter.UTC().Format(time.DateOnly))
		}
		return Expired, fmt.Sprintf("its certificates were not good on %s: %s", at.UTC().Format(time.DateOnly), clip(err.Error(), 200))
	}
	if bytes.Equal(signer.RawIssuer, signer.RawSubject) && errors.As(err, new(x509.UnknownAuthorityError)) {
		return Untrusted, "its certificate is self-signed, and not among those that are trusted"
	}
	return Untrusted, clip(err.Error(), 300)
}

// withoutEnd is a certificate that is always good, but not by its own word.
func withoutEnd(c *x509.Certificate) *x509.Certificate {
	always := *c
	always.NotBefore, always.NotAfter = time.Time{}, time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	return &always
}

// chain finds a chain to a given root at a time, and names the root. Unlike
// crypto/x509, a certificate that does not say what it is for is for nothing.
func (j *spcJudge) chain(c *x509.Certificate, certificates []*x509.Certificate, usage x509.ExtKeyUsage, at time.Time) (string, error) {
	if !slices.Contains(c.ExtKeyUsage, usage) {
		return "", fmt.Errorf("its certificate is not for %s", map[x509.ExtKeyUsage]string{
			x509.ExtKeyUsageCodeSigning:  "signing code",
			x509.ExtKeyUsageTimeStamping: "timestamps",
		}[usage])
	}
	if c.KeyUsage != 0 && c.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0 {
		return "", errors.New("its certificate is not for signatures")
	}
	if at.IsZero() {
		at = at.Add(1) // crypto/x509 would ask the clock
	}
	pool := x509.NewCertPool()
	for _, other := range certificates {
		pool.AddCert(other)
	}
	chains, err := c.Verify(x509.VerifyOptions{Roots: j.roots, Intermediates: pool, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{usage}})
	if err != nil {
		return "", err
	}
	return clip(chains[0][len(chains[0])-1].Subject.String(), 200), nil
}

// trustedTime is the earliest time that a trusted timestamp gives. One that
// lies ahead is not believed.
func (j *spcJudge) trustedTime(stamps []stamp) (earliest time.Time, ok bool) {
	for _, s := range stamps {
		_, err := j.chain(s.signer, s.certificates, x509.ExtKeyUsageTimeStamping, s.at)
		if err == nil && s.at.After(j.now) {
			err = errors.New("it lies ahead")
		}
		if err != nil {
			j.notes = append(j.notes, fmt.Sprintf("the timestamp %s by %s does not count: %s",
				s.at.UTC().Format(time.RFC3339), clip(s.signer.Subject.String(), 200), clip(err.Error(), 200)))
			continue
		}
		if !ok || s.at.Before(earliest) {
			earliest, ok = s.at.UTC(), true
		}
	}
	return earliest, ok
}

// strayCertificates says what is wrong with certificates that come along with a
// signature. They are not signed by it, so each must be what its issuer signed,
// and one whose issuer is not at hand must at least belong to a chain: some
// installers hide data in one that does not.
func (j *spcJudge) strayCertificates(c *cms, stamps []stamp) (string, error) {
	all, lists, chained := slices.Clone(c.certificates), slices.Clone(c.lists), []*x509.Certificate{c.signer}
	unread := slices.Clone(c.unread)
	for _, s := range stamps {
		all, lists, chained, unread = append(all, s.certificates...), append(lists, s.lists...), append(chained, s.signer), append(unread, s.unread...)
	}
	slices.SortStableFunc(all, func(a, b *x509.Certificate) int { return bytes.Compare(a.Raw, b.Raw) })
	all = slices.CompactFunc(all, func(a, b *x509.Certificate) bool { return a.Equal(b) })
	for i := 0; i < len(chained); i++ {
		for _, parent := range all {
			if err := j.signedBy(chained[i], parent); (err == nil || errors.Is(err, errOldAlgorithm)) && !slices.ContainsFunc(chained, parent.Equal) {
				chained = append(chained, parent)
			}
		}
	}
	for _, one := range all {
		name := clip(one.Subject.String(), 200)
		inChain := slices.ContainsFunc(chained, one.Equal)
		err := j.answeredFor(one, all)
		if j.checks > maxSPCChecks {
			return "", damaged("signature", "its certificates take more than %d checks", maxSPCChecks)
		}
		switch {
		case err == nil && !inChain:
			j.notes = append(j.notes, fmt.Sprintf("the signature comes with a certificate of %s, which is in no chain of it", name))
		case errors.Is(err, errNoIssuer) && !inChain:
			return fmt.Sprintf("the signature comes with a certificate of %s, which is in no chain of it: data can be hidden there", name), nil
		case err != nil && !errors.Is(err, errNoIssuer):
			return fmt.Sprintf("the certificate of %s that comes with the signature was changed: %v", name, err), nil
		}
	}
	for _, odd := range unread {
		if !j.signedOdd(odd, all) {
			return fmt.Sprintf("the signature comes with a certificate that cannot be read, and that nobody at hand signed, where data can be hidden: %v", odd.why), nil
		}
		j.notes = append(j.notes, fmt.Sprintf("the signature comes with a certificate that cannot be read, and is left out: %v", odd.why))
	}
	for _, list := range lists {
		if !j.signedList(list, all) {
			return "the signature comes with a list of revoked certificates that nobody at hand signed: data can be hidden there", nil
		}
	}
	return "", nil
}

// signedList tells whether one of the certificates or roots signed a list.
func (j *spcJudge) signedList(list pkix.CertificateList, others []*x509.Certificate) bool {
	der, err := asn1.Marshal(list)
	if err != nil {
		return false
	}
	parsed, err := x509.ParseRevocationList(der)
	return err == nil && slices.ContainsFunc(slices.Concat(others, j.given), func(parent *x509.Certificate) bool {
		if !bytes.Equal(parsed.RawIssuer, parent.RawSubject) || j.checks >= maxSPCChecks {
			return false
		}
		j.checks++
		return parsed.CheckSignatureFrom(parent) == nil
	})
}

var (
	errNoIssuer     = errors.New("its issuer is not at hand")
	errOldAlgorithm = errors.New("it was signed with an algorithm that is no longer checked")
)

// answeredFor looks for the issuer of a certificate among others and the roots.
func (j *spcJudge) answeredFor(c *x509.Certificate, others []*x509.Certificate) error {
	result := errNoIssuer
	for _, parent := range slices.Concat(others, j.given) {
		switch err := j.signedBy(c, parent); {
		case err == nil:
			return nil
		case !errors.Is(err, errNoIssuer) && !errors.Is(err, errOldAlgorithm):
			result = err
		}
	}
	return result
}

// signedBy tells whether a certificate was signed with another one's key;
// errNoIssuer if that other one is not who it names, errOldAlgorithm if the
// algorithm is one that is no longer checked.
func (j *spcJudge) signedBy(c, parent *x509.Certificate) error {
	if !bytes.Equal(c.RawIssuer, parent.RawSubject) ||
		len(c.AuthorityKeyId) > 0 && len(parent.SubjectKeyId) > 0 && !bytes.Equal(c.AuthorityKeyId, parent.SubjectKeyId) {
		return errNoIssuer
	}
	if j.checks++; j.checks > maxSPCChecks {
		return errNoIssuer // the caller sees the count
	}
	err := parent.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
	var insecure x509.InsecureAlgorithmError
	if errors.Is(err, x509.ErrUnsupportedAlgorithm) || errors.As(err, &insecure) {
		return errOldAlgorithm
	}
	return err
}
