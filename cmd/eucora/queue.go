package main

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/eucora/eucora/api"
)

type queueCmd struct {
	clientFlags
	outputFlags
	Exceptions bool     `help:"The exceptions that wait for a Security Reviewer."`
	Mine       bool     `help:"What you submitted, whatever its status."`
	Status     []string `help:"Only these statuses."`
	Limit      int      `help:"Rows." default:"50"`
	Cursor     string   `help:"Go on where the page before ended."`
}

// Run lists what waits.
func (c *queueCmd) Run(a *app) error {
	return c.ask(a, func(ctx context.Context, client *api.Client) error {
		query := url.Values{"limit": {strconv.Itoa(c.Limit)}}
		if c.Cursor != "" {
			query.Set("cursor", c.Cursor)
		}
		if c.Exceptions {
			page, err := client.PendingExceptions(ctx, query)
			if err != nil {
				return err
			}
			return c.print(a, page, func() { exceptionTable(a, page) })
		}
		if len(c.Status) > 0 {
			query.Set("status", strings.Join(c.Status, ","))
		}
		list := client.Queue
		if c.Mine {
			list = client.MyRequests
		}
		page, err := list(ctx, query)
		if err != nil {
			return err
		}
		return c.print(a, page, func() { requestTable(a, page) })
	})
}

func requestTable(a *app, page api.List[api.Request]) {
	var rows [][]string
	for _, r := range page.Results {
		rows = append(rows, []string{
			r.Name, score(r.RiskScore), r.RiskTier.Tier, r.StatusDisplay, age(r.SubmittedAt), r.Urgency, r.SubmittedBy.Username, strings.Join(r.Gate.Guards, " "),
		})
	}
	a.table([]string{"REQUEST", "SCORE", "RISK", "STATUS", "AGE", "URGENCY", "BY", "GUARDS"}, rows)
	pageEnd(a, len(rows), page.Count, page.CountCapped, page.Next)
}

func exceptionTable(a *app, page api.List[api.Exception]) {
	var rows [][]string
	for _, e := range page.Results {
		rows = append(rows, []string{e.Name, e.StatusDisplay, shortTime(e.ExpiresAt), e.RequestedBy.Username, age(e.RequestedAt), e.Reason})
	}
	a.table([]string{"EXCEPTION", "STATUS", "ENDS", "BY", "AGE", "REASON"}, rows)
	pageEnd(a, len(rows), page.Count, page.CountCapped, page.Next)
}

func pageEnd(a *app, shown, count int, capped bool, next string) {
	total := strconv.Itoa(count)
	if capped {
		total = "more than " + total
	}
	a.printf("%s\n", a.paint(dim, fmt.Sprintf("%d of %s", shown, total)))
	if next != "" {
		a.printf("%s\n", a.paint(dim, "next page: --cursor "+next))
	}
}
