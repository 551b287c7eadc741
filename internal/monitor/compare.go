package monitor

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/go-json-experiment/json"
)

// comparison is one walk over what the API shows.
type comparison struct {
	*Watch
	report *Report
	marked int64                // events that there were when it began
	began  time.Time            // by the clock here
	seen   map[cab.Subject]bool // shown
	later  []row                // shown otherwise than the log said when the walk began

	scoring []string          // the models that are shown as the one that scores
	names   map[string]string // the model that a policy names, by the policy's version
}

// maxLater bounds what is remembered of a walk: more than that does not change while
// it is made.
const maxLater = 100_000

// compareRows holds everything that the API shows against what the events say. The
// log grows meanwhile: a row may be shown as any event left it from before the walk
// to behind it. What it returns is the checkpoint that covers it all.
func (w *Watch) compareRows(ctx context.Context, report *Report) (*kept, error) {
	w.fold.mark()
	c := &comparison{Watch: w, report: report, marked: w.tree.Size(), began: w.Clock(), seen: map[cab.Subject]bool{}, names: map[string]string{}}
	for _, walk := range []func(context.Context) error{c.deployments, c.packages, c.requests, c.exceptions, c.models, c.policies} {
		if err := walk(ctx); err != nil {
			return nil, err
		}
	}
	after, err := w.newest(ctx)
	if err != nil {
		return nil, err
	}
	if err := w.follow(ctx, after); err != nil {
		return nil, err
	}
	for _, shown := range c.later {
		if err := c.judge(shown); err != nil {
			return nil, err
		}
	}
	c.judgeScoring()
	return after, c.gone()
}

// judgeScoring: the model that scores is the one that the policy in force names, or
// one in force since the walk began. No event says it in so many words.
func (c *comparison) judgeScoring() {
	var may []string
	for policy, model := range c.names {
		digest := inForce(policy).digest()
		if slices.ContainsFunc(c.fold.versions(inForce(policy).Subject), func(v version) bool { return v.digest == digest }) {
			may = append(may, model)
		}
	}
	slices.Sort(may)
	if len(c.scoring) != 1 || !slices.Contains(may, c.scoring[0]) {
		c.report.find("shown as the risk model that scores new evidence: %q; the policy in force names %q", c.scoring, may)
	}
}

// skew is how far the clocks here and there may be apart.
const skew = 5 * time.Minute

// fits reports whether a row is shown as one of its versions left it.
func (c *comparison) fits(shown row) bool {
	digest := shown.digest()
	for _, v := range c.fold.versions(shown.Subject) {
		if v.digest == digest && v.mayShow(shown.status, c.began, c.Clock()) {
			return true
		}
	}
	return false
}

// mayShow: what was pending or approved is expired from its time on.
func (v version) mayShow(status string, began, now time.Time) bool {
	ends := v.status == string(cab.ExceptionPending) || v.status == string(cab.ExceptionGranted)
	switch {
	case status == v.status:
		return !ends || began.Add(-skew).Before(v.expires)
	case ends && status == string(cab.ExceptionOver):
		return !now.Add(skew).Before(v.expires)
	}
	return false
}

func (c *comparison) shown(r row) error {
	if c.seen[r.Subject] {
		return fmt.Errorf("%w: its lists show %s twice", api.ErrNotEucora, r.title)
	}
	c.seen[r.Subject] = true
	c.report.Rows++
	if c.fits(r) {
		return nil
	}
	if c.later = append(c.later, r); len(c.later) > maxLater {
		return contradicts(nil, "more than %d rows are shown otherwise than the events say", maxLater)
	}
	return nil
}

// judge says what is wrong with a row that did not fit when it was read.
func (c *comparison) judge(shown row) error {
	if c.fits(shown) {
		return nil
	}
	versions := c.fold.versions(shown.Subject)
	if len(versions) == 0 {
		c.report.find("%s is shown, and no event wrote it", shown.title)
		return nil
	}
	last := versions[len(versions)-1]
	leaf, said, err := c.said(shown.Subject, last.seq)
	if err != nil {
		return err
	}
	what := differences(shown, said)
	if !last.mayShow(shown.status, c.began, c.Clock()) {
		what = append(what, fmt.Sprintf("status is shown as %q, and was written as %q until %s", shown.status, last.status, last.expires.UTC().Format(time.RFC3339)))
	}
	c.report.find("%s is not what event %d wrote (%s): %s", shown.title, last.seq, describe(last.seq, leaf), strings.Join(what, "; "))
	return nil
}

