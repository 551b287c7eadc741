package cab

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

// Limits of a calendar that is read.
const (
	MaxCalendar  = 1 << 20 // bytes
	maxRecurring = 50      // events that recur: each is worked out
	maxPeriod    = 1100 * 24 * time.Hour
)

// How far ahead of UTC the first time zone is, and how far behind it the last: a day
// begins in the one and ends in the other.
const (
	firstZone = 14 * time.Hour
	lastZone  = 12 * time.Hour
)

// ReadCalendar reads the events of an iCalendar file (RFC 5545) as blackouts: each
// time that one of them takes place from a moment on and before another. Nothing is
// guessed: a property that moves events and is not known here, a time zone that is
// none of the IANA database, a floating time, are errors with their lines.
func ReadCalendar(text []byte, from, until time.Time) ([]Blackout, error) {
	if !from.Before(until) || until.Sub(from) > maxPeriod {
		return nil, errors.New("want a time of at most three years")
	}
	lines, err := unfold(text)
	if err != nil {
		return nil, err
	}
	var events []*calendarEvent
	var open []string
	var e *calendarEvent
	for _, l := range lines {
		switch {
		case l.name == "BEGIN":
			open = append(open, strings.ToUpper(l.value))
			if e == nil && strings.EqualFold(l.value, "VEVENT") {
				e = &calendarEvent{line: l.number, depth: len(open)}
			}
		case l.name == "END":
			if len(open) == 0 || open[len(open)-1] != strings.ToUpper(l.value) {
				return nil, l.wrong("ends what did not begin")
			}
			if e != nil && e.depth == len(open) {
				events, e = append(events, e), nil
			}
			open = open[:len(open)-1]
		case e != nil && e.depth == len(open):
			if err := e.take(l); err != nil {
				return nil, l.wrong(err.Error())
			}
		}
	}
	if len(lines) == 0 || lines[0].name != "BEGIN" || !strings.EqualFold(lines[0].value, "VCALENDAR") || len(open) > 0 {
		return nil, errors.New("this is no calendar, or it is cut off")
	}
	return blackouts(events, from, until)
}

// blackouts works out when events take place.
func blackouts(events []*calendarEvent, from, until time.Time) ([]Blackout, error) {
	var all []Blackout
	recurring := 0
	for _, e := range events {
		if e.rule != "" {
			recurring++
		}
		if recurring > maxRecurring {
			return nil, fmt.Errorf("the event at line %d: more than %d events recur", e.line, maxRecurring)
		}
		times, err := e.times(from, until, maxBlackouts-len(all))
		if err != nil {
			return nil, fmt.Errorf("the event at line %d: %w", e.line, err)
		}
		all = append(all, times...)
	}
	slices.SortStableFunc(all, func(a, b Blackout) int { return a.From.Compare(b.From) })
	return all, nil
}

// contentLine is one line of a calendar, unfolded.
type contentLine struct {
	number      int
	name, value string
	params      map[string]string
}

func (l contentLine) wrong(what string) error {
	return fmt.Errorf("line %d (%s) %s", l.number, l.name, what)
}

func unfold(text []byte) ([]contentLine, error) {
	if len(text) > MaxCalendar {
		return nil, fmt.Errorf("the calendar is larger than %d bytes", MaxCalendar)
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	var lines []contentLine
	var whole strings.Builder
	begin := 0
	flush := func() error {
		if whole.Len() == 0 {
			return nil
		}
		l, err := parseLine(whole.String(), begin)
		whole.Reset()
		lines = append(lines, l)
		return err
	}
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
			whole.WriteString(line[1:])
			continue
		}
		if err := flush(); err != nil {
			return nil, err
		}
		begin = i + 1
		whole.WriteString(line)
	}
	return lines, flush()
}

