package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/cab"
)

// Made is where and when a report is made.
type Made struct {
	At     time.Time
	Ledger Ledger
}

// Report is what the events folded so far say.
func (b *Builder) Report(made Made) *Report {
	r := b.report
	r.Since, r.Until, r.GeneratedAt, r.Ledger = b.since, b.until, made.At.UTC(), made.Ledger
	r.AsOf = r.Until
	if r.GeneratedAt.Before(r.Until) {
		r.AsOf = r.GeneratedAt
	}
	ordered := b.inOrder()
	r.Population = b.population(ordered)
	r.Decisions, r.Automatic = []Decision{}, []Decision{}
	for _, q := range ordered {
		switch {
		case !q.decided:
		case q.decision.Decision == cab.AutoApproved:
			r.Automatic = append(r.Automatic, q.outcome())
		default:
			r.Decisions = append(r.Decisions, q.outcome())
		}
	}
	bySeq := func(a, b Decision) int { return cmp.Compare(a.Seq, b.Seq) }
	slices.SortFunc(r.Decisions, bySeq)
	slices.SortFunc(r.Automatic, bySeq)
	r.Exceptions = b.listExceptions(r.AsOf)
	r.Duties = slices.Clone(b.duties.checks)
	for i := range r.Duties {
		r.Duties[i].Violations = some(r.Duties[i].Violations)
	}
	r.Endings, r.Starts, r.Tamperings, r.Accounts, r.Rules = some(r.Endings), some(r.Starts), some(r.Tamperings), some(r.Accounts), some(r.Rules)
	r.Controls, r.NotShown = controls(), notShown()
	r.Findings = findings(&r)
	if b.leftOut > 0 {
		r.Findings = append(r.Findings, fmt.Sprintf("Not in this report: %s dated before the end of the period, but standing in the ledger after event %d, which is dated %s.",
			plural(b.leftOut, "event", "events"), b.atSeq, stamp(b.at)))
	}
	return &r
}

// some is a list that is there even if nothing is in it.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// inOrder are the requests by submission.
func (b *Builder) inOrder() []*request {
	all := make([]*request, 0, len(b.requests))
	for _, r := range b.requests {
		all = append(all, r)
	}
	slices.SortFunc(all, func(x, y *request) int {
		return cmp.Or(x.row.SubmittedAt.Compare(y.row.SubmittedAt), cmp.Compare(x.row.ID, y.row.ID))
	})
	return all
}

const method = "Every request whose submission or decision is an event of the period. The report was made by reading the ledger from its first event to the " +
	"last one that the checkpoint covers; no selection, sample or other source was used."

func (b *Builder) population(ordered []*request) Population {
	p := Population{Requests: []Member{}, Statuses: []Count{}, Events: []Count{}, Applies: []AppCounts{}, First: b.first, Last: b.last, Method: method}
	p.Totals = b.totals(ordered)
	statuses, apps := map[cab.Status]int{}, map[string]*AppCounts{}
	for _, r := range ordered {
		if !r.submitted && !r.decided {
			continue
		}
		statuses[r.row.Status]++
		p.Requests = append(p.Requests, Member{
			Change: r.change(), SubmittedBy: person(r.row.SubmittedBy), SubmittedAt: r.row.SubmittedAt, Score: r.row.Score.Float(),
			Gate: string(r.row.Gate.Decision), Status: string(r.row.Status), CarriedIn: !r.submitted,
		})
		app := apps[r.on.row.AppName]
		if app == nil {
			app = &AppCounts{AppName: r.on.row.AppName}
			apps[app.AppName] = app
		}
		app.Requests++
		count(&app.Approved, r.decided && r.decision.Decision.Approved())
		count(&app.Rejected, r.decided && !r.decision.Decision.Approved())
	}
	for _, status := range cab.Statuses() {
		p.Statuses = append(p.Statuses, Count{string(status), statuses[status]})
	}
	for _, kind := range cab.EventTypes() {
		if n := b.counts[kind]; n > 0 {
			p.Events = append(p.Events, Count{string(kind), n})
		}
	}
	for _, app := range apps {
		p.Applies = append(p.Applies, *app)
	}
	slices.SortFunc(p.Applies, func(x, y AppCounts) int { return strings.Compare(x.AppName, y.AppName) })
	return p
}

