package capsule

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/ledger"
)

// Options say whose word counts.
type Options struct {
	Trust *ledger.Trust    // the log, and who must have witnessed it; nil: as the capsule says
	Key   *ledger.Verifier // the log's key where there is no Trust; nil: as the capsule says
}

// verification is one capsule while it is checked.
type verification struct {
	results
	r       io.ReaderAt
	options Options
	members []member
	kept    map[string][]byte // members that are needed whole
	buffer  []byte
	listed  []string // the manifest's lines
	request string

	trust      *ledger.Trust
	checkpoint *ledger.Cosigned // nil unless it holds
	events     int
	said
	outcome *outcome
}

// said is what the events of a capsule say.
type said struct {
	trail  cab.Trail
	model  *cab.Published
	policy *cab.Published
}

// Verify checks a capsule. What is wrong with it is in the report; an error says
// that it could not be read.
func Verify(r io.ReaderAt, size int64, o Options) (Report, error) {
	v := &verification{results: newResults(), r: r, options: o, kept: map[string][]byte{}, buffer: make([]byte, 64<<10)}
	err := v.run(size)
	if wrong, ok := errors.AsType[*malformed](err); ok {
		v.fail(checkEncoding, "%v", wrong)
		err = nil
	}
	report := Report{Request: v.request, Checks: v.checks(), Notes: v.notes}
	if v.checkpoint != nil {
		report.Checkpoint = *v.checkpoint
	}
	if v.outcome != nil {
		report.Outcome = v.outcome.Outcome
	}
	return report, err
}

func (v *verification) run(size int64) (err error) {
	if v.members, err = openZip(v.r, size); err != nil {
		return err
	}
	if err := v.layout(); err != nil {
		return err
	}
	for i, m := range v.members {
		if err := v.take(i, m); err != nil {
			return err
		}
	}
	v.pass(checkEncoding, "the file is a capsule in its one encoding, of %d members and no others", len(v.members))
	v.endManifest()
	v.endEvents()
	v.judge()
	return v.attachments()
}

// layout: the members that there must be, in their order, none larger than it may.
func (v *verification) layout() error {
	names, leaves := make([]string, len(v.members)), int64(0)
	for i, m := range v.members {
		names[i] = m.name
		if m.size > limitOf(m.name) {
			return bad("the member %q has %d bytes, and may have %d", m.name, m.size, limitOf(m.name))
		}
		if leafForm.MatchString(m.name) {
			leaves += m.size
		}
	}
	if leaves > maxLeaves {
		return bad("its events have %d bytes together, and may have %d", leaves, maxLeaves)
	}
	if err := checkOrder(names); err != nil {
		return bad("%v", err)
	}
	return nil
}

// take reads one member, and does with it what can be done in passing.
func (v *verification) take(i int, m member) error {
	switch {
	case m.name == pageName:
		_, err := v.sum(i, m, io.Discard)
		return err
	case attachmentForm.MatchString(m.name):
		sum, err := v.sum(i, m, io.Discard)
		if err == nil && m.name != attachments+sum {
			v.fail(checkAttachments, "the file %s has the SHA-256 %s", m.name, sum)
		}
		return err
	}
	body := bytes.NewBuffer(make([]byte, 0, m.size))
	if _, err := v.sum(i, m, body); err != nil {
		return err
	}
	v.kept[m.name] = body.Bytes()
	switch {
	case m.name == manifestName:
		v.beginManifest(body.Bytes())
	case m.name == trustName:
		v.witnesses()
	case strings.HasSuffix(m.name, ".tlog-proof"):
		v.event(v.members[i-1].name, m.name)
	}
	return nil
}

// sum copies a member and holds it against its CRC and the manifest's line.
func (v *verification) sum(i int, m member, to io.Writer) (string, error) {
	crc, sum := crc32.NewIEEE(), sha256.New()
	n, err := io.CopyBuffer(io.MultiWriter(to, crc, sum), io.NewSectionReader(v.r, m.data(), m.size), v.buffer)
	if err != nil || n != m.size {
		return "", fmt.Errorf("reading the capsule: %w", errors.Join(err, io.ErrUnexpectedEOF))
	}
	if crc.Sum32() != m.crc {
		v.fail(checkEncoding, "the member %s does not have its CRC: it was damaged", m.name)
	}
	digest := hex.EncodeToString(sum.Sum(nil))
	if i > 0 {
		want := fmt.Sprintf("file %s %d %s", digest, m.size, m.name)
		if line := i + 1; line >= len(v.listed) || v.listed[line] != want {
			v.fail(checkManifest, "the member %s is not the one that the manifest lists", m.name)
		}
	}
	return digest, nil
}

// beginManifest reads what the manifest says. Whose it is, is settled once the
// trust policy is there.
func (v *verification) beginManifest(signed []byte) {
	text, _, _ := strings.Cut(string(signed), "\n\n")
	v.listed = strings.Split(text, "\n")
	if len(v.listed) > 1 {
		v.request = strings.TrimPrefix(v.listed[1], "request ")
	}
	if !requestForm.MatchString(v.request) {
		v.fail(checkManifest, "it does not name the request that it is about")
		v.request = ""
	}
}

// endManifest: what was signed is what was read, to the letter.
func (v *verification) endManifest() {
	if v.trust == nil {
		return
	}
	text, err := v.log().OpenManifest(v.kept[manifestName])
	if err != nil {
		v.fail(checkManifest, "%v", err)
		return
	}
	if text != strings.Join(v.listed, "\n")+"\n" || len(v.listed) != len(v.members)+1 || v.listed[1] != "request "+v.request {
		v.fail(checkManifest, "it does not list the members that there are")
	}
	v.pass(checkManifest, "%s signed the list of all members, and each is the one that is listed", v.log().Name())
}

