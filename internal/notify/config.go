// Package notify tells people and machines what has happened and what waits for
// them: by mail, in Slack and Teams, by webhooks, and to a SIEM by syslog.
//
// What is to be told becomes a job for each channel in the transaction of the
// event ([Site.Outbox]); [Delivery] sends it later. So nothing is told that did not
// happen, nothing that happened goes untold while a channel is down, and no
// decision waits for a channel. A message is sent once, or more than once if a
// process dies between sending and writing down that it did: whoever gets it can
// tell by its id (webhook-id, Message-ID, CEF's externalId). Nothing is decided by
// answering a message or by following a link in it.
package notify

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/eucora/eucora/internal/cab"
	"go.yaml.in/yaml/v3"
)

// config is the file as it is written. Secrets are in files of their own.
type config struct {
	Link     string          `yaml:"link"`    // address of the console, "" for no links
	CAFile   string          `yaml:"ca_file"` // roots besides the machine's
	Channels []channelConfig `yaml:"channels"`
}

// channelConfig is one channel: exactly one of the kinds.
type channelConfig struct {
	Name    string         `yaml:"name"`
	To      []cab.Audience `yaml:"to"` // what is told: that which goes to one of these; all if absent
	Mail    *mailConfig    `yaml:"mail"`
	Slack   *chatConfig    `yaml:"slack"`
	Teams   *chatConfig    `yaml:"teams"`
	Webhook *webhookConfig `yaml:"webhook"`
	Syslog  *syslogConfig  `yaml:"syslog"`
}

// Site is who is told, and how, on this site. It holds secrets and is never
// printed.
type Site struct {
	link     *url.URL // nil: no links
	channels []channel
}

// channel is one way to tell.
type channel struct {
	name string
	to   []cab.Audience // nil: everything
	send sender
	// addresses are whom a notice goes to, each with a job of its own; nil: the
	// channel is one place.
	addresses func(cab.Notice) []string
}

// Options are what a site is read with.
type Options struct {
	ReadFile func(path string) ([]byte, error) // for secrets and roots
	Hostname string                            // in syslog lines and mail greetings
	Version  string
}

// maxChannels bounds the channels: each event writes a row for each.
const maxChannels = 20

var channelName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// Parse reads the configuration, refusing what it does not know.
func Parse(text []byte, o Options) (*Site, error) {
	var c config
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&c); err != nil {
		return nil, err
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one document")
	}
	if len(c.Channels) == 0 || len(c.Channels) > maxChannels {
		return nil, fmt.Errorf("channels: want 1 to %d", maxChannels)
	}
	s := &Site{}
	if c.Link != "" {
		link, err := url.Parse(c.Link)
		if err != nil || !webAddress(link) || link.RawQuery != "" || link.Fragment != "" {
			return nil, fmt.Errorf("link: %q is not the address of a site", c.Link)
		}
		s.link = link
	}
	roots, err := c.roots(o)
	if err != nil {
		return nil, err
	}
	for i, one := range c.Channels {
		made, err := one.make(o, roots)
		if err != nil {
			return nil, fmt.Errorf("channels[%d] %s: %w", i, one.Name, err)
		}
		if slices.ContainsFunc(s.channels, func(other channel) bool { return other.name == one.Name }) {
			return nil, fmt.Errorf("channels[%d]: there is another %s", i, one.Name)
		}
		s.channels = append(s.channels, made)
	}
	return s, nil
}

// roots are those of the machine and of the file; nil are the machine's alone.
func (c config) roots(o Options) (*x509.CertPool, error) {
	if c.CAFile == "" {
		return nil, nil
	}
	text, err := o.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("ca_file: %s holds no certificate", c.CAFile)
	}
	return pool, nil
}

func (c channelConfig) make(o Options, roots *x509.CertPool) (channel, error) {
	made := channel{name: c.Name, to: c.To}
	if !channelName.MatchString(c.Name) {
		return made, errors.New("name: want small letters, digits and hyphens, 32 at most")
	}
	for _, to := range c.To {
		if !slices.Contains(cab.Audiences(), to) {
			return made, fmt.Errorf("to: %q is nobody; want some of %v", to, cab.Audiences())
		}
	}
	var err error
	kinds := 0
	if c.Mail != nil {
		kinds++
		made.send, made.addresses, err = c.Mail.make(o, roots)
	}
	if c.Slack != nil {
		kinds++
		made.send, err = c.Slack.make(o, roots, slackMessage)
	}
	if c.Teams != nil {
		kinds++
		made.send, err = c.Teams.make(o, roots, teamsMessage)
	}
	if c.Webhook != nil {
		kinds++
		made.send, err = c.Webhook.make(o, roots)
	}
	if c.Syslog != nil {
		kinds++
		made.send, err = c.Syslog.make(o, roots)
	}
	if err == nil && kinds != 1 {
		err = errors.New("want exactly one of mail, slack, teams, webhook and syslog")
	}
	return made, err
}

// secret reads a secret's file, without the white space round it.
func (o Options) secret(field, path string) (string, error) {
	if path == "" {
		return "", fmt.Errorf("%s: missing", field)
	}
	text, err := o.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", field, err)
	}
	if secret := strings.TrimSpace(string(text)); secret != "" && !strings.ContainsAny(secret, "\r\n\x00") {
		return secret, nil
	}
	return "", fmt.Errorf("%s: %s is not one line", field, path)
}

func webAddress(u *url.URL) bool {
	return (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
}

func mailAddress(text string) error {
	a, err := mail.ParseAddress(text)
	if err != nil || a.Address != text || strings.ContainsAny(text, "\r\n") {
		return fmt.Errorf("%q is not a mail address", text)
	}
	return nil
}
