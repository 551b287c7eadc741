package api

import (
	"context"
	"io"
	"net/url"
)

// Capsule writes everything that speaks for a request to w, as one zip file; with
// the files of its evidence if asked for. What has been written when it returns an
// error is no capsule; whether one is good, the caller verifies.
func (c *Client) Capsule(ctx context.Context, id string, attachments bool, w io.Writer) error {
	query := url.Values{}
	if attachments {
		query.Set("attachments", "true")
	}
	return c.download(ctx, "/capsules/"+url.PathEscape(id)+"/", query, "application/zip", w)
}
