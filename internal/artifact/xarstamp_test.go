package artifact

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"strings"
	"testing"
	"time"

	"github.com/sassoftware/relic/v8/lib/pkcs7"
)

// toBER writes DER as Apple does: no constructed value tells its length.
func toBER(t testing.TB, der []byte) (ber []byte) {
	t.Helper()
	for len(der) > 0 {
		tag, length, rest, err := berHead(der)
		if err != nil {
			t.Fatal(err)
		}
		if der = rest[length:]; tag[0]&0x20 == 0 {
			ber = append(ber, encodeDER(tag, rest[:length])...)
			continue
		}
		ber = append(append(append(append(ber, tag...), 0x80), toBER(t, rest[:length])...), 0, 0)
	}
	return ber
}

func TestDER(t *testing.T) {
	for name, c := range map[string]struct{ ber, want string }{
		"DER":                       {"\x30\x03\x02\x01\x05", "\x30\x03\x02\x01\x05"},
		"with something behind":     {"\x30\x03\x02\x01\x05\x00\x00", "\x30\x03\x02\x01\x05"},
		"without length":            {"\x30\x80\x02\x01\x05\x00\x00", "\x30\x03\x02\x01\x05"},
		"without lengths":           {"\x30\x80\x31\x80\x02\x01\x05\x00\x00\x00\x00", "\x30\x05\x31\x03\x02\x01\x05"},
		"length of many bytes":      {"\x30\x84\x00\x00\x00\x03\x02\x01\x05", "\x30\x03\x02\x01\x05"},
		"in pieces":                 {"\x24\x80\x04\x01a\x04\x02bc\x00\x00", "\x04\x03abc"},
		"in pieces of pieces":       {"\x24\x80\x24\x03\x04\x01a\x04\x01b\x00\x00", "\x04\x02ab"},
		"a large tag":               {"\xbf\x81\x01\x80\x05\x00\x00\x00", "\xbf\x81\x01\x02\x05\x00"},
		"nothing":                   {"", ""},
		"cut off":                   {"\x30\x05\x02\x01\x05", ""},
		"without end":               {"\x30\x80\x02\x01\x05", ""},
		"without length or inside":  {"\x02\x80\x00\x00", ""},
		"pieces of another kind":    {"\x24\x80\x02\x01a\x00\x00", ""},
		"longer than can be":        {"\x30\x85\x01\x00\x00\x00\x00", ""},
		"tag without end":           {"\x3f\xff\xff", ""},
		"nested too deep":           {strings.Repeat("\x30\x80", 1000), ""},
		"nested too deep, complete": {strings.Repeat("\x30\x80", 40) + strings.Repeat("\x00\x00", 40), ""},
	} {
		if got, err := derOf([]byte(c.ber)); string(got) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %x, %v; want %x", name, got, err, c.want)
		}
	}
	long := make([]byte, 70_000)
	der, err := asn1.Marshal([][]byte{long, long[:200]})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := derOf(toBER(t, der)); err != nil || !bytes.Equal(got, der) {
		t.Errorf("%d bytes, %v; want %d", len(got), err, len(der))
	}
}

