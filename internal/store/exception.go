package store

import (
	"fmt"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/cab"
)

var exceptionNames = []string{
	"id", "name", "correlation_id", "deployment_id", "request_id", "submitter_id", "reason", "risk_justification",
	"compensating_controls", "requested_by_id", "requested_by_name", "requested_at", "expires_at", "status",
	"decided_by_id", "decided_by_name", "rationale", "decided_at", "end_reason", "revision",
}

var exceptionColumns = "e." + strings.Join(exceptionNames, ", e.")

func scanException(r row, e *cab.Exception) error {
	var by cab.Person
	err := r.Scan(&e.ID, &e.Name, &e.CorrelationID, &e.DeploymentID, &e.RequestID, &e.SubmitterID, &e.Reason, &e.Justification,
		fromJSON{&e.Controls}, &e.Requester.ID, &e.Requester.Username, atTime{&e.RequestedAt}, atTime{&e.ExpiresAt}, &e.Status,
		&by.ID, &by.Username, &e.Rationale, atTime{&e.DecidedAt}, &e.EndReason, &e.Revision)
	if by.ID != "" {
		e.Approver = &by
	}
	return err
}

// Exception returns an exception, by UUID or EXC- name.
func (r *Reader) Exception(id string) (cab.Exception, error) {
	return one(r, "exception", scanException, `SELECT `+exceptionColumns+` FROM cab_exception e WHERE `+byIDOrName("e", id), id)
}

// ExceptionInput is what acting on an exception depends on.
type ExceptionInput struct {
	Exception cab.Exception
	Request   cab.Request
	Package   cab.Package // the request's, with its document
	Votes     []cab.Vote  // on the request
	LatestID  string      // the deployment's newest package
}

// Revision grows with each change of the exception and of its request: whoever signs
// saw both.
func (in ExceptionInput) Revision() int64 { return in.Exception.Revision + in.Request.Revision }

// ExceptionInput reads what acting on an exception depends on.
func (r *Reader) ExceptionInput(id string) (ExceptionInput, error) {
	var in ExceptionInput
	var exceptions []cab.Exception
	var requests []cab.Request
	var packages []cab.Package
	is := byIDOrName("e", id)
	err := r.c.run(
		into(&exceptions, scanException, `SELECT `+exceptionColumns+` FROM cab_exception e WHERE `+is, id),
		into(&requests, scanRequest, `SELECT `+requestColumns+` FROM cab_request r JOIN cab_exception e ON e.request_id = r.id WHERE `+is, id),
		into(&packages, scanPackageDocument, `SELECT `+packageColumns+`, p.document FROM evidence_package p
			JOIN cab_request r ON r.package_id = p.id JOIN cab_exception e ON e.request_id = r.id WHERE `+is, id),
		into(&in.Votes, scanVote, `SELECT `+voteColumns+` FROM vote o JOIN cab_exception e ON e.request_id = o.request_id WHERE `+is+` ORDER BY o.at, o.voter_id`, id),
		statement{`SELECT ` + latestOf("e.deployment_id") + ` FROM cab_exception e WHERE ` + is, []any{id}, func(r row) error { return r.Scan(&in.LatestID) }})
	if in.Exception, err = first(exceptions, "exception", err); err != nil {
		return ExceptionInput{}, err
	}
	if in.Request, err = first(requests, "request", nil); err != nil {
		return ExceptionInput{}, err
	}
	in.Package, err = first(packages, "evidence package", nil)
	return in, err
}

// AskInput is what asking for an exception depends on.
type AskInput struct {
	Deployment cab.Deployment
	Request    *cab.Request    // of the deployment's newest package; nil if that was not submitted
	Exceptions []cab.Exception // of that request
	Policy     cab.Published
}

