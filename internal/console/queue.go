package console

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/workflow"
)

// option is one of a choice.
type option struct {
	Value, Text string
	Chosen      bool
}

// options marks what is chosen; what is none of them is the first.
func options(chosen string, all ...option) (string, []option) {
	at := max(0, slices.IndexFunc(all, func(o option) bool { return o.Value == chosen }))
	all[at].Chosen = true
	return all[at].Value, all
}

// queuePage is a list of requests.
type queuePage struct {
	Title    string
	Ask      string // what is asked of whoever looks
	Empty    string // what to do if there is nothing
	Text     string
	Statuses []option
	Risks    []option
	Rings    []option
	Orders   []option
	Filtered bool
	Count    string
	Rows     []queueRow
	Next     string // address of the next page
	Decides  bool   // whoever looks may decide
	Cursor   bool   // not the first page
}

// queueRow is a request in a list.
type queueRow struct {
	Name, App, Version string
	Ring               cab.Ring
	Score              string
	Band               band
	Status             cab.Status
	StatusText, Class  string
	Submitter          string
	Submitted          time.Time
	Age                string
	Due                due
	Open, Urgent       bool
	Guards             []string
	Reviewers          []string
}

// The statuses of a filter that are several.
var (
	waitingForCAB = []cab.Status{cab.Submitted, cab.UnderReview}
	open          = []cab.Status{cab.Submitted, cab.UnderReview, cab.NeedsException}
	approved      = []cab.Status{cab.AutoApproved, cab.ApprovedByCAB, cab.ConditionallyApp}
)

var requestNameForm = regexp.MustCompile(`(?i)^CAB-[0-9A-F]{12}$`)

// queue is the list of requests: what waits for whoever looks, unless they ask for
// others.
func (v *visit) queue() error {
	query := v.URL.Query()
	if text := strings.TrimSpace(query.Get("q")); requestNameForm.MatchString(text) {
		return v.redirect("/requests/" + strings.ToUpper(text))
	}
	page, filter, band := v.queueFilter(query)
	board, err := v.server.Service.Board(v.Context(), v.call, filter, band)
	if err != nil {
		return err
	}
	now := v.server.Clock()
	for _, row := range board.Rows {
		page.Rows = append(page.Rows, rowOf(row, now))
	}
	page.Count = plural(board.Count, "request", "requests")
	if board.Capped {
		page.Count = "more than 10,000 requests"
	}
	page.Next = nextPage(v.URL, board.Next)
	return v.page(http.StatusOK, "queue", page.Title, page)
}

// queueFilter reads the query. What it does not know it takes for the first of each
// choice: an address that somebody shortened still shows something.
func (v *visit) queueFilter(query url.Values) (queuePage, workflow.BoardFilter, workflow.Band) {
	role := v.call.Actor.Role
	page := queuePage{Text: cut(strings.TrimSpace(clip(query.Get("q"), 400)), 100), Decides: cab.AccessOf(role, cab.DecideRequest) != cab.None}
	page.Title, page.Ask, page.Empty = "Requests", "Requests that wait for the Change Advisory Board.", "No request waits."
	first := []option{{"waiting", "Waiting for the board", false}, {"open", "All open", false}}
	switch role {
	case cab.CABMember:
		page.Ask, page.Empty = "These wait for your decision.", "Nothing waits for the board. Well done."
	case cab.PackagingEngineer:
		page.Title, page.Ask, page.Empty = "Your requests", "What you submitted.", "You have submitted nothing yet. File evidence and submit it with eucora submit, or by the API."
		first = []option{{"", "All", false}, {"open", "All open", false}}
	case cab.Publisher:
		page.Title, page.Ask, page.Empty = "Approved", "What has been approved, and may be deployed while its approval stands.", "Nothing has been approved yet."
		first = []option{{"", "All approved", false}}
	}
	all := first
	if role != cab.Publisher {
		all = append(all, option{"approved", "Approved", false}, option{"rejected", "Rejected", false}, option{"exception_required", "Exception required", false}, option{"withdrawn", "Withdrawn", false}, option{"revoked", "Revoked", false})
		if first[0].Value != "" {
			all = append(all, option{"all", "All", false})
		}
	}
	var status, risk, ring, order string
	status, page.Statuses = options(query.Get("status"), all...)
	risk, page.Risks = options(query.Get("risk"), option{"", "Any risk", false}, option{"low", "Low", false}, option{"medium", "Medium", false}, option{"high", "High", false})
	rings := []option{{"", "Any ring", false}}
	for _, r := range cab.Rings() {
		rings = append(rings, option{string(r), string(r), false})
	}
	ring, page.Rings = options(query.Get("ring"), rings...)
	filter := workflow.BoardFilter{Text: page.Text, Ring: cab.Ring(ring), Statuses: statusesOf(status)}
	orders := []option{{"due", "Due first", false}, {"risk", "Highest risk first", false}, {"newest", "Newest first", false}}
	if !slices.Contains([]string{"waiting", "open", "exception_required"}, status) {
		orders = orders[2:] // those that are decided are not due
	}
	order, page.Orders = options(query.Get("sort"), orders...)
	filter.Order = workflow.BoardOrder(order)
	filter.Cursor = query.Get("cursor")
	page.Cursor = filter.Cursor != ""
	page.Filtered = page.Text != "" || risk != "" || ring != "" || status != all[0].Value
	return page, filter, workflow.Band(risk)
}

