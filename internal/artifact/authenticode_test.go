package artifact

import (
	"crypto"
	"math/big"
	"testing"

	"github.com/sassoftware/relic/v8/lib/pkcs7"
)

// TestPEReason: whatever a signature is made of, what is said of it is short.
func TestPEReason(t *testing.T) {
	root := issue(t, nil, "Root", nil)
	tsa := issue(t, root, "TSA", timestamping)
	file := program(programTexts...)
	der := spcPE(t, file, crypto.SHA256, issue(t, root, "Signer", nil), nil, func(info *pkcs7.SignerInfo) {
		stamp := signedCMS(t, oidData, info.EncryptedDigest, crypto.SHA256, tsa, nil, spcNow).Content.SignerInfos[0]
		stamp.IssuerAndSerialNumber.SerialNumber = new(big.Int).Lsh(big.NewInt(1), 1_000_000)
		mustAdd(t, info, oidCounterSignature, stamp)
	})
	info, err := lookAt("a.exe", withSignature(t, file, der), trusting(t, root), spcNow)
	if got := info.Signature; err != nil || got.Status != Untrusted || len(got.Reason) > 2*maxReason {
		t.Errorf("%v: %s, %d bytes of reason", err, got.Status, len(got.Reason))
	}
}
