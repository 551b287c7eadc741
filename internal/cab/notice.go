package cab

import (
	"slices"
	"time"

	"github.com/eucora/eucora/internal/evidence"
)

// Audience is a list of people who are told together. Who is on it, the site's
// configuration says.
type Audience string

// The audiences. The person whom a notice concerns is told besides.
const (
	ToBoard    Audience = "board"    // the Change Advisory Board
	ToSecurity Audience = "security" // Security Reviewers
	ToSecond   Audience = "second"   // told of what has waited for a day
	ToAdmin    Audience = "admins"
)

// Audiences lists them.
func Audiences() []Audience { return []Audience{ToBoard, ToSecurity, ToSecond, ToAdmin} }

// DigestType is the type of a notice that no event is behind: what waits.
const DigestType = "DIGEST"

// Notice is one thing that people are told. It never asks for anything but to go
// and look: nothing is decided by an answer to it.
type Notice struct {
	ID            string         `json:"id"` // of the event; whoever gets it twice knows it by this
	Time          time.Time      `json:"time"`
	Type          string         `json:"type"` // an [EventType] or [DigestType]
	Actor         Actor          `json:"actor"`
	CorrelationID string         `json:"correlation_id"`
	DeploymentID  string         `json:"deployment_intent_id"`
	RequestID     string         `json:"cab_request_id"`
	Subject       Subject        `json:"subject"`
	Name          string         `json:"name"` // CAB-… or EXC-…, "" of other things
	Score         evidence.Score `json:"risk_score"`
	Gate          GateDecision   `json:"gate"` // "" if the event does not say, and Score neither
	Status        string         `json:"status"`
	Said          string         `json:"said"` // rationale or reason, as somebody wrote it
	Ask           string         `json:"ask"`  // of the reader; "" is nothing
	Until         time.Time      `json:"until,omitzero"`
	To            []Audience     `json:"to"`
	Concerns      Person         `json:"concerns"` // told too: who submitted or asked
	Waiting       []Waits        `json:"waiting,omitzero"`
	Others        int            `json:"others,omitzero"` // that wait and are not in Waiting
}

// Posted is what the outbox holds of a notice: one of these for each channel and
// address.
type Posted struct {
	Notice Notice `json:"notice"`
	To     string `json:"to,omitzero"` // address, if the channel has several
}

// Waits is one line of a digest.
type Waits struct {
	Name   string         `json:"name"`
	ID     string         `json:"id"`
	Kind   SubjectKind    `json:"kind"`
	Status string         `json:"status"`
	By     Person         `json:"by"`
	Score  evidence.Score `json:"risk_score"`
	Until  time.Time      `json:"until"`
}

// telling is what a type of event makes people be told.
type telling struct {
	to    []Audience
	ask   string
	until func(Event) time.Time
}

var (
	untilDue   = func(e Event) time.Time { return e.Data.Request.DueAt }
	untilValid = func(e Event) time.Time { return e.Data.Request.ValidUntil }
	untilEnd   = func(e Event) time.Time { return e.Data.Exception.ExpiresAt }
)

const (
	askDecide  = "CAB decides: review it, then approve or reject it."
	askExcept  = "A Security Reviewer decides: approve or reject the exception."
	askRenew   = "Ask for another exception in time, or plan to be without this deployment."
	askAnother = "Nothing may be deployed on it any more; file new evidence and submit it if it is still needed."
)

// tellings lists the events that people are told of. Of the others nobody is:
// they are steps on the way.
var tellings = map[EventType]telling{
	CABSubmitted:       {[]Audience{ToBoard}, askDecide, untilDue},
	CABApproved:        {[]Audience{ToBoard}, "", untilValid},
	CABRejected:        {[]Audience{ToBoard}, "", nil},
	CABWithdrawn:       {[]Audience{ToBoard}, "", nil},
	ApprovalRevoked:    {[]Audience{ToBoard, ToSecurity}, askAnother, nil},
	ApprovalExpired:    {[]Audience{ToBoard}, askAnother, nil},
	CABEscalated:       {nil, askDecide, untilDue},
	ExceptionRequested: {[]Audience{ToSecurity}, askExcept, untilEnd},
	ExceptionApproved:  {[]Audience{ToBoard, ToSecurity}, askDecide, untilEnd},
	ExceptionRejected:  {[]Audience{ToSecurity}, "", nil},
	ExceptionEnding:    {[]Audience{ToSecurity}, askRenew, untilEnd},
	ExceptionExpired:   {[]Audience{ToBoard, ToSecurity}, "", nil},
	ExceptionRevoked:   {[]Audience{ToBoard, ToSecurity}, "", nil},
	DeploymentFailed:   {[]Audience{ToBoard}, "", nil},
	RollbackStarted:    {[]Audience{ToBoard}, "", nil},
	EvidenceTampered:   {[]Audience{ToBoard, ToSecurity, ToAdmin}, "Trust nothing that rests on this evidence; find out who could write to the database or the files.", nil},
}

