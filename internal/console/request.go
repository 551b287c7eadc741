package console

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/workflow"
)

// requestPage is a request with all that somebody who decides on it looks at.
type requestPage struct {
	*workflow.Dossier
	Row       queueRow
	Asked     string // what is asked of whoever looks
	Owner     bool
	Form      *decisionForm // nil: nothing can be done by whoever looks
	Draft     draft
	Score     scoreView
	Changes   *changesView // nil: nothing of the application was approved before
	Unread    string       // why there is no comparison though something was
	Sections  []sectionState
	Plan      []node
	Rollback  []node
	Artifacts []node
	Tests     []node
	Scans     []node
	Files     []fileView
	Remarks   []string
	Held      []exceptionView
	VotesCast []voteView
	Wanted    string // votes, of how many
	Steps     []step
	Done      string // what whoever looks has just done
	Tampered  string // why the evidence is not shown; "" if it is
}

// ConditionKinds are the conditions that the deployment gate can check.
func (requestPage) ConditionKinds() []cab.ConditionKind { return cab.ConditionKinds() }

// sectionState is whether a section is complete.
type sectionState struct {
	Name     string
	Complete bool
}

// fileView is a file of the package.
type fileView struct {
	evidence.Attachment
	SizeText string
}

// voteView is one vote.
type voteView struct {
	cab.Vote
	Verdict    string
	Conditions []condition
}

// exceptionView is an exception of a request.
type exceptionView struct {
	cab.Exception
	StatusText, Class, Left string
}

var idForm = regexp.MustCompile(`^(CAB-[0-9A-F]{12}|EXC-[0-9A-F]{12}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$`)

// id is the id in the address: a UUID, or a CAB- or EXC- name.
func (v *visit) id(text string) (string, error) {
	id := strings.ToLower(text)
	if strings.HasPrefix(id, "cab-") || strings.HasPrefix(id, "exc-") {
		id = strings.ToUpper(id)
	}
	if !idForm.MatchString(id) {
		return "", &cab.Error{Kind: cab.NotFound, Code: "NOT_FOUND", Message: "there is nothing with this id"}
	}
	return id, nil
}

func (v *visit) request() error {
	q := v.URL.Query()
	d := draft{Act: cab.Act(q.Get("choose")), Done: cab.Act(q.Get("done"))}
	return v.showRequest(http.StatusOK, v.PathValue("id"), d)
}

// showRequest shows a request, with what somebody has begun to write about it.
func (v *visit) showRequest(status int, id string, d draft) error {
	id, err := v.id(id)
	if err != nil {
		return err
	}
	dossier, err := v.server.Service.Dossier(v.Context(), v.call, id)
	if err != nil {
		return err
	}
	page := &requestPage{Dossier: &dossier, Draft: d}
	if did(&dossier, v.call.Actor, d.Done) {
		page.Done = doneText[d.Done]
	}
	page.Row = rowOf(workflow.BoardRow{
		RequestRow: dossier.RequestRow, AppName: dossier.Deployment.AppName, AppVersion: dossier.Deployment.AppVersion, Ring: dossier.Deployment.TargetRing,
	}, dossier.Now)
	page.Owner = dossier.SubmittedBy.ID == v.call.Actor.ID
	page.Form = formOf(&dossier, v.call.Actor)
	page.Asked = asked(page, v.call.Actor)
	page.fillEvidence()
	page.fillVotes()
	for _, e := range dossier.Exceptions {
		at := e.Effective(dossier.Now)
		view := exceptionView{Exception: e, StatusText: exceptionText(at), Class: exceptionClass(at)}
		if at == cab.ExceptionGranted || at == cab.ExceptionPending {
			view.Left = span(e.ExpiresAt.Sub(dossier.Now)) + " left"
		}
		page.Held = append(page.Held, view)
	}
	page.Steps = stepsOf(dossier.Trail)
	return v.page(status, "request", page.Row.App+" "+page.Row.Version+" to "+string(page.Row.Ring), page)
}

