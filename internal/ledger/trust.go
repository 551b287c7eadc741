package ledger

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	cosignature "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// Trust is a C2SP tlog-policy: whose checkpoints count, who witnesses them, and
// how many of those must. Here it names exactly one log.
type Trust struct {
	Log       *Verifier
	Key       string    // of the log: vkey
	Witnesses []Witness // in the order of the file
	text      string
	members   map[string]member
	quorum    string
}

// Witness is one that cosigns checkpoints (C2SP tlog-witness).
type Witness struct {
	Name     string // in the trust file
	Key      string // vkey
	URL      string // prefix for submissions; "" if nobody here asks it
	verifier note.Verifier
}

// member is what a quorum is made of: a witness, or so many of a group.
type member struct {
	witness int // index, -1 for a group
	of      []string
	want    int
}

// trustLimit bounds the lines of each kind in a trust file.
const trustLimit = 64

// MaxTrust is the largest trust file, in bytes.
const MaxTrust = 64 << 10

// OnlyLog is a policy of one log and no witnesses.
func OnlyLog(key string) (*Trust, error) { return ParseTrust([]byte("log " + key + "\nquorum none\n")) }

// ParseTrust reads a tlog-policy. The error names the line.
func ParseTrust(text []byte) (*Trust, error) {
	if len(text) > MaxTrust {
		return nil, fmt.Errorf("trust policy: more than %d bytes", MaxTrust)
	}
	t := &Trust{text: string(text), members: map[string]member{}}
	used := map[string]bool{}
	for i, line := range strings.Split(string(text), "\n") {
		if err := t.line(strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' }), used); err != nil {
			return nil, fmt.Errorf("trust policy, line %d: %w", i+1, err)
		}
	}
	switch {
	case t.Log == nil:
		return nil, fmt.Errorf("trust policy: it names no log")
	case t.quorum == "":
		return nil, fmt.Errorf("trust policy: it has no quorum line (quorum none says that nobody needs to witness)")
	}
	return t, nil
}

func (t *Trust) line(fields []string, used map[string]bool) error {
	if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
		return nil
	}
	args := fields[1:]
	switch fields[0] {
	case "log":
		return t.addLog(args)
	case "witness":
		return t.addWitness(args)
	case "group":
		return t.addGroup(args, used)
	case "quorum":
		if len(args) != 1 || t.quorum != "" {
			return fmt.Errorf("want one line: quorum NAME")
		}
		if _, known := t.members[args[0]]; !known && args[0] != "none" {
			return fmt.Errorf("quorum %s: no witness or group of that name before this line", args[0])
		}
		t.quorum = args[0]
		return nil
	}
	return fmt.Errorf("%q: want log, witness, group or quorum", fields[0])
}

func (t *Trust) addLog(args []string) (err error) {
	if len(args) < 1 || len(args) > 2 || t.Log != nil {
		return fmt.Errorf("want one line: log KEY [URL]")
	}
	t.Key = args[0]
	t.Log, err = NewVerifier(args[0])
	return err
}

var witnessName = regexp.MustCompile(`^[!-~\x80-\xff]{1,200}$`)

func (t *Trust) addWitness(args []string) error {
	if len(args) < 2 || len(args) > 3 || len(t.Witnesses) >= trustLimit {
		return fmt.Errorf("want: witness NAME KEY [URL], and at most %d of them", trustLimit)
	}
	if err := t.free(args[0]); err != nil {
		return err
	}
	key, err := witnessKey(args[1])
	if err != nil {
		return fmt.Errorf("witness %s: %w", args[0], err)
	}
	verifier, err := cosignature.NewVerifierForCosignatureV1(key)
	if err != nil {
		return fmt.Errorf("witness %s: %q is not a witness's key", args[0], args[1])
	}
	w := Witness{Name: args[0], Key: args[1], verifier: verifier}
	for _, other := range t.Witnesses {
		if material(other.Key) == material(w.Key) {
			return fmt.Errorf("witness %s has the key of witness %s: one witness would count twice", w.Name, other.Name)
		}
	}
	if len(args) == 3 {
		if !isAddress(args[2]) { // it may hold a password, and is not shown
			return fmt.Errorf("witness %s: what stands behind its key is not the address of a witness: want http or https, a host without a user, perhaps a port and a path, all in ASCII", w.Name)
		}
		w.URL = strings.TrimSuffix(args[2], "/")
	}
	t.members[w.Name] = member{witness: len(t.Witnesses)}
	t.Witnesses = append(t.Witnesses, w)
	return nil
}

var address = regexp.MustCompile(`^[hH][tT][tT][pP][sS]?://(?:[0-9A-Za-z._~-]+|\[([0-9A-Fa-f:.]+)\])(?::[0-9]*)?(?:/(?:[!-$&-~]|%[0-9A-Fa-f]{2})*)?$`)

// isAddress reports whether a URL is one that every reader of a policy takes for
// the same.
func isAddress(url string) bool {
	parts := address.FindStringSubmatch(url)
	if parts == nil || parts[1] == "" {
		return parts != nil
	}
	ip, err := netip.ParseAddr(parts[1])
	return err == nil && ip.Is6()
}

// witnessKey checks that a vkey is of Ed25519 and whole: its hash is that of its
// name and key, as a note's key or as a cosigner's (both are written in the field).
func witnessKey(key string) (string, error) {
	if kind := algorithm(key); kind != ed25519Note && kind != ed25519Cosigner {
		return "", fmt.Errorf("%q is not a witness's key of Ed25519 (algorithm %d or %d), and no others are known here", key, ed25519Note, ed25519Cosigner)
	}
	if asCosigner, err := cosignature.VKeyToCosignatureV1(key); err == nil {
		return asCosigner, nil
	}
	verifier, err := cosignature.NewVerifierForCosignatureV1(key)
	if err != nil {
		return "", fmt.Errorf("%q is not a witness's key", key)
	}
	if hash := fmt.Sprintf("+%08x+", verifier.KeyHash()); !strings.Contains(key, hash) {
		return "", fmt.Errorf("%q is damaged: its hash is not that of the key", key)
	}
	return key, nil
}

// Algorithms of keys, as vkeys have them (C2SP signed-note).
const (
	ed25519Note     = 1
	ed25519Cosigner = 4
)

// algorithm is the algorithm of a vkey; 0 if that has no key.
func algorithm(key string) byte {
	if raw := rawKey(key); len(raw) > 0 {
		return raw[0]
	}
	return 0
}

// material is the public key in a vkey, without its algorithm.
func material(key string) string {
	if raw := rawKey(key); len(raw) > 0 {
		return string(raw[1:])
	}
	return key
}

func rawKey(key string) []byte {
	parts := strings.SplitN(key, "+", 3)
	raw, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil {
		return nil
	}
	return raw
}

func (t *Trust) free(name string) error {
	if _, taken := t.members[name]; taken || name == "none" || !witnessName.MatchString(name) {
		return fmt.Errorf("the name %q is taken, or is none", name)
	}
	return nil
}

func (t *Trust) addGroup(args []string, used map[string]bool) error {
	if len(args) < 3 || len(t.members) >= 2*trustLimit {
		return fmt.Errorf("want: group NAME all|any|K NAME…, and at most %d of them", trustLimit)
	}
	if err := t.free(args[0]); err != nil {
		return err
	}
	g := member{witness: -1, of: args[2:]}
	switch args[1] {
	case "any":
		g.want = 1
	case "all":
		g.want = len(g.of)
	default:
		k, err := strconv.Atoi(args[1])
		if err != nil || k < 1 || k > len(g.of) || strconv.Itoa(k) != args[1] {
			return fmt.Errorf("group %s: want all, any, or 1 to %d of its members, not %q", args[0], len(g.of), args[1])
		}
		g.want = k
	}
	for _, name := range g.of {
		if _, known := t.members[name]; !known {
			return fmt.Errorf("group %s: no witness or group %s before this line", args[0], name)
		}
		if used[name] {
			return fmt.Errorf("group %s: %s counts in a group already", args[0], name)
		}
		used[name] = true
	}
	t.members[args[0]] = g
	return nil
}

// Text is the file, for others to check with.
func (t *Trust) Text() string { return t.text }

// Required reports whether anybody must witness a checkpoint.
func (t *Trust) Required() bool { return t.quorum != "none" }

// Quorum is the quorum in words: "2 of a, b, (1 of c, d)"; "none" if nobody needs
// to witness.
func (t *Trust) Quorum() string { return t.words(t.quorum) }

func (t *Trust) words(name string) string {
	m, known := t.members[name]
	if !known || m.witness >= 0 {
		return name
	}
	parts := make([]string, len(m.of))
	for i, part := range m.of {
		if parts[i] = t.words(part); parts[i] != part {
			parts[i] = "(" + parts[i] + ")"
		}
	}
	return fmt.Sprintf("%d of %s", m.want, strings.Join(parts, ", "))
}

// Cosigned is a checkpoint and who has witnessed it, when.
type Cosigned struct {
	Checkpoint
	By []CosignedBy // in the order of the trust policy
}

