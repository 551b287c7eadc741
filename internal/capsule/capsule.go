// Package capsule puts everything that speaks for one request into one file, and
// checks such a file with nothing else at hand: docs/capsule.md. It is pure; what
// is in a capsule is handed in, and so are the readers of one.
package capsule

import (
	"fmt"
	"io"
	"regexp"
	"slices"

	"github.com/eucora/eucora/internal/ledger"
)

// Contents are what a capsule is made of.
type Contents struct {
	Request     string // its CAB- name
	Checkpoint  []byte // signed and cosigned; it covers every event
	Trust       string // the site's C2SP tlog-policy
	Timestamp   []byte // an RFC 3161 answer about the checkpoint as the log signed it; nil if there is none
	Model       []byte // the published document
	Policy      []byte // the published document
	Document    []byte // of the evidence package
	Events      []Event
	Attachments []Attachment // those that go along, ascending by digest
	leaves      int          // bytes of the events that AddEvent added
}

// AddEvent adds an event, and refuses one for which there is no room.
func (c *Contents) AddEvent(e Event) error {
	c.Events, c.leaves = append(c.Events, e), c.leaves+len(e.Leaf)
	return c.checkEvents(c.leaves)
}

// checkEvents refuses events that are too many, or have too many bytes together.
func (c *Contents) checkEvents(leaves int) error {
	switch {
	case len(c.Events) > maxEvents:
		return fmt.Errorf("%w: %s has more than %d events", ErrTooLarge, c.Request, maxEvents)
	case leaves > maxLeaves:
		return fmt.Errorf("%w: the events of %s have more than %d bytes together", ErrTooLarge, c.Request, maxLeaves)
	}
	return nil
}

// CheckFiles refuses attachments that have too many bytes together, before any of
// them is read.
func CheckFiles(total int64) error {
	if total > maxSize {
		return fmt.Errorf("%w: the attachments have %d bytes together, and a capsule has at most %d; leave them out", ErrTooLarge, total, int64(maxSize))
	}
	return nil
}

// Event is a line of the ledger, with the proof that it is one.
type Event struct {
	Seq  int64
	Leaf []byte
	Path []ledger.Hash
}

// Attachment is a file of the package. Size and CRC are known before it is
// written, for a capsule's length stands in its headers.
type Attachment struct {
	SHA256 string
	Size   int64
	CRC    uint32
	Open   func() (io.ReadCloser, error)
}

// Limits. They keep checking within 256 MiB of memory, and sealing too; in bytes, but
// for the last two.
const (
	maxManifest  = 16 << 20
	maxNote      = 1 << 20 // a checkpoint with its cosignatures
	maxTimestamp = 1 << 20
	maxPublished = 1 << 20 // a model, a policy
	maxDocument  = 4 << 20
	maxLeaves    = 16 << 20 // of all events together
	maxProof     = maxNote + 64<<10
	maxProofs    = 64 << 20 // of all events together, where a capsule is made
	maxPage      = 64 << 20
	maxName      = 100
	maxMembers   = 1<<16 - 2
	maxEvents    = (maxMembers - 8) / 2 // two members each, beside those that there are always
)

// The members' names. Events are named by their places.
const (
	manifestName   = "manifest"
	checkpointName = "checkpoint"
	trustName      = "trust"
	timestampName  = "timestamp.tsr"
	modelName      = "model.json"
	policyName     = "policy.json"
	documentName   = "document.json"
	pageName       = "index.html"
	attachments    = "attachments/"
)

func leafName(seq int64) string  { return fmt.Sprintf("events/%012d.json", seq) }
func proofName(seq int64) string { return fmt.Sprintf("events/%012d.tlog-proof", seq) }

var (
	requestForm    = regexp.MustCompile(`^CAB-[0-9A-F]{12}$`)
	leafForm       = regexp.MustCompile(`^events/([0-9]{12})\.json$`)
	attachmentForm = regexp.MustCompile(`^attachments/([0-9a-f]{64})$`)
)

// limitOf is the largest that a member may be.
func limitOf(name string) int64 {
	switch {
	case name == manifestName:
		return maxManifest
	case name == checkpointName:
		return maxNote
	case name == trustName:
		return ledger.MaxTrust
	case name == timestampName:
		return maxTimestamp
	case name == modelName, name == policyName:
		return maxPublished
	case name == documentName:
		return maxDocument
	case name == pageName:
		return maxPage
	case leafForm.MatchString(name):
		return ledger.MaxLeaf
	case attachmentForm.MatchString(name):
		return maxSize
	}
	return maxProof
}

// checkOrder reports whether the members are those that a capsule has, in their
// order. Which events and attachments there are is not its business, only that
// they ascend.
func checkOrder(names []string) error {
	rest := names
	next := func(want string) error {
		if len(rest) == 0 || rest[0] != want {
			return fmt.Errorf("the capsule lacks the member %s in its place", want)
		}
		rest = rest[1:]
		return nil
	}
	fixed := []string{manifestName, checkpointName, trustName, timestampName, modelName, policyName, documentName}
	if !slices.Contains(names, timestampName) {
		fixed = slices.DeleteFunc(fixed, func(name string) bool { return name == timestampName })
	}
	for _, name := range fixed {
		if err := next(name); err != nil {
			return err
		}
	}
	last := ""
	for len(rest) > 0 && leafForm.MatchString(rest[0]) {
		leaf := rest[0]
		if leaf <= last {
			return fmt.Errorf("the events do not ascend at %s", leaf)
		}
		rest, last = rest[1:], leaf
		if err := next("events/" + leafForm.FindStringSubmatch(leaf)[1] + ".tlog-proof"); err != nil {
			return err
		}
	}
	if err := next(pageName); err != nil {
		return err
	}
	for last = ""; len(rest) > 0; rest = rest[1:] {
		if !attachmentForm.MatchString(rest[0]) || rest[0] <= last {
			return fmt.Errorf("the member %q has no place in a capsule, or not there", rest[0])
		}
		last = rest[0]
	}
	return nil
}
