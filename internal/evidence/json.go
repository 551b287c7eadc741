package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of JSON that comes from outside. Specification, section 3.
const (
	MaxBytes = 1 << 20 // of one document
	MaxDepth = 32      // of nested objects and arrays
)

// maxInteger is the largest magnitude of a number, 2^53: beyond it, programs
// that keep numbers as doubles disagree about the value.
const maxInteger = 1 << 53

// SyntaxError says where input leaves the I-JSON profile, and why.
type SyntaxError struct {
	Pointer string // RFC 6901; "" is the whole document
	Offset  int64  // in bytes
	Reason  string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("at %q (byte %d): %s", e.Pointer, e.Offset, e.Reason)
}

// CheckJSON reports whether b is one JSON value within the profile: no
// duplicate names, no numbers beyond ±2^53 or too small for a double, valid
// UTF-8 without lone surrogates, no NUL, at most [MaxDepth] levels and
// [MaxBytes] bytes, nothing after it. Errors are of type *SyntaxError.
func CheckJSON(b []byte) error {
	if len(b) > MaxBytes {
		return &SyntaxError{Offset: MaxBytes, Reason: fmt.Sprintf("longer than %d bytes", MaxBytes)}
	}
	if nul := bytes.IndexByte(b, 0); nul >= 0 {
		return &SyntaxError{Offset: int64(nul), Reason: "a NUL byte"}
	}
	decoder := jsontext.NewDecoder(bytes.NewBuffer(b))
	escapedNUL := bytes.Contains(b, []byte(`\u0000`)) // or an escaped backslash before u0000
	for tokens := 0; ; tokens++ {
		token, err := decoder.ReadToken()
		if errors.Is(err, io.EOF) && tokens > 0 && decoder.StackDepth() == 0 {
			return nil
		}
		if err != nil {
			return syntaxError(decoder, err)
		}
		if reason := refuse(decoder, token, escapedNUL); reason != "" {
			return &SyntaxError{Pointer: string(decoder.StackPointer()), Offset: decoder.InputOffset(), Reason: reason}
		}
		if decoder.StackDepth() == 0 {
			return checkEnd(decoder)
		}
	}
}

func refuse(decoder *jsontext.Decoder, token jsontext.Token, escapedNUL bool) string {
	switch token.Kind() {
	case '{', '[':
		if decoder.StackDepth() > MaxDepth {
			return fmt.Sprintf("nested deeper than %d levels", MaxDepth)
		}
	case '"':
		if escapedNUL && strings.ContainsRune(token.String(), 0) {
			return "a NUL character in a string"
		}
	case '0':
		return refuseNumber(token.String())
	}
	return ""
}

// refuseNumber works on the literal: 9007199254740993 is a double like any
// other once it has been read, and no longer what was written.
func refuseNumber(literal string) string {
	const tooLarge = "a number beyond ±2^53; send it as a string"
	if !strings.ContainsAny(literal, ".eE") {
		n, err := strconv.ParseInt(literal, 10, 64)
		if err != nil || n > maxInteger || n < -maxInteger {
			return tooLarge
		}
		return ""
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil || math.Abs(f) >= maxInteger {
		return tooLarge
	}
	mantissa, _, _ := strings.Cut(strings.ToLower(literal), "e")
	if f == 0 && strings.ContainsAny(mantissa, "123456789") {
		return "a number too small to be told from zero; send it as a string"
	}
	return ""
}

func checkEnd(decoder *jsontext.Decoder) error {
	if _, err := decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return &SyntaxError{Offset: decoder.InputOffset(), Reason: "something follows the document"}
	}
	return nil
}

func syntaxError(decoder *jsontext.Decoder, err error) error {
	at := &SyntaxError{Pointer: string(decoder.StackPointer()), Offset: decoder.InputOffset(), Reason: "not JSON"}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		at.Reason = "the document ends too early"
	}
	if s, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		at.Pointer, at.Offset = string(s.JSONPointer), s.ByteOffset
		if s.Err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			at.Reason = s.Err.Error()
		}
	}
	return at
}

// Canonical checks b (see [CheckJSON]) and returns its RFC 8785 form.
func Canonical(b []byte) ([]byte, error) {
	if err := CheckJSON(b); err != nil {
		return nil, err
	}
	v := jsontext.Value(bytes.Clone(b))
	if err := v.Canonicalize(); err != nil {
		return nil, &SyntaxError{Reason: err.Error()}
	}
	return v, nil
}

// Digest is the SHA-256 of b in lower-case hex: the content hash of a document.
func Digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