// totals counts what was open from the requests' rows, and what came and went
// from the events, so that one can be held against the other.
func (b *Builder) totals(ordered []*request) Totals {
	t := Totals{
		Submitted: b.counts[cab.CABSubmitted], Rejected: b.counts[cab.CABRejected], Withdrawn: b.counts[cab.CABWithdrawn], Revoked: b.counts[cab.ApprovalRevoked],
	}
	for _, r := range ordered {
		count(&t.OpenBefore, r.openBefore)
		count(&t.OpenAfter, r.row.Status.Open())
		if r.decided {
			count(&t.Automatic, r.decision.Decision == cab.AutoApproved)
			count(&t.Approved, r.decision.Decision == cab.ApprovedByCAB)
			count(&t.Conditional, r.decision.Decision == cab.ConditionallyApp)
		}
	}
	approved := t.Automatic + t.Approved + t.Conditional
	t.AddUp = approved == b.counts[cab.CABApproved] && t.OpenBefore+t.Submitted == approved+t.Rejected+t.Withdrawn+t.OpenAfter
	return t
}

func count(n *int, yes bool) {
	if yes {
		*n++
	}
}

// outcome is the decision of a request that was decided.
func (r *request) outcome() Decision {
	q, d := r.row, r.decision
	out := Decision{
		Change: r.change(), Seq: r.seq, SubmittedBy: person(q.SubmittedBy), SubmittedAt: q.SubmittedAt, Score: d.Score.Float(),
		Model: d.ModelVersion, Policy: d.PolicyVersion, ContentHash: d.ContentHash, Gate: string(q.Gate.Decision), GateReason: q.Gate.Rationale,
		Decision: string(d.Decision), Decider: who(d.Decider), DecidedAt: d.DecidedAt, Late: d.DecidedAt.After(q.DueAt), Rationale: d.Rationale,
		ValidUntil: when(d.ValidUntil), Quorum: q.Quorum, Votes: []Vote{}, Status: string(q.Status),
	}
	if len(d.Conditions) > 0 {
		out.Conditions = []byte(d.Conditions)
	}
	for _, v := range r.votes {
		out.Votes = append(out.Votes, Vote{person(v.Voter), v.Approve, v.Rationale, v.At})
	}
	for _, x := range r.exceptions {
		if x.row.ID == q.ExceptionID {
			out.Exception = x.row.Name
		}
	}
	return out
}

func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// listExceptions lists those that the period is about: requested or decided in
// it, in force in it, or ended in it.
func (b *Builder) listExceptions(asOf time.Time) []Exception {
	list := []Exception{}
	for _, x := range b.exceptions {
		e := x.row
		inForce := e.Approver != nil && e.Decision() == string(cab.ExceptionGranted) && (x.ended.IsZero() || x.ended.After(b.since)) && e.ExpiresAt.After(b.since)
		waiting := e.Status == cab.ExceptionPending && e.ExpiresAt.After(b.since)
		if !x.touched && !inForce && !waiting {
			continue
		}
		out := Exception{
			Change: x.of.change(), ID: e.ID, Name: e.Name, RequestedBy: person(e.Requester), RequestedAt: e.RequestedAt, Reason: e.Reason,
			Justified: e.Justification, Controls: some(e.Controls), DecidedAt: when(e.DecidedAt), Rationale: e.Rationale, ExpiresAt: e.ExpiresAt,
			Days: int(math.Round(e.ExpiresAt.Sub(e.RequestedAt).Hours() / 24)), Status: string(e.Effective(asOf)), EndedAt: when(x.ended), EndReason: e.EndReason,
			ReliedOn:  x.of.decision != nil && x.of.decision.Decision.Approved() && x.of.row.ExceptionID == e.ID,
			RequestIs: string(x.of.row.Status),
		}
		if e.Approver != nil {
			by := person(*e.Approver)
			out.DecidedBy = &by
		}
		switch {
		case !x.ended.IsZero():
			by := who(x.endedBy)
			out.EndedBy = &by
		case e.Effective(asOf) == cab.ExceptionOver: // by time; the event may not be written yet
			out.EndedAt = when(e.ExpiresAt)
		}
		list = append(list, out)
	}
	slices.SortFunc(list, func(x, y Exception) int {
		return cmp.Or(x.RequestedAt.Compare(y.RequestedAt), cmp.Compare(x.ID, y.ID))
	})
	return list
}

// findings says in words what did not hold.
func findings(r *Report) []string {
	list := []string{}
	find := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if !r.Population.Totals.AddUp {
		find("The control totals do not add up: requests were closed or opened without an event, or twice.")
	}
	for _, check := range r.Duties {
		if n := len(check.Violations); n > 0 {
			find("Separation of duties: %s does not hold, %s of %d tested.", check.ID, plural(n, "case", "cases"), check.Tested)
		}
	}
	for _, s := range r.Starts {
		if !s.Approved {
			find("%s %s was started in %s at %s without an approval that held: %s.", s.AppName, s.Version, s.Ring, stamp(s.At), strings.Join(s.Reasons, "; "))
		}
	}
	if n := len(r.Tamperings); n > 0 {
		find("Stored evidence was found altered or missing in %s.", plural(n, "case", "cases"))
	}
	return list
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }
