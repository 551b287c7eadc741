package artifact

import (
	"encoding/asn1"
	"errors"
)

// Limits of a signature in BER.
const (
	maxBERBytes = 1 << 20
	maxBERDepth = 32
)

var errBER = errors.New("it is cut off, or no BER that is read")

// derOf is the first value of BER in DER, as far as lengths and octet strings in
// pieces go: Apple writes values whose length is not told beforehand.
func derOf(ber []byte) ([]byte, error) {
	if len(ber) > maxBERBytes {
		return nil, errBER
	}
	der, _, err := nextBER(ber, maxBERDepth)
	return der, err
}

// nextBER is the first value in DER, and what follows it.
func nextBER(ber []byte, depth int) (der, rest []byte, err error) {
	tag, length, rest, err := berHead(ber)
	constructed := err == nil && tag[0]&0x20 != 0
	if err != nil || depth == 0 || length < 0 && !constructed {
		return nil, nil, errBER
	}
	body := rest
	if length >= 0 {
		body, rest = rest[:length], rest[length:]
	}
	if !constructed {
		return encodeDER(tag, body), rest, nil
	}
	pieces := len(tag) == 1 && tag[0] == 0x20|asn1.TagOctetString
	var inside []byte
	for len(body) > 0 {
		if length < 0 && len(body) >= 2 && body[0] == 0 && body[1] == 0 {
			rest, length = body[2:], 0
			break
		}
		var one []byte
		if one, body, err = nextBER(body, depth-1); err != nil {
			return nil, nil, err
		}
		if pieces {
			var piece []byte
			if _, err := asn1.Unmarshal(one, &piece); err != nil {
				return nil, nil, errBER
			}
			one = piece
		}
		inside = append(inside, one...)
	}
	if length < 0 { // its end did not come
		return nil, nil, errBER
	}
	if pieces {
		tag = []byte{asn1.TagOctetString}
	}
	return encodeDER(tag, inside), rest, nil
}

// berHead reads tag and length of a value; the length is less than 0 if it is not
// told.
func berHead(ber []byte) (tag []byte, length int, rest []byte, err error) {
	n := 1
	if len(ber) > 0 && ber[0]&0x1f == 0x1f { // a tag of several bytes
		for n < len(ber) && ber[n]&0x80 != 0 {
			n++
		}
		n++
	}
	if len(ber) <= n {
		return nil, 0, nil, errBER
	}
	tag, length, rest = ber[:n], int(ber[n]), ber[n+1:]
	switch size := length & 0x7f; {
	case length == 0x80:
		return tag, -1, rest, nil
	case length > 0x80 && (size > 4 || size > len(rest)):
		return nil, 0, nil, errBER
	case length > 0x80:
		length = 0
		for _, b := range rest[:size] {
			length = length<<8 | int(b)
		}
		rest = rest[size:]
	}
	if length > len(rest) {
		return nil, 0, nil, errBER
	}
	return tag, length, rest, nil
}

// encodeDER puts tag and length before a value.
func encodeDER(tag, value []byte) []byte {
	out := append(make([]byte, 0, len(tag)+4+len(value)), tag...)
	switch n := len(value); {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 1<<8:
		out = append(out, 0x81, byte(n))
	case n < 1<<16:
		out = append(out, 0x82, byte(n>>8), byte(n))
	default: // below 16 MiB, as all that is read here is
		out = append(out, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	return append(out, value...)
}
