package export

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/cab/cabtest"
)

func TestCSVIsRead(t *testing.T) {
	story, _ := cabtest.Story(t)
	text := strings.Join(lines(t, CSV, story.Events), "\n") + "\n"
	if strings.Count(text, "\r\n") != len(story.Events)+1 {
		t.Errorf("%d lines end in CRLF, want %d", strings.Count(text, "\r\n"), len(story.Events)+1)
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(rows[0], " "); got != "seq id time type correlation_id deployment_intent_id subject_kind subject_id actor_id actor_name actor_role source_address source_user_agent reason leaf_sha256" {
		t.Errorf("the header is %s", got)
	}
	for i, e := range story.Events {
		row := rows[i+1]
		leaf := sha256.Sum256(cabtest.Leaf(t, e))
		if row[1] != e.ID || row[3] != string(e.Type) || row[2] != e.Time.Format(time.RFC3339Nano) || row[14] != hex.EncodeToString(leaf[:]) {
			t.Errorf("event %d became %q", i, row)
		}
		if e.Type == cab.CABVoteCast && e.Actor.Name == "carol" && e.DeploymentID == row[5] && !strings.ContainsAny(row[13], "\n ") {
			t.Errorf("event %d: the reason is %q", i, row[13])
		}
	}
}

// undo gives back what a field was, from what stands in the file: as docs/exports.md says.
func undo(field string) string {
	return regexp.MustCompile(`(^|[;\t\r\n])'`).ReplaceAllString(field, "$1")
}

// TestNoFormulas: nothing that a person or a machine wrote begins a formula, also
// where a spreadsheet splits otherwise than at commas; and what was written can be
// had back.
func TestNoFormulas(t *testing.T) {
	for field, want := range map[string]string{
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t'=1", "\r=1": "'\r'=1", "\n=1": "'\n'=1", " =1": "' =1", "\u00a0=1": "'\u00a0=1",
		"\u200b=1": "'\u200b=1", "\ufeff=1": "'\ufeff=1", "＝1": "'＝1", "'=1": "''=1", "'": "''", " ": "' ", "=\"a\"\"b,c\"\r\n": "'=\"a\"\"b,c\"\r\n",
		"fine;=1+1": "fine;'=1+1", "fine; =1+1": "fine;' =1+1", "a;b;@c;d": "a;b;'@c;d", "a\t-1": "a\t'-1", "so:\r\n- tests\n+ scans": "so:\r\n'- tests\n'+ scans",
		"a;\"=1": "a;'\"=1", "a;\u200b\"\" ＝1": "a;'\u200b\"\" ＝1", ";=1": ";'=1", "a;'b": "a;''b", "a; 'b": "a;' 'b", "\n\n=": "'\n\n'=", "a;;=;\t=": "a;;'=;\t'=",
		"": "", "erin": "erin", "7-Zip": "7-Zip", "a=b": "a=b", "2026-01-01T00:00:00Z": "2026-01-01T00:00:00Z", "<script>": "<script>", "192.0.2.1": "192.0.2.1", "::1": "::1",
		"Mozilla/5.0 (X11; Linux x86_64; rv:144.0)": "Mozilla/5.0 (X11; Linux x86_64; rv:144.0)", "one\ntwo\n\nthree; four;": "one\ntwo\n\nthree; four;", "a;\"b\"": "a;\"b\"",
	} {
		if got := inert(field); got != want {
			t.Errorf("%q became %q, want %q", field, got, want)
		}
		rows, err := csv.NewReader(strings.NewReader(string(csvLine([]string{"7", field, "7"})))).ReadAll()
		if err != nil || len(rows) != 1 || len(rows[0]) != 3 {
			t.Fatalf("%q: %q, %v", field, rows, err)
		}
		// The reader turns CRLF inside of a field into LF; the writer does not.
		if got := undo(rows[0][1]); got != strings.ReplaceAll(field, "\r\n", "\n") {
			t.Errorf("%q came back as %q", field, got)
		}
	}
}

// TestSplitAtSemicolons: where the list separator is a semicolon, a spreadsheet takes
// the file apart in another way, in which the quotes are no quotes. No cell of it is a
// formula either.
func TestSplitAtSemicolons(t *testing.T) {
	formula := regexp.MustCompile(`^[\s"]*[=+\-@]`)
	for _, field := range []string{`x;=cmd|'/c calc'!A1`, `x;"=cmd|'/c calc'!A1&"`, "x\n=1", "x\r\n\t=1", "x\t;\n-1+1", "=1;=1\n=1"} {
		line := string(csvLine([]string{"7", field, "7"}))
		for _, separator := range []string{";", "\t"} {
			for cell := range strings.FieldsFuncSeq(line, func(r rune) bool { return r == '\r' || r == '\n' || string(r) == separator }) {
				if formula.MatchString(cell) {
					t.Errorf("%q, split at %q, has the cell %q", field, separator, cell)
				}
			}
		}
	}
}

// TestNDJSONIsTheLeaves: a copy of the lines is a copy of the ledger.
func TestNDJSONIsTheLeaves(t *testing.T) {
	events := awkward(t)
	for i, line := range lines(t, NDJSON, events) {
		if line != string(cabtest.Leaf(t, events[i])) {
			t.Fatalf("line %d is not the leaf", i)
		}
	}
}

func FuzzEvent(f *testing.F) {
	story, _ := cabtest.Story(f)
	for _, e := range story.Events {
		f.Add(cabtest.Leaf(f, e))
	}
	rules := written(f)
	f.Fuzz(func(t *testing.T, leaf []byte) {
		for _, format := range []Format{CSV, OCSF} {
			var out strings.Builder
			w, err := NewWriter(&out, format, "test")
			if err != nil {
				t.Fatal(err)
			}
			begun := out.Len()
			if err := w.Event(leaf); err != nil {
				if out.Len() != begun {
					t.Fatalf("%s: %v, and %q was written", format, err, out.String()[begun:])
				}
				continue
			}
			line := out.String()[begun:]
			if format == OCSF {
				if strings.Count(line, "\n") != 1 {
					t.Fatalf("not one line: %q", line)
				}
				if wrong := rules.checkEvent([]byte(line)); len(wrong) > 0 {
					t.Fatalf("%q: %v", leaf, wrong)
				}
				continue
			}
			rows, err := csv.NewReader(strings.NewReader(line)).ReadAll()
			if err != nil || len(rows) != 1 || len(rows[0]) != len(csvColumns) {
				t.Fatalf("%q: %q, %v", leaf, rows, err)
			}
		}
	})
}
