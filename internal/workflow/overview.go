package workflow

import (
	"context"
	"slices"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store"
)

// OverviewWeeks is how many weeks an overview looks back, this one among them.
const OverviewWeeks = 12

// RiskBin is the width of a bar of the histogram of scores, in points.
const RiskBin = 5

// Overview is how the board does.
type Overview struct {
	Now        time.Time
	Since      time.Time // Monday, 0:00 UTC
	Thresholds cab.PolicyThresholds
	Pending    []PendingAge
	Weeks      []Week             // the oldest first
	Cut        bool               // there are so many requests that the oldest weeks are left out
	Risk       [100 / RiskBin]int // scores in these weeks; a bar ends with its upper score, as thresholds do
	Ending     []Ending
	Voters     []store.Voter
}

// PendingAge counts the open requests of an age.
type PendingAge struct {
	From, To  time.Duration // To 0: any
	Board     int           // that wait for the board
	Exception int           // that wait for an exception
}

// Ending counts exceptions in force by the days that they have left.
type Ending struct {
	Most  int // days; 0: any
	Count int
}

// Week is what became of the requests that were submitted in a week.
type Week struct {
	Start       time.Time // Monday, 0:00 UTC
	Submitted   int
	ByRule      int // approved by rule
	Decided     int // by people
	Rejected    int // of these
	Median, P95 time.Duration
}

var (
	pendingAges = []time.Duration{24 * time.Hour, 48 * time.Hour}
	endingDays  = []int{3, 7, 14, 30}
)

// maxCourses bounds the requests that are looked back at.
const maxCourses = 20_000

// overviewAge is how old an overview may be that is shown: it reads thousands of rows.
const overviewAge = time.Minute

// Overview is how the board does, as it was within the last minute. It is about
// everybody, as reports are, and the same for all who may see it.
func (s *Service) Overview(ctx context.Context, call Call) (Overview, error) {
	return see(ctx, s, call, cab.ReadReports, func(r *store.Reader) (Overview, error) {
		now := s.now()
		if last := s.overview.Load(); last != nil && !now.Before(last.Now) && now.Sub(last.Now) < overviewAge {
			return *last, nil
		}
		made, err := s.lookBack(r, now)
		if err == nil {
			s.overview.Store(&made)
		}
		return made, err
	})
}

func (s *Service) lookBack(r *store.Reader, now time.Time) (Overview, error) {
	o := Overview{Now: now, Since: monday(now).AddDate(0, 0, -7*(OverviewWeeks-1))}
	published, err := r.ActivePolicy()
	if err != nil {
		return o, err
	}
	rules, err := s.policy(published)
	if err != nil {
		return o, err
	}
	o.Thresholds = rules.Thresholds
	if err := o.readPending(r); err != nil {
		return o, err
	}
	courses, more, err := r.Courses(o.Since, maxCourses)
	if err != nil {
		return o, err
	}
	o.fold(courses, more)
	o.Voters, err = r.Voters(o.Since)
	return o, err
}

func (o *Overview) readPending(r *store.Reader) error {
	var submitted, expires []time.Time
	for _, age := range pendingAges {
		submitted = append(submitted, o.Now.Add(-age))
	}
	for _, days := range endingDays {
		expires = append(expires, o.Now.AddDate(0, 0, days))
	}
	waiting, lasting, err := r.Pending(o.Now, submitted, expires)
	if err != nil {
		return err
	}
	o.Pending = []PendingAge{{To: pendingAges[0]}, {From: pendingAges[0], To: pendingAges[1]}, {From: pendingAges[1]}}
	for _, w := range waiting {
		at := &o.Pending[len(pendingAges)-w.After]
		if w.Status == cab.NeedsException {
			at.Exception += w.Count
		} else {
			at.Board += w.Count
		}
	}
	for _, days := range endingDays {
		o.Ending = append(o.Ending, Ending{Most: days})
	}
	o.Ending = append(o.Ending, Ending{})
	for _, l := range lasting {
		o.Ending[l.Beyond].Count += l.Count
	}
	return nil
}

// fold counts by week. What was taken back or waits is counted as submitted. more says
// that some are missing: of the oldest week that is there, for one.
func (o *Overview) fold(courses []store.Course, more bool) {
	if o.Cut = more; more { // the oldest week that is there is not all there
		o.Since = monday(courses[len(courses)-1].SubmittedAt).AddDate(0, 0, 7)
	}
	for start := o.Since; !start.After(o.Now); start = start.AddDate(0, 0, 7) {
		o.Weeks = append(o.Weeks, Week{Start: start})
	}
	took := make([][]time.Duration, len(o.Weeks))
	for _, c := range courses {
		at := int(c.SubmittedAt.Sub(o.Since) / (7 * 24 * time.Hour))
		if c.SubmittedAt.Before(o.Since) || at >= len(o.Weeks) {
			continue
		}
		o.Risk[min(len(o.Risk)-1, max(0, int(c.Score)-1)/(100*RiskBin))]++
		week := &o.Weeks[at]
		week.Submitted++
		switch {
		case c.Decision == "":
		case c.DeciderRole == cab.System:
			week.ByRule++
		default:
			week.Decided++
			took[at] = append(took[at], c.DecidedAt.Sub(c.SubmittedAt))
			if c.Decision == cab.RejectedByCAB {
				week.Rejected++
			}
		}
	}
	for i := range o.Weeks {
		o.Weeks[i].Median, o.Weeks[i].P95 = middle(took[i])
	}
}

// middle is the median and the 95th percentile (nearest rank); zero of nothing.
func middle(all []time.Duration) (median, p95 time.Duration) {
	n := len(all)
	if n == 0 {
		return 0, 0
	}
	slices.Sort(all)
	return (all[(n-1)/2] + all[n/2]) / 2, all[(95*n+99)/100-1]
}

// monday is the beginning of a moment's week.
func monday(t time.Time) time.Time {
	t = t.UTC().Truncate(24 * time.Hour)
	return t.AddDate(0, 0, -(int(t.Weekday())+6)%7)
}
