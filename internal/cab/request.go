package cab

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/evidence"
	"github.com/go-json-experiment/json/jsontext"
)

// Status is where a CAB request stands. Specification, section 6.
type Status string

// The statuses.
const (
	AutoApproved     Status = "auto_approved"
	Submitted        Status = "submitted"
	UnderReview      Status = "under_review"
	NeedsException   Status = "exception_required"
	ApprovedByCAB    Status = "approved"
	ConditionallyApp Status = "conditional"
	RejectedByCAB    Status = "rejected"
	Withdrawn        Status = "withdrawn"
	Revoked          Status = "revoked"
)

// Statuses lists every status of a request.
func Statuses() []Status {
	return []Status{
		AutoApproved, Submitted, UnderReview, NeedsException, ApprovedByCAB,
		ConditionallyApp, RejectedByCAB, Withdrawn, Revoked,
	}
}

// Act is something that can be done to a request.
type Act string

// The acts on a request. ActExcept is the approval of its exception.
const (
	ActReview   Act = "review"
	ActApprove  Act = "approve"
	ActReject   Act = "reject"
	ActWithdraw Act = "withdraw"
	ActRevoke   Act = "revoke"
	ActExcept   Act = "exception_approved"
)

// Acts lists every act.
func Acts() []Act {
	return []Act{ActReview, ActApprove, ActReject, ActWithdraw, ActRevoke, ActExcept}
}

// transitions is the state table: which act is possible in which status, and
// the statuses that it can lead to.
var transitions = map[Status]map[Act][]Status{
	Submitted: {
		ActReview:   {UnderReview},
		ActApprove:  {ApprovedByCAB, ConditionallyApp, UnderReview}, // UnderReview while the quorum lacks
		ActReject:   {RejectedByCAB},
		ActWithdraw: {Withdrawn},
	},
	UnderReview: {
		ActReview:   {UnderReview}, // another member joins
		ActApprove:  {ApprovedByCAB, ConditionallyApp, UnderReview},
		ActReject:   {RejectedByCAB},
		ActWithdraw: {Withdrawn},
		ActExcept:   {UnderReview}, // a new exception in place of one that ended
	},
	NeedsException: {
		ActExcept:   {UnderReview},
		ActWithdraw: {Withdrawn},
	},
	AutoApproved:     {ActRevoke: {Revoked}},
	ApprovedByCAB:    {ActRevoke: {Revoked}},
	ConditionallyApp: {ActRevoke: {Revoked}},
}

// Transitions returns the statuses that act can lead to from status; none
// means that the act is not possible there.
func Transitions(status Status, act Act) []Status { return slices.Clone(transitions[status][act]) }

// Decided reports whether the request has had its decision.
func (s Status) Decided() bool {
	return s.Approved() || s == RejectedByCAB || s == Revoked
}

// Approved reports whether the status is one of the approvals. Whether the
// approval still stands is [Stand]'s to say.
func (s Status) Approved() bool {
	return s == AutoApproved || s == ApprovedByCAB || s == ConditionallyApp
}

// Open reports whether the request still waits for something.
func (s Status) Open() bool {
	return s == Submitted || s == UnderReview || s == NeedsException
}

// Urgency is how soon a request wants its decision.
type Urgency string

// The urgencies.
const (
	Standard Urgency = "standard"
	Urgent   Urgency = "urgent"
)

// Limits of the texts people write, in characters.
const (
	MaxNotes      = 1000
	MaxRationale  = 2000
	MaxConditions = 16 << 10 // bytes of the conditions' canonical form
)

// Request is an evidence package submitted for approval. ID's last twelve hex
// digits, upper case, make its Name: CAB-….
type Request struct {
	ID            string         `json:"id"`
	Name          string         `json:"name"`
	CorrelationID string         `json:"correlation_id"`
	DeploymentID  string         `json:"deployment_intent_id"`
	PackageID     string         `json:"evidence_package_id"`
	PackageOwner  string         `json:"evidence_created_by"` // principal id of whoever made the package
	IntentOwner   string         `json:"deployment_created_by"`
	ContentHash   string         `json:"content_hash"`
	Score         evidence.Score `json:"risk_score"`
	ModelVersion  string         `json:"risk_model_version"`
	PolicyVersion string         `json:"policy_version"`
	Gate          Gate           `json:"gate"`
	Quorum        int            `json:"quorum"`
	ApprovalDays  int            `json:"approval_days"`
	Status        Status         `json:"status"`
	Urgency       Urgency        `json:"urgency"`
	Notes         string         `json:"notes,omitzero"`
	SubmittedBy   Person         `json:"submitted_by"`
	SubmittedAt   time.Time      `json:"submitted_at"`
	DueAt         time.Time      `json:"due_at"`
	Reviewers     []Person       `json:"reviewers,omitzero"`
	ExceptionID   string         `json:"exception_id,omitzero"` // the exception that it rests on
	ValidUntil    time.Time      `json:"valid_until,omitzero"`  // zero unless approved
	EndReason     string         `json:"end_reason,omitzero"`   // why it was revoked or withdrawn
	Revision      int64          `json:"revision"`
}

// Vote is one CAB member's say on a request, at most one each.
type Vote struct {
	RequestID  string         `json:"cab_request_id"`
	Voter      Person         `json:"voter"`
	Approve    bool           `json:"approve"`
	Rationale  string         `json:"rationale"`
	Conditions jsontext.Value `json:"conditions,omitzero"`
	At         time.Time      `json:"at"`
}

