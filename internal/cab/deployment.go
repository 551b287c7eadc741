package cab

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Ring is how far a deployment reaches. Specification, section 10.
type Ring string

// The rings, from the smallest to the largest.
const (
	Lab        Ring = "LAB"
	Canary     Ring = "CANARY"
	Pilot      Ring = "PILOT"
	Department Ring = "DEPARTMENT"
	Global     Ring = "GLOBAL"
)

// Rings lists the rings from the smallest to the largest.
func Rings() []Ring { return []Ring{Lab, Canary, Pilot, Department, Global} }

// DeploymentState is what the publisher last reported.
type DeploymentState string

// The states. A deployment that failed or was rolled back may be started again.
const (
	Planned           DeploymentState = "planned"
	Started           DeploymentState = "started"
	Completed         DeploymentState = "completed"
	Failed            DeploymentState = "failed"
	RollbackInitiated DeploymentState = "rollback_initiated"
	RolledBack        DeploymentState = "rolled_back"
)

// Deployment is a deployment intent: "application A version V to ring R".
// Its correlation id runs through everything that follows from it.
type Deployment struct {
	ID            string          `json:"id"`
	CorrelationID string          `json:"correlation_id"`
	AppName       string          `json:"app_name"`
	AppVersion    string          `json:"version"`
	TargetRing    Ring            `json:"target_ring"`
	State         DeploymentState `json:"state"`
	CreatedBy     Person          `json:"created_by"`
	CreatedAt     time.Time       `json:"created_at"`
	Revision      int64           `json:"revision"`
}

// Limits of a deployment intent's texts, in characters.
const (
	MaxAppName    = 200
	MaxAppVersion = 100
)

// Call is what every verb needs to know of the caller: who, from where, when.
// Time is UTC, in whole microseconds.
type Call struct {
	Actor  Actor
	Source Source
	Now    time.Time
}

// NewDeployment records what somebody wants to deploy.
func NewDeployment(call Call, id, correlationID, appName, version string, ring Ring) (Change, error) {
	if err := Permit(call.Actor, CreateDeployment); err != nil {
		return Change{}, err
	}
	if err := checkText("app_name", appName, 1, MaxAppName); err != nil {
		return Change{}, err
	}
	if err := checkText("version", version, 1, MaxAppVersion); err != nil {
		return Change{}, err
	}
	if !slices.Contains(Rings(), ring) {
		return Change{}, invalid("target_ring", "%q is not a ring; the rings are LAB, CANARY, PILOT, DEPARTMENT, GLOBAL", ring)
	}
	d := &Deployment{
		ID: id, CorrelationID: correlationID, AppName: appName, AppVersion: version, TargetRing: ring,
		State: Planned, CreatedBy: call.Actor.Person(), CreatedAt: call.Now, Revision: 1,
	}
	event := call.event(DeploymentCreated, d.CorrelationID, d.ID, Subject{KindDeployment, d.ID}, EventData{Deployment: d})
	return Change{Deployment: d, Events: []Event{event}}, nil
}

// reports is the table of what a publisher may report after what.
var reports = map[EventType]struct {
	from []DeploymentState
	to   DeploymentState
}{
	DeploymentStarted:   {[]DeploymentState{Planned, Failed, RolledBack}, Started},
	DeploymentCompleted: {[]DeploymentState{Started}, Completed},
	DeploymentFailed:    {[]DeploymentState{Started}, Failed},
	RollbackStarted:     {[]DeploymentState{Started, Completed, Failed}, RollbackInitiated},
	RollbackCompleted:   {[]DeploymentState{RollbackInitiated}, RolledBack},
}

// Report records what the publisher says has happened. A start is refused
// unless standing is good: an approval that nothing checks is decoration.
func (d Deployment) Report(call Call, kind EventType, standing Standing, detail string) (Change, error) {
	if err := Permit(call.Actor, ReportDeployment); err != nil {
		return Change{}, err
	}
	rule, known := reports[kind]
	if !known {
		return Change{}, invalid("type", "%q is not something a publisher reports", kind)
	}
	if err := checkText("detail", detail, 0, MaxRationale); err != nil {
		return Change{}, err
	}
	if !slices.Contains(rule.from, d.State) {
		return Change{}, conflict("INVALID_TRANSITION", "the deployment is %s; it cannot become %s now", d.State, rule.to)
	}
	if kind == DeploymentStarted && !standing.Approved {
		return Change{}, conflict("DEPLOYMENT_NOT_APPROVED", "this deployment is not approved: %s", joinReasons(standing.Reasons))
	}
	d.State = rule.to
	d.Revision++
	event := call.event(kind, d.CorrelationID, d.ID, Subject{KindDeployment, d.ID}, EventData{Deployment: &d, Reason: detail})
	return Change{Deployment: &d, Events: []Event{event}}, nil
}

// checkText bounds a text that people write, in characters. A text that is
// wanted has more in it than white space; control characters but those that lay
// out lines are in none: nobody sees them, and each is six bytes in the ledger.
func checkText(field, text string, least, most int) error {
	n := utf8.RuneCountInString(text)
	switch {
	case least > 0 && strings.TrimSpace(text) == "":
		return invalid(field, "must not be empty")
	case n > most:
		return invalid(field, "has %d characters; at most %d are allowed", n, most)
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\n\r", r) }):
		return invalid(field, "must not have control characters in it")
	}
	return nil
}