func statusesOf(choice string) []cab.Status {
	switch choice {
	case "waiting":
		return waitingForCAB
	case "open":
		return open
	case "approved":
		return approved
	case "", "all":
		return nil
	}
	return []cab.Status{cab.Status(choice)}
}

// nextPage is the address of the next page; "" if there is none.
func nextPage(u *url.URL, cursor string) string {
	if cursor == "" {
		return ""
	}
	query := u.Query()
	query.Set("cursor", cursor)
	return u.Path + "?" + query.Encode()
}

func rowOf(r workflow.BoardRow, now time.Time) queueRow {
	row := queueRow{
		Name: r.Name, App: r.AppName, Version: r.AppVersion, Ring: r.Ring, Score: r.Score.String(), Band: bandOf(r.Score, r.Gate.Thresholds),
		Status: r.Status, StatusText: r.Status.StatusText(), Class: statusClass(r.Status), Submitter: r.SubmittedBy.Username,
		Submitted: r.SubmittedAt, Age: span(now.Sub(r.SubmittedAt)), Open: r.Status.Open(), Urgent: r.Urgency == cab.Urgent,
	}
	for _, guard := range r.Gate.Guards {
		row.Guards = append(row.Guards, words(guard))
	}
	if row.Open {
		row.Due = dueIn(now, r.SubmittedAt, r.DueAt)
	}
	for _, p := range r.Reviewers {
		row.Reviewers = append(row.Reviewers, p.Username)
	}
	return row
}

// exceptionsPage is a list of exceptions.
type exceptionsPage struct {
	Ask, Empty string
	Statuses   []option
	Count      string
	Rows       []exceptionRow
	Next       string
	Cursor     bool
}

// exceptionRow is an exception in a list.
type exceptionRow struct {
	Name, App, Version string
	Ring               cab.Ring
	Request            string
	Scored             bool // whoever looks may see the score
	Score              string
	Band               band
	StatusText, Class  string
	Requester          string
	Requested          time.Time
	Age                string
	Left               string // until it expires; "" if that does not matter any more
	Expires            time.Time
	Controls           string
}

func (v *visit) exceptions() error {
	query := v.URL.Query()
	page := exceptionsPage{Ask: "Exceptions that wait for a Security Reviewer.", Empty: "No exception waits."}
	choices := []option{{"pending", "Waiting", false}, {"approved", "In force", false}, {"rejected", "Rejected", false}, {"expired", "Expired", false}, {"revoked", "Revoked", false}, {"all", "All", false}}
	switch v.call.Actor.Role {
	case cab.SecurityReviewer:
		page.Ask, page.Empty = "These wait for your decision.", "No exception waits for you. Well done."
	case cab.PackagingEngineer:
		page.Ask, page.Empty = "What you asked for.", "You have asked for no exception. A request above the exception threshold says so, and how to ask."
		choices = append(choices[5:], choices[:5]...)
	case cab.Publisher:
		page.Ask, page.Empty = "Exceptions in force.", "No exception is in force."
		choices = choices[1:2]
	}
	var status string
	status, page.Statuses = options(query.Get("status"), choices...)
	filter := workflow.ExceptionFilter{}
	if status != "all" {
		filter.Status = cab.ExceptionStatus(status)
	}
	filter.Cursor = query.Get("cursor")
	board, err := v.server.Service.ExceptionBoard(v.Context(), v.call, filter)
	if err != nil {
		return err
	}
	now := v.server.Clock()
	for _, row := range board.Rows {
		page.Rows = append(page.Rows, exceptionRowOf(row, now))
	}
	page.Count = plural(board.Count, "exception", "exceptions")
	page.Next, page.Cursor = nextPage(v.URL, board.Next), filter.Cursor != ""
	return v.page(http.StatusOK, "exceptions", "Exceptions", page)
}

func exceptionRowOf(r workflow.ExceptionRow, now time.Time) exceptionRow {
	status := r.Effective(now)
	row := exceptionRow{
		Name: r.Name, App: r.AppName, Version: r.AppVersion, Ring: r.Ring, Request: r.RequestName, Scored: r.Gate.Decision != "", Score: r.Score.String(),
		Band: bandOf(r.Score, r.Gate.Thresholds), StatusText: exceptionText(status), Class: exceptionClass(status),
		Requester: r.Requester.Username, Requested: r.RequestedAt, Age: span(now.Sub(r.RequestedAt)), Expires: r.ExpiresAt,
		Controls: plural(len(r.Controls), "control", "controls"),
	}
	if status == cab.ExceptionPending || status == cab.ExceptionGranted {
		row.Left = span(r.ExpiresAt.Sub(now)) + " left"
	}
	return row
}

// exceptionText is an exception's status for people.
func exceptionText(s cab.ExceptionStatus) string {
	if s == cab.ExceptionGranted {
		return "In force"
	}
	return capital(string(s))
}
