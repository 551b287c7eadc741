package main

import (
	"context"
	"net/url"
	"strconv"

	"github.com/eucora/eucora/api"
)

type noticeCmd struct {
	List   noticeListCmd   `cmd:"" help:"Notices on their way, and those given up. What has arrived is not listed."`
	Resend noticeResendCmd `cmd:"" help:"Try notices again that were given up."`
}

type noticeListCmd struct {
	clientFlags
	outputFlags
	Dead   bool   `help:"Only those given up."`
	Limit  int    `help:"Rows." default:"50"`
	Cursor string `help:"Go on where the page before ended."`
}

// Run lists notices.
func (c *noticeListCmd) Run(a *app) error {
	return c.ask(a, func(ctx context.Context, client *api.Client) error {
		query := url.Values{"limit": {strconv.Itoa(c.Limit)}, "dead": {strconv.FormatBool(c.Dead)}}
		if c.Cursor != "" {
			query.Set("cursor", c.Cursor)
		}
		page, err := client.Notices(ctx, query)
		if err != nil {
			return err
		}
		return c.print(a, page, func() { noticeTable(a, page) })
	})
}

func noticeTable(a *app, page api.List[api.Notice]) {
	var rows [][]string
	for _, n := range page.Results {
		state := "next " + shortTime(n.NextAt)
		if n.IsDead {
			state = "given up"
		}
		rows = append(rows, []string{n.ID, n.Channel, n.To, n.Type, n.Name, strconv.Itoa(n.Attempts), state, n.Error})
	}
	a.table([]string{"NOTICE", "CHANNEL", "TO", "TYPE", "ABOUT", "ATTEMPTS", "STATE", "ERROR"}, rows)
	pageEnd(a, len(rows), page.Count, page.CountCapped, page.Next)
}

type noticeResendCmd struct {
	clientFlags
	outputFlags
	Notices []string `arg:"" help:"Ids, as eucora notice list prints them."`
}

// Run has notices tried again.
func (c *noticeResendCmd) Run(a *app) error {
	return c.ask(a, func(ctx context.Context, client *api.Client) error {
		var sent []api.Notice
		for _, id := range c.Notices {
			n, err := client.ResendNotice(ctx, id)
			if err != nil {
				return err
			}
			sent = append(sent, n)
		}
		return c.print(a, sent, func() { a.printf("%d will be tried again now\n", len(sent)) })
	})
}