// said is a row as an event wrote it.
func (c *comparison) said(of cab.Subject, seq int64) ([]byte, row, error) {
	leaf, err := c.mirror.leaf(seq, c.tree.Size())
	if err != nil {
		return nil, row{}, err
	}
	e, err := readEvent(seq, leaf)
	for _, r := range rowsOf(e) {
		if r.Subject == of {
			return leaf, r, err
		}
	}
	return leaf, row{title: string(of.Kind) + " " + of.ID}, err
}

// gone looks for rows that are not shown, in the order of the events that wrote them:
// each round finds the same ones.
func (c *comparison) gone() error {
	var gone []cab.Subject
	for subject := range c.fold.rows {
		if !c.seen[subject] && c.fold.wasThere(subject, c.marked) {
			gone = append(gone, subject)
		}
	}
	wrote := func(s cab.Subject) int64 { return c.fold.versions(s)[0].seq }
	slices.SortFunc(gone, func(a, b cab.Subject) int {
		return cmp.Or(cmp.Compare(wrote(a), wrote(b)), cmp.Compare(a.Kind, b.Kind))
	})
	for _, subject := range gone {
		seq := wrote(subject)
		leaf, said, err := c.said(subject, seq)
		if err != nil {
			return err
		}
		c.report.find("%s is not shown: event %d wrote it (%s)", said.title, seq, describe(seq, leaf))
	}
	return nil
}

// each walks a list page by page.
func each[T any](ctx context.Context, list func(context.Context, url.Values) (api.List[T], error), show func(T) error) error {
	for query := (url.Values{"limit": {"200"}}); ; {
		page, err := list(ctx, query)
		if err != nil {
			return err
		}
		for _, one := range page.Results {
			if err := show(one); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		if len(page.Results) == 0 {
			return fmt.Errorf("%w: a list that does not end", api.ErrNotEucora)
		}
		query.Set("cursor", page.Next)
	}
}

func (c *comparison) deployments(ctx context.Context) error {
	c.Progress("comparing deployments")
	return each(ctx, c.Client.Deployments, func(d api.Deployment) error { return c.shown(shownDeployment(d)) })
}

func (c *comparison) packages(ctx context.Context) error {
	c.Progress("comparing evidence")
	return each(ctx, c.Client.Packages, func(e api.Evidence) error { return c.shown(shownPackage(e)) })
}

func (c *comparison) requests(ctx context.Context) error {
	c.Progress("comparing requests")
	return each(ctx, c.Client.Requests, func(r api.Request) error {
		if err := c.shown(shownRequest(r)); err != nil || r.ApprovalDecision == "" && r.ApprovedBy == nil && r.ApprovedAt == nil {
			return err
		}
		return c.shown(shownDecision(r))
	})
}

func (c *comparison) exceptions(ctx context.Context) error {
	c.Progress("comparing exceptions")
	return each(ctx, c.Client.Exceptions, func(e api.Exception) error {
		if e.IsActive != (e.Status == string(cab.ExceptionGranted)) || e.IsExpired != (e.Status == string(cab.ExceptionOver)) {
			c.report.find("exception %s is shown as %s, and as active %t, expired %t", e.Name, e.Status, e.IsActive, e.IsExpired)
		}
		return c.shown(shownException(e))
	})
}

func (c *comparison) models(ctx context.Context) error {
	return c.published(ctx, cab.KindModel, c.Client.RiskModels)
}

func (c *comparison) policies(ctx context.Context) error {
	return c.published(ctx, cab.KindPolicy, c.Client.Policies)
}

func (c *comparison) published(ctx context.Context, kind cab.SubjectKind, list func(context.Context) (api.List[api.Published], error)) error {
	page, err := list(ctx)
	if err != nil {
		return err
	}
	for _, p := range page.Results {
		document, err := evidence.Canonical(p.Document)
		if err != nil || evidence.Digest(document) != p.Digest {
			c.report.find("the document of %s %s does not have its digest", kind, p.Version)
		}
		if err := c.shown(shownPublished(kind, p)); err != nil {
			return err
		}
		if err := c.use(kind, p, document); err != nil {
			return err
		}
	}
	return nil
}

// use takes in whether a policy is in force, and which model is in use by it.
func (c *comparison) use(kind cab.SubjectKind, p api.Published, document []byte) error {
	if kind == cab.KindModel {
		if p.Active {
			c.scoring = append(c.scoring, p.Version)
		}
		return nil
	}
	var policy struct {
		RiskModel string `json:"risk_model"`
	}
	if json.Unmarshal(document, &policy) == nil { // if not, it names none
		c.names[p.Version] = policy.RiskModel
	}
	if p.Active {
		return c.shown(inForce(p.Version))
	}
	return nil
}
