package report

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/eucora/eucora/internal/cab"
)

// Builder folds events into a report. It keeps what requests, exceptions,
// deployments and accounts are, and of evidence only ids; texts only of what
// the period is about.
type Builder struct {
	since, until time.Time
	next         int64     // the place of the event that comes next
	at           time.Time // of the newest event, or of an earlier one that says later: replicas' clocks differ, and a period must not be cut into the order
	atSeq        int64     // the event that says so
	leftOut      int       // events beyond the end that are dated before it, by more than clocks differ
	first, last  *int64

	deployments map[string]*deployment
	requests    map[string]*request
	byPackage   map[string]*request
	exceptions  map[string]*exception
	accounts    map[string]cab.Principal

	counts map[cab.EventType]int // of the period
	duties duties
	report Report
}

type deployment struct {
	row           cab.Deployment
	latestPackage string
	latestHash    string // of the package's document
}

type request struct {
	row        cab.Request // as of the newest event
	on         *deployment
	exceptions []*exception
	votes      []cab.Vote
	decision   *cab.Decision
	seq        int64 // of the decision
	openBefore bool  // when the period began
	submitted  bool  // in the period
	decided    bool  // in the period
	trials     []trial
	counted    int // how many of them the duties count
}

type exception struct {
	row     cab.Exception
	of      *request
	granted bool // by an event that says so
	touched bool // by an event in the period
	ended   time.Time
	endedBy cab.Actor
}

// skew is how far the clocks of replicas may be apart without a finding.
const skew = 5 * time.Minute

// New begins a report on a period: from since on, before until.
func New(since, until time.Time) *Builder {
	return &Builder{
		since: since.UTC(), until: until.UTC(),
		deployments: map[string]*deployment{}, requests: map[string]*request{}, byPackage: map[string]*request{},
		exceptions: map[string]*exception{}, accounts: map[string]cab.Principal{},
		counts: map[cab.EventType]int{}, duties: newDuties(),
	}
}

// Add takes the next event. One that is missing, unknown or about something that
// no event before it made is an error: a report on part of a ledger is none.
func (b *Builder) Add(e cab.Event) error {
	if e.Seq != b.next {
		return fmt.Errorf("event %d is missing: the next one is %d", b.next, e.Seq)
	}
	b.next++
	if !slices.Contains(cab.EventTypes(), e.Type) {
		return fmt.Errorf("event %d is of the unknown type %q", e.Seq, e.Type)
	}
	if e.Time.After(b.at) && b.at.Before(b.until) {
		b.at, b.atSeq = e.Time, e.Seq
	}
	if !b.at.Before(b.until) {
		count(&b.leftOut, e.Time.Before(b.until.Add(-skew)))
		return nil
	}
	if b.within() {
		b.counts[e.Type]++
		seq := e.Seq
		if b.first == nil {
			b.first = &seq
		}
		b.last = &seq
	}
	for _, fold := range []func(cab.Event) error{b.addStart, b.addDeployment, b.addException, b.addRequest, b.addDecision, b.addAccount, b.addOthers} {
		if err := fold(e); err != nil {
			return fmt.Errorf("event %d (%s): %w", e.Seq, e.Type, err)
		}
	}
	return nil
}

// within reports whether the newest event is of the period.
func (b *Builder) within() bool { return !b.at.Before(b.since) && b.at.Before(b.until) }

// count counts what was tried on a request, if something in the period did it.
func (b *Builder) count(r *request) {
	if b.within() {
		b.duties.count(r)
	}
}

// addStart judges a start by what was so before it, and by the decision that it
// rests on, also if that was made before the period.
func (b *Builder) addStart(e cab.Event) error {
	if e.Type != cab.DeploymentStarted || !b.within() {
		return nil
	}
	d := b.deployments[e.DeploymentID]
	if d == nil {
		return fmt.Errorf("deployment %s was never created", e.DeploymentID)
	}
	start := Start{
		Seq: e.Seq, At: e.Time, By: who(e.Actor), DeploymentID: d.row.ID, AppName: d.row.AppName, Version: d.row.AppVersion, Ring: string(d.row.TargetRing),
	}
	var latest *cab.Request
	var exceptions []cab.Exception
	r := b.byPackage[d.latestPackage]
	if r != nil {
		latest, start.Request, exceptions = &r.row, r.row.Name, r.exceptionRows()
		b.duties.count(r)
	}
	start.Reasons = cab.Stand(e.Time, d.latestPackage, latest, exceptions).Reasons
	if len(start.Reasons) == 0 { // by the row; and by the decision?
		start.Reasons = r.unfounded(e, d.latestHash)
	}
	if p := e.Data.Permit; p != nil {
		start.Ring = string(p.Ring)
		if r.precedes(e, *p, d) {
			start.AheadOfCAB, start.Reasons = true, nil
		}
	}
	start.Approved = len(start.Reasons) == 0
	b.report.Starts = append(b.report.Starts, start)
	return nil
}

