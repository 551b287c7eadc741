package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
)

// File is a file that goes with evidence.
type File struct {
	Role    string // artifact, sbom, scan, tests, coverage, complexity, vex, provenance, packaging
	Name    string // for people
	Content io.Reader
}

// UploadEvidence files evidence with the files that speak for it: what they say
// counts, whatever in declares. They are sent as streams, in their order, for as
// long as ctx allows; the limit of c.HTTP does not hold here.
func (c *Client) UploadEvidence(ctx context.Context, in CreateEvidence, files []File) (Evidence, error) {
	record, err := jsonv2.Marshal(in)
	if err != nil {
		return Evidence{}, fmt.Errorf("encode request: %w", err)
	}
	body, out := io.Pipe()
	form := multipart.NewWriter(out)
	request, err := c.request(ctx, http.MethodPost, "/evidence/", nil, nil)
	if err != nil {
		return Evidence{}, err
	}
	request.Body = body
	request.Header.Set("Content-Type", form.FormDataContentType())
	request.Header.Set("Expect", "100-continue") // whoever may not file is told before anything is sent
	go func() { out.CloseWithError(writeForm(form, record, files)) }()
	defer body.Close()
	answer, err := c.exchange(c.unhurried(), request)
	if err != nil {
		return Evidence{}, err
	}
	var e Evidence
	if err := jsonv2.Unmarshal(answer, &e); err != nil || !e.whole() {
		return Evidence{}, fmt.Errorf("%w: POST /evidence/: the answer lacks what it is about", errors.Join(ErrNotEucora, err))
	}
	return e, nil
}

func writeForm(form *multipart.Writer, record []byte, files []File) error {
	if err := form.WriteField("record", string(record)); err != nil {
		return err
	}
	for _, f := range files {
		part, err := form.CreateFormFile(f.Role, f.Name)
		if err != nil {
			return err
		}
		if _, err := io.Copy(part, f.Content); err != nil {
			return fmt.Errorf("reading %s: %w", f.Name, err)
		}
	}
	return form.Close()
}

// unhurried is the HTTP client without its limit: a large file takes as long as
// it takes.
func (c *Client) unhurried() *http.Client {
	client := http.Client{}
	if c.HTTP != nil {
		client = *c.HTTP
	}
	client.Timeout = 0
	return &client
}

// ErrAltered is returned when a file that was fetched is not the one asked for.
var ErrAltered = errors.New("the file that came is not the one with this SHA-256")

// Attachment writes a file of a package to w, hashing it here: what has been
// written when it returns an error is not the file.
func (c *Client) Attachment(ctx context.Context, id, digest string, w io.Writer) error {
	path := "/evidence/" + url.PathEscape(id) + "/attachments/" + url.PathEscape(digest) + "/"
	request, err := c.request(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return err
	}
	response, err := c.unhurried().Do(request)
	if err != nil {
		return fmt.Errorf("cannot reach %s: %w", c.Server, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
		if err != nil {
			return fmt.Errorf("reading the answer of %s: %w", c.Server, err)
		}
		return judge(response, body)
	}
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, sum), response.Body); err != nil {
		return fmt.Errorf("reading the file from %s: %w", c.Server, err)
	}
	if actual := hex.EncodeToString(sum.Sum(nil)); !strings.EqualFold(actual, digest) {
		return fmt.Errorf("%w: it has %s", ErrAltered, actual)
	}
	return nil
}
