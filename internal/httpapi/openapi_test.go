package httpapi

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/eucora/eucora/internal/store/storetest"
)

// TestOpenAPI: the served document is OpenAPI 3.1, whole (every reference
// resolves, every operation can be called by what it says), and has exactly the
// routes that there are.
func TestOpenAPI(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	got := w.send("", "GET", "/api/v1/openapi.json", "")
	var doc struct {
		OpenAPI string
		Info    struct{ Title, Version string }
		Paths   map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Summary     string
			Parameters  []struct{ Name, In string }
			RequestBody *struct{ Content map[string]any }
			Responses   map[string]struct{ Description string }
		}
		Components struct{ Schemas, SecuritySchemes map[string]any }
		Security   []map[string][]string
	}
	if err := json.Unmarshal([]byte(got.body), &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") || doc.Info.Title == "" || doc.Info.Version == "" || len(doc.Security) == 0 || doc.Components.SecuritySchemes["token"] == nil {
		t.Errorf("head: %s %+v", doc.OpenAPI, doc.Info)
	}
	var any map[string]any
	if err := json.Unmarshal([]byte(got.body), &any); err != nil {
		t.Fatal(err)
	}
	checkRefs(t, any, any)
	ids := map[string]bool{}
	documented := 0
	for path, item := range doc.Paths {
		for method, op := range item {
			documented++
			if ids[op.OperationID] || op.OperationID == "" || op.Summary == "" {
				t.Errorf("%s %s: operationId %q, summary %q", method, path, op.OperationID, op.Summary)
			}
			ids[op.OperationID] = true
			if len(op.Responses) < 2 || op.Responses["default"].Description == "" {
				t.Errorf("%s %s: responses %v", method, path, op.Responses)
			}
			var declared []string
			for _, p := range op.Parameters {
				if p.In == "path" {
					declared = append(declared, "{"+p.Name+"}")
				}
			}
			if used := pathParam.FindAllString(path, -1); !slices.Equal(used, declared) {
				t.Errorf("%s %s: path parameters %v are declared", method, path, declared)
			}
			if i := slices.IndexFunc(w.api.routes, func(rt route) bool { return rt.path == path && strings.EqualFold(rt.method, method) }); i < 0 {
				t.Errorf("%s %s is documented and not there", method, path)
			} else if (w.api.routes[i].body != nil) != (op.RequestBody != nil) {
				t.Errorf("%s %s: body", method, path)
			}
		}
	}
	if documented != len(w.api.routes) {
		t.Errorf("%d operations documented, %d routes", documented, len(w.api.routes))
	}
}

// checkRefs follows every $ref.
func checkRefs(t *testing.T, root map[string]any, node any) {
	t.Helper()
	switch n := node.(type) {
	case map[string]any:
		if ref, ok := n["$ref"].(string); ok {
			var at any = root
			for step := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
				object, ok := at.(map[string]any)
				if !ok || object[step] == nil {
					t.Errorf("%s leads nowhere", ref)
					return
				}
				at = object[step]
			}
		}
		for _, child := range n {
			checkRefs(t, root, child)
		}
	case []any:
		for _, child := range n {
			checkRefs(t, root, child)
		}
	}
}

// TestAnswersFitTheDocument: the members of real answers are those that the
// document has, none more; and the words of the specification are there.
func TestAnswersFitTheDocument(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]any
				Required   []string
			}
		}
	}
	if err := json.Unmarshal([]byte(w.send("", "GET", "/api/v1/openapi.json", "").body), &doc); err != nil {
		t.Fatal(err)
	}
	w.submitted("low")
	of := w.submitted("low")
	blocked := w.submitted("high")
	for path, schema := range map[string]string{
		"/deployments/" + of.deployment + "/": "Deployment", "/evidence/" + of.evidence + "/": "Evidence", "/evidence/" + of.evidence + "/verify/": "Verification",
		"/evidence/" + of.evidence + "/breakdown/": "Breakdown", "/evidence/" + of.evidence + "/attestation/": "Envelope", "/evidence/" + of.evidence + "/diff/": "Diff", "/cab/" + of.request + "/": "Request", "/cab/exceptions/" + blocked.exception + "/": "Exception",
		"/deployments/" + of.deployment + "/approval-status/": "ApprovalStatus", "/checkpoint/": "Checkpoint", "/risk-models/1.0/": "Published", "/me/": "Me",
	} {
		var answer map[string]any
		if err := json.Unmarshal([]byte(w.send("ada", "GET", "/api/v1"+path, "").body), &answer); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		s, ok := doc.Components.Schemas[schema]
		if !ok {
			t.Fatalf("no schema %s", schema)
		}
		for member := range answer {
			if s.Properties[member] == nil {
				t.Errorf("%s answers %s, which %s does not have", path, member, schema)
			}
		}
		for _, member := range s.Required {
			if _, ok := answer[member]; !ok {
				t.Errorf("%s lacks %s, which %s requires", path, member, schema)
			}
		}
	}
	words := map[string]string{
		"Request":   "id correlation_id deployment_intent_id evidence_package_id risk_score risk_model_version policy_version risk_tier status status_display submitted_by submitted_at due_at approved_by approval_decision approval_rationale approval_conditions approved_at valid_until gate notes decision",
		"Exception": "id correlation_id deployment_intent_id cab_request_id reason risk_justification compensating_controls requested_by requested_at approved_by approval_decision approval_rationale approved_at expires_at status status_display is_active is_expired",
		"Evidence":  "id deployment_intent_id correlation_id evidence_data risk_score risk_factors risk_model_version is_complete completeness_check missing content_hash created_at created_by",
		"Submitted": "decision_status message status", "ApprovalStatus": "latest_request latest_status is_approved requires_exception active_exceptions reasons",
		"Cleanup": "count message", "Problem": "type title status detail code correlation_id errors missing error",
	}
	for schema, members := range words {
		for member := range strings.FieldsSeq(members) {
			if doc.Components.Schemas[schema].Properties[member] == nil {
				t.Errorf("%s lacks %s", schema, member)
			}
		}
	}
}

// TestOperationsGolden: the list of calls, to be read.
func TestOperationsGolden(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	var text strings.Builder
	for _, rt := range w.api.routes {
		text.WriteString(rt.method + " " + rt.path + "/  " + string(rt.action) + "  " + rt.summary + "\n")
	}
	path := filepath.Join("testdata", "operations.golden")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != text.String() {
		t.Errorf("the calls changed (%v); if that is meant, UPDATE_GOLDEN=1:\n%s", err, text.String())
	}
}

func TestDocsPage(t *testing.T) {
	w := newWorld(t, storetest.Engines(t)[0])
	got := w.send("", "GET", "/api/docs", "")
	for _, want := range []string{"/api/v1/cab/submit/", "Idempotency-Key", "openapi.json"} {
		if !strings.Contains(got.body, want) {
			t.Errorf("the API page lacks %s", want)
		}
	}
	if strings.Contains(got.body, "<script") || strings.Contains(got.body, "http://") || strings.Contains(got.body, "https://") || strings.Contains(got.body, "style=") {
		t.Error("the page must ask nobody for anything and hold no inline script or style")
	}
	if !strings.HasPrefix(got.header.Get("Content-Security-Policy"), "default-src 'self'") {
		t.Error("no policy")
	}
}
