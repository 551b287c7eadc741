package notify

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/cab/cabtest"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// TestWhatIsSaid: the golden is everything that a story of some months makes people
// be told, as they read it.
func TestWhatIsSaid(t *testing.T) {
	story, _ := cabtest.Story(t)
	deployments := map[string]*cab.Deployment{}
	var got strings.Builder
	seen := map[string]bool{}
	for _, e := range story.Events {
		if d := e.Data.Deployment; d != nil {
			deployments[d.ID] = d
		}
		n, ok := cab.NoticeOf(e)
		if !ok {
			continue
		}
		seen[n.Type] = true
		m := message{notice: n, deployment: deployments[n.DeploymentID]}
		fmt.Fprintf(&got, "%s   (to %v, %s)\n", m.headline(), n.To, n.Concerns.Username)
		for _, f := range m.facts() {
			fmt.Fprintf(&got, "    %s: %s\n", f.name, f.value)
		}
	}
	digest := message{notice: cab.Digest(story.Now, []cab.Request{{Name: "CAB-0123456789AB", Status: cab.Submitted}}, nil, 3)}
	fmt.Fprintf(&got, "%s\n", digest.headline())
	for _, f := range digest.facts() {
		fmt.Fprintf(&got, "    %s: %s\n", f.name, f.value)
	}
	for kind := range happened {
		if !seen[kind] {
			t.Errorf("the story tells of no %s: it would go unread", kind)
		}
	}
	const path = "testdata/said.golden"
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("what is said has changed (-want +got):\n%s", diff)
	}
}

// TestTheExample: what docs/notices.md shows can be meant.
func TestTheExample(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "notices.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\n")
	example, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("no example")
	}
	_, roots := certificate(t)
	site := parse(t, example, files{
		"/etc/eucora/roots.pem": roots, "/run/secrets/smtp": "p", "/run/secrets/slack": "https://hooks.example.org/x",
		"/run/secrets/teams": "https://flows.example.org/x", "/run/secrets/webhook": testSecret,
	})
	if len(site.channels) != 5 {
		t.Errorf("%d channels", len(site.channels))
	}
}

// TestWhatCannotBeMeant is refused, and said where.
func TestWhatCannotBeMeant(t *testing.T) {
	const mail = "channels: [{name: m, mail: {server: 'h:25', from: a@b.example, lists: {admins: [a@b.example]}"
	for text, want := range map[string]string{
		"":                      "EOF",
		"channels: []":          "want 1 to 20",
		"channels: [{}]":        "channels[0] : name: want small letters",
		"channels: [{name: a}]": "want exactly one of mail",
		"channels: [{name: a, slack: {url_file: url}, webhook: {url: 'https://h/', secret_file: secret}}]": "want exactly one of mail",
		"channels: [{name: a, to: [boss], slack: {url_file: url}}]":                                        `to: "boss" is nobody`,
		"channels: [{name: a, slack: {url_file: url}}, {name: a, teams: {url_file: url}}]":                 "there is another a",
		"channels: [{name: a, slack: {url_file: nothing}}]":                                                "url_file: file does not exist",
		"channels: [{name: a, slack: {url_file: clear}}]":                                                  "want https",
		"channels: [{name: a, slack: {url: 'https://h/'}}]":                                                "field url not found",
		"channels: [{name: a, webhook: {url: 'https://h/', secret_file: url}}]":                            "secret_file: want whsec_",
		"channels: [{name: a, webhook: {url: '/h', secret_file: secret}}]":                                 "url: want an address",
		"channels: [{name: a, syslog: {address: 'h:514'}}]":                                                "address: want tls://",
		"channels: [{name: a, syslog: {address: 'http://h:514'}}]":                                         `address: "http"; want tls`,
		"link: 'javascript:x'\nchannels: [{name: a, slack: {url_file: url}}]":                              `link: "javascript:x"`,
		"ca_file: url\nchannels: [{name: a, slack: {url_file: url}}]":                                      "holds no certificate",
		"channels: [{name: a, slack: {url_file: url}}]\n---\n{}":                                           "more than one document",
		mail + "}}]\n":                                         "",
		mail + ", security: none}}]":                           "security: none is for a relay on this machine",
		mail + ", security: ssl}}]":                            `security: "ssl"`,
		mail + ", username: u}}]":                              "password_file: missing",
		mail + ", domain: 'x y'}}]":                            "is not a mail address",
		mail + `, addresses: {e: "x@y.example\r\nBcc: z"}}}]`:  "is not a mail address",
		strings.Replace(mail, "h:25", "h", 1) + "}}]":          "is not HOST:PORT",
		strings.Replace(mail, "admins", "board", 1) + "}}]":    "nobody is in admins",
		strings.Replace(mail, "admins", "everyone", 1) + "}}]": `"everyone" is nobody`,
	} {
		_, err := Parse([]byte(text), Options{ReadFile: files{"url": "https://hooks.example.org/x", "clear": "http://hooks.example.org/x", "secret": testSecret}.read})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}
