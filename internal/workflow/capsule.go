package workflow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"strings"

	"github.com/eucora/eucora/internal/attachment"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/capsule"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
	"github.com/go-json-experiment/json"
)

// Capsule seals everything that speaks for a request into one file, for whoever may
// read the request, its evidence and its whole trail. Evidence that is not what was
// filed is sealed by nobody.
func (s *Service) Capsule(ctx context.Context, call Call, id string, withFiles bool) (name string, sealed *capsule.Sealed, err error) {
	r, err := s.capsuleOf(ctx, call, id)
	if err != nil {
		return "", nil, err
	}
	done, err := turn(ctx, s.capsules, 1)
	if err != nil {
		return "", nil, err
	}
	defer done()
	sealed, err = s.seal(ctx, call, r, withFiles)
	return r.Name, sealed, refused(err)
}

// CapsuleName is what the capsule of a request is called, for whoever may have it.
func (s *Service) CapsuleName(ctx context.Context, call Call, id string) (string, error) {
	r, err := s.capsuleOf(ctx, call, id)
	return r.Name, err
}

// capsuleOf is the request that a capsule is asked for, for whoever may have it.
func (s *Service) capsuleOf(ctx context.Context, call Call, id string) (cab.Request, error) {
	if err := permit(call.Actor, cab.ReadEvents); err != nil {
		return cab.Request{}, err
	}
	row, err := s.Request(ctx, call, id)
	if err != nil {
		return cab.Request{}, err
	}
	if err := cab.PermitOn(call.Actor, cab.ReadEvents, cab.Holding{Owners: []string{row.IntentOwner}}); err != nil {
		return cab.Request{}, err
	}
	return row.Request, nil
}

func (s *Service) seal(ctx context.Context, call Call, r cab.Request, withFiles bool) (*capsule.Sealed, error) {
	e, err := s.filedEvidence(ctx, call, r.PackageID, r.ContentHash, "capsule")
	if err != nil {
		return nil, err
	}
	c := capsule.Contents{Request: r.Name, Document: e.Document, Trust: s.trustText()}
	if err := s.capsuleEvents(ctx, call, r, &c); err != nil {
		return nil, err
	}
	if withFiles {
		if c.Attachments, err = s.capsuleFiles(ctx, call, e); err != nil {
			return nil, err
		}
	}
	return capsule.Seal(c, s.store.SignManifest)
}

// refused tells why there is no capsule, where that is not for us to mend.
func refused(err error) error {
	switch {
	case errors.Is(err, capsule.ErrTooLarge):
		return &cab.Error{Kind: cab.Conflict, Code: "CAPSULE_TOO_LARGE", Message: err.Error()}
	case errors.Is(err, capsule.ErrContradictory):
		return &cab.Error{Kind: cab.Conflict, Code: "LEDGER_CONTRADICTORY", Message: "tell an auditor: " + err.Error()}
	}
	return err
}

// trustText is the policy that a capsule is checked with, unless whoever checks it
// has another.
func (s *Service) trustText() string {
	if s.witnesses != nil {
		return s.witnesses.Text()
	}
	return "log " + s.store.LedgerKey() + "\nquorum none\n"
}

// capsuleEvents collects the trail of a request with the proofs, and what it was
// scored and gated by. Nothing that is read here ever changes, so that it does not
// matter what is written meanwhile: the checkpoint is signed first, and what it does
// not cover is left out.
func (s *Service) capsuleEvents(ctx context.Context, call Call, r cab.Request, c *capsule.Contents) error {
	if _, err := s.store.Checkpoint(ctx); err != nil {
		return err
	}
	_, err := see(ctx, s, call, cab.ReadEvents, func(reader *store.Reader) (struct{}, error) {
		newest, err := reader.NewestCheckpoint()
		if err != nil {
			return struct{}{}, err
		}
		if err := s.capsuleRules(reader, call, r, newest.Size-1, c); err != nil {
			return struct{}{}, err
		}
		err = eachEvent(reader, EventFilter{Trail: r.CorrelationID}, newest.Size-1, func(row EventRow) (bool, error) {
			return true, c.AddEvent(capsule.Event{Seq: row.Seq, Leaf: row.Leaf})
		})
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, s.capsuleProofs(reader, newest, c)
	})
	return err
}

