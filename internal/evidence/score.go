package evidence

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Score is a risk score in hundredths of a point, 0 to 10,000. On the wire and
// in documents it is a JSON number with at most two decimals. No floating point
// is involved anywhere.
type Score int64

// MaxScore is the highest score: 100 points.
const MaxScore Score = 10_000

// String writes the score with two decimals: 50.00.
func (s Score) String() string { return fmt.Sprintf("%d.%02d", s/100, s%100) }

// text is the shortest form: 50, 50.1, 50.01; what RFC 8785 writes for it.
func (s Score) text() string {
	switch {
	case s%100 == 0:
		return strconv.FormatInt(int64(s/100), 10)
	case s%10 == 0:
		return fmt.Sprintf("%d.%d", s/100, s%100/10)
	}
	return s.String()
}

// Float is the score in points, for wire formats that know no other number.
// The nearest double to a two-decimal number prints as that number.
func (s Score) Float() float64 { return float64(s) / 100 }

// ParseScore reads a decimal of 0 to 100 with at most two decimals.
func ParseScore(text string) (Score, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	if len(fraction) <= 2 && len(whole) <= 3 && isDigits(whole) && (fraction != "" || !strings.Contains(text, ".")) {
		for len(fraction) < 2 {
			fraction += "0"
		}
		if n, err := strconv.ParseInt(whole+fraction, 10, 64); err == nil && isDigits(fraction) && Score(n) <= MaxScore {
			return Score(n), nil
		}
	}
	return 0, fmt.Errorf("%q is not a score: want 0 to 100 with at most two decimals", text)
}

func isDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// MarshalJSONTo writes the score as a JSON number.
func (s Score) MarshalJSONTo(encoder *jsontext.Encoder) error {
	return encoder.WriteValue(jsontext.Value(s.text()))
}

// UnmarshalJSONFrom reads a JSON number of at most two decimals.
func (s *Score) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	value, err := decoder.ReadValue()
	if err != nil {
		return err
	}
	*s, err = ParseScore(string(value))
	return err
}
