package artifact

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"io"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/sassoftware/relic/v8/lib/authenticode"
	"github.com/sassoftware/relic/v8/lib/binpatch"
	"github.com/sassoftware/relic/v8/lib/pkcs7"
	"github.com/sassoftware/relic/v8/lib/x509tools"
)

// spcNow is when the tests look; certificates are good a year to either side.
var spcNow = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

// spcParty is somebody with a key and a certificate.
type spcParty struct {
	key  crypto.Signer
	cert *x509.Certificate
}

// steadyKey signs the same thing in the same way, so that all processes of a
// fuzz test make the same files.
type steadyKey struct{ *ecdsa.PrivateKey }

func (k steadyKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.PrivateKey.Sign(nil, digest, opts)
}

// issue makes a certificate, signed by an issuer or, without one, by itself.
func issue(t testing.TB, issuer *spcParty, name string, change func(*x509.Certificate)) *spcParty {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
	if err != nil {
		t.Fatal(err)
	}
	return issueFor(t, steadyKey{key}, issuer, name, change)
}

func issueFor(t testing.TB, key crypto.Signer, issuer *spcParty, name string, change func(*x509.Certificate)) *spcParty {
	t.Helper()
	serial := sha256.Sum256([]byte("serial of " + name))
	c := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial[:15]), Subject: pkix.Name{CommonName: name, Organization: []string{"Test"}},
		NotBefore: spcNow.AddDate(-1, 0, 0), NotAfter: spcNow.AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	if issuer == nil {
		c.IsCA, c.BasicConstraintsValid, c.ExtKeyUsage, c.KeyUsage = true, true, nil, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
		c.NotBefore, c.NotAfter = spcNow.AddDate(-20, 0, 0), spcNow.AddDate(20, 0, 0)
	}
	if change != nil {
		change(c)
	}
	parent, by := c, key
	if issuer != nil {
		parent, by = issuer.cert, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return &spcParty{key, c}
}

func timestamping(c *x509.Certificate) {
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}
}

func trusting(t testing.TB, parties ...*spcParty) *Trust {
	t.Helper()
	files := map[string][]byte{}
	for _, p := range parties {
		files[p.cert.SerialNumber.String()] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw})
	}
	trust, err := ParseTrust(files)
	if err != nil {
		t.Fatal(err)
	}
	return trust
}

// signedSPC signs an indirect data structure of any kind. The signature comes
// with the signer's certificate and those given; extend adds what is not signed.
func signedSPC(t testing.TB, indirect any, hash crypto.Hash, by *spcParty, more []*spcParty, extend ...func(*pkcs7.SignerInfo)) []byte {
	t.Helper()
	psd := signedCMS(t, authenticode.OidSpcIndirectDataContent, indirect, hash, by, more, time.Time{})
	for _, change := range extend {
		change(&psd.Content.SignerInfos[0])
	}
	der, err := psd.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func signedCMS(t testing.TB, kind asn1.ObjectIdentifier, content any, hash crypto.Hash, by *spcParty, more []*spcParty, at time.Time) *pkcs7.ContentInfoSignedData {
	t.Helper()
	certificates := []*x509.Certificate{by.cert}
	for _, p := range more {
		certificates = append(certificates, p.cert)
	}
	b := pkcs7.NewBuilder(by.key, certificates, hash)
	err := b.SetContent(kind, content)
	if err == nil && at.IsZero() {
		err = b.AddAuthenticatedAttribute(authenticode.OidSpcStatementType, authenticode.SpcSpStatementType{Type: authenticode.OidSpcIndividualPurpose})
	} else if err == nil {
		err = b.AddAuthenticatedAttribute(pkcs7.OidAttributeSigningTime, at.UTC())
	}
	if err != nil {
		t.Fatal(err)
	}
	psd, err := b.Sign()
	if err != nil {
		t.Fatal(err)
	}
	return psd
}

func mustAdd(t testing.TB, info *pkcs7.SignerInfo, kind asn1.ObjectIdentifier, value any) {
	t.Helper()
	if err := info.UnauthenticatedAttributes.Add(kind, value); err != nil {
		t.Fatal(err)
	}
}

// stamped adds an RFC 3161 timestamp; about changes what it is about.
func stamped(t testing.TB, tsa *spcParty, at time.Time, about func([]byte) []byte) func(*pkcs7.SignerInfo) {
	return func(info *pkcs7.SignerInfo) {
		value := info.EncryptedDigest
		if about != nil {
			value = about(slices.Clone(value))
		}
		h := crypto.SHA256.New()
		h.Write(value)
		algorithm, _ := x509tools.PkixDigestAlgorithm(crypto.SHA256)
		tst, err := asn1.Marshal(struct {
			Version int
			Policy  asn1.ObjectIdentifier
			Imprint struct {
				Algorithm pkix.AlgorithmIdentifier
				Digest    []byte
			}
			Serial int
			Time   time.Time `asn1:"generalized"`
		}{1, asn1.ObjectIdentifier{1, 2, 3}, struct {
			Algorithm pkix.AlgorithmIdentifier
			Digest    []byte
		}{algorithm, h.Sum(nil)}, 7, at.UTC()})
		if err != nil {
			t.Fatal(err)
		}
		mustAdd(t, info, oidSPCTimestamp, *signedCMS(t, oidTSTInfo, tst, crypto.SHA256, tsa, nil, at))
	}
}

// countersigned adds a PKCS#9 countersignature, whose certificate must come
// with the signature.
func countersigned(t testing.TB, tsa *spcParty, at time.Time, hash crypto.Hash) func(*pkcs7.SignerInfo) {
	return func(info *pkcs7.SignerInfo) {
		mustAdd(t, info, oidCounterSignature, signedCMS(t, oidData, info.EncryptedDigest, hash, tsa, nil, at).Content.SignerInfos[0])
	}
}

// withList puts a list of revoked certificates into a signature.
func withList(t testing.TB, der []byte, by *spcParty) []byte {
	t.Helper()
	list, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: spcNow, NextUpdate: spcNow}, by.cert, by.key)
	if err != nil {
		t.Fatal(err)
	}
	psd, err := pkcs7.Unmarshal(der)
	if err == nil {
		psd.Content.CRLs = make([]pkix.CertificateList, 1)
		_, err = asn1.Unmarshal(list, &psd.Content.CRLs[0])
	}
	if err != nil {
		t.Fatal(err)
	}
	if der, err = psd.Marshal(); err != nil {
		t.Fatal(err)
	}
	return der
}

