package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/go-json-experiment/json/jsontext"
)

// requestNames are the columns of cab_request, in the order of requestFields.
var requestNames = []string{
	"id", "name", "correlation_id", "deployment_id", "package_id", "package_owner", "intent_owner", "content_hash",
	"risk_score", "risk_model_version", "policy_version", "gate", "quorum", "approval_days", "status", "urgency", "notes",
	"submitted_by_id", "submitted_by_name", "submitted_at", "due_at", "reviewers", "exception_id", "valid_until", "end_reason", "revision",
}

var requestColumns = "r." + strings.Join(requestNames, ", r.")

func requestFields(q *cab.Request) []any {
	return []any{
		&q.ID, &q.Name, &q.CorrelationID, &q.DeploymentID, &q.PackageID, &q.PackageOwner, &q.IntentOwner, &q.ContentHash,
		&q.Score, &q.ModelVersion, &q.PolicyVersion, fromJSON{&q.Gate}, &q.Quorum, &q.ApprovalDays, &q.Status, &q.Urgency, &q.Notes,
		&q.SubmittedBy.ID, &q.SubmittedBy.Username, atTime{&q.SubmittedAt}, atTime{&q.DueAt}, fromJSON{&q.Reviewers},
		&q.ExceptionID, atTime{&q.ValidUntil}, &q.EndReason, &q.Revision,
	}
}

func scanRequest(r row, q *cab.Request) error { return r.Scan(requestFields(q)...) }

// decisionColumns are read through an outer join: empty when there is none.
const (
	decisionColumns = `COALESCE(v.request_id, ''), COALESCE(v.decision, ''), COALESCE(v.rationale, ''), COALESCE(v.decider_id, ''),
		COALESCE(v.decider_name, ''), COALESCE(v.decider_role, ''), COALESCE(v.risk_score, 0), COALESCE(v.risk_model_version, ''),
		COALESCE(v.policy_version, ''), COALESCE(v.content_hash, ''), COALESCE(v.conditions, ''), COALESCE(v.decided_at, 0), COALESCE(v.valid_until, 0)`
	joinDecision = `LEFT JOIN decision v ON v.request_id = r.id`
)

func decisionFields(d *cab.Decision) []any {
	return []any{
		&d.RequestID, &d.Decision, &d.Rationale, &d.Decider.ID, &d.Decider.Name, &d.Decider.Role, &d.Score, &d.ModelVersion,
		&d.PolicyVersion, &d.ContentHash, rawJSON{&d.Conditions}, atTime{&d.DecidedAt}, atTime{&d.ValidUntil},
	}
}

func scanDecision(r row, d *cab.Decision) error { return r.Scan(decisionFields(d)...) }

// rawJSON scans a JSON column as the text it is.
type rawJSON struct{ to *jsontext.Value }

func (j rawJSON) Scan(value any) error {
	text, ok := value.(string)
	if !ok {
		return fmt.Errorf("a JSON column holds %T", value)
	}
	if *j.to = nil; text != "" {
		*j.to = jsontext.Value(text)
	}
	return nil
}

// RequestRow is a request with its decision, nil while there is none.
type RequestRow struct {
	cab.Request
	Decision *cab.Decision
}

func scanRequestRow(r row, row *RequestRow) error {
	var d cab.Decision
	if err := r.Scan(append(requestFields(&row.Request), decisionFields(&d)...)...); err != nil {
		return err
	}
	if d.RequestID != "" {
		row.Decision = &d
	}
	return nil
}

// byIDOrName is the SQL that takes a UUID or a CAB-/EXC- name.
func byIDOrName(alias, id string) string {
	if strings.HasPrefix(id, "CAB-") || strings.HasPrefix(id, "EXC-") {
		return alias + ".name = $1"
	}
	return alias + ".id = $1"
}

// Request returns a request, by UUID or CAB- name, with its decision.
func (r *Reader) Request(id string) (RequestRow, error) {
	return one(r, "request", scanRequestRow, `SELECT `+requestColumns+`, `+decisionColumns+` FROM cab_request r `+joinDecision+` WHERE `+byIDOrName("r", id), id)
}

// RequestFilter chooses requests.
type RequestFilter struct {
	Paging
	Statuses         []cab.Status // none: all
	RiskMin, RiskMax *evidence.Score
	SubmittedBy      string
	DeploymentID     string
	ApprovedOnly     bool
}

