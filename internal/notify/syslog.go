package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/cab"
)

// syslogConfig is a channel to a SIEM: RFC 5424 with an ArcSight CEF line.
type syslogConfig struct {
	Address string `yaml:"address"` // tls://HOST:PORT, tcp://HOST:PORT or udp://HOST:PORT
}

type syslog struct {
	scheme, address   string
	tls               *tls.Config
	hostname, version string
}

func (c *syslogConfig) make(o Options, roots *x509.CertPool) (sender, error) {
	u, err := url.Parse(c.Address)
	if err != nil || u.Port() == "" || u.Hostname() == "" || u.User != nil || u.Path != "" || u.RawQuery != "" {
		return nil, errors.New("address: want tls://HOST:PORT, tcp://HOST:PORT or udp://HOST:PORT")
	}
	s := &syslog{scheme: u.Scheme, address: u.Host, hostname: nilValue(o.Hostname), version: o.Version}
	switch u.Scheme {
	case "tls":
		s.tls = &tls.Config{ServerName: u.Hostname(), RootCAs: roots, MinVersion: tls.VersionTLS12}
	case "tcp", "udp":
	default:
		return nil, fmt.Errorf("address: %q; want tls, tcp or udp", u.Scheme)
	}
	return s.send, nil
}

// nilValue is a header field of RFC 5424: printable ASCII, or "-".
func nilValue(text string) string {
	text = strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f {
			return r
		}
		return -1
	}, text)
	if text == "" || len(text) > 255 {
		return "-"
	}
	return text
}

// maxDatagram bounds, in bytes, what goes out by UDP.
const maxDatagram = 2048

// send writes one message on a connection of its own. Syslog has no answer: what
// TCP has taken counts as sent, and so does whatever UDP was given.
func (s *syslog) send(ctx context.Context, m message) (err error) {
	line := s.line(m)
	network := "tcp"
	if s.scheme == "udp" {
		network = "udp"
		line = strings.ToValidUTF8(line[:min(len(line), maxDatagram)], "")
	} else {
		line = fmt.Sprintf("%d %s", len(line), line) // counted, as RFC 5425 and RFC 6587 say
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, s.address)
	if err != nil {
		return err
	}
	if s.tls != nil {
		conn = tls.Client(conn, s.tls)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	_, err = conn.Write([]byte(line))
	return err
}

// severity is how bad a type of event is, for CEF (0 to 10) and for syslog.
func severity(kind string) (cef, level int) {
	switch cab.EventType(kind) {
	case cab.EvidenceTampered:
		return 10, 2
	case cab.ApprovalRevoked, cab.ExceptionRevoked, cab.ExceptionApproved, cab.CABEscalated, cab.DeploymentFailed, cab.RollbackStarted:
		return 6, 4
	}
	return 3, 5
}

// line is the message: facility 13, log audit.
func (s *syslog) line(m message) string {
	n := m.notice
	cef, level := severity(n.Type)
	extension := []fact{
		{"rt", strconv.FormatInt(n.Time.UnixMilli(), 10)}, {"externalId", n.ID}, {"act", n.Type}, {"suser", n.Actor.Name}, {"suid", n.Actor.ID},
		{"spriv", string(n.Actor.Role)}, {"duser", n.Concerns.Username}, {"outcome", n.Status}, {"reason", n.Said},
	}
	extension = append(extension, labelled("cs1", "name", n.Name)...)
	extension = append(extension, labelled("cs2", "application", m.application(""))...)
	extension = append(extension, labelled("cs3", "correlationId", n.CorrelationID)...)
	if n.Gate != "" {
		extension = append(extension, labelled("cs4", "gate", string(n.Gate))...)
		extension = append(extension, labelled("cfp1", "riskScore", n.Score.String())...)
	}
	if !n.Until.IsZero() {
		extension = append(extension, fact{"end", strconv.FormatInt(n.Until.UnixMilli(), 10)})
	}
	extension = append(extension, fact{"request", m.link})
	var pairs []string
	for _, f := range extension {
		if value := cefValue(f.value); value != "" {
			pairs = append(pairs, f.name+"="+value)
		}
	}
	return fmt.Sprintf("<%d>1 %s %s eucora - %s - CEF:0|Eucora|Eucora|%s|%s|%s|%d|%s", 13*8+level, n.Time.UTC().Format(time.RFC3339Nano),
		s.hostname, nilValue(n.Type), cefHeader(s.version), cefHeader(n.Type), cefHeader(m.headline()), cef, strings.Join(pairs, " "))
}

func labelled(key, label, value string) []fact {
	if value == "" {
		return nil
	}
	return []fact{{key + "Label", label}, {key, value}}
}

var (
	headerEscapes = strings.NewReplacer(`\`, `\\`, `|`, `\|`)
	valueEscapes  = strings.NewReplacer(`\`, `\\`, `=`, `\=`)
)

func cefHeader(text string) string { return headerEscapes.Replace(inert(text)) }
func cefValue(text string) string  { return valueEscapes.Replace(inert(text)) }
