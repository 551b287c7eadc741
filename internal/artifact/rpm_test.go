package artifact

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

// rpmValue is an entry of a header, ready to be written.
type rpmValue struct {
	tag, kind, count uint32
	data             []byte
}

func rpmText(tag uint32, text string) rpmValue {
	return rpmValue{tag, rpmString, 1, append([]byte(text), 0)}
}

func rpmTexts(tag uint32, texts ...string) rpmValue {
	return rpmValue{tag, rpmStrings, uint32(len(texts)), []byte(strings.Join(texts, "\x00") + "\x00")}
}

func rpmNumber(tag uint32, n int) rpmValue {
	return rpmValue{tag, rpmInt32, 1, binary.BigEndian.AppendUint32(nil, uint32(n))}
}

func rpmBytes(tag uint32, data []byte) rpmValue {
	return rpmValue{tag, rpmBin, uint32(len(data)), data}
}

// rpmHeaderOf writes a header as rpm does: all of it is one region, the entries
// are in order, and numbers are aligned.
func rpmHeaderOf(region uint32, values ...rpmValue) []byte {
	slices.SortFunc(values, func(a, b rpmValue) int { return int(a.tag) - int(b.tag) })
	var index, data []byte
	entry := func(b []byte, tag, kind, offset, count uint32) []byte {
		for _, n := range []uint32{tag, kind, offset, count} {
			b = binary.BigEndian.AppendUint32(b, n)
		}
		return b
	}
	for _, v := range values {
		for align := map[uint32]int{rpmInt32: 4, rpmInt64: 8}[v.kind]; align > 0 && len(data)%align > 0; {
			data = append(data, 0)
		}
		index = entry(index, v.tag, v.kind, uint32(len(data)), v.count)
		data = append(data, v.data...)
	}
	count := uint32(len(values) + 1)
	index = append(entry(nil, region, rpmBin, uint32(len(data)), 16), index...)
	data = entry(data, region, rpmBin, -(count * 16), 16)
	out := binary.BigEndian.AppendUint32(bytes.Clone(rpmMagic), count)
	out = binary.BigEndian.AppendUint32(out, uint32(len(data)))
	return append(append(out, index...), data...)
}

// rpmParts makes packages. sign gets the header and the payload, and makes the
// entries of signatures.
type rpmParts struct {
	header  []rpmValue // besides the usual ones
	without []uint32   // of the usual ones
	lead    string
	sign    func(header, payload []byte) []rpmValue
}

func (p rpmParts) build() []byte {
	payload := []byte("the payload, packed")
	digest := sha256.Sum256(payload)
	values := []rpmValue{
		rpmText(rpmName, "hello"), rpmText(rpmVersion, "1.2"), rpmText(rpmRelease, "3"), rpmText(rpmVendor, "Contoso"), rpmText(rpmArch, "noarch"),
		rpmText(rpmSource, "hello-1.2-3.src.rpm"), rpmTexts(rpmPayloadDigest, hex.EncodeToString(digest[:])), rpmNumber(rpmPayloadAlgorithm, 8),
	}
	values = slices.DeleteFunc(values, func(v rpmValue) bool { return slices.Contains(p.without, v.tag) })
	header := rpmHeaderOf(63, append(values, p.header...)...)
	of1, of256 := sha1.Sum(header), sha256.Sum256(header)
	whole := md5.Sum(append(bytes.Clone(header), payload...))
	signatures := []rpmValue{
		rpmText(rpmSigSHA1, hex.EncodeToString(of1[:])), rpmText(rpmSigSHA256, hex.EncodeToString(of256[:])),
		rpmNumber(rpmSigSize, len(header)+len(payload)), rpmBytes(rpmSigMD5, whole[:]), rpmBytes(rpmSigSpace, make([]byte, 32)),
	}
	if p.sign != nil {
		signatures = append(signatures, p.sign(header, payload)...)
	}
	if p.lead == "" {
		p.lead = "hello-1.2-3"
	}
	lead := make([]byte, rpmLeadSize)
	copy(lead, "\xed\xab\xee\xdb\x03\x00\x00\x00\x00\x01")
	copy(lead[10:], p.lead)
	lead[77], lead[79] = 1, 5
	file := append(lead, rpmHeaderOf(rpmSigRegion, signatures...)...)
	for len(file)%8 > 0 {
		file = append(file, 0)
	}
	return append(append(file, header...), payload...)
}

