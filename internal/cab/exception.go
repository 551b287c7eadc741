package cab

import (
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// ExceptionStatus is where an exception stands. Specification, section 7.
type ExceptionStatus string

// The statuses of an exception.
const (
	ExceptionPending   ExceptionStatus = "pending"
	ExceptionGranted   ExceptionStatus = "approved"
	ExceptionDenied    ExceptionStatus = "rejected"
	ExceptionOver      ExceptionStatus = "expired"
	ExceptionWithdrawn ExceptionStatus = "revoked"
)

// ExceptionStatuses lists every status of an exception.
func ExceptionStatuses() []ExceptionStatus {
	return []ExceptionStatus{ExceptionPending, ExceptionGranted, ExceptionDenied, ExceptionOver, ExceptionWithdrawn}
}

// Exception is a Security Reviewer's time-limited acceptance of a risk above
// the exception threshold. It covers one request's package and nothing else.
type Exception struct {
	ID            string          `json:"id"`
	Name          string          `json:"name"`
	CorrelationID string          `json:"correlation_id"`
	DeploymentID  string          `json:"deployment_intent_id"`
	RequestID     string          `json:"cab_request_id"`
	SubmitterID   string          `json:"submitter_id"` // principal id of the request's submitter
	Reason        string          `json:"reason"`
	Justification string          `json:"risk_justification"`
	Controls      []string        `json:"compensating_controls"`
	Requester     Person          `json:"requested_by"`
	RequestedAt   time.Time       `json:"requested_at"`
	ExpiresAt     time.Time       `json:"expires_at"`
	Status        ExceptionStatus `json:"status"`
	Approver      *Person         `json:"approved_by,omitzero"` // who approved or rejected it
	Rationale     string          `json:"approval_rationale,omitzero"`
	DecidedAt     time.Time       `json:"approved_at,omitzero"`
	EndReason     string          `json:"end_reason,omitzero"` // why it was revoked
	Revision      int64           `json:"revision"`
}

// Effective is the status at a moment. Expiry is a fact about time, not a job:
// from ExpiresAt on, what was pending or approved is expired, whether or not a
// sweeper has been round.
func (e Exception) Effective(now time.Time) ExceptionStatus {
	if (e.Status == ExceptionPending || e.Status == ExceptionGranted) && !now.Before(e.ExpiresAt) {
		return ExceptionOver
	}
	return e.Status
}

// Decision is what its approver said: approved or rejected, whatever has come
// of it since; "" before.
func (e Exception) Decision() string {
	switch {
	case e.Approver == nil:
		return ""
	case e.Status == ExceptionDenied:
		return string(ExceptionDenied)
	}
	return string(ExceptionGranted)
}

// Active reports whether the exception can be relied on at a moment.
func (e Exception) Active(now time.Time) bool { return e.Effective(now) == ExceptionGranted }

// Holding is whose the exception is, and whether it is in force at a moment: who may
// see it hangs on that.
func (e Exception) Holding(now time.Time) Holding {
	return Holding{Owners: []string{e.Requester.ID, e.SubmitterID}, Approved: e.Active(now)}
}

// Limits of an exception's texts: characters, and number of controls.
const (
	MaxReason      = 2000
	MaxControls    = 50
	MaxControlText = 500
	// MaxAskBytes is for reason, justification and controls together, in bytes of
	// JSON: with what is said later they must fit into one event of the ledger, to
	// the exception's end.
	MaxAskBytes = 38_000
)

// ExceptionAsk is what asking for an exception depends on.
type ExceptionAsk struct {
	ID            string
	Request       *Request    // the intent's request that needs one; nil if none does
	Intent        Deployment  // the intent it is asked for
	Others        []Exception // every exception of that request
	Policy        Policy
	Reason        string
	Justification string
	Controls      []string
	Days          int // 0 means the policy's default
}

// RequestException asks a Security Reviewer to accept a risk for a while. The
// time runs from now, not from the approval.
func RequestException(call Call, ask ExceptionAsk) (Change, error) {
	owners := []string{ask.Intent.CreatedBy.ID}
	if ask.Request != nil {
		owners = append(owners, ask.Request.SubmittedBy.ID)
	}
	if err := PermitOn(call.Actor, AskException, Holding{Owners: owners}); err != nil {
		return Change{}, err
	}
	if err := ask.checkTexts(); err != nil {
		return Change{}, err
	}
	if ask.Days == 0 {
		ask.Days = ask.Policy.Exception.DefaultDays
	}
	if ask.Days < 1 || ask.Days > ask.Policy.Exception.MaxDays {
		return Change{}, invalid("expiry_days", "want 1 to %d; no exception is permanent", ask.Policy.Exception.MaxDays)
	}
	expires := call.Now.Add(days(ask.Days))
	if err := ask.possible(call.Now, expires); err != nil {
		return Change{}, err
	}
	e := &Exception{
		ID: ask.ID, Name: ExceptionName(ask.ID), CorrelationID: ask.Intent.CorrelationID, DeploymentID: ask.Intent.ID,
		RequestID: ask.Request.ID, SubmitterID: ask.Request.SubmittedBy.ID,
		Reason: ask.Reason, Justification: ask.Justification, Controls: ask.Controls,
		Requester: call.Actor.Person(), RequestedAt: call.Now, ExpiresAt: expires,
		Status: ExceptionPending, Revision: 1,
	}
	return Change{Exceptions: []*Exception{e}, Events: []Event{e.event(call, ExceptionRequested, "")}}, nil
}

func (ask ExceptionAsk) checkTexts() error {
	if err := checkText("reason", ask.Reason, 1, MaxReason); err != nil {
		return err
	}
	if err := checkText("risk_justification", ask.Justification, 1, MaxReason); err != nil {
		return err
	}
	if n := len(ask.Controls); n < 1 || n > MaxControls {
		return invalid("compensating_controls", "want 1 to %d controls, got %d", MaxControls, n)
	}
	bytes := quotedLen(ask.Reason) + quotedLen(ask.Justification)
	for i, control := range ask.Controls {
		bytes += quotedLen(control)
		if err := checkText(fmt.Sprintf("compensating_controls[%d]", i), control, 1, MaxControlText); err != nil {
			return err
		}
	}
	if bytes > MaxAskBytes {
		return invalid("compensating_controls", "have, with reason and risk_justification, %d bytes as JSON; at most %d are allowed", bytes, MaxAskBytes)
	}
	return nil
}

// quotedLen is how long a text is in the ledger, in bytes.
func quotedLen(text string) int {
	quoted, _ := jsontext.AppendQuote(nil, text) // of another form than UTF-8 none comes here
	return len(quoted)
}

func (ask ExceptionAsk) possible(now, expires time.Time) error {
	if ask.Request == nil {
		return conflict("EXCEPTION_NOT_REQUIRED", "no request of this deployment needs an exception")
	}
	for _, other := range ask.Others {
		switch other.Effective(now) {
		case ExceptionPending:
			return conflict("EXCEPTION_PENDING", "%s is waiting for a Security Reviewer already", other.Name)
		case ExceptionGranted:
			return conflict("EXCEPTION_ACTIVE", "%s is in force until %s", other.Name, other.ExpiresAt.Format(time.RFC3339))
		}
	}
	if !ask.Request.WantsException(ask.Others, now) {
		return conflict("EXCEPTION_NOT_REQUIRED", "%s is %s and needs no exception", ask.Request.Name, ask.Request.Status)
	}
	if first, ok := firstExpiry(ask.Others); ok && expires.After(first.Add(days(ask.Policy.Exception.MaxDays))) {
		return conflict("EXCEPTION_RENEWAL_LIMIT", "exceptions for this package may not run beyond %s, %d days after the first one's expiry",
			first.Add(days(ask.Policy.Exception.MaxDays)).Format(time.RFC3339), ask.Policy.Exception.MaxDays)
	}
	return nil
}

// WantsException reports whether the request waits for an exception: it never
// had one, or the one that it rests on has ended before CAB decided.
func (r Request) WantsException(exceptions []Exception, now time.Time) bool {
	if r.Status == NeedsException {
		return true
	}
	if r.Status != UnderReview || r.Gate.Decision != GateException {
		return false
	}
	on := r.restsOn(exceptions)
	return on == nil || !on.Active(now)
}

func firstExpiry(exceptions []Exception) (time.Time, bool) {
	var first time.Time
	for _, e := range exceptions {
		if granted := e.Approver != nil && e.Status != ExceptionDenied; granted && (first.IsZero() || e.ExpiresAt.Before(first)) {
			first = e.ExpiresAt
		}
	}
	return first, !first.IsZero()
}

// Approve accepts the risk. It moves the request on: CAB still decides. votes
// are those that the request has already.
func (e Exception) Approve(call Call, r Request, votes []Vote, rationale string) (Change, error) {
	if err := e.mayDecide(call, r, votes, rationale); err != nil {
		return Change{}, err
	}
	if err := r.possible(ActExcept); err != nil {
		return Change{}, conflict("EXCEPTION_NOT_REQUIRED", "%s is %s and waits for no exception any more", r.Name, r.Status)
	}
	e.decided(call, ExceptionGranted, rationale)
	r.Status, r.ExceptionID = UnderReview, e.ID
	r.Revision++
	event := e.event(call, ExceptionApproved, "")
	event.Data.Request = &r
	return Change{Request: &r, Exceptions: []*Exception{&e}, Events: []Event{event}}, nil
}

// Reject refuses to accept the risk. The request stays where it is: another
// exception may be asked for, or the request withdrawn.
func (e Exception) Reject(call Call, r Request, votes []Vote, rationale string) (Change, error) {
	if err := e.mayDecide(call, r, votes, rationale); err != nil {
		return Change{}, err
	}
	e.decided(call, ExceptionDenied, rationale)
	return Change{Exceptions: []*Exception{&e}, Events: []Event{e.event(call, ExceptionRejected, "")}}, nil
}

// Revoke ends an exception in force. Approvals that rest on it end with it.
func (e Exception) Revoke(call Call, reason string) (Change, error) {
	if err := Permit(call.Actor, RevokeException); err != nil {
		return Change{}, err
	}
	if err := checkText("reason", reason, 1, MaxRationale); err != nil {
		return Change{}, err
	}
	if status := e.Effective(call.Now); status != ExceptionGranted {
		return Change{}, conflict("INVALID_TRANSITION", "%s is %s; only an approved exception can be revoked", e.Name, status)
	}
	e.Status, e.EndReason = ExceptionWithdrawn, reason
	e.Revision++
	return Change{Exceptions: []*Exception{&e}, Events: []Event{e.event(call, ExceptionRevoked, reason)}}, nil
}

// Expire records that time has run out. ok is false when there is nothing to
// record: the exception is not over, or its end is recorded already.
func (e Exception) Expire(call Call) (change Change, ok bool) {
	if e.Effective(call.Now) != ExceptionOver || e.Status == ExceptionOver {
		return Change{}, false
	}
	e.Status = ExceptionOver
	e.Revision++
	event := e.event(call.as(Clock), ExceptionExpired, "")
	return Change{Exceptions: []*Exception{&e}, Events: []Event{event}}, true
}

// mayDecide: whoever has voted on the request, under whatever role, is one of
// those who decide it and so not the one who decides the exception.
func (e Exception) mayDecide(call Call, r Request, votes []Vote, rationale string) error {
	if err := Permit(call.Actor, DecideException); err != nil {
		return err
	}
	involved := []string{e.Requester.ID, e.SubmitterID, r.SubmittedBy.ID, r.PackageOwner, r.IntentOwner}
	if slices.Contains(involved, call.Actor.ID) {
		return forbidden("SEPARATION_OF_DUTIES", "nobody decides on what they created, submitted or requested; another Security Reviewer must")
	}
	if slices.ContainsFunc(votes, func(v Vote) bool { return v.Voter.ID == call.Actor.ID }) {
		return forbidden("SEPARATION_OF_DUTIES", "you have voted on %s; another Security Reviewer must decide its exception", r.Name)
	}
	if err := checkText("rationale", rationale, 1, MaxRationale); err != nil {
		return err
	}
	switch status := e.Effective(call.Now); status {
	case ExceptionPending:
		return nil
	case ExceptionOver:
		return conflict("EXCEPTION_EXPIRED", "%s expired on %s; a new one must be requested", e.Name, e.ExpiresAt.Format(time.RFC3339))
	default:
		return conflict("ALREADY_DECIDED", "%s is %s; a decision is final", e.Name, status)
	}
}

func (e *Exception) decided(call Call, to ExceptionStatus, rationale string) {
	person := call.Actor.Person()
	e.Status, e.Approver, e.Rationale, e.DecidedAt = to, &person, rationale, call.Now
	e.Revision++
}

func (e *Exception) event(call Call, kind EventType, reason string) Event {
	return call.event(kind, e.CorrelationID, e.DeploymentID, Subject{KindException, e.ID}, EventData{Exception: e, Reason: reason})
}
