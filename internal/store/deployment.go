package store

import (
	"github.com/eucora/eucora/internal/cab"
)

const deploymentColumns = `d.id, d.correlation_id, d.app_name, d.version, d.target_ring, d.state, d.created_by_id, d.created_by_name, d.created_at, d.revision, d.rings, d.checks`

func deploymentFields(d *cab.Deployment) []any {
	return []any{
		&d.ID, &d.CorrelationID, &d.AppName, &d.AppVersion, &d.TargetRing, &d.State,
		&d.CreatedBy.ID, &d.CreatedBy.Username, atTime{&d.CreatedAt}, &d.Revision, fromJSON{&d.Rings}, fromJSON{&d.Checks},
	}
}

func scanDeployment(r row, d *cab.Deployment) error { return r.Scan(deploymentFields(d)...) }

const deploymentByID = `SELECT ` + deploymentColumns + ` FROM deployment d WHERE d.id = $1`

// Deployment returns a deployment intent.
func (r *Reader) Deployment(id string) (cab.Deployment, error) {
	return one(r, "deployment", scanDeployment, deploymentByID, id)
}

// approvedStatus is the SQL of "has been approved", on a request.
const approvedStatus = `status IN ('auto_approved', 'approved', 'conditional')`

// DeploymentHolding says whose an intent is and whether it has been approved.
func (r *Reader) DeploymentHolding(id string) (cab.Holding, error) {
	return one(r, "deployment", scanHolding, `SELECT d.created_by_id, '',
		EXISTS (SELECT 1 FROM cab_request q WHERE q.deployment_id = d.id AND q.`+approvedStatus+`)
		FROM deployment d WHERE d.id = $1`, id)
}

func scanHolding(r row, h *cab.Holding) error {
	h.Owners = make([]string, 2)
	return r.Scan(&h.Owners[0], &h.Owners[1], &h.Approved)
}

// DeploymentFilter chooses deployments.
type DeploymentFilter struct {
	Paging
	Owner        string
	ApprovedOnly bool
}

// Deployments lists intents, newest first.
func (r *Reader) Deployments(f DeploymentFilter) (Page[cab.Deployment], error) {
	var w where
	w.equal("d.created_by_id", f.Owner)
	if f.ApprovedOnly {
		w.add(`EXISTS (SELECT 1 FROM cab_request q WHERE q.deployment_id = d.id AND q.` + approvedStatus + `)`)
	}
	return page(r, f.Paging, listing[cab.Deployment]{
		columns: deploymentColumns, from: "deployment d", time: "d.created_at", id: "d.id", where: w, scan: scanDeployment,
		key: func(d *cab.Deployment) cursor { return cursor{micros(d.CreatedAt), d.ID} },
	})
}

// EvidenceInput is what filing evidence depends on.
type EvidenceInput struct {
	Deployment cab.Deployment
	Policy     cab.Published // in force; it names the risk model
}

// EvidenceInput reads what filing evidence for a deployment depends on.
func (r *Reader) EvidenceInput(deploymentID string) (EvidenceInput, error) {
	var deployments []cab.Deployment
	var policies []cab.Published
	err := r.c.run(
		into(&deployments, scanDeployment, deploymentByID, deploymentID),
		into(&policies, scanPublished, activePolicy))
	deployment, err := first(deployments, "deployment", err)
	if err != nil {
		return EvidenceInput{}, err
	}
	policy, err := first(policies, "policy in force", nil)
	return EvidenceInput{deployment, policy}, err
}

// StandingInput is what a deployment's standing depends on: its newest package
// and that package's request, decision and exceptions.
type StandingInput struct {
	Deployment cab.Deployment
	Package    *cab.Package
	Request    *cab.Request
	Decision   *cab.Decision
	Exceptions []cab.Exception
}

var latestPackageID = latestOf("$1")

// StandingInput reads what a deployment's standing depends on.
func (r *Reader) StandingInput(deploymentID string) (StandingInput, error) {
	var in StandingInput
	var deployments []cab.Deployment
	var packages []cab.Package
	var requests []RequestRow
	err := r.c.run(
		into(&deployments, scanDeployment, deploymentByID, deploymentID),
		into(&packages, scanPackageDocument, `SELECT `+packageColumns+`, p.document FROM evidence_package p WHERE p.id = `+latestPackageID, deploymentID),
		into(&requests, scanRequestRow, `SELECT `+requestColumns+`, `+decisionColumns+` FROM cab_request r `+joinDecision+` WHERE r.package_id = `+latestPackageID, deploymentID),
		into(&in.Exceptions, scanException, `SELECT `+exceptionColumns+` FROM cab_exception e JOIN cab_request r ON r.id = e.request_id
			WHERE r.package_id = `+latestPackageID+` ORDER BY e.requested_at, e.id`, deploymentID))
	if in.Deployment, err = first(deployments, "deployment", err); err != nil {
		return StandingInput{}, err
	}
	in.Package = pointer(packages)
	if len(requests) > 0 {
		in.Request, in.Decision = &requests[0].Request, requests[0].Decision
	}
	return in, nil
}

func (tx *Tx) saveDeployment(change cab.Change) error {
	d := change.Deployment
	if d == nil {
		return nil
	}
	rings, err := asJSON(d.Rings)
	if err != nil {
		return err
	}
	checks, err := asJSON(d.Checks)
	if err != nil {
		return err
	}
	if d.Revision > 1 {
		tx.c.queue(`UPDATE deployment SET state = $2, rings = $3, checks = $4, revision = $5 WHERE id = $1 AND revision = $6`,
			1, d.ID, d.State, rings, checks, d.Revision, d.Revision-1)
		return nil
	}
	tx.c.queue(`INSERT INTO deployment (id, correlation_id, app_name, version, target_ring, state, created_by_id, created_by_name, created_at, revision)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		1, d.ID, d.CorrelationID, d.AppName, d.AppVersion, d.TargetRing, d.State, d.CreatedBy.ID, d.CreatedBy.Username, micros(d.CreatedAt), d.Revision)
	return nil
}
