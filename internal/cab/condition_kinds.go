package cab

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a window means the same on machines that have no time zones

	"github.com/eucora/eucora/internal/evidence"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxDevices is the most devices that anything is said of.
const MaxDevices = 100_000_000

func met(ok bool, format string, args ...any) (ConditionState, string) {
	state := ConditionUnmet
	if ok {
		state = ConditionMet
	}
	return state, fmt.Sprintf(format, args...)
}

func readText(value jsontext.Value) (string, error) {
	var text string
	if value.Kind() != '"' || json.Unmarshal(value, &text) != nil {
		return "", errors.New("is not a text")
	}
	return text, nil
}

func readWhole(value jsontext.Value, least, most int) (int, error) {
	n, err := strconv.Atoi(string(value))
	if value.Kind() != '0' || err != nil || n < least || n > most {
		return 0, fmt.Errorf("is not a whole number from %d to %d", least, most)
	}
	return n, nil
}

func readMaxRing(value jsontext.Value) (test, error) {
	text, err := readText(value)
	if err != nil {
		return nil, err
	}
	most := slices.Index(Rings(), Ring(text))
	if most < 0 {
		return nil, fmt.Errorf("%q is not one of the rings LAB, CANARY, PILOT, DEPARTMENT, GLOBAL", text)
	}
	return func(_ Grounds, r Rollout) (ConditionState, string) {
		asked := slices.Index(Rings(), r.Ring)
		return met(asked >= 0 && asked <= most, "at most %s, and this is %s", text, r.Ring)
	}, nil
}

func readMaxDevices(value jsontext.Value) (test, error) {
	most, err := readWhole(value, 1, MaxDevices)
	return func(g Grounds, r Rollout) (ConditionState, string) {
		return met(g.reach(r) <= most, "at most %d devices in all rings, and this makes %d", most, g.reach(r))
	}, err
}

func readMaxPercent(value jsontext.Value) (test, error) {
	most, err := readWhole(value, 1, 100)
	return func(g Grounds, r Rollout) (ConditionState, string) {
		if g.Users <= 0 {
			return ConditionUnknown, "the evidence does not say how many are affected"
		}
		reach := g.reach(r)
		return met(int64(reach)*100 <= int64(most)*int64(g.Users), "at most %d %% of %d, and this makes %d", most, g.Users, reach)
	}, err
}

func readTime(value jsontext.Value) (time.Time, error) {
	text, err := readText(value)
	if err != nil {
		return time.Time{}, err
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.Year() < 1 {
		return time.Time{}, fmt.Errorf("%q is not a time with its zone", text)
	}
	return at.UTC(), nil
}

func readNotBefore(value jsontext.Value) (test, error) {
	from, err := readTime(value)
	return func(g Grounds, _ Rollout) (ConditionState, string) {
		return met(!g.Now.Before(from), "not before %s", from.Format(time.RFC3339))
	}, err
}

func readNotAfter(value jsontext.Value) (test, error) {
	until, err := readTime(value)
	return func(g Grounds, _ Rollout) (ConditionState, string) {
		return met(!g.Now.After(until), "not after %s", until.Format(time.RFC3339))
	}, err
}

// window is hours of the day on some days of the week, by the clock on the wall in
// a time zone. One that ends before it begins runs into the next day and belongs to
// the day on which it began. From is in it, To is not.
type window struct {
	Days     []string `json:"days"`
	From     string   `json:"from"`
	To       string   `json:"to"` // 24:00 is the end of the day
	TimeZone string   `json:"time_zone"`
}

var weekdays = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}

var clockForm = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)

// minutes is a time of day in minutes; -1 if it is none.
func minutes(text string) int {
	if text == "24:00" {
		return 24 * 60
	}
	if !clockForm.MatchString(text) {
		return -1
	}
	return (int(text[0]-'0')*10+int(text[1]-'0'))*60 + int(text[3]-'0')*10 + int(text[4]-'0')
}

