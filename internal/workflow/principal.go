package workflow

import (
	"context"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store"
)

// AddUser makes an account.
func (s *Service) AddUser(ctx context.Context, call Call, username string, role cab.Role) (cab.Principal, error) {
	return do(ctx, s, call, cab.Administer, func(tx *store.Tx, c cab.Call) (cab.Principal, error) {
		known, err := optional(tx.PrincipalByName(username))
		if err != nil {
			return cab.Principal{}, err
		}
		if known != nil {
			return cab.Principal{}, &cab.Error{
				Kind: cab.Conflict, Code: "USERNAME_TAKEN",
				Message: "there is a user " + username + " already; accounts are never deleted, so the name stays taken",
			}
		}
		change, err := cab.NewPrincipal(c, newID(), username, role)
		if err != nil {
			return cab.Principal{}, err
		}
		return *change.Principal, tx.Save(change)
	})
}

// Users lists every account by name.
func (s *Service) Users(ctx context.Context, call Call) ([]cab.Principal, error) {
	return see(ctx, s, call, cab.Administer, (*store.Reader).Principals)
}

// The store's accounts, by the names that verbs use.
type (
	Account       = store.Account
	AccountFilter = store.AccountFilter
)

// Accounts lists accounts by name, a page at a time.
func (s *Service) Accounts(ctx context.Context, call Call, filter AccountFilter) (Page[Account], error) {
	return see(ctx, s, call, cab.Administer, func(r *store.Reader) (Page[Account], error) {
		filter.Now = s.now()
		return r.Accounts(filter)
	})
}

// AccountTokens is an account and a page of its tokens, newest first.
type AccountTokens struct {
	cab.Principal
	Now    time.Time // at which tokens are judged
	Tokens Page[cab.Token]
}

// Account reads an account and a page of its tokens.
func (s *Service) Account(ctx context.Context, call Call, username, cursor string) (AccountTokens, error) {
	return see(ctx, s, call, cab.Administer, func(r *store.Reader) (AccountTokens, error) {
		p, err := r.PrincipalByName(username)
		if err != nil {
			return AccountTokens{}, err
		}
		tokens, err := r.TokenPage(p.ID, store.Paging{Cursor: cursor})
		return AccountTokens{p, s.now(), tokens}, err
	})
}

func (s *Service) onUser(ctx context.Context, call Call, username string, act func(p cab.Principal, c cab.Call) (cab.Change, error)) (cab.Principal, error) {
	return do(ctx, s, call, cab.Administer, func(tx *store.Tx, c cab.Call) (cab.Principal, error) {
		p, err := tx.PrincipalByName(username)
		if err != nil {
			return cab.Principal{}, err
		}
		change, err := act(p, c)
		if err != nil {
			return cab.Principal{}, err
		}
		return *change.Principal, tx.Save(change)
	})
}

// DisableUser ends an account's access at once.
func (s *Service) DisableUser(ctx context.Context, call Call, username string) (cab.Principal, error) {
	return s.onUser(ctx, call, username, cab.Principal.Disable)
}

// ChangeRole gives an account another role.
func (s *Service) ChangeRole(ctx context.Context, call Call, username string, role cab.Role) (cab.Principal, error) {
	return s.onUser(ctx, call, username, func(p cab.Principal, c cab.Call) (cab.Change, error) {
		return p.ChangeRole(c, role)
	})
}

// IssueToken makes a token for an account. The caller has made the secret and
// shows it once; only its hash gets here.
func (s *Service) IssueToken(ctx context.Context, call Call, username, id, label, secretHash string, forDays int) (cab.Token, error) {
	return do(ctx, s, call, cab.Administer, func(tx *store.Tx, c cab.Call) (cab.Token, error) {
		p, err := tx.PrincipalByName(username)
		if err != nil {
			return cab.Token{}, err
		}
		change, err := cab.NewToken(c, p, id, label, secretHash, forDays)
		if err != nil {
			return cab.Token{}, err
		}
		return *change.Token, tx.Save(change)
	})
}

// Tokens lists an account's tokens, newest first; of every account if username
// is empty.
func (s *Service) Tokens(ctx context.Context, call Call, username string) ([]cab.Token, error) {
	return see(ctx, s, call, cab.Administer, func(r *store.Reader) ([]cab.Token, error) {
		if username == "" {
			return r.Tokens("")
		}
		p, err := r.PrincipalByName(username)
		if err != nil {
			return nil, err
		}
		return r.Tokens(p.ID)
	})
}

// RevokeToken ends a token at once.
func (s *Service) RevokeToken(ctx context.Context, call Call, id string) (cab.Token, error) {
	return do(ctx, s, call, cab.Administer, func(tx *store.Tx, c cab.Call) (cab.Token, error) {
		t, _, err := tx.Token(id)
		if err != nil {
			return cab.Token{}, err
		}
		change, err := t.Revoke(c)
		if err != nil {
			return cab.Token{}, err
		}
		return *change.Token, tx.Save(change)
	})
}
