package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
)

// Client calls a server. The zero HTTP uses a client with a 30 s limit. It is
// safe for concurrent use.
type Client struct {
	Server    string // scheme://host[:port]
	Token     string
	HTTP      *http.Client
	UserAgent string
}

// maxAnswer bounds what is read of any answer: a bundle of the log's entries is the
// largest, 256 of 2 + 65,535 bytes.
const maxAnswer = 17 << 20

// ErrNotEucora is returned when what answered does not speak this API: a proxy's
// page, another service, nonsense. It never means yes.
var ErrNotEucora = errors.New("the server did not answer as Eucora does")

var defaultHTTP = &http.Client{Timeout: 30 * time.Second}

// call sends in (nil: no body) and decodes the answer into out (nil: ignored; a
// *[]byte gets the bytes). A refusal is a *Problem.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, in, out any) error {
	answer, err := c.send(ctx, method, path, query, in)
	if err != nil {
		return err
	}
	if raw, ok := out.(*[]byte); ok {
		*raw = answer
		return nil
	}
	if out == nil {
		return nil
	}
	if err := jsonv2.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%w: %s %s: %w", ErrNotEucora, method, path, err)
	}
	if answered, ok := out.(whole); ok && !answered.whole() {
		return fmt.Errorf("%w: %s %s: the answer lacks what it is about", ErrNotEucora, method, path)
	}
	return nil
}

// whole reports whether an answer names the thing that it is about. A 200 with
// {} in it, from whatever answers in the server's place, is no answer.
type whole interface{ whole() bool }

func (m *Me) whole() bool             { return m.ID != "" && m.Role != "" }
func (d *Deployment) whole() bool     { return d.ID != "" && d.State != "" }
func (s *ApprovalStatus) whole() bool { return s.DeploymentID != "" }
func (e *Evidence) whole() bool       { return e.ID != "" && e.ContentHash != "" }
func (b *Breakdown) whole() bool      { return b.PackageID != "" }
func (v *Verification) whole() bool   { return v.PackageID != "" && v.ContentHash != "" }
func (r *Request) whole() bool        { return r.ID != "" && r.Status != "" }
func (n *Notice) whole() bool         { return n.ID != "" && n.Channel != "" }
func (e *Exception) whole() bool      { return e.ID != "" && e.Status != "" }
func (l *List[T]) whole() bool        { return l.Results != nil }
func (p *Published) whole() bool      { return p.Version != "" && p.Digest != "" }
func (s *Scored) whole() bool         { return s.RiskModelVersion != "" }
func (c *Checkpoint) whole() bool     { return c.Note != "" && c.Key != "" }

func (c *Client) send(ctx context.Context, method, path string, query url.Values, in any) ([]byte, error) {
	request, err := c.request(ctx, method, path, query, in)
	if err != nil {
		return nil, err
	}
	client := c.HTTP
	if client == nil {
		client = defaultHTTP
	}
	return c.exchange(client, request)
}

// exchange sends a request and returns the answer's body, or why it is no
// answer that counts.
func (c *Client) exchange(client *http.Client, request *http.Request) ([]byte, error) {
	return c.exchangeFor("application/json", client, request)
}

// exchangeFor is exchange for an answer of another media type.
func (c *Client) exchangeFor(media string, client *http.Client, request *http.Request) ([]byte, error) {
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("cannot reach %s: %w", c.Server, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer of %s: %w", c.Server, err)
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("%w: an answer of more than %d bytes", ErrNotEucora, maxAnswer)
	}
	return body, judgeAs(media, response, body)
}

func (c *Client) request(ctx context.Context, method, path string, query url.Values, in any) (*http.Request, error) {
	var body io.Reader
	if in != nil {
		text, err := jsonv2.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	if !strings.HasPrefix(path, logPrefix) {
		path = "/api/v1" + path
	}
	target := strings.TrimRight(c.Server, "/") + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, fmt.Errorf("server address %q: %w", c.Server, err)
	}
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.Token != "" {
		request.Header.Set("Authorization", "Bearer "+c.Token)
	}
	if c.UserAgent != "" {
		request.Header.Set("User-Agent", c.UserAgent)
	}
	return request, nil
}

// judge turns everything but a JSON 200 or 201 into an error.
func judge(response *http.Response, body []byte) error {
	return judgeAs("application/json", response, body)
}

func judgeAs(want string, response *http.Response, body []byte) error {
	media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if response.StatusCode == http.StatusOK || response.StatusCode == http.StatusCreated {
		if media == want {
			return nil
		}
		return fmt.Errorf("%w: answer of type %q", ErrNotEucora, media)
	}
	problem := new(Problem)
	if media != "application/problem+json" || jsonv2.Unmarshal(body, problem) != nil || problem.Code == "" {
		return fmt.Errorf("%w: status %s", ErrNotEucora, response.Status)
	}
	problem.Status = response.StatusCode
	return problem
}