func readWindow(value jsontext.Value) (test, error) {
	var w window
	if err := json.Unmarshal(value, &w, json.RejectUnknownMembers(true)); value.Kind() != '{' || err != nil {
		return nil, errors.New("is no window")
	}
	from, to := minutes(w.From), minutes(w.To)
	if len(w.Days) == 0 || len(w.Days) > len(weekdays) || slices.ContainsFunc(w.Days, func(day string) bool { return !slices.Contains(weekdays, day) }) {
		return nil, errors.New("days are some of " + strings.Join(weekdays, ", "))
	}
	if from < 0 || to < 0 || from == to || from == 24*60 {
		return nil, errors.New("from and to are two times of day")
	}
	if w.TimeZone == "" || w.TimeZone == "Local" {
		return nil, errors.New("time_zone is missing")
	}
	zone, err := time.LoadLocation(w.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("time_zone %q is not a name of the IANA database", w.TimeZone)
	}
	return func(g Grounds, _ Rollout) (ConditionState, string) {
		local := g.Now.In(zone)
		return met(w.has(local, from, to), "%s from %s to %s, and it is %s there (%s)",
			strings.Join(w.Days, ", "), w.From, w.To, strings.ToUpper(local.Format("Mon 15:04")), w.TimeZone)
	}, nil
}

func (w window) has(local time.Time, from, to int) bool {
	today, now := int(local.Weekday()), local.Hour()*60+local.Minute()
	on := func(day int) bool { return slices.Contains(w.Days, weekdays[(day+7)%7]) }
	if from < to {
		return on(today) && from <= now && now < to
	}
	return on(today) && now >= from || on(today-1) && now < to
}

var checkForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`)

// maxRequired is how many checks one approval can require.
const maxRequired = 20

func readRequiresCheck(value jsontext.Value) (test, error) {
	names := make([]string, 1)
	var err error
	if value.Kind() == '[' {
		err = json.Unmarshal(value, &names)
	} else {
		names[0], err = readText(value)
	}
	if err != nil || len(names) == 0 || len(names) > maxRequired || slices.ContainsFunc(names, func(n string) bool { return !checkForm.MatchString(n) }) {
		return nil, errors.New("is no name of a check (small letters, digits, _ . -), and no list of 1 to 20")
	}
	return func(g Grounds, _ Rollout) (ConditionState, string) {
		var lack []string
		for _, name := range names {
			if check, known := g.Deployment.check(name); !known || check.PackageID != g.packageID() {
				lack = append(lack, name+" has not been reported for this evidence")
			} else if !check.Passed {
				lack = append(lack, name+" was reported as failed")
			}
		}
		if lack != nil {
			return ConditionUnmet, strings.Join(lack, "; ")
		}
		return ConditionMet, strings.Join(names, ", ") + " passed"
	}, nil
}

func readMonitorHours(value jsontext.Value) (test, error) {
	hours, err := readWhole(value, 1, 720)
	return func(g Grounds, r Rollout) (ConditionState, string) {
		before, is := r.Ring.before()
		if !is {
			return met(slices.Contains(Rings(), r.Ring), "%s is the first ring; %d h are wanted between rings", r.Ring, hours)
		}
		last, known := g.ring(before)
		if !known || last.State != Completed {
			return ConditionUnmet, fmt.Sprintf("%d h after %s is completed, and it is not", hours, before)
		}
		until := last.EndedAt.Add(time.Duration(hours) * time.Hour)
		return met(!g.Now.Before(until), "%d h after %s was completed, which is %s", hours, before, until.Format(time.RFC3339))
	}, err
}

func readNote(value jsontext.Value) (test, error) {
	text, err := readText(value)
	if err == nil {
		err = bounded(text, MaxRationale)
	}
	return func(_ Grounds, r Rollout) (ConditionState, string) {
		if r.NoteRead {
			return ConditionMet, "it has been read"
		}
		return ConditionUnmet, "read it, and say so (note_read)"
	}, err
}

func bounded(text string, most int) error {
	if err := checkText("", text, 1, most); err != nil {
		return errors.New("is empty, or too long")
	}
	return nil
}

// Affected is the number of users that the evidence says are affected; -1 if it is
// not known, or more than is counted here.
func Affected(facts evidence.Facts) int {
	fact := facts.Get(evidence.Users)
	if fact.State != evidence.Known || fact.Number == nil || !fact.Number.IsInt() || fact.Above(MaxDevices) || fact.Number.Sign() < 0 {
		return -1
	}
	return int(fact.Number.Num().Int64())
}