// fillEvidence shows the package, unless it is not what was submitted.
func (p *requestPage) fillEvidence() {
	if e, ok := errors.AsType[*cab.Error](p.Altered); ok {
		p.Tampered = sentence(e.Message)
		return
	}
	record := p.Evidence.Record
	p.Score = scoreOf(record, p.Gate)
	if p.Unreadable != nil {
		p.Unread = sentence(message(p.Unreadable))
	}
	if p.Approved != nil {
		p.Changes = changesOf(p.Approved.Record, record, p.Approved.Comparison)
	}
	for _, name := range evidence.SectionNames() {
		p.Sections = append(p.Sections, sectionState{capital(strings.ReplaceAll(name, "_", " ")), record.Completeness.Sections[name]})
	}
	s := record.Sections
	p.Plan, p.Rollback, p.Artifacts = nodesOf(s.DeploymentPlan), nodesOf(s.RollbackPlan), nodesOf(s.Artifacts)
	p.Tests, p.Scans = nodesOf(s.TestResults), nodesOf(s.ScanResults)
	for _, a := range record.Attachments {
		p.Files = append(p.Files, fileView{a, bytesText(a.Size)})
	}
	p.Remarks = record.Notes
}

func (p *requestPage) fillVotes() {
	approvals := 0
	for _, vote := range p.Votes {
		view := voteView{Vote: vote, Verdict: "rejects", Conditions: conditionsOf(vote.Conditions)}
		if vote.Approve {
			view.Verdict = "approves"
			approvals++
		}
		p.VotesCast = append(p.VotesCast, view)
	}
	p.Wanted = plural(approvals, "approval", "approvals") + " of " + plural(p.Quorum, "wanted", "wanted")
}

// asked says what is asked of whoever looks, in one sentence.
func asked(p *requestPage, actor cab.Actor) string {
	d := p.Dossier
	switch {
	case d.Status == cab.NeedsException && p.Owner:
		return "This needs an exception before the board can decide. Ask for one with eucora exception request, or by the API."
	case d.Status == cab.NeedsException:
		return "This waits for a Security Reviewer’s exception; the board decides after that."
	case p.Form != nil && p.Form.Votes && d.Quorum > 1:
		return "Your vote is asked for; " + p.wantedText() + "."
	case p.Form != nil && p.Form.Votes:
		return "Your decision is asked for."
	case d.Status.Open() && p.Owner:
		return "This waits for the board. You may take it back until it is decided."
	case d.Status.Open() && actor.Role == cab.CABMember && p.Form == nil:
		return "This waits for another member of the board."
	case d.Status.Open():
		return "This waits for the board."
	}
	return ""
}

func (p *requestPage) wantedText() string {
	n := 0
	for _, vote := range p.Votes {
		if vote.Approve {
			n++
		}
	}
	return plural(p.Quorum-n, "approval is", "approvals are") + " still wanted"
}

// Decided is the decision for people: who, and what they said.
func (p *requestPage) Decided() *decidedView {
	d := p.Decision
	if d == nil {
		return nil
	}
	view := &decidedView{
		Decision: *d, StatusText: d.Decision.StatusText(), Class: statusClass(d.Decision), By: d.Decider.Name,
		ByRule: d.Decider.Role == cab.System, Conditions: conditionsOf(d.Conditions),
	}
	if p.Status.Approved() && !d.ValidUntil.IsZero() {
		if left := d.ValidUntil.Sub(p.Now); left > 0 {
			view.Until = "good for " + span(left) + " more"
		} else {
			view.Until = "its time is over"
		}
	}
	return view
}

// decidedView is a decision on a page.
type decidedView struct {
	cab.Decision
	StatusText, Class string
	By                string
	ByRule            bool
	Conditions        []condition
	Until             string
}

// Superseded reports whether the deployment has newer evidence than this.
func (p *requestPage) Superseded() bool { return p.Status.Open() && p.LatestID != p.PackageID }

// Joined lists who is on the request.
func (p *requestPage) Joined() string { return strings.Join(p.Row.Reviewers, ", ") }

// Incomplete lists what lacks.
func (p *requestPage) Incomplete() []string {
	missing := slices.Clone(p.Evidence.Record.Completeness.Missing)
	if len(missing) > 20 {
		missing = append(missing[:20], "…")
	}
	return missing
}

// Stray reports whether somebody has written about an act that cannot be done any
// more. It is shown, and never put into the form of another act.
func (p *requestPage) Stray() bool {
	if !p.Draft.Written() || p.Form == nil {
		return p.Draft.Written()
	}
	switch p.Draft.Act {
	case cab.ActRevoke:
		return !p.Form.Revoke
	case cab.ActWithdraw:
		return !p.Form.Withdraw
	}
	return !p.Form.Votes
}