// capsuleRules finds the model and the policy of a request, and the events that
// published them, up to the last that counts. Those are in nobody's trail: ADR 17.
func (s *Service) capsuleRules(reader *store.Reader, call Call, r cab.Request, last int64, c *capsule.Contents) error {
	model, err := reader.Model(r.ModelVersion)
	if err != nil {
		return err
	}
	rules, err := reader.Policy(r.PolicyVersion)
	if err != nil {
		return err
	}
	if _, err := modelOf(model); err != nil {
		return err
	}
	if _, err := s.policy(rules); err != nil {
		return err
	}
	c.Model, c.Policy = model.Document, rules.Document
	for _, published := range []struct {
		kind    cab.EventType
		version string
	}{{cab.ModelChanged, model.Version}, {cab.PolicyChanged, rules.Version}} {
		err := eachEvent(reader, EventFilter{Type: published.kind}, last, func(row EventRow) (bool, error) {
			var e cab.Event
			if err := json.Unmarshal(row.Leaf, &e); err != nil {
				return false, err
			}
			if e.Subject.ID != published.version {
				return true, nil
			}
			if cab.AccessOf(call.Actor.Role, cab.ReadEvents) != cab.All && e.Actor.Role != cab.System {
				return false, errNamesOthers(r, published.version)
			}
			return false, c.AddEvent(capsule.Event{Seq: row.Seq, Leaf: row.Leaf})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func errNamesOthers(r cab.Request, version string) error {
	return &cab.Error{
		Kind: cab.Forbidden, Code: "CAPSULE_NAMES_OTHERS",
		Message: "the capsule of " + r.Name + " shows from where an administrator published " + version + ", which is not yours to read; ask an auditor for it",
	}
}

// capsuleRun is how many events are read at a time: 13 MB at most.
const capsuleRun = 200

// eachEvent calls yield for each event of a filter up to the last that counts, oldest
// first, until it has enough.
func eachEvent(reader *store.Reader, f EventFilter, last int64, yield func(EventRow) (more bool, err error)) error {
	f.Limit = capsuleRun
	for after := int64(-1); ; {
		run, err := reader.EventRun(f, after, last)
		if err != nil {
			return err
		}
		for _, row := range run {
			if more, err := yield(row); err != nil || !more {
				return err
			}
		}
		if len(run) < capsuleRun {
			return nil
		}
		after = run[len(run)-1].Seq
	}
}

// capsuleProofs chooses the checkpoint and proves each event by it.
func (s *Service) capsuleProofs(reader *store.Reader, newest store.Checkpointed, c *capsule.Contents) error {
	slices.SortFunc(c.Events, func(a, b capsule.Event) int { return int(a.Seq - b.Seq) })
	if len(c.Events) == 0 {
		return &cab.Error{Kind: cab.Internal, Code: "LEDGER_TAMPERED", Message: "the ledger has none of the events of " + c.Request}
	}
	chosen, err := s.bestCheckpoint(reader, c.Events[len(c.Events)-1].Seq+1, newest)
	if err != nil {
		return err
	}
	c.Checkpoint, c.Timestamp = chosen.Cosigned(), chosen.Timestamp
	tiles := ledger.Tiles(reader.Tiles)
	for i := range c.Events {
		if c.Events[i].Path, err = tiles.Inclusion(c.Events[i].Seq, chosen.Size); err != nil {
			return err
		}
	}
	return nil
}

// bestCheckpoint is the one of at least a size that most others speak for: the
// oldest with a time-stamp, then the newest that was witnessed, then the newest. What
// was witnessed once need not be by the trust policy of now, which is the capsule's.
func (s *Service) bestCheckpoint(reader *store.Reader, least int64, newest store.Checkpointed) (store.Checkpointed, error) {
	for _, find := range []func() (store.Checkpointed, error){
		func() (store.Checkpointed, error) { return reader.StampedCheckpoint(least, s.mustWitness()) },
		reader.WitnessedCheckpoint,
	} {
		found, err := optional(find())
		if err != nil {
			return newest, err
		}
		if found != nil && found.Size >= least && s.trusted(*found) {
			return *found, nil
		}
	}
	return newest, nil
}

// trusted reports whether a checkpoint is the ledger's, and witnessed by a quorum of
// the trust policy, where the site has one.
func (s *Service) trusted(c store.Checkpointed) bool {
	if s.witnesses == nil {
		return true
	}
	opened, err := s.witnesses.Open(c.Cosigned())
	return err == nil && opened.Size == c.Size && s.witnesses.Enough(opened)
}

// capsuleFiles reads the files of a package to their ends, for their checksums.
func (s *Service) capsuleFiles(ctx context.Context, call Call, e Evidence) ([]capsule.Attachment, error) {
	files, err := distinct(e.Record.Attachments)
	if err != nil {
		return nil, err
	}
	var all []capsule.Attachment
	for _, f := range files {
		crc, err := s.checksum(ctx, f)
		switch {
		case errors.Is(err, attachment.ErrMissing), errors.Is(err, attachment.ErrAltered):
			return nil, s.recordLost(ctx, call, e.Package, lostFile{f.SHA256, err.Error()}, "capsule")
		case err != nil:
			return nil, unreadable(f, err)
		}
		all = append(all, capsule.Attachment{
			SHA256: f.SHA256, Size: f.Size, CRC: crc, Open: func() (io.ReadCloser, error) { return s.files.Open(f.SHA256, f.Size) },
		})
	}
	return all, nil
}

// distinct is each file once, ascending by digest, if a capsule has room for all.
func distinct(files []evidence.Attachment) ([]evidence.Attachment, error) {
	files = slices.SortedFunc(slices.Values(files), func(a, b evidence.Attachment) int { return strings.Compare(a.SHA256, b.SHA256) })
	files = slices.CompactFunc(files, func(a, b evidence.Attachment) bool { return a.SHA256 == b.SHA256 })
	total := int64(0)
	for _, f := range files {
		total += f.Size
	}
	return files, capsule.CheckFiles(total)
}

// checksum is the CRC-32 of a file that is what was stored.
func (s *Service) checksum(ctx context.Context, f evidence.Attachment) (uint32, error) {
	if s.files == nil {
		return 0, attachment.ErrMissing
	}
	file, err := s.files.Open(f.SHA256, f.Size)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	crc, sum, buffer := crc32.NewIEEE(), sha256.New(), make([]byte, 256<<10)
	for {
		n, err := file.Read(buffer)
		crc.Write(buffer[:n])
		sum.Write(buffer[:n])
		if errors.Is(err, io.EOF) {
			break
		}
		if err := errors.Join(err, ctx.Err()); err != nil {
			return 0, err
		}
	}
	if hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
		return 0, attachment.ErrAltered
	}
	return crc.Sum32(), nil
}
