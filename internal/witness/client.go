package witness

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
)

const (
	timeout     = 5 * time.Second // for one exchange
	maxAnswer   = 64 << 10        // bytes that are read of an answer; a cosignature has at most 4 KB
	maxAttempts = 8               // at one checkpoint: another replica may offer newer ones meanwhile
)

// newClient keeps connections, and goes nowhere but where it was sent.
func newClient() *http.Client {
	return &http.Client{
		Transport:     http.DefaultTransport.(*http.Transport).Clone(),
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Refusal is a no that will not change by asking again soon. A witness that has
// seen another log refuses ours.
type Refusal struct{ reason string }

func (r *Refusal) Error() string { return r.reason }

func refusal(format string, args ...any) error { return &Refusal{fmt.Sprintf(format, args...)} }

// otherSize: the witness has cosigned a checkpoint of another size than we thought.
type otherSize struct{ size int64 }

func (e *otherSize) Error() string {
	return fmt.Sprintf("the witness has cosigned a checkpoint of %d", e.size)
}

// offer has a witness cosign a checkpoint and returns its signature line. old is
// the size of the tree that it is thought to have seen; where it says that it has
// seen another, the proof is made from there.
func (o *Offering) offer(ctx context.Context, w ledger.Witness, c store.Checkpointed, old int64) (line string, err error) {
	for range maxAttempts {
		if old > c.Size {
			return "", o.explainAhead(ctx, old)
		}
		var proof []ledger.Hash
		if proof, err = o.proof(ctx, old, c); err != nil {
			return "", err
		}
		line, err = o.addCheckpoint(ctx, w, c.Note, old, proof)
		has, ok := errors.AsType[*otherSize](err)
		if !ok {
			return line, err
		}
		if has.size == old {
			return "", refusal("it refuses a proof from %d because it has cosigned a checkpoint of %d", old, old)
		}
		old = has.size
	}
	return "", err
}

// proof is that a checkpoint goes on from the tree of the old size. It is checked
// before it goes out, so that what a witness refuses is not our own damage.
func (o *Offering) proof(ctx context.Context, old int64, c store.Checkpointed) (path []ledger.Hash, err error) {
	checkpoint, err := o.Trust.Log.Open(c.Note)
	if err != nil {
		return nil, err
	}
	err = o.Store.View(ctx, func(r *store.Reader) (err error) {
		if path, err = ledger.Tiles(r.Tiles).Consistency(old, c.Size); err != nil {
			return err
		}
		root, err := ledger.Tiles(r.Tiles).Root(old)
		if err != nil {
			return err
		}
		return ledger.CheckConsistency(path, ledger.Checkpoint{Size: old, Root: root}, checkpoint)
	})
	if err != nil {
		return nil, fmt.Errorf("the stored tree does not prove what was signed: %w", err)
	}
	return path, nil
}

// explainAhead: a witness that has seen more than it is offered was offered it by
// another replica, which committed it first; or it has seen another log.
func (o *Offering) explainAhead(ctx context.Context, size int64) error {
	newest, _, err := o.newest(ctx)
	if err != nil {
		return err
	}
	if newest.Size < size {
		return refusal("it has cosigned a log of %d events, and this one has %d: the database is older than what it has seen, or this is another log", size, newest.Size)
	}
	return errOvertaken
}

// errOvertaken: there is something newer to offer.
var errOvertaken = errors.New("another replica was quicker")

// addCheckpoint is one call of the protocol, and the answer's one line that counts:
// the cosignature of the witness that was asked, checked.
func (o *Offering) addCheckpoint(ctx context.Context, w ledger.Witness, note []byte, old int64, proof []ledger.Hash) (string, error) {
	answer, err := o.post(ctx, w.URL+"/add-checkpoint", "text/plain; charset=utf-8", request(old, proof, note))
	if err != nil {
		return "", err
	}
	by, err := w.Cosignature(note, answer)
	if err != nil {
		return "", refusal("its answer is no cosignature of this checkpoint: %v", err)
	}
	return by.Line, nil
}

// request is the body of add-checkpoint.
func request(old int64, proof []ledger.Hash, signed []byte) []byte {
	body := fmt.Appendf(nil, "old %d\n", old)
	for _, hash := range proof {
		body = append(base64.StdEncoding.AppendEncode(body, hash[:]), '\n')
	}
	return append(append(body, '\n'), signed...)
}

func (o *Offering) post(ctx context.Context, address, media string, body []byte) ([]byte, error) {
	text, status, err := post(ctx, o.client, address, media, body)
	switch {
	case err != nil:
		return nil, err
	case status == http.StatusOK:
		return text, nil
	case status == http.StatusConflict:
		return nil, conflict(text)
	case status == http.StatusTooManyRequests || status >= 500:
		return nil, fmt.Errorf("it answers %d", status)
	case status == http.StatusUnprocessableEntity:
		return nil, refusal("it refuses with 422: what it has seen under this ledger's name is not the beginning of this log (%.200q)", text)
	case status == http.StatusNotFound:
		return nil, refusal("it refuses with 404: it does not know this ledger; its operator has to add the origin and the key (%.200q)", text)
	case status == http.StatusForbidden:
		return nil, refusal("it refuses with 403: it knows this ledger by another key (%.200q)", text)
	}
	return nil, refusal("it refuses with %d: %.200q", status, text)
}

// conflict reads the size in a witness's 409: a decimal and a newline.
func conflict(answer []byte) error {
	text, ended := strings.CutSuffix(string(answer), "\n")
	size, err := strconv.ParseInt(text, 10, 64)
	if !ended || err != nil || size < 0 || strconv.FormatInt(size, 10) != text {
		return refusal("it answers 409 without the size that it has")
	}
	return &otherSize{size}
}

// post sends a body and reads the answer, whatever its status.
func post(ctx context.Context, client *http.Client, address, media string, body []byte) (text []byte, status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	request.Header.Set("Content-Type", media)
	request.Header.Set("User-Agent", "eucora")
	answer, err := client.Do(request)
	if err != nil {
		return nil, 0, fmt.Errorf("it cannot be reached: %w", err)
	}
	defer answer.Body.Close()
	text, err = io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("its answer broke off: %w", err)
	case len(text) > maxAnswer:
		return nil, 0, refusal("its answer has more than %d bytes", maxAnswer)
	}
	return text, answer.StatusCode, nil
}
