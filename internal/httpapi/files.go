package httpapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/workflow"
)

// Limits of a call with files.
const (
	maxUpload = 8 << 30         // the whole body, in bytes
	patience  = time.Minute     // for each piece of a body or an answer, as for a whole one without files
	reading   = 5 * time.Minute // for reading the files and answering, after the last piece
)

// record is the name of the part that stands first: the JSON that a call without
// files would have as its body.
const record = "record"

// pace is how fast a body with files must come on the whole, in bytes a second:
// one that drips holds a connection and a place for its file.
const pace = 32 << 10

// patient is a body that may take as long as it needs, if it keeps coming.
type patient struct {
	io.ReadCloser
	control  *http.ResponseController
	begun    time.Time
	received int64
	until    time.Time // as set last
}

func (p *patient) Read(b []byte) (int, error) {
	now := time.Now()
	if p.begun.IsZero() {
		p.begun = now
	}
	if p.until.Sub(now) < patience*3/4 {
		p.until = p.due(now)
		// Where no deadline can be set there is none.
		_ = p.control.SetReadDeadline(p.until)
		_ = p.control.SetWriteDeadline(now.Add(reading))
	}
	n, err := p.ReadCloser.Read(b)
	p.received += int64(n)
	return n, err
}

// due is until when the next piece must be here: what has come so far earns time,
// and no piece gets more than patience.
func (p *patient) due(now time.Time) time.Time {
	earned := p.begun.Add(patience + time.Duration(p.received/pace)*time.Second)
	if next := now.Add(patience); next.Before(earned) {
		return next
	}
	return earned
}

// ending is a body whose last bytes are remembered: the reader of its parts takes
// a body that stops in front of a part, or in its header, for a whole one.
type ending struct {
	io.Reader
	last []byte
	mark []byte // what a whole body ends with
}

// lastBytes is more than the reader of parts reads ahead.
const lastBytes = 16 << 10

func (e *ending) Read(b []byte) (int, error) {
	n, err := e.Reader.Read(b)
	added := b[max(0, n-lastBytes):n]
	surplus := max(0, len(e.last)+len(added)-lastBytes)
	e.last = append(e.last[:copy(e.last, e.last[surplus:])], added...)
	return n, err
}

func (e *ending) whole() bool { return bytes.Contains(e.last, e.mark) }

// readParts begins to read a body with files: its first part is the record. The
// files are read by the handler, once it is settled that they are wanted.
func (q *request) readParts(w http.ResponseWriter, boundary string) error {
	if boundary == "" {
		return &httpError{http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", "multipart/form-data wants a boundary"}
	}
	body := &patient{ReadCloser: q.Body, control: http.NewResponseController(w)}
	q.ending = &ending{Reader: http.MaxBytesReader(w, body, maxUpload), mark: []byte("--" + boundary + "--")}
	q.parts = multipart.NewReader(q.ending, boundary)
	part, err := q.parts.NextRawPart()
	if err != nil {
		return brokenBody(err)
	}
	if part.FormName() != record {
		return invalidField(record, "must be the first part: the JSON of the call without files")
	}
	raw, err := io.ReadAll(io.LimitReader(part, evidence.MaxBytes+1))
	if err != nil {
		return brokenBody(err)
	}
	if len(raw) > evidence.MaxBytes {
		return &httpError{http.StatusRequestEntityTooLarge, "BODY_TOO_LARGE", fmt.Sprintf("the record is larger than %d bytes", evidence.MaxBytes)}
	}
	if q.body, err = evidence.Canonical(raw); err != nil {
		return err
	}
	return q.once(raw)
}

func brokenBody(err error) error {
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return &httpError{http.StatusRequestEntityTooLarge, "BODY_TOO_LARGE", fmt.Sprintf("the body is larger than %d bytes", int64(maxUpload))}
	}
	return invalidField("body", "ended before it was complete, or is no multipart/form-data")
}

// receive takes in the files. The caller discards them, also after an error.
func (q *request) receive() (uploads []*workflow.Upload, err error) {
	sent := sha256.New() // what an Idempotency-Key stands for
	for q.parts != nil {
		part, err := q.parts.NextRawPart()
		if errors.Is(err, io.EOF) && q.ending.whole() {
			break
		}
		if err != nil {
			return uploads, brokenBody(err)
		}
		if len(uploads) == workflow.MaxFiles {
			return uploads, invalidField("files", fmt.Sprintf("are more than %d", workflow.MaxFiles))
		}
		u, err := q.receiveOne(part)
		if err != nil {
			return uploads, err
		}
		uploads = append(uploads, u)
		fmt.Fprintf(sent, "%s %q %s\n", part.FormName(), part.FileName(), u.SHA256)
	}
	if q.call.Once != nil && uploads != nil {
		q.call.Once.Fingerprint += hex.EncodeToString(sent.Sum(nil))
	}
	return uploads, nil
}

func (q *request) receiveOne(part *multipart.Part) (*workflow.Upload, error) {
	role, name := evidence.Role(part.FormName()), part.FileName()
	if !slices.Contains(evidence.Roles(), role) {
		return nil, invalidField(clip(part.FormName(), 60), "is not a kind of file; these are: "+list(evidence.Roles()))
	}
	if name == "" {
		name = string(role)
	}
	broken := &noting{Reader: part}
	u, err := q.server.Service.Receive(q.Context(), role, clip(name, 255), broken)
	if broken.err != nil {
		return nil, brokenBody(broken.err)
	}
	return u, err
}

// noting keeps the error that a reader ended with, to tell a body that broke from
// a store that did.
type noting struct {
	io.Reader
	err error
}

func (n *noting) Read(b []byte) (int, error) {
	k, err := n.Reader.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		n.err = err
	}
	return k, err
}

var digestForm = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)

func (s *Server) attachment(q *request) (any, error) {
	id, err := q.id("")
	if err != nil {
		return nil, err
	}
	digest := q.PathValue("sha256")
	if !digestForm.MatchString(digest) {
		return nil, invalidField("sha256", "want 64 hex digits")
	}
	return s.Service.Attachment(q.Context(), q.call, id, strings.ToLower(digest))
}

// writeFile sends a file: never to be shown by a browser, and only as it was
// stored. Its last bytes are held back until all of them have been hashed; if
// they are not what they should be, the answer is cut off and cannot be taken for
// the file.
func (s *Server) writeFile(w http.ResponseWriter, file workflow.Download) {
	defer file.Close()
	h := w.Header()
	h.Set("Content-Type", file.MediaType)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": safeName(file.Attachment.Name)}))
	h.Set("Content-Length", strconv.FormatInt(file.Size, 10))
	h.Set("ETag", `"`+file.SHA256+`"`)
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	control, sum, buffer, held := http.NewResponseController(w), sha256.New(), make([]byte, 256<<10), []byte(nil)
	for {
		n, err := io.ReadFull(file, buffer)
		sum.Write(buffer[:n])
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			held = append(held, buffer[:n]...)
			break
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		_ = control.SetWriteDeadline(time.Now().Add(patience))
		if _, err := w.Write(held); err != nil {
			return // the caller is gone
		}
		held = append(held[:0], buffer[:n]...)
	}
	if hex.EncodeToString(sum.Sum(nil)) != file.SHA256 {
		s.Log.Error("an attachment is not what was stored", "sha256", file.SHA256)
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(held)
}

// safeName is a name that does nothing in a header or on a disk.
func safeName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, name)
	if strings.Trim(name, ". ") == "" {
		return "attachment"
	}
	return name
}
