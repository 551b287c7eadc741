package console

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/workflow"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// draft is a decision that somebody is writing. It travels with the forms, and is
// never lost: whatever is refused shows it again.
type draft struct {
	Act        cab.Act
	Rationale  string
	Conditions string  // a line each, name: value
	Seen       int64   // the revision that they looked at
	Notice     string  // what they have to know first
	Problem    string  // what is wrong with it
	Field      string  // the field that it is wrong in
	Done       cab.Act // what they have just done, they say
}

// Of reports whether the draft is about an act: for the choice that is made.
func (d draft) Of(act cab.Act) bool { return d.Act == act }

// Written reports whether there is anything to lose.
func (d draft) Written() bool { return d.Rationale != "" || d.Conditions != "" }

func (v *visit) draft() draft {
	seen, _ := strconv.ParseInt(v.form.Get("seen"), 10, 64) // what is no number has seen nothing, and is refused as such
	return draft{
		Act: cab.Act(v.form.Get("act")), Rationale: strings.TrimSpace(v.form.Get("rationale")),
		Conditions: strings.TrimSpace(v.form.Get("conditions")), Seen: seen,
	}
}

// decisionForm is what whoever looks can do with a request.
type decisionForm struct {
	Votes     bool   // they may approve or reject
	NoApprove string // why they cannot approve, where they may reject
	Review    bool
	Withdraw  bool
	Revoke    bool
	Until     string // how long an approval would be good
	Outcome   string // what an approval makes of the request
	Act       cab.Act
	Why       string // why they cannot decide, though their role may
}

func formOf(d *workflow.Dossier, actor cab.Actor) *decisionForm {
	form := &decisionForm{}
	for _, c := range d.Choices {
		can := c.Refusal == nil
		switch c.Act {
		case cab.ActApprove:
			form.Votes = can
			if can {
				form.Until, form.Outcome = untilText(c), outcomeText(d, c)
			} else {
				form.NoApprove = sentence(message(c.Refusal))
			}
		case cab.ActReject:
			form.Votes = can
			if !can && d.Status.Open() {
				form.Why = sentence(message(c.Refusal))
			}
		case cab.ActReview:
			form.Review = can && !slices.Contains(d.Reviewers, actor.Person())
		case cab.ActWithdraw:
			form.Withdraw = can
		case cab.ActRevoke:
			form.Revoke = can
		}
	}
	if *form == (decisionForm{NoApprove: form.NoApprove}) {
		return nil
	}
	return form
}

// Can reports whether there is anything to send.
func (f *decisionForm) Can() bool { return f != nil && (f.Votes || f.Review || f.Withdraw || f.Revoke) }

func untilText(c workflow.Choice) string {
	if c.ValidUntil.IsZero() {
		return "until it is known: other approvals are wanted first"
	}
	return when(c.ValidUntil)
}

func outcomeText(d *workflow.Dossier, c workflow.Choice) string {
	if c.Outcome == cab.UnderReview {
		return "Yours is one of " + plural(d.Quorum, "approval", "approvals") + " that are wanted; the request stays under review."
	}
	return "The request is approved by it."
}

// message is a refusal's, for the person who is refused.
func message(err error) string {
	if e, ok := err.(*cab.Error); ok {
		return e.Message
	}
	return err.Error()
}

// acts are what a form can ask for, with what they are called.
var acts = map[cab.Act]struct{ button, title, class string }{
	cab.ActApprove:  {"Approve", "Approve", "good"},
	cab.ActReject:   {"Reject", "Reject", "bad"},
	cab.ActWithdraw: {"Take it back", "Take back", "none"},
	cab.ActRevoke:   {"Revoke the approval", "Revoke the approval of", "bad"},
}

// confirmPage shows what is about to be signed off.
type confirmPage struct {
	*workflow.Dossier
	Row           queueRow
	Draft         draft
	Title, Button string
	Class         string
	Approves      bool
	Outcome       string
	Until         string
	Conditions    []condition
}