// TestPKGTimestamp: a package whose certificate has expired stays good, if a
// trusted timestamp in its CMS signature says that it was signed before.
func TestPKGTimestamp(t *testing.T) {
	a := testAuthority()
	end := lookDay.AddDate(0, -1, 0)
	certificate := a.installer(func(c *x509.Certificate) { c.NotAfter = end })
	leaf, err := x509.ParseCertificate(certificate)
	if err != nil {
		t.Fatal(err)
	}
	root := &spcParty{a.key, a.root}
	between := func(usage func(*x509.Certificate)) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = signedDay.AddDate(-1, 0, 0), lookDay.AddDate(1, 0, 0)
			usage(c)
		}
	}
	other := issue(t, nil, "Other root", nil)
	tsa := issue(t, root, "TSA", between(timestamping))
	strange := issue(t, other, "Strange TSA", between(timestamping))
	signer := &spcParty{installerKey(), leaf}
	byOther := issueFor(t, installerKey(), root, "Another installer", between(func(*x509.Certificate) {}))
	// sealed signs the checksum, apart from it.
	sealed := func(by *spcParty, at time.Time, extend ...func(*pkcs7.SignerInfo)) func([]byte) []byte {
		return func(checksum []byte) []byte {
			psd := signedCMS(t, oidData, checksum, crypto.SHA256, by, nil, at)
			for _, change := range extend {
				change(&psd.Content.SignerInfos[0])
			}
			_, err := psd.Detach()
			der, err2 := psd.Marshal()
			if err != nil || err2 != nil || len(der) > xarCMSBytes {
				t.Fatal(err, err2, len(der))
			}
			return der
		}
	}
	good := sealed(signer, signedDay, stamped(t, tsa, signedDay, nil))
	changed := func(change func([]byte) []byte) func([]byte) []byte {
		return func(checksum []byte) []byte { return change(bytes.Clone(good(checksum))) }
	}
	flip := func(b []byte) []byte { b[0] ^= 1; return b }
	inside := func(content func([]byte) []byte) func([]byte) []byte { // the content is there
		return func(checksum []byte) []byte {
			psd := signedCMS(t, oidData, content(bytes.Clone(checksum)), crypto.SHA256, signer, nil, signedDay)
			stamped(t, tsa, signedDay, nil)(&psd.Content.SignerInfos[0])
			der, err := psd.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			return der
		}
	}
	same := func(b []byte) []byte { return b }
	bare := func(checksum []byte) []byte { // without signed attributes
		b := pkcs7.NewBuilder(signer.key, []*x509.Certificate{leaf}, crypto.SHA256)
		if err := b.SetContentData(checksum); err != nil {
			t.Fatal(err)
		}
		psd, err := b.Sign()
		if err != nil {
			t.Fatal(err)
		}
		stamped(t, tsa, signedDay, nil)(&psd.Content.SignerInfos[0])
		_, err = psd.Detach()
		der, err2 := psd.Marshal()
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		return der
	}
	for _, c := range []struct {
		name         string
		cms          func([]byte) []byte
		want         Status
		reason, note string
	}{
		{"timestamped", good, Valid, "signed by Developer ID Installer", ""},
		{"in BER", changed(func(b []byte) []byte { return toBER(t, b) }), Valid, "", ""},
		{"without signed attributes", bare, Valid, "", ""},
		{"with the content inside", inside(same), Valid, "", ""},
		{"with another content inside", inside(flip), Expired, "", "over something else that it holds"},
		{"no CMS signature", nil, Expired, "nobody says when", ""},
		{"without a timestamp", sealed(signer, signedDay), Expired, "nobody says when", "without a timestamp"},
		{"too late", sealed(signer, signedDay, stamped(t, tsa, end.AddDate(0, 0, 1), nil)), Expired, "it was signed on 2025-12-11", ""},
		{"before the certificate", sealed(signer, signedDay, stamped(t, tsa, signedDay.AddDate(0, -2, 0), nil)), Expired, "it was signed on 2025-01-01", ""},
		{"still to come", sealed(signer, signedDay, stamped(t, tsa, lookDay.AddDate(0, 1, 0), nil)), Expired, "nobody says when", "it lies ahead"},
		{"by a stranger", sealed(signer, signedDay, stamped(t, strange, signedDay, nil)), Expired, "", "does not count"},
		{"by one who may not", sealed(signer, signedDay, stamped(t, byOther, signedDay, nil)), Expired, "", "not for timestamps"},
		{"about something else", sealed(signer, signedDay, stamped(t, tsa, signedDay, flip)), Expired, "", "about another signature"},
		{"signed by somebody else", sealed(byOther, signedDay, stamped(t, tsa, signedDay, nil)), Expired, "", "by another certificate"},
		{"over something else", func([]byte) []byte { return good([]byte("another package")) }, Expired, "", "not over this table of contents"},
		{"rubbish", func([]byte) []byte { return []byte("rubbish") }, Expired, "", "does not count"},
		{"cut off", changed(func(b []byte) []byte { return b[:len(b)/2] }), Expired, "", "does not count"},
	} {
		pkg := xarParts{certificates: [][]byte{certificate}, cms: c.cms}.build(t)
		info, err := Look(file(pkg), a.trust(t), lookDay)
		if err != nil || info.Signature.Status != c.want || !strings.Contains(info.Signature.Reason, c.reason) || !strings.Contains(strings.Join(info.Notes, "; "), c.note) {
			t.Errorf("%s: %v %+v, want %s: %s", c.name, err, info, c.want, c.reason)
		}
		if c.want == Valid && !info.Signature.Timestamp.Equal(signedDay) {
			t.Errorf("%s: signed at %v; want %v", c.name, info.Signature.Timestamp, signedDay)
		}
	}
}

// FuzzXarStamps: whatever the CMS signature is, no panic, and no time of a
// signature that is not over the checksum.
func FuzzXarStamps(f *testing.F) {
	a := testAuthority()
	leaf, err := x509.ParseCertificate(a.installer(nil))
	if err != nil {
		f.Fatal(err)
	}
	checksum := make([]byte, 32)
	tsa := issue(f, &spcParty{a.key, a.root}, "TSA", timestamping)
	psd := signedCMS(f, oidData, checksum, crypto.SHA256, &spcParty{installerKey(), leaf}, nil, signedDay)
	stamped(f, tsa, signedDay, nil)(&psd.Content.SignerInfos[0])
	if _, err := psd.Detach(); err != nil {
		f.Fatal(err)
	}
	der, err := psd.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	f.Add(toBER(f, der))
	f.Fuzz(func(t *testing.T, ber []byte) {
		if _, err := xarStamps(ber, []byte("something else"), leaf); err == nil {
			t.Error("over something else, and sound")
		}
		xarStamps(ber, checksum, leaf)
		again, err := derOf(ber)
		if err != nil {
			return
		}
		if twice, err := derOf(again); err != nil || !bytes.Equal(again, twice) {
			t.Errorf("%x is DER, and then %x, %v", again, twice, err)
		}
	})
}
