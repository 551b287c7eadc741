package console

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/workflow"
	"github.com/go-json-experiment/json"
)

// auditPage is a search of the ledger.
type auditPage struct {
	ID, Actor    string
	Types        []option
	Since, Until string // days
	Problem      string // what of it cannot be searched for
	Field        string
	Own          bool // whoever looks sees only what concerns them
	Filtered     bool
	Count        string
	Rows         []eventRow
	Next         string
	Cursor       bool
	Exports      []link
	Ledger       *ledgerView // nil on pages after the first
}

// link is an address with its words.
type link struct{ Path, Text string }

// eventRow is an event in a list.
type eventRow struct {
	step
	Type  string // in words
	Trail string // the correlation id; "" if it belongs to none
	About string // by the name that people know it by; "" if it has only an id
	ID    string // of what it is about, with its kind
}

// ledgerView is how far the ledger is signed and witnessed.
type ledgerView struct {
	workflow.LedgerState
	Root string
	Lag  int64 // events that the newest checkpoint does not cover
}

// dayForm is what a date's field sends.
const dayForm = time.DateOnly

var systemActors = []cab.Actor{cab.RiskGate, cab.Clock, cab.Setup, cab.Guard}

// auditFilter reads a search. What cannot be searched for is said, and finds nothing.
func (v *visit) auditFilter(query url.Values) (auditPage, workflow.EventFilter) {
	text := func(name string) string { return cut(strings.TrimSpace(clip(query.Get(name), 400)), 100) }
	page := auditPage{ID: text("id"), Actor: text("actor"), Since: text("since"), Until: text("until")}
	page.Own = cab.AccessOf(v.call.Actor.Role, cab.ReadEvents) != cab.All
	types := []option{{"", "Any", false}}
	for _, t := range cab.EventTypes() {
		types = append(types, option{string(t), eventText(t), false})
	}
	var kind string
	kind, page.Types = options(query.Get("type"), types...)
	filter := workflow.EventFilter{Type: cab.EventType(kind), Trail: trailID(page.ID)}
	filter.ActorID, filter.ActorName = actorOf(page.Actor)
	var problem string
	if filter.Since, problem = day(page.Since); problem != "" {
		page.Field, page.Problem = "since", problem
	}
	if filter.Until, problem = day(page.Until); problem != "" {
		page.Field, page.Problem = "until", problem
	} else if !filter.Until.IsZero() {
		filter.Until = filter.Until.AddDate(0, 0, 1) // that day is part of it
	}
	if page.Problem == "" && !filter.Until.IsZero() && !filter.Since.Before(filter.Until) {
		page.Field, page.Problem = "until", "The last day is before the first."
	}
	page.Filtered = page.ID+page.Actor+kind+page.Since+page.Until != ""
	return page, filter
}

// day reads a day; "" is none.
func day(text string) (time.Time, string) {
	if text == "" {
		return time.Time{}, ""
	}
	at, err := time.Parse(dayForm, text)
	if err != nil || at.Year() < 1 || at.Year() > 9998 {
		return time.Time{}, "“" + cut(text, 20) + "” is not a day. Write it as 2026-11-25."
	}
	return at, ""
}

// trailID is an id as the ledger has it.
func trailID(text string) string {
	id := strings.ToLower(text)
	if strings.HasPrefix(id, "cab-") || strings.HasPrefix(id, "exc-") {
		return strings.ToUpper(id)
	}
	return id
}

var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// actorOf tells ids of accounts from their names, and knows what the product does by
// itself by name and by id.
func actorOf(text string) (id, name string) {
	small := strings.ToLower(text)
	at := slices.IndexFunc(systemActors, func(a cab.Actor) bool { return a.Name == small || a.ID == small })
	switch {
	case at >= 0:
		return systemActors[at].ID, ""
	case uuidForm.MatchString(small):
		return small, ""
	}
	return "", small
}

// eventText is a type of event for people.
func eventText(t cab.EventType) string {
	return strings.Replace(capital(strings.ToLower(words(string(t)))), "Cab ", "CAB ", 1)
}

// audit is the search of the ledger. A number is an event's place.
func (v *visit) audit() error {
	query := v.URL.Query()
	page, filter := v.auditFilter(query)
	if seq, ok := place(strings.TrimPrefix(page.ID, "#")); ok {
		return v.redirect("/audit/" + strconv.FormatInt(seq, 10))
	}
	filter.Cursor = query.Get("cursor")
	page.Cursor = filter.Cursor != ""
	status := http.StatusBadRequest
	if page.Problem == "" {
		found, err := v.server.Service.Events(v.Context(), v.call, filter)
		if err != nil {
			return err
		}
		for _, row := range found.Rows {
			page.Rows = append(page.Rows, eventRowOf(row))
		}
		page.Count = plural(found.Count, "event", "events")
		if found.Capped {
			page.Count = "more than 10,000 events"
		}
		page.Next = nextPage(v.URL, found.Next)
		page.Exports = exportLinks(query)
		status = http.StatusOK
	}
	if !page.Cursor {
		state, err := v.server.Service.LedgerState(v.Context(), v.call)
		if err != nil {
			return err
		}
		page.Ledger = &ledgerView{state, state.Newest.Root.String(), state.WitnessState.Size - state.Newest.Size}
	}
	return v.page(status, "audit", "Audit", page)
}

