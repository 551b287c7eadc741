package capsule

import (
	"bytes"
	"crypto/sha256"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"
)

// The parts of an RFC 3161 answer that say what was stamped, and when. Whose
// signature it bears is not looked at.
type (
	stampResponse struct {
		Status struct{ Status int }
		Token  asn1.RawValue `asn1:"optional"`
	}
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"explicit,tag:0"`
	}
	signedData struct {
		Version int
		Digests asn1.RawValue
		Content struct {
			Type    asn1.ObjectIdentifier
			Content []byte `asn1:"explicit,tag:0"`
		}
	}
	stampInfo struct {
		Version int
		Policy  asn1.ObjectIdentifier
		Imprint struct {
			Algorithm struct {
				Name       asn1.ObjectIdentifier
				Parameters asn1.RawValue `asn1:"optional"`
			}
			Digest []byte
		}
		Serial *big.Int
		Time   time.Time `asn1:"generalized"`
	}
)

var (
	oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidStampInfo  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
	oidSHA256     = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
)

// stampedAt is when an authority says it saw text, if the answer is about that:
// a whole TimeStampResp, or the token alone.
func stampedAt(der, text []byte) (time.Time, error) {
	token := der
	var response stampResponse
	if rest, err := asn1.Unmarshal(der, &response); err == nil && len(rest) == 0 && response.Token.FullBytes != nil {
		if response.Status.Status > 1 {
			return time.Time{}, fmt.Errorf("the authority refused to stamp it")
		}
		token = response.Token.FullBytes
	}
	var outer contentInfo
	if rest, err := asn1.Unmarshal(token, &outer); err != nil || len(rest) > 0 || !outer.Type.Equal(oidSignedData) {
		return time.Time{}, fmt.Errorf("this is no RFC 3161 time-stamp")
	}
	var signed signedData
	if err := prefix(outer.Content.Bytes, &signed); err != nil || !signed.Content.Type.Equal(oidStampInfo) {
		return time.Time{}, fmt.Errorf("this is no RFC 3161 time-stamp")
	}
	var info stampInfo
	var whole asn1.RawValue
	if rest, err := asn1.Unmarshal(signed.Content.Content, &whole); err != nil || len(rest) > 0 {
		return time.Time{}, fmt.Errorf("this is no RFC 3161 time-stamp")
	}
	if err := prefix(whole.FullBytes, &info); err != nil {
		return time.Time{}, fmt.Errorf("this is no RFC 3161 time-stamp")
	}
	sum := sha256.Sum256(text)
	if !info.Imprint.Algorithm.Name.Equal(oidSHA256) || !bytes.Equal(info.Imprint.Digest, sum[:]) {
		return time.Time{}, fmt.Errorf("it stamps something else than the checkpoint as the log signed it")
	}
	return info.Time.UTC(), nil
}

// prefix reads the first members of a sequence; encoding/asn1 leaves those behind
// them alone.
func prefix(der []byte, to any) error {
	_, err := asn1.Unmarshal(der, to)
	return err
}

func (v *verification) timestamp() {
	der, there := v.kept[timestampName]
	if !there {
		v.pass(checkTimestamp, "there is none")
		return
	}
	at, err := stampedAt(der, asLogSigned(v.kept[checkpointName]))
	if err != nil {
		v.fail(checkTimestamp, "%v", err)
		return
	}
	v.pass(checkTimestamp, "it is about this checkpoint, and says %s", at.Format(time.RFC3339))
	v.note("whose the time-stamp is, is for openssl to say: openssl ts -verify -data FIVE -in timestamp.tsr -CAfile AUTHORITY.pem, with the first five lines of the checkpoint in FIVE")
}
