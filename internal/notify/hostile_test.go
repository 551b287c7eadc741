package notify

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store/storetest"
)

// hostiles are texts that would do something if a channel took them for more than
// letters.
var hostiles = []string{
	"x\r\nBcc: victim@example.org\r\n\r\nHello",
	"x\nX-Evil: 1", "x\u2028y\u2029z\u0085w\vq\fr",
	"<script>alert(1)</script><img src=x onerror=alert(1)>", `"><a href="https://evil.example">approve</a>`, "{{.}}",
	"<!channel> <@U123> <https://evil.example|CAB-000000000000> *bold* `code` @here", "&lt;!channel&gt;",
	"[approve](https://evil.example) **bold** ![x](https://evil.example/x.png) <at>all</at>",
	"a|b|c suser=root act=CAB_APPROVED \\| \\= =x", `\`, "CEF:0|x",
	"\u202egnp.exe\u202c \u200b\u2066x\u2069 \ufeff", "=?utf-8?q?=0D=0ABcc=3A_x?=", "\x00\x1b[31mred\x07", "\xff\xfe broken",
	strings.Repeat("long ", 2000), "",
}

// hostileMessage is a message in which all that people can write is text.
func hostileMessage(text string) message {
	return message{
		notice: cab.Notice{
			ID: "01900000-0000-7000-8000-000000000001", Time: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC), Type: string(cab.CABSubmitted),
			Actor: cab.Actor{ID: "e", Name: text, Role: cab.PackagingEngineer}, Name: "CAB-0123456789AB", Gate: cab.GateReview, Said: text, Ask: text,
			Concerns: cab.Person{Username: text}, Status: text, Waiting: []cab.Waits{{Name: text, Status: text, By: cab.Person{Username: text}}},
		},
		deployment: &cab.Deployment{AppName: text, AppVersion: text, TargetRing: cab.Pilot},
		link:       "https://eucora.example.org/requests/CAB-0123456789AB", to: "cab@example.org", id: "1", source: "eucora",
	}
}

func TestHostileTexts(t *testing.T) {
	for _, text := range hostiles {
		wantInert(t, text)
	}
}

func FuzzHostileTexts(f *testing.F) {
	for _, text := range hostiles {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { wantInert(t, text) })
}

// wantInert checks each channel's form of a message in which text is everything.
func wantInert(t *testing.T, text string) {
	t.Helper()
	m := hostileMessage(text)
	for _, line := range append([]string{m.headline()}, values(m)...) {
		if strings.ContainsFunc(line, func(r rune) bool {
			return r != ' ' && (unicode.IsControl(r) || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r))
		}) {
			t.Errorf("%q is not inert", line)
		}
	}
	wantInertMail(t, m)
	wantInertSlack(t, m)
	wantInertTeams(t, m)
	wantInertCEF(t, m)
}

func values(m message) (all []string) {
	for _, f := range m.facts() {
		all = append(all, f.name, f.value)
	}
	return all
}

var tag = regexp.MustCompile(`<(/?[a-z!][a-z0-9]*)`)

// wantInertMail: no element but ours, and each line of the text is a fact.
func wantInertMail(t *testing.T, m message) {
	t.Helper()
	plain, page, err := mailBodies(m)
	if err != nil {
		t.Fatal(err)
	}
	harmless, harmlessPage, err := mailBodies(hostileMessage("x"))
	if err != nil {
		t.Fatal(err)
	}
	ours := map[string]bool{}
	for _, found := range tag.FindAllStringSubmatch(harmlessPage, -1) {
		ours[found[1]] = true
	}
	for _, found := range tag.FindAllStringSubmatch(page, -1) {
		if !ours[found[1]] {
			t.Errorf("the page has the element %s", found[0])
		}
	}
	if n := strings.Count(page, "<a "); n != 1 {
		t.Errorf("the page has %d links", n)
	}
	if lines := strings.Count(plain, "\n"); lines > strings.Count(harmless, "\n") {
		t.Errorf("the text has %d lines:\n%s", lines, plain)
	}
	for _, value := range values(m) {
		if !strings.Contains(html.UnescapeString(page), value) {
			t.Errorf("the page lacks %q", value)
		}
	}
}

// wantInertSlack: mark-up only where nobody's text is.
func wantInertSlack(t *testing.T, m message) {
	t.Helper()
	each(t, slackMessage(m), func(o object) {
		text, _ := o["text"].(string)
		if o["type"] == "mrkdwn" && text != "<https://eucora.example.org/requests/CAB-0123456789AB|Open the page>" {
			t.Errorf("mark-up in Slack: %s", text)
		}
		if _, message := o["blocks"]; message && strings.ContainsAny(text, "<>") {
			t.Errorf("mark-up in Slack's fallback: %s", text)
		}
		if len([]rune(text)) > 3000 {
			t.Errorf("%d characters in a block", len([]rune(text)))
		}
	})
}

// wantInertTeams: nothing in which Teams reads Markdown, and one link, ours.
func wantInertTeams(t *testing.T, m message) {
	t.Helper()
	each(t, teamsMessage(m), func(o object) {
		switch o["type"] {
		case "message", "AdaptiveCard", "RichTextBlock", "TextRun", nil:
		case "Action.OpenUrl":
			if o["url"] != m.link {
				t.Errorf("a link to %v", o["url"])
			}
		default:
			t.Errorf("a Teams card has a %v", o["type"])
		}
	})
}

// each calls see for every object of a message, as its receiver reads it.
func each(t *testing.T, made any, see func(object)) {
	t.Helper()
	text, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	var read any
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case object:
			see(v)
			for _, member := range v {
				walk(member)
			}
		case []any:
			for _, member := range v {
				walk(member)
			}
		}
	}
	walk(read)
}

var (
	bar      = regexp.MustCompile(`(?:[^|\\]|\\.)*`)
	cefPair  = regexp.MustCompile(`(?:^| )([A-Za-z0-9]+)=`)
	ourPairs = []string{
		"rt", "externalId", "act", "suser", "suid", "spriv", "duser", "outcome", "reason", "cs1Label", "cs1", "cs2Label", "cs2",
		"cs4Label", "cs4", "cfp1Label", "cfp1", "request",
	}
)

// wantInertCEF: one line, seven bars, and no key but ours, each once.
func wantInertCEF(t *testing.T, m message) {
	t.Helper()
	line := (&syslog{hostname: "host", version: "1"}).line(m)
	if strings.ContainsAny(line, "\r\n\x00") {
		t.Errorf("more than a line: %q", line)
	}
	_, rest, _ := strings.Cut(line, " - CEF:0|")
	for range 6 {
		field := bar.FindString(rest)
		if rest = rest[len(field):]; rest == "" || rest[0] != '|' {
			t.Fatalf("not a CEF header: %q", line)
		}
		rest = rest[1:]
	}
	next := 0
	for _, found := range cefPair.FindAllStringSubmatch(strings.ReplaceAll(strings.ReplaceAll(rest, `\\`, "__"), `\=`, "__"), -1) {
		for next < len(ourPairs) && ourPairs[next] != found[1] {
			next++
		}
		if next == len(ourPairs) {
			t.Fatalf("the key %s is not ours, or in its place: %q", found[1], line)
		}
		next++
	}
}

// TestHostileMail: what a real server receives has our headers and no others, and
// one recipient.
func TestHostileMail(t *testing.T) {
	pair, roots := certificate(t)
	box := newMailbox(t, &pair, false)
	site := mailSite(t, box, roots, "starttls", "")
	for _, text := range hostiles {
		if err := site.channels[0].send(context.Background(), hostileMessage(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	if len(box.mails) != len(hostiles) {
		t.Fatalf("%d of %d arrived", len(box.mails), len(hostiles))
	}
	for _, m := range box.mails {
		if m.to != "cab@example.org" {
			t.Errorf("to %q", m.to)
		}
		if head, parts := readMail(t, m.text); len(parts) != 2 || strings.ContainsAny(head.subject, "\r\n") || strings.Contains(m.text, "Subject: =?utf-8?q?=0D") {
			t.Errorf("subject %q, %d parts", head.subject, len(parts))
		}
	}
}

// TestSyslogArrives by each transport, framed as its RFC says.
func TestSyslogArrives(t *testing.T) {
	pair, roots := certificate(t)
	tcp, secure := listen(t), listen(t)
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	lines := make(chan string, 3)
	read := func(name string, r io.Reader) {
		buffer := make([]byte, 8192)
		n, err := r.Read(buffer)
		if err != nil {
			t.Error(err)
		}
		lines <- name + string(buffer[:n])
	}
	accept := func(name string, l net.Listener) {
		if conn, err := l.Accept(); err == nil {
			read(name, conn)
		}
	}
	go accept("tcp ", tcp)
	go accept("tls ", tls.NewListener(secure, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}))
	go read("udp ", udp.(*net.UDPConn))
	text := "ca_file: roots\nchannels:\n"
	for name, address := range map[string]net.Addr{"tcp": tcp.Addr(), "tls": secure.Addr(), "udp": udp.LocalAddr()} {
		text += fmt.Sprintf("  - {name: %s, syslog: {address: '%s://%s'}}\n", name, name, address)
	}
	w := newTelling(t, storetest.Engines(t)[0], parse(t, text, files{"roots": roots}))
	about := w.happens()
	w.rounds()
	for _, j := range w.jobs(false) {
		t.Errorf("%s: %s", j.Queue, j.Error)
	}
	for range 3 {
		name, line, _ := strings.Cut(<-lines, " ")
		if name != "udp" {
			count, rest, _ := strings.Cut(line, " ")
			if line = rest; count != fmt.Sprint(len(line)) {
				t.Errorf("%s: counted %s, has %d", name, count, len(line))
			}
		}
		if !strings.HasPrefix(line, "<109>1 ") || !strings.Contains(line, " host eucora - CAB_SUBMITTED - CEF:0|Eucora|Eucora|1|CAB_SUBMITTED|"+about.Name+" waits for a decision|3|") {
			t.Errorf("%s: got %q", name, line)
		}
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}
