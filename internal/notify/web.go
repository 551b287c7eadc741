package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/go-json-experiment/json"
)

// poster posts JSON to one address, which may itself be a secret: it is in no
// error.
type poster struct {
	url    string
	client *http.Client
}

// newPoster: redirects are not followed. That the address is https is not insisted
// on here, for webhooks in the same network.
func newPoster(address string, roots *x509.CertPool) (*poster, error) {
	u, err := url.Parse(address)
	if err != nil || !webAddress(u) {
		return nil, errors.New("want an address that begins with https:// or http://, without a user name")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return &poster{address, &http.Client{
		Timeout: sendLimit, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// private reports whether nobody on the way sees what is posted, and where.
func (p *poster) private() bool {
	u, err := url.Parse(p.url)
	return err == nil && (u.Scheme == "https" || thisMachine(u.Hostname()))
}

// thisMachine reports whether a host is the one that we are on.
func thisMachine(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback() || host == "localhost"
}

// maxReply bounds, in bytes, what is read of an answer. None of it is used.
const maxReply = 4 << 10

func (p *poster) post(ctx context.Context, media string, body []byte, header http.Header) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return errors.New("cannot make the request")
	}
	for name, values := range header {
		request.Header[name] = values
	}
	request.Header.Set("Content-Type", media)
	request.Header.Set("User-Agent", "eucora")
	answer, err := p.client.Do(request)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // without the address
		}
		return err
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, maxReply)
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("the receiver answered %d", answer.StatusCode)
	}
	return nil
}

// chatConfig is a channel by a chat's incoming webhook.
type chatConfig struct {
	URLFile string `yaml:"url_file"` // whoever knows the address can write there
}

func (c *chatConfig) make(o Options, roots *x509.CertPool, form func(message) any) (sender, error) {
	address, err := o.secret("url_file", c.URLFile)
	if err != nil {
		return nil, err
	}
	p, err := newPoster(address, roots)
	if err == nil && !p.private() {
		err = errors.New("want https, for whoever sees the address can write there")
	}
	if err != nil {
		return nil, fmt.Errorf("url_file: %w", err)
	}
	return func(ctx context.Context, m message) error {
		body, err := json.Marshal(form(m))
		if err != nil {
			return permanent{err}
		}
		return p.post(ctx, "application/json", body, nil)
	}, nil
}