// TestRPMSlowDigest: SHA-3 of a large payload takes too long, so a digest of that
// kind does not speak for it.
func TestRPMSlowDigest(t *testing.T) {
	key := contosoKey()
	header := rpmHeaderOf(63, rpmText(rpmName, "hello"), rpmText(rpmVersion, "1"), rpmText(rpmRelease, "1"), rpmText(rpmPayloadSHA3, strings.Repeat("0", 64)))
	lead := make([]byte, rpmLeadSize)
	copy(lead, "\xed\xab\xee\xdb\x03\x00\x00\x01\x00\x01hello-1-1")
	lead[79] = 5
	head := append(lead, rpmHeaderOf(rpmSigRegion, rpmBytes(rpmSigRSA, detached(t, key, header, nil)))...)
	head = append(append(head, make([]byte, -len(head)&7)...), header...)
	for size, want := range map[int64]Status{maxSlow + 1: Untrusted, 1 << 20: Invalid} {
		info, err := Look(Source{"large.rpm", size, endless{head}}, trustingKeys(t, key), lookDay)
		if err != nil || info.Signature.Status != want {
			t.Errorf("%d bytes: %+v, %v; want %s", size, info.Signature, err, want)
		}
	}
}

func TestRPM(t *testing.T) {
	key, other := contosoKey(), contosoRSA()
	overHeader := func(header, _ []byte) []rpmValue {
		return []rpmValue{rpmBytes(rpmSigRSA, detached(t, key, header, nil))}
	}
	overAll := func(header, payload []byte) []rpmValue {
		return []rpmValue{rpmBytes(rpmSigPGP, detached(t, key, append(bytes.Clone(header), payload...), nil))}
	}
	v6 := func(header, _ []byte) []rpmValue {
		sum := sha3.Sum256(header)
		return []rpmValue{
			rpmText(rpmSigSHA3, hex.EncodeToString(sum[:])),
			rpmTexts(rpmSigOpenPGP, base64.StdEncoding.EncodeToString(detached(t, other, header, nil)), base64.StdEncoding.EncodeToString(detached(t, key, header, nil))),
		}
	}
	v6Header := []rpmValue{rpmText(rpmPayloadSHA512, hexOf(sha512.Sum512([]byte("the payload, packed")))), rpmText(rpmPayloadSHA3, hexOf512(sha3.Sum256([]byte("the payload, packed"))))}
	mldsa := func(_, _ []byte) []rpmValue {
		return []rpmValue{rpmTexts(rpmSigOpenPGP, base64.StdEncoding.EncodeToString([]byte{0xc2, 20, 6, 0, 30, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}))}
	}
	for name, c := range map[string]struct {
		rpm    rpmParts
		want   Status
		reason string
	}{
		"unsigned":                  {rpmParts{}, Unsigned, "no signature"},
		"header":                    {rpmParts{sign: overHeader}, Valid, "by a trusted key"},
		"header and payload":        {rpmParts{sign: overAll, without: []uint32{rpmPayloadDigest}}, Valid, ""},
		"RPM 6":                     {rpmParts{sign: v6, header: v6Header}, Valid, ""},
		"payload not covered":       {rpmParts{sign: overHeader, without: []uint32{rpmPayloadDigest}}, Untrusted, "no strong digest of the payload"},
		"payload by SHA-1":          {rpmParts{sign: overHeader, without: []uint32{rpmPayloadDigest, rpmPayloadAlgorithm}, header: []rpmValue{rpmTexts(rpmPayloadDigest, hexOf1("the payload, packed")), rpmNumber(rpmPayloadAlgorithm, 2)}}, Untrusted, "no strong digest"},
		"payload by the unknown":    {rpmParts{sign: overHeader, without: []uint32{rpmPayloadAlgorithm}, header: []rpmValue{rpmNumber(rpmPayloadAlgorithm, 99)}}, Untrusted, "no strong digest"},
		"payload altered":           {rpmParts{sign: overHeader, without: []uint32{rpmPayloadDigest}, header: []rpmValue{rpmTexts(rpmPayloadDigest, strings.Repeat("0", 64))}}, Invalid, "SHA-256 of the payload"},
		"unsigned, altered":         {rpmParts{without: []uint32{rpmPayloadDigest}, header: []rpmValue{rpmTexts(rpmPayloadDigest, strings.Repeat("0", 64))}}, Invalid, "SHA-256 of the payload"},
		"ML-DSA":                    {rpmParts{sign: mldsa}, Untrusted, "kind that is not checked"},
		"no base64":                 {rpmParts{sign: func(_, _ []byte) []rpmValue { return []rpmValue{rpmTexts(rpmSigOpenPGP, "?")} }}, Invalid, "base64"},
		"of another header":         {rpmParts{sign: func(_, _ []byte) []rpmValue { return overHeader([]byte("x"), nil) }}, Invalid, "is not what"},
		"lead of another":           {rpmParts{sign: overHeader, lead: "good-1.2-3"}, Invalid, `the lead, which is not signed, names another package: "good-1.2-3"`},
		"lead with an epoch":        {rpmParts{sign: overHeader, lead: "hello-1:1.2-3", header: []rpmValue{rpmNumber(rpmEpoch, 1)}}, Valid, ""},
		"unknown tag":               {rpmParts{sign: func(h, p []byte) []rpmValue { return append(overHeader(h, p), rpmText(280, "x")) }}, Untrusted, "tag 280"},
		"signature of a wrong type": {rpmParts{sign: func(h, p []byte) []rpmValue { v := overHeader(h, p); v[0].kind = 2; return v }}, Invalid, "which it must not be"},
	} {
		info, err := Look(file(c.rpm.build()), trustingKeys(t, key), lookDay)
		if err != nil || info.Format != "RPM" || info.Name != "hello" || info.Version != "1.2-3" || info.Architecture != "noarch" || info.Publisher != "Contoso" {
			t.Errorf("%s: %v %+v", name, err, info)
		}
		if info.Signature.Status != c.want || !strings.Contains(info.Signature.Reason, c.reason) {
			t.Errorf("%s: %+v, want %s: %s", name, info.Signature, c.want, c.reason)
		}
		if info, err := Look(file(c.rpm.build()), nil, lookDay); err != nil || info.Signature.Status == Valid {
			t.Errorf("%s, without keys: %v %+v", name, err, info.Signature)
		}
	}
}

