package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"html/template"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/eucora/eucora/internal/cab"
	gomail "github.com/wneessen/go-mail"
)

// mailConfig is a channel by SMTP.
type mailConfig struct {
	Server       string                    `yaml:"server"`   // HOST:PORT
	Security     string                    `yaml:"security"` // starttls (if absent), tls, or none: on this machine only
	Username     string                    `yaml:"username"`
	PasswordFile string                    `yaml:"password_file"`
	From         string                    `yaml:"from"`
	Lists        map[cab.Audience][]string `yaml:"lists"`
	// Where people are reached: at an address of their own, or else at their user
	// name in the domain. Of whom neither says, the admins are told.
	Domain    string            `yaml:"domain"`
	Addresses map[string]string `yaml:"addresses"`
}

func (c *mailConfig) make(o Options, roots *x509.CertPool) (sender, func(cab.Notice) []string, error) {
	host, options, err := c.options(o, roots)
	if err != nil {
		return nil, nil, err
	}
	if err := c.check(); err != nil {
		return nil, nil, err
	}
	if _, err := gomail.NewClient(host, options...); err != nil {
		return nil, nil, err
	}
	m := &mailer{host: host, options: options, from: c.From}
	return m.send, c.addresses, nil
}

// options are how to speak to the server. Nothing falls back to clear text.
func (c *mailConfig) options(o Options, roots *x509.CertPool) (host string, options []gomail.Option, err error) {
	host, port, err := net.SplitHostPort(c.Server)
	if err != nil || host == "" {
		return "", nil, fmt.Errorf("server: %q is not HOST:PORT", c.Server)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return "", nil, fmt.Errorf("server: %q has no port", c.Server)
	}
	options = []gomail.Option{
		gomail.WithPort(int(number)), gomail.WithTimeout(sendLimit), gomail.WithoutNoop(),
		gomail.WithTLSConfig(&tls.Config{ServerName: host, RootCAs: roots, MinVersion: tls.VersionTLS12}),
	}
	if o.Hostname != "" {
		options = append(options, gomail.WithHELO(o.Hostname))
	}
	switch c.Security {
	case "", "starttls":
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case "tls":
		options = append(options, gomail.WithSSL())
	case "none":
		if !thisMachine(host) || c.Username != "" {
			return "", nil, errors.New("security: none is for a relay on this machine, without a password; want starttls or tls")
		}
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		return "", nil, fmt.Errorf("security: %q; want starttls, tls or none", c.Security)
	}
	if c.Username == "" {
		return host, options, nil
	}
	password, err := o.secret("password_file", c.PasswordFile)
	return host, append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(c.Username), gomail.WithPassword(password)), err
}

func (c *mailConfig) check() error {
	all := []string{c.From}
	for to, list := range c.Lists {
		if !slices.Contains(cab.Audiences(), to) {
			return fmt.Errorf("lists: %q is nobody; want some of %v", to, cab.Audiences())
		}
		all = append(all, list...)
	}
	for _, address := range c.Addresses {
		all = append(all, address)
	}
	if c.Domain != "" {
		all = append(all, "anybody@"+c.Domain)
	}
	for _, address := range all {
		if err := mailAddress(address); err != nil {
			return err
		}
	}
	if len(c.Lists[cab.ToAdmin]) == 0 {
		return errors.New("lists: nobody is in admins; want somebody who is told when nobody else can be")
	}
	return nil
}

// addresses are whom a notice is mailed to: the lists that it is for, and always
// the person whom it concerns. Each once.
func (c *mailConfig) addresses(n cab.Notice) []string {
	var all []string
	for _, to := range n.To {
		list := c.Lists[to]
		if to == cab.ToSecond && len(list) == 0 {
			list = c.Lists[cab.ToAdmin] // what has waited too long must reach somebody
		}
		all = append(all, list...)
	}
	if n.Concerns.Username != "" {
		all = append(all, c.of(n.Concerns)...)
	}
	if len(all) == 0 {
		all = append(all, c.Lists[cab.ToAdmin]...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (c *mailConfig) of(p cab.Person) []string {
	address := c.Addresses[p.Username]
	if address == "" && c.Domain != "" {
		address = p.Username + "@" + c.Domain
	}
	if mailAddress(address) != nil {
		return c.Lists[cab.ToAdmin]
	}
	return []string{address}
}

// mailer sends mail, one message a connection.
type mailer struct {
	host    string
	options []gomail.Option
	from    string
}

func (m *mailer) send(ctx context.Context, msg message) error {
	mail := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := errors.Join(mail.From(m.from), mail.To(msg.to)); err != nil {
		return permanent{err}
	}
	// The same message has the same id and date whenever it is tried.
	_, domain, _ := strings.Cut(m.from, "@")
	mail.SetMessageIDWithValue(msg.id + "@" + domain)
	mail.SetDateWithValue(msg.notice.Time)
	mail.SetGenHeader("Auto-Submitted", "auto-generated")
	// "=?" would begin an encoded word, which a reader's program decodes.
	mail.Subject("[Eucora] " + strings.ReplaceAll(msg.headline(), "=?", "= ?"))
	text, html, err := mailBodies(msg)
	if err != nil {
		return permanent{err}
	}
	mail.SetBodyString(gomail.TypeTextPlain, text)
	mail.AddAlternativeString(gomail.TypeTextHTML, html)
	client, err := gomail.NewClient(m.host, m.options...) // of its own: a client serves one connection
	if err != nil {
		return err
	}
	return client.DialAndSendWithContext(ctx, mail)
}

var mailPage = template.Must(template.New("mail").Parse(`<!doctype html>
<html lang="en"><body style="font-family:sans-serif">
<h1 style="font-size:1.2em">{{.Headline}}</h1>
<table style="border-collapse:collapse">{{range .Facts}}
<tr><th style="text-align:left;vertical-align:top;padding:2px 12px 2px 0">{{.Name}}</th><td>{{.Value}}</td></tr>{{end}}
</table>{{if .Link}}
<p><a href="{{.Link}}">Open the page</a></p>{{end}}
<p style="color:#555">{{.Foot}}</p>
</body></html>
`))

func mailBodies(msg message) (text, html string, err error) {
	type row struct{ Name, Value string }
	var rows []row
	var plain strings.Builder
	fmt.Fprintf(&plain, "%s\n\n", msg.headline())
	for _, f := range msg.facts() {
		fmt.Fprintf(&plain, "%s: %s\n", f.name, f.value)
		rows = append(rows, row{f.name, f.value})
	}
	if msg.link != "" {
		fmt.Fprintf(&plain, "\n%s\n", msg.link)
	}
	fmt.Fprintf(&plain, "\n%s\n", nothingDecided)
	var page strings.Builder
	err = mailPage.Execute(&page, map[string]any{"Headline": msg.headline(), "Facts": rows, "Link": msg.link, "Foot": nothingDecided})
	return plain.String(), page.String(), err
}
