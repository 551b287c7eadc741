package main

import (
	"strings"

	"github.com/eucora/eucora/internal/identity"
	"github.com/eucora/eucora/internal/workflow"
)

type userInviteCmd struct {
	siteFlags
	outputFlags
	Username string `arg:"" help:"Whose link. The account is there already; the link also resets its password."`
	URL      string `help:"Where people reach the console." default:"http://127.0.0.1:8080" env:"EUCORA_URL" placeholder:"URL"`
}

// linkPath is where the console takes a sign-in link's secret.
const linkPath = "/link/"

// Run makes a sign-in link. It is shown once.
func (c *userInviteCmd) Run(a *app) error {
	return c.run(a, func(s *site, call workflow.Call) error {
		id, secret, hash := identity.NewLink()
		link, err := s.service.Invite(a.ctx, call, c.Username, id, hash)
		if err != nil {
			return err
		}
		type invited struct {
			Link      string `json:"link"`
			ExpiresAt string `json:"expires_at"`
		}
		shown := invited{strings.TrimSuffix(c.URL, "/") + linkPath + secret, link.ExpiresAt.Format("2006-01-02T15:04:05Z")}
		return c.print(a, shown, func() {
			a.printf("%s\n", shown.Link)
			if a.terminal {
				a.printf("%s\n", a.paint(dim, "works once, until "+shortTime(link.ExpiresAt)+"; "+c.Username+" sets a password with it, and whatever sessions they had end then"))
			}
		})
	})
}

type sessionCmd struct {
	List   sessionListCmd   `cmd:"" help:"List who is signed in to the console."`
	Revoke sessionRevokeCmd `cmd:"" help:"End a session at once."`
}

type sessionListCmd struct {
	siteFlags
	outputFlags
}

// Run lists sessions.
func (c *sessionListCmd) Run(a *app) error {
	return c.run(a, func(s *site, call workflow.Call) error {
		sessions, err := s.service.Sessions(a.ctx, call)
		if err != nil {
			return err
		}
		type listed struct {
			ID       string `json:"id"`
			Username string `json:"username"`
			Role     string `json:"role"`
			Begun    string `json:"begun_at"`
			Seen     string `json:"seen_at"`
			Expires  string `json:"expires_at"`
			Address  string `json:"address"`
			Agent    string `json:"user_agent"`
		}
		all := []listed{}
		for _, row := range sessions.Rows {
			all = append(all, listed{
				row.ID, row.Principal.Username, string(row.Role), shortTime(row.CreatedAt), shortTime(row.SeenAt), shortTime(row.ExpiresAt()),
				row.Source.Address, row.Source.UserAgent,
			})
		}
		return c.print(a, all, func() {
			var rows [][]string
			for _, s := range all {
				rows = append(rows, []string{s.ID, s.Username, s.Begun, s.Seen, s.Expires, s.Address})
			}
			a.table([]string{"ID", "USER", "BEGUN", "SEEN", "EXPIRES", "ADDRESS"}, rows)
			if sessions.More {
				a.printf("there are more; these are the newest\n")
			}
		})
	})
}

type sessionRevokeCmd struct {
	siteFlags
	outputFlags
	ID string `arg:"" help:"The session's id, as session list shows it."`
}

// Run ends a session.
func (c *sessionRevokeCmd) Run(a *app) error {
	return c.run(a, func(s *site, call workflow.Call) error {
		ended, err := s.service.EndSession(a.ctx, call, c.ID)
		if err != nil {
			return err
		}
		return c.print(a, map[string]string{"id": ended.ID}, func() { a.printf("session %s opens nothing any more\n", ended.ID) })
	})
}
