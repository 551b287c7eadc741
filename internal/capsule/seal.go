package capsule

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/eucora/eucora/internal/ledger"
)

// Sealed is a capsule that is ready to be written: its manifest is signed and its
// size known.
type Sealed struct {
	Size    int64
	members []member
	bodies  [][]byte // of the members that are no attachments
	files   []Attachment
}

// ErrContradictory is of events that are none, or do not tell of the request.
var ErrContradictory = errors.New("the ledger contradicts itself")

// Seal makes the manifest of a capsule, has it signed with the ledger's key, and
// makes the page for people.
func Seal(c Contents, sign func(text string) ([]byte, error)) (*Sealed, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	page, err := c.page()
	if err != nil {
		return nil, err
	}
	if len(page) > maxPage {
		return nil, fmt.Errorf("%w: the page of %s has more than %d bytes", ErrTooLarge, c.Request, maxPage)
	}
	return seal(c, page, sign)
}

// check refuses what whoever verifies a capsule would refuse for its size alone.
func (c Contents) check() error {
	leaves, proofs := 0, 0
	for _, e := range c.Events {
		leaves += len(e.Leaf)
		proofs += len(c.Checkpoint) + 45*len(e.Path) // a line for each hash
	}
	switch {
	case len(c.Document) > maxDocument, len(c.Model) > maxPublished, len(c.Policy) > maxPublished, len(c.Timestamp) > maxTimestamp,
		len(c.Checkpoint) > maxNote, len(c.Trust) > ledger.MaxTrust:
		return fmt.Errorf("%w: a document of %s is larger than a capsule holds", ErrTooLarge, c.Request)
	case proofs > maxProofs:
		return fmt.Errorf("%w: the proofs of the events of %s have more than %d bytes together", ErrTooLarge, c.Request, maxProofs)
	}
	return c.checkEvents(leaves)
}

func seal(c Contents, page []byte, sign func(text string) ([]byte, error)) (*Sealed, error) {
	s := &Sealed{members: make([]member, 1), bodies: make([][]byte, 1)} // the manifest comes last
	text := new(strings.Builder)
	fmt.Fprintf(text, "%srequest %s\n", ledger.CapsuleLine, c.Request)
	add := func(name string, body []byte) {
		sum := sha256.Sum256(body)
		fmt.Fprintf(text, "file %s %d %s\n", hex.EncodeToString(sum[:]), len(body), name)
		s.members = append(s.members, member{name: name, size: int64(len(body)), crc: crc32.ChecksumIEEE(body)})
		s.bodies = append(s.bodies, body)
	}
	add(checkpointName, c.Checkpoint)
	add(trustName, []byte(c.Trust))
	if c.Timestamp != nil {
		add(timestampName, c.Timestamp)
	}
	add(modelName, c.Model)
	add(policyName, c.Policy)
	add(documentName, c.Document)
	for _, e := range c.Events {
		add(leafName(e.Seq), e.Leaf)
		add(proofName(e.Seq), ledger.Proof{Seq: e.Seq, Path: e.Path, Checkpoint: c.Checkpoint}.Text())
	}
	add(pageName, page)
	for _, a := range c.Attachments {
		fmt.Fprintf(text, "file %s %d %s%s\n", a.SHA256, a.Size, attachments, a.SHA256)
		s.members = append(s.members, member{name: attachments + a.SHA256, size: a.Size, crc: a.CRC})
		s.files = append(s.files, a)
	}
	manifest, err := sign(text.String())
	if err != nil {
		return nil, err
	}
	s.bodies[0] = manifest
	s.members[0] = member{name: manifestName, size: int64(len(manifest)), crc: crc32.ChecksumIEEE(manifest)}
	s.Size, err = place(s.members)
	return s, err
}

// WriteTo writes the capsule. Attachments are read as they are written; if one is
// not what it was, an error is returned before its last bytes are written.
func (s *Sealed) WriteTo(w io.Writer) (int64, error) {
	out := &counting{w: w}
	for i, m := range s.members {
		if _, err := out.Write(m.local()); err != nil {
			return out.n, err
		}
		if i < len(s.bodies) {
			if _, err := out.Write(s.bodies[i]); err != nil {
				return out.n, err
			}
		} else if err := s.files[i-len(s.bodies)].copyTo(out); err != nil {
			return out.n, err
		}
	}
	offset, directory := out.n, int64(0)
	for _, m := range s.members {
		n, err := out.Write(m.central())
		if err != nil {
			return out.n, err
		}
		directory += int64(n)
	}
	_, err := out.Write(endRecord(len(s.members), directory, offset))
	return out.n, err
}

type counting struct {
	w io.Writer
	n int64
}

func (c *counting) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// copyTo writes a file, its last piece only once all of it has been hashed.
func (a Attachment) copyTo(w io.Writer) error {
	file, err := a.Open()
	if err != nil {
		return err
	}
	defer file.Close()
	sum, buffer, held, left := sha256.New(), make([]byte, 256<<10), []byte(nil), a.Size
	for left > 0 {
		n, err := io.ReadFull(file, buffer[:min(left, int64(len(buffer)))])
		if err != nil {
			return fmt.Errorf("attachment %s: %w", a.SHA256, err)
		}
		sum.Write(buffer[:n])
		if _, err := w.Write(held); err != nil {
			return err
		}
		held, left = append(held[:0], buffer[:n]...), left-int64(n)
	}
	if actual := hex.EncodeToString(sum.Sum(nil)); actual != a.SHA256 {
		return fmt.Errorf("attachment %s is not what was stored: it has %s now", a.SHA256, actual)
	}
	_, err = w.Write(held)
	return err
}
