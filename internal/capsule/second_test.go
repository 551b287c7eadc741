package capsule_test

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/eucora/eucora/internal/capsule/capsuletest"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	cosignature "github.com/transparency-dev/formats/note"
)

// second is the other verifier, in a process that answers as long as it is asked.
type second struct {
	t   *testing.T
	in  *bufio.Writer
	out *bufio.Scanner
	dir string
	n   int // of capsules that both were asked about
	yes int // of those that ours says hold
}

// asked answers each line, a capsule's file and perhaps a key or a trust policy's
// file, with a line: holds, or what does not.
const asked = `
import sys
sys.path.insert(0, sys.argv[1])
import eucora_verify as v
for line in sys.stdin:
    name, how, what = line.rstrip("\n").split("\t")
    told = []
    key = v.Key(what) if how == "key" else None
    trust = v.Trust(open(what, "rb").read()) if how == "trust" else None
    holds = v.verify(open(name, "rb").read(), key, trust, told.append)
    print("holds" if holds else "; ".join(t for t in told if t.startswith("BAD")).encode("ascii", "replace").decode(), flush=True)
`

// python finds a Python that the second verifier runs on. Where there is none the
// test is skipped, and says so; with EUCORA_REQUIRE_PEERS=1 (make test) that is a
// failure.
func python(t *testing.T) string {
	t.Helper()
	name, err := capsuletest.Python()
	switch {
	case err != nil && os.Getenv("EUCORA_REQUIRE_PEERS") == "1":
		t.Fatal(err)
	case err != nil:
		t.Skipf("the second verifier is left out: %v", err)
	}
	return name
}

func newSecond(t *testing.T) *second {
	cmd := exec.Command(python(t), "-c", asked, "../../verify")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the second verifier: %v", err)
		}
	})
	return &second{t: t, in: bufio.NewWriter(in), out: bufio.NewScanner(out), dir: t.TempDir()}
}

// agrees asks both verifiers and reports whether they say the same.
func (s *second) agrees(c capsuletest.Case) {
	s.t.Helper()
	path := filepath.Join(s.dir, "capsule.zip")
	how, what := "", ""
	if c.Key != "" {
		how, what = "key", c.Key
	}
	if c.Trust != "" {
		how, what = "trust", filepath.Join(s.dir, "trust")
		if err := os.WriteFile(what, []byte(c.Trust), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, c.Capsule, 0o600); err != nil {
		s.t.Fatal(err)
	}
	fmt.Fprintf(s.in, "%s\t%s\t%s\n", path, how, what)
	if err := s.in.Flush(); err != nil || !s.out.Scan() {
		s.t.Fatalf("%s: the second verifier is gone: %v", c.Name, err)
	}
	s.n++
	ours := verify(s.t, c)
	if ours.Holds() {
		s.yes++
	}
	if theirs := s.out.Text(); ours.Holds() != (theirs == "holds") {
		s.t.Errorf("%s: ours holds: %v; the second: %s\n%s", c.Name, ours.Holds(), theirs, text(ours))
	}
}

// tell says of how much the two were asked; neither may say no to everything.
func (s *second) tell() {
	s.t.Helper()
	s.t.Logf("both said the same of %d capsules, of %d that they hold", s.n, s.yes)
	if s.yes == 0 || s.yes == s.n {
		s.t.Errorf("of %d capsules %d hold: nothing was tried", s.n, s.yes)
	}
}

// TestSecondOpinion: the verifier in another language, made from the format's
// description, says the same of every capsule, good or damaged.
func TestSecondOpinion(t *testing.T) {
	s := newSecond(t)
	for _, c := range capsuletest.Cases() {
		s.agrees(c)
	}
	s.tell()
}

// TestSecondOpinionOfForgeries: also of whatever somebody with the log's key puts
// into the log, member by member. Some of it; with EUCORA_EVERY_BIT all of it.
func TestSecondOpinionOfForgeries(t *testing.T) {
	s, step := newSecond(t), 149
	switch {
	case os.Getenv("EUCORA_EVERY_BIT") != "":
		step = 1
	case race:
		step = 1499
	}
	made := 0
	each := func(text []byte, forge func(name string, forged []byte) capsuletest.Case) {
		all := variants(t, text)
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if made++; made%step == 0 {
				s.agrees(forge(name, all[name]))
			}
		}
	}
	for _, story := range capsuletest.Stories() {
		for n, leaf := range story.Make().Leaves() {
			each(leaf, func(name string, forged []byte) capsuletest.Case {
				return capsuletest.Case{Name: fmt.Sprintf("%s, event %d, %s", story.Name, n, name), Capsule: story.Make().Forge(n, forged).Capsule(false)}
			})
		}
		m := capsuletest.Unpack(story.Make().Capsule(false))
		for _, member := range []string{capsuletest.DocumentMember, capsuletest.ModelMember, capsuletest.PolicyMember} {
			each(m.Body(member), func(name string, forged []byte) capsuletest.Case {
				return capsuletest.Case{Name: fmt.Sprintf("%s, %s, %s", story.Name, member, name), Capsule: story.Make().Forged(member, forged)}
			})
		}
	}
	s.tell()
}