// eventRowOf tells an event. One that cannot be read is shown as what it is: its own
// page says that it does not hold.
func eventRowOf(row workflow.EventRow) eventRow {
	var e cab.Event
	if json.Unmarshal(row.Leaf, &e) != nil {
		return eventRow{step: step{Seq: row.Seq, What: "cannot be read", Class: "bad"}}
	}
	e.Seq = row.Seq
	return toldEvent(e)
}

func toldEvent(e cab.Event) eventRow {
	told := stepsOf(workflow.Trail{Events: []cab.Event{e}})[0]
	return eventRow{step: told, Type: eventText(e.Type), Trail: e.CorrelationID, About: aboutText(e), ID: words(string(e.Subject.Kind)) + " " + e.Subject.ID}
}

// aboutText is the name of what an event is about.
func aboutText(e cab.Event) string {
	d := e.Data
	switch {
	case e.Subject.Kind == cab.KindRequest && d.Request != nil:
		return d.Request.Name
	case e.Subject.Kind == cab.KindDeployment && d.Deployment != nil:
		return d.Deployment.AppName + " " + d.Deployment.AppVersion
	case e.Subject.Kind == cab.KindException && d.Exception != nil:
		return d.Exception.Name
	case d.Principal != nil:
		return d.Principal.Username + ", " + roleText(d.Principal.Role)
	case d.Token != nil:
		return "a token, " + d.Token.Label
	case d.Model != nil:
		return "risk model " + d.Model.Version
	case d.Policy != nil:
		return "policy " + d.Policy.Version
	}
	return ""
}

// place reads an event's place in the ledger, as it is written and no other way.
func place(text string) (int64, bool) {
	seq, err := strconv.ParseInt(text, 10, 64)
	return seq, err == nil && seq >= 0 && strconv.FormatInt(seq, 10) == text
}

// eventPage is one event, and whether it is in the ledger.
type eventPage struct {
	workflow.ProvenEvent
	Row     eventRow
	Root    string
	Failure string // why it does not hold
	Text    string // the leaf, as far as a page bears
	Cut     bool
	Links   []link
	Checked time.Time
}

// mostLeaf is how much of a leaf is shown, in characters.
const mostLeaf = 20_000

func (v *visit) event() error {
	seq, ok := place(v.PathValue("seq"))
	if !ok {
		return &cab.Error{Kind: cab.NotFound, Code: "NOT_FOUND", Message: "there is no event at this place"}
	}
	proven, err := v.server.Service.ProvenEvent(v.Context(), v.call, seq)
	if err != nil {
		return err
	}
	leaf := strings.ToValidUTF8(string(proven.Leaf), "\ufffd")
	page := eventPage{ProvenEvent: proven, Row: toldEvent(proven.Event), Text: cut(leaf, mostLeaf), Checked: v.server.Clock()}
	page.Cut = page.Text != leaf
	if proven.Failure != nil {
		page.Failure = sentence(strings.ReplaceAll(proven.Failure.Error(), "\n", "; "))
		v.server.Log.Error("an event does not hold", "correlation_id", v.reference, "event", seq, "error", proven.Failure)
	} else {
		page.Root = proven.Checkpoint.Root.String()
	}
	page.Links = v.eventLinks(proven.Event)
	return v.page(http.StatusOK, "event", "Event "+strconv.FormatInt(seq, 10), page)
}

// eventLinks lead to what an event is about, where whoever looks may surely go.
func (v *visit) eventLinks(e cab.Event) []link {
	var links []link
	if r := e.Data.Request; r != nil && cab.PermitOn(v.call.Actor, cab.ReadRequest, r.Holding()) == nil && cab.AccessOf(v.call.Actor.Role, cab.ReadRequest) != cab.Approved {
		links = append(links, link{"/requests/" + r.Name, "The request " + r.Name})
	}
	if x := e.Data.Exception; x != nil && cab.PermitOn(v.call.Actor, cab.ReadException, x.Holding(v.server.Clock())) == nil && cab.AccessOf(v.call.Actor.Role, cab.ReadException) != cab.Approved {
		links = append(links, link{"/exceptions/" + x.Name, "The exception " + x.Name})
	}
	if e.CorrelationID != "" {
		links = append(links, link{"/audit?" + url.Values{"id": {e.CorrelationID}}.Encode(), "The whole trail"})
	}
	return links
}
