package store

import (
	"github.com/eucora/eucora/internal/cab"
)

const principalColumns = `p.id, p.username, p.role, p.created_at, p.disabled_at, p.revision`

func principalFields(p *cab.Principal) []any {
	return []any{&p.ID, &p.Username, &p.Role, atTime{&p.CreatedAt}, atTime{&p.DisabledAt}, &p.Revision}
}

func scanPrincipal(r row, p *cab.Principal) error { return r.Scan(principalFields(p)...) }

const tokenColumns = `t.id, t.principal_id, t.label, t.secret_sha256, t.created_at, t.expires_at, t.revoked_at, t.revision, t.last_used_at`

func tokenFields(t *cab.Token) []any {
	return []any{
		&t.ID, &t.PrincipalID, &t.Label, &t.SecretHash, atTime{&t.CreatedAt}, atTime{&t.ExpiresAt},
		atTime{&t.RevokedAt}, &t.Revision, atTime{&t.LastUsedAt},
	}
}

func scanToken(r row, t *cab.Token) error { return r.Scan(tokenFields(t)...) }

// Principal returns an account by id.
func (r *Reader) Principal(id string) (cab.Principal, error) {
	return one(r, "user", scanPrincipal, `SELECT `+principalColumns+` FROM principal p WHERE p.id = $1`, id)
}

// PrincipalByName returns an account by user name.
func (r *Reader) PrincipalByName(username string) (cab.Principal, error) {
	return one(r, "user", scanPrincipal, `SELECT `+principalColumns+` FROM principal p WHERE p.username = $1`, username)
}

// Principals lists every account by name.
func (r *Reader) Principals() ([]cab.Principal, error) {
	return all(r, scanPrincipal, `SELECT `+principalColumns+` FROM principal p ORDER BY p.username`)
}

type tokenAndPrincipal struct {
	token     cab.Token
	principal cab.Principal
}

// Token returns a token with its account: what every call needs.
func (r *Reader) Token(id string) (cab.Token, cab.Principal, error) {
	both, err := one(r, "token", func(r row, b *tokenAndPrincipal) error {
		return r.Scan(append(tokenFields(&b.token), principalFields(&b.principal)...)...)
	}, `SELECT `+tokenColumns+`, `+principalColumns+` FROM token t JOIN principal p ON p.id = t.principal_id WHERE t.id = $1`, id)
	return both.token, both.principal, err
}

// Credential says who a call is from: an account, and the token or the session it
// came with ("" if it came without one). It goes with the call into the
// transaction, where they are read again.
type Credential struct{ PrincipalID, TokenID, SessionID string }

// caller reads a credential's account and token, or session.
func (who Credential) caller(to **cab.Caller) statement {
	if who.SessionID != "" {
		return who.signedIn(to)
	}
	return statement{
		`SELECT ` + principalColumns + `, COALESCE(t.id, ''), COALESCE(t.expires_at, 0), COALESCE(t.revoked_at, 0)
			FROM principal p LEFT JOIN token t ON t.id = $2 AND t.principal_id = p.id WHERE p.id = $1`,
		[]any{who.PrincipalID, who.TokenID},
		func(r row) error {
			var c cab.Caller
			var t cab.Token
			err := r.Scan(append(principalFields(&c.Principal), &t.ID, atTime{&t.ExpiresAt}, atTime{&t.RevokedAt})...)
			if t.ID != "" {
				c.Token = &t
			}
			*to = &c
			return err
		},
	}
}

// Caller is who a credential is, now; nil if nobody. It is read once a batch,
// unless the batch itself has changed it.
func (tx *Tx) Caller(who Credential) (*cab.Caller, error) {
	known, ok := tx.growth.callers[who]
	if !ok || tx.growth.trails[who.PrincipalID] {
		known = new(*cab.Caller)
		if err := tx.c.run(who.caller(known)); err != nil {
			return nil, err
		}
		tx.growth.keepCaller(who, known)
	}
	return *known, nil
}

// Tokens lists an account's tokens, newest first; everybody's if principalID is
// empty.
func (r *Reader) Tokens(principalID string) ([]cab.Token, error) {
	if principalID == "" {
		return all(r, scanToken, `SELECT `+tokenColumns+` FROM token t ORDER BY t.created_at DESC, t.id DESC`)
	}
	return all(r, scanToken, `SELECT `+tokenColumns+` FROM token t WHERE t.principal_id = $1 ORDER BY t.created_at DESC, t.id DESC`, principalID)
}

func (tx *Tx) savePrincipal(change cab.Change) error {
	p := change.Principal
	switch {
	case p == nil:
	case p.Revision == 1:
		tx.c.queue(`INSERT INTO principal (id, username, role, created_at, disabled_at, revision) VALUES ($1, $2, $3, $4, $5, $6)`,
			1, p.ID, p.Username, p.Role, micros(p.CreatedAt), micros(p.DisabledAt), p.Revision)
	default:
		tx.c.queue(`UPDATE principal SET role = $2, disabled_at = $3, revision = $4 WHERE id = $1 AND revision = $5`,
			1, p.ID, p.Role, micros(p.DisabledAt), p.Revision, p.Revision-1)
	}
	return nil
}

func (tx *Tx) saveToken(change cab.Change) error {
	t := change.Token
	switch {
	case t == nil:
	case t.Revision == 1:
		tx.c.queue(`INSERT INTO token (id, principal_id, label, secret_sha256, created_at, expires_at, revoked_at, revision, last_used_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			1, t.ID, t.PrincipalID, t.Label, t.SecretHash, micros(t.CreatedAt), micros(t.ExpiresAt), micros(t.RevokedAt), t.Revision, micros(t.LastUsedAt))
	default:
		tx.c.queue(`UPDATE token SET revoked_at = $2, revision = $3 WHERE id = $1 AND revision = $4`,
			1, t.ID, micros(t.RevokedAt), t.Revision, t.Revision-1)
	}
	return nil
}