func get[T any](ctx context.Context, c *Client, path string, query url.Values) (T, error) {
	var out T
	err := c.call(ctx, http.MethodGet, path, query, nil, &out)
	return out, err
}

func post[T any](ctx context.Context, c *Client, path string, in any) (T, error) {
	var out T
	if in == nil {
		in = struct{}{}
	}
	err := c.call(ctx, http.MethodPost, path, nil, in, &out)
	return out, err
}

// Me returns the caller as the server sees it.
func (c *Client) Me(ctx context.Context) (Me, error) { return get[Me](ctx, c, "/me/", nil) }

// CreateDeployment records what somebody wants to deploy.
func (c *Client) CreateDeployment(ctx context.Context, in CreateDeployment) (Deployment, error) {
	return post[Deployment](ctx, c, "/deployments/", in)
}

// Deployment returns one deployment intent.
func (c *Client) Deployment(ctx context.Context, id string) (Deployment, error) {
	return get[Deployment](ctx, c, "/deployments/"+url.PathEscape(id)+"/", nil)
}

// ApprovalStatus asks whether a deployment is approved at this moment.
func (c *Client) ApprovalStatus(ctx context.Context, id string) (ApprovalStatus, error) {
	return get[ApprovalStatus](ctx, c, "/deployments/"+url.PathEscape(id)+"/approval-status/", nil)
}

// Report says what has happened to a deployment.
func (c *Client) Report(ctx context.Context, id string, in DeploymentReport) (Deployment, error) {
	return post[Deployment](ctx, c, "/deployments/"+url.PathEscape(id)+"/events/", in)
}

// CreateEvidence files evidence.
func (c *Client) CreateEvidence(ctx context.Context, in CreateEvidence) (Evidence, error) {
	return post[Evidence](ctx, c, "/evidence/", in)
}

// Evidence returns one package.
func (c *Client) Evidence(ctx context.Context, id string) (Evidence, error) {
	return get[Evidence](ctx, c, "/evidence/"+url.PathEscape(id)+"/", nil)
}

// VerifyEvidence has the server hash a package again.
func (c *Client) VerifyEvidence(ctx context.Context, id string) (Verification, error) {
	return get[Verification](ctx, c, "/evidence/"+url.PathEscape(id)+"/verify/", nil)
}

// Document returns the stored bytes of a package; whoever trusts nobody hashes
// them and compares.
func (c *Client) Document(ctx context.Context, id string) ([]byte, error) {
	return get[[]byte](ctx, c, "/evidence/"+url.PathEscape(id)+"/document/", nil)
}

// Breakdown explains a package's score.
func (c *Client) Breakdown(ctx context.Context, id string) (Breakdown, error) {
	return get[Breakdown](ctx, c, "/evidence/"+url.PathEscape(id)+"/breakdown/", nil)
}

// Submit submits a package for approval.
func (c *Client) Submit(ctx context.Context, in Submit) (Submitted, error) {
	return post[Submitted](ctx, c, "/cab/submit/", in)
}

// Deployments lists the deployment intents that the caller may see. The query takes
// limit and cursor.
func (c *Client) Deployments(ctx context.Context, query url.Values) (List[Deployment], error) {
	return get[List[Deployment]](ctx, c, "/deployments/", query)
}

// Packages lists the evidence packages that the caller may see, without their
// sections. The query takes deployment_intent_id, limit and cursor.
func (c *Client) Packages(ctx context.Context, query url.Values) (List[Evidence], error) {
	return get[List[Evidence]](ctx, c, "/evidence/", query)
}

// Request returns one request, by UUID or CAB- name.
func (c *Client) Request(ctx context.Context, id string) (Request, error) {
	return get[Request](ctx, c, "/cab/"+url.PathEscape(id)+"/", nil)
}

// Queue lists the requests that wait. The query takes status, risk_min,
// risk_max, limit and cursor.
func (c *Client) Queue(ctx context.Context, query url.Values) (List[Request], error) {
	return get[List[Request]](ctx, c, "/cab/pending/", query)
}

// Requests lists every request that the caller may see.
func (c *Client) Requests(ctx context.Context, query url.Values) (List[Request], error) {
	return get[List[Request]](ctx, c, "/cab/", query)
}

// MyRequests lists what the caller submitted.
func (c *Client) MyRequests(ctx context.Context, query url.Values) (List[Request], error) {
	return get[List[Request]](ctx, c, "/cab/my-requests/", query)
}

func (c *Client) act(ctx context.Context, id, act string, in any) (Request, error) {
	return post[Request](ctx, c, "/cab/"+url.PathEscape(id)+"/"+act+"/", in)
}

