package cab

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func calendar(lines ...string) []byte {
	return []byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VCALENDAR\r\n")
}

func event(lines ...string) []byte {
	return calendar("BEGIN:VEVENT\r\nUID:1\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VEVENT")
}

var yearFrom, yearUntil = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

// TestCalendar: when events take place, by the clock on the wall where they do.
func TestCalendar(t *testing.T) {
	for _, c := range []struct {
		name string
		text []byte
		want string
	}{
		{"once", event("SUMMARY:Year's end\\, all", "DTSTART:20261224T120000Z", "DTEND:20261226T000000Z"), "Year's end, all 2026-12-24T12:00Z 2026-12-26T00:00Z"},
		{"in a zone", event("DTSTART;TZID=Europe/Berlin:20260701T220000", "DURATION:PT2H30M"), "blackout 2026-07-01T20:00Z 2026-07-01T22:30Z"},
		{"a day, wherever it is", event("DTSTART;VALUE=DATE:20261003"), "blackout 2026-10-02T10:00Z 2026-10-04T12:00Z"},
		{"the last day of a year is not over before everywhere", event("DTSTART;VALUE=DATE:20251231"), "blackout 2025-12-30T10:00Z 2026-01-01T12:00Z"},
		{"days that recur, but for one", event("DTSTART;VALUE=DATE:20251224", "RRULE:FREQ=WEEKLY;COUNT=4", "EXDATE;VALUE=DATE:20260107"),
			"blackout 2025-12-30T10:00Z 2026-01-01T12:00Z\nblackout 2026-01-13T10:00Z 2026-01-15T12:00Z"},
		{"days", event("DTSTART;VALUE=DATE;TZID=Europe/Berlin:20260328", "DTEND;VALUE=DATE;TZID=Europe/Berlin:20260330"), "blackout 2026-03-27T23:00Z 2026-03-29T22:00Z"},
		{"the last Friday of each month, over the change of clocks", event("DTSTART;TZID=Europe/Berlin:20260227T180000", "DURATION:PT1H", "RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=3"),
			"blackout 2026-02-27T17:00Z 2026-02-27T18:00Z\nblackout 2026-03-27T17:00Z 2026-03-27T18:00Z\nblackout 2026-04-24T16:00Z 2026-04-24T17:00Z"},
		{"weekly, but for one", event("DTSTART:20261201T000000Z", "DURATION:P1D", "RRULE:FREQ=WEEKLY;UNTIL=20261216T000000Z;BYDAY=TU", "EXDATE:20261208T000000Z"),
			"blackout 2026-12-01T00:00Z 2026-12-02T00:00Z\nblackout 2026-12-15T00:00Z 2026-12-16T00:00Z"},
		{"yearly from long ago", event("DTSTART:19991231T000000Z", "DURATION:P3D", "RRULE:FREQ=YEARLY"),
			"blackout 2025-12-31T00:00Z 2026-01-03T00:00Z\nblackout 2026-12-31T00:00Z 2027-01-03T00:00Z"},
		{"cancelled", event("DTSTART:20261224T120000Z", "DURATION:PT1H", "STATUS:CANCELLED"), ""},
		{"over before", event("DTSTART:20251224T120000Z", "DURATION:PT1H"), ""},
		{"folded, with an alarm and another component", calendar("BEGIN:VTIMEZONE", "TZID:X", "BEGIN:STANDARD", "DTSTART:16010101T000000", "END:STANDARD", "END:VTIMEZONE", "BEGIN:VEVENT",
			"DTSTART;X-A=\"a:b;c\":2026010", " 2T000000Z", "DURATION:PT1H", "BEGIN:VALARM", "DURATION:PT5M", "END:VALARM", "END:VEVENT"), "blackout 2026-01-02T00:00Z 2026-01-02T01:00Z"},
	} {
		all, err := ReadCalendar(c.text, yearFrom, yearUntil)
		var got []string
		for _, b := range all {
			got = append(got, fmt.Sprintf("%s %s %s", b.Name, b.From.Format("2006-01-02T15:04Z07"), b.To.Format("2006-01-02T15:04Z07")))
		}
		if err != nil || strings.Join(got, "\n") != c.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", c.name, err, strings.Join(got, "\n"), c.want)
		}
	}
}

