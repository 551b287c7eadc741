package cab

import (
	"slices"
	"strings"
)

// Role is what a principal may do. A principal has exactly one (separation of
// duties starts with the account); changing it is an event. Specification,
// section 2.
type Role string

// The roles. System is nobody's: it marks what the product does by itself.
const (
	PackagingEngineer Role = "packaging_engineer"
	CABMember         Role = "cab_member"
	SecurityReviewer  Role = "security_reviewer"
	Publisher         Role = "publisher"
	Auditor           Role = "auditor"
	Admin             Role = "admin"
	System            Role = "system"
)

// Roles lists the roles that a principal can have, in the order of the
// specification's table.
func Roles() []Role {
	return []Role{PackagingEngineer, CABMember, SecurityReviewer, Publisher, Auditor, Admin}
}

// ParseRole reads a role name.
func ParseRole(text string) (Role, error) {
	if role := Role(text); slices.Contains(Roles(), role) {
		return role, nil
	}
	names := make([]string, 0, len(Roles()))
	for _, role := range Roles() {
		names = append(names, string(role))
	}
	return "", invalid("role", "%q is not a role; the roles are %s", text, strings.Join(names, ", "))
}

// Person is somebody by value: deleting or renaming an account never changes
// who did what.
type Person struct {
	ID       string `json:"id"`
	Username string `json:"username"`
}

// Actor is who does something, with the role held at that moment.
type Actor struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Role Role   `json:"role"`
}

// Person returns the actor without the role.
func (a Actor) Person() Person { return Person{ID: a.ID, Username: a.Name} }

// The actors of automatic acts. No automatic act is ever attributed to a
// person.
var (
	RiskGate = Actor{ID: "system:risk-gate", Name: "risk gate", Role: System}
	Clock    = Actor{ID: "system:clock", Name: "clock", Role: System}
	Setup    = Actor{ID: "system:setup", Name: "setup", Role: System}
	Guard    = Actor{ID: "system:guard", Name: "guard", Role: System}
)

// Source is where a call came from, kept in its events.
type Source struct {
	Address   string `json:"address,omitzero"`
	UserAgent string `json:"user_agent,omitzero"`
}

// Action is something that a role may or may not do: a row of the permission
// table.
type Action string

// The actions. Every route of the HTTP interface names exactly one.
const (
	CreateDeployment Action = "deployment.create"
	ReadDeployment   Action = "deployment.read"
	AskGate          Action = "deployment.ask"
	ReportDeployment Action = "deployment.report"
	CreateEvidence   Action = "evidence.create"
	ReadEvidence     Action = "evidence.read"
	SubmitRequest    Action = "request.submit"
	ReadRequest      Action = "request.read"
	ReadQueue        Action = "request.queue"
	ReviewRequest    Action = "request.review"
	DecideRequest    Action = "request.decide"
	WithdrawRequest  Action = "request.withdraw"
	RevokeApproval   Action = "request.revoke"
	AskException     Action = "exception.request"
	ReadException    Action = "exception.read"
	ReadExceptions   Action = "exception.queue"
	DecideException  Action = "exception.decide"
	RevokeException  Action = "exception.revoke"
	ExpireExceptions Action = "exception.cleanup"
	ReadEvents       Action = "event.read"
	ReadReports      Action = "report.read"
	ReadModels       Action = "model.read"
	ReadSelf         Action = "self.read"
	Administer       Action = "administer"
)

// Access is how far a permission reaches.
type Access uint8

// The reaches, from nothing to everything.
const (
	None     Access = iota // never
	Own                    // what the actor created, submitted or requested
	Approved               // what has been approved
	All                    // everything
)

// permissions is the table of the specification, section 2. What is not here
// is not allowed.
var permissions = map[Action]map[Role]Access{
	CreateDeployment: {PackagingEngineer: All},
	CreateEvidence:   {PackagingEngineer: Own},
	SubmitRequest:    {PackagingEngineer: Own},
	WithdrawRequest:  {PackagingEngineer: Own},
	AskException:     {PackagingEngineer: Own},
	ReviewRequest:    {CABMember: All},
	DecideRequest:    {CABMember: All},
	DecideException:  {SecurityReviewer: All},
	RevokeException:  {SecurityReviewer: All},
	RevokeApproval:   {CABMember: All, SecurityReviewer: All},
	AskGate:          readers(Own, All),
	ReportDeployment: {Publisher: All},
	ReadDeployment:   readers(Own, Approved),
	ReadEvidence:     readers(Own, Approved),
	ReadRequest:      readers(Own, Approved),
	ReadException:    readers(Own, Approved),
	ReadQueue:        readers(None, None),
	ReadExceptions:   readers(None, None),
	ReadEvents:       readers(Own, Own),   // of capsules two more: ADR 17
	ReadReports:      readers(None, None), // they are about everybody
	ExpireExceptions: {Admin: All},
	Administer:       {Admin: All},
	ReadModels:       readers(All, All),
	ReadSelf:         readers(All, All),
}

// readers is a row for reading: the four roles that oversee may read all.
func readers(engineer, publisher Access) map[Role]Access {
	return map[Role]Access{
		PackagingEngineer: engineer, Publisher: publisher,
		CABMember: All, SecurityReviewer: All, Auditor: All, Admin: All,
	}
}

// AccessOf reports how far role may do action: the permission table, read.
func AccessOf(role Role, action Action) Access { return permissions[action][role] }

// Permit refuses an actor whose role may never do action, before anything is
// looked up: authorisation comes before existence.
func Permit(actor Actor, action Action) error {
	if AccessOf(actor.Role, action) == None {
		return forbidden("FORBIDDEN", "the role %s may not do this (%s)", actor.Role, action)
	}
	return nil
}

// Holding is what decides whether somebody may see or touch one thing: whose
// it is and whether it has been approved.
type Holding struct {
	Owners   []string // principal ids: creator, submitter, requester
	Approved bool
}

// PermitOn refuses an actor whose reach does not cover the thing held. Callers
// ask [Permit] first, before they look the thing up.
func PermitOn(actor Actor, action Action, held Holding) error {
	switch AccessOf(actor.Role, action) {
	case All:
		return nil
	case Own:
		if slices.Contains(held.Owners, actor.ID) {
			return nil
		}
		return forbidden("FORBIDDEN", "%s is limited to your own (%s)", actor.Role, action)
	case Approved:
		if held.Approved {
			return nil
		}
		return forbidden("FORBIDDEN", "%s is limited to what has been approved (%s)", actor.Role, action)
	}
	return Permit(actor, action)
}
