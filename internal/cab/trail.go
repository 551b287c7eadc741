package cab

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Trail is what the events of one trail say, for whoever has nothing but them: a
// deployment and everything that followed from it, as it is after the last event.
// The zero value is a trail without events.
type Trail struct {
	CorrelationID string
	Deployments   map[string]Deployment
	Packages      map[string]Package
	Risks         map[string]Risk // by package
	Requests      map[string]Request
	Votes         map[string][]VoteAt // by request, in their order
	Decisions     map[string]DecisionAt
	Exceptions    map[string]Exception
	granted       map[string]bool // exceptions that a Security Reviewer has approved
}

// VoteAt is a vote and its event's place in the ledger.
type VoteAt struct {
	Vote
	Seq int64
}

// DecisionAt is a decision, its event's place, and the exception that the request
// rested on as it was then; nil if there was none, or nobody had granted it.
type DecisionAt struct {
	Decision
	Seq    int64
	RestOn *Exception
}

// doer is who may do what an event says. The list does not follow the permission
// table: an old trail is read as it was written.
type doer struct {
	roles []Role
	house Actor // the house's own actor, if it may be one
}

var (
	byEngineer  = doer{roles: []Role{PackagingEngineer}}
	byBoard     = doer{roles: []Role{CABMember}}
	bySecurity  = doer{roles: []Role{SecurityReviewer}}
	byPublisher = doer{roles: []Role{Publisher}}
)

// doers lists every type of event that a trail can have.
var doers = map[EventType]doer{
	DeploymentCreated:   byEngineer,
	EvidenceCreated:     byEngineer,
	RiskAssessed:        {house: RiskGate},
	CABSubmitted:        byEngineer,
	CABReviewStarted:    byBoard,
	CABVoteCast:         byBoard,
	CABApproved:         {byBoard.roles, RiskGate},
	CABRejected:         byBoard,
	CABWithdrawn:        byEngineer,
	ApprovalRevoked:     {roles: []Role{CABMember, SecurityReviewer}},
	ExceptionRequested:  byEngineer,
	ExceptionApproved:   bySecurity,
	ExceptionRejected:   bySecurity,
	ExceptionExpired:    {house: Clock},
	ExceptionRevoked:    bySecurity,
	DeploymentStarted:   byPublisher,
	DeploymentCompleted: byPublisher,
	DeploymentFailed:    byPublisher,
	RollbackStarted:     byPublisher,
	RollbackCompleted:   byPublisher,
	EvidenceTampered:    {house: Guard},
	ApprovalExpired:     {house: Clock},
	CABEscalated:        {house: Clock},
	ExceptionEnding:     {house: Clock},
}

func (d doer) is(a Actor) bool {
	return slices.Contains(d.roles, a.Role) || d.house.ID != "" && a.Role == System && a.ID == d.house.ID
}

// Add applies one event. What it says is taken in even where something is wrong
// with it: the error names all of that, for what comes after it is looked at too.
func (t *Trail) Add(e Event) error {
	f := &faults{seq: e.Seq}
	if t.Requests == nil {
		t.CorrelationID = e.CorrelationID
		t.Deployments, t.Packages, t.Risks = map[string]Deployment{}, map[string]Package{}, map[string]Risk{}
		t.Requests, t.Votes, t.Decisions = map[string]Request{}, map[string][]VoteAt{}, map[string]DecisionAt{}
		t.Exceptions, t.granted = map[string]Exception{}, map[string]bool{}
	}
	f.require(e.CorrelationID != "" && e.CorrelationID == t.CorrelationID, "belongs to the trail %q, not to %q", e.CorrelationID, t.CorrelationID)
	e.checkDoer(f)
	e.checkRows(f)
	t.addRows(e, f)
	t.addOnce(e, f)
	return errors.Join(f.errs...)
}

// faults collects what is wrong with one event.
type faults struct {
	seq  int64
	errs []error
}

func (f *faults) require(ok bool, format string, args ...any) {
	if !ok {
		f.errs = append(f.errs, fmt.Errorf("event %d %s", f.seq, fmt.Sprintf(format, args...)))
	}
}

