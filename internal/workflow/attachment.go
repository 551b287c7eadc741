package workflow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/eucora/eucora/internal/attachment"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/collect"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/store"
)

// MaxFiles is how many files one package may have.
const MaxFiles = 256

// Upload is a file that has come in and belongs to no package yet. Whoever
// received it discards it in the end; one that a package took stays.
type Upload struct {
	role evidence.Role
	name string
	*attachment.File
}

// MayFile refuses whoever could not file evidence for a deployment, before
// anything is received.
func (s *Service) MayFile(ctx context.Context, call Call, deploymentID string) error {
	in, err := s.evidenceInput(ctx, call, deploymentID)
	if err != nil {
		return err
	}
	return cab.PermitOn(call.Actor, cab.CreateEvidence, cab.Holding{Owners: []string{in.Deployment.CreatedBy.ID}})
}

// Receive takes in one file, of a role, as a stream. Nothing is left of one that
// does not arrive, or is too large.
func (s *Service) Receive(ctx context.Context, role evidence.Role, name string, body io.Reader) (*Upload, error) {
	if s.files == nil {
		return nil, &cab.Error{Kind: cab.Invalid, Code: "NO_ATTACHMENTS", Message: "this server takes no files"}
	}
	file, err := s.files.Receive(ctx, body, collect.Limit(role))
	switch {
	case errors.Is(err, attachment.ErrTooLarge):
		message := fmt.Sprintf("%s is larger than %d MiB, the most that is taken as %s", name, collect.Limit(role)>>20, role)
		return nil, fileError("FILE_TOO_LARGE", role, message, err)
	case errors.Is(err, attachment.ErrFull):
		return nil, keptNot(err)
	case err != nil:
		return nil, err
	}
	return &Upload{role, name, file}, nil
}

func fileError(code string, role evidence.Role, message string, err error) error {
	return &cab.Error{
		Kind: cab.Invalid, Code: code, Message: message, Err: err,
		Fields: []cab.FieldError{{Field: string(role), Message: message}},
	}
}

// keptNot is why a file could not be put in its place.
func keptNot(err error) error {
	if errors.Is(err, attachment.ErrFull) {
		return &cab.Error{Kind: cab.Unavailable, Code: "STORAGE_FULL", Message: "there is no room for the file; nothing was filed", Err: err}
	}
	return err
}

// Reading is bounded. What a report holds in memory is up to some times its size,
// and no more than collect.MaxHeld for all of a package's; a package gets room for
// all of them at once, until they are done with, so that none waits for another
// while it holds some.
const (
	readingUnit = 1 << 20 // bytes of memory
	readingMost = collect.MaxReport / readingUnit
	heldPerByte = 6 // of a report whose lines are as short as they can be
)

// roomFor is the room that reports of some size together need.
func roomFor(size int64) int64 { return min(1+heldPerByte*size/readingUnit, readingMost) }

// read reads the files of a package. Its caller has made room for them.
func (s *Service) read(ctx context.Context, uploads []*Upload) ([]collect.Attached, error) {
	all := make([]collect.Attached, 0, len(uploads))
	held := int64(0)
	for _, u := range uploads {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		a, err := collect.Attach(u.role, collect.Source{Name: u.name, SHA256: u.SHA256, Size: u.Size, ReaderAt: u.File}, s.trust, s.now(), held)
		if err != nil {
			return nil, fileError("FILE_UNREADABLE", u.role, err.Error(), err)
		}
		a.Forget()
		held = a.Held()
		all = append(all, a)
	}
	return all, nil
}

// derive reads the files of a package and puts what they say in the place of
// what was declared.
func (s *Service) derive(ctx context.Context, record *evidence.Record, uploads []*Upload) error {
	if len(uploads) == 0 {
		return nil
	}
	size, installers := int64(0), int64(0)
	for _, u := range uploads {
		if u.role == evidence.ArtifactFile {
			installers = readingMost / 16 // they are looked into one by one, with little in memory
		} else {
			size += u.Size
		}
	}
	room := min(roomFor(size)+installers, readingMost)
	if err := s.room.Acquire(ctx, room); err != nil {
		return err
	}
	defer s.room.Release(room)
	files, err := s.read(ctx, uploads)
	if err != nil {
		return err
	}
	values, notes, err := collect.Derive(files, record.Sections, s.trust.PublicKeys())
	if err != nil {
		return fileError("FILE_UNREADABLE", evidence.SBOMFile, err.Error(), err)
	}
	if record.Sections, record.Origins, err = record.Sections.Derive(values); err != nil {
		return err
	}
	record.Notes = notes
	for _, f := range files {
		record.Attachments = append(record.Attachments, f.Attachment)
	}
	return nil
}

// unchecked says that a verb may go on once the files of a package have been
// held against their digests, which takes too long for a transaction.
type unchecked struct {
	pkg   cab.Package
	files []evidence.Attachment
}

func (*unchecked) Error() string { return "the files have to be looked at first" }

// Unwrap: to the store it is a refusal like any other, which undoes nothing.
func (*unchecked) Unwrap() error {
	return &cab.Error{Kind: cab.Conflict, Code: "UNCHECKED", Message: "the files have to be looked at first"}
}