// TestCalendarRefused: what is not understood is no blackout that is not there.
func TestCalendarRefused(t *testing.T) {
	for name, text := range map[string][]byte{
		"nothing": nil, "a page": []byte("<html>"), "cut off": event("DTSTART:20261224T120000Z")[:60], "no colon": event("DTSTART"),
		"no start": event("SUMMARY:x"), "floating": event("DTSTART:20261224T120000", "DURATION:PT1H"), "no length": event("DTSTART:20261224T120000Z"),
		"a zone of its own": event("DTSTART;TZID=W. Europe Standard Time:20261224T120000", "DURATION:PT1H"), "the machine's zone": event("DTSTART;TZID=Local:20261224T120000", "DURATION:PT1H"),
		"backward": event("DTSTART:20261224T120000Z", "DTEND:20261224T110000Z"), "both ends": event("DTSTART:20261224T120000Z", "DTEND:20261224T130000Z", "DURATION:PT1H"),
		"mixed": event("DTSTART:20261224T120000Z", "DTEND:20261225"), "a duration that is none": event("DTSTART:20261224T120000Z", "DURATION:PT"),
		"an endless one": event("DTSTART:20261224T120000Z", "DURATION:P99999W"), "moved": event("DTSTART:20261224T120000Z", "DURATION:PT1H", "RECURRENCE-ID:20261224T120000Z"),
		"more dates": event("DTSTART:20261224T120000Z", "DURATION:PT1H", "RDATE:20261225T120000Z"), "each second": event("DTSTART:20261224T120000Z", "DURATION:PT1H", "RRULE:FREQ=SECONDLY"),
		"a rule that never comes": event("DTSTART:20260101T120000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"), "no rule": event("DTSTART:20261224T120000Z", "DURATION:PT1H", "RRULE:"),
		"a rule twice": event("DTSTART:20260101T120000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY", "RRULE:FREQ=WEEKLY"), "too many": event("DTSTART:20250101T120000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY"),
		"long ago": event("DTSTART:19691224T120000Z", "DURATION:PT1H"), "crossed": calendar("BEGIN:VEVENT", "BEGIN:VALARM", "END:VEVENT", "END:VALARM"),
		"too large": make([]byte, MaxCalendar+1),
	} {
		until := yearUntil
		if name == "too many" {
			until = yearUntil.AddDate(1, 0, 0)
		}
		if all, err := ReadCalendar(text, yearFrom, until); err == nil {
			t.Errorf("%s: %v", name, all)
		}
	}
	if _, err := ReadCalendar(event("DTSTART:20261224T120000Z", "DURATION:PT1H"), yearFrom, yearFrom.AddDate(9, 0, 0)); err == nil {
		t.Error("nine years")
	}
}

// TestCalendarEnds: rules that never come end soon.
func TestCalendarEnds(t *testing.T) {
	var events []string
	for range maxRecurring {
		events = append(events, "BEGIN:VEVENT", "DTSTART:20260101T120000Z", "DURATION:PT1H", "RRULE:FREQ=MONTHLY;BYMONTHDAY=31;INTERVAL=2400", "END:VEVENT")
	}
	if _, err := ReadCalendar(calendar(events...), yearFrom, yearUntil); err != nil {
		t.Error(err)
	}
}

// FuzzCalendar: whatever is read is in the time asked for, in order.
func FuzzCalendar(f *testing.F) {
	f.Add(event("DTSTART;TZID=Europe/Berlin:20260227T180000", "DURATION:PT1H", "RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=3"))
	f.Add(event("DTSTART;VALUE=DATE:20261003", "EXDATE;VALUE=DATE:20261003"))
	f.Add(event("DTSTART:19700101T000000Z", "DTEND:19700101T000001Z", "RRULE:FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29"))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := ReadCalendar(text, yearFrom, yearUntil)
		for i, b := range all {
			if err != nil || !b.From.Before(b.To) || !b.From.Before(yearUntil) || !yearFrom.Before(b.To) || i > 0 && b.From.Before(all[i-1].From) {
				t.Errorf("%+v, %v", b, err)
			}
		}
	})
}
