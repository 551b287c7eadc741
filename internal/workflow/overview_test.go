package workflow

import (
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store"
)

// TestWeeksAreWhole: of more requests than are counted, a week that would miss some is
// not shown as if it were whole.
func TestWeeksAreWhole(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC) // a Wednesday
	since := monday(now).AddDate(0, 0, -7*(OverviewWeeks-1))
	var courses []store.Course // a day each, newest first
	for at := now; at.After(now.AddDate(0, 0, -25)); at = at.AddDate(0, 0, -1) {
		courses = append(courses, store.Course{SubmittedAt: at, Score: 5000})
	}
	for _, c := range []struct {
		name        string
		courses     []store.Course
		more        bool
		first       string
		weeks, seen int
	}{
		{"all", courses, false, "2026-09-07", 12, 25},
		{"none", nil, false, "2026-09-07", 12, 0},
		{"cut", courses, true, "2026-11-02", 4, 24}, // that of 1 November is of a week that is not whole
		{"cut within this week", courses[:2], true, "2026-11-30", 0, 0},
	} {
		o := Overview{Now: now, Since: since}
		o.fold(c.courses, c.more)
		seen := 0
		for _, w := range o.Weeks {
			seen += w.Submitted
		}
		if first := o.Since.Format(time.DateOnly); first != c.first || len(o.Weeks) != c.weeks || seen != c.seen || o.Cut != c.more {
			t.Errorf("%s: %d weeks from %s with %d requests, cut %t", c.name, len(o.Weeks), first, seen, o.Cut)
		}
		if o.Risk[9] != c.seen { // 50 is of the bar that ends there
			t.Errorf("%s: %v", c.name, o.Risk)
		}
	}
}

func TestMedianAndPercentile(t *testing.T) {
	hours := func(all ...int) []time.Duration {
		var out []time.Duration
		for _, h := range all {
			out = append(out, time.Duration(h)*time.Hour)
		}
		return out
	}
	var hundred []int
	for i := range 100 {
		hundred = append(hundred, 100-i)
	}
	for _, c := range []struct {
		all         []time.Duration
		median, p95 time.Duration
	}{
		{nil, 0, 0}, {hours(5), 5 * time.Hour, 5 * time.Hour}, {hours(4, 1), 150 * time.Minute, 4 * time.Hour},
		{hours(9, 1, 2), 2 * time.Hour, 9 * time.Hour}, {hours(hundred...), 3030 * time.Minute, 95 * time.Hour},
	} {
		if median, p95 := middle(c.all); median != c.median || p95 != c.p95 {
			t.Errorf("of %v: %v and %v", c.all, median, p95)
		}
	}
}

// TestWhoDecided: what was approved by rule is nobody's decision, and what waits is
// neither.
func TestWhoDecided(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	o := Overview{Now: now, Since: monday(now)}
	at := now.Add(-time.Hour)
	o.fold([]store.Course{
		{SubmittedAt: at, Status: cab.AutoApproved, Decision: cab.AutoApproved, DecidedAt: at, DeciderRole: cab.System},
		{SubmittedAt: at, Status: cab.Revoked, Decision: cab.ApprovedByCAB, DecidedAt: now, DeciderRole: cab.CABMember},
		{SubmittedAt: at, Status: cab.RejectedByCAB, Decision: cab.RejectedByCAB, DecidedAt: now, DeciderRole: cab.CABMember},
		{SubmittedAt: at, Status: cab.Submitted}, {SubmittedAt: at, Status: cab.Withdrawn},
	}, false)
	if want := (Week{Start: monday(now), Submitted: 5, ByRule: 1, Decided: 2, Rejected: 1, Median: time.Hour, P95: time.Hour}); o.Weeks[0] != want {
		t.Errorf("%+v", o.Weeks[0])
	}
}

// TestCoursesAreTheNewest of so many, and it is said if there are others.
func TestCoursesAreTheNewest(t *testing.T) {
	eachWorld(t, func(w *world) {
		var at []time.Time
		for _, kind := range []string{"mid", "low", "mid"} {
			at = append(at, w.submitted(kind).SubmittedAt)
		}
		read := func(since time.Time, most int) (rows []store.Course, more bool) {
			err := w.store.View(w.ctx, func(r *store.Reader) (err error) {
				rows, more, err = r.Courses(since, most)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return rows, more
		}
		if rows, more := read(at[0], 3); more || len(rows) != 3 || !rows[2].SubmittedAt.Equal(at[0]) || rows[1].DeciderRole != cab.System || rows[0].Decision != "" {
			t.Errorf("all: %t, %+v", more, rows)
		}
		if rows, more := read(at[0], 2); !more || len(rows) != 2 || !rows[0].SubmittedAt.Equal(at[2]) {
			t.Errorf("two: %t, %+v", more, rows)
		}
		if rows, more := read(at[2], 3); more || len(rows) != 1 {
			t.Errorf("since the last: %t, %+v", more, rows)
		}
	})
}
