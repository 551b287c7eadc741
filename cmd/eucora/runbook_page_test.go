package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// step is one thing that a runbook has done: a block of shell with what it must
// end with and say, or SQL by the owner of the database.
type step struct {
	line   int // in the page, of the block's first line
	text   string
	hidden bool   // in a comment: what somebody else does meanwhile
	owner  bool   // SQL, not shell
	needs  string // postgres or python: only where there is one
	exit   int
	output []string // lines that must appear, in this order
}

// shown are the languages of blocks that are files or printed lines, and are not
// run. A shell's other names are not among them, so that no command hides there.
var shown = []string{"ini", "nginx", "yaml"}

// needed are the programs that not every machine has; make test wants them all.
var needed = []string{"postgres", "python", "sqlite3", "curl"}

// parseRunbook reads a page. What it does not know it refuses: a command that was
// marked wrongly would otherwise not be run, and nobody would notice.
func parseRunbook(page string) ([]step, error) {
	var steps []step
	lines := strings.Split(page, "\n")
	follows := -1 // the step that a text block now would belong to
	for i := 0; i < len(lines); i++ {
		kind, end := opening(lines[i])
		if end == "" {
			if strings.TrimSpace(lines[i]) != "" {
				follows = -1
			}
			continue
		}
		first := i + 1
		for i++; i < len(lines) && lines[i] != end; i++ {
		}
		if i == len(lines) {
			return nil, fmt.Errorf("line %d: the block does not end", first)
		}
		body := lines[first:i]
		if len(kind) == 1 && kind[0] == "text" {
			if follows < 0 {
				return nil, fmt.Errorf("line %d: text that follows no command", first)
			}
			steps[follows].output = body
			follows = -1
			continue
		}
		s, err := parseStep(kind, body)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", first, err)
		}
		follows = -1
		if s != nil {
			s.line, s.hidden = first+1, end == "-->"
			steps = append(steps, *s)
			follows = len(steps) - 1
		}
	}
	return steps, nil
}

// opening says what a line opens and what line ends it; nothing if it opens none.
func opening(line string) (kind []string, end string) {
	if rest, ok := strings.CutPrefix(line, "```"); ok {
		return strings.Fields(rest), "```"
	}
	if rest, ok := strings.CutPrefix(line, "<!--"); ok {
		return strings.Fields(rest), "-->"
	}
	if strings.Contains(line, "```") || strings.Contains(line, "<!--") {
		return []string{"not at the beginning of a line"}, "```"
	}
	return nil, ""
}

// parseStep reads a block's first line; nil is a block that is only shown.
func parseStep(kind, body []string) (*step, error) {
	s := &step{text: strings.Join(body, "\n") + "\n"}
	if len(kind) == 1 {
		if slices.Contains(shown, kind[0]) {
			return nil, nil
		}
		s.owner = kind[0] == "owner"
	}
	if len(kind) == 0 || kind[0] != "sh" && !s.owner {
		return nil, fmt.Errorf("a block of %q: commands are sh, what they say is text, files are %s", strings.Join(kind, " "), strings.Join(shown, ", "))
	}
	for _, mark := range kind[1:] {
		status, isExit := strings.CutPrefix(mark, "exit=")
		n, err := strconv.Atoi(status)
		switch {
		case slices.Contains(needed, mark):
			s.needs = mark
		case isExit && err == nil && n > 0:
			s.exit = n
		default:
			return nil, fmt.Errorf("what is %q? want exit=N, or one of %s", mark, strings.Join(needed, ", "))
		}
	}
	if s.exit != 0 && commandsIn(body) != 1 {
		return nil, fmt.Errorf("a block that ends with %d is one command: of several nobody knows which has failed", s.exit)
	}
	return s, nil
}

// commandsIn counts lines that do not go on the one before.
func commandsIn(body []string) int {
	n, goesOn := 0, false
	for _, line := range body {
		if !goesOn && strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#") {
			n++
		}
		goesOn = strings.HasSuffix(line, `\`)
	}
	return n
}

var inText = regexp.MustCompile(`…|\$[A-Z_]+|\s+`)

// appears looks for lines in what a command said, in their order. … stands for
// anything, and any space for any space. A $NAME that has a value stands for it; one
// that has none stands for a word, and that is its value from then on.
func appears(want []string, said string, values map[string]string) error {
	rest := strings.Split(said, "\n")
	for _, line := range want {
		if line = strings.TrimSpace(line); line == "" || line == "…" {
			continue
		}
		pattern, names := linePattern(line, values)
		found := false
		for !found && len(rest) > 0 {
			match := pattern.FindStringSubmatch(strings.TrimSpace(rest[0]))
			rest = rest[1:]
			if found = match != nil; found {
				for i, name := range names {
					values[name] = match[i+1]
				}
			}
		}
		if !found {
			return fmt.Errorf("it does not say %q", line)
		}
	}
	return nil
}

// linePattern makes a pattern of a line, and says whose values its groups are.
func linePattern(line string, values map[string]string) (*regexp.Regexp, []string) {
	var pattern strings.Builder
	var names []string
	at := 0
	for _, place := range inText.FindAllStringIndex(line, -1) {
		pattern.WriteString(regexp.QuoteMeta(line[at:place[0]]))
		at = place[1]
		switch special := line[place[0]:place[1]]; {
		case special == "…":
			pattern.WriteString(`.*`)
		case special[0] != '$':
			pattern.WriteString(`\s+`)
		case values[special[1:]] != "":
			pattern.WriteString(regexp.QuoteMeta(values[special[1:]]))
		default:
			pattern.WriteString(`(\S*\d\S*)`)
			names = append(names, special[1:])
		}
	}
	pattern.WriteString(regexp.QuoteMeta(line[at:]))
	return regexp.MustCompile(`^` + pattern.String() + `$`), names
}