// needFiles asks for the files of a package to be looked at, unless they have
// been: held is the content hash of the package whose files have. p is whole.
func (s *Service) needFiles(p cab.Package, held string) error {
	if held == p.ContentHash {
		return nil
	}
	filed, err := s.reading(p.ContentHash, p.Document)
	if err != nil || len(filed.attachments) == 0 {
		return err
	}
	return &unchecked{p, filed.attachments}
}

// withFiles runs a verb that decides on a package. If the package has files the
// verb comes back first, they are read and hashed outside of the transaction, and
// it is run again.
func withFiles[T any](ctx context.Context, s *Service, call Call, during string, verb func(held string) (T, error)) (T, error) {
	result, err := verb("")
	need, ok := errors.AsType[*unchecked](err)
	if !ok {
		return result, err
	}
	var none T
	lost, err := s.checkFiles(ctx, need.files)
	if err != nil {
		return none, err
	}
	if len(lost) > 0 {
		return none, s.recordLost(ctx, call, need.pkg, lost[0], during)
	}
	return verb(need.pkg.ContentHash)
}

// lostFile is a file that is not there, or not what was stored.
type lostFile struct {
	digest string
	actual string
}

// checkFiles reads files to their ends. The error is about not being able to
// look, which is no yes either.
func (s *Service) checkFiles(ctx context.Context, files []evidence.Attachment) ([]lostFile, error) {
	var lost []lostFile
	for _, f := range files {
		err := s.CheckAttachment(ctx, f.SHA256, f.Size)
		switch {
		case errors.Is(err, attachment.ErrMissing), errors.Is(err, attachment.ErrAltered):
			lost = append(lost, lostFile{f.SHA256, err.Error()})
		case err != nil:
			return nil, unreadable(f, err)
		}
	}
	return lost, nil
}

func unreadable(f evidence.Attachment, err error) error {
	return &cab.Error{
		Kind: cab.Unavailable, Code: "ATTACHMENT_UNREADABLE", Err: err,
		Message: "the file " + f.SHA256 + " could not be read just now; nothing was decided",
	}
}

// CheckAttachment reads a file to its end and holds it against its digest.
func (s *Service) CheckAttachment(ctx context.Context, digest string, size int64) error {
	if s.files == nil {
		return attachment.ErrMissing
	}
	return s.files.CheckAt(ctx, digest, size, s.now())
}

// needFilesLately is [Service.needFiles] for answers that are asked for all the
// time: files that were looked at within the last minute, and not written to since,
// will do.
func (s *Service) needFilesLately(p cab.Package, held string) error {
	err := s.needFiles(p, held)
	need, ok := errors.AsType[*unchecked](err)
	if !ok || s.files == nil {
		return err
	}
	for _, f := range need.files {
		if !s.files.HeldLately(f.SHA256, f.Size, s.now()) {
			return err
		}
	}
	return nil
}

// recordLost writes the event that a file was lost, once for each alteration,
// and returns the refusal.
func (s *Service) recordLost(ctx context.Context, call Call, p cab.Package, lost lostFile, during string) error {
	key := tampering{p.ID, lost.digest + " " + lost.actual, during}
	refusal := cab.ErrAttachmentLost(p, lost.digest, lost.actual)
	if _, known := s.tamperings.Load(key); known {
		return refusal
	}
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		return tx.Save(cab.AttachmentLost(s.cabCall(call), p, lost.digest, lost.actual, during))
	})
	if err != nil {
		return err
	}
	s.tamperings.Store(key, true)
	return refusal
}

// Download is a file of a package, opened to be read. Whoever takes it closes it.
type Download struct {
	*os.File
	evidence.Attachment
}

// Attachment opens a file of a package.
func (s *Service) Attachment(ctx context.Context, call Call, id, digest string) (Download, error) {
	e, err := s.Evidence(ctx, call, id)
	if err != nil {
		return Download{}, err
	}
	for _, f := range e.Record.Attachments {
		if f.SHA256 != digest {
			continue
		}
		err := attachment.ErrMissing
		var file *os.File
		if s.files != nil {
			file, err = s.files.Open(digest, f.Size)
		}
		switch {
		case errors.Is(err, attachment.ErrMissing), errors.Is(err, attachment.ErrAltered):
			return Download{}, s.recordLost(ctx, call, e.Package, lostFile{digest, err.Error()}, "reading")
		case err != nil:
			return Download{}, unreadable(f, err)
		}
		return Download{file, f}, nil
	}
	return Download{}, &cab.Error{Kind: cab.NotFound, Code: "NOT_FOUND", Message: "the package has no such file"}
}

// SweepFiles removes files that no package refers to, a day after they came.
func (s *Service) SweepFiles(ctx context.Context) error {
	if s.files == nil {
		return nil
	}
	_, err := s.files.Sweep(ctx, s.now(), func(ctx context.Context, digests []string) (used map[string]bool, err error) {
		err = s.store.View(ctx, func(r *store.Reader) error {
			used, err = r.UsedAttachments(digests)
			return err
		})
		return used, err
	})
	return err
}
