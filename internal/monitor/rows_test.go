package monitor_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store/storetest"
	"github.com/eucora/eucora/internal/workflow"
)

// TestRows: what the API shows is not what the events wrote.
func TestRows(t *testing.T) {
	for name, c := range map[string]struct {
		sql  string
		says []string
	}{
		"a rejected request shows as approved": {`UPDATE cab_request SET status = 'approved' WHERE id = '@REJECTED'`, []string{"request CAB-", "(CAB_REJECTED by carol on ", `status is shown as "approved", and was written as "rejected"`}},
		"a decision":                           {`UPDATE decision SET decision = 'approved' WHERE request_id = '@REJECTED'`, []string{"the decision on request CAB-", `approval_decision is shown as "approved", and was written as "rejected"`}},
		"who decided":                          {`UPDATE decision SET decider_name = 'sam' WHERE request_id = '@REJECTED'`, []string{"approved_by is shown as"}},
		"conditions":                           {`UPDATE decision SET conditions = '{}' WHERE request_id = '@DECIDED'`, []string{"approval_conditions", `\"a\":2`}},
		"a score":                              {`UPDATE cab_request SET risk_score = 10 WHERE id = '@REJECTED'`, []string{"risk_score"}},
		"a gate's threshold":                   {`UPDATE cab_request SET gate = REPLACE(gate, '"auto":50', '"auto":70') WHERE id = '@REJECTED'`, []string{"request CAB-", `gate.thresholds is shown as "auto 70, review 75", and was written as "auto 50, review 75"`}},
		"what a gate waits for":                {`UPDATE cab_request SET gate = REPLACE(gate, '"guards"', '"waits_for":"witnesses","guards"') WHERE id = '@REJECTED'`, []string{"request CAB-", `gate.waits_for is shown as "witnesses", and was written as ""`}},
		"an approval's end":                    {`UPDATE cab_request SET valid_until = valid_until + 1 WHERE id = '@DECIDED'`, []string{"valid_until"}},
		"a hash":                               {`UPDATE evidence_package SET content_hash = '00' WHERE id = '@PACKAGE'`, []string{"evidence @PACKAGE", "content_hash"}},
		"an exception's end":                   {`UPDATE cab_exception SET expires_at = expires_at + 1 WHERE id = '@EXCEPTION'`, []string{"exception EXC-", "expires_at"}},
		"an exception's status":                {`UPDATE cab_exception SET status = 'rejected' WHERE id = '@EXCEPTION'`, []string{"exception EXC-", `status is shown as "rejected", and was written as "approved"`}},
		"a deployment's ring":                  {`UPDATE deployment SET target_ring = 'GLOBAL' WHERE id = '@DEPLOYMENT'`, []string{"deployment @DEPLOYMENT", "target_ring", "PILOT"}},
		"a request is gone":                    {`DELETE FROM cab_request WHERE id = '@WAITING'`, []string{"request CAB-", "is not shown: event", "CAB_SUBMITTED by erin"}},
		"a decision is gone":                   {`DELETE FROM decision WHERE request_id = '@REJECTED'`, []string{"the decision on request CAB-", "is not shown: event"}},
		"a package without an event": {`INSERT INTO evidence_package SELECT '00000000-0000-7000-8000-000000000000', deployment_id, 99, correlation_id, created_by_id, created_by_name, created_at, risk_score, risk_model_version, is_complete, content_hash, document FROM evidence_package WHERE id = '@PACKAGE'`,
			[]string{"evidence 00000000-0000-7000-8000-000000000000 is shown, and no event wrote it"}},
		"a decision without an event": {`INSERT INTO decision SELECT '@WAITING', decision, rationale, decider_id, decider_name, decider_role, risk_score, risk_model_version, policy_version, content_hash, conditions, decided_at, valid_until FROM decision WHERE request_id = '@DECIDED'`,
			[]string{"the decision on request CAB-", "is shown, and no event wrote it"}},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, e storetest.Engine) {
				w := newWorld(t, e)
				decided, rejected, waiting := w.decided(), w.rejected(), w.blocked()
				names := strings.NewReplacer("@DECIDED", decided.request, "@REJECTED", rejected.request, "@WAITING", waiting.request,
					"@PACKAGE", decided.evidence, "@EXCEPTION", decided.exception, "@DEPLOYMENT", decided.deployment)
				w.fine()
				w.owner(func(db *sql.DB) {
					w.exec(db, names.Replace(c.sql))
				})
				var says []string
				for _, text := range c.says {
					says = append(says, names.Replace(text))
				}
				w.finds(says...)
			})
		})
	}
}

// TestPublished: the policy that the API shows is the one that was published, word
// for word.
func TestPublished(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		w.fine()
		w.owner(func(db *sql.DB) { w.exec(db, `UPDATE policy SET digest = 'x'`) })
		report := w.look()
		if all := strings.Join(report.Findings, "\n"); !strings.Contains(all, "does not have its digest") || !strings.Contains(all, "digest is shown as \"x\"") {
			t.Errorf("%s", all)
		}
	})
}