// NoticeOf is what people are told of an event that has been written; ok is false
// where they are told nothing.
func NoticeOf(e Event) (n Notice, ok bool) {
	told, ok := tellings[e.Type]
	if !ok || e.Type == CABApproved && e.Data.Request == nil || e.old() {
		return Notice{}, false
	}
	n = Notice{
		ID: e.ID, Time: e.Time, Type: string(e.Type), Actor: e.Actor, CorrelationID: e.CorrelationID, DeploymentID: e.DeploymentID,
		Subject: e.Subject, Said: e.Data.Reason, Ask: told.ask, To: slices.Clone(told.to),
	}
	d := e.Data
	if d.Deployment != nil {
		n.Concerns, n.Status = d.Deployment.CreatedBy, string(d.Deployment.State)
	}
	if d.Request != nil {
		n.ofRequest(*d.Request)
	}
	if d.Exception != nil { // after its request, where there are both: it is what the event is about
		n.ofException(*d.Exception)
	}
	if d.Decision != nil {
		n.Said = d.Decision.Rationale
	}
	if told.until != nil && (d.Request != nil || d.Exception != nil) {
		n.Until = told.until(e)
	}
	n.adjust(e)
	return n, true
}

// news is how long after an end people are told of it. What was over for longer
// when it was found (a program of before the clock, a machine that was off for
// weeks) is written down, and nobody is told one by one.
const news = 7 * 24 * time.Hour

func (e Event) old() bool {
	switch d := e.Data; {
	case e.Type == ApprovalExpired && d.Request != nil:
		return e.Time.Sub(d.Request.ValidUntil) > news
	case e.Type == ExceptionExpired && d.Exception != nil:
		return e.Time.Sub(d.Exception.ExpiresAt) > news
	}
	return false
}

func (n *Notice) ofRequest(r Request) {
	n.RequestID, n.Name, n.Score, n.Gate = r.ID, r.Name, r.Score, r.Gate.Decision
	n.Status, n.Concerns = string(r.Status), r.SubmittedBy
}

func (n *Notice) ofException(x Exception) {
	n.RequestID, n.Name, n.Status, n.Concerns = x.RequestID, x.Name, string(x.Status), x.Requester
	switch n.Type {
	case string(ExceptionRequested):
		n.Said = x.Reason
	case string(ExceptionApproved), string(ExceptionRejected):
		n.Said = x.Rationale
	}
}

// adjust is what depends on more than the type of the event.
func (n *Notice) adjust(e Event) {
	r := e.Data.Request
	if r == nil {
		return
	}
	if r.Status == NeedsException && (e.Type == CABSubmitted || e.Type == CABEscalated) {
		n.Ask = "An exception is needed before CAB decides: ask for one, or withdraw the request."
	}
	if e.Type == CABSubmitted && r.Status == AutoApproved { // the event of the decision, next to it, is without its request
		n.Type, n.Actor, n.Said = string(CABApproved), RiskGate, r.Gate.Rationale
		n.To, n.Ask, n.Until = nil, "", r.ValidUntil
	}
	if e.Type == ApprovalExpired {
		n.Status = string(ExceptionOver)
	}
	if e.Type == CABEscalated {
		n.To = []Audience{ToSecond}
		if n.Said == ToAdmins {
			n.To = []Audience{ToSecond, ToAdmin}
		}
	}
}

// Digest is the notice of what waits. total is how many wait, of which those
// given are named.
func Digest(now time.Time, requests []Request, exceptions []Exception, total int) Notice {
	n := Notice{
		ID: "digest-" + now.Format(time.DateOnly), Time: now, Type: DigestType, Actor: Clock,
		To: []Audience{ToBoard, ToSecurity}, Ask: "Look at what waits, the oldest first.",
	}
	for _, r := range requests {
		n.Waiting = append(n.Waiting, Waits{r.Name, r.ID, KindRequest, string(r.Status), r.SubmittedBy, r.Score, r.DueAt})
	}
	for _, x := range exceptions {
		n.Waiting = append(n.Waiting, Waits{Name: x.Name, ID: x.ID, Kind: KindException, Status: string(x.Status), By: x.Requester, Until: x.ExpiresAt})
	}
	n.Others = max(0, total-len(n.Waiting))
	return n
}
