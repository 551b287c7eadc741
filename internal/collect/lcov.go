package collect

import (
	"errors"
	"strings"
)

// isLCOV: a tracefile begins with the name of a test, or with a source file.
func isLCOV(s shape) bool {
	for _, line := range s.lines {
		switch {
		case strings.HasPrefix(line, "SF:"):
			return true
		case !strings.HasPrefix(line, "TN:") && !strings.HasPrefix(line, "VER:") && !strings.HasPrefix(line, "#"):
			return false
		}
	}
	return false
}

// readLCOV counts the lines of the DA records: a line of a file once, however
// many records (one for each test) the file has. LF and LH often differ from
// them and count only where a record has no DA.
func readLCOV(f *file, into *Report) error {
	l := lcov{into: into}
	if err := f.lines(l.read); err != nil {
		return err
	}
	if l.open {
		return errors.New("the file ends too early: the last record has no end_of_record")
	}
	return into.anyLines()
}

type lcov struct {
	into       *Report
	open       bool   // between SF and end_of_record
	source     string // the file of the record
	lines      int    // DA records in it
	found, hit string // LF and LH in it
}

func (l *lcov) read(n int, line string) error {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return nil
	}
	key, value, ok := strings.Cut(line, ":")
	if reason := l.record(key, value, ok); reason != "" {
		return onLine(n, reason)
	}
	if ok && key == "DA" {
		return l.line(n, value)
	}
	return nil
}

// record reads all that is not a line; it returns what is wrong.
func (l *lcov) record(key, value string, ok bool) string {
	switch {
	case !ok && key == "end_of_record":
		return l.end()
	case !ok || strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "":
		return "is not a record of a tracefile"
	case key == "SF" && l.open:
		return "a record begins before the last one has ended"
	case key == "SF":
		*l = lcov{into: l.into, open: true, source: strings.TrimSpace(value)}
	case (key == "DA" || key == "LF" || key == "LH") && !l.open:
		return key + " stands outside of a record (SF to end_of_record)"
	case key == "LF":
		l.found = value
	case key == "LH":
		l.hit = value
	}
	return ""
}

// line reads DA: line,hits and, maybe, a checksum.
func (l *lcov) line(n int, value string) error {
	number, rest, _ := strings.Cut(value, ",")
	count, _, _ := strings.Cut(rest, ",")
	at, ok := lineNumber(number)
	hit, counted := hits(count)
	switch {
	case !ok || !counted:
		return onLine(n, "is not DA:line,hits")
	case l.source == "":
		return onLine(n, "is a line of a file without a name")
	}
	l.lines++
	return l.into.line(l.source, Place{Line: at}, 1, hit)
}

func (l *lcov) end() string {
	l.open = false
	if l.lines > 0 || (l.found == "" && l.hit == "") {
		return ""
	}
	found, ok1 := amount(l.found)
	hit, ok2 := amount(l.hit)
	if !ok1 || !ok2 {
		return "the record has no DA, and its LF and LH are not both numbers"
	}
	if err := l.into.total(hit, found); err != nil {
		return err.Error()
	}
	return ""
}
