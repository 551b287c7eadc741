package store

import (
	"fmt"
	"time"

	"github.com/eucora/eucora/internal/cab"
)

const sessionColumns = `s.id, s.principal_id, s.role, s.secret_sha256, s.created_at, s.seen_at, s.ended_at, s.address, s.user_agent`

func sessionFields(s *cab.Session) []any {
	return []any{
		&s.ID, &s.PrincipalID, &s.Role, &s.SecretHash, atTime{&s.CreatedAt}, atTime{&s.SeenAt}, atTime{&s.EndedAt},
		&s.Source.Address, &s.Source.UserAgent,
	}
}

// SessionRow is a session with its account.
type SessionRow struct {
	cab.Session
	Principal cab.Principal
}

func scanSessionRow(r row, s *SessionRow) error {
	return r.Scan(append(sessionFields(&s.Session), principalFields(&s.Principal)...)...)
}

// signedIn reads a credential's account and session.
func (who Credential) signedIn(to **cab.Caller) statement {
	return statement{
		`SELECT ` + sessionColumns + `, ` + principalColumns + fromSession + `WHERE s.id = $1 AND s.principal_id = $2`,
		[]any{who.SessionID, who.PrincipalID},
		func(r row) error {
			var s SessionRow
			err := scanSessionRow(r, &s)
			*to = &cab.Caller{Principal: s.Principal, Session: &s.Session}
			return err
		},
	}
}

const fromSession = ` FROM session s JOIN principal p ON p.id = s.principal_id `

// Session returns a session with its account.
func (r *Reader) Session(id string) (SessionRow, error) {
	return one(r, "session", scanSessionRow, `SELECT `+sessionColumns+`, `+principalColumns+fromSession+`WHERE s.id = $1`, id)
}

// maxSessions bounds a list of sessions.
const maxSessions = 1000

// Sessions lists sessions that are neither ended nor over at a moment, newest first;
// everybody's if principalID is empty. more says that there are others.
func (r *Reader) Sessions(principalID string, now time.Time) (rows []SessionRow, more bool, err error) {
	w := where{}
	w.add("s.ended_at = 0")
	w.add("s.created_at > ?", micros(now.Add(-cab.SessionLife)))
	w.add("s.seen_at > ?", micros(now.Add(-cab.SessionIdle)))
	w.equal("s.principal_id", principalID)
	text := fmt.Sprintf(`SELECT %s, %s %s %s ORDER BY s.created_at DESC, s.id DESC LIMIT %d`, sessionColumns, principalColumns, fromSession, w.sql(), maxSessions+1)
	rows, err = all(r, scanSessionRow, text, w.args...)
	if more = len(rows) > maxSessions; more {
		rows = rows[:maxSessions]
	}
	return rows, more, err
}

// SaveSession writes a new session, and the change that says so.
func (tx *Tx) SaveSession(s cab.Session, change cab.Change) error {
	tx.c.queue(`INSERT INTO session (id, principal_id, role, secret_sha256, created_at, seen_at, ended_at, address, user_agent)
		VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8)`,
		1, s.ID, s.PrincipalID, s.Role, s.SecretHash, micros(s.CreatedAt), micros(s.SeenAt), s.Source.Address, s.Source.UserAgent)
	return tx.Save(change)
}

// EndSession ends a session, and writes the change that says so.
func (tx *Tx) EndSession(id string, at time.Time, change cab.Change) error {
	tx.c.queue(`UPDATE session SET ended_at = $2 WHERE id = $1 AND ended_at = 0`, 1, id, micros(at))
	return tx.Save(change)
}

// TouchSession notes that a session was used: like [Tx.TouchToken] without an event.
func (tx *Tx) TouchSession(id string, now time.Time) error {
	tx.c.queue(`UPDATE session SET seen_at = $2 WHERE id = $1 AND seen_at < $2`, -1, id, micros(now))
	return nil
}

// SignInLink returns a link with its account.
func (r *Reader) SignInLink(id string) (cab.SignInLink, cab.Principal, error) {
	var p cab.Principal
	link, err := one(r, "sign-in link", func(r row, l *cab.SignInLink) error {
		return r.Scan(append([]any{&l.ID, &l.PrincipalID, &l.SecretHash, atTime{&l.ExpiresAt}, atTime{&l.UsedAt}}, principalFields(&p)...)...)
	}, `SELECT l.id, l.principal_id, l.secret_sha256, l.expires_at, l.used_at, `+principalColumns+`
		FROM signin_link l JOIN principal p ON p.id = l.principal_id WHERE l.id = $1`, id)
	return link, p, err
}