func (f RequestFilter) where() where {
	var w where
	w.equal("submitted_by_id", f.SubmittedBy)
	w.equal("deployment_id", f.DeploymentID)
	if f.RiskMin != nil {
		w.add("risk_score >= ?", int64(*f.RiskMin))
	}
	if f.RiskMax != nil {
		w.add("risk_score <= ?", int64(*f.RiskMax))
	}
	if f.ApprovedOnly {
		w.add(approvedStatus)
	}
	return w
}

// Requests lists requests, newest first. Each status is looked up by itself and
// the heads are merged, so that a page costs the same however many rows there
// are.
func (r *Reader) Requests(f RequestFilter) (Page[RequestRow], error) {
	base := f.where()
	limited := base.clone()
	if f.Cursor != "" {
		at, err := parseCursor(f.Cursor)
		if err != nil {
			return Page[RequestRow]{}, err
		}
		limited.add("(submitted_at, id) < (?, ?)", at.time, at.id)
	}
	limited.args = append(limited.args, f.limit()+1)
	limit := len(limited.args)
	statuses := f.Statuses
	if f.SubmittedBy == "" && f.DeploymentID == "" && statuses == nil {
		statuses = cab.Statuses()
	}
	var heads []string
	for _, status := range statuses {
		head := limited.clone()
		head.add("status = " + literal(status))
		heads = append(heads, fmt.Sprintf(`SELECT * FROM (SELECT * FROM cab_request%s ORDER BY submitted_at DESC, id DESC LIMIT $%d) AS head%d`, head.sql(), limit, len(heads)))
	}
	if heads == nil {
		heads = append(heads, fmt.Sprintf(`SELECT * FROM cab_request%s ORDER BY submitted_at DESC, id DESC LIMIT $%d`, limited.sql(), limit))
	}
	if f.Statuses != nil {
		base.add("status IN (" + literals(f.Statuses) + ")")
	}
	var result Page[RequestRow]
	err := r.c.run(
		into(&result.Rows, scanRequestRow, fmt.Sprintf(`SELECT %s, %s FROM (%s) AS r %s ORDER BY r.submitted_at DESC, r.id DESC LIMIT $%d`,
			requestColumns, decisionColumns, strings.Join(heads, " UNION ALL "), joinDecision, limit), limited.args...),
		counting(&result.Count, "cab_request"+base.sql(), base.args))
	if err != nil {
		return Page[RequestRow]{}, err
	}
	finish(&result, f.limit(), func(row *RequestRow) cursor { return cursor{micros(row.SubmittedAt), row.ID} })
	return result, nil
}

// literal writes a status into the SQL. PostgreSQL plans a prepared statement
// once for all values; a status that nothing has and one that most have want
// different plans. Only the statuses that there are get here.
func literal(status cab.Status) string {
	if !slices.Contains(cab.Statuses(), status) {
		return "''"
	}
	return "'" + string(status) + "'"
}

func literals(statuses []cab.Status) string {
	all := make([]string, 0, len(statuses))
	for _, status := range statuses {
		all = append(all, literal(status))
	}
	return strings.Join(all, ", ")
}

// SubmitInput is what submitting a package depends on.
type SubmitInput struct {
	Package    cab.Package // with its document
	Deployment cab.Deployment
	LatestID   string       // the deployment's newest package
	Existing   *cab.Request // the package's, with name and status only; nil if there is none
}

// SubmitInput reads what submitting a package depends on.
func (r *Reader) SubmitInput(packageID string) (SubmitInput, error) {
	return loadSubmit(packageID).read(r.c)
}

func loadSubmit(packageID string) *load[SubmitInput] {
	var inputs []SubmitInput
	return &load[SubmitInput]{
		statements: []statement{
			into(&inputs, scanSubmitInput, `SELECT `+packageColumns+`, p.document, `+deploymentColumns+`, `+latestOf("p.deployment_id")+`,
				COALESCE(q.name, ''), COALESCE(q.status, '')
				FROM evidence_package p JOIN deployment d ON d.id = p.deployment_id LEFT JOIN cab_request q ON q.package_id = p.id WHERE p.id = $1`, packageID),
		},
		result: func(_ conn, err error) (SubmitInput, error) { return first(inputs, "evidence package", err) },
		trail: func() string {
			if len(inputs) == 0 {
				return ""
			}
			return inputs[0].Deployment.CorrelationID
		},
	}
}

