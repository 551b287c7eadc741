package artifact

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
)

// Trust is whose signatures count: nothing else does, not the system's roots
// and not the network. A nil Trust trusts nobody.
type Trust struct {
	roots        *x509.CertPool      // certificates that chains may end at
	certificates []*x509.Certificate // the same: a pool cannot be asked for them
	keys         openpgp.EntityList  // OpenPGP keys
	plain        []crypto.PublicKey  // without a certificate: what provenance is signed with
}

// PublicKeys are the trusted keys that stand alone, without a certificate.
func (t *Trust) PublicKeys() []crypto.PublicKey {
	if t == nil {
		return nil
	}
	return t.plain
}

// ParseTrust reads certificates (PEM or DER), public keys (PEM) and OpenPGP public
// keys (armoured or binary), by the files' names. A file that is neither is an error: a root
// that is silently not there would be worse.
func ParseTrust(files map[string][]byte) (*Trust, error) {
	t := &Trust{roots: x509.NewCertPool()}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := t.add(files[name]); err != nil {
			return nil, fmt.Errorf("trust %s: %w", name, err)
		}
	}
	return t, nil
}

func (t *Trust) add(data []byte) error {
	if bytes.Contains(data, []byte("-----BEGIN PGP ")) {
		return t.addKeys(data)
	}
	if bytes.Contains(data, []byte("-----BEGIN ")) {
		return t.addPEM(data)
	}
	if certificate, err := x509.ParseCertificate(data); err == nil {
		t.addRoot(certificate)
		return nil
	}
	return t.addKeys(data)
}

func (t *Trust) addRoot(c *x509.Certificate) {
	t.roots.AddCert(c)
	t.certificates = append(t.certificates, c)
}

func (t *Trust) addPEM(data []byte) error {
	for n := 0; ; n++ {
		block, rest := pem.Decode(data)
		if block == nil {
			if n == 0 || len(bytes.TrimSpace(rest)) > 0 {
				return errors.New("is no PEM, or something follows it that is none")
			}
			return nil
		}
		if err := t.addBlock(block); err != nil {
			return err
		}
		data = rest
	}
}

func (t *Trust) addBlock(block *pem.Block) error {
	switch block.Type {
	case "CERTIFICATE":
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return err
		}
		t.addRoot(certificate)
	case "PUBLIC KEY":
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return err
		}
		t.plain = append(t.plain, key)
	default:
		return fmt.Errorf("holds a %s; certificates and public keys are wanted", block.Type)
	}
	return nil
}

func (t *Trust) addKeys(data []byte) error {
	read := openpgp.ReadKeyRing
	if bytes.Contains(data, []byte("-----BEGIN PGP ")) {
		read = openpgp.ReadArmoredKeyRing
		if block, err := armor.Decode(bytes.NewReader(data)); err == nil && block.Type != openpgp.PublicKeyType {
			return fmt.Errorf("holds a %s; a public key is wanted", block.Type)
		}
	}
	keys, err := read(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("is neither a certificate nor an OpenPGP public key: %w", err)
	}
	t.keys = append(t.keys, keys...)
	return nil
}
