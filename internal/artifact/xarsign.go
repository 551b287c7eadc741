package artifact

import (
	"bytes"
	"cmp"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// altered says what of the archive is not what its checksums say, if anything
// is: the table of contents, or a file.
func (x *xar) altered() (reason string, err error) {
	told := make([]byte, min(x.checksum.to-x.checksum.from, 64))
	if err := fillFrom(x, told, x.heapAt+x.checksum.from); err != nil {
		return "", zipError("checksum", err)
	}
	if !bytes.Equal(told, x.tocSum) {
		return "the table of contents is not what its checksum is of: it was altered", nil
	}
	var last *xarFile
	ordered := slices.Clone(x.files)
	slices.SortFunc(ordered, func(a, b *xarFile) int { return cmp.Compare(a.from, b.from) })
	for _, f := range ordered {
		if f.from == f.to || last != nil && last.from == f.from {
			continue
		}
		last = f
		algorithm := xarAlgorithms[f.style]
		if algorithm == 0 {
			return fmt.Sprintf("%q has no checksum", f.name), nil
		}
		sum := algorithm.New()
		if _, err := io.Copy(sum, io.NewSectionReader(x, x.heapAt+f.from, f.to-f.from)); err != nil {
			return "", err
		}
		if hex.EncodeToString(sum.Sum(nil)) != strings.ToLower(strings.TrimSpace(f.digest)) {
			return fmt.Sprintf("%q is not what its checksum is of: it was altered", f.name), nil
		}
	}
	return "", nil
}

// weakest is the weakest checksum that the archive relies on.
func (x *xar) weakest() string {
	styles := map[string]bool{x.checksum.style: true}
	for _, f := range x.files {
		if f.from != f.to {
			styles[f.style] = true
		}
	}
	for _, weak := range []string{"none", "md5", "sha1"} {
		if styles[weak] {
			return weak
		}
	}
	return ""
}

// signature judges the RSA signature over the checksum of the table of contents.
// The notes are about the other one, in CMS.
func (x *xar) signature(trust *Trust, now time.Time) (found Signature, notes []string, err error) {
	if x.rsa == nil {
		if x.cms != nil {
			return Signature{Status: Untrusted, Reason: "carries a CMS signature only, a kind that is not checked"}, nil, nil
		}
		return Signature{Status: Unsigned, Reason: "the package carries no signature"}, nil, nil
	}
	certificates, reason := x.rsa.parse()
	if reason != "" {
		return Signature{Status: Invalid, Reason: reason}, nil, nil
	}
	leaf := certificates[0]
	fingerprint := sha256.Sum256(leaf.Raw)
	found = Signature{
		Signer: clip(leaf.Subject.String(), maxField), Issuer: clip(leaf.Issuer.String(), maxField),
		Fingerprint: hex.EncodeToString(fingerprint[:]), NotAfter: leaf.NotAfter.UTC(), Digest: x.algorithm.String(),
	}
	if found.Status, found.Reason, err = x.verify(leaf); err != nil || found.Status != "" {
		return found, nil, err
	}
	if found.Timestamp, notes, err = x.stampedTime(leaf, trust, now); err != nil {
		return found, nil, err
	}
	found.Status, found.Reason = judgeInstaller(certificates, trust, found.Timestamp, now)
	switch weak, bits := x.weakest(), leaf.PublicKey.(*rsa.PublicKey).N.BitLen(); {
	case found.Status == Valid && (weak == "md5" || weak == "none"):
		found.Status, found.Reason = Untrusted, fmt.Sprintf("sound, but a checksum of kind %q is too weak to rely on", weak)
	case found.Status == Valid && bits < minKeyBits:
		found.Status, found.Reason = Untrusted, fmt.Sprintf("sound, but a key of %d bits is too weak to rely on", bits)
	}
	return found, notes, nil
}

// verify says what is wrong with the RSA signature; nothing if it is sound.
func (x *xar) verify(leaf *x509.Certificate) (Status, string, error) {
	key, ok := leaf.PublicKey.(*rsa.PublicKey)
	if !ok || x.rsa.style != "rsa" || x.algorithm == 0 {
		return Untrusted, "the signature is of a kind that is not checked", nil
	}
	if x.rsa.to-x.rsa.from != int64(key.Size()) {
		return Invalid, "the signature is not as long as the key", nil
	}
	value := make([]byte, key.Size())
	if err := fillFrom(x, value, x.heapAt+x.rsa.from); err != nil {
		return "", "", zipError("signature", err)
	}
	again := x.algorithm.New() // old packages are signed over the digest of the checksum
	again.Write(x.tocSum)
	if rsa.VerifyPKCS1v15(key, x.algorithm, x.tocSum, value) != nil && rsa.VerifyPKCS1v15(key, x.algorithm, again.Sum(nil), value) != nil {
		return Invalid, "the table of contents is not what was signed", nil
	}
	return "", "", nil
}

func (s *xarSigned) parse() (certificates []*x509.Certificate, reason string) {
	for _, text := range s.certificates {
		der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil {
			return nil, "a certificate of the signature is not in base64"
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, "a certificate of the signature cannot be read: " + err.Error()
		}
		// Apple marks what kind of certificate it is by extensions of its own, which are critical.
		certificate.UnhandledCriticalExtensions = slices.DeleteFunc(certificate.UnhandledCriticalExtensions, func(id asn1.ObjectIdentifier) bool {
			return len(id) > len(oidAppleExtension) && id[:len(oidAppleExtension)].Equal(oidAppleExtension)
		})
		certificates = append(certificates, certificate)
	}
	if len(certificates) == 0 {
		return nil, "the signature comes without a certificate"
	}
	return certificates, ""
}

var (
	oidAppleExtension = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6}
	oidInstaller      = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 4, 13} // Developer ID Installer
)

