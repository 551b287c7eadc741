package notify

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/eucora/eucora/internal/store/storetest"
)

// mailbox is a real SMTP server and what it has received.
type mailbox struct {
	mu      sync.Mutex
	address string
	refuse  *smtp.SMTPError
	mails   []received
}

type received struct {
	from, to, text string
	encrypted      bool
	user           string
}

// visit is one session with it.
type visit struct {
	box  *mailbox
	conn *smtp.Conn
	mail received
}

func (v *visit) Reset()        {}
func (v *visit) Logout() error { return nil }
func (v *visit) Mail(from string, _ *smtp.MailOptions) error {
	v.mail.from = from
	_, v.mail.encrypted = v.conn.TLSConnectionState()
	return nil
}
func (v *visit) Rcpt(to string, _ *smtp.RcptOptions) error { v.mail.to += to; return nil }
func (v *visit) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	v.box.mu.Lock()
	defer v.box.mu.Unlock()
	v.mail.text = string(text)
	v.box.mails = append(v.box.mails, v.mail)
	v.mail = received{user: v.mail.user}
	if v.box.refuse != nil {
		return v.box.refuse
	}
	return nil
}
func (v *visit) AuthMechanisms() []string { return []string{sasl.Plain} }
func (v *visit) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if username != "eucora" || password != "pass word" {
			return errors.New("no")
		}
		v.mail.user = username
		return nil
	}), nil
}

// newMailbox starts a server. With a certificate it offers STARTTLS, or speaks TLS
// from the start if implicit.
func newMailbox(t *testing.T, certificate *tls.Certificate, implicit bool) *mailbox {
	t.Helper()
	box := &mailbox{}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &visit{box: box, conn: c}, nil }))
	server.Domain = "mail.test"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	box.address = listener.Addr().String()
	if certificate != nil {
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12}
	}
	if implicit {
		listener = tls.NewListener(listener, server.TLSConfig)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Close()
		<-ended
	})
	return box
}

func mailSite(t *testing.T, box *mailbox, roots, security, user string) *Site {
	t.Helper()
	return parse(t, fmt.Sprintf(`
link: https://eucora.example.org
ca_file: roots
channels:
  - name: mail
    mail:
      server: %q
      security: %s
      from: eucora@example.org
      domain: example.org
      lists: {board: [cab@example.org], admins: [root@example.org]}
      %s
`, box.address, security, user), files{"roots": roots, "password": "pass word\n"})
}

// TestMailArrives at a real server, encrypted and signed in, one for each address,
// as text and as HTML.
func TestMailArrives(t *testing.T) {
	pair, roots := certificate(t)
	for _, security := range []string{"starttls", "tls"} {
		t.Run(security, func(t *testing.T) {
			box := newMailbox(t, &pair, security == "tls")
			w := newTelling(t, storetest.Engines(t)[0], mailSite(t, box, roots, security, "username: eucora\n      password_file: password"))
			about := w.happens()
			w.rounds()
			if len(box.mails) != 2 {
				t.Fatalf("%d mails, want one to the board and one to the engineer: %+v", len(box.mails), w.jobs(false))
			}
			to := map[string]bool{}
			for _, m := range box.mails {
				to[m.to] = true
				if !m.encrypted || m.user != "eucora" || m.from != "eucora@example.org" {
					t.Errorf("encrypted %t, user %q, from %q", m.encrypted, m.user, m.from)
				}
				head, parts := readMail(t, m.text)
				if want := "[Eucora] " + about.Name + " waits for a decision"; head.subject != want {
					t.Errorf("subject %q, want %q", head.subject, want)
				}
				for media, part := range parts {
					for _, want := range []string{about.Name, "62.75 of 100", "erin (packaging engineer)", "https://eucora.example.org/requests/" + about.Name, nothingDecided} {
						if !strings.Contains(part, want) {
							t.Errorf("%s lacks %q:\n%s", media, want, part)
						}
					}
				}
				if len(parts) != 2 {
					t.Errorf("%d parts", len(parts))
				}
			}
			if !to["cab@example.org"] || !to["erin@example.org"] {
				t.Errorf("to %v", to)
			}
		})
	}
}

type mailHead struct{ subject, id, date string }

func readMail(t testing.TB, text string) (mailHead, map[string]string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		t.Fatal(err)
	}
	for name := range m.Header {
		switch name {
		case "Subject", "From", "To", "Date", "Message-Id", "Mime-Version", "Content-Type", "Auto-Submitted":
		default:
			t.Errorf("the mail has the header %s: %s", name, m.Header.Get(name))
		}
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	for reader := multipart.NewReader(m.Body, params["boundary"]); ; {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return mailHead{subject, m.Header.Get("Message-Id"), m.Header.Get("Date")}, parts
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(part) // quoted-printable is decoded by the reader
		if err != nil {
			t.Fatal(err)
		}
		media, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		parts[media] = strings.ReplaceAll(string(body), "\r\n", "\n")
	}
}

// TestMailIsTriedAgain: a server that took the message and then said no gets the
// same message again, with the same id.
func TestMailIsTriedAgain(t *testing.T) {
	pair, roots := certificate(t)
	box := newMailbox(t, &pair, false)
	box.refuse = &smtp.SMTPError{Code: 451, Message: "later"}
	w := newTelling(t, storetest.Engines(t)[0], mailSite(t, box, roots, "starttls", ""))
	w.happens()
	w.rounds()
	box.mu.Lock()
	box.refuse = nil
	box.mu.Unlock()
	w.advance(pauseAfter(1))
	w.rounds()
	ids := map[string]int{}
	for _, m := range box.mails {
		head, _ := readMail(t, m.text)
		ids[head.id+head.date]++
	}
	if len(box.mails) != 4 || len(ids) != 2 {
		t.Errorf("%d mails with the ids %v, want two messages, each twice", len(box.mails), ids)
	}
	if left := w.jobs(false); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
}

// TestMailIsNotSentInTheClear: a server without TLS, or with a certificate that
// nobody knows, gets nothing.
func TestMailIsNotSentInTheClear(t *testing.T) {
	pair, _ := certificate(t)
	_, others := certificate(t)
	for name, given := range map[string]*tls.Certificate{"no TLS": nil, "another's certificate": &pair} {
		t.Run(name, func(t *testing.T) {
			box := newMailbox(t, given, false)
			w := newTelling(t, storetest.Engines(t)[0], mailSite(t, box, others, "starttls", ""))
			w.happens()
			w.rounds()
			if len(box.mails) != 0 {
				t.Errorf("it got %+v", box.mails)
			}
			for _, j := range w.jobs(false) {
				if j.Error == "" {
					t.Errorf("no error is kept: %+v", j)
				}
			}
		})
	}
}