// decide takes a decision in two steps: what is to be signed off is shown, and then
// it is signed.
func (v *visit) decide() error {
	id, err := v.id(v.PathValue("id"))
	if err != nil {
		return err
	}
	d := v.draft()
	if v.form.Get("step") == "review" {
		return v.review(id, d)
	}
	conditions, problem := d.check()
	switch step := v.form.Get("step"); {
	case step == "edit":
		return v.showRequest(http.StatusOK, id, d)
	case problem != "":
		d.Problem = problem
		return v.showRequest(http.StatusBadRequest, id, d)
	case step == "confirm":
		return v.carryOut(id, d, conditions)
	}
	return v.confirm(id, d, conditions)
}

// review says who is on a request. What they have begun to write stays as it is: its
// form says what it is by then, so that they may go on with it.
func (v *visit) review(id string, d draft) error {
	row, err := v.server.Service.StartReview(v.Context(), v.call, id)
	if cab.KindOf(err) == cab.Conflict {
		return v.tooLate(id, d, err)
	}
	if err != nil {
		return err
	}
	if !d.Written() {
		return v.redirect(donePath("/requests/"+row.Name, cab.ActReview))
	}
	d.Done = cab.ActReview
	if row.Revision != d.Seen+1 {
		d.Notice = "You are on it. This request had changed before, since you looked at it; look at it again. What you had written is still here, and has not been sent."
	}
	return v.showRequest(http.StatusOK, id, d)
}

func donePath(path string, act cab.Act) string {
	return path + "?" + url.Values{"done": {string(act)}}.Encode()
}

// confirm shows what would be signed off.
func (v *visit) confirm(id string, d draft, conditions jsontext.Value) error {
	dossier, err := v.server.Service.Dossier(v.Context(), v.call, id)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(dossier.Choices, func(c workflow.Choice) bool { return c.Act == d.Act })
	if at < 0 {
		return &cab.Error{Kind: cab.Forbidden, Code: "FORBIDDEN", Message: "your role does not do this"}
	}
	choice := dossier.Choices[at]
	if choice.Refusal != nil {
		return v.tooLate(id, d, choice.Refusal)
	}
	if d.Seen != dossier.Revision {
		return v.tooLate(id, d, changedMeanwhile())
	}
	says := acts[d.Act]
	page := confirmPage{
		Dossier: &dossier, Draft: d, Button: says.button, Class: says.class, Approves: d.Act == cab.ActApprove, Conditions: conditionsOf(conditions),
		Row: rowOf(workflow.BoardRow{
			RequestRow: dossier.RequestRow, AppName: dossier.Deployment.AppName, AppVersion: dossier.Deployment.AppVersion, Ring: dossier.Deployment.TargetRing,
		}, dossier.Now),
	}
	page.Title = says.title + " " + page.Row.App + " " + page.Row.Version
	if page.Approves {
		page.Outcome, page.Until = outcomeText(&dossier, choice), untilText(choice)
	}
	if page.Approves && page.Conditions != nil {
		page.Title += ", with conditions"
	}
	return v.page(http.StatusOK, "confirm", page.Title+"?", page)
}

// carryOut signs it.
func (v *visit) carryOut(id string, d draft, conditions jsontext.Value) error {
	service, call := v.server.Service, v.call
	call.Seen = d.Seen
	if d.Seen <= 0 {
		return v.tooLate(id, d, changedMeanwhile())
	}
	var row workflow.RequestRow
	var err error
	switch d.Act {
	case cab.ActApprove:
		row, err = service.Approve(v.Context(), call, id, d.Rationale, conditions)
	case cab.ActReject:
		row, err = service.Reject(v.Context(), call, id, d.Rationale)
	case cab.ActWithdraw:
		row, err = service.Withdraw(v.Context(), call, id, d.Rationale)
	case cab.ActRevoke:
		row, err = service.Revoke(v.Context(), call, id, d.Rationale)
	}
	switch kind := cab.KindOf(err); {
	case err == nil:
		return v.redirect(donePath("/requests/"+row.Name, d.Act))
	case kind == cab.Conflict:
		return v.tooLate(id, d, err)
	case kind == cab.Invalid:
		d.Problem = sentence(message(err))
		return v.showRequest(http.StatusBadRequest, id, d)
	}
	return err
}

// changedMeanwhile is the refusal to sign something else than what was seen.
func changedMeanwhile() error {
	return &cab.Error{Kind: cab.Conflict, Code: "CHANGED_MEANWHILE", Message: "this has changed since you looked at it"}
}

