package cab

import (
	"fmt"
	"time"
)

// How long things of the console last.
const (
	// SessionIdle ends a session that nobody used: a screen that was left.
	SessionIdle = 30 * time.Minute
	// SessionLife ends a session however busy it is: a working day and a little.
	SessionLife = 12 * time.Hour
	// LinkLife is how long a sign-in link can be used, once.
	LinkLife = 24 * time.Hour
)

// MostSessions is how many an account may have at a time: one more ends the oldest.
const MostSessions = 20

// Limits of a password, in characters. Length is what counts (NIST SP 800-63B);
// the upper limit is there for the hash, which reads all of it.
const (
	MinPassword = 12
	MaxPassword = 128
)

// Session is somebody signed in to the console. Its secret is known to the browser;
// the database has its SHA-256.
type Session struct {
	ID          string
	PrincipalID string
	Role        Role   // as it was at sign-in: another role is another sign-in
	SecretHash  string // lower-case hex
	CreatedAt   time.Time
	SeenAt      time.Time // kept to the minute
	EndedAt     time.Time // zero while it may be used
	Source      Source    // where it was begun
}

// Live reports whether the session opens anything at a moment.
func (s Session) Live(p Principal, now time.Time) bool {
	return s.EndedAt.IsZero() && p.DisabledAt.IsZero() && s.PrincipalID == p.ID && s.Role == p.Role && now.Before(s.ExpiresAt())
}

// ExpiresAt is when the session ends if nobody uses it any more.
func (s Session) ExpiresAt() time.Time {
	idle, life := s.SeenAt.Add(SessionIdle), s.CreatedAt.Add(SessionLife)
	if idle.Before(life) {
		return idle
	}
	return life
}

// SignInLink is a link with which a person sets their password, once. It is made by
// whoever administers, for an account that is new or has forgotten its password.
type SignInLink struct {
	ID          string
	PrincipalID string
	SecretHash  string // lower-case hex
	ExpiresAt   time.Time
	UsedAt      time.Time // zero until then
}

// Usable reports whether the link opens its account at a moment.
func (l SignInLink) Usable(p Principal, now time.Time) bool {
	return l.UsedAt.IsZero() && now.Before(l.ExpiresAt) && p.DisabledAt.IsZero() && l.PrincipalID == p.ID
}

// Invite makes a sign-in link for an account.
func (p Principal) Invite(call Call, id, secretHash string) (SignInLink, Change, error) {
	if err := permitAdministration(call.Actor); err != nil {
		return SignInLink{}, Change{}, err
	}
	if !p.DisabledAt.IsZero() {
		return SignInLink{}, Change{}, conflict("USER_DISABLED", "%s is disabled; no sign-in link can be made", p.Username)
	}
	link := SignInLink{ID: id, PrincipalID: p.ID, SecretHash: secretHash, ExpiresAt: call.Now.Add(LinkLife)}
	return link, p.note(call, "sign-in link made, good until "+link.ExpiresAt.Format(time.RFC3339)), nil
}

// SetPassword is the event that the account's password was set with a link, which
// ends whatever sessions it had.
func (p Principal) SetPassword(call Call) Change { return p.note(call, "password set by sign-in link") }

// SignIn begins a session.
func (p Principal) SignIn(call Call, id, secretHash string) (Session, Change) {
	s := Session{
		ID: id, PrincipalID: p.ID, Role: p.Role, SecretHash: secretHash,
		CreatedAt: call.Now, SeenAt: call.Now, Source: call.Source,
	}
	return s, p.note(call, "signed in, session "+id)
}

// End ends a session of the account: its own person may, and whoever administers.
func (p Principal) End(call Call, s Session) (Change, error) {
	if call.Actor.ID != p.ID || s.PrincipalID != p.ID {
		if err := permitAdministration(call.Actor); err != nil {
			return Change{}, err
		}
	}
	if !s.EndedAt.IsZero() {
		return Change{}, conflict("NOTHING_TO_CHANGE", "the session has ended already")
	}
	return p.note(call, "session "+s.ID+" ended"), nil
}

// note is an event about an account whose row stays as it is. What is secret of it
// (the hash of a password, of a link or of a session) has no place in the ledger:
// it is handed to strangers.
func (p Principal) note(call Call, what string) Change {
	return Change{Events: []Event{call.event(UserChanged, p.ID, "", Subject{KindPrincipal, p.ID}, EventData{Reason: what})}}
}

// CheckPassword refuses what cannot be a password.
func CheckPassword(username, password string) error {
	switch n := len([]rune(password)); {
	case n < MinPassword:
		return invalid("password", "has %d characters; at least %d are wanted, and a sentence of four words is a good one", n, MinPassword)
	case n > MaxPassword:
		return invalid("password", "has %d characters; at most %d are allowed", n, MaxPassword)
	case oneCharacter(password) || password == username:
		return invalid("password", "is too easy to guess")
	}
	return nil
}

func oneCharacter(text string) bool {
	first := []rune(text)[0]
	for _, c := range text {
		if c != first {
			return false
		}
	}
	return true
}

// WaitText says how long to wait, for people.
func WaitText(d time.Duration) string {
	if d > time.Minute {
		return fmt.Sprintf("%d minutes", int((d+time.Minute-1)/time.Minute))
	}
	return fmt.Sprintf("%d seconds", max(1, int((d+time.Second-1)/time.Second)))
}
