package console

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/eucora/eucora/internal/workflow"
)

// overviewPage is how the board does, drawn and in tables.
type overviewPage struct {
	workflow.Overview
	Ages     []countRow
	Endings  []countRow
	Weekly   []weekRow
	Bins     []countRow
	Voted    []countRow
	Totals   totals
	AgeDraw  chart
	TookDraw chart
	RateDraw chart
	RiskDraw chart
	EndDraw  chart
	VoteDraw chart
}

// countRow is a line of a table: a number, or two, with the rows behind it.
type countRow struct {
	Text      string
	N, Second int
	Path      string // of the rows behind N; "" if no page lists them
	Note      string
}

// weekRow is a week in the table.
type weekRow struct {
	workflow.Week
	Median, P95, Rejection, Automatic string
}

// totals are of all the weeks; of what waits and of what is in force, now.
type totals struct {
	Board, Exception, Granted            int
	Submitted, ByRule, Decided, Rejected int
	Automatic, Rejection                 string
}

// overview takes up to a minute to tell what is new: it is made once for all.
func (v *visit) overview() error {
	o, err := v.server.Service.Overview(v.Context(), v.call)
	if err != nil {
		return err
	}
	page := &overviewPage{Overview: o}
	page.fillPending()
	page.fillWeeks()
	page.fillRisk()
	page.fillVoters()
	return v.page(http.StatusOK, "overview", "Overview", page)
}

func (p *overviewPage) fillPending() {
	var board, exception []float64
	texts := []string{"up to a day", "one to two days", "more than two days"}
	for i, age := range p.Pending {
		p.Ages = append(p.Ages, countRow{Text: texts[i], N: age.Board, Second: age.Exception})
		p.Totals.Board += age.Board
		p.Totals.Exception += age.Exception
		board, exception = append(board, float64(age.Board)), append(exception, float64(age.Exception))
	}
	p.AgeDraw = columns([]string{"≤ 1 day", "1–2 days", "> 2 days"}, 1, series{"s0", board}, series{"s1", exception})
	var left []float64
	var names []string
	for i, e := range p.Ending {
		row := countRow{N: e.Count, Text: fmt.Sprintf("up to %d days", e.Most)}
		if e.Most == 0 {
			row.Text = fmt.Sprintf("more than %d days", p.Ending[i-1].Most)
		}
		p.Totals.Granted += e.Count
		p.Endings = append(p.Endings, row)
		names, left = append(names, row.Text), append(left, float64(e.Count))
	}
	p.EndDraw = columns(shortNames(names), 1, series{"s0", left})
}

// shortNames are names that five columns have room for on a phone.
func shortNames(names []string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		var n int
		if _, err := fmt.Sscanf(name, "up to %d days", &n); err == nil {
			all[i] = fmt.Sprintf("≤ %d", n)
		} else if _, err := fmt.Sscanf(name, "more than %d days", &n); err == nil {
			all[i] = fmt.Sprintf("> %d", n)
		}
	}
	return all
}

func (p *overviewPage) fillWeeks() {
	var names []string
	var median, p95, rejected, automatic []float64
	for _, w := range p.Weeks {
		row := weekRow{Week: w, Median: "—", P95: "—", Rejection: percentOf(w.Rejected, w.Decided), Automatic: percentOf(w.ByRule, w.ByRule+w.Decided)}
		if w.Decided > 0 {
			row.Median, row.P95 = span(w.Median), span(w.P95)
		}
		p.Weekly = append(p.Weekly, row)
		p.Totals.Submitted += w.Submitted
		p.Totals.ByRule += w.ByRule
		p.Totals.Decided += w.Decided
		p.Totals.Rejected += w.Rejected
		names = append(names, w.Start.Format("2 Jan"))
		median, p95 = append(median, w.Median.Hours()), append(p95, w.P95.Hours())
		rejected, automatic = append(rejected, share(w.Rejected, w.Decided)), append(automatic, share(w.ByRule, w.ByRule+w.Decided))
	}
	p.Totals.Rejection, p.Totals.Automatic = percentOf(p.Totals.Rejected, p.Totals.Decided), percentOf(p.Totals.ByRule, p.Totals.ByRule+p.Totals.Decided)
	p.TookDraw = columns(names, 1, series{"s0", median}, series{"s1", p95})
	p.TookDraw.Top = span(time.Duration(p.TookDraw.most * float64(time.Hour)))
	p.RateDraw = columns(names, 100, series{"s0", rejected}, series{"s1", automatic})
	p.RateDraw.Top = "100 %"
}

func (p *overviewPage) fillRisk() {
	var names []string
	var counts []float64
	for i, n := range p.Risk {
		from, to := i*workflow.RiskBin, (i+1)*workflow.RiskBin
		if n > 0 {
			p.Bins = append(p.Bins, countRow{Text: fmt.Sprintf("%d to %d", from, to), N: n, Note: p.decides(from, to)})
		}
		names, counts = append(names, ""), append(counts, float64(n))
	}
	p.RiskDraw = columns(names, 1, series{"s0", counts})
	p.RiskDraw.Ticks = nil
	for _, at := range []int{0, p.Thresholds.Auto, p.Thresholds.Review, 100} {
		p.RiskDraw.Ticks = append(p.RiskDraw.Ticks, tick{X: float64(at), Text: fmt.Sprint(at), Anchor: map[int]string{0: "start", 100: "end"}[at]})
	}
	p.RiskDraw.Limits = []float64{float64(p.Thresholds.Auto), float64(p.Thresholds.Review)}
}

// decides says who decides on the scores of a bar, unless a guard objects.
func (p *overviewPage) decides(from, to int) string {
	switch limits := p.Thresholds; {
	case to <= limits.Auto:
		return "by rule"
	case from >= limits.Review:
		return "the board, with an exception"
	case from >= limits.Auto && to <= limits.Review:
		return "the board"
	}
	return "on both sides of a threshold"
}

// mostColumns is how many approvers are drawn; the table has more.
const mostColumns = 12

func (p *overviewPage) fillVoters() {
	var names []string
	var counts []float64
	for _, voter := range p.Voters {
		query := url.Values{"actor": {voter.Name}, "type": {"CAB_VOTE_CAST"}, "since": {p.Since.Format(dayForm)}}
		p.Voted = append(p.Voted, countRow{Text: voter.Name, N: voter.Votes, Path: "/audit?" + query.Encode(), Note: span(p.Now.Sub(voter.Last)) + " ago"})
		if len(names) < mostColumns {
			names, counts = append(names, cut(voter.Name, 7)), append(counts, float64(voter.Votes))
		}
	}
	for len(names) < mostTicks { // a column is not the wider for being alone
		names, counts = append(names, ""), append(counts, 0)
	}
	p.VoteDraw = columns(names, 1, series{"s0", counts})
}

// Capped reports whether more waits than is counted.
func (t totals) Capped() bool { return t.Board+t.Exception > 10_000 }

func share(part, of int) float64 {
	if of == 0 {
		return 0
	}
	return 100 * float64(part) / float64(of)
}

func percentOf(part, of int) string {
	if of == 0 {
		return "—"
	}
	return fmt.Sprintf("%.0f %%", share(part, of))
}