// checkDoer: the actor's role may do this, and is whom the row names, at that time.
func (e Event) checkDoer(f *faults) {
	rule, known := doers[e.Type]
	f.require(known, "is of the type %q, which no trail has", e.Type)
	f.require(!known || rule.is(e.Actor), "(%s) was done by %s as %s, who may not", e.Type, e.Actor.ID, e.Actor.Role)
	if d := e.Data.Decision; d != nil && e.Type == CABApproved {
		f.require((d.Decision == AutoApproved) == (e.Actor.Role == System), "is the decision %s by %s", d.Decision, e.Actor.ID)
	}
	who, at, there := e.named()
	f.require(there, "(%s) lacks what it is about", e.Type)
	f.require(!there || who == e.Actor.ID && at.Equal(e.Time), "(%s) was done by %s at %s, and its row says by %s at %s",
		e.Type, e.Actor.ID, e.Time.Format(time.RFC3339Nano), who, at.Format(time.RFC3339Nano))
}

// named is whom the row of an event says that it was done by, and when: who did
// it, where the row does not say.
func (e Event) named() (who string, at time.Time, there bool) {
	d := e.Data
	switch {
	case e.Type == DeploymentCreated && d.Deployment != nil:
		return d.Deployment.CreatedBy.ID, d.Deployment.CreatedAt, true
	case e.Type == EvidenceCreated && d.Package != nil:
		return d.Package.CreatedBy.ID, d.Package.CreatedAt, true
	case e.Type == CABSubmitted && d.Request != nil:
		return d.Request.SubmittedBy.ID, d.Request.SubmittedAt, true
	case e.Type == CABVoteCast && d.Vote != nil:
		return d.Vote.Voter.ID, d.Vote.At, true
	case (e.Type == CABApproved || e.Type == CABRejected) && d.Decision != nil:
		return d.Decision.Decider.ID, d.Decision.DecidedAt, true
	case e.Type == ExceptionRequested && d.Exception != nil:
		return d.Exception.Requester.ID, d.Exception.RequestedAt, true
	case e.Type == ExceptionApproved && d.Exception != nil && d.Exception.Approver != nil:
		return d.Exception.Approver.ID, d.Exception.DecidedAt, true
	}
	switch e.Type {
	case DeploymentCreated, EvidenceCreated, CABSubmitted, CABVoteCast, CABApproved, CABRejected, ExceptionRequested, ExceptionApproved:
		return "", time.Time{}, false
	}
	return e.Actor.ID, e.Time, true
}

// checkRows: rows that are made once stand only in the event that makes them.
func (e Event) checkRows(f *faults) {
	d := e.Data
	f.require(d.Package == nil || e.Type == EvidenceCreated, "(%s) carries an evidence package", e.Type)
	f.require(d.Risk == nil || e.Type == RiskAssessed, "(%s) carries an assessment", e.Type)
	f.require(d.Vote == nil || e.Type == CABVoteCast, "(%s) carries a vote", e.Type)
	f.require(d.Model == nil && d.Policy == nil, "(%s) carries a model or a policy", e.Type)
	if d.Decision != nil {
		f.require(e.Type == CABApproved && d.Decision.Decision.Approved() || e.Type == CABRejected && d.Decision.Decision == RejectedByCAB,
			"(%s) carries the decision %s", e.Type, d.Decision.Decision)
	}
	for _, trail := range e.trails() {
		f.require(trail == e.CorrelationID, "(%s) carries a row of the trail %q", e.Type, trail)
	}
}

// trails are the trails that the rows of an event say they belong to.
func (e Event) trails() (trails []string) {
	if d := e.Data.Deployment; d != nil {
		trails = append(trails, d.CorrelationID)
	}
	if p := e.Data.Package; p != nil {
		trails = append(trails, p.CorrelationID)
	}
	if r := e.Data.Request; r != nil {
		trails = append(trails, r.CorrelationID)
	}
	if x := e.Data.Exception; x != nil {
		trails = append(trails, x.CorrelationID)
	}
	return trails
}

// addRows takes in the rows that change. Their revisions follow each other, so
// that an event between two others cannot be left out.
func (t *Trail) addRows(e Event, f *faults) {
	if d := e.Data.Deployment; d != nil {
		before, known := t.Deployments[d.ID]
		follow(f, "deployment "+d.ID, known, before.Revision, d.Revision, before, *d)
		t.Deployments[d.ID] = *d
	}
	if r := e.Data.Request; r != nil {
		before, known := t.Requests[r.ID]
		follow(f, "request "+r.Name, known, before.Revision, r.Revision, before, *r)
		t.Requests[r.ID] = *r
	}
	if x := e.Data.Exception; x != nil {
		before, known := t.Exceptions[x.ID]
		follow(f, "exception "+x.Name, known, before.Revision, x.Revision, before, *x)
		t.Exceptions[x.ID] = *x
		if e.Type == ExceptionApproved {
			t.granted[x.ID] = true
		}
	}
}

