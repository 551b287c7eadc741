package export

import (
	"fmt"

	"github.com/eucora/eucora/internal/cab"
)

// OCSFVersion is the version of the schema that events are written in.
const OCSFVersion = "1.8.0"

// class is an event class of OCSF.
type class struct {
	uid, category      int
	name, categoryName string
}

var (
	apiActivity      = &class{6003, 6, "API Activity", "Application Activity"}
	entityManagement = &class{3004, 3, "Entity Management", "Identity & Access Management"}
)

// activity is what was done, as the classes number it. API Activity has the
// first four of them, and Other.
type activity int

const (
	byChange   activity = 0 // not OCSF's: create, update or disable, as the row says
	create     activity = 1
	read       activity = 2
	update     activity = 3
	enable     activity = 8
	disable    activity = 9
	activate   activity = 10
	deactivate activity = 11
	other      activity = 99
)

var activityNames = map[activity]string{
	create: "Create", read: "Read", update: "Update", enable: "Enable", disable: "Disable",
	activate: "Activate", deactivate: "Deactivate", other: "Access refused", // the one that is Other
}

// severity as OCSF numbers it.
type severity int

const (
	informational severity = 1
	low           severity = 2
	medium        severity = 3
	high          severity = 4
	critical      severity = 5
)

var severityNames = map[severity]string{
	informational: "Informational", low: "Low", medium: "Medium", high: "High", critical: "Critical",
}

// mapping is what an event type is in OCSF.
type mapping struct {
	class    *class
	activity activity
	severity severity
	does     string // in the message: "carol approved CAB-…"
	api      string // the operation, of an API Activity
	failure  bool   // what was asked for did not come about
}

// mappings is the table. A thing that Eucora manages (deployment, package,
// request, exception, account, token, model, policy, key) coming to be or
// changing is Entity Management. What a publisher reports of the world outside,
// and calls that failed a check, are API Activity.
var mappings = map[cab.EventType]mapping{
	cab.DeploymentCreated:   {entityManagement, create, informational, "recorded the deployment intent", "", false},
	cab.EvidenceCreated:     {entityManagement, create, informational, "filed the evidence package", "", false},
	cab.RiskAssessed:        {entityManagement, update, informational, "scored the evidence package", "", false},
	cab.CABSubmitted:        {entityManagement, create, informational, "submitted", "", false},
	cab.CABReviewStarted:    {entityManagement, update, informational, "started to review", "", false},
	cab.CABVoteCast:         {entityManagement, update, informational, "voted on", "", false},
	cab.CABApproved:         {entityManagement, enable, informational, "approved", "", false},
	cab.CABRejected:         {entityManagement, disable, low, "rejected", "", false},
	cab.CABWithdrawn:        {entityManagement, disable, informational, "withdrew", "", false},
	cab.ApprovalRevoked:     {entityManagement, disable, medium, "revoked the approval of", "", false},
	cab.ExceptionRequested:  {entityManagement, create, low, "asked for the exception", "", false},
	cab.ExceptionApproved:   {entityManagement, activate, medium, "approved the exception", "", false},
	cab.ExceptionRejected:   {entityManagement, deactivate, low, "rejected the exception", "", false},
	cab.ExceptionExpired:    {entityManagement, deactivate, informational, "recorded the expiry of the exception", "", false},
	cab.ExceptionRevoked:    {entityManagement, deactivate, medium, "revoked the exception", "", false},
	cab.DeploymentStarted:   {apiActivity, update, informational, "started the deployment", "deployment.report", false},
	cab.DeploymentCompleted: {apiActivity, update, informational, "completed the deployment", "deployment.report", false},
	cab.DeploymentFailed:    {apiActivity, update, medium, "reported the failure of the deployment", "deployment.report", false},
	cab.RollbackStarted:     {apiActivity, update, medium, "began to roll back the deployment", "deployment.report", false},
	cab.RollbackCompleted:   {apiActivity, update, low, "rolled back the deployment", "deployment.report", false},
	cab.EvidenceTampered:    {apiActivity, read, critical, "found tampering with the evidence package", "evidence.read", true},
	cab.UserChanged:         {entityManagement, byChange, low, "changed the account", "", false},
	cab.TokenChanged:        {entityManagement, byChange, low, "changed the token", "", false},
	cab.ModelChanged:        {entityManagement, create, medium, "published the risk model", "", false},
	cab.PolicyChanged:       {entityManagement, create, medium, "put in force the policy", "", false},
	cab.AccessRefused:       {apiActivity, other, high, "refused tokens from", "authenticate", true},
	cab.ApprovalExpired:     {entityManagement, deactivate, informational, "recorded the end of the approval of", "", false},
	cab.CABEscalated:        {entityManagement, update, low, "told others of", "", false},
	cab.ExceptionEnding:     {entityManagement, update, low, "warned of the end of the exception", "", false},
	cab.KeyChanged:          {entityManagement, byChange, medium, "changed the attestation key", "", false},
}

// changed tells creating, changing and ending apart where one event type says
// all of them.
func changed(e cab.Event) (activity, error) {
	d := e.Data
	switch {
	case d.Principal != nil && d.Principal.Revision == 1, d.Token != nil && d.Token.Revision == 1:
		return create, nil
	case d.Principal != nil && e.Data.Reason == "disabled", d.Token != nil && !d.Token.RevokedAt.IsZero():
		return disable, nil
	case d.Principal != nil, d.Token != nil:
		return update, nil
	case d.Key != nil && d.Key.State == cab.KeyRetired:
		return disable, nil
	case d.Key != nil:
		return create, nil
	}
	return 0, fmt.Errorf("event %d (%s) does not say what changed", e.Seq, e.Type)
}