// StartReview says that the caller is on a request.
func (c *Client) StartReview(ctx context.Context, id string) (Request, error) {
	return c.act(ctx, id, "review", nil)
}

// Approve approves a request.
func (c *Client) Approve(ctx context.Context, id string, in Approve) (Request, error) {
	return c.act(ctx, id, "approve", in)
}

// Reject rejects a request.
func (c *Client) Reject(ctx context.Context, id string, in Rationale) (Request, error) {
	return c.act(ctx, id, "reject", in)
}

// Withdraw takes a request back.
func (c *Client) Withdraw(ctx context.Context, id string, in Withdrawal) (Request, error) {
	return c.act(ctx, id, "withdraw", in)
}

// Revoke ends an approval.
func (c *Client) Revoke(ctx context.Context, id string, in Reason) (Request, error) {
	return c.act(ctx, id, "revoke", in)
}

// RequestException asks for an exception.
func (c *Client) RequestException(ctx context.Context, in RequestException) (Exception, error) {
	return post[Exception](ctx, c, "/cab/exceptions/", in)
}

// Exception returns one exception, by UUID or EXC- name.
func (c *Client) Exception(ctx context.Context, id string) (Exception, error) {
	return get[Exception](ctx, c, "/cab/exceptions/"+url.PathEscape(id)+"/", nil)
}

// Exceptions lists the exceptions that the caller may see. The query takes
// deployment_intent_id, status, active, limit and cursor.
func (c *Client) Exceptions(ctx context.Context, query url.Values) (List[Exception], error) {
	return get[List[Exception]](ctx, c, "/cab/exceptions/", query)
}

// PendingExceptions lists the exceptions that wait for a Security Reviewer.
func (c *Client) PendingExceptions(ctx context.Context, query url.Values) (List[Exception], error) {
	return get[List[Exception]](ctx, c, "/cab/exceptions/pending/", query)
}

// ApproveException accepts the risk.
func (c *Client) ApproveException(ctx context.Context, id string, in Rationale) (Exception, error) {
	return post[Exception](ctx, c, "/cab/exceptions/"+url.PathEscape(id)+"/approve/", in)
}

// RejectException refuses to accept the risk.
func (c *Client) RejectException(ctx context.Context, id string, in Rationale) (Exception, error) {
	return post[Exception](ctx, c, "/cab/exceptions/"+url.PathEscape(id)+"/reject/", in)
}

// RevokeException ends an exception in force.
func (c *Client) RevokeException(ctx context.Context, id string, in Reason) (Exception, error) {
	return post[Exception](ctx, c, "/cab/exceptions/"+url.PathEscape(id)+"/revoke/", in)
}

// Notices lists what is still to be told. The query takes dead, limit and cursor.
func (c *Client) Notices(ctx context.Context, query url.Values) (List[Notice], error) {
	return get[List[Notice]](ctx, c, "/notices/", query)
}

// ResendNotice has a notice tried again that was given up.
func (c *Client) ResendNotice(ctx context.Context, id string) (Notice, error) {
	return post[Notice](ctx, c, "/notices/"+url.PathEscape(id)+"/resend/", nil)
}

// CleanupExceptions records the expiries that time has brought.
func (c *Client) CleanupExceptions(ctx context.Context) (Cleanup, error) {
	return post[Cleanup](ctx, c, "/cab/exceptions/cleanup/", nil)
}

// Events lists ledger events as the bytes that were hashed. The query takes
// correlation_id (any id of the trail), type, actor, since, until, cursor,
// limit, and order (newest, oldest).
func (c *Client) Events(ctx context.Context, query url.Values) (List[json.RawMessage], error) {
	return get[List[json.RawMessage]](ctx, c, "/events/", query)
}

// Checkpoint returns the newest signed checkpoint.
func (c *Client) Checkpoint(ctx context.Context) (Checkpoint, error) {
	return get[Checkpoint](ctx, c, "/checkpoint/", nil)
}

// RiskModels lists the published risk models.
func (c *Client) RiskModels(ctx context.Context) (List[Published], error) {
	return get[List[Published]](ctx, c, "/risk-models/", nil)
}

// RiskModel returns one published risk model.
func (c *Client) RiskModel(ctx context.Context, version string) (Published, error) {
	return get[Published](ctx, c, "/risk-models/"+url.PathEscape(version)+"/", nil)
}

// Policies lists the published policies.
func (c *Client) Policies(ctx context.Context) (List[Published], error) {
	return get[List[Published]](ctx, c, "/policies/", nil)
}

// Score scores evidence with a published model without storing anything.
func (c *Client) Score(ctx context.Context, version string, in Score) (Scored, error) {
	return post[Scored](ctx, c, "/risk-models/"+url.PathEscape(version)+"/score/", in)
}
