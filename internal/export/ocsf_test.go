package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/cab/cabtest"
)

// lines exports events.
func lines(t testing.TB, format Format, events []cab.Event) []string {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, format, "test")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if err := w.Event(cabtest.Leaf(t, e)); err != nil {
			t.Fatalf("%s: %v", e.Type, err)
		}
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

// awkward are the story's events, and each of them again from where there is no
// address, from one that is none, and by hostile names.
func awkward(t testing.TB) []cab.Event {
	story, _ := cabtest.Story(t)
	events := story.Events
	for _, e := range story.Events {
		for _, source := range []cab.Source{{}, {Address: "@"}, {Address: "fe80::1%" + strings.Repeat("x", 60)}, {Address: "::ffff:192.0.2.1"}, {Address: "fe80::1%eth0"}} {
			e.Source = source
			e.Actor.Name = "=cmd|'/c calc'!A1"
			e.Data.Reason = "a\nb\t\"c\" <script>"
			events = append(events, e)
		}
	}
	return events
}

// TestOCSFHolds: every event type, from everywhere, against the rules and,
// where it is there, against the published schema.
func TestOCSFHolds(t *testing.T) {
	events := awkward(t)
	for _, kind := range cab.EventTypes() {
		found := false
		for _, e := range events {
			found = found || e.Type == kind
		}
		if !found {
			t.Errorf("the story has no %s: it would go unchecked", kind)
		}
	}
	for name, get := range map[string]func() schema{
		"rules": func() schema { return written(t) }, "published": func() schema { s, _ := published(t); return s },
	} {
		t.Run(name, func(t *testing.T) {
			if name == "published" {
				published(t) // skips here
			}
			s := get()
			for i, line := range lines(t, OCSF, events) {
				for _, wrong := range s.checkEvent([]byte(line)) {
					t.Errorf("%s: %s", events[i].Type, wrong)
				}
			}
		})
	}
}

// TestTheCheckerSees: what the check is for, it finds.
func TestTheCheckerSees(t *testing.T) {
	t.Run("rules", func(t *testing.T) { checkerSees(t, written(t)) })
	t.Run("published", func(t *testing.T) { s, _ := published(t); checkerSees(t, s) })
}

func checkerSees(t *testing.T, s schema) {
	story, _ := cabtest.Story(t)
	good := lines(t, OCSF, story.Events[:1])[0]
	for change, want := range map[[2]string]string{
		{`"severity_id":2`, `"severity_id":7`}:         "severity_id: 7 is none of",
		{`"time":`, `"times":`}:                        "event.time: is required",
		{`"uid":"0190`, `"guid":"0190`}:                "guid: is no attribute",
		{`"class_uid":3004`, `"class_uid":"3004"`}:     "class_uid: a string, want integer",
		{`"type_uid":300401`, `"type_uid":300403`}:     "do not follow",
		{`"ip":"192.0.2.7"`, `"port":1`}:               "at least one of",
		{`"entity":{`, `"entity":[],"comment":"",{`}:   "invalid character",
		{`"message":"`, `"message":1,"status_code":"`}: "message: 1, want string",
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good {
			t.Fatalf("%s is not in %s", change[0], good)
		}
		if wrong := strings.Join(s.checkEvent([]byte(bad)), "\n"); !strings.Contains(wrong, want) {
			t.Errorf("%s: found %q, want %q", change[1], wrong, want)
		}
	}
}

// TestOCSFSays: what a reader in a SIEM looks for.
func TestOCSFSays(t *testing.T) {
	story, _ := cabtest.Story(t)
	got := map[string]string{}
	for i, line := range lines(t, OCSF, story.Events) {
		var e struct {
			TypeName string `json:"type_name"`
			Message  string
			Severity string
			Status   string
			Comment  string
			RawData  string `json:"raw_data"`
			Metadata struct{ Sequence int64 }
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.RawData != string(cabtest.Leaf(t, story.Events[i])) || e.Metadata.Sequence != int64(i) {
			t.Errorf("event %d does not carry its leaf", i)
		}
		kind := string(story.Events[i].Type)
		if got[kind] == "" {
			got[kind] = strings.Join([]string{e.TypeName, e.Severity, e.Status, e.Message, e.Comment}, " | ")
		}
	}
	for kind, want := range map[string]string{
		"DEPLOYMENT_STARTED": "API Activity: Update | Informational | Success | pat started the deployment 7-Zip | ",
		"EVIDENCE_TAMPERED":  "API Activity: Read | Critical | Failure | guard found tampering with the evidence package 0190",
		"ACCESS_REFUSED":     "API Activity: Access refused | High | Failure | guard refused tokens from 192.0.2.7 | ",
		"CAB_REJECTED":       "Entity Management: Disable | Low | Success | chris rejected CAB-",
		"USER_CHANGED":       "Entity Management: Create | Low | Success | setup changed the account erin | created",
		"EXCEPTION_REVOKED":  "Entity Management: Deactivate | Medium | Success | sam revoked the exception EXC-",
	} {
		if !strings.HasPrefix(got[kind], want) {
			t.Errorf("%s is %q, want %q", kind, got[kind], want)
		}
	}
}

func TestUnknownTypeIsAnError(t *testing.T) {
	story, _ := cabtest.Story(t)
	e := story.Events[0]
	e.Type = "SOMETHING_NEW"
	for _, format := range []Format{CSV, OCSF} {
		w, err := NewWriter(&bytes.Buffer{}, format, "test")
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Event(cabtest.Leaf(t, e)); err == nil || !strings.Contains(err.Error(), "SOMETHING_NEW") {
			t.Errorf("%v, want an error that names the type", err)
		}
		for _, leaf := range []string{"", "null", "[]", "{}", `{"seq":"x"}`, strings.Repeat("[", 1<<20)} {
			if err := w.Event([]byte(leaf)); err == nil {
				t.Errorf("%s: %.20q was taken for an event", format, leaf)
			}
		}
	}
}

// TestTableInTheDocs: docs/exports.md has every line of the mapping, as it is.
func TestTableInTheDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/exports.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, kind := range cab.EventTypes() {
		m := mappings[kind]
		does := activityNames[m.activity]
		if m.activity == byChange {
			does = "Create, Update or Disable"
		}
		outcome := "Success"
		if m.failure {
			outcome = "Failure"
		}
		fmt.Fprintf(&want, "| `%s` | %s | %s | %s | %s |\n", kind, m.class.name, does, severityNames[m.severity], outcome)
	}
	if !strings.Contains(string(text), want.String()) {
		t.Errorf("the table in docs/exports.md should be\n%s", want.String())
	}
}