// parseLine takes name, parameters and value apart; a quoted parameter may have any
// of the marks in it.
func parseLine(text string, number int) (contentLine, error) {
	l := contentLine{number: number, params: map[string]string{}}
	quoted, parts, begin := false, []string{}, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ';' || c == ':'):
			parts = append(parts, text[begin:i])
			begin = i + 1
			if c == ':' {
				l.value = text[begin:]
				i = len(text)
				begin = -1
			}
		}
	}
	l.name = "?"
	if begin >= 0 || len(parts) == 0 || parts[0] == "" {
		return l, l.wrong("is no line of a calendar")
	}
	l.name = strings.ToUpper(parts[0])
	for _, part := range parts[1:] {
		name, value, _ := strings.Cut(part, "=")
		l.params[strings.ToUpper(name)] = strings.Trim(value, `"`)
	}
	return l, nil
}

// calendarEvent is one VEVENT.
type calendarEvent struct {
	line, depth int
	name        string
	start, end  time.Time
	allDay      bool
	floats      bool          // a day in no time zone: it is that day somewhere for 50 hours
	length      time.Duration // of DURATION
	rule        string
	except      []time.Time
	cancelled   bool
	seen        []string // properties that stand once
}

// take takes in a property. Those that say nothing of the time are skipped.
func (e *calendarEvent) take(l contentLine) (err error) {
	if slices.Contains([]string{"DTSTART", "DTEND", "DURATION", "RRULE", "STATUS"}, l.name) {
		if slices.Contains(e.seen, l.name) || l.value == "" {
			return errors.New("stands twice, or says nothing")
		}
		e.seen = append(e.seen, l.name)
	}
	switch l.name {
	case "SUMMARY":
		text := strings.NewReplacer(`\n`, " ", `\N`, " ", `\,`, ",", `\;`, ";", `\\`, `\`).Replace(l.value)
		e.name = cut(strings.TrimSpace(strings.ToValidUTF8(text, "?")), MaxAppName)
	case "STATUS":
		e.cancelled = strings.EqualFold(l.value, "CANCELLED")
	case "DTSTART":
		e.start, e.allDay, err = calendarTime(l, l.value)
		e.floats = e.allDay && l.params["TZID"] == ""
	case "DTEND":
		var day bool
		if e.end, day, err = calendarTime(l, l.value); err == nil && day != (l.params["VALUE"] == "DATE") {
			err = errors.New("is neither a date nor a time")
		}
	case "DURATION":
		e.length, err = calendarDuration(l.value)
	case "RRULE":
		e.rule = l.value
	case "EXDATE":
		for text := range strings.SplitSeq(l.value, ",") {
			at, _, err := calendarTime(l, text)
			if err != nil {
				return err
			}
			e.except = append(e.except, at)
		}
	case "RDATE", "RECURRENCE-ID", "EXRULE":
		err = errors.New("is not understood here; write the times that it is about as events of their own")
	}
	return err
}

// calendarTime reads a date, a time in UTC, or one in a named zone.
func calendarTime(l contentLine, text string) (at time.Time, day bool, err error) {
	zone := time.UTC
	if name := l.params["TZID"]; name != "" {
		if zone, err = time.LoadLocation(name); err != nil || name == "Local" {
			return at, false, fmt.Errorf("has the time zone %q, which is no name of the IANA database", name)
		}
	}
	if l.params["VALUE"] == "DATE" {
		at, err = time.ParseInLocation("20060102", text, zone)
		day = true
	} else if rest, utc := strings.CutSuffix(text, "Z"); utc {
		at, err = time.Parse("20060102T150405", rest)
	} else if zone == time.UTC && l.params["TZID"] == "" {
		err = errors.New("has a time without a zone")
	} else {
		at, err = time.ParseInLocation("20060102T150405", text, zone)
	}
	if err == nil && at.Year() < 1970 {
		err = errors.New("is before 1970")
	}
	return at, day, err
}

// calendarDuration reads weeks, days, hours, minutes and seconds.
func calendarDuration(text string) (time.Duration, error) {
	bad := fmt.Errorf("%q is no duration", text)
	rest, ok := strings.CutPrefix(strings.TrimPrefix(text, "+"), "P")
	units := map[byte]time.Duration{'W': 7 * 24 * time.Hour, 'D': 24 * time.Hour}
	var sum time.Duration
	for ok && rest != "" {
		if rest[0] == 'T' {
			units = map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second}
			rest = rest[1:]
		}
		i := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if i <= 0 || i > 5 || units[rest[i]] == 0 {
			return 0, bad
		}
		n, _ := strconv.Atoi(rest[:i])
		sum += time.Duration(n) * units[rest[i]]
		rest = rest[i+1:]
	}
	if sum <= 0 {
		return 0, bad
	}
	return sum, nil
}

// times are the blackouts that the event is.
func (e *calendarEvent) times(from, until time.Time, most int) ([]Blackout, error) {
	if e.cancelled {
		return nil, nil
	}
	if e.name == "" {
		e.name = "blackout"
	}
	ends, err := e.ends()
	if err != nil {
		return nil, err
	}
	var early, late time.Duration
	if e.floats {
		early, late = firstZone, lastZone
	}
	starts := []time.Time{e.start}
	if e.rule != "" {
		if starts, err = e.recur(from.Add(-ends(e.start).Sub(e.start)-late), until.Add(early)); err != nil {
			return nil, err
		}
	}
	var all []Blackout
	for _, start := range starts {
		if slices.ContainsFunc(e.except, start.Equal) {
			continue
		}
		begin, end := start.Add(-early), ends(start).Add(late)
		if !begin.Before(until) || !from.Before(end) {
			continue
		}
		if len(all) >= most {
			return nil, fmt.Errorf("the calendar has more than %d blackouts in this time; take less of it", maxBlackouts)
		}
		all = append(all, Blackout{Name: e.name, From: begin.UTC(), To: end.UTC()})
	}
	return all, nil
}

// ends is when the event that begins at a time is over. Days are counted by the
// calendar, for some have 23 hours.
func (e *calendarEvent) ends() (func(time.Time) time.Time, error) {
	length := e.length
	switch {
	case e.start.IsZero():
		return nil, errors.New("DTSTART is missing")
	case !e.end.IsZero() && length > 0:
		return nil, errors.New("it has DTEND and DURATION")
	case !e.end.IsZero():
		length = e.end.Sub(e.start)
	case e.allDay && length == 0:
		length = 24 * time.Hour
	}
	if length <= 0 || length > 366*24*time.Hour {
		return nil, errors.New("it takes no time, or more than a year")
	}
	if days := int((length + 12*time.Hour) / (24 * time.Hour)); e.allDay && days > 0 {
		return func(start time.Time) time.Time { return start.AddDate(0, 0, days) }, nil
	}
	return func(start time.Time) time.Time { return start.Add(length) }, nil
}

// ruleParts are the parts of a rule that are understood, by its frequency: with
// these, working out the rule ends soon whatever its numbers are.
var ruleParts = map[string][]string{
	"DAILY":   {"INTERVAL", "COUNT", "UNTIL", "WKST"},
	"WEEKLY":  {"INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY"},
	"MONTHLY": {"INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTHDAY"},
	"YEARLY":  {"INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTHDAY", "BYMONTH"},
}

// recur works out when the event begins between two moments.
func (e *calendarEvent) recur(from, until time.Time) ([]time.Time, error) {
	parts := map[string]string{}
	for part := range strings.SplitSeq(strings.ToUpper(e.rule), ";") {
		name, value, _ := strings.Cut(part, "=")
		if _, twice := parts[name]; twice || value == "" || len(value) > 100 {
			return nil, fmt.Errorf("RRULE: %s stands twice, or says nothing", name)
		}
		parts[name] = value
	}
	known, ok := ruleParts[parts["FREQ"]]
	for name := range parts {
		if !ok || name != "FREQ" && !slices.Contains(known, name) {
			return nil, fmt.Errorf("RRULE: FREQ=%s with %s is not understood here", parts["FREQ"], name)
		}
	}
	option, err := rrule.StrToROptionInLocation(strings.ToUpper(e.rule), e.start.Location())
	if err != nil {
		return nil, fmt.Errorf("RRULE: %w", err)
	}
	option.Dtstart = e.start
	rule, err := rrule.NewRRule(*option)
	if err != nil {
		return nil, fmt.Errorf("RRULE: %w", err)
	}
	var starts []time.Time
	for next := rule.Iterator(); ; {
		start, more := next()
		if !more || !start.Before(until) {
			return starts, nil
		}
		if start.After(from) {
			starts = append(starts, start)
		}
	}
}