func hexOf(sum [64]byte) string    { return hex.EncodeToString(sum[:]) }
func hexOf512(sum [32]byte) string { return hex.EncodeToString(sum[:]) }
func hexOf1(text string) string {
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

func TestRPMSource(t *testing.T) {
	rpm := rpmParts{without: []uint32{rpmSource, rpmVendor}, header: []rpmValue{rpmNumber(rpmEpoch, 2), rpmText(rpmPackager, "Somebody")}}
	info, err := Look(file(rpm.build()), nil, lookDay)
	if err != nil || info.Architecture != "src" || info.Publisher != "Somebody" || !slices.Contains(info.Notes, "the version is of epoch 2") {
		t.Errorf("%v %+v", err, info)
	}
}

func TestRPMRefused(t *testing.T) {
	good := rpmParts{}.build()
	altered := func(at int, with ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[at:], with)
		return b
	}
	huge := make([]byte, 0, 1<<20)
	for range 60000 { // each tells of all strings
		huge = binary.BigEndian.AppendUint32(huge, uint32(2000+len(huge)/16))
		huge = append(huge, 0, 0, 0, rpmStrings, 0, 0, 0, 0, 0, 15, 0, 0)
	}
	lying := append(bytes.Clone(good[:rpmLeadSize]), rpmMagic...)
	lying = binary.BigEndian.AppendUint32(lying, 60000)
	lying = binary.BigEndian.AppendUint32(lying, 1<<20)
	lying = append(append(lying, huge...), make([]byte, 1<<20)...)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"format":           {altered(4, 9), "lead: is of format 9"},
		"many entries":     {altered(rpmLeadSize+8, 0xff, 0xff), "signature header: has"},
		"much data":        {altered(rpmLeadSize+12, 0x70), "signature header: has"},
		"no entries":       {altered(rpmLeadSize+8, 0, 0, 0, 0), "signature header: has 0 entries"},
		"more than is":     {altered(rpmLeadSize+12, 0, 1), "the file ends in it"},
		"shared strings":   {lying, "others tell of too"},
		"nameless":         {rpmParts{without: []uint32{rpmName}}.build(), "does not name the package"},
		"a tag twice":      {rpmParts{header: []rpmValue{rpmText(rpmName, "other")}}.build(), "tag 1000 twice"},
		"something behind": {append(bytes.Clone(good), 1), "payload: the file has"},
		"cut short":        {good[:len(good)-1], "payload: the file has"},
		"only a lead":      {good[:rpmLeadSize], "signature header: the file ends in it"},
		"half a lead":      {good[:50], "lead: the file ends in it"},
	} {
		soon(t, name, func() {
			if _, err := Look(file(c.data), nil, lookDay); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %q", name, err, c.want)
			}
		})
	}
}

func signedRPM(t testing.TB) []byte {
	return rpmParts{sign: func(header, _ []byte) []rpmValue {
		return []rpmValue{rpmBytes(rpmSigRSA, detached(t, contosoKey(), header, nil))}
	}}.build()
}

func TestRPMFlips(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of files")
	}
	// Numbers of machine and system in the lead mean nothing to rpm.
	flips(t, signedRPM(t), trustingKeys(t, contosoKey()), func(at int) bool { return at == 8 || at == 9 || at == 76 || at == 77 })
}
