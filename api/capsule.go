package api

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
)

// Capsule writes everything that speaks for a request to w, as one zip file; with
// the files of its evidence if asked for. What has been written when it returns an
// error is no capsule; whether one is good, the caller verifies.
func (c *Client) Capsule(ctx context.Context, id string, attachments bool, w io.Writer) error {
	path, query := "/capsules/"+url.PathEscape(id)+"/", url.Values{}
	if attachments {
		query.Set("attachments", "true")
	}
	request, err := c.request(ctx, http.MethodGet, path, query, nil)
	if err != nil {
		return err
	}
	response, err := c.unhurried().Do(request)
	if err != nil {
		return fmt.Errorf("cannot reach %s: %w", c.Server, err)
	}
	defer response.Body.Close()
	if media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); response.StatusCode != http.StatusOK || media != "application/zip" {
		body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
		if err != nil {
			return fmt.Errorf("reading the answer of %s: %w", c.Server, err)
		}
		if err := judge(response, body); err != nil {
			return err
		}
		return fmt.Errorf("%w: %s %s: the answer is no capsule", ErrNotEucora, http.MethodGet, path)
	}
	n, err := io.Copy(w, response.Body)
	if err != nil {
		return fmt.Errorf("reading the capsule from %s: %w", c.Server, err)
	}
	if response.ContentLength != n {
		return fmt.Errorf("%w: %s %s: %d bytes came, and %d were announced", ErrNotEucora, http.MethodGet, path, n, response.ContentLength)
	}
	return nil
}
