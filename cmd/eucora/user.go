package main

import (
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/workflow"
)

type userCmd struct {
	Add     userAddCmd     `cmd:"" help:"Make an account."`
	List    userListCmd    `cmd:"" help:"List accounts."`
	Invite  userInviteCmd  `cmd:"" help:"Make a link with which a person sets their password for the console, once."`
	Disable userDisableCmd `cmd:"" help:"End an account's access at once. Accounts are never deleted."`
	Role    userRoleCmd    `cmd:"" help:"Give an account another role."`
}

const rolesHelp = "packaging_engineer, cab_member, security_reviewer, publisher, auditor or admin."

type userAddCmd struct {
	siteFlags
	outputFlags
	Username string `arg:"" help:"User name."`
	Role     string `help:"${roles}" required:"" placeholder:"ROLE"`
}

// Run makes an account.
func (c *userAddCmd) Run(a *app) error {
	return c.run(a, func(s *site, call workflow.Call) error {
		role, err := cab.ParseRole(c.Role)
		if err != nil {
			return usage("%v", err)
		}
		p, err := s.service.AddUser(a.ctx, call, c.Username, role)
		if err != nil {
			return err
		}
		return c.print(a, p, func() { a.printf("%s is a user now, as %s\n", p.Username, p.Role) })
	})
}

type userListCmd struct {
	siteFlags
	outputFlags
}

// Run lists accounts.
func (c *userListCmd) Run(a *app) error {
	return c.run(a, func(s *site, call workflow.Call) error {
		users, err := s.service.Users(a.ctx, call)
		if err != nil {
			return err
		}
		if users == nil {
			users = []cab.Principal{} // [] in JSON
		}
		return c.print(a, users, func() {
			var rows [][]string
			for _, p := range users {
				state := "enabled"
				if !p.DisabledAt.IsZero() {
					state = "disabled " + shortTime(p.DisabledAt)
				}
				rows = append(rows, []string{p.Username, string(p.Role), state, p.ID})
			}
			a.table([]string{"USER", "ROLE", "STATE", "ID"}, rows)
		})
	})
}

type userDisableCmd struct {
	siteFlags
	outputFlags
	Username string `arg:"" help:"User name."`
}

// Run disables an account.
func (c *userDisableCmd) Run(a *app) error {
	return c.run(a, func(s *site, call workflow.Call) error {
		p, err := s.service.DisableUser(a.ctx, call, c.Username)
		if err != nil {
			return err
		}
		return c.print(a, p, func() { a.printf("%s is disabled; its tokens and sessions open nothing\n", p.Username) })
	})
}

type userRoleCmd struct {
	siteFlags
	outputFlags
	Username string `arg:"" help:"User name."`
	Role     string `arg:"" help:"${roles}"`
}

// Run changes an account's role.
func (c *userRoleCmd) Run(a *app) error {
	return c.run(a, func(s *site, call workflow.Call) error {
		role, err := cab.ParseRole(c.Role)
		if err != nil {
			return usage("%v", err)
		}
		p, err := s.service.ChangeRole(a.ctx, call, c.Username, role)
		if err != nil {
			return err
		}
		return c.print(a, p, func() { a.printf("%s is %s now\n", p.Username, p.Role) })
	})
}
