package httpapi

import (
	"net/http"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/report"
)

// route is one call of the API.
type route struct {
	method, path string
	action       cab.Action // which row of the permission table it is
	summary      string
	status       int     // of success
	query        []param // what it takes in the query
	body         any     // the contract's type; nil: none
	answer       any     // the contract's type
	handle       func(*request) (any, error)
	readOnly     bool // a POST that changes nothing
}

// changes reports whether the call can change something: those take an
// Idempotency-Key.
func (rt *route) changes() bool { return rt.method == http.MethodPost && !rt.readOnly }

// withFiles is a body that files may come with: multipart/form-data, the body
// being its first part.
type withFiles struct{ body any }

func (rt *route) files() bool {
	_, ok := rt.body.(withFiles)
	return ok
}

// inMedia is an answer that comes in other media types than JSON, or in several.
type inMedia struct {
	json  any // the contract's type, if JSON is one of them
	media []string
}

// file is an answer of bytes in one media type.
func file(media string) inMedia { return inMedia{nil, []string{media}} }

// param is a query parameter.
type param struct {
	name, doc string
	many      bool
}

var (
	limitParam  = param{"limit", "rows on a page, 1 to 200 (50 if absent)", false}
	cursorParam = param{"cursor", "next of the page before", false}
	riskMin     = param{"risk_min", "lowest score, 0 to 100", false}
	riskMax     = param{"risk_max", "highest score, 0 to 100", false}
	ofIntent    = param{"deployment_intent_id", "of one deployment", false}
	statusMany  = param{"status", "one or more statuses", true}
)