func (b *Builder) addDeployment(e cab.Event) error {
	if row := e.Data.Deployment; row != nil {
		d := b.deployments[row.ID]
		if d == nil {
			d = &deployment{}
			b.deployments[row.ID] = d
		}
		d.row = *row
	}
	if row := e.Data.Package; row != nil {
		d := b.deployments[row.DeploymentID]
		if d == nil {
			return fmt.Errorf("deployment %s was never created", row.DeploymentID)
		}
		d.latestPackage, d.latestHash = row.ID, row.ContentHash
	}
	return nil
}

func (b *Builder) addException(e cab.Event) error {
	row := e.Data.Exception
	if row == nil {
		return nil
	}
	if !slices.Contains(cab.ExceptionStatuses(), row.Status) {
		return fmt.Errorf("exception %s has the unknown status %q", row.ID, row.Status)
	}
	x := b.exceptions[row.ID]
	if x == nil {
		of := b.requests[row.RequestID]
		if of == nil {
			return fmt.Errorf("request %s was never submitted", row.RequestID)
		}
		x = &exception{of: of}
		b.exceptions[row.ID] = x
		of.exceptions = append(of.exceptions, x)
	}
	x.row = *row
	x.granted = x.granted || e.Type == cab.ExceptionApproved
	x.touched = x.touched || b.within()
	switch e.Type {
	case cab.ExceptionRejected, cab.ExceptionRevoked:
		x.ended, x.endedBy = e.Time, e.Actor
	case cab.ExceptionExpired:
		x.ended, x.endedBy = row.ExpiresAt, e.Actor
	}
	if e.Type == cab.ExceptionApproved || e.Type == cab.ExceptionRejected {
		x.try(e, b.accounts)
		b.count(x.of)
	}
	return nil
}

func (b *Builder) addRequest(e cab.Event) error {
	if row := e.Data.Request; row != nil {
		if !slices.Contains(cab.Statuses(), row.Status) {
			return fmt.Errorf("request %s has the unknown status %q", row.ID, row.Status)
		}
		r := b.requests[row.ID]
		if r == nil {
			on := b.deployments[row.DeploymentID]
			if on == nil {
				return fmt.Errorf("deployment %s was never created", row.DeploymentID)
			}
			r = &request{on: on}
			b.requests[row.ID], b.byPackage[row.PackageID] = r, r
		}
		r.row = *row
		r.submitted = r.submitted || e.Type == cab.CABSubmitted && b.within()
		if b.at.Before(b.since) {
			r.openBefore = row.Status.Open()
			r.forgetTexts()
		}
	}
	if b.within() && (e.Type == cab.CABWithdrawn || e.Type == cab.ApprovalRevoked) {
		return b.addEnding(e, map[cab.EventType]string{cab.CABWithdrawn: "withdrawn", cab.ApprovalRevoked: "revoked"}[e.Type], e.Data.Reason)
	}
	return nil
}

// forgetTexts: of what was over before the period, no text is shown.
func (r *request) forgetTexts() {
	if r.row.Status.Open() {
		return
	}
	r.row.Notes, r.row.EndReason, r.row.Gate.Rationale, r.row.Gate.Guards, r.row.Reviewers = "", "", "", nil, nil
	for i := range r.votes {
		r.votes[i].Rationale, r.votes[i].Conditions = "", nil
	}
	if r.decision != nil {
		r.decision.Rationale, r.decision.Conditions = "", nil
	}
}

