package api

import (
	"context"
	"fmt"
	"net/http"
)

// logPrefix is where the log is, as C2SP tlog-tiles serves it.
const logPrefix = "/log/"

// LogCheckpoint returns the log's checkpoint with its cosignatures: where a quorum
// must witness, the newest that one has. Who signed it, the caller checks.
func (c *Client) LogCheckpoint(ctx context.Context) ([]byte, error) {
	return c.file(ctx, logPrefix+"checkpoint", "text/plain")
}

// LogTile returns a tile of hashes or a bundle of entries by its path, as C2SP
// tlog-tiles names it: tile/0/x001/067, tile/entries/000.p/17.
func (c *Client) LogTile(ctx context.Context, path string) ([]byte, error) {
	return c.file(ctx, logPrefix+path, "application/octet-stream")
}

// Event returns the event at a place of the ledger: the bytes that were hashed.
func (c *Client) Event(ctx context.Context, seq int64) ([]byte, error) {
	return c.file(ctx, fmt.Sprintf("/events/%d/", seq), "application/json")
}

// Proof returns the proof that the event at a place is in the signed log, a
// c2sp.org/tlog-proof@v1. What it proves, the caller checks.
func (c *Client) Proof(ctx context.Context, seq int64) ([]byte, error) {
	return c.file(ctx, fmt.Sprintf("/events/%d/proof/", seq), "text/plain")
}

func (c *Client) file(ctx context.Context, path, media string) ([]byte, error) {
	request, err := c.request(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return nil, err
	}
	client := c.HTTP
	if client == nil {
		client = defaultHTTP
	}
	return c.exchangeFor(media, client, request)
}
