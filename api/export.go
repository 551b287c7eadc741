package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"
)

// ErrStalled is returned when a download stops coming.
var ErrStalled = errors.New("the server stopped sending")

// ExportEvents writes every event of a filter to w, oldest first, as they come.
// The query takes correlation_id, type, actor, since, until, and format: ndjson
// (if absent), csv, ocsf. What has been written when it returns an error is not
// all of them.
func (c *Client) ExportEvents(ctx context.Context, query url.Values, w io.Writer) error {
	want := "application/x-ndjson"
	if query.Get("format") == "csv" {
		want = "text/csv"
	}
	return c.download(ctx, "/events/export/", query, want, w)
}

// download writes an answer of any length to w. The limit of c.HTTP holds for
// each piece, not for the whole.
func (c *Client) download(ctx context.Context, path string, query url.Values, want string, w io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := defaultHTTP.Timeout
	if c.HTTP != nil && c.HTTP.Timeout > 0 {
		limit = c.HTTP.Timeout
	}
	stalled := fmt.Errorf("%w: nothing came for %s", ErrStalled, limit)
	timer := time.AfterFunc(limit, func() { cancel(stalled) })
	defer timer.Stop()
	request, err := c.request(ctx, http.MethodGet, path, query, nil)
	if err != nil {
		return err
	}
	response, err := c.unhurried().Do(request)
	if err != nil {
		return fmt.Errorf("cannot reach %s: %w", c.Server, why(ctx, err))
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
		if err != nil {
			return fmt.Errorf("reading the answer of %s: %w", c.Server, why(ctx, err))
		}
		return judge(response, body)
	}
	if media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); media != want {
		return fmt.Errorf("%w: answer of type %q", ErrNotEucora, media)
	}
	if endless(response) {
		return fmt.Errorf("%w: its answer could be cut off without anybody noticing; a proxy in between has to speak HTTP/1.1", ErrNotEucora)
	}
	if _, err := io.Copy(w, &pulse{response.Body, timer, limit}); err != nil {
		return fmt.Errorf("the answer of %s was cut off: %w", c.Server, why(ctx, err))
	}
	return nil
}

// endless reports whether an answer ends where the connection does, so that half of
// it would look whole.
func endless(response *http.Response) bool {
	return response.ProtoMajor == 1 && response.ContentLength < 0 && response.TransferEncoding == nil && !response.Uncompressed
}

// why prefers what ended the context to what came of it.
func why(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// pulse lets the clock run while it waits for a piece, and not while the piece is
// written: a slow disk is no stall.
type pulse struct {
	io.Reader
	timer *time.Timer
	limit time.Duration
}

func (p *pulse) Read(b []byte) (int, error) {
	p.timer.Reset(p.limit)
	defer p.timer.Stop()
	return p.Reader.Read(b)
}

// ChangeReport writes the control report of a period to w. The query takes
// since, until, and format: html (if absent), json. What has been written when
// it returns an error is not all of it.
func (c *Client) ChangeReport(ctx context.Context, query url.Values, w io.Writer) error {
	want := "text/html"
	if query.Get("format") == "json" {
		want = "application/json"
	}
	return c.download(ctx, "/reports/changes/", query, want, w)
}