// allRoutes is every call, on one page. Adding one is adding a line here, a row
// in the permission test, and a handler.
func (s *Server) allRoutes() []route {
	const (
		get, post   = http.MethodGet, http.MethodPost
		ok, created = http.StatusOK, http.StatusCreated
	)
	paging := []param{limitParam, cursorParam}
	return []route{
		{get, "/me", cab.ReadSelf, "Who am I", ok, nil, nil, api.Me{}, s.me, false},

		{post, "/deployments", cab.CreateDeployment, "Record what is to be deployed", created, nil, api.CreateDeployment{}, api.Deployment{}, s.createDeployment, false},
		{get, "/deployments", cab.ReadDeployment, "List deployments", ok, paging, nil, api.List[api.Deployment]{}, s.listDeployments, false},
		{get, "/deployments/{id}", cab.ReadDeployment, "One deployment", ok, nil, nil, api.Deployment{}, s.getDeployment, false},
		{get, "/deployments/{id}/approval-status", cab.AskGate, "Is it approved at this moment", ok, nil, nil, api.ApprovalStatus{}, s.approvalStatus, false},
		{post, "/deployments/{id}/events", cab.ReportDeployment, "Report what has happened", ok, nil, api.DeploymentReport{}, api.Deployment{}, s.report, false},

		{post, "/evidence", cab.CreateEvidence, "File evidence; it is scored", created, nil, withFiles{api.CreateEvidence{}}, api.Evidence{}, s.createEvidence, false},
		{get, "/evidence", cab.ReadEvidence, "List evidence packages", ok, append(paging, ofIntent), nil, api.List[api.Evidence]{}, s.listEvidence, false},
		{get, "/evidence/{id}", cab.ReadEvidence, "One evidence package", ok, nil, nil, api.Evidence{}, s.getEvidence, false},
		{get, "/evidence/{id}/verify", cab.ReadEvidence, "Hash the stored bytes again", ok, nil, nil, api.Verification{}, s.verifyEvidence, false},
		{get, "/evidence/{id}/breakdown", cab.ReadEvidence, "Why the score is what it is", ok, nil, nil, api.Breakdown{}, s.breakdown, false},
		{get, "/evidence/{id}/document", cab.ReadEvidence, "The stored bytes, as hashed", ok, nil, nil, map[string]any{}, s.document, false},
		{get, "/evidence/{id}/attachments/{sha256}", cab.ReadEvidence, "One file of a package", ok, nil, nil, file(octetStream), s.attachment, false},
		{get, "/evidence/{id}/attestation", cab.ReadEvidence, "The package as a signed in-toto statement", ok, nil, nil, api.Envelope{}, s.attestation, false},
		{get, "/evidence/{id}/diff", cab.ReadEvidence, "What changed since another package", ok, []param{againstParam}, nil, api.Diff{}, s.diff, false},

		{post, "/cab/submit", cab.SubmitRequest, "Submit evidence for approval", created, nil, api.Submit{}, api.Submitted{}, s.submit, false},
		{get, "/cab", cab.ReadRequest, "List requests", ok, append(paging, statusMany, riskMin, riskMax, ofIntent), nil, api.List[api.Request]{}, s.listRequests, false},
		{get, "/cab/pending", cab.ReadQueue, "Requests that wait", ok, append(paging, statusMany, riskMin, riskMax), nil, api.List[api.Request]{}, s.queue, false},
		{get, "/cab/my-requests", cab.ReadSelf, "What I submitted", ok, append(paging, statusMany, riskMin, riskMax), nil, api.List[api.Request]{}, s.myRequests, false},
		{get, "/cab/{id}", cab.ReadRequest, "One request", ok, nil, nil, api.Request{}, s.getRequest, false},
		{post, "/cab/{id}/review", cab.ReviewRequest, "Say that I am on it", ok, nil, nil, api.Request{}, s.review, false},
		{post, "/cab/{id}/approve", cab.DecideRequest, "Approve, with or without conditions", ok, nil, api.Approve{}, api.Request{}, s.approve, false},
		{post, "/cab/{id}/reject", cab.DecideRequest, "Reject", ok, nil, api.Rationale{}, api.Request{}, s.reject, false},
		{post, "/cab/{id}/withdraw", cab.WithdrawRequest, "Take it back", ok, nil, api.Withdrawal{}, api.Request{}, s.withdraw, false},
		{post, "/cab/{id}/revoke", cab.RevokeApproval, "End an approval", ok, nil, api.Reason{}, api.Request{}, s.revoke, false},

		{post, "/cab/exceptions", cab.AskException, "Ask for an exception", created, nil, api.RequestException{}, api.Exception{}, s.askException, false},
		{get, "/cab/exceptions", cab.ReadException, "List exceptions", ok, append(paging, ofIntent, param{"status", "as of now", false}, param{"active", "true or false", false}), nil, api.List[api.Exception]{}, s.listExceptions, false},
		{get, "/cab/exceptions/pending", cab.ReadExceptions, "Exceptions that wait", ok, paging, nil, api.List[api.Exception]{}, s.exceptionQueue, false},
		{get, "/cab/exceptions/my-exceptions", cab.ReadSelf, "What I asked for", ok, paging, nil, api.List[api.Exception]{}, s.myExceptions, false},
		{post, "/cab/exceptions/cleanup", cab.ExpireExceptions, "Write down what has expired", ok, nil, nil, api.Cleanup{}, s.cleanup, false},
		{get, "/cab/exceptions/{id}", cab.ReadException, "One exception", ok, nil, nil, api.Exception{}, s.getException, false},
		{post, "/cab/exceptions/{id}/approve", cab.DecideException, "Accept the risk", ok, nil, api.Rationale{}, api.Exception{}, s.approveException, false},
		{post, "/cab/exceptions/{id}/reject", cab.DecideException, "Refuse to accept the risk", ok, nil, api.Rationale{}, api.Exception{}, s.rejectException, false},
		{post, "/cab/exceptions/{id}/revoke", cab.RevokeException, "End an exception", ok, nil, api.Reason{}, api.Exception{}, s.revokeException, false},

		{get, "/events", cab.ReadEvents, "The ledger's events", ok, append(eventParams[:len(eventParams):len(eventParams)],
			param{"limit", "rows on a page, 1 to 1000 (50 if absent)", false}, cursorParam,
			param{"order", "newest (if absent) or oldest first", false},
		), nil, api.List[api.Event]{}, s.events, false},
		{get, "/events/export", cab.ReadEvents, "All events of a filter, oldest first, as a file", ok, exportParams, nil, inMedia{nil, exportMedia}, s.exportEvents, false},
		{get, "/events/{seq}", cab.ReadEvents, "One event, as it was hashed", ok, nil, nil, api.Event{}, s.event, false},
		{get, "/events/{seq}/proof", cab.ReadEvents, "Proof that an event is in the signed log (c2sp.org/tlog-proof@v1)", ok, nil, nil, file(textPlain), s.proof, false},
		{get, "/checkpoint", cab.ReadEvents, "The newest signed checkpoint", ok, nil, nil, api.Checkpoint{}, s.checkpoint, false},

		{get, "/capsules/{id}", cab.ReadEvents, "Everything that speaks for a request, in one file", ok, []param{
			{"attachments", "true: with the files of the evidence; otherwise they are there by their digests", false},
		}, nil, file("application/zip"), s.capsule, false},
		{get, "/reports/changes", cab.ReadReports, "The changes of a period, for auditors", ok, reportParams, nil, inMedia{report.Report{}, []string{"text/html"}}, s.changeReport, false},

		{get, "/risk-models", cab.ReadModels, "Published risk models", ok, nil, nil, api.List[api.Published]{}, s.listModels, false},
		{get, "/risk-models/{version}", cab.ReadModels, "One risk model", ok, nil, nil, api.Published{}, s.getModel, false},
		{post, "/risk-models/{version}/score", cab.ReadModels, "Score evidence without storing it", ok, nil, api.Score{}, api.Scored{}, s.score, true},
		{get, "/notices", cab.Administer, "Notices on their way, and those given up", ok, append(paging, param{"dead", "true: only those given up", false}), nil, api.List[api.Notice]{}, s.listNotices, false},
		{post, "/notices/{id}/resend", cab.Administer, "Try a notice again that was given up", ok, nil, nil, api.Notice{}, s.resendNotice, false},

		{get, "/policies", cab.ReadModels, "Published policies", ok, nil, nil, api.List[api.Published]{}, s.listPolicies, false},
	}
}