// Decision is the final, immutable outcome of a request: at most one each.
type Decision struct {
	RequestID     string         `json:"cab_request_id"`
	Decision      Status         `json:"decision"` // approved, conditional, rejected or auto_approved
	Rationale     string         `json:"rationale"`
	Decider       Actor          `json:"decider"`
	Score         evidence.Score `json:"risk_score"`
	ModelVersion  string         `json:"risk_model_version"`
	PolicyVersion string         `json:"policy_version"`
	ContentHash   string         `json:"content_hash"`
	Conditions    jsontext.Value `json:"conditions,omitzero"`
	DecidedAt     time.Time      `json:"decided_at"`
	ValidUntil    time.Time      `json:"valid_until,omitzero"`
}

// Holding is whose the request is and whether it has been approved.
func (r Request) Holding() Holding {
	return Holding{Owners: []string{r.SubmittedBy.ID, r.PackageOwner, r.IntentOwner}, Approved: r.Status.Approved()}
}

// RequestName is the name that people use for the request with this id.
func RequestName(id string) string { return "CAB-" + shortID(id) }

// ExceptionName is the name that people use for the exception with this id.
func ExceptionName(id string) string { return "EXC-" + shortID(id) }

func shortID(id string) string {
	digits := strings.ToUpper(strings.ReplaceAll(id, "-", ""))
	return digits[max(0, len(digits)-12):]
}

// Withdraw takes the request back; only its submitter may.
func (r Request) Withdraw(call Call, reason string) (Change, error) {
	if err := PermitOn(call.Actor, WithdrawRequest, Holding{Owners: []string{r.SubmittedBy.ID}}); err != nil {
		return Change{}, err
	}
	if err := r.possible(ActWithdraw); err != nil {
		return Change{}, err
	}
	if err := checkText("reason", reason, 0, MaxRationale); err != nil {
		return Change{}, err
	}
	r.EndReason = reason
	return r.change(call, Withdrawn, CABWithdrawn, EventData{Reason: reason}), nil
}

// Revoke ends an approval. The decision stays what it was.
func (r Request) Revoke(call Call, reason string) (Change, error) {
	if err := Permit(call.Actor, RevokeApproval); err != nil {
		return Change{}, err
	}
	if err := r.possible(ActRevoke); err != nil {
		return Change{}, err
	}
	if err := checkText("reason", reason, 1, MaxRationale); err != nil {
		return Change{}, err
	}
	r.EndReason = reason
	return r.change(call, Revoked, ApprovalRevoked, EventData{Reason: reason}), nil
}

// mayAct checks role, separation of duties and state, in that order.
func (r Request) mayAct(call Call, action Action, act Act, exceptions []Exception) error {
	if err := Permit(call.Actor, action); err != nil {
		return err
	}
	if slices.Contains([]string{r.SubmittedBy.ID, r.PackageOwner, r.IntentOwner}, call.Actor.ID) {
		return forbidden("SEPARATION_OF_DUTIES", "nobody decides on what they created or submitted; another CAB member must")
	}
	for _, exception := range exceptions {
		if exception.Requester.ID == call.Actor.ID || (exception.Approver != nil && exception.Approver.ID == call.Actor.ID) {
			return forbidden("SEPARATION_OF_DUTIES", "you requested or decided %s; another person must decide the request", exception.Name)
		}
	}
	return r.possible(act)
}

func (r Request) possible(act Act) error {
	if len(transitions[r.Status][act]) > 0 {
		return nil
	}
	if r.Status.Decided() {
		return conflict("ALREADY_DECIDED", "%s is %s; a decision is final", r.Name, r.Status)
	}
	return conflict("INVALID_TRANSITION", "%s is %s; it cannot be %s now", r.Name, r.Status, pastTense[act])
}

var pastTense = map[Act]string{
	ActReview: "reviewed", ActApprove: "approved", ActReject: "rejected",
	ActWithdraw: "withdrawn", ActRevoke: "revoked", ActExcept: "excepted",
}

func (r Request) change(call Call, to Status, kind EventType, data EventData) Change {
	r.Status = to
	r.Revision++
	data.Request = &r
	return Change{Request: &r, Events: []Event{r.event(call, kind, data)}}
}

func (r Request) event(call Call, kind EventType, data EventData) Event {
	return call.event(kind, r.CorrelationID, r.DeploymentID, Subject{KindRequest, r.ID}, data)
}

func (r Request) restsOn(exceptions []Exception) *Exception {
	i := slices.IndexFunc(exceptions, func(e Exception) bool { return e.ID == r.ExceptionID })
	if r.ExceptionID == "" || i < 0 {
		return nil
	}
	return &exceptions[i]
}

func joinReasons(reasons []string) string {
	if len(reasons) == 0 {
		return "no reason is known, so it is not"
	}
	return strings.Join(reasons, "; ")
}

// StatusText is the status for people to read.
func (s Status) StatusText() string {
	switch s {
	case NeedsException:
		return "Exception required"
	case ConditionallyApp:
		return "Approved with conditions"
	case AutoApproved:
		return "Approved automatically"
	case "": // only in what somebody else wrote
		return "Unknown"
	}
	text := strings.ReplaceAll(string(s), "_", " ")
	return fmt.Sprintf("%s%s", strings.ToUpper(text[:1]), text[1:])
}