func follow[T any](f *faults, noun string, known bool, before, now int64, was, is T) {
	switch {
	case !known:
		f.require(now == 1, "is the first to speak of %s, and has its revision %d: an event before it was left out", noun, now)
	case now == before:
		one, err1 := RowDigest(was)
		two, err2 := RowDigest(is)
		f.require(err1 == nil && err2 == nil && one == two, "changes %s and not its revision %d", noun, now)
	default:
		f.require(now == before+1, "has revision %d of %s, after revision %d: an event between them was left out, or is out of place", now, noun, before)
	}
}

// addOnce takes in the rows that are made once and never change.
func (t *Trail) addOnce(e Event, f *faults) {
	if p := e.Data.Package; p != nil {
		_, known := t.Packages[p.ID]
		f.require(!known, "files evidence package %s a second time", p.ID)
		t.Packages[p.ID] = *p
	}
	if r := e.Data.Risk; r != nil {
		_, known := t.Risks[r.PackageID]
		f.require(!known, "assesses evidence package %s a second time", r.PackageID)
		t.Risks[r.PackageID] = *r
	}
	if v := e.Data.Vote; v != nil {
		twice := slices.ContainsFunc(t.Votes[v.RequestID], func(other VoteAt) bool { return other.Voter.ID == v.Voter.ID })
		f.require(!twice, "is a second vote of %s", v.Voter.Username)
		t.Votes[v.RequestID] = append(t.Votes[v.RequestID], VoteAt{*v, e.Seq})
	}
	if d := e.Data.Decision; d != nil {
		_, known := t.Decisions[d.RequestID]
		f.require(!known, "is a second decision of the same request")
		at := DecisionAt{Decision: *d, Seq: e.Seq}
		if x, ok := t.Exceptions[t.Requests[d.RequestID].ExceptionID]; ok && t.granted[x.ID] {
			at.RestOn = &x
		}
		t.Decisions[d.RequestID] = at
	}
}

// Request is the request with a CAB- name, with its package and what the risk model
// said of that. An error says what the events lack, or where they contradict
// themselves.
func (t *Trail) Request(name string) (Request, Package, Risk, error) {
	found := slices.Collect(maps.Values(t.Requests))
	found = slices.DeleteFunc(found, func(r Request) bool { return r.Name != name })
	if len(found) != 1 {
		return Request{}, Package{}, Risk{}, fmt.Errorf("there is no request %s among the events, or more than one", name)
	}
	r := found[0]
	p, filed := t.Packages[r.PackageID]
	risk, assessed := t.Risks[r.PackageID]
	d, intended := t.Deployments[r.DeploymentID]
	switch {
	case RequestName(r.ID) != name:
		return r, p, risk, fmt.Errorf("the request with the id %s calls itself %s", r.ID, name)
	case !filed || !assessed || !intended:
		return r, p, risk, fmt.Errorf("the deployment, the evidence package or its assessment is not among the events")
	case r.PackageOwner != p.CreatedBy.ID || r.IntentOwner != d.CreatedBy.ID || p.DeploymentID != r.DeploymentID:
		return r, p, risk, fmt.Errorf("the request says otherwise than the events whose the evidence and the deployment are")
	}
	return r, p, risk, nil
}

// Publication is the risk model or the policy that an event published: by an
// administrator, or by setting up.
func (e Event) Publication() (*Published, error) {
	p := e.Data.Model
	if e.Type == PolicyChanged {
		p = e.Data.Policy
	}
	rest := e.Data
	rest.Model, rest.Policy, rest.Reason = nil, nil, ""
	switch {
	case e.Type != ModelChanged && e.Type != PolicyChanged, p == nil, e.Data.Model != nil && e.Data.Policy != nil, rest != EventData{}:
		return nil, fmt.Errorf("event %d (%s) publishes nothing, or says more than that", e.Seq, e.Type)
	case !(doer{[]Role{Admin}, Setup}).is(e.Actor):
		return nil, fmt.Errorf("event %d (%s) was done by %s as %s, who may not", e.Seq, e.Type, e.Actor.ID, e.Actor.Role)
	}
	return p, nil
}