func (b *Builder) addDecision(e cab.Event) error {
	vote, decision := e.Data.Vote, e.Data.Decision
	if vote == nil && decision == nil {
		return nil
	}
	r := b.requests[e.Subject.ID]
	if r == nil || vote != nil && vote.RequestID != e.Subject.ID || decision != nil && decision.RequestID != e.Subject.ID {
		return fmt.Errorf("request %s was never submitted", e.Subject.ID)
	}
	if vote != nil {
		r.votes = append(r.votes, *vote)
		r.tryVote(e, b.accounts)
		b.count(r)
	}
	if decision == nil {
		return nil
	}
	if e.Type == cab.CABApproved && !decision.Decision.Approved() || e.Type == cab.CABRejected && decision.Decision != cab.RejectedByCAB ||
		e.Type != cab.CABApproved && e.Type != cab.CABRejected {
		return fmt.Errorf("%q is no decision that such an event makes", decision.Decision)
	}
	if r.decision != nil {
		return fmt.Errorf("%s was decided before, by event %d", r.row.Name, r.seq)
	}
	r.decision, r.seq, r.decided = decision, e.Seq, b.within()
	r.tryDecision(e, b.accounts)
	b.count(r)
	if !r.decided {
		r.forgetTexts()
		return nil
	}
	if e.Type == cab.CABRejected {
		return b.addEnding(e, "rejected", decision.Rationale)
	}
	return nil
}

func (b *Builder) addEnding(e cab.Event, how, reason string) error {
	r := b.requests[e.Subject.ID]
	if r == nil {
		return fmt.Errorf("request %s was never submitted", e.Subject.ID)
	}
	b.report.Endings = append(b.report.Endings, Ending{Change: r.change(), Seq: e.Seq, How: how, By: who(e.Actor), At: e.Time, Reason: reason})
	return nil
}

func (b *Builder) addAccount(e cab.Event) error {
	p := e.Data.Principal
	if p == nil {
		return nil
	}
	b.accounts[p.ID] = *p
	if b.within() {
		b.report.Accounts = append(b.report.Accounts, AccountChange{
			Seq: e.Seq, At: e.Time, User: who(p.Actor()), What: e.Data.Reason, By: who(e.Actor),
		})
	}
	return nil
}

// addOthers: what changes nothing that is folded.
func (b *Builder) addOthers(e cab.Event) error {
	if !b.within() {
		return nil
	}
	d := e.Data
	rule := func(kind, version, digest, what string) {
		b.report.Rules = append(b.report.Rules, RuleChange{Seq: e.Seq, At: e.Time, Kind: kind, Version: version, Digest: digest, What: what, By: who(e.Actor)})
	}
	switch {
	case d.Model != nil:
		rule("risk model", d.Model.Version, d.Model.Digest, "published")
	case d.Policy != nil:
		rule("policy", d.Policy.Version, d.Policy.Digest, "put in force")
	case d.Key != nil:
		rule("attestation key", d.Key.ID, "", d.Reason)
	case d.Token != nil && d.Token.RevokedAt.IsZero():
		b.report.Access.Issued++
	case d.Token != nil:
		b.report.Access.Revoked++
	case e.Type == cab.AccessRefused:
		b.report.Access.Refused += d.Refusals
	case d.Tamper != nil:
		b.addTampering(e, d.Tamper)
	}
	return nil
}

func (b *Builder) addTampering(e cab.Event, t *cab.Tamper) {
	found := Tampering{
		Seq: e.Seq, At: e.Time, Package: t.PackageID, File: t.Attachment, Expected: t.Expected, Actual: t.Actual, During: t.Found,
	}
	if d := b.deployments[e.DeploymentID]; d != nil {
		found.AppName, found.Version = d.row.AppName, d.row.AppVersion
	}
	if r := b.byPackage[t.PackageID]; r != nil {
		found.Request = r.row.Name
	}
	b.report.Tamperings = append(b.report.Tamperings, found)
}

func (r *request) change() Change {
	d := r.on.row
	return Change{
		RequestID: r.row.ID, Request: r.row.Name, DeploymentID: d.ID, AppName: d.AppName, Version: d.AppVersion, Ring: string(d.TargetRing),
	}
}

func (r *request) exceptionRows() []cab.Exception {
	var rows []cab.Exception
	for _, x := range r.exceptions {
		rows = append(rows, x.row)
	}
	return rows
}

func who(a cab.Actor) Who { return Who{a.ID, a.Name, string(a.Role)} }

func person(p cab.Person) Who { return Who{ID: p.ID, Name: p.Username} }

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