func (v *verification) log() *ledger.Verifier {
	if v.options.Trust == nil && v.options.Key != nil {
		return v.options.Key
	}
	return v.trust.Log
}

// witnesses settles who is trusted, and opens the checkpoint.
func (v *verification) witnesses() {
	own, err := ledger.ParseTrust(v.kept[trustName])
	if err != nil {
		v.fail(checkWitnesses, "the capsule's own %v", err)
		return
	}
	if v.trust = own; v.options.Trust != nil {
		v.trust = v.options.Trust
	}
	signed := v.kept[checkpointName]
	asSigned := asLogSigned(signed)
	if _, err := v.log().Open(asSigned); err != nil {
		v.fail(checkCheckpoint, "%v; its first signature has to be that of %s", err, v.log().Name())
		return
	}
	if _, err := own.Log.Open(asSigned); err != nil {
		v.fail(checkWitnesses, "the capsule's own trust policy is about another log: %v", err)
	}
	opened, err := v.trust.Open(signed)
	if err != nil {
		v.fail(checkCheckpoint, "%v", err)
		return
	}
	v.checkpoint = &opened
	v.pass(checkCheckpoint, "%s signed the log's tree of %d events", opened.Origin, opened.Size)
	v.tellWitnesses(opened)
}

func (v *verification) tellWitnesses(opened ledger.Cosigned) {
	var by []string
	for _, w := range opened.By {
		by = append(by, fmt.Sprintf("%s (%s)", w.Witness, w.At.Format("2006-01-02 15:04:05Z")))
	}
	whose := "the trust policy that was given"
	if v.options.Trust == nil {
		whose = "the trust policy in the capsule"
	}
	switch {
	case !v.trust.Enough(opened):
		v.fail(checkWitnesses, "%s wants a quorum, and only these have witnessed the checkpoint: %s", whose, strings.Join(append(by, "nobody else"), ", "))
	case !v.trust.Required():
		v.pass(checkWitnesses, "%s wants no witnesses", whose)
		v.note("without witnesses whoever has the log's key can show one history to you and another to others")
	default:
		v.pass(checkWitnesses, "witnessed by %s: enough for %s", strings.Join(by, ", "), whose)
	}
	if v.options.Trust == nil && v.options.Key == nil {
		v.note("the log's key was taken on trust, from the capsule itself: compare it with your own records, or give it with --key or --trust")
	}
}

// asLogSigned is a checkpoint without the cosignatures behind the log's own line.
func asLogSigned(signed []byte) []byte {
	text := bytes.Index(signed, []byte("\n\n"))
	if text < 0 {
		return signed
	}
	line := bytes.IndexByte(signed[text+2:], '\n')
	if line < 0 {
		return signed
	}
	return signed[:text+2+line+1]
}

// event checks one event and its proof, and takes in what it says.
func (v *verification) event(leafName, proofName string) {
	leaf, text := v.kept[leafName], v.kept[proofName]
	delete(v.kept, leafName)
	delete(v.kept, proofName)
	v.events++
	e, err := readEvent(leaf)
	if err != nil {
		v.fail(checkEvents, "%s: %v", leafName, err)
		return
	}
	if want := leafForm.FindStringSubmatch(leafName)[1]; fmt.Sprintf("%012d", e.Seq) != want {
		v.fail(checkEvents, "%s is the event %d", leafName, e.Seq)
	}
	proof, err := ledger.ParseProof(text)
	switch {
	case err != nil:
		v.fail(checkEvents, "%s: %v", proofName, err)
	case !bytes.Equal(proof.Checkpoint, v.kept[checkpointName]):
		v.fail(checkEvents, "%s proves something of another checkpoint", proofName)
	case proof.Seq != e.Seq:
		v.fail(checkEvents, "%s is about the event %d", proofName, proof.Seq)
	case v.checkpoint != nil:
		v.failed(checkEvents, ledger.CheckInclusion(proof.Path, e.Seq, ledger.LeafHash(leaf), v.checkpoint.Checkpoint))
	}
	v.failed(v.tell(e))
	if e.Type == cab.EvidenceTampered {
		v.note("event %d says that evidence was found altered in the database on %s", e.Seq, e.Time.Format("2006-01-02 15:04:05Z"))
	}
}

// tell takes in what an event says. What is wrong with that is the business of a
// check.
func (s *said) tell(e cab.Event) (check string, err error) {
	if e.Type != cab.ModelChanged && e.Type != cab.PolicyChanged {
		return checkTrail, s.trail.Add(e)
	}
	published, err := e.Publication()
	if err != nil {
		return checkRules, err
	}
	to := &s.model
	if e.Type == cab.PolicyChanged {
		to = &s.policy
	}
	if *to != nil {
		err = fmt.Errorf("event %d publishes another one, and a capsule has one of each", e.Seq)
	}
	*to = published
	return checkRules, err
}

func (v *verification) endEvents() {
	if v.checkpoint == nil {
		return
	}
	v.pass(checkEvents, "each of %d events is in the tree that was signed, at its place", v.events)
	v.note("as of the checkpoint of %d events: what came later, and whether anything was left out at the end of the trail, the log itself can tell", v.checkpoint.Size)
}