// variants are JSON texts that differ from one in one member each, in RFC 8785
// form.
func variants(t *testing.T, text []byte) map[string][]byte {
	var root any
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	found := map[string][]byte{}
	keep := func(name string) {
		changed, err := json.Marshal(root, json.Deterministic(true))
		form := jsontext.Value(changed)
		if err == nil {
			err = form.Canonicalize()
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(form, text) {
			found[name] = form
		}
	}
	vary("", root, keep)
	return found
}

// vary changes each member in turn, and calls keep while it is changed.
func vary(path string, at any, keep func(name string)) {
	switch at := at.(type) {
	case map[string]any:
		for _, name := range []string{"zz", "zz?", "conditions", "valid_until", "approved_by", "reason", "exception_id", "declared"} {
			if _, there := at[name]; there {
				continue
			}
			for i, more := range []any{"more", "", nil, false, map[string]any{}, "2026-03-02T09:00:00Z", "2026-03-02T10:00:00.5+01:00", "0001-01-01T00:00:00Z"} {
				at[name] = more
				keep(fmt.Sprintf("%s.%s more %d", path, name, i))
			}
			delete(at, name)
		}
		for _, name := range slices.Sorted(maps.Keys(at)) {
			before := at[name]
			for i, other := range others(before) {
				at[name] = other
				keep(fmt.Sprintf("%s.%s other %d", path, name, i))
			}
			at[name] = before
			vary(path+"."+name, before, keep)
			delete(at, name)
			keep(path + "." + name + " left out")
			at[name] = before
		}
	case []any:
		for i, before := range at {
			for n, other := range others(before) {
				at[i] = other
				keep(fmt.Sprintf("%s[%d] other %d", path, i, n))
			}
			at[i] = before
			vary(fmt.Sprintf("%s[%d]", path, i), before, keep)
		}
	}
}

func others(value any) []any {
	switch v := value.(type) {
	case string:
		return []any{"", v + "x", strings.ToUpper(v), 7.0, nil}
	case float64:
		return []any{v + 1, v - 1, 0.0, v + 0.5, "7", nil}
	case bool:
		return []any{!v, "true", 1.0, 0.0, nil}
	case []any:
		return []any{[]any{}, map[string]any{}, "x", append(append([]any{}, v...), v...)}
	}
	return []any{nil, "x", []any{}, map[string]any{}}
}

// TestSecondOpinionOfTrust: of whose word counts, too: trust policies as people
// write them.
func TestSecondOpinionOfTrust(t *testing.T) {
	s := newSecond(t)
	w := capsuletest.Stories()[1].Make()
	m := capsuletest.Unpack(w.Capsule(false))
	log, one, two := w.Signer.VerifierKey(), w.Witness.Key, capsuletest.NewWitness("other.example").Key
	head := fmt.Sprintf("log %s\nwitness a %s\nwitness b %s\n", log, one, two)
	asNote := strings.Replace(one, "+", "+00000000+", 1)
	for i, text := range []string{
		head + "quorum a\n", head + "quorum b\n", head + "quorum none", head + "quorum none\nquorum none\n", head, "quorum none\n" + head,
		head + "group g any a b\nquorum g\n", head + "group g all a b\nquorum g\n", head + "group g 1 a b\nquorum g\n", head + "group g 2 a b\nquorum g\n",
		head + "group g 3 a b\nquorum g\n", head + "group g 0 a b\nquorum g\n", head + "group g 01 a b\nquorum g\n", head + "group g +1 a b\nquorum g\n",
		head + "group g \u0661 a b\nquorum g\n", head + "group g any a a\nquorum g\n", head + "group g any\nquorum g\n", head + "group g any c\nquorum g\n",
		head + "group g any a\ngroup h any a b\nquorum h\n", head + "group g any a\ngroup h all g b\nquorum h\n", head + "group g any a\ngroup h any g b\nquorum h\n",
		head + "group a any b\nquorum a\n", head + "group none any a\nquorum none\n", head + "quorum g\ngroup g any a\n",
		strings.ReplaceAll(head, " ", "\t \t") + " \t quorum \t a \t \n\n# a comment \xff\n#\n", head + "\vquorum a\n", head + "quorum\u00a0a\n",
		strings.ReplaceAll(head+"quorum a\n", "\n", "\r\n"), strings.Replace(head, "\n", "\r\n", 1) + "quorum a\n", head + "quorum a\r", "\ufeff" + head + "quorum a\n",
		"log " + log + "\r\nwitness a " + one + "\r\nquorum a\n", head + "witness c " + one + "\nquorum a\n", head + "witness a " + two + "\nquorum a\n",
		head + "log " + log + "\nquorum a\n", "log " + log + " https://x.example/log more\nquorum none\n", "log " + log + " anything\nquorum none\n",
		"log " + one + "\nquorum none\n", "log " + log + "=\nquorum none\n", "log " + strings.ToUpper(log) + "\nquorum none\n", "log " + log[:len(log)-1] + "\nquorum none\n",
		fmt.Sprintf("log %s\nwitness a %s https://w.example/a%%20b/\nquorum a\n", log, one), fmt.Sprintf("log %s\nwitness a %s HTTP://w.example:\nquorum a\n", log, one),
		fmt.Sprintf("log %s\nwitness a %s ftp://w.example\nquorum a\n", log, one), fmt.Sprintf("log %s\nwitness a %s https://\nquorum a\n", log, one),
		fmt.Sprintf("log %s\nwitness a %s https://w.example/%%zz\nquorum a\n", log, one), fmt.Sprintf("log %s\nwitness a %s http://[::1]:80/x y\nquorum a\n", log, one),
		fmt.Sprintf("log %s\nwitness a %s w.example\nquorum a\n", log, one), fmt.Sprintf("log %s\nwitness a %s\nquorum a\n", log, asNote),
		fmt.Sprintf("log %s\nwitness \u00e4 %s\nquorum \u00e4\n", log, one), fmt.Sprintf("log %s\nwitness \u0101 %s\nquorum \u0101\n", log, one),
		fmt.Sprintf("log %s\nwitness \xe4 %s\nquorum \xe4\n", log, one), fmt.Sprintf("log %s\nwitness %s %s\nquorum none\n", log, strings.Repeat("a", 201), one),
		fmt.Sprintf("log %s\nwitness none %s\nquorum none\n", log, one), "", "quorum none", "what is this\n" + head + "quorum a\n",
		head + strings.Repeat("# a comment\n", 6000) + "quorum a\n",
	} {
		s.agrees(capsuletest.Case{Name: fmt.Sprintf("trust policy %d, the capsule's own: %q", i, text), Capsule: m.With("trust", []byte(text)).Sealed(w.Name(), w.Signer)})
	}
	s.tell()
}

// TestSecondOpinionOfWitnesses: of who can be a witness at all, and where.
func TestSecondOpinionOfWitnesses(t *testing.T) {
	s := newSecond(t)
	w := capsuletest.Stories()[1].Make()
	m := capsuletest.Unpack(w.Capsule(false))
	log, witness := w.Signer.VerifierKey(), w.Witness.Key
	_, modern, err := cosignature.GenerateMLDSAKey("modern.example")
	if err != nil {
		t.Fatal(err)
	}
	policies := []string{fmt.Sprintf("log %s\nwitness a %s\nwitness m %s\nquorum a\n", log, witness, modern)}
	for _, url := range []string{
		"https://w.example", "HtTpS://W.example:8443/a%2fb/", "https://w.example/%", "https://w.example/%4", "https://w.example/%g0", "https://w.example/?%zz", "https://w.example/#%zz",
		"https://w.example?x", "https://w.example#x", "https://user@w.example", "https://user:secret@w.example/", "https://@w.example", "https://w.example:80:80", "https://w.example:x",
		"https://:80", "https://", "https:///", "https://[::1]", "https://[::1]:80/x", "https://[::ffff:192.0.2.1]", "https://[192.0.2.1]", "https://[:]", "https://[::1::]", "https://[12345::]",
		"https://[1:2:3:4:5:6:7::]", "https://[1:2:3:4:5:6:7:8::]", "https://[1:2:3:4:5:6:7:8]", "https://[::01.2.3.4]", "https://[fe80::1%25a]", "https://[fe80::1%a]", "https://[::1", "https://::1",
		"https://\u212a.example", "http\u017f://w.example", "https://w\u00e4.example", "https://w.example/\u00e4", "https://w.example/\xe4", "https://w.example/\r", "https://w.example/\x7f", "https://w.example/\x00",
		"https://w.example/\\\"<>^`{|}[]", "https://w_1.example/~", "https://w%2e.example", "https://w!.example", "https:w.example", "//w.example", "wss://w.example", "https://w.example//",
	} {
		policies = append(policies, fmt.Sprintf("log %s\nwitness a %s %s\nquorum a\n", log, witness, url))
	}
	for i, text := range policies {
		s.agrees(capsuletest.Case{Name: fmt.Sprintf("witness %d: %q", i, text), Capsule: m.With("trust", []byte(text)).Sealed(w.Name(), w.Signer)})
	}
	s.tell()
}

// TestSecondOpinionOfNotes: and of signature lines that are almost right.
func TestSecondOpinionOfNotes(t *testing.T) {
	s := newSecond(t)
	w := capsuletest.Stories()[1].Make()
	m := capsuletest.Unpack(w.Capsule(false))
	good := string(m.Body("checkpoint"))
	text, lines, _ := strings.Cut(good, "\n\n")
	own, cosigned, _ := strings.Cut(lines, "\n")
	stranger := "— stranger.example " + "AAAAAAAA\n"
	for i, checkpoint := range []string{
		good, good + stranger, text + "\n\n" + own + "\n" + stranger + cosigned, text + "\n\n" + stranger + own + "\n" + cosigned, text + "\n\n" + cosigned + own + "\n",
		good + own + "\n", good + own[:len(own)-8] + "AAAAAAA=\n", good + cosigned, good + strings.Repeat(stranger, 97), good + strings.Repeat(stranger, 98), good + strings.Repeat(stranger, 99),
		good + "\n", good + "x\n", good + "— stranger.example AAAA\n", good + "— stranger.example AAAAAAB=\n", good + "— stranger.example AAAAAA==\n", good + "— a b AAAAAAAA\n",
		good + "— a+b AAAAAAAA\n", good + "— a\u2003b AAAAAAAA\n", good + "— a\u200bb AAAAAAAA\n", good + "- stranger.example AAAAAAAA\n", good + "— stranger.example  AAAAAAAA\n",
		good + "— stranger.example AAAAAAAA\r\n", good + "— stranger.example AAAA\tAAAA\n", good + "— stranger\x7f AAAAAAAA\n", good + "— stranger\xff AAAAAAAA\n", good + "— stranger.example AAAA-_AA\n",
		good[:len(good)-1], text + "\n\n" + own + "\n", text + "\n\n" + cosigned, text + "\nextension\n\n" + lines, strings.Replace(good, "\n", "\n\n", 1),
		strings.Replace(good, "=\n\n", "=\r\n\n", 1), text + "\n\n" + own + " \n" + cosigned, text + "\n\n" + strings.TrimSuffix(own, "=") + "\n" + cosigned,
		good + "— stranger.example " + strings.Repeat("AAAA", 16000) + "\n", good + "— stranger.example " + strings.Repeat("AAAA", 17000) + "\n",
	} {
		s.agrees(capsuletest.Case{Name: fmt.Sprintf("checkpoint %d", i), Capsule: m.WithCheckpoint([]byte(checkpoint)).Sealed(w.Name(), w.Signer)})
	}
	for i, manifest := range []func(string) string{
		func(m string) string { return m + stranger }, func(m string) string { return m[:len(m)-1] }, func(m string) string { return m + "\n" },
		func(m string) string { return strings.Replace(m, "\nrequest", "\n request", 1) }, func(m string) string { return strings.Replace(m, "request CAB-", "request CAB-0", 1) },
		func(m string) string { return strings.Replace(m, "\n\n", "\n\n"+stranger, 1) }, func(m string) string { return strings.ReplaceAll(m, "\n", "\r\n") },
	} {
		sealed := capsuletest.Unpack(m.Sealed(w.Name(), w.Signer))
		s.agrees(capsuletest.Case{Name: fmt.Sprintf("manifest %d", i), Capsule: sealed.With("manifest", []byte(manifest(string(sealed.Body("manifest"))))).Zip()})
	}
	s.tell()
}