// CosignedBy is one witness's cosignature that holds.
type CosignedBy struct {
	Witness string    // its name in the trust policy
	At      time.Time // by the witness's clock, whole seconds
	Line    string    // the note's signature line, with its newline
}

// Open opens a checkpoint signed by the log, and checks the cosignatures of the
// witnesses that the policy knows; others say nothing. A cosignature of a known
// witness that does not hold makes it no checkpoint at all. Whether enough have
// witnessed it is [Trust.Enough].
func (t *Trust) Open(signed []byte) (Cosigned, error) {
	checkpoint, err := t.Log.Open(signed)
	if err != nil {
		return Cosigned{}, err
	}
	result := Cosigned{Checkpoint: checkpoint}
	verifiers := make([]note.Verifier, len(t.Witnesses))
	for i, w := range t.Witnesses {
		verifiers[i] = w.verifier
	}
	n, err := note.Open(signed, note.VerifierList(append(verifiers, t.Log.verifier)...))
	if err != nil {
		return Cosigned{}, fmt.Errorf("checkpoint: %w", err)
	}
	for _, w := range t.Witnesses {
		by, err := w.signed(n)
		if err != nil {
			return Cosigned{}, fmt.Errorf("checkpoint: %w", err)
		}
		if by != nil {
			result.By = append(result.By, *by)
		}
	}
	return result, nil
}

// signed is the witness's cosignature among the verified signatures of a note; nil
// if there is none.
func (w Witness) signed(n *note.Note) (*CosignedBy, error) {
	i := slices.IndexFunc(n.Sigs, func(s note.Signature) bool {
		return s.Name == w.verifier.Name() && s.Hash == w.verifier.KeyHash()
	})
	if i < 0 {
		return nil, nil
	}
	if _, err := base64.StdEncoding.Strict().DecodeString(n.Sigs[i].Base64); err != nil {
		return nil, fmt.Errorf("the cosignature of %s is not in canonical base64", w.Name)
	}
	at, err := cosignature.CoSigV1Timestamp(n.Sigs[i])
	if err != nil {
		return nil, fmt.Errorf("the cosignature of %s: %w", w.Name, err)
	}
	return &CosignedBy{w.Name, at.UTC(), fmt.Sprintf("— %s %s\n", n.Sigs[i].Name, n.Sigs[i].Base64)}, nil
}

// Cosignature finds, in a witness's answer to a signed checkpoint (lines of
// signatures), the witness's own cosignature, and checks it. Lines of others say
// nothing: it was not they who were asked.
func (w Witness) Cosignature(signed, answer []byte) (CosignedBy, error) {
	for line := range strings.Lines(string(answer)) {
		if !w.claims(line) {
			continue
		}
		n, err := note.Open(WithCosignatures(signed, []string{line}), note.VerifierList(w.verifier))
		if err != nil {
			return CosignedBy{}, fmt.Errorf("the cosignature of %s: %w", w.Name, err)
		}
		by, err := w.signed(n)
		switch {
		case err != nil:
			return CosignedBy{}, err
		case by == nil || by.At.Unix() <= 0: // it has to say when
			return CosignedBy{}, fmt.Errorf("the cosignature of %s has no time", w.Name)
		}
		return *by, nil
	}
	return CosignedBy{}, fmt.Errorf("no line is signed by its key %s", w.Key)
}

// claims reports whether a line has the name and the hash of the witness's key.
func (w Witness) claims(line string) bool {
	name, signature, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(line, "— "), "\n"), " ")
	raw, err := base64.StdEncoding.DecodeString(signature)
	return err == nil && len(raw) > 4 && name == w.verifier.Name() && binary.BigEndian.Uint32(raw) == w.verifier.KeyHash()
}

// Has reports whether a witness, by its name in the policy, has witnessed it.
func (c Cosigned) Has(witness string) bool {
	return slices.ContainsFunc(c.By, func(b CosignedBy) bool { return b.Witness == witness })
}

// Enough reports whether those who have witnessed a checkpoint are a quorum.
func (t *Trust) Enough(c Cosigned) bool {
	return !t.Required() || t.met(t.quorum, c.By)
}

func (t *Trust) met(name string, by []CosignedBy) bool {
	m := t.members[name]
	if m.witness >= 0 {
		return Cosigned{By: by}.Has(name)
	}
	n := 0
	for _, part := range m.of {
		if t.met(part, by) {
			n++
		}
	}
	return n >= m.want
}

// WithCosignatures is a signed checkpoint with cosignature lines behind the log's
// own.
func WithCosignatures(signed []byte, lines []string) []byte {
	return append(slices.Clone(signed), strings.Join(lines, "")...)
}
