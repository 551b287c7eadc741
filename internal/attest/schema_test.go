package attest

import (
	"bytes"
	"os"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const schemaFile = "../../docs/attestation-evidence-v1.schema.json"

// TestSchema: real predicates are what the published schema says, which
// describes every member of them; wrong ones are not.
func TestSchema(t *testing.T) {
	text, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource(PredicateType, parsed); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile(PredicateType)
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{
		`{}`, `{"artifacts":{"name":"a","sha256":"` + a64 + `"},"scan_results":{"high":[{"id":"CVE"}]}}`,
		`{"artifacts":[{"sha256":7},{}],"deployment_plan":{},"rollback_plan":{},"test_results":{"coverage_percent":1}}`,
	} {
		predicate := predicateOf(t, documentOf(t, data))
		if err := schema.Validate(predicate); err != nil {
			t.Errorf("%s: %v", data, err)
		}
		described(t, "predicate", schema, predicate)
	}
	for name, spoil := range map[string]func(predicate, document map[string]any){
		"no hash":         func(p, _ map[string]any) { delete(p, "content_hash") },
		"a score of 101":  func(_, d map[string]any) { d["risk_score"] = 101.0 },
		"another schema":  func(_, d map[string]any) { d["schema"] = "eucora.evidence/2" },
		"a sixth section": func(_, d map[string]any) { d["evidence_data"].(map[string]any)["more"] = true },
		"a bad time":      func(_, d map[string]any) { d["created_at"] = "today" },
	} {
		predicate := predicateOf(t, documentOf(t, `{}`))
		spoil(predicate, predicate["document"].(map[string]any))
		if schema.Validate(predicate) == nil {
			t.Errorf("%s: the schema does not mind", name)
		}
	}
}

func predicateOf(t *testing.T, document []byte) map[string]any {
	t.Helper()
	text, err := Statement(document)
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Predicate map[string]any `json:"predicate"`
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s.Predicate
}

// described checks that a schema names every member of a value, except where it
// leaves an object's members open by naming none.
func described(t *testing.T, at string, schema *jsonschema.Schema, value any) {
	t.Helper()
	for schema.Ref != nil {
		schema = schema.Ref
	}
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if len(schema.Properties) == 0 {
				break
			}
			if schema.Properties[name] == nil {
				t.Errorf("%s.%s is not in the schema", at, name)
				continue
			}
			described(t, at+"."+name, schema.Properties[name], member)
		}
	case []any:
		if schema.Items2020 == nil {
			return
		}
		for _, element := range v {
			described(t, at+"[]", schema.Items2020, element)
		}
	}
}
