package console

import (
	"errors"
	"net/http"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/workflow"
)

// exceptionPage is an exception with all that somebody who decides on it looks at.
type exceptionPage struct {
	*workflow.ExceptionDossier
	StatusText, Class string
	Left              string
	Late              bool // it ends within a week
	Decides, Revokes  bool
	Why               string // why whoever looks cannot decide, though their role may
	Draft             draft
	Score             *scoreView     // nil: it is not theirs to see, or not what was submitted
	Earlier           []exceptionRow // of the same application
	Steps             []step
	Done              string // what whoever looks has just done
	Tampered          string
	Band              band
	Days              string // that are asked for
}

func (v *visit) exception() error {
	q := v.URL.Query()
	d := draft{Act: cab.Act(q.Get("choose")), Done: cab.Act(q.Get("done"))}
	return v.showException(http.StatusOK, v.PathValue("id"), d)
}

// showException shows an exception, with what somebody has begun to write about it.
func (v *visit) showException(status int, id string, d draft) error {
	id, err := v.id(id)
	if err != nil {
		return err
	}
	dossier, err := v.server.Service.ExceptionDossier(v.Context(), v.call, id)
	if err != nil {
		return err
	}
	at := dossier.Effective(dossier.Now)
	page := &exceptionPage{
		ExceptionDossier: &dossier, Draft: d, StatusText: exceptionText(at), Class: exceptionClass(at),
		Decides: dossier.Decide == nil, Revokes: dossier.Revoke == nil, Steps: stepsOf(dossier.Trail),
		Band: bandOf(dossier.Request.Score, dossier.Request.Gate.Thresholds), Days: span(dossier.ExpiresAt.Sub(dossier.RequestedAt)),
	}
	if didException(&dossier, v.call.Actor, d.Done) {
		page.Done = doneException[d.Done]
	}
	if at == cab.ExceptionPending || at == cab.ExceptionGranted {
		left := dossier.ExpiresAt.Sub(dossier.Now)
		page.Left, page.Late = span(left)+" left", left < 7*24*60*60*1e9
	}
	if at == cab.ExceptionPending && v.call.Actor.Role == cab.SecurityReviewer && !page.Decides {
		page.Why = sentence(message(dossier.Decide))
	}
	if e, ok := errors.AsType[*cab.Error](dossier.Altered); ok {
		page.Tampered = sentence(e.Message)
	} else if !dossier.Unseen {
		score := scoreOf(dossier.Evidence.Record, dossier.Request.Gate)
		page.Score = &score
	}
	for _, row := range dossier.Others {
		if row.ID != dossier.ID {
			page.Earlier = append(page.Earlier, exceptionRowOf(row, dossier.Now))
		}
	}
	return v.page(status, "exception", dossier.Name+", an exception for "+dossier.Deployment.AppName, page)
}

// exceptionConfirm shows what is about to be signed off.
type exceptionConfirm struct {
	*workflow.ExceptionDossier
	Draft         draft
	Title, Button string
	Class         string
	Approves      bool
	Left          string
}

// decideException takes a decision in two steps, as [visit.decide] does.
func (v *visit) decideException() error {
	id, err := v.id(v.PathValue("id"))
	if err != nil {
		return err
	}
	d := v.draft()
	_, problem := d.check()
	if d.Act == cab.ActWithdraw {
		d.Field, problem = "act", "Choose what you decide."
	}
	switch step := v.form.Get("step"); {
	case step == "edit":
		d.Problem, d.Field = "", ""
		return v.showException(http.StatusOK, id, d)
	case problem != "":
		d.Problem = problem
		return v.showException(http.StatusBadRequest, id, d)
	case step == "confirm":
		return v.carryOutException(id, d)
	}
	return v.confirmException(id, d)
}

func (v *visit) confirmException(id string, d draft) error {
	dossier, err := v.server.Service.ExceptionDossier(v.Context(), v.call, id)
	if err != nil {
		return err
	}
	refusal := dossier.Decide
	if d.Act == cab.ActRevoke {
		refusal = dossier.Revoke
	}
	if cab.KindOf(refusal) == cab.Forbidden {
		return refusal
	}
	if refusal == nil && d.Seen != dossier.Seen {
		refusal = changedMeanwhile()
	}
	if refusal != nil {
		return v.tooLateForException(id, d, refusal)
	}
	titles := map[cab.Act][3]string{
		cab.ActApprove: {"Accept the risk", "Accept the risk", "good"}, cab.ActReject: {"Reject", "Reject the exception", "bad"},
		cab.ActRevoke: {"Revoke", "Revoke the exception", "bad"},
	}
	says := titles[d.Act]
	return v.page(http.StatusOK, "exceptionconfirm", says[1]+"?", exceptionConfirm{
		ExceptionDossier: &dossier, Draft: d, Button: says[0], Title: says[1], Class: says[2], Approves: d.Act == cab.ActApprove,
		Left: span(dossier.ExpiresAt.Sub(dossier.Now)),
	})
}

func (v *visit) carryOutException(id string, d draft) error {
	service, call := v.server.Service, v.call
	call.Seen = d.Seen
	if d.Seen <= 0 {
		return v.tooLateForException(id, d, changedMeanwhile())
	}
	var e cab.Exception
	var err error
	switch d.Act {
	case cab.ActApprove:
		e, err = service.ApproveException(v.Context(), call, id, d.Rationale)
	case cab.ActReject:
		e, err = service.RejectException(v.Context(), call, id, d.Rationale)
	default:
		e, err = service.RevokeException(v.Context(), call, id, d.Rationale)
	}
	if cab.KindOf(err) == cab.Conflict {
		return v.tooLateForException(id, d, err)
	}
	if err != nil {
		return err
	}
	return v.redirect(donePath("/exceptions/"+e.Name, d.Act))
}

// tooLateForException is [visit.tooLate] for exceptions.
func (v *visit) tooLateForException(id string, d draft, refusal error) error {
	dossier, err := v.server.Service.ExceptionDossier(v.Context(), v.call, id)
	if err != nil {
		return err
	}
	if sentExceptionBefore(&dossier, v.call.Actor, d) {
		return v.redirect(donePath("/exceptions/"+dossier.Name, d.Act))
	}
	d.Notice = sentence(message(refusal)) + " What you had written is below; it was not recorded."
	if cab.CodeOf(refusal) == "CHANGED_MEANWHILE" {
		d.Notice = "This exception, or its request, has changed since you looked at it. Look at it again; what you had written is still here, and has not been sent."
	}
	if by := dossier.Approver; by != nil && dossier.Decision() != "" && d.Act != cab.ActRevoke {
		d.Notice = by.Username + " " + dossier.Decision() + " this exception on " + when(dossier.DecidedAt) + ", while you were writing: “" + flat(cut(dossier.Rationale, 300)) +
			"”. A decision is final, so yours was not recorded; what you had written is below."
	}
	return v.showException(http.StatusConflict, id, d)
}

// Superseded reports whether the deployment has newer evidence than the exception's.
func (p *exceptionPage) Superseded() bool { return superseded(p.ExceptionDossier) }

// Superseded says the same where it is signed.
func (p exceptionConfirm) Superseded() bool { return superseded(p.ExceptionDossier) }

func superseded(d *workflow.ExceptionDossier) bool {
	return d.Request.Status.Open() && d.LatestID != d.Request.PackageID
}

// Stray is as of a request.
func (p *exceptionPage) Stray() bool {
	can := p.Decides
	if p.Draft.Act == cab.ActRevoke {
		can = p.Revokes
	}
	return p.Draft.Written() && !can
}