// tooLate tells whoever comes second what happened, kindly, with what they had
// written. Who has sent their own decision twice has not come second.
func (v *visit) tooLate(id string, d draft, refusal error) error {
	dossier, err := v.server.Service.Dossier(v.Context(), v.call, id)
	if err != nil {
		return err
	}
	if sentBefore(&dossier, v.call.Actor, d) {
		return v.redirect(donePath("/requests/"+dossier.Name, d.Act))
	}
	d.Notice = happened(&dossier, refusal)
	return v.showRequest(http.StatusConflict, id, d)
}

// happened says what became of a request while somebody was writing about it.
func happened(d *workflow.Dossier, refusal error) string {
	switch {
	case d.Decision != nil && d.Status != cab.Revoked:
		verb := "approved"
		if d.Decision.Decision == cab.RejectedByCAB {
			verb = "rejected"
		}
		return d.Decision.Decider.Name + " " + verb + " this request on " + when(d.Decision.DecidedAt) + ", while you were writing: “" + flat(cut(d.Decision.Rationale, 300)) +
			"”. A decision is final, so yours was not recorded; what you had written is below."
	case d.Status == cab.Withdrawn:
		return d.SubmittedBy.Username + " has taken this request back, while you were writing. There is nothing to decide any more; what you had written is below."
	case cab.CodeOf(refusal) == "CHANGED_MEANWHILE" && len(d.Votes) > 0:
		last := d.Votes[len(d.Votes)-1]
		return last.Voter.Username + " has voted on this request since you looked at it. Look at it again; what you had written is still here, and has not been sent."
	case cab.CodeOf(refusal) == "CHANGED_MEANWHILE":
		return "This request has changed since you looked at it: it is “" + d.Status.StatusText() + "” now. Look at it again; what you had written is still here, and has not been sent."
	}
	return sentence(message(refusal))
}

// check says what is wrong with a draft, and returns its conditions.
func (d *draft) check() (conditions jsontext.Value, problem string) {
	if _, known := acts[d.Act]; !known {
		d.Field = "act"
		return nil, "Choose what you decide."
	}
	d.Field = "rationale"
	if d.Rationale == "" && d.Act != cab.ActWithdraw {
		return nil, "Say why, in a sentence: it is what the submitter and the auditor will read."
	}
	if n := utf8.RuneCountInString(d.Rationale); n > cab.MaxRationale {
		return nil, "This has " + strconv.Itoa(n) + " characters; at most " + strconv.Itoa(cab.MaxRationale) + " can be kept."
	}
	d.Field = "conditions"
	if d.Conditions != "" && d.Act != cab.ActApprove {
		return nil, "Conditions go with an approval only. Take them out, or approve."
	}
	conditions, problem = parseConditions(d.Conditions)
	if refusal, refused := errors.AsType[*cab.Error](cab.CheckConditions(conditions)); problem == "" && refused {
		problem = sentence(strings.ReplaceAll(refusal.Message, "conditions.", ""))
	}
	if problem == "" {
		d.Field = ""
	}
	return conditions, problem
}

var (
	conditionName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,63}$`)
	wholeNumber   = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,14})$`)
)

// parseConditions reads conditions as people write them: a line each, name: value.
// Whole numbers, and what begins with a bracket, are the JSON that they look like;
// anything else, and a note, is a text.
func parseConditions(text string) (jsontext.Value, string) {
	all := map[string]any{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.ReplaceAll(strings.TrimSpace(name), " ", "_"), strings.TrimSpace(value)
		if !ok || value == "" || !conditionName.MatchString(name) {
			return nil, "“" + flat(cut(line, 60)) + "” is not a condition. Write a name and a value, such as max_ring: PILOT."
		}
		if _, twice := all[name]; twice {
			return nil, "The condition " + name + " is there twice."
		}
		switch {
		case name != "note" && (wholeNumber.MatchString(value) || strings.ContainsAny(value[:1], "{[")):
			all[name] = jsontext.Value(value)
		default:
			all[name] = value
		}
	}
	if len(all) == 0 {
		return nil, ""
	}
	written, err := json.Marshal(all)
	if err == nil {
		written, err = evidence.Canonical(written)
	}
	if err != nil || len(written) > cab.MaxConditions {
		return nil, "The conditions are too long, or one that begins with a bracket is no JSON."
	}
	return written, ""
}
