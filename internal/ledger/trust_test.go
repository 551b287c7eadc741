package ledger

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"

	cosignature "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// witness is one that signs whatever it is shown.
type witness struct {
	key    string
	signer note.Signer
}

func newWitness(t testing.TB, name string) witness {
	t.Helper()
	secret, key, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := cosignature.NewSignerForCosignatureV1(secret)
	if err != nil {
		t.Fatal(err)
	}
	return witness{key, signer}
}

// cosign is the line that the witness answers.
func (w witness) cosign(t testing.TB, signed []byte, log *Signer) string {
	t.Helper()
	verifier, err := note.NewVerifier(log.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		t.Fatal(err)
	}
	both, err := note.Sign(n, w.signer)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(both)) {
		if strings.HasPrefix(line, "— "+w.signer.Name()+" ") {
			return line
		}
	}
	t.Fatal("no line")
	return ""
}

func TestQuorum(t *testing.T) {
	log := newKey(t)
	var ws []witness
	text := "# who counts\nlog " + log.VerifierKey() + "\n\n"
	for i := range 4 {
		ws = append(ws, newWitness(t, fmt.Sprintf("witness.example/%d", i)))
		text += fmt.Sprintf("witness w%d %s https://witness.example/%d/\n", i, ws[i].key, i)
	}
	stranger := newWitness(t, "stranger.example")
	signed, err := log.Sign(5, leaf(5))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		rule   string
		by     []int
		enough bool
	}{
		{"quorum none", nil, true},
		{"quorum w1", nil, false},
		{"quorum w1", []int{0, 2}, false},
		{"quorum w1", []int{1}, true},
		{"group g any w0 w1\nquorum g", []int{1}, true},
		{"group g any w0 w1\nquorum g", []int{2, 3}, false},
		{"group g all w0 w1\nquorum g", []int{1}, false},
		{"group g all w0 w1\nquorum g", []int{1, 0}, true},
		{"group g 2 w0 w1 w2\nquorum g", []int{2, 3}, false},
		{"group g 2 w0 w1 w2\nquorum g", []int{2, 0}, true},
		{"group g 1 w0 w1\ngroup h 1 w2 w3\ngroup all all g h\nquorum all", []int{0, 1}, false},
		{"group g 1 w0 w1\ngroup h 1 w2 w3\ngroup all all g h\nquorum all", []int{0, 3}, true},
	} {
		trust, err := ParseTrust([]byte(text + c.rule + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		lines := []string{stranger.cosign(t, signed, log)}
		for _, i := range c.by {
			lines = append(lines, ws[i].cosign(t, signed, log))
		}
		opened, err := trust.Open(WithCosignatures(signed, lines))
		if err != nil || len(opened.By) != len(c.by) || opened.Size != 5 {
			t.Fatalf("%s: %+v %v", c.rule, opened, err)
		}
		if trust.Enough(opened) != c.enough {
			t.Errorf("%s, by %v: want %v", c.rule, c.by, c.enough)
		}
	}
}

// TestCosignaturesThatDoNotHold: of another tree, or altered, is no checkpoint; a
// stranger's counts for nothing.
func TestCosignaturesThatDoNotHold(t *testing.T) {
	log, w := newKey(t), newWitness(t, "witness.example/1")
	trust, err := ParseTrust([]byte("log " + log.VerifierKey() + "\nwitness w " + w.key + "\nquorum w\n"))
	if err != nil {
		t.Fatal(err)
	}
	signed, _ := log.Sign(5, leaf(5))
	other, _ := log.Sign(6, leaf(6))
	if _, err := trust.Open(WithCosignatures(signed, []string{w.cosign(t, other, log)})); err == nil {
		t.Error("the cosignature of another tree: accepted")
	}
	line := w.cosign(t, signed, log)
	good := WithCosignatures(signed, []string{line})
	for i := len(signed); i < len(good); i++ {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if opened, err := trust.Open(bad); err == nil && trust.Enough(opened) {
			t.Errorf("byte %d, %q to %q: witnessed", i, good[i], bad[i])
		}
	}
}

func TestTrustThatIsNone(t *testing.T) {
	log, w := newKey(t), newWitness(t, "witness.example/1")
	head := "log " + log.VerifierKey() + "\nwitness w " + w.key + "\n"
	for _, bad := range []string{
		"", "quorum none\n", "log " + log.VerifierKey() + "\n", head, head + "quorum x\n", head + "quorum w\nquorum w\n",
		head + "log " + log.VerifierKey() + "\nquorum w\n", head + "witness w2 " + w.key + "\nquorum w\n", head + "witness w " + newWitness(t, "x").key + "\nquorum w\n",
		head + "group g 2 w\nquorum g\n", head + "group g 0 w\nquorum g\n", head + "group g any\nquorum g\n", head + "group g any w w\nquorum g\n",
		head + "group g any w\ngroup h any w\nquorum h\n", head + "group none any w\nquorum none\n", head + "group g any x\nquorum g\n",
		head + "witness x not-a-key\nquorum w\n", head + "witness x " + strings.Replace(newWitness(t, "x").key, "+", "+0", 1) + "\nquorum w\n",
		head + "witness x " + newWitness(t, "x").key + " ftp://x\nquorum w\n", head + "witnes x\nquorum w\n", "log x\nquorum none\n",
	} {
		if _, err := ParseTrust([]byte(bad)); err == nil {
			t.Errorf("accepted:\n%s", bad)
		}
	}
}

// TestWitnessesThatAreNone: the second verifier and the format's description know
// Ed25519 and plain addresses only; so does this one, and says what is wrong.
func TestWitnessesThatAreNone(t *testing.T) {
	log, w := newKey(t), newWitness(t, "witness.example/1")
	_, other, err := cosignature.GenerateMLDSAKey("witness.example/2")
	if err != nil {
		t.Fatal(err)
	}
	parse := func(line string) error {
		_, err := ParseTrust([]byte("log " + log.VerifierKey() + "\nwitness w " + line + "\nquorum w\n"))
		return err
	}
	if err := parse(other); err == nil || !strings.Contains(err.Error(), "line 2: witness w: ") || !strings.Contains(err.Error(), "Ed25519") {
		t.Errorf("a key of ML-DSA: %v", err)
	}
	for _, url := range []string{
		"https://w.example", "HTTPS://w.example:8443/a%20b/", "http://127.0.0.1", "http://[::1]:7380/x", "http://[::ffff:192.0.2.1]/", "https://w_1.example:/~a",
	} {
		if err := parse(w.key + " " + url); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, url := range []string{
		"https://user:secret@w.example", "https://user@w.example/", "https://w\u00e9.example", "https://w.example/\u00e9", "http\u017f://w.example", "https://\u212a.example",
		"https://w.example/%zz", "https://w.example/?%zz", "https://w.example?x", "https://", "https:///x", "https://:80/x", "https://w.example:x/", "https://[::1/", "https://[:]/",
		"https://[192.0.2.1]/", "https://[fe80::1%25eth0]/", "https://w%41.example/", "w.example", "ftp://w.example", "https://w.example/\x7f", "https://w.example/\xff", "https://w.example/\r",
	} {
		err := parse(w.key + " " + url)
		if err == nil || !strings.Contains(err.Error(), "is not the address of a witness") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func FuzzParseTrust(f *testing.F) {
	f.Add([]byte("log x\nwitness a b c\ngroup g any a\nquorum g\n"))
	f.Add([]byte("quorum none\n"))
	whole := "log " + newKey(f).VerifierKey() + "\nwitness w " + newWitness(f, "witness.example").key + " "
	f.Add([]byte(whole + "https://w.example:8080/a%20b/\nquorum w\n"))
	f.Add([]byte(whole + "http://[::ffff:192.0.2.1]/?x#y\nquorum w\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		trust, err := ParseTrust(text)
		if err != nil {
			return
		}
		if trust.Log == nil {
			t.Error("a policy without a log")
		}
		for _, w := range trust.Witnesses { // whoever asks it reads its address in the same way
			u, err := url.Parse(w.URL)
			if w.URL != "" && (err != nil || u.Hostname() == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https")) {
				t.Errorf("%q: %v", w.URL, err)
			}
		}
	})
}

// TestCosignature: of a witness's answer its own line counts, if it holds and says
// when; whatever else is there says nothing.
func TestCosignature(t *testing.T) {
	log, w, other := newKey(t), newWitness(t, "witness.example/1"), newWitness(t, "witness.example/2")
	trust, err := ParseTrust([]byte("log " + log.VerifierKey() + "\nwitness w " + w.key + "\nwitness o " + other.key + "\nquorum w\n"))
	if err != nil {
		t.Fatal(err)
	}
	signed, _ := log.Sign(5, leaf(5))
	later, _ := log.Sign(6, leaf(6))
	own, others := w.cosign(t, signed, log), other.cosign(t, signed, log)
	raw, err := base64.StdEncoding.DecodeString(strings.Fields(own)[2])
	if err != nil {
		t.Fatal(err)
	}
	line := func(change func(raw []byte)) string {
		altered := bytes.Clone(raw)
		change(altered)
		return "— witness.example/1 " + base64.StdEncoding.EncodeToString(altered) + "\n"
	}
	for name, c := range map[string]struct {
		answer string
		holds  bool
	}{
		"its own":              {own, true},
		"between others":       {others + own + line(func(raw []byte) { raw[0] ^= 1 }), true},
		"and text":             {"<html>\n" + own, true},
		"nothing":              {"", false},
		"another's":            {others, false},
		"of another tree":      {w.cosign(t, later, log), false},
		"cut":                  {own[:len(own)-1], false},
		"altered":              {line(func(raw []byte) { raw[20] ^= 1 }), false},
		"at another time":      {line(func(raw []byte) { raw[11] ^= 1 }), false},
		"a wrong one first":    {line(func(raw []byte) { raw[20] ^= 1 }) + own, false},
		"not a signature line": {strings.TrimPrefix(own, "— "), false},
	} {
		by, err := trust.Witnesses[0].Cosignature(signed, []byte(c.answer))
		if (err == nil) != c.holds || c.holds && (by.Line != own || by.Witness != "w" || by.At.IsZero()) {
			t.Errorf("%s: %+v %v", name, by, err)
		}
	}
}

func TestQuorumInWords(t *testing.T) {
	log := newKey(t)
	text := "log " + log.VerifierKey() + "\n"
	for _, name := range []string{"a", "b", "c"} {
		text += "witness " + name + " " + newWitness(t, "x/"+name).key + "\n"
	}
	for rule, want := range map[string]string{
		"quorum none\n": "none", "quorum b\n": "b", "group g all a b\nquorum g\n": "2 of a, b",
		"group g any a b\ngroup h 2 g c\nquorum h\n": "2 of (1 of a, b), c",
	} {
		trust, err := ParseTrust([]byte(text + rule))
		if err != nil || trust.Quorum() != want {
			t.Errorf("%q: %q (%v), want %q", rule, trust.Quorum(), err, want)
		}
	}
}

// FuzzCosignature: whatever a witness answers, what is taken from it holds.
func FuzzCosignature(f *testing.F) {
	log, w := newKey(f), newWitness(f, "witness.example/1")
	trust, err := ParseTrust([]byte("log " + log.VerifierKey() + "\nwitness w " + w.key + "\nquorum w\n"))
	if err != nil {
		f.Fatal(err)
	}
	signed, _ := log.Sign(5, leaf(5))
	f.Add([]byte(w.cosign(f, signed, log)))
	f.Add([]byte("— witness.example/1 AAAA\n\n"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		by, err := trust.Witnesses[0].Cosignature(signed, answer)
		if err != nil {
			return
		}
		if opened, err := trust.Open(WithCosignatures(signed, []string{by.Line})); err != nil || !trust.Enough(opened) {
			t.Errorf("%q was taken: %v", by.Line, err)
		}
	})
}
