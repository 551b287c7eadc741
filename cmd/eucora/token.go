package main

import (
	"github.com/eucora/eucora/internal/identity"
	"github.com/eucora/eucora/internal/workflow"
)

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Issue a token. It is shown once."`
	List   tokenListCmd   `cmd:"" help:"List tokens, without their secrets."`
	Revoke tokenRevokeCmd `cmd:"" help:"End a token at once."`
}

type tokenCreateCmd struct {
	siteFlags
	outputFlags
	Username string `arg:"" help:"Whose token."`
	Days     int    `help:"Days until it expires, 1 to 365." default:"90"`
	Label    string `help:"What it is for."`
}

// issued is a token as --json prints it.
type issued struct {
	ID        string `json:"id"`
	Token     string `json:"token"`
	ExpiresAt string `json:"expires_at"`
}

// Run issues a token.
func (c *tokenCreateCmd) Run(a *app) error {
	return c.run(a, func(s *site, call workflow.Call) error {
		id, token, hash := identity.NewSecret()
		t, err := s.service.IssueToken(a.ctx, call, c.Username, id, c.Label, hash, c.Days)
		if err != nil {
			return err
		}
		return c.print(a, issued{t.ID, token, t.ExpiresAt.Format("2006-01-02T15:04:05Z")}, func() {
			a.printf("%s\n", token)
			if a.terminal {
				a.printf("%s\n", a.paint(dim, "shown once; good until "+shortTime(t.ExpiresAt)))
			}
		})
	})
}

type tokenListCmd struct {
	siteFlags
	outputFlags
	Username string `arg:"" optional:"" help:"Whose tokens; everybody's if left out."`
}

// Run lists tokens.
func (c *tokenListCmd) Run(a *app) error {
	return c.run(a, func(s *site, call workflow.Call) error {
		tokens, err := s.service.Tokens(a.ctx, call, c.Username)
		if err != nil {
			return err
		}
		users, err := s.service.Users(a.ctx, call)
		if err != nil {
			return err
		}
		names := map[string]string{}
		for _, p := range users {
			names[p.ID] = p.Username
		}
		type listed struct {
			ID       string `json:"id"`
			Username string `json:"username"`
			Label    string `json:"label"`
			Created  string `json:"created_at"`
			Expires  string `json:"expires_at"`
			LastUsed string `json:"last_used_at,omitzero"`
			Revoked  string `json:"revoked_at,omitzero"`
		}
		all := []listed{}
		for _, t := range tokens {
			all = append(all, listed{t.ID, names[t.PrincipalID], t.Label, shortTime(t.CreatedAt), shortTime(t.ExpiresAt), shortTime(t.LastUsedAt), shortTime(t.RevokedAt)})
		}
		return c.print(a, all, func() {
			var rows [][]string
			for _, t := range all {
				rows = append(rows, []string{t.ID, t.Username, t.Label, t.Expires, t.LastUsed, t.Revoked})
			}
			a.table([]string{"ID", "USER", "LABEL", "EXPIRES", "LAST USED", "REVOKED"}, rows)
		})
	})
}

type tokenRevokeCmd struct {
	siteFlags
	outputFlags
	ID string `arg:"" help:"The token's id (32 hex digits; the part after euc_)."`
}

// Run revokes a token.
func (c *tokenRevokeCmd) Run(a *app) error {
	return c.run(a, func(s *site, call workflow.Call) error {
		t, err := s.service.RevokeToken(a.ctx, call, c.ID)
		if err != nil {
			return err
		}
		return c.print(a, t, func() { a.printf("token %s opens nothing any more\n", t.ID) })
	})
}
