package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/report"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// spec is the OpenAPI 3.1 document, made from the routes and the contract's
// types, and the checker of bodies by the same schemas: what is documented is
// what is enforced.
type spec struct {
	registry huma.Registry
	bodies   map[*route]*huma.Schema
	api      *huma.OpenAPI
	text     []byte
}

func newSpec(routes []route, version string) (*spec, error) {
	s := &spec{
		registry: huma.NewMapRegistry("#/components/schemas/", schemaName),
		bodies:   map[*route]*huma.Schema{},
	}
	s.api = &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Eucora", Version: version,
			Description: "Change-approval gate for endpoint application deployments. Every path works with and without a trailing slash. Errors are RFC 9457 problem documents.",
		},
		Servers: []*huma.Server{{URL: base}},
		Paths:   map[string]*huma.PathItem{},
		Components: &huma.Components{
			Schemas:         s.registry,
			SecuritySchemes: map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}},
		},
		Security: []map[string][]string{{"token": {}}},
	}
	for i := range routes {
		s.add(&routes[i])
	}
	var err error
	s.text, err = s.api.MarshalJSON()
	return s, err
}

// schemaName is a type's name in the document. A report has words in common with
// the rest of the contract, for other things.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.PkgPath() == reflect.TypeFor[report.Report]().PkgPath() && t != reflect.TypeFor[report.Report]() {
		return "Report" + name
	}
	return name
}

var pathParam = regexp.MustCompile(`\{(\w+)\}`)

func (s *spec) add(rt *route) {
	op := &huma.Operation{
		OperationID: operationID(rt), Summary: rt.summary, Tags: []string{strings.SplitN(rt.path, "/", 3)[1]},
		Description: "Permission: " + string(rt.action) + ".",
		Responses: map[string]*huma.Response{
			fmt.Sprint(rt.status): {Description: http.StatusText(rt.status), Content: s.answer(rt.answer)},
			"default":             {Description: "A problem", Content: s.content("application/problem+json", api.Problem{})},
		},
	}
	for _, name := range pathParam.FindAllStringSubmatch(rt.path, -1) {
		op.Parameters = append(op.Parameters, &huma.Param{Name: name[1], In: "path", Required: true, Schema: &huma.Schema{Type: "string"}})
	}
	for _, p := range rt.query {
		op.Parameters = append(op.Parameters, &huma.Param{Name: p.name, In: "query", Description: p.doc, Schema: &huma.Schema{Type: "string"}})
	}
	if rt.changes() {
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: "Idempotency-Key", In: "header", Description: "A repetition with the same key gets the first answer", Schema: &huma.Schema{Type: "string"},
		})
	}
	if rt.body != nil {
		body := rt.body
		if files, ok := body.(withFiles); ok {
			body = files.body
		}
		s.bodies[rt] = s.schema(body)
		op.RequestBody = &huma.RequestBody{Required: true, Content: s.content("application/json", body)}
		if rt.files() {
			op.RequestBody.Content["multipart/form-data"] = s.withFiles(body)
		}
	}
	item := s.api.Paths[rt.path]
	if item == nil {
		item = &huma.PathItem{}
		s.api.Paths[rt.path] = item
	}
	if rt.method == http.MethodGet {
		item.Get = op
	} else {
		item.Post = op
	}
}

func operationID(rt *route) string {
	id := strings.ToLower(rt.method) + strings.NewReplacer("{", "", "}", "", "/", "-").Replace(rt.path)
	return id
}

func (s *spec) schema(value any) *huma.Schema {
	return s.registry.Schema(reflect.TypeOf(value), true, "")
}

// withFiles is a body as the part that stands first, and files of each role.
func (s *spec) withFiles(body any) *huma.MediaType {
	object := &huma.Schema{Type: "object", Required: []string{record}, Properties: map[string]*huma.Schema{record: s.schema(body)}}
	for _, role := range evidence.Roles() {
		object.Properties[string(role)] = &huma.Schema{
			Type: "array", Items: &huma.Schema{Type: "string", ContentEncoding: "binary"}, Description: "Files; they follow the record",
		}
	}
	return &huma.MediaType{Schema: object, Encoding: map[string]*huma.Encoding{record: {ContentType: "application/json"}}}
}

func (s *spec) content(media string, value any) map[string]*huma.MediaType {
	return map[string]*huma.MediaType{media: {Schema: s.schema(value)}}
}

// answer is what a call answers with.
func (s *spec) answer(value any) map[string]*huma.MediaType {
	switch a := value.(type) {
	case inMedia:
		content := map[string]*huma.MediaType{}
		if a.json != nil {
			content = s.content("application/json", a.json)
		}
		for _, media := range a.media {
			content[media] = &huma.MediaType{}
		}
		return content
	}
	return s.content("application/json", value)
}

// validate checks a body in canonical form against the contract.
func (s *spec) validate(rt *route, body []byte) []cab.FieldError {
	schema := s.bodies[rt]
	object := schema
	if object.Ref != "" {
		object = s.registry.SchemaFromRef(object.Ref)
	}
	value, err := shallow(body, object)
	if err != nil {
		return []cab.FieldError{{Field: "body", Message: "must be an object"}}
	}
	var faults []cab.FieldError
	for name := range value {
		if object.Properties[name] == nil { // here, for the checker does not mind case
			faults = append(faults, cab.FieldError{Field: name, Message: "is not a member of this call"})
			delete(value, name)
		}
	}
	result := &huma.ValidateResult{}
	huma.Validate(s.registry, schema, huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, value, result)
	for _, err := range result.Errors {
		faults = append(faults, fieldError(err))
	}
	slices.SortStableFunc(faults, func(a, b cab.FieldError) int { return strings.Compare(a.Field, b.Field) })
	return faults
}

// shallow decodes an object as the checker wants it. A member that the contract
// leaves open (evidence) is not decoded for nothing.
func shallow(body []byte, object *huma.Schema) (map[string]any, error) {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(body, &members, jsontext.AllowDuplicateNames(true)); err != nil || members == nil {
		return nil, fmt.Errorf("not an object: %w", err)
	}
	value := make(map[string]any, len(members))
	for name, text := range members {
		if property := object.Properties[name]; property == nil || (property.Type == "" && property.Ref == "") {
			value[name] = map[string]any{}
			continue
		}
		var member any
		if err := json.Unmarshal(text, &member); err != nil {
			return nil, err
		}
		value[name] = member
	}
	return value, nil
}

var requiredForm = regexp.MustCompile(`^expected required property (\S+) to be present$`)

// fieldError turns the checker's words into ours.
func fieldError(err error) cab.FieldError {
	detail, ok := errors.AsType[*huma.ErrorDetail](err)
	if !ok {
		return cab.FieldError{Field: "body", Message: err.Error()}
	}
	field, message := strings.Trim(detail.Location, "."), detail.Message
	if required := requiredForm.FindStringSubmatch(message); required != nil {
		message = "is required"
		field = strings.Trim(field+"."+required[1], ".")
	}
	if field == "" {
		field = "body"
	}
	return cab.FieldError{Field: field, Message: message}
}

func (s *Server) serveSpec(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(s.spec.text)
}
