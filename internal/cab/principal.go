package cab

import (
	"regexp"
	"slices"
	"time"
)

// Principal is an account: a person or a machine, with exactly one role.
type Principal struct {
	ID         string    `json:"id"`
	Username   string    `json:"username"`
	Role       Role      `json:"role"`
	CreatedAt  time.Time `json:"created_at"`
	DisabledAt time.Time `json:"disabled_at,omitzero"` // zero while enabled
	Revision   int64     `json:"revision"`
}

// Actor is the principal as one who acts.
func (p Principal) Actor() Actor { return Actor{ID: p.ID, Name: p.Username, Role: p.Role} }

var usernameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{0,63}$`)

// NewPrincipal makes an account. The first one is made by [Setup], later ones
// by an administrator.
func NewPrincipal(call Call, id, username string, role Role) (Change, error) {
	if err := permitAdministration(call.Actor); err != nil {
		return Change{}, err
	}
	if !usernameForm.MatchString(username) {
		return Change{}, invalid("username", "%q: want 1 to 64 of a-z 0-9 . _ @ - beginning with a letter or digit", username)
	}
	if _, err := ParseRole(string(role)); err != nil {
		return Change{}, err
	}
	p := &Principal{ID: id, Username: username, Role: role, CreatedAt: call.Now, Revision: 1}
	return principalChange(call, p, "created"), nil
}

// ChangeRole gives the principal another role. What they did under the old one
// stays theirs: they still cannot decide on it.
func (p Principal) ChangeRole(call Call, role Role) (Change, error) {
	if err := permitAdministration(call.Actor); err != nil {
		return Change{}, err
	}
	if _, err := ParseRole(string(role)); err != nil {
		return Change{}, err
	}
	if p.Role == role {
		return Change{}, conflict("NOTHING_TO_CHANGE", "%s is %s already", p.Username, role)
	}
	reason := "role changed from " + string(p.Role)
	p.Role = role
	p.Revision++
	return principalChange(call, &p, reason), nil
}

// Disable ends the principal's access at once. Accounts are never deleted.
func (p Principal) Disable(call Call) (Change, error) {
	if err := permitAdministration(call.Actor); err != nil {
		return Change{}, err
	}
	if !p.DisabledAt.IsZero() {
		return Change{}, conflict("NOTHING_TO_CHANGE", "%s is disabled already", p.Username)
	}
	p.DisabledAt = call.Now
	p.Revision++
	return principalChange(call, &p, "disabled"), nil
}

func principalChange(call Call, p *Principal, reason string) Change {
	event := call.event(UserChanged, p.ID, "", Subject{KindPrincipal, p.ID}, EventData{Principal: p, Reason: reason})
	return Change{Principal: p, Events: []Event{event}}
}

// permitAdministration lets administrators and the operator at the machine's
// own command line (Setup) through.
func permitAdministration(actor Actor) error {
	if actor == Setup {
		return nil
	}
	return Permit(actor, Administer)
}

// Token is a bearer token. The secret is shown once and kept as its SHA-256;
// it has 256 bits of entropy, so a slow hash would add nothing.
type Token struct {
	ID          string    `json:"id"`
	PrincipalID string    `json:"principal_id"`
	Label       string    `json:"label"`
	SecretHash  string    `json:"secret_sha256"` // lower-case hex
	CreatedAt   time.Time `json:"created_at"`
	ExpiresAt   time.Time `json:"expires_at"`
	RevokedAt   time.Time `json:"revoked_at,omitzero"`
	Revision    int64     `json:"revision"`
	LastUsedAt  time.Time `json:"-"` // kept to the minute; telemetry, not state: it has no event
}

// MaxTokenDays is the longest life of a token.
const MaxTokenDays = 365

// NewToken issues a token for a principal, good for some days.
func NewToken(call Call, p Principal, id, label, secretHash string, forDays int) (Change, error) {
	if err := permitAdministration(call.Actor); err != nil {
		return Change{}, err
	}
	if !p.DisabledAt.IsZero() {
		return Change{}, conflict("USER_DISABLED", "%s is disabled; no token can be issued", p.Username)
	}
	if forDays < 1 || forDays > MaxTokenDays {
		return Change{}, invalid("days", "want 1 to %d", MaxTokenDays)
	}
	if err := checkText("label", label, 0, 200); err != nil {
		return Change{}, err
	}
	t := &Token{
		ID: id, PrincipalID: p.ID, Label: label, SecretHash: secretHash,
		CreatedAt: call.Now, ExpiresAt: call.Now.Add(days(forDays)), Revision: 1,
	}
	return tokenChange(call, t, "issued"), nil
}

// Revoke ends a token at once.
func (t Token) Revoke(call Call) (Change, error) {
	if err := permitAdministration(call.Actor); err != nil {
		return Change{}, err
	}
	if !t.RevokedAt.IsZero() {
		return Change{}, conflict("NOTHING_TO_CHANGE", "the token is revoked already")
	}
	t.RevokedAt = call.Now
	t.Revision++
	return tokenChange(call, &t, "revoked"), nil
}

// Live reports whether the token opens anything at a moment: neither revoked
// nor expired, and its principal enabled.
func (t Token) Live(p Principal, now time.Time) bool {
	return t.RevokedAt.IsZero() && now.Before(t.ExpiresAt) && p.DisabledAt.IsZero() && slices.Contains(Roles(), p.Role)
}

// Caller is an account and the token it came with, as they are in the
// transaction that decides.
type Caller struct {
	Principal Principal
	Token     *Token   // nil: there is no such token
	Session   *Session // nil: there is no such session
}

var errEnded = forbidden("ACCESS_ENDED", "your access ended or changed while this was under way; nothing was done, sign in again")

// StillIs refuses an actor whose access has ended or changed since the call was
// let in: a role is a right at the moment of the deed, not at the moment of
// asking. withToken says that the call came with a token.
func (c *Caller) StillIs(actor Actor, withToken bool, now time.Time) error {
	if c == nil || c.Principal.ID != actor.ID || c.Principal.Role != actor.Role || !c.Principal.DisabledAt.IsZero() {
		return errEnded
	}
	if withToken && (c.Token == nil || !c.Token.Live(c.Principal, now)) {
		return errEnded
	}
	return nil
}

// StillSignedIn refuses a caller whose session has ended since the call was let in.
func (c *Caller) StillSignedIn(now time.Time) error {
	if c == nil || c.Session == nil || !c.Session.Live(c.Principal, now) {
		return errEnded
	}
	return nil
}

func tokenChange(call Call, t *Token, reason string) Change {
	event := call.event(TokenChanged, t.PrincipalID, "", Subject{KindToken, t.ID}, EventData{Token: t, Reason: reason})
	return Change{Token: t, Events: []Event{event}}
}

// RefuseAccess is the event that an address has been sending tokens that open
// nothing. refusals is how many since the last such event.
func RefuseAccess(call Call, refusals int) Change {
	subject := Subject{KindAddress, call.Source.Address}
	event := call.as(Guard).event(AccessRefused, "", "", subject, EventData{Refusals: refusals})
	return Change{Events: []Event{event}}
}