// SaveSignInLink writes a new link, in place of those that the account has, and the
// change that says so.
func (tx *Tx) SaveSignInLink(l cab.SignInLink, change cab.Change) error {
	tx.c.queue(`DELETE FROM signin_link WHERE principal_id = $1`, -1, l.PrincipalID)
	tx.c.queue(`INSERT INTO signin_link (id, principal_id, secret_sha256, expires_at, used_at) VALUES ($1, $2, $3, $4, 0)`,
		1, l.ID, l.PrincipalID, l.SecretHash, micros(l.ExpiresAt))
	return tx.Save(change)
}

// SavePassword keeps the hash of a password that was set with a link, which is used
// up by it; ends the account's sessions, forgets its wrong tries, and writes the
// change that says so.
func (tx *Tx) SavePassword(p cab.Principal, linkID, hash string, at time.Time, change cab.Change) error {
	tx.c.queue(`UPDATE signin_link SET used_at = $2 WHERE id = $1 AND used_at = 0`, 1, linkID, micros(at))
	tx.c.queue(`INSERT INTO password (principal_id, hash, set_at) VALUES ($1, $2, $3)
		ON CONFLICT (principal_id) DO UPDATE SET hash = excluded.hash, set_at = excluded.set_at`, 1, p.ID, hash, micros(at))
	tx.c.queue(`UPDATE session SET ended_at = $2 WHERE principal_id = $1 AND ended_at = 0`, -1, p.ID, micros(at))
	tx.c.queue(`DELETE FROM signin_tries WHERE name = $1`, -1, p.Username)
	return tx.Save(change)
}

// Password returns an account with the hash of its password; NotFound if it has
// none.
func (r *Reader) Password(username string) (cab.Principal, string, error) {
	var hash string
	p, err := one(r, "password", func(r row, p *cab.Principal) error { return r.Scan(append(principalFields(p), &hash)...) },
		`SELECT `+principalColumns+`, w.hash FROM principal p JOIN password w ON w.principal_id = p.id WHERE p.username = $1`, username)
	return p, hash, err
}

// Try returns what a try with a name from a network is counted under.
func (r *Reader) Try(name, network string) (cab.Try, error) {
	t := cab.Try{Pair: cab.Tries{Name: name, Network: network}, Name: cab.Tries{Name: name}, Network: cab.Tries{Network: network}}
	var statements []statement
	for _, c := range []*cab.Tries{&t.Pair, &t.Name, &t.Network} {
		statements = append(statements, statement{
			`SELECT wrong, since, last_at FROM signin_tries WHERE name = $1 AND network = $2`, []any{c.Name, c.Network},
			func(r row) error { return r.Scan(&c.Wrong, atTime{&c.Since}, atTime{&c.LastAt}) },
		})
	}
	return t, r.c.run(statements...)
}

// SaveTry writes counts down. They are no state: nothing but the wait hangs on them,
// and that nothing was changed by them the ledger need not say.
func (tx *Tx) SaveTry(t cab.Try) error {
	for _, c := range []cab.Tries{t.Pair, t.Name, t.Network} {
		tx.c.queue(`INSERT INTO signin_tries (name, network, wrong, since, last_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (name, network) DO UPDATE SET wrong = excluded.wrong, since = excluded.since, last_at = excluded.last_at`,
			1, c.Name, c.Network, c.Wrong, micros(c.Since), micros(c.LastAt))
	}
	return nil
}

// ForgetTries forgets the wrong tries of a name from a network.
func (tx *Tx) ForgetTries(name, network string) error {
	tx.c.queue(`DELETE FROM signin_tries WHERE name = $1 AND network = $2`, -1, name, network)
	return nil
}

// PruneSignIns forgets sessions, links and tries that are over for good.
func (tx *Tx) PruneSignIns(now time.Time) error {
	tx.c.queue(`DELETE FROM session WHERE created_at < $1`, -1, micros(now.Add(-cab.SessionLife)))
	tx.c.queue(`DELETE FROM signin_link WHERE expires_at < $1`, -1, micros(now))
	tx.c.queue(`DELETE FROM signin_tries WHERE last_at < $1`, -1, micros(now.Add(-cab.ForgetTries)))
	return nil
}
