package console

import (
	"regexp"
	"strings"
	"testing"
)

var markup = regexp.MustCompile(`(?s)<!--.*?-->|<(/?)([a-zA-Z0-9]+)(?:"[^"]*"|'[^']*'|[^>"'])*?(/?)>`)

const turning = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"

// apart are the elements that keep a text's direction to themselves: bdi by what it
// is, and the others by the style sheet.
var apart = []string{"bdi", "q", "blockquote", "td", "th", "dt", "dd", "b", "small", "code", "textarea"}

// loose returns the texts of a page that turn the direction of what is round them.
func loose(body string) (found []string) {
	var open []string
	at := 0
	for _, tag := range markup.FindAllStringSubmatchIndex(body, -1) {
		kept := false
		for _, name := range open {
			kept = kept || strings.Contains(" "+strings.Join(apart, " ")+" ", " "+name+" ")
		}
		if text := body[at:tag[0]]; strings.ContainsAny(text, turning) && !kept {
			found = append(found, strings.Join(open, ">")+": "+text)
		}
		at = tag[1]
		if tag[4] < 0 {
			continue
		}
		switch name := body[tag[4]:tag[5]]; {
		case tag[2] != tag[3]:
			for i := len(open) - 1; i >= 0; i-- {
				if open[i] == name {
					open = open[:i]
					break
				}
			}
		case tag[6] == tag[7] && !strings.Contains(" input meta link br ", " "+name+" "):
			open = append(open, name)
		}
	}
	return found
}

// TestNoTextTurnsAnother: on the pages where people sign above all.
func TestNoTextTurnsAnother(t *testing.T) {
	const evil = "App\u202egpj \u2066x\u2069\u2069 y"
	if got := loose("<h1>a\u202e</h1><p><bdi>\u202e</bdi></p>"); len(got) != 1 {
		t.Fatalf("the test sees %q", got)
	}
	eachWorld(t, func(w *world) {
		old := w.submittedWith(evil, evil+"0", evidenceOf("low"), evil)
		if !old.Status.Approved() {
			_, err := w.service.Approve(w.ctx, w.call("chris"), old.ID, evil, nil)
			w.must(err)
		}
		row := w.submittedWith(evil, evil+"1", evidenceOf("mid"), evil)
		_, e := w.excepted(evil, evil+"2")
		carol, sam := w.as("carol"), w.as("sam")
		path, of := "/requests/"+row.Name, "/exceptions/"+e.Name
		seen := carol.get(path).seen(t)
		pages := map[string]page{
			"queue": carol.get("/requests"), "request": carol.get(path), "changes": carol.get(path + "/changes"), "exceptions": sam.get("/exceptions"), "exception": sam.get(of),
			"confirm":           carol.post(path+"/decision", "seen", seen, "act", "approve", "rationale", evil, "conditions", "note: "+evil),
			"bad condition":     carol.post(path+"/decision", "seen", seen, "act", "approve", "rationale", evil, "conditions", evil),
			"exception confirm": sam.post(of+"/decision", "seen", sam.get(of).seenOr("1"), "act", "approve", "rationale", evil),
		}
		_, err := w.service.Approve(w.ctx, w.call("chris"), row.ID, evil, []byte(`{"note":"`+evil+`"}`))
		w.must(err)
		pages["decided"] = carol.get(path)
		pages["too late"] = carol.post(path+"/decision", "seen", seen, "act", "reject", "rationale", evil, "step", "confirm")
		for name, p := range pages {
			if p.status >= 500 || p.status == 404 {
				t.Errorf("%s: %d", name, p.status)
			}
			for _, text := range loose(p.body) {
				t.Errorf("%s turns what is round it: %q", name, text)
			}
		}
	})
}
