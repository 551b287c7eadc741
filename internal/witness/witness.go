// Package witness shows the ledger's checkpoints to others: to witnesses, who
// cosign what is consistent with what they saw before (C2SP tlog-witness), and to
// a time-stamping authority (RFC 3161). It is the only room that calls anybody.
// What they answer is checked before it is kept, and nothing waits for them: a
// witness that is slow, gone or hostile costs its own cosignature.
package witness

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
)

// How often the newest checkpoint is looked at; how long a witness may take; and
// how long one that failed is left alone, doubled each time up to the most.
const (
	lookEvery = 500 * time.Millisecond
	timeout   = 5 * time.Second
	waitFirst = time.Second
	waitMost  = time.Minute
)

// maxAnswer bounds what is read of a witness's answer, in bytes.
const maxAnswer = 64 << 10

// Offering offers every new checkpoint to every witness. It is safe to run on
// several replicas: each cosignature is kept once.
type Offering struct {
	Store *store.Store
	Trust *ledger.Trust
	Log   *slog.Logger
	// Failed is told of each call to a witness that brought no cosignature; nil:
	// nobody counts.
	Failed func(witness string)

	client *http.Client
}

// Run offers until ctx is done. Each witness is asked by itself, so that one never
// waits for another.
func (o *Offering) Run(ctx context.Context) {
	o.client = &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	done := make(chan struct{})
	asked := 0
	for _, w := range o.Trust.Witnesses {
		if w.URL == "" {
			continue
		}
		asked++
		go func() {
			defer func() { done <- struct{}{} }()
			o.follow(ctx, w)
		}()
	}
	for range asked {
		<-done
	}
}

// follow keeps one witness up to date.
func (o *Offering) follow(ctx context.Context, w ledger.Witness) {
	known := int64(-1) // the size that the witness has cosigned, as far as is known
	wait := waitFirst
	for {
		pause := lookEvery
		size, err := o.offerNewest(ctx, w, known)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			known, wait = size, waitFirst
		default:
			o.Log.Warn("no cosignature", "witness", w.Name, "error", err, "again_in", wait.String())
			if o.Failed != nil {
				o.Failed(w.Name)
			}
			if _, refused := errors.AsType[*Refusal](err); refused {
				wait = waitMost
			}
			pause, wait, known = wait, min(2*wait, waitMost), -1
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// offerNewest offers the newest checkpoint, unless the witness has cosigned it,
// and returns its size.
func (o *Offering) offerNewest(ctx context.Context, w ledger.Witness, known int64) (int64, error) {
	var newest store.Checkpointed
	err := o.Store.View(ctx, func(r *store.Reader) (err error) {
		if newest, err = r.NewestCheckpoint(); err == nil && known < 0 {
			known, err = r.WitnessedUpTo(w.Key)
		}
		return err
	})
	if err != nil || newest.Size == known {
		return known, err
	}
	line, err := o.offer(ctx, w, newest, known)
	if behind, ok := errors.AsType[*otherSize](err); ok { // it knows better what it has seen
		line, err = o.offer(ctx, w, newest, behind.size)
	}
	if err != nil {
		return 0, err
	}
	given := []store.Cosignature{{Witness: w.Key, Line: line}}
	return newest.Size, o.Store.KeepCosignatures(ctx, newest.Size, given, o.enough)
}

// enough reports whether a checkpoint and cosignature lines make a quorum.
func (o *Offering) enough(signed []byte, lines []string) bool {
	opened, err := o.Trust.Open(ledger.WithCosignatures(signed, lines))
	return err == nil && o.Trust.Enough(opened)
}

// Refusal is a witness's no: it will not change by asking again soon. A witness
// that has seen another log refuses ours.
type Refusal struct{ reason string }

func (r *Refusal) Error() string { return r.reason }

func refusal(format string, args ...any) error { return &Refusal{fmt.Sprintf(format, args...)} }

// otherSize: the witness has cosigned a checkpoint of another size than we thought.
type otherSize struct{ size int64 }

func (e *otherSize) Error() string {
	return fmt.Sprintf("the witness has cosigned a checkpoint of %d", e.size)
}

// offer is one add-checkpoint call: the checkpoint with a proof that it goes on
// from the one of size old. It returns the witness's signature line.
func (o *Offering) offer(ctx context.Context, w ledger.Witness, c store.Checkpointed, old int64) (string, error) {
	if old > c.Size {
		return "", refusal("it has cosigned a log of %d events, and this one has %d: the database is older than what it has seen, or this is another log", old, c.Size)
	}
	var proof []ledger.Hash
	err := o.Store.View(ctx, func(r *store.Reader) (err error) {
		proof, err = ledger.Tiles(r.Tiles).Consistency(old, c.Size)
		return err
	})
	if err != nil {
		return "", err
	}
	answer, err := o.post(ctx, w.URL+"/add-checkpoint", request(old, proof, c.Note))
	if err != nil {
		return "", err
	}
	opened, err := o.Trust.Open(ledger.WithCosignatures(c.Note, []string{string(answer)}))
	if err != nil {
		return "", refusal("its answer is no cosignature of this checkpoint: %v", err)
	}
	for _, by := range opened.By {
		if by.Witness == w.Name {
			return by.Line, nil
		}
	}
	return "", refusal("its answer is not signed by its key %s", w.Key)
}

// request is the body of add-checkpoint.
func request(old int64, proof []ledger.Hash, signed []byte) []byte {
	body := fmt.Appendf(nil, "old %d\n", old)
	for _, hash := range proof {
		body = append(base64.StdEncoding.AppendEncode(body, hash[:]), '\n')
	}
	return append(append(body, '\n'), signed...)
}

func (o *Offering) post(ctx context.Context, address string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "text/plain; charset=utf-8")
	request.Header.Set("User-Agent", "eucora")
	answer, err := o.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("it cannot be reached: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("its answer broke off: %w", err)
	case len(text) > maxAnswer:
		return nil, refusal("its answer has more than %d bytes", maxAnswer)
	case answer.StatusCode == http.StatusOK:
		return text, nil
	case answer.StatusCode == http.StatusConflict:
		size, err := strconv.ParseInt(strings.TrimSuffix(string(text), "\n"), 10, 64)
		if err != nil || size < 0 {
			return nil, refusal("it answers 409 without the size that it has")
		}
		return nil, &otherSize{size}
	case answer.StatusCode == http.StatusTooManyRequests || answer.StatusCode >= 500:
		return nil, fmt.Errorf("it answers %s", answer.Status)
	}
	return nil, refusal("it refuses with %s: %.200q", answer.Status, text)
}
