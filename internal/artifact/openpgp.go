package artifact

import (
	"bytes"
	"crypto"
	_ "crypto/sha1" // what go-crypto hashes with must be linked
	_ "crypto/sha3"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Limits of OpenPGP signatures.
const (
	maxPGPSignature  = 1 << 20 // bytes, of all signatures in one place
	maxPGPSignatures = 4       // of one file
	minKeyBits       = 2048    // of RSA and DSA
)

// openPGP judges detached OpenPGP signatures (binary, or armoured) over a
// content. There is at least one, or the answer is invalid.
func (t *Trust) openPGP(signature []byte, content *pgpContent, now time.Time) (Signature, error) {
	packets, reason := signaturePackets(signature)
	if reason != "" {
		return Signature{Status: Invalid, Reason: reason}, nil
	}
	var all []Signature
	for _, p := range packets {
		s, err := t.openPGPPacket(p, content, now)
		if err != nil {
			return Signature{}, err
		}
		if all = append(all, s); spoilt(all) {
			break
		}
	}
	return combined(all), nil
}

// spoilt tells that one of the signatures is wrong: the others would change
// nothing, and each is a pass over the file.
func spoilt(all []Signature) bool {
	return slices.ContainsFunc(all, func(s Signature) bool { return s.Status == Invalid })
}

// combined is what several signatures of one file come to: one that is wrong
// spoils the file; else the best counts.
func combined(all []Signature) Signature {
	rank := []Status{Invalid, Valid, Expired, Untrusted}
	return slices.MinFunc(all, func(a, b Signature) int {
		return slices.Index(rank, a.Status) - slices.Index(rank, b.Status)
	})
}

// signaturePackets takes the packets apart, without their headers.
func signaturePackets(signature []byte) (bodies [][]byte, reason string) {
	if len(signature) > maxPGPSignature {
		return nil, fmt.Sprintf("the signature is larger than %d bytes", maxPGPSignature)
	}
	if bytes.HasPrefix(signature, []byte("-----BEGIN PGP ")) {
		block, err := armor.Decode(bytes.NewReader(signature))
		if err != nil || block.Type != openpgp.SignatureType {
			return nil, "the armour holds no OpenPGP signature"
		}
		if signature, err = io.ReadAll(block.Body); err != nil {
			return nil, "the armour of the signature is damaged: " + err.Error()
		}
	}
	for len(signature) > 0 {
		tag, body, rest, ok := nextPacket(signature)
		if !ok || tag != 2 {
			return nil, "holds something that is not an OpenPGP signature"
		}
		if bodies = append(bodies, body); len(bodies) > maxPGPSignatures {
			return nil, fmt.Sprintf("holds more than %d signatures", maxPGPSignatures)
		}
		signature = rest
	}
	if len(bodies) == 0 {
		return nil, "the signature is empty"
	}
	return bodies, ""
}

// nextPacket splits the first packet off. Lengths in parts and without end,
// which no signature has, are refused.
func nextPacket(b []byte) (tag byte, body, rest []byte, ok bool) {
	if len(b) < 2 || b[0]&0x80 == 0 {
		return 0, nil, nil, false
	}
	tag, length, at := b[0]&0x3f, 0, 2
	switch {
	case b[0]&0x40 == 0: // the old form
		tag >>= 2
		size := 1 << (b[0] & 3)
		if size == 8 || len(b) < 1+size {
			return 0, nil, nil, false
		}
		for _, octet := range b[1 : 1+size] {
			length = length<<8 | int(octet)
		}
		at = 1 + size
	case b[1] < 192:
		length = int(b[1])
	case b[1] < 224 && len(b) > 2:
		length, at = int(b[1]-192)<<8+int(b[2])+192, 3
	case b[1] == 255 && len(b) > 5:
		length, at = int(binary.BigEndian.Uint32(b[2:])), 6
	default:
		return 0, nil, nil, false
	}
	if length > len(b)-at {
		return 0, nil, nil, false
	}
	return tag, b[at : at+length], b[at+length:], true
}

// openPGPPacket judges one signature packet.
func (t *Trust) openPGPPacket(body []byte, content *pgpContent, now time.Time) (Signature, error) {
	if len(body) > 2 && pgpLengths[packet.PublicKeyAlgorithm(body[2])] == 0 {
		return Signature{Status: Untrusted, Reason: fmt.Sprintf("an OpenPGP signature of algorithm %d, a kind that is not checked", body[2])}, nil
	}
	header := binary.BigEndian.AppendUint32([]byte{0xc2, 255}, uint32(len(body)))
	p, err := packet.Read(io.MultiReader(bytes.NewReader(header), bytes.NewReader(body)))
	if _, unknown := errors.AsType[pgperrors.UnsupportedError](err); unknown {
		return Signature{Status: Untrusted, Reason: "an OpenPGP signature of a kind that is not checked: " + err.Error()}, nil
	}
	sig, ok := p.(*packet.Signature)
	switch {
	case err != nil || !ok:
		return Signature{Status: Invalid, Reason: fmt.Sprintf("not a sound OpenPGP signature: %v", err)}, nil
	case sig.SigType != packet.SigTypeBinary:
		return Signature{Status: Invalid, Reason: "an OpenPGP signature that is not over a file"}, nil
	}
	found := Signature{Digest: sig.Hash.String(), Signer: "a key it does not name"}
	if sig.IssuerKeyId != nil {
		found.Signer = fmt.Sprintf("key 0x%016X", *sig.IssuerKeyId)
		found.Fingerprint = hex.EncodeToString(sig.IssuerFingerprint)
	}
	keys := t.signersOf(sig)
	if len(keys) == 0 {
		found.Status, found.Reason = Untrusted, fmt.Sprintf("signed by %s, which is not among the trusted", found.Signer)
		return found, nil
	}
	for _, key := range keys {
		if err := found.verify(key, sig, body, content, now); err != nil {
			return Signature{}, err
		}
		if found.Status != Invalid {
			break
		}
	}
	return found, nil
}

// verify compares the signature with what was signed, and judges the key if it
// is the right one.
func (s *Signature) verify(key openpgp.Key, sig *packet.Signature, body []byte, content *pgpContent, now time.Time) error {
	hash, reason, err := content.digest(sig)
	if err != nil {
		return err
	}
	if reason != "" {
		s.Status, s.Reason = Untrusted, reason
		return nil
	}
	if err := key.PublicKey.VerifySignature(hash, sig); err != nil {
		s.Status, s.Reason = Invalid, fmt.Sprintf("the file is not what %s signed", s.Signer)
		return nil
	}
	if digest := hash.Sum(nil); !bytes.Equal(digest[:2], sig.HashTag[:]) || !oneEncoding(body, sig) {
		s.Status, s.Reason = Invalid, "the signature was altered, though not what it signs"
		return nil
	}
	s.describe(key)
	s.Status, s.Reason = judgeKey(key, sig, now)
	return nil
}

// signersOf are the trusted keys that the signature may be by.
func (t *Trust) signersOf(sig *packet.Signature) []openpgp.Key {
	if t == nil || sig.IssuerKeyId == nil {
		return nil
	}
	keys := t.keys.KeysById(*sig.IssuerKeyId)
	return slices.DeleteFunc(keys, func(k openpgp.Key) bool {
		return len(sig.IssuerFingerprint) > 0 && !bytes.Equal(sig.IssuerFingerprint, k.PublicKey.Fingerprint) || !k.PublicKey.CanSign()
	})
}

// describe says who the key's owner is.
func (s *Signature) describe(key openpgp.Key) {
	if identity := key.Entity.PrimaryIdentity(); identity != nil {
		s.Signer = clip(identity.Name, maxField)
	}
	s.Fingerprint = hex.EncodeToString(key.Entity.PrimaryKey.Fingerprint)
	for _, end := range keyEnds(key) {
		if s.NotAfter.IsZero() || end.Before(s.NotAfter) {
			s.NotAfter = end
		}
	}
}

// keyEnds is when the key, and the primary key it belongs to, end; nothing for
// those that do not.
func keyEnds(key openpgp.Key) (ends []time.Time) {
	add := func(k *packet.PublicKey, self *packet.Signature) {
		if self != nil && self.KeyLifetimeSecs != nil && *self.KeyLifetimeSecs != 0 {
			ends = append(ends, k.CreationTime.Add(time.Duration(*self.KeyLifetimeSecs)*time.Second).UTC())
		}
	}
	primary, _ := key.Entity.PrimarySelfSignature()
	add(key.Entity.PrimaryKey, primary)
	add(key.PublicKey, key.SelfSignature)
	return ends
}

// judgeKey says what a sound signature by a trusted key is worth. When it was
// made is only what the signer says, so the key must be good then and now.
func judgeKey(key openpgp.Key, sig *packet.Signature, now time.Time) (Status, string) {
	made := sig.CreationTime.UTC()
	on := made.Format(time.DateOnly)
	primary, identity := key.Entity.PrimarySelfSignature()
	sub := key.PublicKey != key.Entity.PrimaryKey
	keyBits, _ := key.PublicKey.BitLength()
	switch {
	case primary == nil || key.SelfSignature == nil:
		return Untrusted, "the key has no self-signature"
	case key.Entity.Revoked(now) || sub && key.Revoked(now) || identity != nil && identity.Revoked(now):
		return Untrusted, "the key was revoked"
	case key.SelfSignature.FlagsValid && !key.SelfSignature.FlagSign || sub && !key.SelfSignature.FlagsValid:
		return Untrusted, "the key may not sign files"
	case !strongHash(sig.Hash):
		return Untrusted, "sound, but " + sig.Hash.String() + " is too weak to rely on"
	case keyBits < minKeyBits && oldAlgorithm(key.PublicKey.PubKeyAlgo):
		return Untrusted, fmt.Sprintf("sound, but a key of %d bits is too weak to rely on", keyBits)
	case made.After(now):
		return Untrusted, fmt.Sprintf("was made on %s, which is still to come", on)
	case key.PublicKey.CreationTime.After(made):
		return Untrusted, fmt.Sprintf("was made on %s, before the key", on)
	case criticalNotation(sig):
		return Untrusted, "carries a condition that is not known"
	case sig.SigExpired(now):
		return Expired, fmt.Sprintf("the signature of %s has expired", on)
	}
	for _, end := range keyEnds(key) {
		if made.After(end) {
			return Expired, fmt.Sprintf("was made on %s, when the key had expired on %s", on, end.Format(time.DateOnly))
		}
		if now.After(end) {
			return Expired, fmt.Sprintf("the key expired on %s; that the signature is of %s, nobody but the signer says", end.Format(time.DateOnly), on)
		}
	}
	return Valid, fmt.Sprintf("signed on %s by a trusted key", on)
}

func oldAlgorithm(a packet.PublicKeyAlgorithm) bool {
	return a == packet.PubKeyAlgoRSA || a == packet.PubKeyAlgoRSASignOnly || a == packet.PubKeyAlgoDSA
}

// strongHash: SHA-224 is as strong as the shortest keys that are accepted.
func strongHash(h crypto.Hash) bool {
	switch h {
	case crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA3_256, crypto.SHA3_512:
		return true
	}
	return false
}

func criticalNotation(sig *packet.Signature) bool {
	return slices.ContainsFunc(sig.Notations, func(n *packet.Notation) bool { return n.IsCritical })
}

// oneEncoding reports whether the parts of a signature that nothing signs are
// as they must be: besides the issuer nothing stands outside of what was
// signed, numbers are written in one way only, and nothing follows them.
func oneEncoding(body []byte, sig *packet.Signature) bool {
	width := 2 // of the lengths of subpackets
	if sig.Version == 6 {
		width = 4
	}
	number := func(b []byte) int {
		if width == 4 {
			return int(binary.BigEndian.Uint32(b))
		}
		return int(binary.BigEndian.Uint16(b))
	}
	rest := body[4:]
	rest = rest[width+number(rest):]
	unsigned := rest[width : width+number(rest)]
	rest = rest[width+len(unsigned)+2:] // and the digest's first two octets
	for len(unsigned) > 0 {
		length := int(unsigned[0])
		if length == 0 || length > len(unsigned)-1 || unsigned[1] != 16 && unsigned[1] != 33 {
			return false
		}
		unsigned = unsigned[1+length:]
	}
	if sig.Version == 6 {
		rest = rest[1+int(rest[0]):] // salt
	}
	if octets := pgpLengths[sig.PubKeyAlgo]; octets > 2 {
		return len(rest) == octets
	}
	for range pgpLengths[sig.PubKeyAlgo] {
		n := int(binary.BigEndian.Uint16(rest))
		if n == 0 || bits.Len8(rest[2]) != (n-1)%8+1 {
			return false
		}
		rest = rest[2+(n+7)/8:]
	}
	return len(rest) == 0
}

// pgpLengths are the algorithms that are checked, and how many numbers (1 or 2)
// or octets (more) their signatures have.
var pgpLengths = map[packet.PublicKeyAlgorithm]int{
	packet.PubKeyAlgoRSA: 1, packet.PubKeyAlgoRSASignOnly: 1,
	packet.PubKeyAlgoDSA: 2, packet.PubKeyAlgoECDSA: 2, packet.PubKeyAlgoEdDSA: 2,
	packet.PubKeyAlgoEd25519: 64, packet.PubKeyAlgoEd448: 114,
}