// judgeInstaller looks whether the first certificate's chain ends at a given
// root, and whether it may sign installers: by Apple's usage for that, or by
// that for code. Without either it may not. stamped is when it was signed, or
// zero if nobody says; then the certificate must be good now.
func judgeInstaller(certificates []*x509.Certificate, trust *Trust, stamped, now time.Time) (Status, string) {
	leaf := certificates[0]
	if trust == nil {
		trust = &Trust{roots: x509.NewCertPool()}
	}
	options := x509.VerifyOptions{Roots: trust.roots, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	for _, c := range certificates[1:] {
		options.Intermediates.AddCert(c)
	}
	verify := func(at time.Time) error {
		options.CurrentTime = at
		_, err := leaf.Verify(options)
		return err
	}
	at, says := now, "nobody says when it was signed"
	if !stamped.IsZero() {
		at, says = stamped, "it was signed on "+stamped.Format(time.DateOnly)
	}
	err := verify(at)
	switch {
	case err != nil && (verify(leaf.NotAfter) == nil || verify(leaf.NotBefore) == nil):
		return Expired, fmt.Sprintf("the certificate (or one above it) is good from %s to %s only, and %s",
			leaf.NotBefore.UTC().Format(time.DateOnly), leaf.NotAfter.UTC().Format(time.DateOnly), says)
	case err != nil:
		return Untrusted, "signed by somebody who is not among the trusted: " + err.Error()
	case !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageCodeSigning) && !slices.ContainsFunc(leaf.UnknownExtKeyUsage, oidInstaller.Equal):
		return Untrusted, "the certificate is for neither installers nor code"
	case leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return Untrusted, "the certificate is not for signatures"
	}
	return Valid, "signed by " + clip(leaf.Subject.CommonName, 200)
}

// ticket tells what follows the heap: nothing; a notarization ticket between
// two trailers of 16 bytes; or something else.
func (x *xar) ticket() (ticket bool, surplus int64, err error) {
	const trailer, terminates, isTicket = 16, 1, 2
	end := x.heapAt + x.end
	rest := x.Size - end
	if rest < 2*trailer {
		return false, rest, nil
	}
	var first, last [trailer]byte
	if err := fillFrom(x, first[:], end); err != nil {
		return false, 0, err
	}
	if err := fillFrom(x, last[:], x.Size-trailer); err != nil {
		return false, 0, err
	}
	is := func(b [trailer]byte, kind uint16, length int64) bool {
		return string(b[:4]) == "t8lr" && binary.LittleEndian.Uint16(b[6:]) == kind && int64(binary.LittleEndian.Uint32(b[8:])) == length
	}
	if is(first, terminates, 0) && is(last, isTicket, rest-2*trailer) {
		return true, 0, nil
	}
	return false, rest, nil
}