// AskInput reads what asking for an exception depends on.
func (r *Reader) AskInput(deploymentID string) (AskInput, error) {
	var in AskInput
	var deployments []cab.Deployment
	var requests []cab.Request
	var policies []cab.Published
	err := r.c.run(
		into(&deployments, scanDeployment, deploymentByID, deploymentID),
		into(&requests, scanRequest, `SELECT `+requestColumns+` FROM cab_request r WHERE r.package_id = `+latestPackageID, deploymentID),
		into(&in.Exceptions, scanException, `SELECT `+exceptionColumns+` FROM cab_exception e JOIN cab_request r ON r.id = e.request_id
			WHERE r.package_id = `+latestPackageID+` ORDER BY e.requested_at, e.id`, deploymentID),
		into(&policies, scanPublished, activePolicy))
	if in.Deployment, err = first(deployments, "deployment", err); err != nil {
		return AskInput{}, err
	}
	in.Request = pointer(requests)
	in.Policy, err = first(policies, "policy in force", nil)
	return in, err
}

// ExceptionFilter chooses exceptions. Expiry is a fact about time: Status and
// Active are judged at Now, whatever has been written down.
type ExceptionFilter struct {
	Paging
	Now          time.Time
	Status       cab.ExceptionStatus
	Active       *bool
	DeploymentID string
	RequestedBy  string
}

func (f ExceptionFilter) where() where {
	var w where
	now := micros(f.Now)
	switch f.Status {
	case "":
	case cab.ExceptionPending, cab.ExceptionGranted:
		w.add("e.status = ? AND e.expires_at > ?", string(f.Status), now)
	case cab.ExceptionOver:
		w.add("(e.status = 'expired' OR (e.status IN ('pending', 'approved') AND e.expires_at <= ?))", now)
	default:
		w.add("e.status = ?", string(f.Status))
	}
	if f.Active != nil {
		active := "(e.status = 'approved' AND e.expires_at > ?)"
		if !*f.Active {
			active = "NOT " + active
		}
		w.add(active, now)
	}
	w.equal("e.deployment_id", f.DeploymentID)
	w.equal("e.requested_by_id", f.RequestedBy)
	return w
}

// Exceptions lists exceptions, newest first.
func (r *Reader) Exceptions(f ExceptionFilter) (Page[cab.Exception], error) {
	return page(r, f.Paging, listing[cab.Exception]{
		columns: exceptionColumns, from: "cab_exception e", time: "e.requested_at", id: "e.id", where: f.where(), scan: scanException,
		key: func(e *cab.Exception) cursor { return cursor{micros(e.RequestedAt), e.ID} },
	})
}

// Overdue returns exceptions past their end that are not written down as
// expired, the oldest first.
func (r *Reader) Overdue(now time.Time, limit int) ([]cab.Exception, error) {
	return all(r, scanException, `SELECT `+exceptionColumns+` FROM cab_exception e
		WHERE e.status IN ('pending', 'approved') AND e.expires_at <= $1 ORDER BY e.expires_at, e.id LIMIT $2`, micros(now), limit)
}

var insertException = fmt.Sprintf(`INSERT INTO cab_exception (%s) VALUES (%s)`, strings.Join(exceptionNames, ", "), marks(len(exceptionNames)))

func (tx *Tx) saveExceptions(change cab.Change) error {
	for _, e := range change.Exceptions {
		var by cab.Person
		if e.Approver != nil {
			by = *e.Approver
		}
		if e.Revision > 1 {
			tx.c.queue(`UPDATE cab_exception SET status = $2, decided_by_id = $3, decided_by_name = $4, rationale = $5, decided_at = $6, end_reason = $7, revision = $8
				WHERE id = $1 AND revision = $9`,
				1, e.ID, e.Status, by.ID, by.Username, e.Rationale, micros(e.DecidedAt), e.EndReason, e.Revision, e.Revision-1)
			continue
		}
		controls, err := asJSON(e.Controls)
		if err != nil {
			return err
		}
		tx.c.queue(insertException, 1, e.ID, e.Name, e.CorrelationID, e.DeploymentID, e.RequestID, e.SubmitterID, e.Reason, e.Justification,
			controls, e.Requester.ID, e.Requester.Username, micros(e.RequestedAt), micros(e.ExpiresAt), e.Status,
			by.ID, by.Username, e.Rationale, micros(e.DecidedAt), e.EndReason, e.Revision)
	}
	return nil
}