// TestScoring: a server that shows another model as the one that scores, none or two.
func TestScoring(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	w.secondModel()
	w.fine()
	honest := w.handler
	for name, active := range map[string][]string{"none": {}, "another": {"2.0"}, "two": {"1.0", "2.0"}} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			lie(w, honest, "/api/v1/risk-models/", func(list *api.List[api.Published]) {
				for i, model := range list.Results {
					list.Results[i].Active = slices.Contains(active, model.Version)
				}
			})
			w.finds("shown as the risk model that scores new evidence", `the policy in force names ["1.0"]`)
		})
	}
}

// TestManyFindings: a report holds a hundred findings and the number of the others;
// what contradicts history comes first, however much was found before it.
func TestManyFindings(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	w.fine()
	lie(w, w.handler, "/api/v1/policies/", func(list *api.List[api.Published]) {
		for i := range 70 {
			list.Results = append(list.Results, api.Published{Version: fmt.Sprintf("8.%d", i), Document: []byte(`{}`)})
		}
	})
	report := w.look()
	if len(report.Findings) != 100 || report.LeftOut != 40 {
		t.Errorf("%d findings, %d left out", len(report.Findings), report.LeftOut)
	}
	asked := 0
	lie(w, w.handler, "/api/v1/checkpoint/", func(c *api.Checkpoint) {
		if asked++; asked == 2 { // after the lists
			opened, err := ledger.OnlyLog(c.Key)
			w.ok(err)
			checkpoint, err := opened.Open([]byte(c.Note))
			w.ok(err)
			forked, err := w.signer.Sign(checkpoint.Size, ledger.LeafHash([]byte("x")))
			w.ok(err)
			c.Note = string(forked)
		}
	})
	report = w.look()
	if asked != 2 || len(report.Findings) != 71 || !strings.Contains(report.Findings[0], "the log signed another tree of") {
		t.Errorf("asked %d times, %d findings, %q first", asked, len(report.Findings), report.Findings[0])
	}
}

// TestScoringChangesMeanwhile: a policy that names another model and comes into force
// while the monitor reads, before or after either list, is no finding.
func TestScoringChangesMeanwhile(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	w.secondModel()
	for i, path := range []string{"/api/v1/cab/exceptions/", "/api/v1/risk-models/", "/api/v1/policies/", "/api/v1/checkpoint/"} {
		calls := 0
		w.during = func(r *http.Request) {
			if r.URL.Path == path {
				if calls++; calls == 1 {
					rules, err := cab.ParsePolicy(cab.DefaultPolicy())
					w.ok(err)
					rules.Version, rules.RiskModel = fmt.Sprintf("9.%d", i), []string{"2.0", "1.0"}[i%2]
					_, err = w.service.PublishPolicy(ctx, workflow.Call{Actor: cab.Setup}, rules)
					w.ok(err)
				}
			}
		}
		if w.fine(); calls == 0 {
			t.Errorf("%s was not asked", path)
		}
	}
}

// TestEveryMemberIsCompared: what the lists show is compared, but for texts that the
// server makes of it for people, and what is in documents.
func TestEveryMemberIsCompared(t *testing.T) {
	compared, err := os.ReadFile("row.go")
	w := &world{t: t}
	w.ok(err)
	elsewhere := map[string]bool{
		// In compare.go, and what the row is found by.
		"Exception.status": true, "Exception.is_active": true, "Exception.is_expired": true, "Published.version": true, "Published.active": true, "Published.document": true,
		// Made of the status.
		"Request.status_display": true, "Exception.status_display": true,
		// Not in lists.
		"Evidence.evidence_data": true, "Evidence.risk_factors": true, "Evidence.completeness_check": true, "Evidence.missing": true,
		"Evidence.attachments": true, "Evidence.origins": true, "Evidence.notes": true, "Request.decision": true,
	}
	for _, wire := range []any{api.Deployment{}, api.Evidence{}, api.Request{}, api.Exception{}, api.Published{}} {
		kind := reflect.TypeOf(wire)
		for i := range kind.NumField() {
			name, _, _ := strings.Cut(kind.Field(i).Tag.Get("json"), ",")
			if name != "id" && !elsewhere[kind.Name()+"."+name] && !strings.Contains(string(compared), `{"`+name) {
				t.Errorf("%s: %s is not compared", kind, name)
			}
		}
	}
	for i, gate := 0, reflect.TypeFor[api.Gate](); i < gate.NumField(); i++ {
		name, _, _ := strings.Cut(gate.Field(i).Tag.Get("json"), ",")
		if !strings.Contains(string(compared), `{"gate.`+name+`"`) {
			t.Errorf("gate.%s is not compared", name)
		}
	}
}
