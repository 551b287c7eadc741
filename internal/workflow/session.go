package workflow

import (
	"context"
	"slices"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store"
)

// SessionRow is a session of the console with its account.
type SessionRow = store.SessionRow

// Invite makes a sign-in link for an account, in place of any that it has. The
// caller has made the secret and shows it once; only its hash gets here.
func (s *Service) Invite(ctx context.Context, call Call, username, id, secretHash string) (cab.SignInLink, error) {
	return do(ctx, s, call, cab.Administer, func(tx *store.Tx, c cab.Call) (cab.SignInLink, error) {
		p, err := tx.PrincipalByName(username)
		if err != nil {
			return cab.SignInLink{}, err
		}
		link, change, err := p.Invite(c, id, secretHash)
		if err != nil {
			return cab.SignInLink{}, err
		}
		return link, tx.SaveSignInLink(link, change)
	})
}

// SessionList is sessions that can be used, newest first.
type SessionList struct {
	Rows []SessionRow
	More bool // there are others
}

// Sessions lists those of every account, to whoever administers.
func (s *Service) Sessions(ctx context.Context, call Call) (SessionList, error) {
	return see(ctx, s, call, cab.Administer, func(r *store.Reader) (SessionList, error) { return s.liveSessions(r, "") })
}

// MySessions lists the caller's own.
func (s *Service) MySessions(ctx context.Context, call Call) (SessionList, error) {
	return see(ctx, s, call, cab.ReadSelf, func(r *store.Reader) (SessionList, error) { return s.liveSessions(r, call.Actor.ID) })
}

func (s *Service) liveSessions(r *store.Reader, principalID string) (SessionList, error) {
	now := s.now()
	rows, more, err := r.Sessions(principalID, now)
	rows = slices.DeleteFunc(rows, func(row SessionRow) bool { return !row.Live(row.Principal, now) })
	return SessionList{rows, more}, err
}

// EndSession ends a session: one's own, or any for whoever administers. A session
// that is another's is not there for anybody else.
func (s *Service) EndSession(ctx context.Context, call Call, id string) (cab.Session, error) {
	action := cab.ReadSelf
	if call.Actor == cab.Setup {
		action = cab.Administer
	}
	return do(ctx, s, call, action, func(tx *store.Tx, c cab.Call) (cab.Session, error) {
		row, err := tx.Session(id)
		if err != nil {
			return cab.Session{}, err
		}
		change, err := row.Principal.End(c, row.Session)
		if cab.KindOf(err) == cab.Forbidden {
			err = &cab.Error{Kind: cab.NotFound, Code: "NOT_FOUND", Message: "there is no such session"}
		}
		if err != nil {
			return cab.Session{}, err
		}
		return row.Session, tx.EndSession(row.ID, c.Now, change)
	})
}