// nesting adds a second signature.
func nesting(t testing.TB, der []byte) func(*pkcs7.SignerInfo) {
	return func(info *pkcs7.SignerInfo) { mustAdd(t, info, oidSPCNested, asn1.RawValue{FullBytes: der}) }
}

// patched applies what a signer would write into the file.
func patched(file []byte, patch *binpatch.PatchSet) []byte {
	out := slices.Clone(file)
	for i := len(patch.Patches) - 1; i >= 0; i-- {
		p := patch.Patches[i]
		out = slices.Concat(out[:p.Offset], patch.Blobs[i], out[p.Offset+int64(p.OldSize):])
	}
	return out
}

func lookAt(name string, file []byte, trust *Trust, now time.Time) (Info, error) {
	return Look(Source{name, int64(len(file)), bytes.NewReader(file)}, trust, now)
}

// spcIndirect is what is signed, with a digest of choice.
func spcIndirect(t testing.TB, kind spcKind, hash crypto.Hash, digest []byte) authenticode.SpcIndirectDataContentMsi {
	t.Helper()
	algorithm, ok := x509tools.PkixDigestAlgorithm(hash)
	if !ok {
		t.Fatalf("no algorithm for %v", hash)
	}
	var indirect authenticode.SpcIndirectDataContentMsi
	indirect.Data.Type = kind.oid
	if kind.modules != nil {
		indirect.Data.Value = authenticode.SpcSipInfo{A: 1, UUID: kind.modules[0]}
	}
	indirect.MessageDigest.DigestAlgorithm, indirect.MessageDigest.Digest = algorithm, digest
	return indirect
}

// neverValid looks at every beginning of a file, and at the file with each byte
// changed, where may says that this must be noticed.
func neverValid(t *testing.T, file []byte, trust *Trust, may func(i int) bool) {
	t.Helper()
	for n := range file {
		if info, err := lookAt("cut", file[:n], trust, spcNow); err == nil && info.Signature.Status == Valid {
			t.Errorf("cut to %d of %d bytes, and valid", n, len(file))
		}
	}
	for i := range file {
		for _, bits := range []byte{0x01, 0x80, 0xff} {
			changed := slices.Clone(file)
			changed[i] ^= bits
			if info, err := lookAt("flipped", changed, trust, spcNow); err == nil && info.Signature.Status == Valid && !may(i) {
				t.Errorf("byte %#x of %#x changed by %#x, and valid", i, len(file), bits)
			}
		}
	}
}

// fuzzLook: whatever the bytes are, no panic; and valid only if same allows it.
func fuzzLook(f *testing.F, trust *Trust, same func(data []byte) bool, seeds ...[]byte) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		info, err := lookAt("fuzz", data, trust, spcNow)
		if err == nil && info.Signature.Status == Valid && !same(data) {
			t.Errorf("valid, and not what was signed")
		}
		if err == nil && info.Signature.Status == "" {
			t.Errorf("no status")
		}
	})
}
