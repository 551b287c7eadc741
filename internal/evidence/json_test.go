package evidence

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

// TestRFC8785Vectors: the number table of RFC 8785, appendix B (those within
// the profile), and its sorting example of section 3.2.3.
func TestRFC8785Vectors(t *testing.T) {
	for bits, want := range map[uint64]string{
		0x0000000000000000: "0", 0x8000000000000000: "0",
		0x41b3de4355555553: "333333333.3333332", 0x41b3de4355555554: "333333333.33333325",
		0x41b3de4355555555: "333333333.3333333", 0x41b3de4355555556: "333333333.3333334",
		0x41b3de4355555557: "333333333.33333343", 0xbecbf647612f3696: "-0.0000033333333333333333",
		0x4340000000000000: "9007199254740992", 0xc340000000000000: "-9007199254740992",
	} {
		literal := strconv.FormatFloat(math.Float64frombits(bits), 'g', -1, 64)
		if math.Abs(math.Float64frombits(bits)) == maxInteger {
			literal = want
		}
		got, err := Canonical([]byte(literal))
		if err != nil || string(got) != want {
			t.Errorf("%x (%s): %s %v, want %s", bits, literal, got, err, want)
		}
	}
	in := `{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`
	want := "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}"
	if got, err := Canonical([]byte(in)); err != nil || string(got) != want {
		t.Errorf("sorting:\n%s\nwant\n%s (%v)", got, want, err)
	}
	sample := `{"numbers":[333333333.33333329,1E15,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}`
	wantHex := hex.EncodeToString([]byte(`{"literals":[null,true,false],"numbers":[333333333.3333333,1000000000000000,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`))
	if got, err := Canonical([]byte(sample)); err != nil || hex.EncodeToString(got) != wantHex {
		t.Errorf("sample: %s %v", got, err)
	}
}

func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

func TestProfile(t *testing.T) {
	for _, accepted := range []string{
		`0.1`, `1e15`, `1e-7`, `-0.0`, `0.1000000000000000055511151231257827`, `9007199254740992`, `-9007199254740992`,
		`"\u2028"`, `"𝄞"`, `"\ud834\udd1e"`, `"\\u0000"`, nested(32), ` {"b":1, "a":2} `, `null`, `1e-300`, `0e999`,
	} {
		first, err := Canonical([]byte(accepted))
		if err != nil {
			t.Errorf("%s: refused: %v", accepted, err)
			continue
		}
		second, err := Canonical(first)
		if err != nil || string(first) != string(second) {
			t.Errorf("%s: %s is not stable: %s %v", accepted, first, second, err)
		}
	}
	for refused, pointer := range map[string]string{
		`1e16`: "", `1e23`: "", `1e400`: "", `-1e400`: "", `9007199254740993`: "", `9007199254740992.5`: "", `123456789012345678901234567890`: "",
		`{"a":{"b":1e16}}`: "/a/b", `[1,2,1e23]`: "/2", `1e-400`: "",
		`{"a":1,"a":2}`: "/a", `{"x":{"a":1,"\u0061":2}}`: "/x/a",
		`"\ud800"`: "", `"\udc00\ud800"`: "", "\"\xff\"": "", "{\"\xc3\":1}": "", `"\u0000"`: "", `{"\u0000":1}`: "", "\"\x00\"": "",
		nested(33): strings.Repeat("/0", 32), `NaN`: "", `Infinity`: "", `{`: "", `[1,`: "", ``: "", `{} {}`: "", `{}x`: "", `{'a':1}`: "",
		`{"a":01}`: "", `{"a":+1}`: "", `{"a":.5}`: "", "// c\n{}": "", "\ufeff{}": "",
		`"` + strings.Repeat("x", MaxBytes) + `"`: "",
	} {
		_, err := Canonical([]byte(refused))
		at, ok := errors.AsType[*SyntaxError](err)
		if !ok {
			t.Errorf("%.60q: accepted (%v)", refused, err)
			continue
		}
		if pointer != "" && at.Pointer != pointer {
			t.Errorf("%.60q: refused at %q, want %q (%v)", refused, at.Pointer, pointer, err)
		}
	}
}

func TestScore(t *testing.T) {
	for text, want := range map[string]Score{"0": 0, "50": 5000, "50.0": 5000, "50.01": 5001, "11.08": 1108, "100": 10000, "100.00": 10000, "0.1": 10} {
		got, err := ParseScore(text)
		if err != nil || got != want {
			t.Errorf("%s: %d %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-1", "100.01", "50.001", "5e1", "1.", ".5", "+5", "NaN", "1e2", " 5"} {
		if s, err := ParseScore(text); err == nil {
			t.Errorf("%q read as %s", text, s)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := Score(rapid.Int64Range(0, int64(MaxScore)).Draw(t, "score"))
		canonical, err := Canonical([]byte(s.text()))
		if err != nil || string(canonical) != s.text() {
			t.Fatalf("%s is written %s, canonical %s", s, s.text(), canonical)
		}
		if float := strconv.FormatFloat(s.Float(), 'f', -1, 64); float != s.text() {
			t.Fatalf("%s as a double prints as %s", s.text(), float)
		}
		if back, err := ParseScore(s.text()); err != nil || back != s {
			t.Fatalf("%s comes back as %s: %v", s, back, err)
		}
	})
}

func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5,"x"]}`, `1e16`, `"\ud800"`, nested(40), `{"a":1,"a":2}`, "\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		first, err := Canonical(b)
		if err != nil {
			if _, ok := errors.AsType[*SyntaxError](err); !ok {
				t.Fatalf("error of type %T", err)
			}
			return
		}
		if !jsontext.Value(first).IsValid() {
			t.Fatalf("%q became invalid %q", b, first)
		}
		if second, err := Canonical(first); err != nil || string(first) != string(second) {
			t.Fatalf("%q: %q is not stable: %q %v", b, first, second, err)
		}
	})
}

func BenchmarkCanonical(b *testing.B) {
	text := []byte(fmt.Sprintf(`{"rollback_plan":{"steps":[%s"x"]},"a":1.5}`, strings.Repeat(`{"n":"step","ok":true,"s":12},`, 130)))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := Canonical(text); err != nil {
			b.Fatal(err)
		}
	}
}