func scanSubmitInput(r row, in *SubmitInput) error {
	var existing cab.Request
	fields := append(packageFields(&in.Package), &in.Package.Document)
	fields = append(append(fields, deploymentFields(&in.Deployment)...), &in.LatestID, &existing.Name, &existing.Status)
	err := r.Scan(fields...)
	if existing.Name != "" {
		in.Existing = &existing
	}
	return err
}

// latestOf is the SQL of a deployment's newest package.
func latestOf(deployment string) string {
	return `(SELECT l.id FROM evidence_package l WHERE l.deployment_id = ` + deployment + ` ORDER BY l.position DESC LIMIT 1)`
}

// RequestInput is what acting on a request depends on.
type RequestInput struct {
	Request    cab.Request
	Decision   *cab.Decision
	Votes      []cab.Vote
	Exceptions []cab.Exception
	Package    cab.Package // with its document
	LatestID   string
}

// Situation is the part of the input that the rules read.
func (in RequestInput) Situation() cab.Situation {
	return cab.Situation{Exceptions: in.Exceptions, LatestID: in.LatestID, Votes: in.Votes}
}

// RequestInput reads what acting on a request depends on.
func (r *Reader) RequestInput(id string) (RequestInput, error) {
	return loadRequest(id).read(r.c)
}

func loadRequest(id string) *load[RequestInput] {
	var rows []requestRead
	is := byIDOrName("r", id)
	return &load[RequestInput]{
		statements: []statement{
			into(&rows, scanRequestRead, `SELECT `+requestColumns+`, `+decisionColumns+`, `+packageColumns+`, p.document, `+latestOf("r.deployment_id")+`,
				EXISTS (SELECT 1 FROM vote o WHERE o.request_id = r.id) OR EXISTS (SELECT 1 FROM cab_exception e WHERE e.request_id = r.id)
				FROM cab_request r JOIN evidence_package p ON p.id = r.package_id `+joinDecision+` WHERE `+is, id),
		},
		result: func(c conn, err error) (RequestInput, error) {
			row, err := first(rows, "request", err)
			if err != nil || !row.more {
				return row.RequestInput, err
			}
			in := row.RequestInput // most requests have neither votes nor exceptions yet
			err = c.run(
				into(&in.Votes, scanVote, `SELECT `+voteColumns+` FROM vote o WHERE o.request_id = $1 ORDER BY o.at, o.voter_id`, in.Request.ID),
				into(&in.Exceptions, scanException, `SELECT `+exceptionColumns+` FROM cab_exception e WHERE e.request_id = $1 ORDER BY e.requested_at, e.id`, in.Request.ID))
			return in, err
		},
		trail: func() string {
			if len(rows) == 0 {
				return ""
			}
			return rows[0].Request.CorrelationID
		},
	}
}

// requestRead is a request as it is first read; more says that there are votes
// or exceptions to be read, too.
type requestRead struct {
	RequestInput
	more bool
}

func scanRequestRead(r row, in *requestRead) error {
	var d cab.Decision
	fields := append(requestFields(&in.Request), decisionFields(&d)...)
	fields = append(append(fields, packageFields(&in.Package)...), &in.Package.Document, &in.LatestID, &in.more)
	err := r.Scan(fields...)
	if d.RequestID != "" {
		in.Decision = &d
	}
	return err
}

// Votes are those cast on a request, in their order.
func (r *Reader) Votes(requestID string) ([]cab.Vote, error) {
	return all(r, scanVote, `SELECT `+voteColumns+` FROM vote o WHERE o.request_id = $1 ORDER BY o.at, o.voter_id`, requestID)
}

const voteColumns = `o.request_id, o.voter_id, o.voter_name, o.approve, o.rationale, o.conditions, o.at`

func scanVote(r row, v *cab.Vote) error {
	return r.Scan(&v.RequestID, &v.Voter.ID, &v.Voter.Username, &v.Approve, &v.Rationale, rawJSON{&v.Conditions}, atTime{&v.At})
}
