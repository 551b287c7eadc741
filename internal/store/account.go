package store

import (
	"fmt"
	"time"

	"github.com/eucora/eucora/internal/cab"
)

// Account is an account with what there is about its tokens.
type Account struct {
	cab.Principal
	Tokens   int       // that can be used
	LastUsed time.Time // of any of its tokens; zero if none ever was
}

// AccountFilter chooses accounts. The cursor is the last name of the page before.
type AccountFilter struct {
	Paging
	Text string // in the name
	Role cab.Role
	Now  time.Time // at which tokens are judged
}

// Accounts lists accounts by name.
func (r *Reader) Accounts(f AccountFilter) (Page[Account], error) {
	var w where
	if f.Text != "" {
		w.add(`p.username LIKE ? ESCAPE '\'`, "%"+likeText(f.Text)+"%") // names are in small letters
	}
	w.equal("p.role", string(f.Role))
	limited := w.clone()
	if f.Cursor != "" {
		limited.add("p.username > ?", f.Cursor)
	}
	limited.args = append(limited.args, micros(f.Now), f.limit()+1)
	var result Page[Account]
	err := r.c.run(
		into(&result.Rows, func(r row, a *Account) error {
			return r.Scan(append(principalFields(&a.Principal), &a.Tokens, atTime{&a.LastUsed})...)
		}, fmt.Sprintf(`SELECT %s, (SELECT COUNT(*) FROM token t WHERE t.principal_id = p.id AND t.revoked_at = 0 AND t.expires_at > $%d),
			COALESCE((SELECT MAX(t.last_used_at) FROM token t WHERE t.principal_id = p.id), 0)
			FROM principal p%s ORDER BY p.username LIMIT $%d`, principalColumns, len(limited.args)-1, limited.sql(), len(limited.args)), limited.args...),
		counting(&result.Count, "principal p"+w.sql(), w.args))
	if err != nil {
		return Page[Account]{}, err
	}
	finish(&result, f.limit(), func(*Account) cursor { return cursor{} })
	if result.Next != "" {
		result.Next = result.Rows[len(result.Rows)-1].Username
	}
	return result, nil
}

// TokenPage lists an account's tokens, newest first, a page at a time.
func (r *Reader) TokenPage(principalID string, p Paging) (Page[cab.Token], error) {
	l := listing[cab.Token]{
		columns: tokenColumns, from: "token t", time: "t.created_at", id: "t.id", scan: scanToken,
		key: func(t *cab.Token) cursor { return cursor{micros(t.CreatedAt), t.ID} },
	}
	l.where.add("t.principal_id = ?", principalID)
	return page(r, p, l)
}
